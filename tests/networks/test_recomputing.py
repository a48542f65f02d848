"""The gradient through time in less memory: the same spikes and gradients, and how many bytes a neuron and step."""

from itertools import pairwise

import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks.architectures.spiking_mlp import SpikingMLPSpecification
from neurosim.networks.architectures.spiking_rnn import SpikingRNNSpecification
from neurosim.networks.conversion import SpikingSequence
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recomputing import recomputed
from neurosim.networks.shared_parameters import NeuronSpecification
from neurosim.networks.spiking.layers import SpikingLayer, engine_of
from neurosim.networks.spiking.sequence import Arriving, Coefficients, Keep, Past, Wanted, silence
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.spiking_networks import SpikingMLP, SpikingRNN
from neurosim.networks.training import train, weights_of
from neurosim.parameters import DiscreteAdaptiveLIFParameters, DiscreteLIFParameters, DiscreteSynapticParameters
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.tasks.classification import classification_task

NEURONS = {
    "lif": DiscreteLIFParameters(5e-3),
    "clear": DiscreteLIFParameters(5e-3, reset="clear"),
    "synaptic": DiscreteSynapticParameters(3e-3, 6e-3, reset="zero"),
    "adaptive": DiscreteAdaptiveLIFParameters(8e-3, 30e-3, rise=0.2),
}


def network(neuron="lif", sizes=(6, 20, 10), n_recurrent=None, **options):
    """Layers of spiking neurons whose currents are strong enough."""
    with torch_seeded(0):
        layers = []
        for before, after in pairwise(sizes):
            spiking = SpikingLayer(NEURONS[neuron], n_recurrent=n_recurrent and after, **options)
            layers += [nn.Linear(before, after), spiking]
            nn.init.normal_(layers[-2].weight, std=2 / before**0.5)
        return SpikingSequence(layers)


def shown(n_steps=23, n_units=6):
    return torch.rand(n_steps, 3, n_units, generator=torch.Generator().manual_seed(1)).requires_grad_()


