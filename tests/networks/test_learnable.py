"""What neurons learn of themselves: gradients of their numbers and through their membranes, against independent ones.

The oracle is a loop written anew from the equations, with float64 numbers as leaves of autograd.
"""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.networks import TrainingOptions, Watch
from neurosim.networks.learnable import Learnable, learned_of
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import RESETS, Coefficients, State, neuron_step
from neurosim.networks.spiking.surrogates import DEFAULT_SLOPES, Surrogate
from neurosim.networks.truncation import truncated
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters
from neurosim.parameters import DiscreteSynapticParameters as Synaptic
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, Perturbation
from neurosim.study.subjects.network import specification_of

RECORDS = {
    "lif": DiscreteLIFParameters(5e-3, threshold=0.9),
    "synaptic": Synaptic(3e-3, 6e-3, threshold=2.0),
    "adaptive": DiscreteAdaptiveLIFParameters(8e-3, 30e-3, rise=0.2),
}
SURROGATE = Surrogate("atan", 1.7)


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def fire(distance, k=1.7):
    slope = (k / 2 / (1 + (math.pi / 2 * k * distance) ** 2)).detach()
    return (distance > 0).double() + slope * (distance - distance.detach())


def plain_loop(reset, beta, threshold, currents, *, alpha=0.0, rho=0.0, rise=0.0, weight=None, start=None):
    """Return spikes and membranes; every number may be a leaf."""
    v, i, a, s = start or (torch.zeros_like(currents[0]) for _ in range(4))
    spikes, membranes = [], []
    for x in currents:
        i = alpha * i + x + (0 if weight is None else s @ weight.T)
        fired = s.detach()
        if reset == "subtract":
            v = beta * v + i - threshold * fired
        elif reset == "zero":
            v = beta * (1 - fired) * v + i
        elif reset == "clear":
            v = (1 - fired) * (beta * v + i)
        else:
            v = beta * v + i
        a = rho * a + s
        s = fire(v - threshold - rise * a)
        spikes.append(s)
        membranes.append(v)
    return torch.stack(spikes), torch.stack(membranes)


CASES = [(r, reset, k) for r, reset in itertools.product(RECORDS, RESETS) for k in (False, True)]


@pytest.mark.parametrize(("record", "reset", "recurrent"), CASES)
def test_gradients_of_all_numbers_and_membranes_are_those_of_the_equations(record, reset, recurrent):
    p = dataclasses.replace(RECORDS[record], reset=reset)
    names = learned_of(p)
    learn = Learnable(**dict.fromkeys(names, "neuron"), form="clamped")
    start = State(*(0.8 * drawn(3, 4, seed=k) for k in range(3)), (torch.arange(12).reshape(3, 4) % 2).double())
    currents, prices = drawn(9, 3, 4, seed=5), drawn(2, 9, 3, 4, seed=6) - 0.4
    for with_membrane, begun in ((False, start), (True, None)):
        layer = SpikingLayer(
            p, n_recurrent=4 if recurrent else None, surrogate=SURROGATE, learn=learn, shape=(4,)
        ).double()
        with torch.no_grad():
            for n, name in enumerate(names):
                getattr(layer, f"learned_{name}").add_(0.05 * drawn(4, seed=n))
        own = {n: getattr(layer, f"learned_{n}").detach().clone().requires_grad_() for n in names}
        given_ = {k: own[n] for n, k in zip(names, map(_key, names), strict=True)}
        weight = None
        if recurrent:
            torch.nn.init.zeros_(layer.recurrent.bias)
            weight = layer.recurrent.weight.detach().clone().requires_grad_()
        x, y = currents.clone().requires_grad_(), currents.clone().requires_grad_()
        found = layer.run(x, begun, with_membrane=with_membrane)
        expected = plain_loop(reset, currents=y, weight=weight, start=begun, **given_)
        mine = (found.spikes * prices[0]).sum()
        other = (expected[0] * prices[0]).sum()
        if with_membrane:
            mine, other = mine + (found.membrane**2 * prices[1]).sum(), other + (expected[1] ** 2 * prices[1]).sum()
            torch.testing.assert_close(found.membrane, expected[1], atol=1e-12, rtol=0)
        mine.backward()
        other.backward()
        assert torch.equal(found.spikes.detach(), expected[0].detach().round()) and found.spikes.sum() > 5
        torch.testing.assert_close(x.grad, y.grad, atol=1e-11, rtol=1e-9)
        for name in names:
            assert own[name].grad.abs().max() > 0
            torch.testing.assert_close(
                getattr(layer, f"learned_{name}").grad, own[name].grad, atol=1e-11, rtol=1e-9, msg=name
            )
        if recurrent:
            torch.testing.assert_close(layer.recurrent.weight.grad, weight.grad, atol=1e-11, rtol=1e-9)


