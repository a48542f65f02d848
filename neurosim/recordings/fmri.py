"""fMRI: maps as images, and beta images with their events, laid out as BIDS does (https://doi.org/10.1038/sdata.2016.44)."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import check_numbers
from neurosim.schema import InputError, as_responses, as_trials

ENDINGS = (".nii", ".nii.gz")
NOT_NAMED = ("", "n/a")  # BIDS writes n/a where a value is missing
NEAR_VOXEL = 0.02  # of a voxel: affines and places are of single precision


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
    by : column that says what was shown. run : column that numbers the repetitions; where there is no ``run`` the
        presentations of a stimulus are counted, and another column that is not there is refused.
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
    image, where = images_of_one_space(betas, mask, "load_betas")
    table = storage.read_table(storage.as_path(events, "load_betas"), ids=(by, run))
    if by not in table or len(table) != image.shape[3]:
        raise InputError(
            f"load_betas: {image.shape[3]} presentations need as many events with a column {by!r}, found "
            f"{len(table)} with {', '.join(map(str, table.columns))}."
        )
    unnamed = table[by].isna() | table[by].astype(str).str.strip().isin(NOT_NAMED)
    if unnamed.any():
        raise InputError(f"load_betas: {int(unnamed.sum())} events have no {by}; name what was shown.")
    if run not in table and run != "run":
        raise InputError(f"load_betas: the events have no column {run!r}, only {', '.join(map(str, table.columns))}.")
    values, labels = voxels_of(image, where, (Path(betas), Path(mask)), "load_betas")
    trials = table[run].tolist() if run in table else None
    found = as_trials(values, table[by].astype(str).tolist(), trials=trials)
    labels |= {
        k: ("unit", np.repeat(v, found.sizes["unit"]))
        for k, v in (("subject", subject), ("area", area))
        if v is not None
    }
    if "measured" in found.coords:
        return found.assign_coords(labels).assign_attrs(quantity="bold", units="1")
    return as_responses(found.assign_attrs(quantity="bold", units="1"), coords=labels, quantity="bold")


def save_nifti(values: xr.DataArray, path: str | Path, *, mask: str | Path) -> None:
    """Write a map, such as scores of searchlights, as a NIfTI image in the space of a mask.

    Each value goes to the voxel of its place; whatever has no value, outside the mask too, is NaN.

    Parameters
    ----------
    values : (unit or searchlight, [one other dim]), with places ``x``, ``y``, ``z`` in m along the first, as
        :func:`load_betas` and ``searchlight_scores`` give them. The other dim, such as ``model``, is the fourth axis of
        the image, in its order.
    path : ``.nii`` or ``.nii.gz``. mask : image (x, y, z) whose affine and voxels it takes.

    Raises
    ------
    StorageError : a missing or damaged mask, or nothing can be written there.
    InputError : nibabel is not installed, no places, places that are no voxels of the mask or two of one voxel, more
        than one other dim.

    Examples
    --------
    >>> import xarray as xr
    >>> ns.recordings.save_nifti(xr.DataArray([1.0], dims="unit"), "map.nii", mask="mask.nii")
    Traceback (most recent call last):
    neurosim.schema.InputError: save_nifti: values have places x, y, z in m along one dim, found labels none.
    """
    who = "save_nifti"
    path = storage.as_path(path, who)
    if not path.name.lower().endswith(ENDINGS):
        raise InputError(f"{who}: {path.name} is no .nii or .nii.gz file.")
    ordered, place = _with_places(values, who)
    where = open_image(mask, who)
    inside = _inside(where, Path(mask), who)
    voxels = (place * 1e3 - where.affine[:3, 3]) @ np.linalg.inv(where.affine[:3, :3]).T
    index = np.rint(voxels).astype(int)
    known = (np.abs(voxels - index) < NEAR_VOXEL).all(1) & (index >= 0).all(1) & (index < inside.shape).all(1)
    known[known] = inside[tuple(index[known].T)]
    if not known.all():
        raise InputError(
            f"{who}: {int((~known).sum())} of {len(known)} places are no voxels of the mask {Path(mask).name}; give "
            "the mask that the responses were read with."
        )
    if len(np.unique(index, axis=0)) < len(index):
        raise InputError(f"{who}: two values have the place of one voxel; select one of them.")
    volume = np.full((*inside.shape, *ordered.shape[1:]), np.nan)
    volume[tuple(index.T)] = ordered
    _write_image(path, volume, where)


def _with_places(values: Any, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Return values (place, [other]) and their places (place, axis), m."""
    if not isinstance(values, xr.DataArray):
        raise InputError(f"{who}: a labelled array with places asked, found a {type(values).__name__}.")
    check_numbers(values, who)
    found = {values[axis].dims for axis in "xyz" if axis in values.coords}
    labels = [str(k) for k in values.coords]
    if len(found) != 1 or not set("xyz") <= set(labels) or len(next(iter(found))) != 1:
        raise InputError(
            f"{who}: values have places x, y, z in m along one dim, found labels {', '.join(labels) or 'none'}."
        )
    (dim,) = next(iter(found))
    if values.ndim > 2 or not values.size:
        raise InputError(
            f"{who}: values ({dim}, [one other dim]) asked, found dims {dict(values.sizes)}; select first."
        )
    place = np.stack([np.asarray(values[axis].values, dtype=float) for axis in "xyz"], axis=1)
    return np.asarray(values.transpose(dim, ...).values, dtype=float), place


