"""Classification: labelled stimuli split into training, validation and test sets that share nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers, is_missing
from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError, labelled
from neurosim.showing import shown
from neurosim.splits import held_back, spread_over

Encoder = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]


@shown
@dataclass(frozen=True)
class ClassificationTask:
    """Name the category of a stimulus: an image, a sentence, a sound, a stream of events.

    Parameters
    ----------
    train, test : stimuli (stimulus, ...) with ``category``; no stimulus is in both.
    categories : names of the categories; a label is an index into them.
    encode : optional function (intensities (batch, pixel), generator) -> spikes (batch, time, pixel).
    validation : stimuli that training watches to know when to stop; none by default.
    augment : optional function (inputs (batch, ...), generator) -> inputs, applied to training batches only.
    mixup : two stimuli of a training batch are mixed with a share drawn from Beta(mixup, mixup), and so are their
        labels, which then are probabilities (batch, category) (https://arxiv.org/abs/1710.09412); 0 is off.
    """

    train: xr.DataArray
    test: xr.DataArray
    categories: tuple[str, ...]
    encode: Encoder | None = None
    validation: xr.DataArray | None = None
    augment: Augmentation | None = None
    mixup: float = 0.0

    def with_encoder(self, encode: Encoder) -> ClassificationTask:
        """Return the same task with images encoded as spikes, newly drawn for every batch."""
        return replace(self, encode=encode)

    def with_augmentation(self, augment: Augmentation | None = None, *, mixup: float = 0.0) -> ClassificationTask:
        """Return the same task with training inputs changed at random, newly for every batch."""
        if not 0 <= mixup < np.inf:
            raise InputError(f"with_augmentation: mixup = {mixup!r}; a finite number of at least 0 is asked.")
        return replace(self, augment=augment, mixup=mixup)

    def reconstruction(self) -> ReconstructionTask:
        """Return the task of giving back what is shown, on the same stimuli."""
        return ReconstructionTask(self)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one stimulus, such as (channel,) y, x."""
        return tuple(self.train.shape[1:])

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of one stimulus by dim, before it is encoded."""
        return {str(dim): n for dim, n in self.train.sizes.items() if dim != "stimulus"}

    @property
    def n_test(self) -> int:
        """Number of test stimuli."""
        return int(self.test.sizes["stimulus"])

    def some(self, part: Literal["train", "test"], n: int) -> xr.DataArray:
        """Return `n` stimuli of a part, categories taking turns, in the order of the part."""
        return spread_over(self.train if part == "train" else self.test, n)

    @property
    def is_sequence(self) -> bool:
        """Whether inputs are sequences (batch, time, ...)."""
        return self.encode is not None or "time" in self.train.dims

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None where inputs have no time of their own."""
        return self.train.attrs.get("time_step") if self.encode is None and "time" in self.train.dims else None

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches in one pass over the training set."""
        return -(-self.train.sizes["stimulus"] // batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield shuffled (inputs, labels) of one epoch from batch `start` on, as (epoch, seed) decide them."""
        rng = stream(seed, "batches", epoch)
        order = rng.permutation(self.train.sizes["stimulus"])
        labels = self._labels(self.train)
        for index in range(self.n_batches(batch_size)):
            chosen = order[index * batch_size : (index + 1) * batch_size]
            inputs, truth = _floats(self.train.values[chosen]), labels[chosen]
            if self.augment is not None:
                inputs = np.asarray(self.augment(inputs, rng), dtype=np.float32)
            if self.mixup:
                inputs, truth = _mixed(inputs, np.eye(len(self.categories), dtype=np.float32)[truth], self.mixup, rng)
            batch = self._encoded(inputs, rng), truth
            if index >= start:
                yield batch

    def test_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (inputs, labels) of the test set in order."""
        yield from self._in_order(self.test, batch_size, stream(seed, "test batches"))

    def validation_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (inputs, labels) of the validation set in order; nothing where there is none."""
        if self.validation is not None:
            yield from self._in_order(self.validation, batch_size, stream(seed, "validation batches"))

    def _in_order(self, stimuli: xr.DataArray, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
        labels = self._labels(stimuli)
        for start in range(0, len(labels), batch_size):
            place = slice(start, start + batch_size)
            yield self._encoded(_floats(stimuli.values[place]), rng), labels[place]

    def _encoded(self, inputs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return inputs if self.encode is None else self.encode(inputs.reshape(len(inputs), -1), rng)

    def _labels(self, stimuli: xr.DataArray) -> np.ndarray:
        place = {name: k for k, name in enumerate(self.categories)}
        names = stimuli["category"].values.astype(str).tolist()
        unknown = next((name for name in names if name not in place), None)
        if unknown is not None:
            raise InputError(f"ClassificationTask: category {unknown!r} of a stimulus is not among the categories.")
        return np.array([place[name] for name in names], dtype=np.int64)


@shown
@dataclass(frozen=True)
class ReconstructionTask:
    """Give back what is shown: the stimuli of a classification task, their labels left aside."""

    stimuli: ClassificationTask

    @property
    def categories(self) -> tuple[str, ...]:
        """There are none."""
        return ()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one stimulus."""
        return self.stimuli.image_shape

    @property
    def is_sequence(self) -> bool:
        """Whether inputs are sequences."""
        return self.stimuli.is_sequence

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None where inputs have no time of their own."""
        return self.stimuli.time_step

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches in one pass over the training set."""
        return self.stimuli.n_batches(batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield (inputs, inputs) of one epoch from batch `start` on."""
        yield from ((x, x) for x, _ in self.stimuli.batches(epoch, batch_size, seed, start))

    def test_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (inputs, inputs) of the test set."""
        yield from ((x, x) for x, _ in self.stimuli.test_batches(batch_size, seed))

    def validation_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (inputs, inputs) of the validation set."""
        yield from ((x, x) for x, _ in self.stimuli.validation_batches(batch_size, seed))


def classification_task(
    stimuli: xr.DataArray,
    *,
    test: xr.DataArray | None = None,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    n_per_category: int | None = None,
    rng: np.random.Generator | int = 0,
) -> ClassificationTask:
    """Make a classification task of labelled stimuli.

    Parameters
    ----------
    stimuli : (stimulus, ...) with ``category`` along ``stimulus``.
    test : held-back stimuli; when absent, `test_fraction` of every category is held back.
    test_fraction : share of each category that is held back.
    validation_fraction : share of each category of the training set that is set aside to watch training.
    n_per_category : train on that many stimuli of each category only, drawn by `rng`: scarce data.
    rng : seed of the splits, or generator from which one is drawn.

    Returns
    -------
    a task whose ``train``, ``test`` and ``validation`` share no stimulus.

    Raises
    ------
    InputError : no ``category``, values that are no finite numbers, fewer than two categories, a category without
        training stimuli, or a stimulus in both sets.

    Examples
    --------
    >>> images = ns.as_stimuli(np.zeros((10, 4, 4)), coords={"category": ["a", "b"] * 5})
    >>> ns.tasks.classification_task(images).test.sizes["stimulus"]
    2
    """
    stimuli, seed = _checked(stimuli), as_seed(rng, "classification_task")
    test = None if test is None else _checked(test)
    if test is not None and (test.dims != stimuli.dims or test.shape[1:] != stimuli.shape[1:]):
        raise InputError(
            f"classification_task: test stimuli are {dict(test.sizes)}, which differs from those to train on, "
            f"{dict(stimuli.sizes)}."
        )
    if test is None:
        _check_share("test_fraction", test_fraction)
        stimuli, test = held_back(stimuli, test_fraction, stream(seed, "split"))
    validation = None
    if validation_fraction:
        _check_share("validation_fraction", validation_fraction)
        stimuli, validation = held_back(stimuli, validation_fraction, stream(seed, "validation split"))
    if n_per_category is not None:
        stimuli = _few(stimuli, n_per_category, stream(seed, "few"))
    shared = set(stimuli.stimulus.values.tolist()) & set(test.stimulus.values.tolist())
    if shared:
        raise InputError(f"classification_task: {len(shared)} stimuli are in both sets, such as {sorted(shared)[0]!r}.")
    categories = tuple(np.unique(stimuli["category"].values.astype(str)).tolist())
    empty = sorted(set(test["category"].values.astype(str)) - set(categories))
    if empty:
        raise InputError(
            f"classification_task: no training stimuli of category {str(empty[0])!r}, which is in the test set."
        )
    if len(categories) < 2:
        raise InputError(f"classification_task: at least two categories asked, found {list(categories)}.")
    return ClassificationTask(stimuli, test, categories, validation=validation)


def _checked(stimuli: xr.DataArray) -> xr.DataArray:
    if not isinstance(stimuli, xr.DataArray) or "stimulus" not in stimuli.dims:
        raise InputError(
            "classification_task: stimuli are as_stimuli(values, coords={'category': labels}), found "
            f"{type(stimuli).__name__}{' of shape ' + str(stimuli.shape) if hasattr(stimuli, 'shape') else ''}."
        )
    check_numbers(stimuli, "classification_task")
    if "category" not in stimuli.coords:
        raise InputError(
            "classification_task: the stimuli have no 'category' label; add one with .assign_coords(category=...)."
        )
    if stimuli.sizes["stimulus"] == 0:
        raise InputError("classification_task: there are no stimuli.")
    if not np.isfinite(stimuli.values).all():
        bad = stimuli.stimulus.values[~np.isfinite(stimuli.values).reshape(len(stimuli), -1).all(1)][0]
        raise InputError(f"classification_task: stimulus {str(bad)!r} holds values that are NaN or infinite.")
    names = stimuli["category"].values
    if any(is_missing(name) for name in names.ravel()):
        raise InputError("classification_task: a stimulus has no category (NaN); name it, or drop the stimulus.")
    return labelled(stimuli, "classification_task", "stimuli")


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise InputError(f"classification_task: {name} = {value!r}; a share between 0 and 1 is asked.")


def _few(stimuli: xr.DataArray, n: int, rng: np.random.Generator) -> xr.DataArray:
    category = stimuli["category"].values.astype(str)
    chosen: list[int] = []
    for name in np.unique(category):
        members = np.flatnonzero(category == name)
        if not 1 <= n <= len(members):
            raise InputError(f"classification_task: {n} stimuli of {str(name)!r} asked, it has {len(members)}.")
        chosen += rng.permutation(members)[:n].tolist()
    return stimuli.isel(stimulus=sorted(chosen))


def _mixed(inputs: np.ndarray, labels: np.ndarray, strength: float, rng: np.random.Generator) -> Batch:
    share = rng.beta(strength, strength, len(inputs)).astype(np.float32)
    other = rng.permutation(len(inputs))
    wide = share.reshape(-1, *(1,) * (inputs.ndim - 1))
    mixed = wide * inputs + (1 - wide) * inputs[other]
    return mixed, share[:, None] * labels + (1 - share[:, None]) * labels[other]


def _floats(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)
