"""Step: the stimuli of the study."""

from __future__ import annotations

from neurosim import storage
from neurosim.registry import called
from neurosim.study.engine.step import Job


def run(job: Job) -> None:
    """Write ``stimuli.nc``."""
    stimuli = called(job.config["load"])(job)
    storage.write_dataset(job.out / "stimuli.nc", stimuli.rename("stimuli"))
