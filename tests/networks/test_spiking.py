"""Our spiking layers and snnTorch's are the same neurons, spike for spike and gradient for gradient, everywhere."""

import os
import subprocess
import sys

import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from snntorch import surrogate as theirs

from neurosim.networks.learnable import Learnable
from neurosim.networks.spiking.layers import SpikingLayer, engine_of
from neurosim.networks.spiking.sequence import neuron_step, silence
from neurosim.networks.spiking.surrogates import DEFAULT_SLOPES, Surrogate
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.schema import InputError

ENGINES = ("torch", "compiled")
NEURONS = {
    "subtract": DiscreteLIFParameters(5e-3),
    "zero": DiscreteLIFParameters(5e-3, reset="zero"),
    "clear": DiscreteLIFParameters(5e-3, reset="clear"),
    "none": DiscreteLIFParameters(5e-3, reset="none"),
    "synaptic": DiscreteSynapticParameters(3e-3, 6e-3, threshold=2.0),
    "synaptic clear": DiscreteSynapticParameters(3e-3, 6e-3, threshold=2.0, reset="clear"),
    "adaptive": DiscreteAdaptiveLIFParameters(8e-3, 30e-3, rise=0.2),
    "adaptive zero": DiscreteAdaptiveLIFParameters(8e-3, 30e-3, rise=0.2, reset="zero"),
}


def random_currents(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def run_snntorch(layer, currents):
    """The fair time loop: every neuron keeps its state as tensors."""
    state, spikes = None, []
    for current in currents.unbind(0):
        fired, *state = layer(current, *(state or ()))
        if isinstance(layer, snn.RLeaky):
            state = [fired, *state]
        spikes.append(fired)
    return torch.stack(spikes)


def leaky(p):
    return snn.Leaky(beta=p.beta, threshold=p.threshold, reset_mechanism=p.reset, spike_grad=theirs.atan(alpha=2.0))


def synaptic(p):
    reset = "zero" if p.reset == "clear" else p.reset
    return snn.Synaptic(p.alpha, p.beta, p.threshold, reset_mechanism=reset, spike_grad=theirs.atan(alpha=2.0))


def by_definition(layer, currents):
    """The pure step in a loop, differentiated by autograd: what every engine has to reproduce."""
    c, state, spikes = layer.coefficients, silence(currents[0]), []
    for now in currents.unbind(0):
        drive = now if layer.recurrent is None else now + layer.recurrent(state.spikes)
        state, _ = neuron_step(state, drive, c, layer.surrogate)
        spikes.append(state.spikes)
    return torch.stack(spikes)


def spikes_and_gradients(run, layer, currents):
    currents = currents.clone().requires_grad_()
    spikes = run(currents)
    weight = random_currents(*spikes.shape, seed=9).to(spikes.dtype)
    layer.zero_grad()
    (spikes * weight).sum().backward()
    return [spikes.detach(), currents.grad, *(p.grad.clone() for p in layer.parameters())]


@given(
    seed=st.integers(0, 2**31),
    tau=st.floats(2e-3, 50e-3),
    threshold=st.floats(0.3, 2.0),
    reset=st.sampled_from(["subtract", "zero", "none"]),
    n_time=st.integers(1, 30),
    engine=st.sampled_from(ENGINES),
    single=st.booleans(),
)
def test_spikes_equal_snntorch(seed, tau, threshold, reset, n_time, engine, single):
    p = DiscreteLIFParameters(tau, 1e-3, threshold, reset)
    currents = random_currents(n_time, 3, 7, seed=seed, dtype=torch.float32 if single else torch.float64)
    assert torch.equal(SpikingLayer(p, engine=engine)(currents), run_snntorch(leaky(p), currents))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["subtract", "zero", "synaptic", "synaptic clear"])
