"""Near pairs more often than far ones, as an exponential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.distances import check_profile, pairs_by_distance
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends


@dataclass(frozen=True)
class ExponentialDistance:
    """A pair at distance ``d`` has a synapse with probability ``p exp(-d / length)``.

    Parameters
    ----------
    p : probability at distance 0, above 0 and up to 1.
    length : distance at which the probability has fallen to 1/e of that, m.
    torus : size of the world along each axis, m, where it closes on itself; None where it does not.

    Raises
    ------
    InputError : numbers out of range.

    Examples
    --------
    >>> ns.biophysics.ExponentialDistance(0.5, 100e-6).length
    0.0001
    """

    p: float
    length: float
    torus: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_profile(self, "length")


def draw(rule: ExponentialDistance, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Draw each pair by its distance."""
    return pairs_by_distance(rule, lambda d: np.exp(-d / rule.length), rule.length, ends, rng, progress)


RULE = ConnectionRule(
    "exponential_distance",
    ExponentialDistance,
    draw,
    "near pairs more often than far ones, as an exponential",
    uses_positions=True,
    example=ExponentialDistance(0.5, 1e-3),
)
