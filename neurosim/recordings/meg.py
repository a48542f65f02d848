"""MEG and EEG: epochs and evoked responses of MNE-Python (https://doi.org/10.3389/fnins.2013.00267)."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import check_numbers
from neurosim.labels import check_step
from neurosim.recordings.columns import seconds, shown
from neurosim.schema import InputError, as_responses

if TYPE_CHECKING:
    import mne

# the tag of FIF that names the file of the next part: kind, type, size, next
NEXT_PART = re.compile(rb"\x00\x00\x00\x76\x00\x00\x00\x0a(.{4}).{4}", re.DOTALL)
KINDS = {"mag": "magnetic_field", "grad": "activation", "eeg": "electric_potential"}


def load_epochs(
    epochs: mne.BaseEpochs | mne.Evoked | Sequence[mne.Evoked] | str | Path,
    *,
    picks: str = "mag",
    balance: bool = False,
    subject: str | None = None,
) -> xr.DataArray:
    """Return MNE epochs or evoked responses as responses, one kind of sensor at a time.

    Parameters
    ----------
    epochs : ``mne.Epochs``, an ``mne.Evoked`` or a list of them, or the path of a ``-epo.fif`` or ``-ave.fif`` file.
        The names of the events (of evoked: their comments) are the stimuli.
    picks : "mag" (T), "grad" (T/m) or "eeg" (V); bad channels too, with a label ``bad`` where there are any.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    subject : label along ``unit``.

    Returns
    -------
    responses (stimulus, [trial,] time, unit); ``time`` in s from the event, ``unit`` named as the sensors.

    Raises
    ------
    StorageError : a file that is missing or cannot be read. InputError : MNE is not installed, no such sensors,
        a stimulus without an epoch.

    Examples
    --------
    >>> ns.recordings.load_epochs("run-epo.fif", picks="meg")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_epochs: picks = 'meg'; known: mag, grad, eeg.
    """
    if not isinstance(picks, str) or picks not in KINDS:
        raise InputError(f"load_epochs: picks = {shown(picks)}; known: {', '.join(KINDS)}.")
    if not isinstance(epochs, str | os.PathLike):
        return _responses(epochs, picks, balance, subject)
    path = storage.as_path(epochs, "load_epochs")
    with storage.readable(path, "FIF"):
        return _responses(_read(path), picks, balance, subject)


def _responses(found: Any, picks: str, balance: bool, subject: str | None) -> xr.DataArray:
    """Label what MNE read."""
    evoked = list(found) if isinstance(found, list | tuple) else [found]
    strange = [e for e in evoked if not (hasattr(e, "comment") or (hasattr(e, "event_id") and len(evoked) == 1))]
    if strange or not evoked:
        raise InputError(
            f"load_epochs: mne.Epochs, mne.Evoked or a list of evoked, or the path of a file asked, found "
            f"{f'{len(evoked)} of them, a ' if len(evoked) > 1 else ''}{type((strange or [found])[0]).__name__}."
        )
    first = evoked[0]
    index = _sensors(first, picks)
    if hasattr(first, "event_id"):
        values, stimuli = _trials(first, index, balance), list(first.event_id)
        dims: tuple[str, ...] = ("stimulus", "trial", "unit", "time")
    else:
        values, stimuli = _of_evoked(evoked, index, picks), [str(e.comment) for e in evoked]
        dims = ("stimulus", "unit", "time")
    labels: dict[str, Any] = {"unit": [first.ch_names[i] for i in index]}
    bads = [name in first.info["bads"] for name in labels["unit"]]
    labels |= {"bad": ("unit", bads)} if any(bads) else {}
    labels |= {} if subject is None else {"subject": ("unit", np.repeat(subject, len(index)))}
    step = 1 / float(first.info["sfreq"])
    responses = as_responses(values, dims=dims, stimuli=stimuli, coords=labels, quantity=KINDS[picks], time_step=step)
    if picks == "grad":
        responses.attrs["units"] = "T/m"
    return responses.assign_coords(time=np.asarray(first.times))


def _read(path: Path) -> Any:
    mne = _mne("load_epochs")
    name = path.name.lower()
    if not name.endswith((".fif", ".fif.gz")):
        raise InputError(f"load_epochs: {path.name} is no .fif or .fif.gz file.")
    _check_parts(storage.existing(path, any_size=True))
    if name.endswith(("ave.fif", "ave.fif.gz")):
        return mne.read_evokeds(path, verbose="error")
    return mne.read_epochs(path, preload=False, verbose="error")


def _check_parts(path: Path) -> None:
    """Refuse a file that goes on in another folder, or unpacks without bound."""
    last = b""
    for piece in storage.pieces(path, "FIF"):
        for match in NEXT_PART.finditer(last + piece):
            begin, size = match.end(), int.from_bytes(match.group(1), "big")
            name = (last + piece)[begin : begin + min(size, 1024)]
            if b"/" in name or b"\\" in name:
                raise storage.StorageError(f"{path}: goes on in {name.decode('latin-1')!r}, elsewhere; not opened.")
        last = piece[-2048:]


def _of_evoked(evoked: Sequence[mne.Evoked], index: np.ndarray, picks: str) -> np.ndarray:
    """Return values (stimulus, unit, time) of evoked responses of the same sensors, by name, at the same times."""
    first = evoked[0]
    names = [first.ch_names[i] for i in index]
    rows = []
    for other in evoked:
        place = {other.ch_names[i]: i for i in _sensors(other, picks)}
        if set(place) != set(names):
            raise InputError(
                f"load_epochs: {other.comment!r} and {first.comment!r} have other {picks} sensors; pick common ones."
            )
        if len(other.times) != len(first.times) or not np.allclose(other.times, first.times, rtol=0, atol=1e-9):
            raise InputError(
                f"load_epochs: {other.comment!r} and {first.comment!r} have other times; crop or resample them to one."
            )
        rows.append(other.data[[place[name] for name in names]])
    return np.stack(rows)


def _sensors(first: mne.BaseEpochs | mne.Evoked, picks: str) -> np.ndarray:
    kinds = first.get_channel_types()
    index = np.flatnonzero([k == picks for k in kinds])
    if not len(index):
        raise InputError(f"load_epochs: no {picks!r} sensors; the recording has {', '.join(sorted(set(kinds)))}.")
    return index


def _trials(epochs: mne.BaseEpochs, index: np.ndarray, balance: bool) -> np.ndarray:
    """Values (stimulus, trial, unit, time), read one stimulus at a time."""
    codes = epochs.events[:, 2]
    if len(set(epochs.event_id.values())) < len(epochs.event_id):
        raise InputError("load_epochs: two names of event_id have one code; give each event one name.")
    counts = {name: int((codes == code).sum()) for name, code in epochs.event_id.items()}
    n = min(counts.values())
    if n < 1:
        silent = [name for name, count in counts.items() if count < 1]
        raise InputError(f"load_epochs: {', '.join(silent)} have no epoch; drop them from event_id.")
    n = n if balance else max(counts.values())
    values = np.full((len(counts), n, len(index), len(epochs.times)), np.nan)
    for row, name in zip(values, epochs.event_id, strict=True):
        found = epochs[name].get_data(picks=index, verbose="error")[:n]
        row[: len(found)] = found
    return values


# --- and back -----------------------------------------------------------------------------------------------------


def to_mne(values: xr.DataArray, info: mne.Info | None = None) -> mne.EvokedArray:
    """Return a course over time, of sensors or of scores, as an evoked response of MNE, for its plots and files.

    Parameters
    ----------
    values : (time,) or (unit, time), time in s and evenly spaced; such as scores of searchlights around sensors. NaN
        stays NaN.
    info : of the recording; its sensors are found by the names of the units, with their kinds and places. Without it
        channels are "mag" or "eeg" as the ``quantity`` says, or "misc" for all else, such as scores.

    Returns
    -------
    ``mne.EvokedArray`` with the same times, a channel a unit ("score", or the name of the array, where there is none).

    Raises
    ------
    InputError : MNE is not installed, other dims, times that are not evenly spaced, sensors that `info` lacks.

    Examples
    --------
    >>> import xarray as xr
    >>> scores = xr.DataArray([0.0, 0.2, 0.1], dims="time", coords={"time": [-0.1, 0.0, 0.1]})
    >>> ns.recordings.to_mne(scores).times.tolist()
    [-0.1, 0.0, 0.1]
    """
    mne, who = _mne("to_mne"), "to_mne"
    if not isinstance(values, xr.DataArray) or not {"time"} <= set(values.dims) <= {"unit", "time"}:
        found = values.dims if isinstance(values, xr.DataArray) else f"a {type(values).__name__}"
        raise InputError(f"{who}: values (time,) or (unit, time) asked, found {found}; select one of the others.")
    check_numbers(values, who)
    if "time" not in values.coords or values.sizes["time"] < 2 or not values.size:
        raise InputError(f"{who}: 2 times or more in s asked, found {dict(values.sizes)}.")
    time = seconds(values["time"], who, "times")
    step = float(time[-1] - time[0]) / (len(time) - 1)
    if not step > 0:
        raise InputError(f"{who}: time does not rise; .sortby('time') first.")
    check_step(time, step, who)
    if "unit" in values.dims:
        names = [str(u) for u in (values["unit"].values if "unit" in values.coords else range(values.sizes["unit"]))]
    else:
        names = [str(values.name or "score")]
    rows = values.transpose("unit", "time").values if "unit" in values.dims else values.values[None]
    own = _info(mne, names, 1 / step, info, str(values.attrs.get("quantity", "")))
    return mne.EvokedArray(
        np.asarray(rows, dtype=float), own, tmin=time[0], comment=str(values.attrs.get("method", "")), verbose="error"
    )


def sensor_neighbours(info: mne.Info, picks: str = "mag") -> xr.DataArray:
    """Return which sensors are beside each other, as MNE knows it, for the adjacency of maps.

    Parameters
    ----------
    info : of the recording, with the places of its sensors.
    picks : "mag", "grad" or "eeg".

    Returns
    -------
    bool (unit, unit_other), with the names of the sensors, False for a sensor and itself.

    Raises
    ------
    InputError : MNE is not installed, no such sensors, or sensors without places.

    Examples
    --------
    >>> import mne
    >>> montage = mne.channels.make_standard_montage("biosemi16")
    >>> info = mne.create_info(montage.ch_names, 100.0, "eeg", verbose="error").set_montage(montage)
    >>> beside = ns.recordings.sensor_neighbours(info, "eeg")
    >>> beside.unit[beside.sel(unit_other="Cz")].values.tolist()
    ['F4', 'Fz', 'F3', 'C3', 'C4', 'P4', 'Pz', 'P3']
    """
    mne, who = _mne("sensor_neighbours"), "sensor_neighbours"
    if not isinstance(picks, str) or picks not in KINDS:
        raise InputError(f"{who}: picks = {shown(picks)}; known: {', '.join(KINDS)}.")
    if not isinstance(info, mne.Info) or picks not in info.get_channel_types():
        found = sorted(set(info.get_channel_types())) if isinstance(info, mne.Info) else f"a {type(info).__name__}"
        raise InputError(f"{who}: an mne.Info with {picks!r} sensors asked, found {found}.")
    index = [i for i, kind in enumerate(info.get_channel_types()) if kind == picks]
    if len(index) < 2:
        raise InputError(f"{who}: 2 {picks!r} sensors or more asked, found {len(index)}, which is beside no other.")
    places = np.array([info["chs"][i]["loc"][:3] for i in index])
    if not np.isfinite(places).all() or len(np.unique(places, axis=0)) < 2:
        raise InputError(f"{who}: the places of the {picks!r} sensors are not known; info.set_montage(...) first.")
    with mne.utils.use_log_level("error"):
        found, names = mne.channels.find_ch_adjacency(info, picks)
    beside = (found.toarray() != 0) & ~np.eye(len(names), dtype=bool)
    return xr.DataArray(beside, dims=("unit", "unit_other"), coords={"unit": names, "unit_other": names})


def _info(mne: Any, names: list[str], rate: float, given: Any, quantity: str) -> Any:
    """Return channels of these names at a sampling rate, as the recording has them if it is given."""
    if given is None:
        kind = {v: k for k, v in KINDS.items() if k != "grad"}.get(quantity, "misc")
        return mne.create_info(names, rate, kind, verbose="error")
    if not isinstance(given, mne.Info):
        raise InputError(f"to_mne: info is an mne.Info, such as evoked.info, found a {type(given).__name__}.")
    known = {c["ch_name"]: c for c in given["chs"]}
    lost = [n for n in names if n not in known]
    if lost:
        raise InputError(f"to_mne: info, an mne.Info, has no sensor {lost[0]!r}; it has {shown(', '.join(known))}.")
    own = mne.create_info(names, rate, "misc", verbose="error")
    for channel in own["chs"]:
        channel.update(copy.deepcopy(known[channel["ch_name"]]))
    own["bads"] = [name for name in names if name in given["bads"]]
    return own


def _mne(who: str) -> Any:
    try:
        import mne
    except ImportError as error:
        raise InputError(f"{who} needs MNE: pip install 'neurosim[meg]'.") from error
    return mne
