"""What an open NWB file holds: its units, trials, sampled series and sweeps, checked."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from neurosim import storage
from neurosim.recordings.columns import as_text, seconds, shown
from neurosim.recordings.events import IN_OPTIONS, check_columns
from neurosim.schema import InputError, as_sweeps, suggest

if TYPE_CHECKING:
    import pandas as pd
    import pynwb

BASES = {"V": ("volt", "volts"), "T": ("tesla", "teslas"), "A": ("ampere", "amperes", "amp", "amps")}
PREFIXES = {
    ("", ""): 1.0,
    ("k", "kilo"): 1e3,
    ("m", "milli"): 1e-3,
    ("u", "micro"): 1e-6,
    ("n", "nano"): 1e-9,
    ("p", "pico"): 1e-12,
    ("f", "femto"): 1e-15,
}
MICRO = str.maketrans("\u00b5\u03bc", "uu")

logger = logging.getLogger(__name__)


def contents_of(nwb: pynwb.NWBFile) -> str:
    """Say in words what a file holds."""
    parts = {
        "units": nwb.units is not None,
        f"intervals {', '.join(intervals_of(nwb))}": bool(intervals_of(nwb)),
        f"series {', '.join(n for n, _ in series_of(nwb))}": any(True for _ in series_of(nwb)),
        "current-clamp sweeps": any(True for _ in sweep_pairs(nwb)),
    }
    return "; ".join(k for k, there in parts.items() if there) or "nothing that neurosim reads"


def intervals_of(nwb: pynwb.NWBFile) -> dict[str, Any]:
    """Return every table of intervals of a file by name: trials, epochs, presentations, those of processing."""
    from pynwb.epoch import TimeIntervals

    tables = [item for item in nwb.objects.values() if isinstance(item, TimeIntervals)]
    named = [t.name for t in tables]
    return {t.name if named.count(t.name) == 1 else f"{t.parent.name}/{t.name}": t for t in tables}


def events_of(nwb: pynwb.NWBFile, name: object, file_name: str, needs: tuple[str, str]) -> pd.DataFrame:
    """Return the table of intervals that is asked for; trials, or the only table, where none is named.

    Rows without a value in a column of `needs`, or with an empty one, are left out, and counted in the log. Several
    values in one row, such as the tags of an epoch, are joined by commas.
    """
    tables = intervals_of(nwb)
    if name is None:
        name = "trials" if "trials" in tables else next(iter(tables)) if len(tables) == 1 else None
    if not isinstance(name, str) or name not in tables:
        asked = "no trials" if name is None else f"no intervals {shown(name)}"
        known = f"choose one with intervals=: {', '.join(tables)}" if tables else f"it has {contents_of(nwb)}"
        raise InputError(f"{file_name}: holds {asked} to align to; {known}.{suggest(str(name), tables)}")
    found = frame_of(tables[name], file_name)
    ragged = [c for c in found.columns if any(np.ndim(v) for v in found[c])]
    found = found.assign(**{c: [", ".join(map(as_text, np.ravel(v))) for v in found[c]] for c in ragged})
    by, align_to = needs
    check_columns([str(c) for c in found.columns], align_to, by, f"{file_name}, {name}", IN_OPTIONS)
    needed = [c for c in found.columns if c in needs]
    known = found[found[needed].replace(r"^\s*$", np.nan, regex=True).notna().all(axis=1)]
    if len(known) < len(found):
        lost = len(found) - len(known)
        logger.warning("%s: %d of %d %s have no %s.", file_name, lost, len(found), name, " or ".join(needs))
    return known


def unit_table(nwb: pynwb.NWBFile, name: str) -> pd.DataFrame:
    """Return the table of the units, which have spike times."""
    if nwb.units is None or "spike_times" not in nwb.units.colnames:
        raise InputError(f"{name}: holds no units with spike times; it has {contents_of(nwb)}.")
    return frame_of(nwb.units, name)


def frame_of(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table of the file, if it is small enough to be read at once."""
    held = sum(int(getattr(getattr(c, "data", None), "nbytes", 0)) for c in table.columns)
    storage.check_claim(held, f"{name}: the table {table.name}")
    return table.to_dataframe(exclude={"timeseries", "electrode_group"} & set(table.colnames), index=True)


def areas_of(nwb: pynwb.NWBFile, table: pd.DataFrame) -> list[str]:
    """Return where every unit was recorded: at its first electrode, or at that of its peak; empty where not said."""
    known = nwb.electrodes
    if known is None or "location" not in known.colnames:
        return []
    place = [as_text(v) for v in known["location"][:]]
    if "peak_channel_id" in table:
        row_of = {int(number): row for row, number in enumerate(known.id[:])}
        rows = [row_of.get(int(channel)) for channel in table["peak_channel_id"]]
    elif "electrodes" in table:
        rows = [int(np.ravel(held)[0]) if np.size(held) else None for held in table["electrodes"]]
    else:
        return []
    return ["" if row is None else place[row] for row in rows]


