"""Whether what a network answers to a stimulus is its own: not a matter of the others in its batch, nor of chance."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.naming import Tap
from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.taps import STEPPERS, Answer
from neurosim.schema import InputError

log = logging.getLogger(__name__)
Probe = Mapping[Tap, Mapping[int, Any]]
EXACT, COARSE = 1e-3, 0.1  # of the norm; coarse where rounding can move a value far: spikes, and few bits


def steady_answers(
    network: nn.Module, found: Sequence[Answer], probes: Sequence[Probe], again: Callable[[], Probe]
) -> list[Answer]:
    """Return those of `found` that answer to a stimulus alike, whatever else is in its batch.

    Parameters
    ----------
    network : the network that was shown two stimuli, then three that begin with these two in the other order.
    found : what is to be recorded.
    probes : what was heard both times.
    again : shows the two stimuli once more; asked only when the answers differ, to tell chance from a mixed batch.

    Raises
    ------
    InputError : a layer that was asked for by name, or all, whose answers depend on the batch.
    """
    tolerance = COARSE if _is_coarse(network) else EXACT
    moved = [a for a in found if _moved(a, probes[0], probes[1], tolerance, (1, 0))]
    if not moved:
        return list(found)
    second = again()
    by_chance = [a for a in moved if _moved(a, probes[0], second, tolerance, (0, 1))]
    mixed = [a for a in moved if a not in by_chance]
    if by_chance:
        log.warning(
            "record_responses: %s answers otherwise when the same stimuli are shown again: by chance, or from a state "
            "that it keeps.",
            ", ".join(a.name for a in by_chance),
        )
    named = [a for a in mixed if a.tap.asked]
    if named or len(mixed) == len(found):
        raise InputError(
            f"record_responses: what layer {(named or mixed)[0].name!r} answers to a stimulus depends on the others in "
            "its batch, or their order; pass batch_size=1."
        )
    if mixed:
        log.warning("record_responses: left out, as they depend on the batch: %s", ", ".join(a.name for a in mixed))
    return [a for a in found if a not in mixed]


def _moved(answer: Answer, first: Probe, second: Probe, tolerance: float, order: tuple[int, int]) -> bool:
    """Whether one call at least answers otherwise to the two stimuli, which have the places `order` in `second`."""
    calls = range(1, answer.n_calls + 1) if answer.over_steps else [answer.call]
    pairs = [(first[answer.tap][call], second[answer.tap][call]) for call in calls]
    bound = COARSE if any(t.dtype in (torch.float16, torch.bfloat16) for pair in pairs for t in pair) else tolerance
    return any(_differs(a, b, answer.axes.batch, bound, order) for a, b in pairs)


def _differs(first: Tensor, second: Tensor, axis: int, tolerance: float, order: tuple[int, int]) -> bool:
    one, other = _plain(first).movedim(axis, 0), _plain(second).movedim(axis, 0)[list(order)]
    if one.shape != other.shape:
        return False  # of another length, which is refused where batches are compared
    return bool((one - other).norm() > tolerance * one.norm())


def _plain(value: Tensor) -> Tensor:
    return value.dequantize() if value.is_quantized else value.to(torch.promote_types(value.dtype, torch.float32))


def _is_coarse(network: nn.Module) -> bool:
    kinds = (*STEPPERS, SpikingLayer)
    return any(isinstance(m, kinds) or ".quantized." in type(m).__module__ for m in network.modules())
