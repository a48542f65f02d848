"""Inference in every time, searchlight or other place of RDMs, as if each stood alone, corrected for all of them."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from neurosim.runtime import track
from neurosim.schema import InputError
from neurosim.similarity.inference_options import correct_p
from neurosim.similarity.parts import UndefinedError

RESULT = ("model", "model_other", "bound", "side")  # dims of what is inferred
CORRECTED = ("p_zero", "p_pair", "p_ceiling")
Alone = Callable[[xr.DataArray, np.random.Generator], xr.Dataset]


def lead_of(data: object) -> tuple[str, ...]:
    """Return the dims of RDMs that are places: neither subjects nor stimuli."""
    own = ("subject", "stimulus", "stimulus_other")
    return tuple(str(d) for d in data.dims if d not in own) if isinstance(data, xr.DataArray) else ()


def in_every_place(
    alone: Alone, data: xr.DataArray, *, fewest: int, correction: str, rng: np.random.Generator, progress: bool
) -> xr.Dataset:
    """Return what `alone` infers in each place, (*places, ...), NaN with a reason where RDMs are not defined there.

    Subjects without an RDM in a place (all entries NaN) are left out there; `fewest` are needed. Every place has the
    same folds and draws.
    """
    lead = lead_of(data)
    taken = [d for d in lead if d in RESULT]
    if taken:
        raise InputError(f"infer: the data have a dim {taken[0]!r}, as the result has of its own; .rename it.")
    data = data.transpose(*lead, "subject", "stimulus", "stimulus_other")
    if "subject" not in data.coords:
        data = data.assign_coords(subject=np.arange(data.sizes["subject"]))
    shape = tuple(data.sizes[d] for d in lead)
    found: dict[tuple[int, ...], xr.Dataset] = {}
    why = np.full(shape, "", dtype=object)
    n_subjects = np.zeros(shape, dtype=int)
    before = copy.deepcopy(rng)
    for place in track(list(np.ndindex(shape)), "places", progress=progress):
        here = data.isel(dict(zip(lead, place, strict=True)), drop=True)
        here = here.isel(subject=has_rdm(here.values))
        n_subjects[place] = here.sizes["subject"]
        if n_subjects[place] < fewest:
            why[place] = f"{n_subjects[place]} subjects were measured"
            continue
        rng.bit_generator.state = before.bit_generator.state
        try:
            found[place] = alone(here, rng)
        except UndefinedError as error:
            why[place] = str(error).partition(": ")[2]
    if not found:
        raise UndefinedError(f"infer: no place of {lead} can be inferred in; in the first, {why.ravel()[0]}")
    result = _stacked(found, data, lead)
    result["n_subjects"] = (lead, n_subjects)
    if (why != "").any():
        result["undefined"] = (lead, why.astype(str))
    return _corrected(result, correction)


def has_rdm(values: np.ndarray) -> np.ndarray:
    """Which RDMs (S, K, K) have any entry off the diagonal that is known."""
    known = np.isfinite(values) & ~np.eye(values.shape[-1], dtype=bool)
    found: np.ndarray = known.any((-2, -1))
    return found


def _stacked(found: dict[tuple[int, ...], xr.Dataset], data: xr.DataArray, lead: tuple[str, ...]) -> xr.Dataset:
    """All places as one Dataset, NaN where a place or one of its subjects has nothing."""
    shape, subjects = tuple(data.sizes[d] for d in lead), data["subject"].values
    each = {place: result.reindex(subject=subjects) for place, result in found.items()}
    names = list(dict.fromkeys(name for result in each.values() for name in result.data_vars))
    stacked: dict[Any, Any] = {}
    for name in names:
        like = next(result[name] for result in each.values() if name in result)
        values = np.full((*shape, *like.shape), np.nan)
        for place, result in each.items():
            if name in result:
                values[place] = result[name].values
        stacked[name] = ((*lead, *like.dims), values, like.attrs)
    first = next(iter(each.values()))
    digest = hashlib.sha256("".join(r.attrs["inputs_sha256"] for r in each.values()).encode()).hexdigest()
    attrs = {k: v for r in each.values() for k, v in r.attrs.items()} | {"inputs_sha256": digest}
    own = {k: v for k, v in data.coords.items() if v.dims and set(v.dims) <= set(lead)}
    sides = {k: v for r in each.values() for k, v in r.coords.items()}
    return xr.Dataset(stacked, coords={**first.coords, **sides, **own}, attrs=attrs)


def _corrected(result: xr.Dataset, correction: str) -> xr.Dataset:
    """Return the result with p values corrected for all models, or pairs of models, of all places."""
    for name in CORRECTED:
        if name not in result:
            continue
        p = result[name].values.copy()
        known = np.isfinite(p)
        if name == "p_pair":
            m = p.shape[-1]
            known &= np.triu(np.ones((m, m), dtype=bool), 1)
        corrected = np.where(np.isfinite(p), 1.0, np.nan)
        if known.any():
            corrected[known] = correct_p(p[known], correction)
        if name == "p_pair":
            corrected = np.where(np.triu(np.ones((m, m), dtype=bool)), corrected, corrected.swapaxes(-1, -2))
        result[f"{name}_corrected"] = (result[name].dims, corrected)
    return result
