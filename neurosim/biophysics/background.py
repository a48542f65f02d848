"""Spikes from outside the circuit, which do not depend on the stimulus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.injection import chosen_neurons
from neurosim.biophysics.plain_numbers import convert, number, real, whole
from neurosim.schema import InputError
from neurosim.units import plain_field


@by_value
@dataclass(frozen=True, eq=False)
class Poisson:
    """Poisson processes that arrive at each neuron of a population, its own at each, drawn anew in every trial.

    Spikes are counted in every step, so that any rate is one number of a Poisson distribution
    (https://doi.org/10.1023/A:1008925309027 drives a network by such a background).

    Parameters
    ----------
    rate : of each process, Hz: a number, or one a neuron.
    weight : that each spike brings, in the unit of the weights of the receptor (V, A, S, or threshold units).
    receptor : name of the receptor, where the population has several.
    n : number of processes that arrive at a neuron.
    neurons : places of those that receive it; None is all.

    Raises
    ------
    InputError : rates below 0 or not finite, a weight that is not finite, no process.

    Examples
    --------
    >>> ns.biophysics.Poisson(8.0, 1e-4, n=1000).n
    1000
    """

    rate: Any
    weight: float
    receptor: str = ""
    n: int = 1
    neurons: Sequence[int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "neurons", chosen_neurons(self, self.neurons))
        convert(self, "Poisson", weight=number, n=whole)
        rate = real(plain_field(self, "rate"), "Poisson: rate")
        object.__setattr__(self, "rate", float(rate) if rate.ndim == 0 else rate)
        if rate.ndim > 1 or not np.isfinite(rate).all() or (rate < 0).any() or self.n < 1:
            raise InputError(
                f"Poisson: rates of 0 Hz or more, one number or one a neuron, and n >= 1 asked, found "
                f"shape {rate.shape} and n = {self.n}."
            )
        if not np.isfinite(self.weight) or not isinstance(self.receptor, str):
            raise InputError(
                f"Poisson: a finite weight and the name of a receptor asked, found {self.weight!r}, {self.receptor!r}."
            )
