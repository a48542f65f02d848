"""Events of cameras and ears that send changes: kept as events, put into steps of time when they are used."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neurosim.arrays import is_missing
from neurosim.refusals import InputError, SchemaError, suggest
from neurosim.showing import as_table, words

SENSORS = (("unit",), ("y", "x"), ("channel", "y", "x"))
LATEST = 2**31 - 1  # us
MICROSECOND = 1e-6
SECOND = 1.0


@dataclass(frozen=True)
class Recording:
    """The events of one recording.

    Parameters
    ----------
    times : (event,) int64, in us from its start, never falling.
    places : by dim of the sensor, (event,) int64. sensor : sizes by dim.
    """

    times: np.ndarray
    places: Mapping[str, np.ndarray]
    sensor: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class EventSet:
    """Recordings of events, one after another, kept as events: 6 bytes each, 8 where a sensor has over 65,536 places.

    Parameters
    ----------
    times : (event,) int32, in us from the start of the recording, never falling within one.
    addresses : (event,) where it was, counted over the dims of the sensor, the last one fastest.
    starts : (recording + 1,) where the events of each begin, and those of the last one end.
    sensor : sizes by dim, ``{"unit": 700}`` or ``{"channel": 2, "y": 34, "x": 34}``; channel 0 is off, 1 is on.
    ids : unique name of each recording. labels : what is known of each, by name: ``category``, ``speaker``.

    Examples
    --------
    >>> events = ns.stimuli.as_events([10, 40, 5], {"unit": [0, 2, 1]}, [2, 1], sensor={"unit": 3})
    >>> len(events), events.nbytes, events.recording(0).times.tolist()
    (2, 18, [10, 40])
    >>> events
    EventSet(2 recordings, 3 events, unit 3)
    """

    times: np.ndarray
    addresses: np.ndarray
    starts: np.ndarray
    sensor: Mapping[str, int]
    ids: np.ndarray
    labels: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        """Return how much there is, and the names of its labels."""
        sizes = " x ".join(f"{dim} {n}" for dim, n in self.sensor.items())
        return f"EventSet({', '.join([f'{len(self)} recordings', f'{len(self.times)} events', sizes, *self.labels])})"

    def _repr_html_(self) -> str:
        """Return the same with the values of the labels, as a table for a notebook."""
        sizes = " x ".join(f"{dim} {n}" for dim, n in self.sensor.items())
        rows = [("recordings", len(self)), ("events", len(self.times)), ("sensor", sizes)]
        rows += [(name, words(dict.fromkeys(np.asarray(v).tolist()), "values")) for name, v in self.labels.items()]
        return as_table(type(self).__name__, rows)

    @property
    def nbytes(self) -> int:
        """Bytes that the events take."""
        return self.times.nbytes + self.addresses.nbytes

    @cached_property
    def digest(self) -> str:
        """What tells these recordings from others."""
        digest = hashlib.sha256(repr(dict(self.sensor)).encode())
        for values in (self.times, self.addresses, self.starts):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def recording(self, place: int) -> Recording:
        """Return the events of one recording, by its place."""
        own = slice(int(self.starts[place]), int(self.starts[place + 1]))
        where = np.unravel_index(self.addresses[own], tuple(self.sensor.values()))
        places = {d: w.astype(np.int64) for d, w in zip(self.sensor, where, strict=True)}
        return Recording(self.times[own].astype(np.int64), places, self.sensor)

    def chosen(self, places: Sequence[int] | np.ndarray) -> EventSet:
        """Return only some recordings, by their places, in the order asked."""
        places = np.asarray(places, dtype=np.int64)
        sizes = np.diff(self.starts)[places]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        of_each = np.repeat(self.starts[places] - starts[:-1], sizes) + np.arange(starts[-1])
        labels = {k: v[places] for k, v in self.labels.items()}
        return EventSet(self.times[of_each], self.addresses[of_each], starts, self.sensor, self.ids[places], labels)

    def where(self, label: str, values: Iterable[object]) -> np.ndarray:
        """Return the places of the recordings whose label is one of these values.

        Raises
        ------
        InputError : no such label, or a value that no recording has.
        """
        if label not in self.labels:
            known = ", ".join(self.labels) or "none"
            raise InputError(f"EventSet: no label {label!r}; labels: {known}.{suggest(label, self.labels)}")
        if isinstance(values, str):
            raise InputError(f"EventSet: values of {label!r} are a list, found {values!r}; write [{values!r}].")
        asked = [str(v) for v in values]
        found = self.labels[label].astype(str)
        missing = sorted(set(asked) - set(found.tolist()))
        if missing:
            raise InputError(
                f"EventSet: no recording has the {label} {missing[0]!r}; known: {sorted(set(found.tolist()))[:12]}."
            )
        return np.flatnonzero(np.isin(found, asked))


@dataclass(frozen=True)
class EventBins:
    """How events become steps of time: bins of a duration, or of a number of events.

    Parameters
    ----------
    n_steps : of one stimulus; events after the last step are left out, steps without events are 0.
    time_step : s; a step holds its begin and not its end, both rounded to whole us. n_events : so many events a step
        instead. One of the two is asked.
    downsample : so many pixels of a row and of a column, or so many units side by side, are one.
    merged : on and off events count alike, without a channel.
    binary : 1 where there was any event; otherwise their number.

    Raises
    ------
    InputError : both or none of `time_step` and `n_events`, numbers below the least, no True or False.

    Examples
    --------
    >>> ns.stimuli.EventBins(100, time_step=10e-3).sizes({"unit": 700})
    {'time': 100, 'unit': 700}
    >>> ns.stimuli.EventBins(20, n_events=5000, downsample=4).sizes({"channel": 2, "y": 128, "x": 128})
    {'time': 20, 'channel': 2, 'y': 32, 'x': 32}
    """

    n_steps: int
    time_step: float | None = None
    n_events: int | None = None
    downsample: int = 1
    merged: bool = False
    binary: bool = False

    def __post_init__(self) -> None:
        if (self.time_step is None) == (self.n_events is None):
            raise InputError("EventBins: one of time_step (s) and n_events (a step) is asked, the other left out.")
        for name in ("n_steps", "n_events", "downsample"):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if value is not None and not (whole and value >= 1):
                raise InputError(f"EventBins: {name} = {value!r}; a whole number of at least 1 is asked.")
        for name in ("merged", "binary"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise InputError(f"EventBins: {name} = {getattr(self, name)!r}; True or False is asked.")
        step = self.time_step
        number = isinstance(step, int | float | np.integer | np.floating) and not isinstance(step, bool)
        if step is not None and not (number and step >= MICROSECOND and step * self.n_steps <= LATEST * MICROSECOND):
            raise InputError(f"EventBins: time_step = {step!r} s is outside 1e-6 s..{LATEST / 1e6:g} s / n_steps.")

    def sizes(self, sensor: Mapping[str, int]) -> dict[str, int]:
        """Return the sizes of one stimulus by dim, for a sensor."""
        if self.merged and "channel" not in sensor:
            raise InputError(f"EventBins: merged is for sensors with on and off events; this one has {dict(sensor)}.")
        kept = {d: n for d, n in sensor.items() if not (self.merged and d == "channel")}
        return {"time": self.n_steps} | {d: n if d == "channel" else -(-n // self.downsample) for d, n in kept.items()}

    @property
    def edges(self) -> np.ndarray:
        """Where the steps of a duration begin and the last one ends, (n_steps + 1,) in us."""
        assert self.time_step is not None
        return np.round(np.arange(self.n_steps + 1) * (self.time_step / MICROSECOND)).astype(np.int64)


def binned(recording: Recording, bins: EventBins) -> np.ndarray:
    """Return the number of events of each step and place (time, ...) as int64, or whether there were any.

    Examples
    --------
    >>> events = Recording(np.array([0, 9, 10]), {"unit": np.array([1, 1, 0])}, {"unit": 2})
    >>> binned(events, EventBins(2, time_step=10e-6)).tolist()
    [[0, 2], [1, 0]]
    """
    sizes = bins.sizes(recording.sensor)
    if bins.n_events is None:
        step = np.searchsorted(bins.edges, recording.times, side="right") - 1
    else:
        step = np.arange(len(recording.times)) // bins.n_events
    kept = (step >= 0) & (step < bins.n_steps)
    cell = step[kept]
    for dim, size in list(sizes.items())[1:]:
        place = recording.places[dim][kept]
        cell = cell * size + (place if dim == "channel" else place // bins.downsample)
    counts = np.bincount(cell, minlength=math.prod(sizes.values())).reshape(*sizes.values())
    return (counts > 0).astype(np.int64) if bins.binary else counts


@dataclass(frozen=True)
class EventRows:
    """Recordings as stimuli that are read one by one: the events are held, their steps of time are made when asked.

    Parameters
    ----------
    events, bins : the recordings, and their steps.
    official : places of the recordings of the parts "train" and "test", where the set has these.
    """

    events: EventSet
    bins: EventBins
    official: Mapping[str, np.ndarray] | None = None
    is_sequence: bool = True

    @property
    def dims(self) -> tuple[str, ...]:
        """Dims of one stimulus."""
        return tuple(self.bins.sizes(self.events.sensor))

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None of steps of a number of events."""
        return self.bins.time_step

    @property
    def names(self) -> list[str]:
        """Name of each recording."""
        return [str(name) for name in self.events.ids]

    @property
    def categories(self) -> list[str]:
        """Category of each recording."""
        return [str(name) for name in self.events.labels["category"]]

    def __len__(self) -> int:
        return len(self.events)

    def read(self, place: int, transform: Callable[[Any], Any] | None = None) -> Any:
        """Return one recording in steps (time, ...) as float32, or what the transform makes of it."""
        recording = self.events.recording(place)
        return binned(recording, self.bins).astype(np.float32) if transform is None else transform(recording)

    def identity(self) -> list[Any]:
        """Return the digest of all events, and the steps."""
        return [self.events.digest, self.bins]


