"""The normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.biophysics.distributions import DRAWN, Distribution
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.parameters import check_range


@dataclass(frozen=True)
class Normal:
    """Values around `mean` with standard deviation `std`, of either sign; cut it with :class:`Truncated`.

    Parameters
    ----------
    mean, std : in the units of what is drawn.

    Raises
    ------
    InputError : numbers that are not finite, a `std` that is not above 0.

    Examples
    --------
    >>> ns.biophysics.Normal(1e-10, 2e-11).mean
    1e-10
    """

    own_units: ClassVar[dict[str, str]] = dict.fromkeys(("mean", "std"), DRAWN)
    mean: float
    std: float

    def __post_init__(self) -> None:
        convert(self, "Normal", mean=number, std=number)
        check_range(self, mean=(-1e9, 1e9), std=(1e-30, 1e9))


def draw(spread: Normal, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw values."""
    return rng.normal(spread.mean, spread.std, n)


DISTRIBUTION = Distribution("normal", Normal, draw, "a bell", lambda: Normal(2e-3, 1e-4))
