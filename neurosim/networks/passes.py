"""What runs for a recording: the network as it is for its modules, and its graph for operations that are no modules."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.axes import Given, Reading
from neurosim.networks.functional import wanted
from neurosim.networks.showing import Shown
from neurosim.networks.taps import Answer
from neurosim.runtime import RandomApart
from neurosim.schema import InputError, suggest

log = logging.getLogger(__name__)


class Passes:
    """A network that stimuli are shown to, with what is to be recorded of it, in the order asked.

    Parameters
    ----------
    network : module, in evaluation mode.
    stimuli, layers, batch_size : as for ``record_responses``.
    device, double : where and how the network computes.
    reading : how answers are read, and what of them is kept.

    Raises
    ------
    InputError : a layer that is neither module nor operation, or cannot be recorded.
    """

    def __init__(
        self,
        network: nn.Module,
        stimuli: xr.DataArray,
        layers: Sequence[str] | None,
        where: tuple[str, bool],
        *,
        batch_size: int,
        reading: Reading | None = None,
    ) -> None:
        self.stimuli, self.batch_size, self.where = stimuli, batch_size, where
        asked, reading = wanted(network, layers), reading or Reading()
        self.shown: list[tuple[Shown, list[Answer]]] = []
        first = _first(stimuli)
        show = Shown(network, stimuli, *where)
        if asked.modules:
            self.shown.append((show, show.answers(asked.modules, reading, batch_size, first)))
        if asked.graph is not None:
            graph = asked.graph.listened([tap.module for tap in asked.operations])
            _check_same(show, other := Shown(graph, stimuli, *where), first[:2])
            self.shown.append((other, other.answers(asked.operations, reading, batch_size, first)))
        place = {tap: k for k, tap in enumerate(asked.taps)}
        self.found = sorted((a for _, found in self.shown for a in found), key=lambda a: place[a.tap])
        for option, axes in reading.axes.items():
            _check_read(option, axes, self.found)

    def blocks(self, names: Sequence[str] | None = None, progress: bool = False) -> Iterator[dict[str, np.ndarray]]:
        """Yield what the layers of `names`, by default all, answer to each batch, (stimulus, [time,] unit)."""
        order = [a.name for a in self.found if names is None or a.name in names]
        passes = [(show, [a for a in found if a.name in order]) for show, found in self.shown]
        runs = [show.blocks(found, self.batch_size, progress) for show, found in passes if found]
        for blocks in zip(*runs, strict=True):
            heard = {name: array for block in blocks for name, array in block.items()}
            yield {name: heard[name] for name in order}

    def one(self) -> dict[str, np.ndarray]:
        """Return what every layer answers to the first stimulus."""
        heard: dict[str, np.ndarray] = {}
        for show, found in self.shown:
            heard |= next(Shown(show.network, self.stimuli[:1], *self.where, show.dtype).blocks(found, 1))
        return {a.name: heard[a.name] for a in self.found}


def _check_read(option: str, axes: Given, found: Sequence[Answer]) -> None:
    """Refuse axes of layers that are not recorded."""
    known = [name for answer in found for name in (answer.name, answer.tap.module)]
    if unread := [name for name in (axes if isinstance(axes, Mapping) else ()) if name not in known]:
        raise InputError(
            f"record_responses: {option} names {unread[0]!r}, which is not recorded.{suggest(unread[0], known)}"
        )


def _first(stimuli: xr.DataArray) -> xr.DataArray:
    """Return the first stimuli, read once; says where they are others when they are read anew."""
    with RandomApart(0).entered():
        first, again = (stimuli.isel(stimulus=slice(0, 3)).compute() for _ in range(2))
    if not first.equals(again):
        log.warning(
            "record_responses: the stimuli are others each time they are read: the data draw at random, and what is "
            "recorded are answers to what was drawn."
        )
    return first


def _check_same(network: Shown, graph: Shown, first: xr.DataArray) -> None:
    """Refuse a graph that answers otherwise than the network: its code does what no graph holds."""
    expected = _tensors(_few(network, first))
    graph.dtype = network.dtype
    try:
        found = _tensors(_few(graph, first))
    except InputError as error:
        raise _unlike(network, " ".join(str(error).split())[-100:]) from error
    if len(found) != len(expected) or not all(map(_alike, expected, found)):
        raise _unlike(network, "its code writes in place, or keeps a state, or decides by values")


def _few(shown: Shown, first: xr.DataArray) -> Any:
    """Return the answer to the first stimuli; no random number is used up."""
    with torch.no_grad(), torch.random.fork_rng([shown.device] if shown.device.startswith("cuda") else []):
        return shown.show(first)


def _unlike(network: Shown, reason: str) -> InputError:
    return InputError(
        f"record_responses: the graph of {type(network.network).__name__} that torch.fx traces answers otherwise than "
        f"the network ({reason}); ask for modules instead of operations."
    )


def _alike(network: Tensor, graph: Tensor) -> bool:
    return network.shape == graph.shape and torch.allclose(network, graph, rtol=1e-4, atol=1e-6, equal_nan=True)


def _tensors(answer: object) -> list[Tensor]:
    if isinstance(answer, Tensor):
        return [answer]
    inside = answer.values() if isinstance(answer, Mapping) else answer
    return [t for a in inside for t in _tensors(a)] if isinstance(inside, list | tuple | type({}.values())) else []
