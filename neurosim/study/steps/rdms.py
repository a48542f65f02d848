"""Step: the RDMs of one subject, for every layer, and for every layer and time bin."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.responses.averages import average_trials, over_time, rebin
from neurosim.schema import InputError
from neurosim.similarity.metric import METRICS
from neurosim.similarity.rdms import compute_rdm
from neurosim.study.engine.step import Job
from neurosim.study.steps.layer_parts import Measured, joined, write_part
from neurosim.study.steps.responses import answers

log = logging.getLogger(__name__)
MAX_TIME_BINS = 12


def run(job: Job) -> None:
    """Write ``rdms.nc``: ``rdm`` and ``euclidean`` (layer, ...), and ``rdm_time`` (layer, time, ...) if it has time."""
    found = _measured(job)
    if job.part == (0, 1):
        _write(job, found)
    else:
        write_part(job, found)


def join(job: Job) -> None:
    """Write ``rdms.nc`` of the layers of all parts."""
    _write(job, joined(job))


def _measured(job: Job) -> Measured:
    metric, found = job.config["metric"], Measured()
    for layer, responses in answers(job):
        found.layers.append(layer)
        try:
            still = over_time(responses)
            rdm = compute_rdm(still, metric if "trial" in still.dims else without_trials(metric))
            _check_varies(rdm)
            euclidean = compute_rdm(still, "crossnobis" if still.sizes.get("trial", 1) > 1 else "euclidean")
        except InputError as error:
            found.left_out[layer] = str(error)
            log.warning("%s: layer %r is left out: %s", job.config["name"], layer, error)
            continue
        found.keep("rdm", layer, rdm)
        found.keep("euclidean", layer, euclidean)
        if "time" in responses.dims:
            found.keep("rdm_time", layer, over_bins(average_trials(responses), metric, job.config["time_bin"]))
    return found


def _write(job: Job, found: Measured) -> None:
    if "rdm" not in found.arrays:
        reason = next((f"layer {n!r}: {why}" for n, why in found.left_out.items()), "it has no layers")
        raise InputError(f"{job.config['name']}: no layer has RDMs: {reason}")
    about = {"metric": job.config["metric"], "left_out": found.left_out, "subject": job.config["name"]}
    storage.write_dataset(job.out / "rdms.nc", found.dataset().assign_attrs(about))


def _check_varies(rdm: xr.DataArray) -> None:
    entries = rdm.values[np.triu_indices(rdm.sizes["stimulus"], 1)]
    if np.ptp(entries) == 0:
        raise InputError(f"all stimuli are answered equally differently ({entries[0]:g}).")


def without_trials(metric: str) -> str:
    """Return the metric for what answers once, where `metric` needs trials."""
    return METRICS[metric].without_trials or metric


def over_bins(
    responses: xr.DataArray, metric: str, time_bin: float | None, options: Mapping[str, Any] | None = None
) -> xr.DataArray:
    """Return RDMs in at most 12 time bins; NaN where some pattern does not vary, as before the first spikes."""
    step = float(responses.attrs["time_step"])
    ratio = max(1, -(-responses.sizes["time"] // MAX_TIME_BINS))
    binned = rebin(responses, time_bin or ratio * step)
    metric = metric if binned.sizes.get("trial", 1) > 1 else without_trials(metric)
    parts = []
    for i in range(binned.sizes["time"]):
        now = binned.isel(time=i, drop=True)
        try:
            parts.append(compute_rdm(now, metric, **(options or {})))
        except InputError:
            parts.append(xr.full_like(compute_rdm(now, "euclidean"), np.nan))
    return xr.concat(parts, xr.DataArray(binned["time"].values, dims="time", name="time"))
