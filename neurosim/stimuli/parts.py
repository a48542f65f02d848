"""Which of the labelled stimuli of a source are given: those held back, those learned, so many of every category."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError, labelled, suggest
from neurosim.splits import held_back, in_turn

Part = Literal["test", "train", "all"]
PARTS = ("test", "train", "all")
TEST_SHARE = 0.2
Rng = np.random.Generator | int


@dataclass(frozen=True)
class PartOptions:
    """Which of its labelled stimuli a source gives.

    Parameters
    ----------
    part : "test", those held back from training: by the official split where there is one, else by the seed, a fifth of
        every category; "train", the others; or "all".
    n_per_category : only the first of every category of the part, sorted by category; all, as they come, when absent.
    n : only so many of the part, before those of every category are taken: the first of each category, the second of
        each category, ...
    """

    part: Part = "test"
    n_per_category: int | None = 10
    n: int | None = None


def part_of(stimuli: xr.DataArray, options: PartOptions, rng: Rng, asked_by: str) -> xr.DataArray:
    """Return the part that the options ask for of stimuli that have no official split."""
    check_part(options, asked_by)
    if options.part != "all":
        if "category" not in stimuli.coords:
            raise InputError(f"{asked_by}: stimuli without categories have no part {options.part!r}; ask for 'all'.")
        kept, held = held_back(stimuli, TEST_SHARE, stream(as_seed(rng, asked_by), "split"))
        stimuli = held if options.part == "test" else kept
    return some_of(stimuli, options)


def of_parts(load: Callable[[str], xr.DataArray], options: PartOptions, asked_by: str) -> xr.DataArray:
    """Return the part that the options ask for of stimuli that have an official split, loaded by its name."""
    check_part(options, asked_by)
    if options.part != "all":
        return some_of(load(options.part), options)
    return some_of(xr.concat([load("train"), load("test")], "stimulus"), options)


def some_of(stimuli: xr.DataArray, options: PartOptions) -> xr.DataArray:
    """Return the first, and of these the first of every category, as many as asked."""
    if options.n is not None:
        turns = "category" in stimuli.coords
        stimuli = stimuli[in_turn(stimuli["category"].values, options.n) if turns else slice(options.n)]
    return stimuli if options.n_per_category is None else balanced(stimuli, options.n_per_category)


def check_part(options: PartOptions, asked_by: str) -> None:
    """Refuse a part that there is not, and numbers that are none."""
    for name, n in (("n", options.n), ("n_per_category", options.n_per_category)):
        if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
            raise InputError(f"{asked_by}: {name} = {n!r}; a whole number of at least 1 is asked.")
    if options.part not in PARTS:
        raise InputError(
            f"{asked_by}: no part {options.part!r}; known: {', '.join(PARTS)}.{suggest(options.part, PARTS)}"
        )


def parts_read(options: PartOptions) -> tuple[str, ...]:
    """Return the official parts that are read.

    >>> parts_read(PartOptions("all"))
    ('train', 'test')
    """
    return ("train", "test") if options.part == "all" else (options.part,)


def size_of(options: PartOptions, n_categories: int, sizes: Mapping[str, int]) -> int:
    """Return how many stimuli are given, of parts of known sizes.

    >>> size_of(PartOptions(), 10, {"train": 60, "test": 20})
    100
    """
    if options.n_per_category is not None:
        return options.n_per_category * n_categories
    whole = sum(sizes[part] for part in parts_read(options))
    return whole if options.n is None else min(whole, options.n)


def balanced(stimuli: xr.DataArray, n_per_category: int) -> xr.DataArray:
    """Return the first `n_per_category` stimuli of every category, sorted by category.

    Parameters
    ----------
    stimuli : (stimulus, ...) with ``category``. n_per_category : how many of each.

    Returns
    -------
    stimuli (stimulus, ...).

    Raises
    ------
    InputError : no label ``category``, or a category with fewer stimuli.

    Examples
    --------
    >>> images = ns.as_stimuli(np.zeros((4, 2, 2)), ids=list("pqrs"), coords={"category": list("baab")})
    >>> ns.stimuli.balanced(images, 1).stimulus.values.tolist()
    ['q', 'p']
    """
    stimuli = labelled(stimuli, "balanced", "stimuli")
    whole_number = isinstance(n_per_category, int | np.integer) and not isinstance(n_per_category, bool)
    if "category" not in stimuli.coords or not whole_number or n_per_category < 1:
        raise InputError(
            "balanced: stimuli with a label 'category' and 1 or more of each asked; as_stimuli(coords=...)."
        )
    category = stimuli["category"].values
    picks = [np.flatnonzero(category == c)[:n_per_category] for c in np.unique(category)]
    short = [str(c) for c, p in zip(np.unique(category), picks, strict=True) if len(p) < n_per_category]
    if short:
        raise InputError(f"balanced: fewer than {n_per_category} stimuli in {short[:3]}; ask for fewer.")
    return stimuli.isel(stimulus=np.concatenate(picks))
