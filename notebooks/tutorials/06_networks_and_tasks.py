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
# # Networks and tasks: name them, train them, ask them
#
# A network is a record of plain numbers, a task is data with a seed. Whatever the network, what comes out of it is the
# same labelled array as that of a circuit or a brain.

# %%
from dataclasses import replace

import torch

import neurosim as ns
from neurosim.tasks.augmentation import chained, pixel_noise, random_turns

task = ns.tasks.classification_task(ns.load_digits(), validation_fraction=0.1, rng=1)
task = task.with_augmentation(chained(random_turns(10), pixel_noise(0.05)))
torch.manual_seed(0)
network = ns.build_network(
    ns.networks.ConvNetSpecification((16, 32), dropout=0.2), task.image_shape, len(task.categories)
)
history = ns.train(
    network,
    task,
    ns.networks.TrainingOptions(epochs=15, learning_rate=5e-3, patience=5),
    progress=False,
)
print(
    f"{ns.networks.n_parameters(network)} parameters, "
    f"{float(history.test_accuracy):.3f} on digits never seen"
)

# %% [markdown]
# Training and validation part where a network overfits. With `checkpoint="run.safetensors"` a training that is killed goes
# on to the same bits; under `torchrun` every process takes its share of each batch.

# %%
ns.plots.plot_training(history);

# %%
found = ns.networks.evaluate(network, task)
ns.plots.plot_confusion(found);

# %%
ns.networks.classical_baselines(task, progress=False).accuracy.to_series()

# %% [markdown]
# ## Spiking neurons
# One layer runs a whole sequence; its record says which neuron it is. snnTorch networks come and go, spike for spike.

# %%
import snntorch as snn

theirs = torch.nn.Sequential(
    torch.nn.Linear(64, 40), snn.Leaky(0.9), torch.nn.Linear(40, 10), snn.Leaky(0.9)
)
ours = ns.networks.from_snntorch(theirs)
spikes = torch.rand(30, 5, 64).round()
print((ours(spikes) != ns.networks.OverTime(theirs)(spikes)).sum().item(), "spikes differ")
adaptive = ns.networks.SpikingLayer(
    ns.parameters.DiscreteAdaptiveLIFParameters(tau_mem=20e-3, rise=0.5), n_recurrent=40
)
print(adaptive)

# %% [markdown]
# ## Cognitive tasks
# A batch comes with its table of trials, so that a psychometric curve is one line.

# %%
decide = replace(ns.tasks.cognitive_task("context_decision"), n_batches_an_epoch=120)
torch.manual_seed(0)
rnn = ns.build_network(
    ns.networks.LeakyRNNSpecification(60, identity=0.5), decide.image_shape, len(decide.outputs)
)
ns.train(rnn, decide, ns.networks.TrainingOptions(epochs=3, learning_rate=1e-2), progress=False)
trials = decide.trials(600, rng=7)
with torch.no_grad():
    outputs = (
        rnn.eval()(torch.from_numpy(trials.inputs.values).transpose(0, 1)).transpose(0, 1).numpy()
    )
chosen = decide.chosen(outputs, trials)
ax = ns.plots.plot_psychometric(
    ns.tasks.psychometric(chosen, "relevant_coherence"), label="what is attended"
)
print(f"{float(decide.score(outputs, trials).mean()):.2f} of the trials right")

# %% [markdown]
# The responses carry the table too.

# %%
rates = ns.record_responses(rnn, trials.inputs, progress=False)
rates.groupby("choice").mean().sizes

# %% [markdown]
# ## Why it answers so
# What mattered in an image, what a unit looks for, which order the responses have without labels.

# %%
digits = task.test[:6]
ns.plots.plot_attribution(
    digits, ns.networks.explain(network, digits, "integrated_gradients", progress=False)
);

# %%
ns.plots.plot_stimuli(
    ns.networks.maximise_activation(
        network, "readout", range(10), (8, 8), ns.networks.AscentOptions(n_steps=60), progress=False
    ),
    n_columns=10,
);

# %%
responses = ns.record_responses(network, task.test[:150], layers=["hidden"], progress=False)
print(
    "agreement of ten clusters with the digits: "
    f"{float(ns.responses.cluster_stimuli(responses, 10).rand_index):.2f}"
)
ns.plots.plot_stimulus_map(ns.responses.embed_stimuli(responses, "tsne"));

# %% [markdown]
# ## Exercises
# 1. Train the same specification from another seed and compare the RDMs of both instances, layer by layer. How alike are they?
# 2. Silence a tenth of the units of the first hidden layer. What does it cost, and is it the same tenth that costs most?
