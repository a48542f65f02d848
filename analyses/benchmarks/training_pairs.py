"""What fig3_training_speed times: spiking layers and networks, forward and backward, against snnTorch's time loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import snntorch as snn
import torch
from pairs import Benchmark, Pair
from snntorch import surrogate
from torch import Tensor, nn

from neurosim.networks.conversion import SpikingSequence, from_snntorch
from neurosim.networks.recomputing import recomputed
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.parameters import DiscreteLIFParameters

BETA, BATCH = 0.9, 32
TAU = -1e-3 / math.log(BETA)


def leaky() -> snn.Leaky:
    """Return neurons as snnTorch's tutorials have them."""
    return snn.Leaky(beta=BETA, spike_grad=surrogate.atan(alpha=2.0))


def time_loop(layers: list[nn.Module], sequence: Tensor) -> Tensor:
    """Run snnTorch fairly: one pass over time, states kept as tensors, no attribute looked up twice."""
    states: list[tuple[Tensor, ...] | None] = [None] * len(layers)
    spikes = []
    for step in sequence.unbind(0):
        activity = step
        for k, layer in enumerate(layers):
            if isinstance(layer, snn.RLeaky):
                states[k] = layer(activity, *(states[k] or layer.reset_mem()))
                activity = states[k][0]
            elif isinstance(layer, snn.Leaky):
                activity, mem = layer(activity, *(states[k] or (layer.reset_mem(),)))
                states[k] = (mem,)
            else:
                activity = layer(activity)
        spikes.append(activity)
    return torch.stack(spikes)


def trained_step(
    run: Callable[[Tensor], Tensor], sequence: Tensor, grad: Tensor, parameters: list[nn.Parameter]
) -> list[Tensor]:
    """Return spikes and gradients of one forward and backward pass, of the weights or, without any, of the input."""
    inputs = sequence.detach().requires_grad_(not parameters)
    for parameter in parameters:
        parameter.grad = None
    spikes = run(inputs)
    spikes.backward(grad)
    return [spikes.detach(), *([inputs.grad] if not parameters else [p.grad for p in parameters])]


def check(ours: list[Tensor], peer: list[Tensor], tolerance: float = 1e-5) -> float:
    """Require equal spikes and gradients within `tolerance` of the largest one; return the largest difference."""
    assert torch.equal(ours[0], peer[0]), "spikes differ"
    assert ours[0].sum() > 0, "nothing spikes"
    worst = 0.0
    for mine, other in zip(ours[1:], peer[1:], strict=True):
        scale = max(float(other.abs().max()), 1e-12)
        worst = max(worst, float((mine - other).abs().max()) / scale)
    assert worst < tolerance, worst
    return worst


def layer_pair(n_units: int, engine: str, n_steps: int = 100) -> Pair:
    """Return one layer of neurons."""
    torch.manual_seed(0)
    sequence = 0.4 * torch.rand(n_steps, BATCH, n_units)
    ours = SpikingLayer(DiscreteLIFParameters(TAU), engine=engine)
    peer = partial(time_loop, [leaky()])
    grad = torch.randn(sequence.shape)
    return Pair(partial(trained_step, ours, sequence, grad, []), partial(trained_step, peer, sequence, grad, []), check)


def spikes_alone(run: Callable[[Tensor], Tensor], sequence: Tensor) -> list[Tensor]:
    """Return the spikes of a pass without gradient."""
    with torch.no_grad():
        return [run(sequence)]


def forward_pair(n_units: int, n_steps: int = 100) -> Pair:
    """Return one layer of neurons, without gradient."""
    torch.manual_seed(0)
    sequence = 0.4 * torch.rand(n_steps, BATCH, n_units)
    ours, peer = SpikingLayer(DiscreteLIFParameters(TAU)), partial(time_loop, [leaky()])
    return Pair(partial(spikes_alone, ours, sequence), partial(spikes_alone, peer, sequence), check)


