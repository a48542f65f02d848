"""Derivatives laid out as BIDS does (https://doi.org/10.1038/sdata.2016.44): files found by what their names say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import shown
from neurosim.recordings.events import align_series
from neurosim.recordings.fmri import images_of_one_space, voxels_of
from neurosim.recordings.meg import load_epochs
from neurosim.schema import InputError

ENDINGS = {"epo": (".fif", ".fif.gz"), "bold": (".nii", ".nii.gz"), "mask": (".nii", ".nii.gz"), "events": (".tsv",)}
OF_EVENTS = ("sub", "ses", "task", "run")
SECONDS_OF = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}


def load_bids(
    folder: str | Path,
    *,
    suffix: Literal["epo", "bold"],
    entities: Mapping[str, str],
    raw: str | Path | None = None,
    by: str = "trial_type",
    window: tuple[float, float] = (0.0, 12.0),
    picks: str = "mag",
) -> xr.DataArray:
    """Read the epochs or the fMRI of one run from a folder of BIDS derivatives, by the entities of their names.

    Epochs (``*_epo.fif``) are read as :func:`load_epochs` does. Of images (``*_bold.nii.gz``) the voxels of the mask of
    the same run and space are cut out around the onsets of its ``*_events.tsv``, as :func:`align_series` does.

    Parameters
    ----------
    folder : of the derivatives, with ``sub-...`` in it. suffix : "epo" or "bold".
    entities : what the name says, such as ``{"sub": "01", "task": "faces", "run": "1"}``; ``sub`` at least, and so many
        that one file is left.
    raw : folder where the events lie, if not among the derivatives.
    by, window : column of the events that says what was shown; from and to, s from the onset, in whole volumes.
    picks : sensors of epochs: "mag", "grad" or "eeg".

    Returns
    -------
    responses (stimulus, trial, time, unit), ``subject`` along ``unit``; NaN in trials that a stimulus lacks.

    Raises
    ------
    InputError : no file or several of these entities (the message lists them), no mask or events, a mask of another
        space, NaN in it. StorageError : files that are missing, damaged, or links that lead out of the folder.

    Examples
    --------
    >>> ns.recordings.load_bids("derivatives", suffix="bold", entities={"sub": "01"})
    Traceback (most recent call last):
    neurosim.schema.InputError: load_bids: no folder sub-01 in derivatives.
    """
    folder = storage.as_path(folder, "load_bids")
    asked = _entities(suffix, entities)
    path = _only(folder, suffix, asked)
    subject = asked["sub"]
    if suffix == "epo":
        return load_epochs(path, picks=picks, subject=subject)
    own = _said(path)
    mask = _only(folder, "mask", {k: v for k, v in own.items() if k in (*OF_EVENTS, "space", "res")})
    where = folder if raw is None else storage.as_path(raw, "load_bids")
    events = _only(where, "events", {k: v for k, v in own.items() if k in OF_EVENTS})
    table = storage.read_table(events, ids=(by,))
    found = align_series(_voxels(path, mask), table, window=window, align_to="onset", by=by)
    return found.assign_coords(subject=("unit", np.repeat(subject, found.sizes["unit"])))


def _entities(suffix: object, entities: object) -> dict[str, str]:
    if suffix not in ("epo", "bold"):
        raise InputError(f"load_bids: suffix = {shown(suffix)}; known: epo, bold.")
    if not isinstance(entities, Mapping) or "sub" not in entities:
        raise InputError(f"load_bids: entities by name asked, sub at least, found {shown(entities)}.")
    said = {str(k): str(v) for k, v in entities.items()}
    bad = [v for v in (*said, *said.values()) if not v.isalnum()]
    if bad:
        raise InputError(f"load_bids: entities are letters and digits, found {bad[0][:40]!r}; {{'sub': '01'}} is one.")
    return said


def _said(path: Path) -> dict[str, str]:
    """Return the entities that the name of a file says."""
    pairs = (part.partition("-") for part in path.name.split("_")[:-1])
    return {key: value for key, _, value in pairs}


def _only(folder: Path, suffix: str, asked: Mapping[str, str]) -> Path:
    """Return the one file of a suffix whose name says what is asked."""
    place = folder / f"sub-{asked['sub']}"
    if not storage.is_folder(place):
        raise InputError(f"load_bids: no folder {place.name} in {folder.name or folder}.")
    there = [p for p in sorted(place.rglob(f"*_{suffix}.*")) if p.name.endswith(ENDINGS[suffix])]
    fitting = [p for p in there if asked.items() <= _said(p).items()]
    if len(fitting) != 1:
        wanted = "_".join(f"{k}-{v}" for k, v in asked.items())
        listed = ", ".join(p.name for p in (fitting or there)[:6]) or "none"
        more = "add entities until one is left" if fitting else "check them"
        raise InputError(f"load_bids: {len(fitting)} files *_{suffix} of {wanted}; {more}. There are: {listed}.")
    return storage.inside(folder, str(fitting[0].relative_to(folder)))


def _voxels(path: Path, mask: Path) -> xr.DataArray:
    """Return the voxels of a mask over time (time, unit)."""
    image, where = images_of_one_space(path, mask, "load_bids")
    step = float(image.header.get_zooms()[3]) * SECONDS_OF.get(image.header.get_xyzt_units()[1], np.nan)
    if not 0 < step < np.inf:
        raise InputError(f"load_bids: the head of {path.name} does not say the time from volume to volume.")
    values, coords = voxels_of(image, where, (path, mask), "load_bids")
    clock = {"time": np.arange(image.shape[3]) * step}
    return xr.DataArray(values, dims=("time", "unit"), coords=coords | clock, attrs={"quantity": "bold", "units": "1"})
