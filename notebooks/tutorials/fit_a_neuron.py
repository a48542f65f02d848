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
# # Fit a neuron to current clamp
#
# A neuron was recorded from inside while a fluctuating current was injected. You take the electrode off the recording, fit an
# integrate-and-fire neuron to it, and ask the only question that counts: does the fitted neuron spike when the real one does,
# for a current that it never saw? In the end the neuron is a record of numbers that any circuit takes. Ten minutes to read,
# half a minute to run.
#
# **Data:** four neurons of the dorsal raphe nucleus, `drn_patch_clamp`, in the folder that `NEUROSIM_DATA` names; where they
# are missing the next cell says which file goes where. Yours come in through `ns.recordings.load_sweeps` (NWB, ABF, ...) or
# `ns.as_sweeps(current, voltage, time_step=...)` in A, V and s.

# %%
import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

published = ns.load_dataset("drn_patch_clamp")
cell = "DRN164"
training, test, steps, below = (
    published.sweeps[f"{cell}_{part}"] for part in ("training", "test", "current_steps", "aec")
)
print(published.citation)

# %% [markdown]
# ## Look first
# Steps of current make it fire faster; the same noise, injected ten times, makes it fire at much the same times.

# %%
shown = np.argsort(steps.current.max("time").values)[::2]
repeats = ns.biophysics.detect_spikes(test)
_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
ns.plots.plot_sweeps(steps.isel(sweep=shown), ax=left, title="current steps")
trials = repeats.isel(stimulus=0).transpose("trial", "time", "unit")
as_rows = ns.as_responses(
    trials.values[None, :, :20_000, 0].swapaxes(1, 2),
    quantity="spike_count",
    time_step=test.attrs["time_step"],
)
ns.plots.plot_raster(as_rows, ax=right, labels=("recorded", ""))
right.set(ylabel="repeat of one current")
rate = float(repeats.sum("time").mean()) / (test.sizes["time"] * test.attrs["time_step"])
print(f"{rate:.1f} spikes/s; a detected spike is an upward crossing of -10 mV")

# %% [markdown]
# ## Take the electrode off
# The current also drops over the electrode, and that drop is in the recorded voltage. Noise that stays below threshold tells
# the electrode apart from the neuron, and measures capacitance and input resistance as well
# ([Brette et al. 2008](https://doi.org/10.1016/j.neuron.2008.06.021)). What the experimenter read from the amplifier stands
# beside it.

# %%
electrode = ns.biophysics.estimate_electrode(below)
for name, scale, unit in (("capacitance", 1e12, "pF"), ("input_resistance", 1e-6, "MOhm")):
    found, error = getattr(electrode, name) * scale, electrode.standard_error[name] * scale
    print(
        f"{name}: {found:.0f} +- {error:.0f} {unit}; "
        f"the experimenter says {below.attrs[name] * scale:.0f} {unit}"
    )

# %%
test = ns.biophysics.compensate(test, electrode)

# %% [markdown]
# ## Fit two neurons
# A leaky integrate-and-fire neuron and a generalised one, whose spikes leave behind currents and a raised threshold, and which
# fires with a probability ([Pozzorini et al. 2015](https://doi.org/10.1371/journal.pcbi.1004275)). Half a minute of recording
# is enough here.

# %%
half = training.isel(time=slice(0, 300_000))
fitted = {
    kind: ns.biophysics.fit_neuron(half, kind, electrode=electrode, progress=False)
    for kind in ("lif", "gif")
}
fitted["gif"]

# %% [markdown]
# ## Does it spike when the neuron spikes?
# Five seconds of the test current, which was not used. The generalised neuron is random, so it is asked twenty times.

# %%
window = test.isel(time=slice(0, 50_000))
observed = ns.biophysics.detect_spikes(window)
predicted = {
    kind: ns.biophysics.predict_spikes(
        one, window, trials=20 if kind == "gif" else 1, progress=False
    )
    for kind, one in fitted.items()
}

# %% [markdown]
# Md\* counts the coincidences of prediction and recording within 8 ms, above chance, against how well repeats coincide with
# each other: 1 is as good as the neuron predicts itself.

