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
#
# Of an NWB file say which column of its trials names what was shown:
# `ns.load_responses("session.nwb", options={"by": "image", "window": (0.05, 0.25)})`; in a study,
# `{"kind": "responses", "path": "session.nwb", "options": {"by": "image"}}`.

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
#
# Stimuli reach it as they are. A network of torchvision with published weights expects RGB pictures of ImageNet's mean and
# deviation: put `torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))` before it, as
# `torch.nn.Sequential(normalise, resnet)`, or take `ns.networks.VisionSpecification`, which normalises inside.

# %%
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Flatten(),
    torch.nn.Linear(64, 50),
    torch.nn.ReLU(),
    torch.nn.Linear(50, 20),
    torch.nn.ReLU(),
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
# **1.** Does the recording follow the pixels because both are reliable, or because they say the same? Compare their RDMs yourself,
# with a crossnobis distance, which noise alone leaves at 0.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
pixels = ns.as_responses(stimuli.values.reshape(len(stimuli), -1), stimuli=stimuli)
brain = ns.compute_rdm(ns.responses.over_time(recording), metric="crossnobis")
found = ns.infer(
    {"pixels": ns.compute_rdm(pixels, metric="euclidean")},
    brain,
    resample="stimulus",
    progress=False,
)
low, high = found.interval.values[0]
print(
    f"pixels with the recording: {float(found.score[0]):.2f} ({low:.2f} to {high:.2f}) over "
    "new stimuli"
)

# %% [markdown]
# **2.** Your recording names its stimuli otherwise than your pictures. What happens, and what mends it?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Nothing is matched by position: both sides are named in the error, and the names of the pictures
# go onto the recording.
renamed = recording.assign_coords(stimulus=[f"trial_type_{k}" for k in range(len(recording))])
try:
    ns.compare_subjects(
        stimuli, {"my_network": network}, {"my_neurons": renamed}, out=folder / "renamed"
    )
except ns.InputError as error:
    print(error)
mended = renamed.assign_coords(stimulus=recording.stimulus.values)
print("the same again:", mended.identical(recording))

# %% [markdown]
# To go on, without an answer here:
#
# 1. Give a second network, made from another seed, in the same call. Is one nearer to the neurons than the other, and by
#    which test?
# 2. Leave out every third trial of the recording. Which numbers of the report change, and which must not?
