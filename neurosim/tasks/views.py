"""Two views of every stimulus, changed at random: what self-supervised learning tells apart, without labels."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from neurosim.runtime import stream
from neurosim.schema import InputError
from neurosim.tasks.classification import Augmentation, Batch, ClassificationTask


@dataclass(frozen=True)
class TwoViews:
    """Tell which two views are of one stimulus; labels are left aside.

    A batch of ``batch_size`` rows holds two views of half as many stimuli, the first views before the second; what is
    right is the number of the stimulus in the batch.
    """

    stimuli: ClassificationTask
    augment: Augmentation

    categories = ()
    is_sequence = False

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches in one pass over the training set."""
        return self.stimuli.n_batches(_half(batch_size))

    def batches(self, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield (views, numbers) of one epoch from batch `start` on, as (epoch, seed) decide them."""
        for k, (inputs, _) in enumerate(self.stimuli.batches(epoch, _half(batch_size), seed, start), start):
            yield self._views(inputs, stream(seed, "views", epoch, k))

    def test_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (views, numbers) of the test set."""
        for k, (inputs, _) in enumerate(self.stimuli.test_batches(_half(batch_size), seed)):
            yield self._views(inputs, stream(seed, "test views", k))

    def validation_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (views, numbers) of the validation set; nothing where there is none."""
        for k, (inputs, _) in enumerate(self.stimuli.validation_batches(_half(batch_size), seed)):
            yield self._views(inputs, stream(seed, "validation views", k))

    def _views(self, inputs: np.ndarray, rng: np.random.Generator) -> Batch:
        views = [np.asarray(self.augment(inputs, rng), dtype=np.float32) for _ in range(2)]
        if any(view.shape != inputs.shape for view in views):
            found = next(view.shape for view in views if view.shape != inputs.shape)
            raise InputError(f"two_views: augment changes inputs and keeps their shape {inputs.shape}, found {found}.")
        return np.concatenate(views), np.tile(np.arange(len(inputs)), 2)


def two_views(task: ClassificationTask, augment: Augmentation) -> TwoViews:
    """Return the task of telling which two views are of one stimulus (https://arxiv.org/abs/2002.05709).

    Parameters
    ----------
    task : of ``classification_task``, whose labels are left aside, as are its own augmentation and mixing.
    augment : function (inputs (batch, ...), generator) -> inputs, which changes them at random; called twice a batch.

    Returns
    -------
    a task that ``train`` takes with the objective ``NTXent``.

    Raises
    ------
    InputError : another task, one of sequences or of encoded stimuli, or what is no function.

    Examples
    --------
    >>> from neurosim.tasks.augmentation import random_crops
    >>> task = ns.tasks.two_views(ns.tasks.classification_task(ns.load_digits()), random_crops(1))
    >>> views, numbers = next(task.batches(0, 64, 0))
    >>> views.shape, numbers[0] == numbers[32]
    ((64, 8, 8), np.True_)
    """
    if not isinstance(task, ClassificationTask) or task.is_sequence:
        raise InputError(f"two_views: a classification_task of still stimuli is asked, found {type(task).__name__}.")
    if not callable(augment):
        raise InputError(f"two_views: augment is a function (inputs, generator), found {type(augment).__name__}.")
    try:
        inspect.signature(augment).bind(0, 0)
    except TypeError as error:
        raise InputError(f"two_views: augment is a function of (inputs, generator) ({error}).") from None
    return TwoViews(replace(task, augment=None, mixup=0.0), augment)


def _half(batch_size: int) -> int:
    return max(1, batch_size // 2)
