"""Truncated backpropagation through time: what layers answer stays, gradients reach back within chunks of steps only.

The state that a layer carries from one chunk of steps to the next is cut off from the gradient
(https://doi.org/10.1162/neco.1990.2.4.490), so that no product of more factors than a chunk has steps can vanish or
explode. All chunks of a batch are learned from together: memory is that of the whole sequence.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from neurosim.networks.recurrent import LeakyUnits, RateUnits
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.sequence import State
from neurosim.schema import InputError

GATED = (nn.RNN, nn.LSTM, nn.GRU)
UNCUT = (RateUnits, LeakyUnits, nn.RNNCellBase)
_FROM_OUTSIDE = (
    "{}, which is called step by step and given its own state of earlier steps; call it once with the whole sequence, "
    "or leave truncate out."
)
STATES = ("mem", "syn", "syn_exc", "syn_inh", "spk")


@contextlib.contextmanager
def truncated(network: nn.Module, n_steps: int | None) -> Iterator[None]:
    """Cut the gradients of recurrent layers at every `n_steps` steps inside the block; None cuts nowhere.

    Raises
    ------
    InputError : no layer with a state, or one whose state is not at hand; in the pass itself, a layer that is given its
        own state of earlier steps, with its gradient, from outside.
    """
    if n_steps is None:
        yield
        return
    _check(network)
    with contextlib.ExitStack() as stack:
        kept = [m for m in network.modules() if isinstance(m, snn.SpikingNeuron)]
        if kept:
            counts = dict.fromkeys(kept, 0)
            stack.callback(network.register_forward_pre_hook(lambda *_: counts.update(dict.fromkeys(kept, 0))).remove)
            for neuron in kept:
                stack.callback(neuron.register_forward_hook(partial(_cut_state, counts, n_steps)).remove)
        for module in network.modules():
            if isinstance(module, SpikingLayer):
                stack.enter_context(instead(module, partial(_spikes, module, n_steps)))
                stack.enter_context(instead(module, partial(_advanced, module.advance), "advance"))
            elif isinstance(module, GATED):
                sent = _Sent()
                stack.callback(network.register_forward_pre_hook(lambda *_, sent=sent: sent.nodes.clear()).remove)
                stack.callback(sent.nodes.clear)
                stack.enter_context(instead(module, partial(_gated, module, module.forward, n_steps, sent)))
        yield


def _check(network: nn.Module) -> None:
    known = 0
    for name, module in network.named_modules():
        kind = type(module).__name__
        if isinstance(module, UNCUT) or (isinstance(module, snn.SpikingNeuron) and not module.init_hidden):
            raise InputError(
                f"train: truncate cannot cut {name or 'the network'!r}, a {kind}, whose state is in other hands; leave "
                "truncate out."
            )
        if isinstance(module, GATED) and module.bidirectional:
            raise InputError(f"train: truncate cuts time forwards, and {name!r} also runs backwards; leave it out.")
        known += isinstance(module, (SpikingLayer, snn.SpikingNeuron, *GATED))
    if not known:
        raise InputError(
            f"train: truncate cuts the state of spiking layers, nn.RNN, nn.LSTM and nn.GRU; {type(network).__name__} "
            "has none."
        )


@contextlib.contextmanager
def instead(module: nn.Module, run: Callable[..., Any], name: str = "forward") -> Iterator[None]:
    """Let a module run another forward, or another method, inside the block."""
    before = vars(module).get(name)
    setattr(module, name, run)
    try:
        yield
    finally:
        delattr(module, name)
        if before is not None:
            setattr(module, name, before)


def _spikes(
    layer: SpikingLayer, n_steps: int, currents: Tensor, *, with_membrane: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    chunks, state = [], None
    for chunk in torch.split(currents, n_steps):
        chunks.append(layer.run(chunk, state, with_membrane=with_membrane))
        state = chunks[-1].state
    spikes = torch.cat([found.spikes for found in chunks])
    if not with_membrane:
        return spikes
    return spikes, torch.cat([found.membrane for found in chunks if found.membrane is not None])


def _advanced(
    advance: Callable[..., Any], currents: Tensor, state: State | None = None, *, carried: bool = False
) -> tuple[Tensor, State]:
    if carried and state is not None and any(part.requires_grad for part in state):
        raise InputError("train: truncate does not cut the state of " + _FROM_OUTSIDE.format("SpikingLayer"))
    answer: tuple[Tensor, State] = advance(currents, state, carried=carried)
    return answer


class _Sent:
    """Where in the graph of autograd the states are that a layer gave out in one pass."""

    def __init__(self) -> None:
        self.nodes: set[Any] = set()

    def add(self, state: Any) -> None:
        """Remember a state that was given out."""
        self.nodes |= {part.grad_fn for part in _parts(state) if part.grad_fn is not None}

    def reached_from(self, state: Any) -> bool:
        """Whether the gradient of a state that is given goes on to one that was given out."""
        ahead, seen = [part.grad_fn for part in _parts(state)] if self.nodes else [], set[Any]()
        while ahead:
            node = ahead.pop()
            if node in self.nodes:
                return True
            if node is not None and node not in seen:
                seen.add(node)
                ahead += [before for before, _ in node.next_functions]
        return False


def _parts(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else () if state is None else (state,)


def _gated(
    module: nn.Module,
    whole: Callable[..., Any],
    n_steps: int,
    sent: _Sent,
    sequence: Tensor | PackedSequence,
    hx: Any = None,
) -> tuple[Tensor, Any]:
    if sent.reached_from(hx):
        raise InputError("train: truncate does not cut the state of " + _FROM_OUTSIDE.format(type(module).__name__))
    state = hx
    if isinstance(sequence, PackedSequence):
        raise InputError("train: truncate does not cut packed sequences; pad them, or leave truncate out.")
    axis = 1 if module.batch_first and sequence.ndim == 3 else 0
    outputs = []
    for chunk in torch.split(sequence, n_steps, axis):
        output, last = whole(chunk, state)
        outputs.append(output)
        sent.add((output, *_parts(last)))
        state = tuple(part.detach() for part in last) if isinstance(last, tuple) else last.detach()
    return torch.cat(outputs, axis), last


def _cut_state(counts: dict[nn.Module, int], n_steps: int, neuron: nn.Module, _inputs: Any, _output: Any) -> None:
    """Cut the state that a neuron of snnTorch keeps, after every so many steps of a batch."""
    counts[neuron] += 1
    if counts[neuron] % n_steps == 0:
        for name in STATES:
            if isinstance(value := getattr(neuron, name, None), Tensor):
                setattr(neuron, name, value.detach())
