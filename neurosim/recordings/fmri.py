"""fMRI: beta images with their events, laid out as BIDS does (https://doi.org/10.1038/sdata.2016.44)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.schema import InputError, as_responses, as_trials


def load_betas(
    betas: str | Path,
    events: str | Path,
    *,
    mask: str | Path,
    by: str = "trial_type",
    run: str = "run",
    subject: str | None = None,
    area: str | None = None,
) -> xr.DataArray:
    """Read response estimates of voxels from a NIfTI image and say from a table what was shown.

    Parameters
    ----------
    betas : image (x, y, z, presentation), ``.nii`` or ``.nii.gz``. It is read one presentation at a time; at its peak
        memory holds one volume and the voxels of the mask.
    events : ``.tsv`` (BIDS) or ``.csv``, one row a presentation in the order of the image.
    mask : image (x, y, z) whose voxels above 0 are kept, in the same space.
    by : column that says what was shown. run : column that numbers the repetitions, if there is one; the presentations
        of a stimulus are counted otherwise.
    subject, area : labels along ``unit``.

    Returns
    -------
    responses (stimulus, trial, unit), with the place of each voxel in the scanner, ``x``, ``y``, ``z`` in m, along
    ``unit``.

    Raises
    ------
    StorageError : missing or truncated files. InputError : nibabel is not installed, shapes or spaces that differ,
        missing columns, an empty mask, NaN in the mask.

    Examples
    --------
    >>> ns.recordings.load_betas("betas.img", "events.tsv", mask="mask.nii")
    Traceback (most recent call last):
    neurosim.storage.StorageError: betas.img: no such file.
    """
    image, where = _image(betas), _image(mask)
    if (
        len(image.shape) != 4
        or image.shape[:3] != where.shape[:3]
        or not np.allclose(image.affine, where.affine, atol=1e-3)
    ):
        raise InputError(
            f"load_betas: betas {image.shape} and mask {where.shape} are no images (x, y, z, presentation) and (x, y, "
            "z) of one space; resample the mask."
        )
    table = storage.read_table(storage.as_path(events, "load_betas"), ids=(by, run))
    if by not in table or len(table) != image.shape[3]:
        raise InputError(
            f"load_betas: {image.shape[3]} presentations need as many events with a column {by!r}, found "
            f"{len(table)} with {', '.join(map(str, table.columns))}."
        )
    if table[by].isna().any():
        raise InputError(f"load_betas: {int(table[by].isna().sum())} events have no {by}; name what was shown.")
    with storage.readable(Path(mask), "NIfTI"):
        inside = np.asarray(where.dataobj).reshape(where.shape[:3]) > 0
    if not inside.any():
        raise InputError(f"load_betas: the mask {Path(mask).name} is empty.")
    with storage.readable(Path(betas), "NIfTI"):
        values = np.stack([np.asarray(image.dataobj[..., k])[inside] for k in range(image.shape[3])])
    if not np.isfinite(values).all():
        lost = int((~np.isfinite(values)).any(0).sum())
        raise InputError(f"load_betas: {lost} of {values.shape[1]} voxels of the mask hold NaN; shrink the mask.")
    trials = table[run].tolist() if run in table else None
    found = as_trials(values, table[by].astype(str).tolist(), trials=trials)
    place = np.argwhere(inside) @ image.affine[:3, :3].T + image.affine[:3, 3]
    labels: dict[str, Any] = {axis: ("unit", place[:, k] * 1e-3) for k, axis in enumerate("xyz")}
    labels |= {
        k: ("unit", np.repeat(v, len(place))) for k, v in (("subject", subject), ("area", area)) if v is not None
    }
    if "measured" in found.coords:
        return found.assign_coords(labels).assign_attrs(quantity="bold", units="1")
    return as_responses(found.assign_attrs(quantity="bold", units="1"), coords=labels, quantity="bold")


def _image(path: str | Path) -> Any:
    try:
        import nibabel
    except ImportError as error:
        raise InputError("load_betas needs nibabel: pip install 'neurosim[fmri]'.") from error
    path = storage.existing(storage.as_path(path, "load_betas"), any_size=True)
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise InputError(f"load_betas: {path.name} is no .nii or .nii.gz file.")
    with storage.readable(path, "NIfTI"):
        packed = path.name.lower().endswith(".gz")
        held = sum(map(len, storage.pieces(path, "NIfTI"))) if packed else path.stat().st_size
        image = nibabel.load(path)
        claimed = math.prod(image.shape) * image.get_data_dtype().itemsize
        if claimed > held:
            raise storage.StorageError(f"{path}: claims {claimed} bytes of voxels and holds {held}; it is damaged.")
        return image
