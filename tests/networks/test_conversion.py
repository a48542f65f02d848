"""snnTorch networks become ours and ours become snnTorch's, spike for spike, and come back the same."""

import json
from dataclasses import replace
from typing import get_args

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

import neurosim as ns
from neurosim.networks import (
    GradedSpikes,
    Learnable,
    NeuronSpecification,
    SpikingConvNetSpecification,
    SpikingMLPSpecification,
)
from neurosim.networks.architecture import build_network
from neurosim.networks.conversion import SpikingSequence, _to_surrogate, from_snntorch, to_snntorch
from neurosim.networks.nir_export import to_nir
from neurosim.networks.nir_networks import from_nir
from neurosim.networks.shared_parameters import SurrogateName
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.stepwise import OverTime
from neurosim.networks.taps import cast_inputs
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters
from neurosim.schema import InputError, as_stimuli

ADAPTIVE = NeuronSpecification("adaptive")


class Doubled(nn.Sequential):
    """A sequence with code of its own."""

    def forward(self, inputs):
        return super().forward(2 * inputs)


NEURONS = {
    "Leaky": lambda n: snn.Leaky(0.9),
    "Leaky zero": lambda n: snn.Leaky(0.8, reset_mechanism="zero", spike_grad=surrogate.fast_sigmoid(slope=10)),
    "Leaky, a beta and threshold a unit": lambda n: snn.Leaky(torch.rand(n), threshold=0.5 + torch.rand(n)),
    "Synaptic": lambda n: snn.Synaptic(0.7, 0.8, spike_grad=surrogate.atan(alpha=3.0)),
    "Synaptic zero": lambda n: snn.Synaptic(0.7, 0.8, reset_mechanism="zero"),
    "RLeaky": lambda n: snn.RLeaky(0.9, linear_features=n),
    "RLeaky zero": lambda n: snn.RLeaky(0.9, linear_features=n, reset_mechanism="zero"),
    "RLeaky one to one": lambda n: snn.RLeaky(0.9, V=0.3 * torch.rand(n), all_to_all=False),
    "Leaky none": lambda n: snn.Leaky(0.5, reset_mechanism="none"),
}


@pytest.mark.parametrize("name", list(NEURONS))
def test_networks_go_and_come_back_spike_for_spike(name):
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(8, 12), NEURONS[name](12), nn.Linear(12, 6), NEURONS[name](6))
    sequence = 3 * torch.rand(30, 4, 8)
    theirs = OverTime(network)(sequence)
    ours = from_snntorch(network)
    assert theirs.sum() > 0 and torch.equal(ours(sequence), theirs)
    assert torch.equal(to_snntorch(ours)(sequence), theirs)
    if "zero" not in name:
        torch.testing.assert_close(*(_gradient(n, sequence) for n in (OverTime(network), ours)), atol=1e-5, rtol=1e-4)


def test_numbers_that_were_learned_and_frozen_are_taken():
    neuron = snn.Leaky(0.9, learn_beta=True, learn_threshold=True)
    neuron.beta.data.fill_(0.7)
    neuron.threshold.data.fill_(1.3)
    neuron.requires_grad_(False)
    sequence = 2 * torch.rand(30, 4, 8, generator=torch.Generator().manual_seed(1))
    theirs = OverTime(nn.Sequential(neuron))(sequence)
    assert theirs.sum() > 0 and torch.equal(from_snntorch(neuron)(sequence), theirs)
    plain = OverTime(nn.Sequential(snn.Leaky(0.9)))(sequence)
    assert not torch.equal(plain, theirs)


def learning_alike():
    first, second = snn.Leaky(0.9, learn_beta=True), snn.Leaky(0.9, learn_beta=True)
    second.beta = first.beta
    return nn.Sequential(nn.Linear(2, 2), first, nn.Linear(2, 2), second)


def keeping_another(key, value):
    graph = to_nir(nn.Sequential(nn.Linear(2, 2), SpikingLayer(DiscreteLIFParameters())))
    kept = graph.nodes["1"].metadata
    kept["neurosim"] = json.dumps(json.loads(kept["neurosim"]) | {key: value})
    return graph


