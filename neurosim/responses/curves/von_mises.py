"""A bump on a circle: orientation and direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.responses.curves import Bounds, Curve, peaked


@dataclass(frozen=True)
class VonMisesOptions:
    """Options of the bump. period : in the units of the label, 180 for orientation and 360 for direction in degrees."""

    period: float = 180.0


def von_mises(x: np.ndarray, parameters: Sequence[float], options: VonMisesOptions) -> np.ndarray:
    """``baseline + amplitude exp(concentration (cos(2 pi (x - preferred) / period) - 1))``."""
    baseline, amplitude, preferred, concentration = parameters
    turned = np.cos(2 * np.pi * (x - preferred) / options.period)
    return np.asarray(baseline + amplitude * np.exp(concentration * (turned - 1)))


def _start(x: np.ndarray, y: np.ndarray, _options: VonMisesOptions) -> list[list[float]]:
    return peaked(x, y, [0.5, 2.0, 8.0])


def _bounds(_x: np.ndarray, _y: np.ndarray, options: VonMisesOptions) -> Bounds:
    return [-np.inf, 0, -options.period, 1e-3], [np.inf, np.inf, 2 * options.period, 100]


VON_MISES = Curve(
    name="von_mises",
    function=von_mises,
    parameters=("baseline", "amplitude", "preferred", "concentration"),
    start=_start,
    bounds=_bounds,
    caption="a bump on a circle, as of orientation",
    reference="https://doi.org/10.1007/BF00336731",
    options=VonMisesOptions,
)
