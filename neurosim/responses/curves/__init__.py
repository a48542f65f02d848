"""The curve that a unit's tuning follows: one a file, and all of them by name in ``CURVES``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.registry import NoOptions, Registry

Bounds = tuple[list[float], list[float]]


@dataclass(frozen=True)
class Curve:
    """One curve that tuning can follow.

    Parameters
    ----------
    name : what users type.
    function : values (n,) at x (n,) from parameters and options.
    parameters : their names, in the order of the function.
    start : first guesses of the parameters, of which the best fit is kept, from x, y and options.
    bounds : lowest and highest parameters, from x, y and options.
    caption : what it describes.
    reference : its paper, a DOI.
    options : what can be chosen, a frozen dataclass with defaults.

    Examples
    --------
    >>> from neurosim.responses import fit_tuning, tuning_curve
    >>> from neurosim.schema import as_responses
    >>> line = Curve("line", lambda x, p, _: p[0] * x, ("slope",), lambda *_: [[1.0]], lambda *_: ([-9.0], [9.0]))
    >>> responses = as_responses([[0.0], [2.0], [4.0]], coords={"x": ("stimulus", [0.0, 1.0, 2.0])})
    >>> with CURVES.added(line):
    ...     round(float(fit_tuning(tuning_curve(responses, "x"), "line").slope[0]), 6)
    2.0
    """

    name: str
    function: Callable[[np.ndarray, Sequence[float], Any], np.ndarray]
    parameters: tuple[str, ...]
    start: Callable[[np.ndarray, np.ndarray, Any], list[list[float]]]
    bounds: Callable[[np.ndarray, np.ndarray, Any], Bounds]
    caption: str = ""
    reference: str = ""
    options: type = NoOptions


def peaked(x: np.ndarray, y: np.ndarray, widths: Sequence[float]) -> list[list[float]]:
    """Return first guesses (baseline, amplitude, place of the peak, width) with each of some widths."""
    return [[y.min(), max(np.ptp(y), 1e-9), x[y.argmax()], w] for w in widths]


def span(x: np.ndarray) -> float:
    """Return how far x reaches, never 0."""
    return max(float(np.ptp(x)), 1e-12)


CURVES = Registry("shape", "neurosim.responses.curves", Curve)
