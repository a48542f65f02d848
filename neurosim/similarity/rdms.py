"""RDMs of responses: how differently a subject answers every two stimuli."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.schema import InputError, as_rdm, check_responses, suggest
from neurosim.similarity import kernels

METRICS = (*kernels.METRICS, "crossnobis")


def compute_rdm(responses: xr.DataArray, metric: str = "correlation", *, by: str | None = None) -> xr.DataArray:
    """Compute the representational dissimilarity matrix of responses (https://doi.org/10.3389/neuro.06.004.2008).

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit); a ``time`` dim rides along. Trials are averaged, or are the folds
        of "crossnobis". A bare array (stimulus, unit) is accepted.
    metric : "euclidean" (squared, over the number of units), "correlation", "cosine" or "crossnobis".
    by : a label along ``unit`` such as "layer": one RDM for each of its values, along a new dim of that name.

    Returns
    -------
    RDM ([by,] [time,] stimulus, stimulus_other).

    Raises
    ------
    InputError : unknown metric, fewer than 3 stimuli, one trial for crossnobis, or patterns without variation, for
        which a correlation is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> compute_rdm(rng.normal(size=(5, 20))).shape
    (5, 5)
    """
    if metric not in METRICS:
        raise InputError(f"compute_rdm: no metric {metric!r}. Metrics: {', '.join(METRICS)}.{suggest(metric, METRICS)}")
    if not isinstance(responses, xr.DataArray):
        responses = xr.DataArray(np.asarray(responses), dims=("stimulus", "unit"))
    responses = check_responses(responses, "compute_rdm")
    if by is None:
        return _rdm(responses, metric, "the responses")
    if by not in responses.coords or responses[by].dims != ("unit",):
        labels = [str(k) for k, v in responses.coords.items() if v.dims == ("unit",)]
        raise InputError(f"compute_rdm: no label {by!r} along unit. Labels: {', '.join(labels)}.{suggest(by, labels)}")
    values = responses[by].values
    names = list(dict.fromkeys(values.tolist()))
    parts = [_rdm(responses.isel(unit=np.flatnonzero(values == n)), metric, f"{by} {n!r}") for n in names]
    return xr.concat(parts, dim=xr.DataArray(names, dims=by, name=by))


def _rdm(responses: xr.DataArray, metric: str, name: str) -> xr.DataArray:
    if metric == "crossnobis":
        if responses.sizes.get("trial", 1) < 2:
            raise InputError(f"compute_rdm: crossnobis of {name} needs a 'trial' dim with at least 2 trials.")
        folds = responses.transpose(..., "trial", "stimulus", "unit")
        values = kernels.crossnobis(np.asarray(folds.values, dtype=float))
    else:
        mean = responses.mean("trial") if "trial" in responses.dims else responses
        patterns = mean.transpose(..., "stimulus", "unit").values
        _check_patterns(patterns, metric, name, responses)
        values = kernels.METRICS[metric](patterns)
    dims = ("time",) if "time" in responses.dims else ()
    stimulus_labels = responses.isel({d: 0 for d in responses.dims if d != "stimulus"}, drop=True)
    rdm = as_rdm(values, dims=dims, stimuli=stimulus_labels, metric=metric)
    return rdm.assign_coords(time=responses["time"].values) if "time" in responses.coords and dims else rdm


def _check_patterns(patterns: np.ndarray, metric: str, name: str, responses: xr.DataArray) -> None:
    if metric == "euclidean":
        return
    flat = (np.ptp(patterns, axis=-1) if metric == "correlation" else np.abs(patterns).max(axis=-1)) == 0
    if flat.any():
        which = np.argwhere(flat)[0]
        stimulus = responses["stimulus"].values[which[-1]]
        raise InputError(
            f"compute_rdm: {int(flat.sum())} patterns of {name} do not vary over units (stimulus {stimulus!s} is the "
            f"first), so their {metric} is not defined; use metric='euclidean' or drop them."
        )
