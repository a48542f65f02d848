"""Runs of Brian2 without its search for garbage before each: among what torch keeps it takes six times a small run."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

RUNS = 25
LARGE = 10**6  # neurons and synapses


class _Left:
    """What runs since the last search may have left behind: networks of Brian2 refer to themselves."""

    runs = size = 0


@contextlib.contextmanager
def unsearched() -> Iterator[Callable[[int], None]]:
    """Keep all that there is out of the collector's sight inside the block, which tells how large a network it leaves.

    After 25 blocks, or a million neurons and synapses, what was left is searched for. A program that has frozen its
    objects itself, by ``gc.freeze``, is let alone.

    >>> with unsearched() as leaves:
    ...     leaves(1000)
    """

    def leaves(size: int) -> None:
        _Left.size += size

    if gc.get_freeze_count():
        yield leaves
        return
    _Left.runs += 1
    gc.freeze()
    try:
        yield leaves
    finally:
        gc.unfreeze()
        if _Left.runs >= RUNS or _Left.size > LARGE:
            _Left.runs = _Left.size = 0
            gc.collect()
