"""Backpropagation through time in less memory: chunks of steps are computed anew when the backward pass reaches them.

Of every chunk the state that it starts from is kept, with its gradient; of one chunk at a time everything that the
gradient asks for (https://arxiv.org/abs/1604.06174). Chunks of as many steps as the square root of all keep least.
Whether chunks say what the whole says is not taken for granted: it is tried on the first batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import snntorch as snn
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from neurosim.networks.same_in_chunks import check_same
from neurosim.networks.spiking.delays import DelayedLinear
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.readout import MembraneReadout
from neurosim.networks.spiking.sequence import State
from neurosim.networks.truncation import GATED, UNCUT, instead
from neurosim.schema import InputError

NORMS = (nn.modules.batchnorm._BatchNorm,)
WHOLE = (DelayedLinear, MembraneReadout)
AT_FIRST = 2  # stimuli of the first batch on which chunks are compared with the whole


@contextlib.contextmanager
def recomputed(network: nn.Module, n_steps: int | None) -> Iterator[None]:
    """Keep the past of one chunk of `n_steps` steps at a time for the gradient inside the block; None keeps all.

    Spikes are the same, and so are, to the last bit, gradients that neurons pass on. Products with weights are made
    chunk by chunk and their gradients added up, so that the last digits of these differ. Dropout draws other values,
    since it draws them chunk by chunk. The network is for one thread inside the block. Two stimuli of the first batch
    are run as a whole and in chunks, in float64 and without gradient, and have to give the same.

    Parameters
    ----------
    network : module whose method ``over_time`` is its part that goes step by step, (time, batch, ...) to (time, batch,
        ...), such as ours of fully connected and recurrent spiking neurons, or a ``SpikingSequence``.
    n_steps : steps of a chunk.

    Raises
    ------
    InputError : no such method, or layers with another state than that of ``SpikingLayer``; in the pass itself, batch
        normalisation of what is shown, which needs all steps at once, one layer in two places, or code that mixes steps
        of different chunks.

    Examples
    --------
    >>> import torch
    >>> spiking = ns.networks.SpikingLayer(ns.parameters.DiscreteLIFParameters())
    >>> network = ns.networks.SpikingSequence([torch.nn.Linear(4, 3), spiking])
    >>> with ns.networks.recomputed(network, 10):
    ...     network(torch.ones(100, 2, 4)).sum().backward()
    """
    if n_steps is None:
        yield
        return
    if isinstance(n_steps, bool) or not isinstance(n_steps, int) or n_steps < 1:
        raise InputError(f"recomputed: n_steps = {n_steps!r}; a whole number of at least 1 is asked.")
    layers = _layers(network)
    whole: Callable[[Tensor], Tensor] = network.over_time  # type: ignore[assignment]
    first = _First()
    with instead(network, partial(_over_chunks, network, whole, layers, n_steps, first), "over_time"):
        yield


def _layers(network: nn.Module) -> list[SpikingLayer]:
    kind = type(network).__name__
    if not callable(getattr(network, "over_time", None)):
        raise InputError(
            f"recomputed: {kind} has no method over_time, the part of it that goes step by step from (time, batch, "
            "...) to (time, batch, ...); give it one, or leave recompute out."
        )
    for name, module in network.named_modules():
        if isinstance(module, (*UNCUT, *GATED, snn.SpikingNeuron)):
            raise InputError(
                f"recomputed: {name or kind!r} is a {type(module).__name__}, whose state is not carried from chunk to "
                "chunk; SpikingLayer's is."
            )
    read = [part for m in network.modules() if isinstance(m, MembraneReadout) for part in m.modules()]
    found = [m for m in network.modules() if isinstance(m, SpikingLayer) and m not in read]
    if not found:
        raise InputError(f"recomputed: {kind} has no SpikingLayer, whose past could be computed anew.")
    return found


@dataclass
class _First:
    """Whether the first batch is still to come."""

    ahead: bool = True


def _over_chunks(
    network: nn.Module,
    whole: Callable[[Tensor], Tensor],
    layers: list[SpikingLayer],
    n_steps: int,
    first: _First,
    sequence: Tensor,
) -> Tensor:
    """Run the part of a network that goes step by step, chunk by chunk."""
    if not torch.is_grad_enabled() or len(sequence) <= n_steps:
        return whole(sequence)
    norm = next((n for n, m in network.named_modules() if isinstance(m, NORMS) and _is_of_batches(m)), None)
    if norm is not None:
        raise InputError(f"recomputed: {norm!r} normalises all steps of a batch at once; freeze it with .eval().")
    run = partial(_chunk, whole, layers)
    with contextlib.ExitStack() as stack:
        for name, module in network.named_modules():
            if isinstance(module, WHOLE):
                stack.enter_context(instead(module, partial(_refuse_whole, name, type(module).__name__)))
        if first.ahead:
            in_chunks = partial(_chunked, run, n_steps)
            check_same(network, whole, in_chunks, sequence[:, :AT_FIRST])
            first.ahead = False
        return _chunked(partial(checkpoint, run, use_reentrant=False), n_steps, sequence)


def _is_of_batches(norm: nn.Module) -> bool:
    """Whether a batch normalisation takes mean and variance of what it is shown."""
    return norm.training or norm.running_mean is None


def _chunked(run: Callable[..., tuple[Tensor, ...]], n_steps: int, sequence: Tensor) -> Tensor:
    outputs: list[Tensor] = []
    carried: tuple[Tensor, ...] = ()
    for chunk in torch.split(sequence, n_steps):
        output, *last = run(chunk, *carried)
        outputs.append(output)
        carried = tuple(last)
    return torch.cat(outputs)


def _refuse_whole(name: str, kind: str, *_: object) -> Tensor:
    raise InputError(f"recomputed: layer {name!r} ({kind}) needs all steps at once, and over_time gives it a chunk.")


def _chunk(
    whole: Callable[[Tensor], Tensor], layers: list[SpikingLayer], chunk: Tensor, *carried: Tensor
) -> tuple[Tensor, ...]:
    """Return the output of a chunk and the parts of its last state that are at work, layer by layer."""
    parts, last = list(carried), dict[SpikingLayer, State]()
    with contextlib.ExitStack() as stack:
        for layer in layers:
            start = None
            if carried:
                known = {name: parts.pop(0) for name in _at_work(layer)}
                rest = torch.zeros_like(known["membrane"])
                start = State(**{name: known.get(name, rest) for name in State._fields})
            stack.enter_context(instead(layer, partial(_carry, layer, start, last)))
        output = whole(chunk)
    if len(last) < len(layers):
        raise InputError("recomputed: a SpikingLayer of the network is not called in over_time; take it out of it.")
    return output, *(getattr(last[layer], name) for layer in layers for name in _at_work(layer))


def _at_work(layer: SpikingLayer) -> list[str]:
    """Return the parts of the state that the next step reads."""
    c = layer.coefficients
    idle = {"current": not c.has_current, "adaptation": not c.adapts}
    return [name for name in State._fields if not idle.get(name, False)]


def _carry(
    layer: SpikingLayer,
    start: State | None,
    last: dict[SpikingLayer, State],
    currents: Tensor,
    *,
    with_membrane: bool = False,
) -> Tensor:
    if with_membrane:
        raise InputError("recomputed: a SpikingLayer is asked for its membrane, which is kept whole; leave it out.")
    if layer in last:
        raise InputError("recomputed: one SpikingLayer stands in two places; give each place neurons of its own.")
    spikes, last[layer] = layer.advance(currents, start, carried=True)
    return spikes
