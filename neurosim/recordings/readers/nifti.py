"""NIfTI images of fMRI: response estimates of voxels, with a table of events and a mask."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim.recordings.fmri import load_betas
from neurosim.recordings.reader import Reader


@dataclass(frozen=True)
class NIfTIOptions:
    """What goes with an image of response estimates.

    Parameters
    ----------
    events : ``.tsv`` (BIDS) or ``.csv``, one row a presentation in the order of the image.
    mask : image (x, y, z) whose voxels above 0 are kept.
    by : column of the events that says what was shown. run : column that numbers the repetitions.
    subject, area : labels along ``unit``; empty for none.
    """

    events: Path
    mask: Path
    by: str = "trial_type"
    run: str = "run"
    subject: str | None = None
    area: str | None = None


def read_responses(path: Path, options: NIfTIOptions) -> xr.DataArray:
    """Read the voxels of the mask."""
    return load_betas(path, **asdict(options))


def example(path: Path) -> NIfTIOptions:
    """Write four presentations of two stimuli, a mask and a table of events beside them."""
    import nibabel
    import pandas as pd

    values = np.random.default_rng(0).normal(size=(2, 3, 2, 4))
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    options = NIfTIOptions(events=path.with_name("events.tsv"), mask=path.with_name("mask.nii"))
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 2), np.uint8), np.eye(4)), options.mask)
    pd.DataFrame({"trial_type": list("abab")}).to_csv(options.events, sep="\t", index=False)
    return options


NIFTI = Reader(
    name="nifti",
    caption="response estimates (x, y, z, presentation) of fMRI, with their events and a mask",
    endings=(".nii", ".nii.gz"),
    responses=read_responses,
    options=NIfTIOptions,
    extra="fmri",
    bounds="one volume and the voxels of the mask",
    citation="https://doi.org/10.1038/sdata.2016.44",
    example=example,
)
