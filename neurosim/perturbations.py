"""Experiments on some units of a network or circuit, in words that both understand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neurosim.refusals import InputError, suggest

PerturbationKind = Literal["lesion", "silence", "clamp", "stimulate", "noise"]


@dataclass(frozen=True)
class Perturbation:
    """An experiment on some units of a network or circuit: one vocabulary for both.

    Parameters
    ----------
    kind : "lesion" takes the units away, with all their connections; "silence" keeps them, but they send nothing;
        "clamp" holds what they send at `amount` in every step (networks only); "stimulate" adds `amount` to their input
        in every step; "noise" adds Gaussian noise of that standard deviation.
    layer : layer or population.
    units : indices in the layer or a mask of booleans, a fraction of it that is drawn at random, or None for all.
    amount : in units of what brings a resting neuron to threshold; for units that do not spike, of their activity.
    rng : whole number, the seed of the units drawn and of the noise.

    Raises
    ------
    InputError : unknown kind, a fraction outside 0..1, an amount that is not finite.

    Examples
    --------
    >>> ns.Perturbation("lesion", "hidden1", [3, 0]).chosen(4).tolist()
    [0, 3]
    """

    kind: PerturbationKind
    layer: str
    units: Sequence[int] | float | None = None
    amount: float = 1.0
    rng: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(PerturbationKind):
            known = get_args(PerturbationKind)
            raise InputError(
                f"Perturbation: kind = {self.kind!r}; known: {', '.join(known)}.{suggest(str(self.kind), known)}"
            )
        if isinstance(self.units, float) and not 0 <= self.units <= 1:
            raise InputError(f"Perturbation: the fraction of units is {self.units}; it lies in 0..1.")
        if not np.isfinite(self.amount) or (self.kind == "noise" and self.amount < 0):
            raise InputError(f"Perturbation: amount = {self.amount!r} is not finite, or negative noise.")

    def chosen(self, size: int) -> np.ndarray:
        """Return the indices of the units in a layer of `size` units."""
        if self.units is None:
            return np.arange(size)
        if isinstance(self.units, float):
            rng = np.random.default_rng(self.rng)
            return np.sort(rng.choice(size, round(self.units * size), replace=False))
        index = self._indices(size)
        if len(index) and not (index.min() >= 0 and index.max() < size):
            raise InputError(
                f"Perturbation: units {index.min()}..{index.max()} asked, {self.layer!r} has units 0 to {size - 1}."
            )
        return index

    def _indices(self, size: int) -> np.ndarray:
        """Return the indices given, or those that a mask of one boolean a unit picks."""
        try:
            given = np.asarray(self.units)
        except (ValueError, TypeError):
            given = np.asarray(None)
        if given.dtype.kind == "b" and given.shape == (size,):
            return np.flatnonzero(given)
        whole = given.dtype.kind in "iu" or (not given.size and given.ndim == 1)
        if not whole or given.ndim > 1:
            raise InputError(
                f"Perturbation: units = {self.units!r} of {self.layer!r}; whole numbers in 0..{size - 1}, a mask of "
                f"{size} booleans, a fraction (a float) or None asked."
            )
        return np.unique(given.astype(np.int64))
