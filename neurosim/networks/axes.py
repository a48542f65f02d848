"""Which axis of what a layer answers runs over stimuli and which over time: known or measured, never guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, SupportsFloat, get_args

import numpy as np
import snntorch as snn
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.stepwise import MULTI_STEP, SINGLE_STEP, is_stepwise, step_mode_of_state
from neurosim.schema import InputError

Pool = Literal["mean", "max", "sum"]
Place = Literal["first", "last"]
Given = int | Mapping[str, int] | None
FIRST = (_ConvNd, _BatchNorm, nn.GroupNorm, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
LAST = (nn.Linear, nn.LayerNorm, nn.Embedding, nn.MultiheadAttention)

CURE = "pass reading=Reading(batch_axis=...)"
CURE_OVER_TIME = (
    "stimuli over time are shown as (time, stimulus, ...), so that a network over (stimulus, time, ...) has to begin "
    "its forward with x = x.transpose(0, 1)"
)


@dataclass(frozen=True)
class Reading:
    """How answers of layers are read, where the kind of layer does not tell, and what of them is kept.

    Parameters
    ----------
    batch_axis, time_axis : axes of stimuli and of time in what layers answer, one for all or one by name of layer.
    pool : "mean", "max" or "sum" over places or tokens. tokens : place of the token, or places of those, that are kept,
        of layers that answer (stimulus, token, unit).
    channels : "first" or "last", for `pool`.

    Raises
    ------
    InputError : an unknown pool, places that are no whole numbers, axes that are none.

    Examples
    --------
    >>> ns.networks.Reading(pool="mean", tokens=[1, -1]).tokens
    (1, -1)
    """

    batch_axis: Given = None
    time_axis: Given = None
    pool: Pool | None = None
    tokens: int | Sequence[int] | None = None
    channels: Place | None = None

    def __post_init__(self) -> None:
        if self.pool is not None and (not isinstance(self.pool, str) or self.pool not in get_args(Pool)):
            raise InputError(f"Reading: no pool {self.pool!r}; known: {', '.join(get_args(Pool))}.")
        if self.channels not in (None, *get_args(Place)):
            raise InputError(f"Reading: channels = {self.channels!r}; 'first' or 'last' is asked.")
        if self.tokens is not None:
            places = np.ravel(np.asarray(self.tokens))
            if not places.size or places.dtype.kind not in "iu":
                raise InputError(f"Reading: tokens = {self.tokens!r}; places of tokens are asked, 0 or [0, 5, -1].")
            object.__setattr__(self, "tokens", tuple(places.tolist()))
        for name, axes in self.axes.items():
            values = list(axes.values()) if isinstance(axes, Mapping) else [] if axes is None else [axes]
            if any(isinstance(axis, bool) or not isinstance(axis, int) for axis in values):
                raise InputError(f"Reading: {name} = {axes!r}; a whole number, or one by name of layer, is asked.")

    @property
    def axes(self) -> dict[str, Given]:
        """The axes given, by the name of the option."""
        return {"batch_axis": self.batch_axis, "time_axis": self.time_axis}

    @property
    def places(self) -> tuple[int, ...] | None:
        """The places of the tokens that are kept; None: all."""
        return self.tokens if isinstance(self.tokens, tuple) else None


@dataclass(frozen=True)
class Axes:
    """Axes of stimuli and of time in what one layer answers, and what is kept of the others."""

    name: str
    batch: int
    time: int | None
    reading: Reading
    channels: Place | None

    def rows(self, answer: Tensor, n_stimuli: int) -> Tensor:
        """Return a copy (stimulus, [time,] unit) of an answer, floats of low precision as float32."""
        self.check(answer.shape, n_stimuli)
        plain = answer.dequantize() if answer.is_quantized else answer
        lead = [self.batch] if self.time is None else [self.batch, self.time]
        moved = self._kept(plain.movedim(lead, list(range(len(lead)))), len(lead))
        flat = moved.reshape(*moved.shape[: len(lead)], math.prod(moved.shape[len(lead) :]))
        if flat.dtype in (torch.float16, torch.bfloat16):
            return flat.float()
        shared = flat.untyped_storage().data_ptr() == plain.untyped_storage().data_ptr()
        return flat.clone() if shared else flat

    def check(self, shape: Sequence[int], n_stimuli: int) -> None:
        """Refuse an answer whose axis of stimuli has not as many places as stimuli were shown."""
        if len(shape) <= self.batch or shape[self.batch] != n_stimuli:
            raise InputError(
                f"record_responses: layer {self.name!r} answers with shape {tuple(shape)} to {n_stimuli} "
                f"stimuli, where axis {self.batch} runs over stimuli; {CURE}."
            )

    def _kept(self, moved: Tensor, n_lead: int) -> Tensor:
        tokens, pool = self.reading.places, self.reading.pool
        if tokens is not None:
            if moved.ndim != 3 or n_lead != 1 or self.channels == "first":
                first = ", channels first" if self.channels == "first" else ""
                raise InputError(
                    f"record_responses: tokens= is for layers that answer (stimulus, token, unit); {self.name!r} "
                    f"answers with {moved.ndim} axes{first}."
                )
            if not all(-moved.shape[1] <= t < moved.shape[1] for t in tokens):
                raise InputError(
                    f"record_responses: layer {self.name!r} has tokens 0..{moved.shape[1] - 1}, {tokens} asked."
                )
            moved = moved[:, list(tokens)]
        if pool is None or moved.ndim - n_lead < 2:
            return moved
        places = range(n_lead + 1, moved.ndim) if self.channels == "first" else range(n_lead, moved.ndim - 1)
        return _pooled(moved, pool, list(places))


def _pooled(values: Tensor, pool: Pool, axes: Sequence[int]) -> Tensor:
    exact = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    if pool == "max":
        return exact.amax(list(axes))
    return exact.mean(list(axes)) if pool == "mean" else exact.sum(list(axes))


def measured_batch_axis(name: str, shapes: Sequence[tuple[int, ...]], sizes: Sequence[int]) -> int:
    """Return the axis that has as many places as stimuli were shown, for each of two numbers of stimuli.

    Raises
    ------
    InputError : there is none, or more than one.
    """
    n_axes = min(len(shape) for shape in shapes)
    fitting = [a for a in range(n_axes) if all(s[a] == n for s, n in zip(shapes, sizes, strict=True))]
    if len(fitting) == 1:
        return fitting[0]
    found = ", ".join(f"{s} to {n}" for s, n in zip(shapes, sizes, strict=True))
    if not fitting:
        raise InputError(
            f"record_responses: no axis of layer {name!r} runs over stimuli, it answers with shape {found} stimuli; "
            f"leave it out, or {CURE}."
        )
    raise InputError(
        f"record_responses: axes {fitting} of layer {name!r} could run over stimuli, it answers with shape {found} "
        f"stimuli; {CURE}."
    )


def is_recurrent(module: nn.Module) -> bool:
    """Whether a module is an ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``, or one of them quantised."""
    quantised = type(module).__module__.endswith("nn.quantized.dynamic.modules.rnn") and hasattr(module, "batch_first")
    return isinstance(module, nn.RNNBase) or quantised


def known_axes(module: nn.Module, in_sequence: bool) -> tuple[int, int] | None:
    """Return axes (batch, time) of the sequences that recurrent modules and those marked ``time_first`` answer with."""
    if is_recurrent(module) and in_sequence:
        return (0, 1) if module.batch_first else (1, 0)
    return (1, 0) if is_time_first(module) and in_sequence else None


def is_time_first(module: nn.Module) -> bool:
    """Whether a module says that it answers (time, batch, ...): ours, or one of SpikingJelly in multi-step mode."""
    return bool(getattr(module, "time_first", False)) or getattr(module, "step_mode", "") == MULTI_STEP


def check_step_mode(network: nn.Module) -> None:
    """Refuse to show a sequence to layers in single-step mode that stand in a row: all of it would be one step."""
    kept = [n for n, m in network.named_modules() if step_mode_of_state(m) == SINGLE_STEP]
    if kept and isinstance(network, nn.Sequential):
        raise InputError(
            f"record_responses: layer {kept[0]!r} is in single-step mode, and stimuli over time would be one step; say "
            "functional.set_step_mode(network, 'm') of SpikingJelly."
        )


def n_leading_axes(network: nn.Module, module: nn.Module, name: str, shape: Sequence[int]) -> int:
    """Return how many axes of stimuli, time or tokens come before those of the units in an answer of `shape`.

    Raises
    ------
    InputError : it is known neither from the kind of the module nor from the others in the network.
    """
    found = _lead_of_kind(module, len(shape))
    found = max(len(shape) - 1, 0) if found is None and len(shape) <= 2 else found
    found = _lead_of_parts(module, shape) if found is None else found
    if found is not None:
        return found
    if any(_may_be_time_first(m) for m in network.modules()) and not _is_step_by_step(network, name):
        raise InputError(
            f"perturbed: which axis of what layer {name!r} ({type(module).__name__}) answers, of shape {tuple(shape)}, "
            "runs over stimuli is not known; perturb the layer with weights before it, or the one after it."
        )
    return 1


def _lead_of_kind(module: nn.Module, n: int) -> int | None:
    """Return the axes before units in an answer of `n` axes, where the kind of the module tells."""
    if known_axes(module, True) is not None:
        return 2
    if isinstance(module, _ConvNd | nn.MaxPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        return n - 1 - _n_spatial(module)
    if isinstance(module, (*LAST, nn.RNNBase)):
        return n - (len(module.normalized_shape) if isinstance(module, nn.LayerNorm) else 1)
    return 1 if n > 2 and isinstance(module, (*FIRST, snn.SpikingNeuron, nn.RNNCellBase)) else None


def _lead_of_parts(module: nn.Module, shape: Sequence[int]) -> int | None:
    """Return the axes before units, where a module holds layers of one kind alone, and its answer has their shape."""
    inside = [m for m in module.modules() if isinstance(m, (*FIRST, *LAST, nn.RNNBase))]
    n_first = sum(isinstance(m, FIRST) for m in inside)
    if inside and not n_first and shape[-1] in {c for m in inside for c in _channel_counts(m)}:
        return len(shape) - 1
    spatial = {_n_spatial(m) for m in inside if isinstance(m, _ConvNd)}
    return 1 if n_first == len(inside) and spatial == {len(shape) - 2} else None


def _may_be_time_first(module: nn.Module) -> bool:
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
        return not module.batch_first
    return isinstance(module, snn.SpikingNeuron | nn.RNNCellBase) or is_time_first(module)


def _is_step_by_step(network: nn.Module, name: str) -> bool:
    """Whether a layer is called once a time step: in a plain sequence with neurons that keep their state."""
    above = [network.get_submodule(".".join(name.split(".")[:k])) for k in range(len(name.split(".")))]
    return any(is_stepwise(m) for m in above)


def _n_spatial(module: nn.Module) -> int:
    return len(module.kernel_size) if isinstance(module, _ConvNd) else 2


def channel_place(module: nn.Module, sizes: Sequence[int]) -> Place | None:
    """Return where an answer of `sizes`, without axes of stimuli and time, has its channels; None: unknown.

    It is known of layers by their kind, and of what holds layers of one kind alone if one end of the answer, and not
    the other, has as many places as they have channels.
    """
    if isinstance(module, (*FIRST, *LAST)):
        return "first" if isinstance(module, FIRST) else "last"
    inside = [m for m in module.modules() if isinstance(m, (*FIRST, *LAST))]
    kinds = {isinstance(m, FIRST) for m in inside}
    counts = {n for m in inside for n in _channel_counts(m)}
    if len(kinds) != 1:
        return None
    place, ends = ("first", sizes) if True in kinds else ("last", sizes[::-1])
    return place if ends[0] in counts and ends[-1] not in counts else None  # type: ignore[return-value]


def _channel_counts(module: nn.Module) -> list[int]:
    names = ("out_channels", "num_features", "num_channels", "out_features", "embedding_dim", "embed_dim")
    shape = getattr(module, "normalized_shape", ())
    if isinstance(module, nn.RNNBase):
        return [(module.proj_size or module.hidden_size) * (1 + module.bidirectional)]
    return [getattr(module, n) for n in names if isinstance(getattr(module, n, None), int)] + list(shape[-1:])


def step_of_both(shown: object, network: nn.Module, who: str) -> float | None:
    """Return the length of a step of what a network is shown, s, or else that of the network; None where neither says.

    Raises
    ------
    InputError : both do, they differ, and spiking neurons have time constants in s: they would live through another
        time than the stimuli take.
    """
    steps = [float(s) for s in (shown, getattr(network, "time_step", None)) if isinstance(s, SupportsFloat)]
    in_seconds = any(isinstance(module, SpikingLayer) for module in network.modules())
    if in_seconds and len(steps) == 2 and not math.isclose(*steps, rel_tol=1e-6):
        raise InputError(
            f"{who}: a step of the network lasts {steps[1]:g} s and one of the stimuli {steps[0]:g} s; make the "
            f"neurons of dt={steps[0]:g}, or the stimuli in steps of {steps[1]:g} s."
        )
    return steps[0] if steps else None
