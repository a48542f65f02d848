"""Near pairs more often than far ones, as a bell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.biophysics.distances import check_profile, pairs_by_distance
from neurosim.biophysics.wiring import ConnectionRule, Drawn, Ends


@dataclass(frozen=True)
class GaussianDistance:
    """A pair at distance ``d`` has a synapse with probability ``p exp(-d^2 / (2 width^2))``.

    Parameters
    ----------
    p : probability at distance 0, above 0 and up to 1.
    width : standard deviation of the bell, m.
    torus : size of the world along each axis, m, where it closes on itself; None where it does not.

    Raises
    ------
    InputError : numbers out of range.

    Examples
    --------
    >>> ns.biophysics.GaussianDistance(0.5, 100e-6, torus=(1e-3, 1e-3)).torus
    (0.001, 0.001)
    """

    p: float
    width: float
    torus: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_profile(self, "width")


def draw(rule: GaussianDistance, ends: Ends, rng: np.random.Generator, progress: bool) -> Drawn:
    """Draw each pair by its distance."""
    return pairs_by_distance(rule, lambda d: np.exp(-0.5 * (d / rule.width) ** 2), rule.width, ends, rng, progress)


RULE = ConnectionRule(
    "gaussian_distance",
    GaussianDistance,
    draw,
    "near pairs more often than far ones, as a bell",
    uses_positions=True,
    example=GaussianDistance(0.5, 1e-3),
)