def test_gradients_equal_snntorch(name, engine):
    p = NEURONS[name]
    layer, peer = SpikingLayer(p, engine=engine), synaptic(p) if "synaptic" in name else leaky(p)
    currents = random_currents(20, 2, 5, dtype=torch.float32)
    ours = spikes_and_gradients(layer, layer, currents)
    peers = spikes_and_gradients(lambda x: run_snntorch(peer, x), layer, currents)
    assert ours[0].sum() > 0 and torch.equal(ours[0], peers[0])
    torch.testing.assert_close(ours[1], peers[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_recurrent_layers_equal_snntorch(reset, engine):
    p = DiscreteLIFParameters(5e-3, reset="clear" if reset == "zero" else reset)
    layer = SpikingLayer(p, n_recurrent=6, engine=engine)
    peer = snn.RLeaky(p.beta, linear_features=6, reset_mechanism=reset, spike_grad=theirs.atan(alpha=2.0))
    peer.recurrent.load_state_dict(layer.recurrent.state_dict())
    currents = random_currents(25, 3, 6, seed=3, dtype=torch.float32)
    ours = spikes_and_gradients(layer, layer, currents)
    layer.recurrent, own = peer.recurrent, layer.recurrent
    peers = spikes_and_gradients(lambda x: run_snntorch(peer, x), layer, currents)
    assert own.weight.grad.abs().max() > 0 and torch.equal(ours[0], peers[0])
    for mine, other in zip(ours[1:], peers[1:], strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("kind", list(DEFAULT_SLOPES))
@pytest.mark.parametrize("name", list(NEURONS))
def test_engines_equal_autograd_through_the_pure_step(name, kind, recurrent, engine):
    layer = SpikingLayer(
        NEURONS[name], n_recurrent=5 if recurrent else None, surrogate=Surrogate(kind, 2.0), engine=engine
    ).double()
    currents = random_currents(12, 3, 5, seed=1)
    found = spikes_and_gradients(layer, layer, currents)
    expected = spikes_and_gradients(lambda x: by_definition(layer, x), layer, currents)
    assert torch.equal(found[0], expected[0]) and found[1].abs().max() > 0
    for mine, other in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=1e-10)


def test_compiled_and_plain_torch_give_the_same_bits_for_the_default():
    currents = random_currents(30, 4, 300, dtype=torch.float32)
    layers = [SpikingLayer(NEURONS["subtract"], engine=engine) for engine in ENGINES]
    (a, da), (b, db) = (spikes_and_gradients(layer, layer, currents) for layer in layers)
    assert torch.equal(a, b)
    torch.testing.assert_close(da, db, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", list(DEFAULT_SLOPES))
def test_surrogates_are_the_derivatives_of_their_primitives(kind):
    surrogate = Surrogate(kind)
    x = torch.linspace(-0.83, 0.79, 101, dtype=torch.float64)
    numeric = (surrogate.primitive(x + 1e-6) - surrogate.primitive(x - 1e-6)) / 2e-6
    y = x.clone().requires_grad_()
    surrogate.spike(y).sum().backward()
    torch.testing.assert_close(y.grad, numeric, atol=1e-6, rtol=1e-6)
    assert (y.grad > 0).all()


@pytest.mark.parametrize("kind", ["atan", "fast_sigmoid", "sigmoid", "straight_through"])
def test_surrogates_are_those_of_snntorch(kind):
    peer = getattr(theirs, "straight_through_estimator" if kind == "straight_through" else kind)()
    x = torch.linspace(-2, 2, 51, dtype=torch.float64)
    grads = []
    for spike in (Surrogate(kind).spike, peer):
        y = x.clone().requires_grad_()
        spike(y).sum().backward()
        grads.append(y.grad)
    torch.testing.assert_close(*grads, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 300), (7, 3, 2, 5, 5), (5, 2, 257)])
def test_every_shape_runs(shape, engine):
    layer = SpikingLayer(NEURONS["adaptive"], engine=engine)
    currents = random_currents(*shape, dtype=torch.float32) * 2
    assert torch.equal(layer(currents), by_definition(layer, currents))


@pytest.mark.parametrize("engine", ENGINES)
def test_non_contiguous_and_bfloat16_inputs(engine):
    layer = SpikingLayer(NEURONS["zero"], engine=engine)
    currents = random_currents(4, 6, 10, dtype=torch.float32)
    turned = currents.permute(1, 0, 2).contiguous().permute(1, 0, 2)
    assert not turned.is_contiguous() and torch.equal(layer(turned), layer(currents))
    short = currents.bfloat16().requires_grad_()
    spikes = layer(short)
    spikes.sum().backward()
    assert spikes.dtype == short.grad.dtype == torch.bfloat16
    assert torch.equal(spikes.float(), layer(short.detach().float()))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", list(NEURONS))
def test_chunks_with_carried_state_are_the_whole_sequence(name, engine):
    layer = SpikingLayer(NEURONS[name], n_recurrent=5, engine=engine)
    currents = random_currents(11, 2, 5, seed=4, dtype=torch.float32)
    first, state = layer.advance(currents[:4])
    second, _ = layer.advance(currents[4:], state)
    assert torch.equal(torch.cat([first, second]), layer(currents)) and not state.membrane.requires_grad


def test_units_may_differ():
    beta = torch.tensor([0.3, 0.9, 0.99])
    layer = SpikingLayer(NEURONS["subtract"], exact={"beta": beta})
    currents = random_currents(20, 2, 3, dtype=torch.float32)
    peer = snn.Leaky(beta=beta)
    assert torch.equal(layer(currents), run_snntorch(peer, currents))


def test_only_four_bytes_a_neuron_and_step_are_kept_for_the_gradient():
    saved = []
    currents = random_currents(50, 4, 64, dtype=torch.float32).requires_grad_()
    keep = torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t.numel() * t.element_size()) or t, lambda t: t
    )
    with keep:
        SpikingLayer(NEURONS["subtract"])(currents)
    per_step_state = currents[0].numel() * 4
    assert sum(saved) <= 4 * currents.numel() + per_step_state


