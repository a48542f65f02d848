"""Step: the RDMs of the individuals of one recorded (or synthetic) brain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from neurosim import storage
from neurosim.registry import called
from neurosim.responses import reliability
from neurosim.responses.averages import over_time
from neurosim.similarity.rdms import compute_rdm
from neurosim.study.engine.step import Job


def run(job: Job) -> None:
    """Write ``rdms.nc``, with ``rdm`` (subject, ...), and what is known of the recording in its attributes."""
    recorded = recorded_by(job)
    about = {"name": job.config["name"], "synthetic": job.config["synthetic"]}
    about |= {k: recorded.attrs[k] for k in ("citation", "licence") if k in recorded.attrs}
    if "unit" in recorded.dims:
        rdm = _by_subject(recorded, job.config["metric"], job.config.get("options", {}))
        if recorded.sizes.get("trial", 1) > 1:
            halves = reliability.split_half_reliability(over_time(recorded))
            about["median_reliability"] = float(halves.reliability.median())
    else:
        rdm = recorded.assign_attrs({k: v for k, v in recorded.attrs.items() if k not in ("citation", "licence")})
        rdm = rdm if "subject" in rdm.dims else rdm.expand_dims(subject=["group"])
        rdm = rdm.mean("time", keep_attrs=True) if "time" in rdm.dims else rdm
    storage.write_dataset(job.out / "rdms.nc", xr.Dataset({"rdm": rdm}).assign_attrs(about))


def recorded_by(job: Job) -> xr.DataArray:
    """Return the responses of a brain, or its RDMs where only those are known."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    recorded: xr.DataArray = called(job.config["recording"])(job, stimuli)
    return recorded


def _by_subject(responses: xr.DataArray, metric: str, options: Mapping[str, Any]) -> xr.DataArray:
    still = over_time(responses)
    if "subject" in still.coords and still["subject"].dims == ("unit",):
        return compute_rdm(still, metric, by="subject", **options)
    return compute_rdm(still, metric, **options).expand_dims(subject=["subject_1"])
