"""How far neurons are from each other, in a plane or a volume, which may close on itself; and pairs drawn by that.

Neurons are taken by the cells of a grid. No pair of two cells is likelier than their nearest corners would be: so many
are drawn, and each is kept with the share that its own distance has of that. Far cells cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse

from neurosim.biophysics.plain_numbers import convert, number, real
from neurosim.biophysics.random_pairs import chosen
from neurosim.biophysics.wiring import Ends
from neurosim.parameters import check_range
from neurosim.refusals import InputError
from neurosim.runtime import track
from neurosim.units import plain_field

FEW, LEAST = 10**6, 1e-12
MOST = {2: 16, 3: 6}  # cells along each axis


def check_profile(rule: Any, width: str) -> None:
    """Convert and check the numbers of a rule that reads distances: its `p`, the name of its width, its `torus`."""
    who = type(rule).__name__
    convert(rule, who, **{"p": number, width: number})
    check_range(rule, **{"p": (1e-12, 1.0), width: (1e-9, 10.0)})
    if rule.torus is not None:
        torus = real(plain_field(rule, "torus"), f"{who}: torus")
        if torus.ndim != 1 or len(torus) not in (2, 3) or not (torus > 0).all():
            raise InputError(f"{who}: torus is the size of the world along 2 or 3 axes, m, found {rule.torus!r}.")
        object.__setattr__(rule, "torus", tuple(torus.tolist()))


def pairs_by_distance(
    rule: Any, profile: Callable[[Any], Any], scale: float, ends: Ends, rng: np.random.Generator, progress: bool
) -> scipy.sparse.csr_array:
    """Return pairs drawn each by itself, with probability ``rule.p`` times the profile of their distance (m).

    The profile falls from 1 on; `scale` is the distance over which it does.
    """
    source, target = ends.source_positions, ends.target_positions
    assert source is not None and target is not None
    _check_world(rule, ends, source, target)
    all_rows, all_columns = [], []
    pairs = list(product(_cells(source, scale, ends), _cells(target, scale, ends)))
    for a, b in track(pairs, ends.label, progress=progress):
        most = max(rule.p * float(profile(_gap(source[a], target[b], rule.torus))), LEAST)
        for flat in chosen(len(a) * len(b), most, rng):
            rows, columns = a[flat // len(b)], b[flat % len(b)]
            share = rule.p * profile(distance(source[rows], target[columns], rule.torus)) / most
            kept = rng.random(len(rows)) < share
            kept &= (rows != columns) | (not ends.skips_itself)
            all_rows.append(rows[kept])
            all_columns.append(columns[kept])
    rows, columns = (np.concatenate(found).astype(np.int32) for found in (all_rows, all_columns))
    ones = np.ones(len(rows), np.int8)
    return scipy.sparse.coo_array((ones, (rows, columns)), shape=(ends.n_source, ends.n_target)).tocsr()


def _cells(places: np.ndarray, scale: float, ends: Ends) -> list[np.ndarray]:
    """Return the neurons of each cell that has any; few pairs are one cell."""
    if ends.n_source * ends.n_target < FEW:
        return [np.arange(len(places), dtype=np.int32)]
    low, width = places.min(0), np.maximum(np.ptp(places, axis=0), 1e-12)
    n_cells = np.clip(np.ceil(width / scale), 1, MOST[places.shape[1]]).astype(int)
    which = np.minimum(((places - low) / width * n_cells).astype(int), n_cells - 1)
    cell = np.ravel_multi_index(tuple(which.T), tuple(n_cells))
    order = np.argsort(cell, kind="stable").astype(np.int32)
    return np.split(order, np.flatnonzero(np.diff(cell[order])) + 1)


def _gap(a: np.ndarray, b: np.ndarray, torus: tuple[float, ...] | None) -> float:
    """Return how near the boxes around two sets of places come to each other, m."""
    apart = np.maximum(b.min(0) - a.max(0), a.min(0) - b.max(0))
    if torus is not None:
        size = np.array(torus)
        round_it = np.minimum(size - (a.max(0) - b.min(0)), size - (b.max(0) - a.min(0)))
        apart = np.minimum(apart, np.maximum(round_it, 0.0))
    return float(np.sqrt((np.maximum(apart, 0.0) ** 2).sum()))


def distance(a: np.ndarray, b: np.ndarray, torus: tuple[float, ...] | None = None) -> np.ndarray:
    """Return the distances between places (..., axis), m; the shortest way round where the world is a torus.

    >>> distance(np.array([0.0, 0.0]), np.array([0.9, 0.0]), (1.0, 1.0)).round(3).item()
    0.1
    """
    apart = np.abs(a - b)
    if torus is not None:
        apart = np.minimum(apart, np.array(torus) - apart)
    found: np.ndarray = np.sqrt((apart**2).sum(-1))
    return found


def _check_world(rule: Any, ends: Ends, source: np.ndarray, target: np.ndarray) -> None:
    axes = [source.shape[1], target.shape[1], *([] if rule.torus is None else [len(rule.torus)])]
    if len(set(axes)) > 1:
        words = ", ".join(map(str, axes))
        raise InputError(f"{ends.who}: positions (and torus) with as many axes asked, found {words}.")
    both = np.concatenate([source, target])
    if rule.torus is not None and (np.ptp(both, axis=0) > np.array(rule.torus) * (1 + 1e-9)).any():
        reach = ", ".join(f"{x:g}" for x in np.ptp(both, axis=0))
        raise InputError(f"{ends.who}: the neurons reach over {reach} m, which is more than the torus {rule.torus}.")