# %%
scores = {
    kind: ns.responses.coincidence(observed, spikes, tolerance=8e-3)
    for kind, spikes in predicted.items()
}
for kind, score in scores.items():
    low, high = score.interval.values[0]
    print(f"{kind}: Md* = {float(score.md_star[0]):.2f} ({low:.2f} to {high:.2f})")
print(f"repeats with each other: {float(score.reliability[0]):.2f}")
assert scores["gif"].md_star[0] > scores["lif"].md_star[0]

# %%
first = slice(5_000, 20_000)
rows = [observed.isel(stimulus=0)] + [
    s.isel(stimulus=0).expand_dims(trial=1)
    if "trial" not in s.dims
    else s.isel(stimulus=0, trial=slice(0, 10))
    for s in predicted.values()
]
stacked = np.concatenate([r.transpose("trial", "time", "unit").values[:, first, 0] for r in rows])
labels = np.repeat(["recorded", *predicted], [r.sizes["trial"] for r in rows])
raster = ns.as_responses(
    stacked.T[None],
    quantity="spike_count",
    time_step=test.attrs["time_step"],
    coords={"layer": ("unit", labels)},
)
_, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
ns.plots.plot_raster(raster, ax=ax, labels=("spikes", ""))
ax.set_ylabel("repeat");

# %% [markdown]
# ## The same neuron under steps
# Noise was fitted, steps were not. The neuron that was fitted receives the step currents of the recording, each eight times. It can be held to what it was fitted
# to: up to the currents that the noise reached it follows, beyond them it falls behind.

# %%
second = steps.isel(time=slice(20_000, 32_000))  # the second of the step, and what surrounds it
amps = 1e12 * second.current.max("time").values
label = {"current_pA": ("stimulus", amps.round(1))}
recorded = ns.responses.over_time(ns.biophysics.detect_spikes(second)).assign_coords(label)
modelled = ns.biophysics.predict_spikes(fitted["gif"], second, trials=8, progress=False)
modelled = ns.responses.over_time(modelled).assign_coords(label)
ax = ns.plots.plot_tuning(ns.responses.tuning_curve(modelled, "current_pA"))
ax.plot(amps, recorded.squeeze(), "k.", label="recorded")
ax.lines[0].set_label("fitted, eight times")
ax.set(xlabel="current (pA)", ylabel="spikes in a second", title="")
ax.legend();

# %% [markdown]
# ## The neuron as part of a circuit
# What was fitted is a record of numbers in SI units, and belongs into any circuit.

# %%
print(ns.biophysics.single_neuron(fitted["gif"].parameters, 1e-4))
fitted["lif"].parameters

# %% [markdown]
# ## Exercises
# **1.** Is 8 ms a fair tolerance? Compute Md\* of the generalised neuron from 1 to 16 ms, and the reliability of the repeats.
# Why does Md\* stay defined where reliability falls?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Md* divides what coincides by what coincides between repeats: both fall together, until repeats
# themselves are lost.
for tolerance in (1e-3, 2e-3, 4e-3, 8e-3, 16e-3):
    score = ns.responses.coincidence(observed, predicted["gif"], tolerance=tolerance)
    print(
        f"{1e3 * tolerance:4.0f} ms: Md* {float(score.md_star[0]):.2f}, "
        f"repeats {float(score.reliability[0]):.2f}"
    )

# %% [markdown]
# **2.** What does the electrode cost? Read the voltage as it was recorded, without compensation: how far are capacitance and
# leak of the fitted LIF neuron from before, and does Md\* change?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# Without it the drop over the electrode counts as membrane, which seems to follow the current at
# once.
raw = ns.biophysics.fit_neuron(half, "lif", progress=False)
for name, one in {"compensated": fitted["lif"], "as recorded": raw}.items():
    spikes = (
        predicted["lif"]
        if name == "compensated"
        else ns.biophysics.predict_spikes(one, window, progress=False)
    )
    score = ns.responses.coincidence(observed, spikes, tolerance=8e-3)
    print(f"{name}: Md* {float(score.md_star[0]):.2f}, {one.parameters}")
