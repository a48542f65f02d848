"""Neo: whatever its readers open, or a block made by other tools, becomes spikes, events and series."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.columns import seconds, shown
from neurosim.recordings.neo_readers import PICKLES, check_files, fitting_readers, named_reader
from neurosim.schema import InputError

if TYPE_CHECKING:
    import neo
    import pandas as pd


def load_neo(path: str | Path, *, reader: str | None = None) -> neo.Block:
    """Read a recording of any format that Neo knows, as one Neo block; signals stay on disk where its reader allows.

    Parameters
    ----------
    path : file or folder of Spike2, Plexon, Blackrock, Intan, Open Ephys, Axon, ... (needs ``neurosim[neo]``). Formats
        whose reader can run code (pickles, Elphy, PL2) or makes up what the file does not say (raw numbers) are
        refused, however their name is spelt.
    reader : class of ``neo.io`` that reads it, such as "PlexonIO"; by default the first that fits the ending and opens.

    Raises
    ------
    StorageError : no such file, one that Neo cannot read or finds nothing in, or HDF5 that leads out of the file.
    InputError : Neo is not installed, an unknown reader, or one that is not allowed here.

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
        importlib.import_module("neo.io")
    except ImportError as error:
        raise InputError("load_neo needs Neo: pip install 'neurosim[neo]'.") from error
    path = storage.as_path(path, "load_neo")
    if path.suffix.lower() in PICKLES:
        fitting_readers(path)
    if not storage.is_folder(path) and storage.existing(path, any_size=True).stat().st_size == 0:
        raise storage.StorageError(f"{path}: the file is empty.")
    with storage.readable(path, "a format of Neo"):
        fitting = fitting_readers(path) if reader is None else [named_reader(reader)]
        check_files(path)
        found = _opened(path, fitting)
        block = found.read_block(lazy=True) if getattr(found, "support_lazy", False) else found.read_block()
    if not any(_holds_something(item) for segment in block.segments for item in segment.data_children):
        raise storage.StorageError(f"{path}: {type(found).__name__} finds no spikes, signals or events in it.")
    return block


def _opened(path: Path, readers: list[type[neo.io.BaseIO]]) -> neo.io.BaseIO:
    """Return the first reader that opens a file; the error of the last one where none does."""
    for k, reader in enumerate(readers):
        try:
            return reader(str(path))
        except Exception:
            if k == len(readers) - 1:
                raise
    raise storage.StorageError(f"{path}: no reader of Neo fits.")


def _holds_something(item: object) -> bool:
    """Whether a train, signal or event has samples; one that is left on disk says how many."""
    return 0 not in getattr(item, "shape", ())


def neo_spikes(block: neo.Block, *, segment: int = 0) -> dict[str, np.ndarray]:
    """Return the spike times of a segment, s, by unit; what :func:`align_spikes` takes.

    Parameters
    ----------
    block : Neo block. segment : index of the segment.

    Returns
    -------
    by the name of each spike train (``unit_000`` ... where it has none) its times, s, in the order of the block.

    Raises
    ------
    InputError : no such segment, or one without spike trains.

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
    with storage.readable(Path(str(getattr(item, "file_origin", None) or "the block")), "a format of Neo"):
        return item.load() if hasattr(item, "load") else item


def _volt() -> Any:
    import quantities

    return quantities.V
