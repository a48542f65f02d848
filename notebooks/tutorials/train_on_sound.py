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
# # Train a spiking network on sound, and see it in Hodgkin-Huxley neurons
#
# Spoken digits pass a model of the ear, a recurrent network of spiking neurons learns to name them, the same network runs in
# Brian2 spike for spike, and then its neurons are replaced by ones with sodium and potassium channels. You learn how sounds
# become spikes, how to train on them with a test set that shares no recording, and what each step of biology costs. Twelve
# minutes to read, half a minute to run.
#
# **Data:** the [free spoken digits](https://doi.org/10.5281/zenodo.1342401), folder `fsdd` of the folder that `NEUROSIM_DATA`
# names; where they are missing the next cell says which file goes where. Your own sounds are a list of arrays of samples and a
# sampling rate, which a folder of 16-bit mono files of one rate gives in a few lines:
#
# ```python
# from pathlib import Path
# from scipy.io import wavfile
#
# read = {path.stem: wavfile.read(path) for path in sorted(Path("my_sounds").glob("*.wav"))}
# (rate,) = {rate for rate, _ in read.values()}  # one rate; scipy.signal.resample_poly changes others
# # full scale is 1; of two channels samples.mean(1)
# sounds = [samples / 32768 for _, samples in read.values()]
# events = ns.stimuli.cochlea_spikes(sounds, float(rate), ids=list(read))
# ```

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import neurosim as ns

# NEUROSIM_DATA names the folder, or ns.use_data_folder(...) does
file = ns.storage.data_file(
    "fsdd",
    "fsdd_v1.npz",
    "this tutorial",
    "spoken digits",
    "https://doi.org/10.5281/zenodo.1342401",
)
packed = ns.storage.read_npz(file)
chosen = np.flatnonzero((packed["label"] < 5) & (packed["index"] < 25))
ends = np.cumsum(packed["lengths"])
sounds = [packed["samples"][ends[k] - packed["lengths"][k] : ends[k]].astype(float) for k in chosen]
sounds = [sound / np.abs(sound).max() for sound in sounds]  # all as loud
labels = {
    "category": packed["label"][chosen].astype(str),
    "speaker": packed["speaker"][chosen],
    "take": packed["index"][chosen],
}
print(len(sounds), "recordings of", len(set(labels["speaker"])), "speakers")

# %% [markdown]
# ## The ear
# Filters as wide as those of the ear, hair cells that compress, and one fibre of the auditory nerve a filter.

# %%
ear = ns.stimuli.Cochlea(n_units=48, peak_rate=200.0)
events = ns.stimuli.cochlea_spikes(sounds, 8000.0, ear, labels=labels)
events

# %% [markdown]
# A network in discrete time needs steps: 60 of 10 ms, in which a fibre spikes or not.

# %%
bins = ns.stimuli.EventBins(60, time_step=10e-3, binary=True)
heard = ns.stimuli.bin_events(events, bins)
_, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True, layout="constrained")
for ax, digit in zip(axes, ("0", "2", "4")):
    one = heard[heard.category == digit][:1]
    fibres = ns.as_responses(one.values.astype(float), quantity="spike_count", time_step=10e-3)
    ns.plots.plot_raster(fibres, ax=ax, labels=(f"a spoken {digit}", ""))
    ax.set_ylabel("fibre, low to high" if digit == "0" else "")

# %% [markdown]
# ## Train
# The first five takes of every speaker and digit are the official test set. Neurons keep 60 ms in mind, and reach each other.

# %%
task = ns.tasks.event_task(events, bins, test={"take": range(5)})
neuron = ns.networks.NeuronSpecification(
    dt=10e-3, tau_mem=60e-3, surrogate="fast_sigmoid", slope=10.0
)
torch.manual_seed(0)
network = ns.build_network(
    ns.networks.SpikingRNNSpecification((100,), neuron=neuron),
    task.image_shape,
    len(task.categories),
)
options = ns.networks.TrainingOptions(epochs=14, batch_size=32, learning_rate=1e-2)
history = ns.train(network, task, options, progress=False)
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
ns.plots.plot_training(history, ax=left)
ns.plots.plot_confusion(ns.networks.evaluate(network, task), ax=right)
print(f"{float(history.test_accuracy):.0%} of the recordings that were held back")

# %% [markdown]
# ## The same network in Brian2
# `to_circuit` follows an input through the network and translates its neurons and synapses; `verify_translation` compares
# every spike of both.

# %%
example = torch.zeros(60, 1, ear.n_units)
circuit = ns.to_circuit(network, example=example)
print(circuit)
held_back = heard[heard["take"] < 5]
print(ns.verify_translation(network, circuit, held_back[:50], example=example).attrs["verdict"])
ns.plots.plot_circuit(ns.biophysics.count_synapses(circuit));

