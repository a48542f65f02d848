"""Every spiking neuron in every way of wiring is translated with 0 differing spikes, or refused by name in one line."""

import itertools
from typing import get_args

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.biophysics.simulation import choose_category, simulate
from neurosim.bridge import to_circuit, to_nir, verify_translation
from neurosim.networks import SpikingMLPSpecification, SpikingRNNSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.recording import predict
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import RESETS
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
)
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli

N = 6
EXAMPLE = torch.zeros(4, 2, N)
SPIKES = as_stimuli(
    (np.random.default_rng(0).random((5, 16, N)) < 0.5) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3
)
RECORDS = {
    "lif": DiscreteLIFParameters,
    "synaptic": DiscreteSynapticParameters,
    "adaptive": DiscreteAdaptiveLIFParameters,
}


def leaky(**options):
    return lambda: snn.Leaky(beta=0.9, threshold=0.3, **options)


NEURONS = {
    **{f"Leaky {r}": leaky(reset_mechanism=r) for r in ("subtract", "zero", "none")},
    "Leaky hidden": leaky(init_hidden=True),
    "Leaky of learned numbers": lambda: snn.Leaky(torch.rand(N) / 2 + 0.4, torch.rand(N) / 2 + 0.1, learn_beta=True),
    "Synaptic": lambda: snn.Synaptic(0.7, 0.8, threshold=0.3),
    "Synaptic zero": lambda: snn.Synaptic(0.7, 0.8, threshold=0.3, reset_mechanism="zero", init_hidden=True),
    "RLeaky": lambda: snn.RLeaky(0.9, threshold=0.4, linear_features=N),
    "RLeaky zero": lambda: snn.RLeaky(0.9, threshold=0.4, linear_features=N, reset_mechanism="zero"),
    "RLeaky one to one": lambda: snn.RLeaky(0.9, threshold=0.4, V=torch.rand(N) - 0.5, all_to_all=False),
    "RSynaptic": lambda: snn.RSynaptic(0.6, 0.8, threshold=0.4, linear_features=N, init_hidden=True),
    "Lapicque": lambda: snn.Lapicque(beta=0.9, threshold=0.1),
    "Alpha": lambda: snn.Alpha(0.9, 0.7, threshold=0.3, init_hidden=True),
    **{
        f"SpikingLayer {name} {reset}": lambda kind=kind, reset=reset: SpikingLayer(kind(threshold=0.4, reset=reset))
        for (name, kind), reset in itertools.product(RECORDS.items(), RESETS)
    },
    **{
        f"SpikingLayer {engine}": lambda engine=engine: SpikingLayer(
            DiscreteSynapticParameters(threshold=0.4), engine=engine
        )
        for engine in ("torch", "compiled")
    },
    "SpikingLayer recurrent": lambda: SpikingLayer(DiscreteLIFParameters(threshold=0.4), n_recurrent=N),
}
OTHERS = {
    "Leaky graded": leaky(graded_spikes_factor=2.0),
    "Leaky at once": leaky(reset_delay=False),
    "Leaky inhibited": leaky(inhibition=True),
}


class Own(nn.Module):
    """Neurons and weights that `step` puts together; whole sequences pass through ``SpikingLayer`` at once."""

    def __init__(self, step, make):
        super().__init__()
        with torch_seeded(3):
            self.fc1, self.fc2, self.fc3, self.both = (nn.Linear(k, N) for k in (N, N, N, 2 * N))
            self.lif1, self.lif2, self.lif3 = make(), make(), make()
            self.readout = nn.Linear(N, 3)
        with torch.no_grad():
            for layer in (self.fc1, self.fc2, self.fc3, self.both):
                layer.weight.mul_(2)
                layer.bias.abs_()
        self.step = step

    def neurons(self, name, current):
        module, state = getattr(self, name), self.state
        if isinstance(module, SpikingLayer) or module.init_hidden:
            return module(current)
        spikes, *rest = module(current, *state.get(name, ()))
        state[name] = (spikes, *rest) if isinstance(module, snn.RLeaky) else tuple(rest)
        return spikes

    def forward(self, inputs):
        self.state = {}
        for module in self.modules():
            if isinstance(module, snn.SpikingNeuron):
                module.reset_mem()
        if isinstance(self.lif1, SpikingLayer):
            return self.step(self, inputs)
        return torch.stack([self.step(self, now) for now in inputs.unbind(0)])


