"""Weights with delays that are learned: sums over earlier steps, whole steps at the end, the same in NIR and Brian2."""

import json

import nir
import numpy as np
import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks import DelayedLinear, Moment, NarrowingDelays, SpikingLayer, SpikingSequence
from neurosim.networks.conversion import to_snntorch
from neurosim.networks.nir_export import to_nir
from neurosim.networks.nir_networks import from_nir
from neurosim.parameters import DiscreteLIFParameters
from neurosim.schema import InputError


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer_of(*sizes, seed=1, **options):
    torch.manual_seed(seed)
    return DelayedLinear(*sizes, **options).double()


def summed(weights, bias, sequence):
    """By definition: weights (lag, to, from) of what came so many steps before."""
    found = torch.zeros(len(sequence), sequence.shape[1], weights.shape[1], dtype=sequence.dtype) + bias
    for t in range(len(sequence)):
        for lag in range(min(t + 1, len(weights))):
            found[t] += sequence[t - lag] @ weights[lag].T
    return found


@pytest.mark.parametrize("spread", ["gaussian", "linear"])
def test_what_arrives_is_the_weighted_sum_of_earlier_steps(spread):
    layer, sequence = layer_of(3, 2, longest=4e-3, spread=spread, width=0.7), drawn(9, 2, 3)
    lags, at = torch.arange(5).double(), layer.delays.detach() / layer.dt
    away = lags[:, None, None] - at
    share = torch.exp(-0.5 * (away / 0.7) ** 2)
    share = share / share.sum(0) if spread == "gaussian" else torch.relu(1 - away.abs())
    torch.testing.assert_close(share.sum(0), torch.ones(2, 3).double())
    torch.testing.assert_close(layer(sequence), summed(share * layer.weight, layer.bias, sequence))
    whole = (lags[:, None, None] == at.round()).double()
    torch.testing.assert_close(layer.eval()(sequence), summed(whole * layer.weight, layer.bias, sequence))
    assert layer.steps.tolist() == at.round().long().tolist() and (layer.delays >= 0).all()


@pytest.mark.parametrize("spread", ["gaussian", "linear"])
def test_gradients_of_delays_are_those_of_numeric_differences(spread):
    layer, sequence = layer_of(2, 2, longest=3e-3, spread=spread, width=0.9), drawn(5, 1, 2)

    def run(*values):
        return torch.func.functional_call(
            layer, dict(zip(("weight", "position", "bias"), values, strict=True)), sequence
        )

    assert torch.autograd.gradcheck(run, (layer.weight, layer.position, layer.bias))


def test_a_delay_is_found_by_descent_while_its_spread_narrows():
    layer, sequence = layer_of(1, 1, longest=12e-3, bias=False), drawn(60, 4, 1) - 0.5
    with torch.no_grad():
        layer.weight.fill_(1.0)
    wanted = torch.cat([torch.zeros(9, 4, 1).double(), sequence[:-9]])
    optimizer = torch.optim.Adam([layer.position], 0.1)
    narrowing = NarrowingDelays(epochs=80)
    for epoch in range(100):
        optimizer.zero_grad()
        (layer(sequence) - wanted).square().mean().backward()
        optimizer.step()
        narrowing(Moment(nn.Sequential(layer), epoch + 1, 0, 0.1, {}))
    assert layer.steps.item() == 9 and layer.width.item() == pytest.approx(0.5)
    assert torch.equal(layer.eval()(sequence), wanted)


def test_the_spread_narrows_geometrically_and_is_kept_with_the_weights():
    layer = DelayedLinear(2, 2, longest=16e-3)
    for epoch, width in ((0, 8.0), (1, 2.0), (2, 0.5), (3, 0.5)):
        NarrowingDelays(2)(Moment(layer, epoch, 0, 0.1, {}))
        assert layer.width.item() == pytest.approx(width)
    again = DelayedLinear(2, 2, longest=16e-3)
    again.load_state_dict(layer.state_dict())
    assert again.width == layer.width and torch.equal(again.steps, layer.steps)


def network_with_delays(dt=1e-3):
    torch.manual_seed(2)
    record = DiscreteLIFParameters(5 * dt, dt)
    parts = [DelayedLinear(6, 8, longest=5 * dt, dt=dt), DelayedLinear(8, 4, longest=3 * dt, dt=dt, bias=False)]
    with torch.no_grad():
        for part in parts:
            part.weight.mul_(5)
    layers = [parts[0], SpikingLayer(record), parts[1], SpikingLayer(record, n_recurrent=4)]
    return SpikingSequence(layers, time_step=dt).eval()


class Own(nn.Module):
    """The same with a forward of its own."""

    def __init__(self, network):
        super().__init__()
        self.inner = network.network

    def forward(self, sequence):
        for layer in self.inner:
            sequence = layer(sequence)
        return sequence


