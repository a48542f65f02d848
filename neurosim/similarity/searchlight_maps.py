"""Maps of scores: the RDM of every searchlight is made, compared with models and forgotten, block by block."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurosim.refusals import asked_by
from neurosim.runtime import track
from neurosim.schema import InputError, check_responses, labelled, same_stimuli
from neurosim.similarity.covariances import precision_factor
from neurosim.similarity.inference import named_models
from neurosim.similarity.kernels.arrays import n_block, upper
from neurosim.similarity.kernels.comparisons import cross_scores, is_flat
from neurosim.similarity.method import METHODS, Method
from neurosim.similarity.metric import METRICS
from neurosim.similarity.neighbours import PLACE, ROUNDING, places_of
from neurosim.similarity.parts import UndefinedError, as_searchlights
from neurosim.similarity.rdms import Request, rdms_and_reasons
from neurosim.similarity.runs import precision_of_part
from neurosim.similarity.zero import why_zero_means_nothing

log = logging.getLogger(__name__)
BLOCK_BYTES = 2**25


def searchlight_scores(
    responses: xr.DataArray,
    by: xr.DataArray | np.ndarray,
    models: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    metric: str = "correlation",
    method: str = "spearman",
    folds: str | None = None,
    precision: xr.DataArray | np.ndarray | Mapping[Any, Any] | str | None = None,
    block: int | None = None,
    progress: bool = True,
) -> xr.DataArray:
    """Return how like models the RDM of every searchlight is, holding the RDMs of one block of them at a time.

    (https://doi.org/10.1073/pnas.0600244103)

    The scores are those of ``compare_rdms(compute_rdm(responses, metric, by=by), models, method)``, and memory is that
    of the responses and of a block: 50,000 searchlights of 123 voxels with 92 stimuli take 0.3 GB beside the responses.
    Responses that are lazy are read block by block too.

    Parameters
    ----------
    responses : (..., stimulus, [trial,] unit), as :func:`compute_rdm` takes them. Trials that were not measured (NaN)
        do not enter, as it says.
    by : searchlights (searchlight, member), from :func:`searchlights` or :func:`surface_searchlights`: indices of
        units, -1 where a searchlight has fewer.
    models : RDMs (model, stimulus, stimulus_other), or a mapping from names to RDMs, of the stimuli in any order.
    metric, folds, precision : how RDMs are made, as :func:`compute_rdm` says; a precision of all units is diagonal, or
        the name of a shrinkage, by which every searchlight estimates its own.
    method : how RDMs are compared, as :func:`compare_rdms` says.
    block : searchlights at once; by default as many as have 32 MB of RDMs.
    progress : show a bar over blocks.

    Returns
    -------
    scores (searchlight, ..., model), with the labels of the searchlights, such as their places ``x``, ``y``, ``z`` in
        m. Where a searchlight has no RDM, or one that does not vary, they are NaN and a coordinate ``undefined`` says
        why. The attr ``zero`` says where unrelated RDMs score above 0.

    Raises
    ------
    InputError : what :func:`compute_rdm` and :func:`compare_rdms` refuse, a model that does not vary, searchlights of
        units in other places, or not a single searchlight with a score.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> responses, places = rng.normal(size=(6, 30)), rng.normal(size=(30, 3))
    >>> near = ns.similarity.searchlights(places, 1.5)
    >>> model = ns.compute_rdm(responses[:, near[4][near[4] >= 0].values])
    >>> scores = ns.similarity.searchlight_scores(responses, near, {"its own": model})
    >>> scores.dims, round(float(scores[4, 0]), 6)
    (('searchlight', 'model'), 1.0)
    """
    who = "searchlight_scores"
    asked = METHODS.find(method, who)
    with asked_by(who, "compute_rdm", "infer", "compare_rdms"):
        request = Request(METRICS.find(metric, who), folds, None)
        given = labelled(responses, who) if not isinstance(responses, xr.DataArray) else responses
        given = check_responses(given, who, leading=True, missing="trial" in given.dims)
        every = as_searchlights(by, given.sizes["unit"])
        _check_places(every, given)
        rdms = _models(models, given, asked)
        noise = _Noise(precision, given)
        n = given.sizes["stimulus"]
        step = n_block(n * n, BLOCK_BYTES) if block is None else _whole(block)
        rows, reasons = [], []
        for start in track(range(0, len(every), step), "searchlights", progress=progress):
            found, why = _block(given, every[start : start + step], request, noise)
            scores, why = _scores(found, why, rdms.values, asked)
            rows.append(scores)
            reasons.append(why)
    lead = [str(d) for d in found.dims[1:-2]]
    values, undefined = np.concatenate(rows), np.concatenate(reasons)
    result = xr.DataArray(values, dims=(str(every.dims[0]), *lead, "model"), coords={"model": rdms["model"].values})
    along = {k: v for k, v in every.coords.items() if v.dims == every.dims[:1]}
    along |= {k: v for k, v in given.coords.items() if v.dims and set(v.dims) <= set(lead)}
    result = result.assign_coords(along).assign_attrs(quantity="score", method=asked.name, metric=metric)
    reason = why_zero_means_nothing(asked)
    result = result if reason is None else result.assign_attrs(zero=f"unrelated RDMs score above 0: {reason}")
    return _explained(result, xr.DataArray(undefined, dims=result.dims[:-1]))


def _check_places(by: xr.DataArray, responses: xr.DataArray) -> None:
    """Refuse searchlights of other units: around each stands the unit whose name or number, and whose place, it has."""
    if not all(axis in x.coords and x[axis].ndim == 1 for x in (by, responses) for axis in PLACE):
        return
    own, theirs = places_of(by, "searchlight_scores"), places_of(responses, "searchlight_scores")
    centre = np.arange(len(own))
    dim = str(by.dims[0])
    if dim in by.coords and "unit" in responses.coords:
        number = {name: k for k, name in enumerate(responses["unit"].values.astype(str).tolist())}
        centre = np.array([number.get(name, -1) for name in by[dim].values.astype(str).tolist()])
    elif len(own) != len(theirs):
        apart = np.linalg.norm(theirs[by.values] - own[:, None], axis=2)
        centre = by.values[np.arange(len(own)), np.where(by.values < 0, np.inf, apart).argmin(1)]
    far = (centre < 0) | (np.abs(theirs[centre] - own) > ROUNDING * np.abs(theirs).max()).any(1)
    far |= ~(by.values == centre[:, None]).any(1)
    if far.any():
        raise InputError(
            f"searchlight_scores: {int(far.sum())} of {len(far)} searchlights have other places x, y, z than the units "
            "around which they stand; make them from these responses, searchlights(responses, radius)."
        )


class _Noise:
    """The precision of all units, of which each block has its own part."""

    def __init__(self, precision: Any, responses: xr.DataArray) -> None:
        self.given = precision
        if precision is None or isinstance(precision, str | Mapping):
            return
        factor = precision_factor(precision, responses, "compute_rdm")
        if factor.ndim == 2:
            raise InputError(
                "compute_rdm: a precision of all units is not that of a searchlight; name a shrinkage, "
                "precision='schaefer_strimmer', or pass a diagonal one."
            )
        self.given = np.asarray(factor) ** 2

    def of(self, units: np.ndarray) -> Any:
        """Return what a block of these units is whitened by."""
        if isinstance(self.given, Mapping):
            return precision_of_part(self.given, units)
        return self.given[units] if isinstance(self.given, np.ndarray) else self.given


def _block(
    responses: xr.DataArray, by: xr.DataArray, request: Request, noise: _Noise
) -> tuple[xr.DataArray, np.ndarray]:
    """RDMs of some searchlights, of the units that are in any of them, and why some are NaN."""
    members = by.values
    units, inside = np.unique(members[members >= 0], return_inverse=True)
    own = np.full(members.shape, -1)
    own[members >= 0] = inside
    part = responses.isel(unit=units).compute()
    asked = Request(request.metric, request.folds, noise.of(units))
    rdms, why = rdms_and_reasons(part, asked, xr.DataArray(own, dims=by.dims), progress=False)
    assert why is not None
    return rdms, np.asarray(why.values, dtype=object)


def _scores(rdms: xr.DataArray, why: np.ndarray, models: np.ndarray, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Scores (searchlight, ..., model) of RDMs, NaN where one is not defined or does not vary, and why."""
    n, lead = rdms.shape[-1], rdms.shape[:-2]
    values, reasons = rdms.values.reshape(-1, n, n), why.ravel().copy()
    known = reasons == ""
    level = np.zeros(len(values), dtype=bool)
    level[known] = is_flat(upper(values[known]), method)
    reasons[level] = f"the RDM does not vary, so {method.name} is not defined"
    known &= ~level
    scores = np.full((len(values), len(models)), np.nan)
    if known.any():
        scores[known] = cross_scores(values[known], models, method)
    lost = known & ~np.isfinite(scores).all(1)
    reasons[lost] = "its second moment has no positive part"
    scores[lost] = np.nan
    return scores.reshape(*lead, len(models)), reasons.reshape(lead)


def _models(models: Any, responses: xr.DataArray, method: Method) -> xr.DataArray:
    """RDMs (model, stimulus, stimulus_other) in the order of the stimuli of the responses."""
    named = {name: same_stimuli(responses, rdm, "searchlight_scores") for name, rdm in named_models(models).items()}
    for name, rdm in named.items():
        if rdm.ndim > 2:
            raise InputError(f"searchlight_scores: model {name!r} has dims {rdm.dims[:-2]}; give fixed models.")
        if is_flat(upper(rdm.values[None]), method).any():
            raise InputError(
                f"searchlight_scores: model {name!r} does not vary, so {method.name} is not defined; leave it out."
            )
    stacked = np.stack([rdm.values for rdm in named.values()]).astype(float)
    return xr.DataArray(stacked, dims=("model", "stimulus", "stimulus_other"), coords={"model": list(named)})


def _whole(block: object) -> int:
    if isinstance(block, bool) or not isinstance(block, int | np.integer) or block < 1:
        raise InputError(f"searchlight_scores: block is a number of searchlights of 1 or more, found {block!r}.")
    return int(block)


def _explained(scores: xr.DataArray, why: xr.DataArray) -> xr.DataArray:
    lost = int((why != "").sum())
    if not lost:
        return scores
    first = next(w for w in why.values.ravel() if w)
    if lost == why.size:
        raise UndefinedError(f"searchlight_scores: no score of {why.size} searchlights is defined; {first}")
    log.warning("searchlight_scores: %d of %d scores are NaN; the first: %s", lost, why.size, first)
    return scores.assign_coords(undefined=why.astype(str))
