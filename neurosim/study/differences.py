"""How much two files of results differ: by bytes, and where numbers may move a little, by their numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.refusals import InputError

TOLERANCE = 1e-6
PICTURES = (".png", ".pdf")
TEXTS = (".csv", ".html", ".svg", ".toml", ".json")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def difference(old: Path, new: Path) -> tuple[float, str]:
    """Return how far apart the numbers of two files are, relative to their range, and what to say of it.

    0 is the same bytes, infinity a difference that is not one of numbers. Pictures in pixels are not compared: the
    numbers that they show, and the same picture in SVG, are.
    """
    if not old.is_file():
        return np.inf, "is missing"
    if not new.is_file():
        return np.inf, "does not come of this study"
    if storage.sha256(old) == storage.sha256(new):
        return 0.0, ""
    if old.suffix in PICTURES:
        return TOLERANCE, "is drawn anew"
    try:
        gap = _of_arrays(_arrays(old), _arrays(new)) if old.suffix not in TEXTS else _of_texts(old, new)
    except InputError:
        return np.inf, "cannot be read"
    return gap, "differs" if np.isinf(gap) else f"by up to {gap:.3g} of its range"


def _of_arrays(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> float:
    if old.keys() != new.keys():
        return np.inf
    return max((gap(old[name], new[name]) for name in old), default=0.0)


def gap(old: np.ndarray, new: np.ndarray) -> float:
    """Return the largest difference of two arrays relative to the range of the first; NaN equals NaN only.

    >>> gap(np.array([1.0, np.nan]), np.array([1.0, np.nan])), gap(np.array([np.nan]), np.array([0.0]))
    (0.0, inf)
    """
    if old.shape != new.shape or old.dtype != new.dtype:
        return np.inf
    if old.dtype.kind not in "biuf":
        return 0.0 if old.tolist() == new.tolist() else np.inf
    a, b = old.astype(float), new.astype(float)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    apart = np.abs(a[~same] - b[~same])
    if not np.isfinite(apart).all():
        return np.inf
    scale = float(np.abs(a[np.isfinite(a)]).max()) or 1.0
    return float(apart.max()) / scale


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return storage.read_weights(path)
    if path.suffix != ".nc":
        raise storage.StorageError(f"{path.name}: not a file of numbers.")
    found = storage.read_dataset(path)
    arrays = {str(name): np.asarray(values.values) for name, values in found.variables.items()}
    said: dict[str, Any] = {"attributes": found.attrs} | {
        f"{n} is": (v.dims, v.attrs) for n, v in found.variables.items()
    }
    return arrays | {name: np.asarray(repr(about)) for name, about in said.items()}


def _of_texts(old: Path, new: Path) -> float:
    """Return the largest difference of the numbers in two texts that are the same otherwise.

    A printed number may move by one in its last digit, as rounding does.
    """
    a, b = storage.read_text(old), storage.read_text(new)
    if NUMBER.sub("", a) != NUMBER.sub("", b):
        return np.inf
    worst = 0.0
    for first, second in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True):
        if first != second:
            x, y = float(first), float(second)
            apart = max(0.0, abs(x - y) - 1.01 * max(_last_digit(first), _last_digit(second)))
            worst = max(worst, apart / max(abs(x), 1e-300), TOLERANCE / 10)
    return worst


def _last_digit(number: str) -> float:
    digits, _, exponent = number.lower().partition("e")
    return float(10.0 ** (int(exponent or 0) - len(digits.partition(".")[2])))
