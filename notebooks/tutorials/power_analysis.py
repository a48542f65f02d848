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
# # Power analysis before an experiment
#
# Two models of an area differ in what they say about your pictures. How many subjects, pictures, neurons and repeats does it
# take to tell them apart, with the very test that will be published? You measure the noise of a pilot, simulate whole
# experiments on brains with known truth, draw power curves, and check that the test does not cry wolf. Eight minutes to read,
# a quarter of a minute to run; it needs nothing but the package.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %% [markdown]
# ## Two models that are hard to tell apart
# The question of the experiment: does the area answer oriented edges, or edges whatever their orientation? Both are features of
# the pictures that would be shown.

# %%
pictures = ns.stimuli.balanced(ns.load_digits(), 4)
edges = ns.stimuli.gabor_energy(pictures)
contrast = ns.as_stimuli(
    edges.values.reshape(len(edges), 4, -1).mean(1),
    dims=("stimulus", "unit"),
    ids=pictures.stimulus.values.tolist(),
    coords={"category": pictures.category.values},
)
rdms = {
    "oriented edges": ns.compute_rdm(edges),
    "edges of any orientation": ns.compute_rdm(contrast),
}
print(f"their RDMs correlate {float(ns.compare_rdms(*rdms.values())):.2f}")
_, axes = plt.subplots(1, 2, figsize=(6.5, 3.2), layout="constrained")
for ax, (name, rdm) in zip(axes, rdms.items()):
    ns.plots.plot_rdm(rdm, ax=ax, title=name)

# %% [markdown]
# ## What a pilot tells
# Two subjects, all pictures, three repeats. `signal_to_noise` gives the ratio of variances of every unit; its root is how large
# the noise of a trial is against the signal, which is what the simulation needs. (The pilot is simulated here too, with a noise
# that is known, so that the estimate can be checked.)

# %%
truth = ns.recordings.BrainOptions(
    n_subjects=2, n_trials=3, n_units=30, trial_noise=2.5, individuality=0.6
)
pilot = ns.recordings.synthetic_brain(edges, truth, rng=1)
quality = ns.responses.signal_to_noise(pilot)
noise = float(1 / np.sqrt(quality.signal_to_noise.clip(min=1e-3)).median())
between = ns.compare_rdms(
    *(ns.compute_rdm(one, metric="crossnobis") for _, one in pilot.groupby("subject"))
)
print(f"noise of a trial against the signal: {noise:.1f} (simulated with {truth.trial_noise})")
print(f"RDMs of the two subjects correlate {float(between):.2f}")

# %% [markdown]
# ## Power
# Every experiment draws pictures, records subjects, makes their RDMs and runs `infer`, generalising to new subjects and new
# pictures. Power is the share of experiments that find the right model better; bars are what the number of simulations
# leaves open.

# %%
brain = replace(truth, n_trials=3, trial_noise=noise)
design = ns.ExperimentDesign(n_subjects=(4, 8, 16), n_stimuli=(20, 40), n_units=(30,))
design

# %%
found = ns.power_analysis(
    edges, contrast, design=design, brain=brain, n_simulations=30, progress=False
)


def draw(result, ax, over, label=""):
    """Power over one number of the design, with its interval."""
    one = result.squeeze(drop=True)
    x = one[over].values
    low, high = one.interval.transpose("bound", over).values
    ax.errorbar(x, one.power, (one.power - low, high - one.power), fmt="o-", capsize=2, label=label)
    ax.set(xlabel=over.replace("n_", "number of "), ylabel="power", ylim=(0, 1.02))


_, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
for n in design.n_stimuli:
    draw(found.sel(n_stimuli=[n]), ax, "n_subjects", f"{n} pictures")
ax.axhline(0.8, color="0.7", lw=0.8)
ax.legend();

# %% [markdown]
# Pictures or subjects? The table says what each design would report. The score of the right model lies above the lower
# ceiling here: subjects predict each other with their noise, a model has none.

# %%
expected = found[["power", "wrong", "ceiling"]].assign(score=found.score.isel(model=0, drop=True))
expected.squeeze(drop=True).to_dataframe().round(2)

# %% [markdown]
# ## Does the test cry wolf?
# At a mixture of one half the brain is tuned to both models alike, and neither is right: whatever is significant then is wrong.
# At 5 % so many of the experiments are expected.

# %%
null = ns.power_analysis(
    edges,
    contrast,
    design=ns.ExperimentDesign(n_subjects=(8,), n_units=(30,)),
    brain=brain,
    mixture=0.5,
    n_simulations=40,
    progress=False,
)
for name in ("power", "wrong"):
    print(
        f"{'for' if name == 'power' else 'against'} the first model: "
        f"{float(null[name].squeeze()):.0%} of 40 experiments"
    )

# %% [markdown]
# ## Exercises
# **1.** Repeats or pictures? The same 240 showings of a session can be 40 pictures six times, or 20 pictures twelve times. Which
# finds the difference more often, with eight subjects?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
for n_stimuli, n_trials in ((40, 6), (20, 12)):
    one = ns.power_analysis(
        edges,
        contrast,
        design=ns.ExperimentDesign(n_subjects=(8,), n_stimuli=(n_stimuli,), n_units=(30,)),
        brain=replace(brain, n_trials=n_trials),
        n_simulations=24,
        progress=False,
    )
    low, high = one.interval.squeeze().values
    print(
        f"{n_stimuli} pictures, {n_trials} repeats: "
        f"power {float(one.power.squeeze()):.2f} ({low:.2f} to {high:.2f})"
    )

# %% [markdown]
# **2.** What does another distance cost? Run the design of eight subjects with all pictures once more with
# `metric="euclidean"`, which counts noise as distance.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
eight = ns.ExperimentDesign(n_subjects=(8,), n_units=(30,))
for metric in ("crossnobis", "euclidean", "correlation"):
    one = ns.power_analysis(
        edges, contrast, design=eight, brain=brain, metric=metric, n_simulations=24, progress=False
    )
    print(
        f"{metric}: power {float(one.power.squeeze()):.2f}, "
        f"score of the right model {float(one.score.isel(model=0).squeeze()):.2f}"
    )

# %% [markdown]
# **3.** Subjects differ more than the pilot of two could tell. How much power is left with eight subjects if what a subject adds
# of its own is twice as large?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
for individuality in (0.6, 1.2):
    differing = replace(brain, individuality=individuality)
    one = ns.power_analysis(
        edges, contrast, design=eight, brain=differing, n_simulations=24, progress=False
    )
    print(
        f"individuality {individuality}: power {float(one.power.squeeze()):.2f}, "
        f"ceiling {float(one.ceiling.squeeze()):.2f}"
    )