def _key(name):
    return {"tau_mem": "beta", "tau_syn": "alpha", "tau_threshold": "rho"}.get(name, name)


@pytest.mark.parametrize("sharing", ["layer", "neuron"])
@pytest.mark.parametrize("kind", ["Leaky", "Leaky zero", "Synaptic"])
def test_spikes_and_gradients_are_those_of_learning_neurons_of_snntorch(kind, sharing):
    """At the share and the threshold themselves, which snnTorch learns."""
    p = Synaptic(3e-3, 6e-3, threshold=1.5) if kind == "Synaptic" else DiscreteLIFParameters(5e-3)
    p = dataclasses.replace(p, reset="zero" if "zero" in kind else "subtract")
    learn = Learnable(**dict.fromkeys(learned_of(p), sharing), form="clamped")
    layer = SpikingLayer(p, learn=learn, shape=(5,))
    n = 1 if sharing == "layer" else 5
    options = {"threshold": torch.full((n,), p.threshold), "learn_beta": True, "learn_threshold": True}
    beta = torch.full((n,), p.beta)
    if kind == "Synaptic":
        peer = snn.Synaptic(torch.full((n,), p.alpha), beta, learn_alpha=True, **options)
    else:
        peer = snn.Leaky(beta, reset_mechanism=p.reset, **options)
    currents = drawn(20, 3, 5).float()
    state, sent = (), []
    for now in currents.unbind(0):
        spikes, *state = peer(now, *state)
        sent.append(spikes)
    price = drawn(20, 3, 5, seed=2).float()
    (layer(currents) * price).sum().backward()
    (torch.stack(sent) * price).sum().backward()
    assert layer(currents).sum() > 10 and torch.equal(layer(currents), torch.stack(sent))
    pairs = {"tau_mem": "beta", "threshold": "threshold"} | ({"tau_syn": "alpha"} if kind == "Synaptic" else {})
    for ours, theirs in pairs.items():
        mine, other = getattr(layer, f"learned_{ours}").grad, getattr(peer, theirs).grad
        torch.testing.assert_close(mine, other, rtol=2e-4, atol=1e-4)


@given(
    parameter=st.floats(-80, 80),
    tau=st.floats(1e-3, 1.0),
    threshold=st.floats(1e-3, 1e3),
    form=st.sampled_from(["free", "clamped"]),
)
@settings(max_examples=40)
def test_numbers_start_from_the_record_and_stay_valid_whatever_is_learned(parameter, tau, threshold, form):
    p = DiscreteAdaptiveLIFParameters(tau, 2 * tau, rise=0.3, threshold=threshold)
    layer = SpikingLayer(p, learn=Learnable(**dict.fromkeys(learned_of(p), "layer"), form=form))
    for name, values in layer.si_values.items():
        assert values.item() == pytest.approx(getattr(p, name), rel=1e-3 if tau > 0.2 else 1e-4)
    with torch.no_grad():
        for q in layer.parameters():
            q.fill_(parameter)
    c = Coefficients(reset="none", **{k: v.item() for k, v in layer.numbers.items()})
    assert 0 <= c.beta <= 1 and 0 <= c.rho <= 1 and c.threshold > 0 and c.rise >= 0
    assert math.isfinite(c.threshold) and math.isfinite(c.rise)


def test_a_layer_its_copy_in_float64_and_its_weights_read_anew_hold_the_same_numbers():
    learn = Learnable(tau_mem="neuron", threshold="layer")
    layer = SpikingLayer(RECORDS["lif"], learn=learn, shape=(3,))
    with torch.no_grad():
        layer.learned_tau_mem += torch.tensor([0.1, 0.0, -0.2])
    before = {k: v.detach().clone() for k, v in layer.numbers.items()}
    again = SpikingLayer(RECORDS["lif"], learn=learn, shape=(3,))
    again.load_state_dict(layer.state_dict())
    for copy in (again, layer.double()):
        assert all(torch.equal(copy.numbers[k], v) for k, v in before.items())
    assert "tau_mem a neuron, threshold a layer" in repr(layer)