def graded(neuron):
    neuron.graded_spikes_factor.fill_(2.0)
    return neuron


LEARNING = {
    "Leaky": lambda n: snn.Leaky(0.9, learn_beta=True, learn_threshold=True),
    "Leaky of units": lambda n: snn.Leaky(
        0.5 + torch.rand(n) / 2, threshold=0.5 + torch.rand(n), learn_beta=True, learn_threshold=True
    ),
    "Leaky, its threshold alone": lambda n: snn.Leaky(
        torch.rand(n), threshold=torch.rand(n) + 0.3, learn_threshold=True
    ),
    "Leaky past its range": lambda n: snn.Leaky(torch.full((n,), 1.2), learn_beta=True),
    "Synaptic": lambda n: snn.Synaptic(torch.rand(n) / 2, 0.8, learn_alpha=True, learn_beta=True, learn_threshold=True),
    "RLeaky": lambda n: snn.RLeaky(0.9, linear_features=n, learn_beta=True, learn_threshold=True),
}


@pytest.mark.parametrize("name", list(LEARNING))
def test_what_neurons_learn_goes_on_to_be_learned_step_for_step(name):
    """After steps of the same optimizer both hold the same numbers, and so does what is made of ours."""
    torch.manual_seed(4)
    theirs = nn.Sequential(nn.Linear(8, 6), LEARNING[name](6))
    ours, sequence = from_snntorch(theirs), 3 * torch.rand(20, 4, 8)
    runs, learned = (
        (OverTime(theirs), ours),
        {"beta", "threshold", "alpha"} & {n for n, _ in theirs[1].named_parameters()},
    )
    assert torch.equal(runs[0](sequence), runs[1](sequence)) and ours(sequence).sum() > 0
    for run in runs:
        optimizer = torch.optim.SGD(run.parameters(), 1e-4)
        for _ in range(3):
            optimizer.zero_grad()
            run(sequence)[-1].sum().backward()
            optimizer.step()
    back = to_snntorch(ours).network[1]
    for key in learned:
        was, now = getattr(theirs[1], key), getattr(back, key)
        assert now.requires_grad and was.numel() == now.numel()
        torch.testing.assert_close(now.flatten(), was.flatten(), atol=1e-6, rtol=1e-5)
    assert {n for n, p in back.named_parameters() if p.requires_grad and n in ("beta", "threshold", "alpha")} == learned


@pytest.mark.parametrize("learns", [False, True])
def test_factors_of_spikes_go_and_come_back(learns):
    torch.manual_seed(6)
    neuron = snn.Leaky(0.8, graded_spikes_factor=torch.rand(6) + 1, learn_graded_spikes_factor=learns)
    theirs, sequence = nn.Sequential(nn.Linear(8, 6), neuron, nn.Linear(6, 3), snn.Leaky(0.9)), 3 * torch.rand(20, 4, 8)
    ours = from_snntorch(theirs)
    back, factor = to_snntorch(ours), ours.network[2].factor
    assert OverTime(theirs[:2])(sequence).max() > 1 and factor.requires_grad == learns
    assert back.network[1].graded_spikes_factor.requires_grad == learns and len(back.network) == 4
    for other in (ours, back, from_nir(to_nir(ours))):
        assert ours(sequence).sum() > 0 and torch.equal(other(sequence), OverTime(theirs)(sequence))
    stimuli = ns.as_stimuli(
        (sequence.transpose(0, 1) > 1.5).double().numpy(), dims=("stimulus", "time", "unit"), time_step=1e-3
    )
    found = ns.verify_translation(ours, ns.to_circuit(ours), stimuli, engine="torch", progress=False)
    assert found.verdict in ("bit-exact", "spike-exact")