def check_events(events: object, who: str, labels: Sequence[str] = ()) -> None:
    """Refuse what is no set of events, or one without these labels."""
    if not isinstance(events, EventSet):
        found = type(events).__name__
        raise InputError(f"{who}: recordings of events asked, as load_events gives them; found {found}.")
    for label in labels:
        if label not in events.labels:
            raise InputError(
                f"{who}: the recordings have no label {label!r}; they have {', '.join(events.labels) or 'none'}."
            )


def check_bins(bins: object, who: str, events: EventSet) -> None:
    """Refuse what does not say how events become steps of time, and several steps of which the first holds all."""
    if not isinstance(bins, EventBins):
        raise InputError(f"{who}: steps as EventBins(100, time_step=10e-3) are asked, found {type(bins).__name__}.")
    last = float(events.times.max(initial=0)) * MICROSECOND
    if bins.time_step is not None and bins.n_steps > 1 and bins.time_step > max(last, SECOND) and last:
        raise InputError(
            f"{who}: the first of {bins.n_steps} steps of time_step = {bins.time_step:g} s holds all events, the last "
            f"is at {last:g} s; a time_step in s is asked, 10 ms are 10e-3."
        )


def joined(parts: Sequence[EventSet]) -> EventSet:
    """Return several sets of one sensor and of the same labels as one.

    Raises
    ------
    InputError : recordings of one name in several places.
    """
    names, n = np.unique(np.concatenate([part.ids for part in parts]), return_counts=True)
    if (n > 1).any():
        raise InputError(f"load_events: recording {str(names[n.argmax()])!r} is there {n.max()} times; name it once.")
    first, ends = parts[0], np.cumsum([0, *(int(part.starts[-1]) for part in parts)])
    return EventSet(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.addresses for part in parts]),
        np.concatenate([[0], *(part.starts[1:] + end for part, end in zip(parts, ends[:-1], strict=True))]),
        first.sensor,
        np.concatenate([part.ids for part in parts]),
        {name: np.concatenate([part.labels[name] for part in parts]) for name in first.labels},
    )


