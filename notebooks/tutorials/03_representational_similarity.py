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
# # Representational similarity, on its own
#
# The similarity room works with any arrays. Here two populations answer 24 stimuli in several trials; the data are made
# up, so that what is found can be checked against what was put in.

# %%
import numpy as np
import xarray as xr

import neurosim as ns

rng = np.random.default_rng(0)
names = [f"{kind}{i}" for kind in ("face", "house", "tool") for i in range(8)]
category = ("stimulus", [n.rstrip("0123456789") for n in names])
features = rng.normal(size=(24, 10)) + 1.5 * np.repeat(rng.normal(size=(3, 10)), 8, axis=0)


def measure(patterns, n_units=60, noise=2.0, n_trials=4):
    """Responses (stimulus, trial, unit) that mix the features, with correlated noise."""
    mean = patterns @ rng.normal(size=(patterns.shape[1], n_units))
    common = rng.normal(size=(24, n_trials, 3)) @ rng.normal(size=(3, n_units))
    trials = mean[:, None] + noise * (common + rng.normal(size=(24, n_trials, n_units)))
    return ns.as_responses(trials, dims=("stimulus", "trial", "unit"), stimuli=names).assign_coords(
        category=category
    )

# %% [markdown]
# ## RDMs without bias
# The plain distance is inflated by noise. Crossnobis uses trials as folds, so noise averages out, and whitens with the
# noise between units.

# %%
area = measure(features)
print("plain", float(ns.compute_rdm(area, "euclidean").mean()))
print("cross-validated", float(ns.compute_rdm(area, "crossnobis").mean()))
crossnobis = ns.compute_rdm(area, "crossnobis", precision="schaefer_strimmer")
ns.plots.plot_rdm(crossnobis, order="category", colorbar=True, title="crossnobis, whitened");

# %% [markdown]
# ## Inference that generalises to new subjects and new stimuli
# Ten subjects; models with all, half and none of the features, and one that is fitted to the other stimuli of the other
# subjects.

# %%
subjects = xr.concat(
    [ns.compute_rdm(measure(features), "crossnobis") for _ in range(10)], "subject"
)
hypotheses = {
    "all features": features,
    "half": features[:, :5],
    "unrelated": rng.normal(size=(24, 10)),
}
models = {
    name: ns.compute_rdm(ns.as_responses(x, stimuli=names), "euclidean")
    for name, x in hypotheses.items()
}
result = ns.infer(models, subjects, method="corr")
print(result[["score", "standard_error", "p_zero_corrected"]].to_dataframe())
print("noise ceiling", result.ceiling.values)
ns.plots.plot_scores(result, pairs=True);

# %%
parts = [
    ns.compute_rdm(ns.as_responses(features[:, [f]], stimuli=names), "euclidean") for f in range(10)
]
flexible = {"weighted features": xr.concat(parts, "component")}
nonnegative = ns.similarity.Fitting("nonnegative", folds={"stimulus": 3, "subject": 2})
fitted = ns.infer(flexible, subjects, method="corr", fit=nonnegative, progress=False)
print(float(fitted.score[0]), "+-", float(fitted.standard_error[0]))

# %% [markdown]
# ## Spike trains
# The same firing rate, other spike times: van Rossum distances over a sweep of time constants.

# %%
pattern = [np.sort(rng.uniform(0, 0.5, 12)) for _ in names]
spikes = [[[np.sort(t + rng.normal(0, 2e-3, 12)).clip(0)] for _ in range(4)] for t in pattern]
timing = ns.similarity.spike_rdm(spikes, time_constant=[1e-3, 10e-3, 0.1, 1.0], crossvalidated=True)
print(timing.mean(("stimulus", "stimulus_other")).round(2).to_series())

# %% [markdown]
# ## Alignment, with its uncertainty

# %%
other = measure(features[:, :5], n_units=30)
a, b = area.mean("trial"), other.mean("trial")
for name, score in (
    ("CKA", ns.similarity.cka),
    ("Procrustes angle", ns.similarity.ShapeMetric().distance),
    ("soft matching", ns.similarity.soft_matching),
):
    found = ns.similarity.jackknife(score, a, b)
    print(f"{name}: {float(found.score):.2f} +- {float(found.standard_error):.2f}")

# %% [markdown]
# ## Exercises
# 1. Repeat the inference with `resample="stimulus"`. What happens to the intervals, and what may no longer be concluded?
# 2. Shuffle the stimuli of one model. Where does its score go, and what does `p_zero` say in ten such shuffles?
