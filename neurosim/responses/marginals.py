"""What of mean responses is due to time, to each label and to labels together: sums of parts that are orthogonal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr

from neurosim.labels import label_along
from neurosim.schema import InputError, check_responses


@dataclass(frozen=True)
class Crossed:
    """Trials (trial, stimulus, time, unit), NaN where not measured, of stimuli in cells of crossed labels.

    ``cell`` (stimulus,) is the cell of each, in the order of ``shape``, the number of values of each of ``labels``.
    """

    values: np.ndarray
    cell: np.ndarray
    labels: tuple[str, ...]
    shape: tuple[int, ...]

    def of_cells(self, of_stimuli: np.ndarray) -> np.ndarray:
        """Return the mean (cell, ...) of what stimuli (stimulus, ...) have."""
        n = np.bincount(self.cell)
        found = np.zeros((len(n), *of_stimuli.shape[1:]))
        np.add.at(found, self.cell, of_stimuli)
        return found / n.reshape(-1, *(1,) * (of_stimuli.ndim - 1))

    def noise_of_cells(self) -> np.ndarray:
        """Return the variance (cell, time, unit) that noise gives to means of cells, without bias."""
        return _squared_error(self.values, self)

    def noise_of_cells_over_time(self) -> np.ndarray:
        """Return the same (cell, 1, unit) of means over time."""
        return _squared_error(self.values.mean(2, keepdims=True), self)


def _squared_error(values: np.ndarray, crossed: Crossed) -> np.ndarray:
    n = np.isfinite(values).sum(0)
    variance = np.nanvar(values, axis=0, ddof=1) / n
    return crossed.of_cells(variance) / np.bincount(crossed.cell)[:, None, None]


def different(labels: object, who: str) -> tuple[str, ...]:
    """Return the names of one or several labels, each once, or refuse what are none."""
    names = (labels,) if isinstance(labels, str) else tuple(labels) if isinstance(labels, list | tuple) else ()
    if not names or not all(isinstance(n, str) for n in names) or len(set(names)) < len(names):
        raise InputError(f"{who}: one or several different labels along stimulus asked, found {labels!r}.")
    return names


def crossed(responses: xr.DataArray, labels: object, who: str) -> tuple[xr.DataArray, Crossed]:
    """Return checked responses and their trials by cells of labels, or refuse labels that are not fully crossed."""
    responses = check_responses(responses, who, missing=True)
    names = different(labels, who)
    found = [np.unique(label_along(responses, name, who), return_inverse=True) for name in names]
    shape = tuple(len(values) for values, _ in found)
    for name, n in zip(names, shape, strict=True):
        if n < 2:
            raise InputError(f"{who}: the label {name!r} has one value; at least 2 are asked.")
    cell = np.asarray(np.ravel_multi_index([index for _, index in found], shape))
    empty = np.setdiff1d(np.arange(np.prod(shape)), cell)
    if empty.size:
        at = np.unravel_index(empty[0], shape)
        lacks = ", ".join(f"{n}={v[i]}" for n, (v, _), i in zip(names, found, at, strict=True))
        raise InputError(f"{who}: {empty.size} of {np.prod(shape)} combinations of labels have no stimulus: {lacks}.")
    whole = responses
    for dim in ("trial", "time"):
        whole = whole if dim in whole.dims else whole.expand_dims(dim)
    values = np.asarray(whole.transpose("trial", "stimulus", "time", "unit").values, dtype=float)
    fewest = 2 if "trial" in responses.dims else 1
    lacking = int((np.isfinite(values[:, :, 0]).sum(0) < fewest).any(0).sum())
    if lacking:
        raise InputError(
            f"{who}: {lacking} units have fewer than 2 trials of some stimulus; leave out those units or stimuli."
        )
    return responses, Crossed(values, cell, names, shape)


def parts_of(labels: tuple[str, ...], timed: bool) -> list[tuple[int, ...]]:
    """Return the parts, each as the places of the labels that take part; () is time alone."""
    every = range(len(labels))
    return [p for n in range(not timed, len(labels) + 1) for p in combinations(every, n)]


def name_of(part: tuple[int, ...], labels: tuple[str, ...]) -> str:
    """Return what a part is called: "time", or its labels.

    >>> name_of((0, 1), ("category", "size"))
    'category x size'
    """
    return " x ".join(labels[i] for i in part) if part else "time"


def part(means: np.ndarray, which: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return the part of centred means (cell, time, unit) that is due to labels together, at every time.

    All parts sum to the means and are orthogonal. The part of no label is the mean over cells.
    """
    found = means.reshape(*shape, *means.shape[1:])
    for axis in range(len(shape)):
        mean = found.mean(axis, keepdims=True)
        found = found - mean if axis in which else np.broadcast_to(mean, found.shape)
    return np.asarray(found.reshape(means.shape))


def noise_in_part(crossed: Crossed, which: tuple[int, ...]) -> float:
    """Return what noise adds to the sum of squares of a part of centred means, over cells, times and units."""
    held = np.prod([1 - 1 / n if i in which else 1 / n for i, n in enumerate(crossed.shape)])
    total = crossed.noise_of_cells().sum()
    if not which:  # from which the mean over time is taken off
        total -= crossed.noise_of_cells_over_time().sum() * crossed.values.shape[2]
    return float(held * total)
