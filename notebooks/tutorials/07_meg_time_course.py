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
# # When does the brain tell what from which? A time course from files to figure
#
# Eight subjects saw ten pictures, five faces and five houses. Their EEG is simulated by MNE-Python from six dipoles, so that the
# truth is known: three of them tell every picture from every other, around 120 ms; the other three tell faces from houses,
# around 300 ms. Half of the trials make one average, half the other. What follows would be the same for MEG, and for files
# of a laboratory.

# %%
import tempfile
from pathlib import Path

import mne
import numpy as np
import xarray as xr

import neurosim as ns

mne.set_log_level("error")
rng = np.random.default_rng(0)
montage = mne.channels.make_standard_montage("biosemi32")
info = mne.create_info(montage.ch_names, 100.0, "eeg").set_montage(montage)
info = mne.io.RawArray(np.zeros((32, 2)), info).set_eeg_reference(projection=True).info
head = mne.make_sphere_model("auto", "auto", info)
places = np.array([[3, -5, 5], [-3, -5, 5], [5, -3, 4], [-5, 0, 5], [5, 1, 5], [-2, 3, 6]]) * 0.01
outward = places / np.linalg.norm(places, axis=1, keepdims=True)
dipoles = mne.setup_volume_source_space(pos={"rr": places, "nn": outward}, sphere_units="m")
forward = mne.make_forward_solution(info, None, dipoles, head, meg=False)
noise = mne.make_ad_hoc_cov(info, std={"eeg": 3e-6})

# %%
time = -0.1 + 0.01 * np.arange(51)
pictures = [f"{kind}_{k}" for kind in ("face", "house") for k in range(5)]
category = np.repeat([-1, 1], 5)
identity = rng.normal(size=(10, 3))


def simulate(picture, late):
    """The average of four trials of one picture in one subject, whose answers all come `late`."""
    early = np.exp(-0.5 * ((time - 0.12 - late) / 0.03) ** 2)
    slow = np.exp(-0.5 * ((time - 0.3 - late) / 0.06) ** 2)
    moment = np.concatenate(
        [identity[picture][:, None] * early, category[picture] * np.array([[1], [-1], [1]]) * slow]
    )
    source = mne.VolSourceEstimate(20e-9 * moment, [np.arange(6)], time[0], 0.01)
    evoked = mne.simulation.simulate_evoked(
        forward, source, info, noise, nave=4, random_state=int(rng.integers(2**31))
    )
    evoked.comment = pictures[picture]
    return evoked


folder = Path(tempfile.mkdtemp())
subjects = [f"sub-{s:02d}" for s in range(8)]
for subject in subjects:
    late = 0.015 * rng.normal()
    for half in ("odd", "even"):
        mne.write_evokeds(
            folder / f"{subject}_{half}-ave.fif", [simulate(k, late) for k in range(10)]
        )

# %% [markdown]
# ## Read
# Every file becomes the same labelled array. The two halves are two trials.

# %%
halves = {
    half: [ns.recordings.load_epochs(folder / f"{s}_{half}-ave.fif", picks="eeg") for s in subjects]
    for half in ("odd", "even")
}
halves["odd"][0]

# %% [markdown]
# ## RDMs over time, and how well two models fit them
# `compare_rdms` keeps every dim that RDMs have: here subject and time, then the models.

# %%
def over_subjects(responses):
    return xr.concat([ns.compute_rdm(r) for r in responses], xr.Variable("subject", subjects))


means = [
    odd.copy(data=(odd.values + even.values) / 2)
    for odd, even in zip(halves["odd"], halves["even"])
]
rdms = over_subjects(means)
models = xr.concat(
    [
        ns.compute_rdm(ns.as_responses(identity, stimuli=pictures), "euclidean"),
        ns.as_rdm((category[:, None] != category) * 1.0, stimuli=pictures),
    ],
    xr.Variable("model", ["identity", "category"]),
)
scores = ns.compare_rdms(rdms, models, "corr")
scores.sizes

