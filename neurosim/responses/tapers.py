"""The tapered Fourier transforms of a window that slides over time: what spectra and coherences are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.clock import whole_number
from neurosim.refusals import check_number
from neurosim.schema import InputError, check_responses, step_of


@dataclass(frozen=True)
class Tapered:
    """Windows over ``values`` (stimulus, trial, unit, time), their ``tapers`` (taper, sample) and ``frequency`` in Hz.

    ``starts`` are the first samples of the windows, ``centres`` their middles in s, ``kept`` which frequencies of the
    transform are asked, ``rate`` the samples a second, ``hop`` the seconds from a window to the next.
    """

    values: np.ndarray
    tapers: np.ndarray
    starts: np.ndarray
    centres: np.ndarray
    frequency: np.ndarray
    kept: slice
    rate: float
    hop: float

    def transforms(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield stimulus, window and transforms (trial, unit, taper, frequency) of what differs from the window's mean.

        One stimulus at a time, since all tapers of all stimuli would be many times the responses.
        """
        from scipy.fft import rfft

        for stimulus, values in enumerate(self.values):
            for at, start in enumerate(self.starts):
                window = values[..., start : start + self.tapers.shape[1]]
                centred = window - window.mean(-1, keepdims=True)
                yield stimulus, at, rfft(centred[..., None, :] * self.tapers, axis=-1)[..., self.kept]

    @property
    def n(self) -> int:
        """How many transforms there are."""
        return len(self.values) * len(self.starts)


def tapered(
    responses: xr.DataArray,
    who: str,
    *,
    bandwidth: float,
    window: float | None,
    step: float | None,
    frequencies: tuple[float, float] | None,
) -> tuple[xr.DataArray, Tapered]:
    """Return checked responses (stimulus, [trial,] time, unit) and their windows, or refuse by name what has none."""
    responses = check_responses(responses, who, missing=True)
    if "time" not in responses.dims:
        raise InputError(f"{who}: no 'time' dim among {tuple(responses.dims)}; responses over time are asked.")
    dt = step_of(responses, who)
    n_times = responses.sizes["time"]
    samples = n_times if window is None else _samples(window, dt, who, "window")
    if samples > n_times:
        raise InputError(
            f"{who}: window = {window:g} s is longer than the responses, {n_times * dt:g} s; take a shorter one."
        )
    hop = max(1, samples // 2) if step is None else _samples(step, dt, who, "step")
    check_number(bandwidth, who, "bandwidth", 0, 1 / (2 * dt))
    n_tapers = int(np.floor(samples * dt * bandwidth + 1e-9)) - 1
    if n_tapers < 1:
        raise InputError(
            f"{who}: bandwidth = {bandwidth:g} Hz in a window of {samples * dt:g} s leaves no taper; their product is "
            f"at least 2, so take {2 / (samples * dt):g} Hz or more."
        )
    frequency = np.fft.rfftfreq(samples, dt)
    low, high = _range(frequencies, bandwidth, frequency[-1], who)
    kept = slice(*np.searchsorted(frequency, [low - 1e-9, high + 1e-9]))
    if not frequency[kept].size:
        raise InputError(
            f"{who}: no frequency of the window lies from {low:g} to {high:g} Hz; they are {frequency[1]:g} Hz apart."
        )
    starts = np.arange(0, n_times - samples + 1, hop)
    clock = responses["time"].values if "time" in responses.coords else np.arange(n_times) * dt
    centres = np.asarray(clock[starts], dtype=float) + (samples - 1) / 2 * dt
    whole = responses if "trial" in responses.dims else responses.expand_dims("trial", 1)
    values = np.asarray(whole.transpose("stimulus", "trial", "unit", "time").values, dtype=float)
    tapers = _slepian(samples, samples * dt * bandwidth / 2, n_tapers)
    return responses, Tapered(values, tapers, starts, centres, frequency[kept], kept, 1 / dt, hop * dt)


def _slepian(samples: int, half_width: float, n: int) -> np.ndarray:
    """Return discrete prolate spheroidal sequences (taper, sample), each of sum of squares 1."""
    from scipy.signal.windows import dpss

    return np.asarray(dpss(samples, half_width, n))


def _samples(duration: float, dt: float, who: str, name: str) -> int:
    check_number(duration, who, name, 0)
    found = whole_number(duration, dt)
    if found is None:
        raise InputError(f"{who}: {name} = {duration:g} s is not a multiple of the step of the responses, {dt:g} s.")
    return found


def _range(frequencies: object, bandwidth: float, nyquist: float, who: str) -> tuple[float, float]:
    """Return the lowest and highest frequency, by default those whose smoothing stays between 0 Hz and `nyquist`."""
    if frequencies is None:
        return bandwidth / 2, nyquist - bandwidth / 2
    given = np.asarray(frequencies)
    if given.shape != (2,) or given.dtype.kind not in "iuf" or not 0 <= given[0] <= given[1] <= nyquist + 1e-9:
        raise InputError(
            f"{who}: frequencies = {frequencies!r}; the lowest and highest asked, in Hz from 0 to {nyquist:g} (half "
            "the sampling rate)."
        )
    return float(given[0]), float(given[1])
