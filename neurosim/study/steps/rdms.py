"""Step: the RDMs of one subject, for every layer, and for every layer and time bin."""

from __future__ import annotations

import logging

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.responses.averages import average_trials, over_time, rebin
from neurosim.schema import InputError
from neurosim.similarity.metric import METRICS
from neurosim.similarity.rdms import compute_rdm
from neurosim.study.engine.step import Job
from neurosim.study.steps.responses import answers

log = logging.getLogger(__name__)
MAX_TIME_BINS = 12


def run(job: Job) -> None:
    """Write ``rdms.nc``: ``rdm`` and ``euclidean`` (layer, ...), and ``rdm_time`` (layer, time, ...) if it has time."""
    metric = job.config["metric"]
    whole, euclidean, timed, left_out = {}, {}, {}, {}
    for layer, responses in answers(job):
        try:
            still = over_time(responses)
            rdm = compute_rdm(still, metric if "trial" in still.dims else without_trials(metric))
            _check_varies(rdm, layer)
            whole[layer] = rdm
            euclidean[layer] = compute_rdm(still, "crossnobis" if still.sizes.get("trial", 1) > 1 else "euclidean")
        except InputError as error:
            left_out[layer] = str(error)
            log.warning("%s", error)
            continue
        if "time" in responses.dims:
            timed[layer] = over_bins(average_trials(responses), metric, job.config["time_bin"])
    if not whole:
        raise InputError(
            f"{job.config['name']}: no layer has RDMs: {next(iter(left_out.values()), 'it has no layers')}"
        )
    result = xr.Dataset({"rdm": _stack(whole), "euclidean": _stack(euclidean)})
    if timed:
        result["rdm_time"] = _stack(timed)
    result.attrs.update(metric=metric, left_out=left_out, subject=job.config["name"])
    storage.write_dataset(job.out / "rdms.nc", result)


def _check_varies(rdm: xr.DataArray, layer: str) -> None:
    entries = rdm.values[np.triu_indices(rdm.sizes["stimulus"], 1)]
    if np.ptp(entries) == 0:
        raise InputError(f"layer {layer!r} is left out: all stimuli are answered equally differently ({entries[0]:g}).")


def without_trials(metric: str) -> str:
    """Return the metric for what answers once, where `metric` needs trials."""
    return METRICS[metric].without_trials or metric


def over_bins(responses: xr.DataArray, metric: str, time_bin: float | None) -> xr.DataArray:
    """Return RDMs in at most 12 time bins; NaN where some pattern does not vary, as before the first spikes."""
    step = float(responses.attrs["time_step"])
    ratio = max(1, -(-responses.sizes["time"] // MAX_TIME_BINS))
    binned = rebin(responses, time_bin or ratio * step)
    metric = metric if binned.sizes.get("trial", 1) > 1 else without_trials(metric)
    parts = []
    for i in range(binned.sizes["time"]):
        now = binned.isel(time=i, drop=True)
        try:
            parts.append(compute_rdm(now, metric))
        except InputError:
            parts.append(xr.full_like(compute_rdm(now, "euclidean"), np.nan))
    return xr.concat(parts, xr.DataArray(binned["time"].values, dims="time", name="time"))


def _stack(rdms: dict[str, xr.DataArray]) -> xr.DataArray:
    names = list(rdms)
    return xr.concat(list(rdms.values()), xr.DataArray(names, dims="layer", name="layer"))
