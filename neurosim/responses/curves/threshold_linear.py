"""Nothing below a threshold, a line above it: current to rate, an f-I curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.curves import Bounds, Curve, span


def threshold_linear(x: np.ndarray, parameters: Sequence[float], _options: NoOptions) -> np.ndarray:
    """``gain [x - threshold]_+``."""
    gain, threshold = parameters
    return np.asarray(gain * np.maximum(x - threshold, 0))


def _start(x: np.ndarray, y: np.ndarray, _options: NoOptions) -> list[list[float]]:
    return [[max(np.ptp(y), 1e-9) / span(x), t] for t in np.quantile(x, [0, 0.25, 0.5, 0.75])]


def _bounds(x: np.ndarray, _y: np.ndarray, _options: NoOptions) -> Bounds:
    return [0, x.min() - span(x)], [np.inf, x.max()]


THRESHOLD_LINEAR = Curve(
    name="threshold_linear",
    function=threshold_linear,
    parameters=("gain", "threshold"),
    start=_start,
    bounds=_bounds,
    caption="a line above a threshold, as of current to rate",
)