def as_events(
    times: Any,
    places: Mapping[str, Any],
    n_events: Any,
    *,
    sensor: Mapping[str, int],
    ids: Sequence[str] | None = None,
    labels: Mapping[str, Sequence[object] | np.ndarray] | None = None,
    time_unit: float | None = None,
) -> EventSet:
    """Gather recordings of events, one after another, as a set that is kept as events.

    Parameters
    ----------
    times : (event,) from the start of its recording, never falling within one; whole us, or in `time_unit`.
    places : (event,) by dim of the sensor: ``unit``; or ``y``, ``x`` and ``channel``, which is 0 for off, 1 for on.
    n_events : (recording,) how many events each recording has.
    sensor : sizes by dim. ids : unique name of each recording. labels : by name, one value a recording.
    time_unit : seconds of one unit of `times`: 1.0 where they are in seconds; they are rounded to whole us.

    Returns
    -------
    the set; ``task = ns.tasks.event_task(events, bins)`` learns its ``category``.

    Raises
    ------
    SchemaError : lengths that do not agree, times that are negative, fall, have fractions of a us or are beyond 35
        minutes, places outside the sensor, names that repeat, a ``category`` that is missing (NaN).

    Examples
    --------
    >>> ns.stimuli.as_events([1e-3, 2e-3], {"unit": [0, 5]}, [2], sensor={"unit": 3}, time_unit=1.0)
    Traceback (most recent call last):
    neurosim.schema.SchemaError: as_events: unit 5 of an event is outside a sensor of 3.
    """
    return gathered(times, places, n_events, sensor, ids, labels, time_unit, "as_events")


