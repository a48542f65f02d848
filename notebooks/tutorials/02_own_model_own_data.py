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
# # Your model against your data
#
# Any torch module and any array of responses, and the whole report: figures, noise ceiling, intervals, corrected tests,
# citations, provenance.

# %%
import tempfile
from pathlib import Path

import numpy as np
import torch

import neurosim as ns

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Your stimuli and your data
# The data here are made up, so that the notebook runs anywhere: 40 spike trains a trial, written as a plain table. Use
# your own file: `.nc`, `.npz`, or a `.csv` of spikes with the columns `stimulus`, `trial`, `unit`, `time`.

# %%
stimuli = ns.stimuli.balanced(ns.load_digits(), 4)
rng = np.random.default_rng(0)
rates = 30 * np.abs(stimuli.values.reshape(len(stimuli), -1) @ rng.normal(size=(64, 40))) / 8
rows = ["stimulus,trial,unit,time"]
for s, name in enumerate(stimuli.stimulus.values):
    for trial in range(3):
        for unit in range(40):
            times = rng.uniform(0, 0.2, size=rng.poisson(0.2 * rates[s, unit]))
            rows += [f"{name},{trial},neuron_{unit:02d},{t:.4f}" for t in times]
(folder / "my_spikes.csv").write_text("\n".join(rows))
recording = ns.load_responses(folder / "my_spikes.csv")
recording.sizes

# %% [markdown]
# ## Your model
# Any `nn.Module`; name the layers to record, or leave it to the modules with parameters.

# %%
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Flatten(), torch.nn.Linear(64, 50), torch.nn.ReLU(), torch.nn.Linear(50, 20), torch.nn.ReLU()
)
ns.record_responses(network, stimuli, layers=["2", "4"])

# %% [markdown]
# ## The report

# %%
outcome = ns.compare_subjects(
    stimuli,
    subjects={"my_network": network, "pixels": stimuli.values.reshape(len(stimuli), -1)},
    brains={"my_neurons": recording},
    layers={"my_network": ["2", "4"]},
    out=folder / "mine",
)
sorted(p.name for p in outcome.folder.iterdir())

# %%
outcome.scores["rsa:my_neurons"][["score", "p_zero_corrected"]].to_dataframe()

# %%
assert outcome.report.is_file()

# %% [markdown]
# ## Exercises
# 1. Give a second network, made from another seed, in the same call. Is one nearer to the neurons than the other, and by
#    which test?
# 2. Leave out every third trial of the recording. Which numbers of the report change, and which must not?
