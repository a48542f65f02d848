"""Which labelled stimuli are learned, which held back, and which taken where fewer are asked: one way for all."""

from __future__ import annotations

import numpy as np
import xarray as xr


def held_back(stimuli: xr.DataArray, fraction: float, rng: np.random.Generator) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the stimuli without, and with only, `fraction` of every category, each in the order given.

    Parameters
    ----------
    stimuli : (stimulus, ...) with ``category``. fraction : share of each category, at least one stimulus.
    rng : draws which.

    Examples
    --------
    >>> labels = {"category": ("stimulus", list("aabb")), "stimulus": list("pqrs")}
    >>> stimuli = xr.DataArray(np.arange(4), dims="stimulus", coords=labels)
    >>> kept, held = held_back(stimuli, 0.5, np.random.default_rng(0))
    >>> kept.category.values.tolist(), held.category.values.tolist()
    (['a', 'b'], ['a', 'b'])
    """
    category = stimuli["category"].values.astype(str)
    held: list[int] = []
    for name in np.unique(category):
        members = rng.permutation(np.flatnonzero(category == name))
        held += members[: max(1, round(fraction * len(members)))].tolist()
    keep = np.setdiff1d(np.arange(len(category)), held)
    return stimuli.isel(stimulus=keep), stimuli.isel(stimulus=sorted(held))


def in_turn(category: np.ndarray, n: int) -> np.ndarray:
    """Return which `n` are taken if the categories take turns: the first of each, the second of each, ...

    >>> in_turn(np.array(["a", "a", "a", "b", "b"]), 3).tolist()
    [0, 3, 1]
    """
    names, place = np.unique(category, return_inverse=True)
    turn = np.empty(len(category), dtype=int)
    for k in range(len(names)):
        turn[place == k] = np.arange((place == k).sum())
    return np.asarray(np.lexsort((place, turn))[:n])


def spread_over(stimuli: xr.DataArray, n: int) -> xr.DataArray:
    """Return `n` of the stimuli, categories taking turns, in the order given; the first `n` where there are none.

    Parameters
    ----------
    stimuli : (stimulus, ...), with or without ``category``. n : how many; all where there are not more.

    Examples
    --------
    >>> stimuli = xr.DataArray(np.arange(5), dims="stimulus", coords={"category": ("stimulus", list("aaabb"))})
    >>> spread_over(stimuli, 3).values.tolist()
    [0, 1, 3]
    """
    if "category" not in stimuli.coords:
        return stimuli.isel(stimulus=slice(n))
    return stimuli.isel(stimulus=np.sort(in_turn(stimuli["category"].values.astype(str), n)))
