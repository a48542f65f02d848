"""Stimuli in a netCDF file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import xarray as xr

from neurosim import storage
from neurosim.schema import as_stimuli
from neurosim.study.engine.step import Job
from neurosim.study.kinds import StimulusKind
from neurosim.study.tables import Table


class FileStimuli(Table):
    """Stimuli in a netCDF file."""

    source: Literal["file"] = "file"
    path: Path


def load(job: Job) -> xr.DataArray:
    """Return the stimuli of the file."""
    return as_stimuli(storage.read_array(job.files["path"]))


FILE = StimulusKind(name="file", table=FileStimuli, load="neurosim.study.shown.file:load")