@pytest.mark.parametrize("own", [False, True])
def test_the_circuit_of_a_network_with_delays_sends_the_same_spikes(own):
    network, dt = network_with_delays(), 1e-3
    spikes = (drawn(3, 30, 6, seed=7) < 0.3).double()
    example = spikes.transpose(0, 1) if own else None
    network = Own(network) if own else network
    stimuli = ns.as_stimuli(spikes.numpy(), dims=("stimulus", "time", "unit"), time_step=dt)
    circuit = ns.to_circuit(network, example=example)
    assert {round(p.delay / dt) for p in circuit.projections if p.delay} == {1, 2, 3, 4, 5}
    found = ns.verify_translation(network, circuit, stimuli, example=example, engine="torch", progress=False)
    assert found.verdict == "bit-exact" and (found.n_spikes > 20).all()


@pytest.mark.parametrize("dt", [1e-3, 2e-3])
def test_networks_with_delays_go_to_nir_and_come_back(dt, tmp_path):
    network = network_with_delays(dt)
    nir.write(tmp_path / "delays.nir", to_nir(network))
    back = from_nir(nir.read(tmp_path / "delays.nir")).eval()
    sequence = (drawn(40, 2, 6, seed=3) < 0.3).float()
    assert network(sequence).sum() > 20 and torch.equal(back(sequence), network(sequence))
    for mine, other in zip(network.network[::2], back.network[::2], strict=True):
        assert torch.equal(mine.steps, other.steps) and torch.equal(mine.weight, other.weight)
        assert other.position.requires_grad and other.n_steps >= 2 * mine.steps.max()


def graph(*branches):
    nodes = {"in": nir.Input({"input": np.array([2])}), "out": nir.Output({"output": np.array([2])})}
    nodes["n"] = nir.IF(np.ones(2), np.ones(2), np.zeros(2))
    edges = [("n", "out")]
    for k, (weight, bias, delay) in enumerate(branches):
        nodes[f"w{k}"], nodes[f"d{k}"] = nir.Affine(np.array(weight), np.array(bias)), nir.Delay(np.array(delay))
        edges += [("in", f"w{k}"), (f"w{k}", f"d{k}"), (f"d{k}", "n")]
    return nir.NIRGraph(nodes, edges, type_check=False)


ONES, NONE = np.ones((2, 2)), np.zeros(2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DelayedLinear(2, 2, longest=0.5e-3), "one or more whole steps"),
        (lambda: DelayedLinear(2, 2, spread="cubic"), "known: gaussian, linear"),
        (lambda: DelayedLinear(2, 2, width=0.0), "above 0"),
        (lambda: DelayedLinear(2, 2)(torch.zeros(3, 2)), "a sequence"),
        (lambda: DelayedLinear(2, 2).set_delays(torch.full((2, 2), 1.0)), "of 0 to 0.025 s asked"),
        (lambda: NarrowingDelays(0), "1 epoch or more"),
        (lambda: to_snntorch(network_with_delays()), "works on whole sequences"),
        (
            lambda: to_nir(SpikingSequence([DelayedLinear(2, 2, dt=5e-3), SpikingLayer(DiscreteLIFParameters())])),
            "5e|0.005",
        ),
        (
            lambda: to_nir(
                SpikingSequence([SpikingLayer(DiscreteLIFParameters(dt=dt)) for dt in (1e-3, 2e-3)]), input_shape=(2,)
            ),
            "one step is represented",
        ),
        (lambda: read(graph((ONES, NONE, [1e-3, 2e-3]))), "delays that differ"),
        (lambda: changed(learn={"tau_mem": "layers"}), "Did you mean 'layer'"),
        (lambda: changed(learn={"tau": "layer"}), "not as neurosim writes them: learn"),
        (
            lambda: changed(learn={"tau_mem": "layer"}, exact={"beta": [0.5, 0.6]}),
            "one a layer, and its numbers differ",
        ),
        (lambda: read(graph((ONES, NONE, [1.5e-3] * 2))), "no whole number of steps"),
        (lambda: read(graph((ONES, NONE + 1, [1e-3] * 2))), "delays a bias"),
        (lambda: read(graph((ONES, NONE, [1e-3] * 2), (ONES, NONE, [2e-3] * 2))), "several delays each"),
    ],
)
def test_what_delays_cannot_be_is_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def changed(**kept):
    """A graph of neurosim whose metadata were changed."""
    made = to_nir(SpikingSequence([SpikingLayer(DiscreteLIFParameters())]), input_shape=(2,))
    node = next(n for n in made.nodes.values() if isinstance(n, nir.LIF))
    node.metadata["neurosim"] = json.dumps({**json.loads(node.metadata["neurosim"]), **kept})
    return from_nir(made)


def read(given):
    return from_nir(given, dt=1e-3, reset="zero", if_input="charge")


def test_the_longest_delay_is_one_also_in_float32():
    layer = DelayedLinear(1, 1, longest=4e-3)
    layer.set_delays(torch.tensor([[4e-3]]))
    assert layer.steps.tolist() == [[4]]
    layer.set_delays(np.zeros((1, 1)))
    assert layer.steps.tolist() == [[0]]
