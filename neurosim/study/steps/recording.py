"""Step: the responses of one recorded (or synthetic) brain, for analyses that need more than RDMs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError
from neurosim.study.engine.step import Job
from neurosim.study.steps.brain import recorded_by


def run(job: Job) -> None:
    """Write ``responses.nc``."""
    recorded = recorded_by(job)
    if "unit" not in recorded.dims:
        raise InputError(f"{job.config['name']}: only RDMs of it are known, and responses are needed.")
    storage.write_dataset(job.out / "responses.nc", recorded.rename("responses"))


def recording_in(folder: Path) -> xr.DataArray:
    """Return the responses that a step of a recording left in `folder`."""
    return storage.read_array(folder / "responses.nc")


def individuals(responses: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the responses of every individual, by the label ``subject`` along ``unit``; of one where there is none."""
    return {name: responses.isel(unit=units) for name, units in units_of(responses).items()}


def units_of(responses: xr.DataArray) -> dict[str, np.ndarray]:
    """Return which units every individual has, as indices."""
    if "subject" not in responses.coords or responses["subject"].dims != ("unit",):
        return {"subject_1": np.arange(responses.sizes["unit"])}
    names = responses["subject"].values
    return {str(n): np.flatnonzero(names == n) for n in dict.fromkeys(names.tolist())}