def network_pair(layers: Callable[[], list[nn.Module]], shape: tuple[int, ...], n_steps: int) -> Pair:
    """Return a whole network with the same weights; its float32 sums are added up in another order."""
    torch.manual_seed(0)
    theirs = layers()
    with torch.no_grad():
        for layer in theirs:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.mul_(3)
    network = from_snntorch(nn.Sequential(*theirs))
    sequence = (torch.rand(n_steps, BATCH, *shape) < 0.3).float()
    own = [p for p in network.parameters() if p.requires_grad]
    other = [p for layer in theirs for p in layer.parameters() if p.requires_grad]
    grad = torch.randn(n_steps, BATCH, 10)
    return Pair(
        partial(trained_step, network, sequence, grad, own),
        partial(trained_step, partial(time_loop, theirs), sequence, grad, other),
        partial(check, tolerance=5e-5),
    )


def mlp(hidden: int) -> list[nn.Module]:
    """Return two hidden layers."""
    return [nn.Linear(128, hidden), leaky(), nn.Linear(hidden, hidden), leaky(), nn.Linear(hidden, 10), leaky()]


def cnn() -> list[nn.Module]:
    """Return two convolutions with pooling."""
    return [
        nn.Conv2d(1, 8, 3, padding=1), leaky(), nn.AvgPool2d(2), nn.Conv2d(8, 16, 3, padding=1), leaky(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 10), leaky(),
    ]  # fmt: skip


def recurrent() -> list[nn.Module]:
    """Return one layer connected all to all."""
    neurons = snn.RLeaky(beta=BETA, linear_features=128, spike_grad=surrogate.atan(alpha=2.0))
    with torch.no_grad():
        neurons.recurrent.weight.mul_(0.3)
    return [nn.Linear(40, 128), neurons, nn.Linear(128, 10), leaky()]


BENCHMARKS = [
    Benchmark("layer, 1024 neurons, plain torch", "snnTorch", 2, partial(layer_pair, 1024, "torch")),
    Benchmark("layer, 1024 neurons, C++", "snnTorch", 5, partial(layer_pair, 1024, "compiled")),
    Benchmark("layer, 128 neurons, C++", "snnTorch", 15, partial(layer_pair, 128, "compiled")),
    Benchmark("layer, 16384 neurons, C++", "snnTorch", 5, partial(layer_pair, 16384, "compiled")),
    Benchmark("layer, 1024 neurons, no gradient", "snnTorch", 5, partial(forward_pair, 1024)),
    Benchmark("layer, 16384 neurons, no gradient", "snnTorch", 5, partial(forward_pair, 16384)),
    Benchmark(
        "fully connected network, hidden 128", "snnTorch", 4, partial(network_pair, partial(mlp, 128), (128,), 50)
    ),
    Benchmark(
        "fully connected network, hidden 256", "snnTorch", 4, partial(network_pair, partial(mlp, 256), (128,), 50)
    ),
    Benchmark("convolutional network", "snnTorch", 2, partial(network_pair, cnn, (1, 16, 16), 25)),
    Benchmark("recurrent network", "snnTorch", 1.5, partial(network_pair, recurrent, (40,), 100)),
]


def kept_bytes(n_steps: int = 100, n_units: int = 64) -> dict[str, float]:
    """Return what three layers keep for the gradient, in bytes a neuron and step: whole, in float16, and in chunks.

    In chunks it is what is kept between the passes and the past of one chunk, of the square root of all steps.
    """
    found, shown = {}, torch.rand(n_steps, BATCH, n_units)
    for name, half in (("distances in float32", False), ("distances in float16", True)):
        layers = [SpikingLayer(DiscreteLIFParameters(TAU), half_distance=half) for _ in range(3)]
        network = SpikingSequence([m for layer in layers for m in (nn.Linear(n_units, n_units), layer)])
        per = n_steps * BATCH * n_units * len(layers)
        found[name] = _kept(network, shown) / per
        n_chunk = math.isqrt(n_steps)
        with recomputed(network, n_chunk):
            between = _kept(network, shown)
        found[f"{name}, recomputed every {n_chunk} steps"] = (between + _kept(network, shown[:n_chunk])) / per
    return {name: round(value, 2) for name, value in found.items()}


def _kept(network: nn.Module, shown: Tensor) -> int:
    """Return the bytes that a forward pass keeps for the gradient, weights and input left aside."""
    there = {t.untyped_storage().data_ptr() for t in (shown, *network.parameters())}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        where = tensor.untyped_storage().data_ptr()
        if where not in there:
            kept[where] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        answer = network(shown)
    assert len(answer) == len(shown)
    return sum(kept.values())