def chain(net, now):
    return net.neurons("lif2", net.fc2(net.neurons("lif1", net.fc1(now))))


def residual(net, now):
    one = net.neurons("lif1", net.fc1(now))
    return net.neurons("lif2", net.fc2(one) + one + net.fc3(now))


def scaled(net, now):
    one = net.neurons("lif1", 1.5 * net.fc1(now))
    return net.neurons("lif2", nn.functional.linear(2 * one, net.fc2.weight * 0.5, net.fc2.bias) / 0.8)


def parallel(net, now):
    one, two = net.neurons("lif1", net.fc1(now)), net.neurons("lif2", net.fc2(now))
    return net.neurons("lif3", net.both(torch.cat([one, two], -1)))


def shared(net, now):
    return net.neurons("lif2", net.fc1(net.neurons("lif1", net.fc1(now))))


def feedback(net, now):
    back = net.state.get("back", torch.zeros_like(now))
    one = net.neurons("lif1", net.fc1(now) + net.fc3(back))
    net.state["back"] = net.neurons("lif2", net.fc2(one) + now)
    return net.state["back"]


def delayed(net, now):
    sent = net.state.setdefault("sent", [])
    sent.append(net.neurons("lif1", net.fc1(now)))
    return net.neurons("lif2", net.fc2(sent[-3] if len(sent) > 2 else torch.zeros_like(now)))


def pipeline(net, now):
    two = net.neurons("lif2", net.fc2(net.state.get("one", torch.zeros_like(now))))
    net.state["one"] = net.neurons("lif1", net.fc1(now))
    return two


WIRINGS = (chain, residual, scaled, parallel, shared, feedback, delayed, pipeline)
STEP_BY_STEP = (feedback, delayed, pipeline)
IN_ALL = ("Leaky zero", "Synaptic", "RLeaky", "SpikingLayer lif subtract")
CASES = [
    (name, wiring)
    for name in NEURONS
    for wiring in (WIRINGS if name in IN_ALL else (chain, residual))
    if wiring not in STEP_BY_STEP or "SpikingLayer" not in name
]


def named(value):
    return getattr(value, "__name__", value)


def one_line(error):
    text = str(error.value)
    assert "\n" not in text and len(text) < 400
    return text


def test_every_neuron_of_ours_is_here():
    assert set(RECORDS.values()) == set(get_args(DiscreteParameters))


@pytest.mark.parametrize(("name", "wiring"), CASES, ids=named)
def test_every_neuron_in_every_wiring_is_translated_exactly_or_refused(name, wiring):
    network = Own(wiring, NEURONS[name])
    if "adaptive" in name:
        with pytest.raises(InputError, match="'lif1' has an adaptive threshold"):
            to_circuit(network, example=EXAMPLE)
        return
    circuit = to_circuit(network, example=EXAMPLE)
    found = verify_translation(network, circuit, SPIKES, example=EXAMPLE, engine="torch", progress=False)
    assert int(found.n_differing.sum()) == 0
    assert int(found.n_spikes.min()) > 10 and float(found.membrane_difference.max()) < 1e-12


@pytest.mark.parametrize("name", OTHERS)
def test_neurons_that_no_circuit_has_are_refused_in_sequences_and_elsewhere(name):
    for network in (nn.Sequential(nn.Linear(N, N), OTHERS[name]()), Own(residual, OTHERS[name])):
        with pytest.raises(InputError, match="cannot be represented") as error:
            to_circuit(network, example=EXAMPLE)
        one_line(error)


@pytest.mark.parametrize("wiring", WIRINGS, ids=named)
def test_populations_stand_in_the_order_of_the_signal_and_the_last_answers(wiring):
    circuit = to_circuit(Own(wiring, NEURONS["Leaky zero"]), example=EXAMPLE)
    order = ["input", *(p.name for p in circuit.populations)]
    assert order == sorted(order)
    for q in circuit.projections:
        steps = round(q.delay / circuit.dt)
        assert order.index(q.source) < order.index(q.target) or steps == 1


@pytest.mark.parametrize("wiring", (residual, parallel, feedback, delayed), ids=named)
def test_brian2_agrees(wiring):
    network = Own(wiring, NEURONS["Leaky zero"])
    circuit = to_circuit(network, example=EXAMPLE)
    found = verify_translation(network, circuit, SPIKES, example=EXAMPLE, engine="brian2", progress=False)
    assert int(found.n_differing.sum()) == 0


