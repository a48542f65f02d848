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
# # A first look
#
# Stimuli go in, three kinds of subjects answer (trained networks, Brian2 circuits, brains), their answers are compared
# as representations. Here: a spiking network learns digits, becomes a Brian2 network that spikes identically, and both
# are compared with a **synthetic** brain whose truth we know.

# %%
from functools import partial

import torch
import xarray as xr

import neurosim as ns
from neurosim.stimuli.encoders import bernoulli_spikes

# %% [markdown]
# ## Stimuli and task
# The scanned digits of scikit-learn, split so that no image is in both sets.

# %%
task = ns.tasks.classification_task(ns.load_digits(), rng=0)
shown = ns.stimuli.balanced(task.test, 6)
ns.plots.plot_stimuli(shown, n_columns=20);

# %% [markdown]
# ## A trained spiking network
# Pixels become spikes, drawn anew for every batch.

# %%
specification = ns.networks.SpikingMLPSpecification(hidden=(64, 32), n_steps=20)
torch.manual_seed(0)
network = ns.build_network(specification, task.image_shape, n_categories=10)
spiking_task = task.with_encoder(partial(bernoulli_spikes, n_steps=20))
history = ns.train(
    network, spiking_task, ns.networks.TrainingOptions(epochs=12, learning_rate=5e-3)
)
print(f"test accuracy {float(history.test_accuracy):.3f}")

# %% [markdown]
# ## Its twin in Brian2
# The network leaves torch as a NIR graph and becomes a circuit. Every spike of every layer is compared.

# %%
spikes = ns.stimuli.encode_rate(shown, n_steps=20)
circuit = ns.to_circuit(network)
trained = ns.record_responses(network, spikes, double=True)
twin = ns.simulate(circuit, spikes)
translation = ns.verify_translation(network, circuit, spikes)
print(translation.attrs["verdict"])
translation.to_dataframe()

# %%
ns.plots.plot_raster(trained, twin, labels=("torch", "Brian2"));

# %% [markdown]
# ## A synthetic brain
# Five subjects whose units are tuned to Gabor energy, with trial noise. It is synthetic and says so.

# %%
five = ns.recordings.BrainOptions(n_subjects=5)
brain = ns.recordings.synthetic_brain(ns.stimuli.gabor_energy(shown), five, area="V1-like")
reliability = ns.responses.split_half_reliability(brain).reliability
print(
    "synthetic:",
    bool(brain.attrs["synthetic"]),
    "| median reliability",
    round(float(reliability.median()), 2),
)

# %% [markdown]
# ## RDMs and inference
# One call a subject; the same words for every kind of subject.

# %%
layers = ns.compute_rdm(ns.responses.over_time(trained), by="layer").rename(layer="model")
pixels = ns.compute_rdm(shown.values.reshape(len(shown), -1)).assign_coords(
    stimulus=shown.stimulus.values
)
ns.plots.plot_rdm(layers[0], title="first hidden layer");

# %%
brains = ns.compute_rdm(brain, "crossnobis", by="subject")
result = ns.infer(layers, brains, method="spearman", rng=0)
result[["score", "standard_error", "p_zero_corrected"]].to_dataframe()

# %%
ns.plots.plot_scores(
    result, groups=list(result.model.values), title="layers against a synthetic brain"
);

# %%
assert translation.n_differing.sum() == 0
assert isinstance(result, xr.Dataset)

# %% [markdown]
# ## Exercises
# 1. Show the twin twice as many steps (`n_steps=40` in both encoders). Does the verdict stay bit-exact?
# 2. Tune the synthetic brain to pixels instead of Gabor energy. Which layer wins now, and is the difference more than its interval?
