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
# # Recordings: from a session to responses that can be trusted
#
# A session is a list of spikes and a table of what was shown when. Here both are made up, so that what is found can be
# checked; `load_nwb_responses`, `load_neo`, `load_spikes`, `load_betas` and `load_epochs` read real ones.

# %%
import numpy as np
import pandas as pd

import neurosim as ns

rng = np.random.default_rng(0)
angles = np.arange(0, 180, 22.5)
shown = pd.DataFrame(
    {"start_time": 1.0 + 0.8 * np.arange(160), "stimulus": [f"grating_{k}" for k in range(8)] * 20}
)
shown["orientation_deg"] = np.tile(angles, 20)
preferred = np.linspace(0, 157.5, 12)
spikes = {}
for unit, best in enumerate(preferred):
    rate = 4 + (40 if unit < 8 else 0) * np.exp(
        2 * (np.cos(2 * np.deg2rad(shown.orientation_deg - best)) - 1)
    )
    counts = rng.poisson(0.5 * rate)
    spikes[f"u{unit}"] = np.concatenate(
        [t + 0.05 + 0.5 * rng.random(n) for t, n in zip(shown.start_time, counts)]
    )

# %% [markdown]
# ## Aligned to events
# The result is the same labelled array as that of any network or circuit; the orientation of each stimulus came along.

# %%
responses = ns.recordings.align_spikes(spikes, shown, window=(0.0, 0.6), time_bin=0.01)
responses

# %% [markdown]
# ## Reliability first
# Four of the twelve units do not care about orientation. `signal_to_noise` says how much of each unit's variance is signal,
# and `ceiling` how well a perfect model could predict its mean.

# %%
ns.responses.signal_to_noise(responses).to_dataframe()[
    ["signal_to_noise", "standard_error", "ceiling", "p"]
].round(3)

# %%
reliable = ns.responses.select_reliable(responses, correct=True)
reliable.unit.values

# %% [markdown]
# ## Tuning, with a fit

# %%
curve = ns.responses.tuning_curve(reliable, "orientation_deg")
fit = ns.responses.fit_tuning(curve, "von_mises")
ns.plots.plot_tuning(curve, fit, unit=3)
fit[["preferred", "preferred_error", "explained", "outcome"]].to_dataframe().round(2)

# %% [markdown]
# ## What the population knows, and when

# %%
course = ns.responses.decode(
    ns.responses.rebin(reliable, 0.05), "orientation_deg", folds=5, n_orders=2
)
ns.plots.plot_time_course(course.accuracy, course.standard_error, label="orientation").axhline(
    float(course.chance)
);

# %% [markdown]
# ## A neuron from inside
# A generalised integrate-and-fire neuron is simulated, recorded and fitted; the fit predicts spikes to a current that it
# never saw. Md* is 1 for a model that coincides with the neuron as the neuron with itself.

# %%
dt = 1e-4
smooth = np.exp(-np.arange(300) * dt / 3e-3)


def current(n_sweeps, seed):
    noise = np.random.default_rng(seed).normal(size=(n_sweeps, 10_000 + 299))
    return 70e-12 + 10e-12 * np.array([np.convolve(row, smooth, "valid") for row in noise])


truth = ns.biophysics.GIFParameters(
    60e-12, 3e-9, -68e-3, eta_2=40e-12, gamma_3=4e-3, v_t=-52e-3, delta_v=1e-3, v_reset=-58e-3
)
cell = ns.biophysics.single_neuron(truth, dt)


def record(injected, trials=1):
    shown = ns.as_stimuli(injected[..., None], dims=("stimulus", "time", "unit"), time_step=dt)
    found = ns.simulate(
        cell,
        shown,
        trials=trials,
        monitors=ns.biophysics.Monitors(membrane=["neuron"]),
        rng=trials,
        progress=False,
    )
    voltage = found.membrane_potential.values[..., 0].copy()
    voltage[found.responses.values[..., 0] > 0] = 20e-3
    return voltage


training = ns.as_sweeps(current(20, 1), record(current(20, 1)), time_step=dt)
repeated = current(1, 2)
test = ns.as_sweeps(
    np.repeat(repeated, 10, axis=0), record(repeated, trials=10)[0], time_step=dt, stimulus="test"
)

# %%
fitted = ns.biophysics.fit_neuron(training, progress=False)
predicted = ns.biophysics.predict_spikes(fitted, test, trials=10, progress=False)
score = ns.responses.coincidence(ns.biophysics.detect_spikes(test), predicted, tolerance=3e-3)
print("Md*", score.md_star.values, "in", score.interval.values, "; by chance", score.chance.values)
assert float(score.md_star[0]) > 0.8

# %% [markdown]
# ## How large an experiment?
# `power_analysis` runs the real inference on simulated subjects: how often is the right model told from its rival?

# %%
features = rng.normal(size=(20, 8))
model = ns.as_stimuli(features, dims=("stimulus", "unit"))
rival = ns.as_stimuli(0.9 * features + 0.44 * rng.normal(size=(20, 8)), dims=("stimulus", "unit"))
design = ns.ExperimentDesign(n_subjects=(4, 12), n_units=(40,))
found = ns.power_analysis(model, rival, design=design, n_simulations=10, progress=False)
found.power.squeeze().to_series()

# %% [markdown]
# ## Exercises
# 1. Keep only units whose ceiling is above 0.5. Does the RDM become more reliable, or only smaller?
# 2. Take the last quarter of the trials from every second unit. Which results refuse, and which count what is there?
