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
# # Your Brian2 script as a subject
#
# A Brian2 script that you have, or found in Brian2's documentation, is shown pictures and becomes a subject like any other:
# its spikes are labelled responses, they have an RDM, and the RDM is held against a brain. You learn to wrap a script as it
# stands, to show many pictures in one run, to look inside neurons, and to say with an interval how near the network is to a
# recording. Ten minutes to read; it needs nothing but the package.

# %%
import brian2 as b2
import matplotlib.pyplot as plt
import numpy as np
from brian2 import ms, mV

import neurosim as ns

b2.prefs.codegen.target = "numpy"  # nothing to compile: small networks run at once
pictures = ns.stimuli.balanced(ns.load_digits(), 4)
ns.plots.plot_stimuli(pictures, n_columns=10);

# %% [markdown]
# ## The script, as it stands
# The network is the one that Brian2's documentation calls
# [CUBA](https://brian2.readthedocs.io/en/stable/examples/CUBA.html): leaky neurons, four of five excitatory, joined at random
# by synaptic currents ([Vogels and Abbott 2005](https://doi.org/10.1523/JNEUROSCI.3508-05.2005)); here with 400 neurons, and
# with a current `drive` through which a picture reaches the excitatory ones. Two lines make a script a subject: a `def`
# around it, and `return locals()`. It keeps its own `run`.

# %%
N, N_EXC, DURATION = 400, 320, 200 * ms
draw = np.random.default_rng(1)
sees = draw.normal(size=(64, N_EXC)) * (
    draw.random((64, N_EXC)) < 0.2
)  # which pixels reach which neuron
EQUATIONS = """
dv/dt = (g_e + g_i + drive - (v + 51*mV)) / (20*ms) : volt (unless refractory)
dg_e/dt = -g_e / (5*ms) : volt
dg_i/dt = -g_i / (10*ms) : volt
drive : volt
"""


def drive_of(stimulus):
    return 3 * np.maximum(stimulus.values.ravel() @ sees, 0) * mV


def script(stimulus):
    b2.seed(7)
    cells = b2.NeuronGroup(
        N, EQUATIONS, threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exact"
    )
    cells.v = "-60*mV + 10*mV * rand()"
    cells.drive[:N_EXC] = drive_of(stimulus)
    excitation = b2.Synapses(cells[:N_EXC], cells, on_pre="g_e += 1.62*mV")
    excitation.connect(p=0.1)
    inhibition = b2.Synapses(cells[N_EXC:], cells, on_pre="g_i -= 9*mV")
    inhibition.connect(p=0.1)
    excitatory = b2.SpikeMonitor(cells[:N_EXC])
    inhibitory = b2.SpikeMonitor(cells[N_EXC:])
    membrane = b2.StateMonitor(cells, "v", record=[0, 1])
    b2.run(DURATION)
    return locals()


found = ns.biophysics.record_brian2(script, pictures[::8], time_bin=1 * ms)
found.responses

# %% [markdown]
# Every monitor of spikes became a layer, every other monitor a trace in SI units. The first picture was shown once more at the
# end: a script that answers otherwise the second time is refused by name. That finds a state that is kept, Python's `random`
# and a `numpy.random.default_rng()` without a seed. What draws from `numpy.random` itself, as Brian2 does, is seeded here for
# every picture and trial, and passes; so does what is drawn alike twice, as by one fixed seed in each call.

# %%
_, (above, below) = plt.subplots(2, 1, figsize=(7, 5), sharex=False, layout="constrained")
ns.plots.plot_raster(found.responses, ax=above, labels=("CUBA", ""))
trace = found.traces["membrane.v"].isel(stimulus=0)
for k in range(trace.sizes["unit"]):
    ns.plots.plot_time_course(
        trace.isel(unit=k, drop=True), ax=below, label=f"neuron {k}", colour=k
    )
below.set_ylabel("membrane (V)")
below.legend();

# %% [markdown]
# ## Forty pictures in one run
# Building and starting a network costs more than its arithmetic. Say how `n_copies` of the network are made, copy after copy
# in every group, and all pictures run side by side; the first, second and last copy are compared with a network of one, spike
# by spike. The synapses are drawn once, so that all copies are the same network.

# %%
sizes = {"exc": N_EXC, "inh": N - N_EXC}
jumps = {"exc": "g_e += strength * 1.62*mV", "inh": "g_i -= strength * 9*mV"}
strength = 1.0
wires = {(a, b): np.nonzero(draw.random((sizes[a], sizes[b])) < 0.1) for a in sizes for b in sizes}
start = {name: draw.uniform(-60, -50, n) for name, n in sizes.items()}


