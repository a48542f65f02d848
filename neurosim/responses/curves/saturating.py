"""A rise that levels off: contrast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.curves import Bounds, Curve


def saturating(x: np.ndarray, parameters: Sequence[float], _options: NoOptions) -> np.ndarray:
    """``amplitude [x]_+^exponent / ([x]_+^exponent + half^exponent) + baseline``."""
    baseline, amplitude, half, exponent = parameters
    power = np.maximum(x, 0) ** exponent
    return np.asarray(baseline + amplitude * power / (power + half**exponent))


def _start(x: np.ndarray, y: np.ndarray, _options: NoOptions) -> list[list[float]]:
    return [[y.min(), max(np.ptp(y), 1e-9), np.median(np.abs(x)) or 1.0, e] for e in (1.0, 2.0, 4.0)]


def _bounds(x: np.ndarray, _y: np.ndarray, _options: NoOptions) -> Bounds:
    return [-np.inf, 0, 1e-12, 0.1], [np.inf, np.inf, 100 * np.abs(x).max(), 20]


SATURATING = Curve(
    name="saturating",
    function=saturating,
    parameters=("baseline", "amplitude", "half", "exponent"),
    start=_start,
    bounds=_bounds,
    caption="a rise that levels off, as of contrast",
    reference="https://doi.org/10.1152/jn.1982.48.1.217",
)