def gradients(net, n_steps, x):
    net.zero_grad()
    price = torch.randn(len(x), *net(x[:1].detach()).shape[1:], generator=torch.Generator().manual_seed(2))
    with recomputed(net, n_steps):
        found = net(x)
    (to_input,) = torch.autograd.grad((found * price).sum(), [x], retain_graph=True)
    (found * price).sum().backward()
    return found.detach(), to_input, [p.grad for p in net.parameters()]


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("n_recurrent", [None, True])
@pytest.mark.parametrize("neuron", list(NEURONS))
def test_spikes_and_gradients_are_those_of_the_whole(neuron, n_recurrent, engine):
    net, x = network(neuron, n_recurrent=n_recurrent, engine=engine), shown()
    whole = gradients(net, None, x)
    assert whole[0].sum() > 20 and whole[1].abs().max() > 0
    for n_steps in (1, 5, 23):
        found = gradients(net, n_steps, x)
        assert torch.equal(found[0], whole[0]) and "over_time" not in vars(net)
        torch.testing.assert_close(found[1:], whole[1:], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("neuron", list(NEURONS))
def test_what_neurons_pass_on_is_the_same_to_the_last_bit(neuron, engine):
    net = SpikingSequence([SpikingLayer(NEURONS[neuron], engine=engine) for _ in range(2)])
    x = (3 * shown().detach()).requires_grad_()
    whole = gradients(net, None, x)
    for n_steps in (1, 5, 22):
        found = gradients(net, n_steps, x)
        assert torch.equal(found[0], whole[0]) and torch.equal(found[1], whole[1]) and whole[1].abs().max() > 0


def kept_bytes(run, *known):
    """Bytes that a forward pass keeps for the gradient, without what was there before."""
    there = {t.untyped_storage().data_ptr() for t in known}
    kept = {}

    def pack(t):
        storage = t.untyped_storage()
        if storage.data_ptr() not in there:
            kept[storage.data_ptr()] = t.numel() * t.element_size()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        answer = run()
    return sum(kept.values()), answer


def test_bytes_a_neuron_and_step():
    n_steps, n_batch, sizes = 100, 4, (8, 64, 64, 64)
    neuron_steps = n_steps * n_batch * sum(sizes[1:])
    x = torch.rand(n_steps, n_batch, sizes[0])
    found = {}
    for half in (False, True):
        net = network(sizes=sizes, half_distance=half)
        known = x, *net.parameters()
        found[half], answer = kept_bytes(lambda net=net: net(x), *known)
        with recomputed(net, 10):
            between, answer = kept_bytes(lambda net=net: net(x), *known)
        one_chunk, _ = kept_bytes(lambda net=net: net(x[:10]), *known)
        found[half, "recomputed"] = between + one_chunk
        assert answer.shape == (n_steps, n_batch, 64)
    per = {k: v / neuron_steps for k, v in found.items()}
    assert 6.6 < per[False] < 6.8  # distances 4, spikes that reach weights 4 in two layers of three
    assert 4.6 < per[True] < 4.8  # distances 2
    assert per[False, "recomputed"] < 1.6  # a tenth of that, and a tenth of 8 for membrane and spikes
    assert per[True, "recomputed"] < 1.4


def test_half_the_bytes_give_gradients_within_a_thousandth():
    for neuron in NEURONS.values():
        x = torch.rand(100, 4, 50, generator=torch.Generator().manual_seed(3)).mul_(0.6).requires_grad_()
        found = {}
        for engine in ("torch", "compiled"):
            for half in (False, True):
                spikes = SpikingLayer(neuron, engine=engine, half_distance=half)(x)
                price = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(4))
                found[engine, half] = spikes.detach(), *torch.autograd.grad((spikes * price).sum(), [x])
            whole, short = found[engine, False], found[engine, True]
            assert torch.equal(whole[0], short[0]) and whole[0].sum() > 100
            worst = (whole[1] - short[1]).abs().max() / whole[1].abs().max()
            assert 0 < worst < 1e-3
        torch.testing.assert_close(found["torch", True], found["compiled", True], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distances_in_float16_are_those_of_torch_but_above_zero_where_a_spike_was(dtype):
    size = torch.logspace(-60, 45, 4001, base=2, dtype=torch.float64).to(dtype)
    ties = torch.arange(0, 4096, dtype=dtype) * 2.0**-25
    odd = torch.tensor([0.0, 65504, 65519.9, 65520, 1e38], dtype=dtype)
    x = torch.cat([size, ties, odd, -size, -ties, -odd]).view(1, 1, -1)
    c = Coefficients(beta=0.5, threshold=0.0, reset="clear")
    found = {e: engine_of(e, "cpu").forward(x, silence(x[0]), c, None, Keep("half")) for e in ("torch", "compiled")}
    expected = x.to(torch.float32).half()
    expected[(x > 0) & (expected == 0)] = 2.0**-24
    for answer in found.values():
        assert torch.equal(answer.distance, expected) and torch.equal(answer.distance > 0, answer.spikes > 0)
    back = [
        engine_of(e, "cpu").backward(
            Arriving(torch.ones_like(x)), Past(expected, silence(x[0])), c, None, Surrogate(), Wanted()
        )
        for e in ("torch", "compiled")
    ]
    torch.testing.assert_close(back[0].currents, back[1].currents, atol=0, rtol=1e-6)


def test_training_takes_it_and_goes_on_from_its_checkpoint(tmp_path):
    values = (torch.rand(24, 12, 5, generator=torch.Generator().manual_seed(2)) < 0.4).float().numpy()
    stimuli = as_stimuli(values, dims=("stimulus", "time", "unit"), coords={"category": ["a", "b"] * 12})
    found = {}
    for name, recompute in (("whole", None), ("chunks", 4), ("chunks", 4)):
        with torch_seeded(0):
            net = SpikingRNN(SpikingRNNSpecification(hidden=(8,), dropout=0.0), (12, 5), 2)
        options, path = TrainingOptions(2, 8, recompute=recompute), tmp_path / f"{name}.safetensors"
        history = train(net, classification_task(stimuli), options, device="cpu", checkpoint=path, progress=False)
        if name in found:  # the checkpoint of a training that has ended gives what that one gave
            assert all((found[name][k] == v).all() for k, v in weights_of(net).items()) and history.epoch.size == 2
        found[name] = weights_of(net)
    assert all(abs(found["whole"][k] - found["chunks"][k]).max() < 1e-4 for k in found["whole"])
    with torch_seeded(0):
        start = weights_of(SpikingRNN(SpikingRNNSpecification(hidden=(8,), dropout=0.0), (12, 5), 2))
    assert all((start[k] != found["chunks"][k]).any() for k in start)


class Twice(nn.Module):
    """One layer of neurons in two places."""

    def __init__(self):
        super().__init__()
        self.spikes, self.norm = SpikingLayer(DiscreteLIFParameters()), nn.BatchNorm1d(3)
        self.over_time = lambda x: self.spikes(self.spikes(x))

    def forward(self, x):
        return self.over_time(x)


class Mixes(nn.Module):
    """Spiking neurons behind code of one's own that may mix steps."""

    def __init__(self, mix, **parts):
        super().__init__()
        self.spikes, self.mix = SpikingLayer(DiscreteLIFParameters()), mix
        for name, part in parts.items():
            setattr(self, name, part)

    def over_time(self, x):
        return self.spikes(3 * self.mix(self, x))

    def forward(self, x):
        return self.over_time(x)


class Standardised(nn.Module):
    """A normalisation of one's own over batch and time in training."""

    def forward(self, x):
        return x - x.mean((0, 1)) if self.training else x


MIXING = {
    "sum over time": lambda: Mixes(lambda _, x: x.cumsum(0) / 5),
    "mean over time": lambda: Mixes(lambda _, x: x - x.mean(0)),
    "shift": lambda: Mixes(lambda _, x: torch.cat([0 * x[:1], x[:-1]])),
    "own normalisation": lambda: Mixes(lambda net, x: net.norm(x), norm=Standardised()),
    "convolution over time": lambda: Mixes(
        lambda net, x: net.taps(x.permute(1, 2, 0)).permute(2, 0, 1), taps=nn.Conv1d(3, 3, 3, padding=1)
    ),
}
KEPT = {
    "dropout": lambda: Mixes(lambda net, x: net.drop(x), drop=nn.Dropout(0.5)),
    "dropout in code": lambda: Mixes(lambda net, x: nn.functional.dropout(x, 0.5, net.training)),
    "normalisation in evaluation": lambda: Mixes(
        lambda net, x: net.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2]), norm=nn.BatchNorm1d(3).eval()
    ),
}