def build(n_copies):
    how = dict(threshold="v > -50*mV", reset="v = -60*mV", refractory=5 * ms, method="exact")
    groups = {
        name: b2.NeuronGroup(n_copies * n, EQUATIONS, name=name, **how) for name, n in sizes.items()
    }
    network = b2.Network(*groups.values())
    copy = np.arange(n_copies)[:, None]
    for name, group in groups.items():
        group.v = np.tile(start[name], n_copies) * mV
        network.add(b2.SpikeMonitor(group, name=f"{name}_spikes"))
    for (a, b), (i, j) in wires.items():
        synapses = b2.Synapses(groups[a], groups[b], on_pre=jumps[a])
        synapses.connect(i=(i + copy * sizes[a]).ravel(), j=(j + copy * sizes[b]).ravel())
        network.add(synapses)
    return network


def present(network, stimuli):
    network["exc"].drive = np.concatenate([drive_of(s) / mV for s in stimuli]) * mV


answers = ns.biophysics.record_brian2(
    build, pictures, present=present, duration=DURATION, copies=len(pictures)
).responses
counts = ns.responses.over_time(answers)
for layer, rates in (counts / float(DURATION)).groupby("layer"):
    silent = float((rates.max("stimulus") == 0).mean())
    print(
        f"{layer}: {float(rates.mean()):.1f} spikes/s on average, "
        f"{silent:.0%} of the neurons silent"
    )

# %% [markdown]
# ## Its representation
# From here on nothing knows that the responses came from Brian2.

# %%
models = {
    name: ns.compute_rdm(counts[:, counts.layer == f"{name}_spikes"], metric="euclidean")
    for name in sizes
}
pixels = ns.as_responses(pictures.values.reshape(len(pictures), -1), stimuli=pictures)
models["pixels"] = ns.compute_rdm(pixels, metric="euclidean")
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for ax, (name, rdm) in zip(axes, models.items()):
    ns.plots.plot_rdm(rdm, ax=ax, title=name, order="category")

# %% [markdown]
# ## Against a brain
# The recording is synthetic, tuned to oriented edges in eight subjects, so that the tutorial runs anywhere; with your own,
# `ns.load_responses("my_session.nwb", options={"by": "image"})` stands in its place, where `image` is the column of the trials
# that says what was shown. `infer` asks how well each model predicts the geometry of new subjects and new stimuli. Lines are
# 95 % intervals, the grey band is what the best possible model reaches, dots are above 0 after correction.

# %%
brain = ns.recordings.synthetic_brain(
    ns.stimuli.gabor_energy(pictures), ns.recordings.BrainOptions(trial_noise=2.0)
)
measured = ns.compute_rdm(brain, metric="crossnobis", by="subject")
found = ns.infer(models, measured, method="spearman")
ns.plots.plot_scores(found, pairs=True)
found[["score", "standard_error", "p_zero_corrected"]].to_dataframe().round(3)

# %% [markdown]
# ## Exercises
# Each has an answer that runs; open it after yours.
#
# **1.** Is it the recurrence that makes the excitatory layer differ from the pixels? Take all synapses away, show the pictures
# again, and compare the three geometries (`ns.compare_rdms`).

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# What equations read may be given for a run: without strength, no spike reaches another neuron.
without = {"strength": 0.0}
cut = ns.biophysics.record_brian2(
    build, pictures, present=present, duration=DURATION, copies=len(pictures), namespace=without
).responses
cut = ns.responses.over_time(cut)
models["no synapses"] = ns.compute_rdm(cut[:, cut.layer == "exc_spikes"], metric="euclidean")
for name in ("exc", "no synapses"):
    print(f"{name} with the pixels: {float(ns.compare_rdms(models[name], models['pixels'])):.2f}")
print(
    f"with and without synapses: {float(ns.compare_rdms(models['exc'], models['no synapses'])):.2f}"
)

# %% [markdown]
# **2.** Does the geometry need all 200 ms? Bin the excitatory spikes in 20 ms, make an RDM for every bin, and draw how it agrees
# with the pixels over time.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
binned = ns.biophysics.record_brian2(
    build, pictures, present=present, duration=DURATION, time_bin=20 * ms, copies=len(pictures)
).responses
course = ns.compute_rdm(binned[..., binned.layer == "exc_spikes"], metric="euclidean")
# No: it is there with the first spikes, which the pictures drive, and is drowned when the network
# has begun to answer itself.
ax = ns.plots.plot_time_course(ns.compare_rdms(course, models["pixels"]))
ax.set_ylabel("Spearman correlation with the pixels");

# %% [markdown]
# **3.** Your network should be a step of a study, cached and repeated with its provenance. Which record takes it, and what does
# it ask for?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
# With `build` and `present` at the top of my_network.py, this stands under subjects={...} of a
# Study or of compare_subjects;
# in study.toml the same words make a table [subjects.cuba] with kind = "brian2_network".
row = ns.study.Brian2NetworkSubject(
    path="my_network.py", function="build", present="present", duration=0.2, copies=40
)
row.model_dump(exclude_defaults=True, mode="json")
