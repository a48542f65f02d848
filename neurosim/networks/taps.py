"""Listening to the modules of a network: what each call takes and answers, copied before anything can change it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from neurosim.networks.axes import (
    CURE,
    CURE_OVER_TIME,
    Axes,
    Given,
    Place,
    Reading,
    channel_place,
    check_step_mode,
    is_recurrent,
    is_time_first,
    known_axes,
    measured_batch_axis,
)
from neurosim.networks.naming import Tap
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import MULTI_STEP, SINGLE_STEP, step_mode_of_state
from neurosim.schema import InputError

log = logging.getLogger(__name__)
Take = Callable[[Tap, int, Any], Any]
STEPPERS = (snn.SpikingNeuron, nn.RNNCellBase)


@dataclass(frozen=True)
class Answer:
    """What is recorded under one name: one call of a module, or all its calls, one a time step (`over_steps`)."""

    tap: Tap
    call: int
    n_calls: int
    axes: Axes
    over_steps: bool

    @property
    def name(self) -> str:
        """Full name: ``module#call:path``."""
        return self.tap.name(self.call)


@contextmanager
def listening(network: nn.Module, wanted: Sequence[Tap], take: Take) -> Iterator[dict[Tap, dict[int, Any]]]:
    """Call `take` at each call of what is `wanted`, and keep what it returns, by tap and number of the call.

    The hooks are gone afterwards. The dict is to be emptied between passes, which starts the counting anew.
    """
    modules = _modules(network)
    heard: dict[Tap, dict[int, Any]] = {}
    handles = cast_inputs(network)

    def hear(tap: Tap, value: object) -> None:
        calls = heard.setdefault(tap, {})
        number = len(calls) + 1
        calls[number] = take(tap, number, value) if tap.call in (None, number) else None

    try:
        for tap in wanted:
            handles.append(_hook(modules[tap.module], tap, hear))
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _hook(module: nn.Module, tap: Tap, hear: Callable[[Tap, Any], None]) -> Any:
    def before(_module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        hear(tap, (*inputs, named) if named else inputs)

    def after(_module: nn.Module, _inputs: object, output: object) -> None:
        hear(tap, output)

    def after_any(called: nn.Module, inputs: object, output: object) -> None:
        if called is module:
            after(called, inputs, output)

    def before_any(called: nn.Module, inputs: tuple[Any, ...]) -> None:
        if called is module:
            before(called, inputs, {})

    if isinstance(module, torch.jit.ScriptModule):  # scripted ones take no hooks of their own
        every = nn.modules.module
        if tap.of_input:
            return every.register_module_forward_pre_hook(before_any)
        return every.register_module_forward_hook(after_any)
    if tap.of_input:
        return module.register_forward_pre_hook(before, with_kwargs=True)
    return module.register_forward_hook(after)


def cast_inputs(network: nn.Module) -> list[Any]:
    """Let layers with weights take inputs of any precision: snnTorch's spikes are float32 in float64 networks too."""

    def cast(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        dtype = module.weight.dtype
        floats = [isinstance(i, Tensor) and i.is_floating_point() and i.dtype != dtype for i in inputs]
        return tuple(i.to(dtype) if f else i for i, f in zip(inputs, floats, strict=True))

    weighted = [m for m in network.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    plain = [m for m in weighted if m.weight.is_floating_point() and not isinstance(m, torch.jit.ScriptModule)]  # type: ignore[operator]
    return [m.register_forward_pre_hook(cast) for m in plain]


def part_of(tap: Tap, value: object, module: nn.Module) -> Tensor:
    """Return the tensor that a tap leads to in what a module took or answered.

    Raises
    ------
    InputError : there is none, or more than one to choose from.
    """
    path = tap.path[1:] if tap.of_input else tap.path
    if tap.of_input and not path and isinstance(value, tuple):
        value = value[0] if value and isinstance(value[0], Tensor) else value
    for key in path:
        value = _entry(value, key, tap)
    if not isinstance(value, Tensor | PackedSequence):
        value = _only(value, tap, module)
    if isinstance(value, PackedSequence):
        value, lengths = pad_packed_sequence(value, batch_first=getattr(module, "batch_first", False))
        _check_lengths(tap, lengths.tolist())
    if value.is_nested:  # of unequal lengths, as nn.TransformerEncoder makes them of padded ones in evaluation
        _check_lengths(tap, [len(one) for one in value.unbind()])
        value = value.to_padded_tensor(0.0)
    if value.layout != torch.strided:
        value = value.to_dense()
    if value.is_complex():
        raise InputError(f"record_responses: layer {tap.name(1)!r} answers with complex numbers; real ones are asked.")
    answer: Tensor = value
    return answer


def _check_lengths(tap: Tap, lengths: Sequence[int]) -> None:
    """Refuse answers of unequal lengths in one batch: after the end of the short ones nothing was measured."""
    if len(set(lengths)) > 1:
        raise InputError(
            f"record_responses: layer {tap.name(1)!r} answers to the stimuli of a batch over unequal numbers of steps, "
            f"{min(lengths)} to {max(lengths)}, packed or nested; show stimuli of one length at a time, or ask for its "
            f"last state, as {tap.module + ':1'!r} of an nn.GRU."
        )


def _entries(value: object) -> dict[str, Any]:
    if dataclasses.is_dataclass(value) and not isinstance(value, Mapping):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, tuple | list):
        plain = {str(k): v for k, v in enumerate(value) if not isinstance(v, dict)}
        named = value[-1] if value and isinstance(value[-1], dict) else {}
        return plain | {str(k): v for k, v in named.items()}
    return {}


def _entry(value: object, key: str, tap: Tap) -> Any:
    entries = _entries(value)
    if key in entries:
        return entries[key]
    if key.isdigit() and isinstance(value, tuple | list) and int(key) < len(value):
        return value[int(key)]
    known = ", ".join(k for k, v in entries.items() if v is not None) or f"a {type(value).__name__} alone"
    raise InputError(
        f"record_responses: layer {tap.module or 'output'!r} has no {':'.join(tap.path)!r}; it has {known}."
    )


def _only(value: object, tap: Tap, module: nn.Module) -> Tensor | PackedSequence:
    entries = {k: v for k, v in _entries(value).items() if v is not None}
    first = next(iter(entries.values()), None)
    kinds = (nn.MultiheadAttention, *STEPPERS)
    sequence_first = (is_recurrent(module) or isinstance(module, kinds)) and not tap.path
    if isinstance(first, Tensor | PackedSequence) and (sequence_first or len(entries) == 1):
        return first
    if not entries:
        raise InputError(
            f"record_responses: layer {tap.name(1)!r} answers with {type(value).__name__}, not with a tensor."
        )
    names = [":".join([tap.name(1), k]) for k in entries]
    raise InputError(f"record_responses: layer {tap.name(1)!r} has several parts; ask for one: {', '.join(names)}.")


def answers(
    network: nn.Module,
    probes: Sequence[Mapping[Tap, Mapping[int, Tensor]]],
    sizes: Sequence[int],
    wanted: Sequence[Tap],
    reading: Reading,
    over_time: bool = False,
) -> list[Answer]:
    """Return what will be recorded, from what was heard when two numbers of stimuli, `sizes`, were shown.

    Stimuli `over_time` are shown time first, which the refusal of a network over (stimulus, time, ...) says.

    Raises
    ------
    InputError : a layer that is not reached, or not alike for all stimuli; axes that are not known.
    """
    if over_time:
        check_step_mode(network)
    n_steps = _n_steps(network, probes[0])
    found: list[Answer] = []
    skipped: list[str] = []
    for tap in wanted:
        try:
            found += _answers_of(network, tap, probes, sizes, n_steps, reading)
        except InputError as error:
            told = str(error).replace(CURE, CURE_OVER_TIME) if over_time else str(error)
            if tap.asked:
                raise InputError(told) from error
            skipped.append(told.removeprefix("record_responses: "))
    if skipped:
        log.warning("record_responses: left out: %s", " ".join(skipped))
    if not found:
        raise InputError(f"record_responses: no layer of {type(network).__name__} can be recorded: {skipped[0]}")
    return list({answer.name: answer for answer in found}.values())


def _answers_of(
    network: nn.Module,
    tap: Tap,
    probes: Sequence[Mapping[Tap, Mapping[int, Any]]],
    sizes: Sequence[int],
    n_steps: int | None,
    reading: Reading,
) -> list[Answer]:
    calls = [len(probe.get(tap, ())) for probe in probes]
    if min(calls) < (tap.call or 1):
        raise InputError(f"record_responses: layer {tap.name(tap.call or 1)!r} is never reached by the stimuli.")
    if len(set(calls)) > 1:
        raise InputError(f"record_responses: layer {tap.module!r} is called {calls} times for {list(sizes)} stimuli.")
    steps = tap.call is None and _is_step(network, tap.module, calls[0], n_steps)
    found = []
    for call in [1] if steps else [tap.call] if tap.call else range(1, calls[0] + 1):
        tensors = [probe[tap][call] for probe in probes]
        for tensor in tensors:
            if isinstance(tensor, InputError):
                raise tensor
        axes = _axes(network, tap, call, tensors, sizes, reading, steps)
        found.append(Answer(tap, call, calls[0], axes, steps))
    return found


def steppers(network: nn.Module) -> list[Tap]:
    """Return taps of the modules that by their kind are called once a time step."""
    return [Tap(n, asked=False) for n, m in network.named_modules() if _is_stepper(m)]


def _is_stepper(module: nn.Module) -> bool:
    return isinstance(module, STEPPERS) or step_mode_of_state(module) == SINGLE_STEP


def _n_steps(network: nn.Module, probe: Mapping[Tap, Mapping[int, Tensor]]) -> int | None:
    """Return how often the modules that are called once a step were called; None: there are none."""
    counts = {tap.module: len(probe[tap]) for tap in steppers(network) if tap in probe}
    if len(set(counts.values())) > 1:
        return min(counts.values())
    return next(iter(counts.values()), None)


def _is_step(network: nn.Module, name: str, n_calls: int, n_steps: int | None) -> bool:
    modules = _modules(network)
    if _is_stepper(modules[name]):
        if n_steps != n_calls:
            raise InputError(
                f"record_responses: {name!r} is called {n_calls} times where others are called {n_steps} times, so "
                f"that calls are no time steps; ask for single calls, as in '{name}#1'."
            )
        return True
    if n_calls > 1 and n_steps == n_calls:
        return True
    return n_calls > 1 and any(is_time_first(modules[p]) for p in _above(name))


def _modules(network: nn.Module) -> dict[str, nn.Module]:
    """Return modules by all their names, which scripted networks are not asked for one by one."""
    return dict(network.named_modules(remove_duplicate=False))


def _above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def _axes(
    network: nn.Module,
    tap: Tap,
    call: int,
    tensors: Sequence[Tensor],
    sizes: Sequence[int],
    reading: Reading,
    steps: bool,
) -> Axes:
    modules, name = _modules(network), tap.name(call)
    module = modules[tap.module]
    in_sequence = isinstance(module, SpikingLayer) or not [p for p in tap.path if p not in ("0", "input")]
    known = None if steps else known_axes(module, in_sequence)
    batch, time = (_given(axes, tap, name) for axes in reading.axes.values())
    if is_recurrent(module) and tensors[0].ndim < 3:
        raise InputError(
            f"record_responses: layer {name!r} takes the stimuli for one sequence; show it (batch, time, unit)."
        )
    shapes = [tuple(t.shape) for t in tensors]
    if known is not None:
        batch, time = known if batch is None else (batch, known[1] if time is None else time)
    elif batch is None:
        batch = measured_batch_axis(name, shapes, sizes)
    around = [*_above(tap.module), *(n for n, m in modules.items() if getattr(m, "step_mode", "") == MULTI_STEP)]
    if time is None and not steps and batch == 1 and any(is_time_first(modules[p]) for p in around):
        time = 0
    n_axes = tensors[0].ndim
    batch, time = _whole(batch, n_axes, name), None if time is None else _whole(time, n_axes, name)
    if batch == time or (steps and time is not None):
        raise InputError(f"record_responses: layer {name!r} cannot have time along axis {time} too.")
    sizes_left = [n for axis, n in enumerate(tensors[0].shape) if axis not in (batch, time)]
    found = Axes(name, batch, time, reading, reading.channels or _channels(module, name, sizes_left, reading))
    for shape, n_stimuli in zip(shapes, sizes, strict=True):
        found.check(shape, n_stimuli)
    return found


def _whole(axis: int, n_axes: int, name: str) -> int:
    if not -n_axes <= axis < n_axes:
        raise InputError(f"record_responses: layer {name!r} has {n_axes} axes, axis {axis} asked.")
    return axis % n_axes


def _given(given: Given, tap: Tap, name: str) -> int | None:
    return given if given is None or isinstance(given, int) else given.get(name, given.get(tap.module))


def _channels(module: nn.Module, name: str, sizes: Sequence[int], reading: Reading) -> Place | None:
    """Return where channels are, which tokens and a pool depend on."""
    if len(sizes) < 2 or (reading.pool is None and reading.tokens is None):
        return None
    place = channel_place(module, sizes)
    if place is None and reading.pool is not None:
        raise InputError(
            f"record_responses: whether channels are first or last in layer {name!r} is not known; pass "
            "reading=Reading(channels=...)."
        )
    return place