# %% [markdown]
# ## Corrected for all times and models
# Where nothing is there, a subject's scores are as likely to have the other sign. All 256 ways to turn the scores of eight
# subjects round say how heavy a cluster of neighbouring times becomes by chance anywhere. A cluster's p says that something is
# there; it does not say when that begins. `latencies` does: where the mean course reaches half of its peak, with an interval
# over subjects, of the courses that are significant.

# %%
tested = ns.similarity.sign_flip_test(
    scores, method="cluster_mass", alternative="greater", progress=False
)
tested[["cluster_p", "cluster_size"]].to_dataframe()

# %%
when = ns.similarity.latencies(scores, p=tested.p_corrected)
ax = None
for colour, model in enumerate(models.model.values):
    ax = ns.plots.plot_tested_course(
        tested.sel(model=model), when.sel(model=model), ax, label=model, colour=colour
    )
ax.set_ylabel("correlation with the model")
ax.legend(loc="center right")
when.time.to_pandas().round(3)

# %% [markdown]
# What is true lies inside: identity is at its peak around 120 ms, the category later. The difference of onsets, over the same
# subjects, has a test of its own.

# %%
later = ns.similarity.latencies(
    scores.sel(model="category", drop=True), scores.sel(model="identity", drop=True)
)
print("category after identity by", later.time.values.round(3), "s, p =", later.p.values)
assert (later.time > 0).all() and (later.p < 0.05).all()
assert not (tested.p_corrected.sel(time=slice(None, 0)) < 0.05).any()

# %% [markdown]
# ## Does a geometry last?
# RDMs of the odd trials at every time with those of the even trials at every other, subject by subject.

# %%
lasting = ns.compare_rdms(
    over_subjects(halves["odd"]), over_subjects(halves["even"]), "corr", paired="subject"
)
alike = ns.similarity.sign_flip_test(lasting, alternative="greater", progress=False)
shown = alike.score.where(alike.p_corrected < 0.05)
ns.plots.plot_generalisation(shown, label="correlation").set(
    xlabel="even trials at (ms)", ylabel="odd trials at (ms)"
);

# %% [markdown]
# ## Where on the head, and back to MNE
# One answer a sensor: the mean difference of faces and houses at 300 ms, tested over the neighbours of each sensor. Any course is
# an evoked response of MNE again, for its topographies and files.

# %%
contrast = xr.concat(
    [r[category > 0].mean("stimulus") - r[category < 0].mean("stimulus") for r in means],
    xr.Variable("subject", subjects),
)
beside = ns.recordings.sensor_neighbours(info, "eeg")
head_map = ns.similarity.sign_flip_test(
    contrast.sel(time=0.3, method="nearest"),
    method="tfce",
    adjacency={"unit": beside},
    progress=False,
)
print(int((head_map.p_corrected < 0.05).sum()), "of 32 sensors tell faces from houses")
evoked = ns.recordings.to_mne(contrast.mean("subject"), info)
evoked

# %% [markdown]
# ## Exercises
# **1.** A cluster is a run of times above a threshold. TFCE needs none: does it find the same times?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
free = ns.similarity.sign_flip_test(scores, method="tfce", alternative="greater", progress=False)
for name, one in {"cluster mass": tested, "TFCE": free}.items():
    for model in scores.model.values:
        times = scores.time.values[(one.p_corrected.sel(model=model) < 0.05).values]
        print(
            f"{name}, {model}: {len(times)} times, "
            f"from {1e3 * times.min():.0f} to {1e3 * times.max():.0f} ms"
        )

# %% [markdown]
# **2.** What would four subjects have shown, and what five?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# The signs of n subjects can be turned in 2^n ways, and no p is below one in so many: four can
# never be significant.
for n in (4, 5, 8):
    try:
        fewer = ns.similarity.sign_flip_test(
            scores.isel(subject=slice(0, n)),
            method="cluster_mass",
            alternative="greater",
            progress=False,
        )
        print(f"{n} subjects: smallest corrected p {float(fewer.p_corrected.min()):.3f}")
    except ns.InputError as error:
        print(f"{n} subjects: {error}")

# %% [markdown]
# To go on, without an answer here:
#
# 1. Use four of the eight subjects. What is the smallest p that a sign-flip test can have now, and why?
# 2. Replace the effect by nothing (amplitude 0) and run the test five times. How often is a time point found?