def test_channels_share_numbers_in_pictures_and_chunks_carry_them():
    learn = Learnable(tau_mem="channel", form="clamped")
    layer = SpikingLayer(RECORDS["lif"], surrogate=SURROGATE, learn=learn, shape=(2, 3, 3)).double()
    with torch.no_grad():
        layer.learned_tau_mem.copy_(torch.tensor([0.5, 0.9]))
    currents = drawn(8, 2, 2, 3, 3)
    beta = torch.tensor([0.5, 0.9]).reshape(2, 1, 1).double().requires_grad_()
    expected, _ = plain_loop("subtract", beta, 0.9, currents)
    first, state = layer.advance(currents[:3])
    found = torch.cat([first, layer.advance(currents[3:], state)[0]])
    assert torch.equal(found, expected.detach())
    layer(currents).sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(layer.learned_tau_mem.grad, beta.grad.flatten(), atol=1e-11, rtol=1e-9)
    assert torch.equal(layer.membrane(currents) > 0.9, expected.detach() > 0)


def test_truncation_cuts_the_gradient_of_a_membrane_too():
    layer, currents = SpikingLayer(RECORDS["lif"]), drawn(6, 1, 2).float().requires_grad_()
    with truncated(layer, 2):
        spikes, membrane = layer(currents, with_membrane=True)
    expected = layer(currents, with_membrane=True)
    assert torch.equal(spikes, expected[0]) and torch.equal(membrane, expected[1])
    membrane[-1].sum().backward()
    assert currents.grad[:4].abs().max() == 0 and (currents.grad[4:] > 0).all()


def test_training_reaches_them_with_rates_of_their_own_and_goes_on_with_the_same_bits(tmp_path):
    row = {
        "hidden": [6],
        "n_steps": 8,
        "readout": "max",
        "neuron": {"learn": {"tau_mem": "neuron", "threshold": "layer"}},
    }
    specification = specification_of("SpikingMLP", row)
    values = (drawn(12, 8, 5, seed=3) < 0.5).float().numpy()
    stimuli = ns.as_stimuli(
        values, dims=("stimulus", "time", "unit"), time_step=1e-3, coords={"category": list("abababababab")}
    )
    task = ns.tasks.classification_task(stimuli, test_fraction=0.25)

    def killed(moment):
        if moment.epoch == 2:
            raise KeyboardInterrupt

    def trained(epochs, checkpoint=None, rates=()):
        with torch_seeded(1):
            network = ns.build_network(specification, (5,), 2)
        before = {k: v.clone() for k, v in network.state_dict().items()}
        options = TrainingOptions(epochs, 4, schedule="constant", weight_decay=0.01, layer_rates=rates)
        stop = Watch(callbacks=[killed]) if checkpoint and not checkpoint.exists() else None
        ns.train(network, task, options, checkpoint=checkpoint, watch=stop, progress=False)
        return before, network.state_dict()

    before, whole = trained(2)
    moved = [k for k, v in before.items() if not torch.equal(v, whole[k])]
    learned = {k for k in before if "learned_" in k}
    assert learned == {
        "spikes.hidden1.learned_tau_mem", "spikes.hidden1.learned_threshold", "integrator.neurons.learned_tau_mem"
    } and learned <= set(moved)  # fmt: skip
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        trained(2, path)
    assert all(torch.equal(v, whole[k]) for k, v in trained(2, path)[1].items())
    _, frozen = trained(1, rates=(("*.learned_*", 0.0),))
    assert all(torch.equal(frozen[k], before[k]) for k in learned)


def test_membranes_that_are_read_are_recorded_in_time_and_not_perturbed_in_silence():
    with torch_seeded(0):
        network = ns.build_network(ns.networks.SpikingMLPSpecification((4,), 7, readout="mean"), (5,), 2)
    spikes = ns.as_stimuli(drawn(3, 7, 5).numpy(), dims=("stimulus", "time", "unit"), time_step=1e-3)
    found = ns.record_responses(network, spikes, layers=["integrator.neurons:1"], progress=False)
    assert dict(found.sizes) == {"stimulus": 3, "time": 7, "unit": 2}
    inputs = drawn(7, 3, 5).float()
    for kind, layer in (("silence", "integrator"), ("stimulate", "integrator.neurons")):
        with ns.networks.perturbed(network, Perturbation(kind, layer, [0])), torch.no_grad():
            changed = network(inputs)
        assert not torch.equal(changed[:, 0], network(inputs)[:, 0]) and torch.equal(
            changed[:, 1], network(inputs)[:, 1]
        )
    silence = ns.networks.perturbed(network, Perturbation("silence", "integrator.neurons", [0]))
    with silence, pytest.raises(InputError, match="sends its membrane besides"):
        network(inputs)


