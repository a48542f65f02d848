"""How far neurons are from each other, in a plane or a volume, which may close on itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from neurosim.biophysics.plain_numbers import convert, number, real
from neurosim.biophysics.random_pairs import bernoulli_pairs
from neurosim.biophysics.wiring import Ends
from neurosim.parameters import check_range
from neurosim.refusals import InputError


def check_profile(rule: Any, width: str) -> None:
    """Convert and check the numbers of a rule that reads distances: its `p`, the name of its width, its `torus`."""
    who = type(rule).__name__
    convert(rule, who, **{"p": number, width: number})
    check_range(rule, **{"p": (1e-12, 1.0), width: (1e-9, 10.0)})
    if rule.torus is not None:
        torus = real(rule.torus, f"{who}: torus")
        if torus.ndim != 1 or len(torus) not in (2, 3) or not (torus > 0).all():
            raise InputError(f"{who}: torus is the size of the world along 2 or 3 axes, m, found {rule.torus!r}.")
        object.__setattr__(rule, "torus", tuple(torus.tolist()))


def pairs_by_distance(
    rule: Any, profile: Callable[[np.ndarray], np.ndarray], ends: Ends, rng: np.random.Generator, progress: bool
) -> scipy.sparse.csr_array:
    """Return pairs drawn each by itself, with probability ``rule.p`` times the profile (0..1) of their distance, m."""
    source, target = ends.source_positions, ends.target_positions
    assert source is not None and target is not None
    _check_world(rule, ends, source, target)

    def share(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return profile(distance(source[sources], target[targets], rule.torus))

    return bernoulli_pairs(ends, rule.p, rng, share=share, progress=progress)


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
