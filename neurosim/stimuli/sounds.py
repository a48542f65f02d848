"""Sounds as stimuli: cochlea-like spectrograms, and the free spoken digits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import plain
from neurosim.schema import InputError, as_stimuli

FSDD_FILE = "fsdd_v1.npz"
FSDD_HOME = "https://doi.org/10.5281/zenodo.1342401"
FSDD_RATE = 8000.0
LOUDEST = 10.0  # times full scale; numbers of recorders, up to 32768, are beyond


def check_sound(sound: object, who: str, which: str = "the sound") -> np.ndarray:
    """Return the samples (time,) of one sound of full scale 1, or refuse whole numbers, channels, NaN and paths.

    Examples
    --------
    >>> check_sound(np.array([0, 16384], np.int16), "here")
    Traceback (most recent call last):
    neurosim.schema.InputError: here: samples of full scale 1 are asked, found int16; divide by 32768.
    """
    if isinstance(sound, str | os.PathLike):
        raise InputError(
            f"{who}: samples (time,) of each sound asked, found the path {os.fspath(sound)!r}; "
            "scipy.io.wavfile.read(path) reads its sampling rate and samples."
        )
    samples = plain(sound, who)
    if samples.dtype.kind in "iu":
        full = (np.iinfo(samples.dtype).max + 1) // (2 if samples.dtype.kind == "u" else 1)
        silence = f"take {full} off, which is silence, and " if samples.dtype.kind == "u" else ""
        raise InputError(f"{who}: samples of full scale 1 are asked, found {samples.dtype}; {silence}divide by {full}.")
    if samples.ndim != 1 or not len(samples):
        channels = "; of two channels the mean over both is one, samples.mean(1)" if samples.ndim == 2 else ""
        raise InputError(f"{who}: samples (time,) asked, {which} has the shape {samples.shape}{channels}.")
    wave = samples.astype(float)
    if lost := int((~np.isfinite(wave)).sum()):
        raise InputError(f"{who}: finite samples asked, {lost} of {len(wave)} of {which} are NaN or inf.")
    if (largest := np.abs(wave).max()) > LOUDEST:
        raise InputError(
            f"{who}: samples of full scale 1 are asked, {which} reaches {largest:g}; divide by the largest number of "
            "its recorder."
        )
    return wave


def mel_spectrogram(
    sound: np.ndarray,
    sampling_rate: float,
    *,
    n_bands: int = 40,
    window: float = 25e-3,
    time_step: float = 10e-3,
    low: float = 50.0,
    high: float | None = None,
) -> np.ndarray:
    """Return the log energy of a sound in bands that are equally wide on the mel scale.

    Parameters
    ----------
    sound : samples (time,), full scale being 1. sampling_rate : Hz.
    n_bands : number of triangular bands between `low` and `high`.
    window, time_step : length of a window and distance of two, s.
    low, high : lower edge of the first band and upper edge of the last, Hz; by default half the rate.

    Returns
    -------
    array (time, band), natural logarithm, floored at 1e-8 of full scale; a sound shorter than a window gives one step.

    Raises
    ------
    InputError : no samples, whole numbers, samples that are not finite or beyond ten times full scale, or bands and
        windows that there cannot be.

    The scale is that of https://doi.org/10.1121/1.1915893 as 2595 log10(1 + f / 700).

    Examples
    --------
    >>> ns.stimuli.mel_spectrogram(np.sin(np.arange(8000) / 3), 8000.0).shape
    (98, 40)
    """
    import scipy.signal

    sound = check_sound(sound, "mel_spectrogram")
    high = sampling_rate / 2 if high is None else high
    if n_bands < 1 or not 0 <= low < high <= sampling_rate / 2 or not min(window, time_step) * sampling_rate >= 1:
        raise InputError(
            f"mel_spectrogram: n_bands >= 1, 0 <= low < high <= {sampling_rate / 2:g} Hz and windows of a sample "
            f"or more asked, found {n_bands}, {low!r}, {high!r}, {window!r} and {time_step!r}."
        )
    length, step = round(window * sampling_rate), round(time_step * sampling_rate)
    padded = np.pad(sound, (0, max(0, length - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[::step]
    n_fft = 1 << (length - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * scipy.signal.get_window("hann", length), n_fft)) ** 2 / length
    return np.asarray(np.log(power @ _bands(n_bands, n_fft, sampling_rate, low, high) + 1e-8))


def load_spoken_digits(
    split: str = "train", *, n_bands: int = 40, time_step: float = 10e-3, duration: float = 0.8
) -> xr.DataArray:
    """Return the free spoken digits as spectrograms: 10 digits by 6 speakers, 50 times each.

    https://doi.org/10.5281/zenodo.1342401

    Parameters
    ----------
    split : "train" (2700 recordings) or "test" (300, the official ones: numbers 0 to 4 of each speaker and digit).
    n_bands, time_step : as for :func:`mel_spectrogram`. duration : s; longer sounds are cut, shorter ones filled.

    Returns
    -------
    stimuli (stimulus, time, unit), each sound scaled to mean 0 and standard deviation 1 over time and bands and its
    filling 0, with ``category`` and ``speaker``.

    Raises
    ------
    InputError : unknown split.
    StorageError : the file is not in the folder ``fsdd`` of the data folder.

    Examples
    --------
    >>> ns.stimuli.load_spoken_digits("valid")
    Traceback (most recent call last):
    neurosim.schema.InputError: load_spoken_digits: unknown split 'valid'; known: train, test.
    """
    if split not in ("train", "test"):
        raise InputError(f"load_spoken_digits: unknown split {split!r}; known: train, test.")
    if not time_step <= duration <= 60:
        raise InputError(f"load_spoken_digits: duration = {duration!r} s is outside {time_step:g}..60 s.")
    sounds, ids, labels = spoken_digit_sounds(split, spoken_digits_file())
    n_steps = round(duration / time_step)
    values = np.zeros((len(sounds), n_steps, n_bands), dtype=np.float32)
    for row, sound in enumerate(sounds):
        bands = mel_spectrogram(sound, FSDD_RATE, n_bands=n_bands, time_step=time_step)[:n_steps]
        values[row, : len(bands)] = (bands - bands.mean()) / bands.std()
    return as_stimuli(
        values,
        dims=("stimulus", "time", "unit"),
        ids=ids,
        coords=labels,
        time_step=time_step,
    )


def spoken_digit_sounds(split: str, path: Path) -> tuple[list[np.ndarray], list[str], dict[str, np.ndarray]]:
    """Return the sounds of a split, in -1..1 at 8 kHz, their names, and the digit and the speaker of each."""
    packed = storage.read_npz(path)
    ends = np.cumsum(packed["lengths"])
    chosen = np.flatnonzero((packed["index"] < 5) == (split == "test"))
    sounds = [packed["samples"][ends[k] - packed["lengths"][k] : ends[k]] / 32768 for k in chosen]
    ids = [f"{packed['label'][k]}_{packed['speaker'][k]}_{packed['index'][k]:02d}" for k in chosen]
    return sounds, ids, {"category": packed["label"][chosen].astype(str), "speaker": packed["speaker"][chosen]}


def spoken_digits_file() -> Path:
    """Return the file of the recordings, or say where it goes."""
    holds = "arrays samples, lengths, label, speaker, index"
    return storage.data_file("fsdd", FSDD_FILE, "load_spoken_digits", holds, FSDD_HOME)


def _bands(n: int, n_fft: int, rate: float, low: float, high: float) -> np.ndarray:
    """Return triangular filters (frequency, band)."""
    first, last = (2595 * np.log10(1 + f / 700) for f in (low, high))
    edges = 700 * (10 ** (np.linspace(first, last, n + 2) / 2595) - 1)
    f = np.fft.rfftfreq(n_fft, 1 / rate)[:, None]
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    return np.clip(np.minimum((f - left) / (middle - left), (right - f) / (right - middle)), 0, None)
