"""Networks that are shown nothing: their spikes, the rates of their populations, how irregular and how synchronous."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from clamp import silence

import neurosim as ns
from neurosim import biophysics as bio

BIN = 1e-3  # s


def spontaneous(circuit: bio.Circuit, seconds: float, *, seed: int, engine: str = "brian2") -> xr.Dataset:
    """Return spikes (step, unit) in bins of a millisecond, and their times, of a circuit without stimulus."""
    shown = silence(seconds, circuit.step, circuit.all_inputs[0].size)
    kept = bio.Monitors(time_bin=BIN, spike_times=True)
    memory = bio.Execution(memory=2**33)
    return ns.simulate(circuit, shown, rng=seed, engine=engine, monitors=kept, execution=memory, progress=False)


def rates(found: xr.Dataset, layers: Sequence[str], after: float) -> np.ndarray:
    """Return the mean rate of the neurons of each population after a time (s), Hz."""
    counts = found["responses"].isel(stimulus=0)
    late = counts.isel(time=slice(round(after / BIN), None)).mean("time") / BIN
    return np.array([float(late.isel(unit=np.flatnonzero(late["layer"].values == name)).mean()) for name in layers])


def irregularity(found: xr.Dataset, layer: str, after: float) -> float:
    """Return the mean coefficient of variation of the intervals of a population's neurons with three or more."""
    units = np.flatnonzero(found["layer"].values == layer)
    late = found["responses"].isel(unit=units, time=slice(round(after / BIN), None))
    return float(ns.responses.interval_variability(late)["cv"].mean())


def population_rate(found: xr.Dataset, after: float, width: float, seconds: float) -> np.ndarray:
    """Return the rate of all neurons together after a time, in bins of `width` (s), Hz."""
    edges = after + np.arange(round((seconds - after) / width) + 1) * width
    times = found["spike_time"].values + width / 100  # a time is the beginning of its step
    return np.histogram(times, edges)[0] / found.sizes["unit"] / width


def peak_frequency(courses: Sequence[np.ndarray], width: float, band: tuple[float, float]) -> float:
    """Return the frequency (Hz) of the highest power within a band of the mean, smoothed spectrum of the courses."""
    spectra = [np.abs(np.fft.rfft((rate - rate.mean()) * np.hanning(len(rate)))) ** 2 for rate in courses]
    frequency = np.fft.rfftfreq(len(courses[0]), width)
    smooth = max(1, round(4.0 / frequency[1]))  # over 4 Hz
    power = np.convolve(np.mean(spectra, axis=0), np.ones(smooth) / smooth, "same")
    inside = (frequency >= band[0]) & (frequency <= band[1])
    return float(frequency[np.argmax(np.where(inside, power, 0))])


def raster(found: xr.Dataset, units: Sequence[int], start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Return times (s) and neurons of the spikes of some units in a window."""
    times, neurons = found["spike_time"].values, found["spike_unit"].values
    kept = (times >= start) & (times < stop) & np.isin(neurons, units)
    return times[kept], neurons[kept]