@pytest.mark.parametrize("name", [n for n in LEARNING if "range" not in n])
def test_what_is_learned_goes_to_nir_and_comes_back(name):
    torch.manual_seed(5)
    ours, sequence = from_snntorch(nn.Sequential(nn.Linear(8, 6), LEARNING[name](6))), 3 * torch.rand(20, 4, 8)
    back = from_nir(to_nir(ours))
    assert torch.equal(back(sequence), ours(sequence)) and back.network[1].learn == ours.network[1].learn
    mine, other = (dict(n.network[1].named_parameters()) for n in (ours, back))
    assert all(torch.equal(mine[k].flatten(), other[k].flatten()) for k in mine) and set(mine) == set(other)


def test_numbers_of_channels_go_everywhere_and_come_back():
    learn = Learnable(tau_mem="channel", threshold="neuron")
    layer = SpikingLayer(DiscreteLIFParameters(5e-3), learn=learn, shape=(2, 6, 6))
    with torch.no_grad():
        layer.learned_tau_mem += torch.tensor([0.5, -0.5])
        layer.learned_threshold += 0.3 * torch.rand(2, 6, 6)
    torch.manual_seed(1)
    ours = SpikingSequence([nn.Conv2d(1, 2, 3), layer])
    sequence = 3 * torch.rand(15, 2, 1, 8, 8)
    for other in (
        to_snntorch(ours),
        from_nir(to_nir(ours, input_shape=(1, 8, 8))),
        from_snntorch(to_snntorch(ours).network),
    ):
        assert ours(sequence).sum() > 0 and torch.equal(other(sequence), ours(sequence))
    assert from_nir(to_nir(ours, input_shape=(1, 8, 8))).network[1].learn == learn
    assert from_snntorch(to_snntorch(ours).network).network[1].learn == replace(learn, form="clamped")
    stimuli = ns.as_stimuli(
        (sequence.transpose(0, 1) > 1.5).double().numpy(),
        dims=("stimulus", "time", "channel", "y", "x"),
        time_step=1e-3,
    )
    circuit = ns.to_circuit(ours, input_shape=(1, 8, 8))
    assert ns.verify_translation(ours, circuit, stimuli, engine="torch", progress=False).verdict == "bit-exact"


def test_frozen_recurrent_weights_stay_frozen():
    layer = from_snntorch(snn.RLeaky(0.9, linear_features=3, learn_recurrent=False).eval()).network[0]
    assert not any(p.requires_grad for p in layer.parameters()) and not layer.training


def test_one_to_one_recurrence_stays_so_when_it_learns_further():
    torch.manual_seed(1)
    theirs = snn.RLeaky(0.9, V=0.3 * torch.rand(6), all_to_all=False, learn_recurrent=True)
    layer = from_snntorch(theirs).network[0]
    assert {n: tuple(p.shape) for n, p in layer.named_parameters()} == {"recurrent.V": (6,)}
    sequence = 2 * torch.rand(30, 4, 6)
    optimizers = [torch.optim.SGD(m.parameters(), lr=1e-3) for m in (theirs, layer)]
    for run in (OverTime(nn.Sequential(theirs)), layer):
        (run(sequence).sum(2) * torch.arange(30.0)[:, None]).sum().backward()
    before = layer.recurrent.V.detach().clone()
    for optimizer in optimizers:
        optimizer.step()
    assert not torch.isclose(layer.recurrent.V, before).any()
    torch.testing.assert_close(layer.recurrent.V, theirs.recurrent.V, atol=1e-6, rtol=1e-4)
    matrix = layer.recurrent.weight
    assert torch.equal(matrix, torch.diag(matrix.diagonal()))
    back = to_snntorch(layer).network[0]
    assert not back.all_to_all and torch.equal(back.recurrent.V, layer.recurrent.V)
    assert isinstance(to_nir(nn.Sequential(nn.Linear(6, 6), layer)).nodes["recurrent_1"], nir.Scale)


def _gradient(network, sequence):
    network.zero_grad()
    network(sequence).sum().backward()
    return next(network.parameters()).grad.clone()


