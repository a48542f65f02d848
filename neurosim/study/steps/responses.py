"""Step: the responses of one subject, one file a layer, for analyses that need more than RDMs.

One layer is held at a time. Written are, for K stimuli, R trials, T times and P units of a layer, K x R x T x P
numbers; for an analysis that asks for means over trials and time, K x P; and where only angles and distances between
patterns count, at most K x K, however large the layer.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.registry import called
from neurosim.responses.averages import average_trials, over_time, rebin
from neurosim.schema import InputError
from neurosim.study.engine.step import Job

LAYERS = "layers.json"


def run(job: Job) -> None:
    """Write the responses of every layer, and ``layers.json``, which says in which file each layer is."""
    files: dict[str, str] = {}
    for layer, responses in answers(job):
        files[layer] = _file(len(files))
        kept = reduced(responses, job.config.get("keep", {}))
        storage.write_dataset(job.out / files[layer], kept.rename("responses"))
    storage.write_json(job.out / LAYERS, files, sort_keys=False)


def join(job: Job) -> None:
    """Write the responses of the layers of all parts, in the order of the subject."""
    folders = list(job.inputs.values())
    parts = [storage.read_json(folder / LAYERS) for folder in folders]
    files: dict[str, str] = {}
    for i, layer in enumerate(interleaved([list(part) for part in parts], job.config["name"])):
        files[layer] = _file(i)
        part = i % len(parts)
        shutil.copyfile(folders[part] / parts[part][layer], job.out / files[layer])
    storage.write_json(job.out / LAYERS, files, sort_keys=False)


def _file(number: int) -> str:
    return f"layer_{number:03d}.nc"


def places_of(job: Job) -> slice:
    """Return which of the layers of a subject a step works on: every one, or every n-th of them."""
    part, n_parts = job.part
    return slice(part, None, n_parts)


def interleaved(parts: Sequence[Sequence[str]], who: str) -> list[str]:
    """Return the layers of parts, each of which has every n-th, in the order of the subject.

    Raises
    ------
    InputError : they are not the parts of one list.

    Examples
    --------
    >>> interleaved([["a", "c"], ["b"]], "mine")
    ['a', 'b', 'c']
    """
    sizes = [len(part) for part in parts]
    found = [part[i] for i in range(max(sizes)) for part in parts if i < len(part)]
    if len(set(found)) < len(found) or sizes != [len(found[k :: len(parts)]) for k in range(len(parts))]:
        raise InputError(
            f"{who}: its {len(parts)} parts hold {', '.join(map(str, sizes))} layers that are not parts of one list; "
            "its kind of subject has to answer with those at places_of(job), or have no layer_steps."
        )
    return found


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


def layers_in(folder: Path, places: slice = slice(None)) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield the layers, or those at `places`, that a step of responses left in `folder`."""
    for layer, file in list(storage.read_json(folder / LAYERS).items())[places]:
        yield layer, storage.read_array(folder / file)