def test_state_never_leaks_from_one_sequence_to_the_next():
    layer, currents = SpikingLayer(DiscreteLIFParameters()), torch.full((9, 1, 4), 0.37)
    assert torch.equal(layer(currents), layer(currents))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpikingLayer(DiscreteLIFParameters(reset="immediate")), "simulation only"),
        (lambda: SpikingLayer(DiscreteLIFParameters(), engine="cuda"), "no engine 'cuda'"),
        (lambda: Surrogate("arctan"), "Did you mean 'atan'"),
        (lambda: Surrogate("atan", -1.0), "above 0"),
        (lambda: SpikingLayer(DiscreteLIFParameters())(torch.zeros(0, 2, 3)), "at least one step"),
        (lambda: SpikingLayer(DiscreteLIFParameters(), n_recurrent=4)(torch.zeros(5, 2, 3)), "4"),
        (
            lambda: SpikingLayer(DiscreteLIFParameters(), exact={"beta": torch.ones(2)})(torch.zeros(5, 2, 3)),
            "2 numbers",
        ),
        (lambda: DiscreteAdaptiveLIFParameters(reset="immediate"), "reset = 'immediate'"),
        (lambda: DiscreteAdaptiveLIFParameters(tau_mem=20), "SI units"),
    ],
)
def test_bad_input_is_one_line(make, message):
    with pytest.raises((InputError, RuntimeError), match=message) as caught:
        make()
    if isinstance(caught.value, InputError):
        assert "\n" not in str(caught.value)


INTERPRETED = """
import itertools, torch
from tests.networks.test_spiking import NEURONS, random_currents, spikes_and_gradients
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import State
from neurosim.networks.spiking.surrogates import DEFAULT_SLOPES, Surrogate
kinds = itertools.cycle(DEFAULT_SLOPES)
for (name, p), n, recurrent in itertools.product(NEURONS.items(), (5, 300), (False, True)):
    surrogate, results = Surrogate(next(kinds), 2.0), []
    currents = random_currents(1 if n == 300 and recurrent else 6, 2, n, dtype=torch.float32) * 1.5
    for engine in ("torch", "triton"):
        torch.manual_seed(0)
        layer = SpikingLayer(p, n_recurrent=n if recurrent else None, surrogate=surrogate, engine=engine)
        results.append(spikes_and_gradients(layer, layer, currents))
    assert torch.equal(results[0][0], results[1][0]), name
    for a, b in zip(results[0][1:], results[1][1:]):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
for name in ("subtract", "zero", "clear", "synaptic clear"):
    zero, fired, results = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), []
    for engine in ("torch", "triton"):
        layer, x = SpikingLayer(NEURONS[name], engine=engine), torch.full((2, 1, 2), 1.0, requires_grad=True)
        spikes, state = layer.advance(x, State(zero + 0.7, zero, zero, fired))
        spikes.sum().backward()
        results.append((spikes.detach(), state.membrane, x.grad))
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)
assert SpikingLayer(NEURONS["none"], engine="triton")(torch.ones(1, 1, 1)).item() == 0
print("equal")
"""


def test_triton_kernels_equal_plain_torch_in_the_interpreter():
    pytest.importorskip("triton")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


def test_auto_takes_the_engine_of_the_device():
    expected = (
        {"cpu": "CompiledEngine", "cuda": "TritonEngine"} if torch.cuda.is_available() else {"cpu": "CompiledEngine"}
    )
    assert {d: type(engine_of("auto", d)).__name__ for d in expected} == expected


@pytest.mark.parametrize("shape", [(4, 0, 3), (4, 2, 0), (4, 0, 3, 2, 2)])
@pytest.mark.parametrize("asks", [False, True])
def test_no_stimulus_or_no_unit_has_no_spikes(shape, asks):
    layer = SpikingLayer(DiscreteLIFParameters())
    currents = torch.zeros(shape, requires_grad=asks)
    spikes, membrane = layer(currents, with_membrane=True)
    assert spikes.shape == membrane.shape == shape and layer(currents).shape == shape
    if asks:
        (spikes.sum() + membrane.sum()).backward()
        assert currents.grad.shape == shape


LIF = DiscreteLIFParameters()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpikingLayer(0.9), "a record as DiscreteLIFParameters"),
        (lambda: SpikingLayer(LIF, learn="tau_mem"), r"a record Learnable\(\.\.\.\)"),
        (lambda: SpikingLayer(LIF, shape=4), "shape = 4"),
        (lambda: SpikingLayer(LIF, shape=(0,)), r"shape = \(0,\)"),
        (lambda: SpikingLayer(LIF, exact={"beat": torch.zeros(6)}), "found 'beat', Tensor"),
        (lambda: SpikingLayer(LIF, exact={"beta": [0.1]}), "found 'beta', list"),
        (
            lambda: SpikingLayer(LIF, learn=Learnable("neuron"), shape=(2, 3, 4))(torch.rand(5, 1, 4, 3, 2)),
            r"units of shape \(2, 3, 4\) are learned, found \(4, 3, 2\)",
        ),
    ],
)
def test_what_makes_no_layer_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_triton_is_refused_away_from_a_gpu(monkeypatch):
    pytest.importorskip("triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(InputError, match="engine 'triton' is for a GPU, the currents are on cpu"):
        SpikingLayer(LIF, engine="triton")(torch.rand(3, 2, 4))


def test_a_plain_loop_of_no_stimulus_has_no_spikes():
    assert SpikingLayer(LIF, engine="autograd")(torch.ones(5, 0, 4)).shape == (5, 0, 4)