def test_convolutional_networks_of_ours_become_snntorch():
    torch.manual_seed(0)
    network = build_network(SpikingConvNetSpecification((4, 6), n_steps=5), (8, 8), 3).eval()
    images = torch.rand(4, 1, 8, 8)
    peer = to_snntorch(network).eval()
    torch.testing.assert_close(peer(images).mean(0) * 5**0.5, network(images), atol=1e-5, rtol=1e-5)


def test_recurrent_layers_reach_nir():
    torch.manual_seed(0)
    ours = from_snntorch(nn.Sequential(nn.Linear(8, 5), snn.RLeaky(0.9, linear_features=5)))
    graph = to_nir(ours)
    assert any(name.startswith("recurrent") for name in graph.nodes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: from_snntorch(nn.Linear(2, 2)), "nn.Sequential is asked"),
        (lambda: from_snntorch(Doubled(nn.Linear(2, 2), snn.Leaky(0.9))), "of their own, found Doubled"),
        (lambda: from_snntorch(nn.Sequential(Doubled(nn.Linear(2, 2)), snn.Leaky(0.9))), "of their own"),
        (lambda: from_snntorch(nn.Sequential(*[snn.Leaky(0.9)] * 2)), "are one module, whose state is shared"),
        (lambda: to_snntorch(Doubled(nn.Linear(2, 2), SpikingLayer(DiscreteLIFParameters()))), "Doubled has a forward"),
        (lambda: from_snntorch(snn.Leaky(0.9, inhibition=True)), "inhibition"),
        (lambda: from_snntorch(graded(snn.RLeaky(0.9, linear_features=2))), "graded spikes"),
        (lambda: to_snntorch(SpikingSequence([nn.Linear(2, 2), GradedSpikes(2.0)])), "holds no SpikingLayer"),
        (lambda: from_snntorch(snn.Leaky(0.9, surrogate_disable=True)), "surrogate_disable=True"),
        (lambda: from_snntorch(snn.Alpha(0.9, 0.8)), "Alpha"),
        (lambda: from_snntorch(snn.Leaky(0.9, spike_grad=surrogate.LSO())), "spike_grad of snn.Leaky is none of ours"),
        (lambda: from_snntorch(snn.Leaky(0.9, spike_grad=surrogate.triangular())), "is none of ours; known, .* atan"),
        (lambda: from_snntorch(snn.RLeaky(0.9, V=0.5, all_to_all=False)), r"one V .* V=torch.full"),
        (lambda: from_snntorch(learning_alike()), "'1' and '3' learn one beta in common"),
        (lambda: from_nir(keeping_another("surrogate", [1])), "as neurosim writes them: surrogate"),
        (lambda: from_nir(keeping_another("surrogate", {"slope": "3"})), "as neurosim writes them: surrogate"),
        (lambda: to_snntorch(SpikingLayer(DiscreteAdaptiveLIFParameters())), "adaptive threshold"),
        (lambda: to_snntorch(SpikingLayer(DiscreteLIFParameters(reset="clear"))), "reset 'clear'"),
        (lambda: to_snntorch(SpikingLayer(DiscreteLIFParameters(), surrogate=Surrogate("triangular"))), "another one"),
        (lambda: to_snntorch(nn.Linear(2, 2)), "no SpikingLayer"),
        (
            lambda: to_nir(build_network(SpikingMLPSpecification((4,), neuron=ADAPTIVE), (2, 2), 2)),
            "NIR does not hold",
        ),
    ],
)
def test_what_has_no_twin_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("name", [n for n in NEURONS if "one to one" not in n])
def test_networks_come_back_from_nir_spike_for_spike(name, tmp_path):
    torch.manual_seed(3)
    network = from_snntorch(nn.Sequential(nn.Linear(8, 12), NEURONS[name](12), nn.Linear(12, 6), NEURONS[name](6)))
    nir.write(tmp_path / "graph.nir", to_nir(network))
    again = from_nir(nir.read(tmp_path / "graph.nir"))
    sequence = 3 * torch.rand(30, 4, 8)
    assert network(sequence).sum() > 0 and torch.equal(again(sequence), network(sequence))


