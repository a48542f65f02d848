"""Studies: declared as records or one TOML file, run once, checked, reported."""

# run
from .run import check_study as check_study  # return every step of a study with what the store has of it
from .run import find_study as find_study  # return the study file called `name`: a path, or the name of a built-in
from .run import run_study as run_study  # run a study file; steps whose result is in the store are taken from there
from .run import study_status as study_status  # return how many steps of a study are done, where its results folder

# one machine or many
from .engine.launch import Launch as Launch  # where steps run: this machine, behind a command, dask; and on what device
from .engine.worker import do_job as do_job  # do one job that a file or standard input describes; return its code
from .submit import submit_study as submit_study  # submit the steps of a study as SLURM array jobs, one for each kind

# given
from .given import compare_subjects as compare_subjects  # compare your models with your data and write the whole
from .given import new_study as new_study  # write a working template: your model against your data, as a script and

# verify
from .verify import check_results as check_results  # check every file of a results folder against its manifest
from .verify import environment_changes as environment_changes  # return what changed in the environment since the
from .verify import rerun_results as rerun_results  # recompute every step of a results folder in fresh processes,

# doctor
from .doctor import examine_machine as examine_machine  # return findings on Python, libraries, devices, memory, disk
