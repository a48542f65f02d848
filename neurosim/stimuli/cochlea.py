"""The ear up to the auditory nerve, in its simple form: gammatone filters, hair cells, and fibres that spike."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np

from neurosim.event_arrays import EventSet, gathered
from neurosim.refusals import one_line
from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError
from neurosim.stimuli.sounds import check_sound

log = logging.getLogger(__name__)

AT_ONCE = 64  # sounds that are filtered together
MOST_CHANNELS = 8  # of one sound (time, channel)


@dataclass(frozen=True)
class Cochlea:
    """What a sound passes on its way to the auditory nerve.

    A sound is filtered by gammatones of order 4, as wide as those of the ear
    (https://doi.org/10.1016/0378-5955(90)90170-T). What a filter gives is cut below 0 and raised to the power
    `compression`, which opens the channels of a hair cell; its membrane follows with the time constant `tau`, and its
    fibre fires at `peak_rate` times what the membrane holds, 1 being full scale.

    Parameters
    ----------
    n_units : filters, each with one fibre, equally far apart on the scale of equivalent rectangular bandwidths.
    low, high : centres of the first and the last filter, Hz. compression : exponent. tau : s. peak_rate : spikes/s.
    poisson : fibres fire at random with their rate; otherwise whenever its integral has grown by 1.

    Raises
    ------
    InputError : numbers out of range, or a `poisson` that is neither True nor False.

    Examples
    --------
    >>> ns.stimuli.Cochlea(n_units=3, low=100.0, high=3000.0).centres.round(1).tolist()
    [100.0, 801.6, 3000.0]
    """

    n_units: int = 64
    low: float = 100.0
    high: float = 3400.0
    compression: float = 0.3
    tau: float = 1e-3
    peak_rate: float = 400.0
    poisson: bool = False

    def __post_init__(self) -> None:
        whole = isinstance(self.n_units, int) and not isinstance(self.n_units, bool) and self.n_units >= 1
        for name in ("low", "high", "compression", "tau", "peak_rate"):
            if not isinstance(getattr(self, name), int | float | np.floating):
                raise InputError(f"Cochlea: {name} = {getattr(self, name)!r}; a number is asked.")
        if not isinstance(self.poisson, bool | np.bool_):
            raise InputError(f"Cochlea: poisson = {self.poisson!r}; True or False is asked.")
        if not whole or not 0 < self.low <= self.high < np.inf:
            raise InputError(
                f"Cochlea: one unit or more and 0 < low <= high Hz asked, found {self.n_units!r}, {self.low!r} and "
                f"{self.high!r}."
            )
        for name, most in (("compression", 1.0), ("tau", 1.0), ("peak_rate", 1e4)):
            if not 0 < getattr(self, name) <= most:
                raise InputError(f"Cochlea: {name} = {getattr(self, name)!r} is outside 0..{most:g} (SI units).")

    @property
    def centres(self) -> np.ndarray:
        """Centre frequency of each filter, (unit,) in Hz."""
        first, last = (float(erb_number(np.array(f))) for f in (self.low, self.high))
        return (10 ** (np.linspace(first, last, self.n_units) / 21.4) - 1) / 4.37e-3


def erb(frequency: np.ndarray) -> np.ndarray:
    """Return the equivalent rectangular bandwidth in Hz at a frequency in Hz (https://doi.org/10.1016/0378-5955(90)90170-T).

    >>> float(erb(np.array(1000.0)).round(3))
    132.639
    """
    return np.asarray(24.7 * (4.37e-3 * frequency + 1))


def erb_number(frequency: np.ndarray) -> np.ndarray:
    """Return how many equivalent rectangular bandwidths lie below a frequency in Hz."""
    return np.asarray(21.4 * np.log10(4.37e-3 * frequency + 1))


def gammatone_filters(centres: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Return gammatone filters of order 4 as four sections of second order each, gain 1 at the centre.

    Slaney M (1993) Apple Technical Report 35, as cascades, which stay exact where polynomials of order 8 lose digits.

    Parameters
    ----------
    centres : (unit,) Hz. sampling_rate : Hz.

    Returns
    -------
    array (unit, section, 6) for ``scipy.signal.sosfilt``.
    """
    step = 1 / sampling_rate
    turn = 2 * np.pi * centres * step
    decay = np.exp(-2 * np.pi * 1.019 * erb(centres) * step)
    roots = np.array([[s * np.sqrt(3 + r * 2**1.5) for s in (1, -1)] for r in (1, -1)]).ravel()
    sections = np.zeros((len(centres), 4, 6))
    sections[..., 0] = step
    sections[..., 1] = -step * decay[:, None] * (np.cos(turn)[:, None] + roots * np.sin(turn)[:, None])
    sections[..., 3] = 1
    sections[..., 4] = -2 * (decay * np.cos(turn))[:, None]
    sections[..., 5] = (decay**2)[:, None]
    delay = np.exp(-1j * turn)[:, None] ** np.arange(3)
    gain = np.abs(np.einsum("usk,uk->us", sections[..., :3], delay) / np.einsum("usk,uk->us", sections[..., 3:], delay))
    sections[..., :3] /= gain[..., None]
    return sections


def firing_rate(sounds: np.ndarray, sampling_rate: float, sections: np.ndarray, cochlea: Cochlea) -> np.ndarray:
    """Return the rate (sound, time) in spikes/s at which the fibre of one filter fires in `sounds` (sound, time)."""
    import scipy.signal

    leak = np.exp(-1 / (sampling_rate * cochlea.tau))
    opened = np.clip(scipy.signal.sosfilt(sections, sounds), 0, None) ** cochlea.compression
    return np.asarray(scipy.signal.lfilter([cochlea.peak_rate * (1 - leak)], [1, -leak], opened))


def cochlea_spikes(
    sounds: Sequence[np.ndarray],
    sampling_rate: float,
    cochlea: Cochlea | None = None,
    *,
    ids: Sequence[str] | None = None,
    labels: Mapping[str, Sequence[object] | np.ndarray] | None = None,
    rng: np.random.Generator | int = 0,
) -> EventSet:
    """Return the spikes of the auditory nerve that sounds evoke, by a simple model of the ear.

    Parameters
    ----------
    sounds : samples (time,) of each, full scale being 1; a line in the log says which evoke no spike, as silence and a
        few ms. sampling_rate : Hz.
    cochlea : filters, hair cells and fibres. ids, labels : names of the sounds, and what is known of each.
    rng : of fibres that fire at random, for each sound a stream of its own; others draw nothing.

    Returns
    -------
    events with a sensor of units, low frequencies first; their times are those of the samples.

    Raises
    ------
    InputError : sounds that are no finite samples or beyond ten times full scale, or filters at or above half the
        sampling rate.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(1600) / 8000)
    >>> ear = ns.stimuli.Cochlea(n_units=5, low=250.0, high=3000.0)
    >>> events = ns.stimuli.cochlea_spikes([tone], 8000.0, ear)
    >>> np.bincount(events.addresses).argmax(), round(float(ear.centres[2]))
    (np.int64(2), 1015)
    """
    cochlea, seed = Cochlea() if cochlea is None else cochlea, as_seed(rng, "cochlea_spikes")
    if not isinstance(cochlea, Cochlea):
        raise InputError(f"cochlea_spikes: a Cochlea(...) is asked, found {type(cochlea).__name__}.")
    one = isinstance(sampling_rate, SupportsFloat) and not np.ndim(sampling_rate)
    if not one or not np.isfinite(float(sampling_rate)):
        raise InputError(
            f"cochlea_spikes: sampling_rate = {one_line(repr(sampling_rate))[:60]}; a finite number of Hz is "
            "asked, one for all sounds: resample others with scipy.signal.resample_poly."
        )
    if not cochlea.high < sampling_rate / 2:
        raise InputError(f"cochlea_spikes: filters up to {cochlea.high:g} Hz of sounds of {sampling_rate!r} samples/s.")
    waves = _waves(sounds)
    spikes = [_heard(waves, k, sampling_rate, cochlea, seed) for k in _groups([len(w) for w in waves])]
    sound, unit, step = np.concatenate(spikes, axis=1)
    order = np.lexsort((unit, step, sound))
    sizes, sensor = np.bincount(sound, minlength=len(waves)), {"unit": cochlea.n_units}
    _tell_silent(sizes, waves, sampling_rate)
    where = {"unit": unit[order]}
    return gathered(step[order], where, sizes, sensor, ids, labels, 1 / sampling_rate, "cochlea_spikes")


def _waves(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return sounds as samples (time,) of full scale 1, which are checked."""
    given = [sounds] if isinstance(sounds, str | os.PathLike) else sounds
    if not isinstance(given, list | tuple | np.ndarray) or not len(given):
        raise InputError(f"cochlea_spikes: a list of sounds (time,) asked, found {type(sounds).__name__} without any.")
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.shape[1] <= MOST_CHANNELS < len(given):
        raise InputError(
            f"cochlea_spikes: shape {given.shape} is {len(given)} sounds of {given.shape[1]} samples; one sound of "
            f"{given.shape[1]} channels is [samples.mean(1)], or a list of its channels, list(samples.T)."
        )
    return [check_sound(s, "cochlea_spikes", f"sound {k}") for k, s in enumerate(given)]


def _tell_silent(sizes: np.ndarray, waves: list[np.ndarray], rate: float) -> None:
    """Say in the log which sounds evoke no spike."""
    silent = np.flatnonzero(sizes == 0)
    if len(silent):
        first = waves[silent[0]]
        log.warning(
            "cochlea_spikes: %d of %d sounds evoke no spike; the first, sound %d, lasts %g s and reaches %g",
            len(silent), len(waves), silent[0], len(first) / rate, np.abs(first).max(),
        )  # fmt: skip


def _groups(lengths: Sequence[int]) -> list[np.ndarray]:
    """Return the places of sounds that are filtered together, of lengths that are alike."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)]


def _heard(waves: list[np.ndarray], chosen: np.ndarray, rate: float, cochlea: Cochlea, seed: int) -> np.ndarray:
    """Return sound, unit and sample (3, spike) of the spikes that some sounds evoke."""
    padded = np.zeros((len(chosen), max(len(waves[k]) for k in chosen)))
    for row, k in enumerate(chosen):
        padded[row, : len(waves[k])] = waves[k]
    ends = np.array([len(waves[k]) for k in chosen])[:, None]
    found = []
    for unit, sections in enumerate(gammatone_filters(cochlea.centres, rate)):
        expected = firing_rate(padded, rate, sections, cochlea) / rate
        if cochlea.poisson:
            draws = [stream(seed, "fibre", int(k), unit) for k in chosen]
            counts = np.stack([d.poisson(e) for d, e in zip(draws, expected, strict=True)])
        else:
            counts = np.diff(np.floor(np.cumsum(expected, axis=1)), axis=1, prepend=0.0).astype(np.int64)
        sound, step = np.nonzero((counts > 0) & (np.arange(padded.shape[1]) < ends))
        n = counts[sound, step]
        found.append(np.stack([np.repeat(chosen[sound], n), np.full(n.sum(), unit), np.repeat(step, n)]))
    return np.concatenate(found, axis=1)