def test_convolutions_come_back_from_nir():
    torch.manual_seed(0)
    network = build_network(SpikingConvNetSpecification((4, 6), n_steps=5), (8, 8), 3).eval()
    again = from_nir(to_nir(network), n_steps=5)
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(again(images).mean(0) * 5**0.5, network(images), atol=1e-4, rtol=1e-4)


def test_graphs_of_other_tools_need_a_reset_that_layers_have(data_folder):
    graph = nir.read(data_folder / "nir_lif" / "lif_norse.nir")
    with pytest.raises(InputError, match="choose reset="):
        from_nir(graph, dt=1e-4)
    with pytest.raises(InputError, match="a dt of 0 to 1 s"):
        from_nir(graph, reset="zero")
    network = from_nir(graph, dt=1e-4, reset="none")
    inputs = torch.zeros(400, 1, 1)
    inputs[:, 0, 0] = 1.0
    neurons = network.network[-1]
    tau, current = 2.5e-3, float(network.network[0](inputs[:1])[0, 0, 0]) / (1 - neurons.coefficients.beta.item())
    expected = current * (1 - torch.exp(-torch.arange(1, 401) * 1e-4 / tau))
    membrane = neurons.membrane(network.network[0](inputs))[:, 0, 0]
    torch.testing.assert_close(membrane, expected.float(), atol=1e-4, rtol=1e-3)


def test_resets_are_kept_on_request_only():
    network = from_snntorch(nn.Sequential(nn.Linear(3, 2), snn.Leaky(0.9)))
    with pytest.raises(InputError, match="keep_reset=True"):
        to_nir(network, keep_reset=False)


@pytest.mark.parametrize("name", ["Leaky", "Leaky, a beta and threshold a unit", "Synaptic"])
def test_nodes_mean_to_other_tools_what_the_layer_does(name):
    """Solved over a step of constant input, the equations of NIR give the membrane of the layer."""
    torch.manual_seed(3)
    neuron, dt, n = NEURONS[name](7), 1e-3, 7
    node = to_nir(nn.Sequential(nn.Linear(7, 7), neuron), dt=dt).nodes["1"]
    currents = 0.02 * torch.rand(12, 1, n)
    membrane = from_snntorch(neuron).network[0].membrane(currents).detach().numpy()
    assert 0 < membrane.min() <= membrane.max() < 0.4
    v, i = np.zeros(n), np.zeros(n)
    for now, wanted in zip(currents.numpy()[:, 0], membrane[:, 0], strict=True):
        if isinstance(node, nir.CubaLIF):
            i = i * np.exp(-dt / node.tau_syn) + node.w_in * (1 - np.exp(-dt / node.tau_syn)) * now
            tau, arriving = node.tau_mem, i
        else:
            tau, arriving = node.tau, now
        v = v * np.exp(-dt / tau) + node.r * (1 - np.exp(-dt / tau)) * arriving
        np.testing.assert_allclose(v, wanted, rtol=1e-5)


def test_currents_that_never_decay_are_refused():
    for alpha, beta in ((1.0, 0.8), (0.7, 1.0)):
        with pytest.raises(InputError, match="never decay"):
            to_nir(nn.Sequential(nn.Linear(4, 4), snn.Synaptic(alpha, beta)))


@pytest.mark.parametrize("twice", ["weights", "neuron"])
def test_what_stands_twice_is_exported_twice(twice):
    shared, neuron = nn.Linear(6, 6), SpikingLayer(DiscreteLIFParameters(threshold=0.3))
    spikes = (torch.rand(20, 3, 6, generator=torch.Generator().manual_seed(0)) < 0.6).float()
    other = SpikingLayer(DiscreteLIFParameters())
    network = SpikingSequence([shared, other if twice == "weights" else neuron, shared, neuron])
    wanted = network(spikes)
    assert wanted.sum() > 0
    assert torch.equal(to_snntorch(network)(spikes), wanted)
    assert torch.equal(from_nir(to_nir(network))(spikes), wanted)
    shown = as_stimuli(spikes.transpose(0, 1).numpy(), dims=("stimulus", "time", "unit"), time_step=1e-3)
    assert ns.verify_translation(network, ns.to_circuit(network), shown).attrs["verdict"] == "bit-exact"
    recorded = ns.record_responses(network, shown, progress=False)
    assert recorded.sizes["unit"] == 12 and np.array_equal(recorded[..., 6:], wanted.detach().transpose(0, 1))
    assert not np.array_equal(recorded.values[..., :6], recorded.values[..., 6:])


