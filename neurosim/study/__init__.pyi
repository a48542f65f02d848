"""Studies: declared as records or one TOML file, run once, checked, reported."""

# A study as a record, and what it is made of
from .study import Study as Study  # a whole study: stimuli, subjects, brains, analyses
from .tables import StudyError as StudyError  # the study asks for something that cannot be done
from .shown.dataset import DatasetStimuli as DatasetStimuli  # stimuli of a published set
from .subjects.network import NetworkSubject as NetworkSubject  # a torch network, trained or not
from .subjects.network import Training as Training  # what a network learns and for how long
from .subjects.twin import TwinSubject as TwinSubject  # the Brian2 twin of a trained spiking network
from .subjects.circuit import CircuitSubject as CircuitSubject  # a hand-built circuit
from .subjects.brian2_network import Brian2NetworkSubject as Brian2NetworkSubject  # a Brian2 network of your own
from .subjects.recorded import ResponsesSubject as ResponsesSubject  # responses in a file
from .brains.published import DatasetBrain as DatasetBrain  # a published recording
from .brains.recorded import ResponsesBrain as ResponsesBrain  # a recording in a file
from .brains.synthetic import SyntheticBrain as SyntheticBrain  # a synthetic recording with known truth
from .analyses.rsa import RSA as RSA  # representational similarity, with inference
from .analyses.rsa_in_time import RSAInTime as RSAInTime  # the same for every time bin
from .analyses.sign_flips import SignFlips as SignFlips  # where layers and times are above 0, corrected for all
from .analyses.relations import Relations as Relations  # all subjects and brains with each other
from .analyses.alignment import Alignment as Alignment  # CKA, CCA, shapes, dynamics, with brains or between subjects
from .analyses.predictivity import Predictivity as Predictivity  # layers predict the units of brains
from .analyses.decoding import Decoding as Decoding  # a label of the stimuli, read out of every layer and brain
from .analyses.spike_rsa import SpikeRSA as SpikeRSA  # RDMs of spike trains
from .analyses.reweighting import Reweighting as Reweighting  # features weighted to predict a brain's RDMs
from .analyses.regression import Regression as Regression  # which layers explain a brain's RDMs together

# Functions of your own, in a study
from .subjects.function import FunctionSubject as FunctionSubject  # a function of your own that answers
from .analyses.function import FunctionAnalysis as FunctionAnalysis  # a function of your own that asks
from .functions import FunctionFigure as FunctionFigure  # a function of your own that draws

# Run it
from .run import check_study as check_study  # every step, with what the store has of it; runs nothing
from .run import run_study as run_study  # run a study to its results folder
from .run import study_status as study_status  # how far it is, and whether its results are whole
from .outcome import Outcome as Outcome  # a results folder, read as scores, RDMs and figures

# One machine or many
from .engine.launch import Launch as Launch  # where steps run: here, behind any command, on dask; and on what device
from .engine.worker import do_job as do_job  # do the job that a file or standard input describes
from .submit import submit_study as submit_study  # submit a study to SLURM, one array job for each kind of step

# Files
from .files import find_study as find_study  # the file of a built-in study, or a path
from .files import load_study as load_study  # read and check a study file
from .new import new_study as new_study  # write a working template

# Your models with your data
from .compare import compare_subjects as compare_subjects  # the whole report in one call

# What goes into a paper, and into a repository
from .crate import save_crate as save_crate  # a results folder as an RO-Crate
from .score_tables import save_scores as save_scores  # scores as a table, LaTeX or CSV
from .cite import cite as cite  # what was used, as text or BibTeX

# Check and repeat results
from .doctor import examine_machine as examine_machine  # whether everything is there that studies need
from .verify import check_results as check_results  # whether the files of a results folder are whole
from .verify import environment_changes as environment_changes  # what changed since it was written
from .verify import rerun_results as rerun_results  # recompute everything and compare

# What is kept between runs
from .cache import Kept as Kept  # one result of a step, or one piece of compiled code
from .cache import kept as kept  # everything that is kept, checked if asked
from .cache import prune as prune  # delete what is of no use any more