def test_chunks_that_are_computed_anew_learn_the_same_and_what_needs_all_steps_is_refused():
    with torch_seeded(0):
        neuron = ns.networks.NeuronSpecification(learn=Learnable(tau_mem="neuron", threshold="layer"))
        network = ns.build_network(ns.networks.SpikingRNNSpecification((6,), neuron=neuron, readout="mean"), (9, 5), 2)
        delayed = ns.networks.SpikingSequence([ns.networks.DelayedLinear(5, 4), SpikingLayer(RECORDS["lif"])])
    sequence, found = 4 * drawn(9, 3, 5).float(), []
    for n_steps in (None, 4):
        network.zero_grad()
        with ns.networks.recomputed(network, n_steps):
            network(sequence)[:, 0].sum().backward()
        found.append([q.grad.clone() for q in network.parameters()])
    for whole, chunks in zip(*found, strict=True):
        assert whole.abs().max() > 0
        torch.testing.assert_close(whole, chunks)
    with ns.networks.recomputed(delayed, 4), pytest.raises(InputError, match=r"needs all steps at once"):
        delayed(sequence)


class Smooth(Surrogate):
    """The primitive in place of the spike: what numeric differences can see."""

    def spike(self, distance):
        return self.primitive(distance)


@pytest.mark.parametrize("name", ["atan", "sigmoid"])
def test_first_and_second_derivatives_of_the_step_are_those_of_numeric_differences(name):
    surrogate, currents = Smooth(name, 1.3), drawn(3, 1, 2).requires_grad_()
    numbers = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.8, 0.9, 0.6, 0.7, 0.3)]

    def run(x, *values):
        c = Coefficients(values[0], values[1], "none", *values[2:])
        state, total = State(*(torch.zeros_like(x[0]) for _ in range(4))), 0.0
        for now in x:
            state, _ = neuron_step(state, now, c, surrogate)
            total = total + state.spikes.sum() + state.membrane.square().sum()
        return total

    assert torch.autograd.gradcheck(run, (currents, *numbers))
    assert torch.autograd.gradgradcheck(run, (currents, *numbers))