def changing_weights(net, now):
    net.state["k"] = net.state.get("k", 0) + 1
    kept = net.fc2.weight.data
    net.fc2.weight.data = kept * 0.9 ** net.state["k"]
    spikes = chain(net, now)
    net.fc2.weight.data = kept
    return spikes


def changing_after(steps):
    def step(net, now):
        net.state["k"] = net.state.get("k", 0) + 1
        factor = 2 if net.state["k"] > steps else 1
        return net.neurons("lif2", factor * net.fc2(net.neurons("lif1", net.fc1(now))))

    return step


def between(function):
    return lambda net, now: net.neurons("lif2", net.fc2(function(net, net.neurons("lif1", net.fc1(now)), now)))


def changing_state(change):
    def step(net, now):
        if net.state.setdefault("k", 0):
            change(net)
        net.state["k"] += 1
        return chain(net, now)

    return step


def sum_over_time(net, one, now):
    net.state["sum"] = net.state.get("sum", 0) + one
    return net.state["sum"]


SUM = "'lif2' gets in step 0 something other than a fixed weighted sum"
STATE = "'lif1' does not spike in step 1 as its equation says from silence"
CHANGED = {
    "weights that change": (changing_weights, "Leaky subtract", SUM),
    "another factor within the example": (changing_after(2), "Leaky subtract", SUM),
    "another factor behind the example": (changing_after(9), "Leaky subtract", SUM),
    "rectified, first layer silent": (
        lambda net, now: net.neurons("lif2", net.fc2(net.neurons("lif1", 1e-4 * net.fc1(now))).relu()),
        "Leaky subtract",
        SUM,
    ),
    "times the input": (between(lambda net, one, now: one * now), "Leaky subtract", SUM),
    "times spikes": (between(lambda net, one, now: one * one.roll(1, -1)), "Leaky subtract", SUM),
    "a membrane": (between(lambda net, one, now: net.state["lif1"][-1]), "Leaky subtract", SUM),
    "the first that spikes wins": (
        between(lambda net, one, now: one * (one.cumsum(-1) <= 1)),
        "Leaky subtract",
        SUM,
    ),
    "another factor for many spikes": (
        between(lambda net, one, now: one * (2.0 if one.sum() > 4 else 1.0)),
        "Leaky subtract",
        SUM,
    ),
    "a sum over time": (between(sum_over_time), "Leaky subtract", "'lif2' gets what was sent 1. steps ago"),
    "noise": (between(lambda net, one, now: one + 0.1 * torch.randn(N)), "Leaky subtract", "'lif2' gets in step"),
    "a mean over stimuli": (between(lambda net, one, now: one - one.mean(0)), "Leaky subtract", SUM),
    "input clamped": (
        lambda net, now: chain(net, now.clamp(-0.2, 0.2)),
        "Leaky subtract",
        "'lif1' gets in step 0 something other",
    ),
    "reset in every step": (changing_state(lambda net: net.lif1.reset_mem()), "Leaky hidden", STATE),
    "a membrane replaced": (
        changing_state(lambda net: setattr(net.lif1, "mem", net.lif1.mem * 0.3)),
        "Leaky hidden",
        STATE,
    ),
    "a hidden membrane in place": (changing_state(lambda net: net.lif1.mem.mul_(0.5)), "Leaky hidden", STATE),
    "a membrane in place": (changing_state(lambda net: net.state["lif1"][0].mul_(0.5)), "Leaky subtract", STATE),
    "a current in place": (changing_state(lambda net: net.state["lif1"][0].mul_(0.5)), "Synaptic", STATE),
    "recurrent spikes in place": (
        changing_state(lambda net: net.state["lif1"][0].mul_(0.5)),
        "RLeaky",
        STATE,
    ),
    "neurons called twice": (
        lambda net, now: net.neurons("lif1", net.fc2(net.neurons("lif1", net.fc1(now)))),
        "Leaky subtract",
        "neurons that are called once in every step",
    ),
    "a membrane that starts charged": (
        lambda net, now: net.state.setdefault("lif1", (torch.ones_like(now),)) and residual(net, now),
        "Leaky subtract",
        "'lif1' does not spike in step 0 as its equation says from silence",
    ),
    "feedback that starts at one": (
        lambda net, now: net.state.setdefault("back", torch.ones_like(now)) is None or feedback(net, now),
        "Leaky subtract",
        "'lif1' gets in step 1 something other",
    ),
    "no gradient": (torch.no_grad()(residual), "Leaky subtract", "no neurons of Own get its input"),
    "two readouts": (
        lambda net, now: net.readout(net.neurons("lif1", net.fc1(now))) + net.fc2(net.neurons("lif2", now))[:, :3],
        "Leaky subtract",
        "'readout' and 'fc2' both read spikes",
    ),
    "a readout of a chain, and spikes": (
        lambda net, now: net.readout(net.neurons("lif1", net.fc1(now))) + net.state["lif1"][-1][:, :3] + now[:, :3],
        "Leaky subtract",
        "answers with more than its readout 'readout'",
    ),
    "a readout of one layer, and spikes of another": (
        lambda net, now: net.readout(residual(net, now)) + net.neurons("lif3", now)[:, :3],
        "Leaky subtract",
        "answers with more than its readout 'readout'",
    ),
    "time turned": (
        lambda net, now: net.neurons("lif2", net.fc2(net.neurons("lif1", net.fc1(now)).flip(0))),
        "SpikingLayer lif subtract",
        "'lif2' gets what was sent",
    ),
    "a sequence in pieces": (
        lambda net, now: torch.cat([net.lif1(net.fc1(now[:2])), net.lif1(net.fc1(now[2:]))]),
        "SpikingLayer lif subtract",
        "'lif1' does not spike in step 2",
    ),
    "a readout of sums": (
        lambda net, now: net.readout((net.neurons("lif1", net.fc1(now) + now)).sum(0)),
        "SpikingLayer lif subtract",
        "'readout' reads something other",
    ),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_code_that_no_circuit_can_hold_is_refused_by_the_name_of_the_layer(kind):
    step, neurons, message = CHANGED[kind]
    with pytest.raises(InputError, match=message) as error:
        to_circuit(Own(step, NEURONS[neurons]), example=EXAMPLE)
    one_line(error)


def test_one_step_does_not_show_feedback():
    with pytest.raises(InputError, match=r"makes 1 step on the example, .* at least 2 steps"):
        to_circuit(Own(feedback, NEURONS["Leaky zero"]), example=EXAMPLE[:1])
    assert to_circuit(Own(feedback, NEURONS["Leaky zero"]), example=EXAMPLE[:2]).into("lif1")[1].delay == 1e-3


class Doubled(nn.Linear):
    """A layer of torch with other code."""

    def forward(self, inputs):
        return 2 * super().forward(inputs)


def hooked(layers):
    layers[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    return layers


def patched(layers):
    layers[0].forward = lambda inputs: 2 * nn.functional.linear(inputs, layers[0].weight, layers[0].bias)
    return layers


class DoubledMLP(type(build_network(SpikingMLPSpecification((N,)), (N,), 3))):
    """One of our networks with other code."""

    def forward(self, spikes):
        return super().forward(2 * spikes)


REWRITTEN = {
    "a subclass of a layer": lambda: nn.Sequential(Doubled(N, N), snn.Leaky(0.9)),
    "a hook": lambda: hooked(nn.Sequential(nn.Linear(N, N), snn.Leaky(0.9))),
    "a forward put in": lambda: patched(nn.Sequential(nn.Linear(N, N), snn.Leaky(0.9))),
    "a subclass of our network": lambda: DoubledMLP(SpikingMLPSpecification((N,)), (N,), 3),
}


@pytest.mark.parametrize("kind", REWRITTEN)
def test_layers_with_other_code_are_what_the_code_says_with_an_example_or_without(kind):
    with torch_seeded(1):
        network = REWRITTEN[kind]()
    weight = next(network.parameters()).detach().double().T
    for circuit in (to_circuit(network), to_circuit(network, example=EXAMPLE)):
        np.testing.assert_allclose(circuit.projections[0].weights, 2 * weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("module", ["input", "output_readout"])
def test_names_of_modules_do_not_overwrite_nodes(module):
    network = nn.Sequential()
    network.add_module(module, nn.Linear(N, N))
    network.add_module("spikes", snn.Leaky(0.9))
    assert to_circuit(network).sizes == {"input": N, "spikes": N}
    network = nn.Sequential()
    network.add_module("weights", nn.Linear(N, N))
    network.add_module(module, snn.Leaky(0.9))
    with pytest.raises(InputError, match=f"{module!r} would be called"):
        to_circuit(network)


def test_a_layer_that_is_called_twice_in_a_chain_has_a_node_for_each_call():
    network = Own(shared, NEURONS["Leaky zero"])
    kinds = [type(node).__name__ for node in to_nir(network, example=EXAMPLE).nodes.values()]
    assert kinds == ["Input", "Affine", "LIF", "Affine", "LIF", "Output"]
    one, two = (q.weights for q in to_circuit(network, example=EXAMPLE).projections)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_a_network_is_left_as_it_was_whatever_gradients_are_about(around):
    network = Own(residual, NEURONS["Leaky subtract"]).half()
    network.requires_grad_(False)
    network.lif1.eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with around():
        circuit = to_circuit(network, example=EXAMPLE)
    assert {(q.source, q.target) for q in circuit.projections} == {
        ("input", "lif1"), ("input", "lif2"), ("lif1", "lif2"),
    }  # fmt: skip
    after = network.state_dict()
    assert all(after[k].dtype == v.dtype and torch.equal(after[k], v) for k, v in before.items())
    assert not any(p.requires_grad for p in network.parameters()) and network.training and not network.lif1.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_time_may_be_the_second_axis_even_of_as_many_steps_as_stimuli():
    def forward(net, inputs):
        return torch.stack([residual(net, now) for now in inputs.unbind(1)])

    network = Own(residual, NEURONS["Leaky hidden"])
    network.forward = lambda inputs: [m.reset_mem() for m in (network.lif1, network.lif2)] and forward(network, inputs)
    example, shown = torch.zeros(2, 5, N), SPIKES.isel(time=slice(0, 5))
    assert shown.sizes["time"] == shown.sizes["stimulus"]
    network.state = {}
    found = verify_translation(
        network, to_circuit(network, example=example), shown, example=example, engine="torch", progress=False
    )
    assert int(found.n_differing.sum()) == 0 and int(found.n_spikes.min()) > 10


def test_a_readout_of_the_mean_over_time_names_the_category_that_the_network_names():
    with torch_seeded(2):
        network = build_network(SpikingRNNSpecification((12, 9)), (16, N), 4).eval()
    circuit = to_circuit(network, example=EXAMPLE)
    assert [q.source for q in circuit.into("hidden2")] == ["hidden1", "hidden2"]
    answers = simulate(circuit, SPIKES, engine="torch", progress=False)
    np.testing.assert_array_equal(choose_category(circuit, answers), predict(network, SPIKES, double=True))
    np.testing.assert_allclose(circuit.readout.weights.toarray(), network.readout.weight.detach().numpy().T, atol=1e-12)


def test_currents_that_stay_are_shown_as_long_as_the_network_takes():
    network = Own(residual, NEURONS["Leaky subtract"])
    network.forward = lambda inputs: (network.__dict__.update(state={}), [residual(network, inputs) for _ in range(9)])
    pictures = as_stimuli(np.random.default_rng(1).random((4, N)), dims=("stimulus", "unit"))
    circuit = to_circuit(network, example=torch.zeros(2, N), inputs="current")
    assert circuit.inputs.duration == pytest.approx(9e-3)
    longer = to_circuit(network, example=torch.zeros(2, N), inputs="current", duration=12e-3)
    with pytest.raises(InputError, match=r"answers with .4, 9, 12. spikes .*, the circuit with .4, 12, 12."):
        verify_translation(network, longer, pictures, example=torch.zeros(2, N), engine="torch", progress=False)
    for shown in (pictures, pictures.values):
        found = verify_translation(network, circuit, shown, example=torch.zeros(2, N), progress=False)
        assert int(found.n_differing.sum()) == 0 and int(found.n_spikes.min()) > 10


class Convolutions(nn.Module):
    """Two layers of convolutions, with or without what goes around the second."""

    def __init__(self, around):
        super().__init__()
        with torch_seeded(4):
            self.conv1, self.conv2 = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.lif1 = snn.Leaky(0.9, threshold=torch.rand(3, 1, 1) / 2 + 0.1, init_hidden=True)
            self.lif2 = snn.Leaky(0.9, threshold=0.2, init_hidden=True)
        self.pool, self.around = nn.AvgPool2d(2), around

    def forward(self, inputs):
        self.lif1.reset_mem(), self.lif2.reset_mem()
        outputs = []
        for now in inputs.unbind(0):
            pooled = self.pool(self.lif1(self.conv1(now)))
            outputs.append(self.lif2(self.conv2(pooled) + self.around * pooled if self.around else self.conv2(pooled)))
        return torch.stack(outputs)


@pytest.mark.parametrize("around", [0, 1])
def test_convolutions_keep_their_nodes_in_a_chain_and_become_matrices_around_it(around):
    network, example = Convolutions(around), torch.zeros(4, 2, 1, 4, 4)
    kinds = {type(node).__name__ for node in to_nir(network, example=example).nodes.values()}
    assert ("Conv2d" in kinds) != bool(around)
    shown = as_stimuli(
        np.random.default_rng(2).random((3, 9, 1, 4, 4)), dims=("stimulus", "time", "channel", "y", "x"), time_step=1e-3
    )
    circuit = to_circuit(network, example=example, inputs="current")
    found = verify_translation(network, circuit, shown, example=example, engine="torch", progress=False)
    assert int(found.n_differing.sum()) == 0 and int(found.n_spikes.min()) > 10


ARGUMENTS = {
    "no circuit": (lambda net, circuit: verify_translation(net, None, SPIKES), "the circuit .* found NoneType"),
    "no network": (lambda net, circuit: verify_translation(None, circuit, SPIKES), "spiking network .* found NoneType"),
    "no stimuli": (lambda net, circuit: verify_translation(net, circuit, None), "numbers asked, found a NoneType"),
    "other units": (
        lambda net, circuit: verify_translation(net, circuit, torch.ones(2, 9, 5)),
        "spikes .stimulus, time, 6 units. asked, found an array of shape .2, 9, 5.",
    ),
    "no time": (lambda net, circuit: verify_translation(net, circuit, np.ones((2, 6))), "spikes .stimulus, time, 6"),
    "a class": (lambda net, circuit: to_circuit(snn.Leaky), "found the class Leaky; make one"),
    "a class to NIR": (lambda net, circuit: to_nir(nn.Sequential), "found the class Sequential"),
    "nothing to NIR": (lambda net, circuit: to_nir(None), "found NoneType"),
    "words": (lambda net, circuit: to_circuit(Own(chain, leaky()), example="hello"), "example is a tensor"),
    "a number": (lambda net, circuit: to_circuit(Own(chain, leaky()), example=3.0), "example is a real tensor"),
    "complex": (
        lambda net, circuit: to_circuit(Own(chain, leaky()), example=EXAMPLE.to(torch.complex64)),
        "example is a real tensor",
    ),
    "an example of other units": (
        lambda net, circuit: to_circuit(Own(chain, leaky()), example=torch.zeros(4, 2, 9)),
        "Own fails on an example of shape .4, 2, 9.",
    ),
    "a traced network": (
        lambda net, circuit: to_circuit(torch.jit.trace(nn.Linear(N, N), torch.ones(1, N)), example=EXAMPLE),
        "compiled by torch.jit",
    ),
    "another input_shape": (
        lambda net, circuit: to_circuit(Own(residual, leaky()), example=EXAMPLE, input_shape=(7,)),
        "input_shape is .7,., the example shows .6,.",
    ),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_other_arguments_are_refused_in_one_line(kind):
    call, message = ARGUMENTS[kind]
    with torch_seeded(3):
        network = nn.Sequential(nn.Linear(N, N), snn.Leaky(beta=0.9))
    with pytest.raises(InputError, match=message) as error:
        call(network, to_circuit(network))
    one_line(error)


def test_bare_arrays_are_taken_where_their_meaning_is_plain():
    for example in (EXAMPLE, EXAMPLE.numpy(), EXAMPLE.tolist(), EXAMPLE.bool()):
        assert to_circuit(Own(chain, leaky()), example=example).sizes == {"input": N, "lif1": N, "lif2": N}
    network = Own(chain, leaky())
    circuit = to_circuit(network, example=EXAMPLE)
    for shown in (SPIKES, SPIKES.values, torch.from_numpy(SPIKES.values), SPIKES.values.tolist()):
        found = verify_translation(network, circuit, shown, example=EXAMPLE, engine="torch", progress=False)
        assert int(found.n_differing.sum()) == 0 and int(found.n_spikes.min()) > 10
