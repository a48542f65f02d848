# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A study on a cluster
#
# A study is one file; its steps are jobs that any queue can start. You write one, look at its steps before anything runs, spread
# a simulation and the instances of a network over jobs, run them behind a command as a cluster would, see what is done again
# after a change (little), and prove that the results are what they claim to be. Eight minutes to read, half a minute to run. It
# needs neither data nor a cluster: the command in front of each job is `nice` here, where it is `srun` there.

# %%
import tempfile
from pathlib import Path

import neurosim as ns

folder = Path(tempfile.mkdtemp())
file = folder / "study.toml"
file.write_text(
    """
name = "spread"
title = "Two networks and a circuit on digits"
seed = 1

[stimuli]
source = "digits"
n_per_category = 2

[subjects.mlp]
kind = "network"
architecture = "MLP"
parameters = { hidden = [32] }
training = { task = "digits", epochs = 2 }
instances = 2  # two steps of training, mlp_1 and mlp_2, side by side

[subjects.v1]
kind = "circuit"
circuit = "gabor_adex"
options = { n_excitatory = 40, n_inhibitory = 10 }
blocks = 2  # the simulation in two steps, each of half of the stimuli

[brains.area]
kind = "synthetic"
tuning = { gabor = 1.0 }
n_subjects = 4

[analyses.rsa]
kind = "rsa"
"""
)
study = ns.study.load_study(file)
study

# %% [markdown]
# ## Look before anything runs
# `check_study` reads the whole study, refuses what cannot be done, and says of every step whether its result is in the store.
# On the command line it is `neurosim check study.toml`.

# %%
import pandas as pd


def steps():
    """The steps of the study, and what the store says of each."""
    looks = ns.study.check_study(file, out=folder / "results")
    return pd.Series({look.step.name: look.state for look in looks}, name="state")


steps()

# %% [markdown]
# A typing error costs seconds here, not a night in a queue:

# %%
wrong = folder / "wrong.toml"
wrong.write_text(file.read_text().replace('circuit = "gabor_adex"', 'circuit = "gabor_adx"'))
try:
    ns.study.check_study(wrong)
except ns.InputError as error:
    print(error)

# %% [markdown]
# ## Run it behind a command
# A step is a job description on the standard input of `neurosim worker`, so that whatever starts a process can run it. On a
# cluster of SLURM, from inside an allocation:
#
# ```
# neurosim run study.toml -j 8 --launch "srun -n1 -c2"
# ```
#
# and with dask `--dask tcp://scheduler:8786`. Where jobs wait for hours, `neurosim submit study.toml --slurm` puts one array job
# a kind of step into the queue and comes back at once. Here the command is `nice -n 1`.

# %%
told = []
outcome = ns.run_study(
    file,
    out=folder / "results",
    jobs=2,
    launch=ns.study.Launch("nice -n 1"),
    report=lambda step, event, text: told.append((step, event)),
)
print(len(told), "messages, the last:", told[-1])
outcome

# %% [markdown]
# The report stands in the results folder, and its scores are an array here. `mlp_1` and `mlp_2` are two instances, which differ
# in their first weights and the order of training alone.

# %%
scores = outcome.scores["rsa:area"]
ns.plots.plot_scores(scores, groups=[str(m).split("/")[0] for m in scores.model.values])
print(sorted(p.name for p in outcome.folder.iterdir()))

# %% [markdown]
# ## What is done again
# The key of a step holds everything its result depends on. Nothing changed, nothing runs; another comparison method touches the
# analysis alone, and no network is trained again.

# %%
again = ns.run_study(file, out=folder / "results")
print(f"unchanged: {again.n_hits} of {again.n_steps} steps from the store")
file.write_text(file.read_text().replace('kind = "rsa"\n', 'kind = "rsa"\nmethod = "cosine"\n'))
state = steps()
print("to do:", ", ".join(state.index[state != "hit"]))

# %% [markdown]
# ## A run that was killed
# A step is in the store whole or not at all, so that a run goes on where it was, whatever ended it. Here it ends as soon as the
# first network is trained.

# %%
class Killed(Exception):
    """The power is gone."""


def kill(step, event, text):
    """End the run when the first step of training is done."""
    if step.startswith("train") and event != "start":
        raise Killed(step)


other = folder / "other.toml"
other.write_text(file.read_text().replace("seed = 1", "seed = 2"))
try:
    ns.run_study(other, out=folder / "other", store=folder / "store", jobs=1, report=kill)
except Killed as where:
    print("killed at", where)
status = ns.study.study_status(other, out=folder / "other", store=folder / "store")
print(status["hits"], "of", status["steps"], "steps are in the store")

# %% [markdown]
# ## Are the results what they claim to be?
# Every file of the folder is in its manifest. One digit changed by hand, and it is said; `neurosim verify results/spread --rerun`
# computes all of it again in fresh processes and compares the bytes.

# %%
ns.study.check_results(outcome.folder)
numbers = outcome.folder / "numbers.json"
kept = numbers.read_bytes()
numbers.write_bytes(kept.replace(b"1", b"2", 1))
try:
    ns.study.check_results(outcome.folder)
except ns.StorageError as error:
    print(error)
numbers.write_bytes(kept)
ns.study.check_results(outcome.folder)

# %% [markdown]
# ## Exercises
# **1.** You want a third instance of the network. What is computed again?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Only what is new: the third network, its RDMs, and what compares all of them.
before = set(steps().index)
file.write_text(file.read_text().replace("instances = 2", "instances = 3"))
state = steps()
print("new steps:", ", ".join(sorted(set(state.index) - before)))
print("to do:", ", ".join(state.index[state != "hit"]))

# %% [markdown]
# **2.** A simulation of an hour should be spread over eight nodes. Change one key, and say which steps can run side by side.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Each block is a step of its own, and simulate:v1 joins them to the same bytes as one block would
# give.
file.write_text(file.read_text().replace("blocks = 2", "blocks = 8"))
print([name for name in steps().index if name.startswith(("block", "simulate"))])

# %% [markdown]
# **3.** A colleague gets your results folder. Which calls tell whether its files are whole, what was installed when it was made,
# and whether the numbers come out again?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
ns.study.check_results(outcome.folder)
print("changes since it was written:", ns.study.environment_changes(outcome.folder))
# and, in fresh processes: ns.study.rerun_results(outcome.folder), or neurosim verify FOLDER --rerun
