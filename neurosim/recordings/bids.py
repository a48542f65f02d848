"""Derivatives laid out as BIDS does (https://doi.org/10.1038/sdata.2016.44): files found by what their names say."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

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
SECONDS_OF = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
MISSING = "n/a"
READ_BY = {"raw": "bold", "by": "bold", "window": "bold", "picks": "epo"}

logger = logging.getLogger(__name__)


def load_bids(
    folder: str | Path,
    *,
    suffix: Literal["epo", "bold"],
    entities: Mapping[str, str],
    raw: str | Path | None = None,
    by: str | None = None,
    window: tuple[float, float] | None = None,
    picks: str | None = None,
) -> xr.DataArray:
    """Read the epochs or the fMRI of one run from a folder of BIDS derivatives, by the entities of their names.

    Epochs (``*_epo.fif``) are read as :func:`load_epochs` does. Of images (``*_bold.nii.gz``) the voxels of the mask of
    the same run and space are cut out around the onsets of its ``*_events.tsv``, as :func:`align_series` does. Volumes
    come every ``RepetitionTime`` from ``StartTime`` on, as the ``*_bold.json`` say that hold for the image; without
    them, as its head says. Events whose `by` is "n/a" are left out, and counted in the log.

    Parameters
    ----------
    folder : of the derivatives, with ``sub-...`` in it. suffix : "epo" or "bold".
    entities : what the name says, such as ``{"sub": "01", "task": "faces", "run": "1"}``; ``sub`` at least, and so many
        that one file is left.
    raw : folder where the events of images lie, if not among the derivatives.
    by : column of the events of images that says what was shown; "trial_type" when absent.
    window : of images, from and to, s from the onset, in whole volumes; 0 to 12 s when absent.
    picks : sensors of epochs: "mag" when absent, "grad" or "eeg".

    Returns
    -------
    responses (stimulus, trial, time, unit), ``subject`` along ``unit``; NaN in trials that a stimulus lacks.

    Raises
    ------
    InputError : no file or several of these entities (the message lists them), an option of the other suffix, no mask
        or events, a mask of another space, NaN in it, no time from volume to volume or two.
    StorageError : files that are missing, damaged, or links that lead out of the folder.

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
    for option, value in {"raw": raw, "by": by, "window": window, "picks": picks}.items():
        if value is not None and READ_BY[option] != suffix:
            raise InputError(f"load_bids: {option} is of {READ_BY[option]}, and suffix = {suffix!r}; leave it out.")
    if suffix == "epo":
        return load_epochs(path, picks=picks or "mag", subject=subject)
    by, window = by or "trial_type", window or (0.0, 12.0)
    own = _said(path)
    mask = _only(folder, "mask", {k: v for k, v in own.items() if k in (*OF_EVENTS, "space", "res")})
    where = folder if raw is None else storage.as_path(raw, "load_bids")
    events = _only(where, "events", {k: v for k, v in own.items() if k in OF_EVENTS})
    clock = _side_cars(folder, path)
    found = align_series(_voxels(path, mask, clock), _known(events, by), window=window, align_to="onset", by=by)
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


def _known(path: Path, by: str) -> Any:
    """Return the table of events, without those of which it is not known what was shown."""
    table = storage.read_table(path, ids=(by,))
    if by not in table:
        return table  # align_series says which columns there are
    unknown = table[by].isna() | (table[by].astype(str) == MISSING)
    if unknown.any():
        logger.warning("load_bids: %d of %d events of %s have no %s.", unknown.sum(), len(table), path.name, by)
    return table[~unknown]


def _side_cars(folder: Path, path: Path) -> dict[str, Any]:
    """Return what the JSON files say that hold for an image; those that lie deeper, or say more names, say it last."""
    folder = storage.inside(folder, ".")
    own: dict[str, str] = _said(path)
    found: dict[str, Any] = {}
    for place in reversed([p for p in path.parents if p == folder or folder in p.parents]):
        held = [p for p in place.glob("*bold.json") if _said(p).items() <= own.items()]
        for one in sorted(held, key=lambda p: (len(_said(p)), p.name)):
            found |= storage.read_json_object(storage.inside(folder, str(one.relative_to(folder))))
    return found


def _clock(image: Any, name: str, said: Mapping[str, Any]) -> np.ndarray:
    """Return when the volumes of an image were taken, s."""
    in_head, unit = float(image.header.get_zooms()[3]), image.header.get_xyzt_units()[1]
    factors = [SECONDS_OF[unit]] if unit in SECONDS_OF else list(SECONDS_OF.values())
    unset = in_head == 0 or (unit not in SECONDS_OF and in_head == 1)  # as where nobody wrote it
    numbers = {k: said.get(k) for k in ("RepetitionTime", "StartTime")}
    for key, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"load_bids: {key} of {name} is a number of s, found {shown(value)}.")
    step, start = numbers["RepetitionTime"], numbers["StartTime"] or 0.0
    if step is None and "VolumeTiming" in said:
        raise InputError(f"load_bids: the volumes of {name} have a VolumeTiming; even ones, a RepetitionTime, asked.")
    if step is not None and not unset and not any(np.isclose(in_head * f, step, rtol=1e-3) for f in factors):
        raise InputError(
            f"load_bids: {name}: RepetitionTime is {step:g} s and the head says {in_head:g} {unit}; mend one of them."
        )
    if step is None:
        step = np.nan if unset else in_head * factors[0]
    if not 0 < step < np.inf or not np.isfinite(start):
        raise InputError(
            f"load_bids: neither the head of {name} nor a *_bold.json says the time from volume to volume; write "
            "RepetitionTime (s)."
        )
    return np.asarray(start + np.arange(image.shape[3]) * step)


def _voxels(path: Path, mask: Path, said: Mapping[str, Any]) -> xr.DataArray:
    """Return the voxels of a mask over time (time, unit)."""
    image, where = images_of_one_space(path, mask, "load_bids")
    clock = _clock(image, path.name, said)
    values, coords = voxels_of(image, where, (path, mask), "load_bids")
    coords |= {"time": clock}
    return xr.DataArray(values, dims=("time", "unit"), coords=coords, attrs={"quantity": "bold", "units": "1"})
