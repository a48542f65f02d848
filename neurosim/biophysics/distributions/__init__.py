"""The distributions of weights and delays: each file is one, by name and numbers, so that a file can hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.parameters import Parameters
from neurosim.registry import Registry
from neurosim.showing import shown
from neurosim.units import WEIGHT


@shown
@dataclass(frozen=True)
class Distribution:
    """A distribution from which one number a synapse is drawn.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass.
    draw : (numbers, how many, generator) -> values (n,).
    caption : what it is, in one sentence without a verb.
    example : () -> numbers with which it draws positive values.

    Examples
    --------
    >>> ns.biophysics.DISTRIBUTIONS["lognormal"].caption
    'logarithms that are normal'
    """

    name: str
    parameters: type[Parameters]
    draw: Callable[[Any, int, np.random.Generator], np.ndarray]
    caption: str
    example: Callable[[], Parameters]


DRAWN = f"{WEIGHT} or s"  # in what the values of a distribution are: weights, or delays
DISTRIBUTIONS = Registry("distribution", "neurosim.biophysics.distributions", Distribution)


def distribution_of(parameters: object) -> Distribution | None:
    """Return the distribution whose numbers these are; None where there is none."""
    return next((found for found in DISTRIBUTIONS.values() if found.parameters is type(parameters)), None)
