"""Step: the RDMs of the individuals of one brain in bins of time."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.schema import InputError
from neurosim.study.engine.step import Job
from neurosim.study.steps.brain import recorded_by
from neurosim.study.steps.rdms import over_bins
from neurosim.study.steps.recording import individuals


def run(job: Job) -> None:
    """Write ``rdms.nc``, with ``rdm`` (subject, time, ...), NaN in bins where some pattern does not vary."""
    recorded, name = recorded_by(job), job.config["name"]
    if "time" not in recorded.dims:
        raise InputError(f"{name} has no time, which is asked for; found {tuple(recorded.dims)}.")
    if "unit" in recorded.dims:
        people = individuals(recorded)
        how = job.config["metric"], job.config["time_bin"], job.config.get("options")
        parts = [over_bins(r, *how) for r in people.values()]
        rdm = xr.concat(parts, xr.DataArray(list(people), dims="subject", name="subject"))
    elif job.config["time_bin"] is not None:
        raise InputError(f"{name}: its RDMs are published in bins of their own; leave out time_bin.")
    else:
        rdm = recorded if "subject" in recorded.dims else recorded.expand_dims(subject=["group"])
        rdm = rdm.transpose("subject", "time", ...).drop_attrs()
    about = {"name": name, "synthetic": job.config["synthetic"]}
    storage.write_dataset(job.out / "rdms.nc", xr.Dataset({"rdm": rdm}).assign_attrs(about))
