"""A bump on a line: place, frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurosim.registry import NoOptions
from neurosim.responses.curves import Bounds, Curve, peaked, span


def gaussian(x: np.ndarray, parameters: Sequence[float], _options: NoOptions) -> np.ndarray:
    """``baseline + amplitude exp(-(x - preferred)^2 / (2 width^2))``."""
    baseline, amplitude, preferred, width = parameters
    return np.asarray(baseline + amplitude * np.exp(-((x - preferred) ** 2) / (2 * width**2)))


def _start(x: np.ndarray, y: np.ndarray, _options: NoOptions) -> list[list[float]]:
    return peaked(x, y, [span(x) / 20, span(x) / 5])


def _bounds(x: np.ndarray, _y: np.ndarray, _options: NoOptions) -> Bounds:
    lowest = [-np.inf, 0, x.min() - span(x), 1e-6 * span(x)]
    return lowest, [np.inf, np.inf, x.max() + span(x), 10 * span(x)]


GAUSSIAN = Curve(
    name="gaussian",
    function=gaussian,
    parameters=("baseline", "amplitude", "preferred", "width"),
    start=_start,
    bounds=_bounds,
    caption="a bump on a line, as of place or frequency",
)