def gathered(
    times: Any,
    places: Mapping[str, Any],
    n_events: Any,
    sensor: Mapping[str, int],
    ids: Sequence[str] | None,
    labels: Mapping[str, Any] | None,
    time_unit: float | None,
    who: str,
) -> EventSet:
    """Return a set of events as :func:`as_events` does, on behalf of `who`."""
    if tuple(sensor) not in SENSORS or any(not _whole(n) or n < 1 for n in sensor.values()):
        known = "; ".join(", ".join(dims) for dims in SENSORS)
        raise SchemaError(f"{who}: a sensor has sizes of {known}, in this order; found {dict(sensor)}.")
    sizes = _column(n_events, who, "n_events")
    ticks = _ticks(times, time_unit, who)
    if sizes.min(initial=0) < 0:
        raise SchemaError(f"{who}: recording {sizes.argmin()} has n_events = {sizes.min()}; 0 or more are asked.")
    if int(sizes.sum()) != len(ticks):
        raise SchemaError(f"{who}: n_events say {int(sizes.sum())} events, there are {len(ticks)} times.")
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    names = np.array([f"recording_{k:05d}" for k in range(len(sizes))] if ids is None else [str(v) for v in ids])
    if len(names) != len(sizes) or len(set(names.tolist())) != len(names) or not len(names):
        raise SchemaError(f"{who}: {len(sizes)} recordings need as many different names, found {len(set(names))}.")
    falls = np.flatnonzero(np.diff(ticks) < 0) + 1
    falls = falls[~np.isin(falls, starts)]
    if len(falls):
        which = names[np.searchsorted(starts, falls[0], side="right") - 1]
        raise SchemaError(f"{who}: times of {str(which)!r} go back; give its events in the order of their times.")
    found = {k: np.asarray(v) for k, v in (labels or {}).items()}
    for name, values in found.items():
        if values.shape != (len(sizes),):
            raise SchemaError(f"{who}: label {name!r} of shape {values.shape}; one value for each of {len(sizes)}.")
    if nameless := [n for n, c in zip(names.tolist(), found.get("category", ()), strict=False) if is_missing(c)]:
        raise SchemaError(f"{who}: recording {nameless[0]!r} has no category (NaN); name it, or leave it out.")
    return EventSet(
        ticks.astype(np.int32), _addresses(places, sensor, len(ticks), who), starts, dict(sensor), names, found
    )


def _addresses(places: Mapping[str, Any], sensor: Mapping[str, int], n: int, who: str) -> np.ndarray:
    if set(places) != set(sensor):
        raise SchemaError(f"{who}: places by {', '.join(sensor)} asked, found {', '.join(map(str, places))}.")
    total = math.prod(sensor.values())
    cell = np.zeros(n, dtype=np.int64)
    for dim, size in sensor.items():
        where = _column(places[dim], who, dim)
        if len(where) != n:
            raise SchemaError(f"{who}: {len(where)} values of {dim} and {n} times; one each is asked.")
        outside = where[(where < 0) | (where >= size)]
        if len(outside):
            raise SchemaError(f"{who}: {dim} {int(outside[0])} of an event is outside a sensor of {size}.")
        cell = cell * size + where
    return cell.astype(np.uint16 if total <= 2**16 else np.uint32)


def _ticks(times: Any, time_unit: float | None, who: str) -> np.ndarray:
    """Return times as whole us."""
    values = np.asarray(times)
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise SchemaError(f"{who}: times (event,) as numbers asked, found {values.dtype} of shape {values.shape}.")
    if time_unit is None:
        if values.dtype.kind == "f":
            raise SchemaError(
                f"{who}: times are whole us, found {values.dtype}; pass time_unit=1.0 where they are in s."
            )
        ticks = values
    else:
        if not (isinstance(time_unit, int | float) and 0 < time_unit < np.inf):
            raise SchemaError(f"{who}: time_unit = {time_unit!r}; seconds above 0 asked.")
        ticks = np.round(values.astype(np.float64) * (time_unit / MICROSECOND))
    if len(ticks) and not (np.isfinite(ticks).all() and ticks.min() >= 0 and ticks.max() <= LATEST):
        raise SchemaError(f"{who}: times from 0 to {LATEST / 1e6:.0f} s after the start asked, found others (or NaN).")
    return ticks.astype(np.int64)


def _column(values: Any, who: str, name: str) -> np.ndarray:
    found = np.asarray(values)
    if found.ndim != 1 or (found.dtype.kind not in "iub" and len(found)):
        raise SchemaError(f"{who}: {name} as a flat list of whole numbers asked, found {found.dtype} {found.shape}.")
    return found.astype(np.int64)


def _whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
