"""What a network's neurons are given, as weighted sums of its input and of spikes, found and proven on probes.

The weights are the gradient of a neuron's current in what the input and the neurons sent, now or some steps ago. Every
current of every step of every run must be what the weights say: whatever else stands in ``forward`` is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from neurosim.networks.probing import Heard, Run, differs
from neurosim.schema import InputError

INPUT = "input"
LARGEST = 2**25
Named = tuple[str, nn.Module]
Key = tuple[str, int]


@dataclass(frozen=True)
class Time:
    """Axis of the input along which steps are, or none where it is shown all the time, in `shown_steps` steps."""

    axis: int | None = 0
    shown_steps: int | None = None

    def steps(self, shown: Tensor, n_steps: int) -> Tensor:
        """Return the input (time, batch, ...)."""
        if self.axis is None:
            return shown.expand(n_steps, *shown.shape)
        return shown.movedim(self.axis, 0)

    def shape(self, shown: Tensor) -> tuple[int, ...]:
        """Return the shape of one stimulus in one step."""
        return tuple(shown.shape[1:] if self.axis is None else shown.shape[2:])


@dataclass(frozen=True)
class Connections:
    """Weights (to, from) onto one layer by (source, steps ago), and its constant input, all over flat units."""

    weights: Mapping[Key, Tensor]
    bias: Tensor

    def current(self, run: Run, time: Time, like: Tensor) -> Tensor:
        """Return what arrives in every step of a run, shaped (time, batch, ...) as `like`."""
        total = self.bias.flatten().expand(*like.shape[:2], -1)
        for (source, lag), weight in self.weights.items():
            sent = time.steps(run.shown, run.n_steps) if source == INPUT else run.neurons[source].sent
            flat = sent.detach().double().flatten(2) @ weight.T
            total = total + torch.cat([torch.zeros_like(flat[:lag]), flat[: len(flat) - lag]])
        return total.reshape(like.shape)


class Structure(Protocol):
    """What is known of a network: which current arrives at a neuron in a run."""

    def current(self, name: str, run: Run, time: Time) -> Tensor:
        """Return the current (time, batch, ...) of one layer of neurons."""


@dataclass(frozen=True)
class Wiring:
    """Neurons in the order of the signal, what arrives at each and at the readout, the shape of each; the time."""

    neurons: list[Named]
    shapes: Mapping[str, tuple[int, ...]]
    input_shape: tuple[int, ...]
    onto: Mapping[str, Connections]
    readout: tuple[str, str, Connections] | None = None
    time: Time = field(default_factory=Time)

    def current(self, name: str, run: Run, time: Time) -> Tensor:
        """Return the current (time, batch, ...) of one layer of neurons."""
        return self.onto[name].current(run, time, run.neurons[name].given)


@dataclass(frozen=True)
class Chain:
    """Layers of which each gets what the one before sends; shape of the input of a step, where known; the time."""

    layers: list[Named]
    input_shape: tuple[int, ...] | None = None
    time: Time = field(default_factory=Time)

    def current(self, name: str, run: Run, time: Time) -> Tensor:
        """Return the current (time, batch, ...) of one layer of neurons, or what the last layer sends."""
        activity = time.steps(run.shown.detach(), run.n_steps)
        for layer, module in self.layers:
            if layer == name:
                break
            if layer in run.neurons:
                activity = run.neurons[layer].sent
            else:
                activity = module(activity.flatten(0, 1)).unflatten(0, activity.shape[:2])
        return activity


def first_misfit(structure: Structure, run: Run, time: Time) -> tuple[str, int] | None:
    """Return the first layer that gets other currents than the structure says, and the step; None: none does."""
    misfits = []
    for place, (name, heard) in enumerate(run.neurons.items()):
        expected, given = structure.current(name, run, time), heard.given.detach().double()
        if expected.shape != given.shape:
            return name, 0
        wrong = [k for k in range(len(given)) if bool(differs(given[k], expected[k]))]
        misfits += [(wrong[0], place, name)] if wrong else []
    return (min(misfits)[2], min(misfits)[0]) if misfits else None


def wire(neurons: list[Named], cut: Run, silent: Run, time: Time) -> Wiring:
    """Return the connections of a network, found in the last step of a run with its neurons cut out.

    Raises
    ------
    InputError : too many weights, or connections that reach further back than half of the run.
    """
    onto = {}
    for name, _ in neurons:
        weights = _weights(name, cut.neurons[name].last[0], cut.n_steps - 1, cut, time)
        onto[name] = Connections(weights, silent.neurons[name].given[0, 0].detach().double())
    if not any(source == INPUT for c in onto.values() for source, _ in c.weights):
        raise InputError("to_nir: no neurons get the input of the network; nothing of it can be represented.")
    shapes = {n: tuple(cut.neurons[n].given.shape[2:]) for n, _ in neurons}
    return Wiring(
        _in_order(neurons, onto), shapes, time.shape(cut.shown), onto, _readout(neurons, cut, silent, time), time
    )


def _in_order(neurons: list[Named], onto: Mapping[str, Connections]) -> list[Named]:
    """Return neurons behind all that send to them; in a cycle, behind those whose spikes arrive in the same step.

    What that leaves open, the order of calls decides.
    """
    order, rest = [], dict(neurons)

    def is_free(name: str, lags: tuple[int, ...] | None) -> bool:
        sources = {s for s, lag in onto[name].weights if s != name and (lags is None or lag in lags)}
        return not sources & rest.keys()

    while rest:
        name = next((n for lags in (None, (0,)) for n in rest if is_free(n, lags)), next(iter(rest)))
        order.append((name, rest.pop(name)))
    return order


def _weights(name: str, values: Tensor, step: int, run: Run, time: Time) -> dict[Key, Tensor]:
    """Return the weights of `values`, of the first stimulus in `step`, by source and steps ago."""
    found: dict[Key, list[Tensor]] = {}
    leaves = [(n, h, leaf, i) for n, h in run.neurons.items() for i, leaf in enumerate(h.leaves)]
    tensors = [run.shown, *(leaf for _, _, leaf, _ in leaves)]
    flat = values.flatten()
    n_units = max(math.prod(time.shape(run.shown)), *(math.prod(h.sent.shape[2:]) for h in run.neurons.values()))
    if flat.numel() * n_units > LARGEST:
        raise _too_large(name)
    for k in range(flat.numel()):
        if not flat.requires_grad:
            break
        slopes = torch.autograd.grad(flat[k], tensors, retain_graph=True, allow_unused=True)
        row = _by_lag(INPUT, slopes[0], step, time)
        for (source, heard, _leaf, i), slope in zip(leaves, slopes[1:], strict=True):
            row |= _by_lag_of_neurons(source, heard, i, slope, step)
        for key, values_of in row.items():
            found.setdefault(key, [torch.zeros_like(values_of)] * k).append(values_of)
        for rows in found.values():
            if len(rows) <= k:
                rows.append(torch.zeros_like(rows[0]))
    furthest = max((lag for _, lag in found), default=0)
    if furthest > step // 2:
        raise InputError(
            f"to_nir: layer {name!r} gets what was sent {furthest} steps ago; an example of more than {2 * furthest} "
            "steps is needed to see whether it is a delay or a sum over time, which is not represented."
        )
    return {key: torch.stack(rows).double() for key, rows in found.items()}


def _by_lag(source: str, slope: Tensor | None, step: int, time: Time) -> dict[Key, Tensor]:
    if slope is None:
        return {}
    if time.axis is None:
        return {(source, 0): slope[0].flatten()} if bool(slope[0].any()) else {}
    rows = slope.movedim(time.axis, 0)[: step + 1, 0].flatten(1)
    return {(source, step - int(k)): rows[k] for k in rows.any(1).nonzero()[:, 0]}


def _by_lag_of_neurons(source: str, heard: Heard, leaf: int, slope: Tensor | None, step: int) -> dict[Key, Tensor]:
    if slope is None:
        return {}
    if heard.step_of(0)[1] < 0:
        kept = bool(slope[0].any()) and leaf <= step
        return {(source, step - leaf): slope[0].flatten()} if kept else {}
    rows = slope[: step + 1, 0].flatten(1)
    return {(source, step - int(k)): rows[k] for k in rows.any(1).nonzero()[:, 0]}


def _too_large(name: str) -> InputError:
    return InputError(
        f"to_nir: layer {name!r} has too many inputs to find its weights one by one; let each layer get what the one "
        "before it sends, so that it is read as a chain."
    )


def _readout(neurons: list[Named], cut: Run, silent: Run, time: Time) -> tuple[str, str, Connections] | None:
    """Return (name, source, connections) of the layer that reads the last spikes, step by step or their mean."""
    names = [n for n, _ in neurons]
    driven = _reaching([h.given for h in cut.neurons.values()], cut.layers)
    behind = [n for n in dict.fromkeys(cut.calls) if n not in names and n not in driven]
    read = [n for n in behind if n in _reaching(cut.output, cut.layers)]
    if not read:
        return None
    name = read[-1]
    aside = [n for n in read[:-1] if n not in _reaching(cut.layers[name], cut.layers)]
    if aside:
        raise InputError(f"to_nir: {aside[-1]!r} and {name!r} both read spikes; one readout is represented.")
    check_output(name, cut)
    outputs, calm = cut.layers[name], silent.layers[name]
    bias = (calm[0][0, 0] if _is_sequence(outputs, cut) else calm[0][0]).detach().double().flatten()
    if len(outputs) == cut.n_steps or _is_sequence(outputs, cut):
        last = outputs[0][-1, 0] if _is_sequence(outputs, cut) else outputs[-1][0]
        weights = _weights(name, last, cut.n_steps - 1, cut, time)
    else:
        weights = _mean_weights(name, outputs, cut)
    source = next(iter(weights), (INPUT, 0))
    if len(weights) != 1 or source[0] == INPUT or source[1]:
        raise _no_readout(name)
    return name, source[0], Connections({source: weights[source]}, bias)


def _mean_weights(name: str, outputs: list[Tensor], cut: Run) -> dict[Key, Tensor]:
    """Return the weights of a layer that is called once and reads the mean over time."""
    if len(outputs) != 1:
        raise _no_readout(name)
    rows: dict[Key, list[Tensor]] = {}
    leaves = [(n, leaf) for n, h in cut.neurons.items() for leaf in h.leaves]
    for value in outputs[0][0].flatten():
        slopes = torch.autograd.grad(value, [leaf for _, leaf in leaves], retain_graph=True, allow_unused=True)
        for source, heard in cut.neurons.items():
            own = [s for (n, _), s in zip(leaves, slopes, strict=True) if n == source and s is not None]
            if own:
                whole = own[0] if heard.step_of(0)[1] >= 0 else torch.stack(own)
                rows.setdefault((source, 0), []).append(whole[:, 0].flatten(1).sum(0))
    return {k: torch.stack(v).double() for k, v in rows.items()}


def _is_sequence(outputs: list[Tensor], run: Run) -> bool:
    batch = next(iter(run.neurons.values())).sent.shape[:2]
    return len(outputs) == 1 and outputs[0].ndim > 2 and outputs[0].shape[:2] == batch


def check_readout(wiring: Wiring, run: Run, time: Time) -> None:
    """Refuse a readout that is no fixed weighted sum of the spikes of each step or of their mean over time."""
    if wiring.readout is None:
        return
    name, source, connections = wiring.readout
    outputs, sent = run.layers[name], run.neurons[source].sent
    every = connections.current(run, time, sent[..., :0].new_zeros(*sent.shape[:2], connections.bias.numel()))
    if _is_sequence(outputs, run):
        found, expected = outputs[0], every
    elif len(outputs) == run.n_steps:
        found, expected = torch.stack(outputs), every
    else:
        found, expected = outputs[0], every.mean(0)
    found = found.detach().double()
    if math.prod(found.shape) != math.prod(expected.shape) or bool(differs(found.reshape(expected.shape), expected)):
        raise _no_readout(name)


def check_output(name: str, cut: Run) -> None:
    """Refuse a network whose answer hangs on its readout and on something besides, which the readout does not say."""
    read = [o for o in cut.layers.get(name, []) if o.requires_grad]
    leaves = [cut.shown, *(leaf for h in cut.neurons.values() for leaf in h.leaves)]
    for answer in cut.output if read else []:
        price = torch.rand(answer.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(answer)
        slopes = _slopes([answer], [price], read)
        if not any(bool(s.any()) for s in slopes):
            continue
        whole, through = _slopes([answer], [price], leaves), _slopes(read, slopes, leaves)
        if any(bool(differs(a, b)) for a, b in zip(through, whole, strict=True)):
            raise InputError(
                f"to_nir: the network answers with more than its readout {name!r}, which other spikes or input reach; "
                "one linear layer that reads spikes is represented."
            )


def _slopes(values: list[Tensor], prices: list[Tensor], by: list[Tensor]) -> list[Tensor]:
    """Return the gradient of values by tensors; 0 where there is none."""
    if not values[0].requires_grad:
        return [torch.zeros_like(b) for b in by]
    return list(torch.autograd.grad(values, by, prices, retain_graph=True, allow_unused=True, materialize_grads=True))


def _no_readout(name: str) -> InputError:
    return InputError(
        f"to_nir: layer {name!r} reads something other than the spikes of one layer, step by step or as their mean "
        "over time, which is what a readout of a circuit is."
    )


def _reaching(values: list[Tensor], layers: Mapping[str, list[Tensor]]) -> set[str]:
    """Return the layers whose outputs `values` depend on."""
    parts = [v.double().sum() for v in values if v.requires_grad]
    every = [(n, o) for n, outputs in layers.items() for o in outputs if o.requires_grad]
    if not parts or not every:
        return set()
    slopes = torch.autograd.grad(sum(parts), [o for _, o in every], retain_graph=True, allow_unused=True)  # type: ignore[arg-type]
    return {n for (n, _), slope in zip(every, slopes, strict=True) if slope is not None}


def as_numbers(weights: Tensor) -> np.ndarray:
    """Return weights as an array of floats."""
    return weights.detach().cpu().double().numpy()