@pytest.mark.parametrize("case", list(MIXING))
def test_code_that_mixes_steps_of_different_chunks_is_refused(case):
    with pytest.raises(InputError, match=r"Mixes.over_time says something else of chunks .* leave recompute out"):
        refused(MIXING[case]())


@pytest.mark.parametrize("case", list(KEPT))
def test_what_is_drawn_or_kept_is_no_mixing_and_stays_as_it_was(case, caplog):
    net = KEPT[case]()
    buffers = {n: b.clone() for n, b in net.named_buffers()}
    modes, state = [m.training for m in net.modules()], torch.get_rng_state()
    with recomputed(net, 3):
        net(torch.zeros(7, 2, 3, requires_grad=True))
    once = torch.get_rng_state()
    assert modes == [m.training for m in net.modules()] and not caplog.records
    assert all(torch.equal(b, buffers[n]) for n, b in net.named_buffers())
    torch.set_rng_state(state)
    with recomputed(net, 3):
        for _ in range(2):
            torch.set_rng_state(state)
            net(torch.zeros(7, 2, 3, requires_grad=True))
    assert torch.equal(torch.get_rng_state(), once)  # the comparison draws nothing


def test_what_cannot_be_compared_is_said(caplog):
    for mix in (lambda _, x: x * torch.rand(3), lambda _, x: x @ torch.eye(3)):
        refused(Mixes(mix))
    assert [r.message.split(":")[0] for r in caplog.records] == ["recomputed"] * 2
    assert "as answers differ from call to call" in caplog.text and "dtype" in caplog.text


def refused(net, n_steps=3):
    with recomputed(net, n_steps):
        net(torch.rand(7, 2, 3, requires_grad=True))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: refused(nn.Linear(3, 2)), "Linear has no method over_time"),
        (lambda: refused(SpikingSequence([nn.Linear(3, 2)])), "has no SpikingLayer"),
        (lambda: refused(SpikingSequence([snn.Leaky(beta=0.9)])), "is a Leaky, whose state"),
        (lambda: refused(Twice()), "'norm' normalises all steps"),
        (
            lambda: refused(Mixes(None, norm=nn.BatchNorm1d(3, track_running_stats=False)).eval()),
            "'norm' normalises all",
        ),
        (lambda: refused(Twice().eval()), "one SpikingLayer stands in two places"),
        (lambda: TrainingOptions(recompute=0), "recompute = 0"),
        (lambda: TrainingOptions(recompute=5, truncate=5), "give one of them"),
    ],
)
def test_what_cannot_be_computed_anew_is_refused_in_one_line(run, message):
    with pytest.raises(InputError, match=message) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_our_networks_say_which_part_goes_step_by_step():
    neuron = NeuronSpecification()
    with torch_seeded(0):
        nets = [
            SpikingMLP(SpikingMLPSpecification(hidden=(7,), neuron=neuron), (3,), 2),
            SpikingRNN(SpikingRNNSpecification(hidden=(7,), neuron=neuron), (9, 3), 2).eval(),
        ]
    for net in nets:
        x = shown(9, 3)
        expected = net(x)
        with recomputed(net, 3):
            found = net(x)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("n_steps", [0, "a", 2.5, True])
def test_steps_of_a_chunk_are_a_whole_number(n_steps):
    with pytest.raises(InputError, match="recomputed: n_steps = "), recomputed(network(), n_steps):
        pass


def test_membranes_are_not_recomputed():
    class Reads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = SpikingLayer(DiscreteLIFParameters())

        def over_time(self, x):
            return self.layer(x, with_membrane=True)[1]

        def forward(self, x):
            return self.over_time(x).sum()

    net = Reads()
    with recomputed(net, 2), pytest.raises(InputError, match="asked for its membrane"):
        net(torch.rand(6, 2, 3, requires_grad=True))
