"""The log-normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.biophysics.distributions import DRAWN, Distribution
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.parameters import check_range
from neurosim.refusals import InputError


@dataclass(frozen=True)
class Lognormal:
    """Values of one sign, a few of them large, with mean `mean` and standard deviation `std`.

    Synaptic weights are spread so (https://doi.org/10.1371/journal.pbio.0030068). A negative mean mirrors them.

    Parameters
    ----------
    mean, std : in the units of what is drawn; of the values, not of their logarithms.

    Raises
    ------
    InputError : numbers that are not finite, a `std` that is not above 0, a mean of 0.

    Examples
    --------
    >>> ns.biophysics.Lognormal(1e-10, 2e-10).std
    2e-10
    """

    own_units: ClassVar[dict[str, str]] = dict.fromkeys(("mean", "std"), DRAWN)
    mean: float
    std: float

    def __post_init__(self) -> None:
        convert(self, "Lognormal", mean=number, std=number)
        check_range(self, mean=(-1e9, 1e9), std=(1e-30, 1e9))
        if self.mean == 0:
            raise InputError("Lognormal: a mean above 0, or below it for values below 0, asked, found 0.")


def draw(spread: Lognormal, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw values: the normal distribution of their logarithms follows from their own mean and spread."""
    size = abs(spread.mean)
    variance = np.log1p((spread.std / size) ** 2)
    values = rng.lognormal(np.log(size) - variance / 2, np.sqrt(variance), n)
    return values if spread.mean > 0 else -values


DISTRIBUTION = Distribution("lognormal", Lognormal, draw, "logarithms that are normal", lambda: Lognormal(2e-3, 1e-3))
