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
# # A trained network made biological
# A spiking network trained with snnTorch becomes a circuit that spikes identically, and is then made biological, one
# rung at a time: membranes in volts, a finer step, synaptic currents, conductances, a refractory period and delays,
# noise, adaptive exponential neurons, Hodgkin-Huxley neurons.

# %%
from functools import partial

import numpy as np
import snntorch as snn
import torch

import neurosim as ns
from neurosim.runtime import torch_seeded
from neurosim.stimuli.encoders import bernoulli_spikes

# %%
n_steps = 15
task = ns.tasks.classification_task(ns.load_digits(), rng=0).with_encoder(
    partial(bernoulli_spikes, n_steps=n_steps)
)
with torch_seeded(0):
    network = torch.nn.Sequential(
        torch.nn.Linear(64, 32), snn.Leaky(beta=0.9), torch.nn.Linear(32, 10), snn.Leaky(beta=0.9)
    )


class Counts(torch.nn.Module):
    """The network over time; its logits are the spike counts of the last layer."""

    def __init__(self):
        super().__init__()
        self.network = ns.networks.OverTime(network)

    def forward(self, spikes):
        return self.network(spikes).sum(0)


history = ns.train(Counts(), task, ns.networks.TrainingOptions(epochs=8, learning_rate=5e-3))
print(f"test accuracy {float(history.test_accuracy):.3f}")

# %% [markdown]
# ## The same network as a circuit
# `to_circuit` translates; `verify_translation` compares every spike and says how sure it is.

# %%
encode = partial(ns.stimuli.encode_rate, n_steps=n_steps)
tested = encode(task.test[:150])
circuit = ns.to_circuit(network)
print(circuit)
print(ns.verify_translation(network, circuit, tested).attrs["verdict"])

# %% [markdown]
# ## Up the ladder
# Each rung changes one thing. Without calibration deep layers fall silent; calibration finds a gain and a bias of
# every neuron on training images; retuning then learns on the biological circuit itself, through surrogate gradients.

# %%
calibration = encode(task.train[:60])
expected = ns.record_responses(ns.networks.OverTime(network), calibration, double=True)


def accuracy(c):
    answers = ns.simulate(c, tested, engine="torch")
    return (
        np.asarray(task.categories)[ns.biophysics.choose_category(c, answers)]
        == tested.category.values
    ).mean()


climbed = ns.climb(circuit, "adex")
calibrated, report = ns.biophysics.calibrate(climbed, calibration, expected)
options = ns.biophysics.RetuningOptions(
    ("gain", "bias", "threshold", "weights"), epochs=1, learning_rate=0.05
)
retuned, _ = ns.biophysics.retune(calibrated, encode(task.train[:500]), task.categories, options)
for name, c in {
    "exact": circuit,
    "climbed": climbed,
    "calibrated": calibrated,
    "retuned": retuned,
}.items():
    print(f"{name:>10}: {accuracy(c):.3f}")
report.to_dataframe()

# %% [markdown]
# ## Membranes
# Any unit's membrane can be recorded; here the same neuron on two rungs.

# %%
import matplotlib.pyplot as plt

_, ax = plt.subplots(figsize=(6, 2.5))
for rung in ("conductance", "hodgkin_huxley"):
    traces = ns.simulate(
        ns.climb(circuit, rung).adjusted("1", 8.0),
        tested[:1],
        monitors=ns.biophysics.Monitors(membrane=["1/3"]),
        engine="torch",
    )
    traces.membrane_potential[0, :, 0].plot(ax=ax, label=rung)
ax.legend()
ax.set(xlabel="time (s)", ylabel="membrane (V)", title="one neuron, two rungs");

# %% [markdown]
# ## Experiments
# One vocabulary for networks and circuits: lesion, silence, stimulate, noise.

# %%
effect = ns.perturbation_effect(
    retuned,
    {
        "lesion of half": ns.Perturbation("lesion", "1", 0.5),
        "noise": ns.Perturbation("noise", "1", amount=0.5),
    },
    tested,
    categories=task.categories,
    engine="torch",
)
effect[["accuracy", "similarity"]].to_dataframe()

# %% [markdown]
# ## Exercises
# **1.** On which rung does the representation change most? Compare the RDM of the first layer of every rung, not calibrated, with
# that of the trained network.

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
few = tested[:40]


def geometry(c):
    counts = ns.responses.over_time(ns.simulate(c, few, engine="torch", progress=False))
    return ns.compute_rdm(counts[:, counts.layer == c.populations[0].name], metric="euclidean")


trained_geometry = geometry(circuit)
for rung in ("currents", "conductance", "refractory", "adex"):
    alike = float(ns.compare_rdms(geometry(ns.climb(circuit, rung)), trained_geometry))
    print(f"{rung}: Spearman {alike:.2f} with the trained network")

# %% [markdown]
# **2.** How many neurons of the first layer can die before half of the accuracy is gone?

# %% tags=["hide-cell"] jupyter={"source_hidden": true} mystnb={"code_prompt_show": "Answer", "code_prompt_hide": "Answer"}
shares = (0.1, 0.3, 0.5, 0.7)
deaths = {f"{share:.0%} dead": ns.Perturbation("lesion", "1", share) for share in shares}
ns.perturbation_effect(
    retuned, deaths, tested, categories=task.categories, engine="torch", progress=False
).accuracy.to_series()

# %% [markdown]
# To go on, without an answer here:
#
# 1. Climb one rung further. Which loses more: accuracy, or the agreement of RDMs?
# 2. Set the delay of the ladder to 0. What changes at the rung that brings delays, and why only there?
