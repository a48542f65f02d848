"""What a spike-train distance is. One a file of the folder ``spike_distances``, and all by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim.registry import Registry
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class SpikeDistance:
    """One way to tell spike trains apart: its kernel, and what it can take.

    Parameters
    ----------
    name : what users type.
    kernel : distances (n, n) of n trains, arrays of sorted spike times in s; its second argument, if any, is what the
        next two fields say.
    caption : what a distance is, as a figure says it.
    reference : its paper, a DOI.
    time_constants : the kernel takes time constants (tau,) in s, and gives distances (tau, n, n).
    window : the kernel takes the start and the end of the recording in s; silences have no distance.
    squared_norm : the distances are those of vectors, and the kernel gives their inner products instead; trials can
        then be folds.

    Examples
    --------
    >>> def first_spikes(trains):
    ...     first = np.array([t[0] if len(t) else 1.0 for t in trains])
    ...     return abs(first[:, None] - first)
    >>> distance = ns.similarity.SpikeDistance("first", first_spikes, "difference of the first spikes, s")
    >>> with ns.similarity.SPIKE_DISTANCES.added(distance):
    ...     ns.similarity.spike_rdm([[[0.1]], [[0.3, 0.5]], [[0.6]]], "first").values[0].round(6).tolist()
    [0.0, 0.2, 0.5]
    """

    name: str
    kernel: Callable[..., np.ndarray]
    caption: str = ""
    reference: str = ""
    time_constants: bool = False
    window: bool = False
    squared_norm: bool = False


SPIKE_DISTANCES = Registry("spike distance", "neurosim.similarity.spike_distances", SpikeDistance)