@pytest.mark.parametrize("name", list(DEFAULT_SLOPES))
def test_a_spike_has_the_second_derivative_of_its_primitive(name):
    x = torch.tensor([-0.31, -0.12, 0.07, 0.4], dtype=torch.float64, requires_grad=True)
    surrogate, step = Surrogate(name, 2.0), 1e-5
    (slope,) = torch.autograd.grad(surrogate.spike(x).sum(), x, create_graph=True)
    curve = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)  # of a line
    with torch.no_grad():
        expected = (surrogate.derivative(x + step) - surrogate.derivative(x - step)) / (2 * step)
    torch.testing.assert_close(curve, expected, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("record", list(RECORDS))
def test_products_with_the_hessian_are_those_of_a_plain_loop_backward_and_forward(record):
    p = dataclasses.replace(RECORDS[record], reset="zero")
    layer = SpikingLayer(p, n_recurrent=3, surrogate=Surrogate("sigmoid", 2.0), engine="autograd").double()
    torch.nn.init.zeros_(layer.recurrent.bias)
    currents, towards = drawn(6, 2, 3), drawn(6, 2, 3, seed=4)
    c, weight = layer.coefficients, layer.recurrent.weight.detach()

    def sigmoid_fire(distance):
        smooth = torch.sigmoid(2.0 * distance)
        return (distance > 0).double() + smooth - smooth.detach()

    def plain(x):
        v, i, a, s = (torch.zeros(2, 3, dtype=torch.float64) for _ in range(4))
        total = 0.0
        for now in x:
            i = c.alpha * i + now + s @ weight.T
            v = c.beta * ((1 - s.detach()) * v) + i
            a = c.rho * a + s
            s = sigmoid_fire(v - c.threshold - c.rise * a)
            total = total + (s * torch.tensor([1.0, -2.0, 3.0])).sum() ** 2
        return total

    def ours(x, layer=layer):
        return ((layer(x) * torch.tensor([1.0, -2.0, 3.0])).sum((1, 2)) ** 2).sum()

    expected = torch.autograd.functional.hvp(plain, currents, towards)[1]
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(torch.autograd.functional.hvp(ours, currents, towards)[1], expected)
    torch.testing.assert_close(torch.func.jvp(torch.func.grad(ours), (currents,), (towards,))[1], expected)
    fast = SpikingLayer(p, n_recurrent=3, surrogate=Surrogate("sigmoid", 2.0)).double()
    fast.load_state_dict(layer.state_dict())
    found = torch.func.jvp(torch.func.grad(lambda x: ours(x, fast)), (currents,), (towards,))[1]
    torch.testing.assert_close(found, expected)


def test_fast_engines_refuse_what_they_would_get_wrong():
    for learn in (Learnable(), Learnable(tau_mem="layer")):
        weights, layer = torch.nn.Linear(3, 3), SpikingLayer(RECORDS["lif"], learn=learn)
        x = drawn(5, 2, 3).float().requires_grad_()
        for first, second in itertools.product((x, weights.weight, *layer.parameters()), (x, weights.weight)):
            (slope,) = torch.autograd.grad(layer(weights(x)).square().sum(), first, create_graph=True)
            with pytest.raises(InputError, match="a second was asked"):
                torch.autograd.grad(slope.square().sum(), second, allow_unused=True)
    layer, rest = SpikingLayer(RECORDS["lif"]), torch.zeros(2, 3)
    start = torch.full((2, 3), 0.7, requires_grad=True)
    spikes, _ = layer.advance(x, State(start, rest, rest, rest), carried=True)
    (slope,) = torch.autograd.grad(spikes.square().sum(), start, create_graph=True)
    with pytest.raises(InputError, match="a second was asked"):
        torch.autograd.grad(slope.square().sum(), start, allow_unused=True)
    compiled = SpikingLayer(RECORDS["lif"], engine="torch")
    with pytest.raises(InputError, match=r"knows no transforms of torch.func"):
        torch.func.grad(lambda x: compiled(x).sum())(x.detach())


def test_layers_with_an_engine_by_name_run_inside_networks_that_torch_compiles():
    layer, x = SpikingLayer(RECORDS["lif"], engine="torch"), 2 * drawn(3, 2, 3).float()
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    torch.nn.init.eye_(network[0].weight)
    expected = network(x)
    (wanted,) = torch.autograd.grad(expected.sum(), [network[0].weight])
    found = torch.compile(network, backend="eager")(x)
    assert expected.sum() > 0 and torch.equal(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), [network[0].weight])[0], wanted)


def test_what_has_no_values_is_refused():
    with pytest.raises(InputError, match="the currents have no values"):
        SpikingLayer(RECORDS["lif"])(torch.empty(5, 2, 3, device="meta"))
    with torch.device("meta"):
        network = ns.networks.SpikingSequence([torch.nn.Linear(3, 2), SpikingLayer(RECORDS["lif"])])
    task, stimuli = ns.tasks.classification_task(ns.load_digits()), ns.as_stimuli(np.ones((2, 3)))
    for asker, ask in {
        "to_nir": lambda: ns.to_nir(network),
        "to_snntorch": lambda: ns.networks.to_snntorch(network),
        "from_snntorch": lambda: ns.networks.from_snntorch(network.network),
        "train": lambda: ns.train(network, task),
        "evaluate": lambda: ns.networks.evaluate(network, task),
        "record_responses": lambda: ns.record_responses(network, stimuli),
        "to_spiking": lambda: ns.networks.to_spiking(network, stimuli),
    }.items():
        with pytest.raises(InputError, match=f"{asker}: '(network.)?0.weight' has no values .device 'meta'"):
            ask()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Learnable(tau_mem="layers"), "Did you mean 'layer'"),
        (lambda: SpikingLayer(RECORDS["lif"], learn=Learnable(tau_syn="layer")), "has no tau_syn"),
        (lambda: SpikingLayer(RECORDS["lif"], learn=Learnable(tau_mem="neuron")), "pass shape="),
        (lambda: SpikingLayer(DiscreteLIFParameters(math.inf), learn=Learnable("layer")), "end of its range"),
        (lambda: ns.networks.NeuronSpecification(learn=Learnable(rise="layer")), "has no rise"),
        (lambda: ns.networks.MembraneReadout(RECORDS["lif"], "median"), "known: last, mean, max"),
        (lambda: ns.networks.SpikingMLPSpecification(readout="mem"), "known: counts, max, mean, last"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_one_line(make, words):
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
