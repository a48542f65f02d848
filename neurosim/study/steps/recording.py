"""Step: the responses of one recorded (or synthetic) brain, for analyses that need more than RDMs."""

from __future__ import annotations

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