def trains_of(column: Any, name: str) -> dict[str, np.ndarray]:
    """Return the spike times of every unit, s, in order."""
    if column.index.duplicated().any():
        raise InputError(f"{name}: unit {column.index[column.index.duplicated()][0]} is there twice.")
    trains = {}
    for unit, held in column.items():
        times = np.asarray(held, dtype=float)
        bad = int((~np.isfinite(times)).sum()), int((times < 0).sum()), int((np.diff(times) < 0).sum())
        if any(bad):
            raise InputError(
                f"{name}: of {len(times)} spike times of unit {unit}, {bad[0]} are NaN or infinite, {bad[1]} negative, "
                f"{bad[2]} before the one in front, and s from the start of the session asked, in order; write it "
                "with them in order, or read it with pynwb and give align_spikes those that are times."
            )
        trains[str(unit)] = seconds(np.asarray(held), name, f"spike times of unit {unit}")
    return trains


def labels_of(nwb: pynwb.NWBFile, table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the table of units that hold one plain value a unit, and where each was recorded."""
    plain = [
        c
        for c in table.columns
        if c not in ("spike_times", "obs_intervals", "electrodes", "waveform_mean", "waveform_sd")
        and all(np.ndim(v) == 0 for v in table[c])
    ]
    kept = table[plain].set_axis([str(i) for i in table.index])
    areas = areas_of(nwb, table)
    kept = kept.assign(area=areas) if areas and "area" not in kept else kept
    return kept if "label" in kept else kept.rename(columns={"unit": "label"})


def observed_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return when every unit was observed (interval, from and to), s; units of which the file says it."""
    if "obs_intervals" not in table:
        return {}
    held = {str(u): np.asarray(spans, dtype=float).reshape(-1, 2) for u, spans in table["obs_intervals"].items()}
    return {u: spans for u, spans in held.items() if len(spans)}


def session_of(nwb: pynwb.NWBFile, trains: dict[str, np.ndarray], events: pd.DataFrame) -> tuple[float, float]:
    """Return the first and the last moment at which anything is known to have been recorded, s."""
    times = [t[[0, -1]] for t in trains.values() if len(t)] + [events["start_time"], events["stop_time"]]
    if "obs_intervals" in nwb.units.colnames:
        times = [np.asarray(nwb.units["obs_intervals"][i]).ravel() for i in range(len(nwb.units))]
    everything = np.concatenate([np.asarray(t, dtype=float) for t in times])
    return min(0.0, float(np.nanmin(everything))), float(np.nanmax(everything))


def series_of(nwb: pynwb.NWBFile) -> Iterator[tuple[str, Any]]:
    """Give the sampled series of a file by name, by path where a name is there twice; those of icephys apart."""
    from pynwb import TimeSeries
    from pynwb.icephys import PatchClampSeries

    found = [
        item
        for item in nwb.objects.values()
        if isinstance(item, TimeSeries) and not isinstance(item, PatchClampSeries) and hasattr(item.data, "parent")
    ]
    names = [item.name for item in found]
    for item in found:
        yield (item.name if names.count(item.name) == 1 else item.data.parent.name.strip("/")), item


def si_unit(name: str) -> tuple[str, float]:
    """Return the SI unit of volts, tesla or amperes with any prefix, and how many a unit of that name is.

    >>> si_unit("mV"), si_unit("volts"), si_unit("m/s")
    (('V', 0.001), ('V', 1.0), ('m/s', 1.0))
    """
    plain = name.translate(MICRO)
    for base, words in BASES.items():
        for (short, long), factor in PREFIXES.items():
            if plain == short + base or name.lower() in {long + word for word in words}:
                return base, factor
    return name, 1.0


def on_disk(item: pynwb.TimeSeries, path: Path, scale: float) -> xr.DataArray:
    """Return the samples of a series (time, [unit]) times `scale`, read when they are used."""
    channels = getattr(item, "channel_conversion", None)
    factors = float(item.conversion or 1.0) * np.asarray(1.0 if channels is None else channels[:], dtype=float)
    offset = float(getattr(item, "offset", 0.0) or 0.0)
    held = _OnDisk(path, item.data.name, item.data.shape, factors * scale, offset * scale)
    return xr.DataArray(xr.Variable(("time", "unit")[: item.data.ndim], indexing.LazilyIndexedArray(held)))


class _OnDisk(BackendArray):
    """Samples of a file, of which only those asked for are read."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], factors: np.ndarray, offset: float) -> None:
        self.path, self.name, self.offset = path, name, offset
        self.factors = np.broadcast_to(factors, shape[1:]) if len(shape) > 1 else factors
        self.shape, self.dtype = shape, np.dtype(float)

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        with storage.readable(self.path, "NWB"), h5py.File(self.path, "r") as file:
            raw = np.asarray(file[self.name][key], dtype=float)
        return np.asarray(raw * self.factors[key[1:]] + self.offset)


def check_pairs(pairs: list[tuple[Any, Any]], name: str) -> None:
    """Refuse sweeps whose current and voltage were not sampled at the same moments, or are too large."""
    for voltage, current in pairs:
        clocks = {(s.rate, float(s.starting_time or 0.0)) for s in (voltage, current)}
        if len(clocks) > 1 or voltage.rate is None:
            raise InputError(
                f"{name}: {voltage.name} and {current.name} have other rates or starts than each other, or time stamps "
                f"of their own: {sorted(map(str, clocks))}; a sweep is sampled on one clock."
            )
    held = sum(8 * int(s.data.size) for pair in pairs for s in pair)
    storage.check_claim(held, f"{name}: the array of sweeps")


def by_protocol(pairs: list[tuple[Any, Any]]) -> dict[str, list[tuple[Any, Any]]]:
    """Return the sweeps that make one array each: all, or those of one stimulus, length and rate."""
    shapes = [(len(v.data), float(v.rate)) for v, _ in pairs]
    if len(set(shapes)) == 1:
        return {"sweeps": pairs}
    said = [str(v.stimulus_description or "sweeps") for v, _ in pairs]
    found: dict[str, list[tuple[Any, Any]]] = {}
    for pair, name, (n, rate) in zip(pairs, said, shapes, strict=True):
        several = len({s for s, other in zip(shapes, said, strict=True) if other == name}) > 1
        found.setdefault(f"{name}, {n} samples at {rate:g} Hz" if several else name, []).append(pair)
    return found


def sweep_pairs(nwb: pynwb.NWBFile) -> Iterator[tuple[Any, Any]]:
    """Give voltage and current of every current-clamp sweep, as a table has them, else by number: 2 before 10."""
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    table = nwb.intracellular_recordings
    if table is not None:
        for row in range(len(table)):
            voltage = table.category_tables["responses"]["response"][row].timeseries
            current = table.category_tables["stimuli"]["stimulus"][row].timeseries
            if isinstance(voltage, CurrentClampSeries) and isinstance(current, CurrentClampStimulusSeries):
                yield voltage, current
        return
    voltages = sorted((s for s in nwb.acquisition.values() if isinstance(s, CurrentClampSeries)), key=_by_number)
    currents = sorted((s for s in nwb.stimulus.values() if isinstance(s, CurrentClampStimulusSeries)), key=_by_number)
    if len({s.sweep_number for s in voltages}) == len(voltages) > 1:
        by_number = {s.sweep_number: s for s in currents}
        ordered = sorted(voltages, key=lambda s: int(s.sweep_number))
        yield from ((v, by_number[v.sweep_number]) for v in ordered if v.sweep_number in by_number)
    elif len(voltages) == len(currents):
        yield from zip(voltages, currents, strict=True)


def _by_number(series: pynwb.TimeSeries) -> list[tuple[str, int]]:
    """Return what puts names in the order of the numbers in them."""
    return [(text, int(number or -1)) for text, number in re.findall(r"([^0-9]*)([0-9]*)", series.name)]


def stacked(pairs: list[tuple[Any, Any]], about: dict[str, str]) -> xr.Dataset:
    """Return sweeps of one length and rate as one array each of voltage and current.

    A current that the amplifier injects beside the stimulus is a label ``bias_current`` (sweep), A: no file says
    whether the stimulus has it in it.
    """
    voltage = np.stack([in_si(v) for v, _ in pairs])
    current = np.stack([in_si(i)[: voltage.shape[1]] for _, i in pairs])
    step = 1 / float(pairs[0][0].rate)
    found = as_sweeps(current, voltage, time_step=step, sweeps=[v.name for v, _ in pairs], attrs=about)
    bias = np.array([np.nan if v.bias_current is None else float(v.bias_current) for v, _ in pairs])
    if not (np.nan_to_num(bias) != 0).any():
        return found
    logger.warning(
        "%s has a bias current, which is a label of the sweeps and not in `current`; add it if it flowed.",
        pairs[0][0].name,
    )
    return found.assign_coords(bias_current=("sweep", bias))


def in_si(series: pynwb.TimeSeries) -> np.ndarray:
    """Return the samples of a series in SI units."""
    return np.asarray(series.data[:], dtype=float) * float(series.conversion or 1.0) + float(series.offset or 0.0)
