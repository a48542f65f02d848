"""A folder of pictures as stimuli."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import xarray as xr

from neurosim.stimuli.images import load_image_folder
from neurosim.study.engine.step import Job
from neurosim.study.kinds import StimulusKind
from neurosim.study.tables import Count, Table


class FolderStimuli(Table):
    """A folder of pictures, resized to `size` pixels."""

    source: Literal["folder"] = "folder"
    path: Path
    size: Count | None = None


def load(job: Job) -> xr.DataArray:
    """Return the pictures of the folder."""
    return load_image_folder(job.files["path"], size=job.config["row"]["size"])


FOLDER = StimulusKind(name="folder", table=FolderStimuli, load="neurosim.study.shown.folder:load")
