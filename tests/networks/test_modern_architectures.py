"""Residual networks and transformers of spiking neurons do what their papers say, step by step."""

import math

import numpy as np
import pytest
import torch

import neurosim as ns
from neurosim.networks import SEWResNetSpecification, SpikformerSpecification
from neurosim.networks.sew_resnet import MEET, Meeting, SEWBlock
from neurosim.networks.shared_parameters import NeuronSpecification
from neurosim.networks.spikformer import ATTENTION_THRESHOLD, SCALE, SpikingAttention
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError

NEURON = NeuronSpecification(tau_mem=math.inf, reset="zero")
LEAKY = SpikformerSpecification().neuron
GENERATOR = torch.Generator().manual_seed(0)


def spikes(*shape, share=0.4):
    return (torch.rand(shape, generator=GENERATOR) < share).float()


def fired(currents, beta=1.0, threshold=1.0):
    """Spikes of neurons that keep `beta` of their membrane, and are reset to zero, by a plain loop."""
    membrane, found = torch.zeros_like(currents[0]), []
    for now in currents:
        membrane = beta * membrane + now
        found.append((membrane > threshold).float())
        membrane = membrane * (1 - found[-1])
    return torch.stack(found)


def normed(norm, values):
    """Batch normalisation in training of (time, batch, channel, ...): statistics over all steps and stimuli."""
    axes = [k for k in range(values.ndim) if k != 2]
    wide = (1, 1, -1, *(1,) * (values.ndim - 3))
    mean, variance = values.mean(axes, keepdim=True), values.var(axes, correction=0, keepdim=True)
    return (values - mean) / (variance + norm.eps).sqrt() * norm.weight.view(wide) + norm.bias.view(wide)


def convolved(layer, shown):
    conv, norm = layer.weights
    return fired(normed(norm, torch.stack([conv(step) for step in shown])))


@pytest.mark.parametrize("connect", MEET)
@pytest.mark.parametrize(("after", "stride"), [(4, 1), (6, 2)])
def test_a_block_is_that_of_the_paper_by_a_plain_loop(connect, after, stride):
    with torch_seeded(1):
        block = SEWBlock(4, after, connect, NEURON, stride)
        torch.nn.init.uniform_(block.second.weights[1].weight, 0.5, 1.5)
    shown = spikes(5, 3, 4, 6, 6)
    found = block(shown)
    branch = convolved(block.second, convolved(block.first, shown))
    passing = shown if block.passing is None else convolved(block.passing, shown)
    expected = {"add": branch + passing, "and": branch * passing, "iand": passing - branch * passing}[connect]
    assert torch.equal(found, expected) and 0 < found.mean() < 2


@pytest.mark.parametrize("connect", MEET)
def test_a_new_block_is_the_identity(connect):
    block = SEWBlock(3, 3, connect, NEURON)
    if connect == "and":
        block.second.weights[1].bias.data += 0.5  # well above threshold, so that the branch always spikes
    shown = spikes(4, 2, 3, 5, 5)
    assert torch.equal(block(shown), shown)


def test_spikes_meet_as_truth_values_do():
    branch, passing = torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    found = {c: Meeting(c)(branch, passing).tolist() for c in MEET}
    assert found == {"add": [0, 1, 1, 2], "and": [0, 0, 0, 1], "iand": [0, 1, 0, 0]}


def test_attention_is_that_of_the_paper_by_a_plain_loop():
    with torch_seeded(2):
        attention = SpikingAttention(8, 2, LEAKY)
        for part in (attention.query, attention.key, attention.value):
            torch.nn.init.constant_(part.norm.weight, 3.0)
            torch.nn.init.constant_(part.norm.bias, 2.0)
    shown = spikes(4, 3, 5, 8)
    sent = {}
    for part in (attention.query, attention.key, attention.value, attention.out):
        part.register_forward_hook(lambda module, given, out: sent.update({module: (given[0], out)}))
    attention(shown)

    def weighted(layer, values):
        currents = normed(layer.norm, (values @ layer.linear.weight.T + layer.linear.bias).transpose(2, 3))
        return fired(currents.transpose(2, 3), 0.5, 2.0)

    query, key, value = (sent[part][1] for part in (attention.query, attention.key, attention.value))
    for part in (attention.query, attention.key, attention.value):
        assert (weighted(part, shown) != sent[part][1]).double().mean() < 0.01  # rounding of the normalisation
    reached = torch.zeros(4, 3, 5, 8)
    for head in (slice(0, 4), slice(4, 8)):
        for i in range(5):
            for j in range(5):
                both = (query[:, :, i, head] * key[:, :, j, head]).sum(-1, keepdim=True)
                reached[:, :, i, head] += SCALE * both * value[:, :, j, head]
    expected = fired(reached, 0.5, 2 * ATTENTION_THRESHOLD)
    assert torch.equal(sent[attention.out][0], expected) and expected.mean() > 0.05


@pytest.mark.parametrize(
    ("specification", "layer"),
    [(SEWResNetSpecification((3, 4)), "stage2_1.meeting"), (SpikformerSpecification(8, 2, 1, 8), "block1.back.spikes")],
)
def test_they_are_recorded_by_name_and_events_are_what_still_pictures_are(specification, layer):
    with torch_seeded(0):
        network = ns.build_network(specification, (8, 8), 3)
    network.train()(spikes(6, 8, 8))  # so that the normalisations have seen currents
    for module in network.eval().modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.bias)
    images = ns.as_stimuli(np.random.default_rng(0).random((4, 8, 8)))
    found = ns.record_responses(network, images, progress=False)
    assert found.sizes["time"] == 4 and layer in set(found.layer.values)
    assert {0.0, 1.0} <= set(np.unique(found.values)) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    shown = torch.from_numpy(images.values).float()
    with torch.no_grad():
        still, moving = network(shown), network(shown[None, :, None].expand(4, 4, 1, 8, 8))
    assert torch.allclose(still, moving, atol=1e-6)


def test_attention_maps_are_recorded():
    with torch_seeded(0):
        network = ns.build_network(SpikformerSpecification(8, 2, 1, 8), (8, 8), 3).train()
    network(spikes(6, 8, 8))  # so that the normalisation has seen currents
    images = ns.as_stimuli(np.random.default_rng(0).random((2, 8, 8)))
    found = ns.record_responses(network, images, layers=["blocks.block1.attention.map"], progress=False)
    assert found.shape == (2, 4, 2 * 16 * 16) and np.array_equal(found.values, np.rint(found.values))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SEWResNetSpecification(connect="plus"), "connect = 'plus'; known: add, and, iand"),
        (lambda: SEWResNetSpecification(()), "at least one stage"),
        (lambda: SpikformerSpecification(10, 4), "n_units = 10 is not a multiple of n_heads = 4"),
        (lambda: SpikformerSpecification(n_steps=0), "at least one unit"),
    ],
)
def test_specifications_that_cannot_be_are_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
