"""How far two units fire together: one measure a file, and all of them by name in ``SYNCHRONY_MEASURES``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.registry import NoOptions, Registry

Trains = Sequence[np.ndarray]


@dataclass(frozen=True)
class SynchronyMeasure:
    """One measure of how far units fire together.

    Parameters
    ----------
    name : what users type.
    kernel : from the trials, each a list with the sorted spike times of every unit in s, their duration and time step
        in s, and the options, to (unit, unit); NaN where nothing can be said.
    caption : what it says of two units. reference : its paper, a DOI.
    options : what can be chosen, a frozen dataclass with defaults.

    Examples
    --------
    >>> from neurosim.responses import synchrony
    >>> from neurosim.schema import as_responses
    >>> def equal(trials, duration, step, options):
    ...     return np.mean([[[np.array_equal(a, b) for b in t] for a in t] for t in trials], axis=0)
    >>> spikes = as_responses(np.eye(3)[None], quantity="spike_count", time_step=1e-3)
    >>> with SYNCHRONY_MEASURES.added(SynchronyMeasure("equal", equal, "share of trials with the same spikes")):
    ...     synchrony(spikes, "equal").values.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    name: str
    kernel: Callable[[Sequence[Trains], float, float, Any], np.ndarray]
    caption: str = ""
    reference: str = ""
    options: type = NoOptions


SYNCHRONY_MEASURES = Registry("measure", "neurosim.responses.synchrony_measures", SynchronyMeasure)
