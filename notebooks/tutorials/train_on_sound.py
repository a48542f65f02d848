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
# names; where they are missing the next cell says which file goes where. Your own sounds are a list of arrays of samples
# (`scipy.io.wavfile.read`) and a sampling rate.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

import neurosim as ns

file = ns.storage.data_file("fsdd", "fsdd_v1.npz", "this tutorial", "spoken digits", "https://doi.org/10.5281/zenodo.1342401")
packed = ns.storage.read_npz(file)
chosen = np.flatnonzero((packed["label"] < 5) & (packed["index"] < 25))
ends = np.cumsum(packed["lengths"])
sounds = [packed["samples"][ends[k] - packed["lengths"][k] : ends[k]].astype(float) for k in chosen]
sounds = [sound / np.abs(sound).max() for sound in sounds]  # all as loud
labels = {"category": packed["label"][chosen].astype(str), "speaker": packed["speaker"][chosen], "take": packed["index"][chosen]}
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
neuron = ns.networks.NeuronSpecification(dt=10e-3, tau_mem=60e-3, surrogate="fast_sigmoid", slope=10.0)
torch.manual_seed(0)
network = ns.build_network(ns.networks.SpikingRNNSpecification((100,), neuron=neuron), task.image_shape, len(task.categories))
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
# `make_biological` climbs the ladder to the rung you name and matches the rate of every neuron to that of the trained network,
# with training recordings only. Its table says what each stage kept.

# %%
trained_on = heard[heard["take"] >= 5]
biological = ns.biophysics.make_biological(
    circuit, "hodgkin_huxley", trained_on[::6], task.categories, options=None, progress=False
)
biological

# %% [markdown]
# The same neuron, before and after: a membrane in units of the threshold, and one in volts with sodium spikes.

# %%
unit = f"{circuit.populations[0].name}/0"
_, axes = plt.subplots(2, 1, figsize=(8, 4.2), layout="constrained")
for ax, (name, one) in zip(axes, {"trained": circuit, "Hodgkin-Huxley": biological.circuit}.items()):
    seen = ns.simulate(one, held_back[:1], monitors=ns.biophysics.Monitors(membrane=[unit]), engine="torch", progress=False)
    trace = seen.membrane_potential[0, :, 0]
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
second = ns.build_network(ns.networks.SpikingRNNSpecification((100,), neuron=neuron), other.image_shape, len(other.categories))
found = ns.train(second, other, options, progress=False)
print(f"{float(found.test_accuracy):.0%} of what {stranger} says, {float(history.test_accuracy):.0%} of new takes of known speakers")

# %% [markdown]
# **2.** Which rung costs what? Count the recordings held back that are named rightly on the rungs "conductance" and
# "hodgkin_huxley", and by the trained network, each calibrated.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
calibrated = ns.biophysics.make_biological(
    circuit, "conductance", trained_on[::6], task.categories, options=None, progress=False
)
for name, one in {"trained": circuit, "conductance": calibrated.circuit, "Hodgkin-Huxley": biological.circuit}.items():
    answers = ns.simulate(one, held_back[::3], engine="torch", progress=False)
    named = np.asarray(task.categories)[ns.biophysics.choose_category(one, answers)]
    print(f"{name}: {(named == held_back[::3].category.values).mean():.0%}")

# %% [markdown]
# **3.** A fibre that fires at random is nearer to biology. Which option of the ear makes it so, and how much of the accuracy
# remains without training again?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
from dataclasses import replace

noisy = ns.stimuli.cochlea_spikes(sounds, 8000.0, replace(ear, poisson=True), labels=labels)
again = ns.tasks.event_task(noisy, bins, test={"take": range(5)})
print(f"{float(ns.networks.evaluate(network, again).accuracy):.0%} with fibres that fire at random")
