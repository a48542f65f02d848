"""The uniform distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.biophysics.distributions import DRAWN, Distribution
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.parameters import check_range
from neurosim.refusals import InputError


@dataclass(frozen=True)
class Uniform:
    """Values anywhere between `low` and `high`.

    Parameters
    ----------
    low, high : in the units of what is drawn.

    Raises
    ------
    InputError : numbers that are not finite, `high` not above `low`.

    Examples
    --------
    >>> ns.biophysics.Uniform(0.5e-3, 2e-3).high
    0.002
    """

    own_units: ClassVar[dict[str, str]] = dict.fromkeys(("low", "high"), DRAWN)
    low: float
    high: float

    def __post_init__(self) -> None:
        convert(self, "Uniform", low=number, high=number)
        check_range(self, low=(-1e9, 1e9), high=(-1e9, 1e9))
        if self.low >= self.high:
            raise InputError(f"Uniform: low below high asked, found {self.low:g} and {self.high:g}.")


def draw(spread: Uniform, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw values."""
    return rng.uniform(spread.low, spread.high, n)


DISTRIBUTION = Distribution("uniform", Uniform, draw, "anywhere between two bounds", lambda: Uniform(1e-3, 3e-3))
