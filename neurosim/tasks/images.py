"""Image classification: labelled images split into training and test sets that share nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from neurosim.runtime import stream
from neurosim.schema import InputError

Encoder = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class ImageTask:
    """Name the category of an image.

    Parameters
    ----------
    train, test : stimuli (stimulus, ...) with ``category``; no stimulus is in both.
    categories : names of the categories; a label is an index into them.
    encode : optional function (intensities (batch, pixel), generator) -> spikes (batch, time, pixel).
    """

    train: xr.DataArray
    test: xr.DataArray
    categories: tuple[str, ...]
    encode: Encoder | None = None

    def with_encoder(self, encode: Encoder) -> ImageTask:
        """Return the same task with images encoded as spikes, newly drawn for every batch."""
        return replace(self, encode=encode)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (channel,) y, x."""
        return tuple(self.train.shape[1:])

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches in one pass over the training set."""
        return -(-self.train.sizes["stimulus"] // batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield shuffled (inputs, labels) of one epoch; the same (epoch, seed) gives the same batches."""
        rng = stream(seed, "batches", epoch)
        order = rng.permutation(self.train.sizes["stimulus"])
        yield from self._cut(self.train.isel(stimulus=order), batch_size, rng)

    def test_batches(self, batch_size: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (inputs, labels) of the test set in order."""
        yield from self._cut(self.test, batch_size, stream(seed, "test batches"))

    def _cut(
        self, stimuli: xr.DataArray, batch_size: int, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        images = np.asarray(stimuli.values, dtype=np.float32)
        labels = np.searchsorted(np.asarray(self.categories), stimuli["category"].values)
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            inputs = batch if self.encode is None else self.encode(batch.reshape(len(batch), -1), rng)
            yield inputs, labels[start : start + batch_size]


def image_task(
    stimuli: xr.DataArray, *, test: xr.DataArray | None = None, test_fraction: float = 0.2, seed: int = 0
) -> ImageTask:
    """Make a classification task of labelled images.

    Parameters
    ----------
    stimuli : (stimulus, ...) with ``category`` along ``stimulus``.
    test : held-back stimuli; when absent, `test_fraction` of every category is held back.
    test_fraction : share of each category that is held back.
    seed : seed of the split.

    Raises
    ------
    InputError : no ``category``, or a stimulus is in both sets.

    Examples
    --------
    >>> from neurosim.schema import as_stimuli
    >>> images = as_stimuli(np.zeros((10, 4, 4)), coords={"category": ["a", "b"] * 5})
    >>> image_task(images).test.sizes["stimulus"]
    2
    """
    if "category" not in stimuli.coords:
        raise InputError("image_task: the stimuli have no 'category' label; add one with .assign_coords(category=...).")
    category = stimuli["category"].values.astype(str)
    if test is None:
        rng = stream(seed, "split")
        held: list[int] = []
        for name in np.unique(category):
            members = rng.permutation(np.flatnonzero(category == name))
            held += members[: max(1, round(test_fraction * len(members)))].tolist()
        keep = np.setdiff1d(np.arange(len(category)), held)
        stimuli, test = stimuli.isel(stimulus=keep), stimuli.isel(stimulus=sorted(held))
    shared = set(stimuli.stimulus.values.tolist()) & set(test.stimulus.values.tolist())
    if shared:
        raise InputError(f"image_task: {len(shared)} stimuli are in both sets, such as {sorted(shared)[0]!r}.")
    categories = tuple(np.unique(np.concatenate([stimuli["category"].values, test["category"].values]).astype(str)))
    return ImageTask(stimuli, test, categories)
