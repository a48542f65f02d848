"""neurosim: the rooms, and the verbs of the first hour. What else there is stands in the stub of each room."""

__version__: str

# The rooms, in the order in which a study walks through them
from . import biophysics as biophysics  # Brian2: neurons, circuits, simulation, the ladder of realism, fits
from . import networks as networks  # trained networks: architectures, training, recording, explanation, exchange
from . import parameters as parameters  # neurons and synapses as numbers, in SI units
from . import plots as plots  # arrays in, matplotlib Axes out
from . import recordings as recordings  # measured brains, from the formats that laboratories write
from . import responses as responses  # one subject's answers: rates, tuning, reliability, decoding, spike trains
from . import similarity as similarity  # RDMs, comparison, inference, alignment, predictivity
from . import stimuli as stimuli  # what is shown: pictures, sounds, sentences, events, series, encoders
from . import storage as storage  # files, whole or not at all; where real data are
from . import study as study  # a whole study, declared, run once, checked, reported
from . import tasks as tasks  # what a network learns: labelled batches, cognitive tasks
from .biophysics import climb as climb  # make a circuit biological, one rung at a time
from .biophysics import simulate as simulate  # run a circuit on stimuli
from .bridge import to_circuit as to_circuit  # a trained spiking network as a circuit, spike for spike
from .bridge import to_nir as to_nir  # a network or circuit as a NIR graph
from .bridge import verify_translation as verify_translation  # compare every spike of network and circuit
from .experiments import perturbation_effect as perturbation_effect  # what a perturbation does to answers and RDMs

# Networks, circuits, and the bridge between them
from .networks import build_network as build_network  # the torch module of a specification
from .networks import record_responses as record_responses  # record any module's layers
from .networks import train as train  # train a network on a task
from .power import ExperimentDesign as ExperimentDesign  # how many subjects, stimuli and units are tried
from .power import power_analysis as power_analysis  # how many subjects, stimuli and trials a question needs
from .recordings import load_dataset as load_dataset  # a published set by name
from .recordings import load_responses as load_responses  # responses from a file
from .schema import InputError as InputError  # something that was given cannot be used

# Arrays with labels, and what is asked of them
from .schema import Perturbation as Perturbation  # what is done to units of a layer: lesion, silence, clamp, ...
from .schema import SchemaError as SchemaError  # an array that does not mean what it must
from .schema import as_rdm as as_rdm  # a labelled RDM from a square or condensed one
from .schema import as_responses as as_responses  # labelled responses (stimulus, [trial,] [time,] unit)
from .schema import as_stimuli as as_stimuli  # labelled stimuli
from .schema import as_sweeps as as_sweeps  # currents and voltages of current clamp
from .schema import as_trials as as_trials  # responses by trial from a list of trials and what each showed

# Representations, and what they tell
from .similarity import compare_rdms as compare_rdms  # scores between RDMs
from .similarity import compute_rdm as compute_rdm  # the dissimilarity of every two stimuli
from .similarity import infer as infer  # scores with ceilings, intervals and tests

# Files and published sets
from .stimuli import load_digits as load_digits  # handwritten digits of scikit-learn
from .stimuli import load_stimuli as load_stimuli  # stimuli from a folder of pictures or a file
from .storage import StorageError as StorageError  # a file that is missing, damaged or hostile
from .storage import data_folder as data_folder  # where real data are
from .storage import use_data_folder as use_data_folder  # say where real data are

# Whole studies
from .study import cite as cite  # how to cite what was used
from .study import compare_subjects as compare_subjects  # your models with your data, to the whole report
from .study import run_study as run_study  # run a study file