def test_networks_in_double_precision_go_and_come_back_with_all_digits():
    torch.manual_seed(2)
    layers = [nn.Linear(8, 12), snn.RLeaky(0.9, linear_features=12), nn.Linear(12, 12), snn.Synaptic(0.7, 0.8)]
    ours = from_snntorch(nn.Sequential(*layers, snn.Leaky(0.9, learn_beta=True, learn_threshold=True)).double())
    ours.network[1].recurrent.weight.data.mul_(1 + 1e-12)
    ours.network[4].learned_tau_mem.data.mul_(1 + 1e-12)
    sequence = 3 * torch.rand(30, 4, 8, dtype=torch.float64)
    theirs = to_snntorch(ours)
    assert {v.dtype for v in theirs.state_dict().values() if v.is_floating_point()} == {torch.float64}
    assert torch.equal(theirs.network[1].recurrent.weight, ours.network[1].recurrent.weight)
    assert torch.equal(theirs.network[4].beta.ravel(), ours.network[4].learned_tau_mem.ravel())
    assert theirs.network[3].alpha.item() == ours.network[3].coefficients.alpha
    assert from_snntorch(theirs.network).network[1].recurrent.weight.dtype == torch.float64
    cast_inputs(theirs)  # spikes of snnTorch are float32
    assert ours(sequence).sum() > 0 and torch.equal(theirs(sequence).double(), ours(sequence))


def test_weights_that_are_shared_stay_shared():
    shared = nn.Linear(6, 6)
    first, second = (snn.RLeaky(0.9, linear_features=6) for _ in range(2))
    first.recurrent = second.recurrent = nn.Linear(6, 6)
    theirs = nn.Sequential(shared, first, shared, second)
    ours = from_snntorch(theirs)
    again = to_snntorch(ours)
    for network in (ours, again):
        a, b, c, d = network.network
        assert a is c is not shared and b.recurrent.weight is d.recurrent.weight
        assert len(list(network.parameters())) == len(list(theirs.parameters())) == 4


@pytest.mark.parametrize("kind", list(get_args(SurrogateName)))
def test_surrogates_come_back_from_nir(kind, tmp_path):
    layer = SpikingLayer(DiscreteLIFParameters(), surrogate=Surrogate(kind, 3.0))
    nir.write(tmp_path / "graph.nir", to_nir(nn.Sequential(nn.Linear(2, 2), layer)))
    assert from_nir(nir.read(tmp_path / "graph.nir")).network[1].surrogate == Surrogate(kind, 3.0)
    spike_grad = surrogate.LSO() if kind == "triangular" else _to_surrogate(Surrogate(kind, 3.0))
    back = from_nir(to_nir(nn.Sequential(nn.Linear(2, 2), snn.Leaky(0.9, spike_grad=spike_grad)))).network[1].surrogate
    assert back.name == ("atan" if kind == "triangular" else kind)  # the default for one that only snnTorch has
    assert kind in ("triangular", "straight_through") or back.slope == pytest.approx(3.0, rel=1e-3)


def test_a_threshold_past_its_range_is_exported_as_it_is_used():
    layer = SpikingLayer(DiscreteLIFParameters(), learn=Learnable(threshold="neuron", form="clamped"), shape=(5,))
    with torch.no_grad():
        layer.learned_threshold[0] = -0.5
    network, shown = SpikingSequence([nn.Linear(6, 5), layer]), torch.rand(20, 3, 6)
    assert torch.equal(to_snntorch(network)(shown), network(shown))
