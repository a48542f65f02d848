"""Step: the responses of one subject, one file a layer, for analyses that need more than RDMs.

One layer is held at a time. Written are, for K stimuli, R trials, T times and P units of a layer, K x R x T x P
numbers; for an analysis that asks for means over trials and time, K x P; and where only angles and distances between
patterns count, at most K x K, however large the layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.registry import called
from neurosim.responses.averages import average_trials, over_time, rebin
from neurosim.study.engine.step import Job

LAYERS = "layers.json"


def run(job: Job) -> None:
    """Write the responses of every layer, and ``layers.json``, which says in which file each layer is."""
    files: dict[str, str] = {}
    for layer, responses in answers(job):
        files[layer] = f"layer_{len(files):03d}.nc"
        kept = reduced(responses, job.config.get("keep", {}))
        storage.write_dataset(job.out / files[layer], kept.rename("responses"))
    storage.write_json(job.out / LAYERS, files, sort_keys=False)


def reduced(responses: xr.DataArray, keep: Mapping[str, Any]) -> xr.DataArray:
    """Return what an analysis needs of responses.

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit).
    keep : ``trials`` "mean" or all; ``time`` "mean" (the sum of spike counts), a bin in s, or all; ``units`` "rotated"
        onto as many axes as there are patterns, where there are more units than that: inner products and distances of
        patterns stay as they are.
    """
    if keep.get("trials") == "mean":
        responses = average_trials(responses)
    time = keep.get("time")
    if "time" in responses.dims and time is not None:
        responses = over_time(responses) if time == "mean" else rebin(responses, time)
    return rotated(responses) if keep.get("units") == "rotated" else responses


def rotated(responses: xr.DataArray) -> xr.DataArray:
    """Return the patterns in the axes that they span, which are fewer than the units of a large layer."""
    ordered = responses.transpose(..., "unit")
    patterns = ordered.values.reshape(-1, ordered.sizes["unit"])
    n_patterns, n_units = patterns.shape
    if n_units <= n_patterns or not np.isfinite(patterns).all():
        return responses
    triangle = np.asarray(np.linalg.qr(patterns.T.astype(float), mode="r"))
    first = ordered.isel(unit=slice(n_patterns))
    found = first.copy(data=triangle.T.reshape(first.shape))
    found = found.drop_vars([name for name, labels in found.coords.items() if "unit" in labels.dims])
    return found.assign_coords(unit=[f"axis_{i:04d}" for i in range(n_patterns)])


def answers(job: Job) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the responses of a subject, one layer after the other; a network's activity is never held whole."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    found: Iterator[tuple[str, xr.DataArray]] = called(job.config["answers"])(job, stimuli)
    yield from found


def layers_in(folder: Path) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the layers that a step of responses left in `folder`."""
    for layer, file in storage.read_json(folder / LAYERS).items():
        yield layer, storage.read_array(folder / file)
