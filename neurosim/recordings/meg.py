"""MEG and EEG: epochs and evoked responses of MNE-Python (https://doi.org/10.3389/fnins.2013.00267)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import shown
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
    picks : "mag" (T), "grad" (T/m) or "eeg" (V).
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
    first = found[0] if isinstance(found, list) and found else found
    if not all(hasattr(e, "get_channel_types") for e in (found if isinstance(found, list) and found else [found])):
        raise InputError(
            f"load_epochs: mne.Epochs, mne.Evoked or a list of them, or the path of a file asked, found "
            f"{type(first).__name__}."
        )
    index = _sensors(first, picks)
    if hasattr(first, "events"):
        values, stimuli = _trials(found, index, balance), list(found.event_id)
        dims: tuple[str, ...] = ("stimulus", "trial", "unit", "time")
    else:
        evoked = found if isinstance(found, list) else [found]
        values, stimuli = np.stack([e.data[index] for e in evoked]), [str(e.comment) for e in evoked]
        dims = ("stimulus", "unit", "time")
    labels: dict[str, Any] = {"unit": [first.ch_names[i] for i in index]}
    labels |= {} if subject is None else {"subject": ("unit", np.repeat(subject, len(index)))}
    step = 1 / float(first.info["sfreq"])
    responses = as_responses(values, dims=dims, stimuli=stimuli, coords=labels, quantity=KINDS[picks], time_step=step)
    if picks == "grad":
        responses.attrs["units"] = "T/m"
    return responses.assign_coords(time=np.asarray(first.times))


def _read(path: Path) -> Any:
    try:
        import mne
    except ImportError as error:
        raise InputError("load_epochs needs MNE: pip install 'neurosim[meg]'.") from error
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


def _sensors(first: mne.BaseEpochs | mne.Evoked, picks: str) -> np.ndarray:
    kinds = first.get_channel_types()
    index = np.flatnonzero([k == picks for k in kinds])
    if not len(index):
        raise InputError(f"load_epochs: no {picks!r} sensors; the recording has {', '.join(sorted(set(kinds)))}.")
    return index


def _trials(epochs: mne.BaseEpochs, index: np.ndarray, balance: bool) -> np.ndarray:
    """Values (stimulus, trial, unit, time), read one stimulus at a time."""
    codes = epochs.events[:, 2]
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