# %% [markdown]
# ## Hodgkin-Huxley neurons
# `climb` takes the circuit up the ladder to the rung you name: membranes in volts, steps of 0.1 ms, conductances, delays, a
# refractory period, and neurons with sodium and potassium channels. Their threshold is another one, so that all input needs a
# gain: here the one number that keeps the number of spikes, found on recordings that were trained on.
# (`ns.biophysics.make_biological` finds gain and bias of every neuron and learns on the circuit itself; that takes minutes.)

# %%
trained_on = heard[heard["take"] >= 5]
layer = circuit.populations[0].name


def spikes(one, shown):
    """Answers of a circuit to recordings."""
    return ns.simulate(one, shown, engine="torch", progress=False)


def at_the_rate_of(trained, climbed, shown, gains=(0.5, 0.7)):
    """The circuit with the gain at which it sends about as many spikes as the trained one."""
    wanted = float(spikes(trained, shown).sum())
    tried = [climbed.adjusted(layer, gain) for gain in gains]
    shares = [float(spikes(one, shown).sum()) / wanted for one in tried]
    print("  ".join(f"gain {g}: {s:.0%} of the spikes" for g, s in zip(gains, shares)))
    return tried[int(np.argmin(np.abs(np.log(shares))))]


biological = at_the_rate_of(circuit, ns.climb(circuit, "hodgkin_huxley"), trained_on[::90])
biological

# %% [markdown]
# How much of the task is left, and how much of the representation? Both are asked of recordings that nothing was fitted to.

# %%
tested = held_back[::5]


def kept(one):
    """The share of recordings that are named rightly, and the RDM of all neurons."""
    answers = spikes(one, tested)
    named = np.asarray(task.categories)[ns.biophysics.choose_category(one, answers)]
    counts = ns.responses.over_time(answers)
    return (named == tested.category.values).mean(), ns.compute_rdm(counts, metric="euclidean")


results = {"trained": kept(circuit), "Hodgkin-Huxley": kept(biological)}
_, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
for ax, (name, (right, rdm)) in zip(axes, results.items()):
    ns.plots.plot_rdm(rdm, ax=ax, title=f"{name}: {right:.0%} right", order="category")
agreement = float(ns.compare_rdms(*(rdm for _, rdm in results.values())))
print(f"{len(tested)} recordings; the RDMs correlate {agreement:.2f} (Spearman)")

# %% [markdown]
# The same neuron, before and after: a membrane in units of the threshold, and one in volts with sodium spikes.

# %%
unit = f"{layer}/0"
_, axes = plt.subplots(2, 1, figsize=(8, 4.2), layout="constrained")
for ax, (name, one) in zip(axes, {"trained": circuit, "Hodgkin-Huxley": biological}.items()):
    seen = ns.simulate(
        one,
        held_back[:1],
        monitors=ns.biophysics.Monitors(membrane=[unit]),
        engine="torch",
        progress=False,
    )
    trace = seen.membrane_potential[0, :, 0].rename(membrane_time="time")
    ns.plots.plot_time_course(trace, ax=ax, label=name)
    ax.set_ylabel("membrane (V)" if trace.attrs["units"] == "V" else "membrane (threshold)")
    ax.legend()

# %% [markdown]
# ## Exercises
# **1.** Does it know words or voices? Train on all speakers but one, and test on the one left out.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
stranger = "theo"
other = ns.tasks.event_task(events, bins, test={"speaker": [stranger]})
torch.manual_seed(0)
second = ns.build_network(
    ns.networks.SpikingRNNSpecification((100,), neuron=neuron),
    other.image_shape,
    len(other.categories),
)
found = ns.train(second, other, options, progress=False)
print(
    f"{float(found.test_accuracy):.0%} of what {stranger} says, "
    f"{float(history.test_accuracy):.0%} of new takes of known speakers"
)

# %% [markdown]
# **2.** Which step of biology costs the most? Measure the rung "currents", on which synaptic currents have a time constant and
# nothing else was added, like the highest rung.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
currents = at_the_rate_of(circuit, ns.climb(circuit, "currents"), trained_on[::90])
results["currents"] = kept(currents)
for name, (right, rdm) in results.items():
    alike = float(ns.compare_rdms(rdm, results["trained"][1]))
    print(f"{name}: {right:.0%} right, RDM correlates {alike:.2f} with that of the trained network")

# %% [markdown]
# **3.** A fibre that fires at random is nearer to biology. Which option of the ear makes it so, and how much of the accuracy
# remains without training again?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
from dataclasses import replace

new = np.flatnonzero(labels["take"] < 5)
of_new = {name: np.asarray(values)[new] for name, values in labels.items()}
for poisson in (False, True):
    fibres = ns.stimuli.cochlea_spikes(
        [sounds[k] for k in new], 8000.0, replace(ear, poisson=poisson), labels=of_new
    )
    shown = ns.stimuli.bin_events(fibres, bins)
    named = np.asarray(task.categories)[
        ns.biophysics.choose_category(circuit, spikes(circuit, shown))
    ]
    print(
        f"{'random' if poisson else 'regular'} fibres: "
        f"{(named == shown.category.values).mean():.0%} right"
    )
