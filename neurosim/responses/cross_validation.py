"""What is read out of trials, from others: who is held out together, how often it is right, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.labels import label_along
from neurosim.schema import InputError

Right = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimated:
    """What is ``right`` (n, ...) of every trial, the balanced ``accuracy`` (...) and its ``variance`` (...)."""

    right: np.ndarray
    accuracy: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class Trials:
    """Pseudo-trials: ``values`` (trial, stimulus, time, unit), of which each stimulus has the first ``n`` (stimulus).

    A pseudo-trial takes one measured trial of every unit, so a stimulus has as many as the unit with fewest.
    """

    values: np.ndarray
    n: np.ndarray

    @property
    def there(self) -> np.ndarray:
        """Which (trial, stimulus) are."""
        return np.asarray(np.arange(len(self.values))[:, None] < self.n)

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """Return patterns (n, time, unit), trials in another order for every stimulus and unit, one at all times."""
        missing = np.isnan(self.values[:, :, 0])
        order = np.broadcast_to(np.arange(len(self.values))[:, None, None], missing.shape)
        order = rng.permuted(order, axis=0)
        if missing.any():
            lost = np.take_along_axis(missing, order, axis=0)
            order = np.take_along_axis(order, lost.argsort(axis=0, kind="stable"), axis=0)
        return np.asarray(np.take_along_axis(self.values, order[:, :, None], axis=0)[self.there])


def pseudo_trials(responses: xr.DataArray, who: str) -> Trials:
    """Return the trials of responses (stimulus, [trial,] [time,] unit), of each stimulus one or more of every unit."""
    for dim, at in (("trial", 1), ("time", 2)):
        responses = responses if dim in responses.dims else responses.expand_dims(dim, at)
    values = np.asarray(responses.transpose("trial", "stimulus", "time", "unit").values, dtype=float)
    counts = np.isfinite(values[:, :, 0]).sum(0)
    fewest = counts.min(1)
    if fewest.min() < 1:
        place, unit = (int(i[0]) for i in np.nonzero(counts == 0))
        raise InputError(
            f"{who}: unit {unit} was not measured at stimulus {responses['stimulus'].values[place]!s} (and so "
            f"{int((counts == 0).sum())} in all); leave those units or stimuli out with .isel(...)."
        )
    return Trials(values, fewest)


def label_of(responses: xr.DataArray, name: str, who: str) -> np.ndarray:
    """Return the values of a label along ``stimulus``, or refuse by name."""
    return label_along(responses, name, who)


def trials_dealt(n: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold (n,) of each pseudo-trial: the trials of every stimulus in `folds` parts."""
    there = np.arange(n.max())[:, None] < n
    fold = np.full(there.shape, -1)
    for s, count in enumerate(n):
        for f, part in enumerate(np.array_split(np.arange(count), folds)):
            fold[part, s] = f
    return np.asarray(fold[there])


def groups_dealt(labels: np.ndarray, groups: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each stimulus: groups dealt in turn, class by class, so that every class is spread."""
    n_groups = groups.max() + 1
    first = np.array([labels[groups == g][0] for g in range(n_groups)])
    order = rng.permutation(n_groups)
    order = order[np.argsort(first[order], kind="stable")]
    fold = np.zeros(n_groups, dtype=int)
    fold[order] = np.arange(n_groups) % folds
    return np.asarray(fold[groups])


def balanced_accuracy(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean (...), over the classes that are there, of the share of `right` (n, ...); NaN is not asked."""
    shares = []
    for c in np.unique(labels):
        own = right[labels == c]
        asked = np.isfinite(own).sum(0)
        shares.append(np.divide(np.nansum(own, 0), asked, out=np.full(own.shape[1:], np.nan), where=asked > 0))
    return np.asarray(np.nanmean(shares, axis=0))


def told_rightly(fold: np.ndarray, labels: np.ndarray, right: Right) -> np.ndarray:
    """Return what is right (n, ...) of every trial, trained on the other folds."""
    found: np.ndarray | None = None
    for f in range(int(fold.max()) + 1):
        test = fold == f
        values = right(~test, test, labels)
        found = np.full((len(fold), *values.shape[1:]), np.nan) if found is None else found
        found[test] = values
    return np.zeros(0) if found is None else found


def estimated(fold: np.ndarray, labels: np.ndarray, held_out: np.ndarray, right: Right) -> Estimated:
    """Return what is right of every trial, its balanced accuracy, and how sure that is.

    The variance is that of leaving out each of what is held out together, `held_out` (n,), whole numbers from 0 on, of
    the predictions: what a fold does to the training of others adds little, since a trial is right or not.
    """
    return of_told(told_rightly(fold, labels, right), labels, held_out)


def of_told(found: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> Estimated:
    """Return the same of what is right of every trial (n, ...)."""
    flat = found.reshape(len(found), -1)
    asked = np.isfinite(flat)
    n_classes, n = int(labels.max()) + 1, int(held_out.max()) + 1
    total, count = (np.zeros((n_classes, n, flat.shape[1])) for _ in range(2))
    np.add.at(total, (labels, held_out), np.where(asked, flat, 0.0))
    np.add.at(count, (labels, held_out), asked)
    total, count = (a.sum(1, keepdims=True) - a for a in (total, count))
    left = np.nanmean(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0), axis=0)
    variance = (n - 1) / n * ((left - left.mean(0)) ** 2).sum(0)
    return Estimated(found, balanced_accuracy(found, labels), variance.reshape(found.shape[1:]))


def variance_of_training(right: np.ndarray, labels: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return what training on another level adds to variances (level x level_test, same, other): 0 where levels agree.

    `right` (fold, level, n) says whether patterns are named rightly by training on a level without a fold. What is
    tested was not trained on then, whatever its fold, so each fold is left out of the training alone. Of how much that
    changes the accuracy, what changes by chance in so many tests is taken off, as that is in the variance of the tests
    already.
    """
    folds, n = right.shape[:2]
    change, by_chance = np.zeros((2, folds, n, n))
    for i, j in np.ndindex(n, n):
        at = level == j
        if i != j:
            effect = (right[:, i, at] - right[:, i, at].mean(0)).T
            change[:, i, j] = balanced_accuracy(effect, labels[at])
            by_chance[:, i, j] = of_told(effect, labels[at], np.arange(len(effect))).variance
    squares = [change**2 - by_chance, (change.sum(2) ** 2 - by_chance.sum(2)) / (n * (n - 1)) ** 2]
    cells, other = (np.maximum((folds - 1) / folds * x.sum(0), 0.0) for x in squares)
    return np.concatenate([cells.ravel(), [0.0, other.sum()]])


def over_orders(each: list[Estimated], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy (...), the mean over orders of the trials, and its standard error.

    The variance of one order has in it that of the order, which the mean over orders does not have: it is taken off.
    Where all are right, or none, of `n` that were held out, the error is that of one more that is not.
    """
    accuracy = np.stack([e.accuracy for e in each])
    variance = np.stack([e.variance for e in each]).mean(0)
    if len(each) > 1:
        of_order = accuracy.var(0, ddof=1) * (1 - 1 / len(each))
        variance = np.maximum(variance - of_order, variance / len(each))
    mean = accuracy.mean(0)
    share = (mean * n + 1) / (n + 2)
    return mean, np.sqrt(np.where(variance == 0, share * (1 - share) / n, variance))