def _write_image(path: Path, volume: np.ndarray, like: Any) -> None:
    """Write values in the space of another image; the same values give the same bytes."""
    header = like.header.copy()
    header.set_data_dtype(volume.dtype)
    header["cal_min"] = header["cal_max"] = 0
    content = type(like)(volume, like.affine, header).to_bytes()
    storage.write_bytes(path, gzip.compress(content, mtime=0) if path.name.lower().endswith(".gz") else content)


def images_of_one_space(path: str | Path, mask: str | Path, who: str) -> tuple[Any, Any]:
    """Open an image (x, y, z, presentation or time) and a mask (x, y, z), or refuse them where their spaces differ."""
    image, where = open_image(path, who), open_image(mask, who)
    if (
        len(image.shape) != 4
        or image.shape[:3] != where.shape[:3]
        or not np.allclose(image.affine, where.affine, atol=1e-3)
    ):
        raise InputError(
            f"{who}: {Path(path).name} {image.shape} and mask {where.shape} are no images (x, y, z, presentation) and "
            "(x, y, z) of one space; resample the mask."
        )
    return image, where


def voxels_of(image: Any, where: Any, paths: tuple[Path, Path], who: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Read the voxels of a mask (volume, unit), one volume at a time, and their places, m, as labels along ``unit``."""
    inside = _inside(where, paths[1], who)
    with storage.readable(paths[0], "NIfTI"):
        values = np.stack([np.asarray(image.dataobj[..., k])[inside] for k in range(image.shape[3])])
    if not np.isfinite(values).all():
        lost = int((~np.isfinite(values)).any(0).sum())
        raise InputError(f"{who}: {lost} of {values.shape[1]} voxels of the mask hold NaN; shrink the mask.")
    place = np.argwhere(inside) @ image.affine[:3, :3].T + image.affine[:3, 3]
    return values, {axis: ("unit", place[:, k] * 1e-3) for k, axis in enumerate("xyz")}


def _inside(image: Any, path: Path, who: str) -> np.ndarray:
    """Which voxels (x, y, z) a mask keeps."""
    with storage.readable(path, "NIfTI"):
        inside = np.asarray(image.dataobj).reshape(image.shape[:3]) > 0
    if not inside.any():
        raise InputError(f"{who}: the mask {path.name} is empty.")
    return inside


def open_image(path: str | Path, who: str) -> Any:
    """Open a NIfTI image whose size is that of its file, its values left on disk."""
    try:
        import nibabel
    except ImportError as error:
        raise InputError(f"{who} needs nibabel: pip install 'neurosim[fmri]'.") from error
    path = storage.existing(storage.as_path(path, who), any_size=True)
    if not path.name.lower().endswith(ENDINGS):
        raise InputError(f"{who}: {path.name} is no .nii or .nii.gz file.")
    with storage.readable(path, "NIfTI"):
        packed = path.name.lower().endswith(".gz")
        held = sum(map(len, storage.pieces(path, "NIfTI"))) if packed else path.stat().st_size
        image = nibabel.load(path)
        claimed = math.prod(image.shape) * image.get_data_dtype().itemsize
        if claimed > held:
            raise storage.StorageError(f"{path}: claims {claimed} bytes of voxels and holds {held}; it is damaged.")
        return image
