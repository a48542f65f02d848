"""When courses rise and are highest, between samples."""

from __future__ import annotations

import numpy as np


def peak_of(courses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return place, height and nearest sample (N,) of the highest points of courses (N, T), by the parabola through 3.

    >>> [found.round(6).tolist() for found in peak_of(np.array([[0.0, 3.0, 4.0, 3.0]]))]
    [[2.0], [4.0], [2]]
    """
    nearest = courses.argmax(-1)
    middle = np.clip(nearest, 1, courses.shape[-1] - 2)
    left, top, right = (np.take_along_axis(courses, (middle + k)[:, None], -1)[:, 0] for k in (-1, 0, 1))
    bend = left - 2 * top + right
    inside = (nearest == middle) & (bend < 0)
    shift = np.where(inside, 0.5 * (left - right) / np.where(inside, bend, 1.0), 0.0)
    height = np.where(inside, top - 0.25 * (left - right) * shift, courses.max(-1))
    return nearest + shift, height, nearest


def onset_of(courses: np.ndarray, fraction: float) -> np.ndarray:
    """Return where (N,) courses (N, T) last rise through a fraction of their peak before it; NaN if never below it.

    >>> onset_of(np.array([[0.0, 0.0, 4.0, 0.0], [3.0, 4.0, 3.5, 0.0]]), 0.5).tolist()
    [1.5, nan]
    """
    _, height, nearest = peak_of(courses)
    level = fraction * height
    place = np.arange(courses.shape[-1])
    below = (courses < level[:, None]) & (place <= nearest[:, None])
    last = np.where(below, place, -1).max(-1)
    after = np.minimum(last + 1, courses.shape[-1] - 1)
    low, high = (np.take_along_axis(courses, k[:, None], -1)[:, 0] for k in (np.maximum(last, 0), after))
    rise = np.where(high > low, high - low, 1.0)
    return np.where(last >= 0, last + (level - low) / rise, np.nan)
