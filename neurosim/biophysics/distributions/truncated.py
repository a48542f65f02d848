"""Another distribution within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.biophysics.distributions import DRAWN, Distribution, distribution_of
from neurosim.biophysics.distributions.normal import Normal
from neurosim.biophysics.plain_numbers import convert, number
from neurosim.parameters import Parameters
from neurosim.refusals import InputError

ROUNDS = 200


@dataclass(frozen=True)
class Truncated:
    """Another distribution, of which values outside `low` to `high` are drawn again.

    Nothing is moved onto a bound: values that were set to 0 would be synapses that are not there.

    Parameters
    ----------
    spread : the record of another distribution.
    low, high : bounds, in the units of what is drawn; infinite is none.

    Raises
    ------
    InputError : no record of a distribution, `low` not below `high`.

    Examples
    --------
    >>> ns.biophysics.Truncated(ns.biophysics.Normal(1e-10, 1e-10), low=0.0).high
    inf
    """

    own_units: ClassVar[dict[str, str]] = dict.fromkeys(("low", "high"), DRAWN)
    spread: Parameters
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        convert(self, "Truncated", low=number, high=number)
        if distribution_of(self.spread) is None or not self.low < self.high:
            found = f"{type(self.spread).__name__}, {self.low:g} and {self.high:g}"
            raise InputError(f"Truncated: the record of a distribution and low below high asked, found {found}.")


def draw(spread: Truncated, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw values, and again those that lie outside."""
    inner = distribution_of(spread.spread)
    assert inner is not None
    values = inner.draw(spread.spread, n, rng)
    for _ in range(ROUNDS):
        outside = np.flatnonzero(~((values >= spread.low) & (values <= spread.high)))
        if not outside.size:
            return values
        values[outside] = inner.draw(spread.spread, outside.size, rng)
    raise InputError(
        f"Truncated: {outside.size} of {n} values of {spread.spread} still lie outside {spread.low:g}..{spread.high:g} "
        f"after {ROUNDS} rounds; take bounds that it reaches more often."
    )


DISTRIBUTION = Distribution(
    "truncated", Truncated, draw, "another one within bounds", lambda: Truncated(Normal(2e-3, 2e-3), low=1e-3)
)
