"""Step: the RDMs of the spike trains of one subject, of every layer that answers in spikes over time."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.schema import InputError
from neurosim.similarity.spike_rdms import spike_rdm
from neurosim.study.engine.step import Job
from neurosim.study.steps.responses import answers

OPTIONS = ("metric", "time_constant", "population", "crossvalidated")


def run(job: Job) -> None:
    """Write ``rdms.nc``, with ``rdm`` (layer, ...); without it where no layer spikes, and why."""
    found: dict[str, xr.DataArray] = {}
    left_out: dict[str, str] = {}
    options = {k: job.config[k] for k in OPTIONS}
    for layer, responses in answers(job):
        try:
            found[layer] = spike_rdm(spikes_of(responses), progress=False, **options)
        except InputError as error:
            left_out[layer] = f"{layer}: {error}"
    result = xr.Dataset()
    if found:
        result["rdm"] = xr.concat(list(found.values()), xr.DataArray(list(found), dims="layer", name="layer"))
    result.attrs.update(left_out=left_out, subject=job.config["name"])
    storage.write_dataset(job.out / "rdms.nc", result)


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
