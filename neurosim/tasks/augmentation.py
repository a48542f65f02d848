"""Random changes of training inputs, whole batches at once: functions (inputs (batch, ...), generator) -> inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from neurosim.schema import InputError

Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Shown = TypeVar("Shown")


def random_crops(padding: int) -> Augmentation:
    """Return an augmentation that moves images (batch, ..., y, x) by up to `padding` pixels, zeros coming in.

    >>> random_crops(1)(np.ones((2, 4, 4)), np.random.default_rng(0)).shape
    (2, 4, 4)
    """
    if padding < 1:
        raise InputError(f"random_crops: padding = {padding}; at least 1 pixel is asked.")

    def crop(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        y, x = images.shape[-2:]
        wide = np.pad(images, [(0, 0)] * (images.ndim - 2) + [(padding, padding)] * 2)
        top, left = rng.integers(0, 2 * padding + 1, (2, len(images)))
        return np.stack([image[..., i : i + y, j : j + x] for image, i, j in zip(wide, top, left, strict=True)])

    return crop


def random_flips(probability: float = 0.5) -> Augmentation:
    """Return an augmentation that mirrors images (batch, ..., y, x) left to right."""

    def flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chosen = (rng.random(len(images)) < probability).reshape(-1, *(1,) * (images.ndim - 1))
        return np.where(chosen, images[..., ::-1], images)

    return flip


def random_turns(degrees: float, zoom: float = 0.0) -> Augmentation:
    """Return an augmentation that turns images (batch, ..., y, x) by up to `degrees` and scales them by 1 +- `zoom`.

    Values between pixels are interpolated linearly; zeros come in from outside.
    """

    def turn(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        n, (y, x) = len(images), images.shape[-2:]
        angle = np.deg2rad(rng.uniform(-degrees, degrees, n))
        scale = 1 / rng.uniform(1 - zoom, 1 + zoom, n)
        rows, columns = np.mgrid[:y, :x] - np.array([(y - 1) / 2, (x - 1) / 2]).reshape(2, 1, 1)
        cos, sin = (scale * np.cos(angle)).reshape(-1, 1, 1), (scale * np.sin(angle)).reshape(-1, 1, 1)
        return _sampled(images, cos * rows - sin * columns + (y - 1) / 2, sin * rows + cos * columns + (x - 1) / 2)

    return turn


def pixel_noise(sd: float) -> Augmentation:
    """Return an augmentation that adds independent Gaussian noise of standard deviation `sd`."""

    def noisy(inputs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(inputs + sd * rng.standard_normal(inputs.shape, dtype=np.float32))

    return noisy


def dropped_words(probability: float, unknown: int = 1) -> Augmentation:
    """Return an augmentation of sentences (batch, word) that turns words into the unknown word; 0 stays the filling."""

    def drop(words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where((rng.random(words.shape) < probability) & (words > 0), unknown, words)

    return drop


def random_shifts(n_steps: int) -> Augmentation:
    """Return an augmentation of sequences (batch, time, ...) that moves them by up to `n_steps`, zeros coming in."""

    def shift(sequences: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        wide = np.pad(sequences, [(0, 0), (n_steps, n_steps)] + [(0, 0)] * (sequences.ndim - 2))
        starts = rng.integers(0, 2 * n_steps + 1, len(sequences))
        return np.stack([s[k : k + sequences.shape[1]] for s, k in zip(wide, starts, strict=True)])

    return shift


def chained(
    *augmentations: Callable[[Shown, np.random.Generator], Shown],
) -> Callable[[Shown, np.random.Generator], Shown]:
    """Return an augmentation of inputs, or a change of events, that applies several, one after another."""

    def all_of_them(inputs: Shown, rng: np.random.Generator) -> Shown:
        for augment in augmentations:
            inputs = augment(inputs, rng)
        return inputs

    return all_of_them


def _sampled(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return images at fractional places (batch, y, x), by bilinear interpolation."""
    y, x = images.shape[-2:]
    wide = np.pad(images, [(0, 0)] * (images.ndim - 2) + [(1, 1)] * 2)
    rows, columns = np.clip(rows + 1, 0, y + 0.999), np.clip(columns + 1, 0, x + 0.999)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    batch = np.arange(len(images)).reshape(-1, 1, 1)
    found = 0.0
    for i, by_row in ((top, 1 - down), (top + 1, down)):
        for j, by_column in ((left, 1 - right), (left + 1, right)):
            share = by_row * by_column
            values = np.moveaxis(wide, (0, -2, -1), (0, 1, 2))[batch, i, j]
            found = found + share.reshape(*share.shape, *(1,) * (values.ndim - 3)) * values
    return np.moveaxis(np.asarray(found), (1, 2), (-2, -1)).astype(images.dtype)
