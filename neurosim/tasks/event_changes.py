"""Random changes of the events that are learned: functions (recording, generator) -> recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from neurosim.event_arrays import LATEST, MICROSECOND, Recording
from neurosim.schema import InputError

EventChange = Callable[[Recording, np.random.Generator], Recording]


def event_jitter(sd: float) -> EventChange:
    """Return a change that moves every event in time, by Gaussian numbers of standard deviation `sd` in s.

    Parameters
    ----------
    sd : s; events that would be before the start are at the start.

    Raises
    ------
    InputError : not above 0.

    Examples
    --------
    >>> events = ns.stimuli.as_events([10, 40], {"unit": [0, 2]}, [2], sensor={"unit": 3}).recording(0)
    >>> ns.tasks.event_jitter(1e-6)(events, np.random.default_rng(0)).times.tolist()
    [10, 40]
    """
    _check("event_jitter", "sd", sd, 0, 100)

    def jitter(recording: Recording, rng: np.random.Generator) -> Recording:
        moved = recording.times + np.round(rng.standard_normal(len(recording.times)) * (sd / MICROSECOND))
        return _at(recording, moved.astype(np.int64))

    return jitter


def event_drops(probability: float) -> EventChange:
    """Return a change that leaves out each event with a probability.

    Parameters
    ----------
    probability : above 0, below 1.

    Raises
    ------
    InputError : outside.

    Examples
    --------
    >>> events = ns.stimuli.as_events([10, 40], {"unit": [0, 2]}, [2], sensor={"unit": 3}).recording(0)
    >>> len(ns.tasks.event_drops(0.5)(events, np.random.default_rng(0)).times)
    1
    """
    _check("event_drops", "probability", probability, 0, 1)

    def drop(recording: Recording, rng: np.random.Generator) -> Recording:
        return _kept(recording, rng.random(len(recording.times)) >= probability)

    return drop


def event_flips(probability: float = 0.5) -> EventChange:
    """Return a change that mirrors a recording of a camera left to right with a probability.

    Parameters
    ----------
    probability : above 0, at most 1.

    Raises
    ------
    InputError : outside; a sensor without x, when it is applied.

    Examples
    --------
    >>> sensor = {"y": 1, "x": 5}
    >>> events = ns.stimuli.as_events([10, 40], {"x": [0, 3], "y": [0, 0]}, [2], sensor=sensor).recording(0)
    >>> ns.tasks.event_flips(1.0)(events, np.random.default_rng(0)).places["x"].tolist()
    [4, 1]
    """
    _check("event_flips", "probability", probability, 0, 1)

    def flip(recording: Recording, rng: np.random.Generator) -> Recording:
        if "x" not in recording.sensor:
            raise InputError(f"event_flips: a sensor with x is asked, this one has {', '.join(recording.sensor)}.")
        if rng.random() >= probability:
            return recording
        places = {**recording.places, "x": recording.sensor["x"] - 1 - recording.places["x"]}
        return replace(recording, places=places)

    return flip


def event_shifts(places: int = 0, duration: float = 0.0) -> EventChange:
    """Return a change that moves a whole recording, in space and in time; what leaves the sensor or the start is lost.

    Parameters
    ----------
    places : most pixels along y and x, or most units. duration : most s, earlier or later.

    Raises
    ------
    InputError : negative numbers, or neither.

    Examples
    --------
    >>> events = ns.stimuli.as_events([10, 40], {"unit": [0, 2]}, [2], sensor={"unit": 3}).recording(0)
    >>> ns.tasks.event_shifts(1)(events, np.random.default_rng(0)).places["unit"].tolist()
    [1]
    """
    whole = isinstance(places, int) and not isinstance(places, bool)
    is_time = isinstance(duration, int | float | np.floating) and 0 <= duration <= 100
    if not whole or places < 0 or not is_time or not (places or duration):
        raise InputError(f"event_shifts: whole places or a duration above 0 asked, found {places!r} and {duration!r}.")

    def shift(recording: Recording, rng: np.random.Generator) -> Recording:
        later = round(rng.uniform(-duration, duration) / MICROSECOND) if duration else 0
        kept = recording.times + later >= 0
        moved = dict(recording.places)
        for dim in recording.sensor if places else ():
            if dim != "channel":
                moved[dim] = moved[dim] + int(rng.integers(-places, places + 1))
                kept &= (moved[dim] >= 0) & (moved[dim] < recording.sensor[dim])
        return _kept(replace(recording, times=recording.times + later, places=moved), kept)

    return shift


def _at(recording: Recording, times: np.ndarray) -> Recording:
    """Return the same events at other times, in order."""
    times = np.clip(times, 0, LATEST)
    order = np.argsort(times, kind="stable")
    return replace(recording, times=times[order], places={d: p[order] for d, p in recording.places.items()})


def _kept(recording: Recording, kept: np.ndarray) -> Recording:
    return replace(recording, times=recording.times[kept], places={d: p[kept] for d, p in recording.places.items()})


def _check(who: str, name: str, value: float, low: float, high: float) -> None:
    number = isinstance(value, int | float | np.floating) and not isinstance(value, bool)
    if not (number and low < value <= high):
        raise InputError(f"{who}: {name} = {value!r} is outside {low:g}..{high:g}.")
