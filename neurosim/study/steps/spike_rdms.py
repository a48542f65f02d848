"""Step: the RDMs of the spike trains of one subject, of every layer that answers in spikes over time."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.schema import InputError
from neurosim.similarity.spike_rdms import spike_rdm
from neurosim.study.engine.step import Job
from neurosim.study.steps.layer_parts import Measured, joined, write_part
from neurosim.study.steps.responses import answers

OPTIONS = ("metric", "time_constant", "population", "crossvalidated")


def run(job: Job) -> None:
    """Write ``rdms.nc``, with ``rdm`` (layer, ...); without it where no layer spikes, and why."""
    found = Measured()
    options = {k: job.config[k] for k in OPTIONS}
    for layer, responses in answers(job):
        found.layers.append(layer)
        try:
            found.keep("rdm", layer, spike_rdm(spikes_of(responses), progress=False, **options))
        except InputError as error:
            found.left_out[layer] = f"{layer}: {error}"
    if job.part == (0, 1):
        _write(job, found)
    else:
        write_part(job, found)


def join(job: Job) -> None:
    """Write ``rdms.nc`` of the layers of all parts."""
    _write(job, joined(job))


def _write(job: Job, found: Measured) -> None:
    about = {"left_out": found.left_out, "subject": job.config["name"]}
    storage.write_dataset(job.out / "rdms.nc", found.dataset().assign_attrs(about))


def in_spikes(responses: xr.DataArray) -> bool:
    """Whether responses are spikes over time."""
    return responses.attrs.get("quantity") == "spike_count" and "time" in responses.dims


def spikes_of(responses: xr.DataArray) -> xr.DataArray:
    """Return responses that are spikes over time, or refuse others."""
    if not in_spikes(responses):
        kind = responses.attrs.get("quantity", "something")
        time = "over time" if "time" in responses.dims else "without time"
        raise InputError(f"spike trains asked, found {kind} {time}")
    return responses
