"""Where neurons are: on a grid, on a ring, or anywhere in a box; in metres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurosim.biophysics.plain_numbers import one_of, real, whole
from neurosim.refusals import InputError
from neurosim.runtime import as_seed, stream


def grid_positions(shape: Sequence[int], spacing: float) -> np.ndarray:
    """Return places on a grid, the last axis first: each in the middle of a square (or cube) of its own.

    Parameters
    ----------
    shape : number of neurons along x and y, or x, y and z. spacing : m.

    Returns
    -------
    (neuron, 2 or 3), m. A torus that closes this world is ``shape`` times `spacing`.

    Raises
    ------
    InputError : a shape that is not two or three whole numbers above 0, a spacing that is not above 0.

    Examples
    --------
    >>> ns.biophysics.grid_positions((2, 2), 1e-3).tolist()
    [[0.0005, 0.0005], [0.0005, 0.0015], [0.0015, 0.0005], [0.0015, 0.0015]]
    """
    sizes = _axes(shape, "grid_positions: shape")
    if (sizes != np.floor(sizes)).any():
        raise InputError(f"grid_positions: shape of whole numbers asked, found {tuple(sizes.tolist())}.")
    places = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in sizes), indexing="ij"), axis=-1)
    return places.reshape(-1, len(sizes)) * _above_zero("grid_positions", "spacing", spacing)


def ring_positions(n: int, radius: float) -> np.ndarray:
    """Return places on a circle around 0, evenly, from the x axis on.

    Parameters
    ----------
    n : number of neurons. radius : m.

    Returns
    -------
    (neuron, 2), m.

    Raises
    ------
    InputError : fewer than one neuron, a radius that is not above 0.

    Examples
    --------
    >>> ns.biophysics.ring_positions(4, 1e-3).round(6).tolist()
    [[0.001, 0.0], [0.0, 0.001], [-0.001, 0.0], [-0.0, -0.001]]
    """
    angles = 2 * np.pi * np.arange(_at_least_one("ring_positions", n)) / n
    return _above_zero("ring_positions", "radius", radius) * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def random_positions(n: int, extent: Sequence[float], *, rng: np.random.Generator | int = 0) -> np.ndarray:
    """Return places anywhere in a box from 0 to `extent`, every place as likely as any other.

    Parameters
    ----------
    n : number of neurons. extent : size of the box along x and y, or x, y and z, m.
    rng : seed, or a generator that draws one.

    Returns
    -------
    (neuron, 2 or 3), m.

    Raises
    ------
    InputError : fewer than one neuron, an extent that is not two or three numbers above 0.

    Examples
    --------
    >>> ns.biophysics.random_positions(100, (1e-3, 1e-3, 1e-4)).max(axis=0).round(4).tolist()
    [0.001, 0.001, 0.0001]
    """
    box = _axes(extent, "random_positions: extent")
    size = (_at_least_one("random_positions", n), len(box))
    return stream(as_seed(rng, "random_positions"), "positions").uniform(0.0, box, size)


def _axes(values: object, what: str) -> np.ndarray:
    axes = real(values, what, "m" if what.endswith("extent") else "1")
    if axes.shape not in ((2,), (3,)) or not (np.isfinite(axes) & (axes > 0)).all():
        found = axes.tolist() if axes.ndim == 1 and len(axes) < 9 else f"shape {axes.shape}"
        raise InputError(f"{what}: two or three numbers above 0 asked, found {found}.")
    return axes


def _at_least_one(who: str, n: Any) -> int:
    size: int = one_of(who, "n", n, whole)
    if size < 1:
        raise InputError(f"{who}: at least one neuron asked, found {size}.")
    return size


def _above_zero(who: str, name: str, value: Any) -> float:
    length: float = one_of(who, name, value)
    if not 0 < length < np.inf:
        raise InputError(f"{who}: {name} above 0 m asked, found {length:g}.")
    return length
