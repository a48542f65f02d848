"""Neo: whatever its readers open, or a block made by other tools, becomes spikes, events and series."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import seconds, shown
from neurosim.schema import InputError, suggest

if TYPE_CHECKING:
    import neo
    import pandas as pd

NAMES_FILES = {
    ".vhdr": re.compile(r"(?im)^(Data|Marker)File\s*=.*[/\\\\].*$"),
    ".oebin": re.compile(r'"folder_name"\s*:\s*"[^"]*\.\.[^"]*"'),
}
CODE_INSIDE = {"PickleIO": "is a pickle, which can run code", "ElphyIO": "is read by evaluating text of the file"}


def load_neo(path: str | Path, *, reader: str | None = None) -> neo.Block:
    """Read a recording of any format that Neo knows, as one Neo block; signals stay on disk where its reader allows.

    Parameters
    ----------
    path : file or folder of Spike2, Plexon, Blackrock, Intan, Open Ephys, Axon, ... (needs ``neurosim[neo]``). Formats
        that can run code when they are read (pickles, Elphy) are refused, whatever their name.
    reader : class of ``neo.io`` that reads it, such as "PlexonIO"; by default the first that fits the ending and opens.

    Raises
    ------
    StorageError : no such file, one that Neo cannot read, or HDF5 that leads out of the file. InputError : Neo is not
        installed, an unknown reader, or a format that can run code.

    Returns
    -------
    the block; :func:`neo_spikes`, :func:`neo_events` and :func:`neo_series` read it.

    Examples
    --------
    >>> ns.recordings.load_neo("session.pkl")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_neo: session.pkl is a pickle, which can run code; save it in another format.
    """
    try:
        from neo.io import list_candidate_ios
    except ImportError as error:
        raise InputError("load_neo needs Neo: pip install 'neurosim[neo]'.") from error
    path = storage.as_path(path, "load_neo")
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise InputError(f"load_neo: {path.name} {CODE_INSIDE['PickleIO']}; save it in another format.")
    if not storage.is_folder(path):
        storage.existing(path, any_size=True)
    with storage.readable(path, "a format of Neo"):
        fitting = list_candidate_ios(str(path)) if reader is None else [_reader(reader)]
        safe = [r for r in fitting if r.__name__ not in CODE_INSIDE]
        if not safe:
            raise InputError(f"load_neo: {path.name} {CODE_INSIDE[fitting[0].__name__]}; save it in another format.")
        _check_files(path)
        found = _opened(path, safe)
        return found.read_block(lazy=True) if getattr(found, "support_lazy", False) else found.read_block()


def _reader(name: str) -> type[neo.io.BaseIO]:
    """Return a class of Neo by its name."""
    from neo.io import iolist

    known = {r.__name__: r for r in iolist}
    if not isinstance(name, str) or name not in known:
        raise InputError(f"load_neo: no reader {shown(name)} in Neo.{suggest(str(name), known)}")
    found: type[neo.io.BaseIO] = known[name]
    return found


def _opened(path: Path, readers: list[type[neo.io.BaseIO]]) -> neo.io.BaseIO:
    """Return the first reader that opens a file; the error of the last one where none does."""
    for k, reader in enumerate(readers):
        try:
            return reader(str(path))
        except Exception:
            if k == len(readers) - 1:
                raise
    raise storage.StorageError(f"{path}: no reader of Neo fits.")


def _check_files(path: Path) -> None:
    """Refuse HDF5 files, alone or in a folder, that read from other files."""
    import h5py

    if path.is_file() and path.stat().st_size == 0:
        raise storage.StorageError(f"{path}: the file is empty.")
    if path.is_dir():
        storage.check_links(path)
    for file in [path] if path.is_file() else (p for p in path.rglob("*") if p.is_file()):
        ending = file.suffix.lower()
        if h5py.is_hdf5(file):
            storage.check_hdf5(file, soft_links=True, any_size=True)
        elif ending == ".mat":
            storage.check_inflation(file)
        elif ending in NAMES_FILES:
            away = NAMES_FILES[ending].search(storage.read_text(file, "latin-1"))
            if away is not None:
                raise storage.StorageError(f"{file}: names a file elsewhere ({away.group().strip()}); not opened.")


def neo_spikes(block: neo.Block, *, segment: int = 0) -> dict[str, np.ndarray]:
    """Return the spike times of a segment, s, by unit; what :func:`align_spikes` takes.

    Examples
    --------
    >>> import neo, quantities as pq
    >>> block, segment = neo.Block(), neo.Segment()
    >>> segment.spiketrains.append(neo.SpikeTrain([100, 200] * pq.ms, t_stop=1 * pq.s, name="u"))
    >>> block.segments.append(segment)
    >>> ns.recordings.neo_spikes(block)["u"].tolist()
    [0.1, 0.2]
    """
    trains = [_loaded(t) for t in _segment(block, segment).spiketrains]
    if not trains:
        raise InputError("neo_spikes: the segment holds no spike trains.")
    names = [str(t.name or f"unit_{i:03d}") for i, t in enumerate(trains)]
    names = names if len(set(names)) == len(names) else [f"{n}_{i}" for i, n in enumerate(names)]
    return {n: seconds(t, "neo_spikes", f"spike times of {n}") for n, t in zip(names, trains, strict=True)}


def neo_events(block: neo.Block, name: str | None = None, *, segment: int = 0) -> pd.DataFrame:
    """Return the events (or epochs) of a segment as a table: ``start_time`` (s), ``stimulus`` (their label).

    Parameters
    ----------
    block : Neo block. name : which events; may be left out when there are only one.
    segment : index of the segment.

    Raises
    ------
    InputError : no events of that name; the message lists those there are.

    Examples
    --------
    >>> import neo, quantities as pq
    >>> block, segment = neo.Block(), neo.Segment()
    >>> segment.events.append(neo.Event([1, 2] * pq.s, labels=["a", "b"], name="shown"))
    >>> block.segments.append(segment)
    >>> ns.recordings.neo_events(block).stimulus.tolist()
    ['a', 'b']
    """
    import pandas as pd

    held = _segment(block, segment)
    found = {str(e.name or f"events_{i}"): e for i, e in enumerate([*held.events, *held.epochs])}
    if name is None and len(found) == 1:
        name = next(iter(found))
    if not isinstance(name, str) or name not in found:
        raise InputError(f"neo_events: no events {shown(name)}. Events: {', '.join(found) or 'none'}.")
    events = _loaded(found[name])
    times, labels = seconds(events.times, "neo_events", "event times"), [str(label) for label in events.labels]
    if len(labels) != len(times):
        raise InputError(f"neo_events: {len(times)} events need as many labels, found {len(labels)}.")
    return pd.DataFrame({"start_time": times, "stimulus": labels})


def neo_series(block: neo.Block, signal: int = 0, *, segment: int = 0) -> xr.DataArray:
    """Return an analog signal of a segment as a series (time, unit) in SI units; what :func:`align_series` takes.

    Parameters
    ----------
    block : Neo block. signal : number of the signal in the segment. segment : index of the segment.

    Returns
    -------
    (time, unit), ``time`` in s; volts where the signal is a voltage.

    Raises
    ------
    InputError : no such segment or signal.

    Examples
    --------
    >>> import neo, quantities as pq
    >>> block, segment = neo.Block(), neo.Segment()
    >>> segment.analogsignals.append(neo.AnalogSignal([[1.0], [2.0]] * pq.mV, sampling_rate=10 * pq.Hz))
    >>> block.segments.append(segment)
    >>> ns.recordings.neo_series(block).values.ravel().tolist()
    [0.001, 0.002]
    """
    signals = _segment(block, segment).analogsignals
    if not isinstance(signal, int) or not 0 <= signal < len(signals):
        raise InputError(f"neo_series: no signal {shown(signal)}; the segment holds {len(signals)}.")
    found = _loaded(signals[signal])
    is_voltage = found.units.simplified.dimensionality == _volt().simplified.dimensionality
    values = found.rescale("V").magnitude if is_voltage else found.magnitude
    attrs = {"quantity": "electric_potential" if is_voltage else "activation"}
    attrs["units"] = "V" if is_voltage else str(found.units.dimensionality)
    clock = seconds(found.times, "neo_series", "times of the samples")
    return xr.DataArray(np.asarray(values), dims=("time", "unit"), coords={"time": clock}, attrs=attrs)


def _segment(block: neo.Block, index: int) -> neo.Segment:
    if not hasattr(block, "segments"):
        raise InputError(f"Neo: a block of Neo asked, as load_neo reads it, found {type(block).__name__}.")
    if not isinstance(index, int) or not 0 <= index < len(block.segments):
        raise InputError(f"Neo: no segment {shown(index)}; the block holds {len(block.segments)}.")
    return block.segments[index]


def _loaded(item: object) -> Any:
    return item.load() if hasattr(item, "load") else item


def _volt() -> Any:
    import quantities

    return quantities.V
