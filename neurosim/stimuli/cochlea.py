"""The ear up to the auditory nerve, in its simple form: gammatone filters, hair cells, and fibres that spike."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np

from neurosim.arrays import plain
from neurosim.event_arrays import EventSet, gathered
from neurosim.refusals import one_line
from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError

AT_ONCE = 64  # sounds that are filtered together
LOUDEST = 10.0  # times full scale; numbers of recorders, up to 32768, are beyond


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
    sounds : samples (time,) of each, full scale being 1. sampling_rate : Hz.
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
    where = {"unit": unit[order]}
    return gathered(step[order], where, sizes, sensor, ids, labels, 1 / sampling_rate, "cochlea_spikes")


def _waves(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return sounds as samples (time,) of full scale 1, which are checked."""
    named = [s for s in (sounds if isinstance(sounds, list | tuple) else [sounds]) if isinstance(s, str | os.PathLike)]
    if named:
        raise InputError(
            f"cochlea_spikes: samples (time,) of each sound asked, found the path {os.fspath(named[0])!r}; "
            "scipy.io.wavfile.read(path) reads its sampling rate and samples."
        )
    if not isinstance(sounds, list | tuple | np.ndarray) or not len(sounds):
        raise InputError(f"cochlea_spikes: a list of sounds (time,) asked, found {type(sounds).__name__} without any.")
    samples = [plain(s, "cochlea_spikes") for s in sounds]
    whole = next((s.dtype for s in samples if s.dtype.kind in "iu"), None)
    if whole is not None:
        full = (np.iinfo(whole).max + 1) // (2 if whole.kind == "u" else 1)
        silence = f"take {full} off, which is silence, and " if whole.kind == "u" else ""
        raise InputError(
            f"cochlea_spikes: samples of full scale 1 are asked, found {whole}; {silence}divide by {full}."
        )
    waves = [s.astype(float) for s in samples]
    for k, wave in enumerate(waves):
        if wave.ndim != 1 or not len(wave):
            raise InputError(f"cochlea_spikes: samples (time,) asked, sound {k} has the shape {wave.shape}.")
        if lost := int((~np.isfinite(wave)).sum()):
            raise InputError(
                f"cochlea_spikes: finite samples asked, {lost} of {len(wave)} of sound {k} are NaN or inf."
            )
        if (largest := np.abs(wave).max()) > LOUDEST:
            raise InputError(
                f"cochlea_spikes: samples of full scale 1 are asked, sound {k} reaches {largest:g}; divide by the "
                "largest number of its recorder."
            )
    return waves


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
