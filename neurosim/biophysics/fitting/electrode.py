"""What the electrode adds to a recorded membrane, and the passive properties of the neuron behind it.

Active electrode compensation (https://doi.org/10.1016/j.neuron.2008.06.021): the response to a small noisy current
tells the electrode, which is fast, from the membrane, which is slow. The response to a step is estimated from the
*changes* of voltage and current, so that slow fluctuations of the membrane, which are much larger than its answer, do
not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.optimize import curve_fit
from scipy.signal import oaconvolve

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.fitting.detection import crossings
from neurosim.schema import InputError, check_sweeps

N_BLOCKS = 10
SPIKE_MASK = (3e-3, 50e-3)
RAMP, LATE = 5e-3, 2e-3


@by_value
@dataclass(frozen=True, eq=False)
class Electrode:
    """An electrode and the passive neuron behind it.

    Parameters
    ----------
    kernel : what a current (A) adds to the voltage (V) now and one, two, ... samples later, Ohm.
    time_step : s.
    resistance : of the electrode, Ohm.
    capacitance, input_resistance : of the neuron, F and Ohm.
    standard_error : of the three, by leaving out each of ten blocks of the recording.
    step_response : (lag) in Ohm, with ``lag`` in s: voltage after a step of current, electrode and membrane together.
    """

    kernel: np.ndarray
    time_step: float
    resistance: float
    capacitance: float
    input_resistance: float
    standard_error: dict[str, float]
    step_response: xr.DataArray


def estimate_electrode(sweeps: xr.Dataset, *, settled: float = 0.5e-3, reach: float = 0.15) -> Electrode:
    """Estimate electrode, capacitance and input resistance from a noisy current below threshold.

    Within `settled` the electrode has charged. From then on, until 5 ms, a parabola is laid through the voltage after a
    step of current: back at time zero its slope is one over the capacitance, its height the resistance of the
    electrode. The input resistance is where the exponential ends that fits the response from 2 ms on.

    Parameters
    ----------
    sweeps : ``current`` and ``voltage`` (sweep, time); spikes are left out.
    settled : when the electrode has charged, s; `fit_neuron` takes its result.
    reach : how long the response to a step is followed, s; some time constants of the membrane.

    Returns
    -------
    Electrode.

    Raises
    ------
    InputError : too short a recording, a current that does not vary, or a response that does not rise.

    Examples
    --------
    >>> from scipy.signal import lfilter
    >>> current = np.random.default_rng(0).normal(0, 20e-12, 100_000)
    >>> a = np.exp(-1e-4 / 20e-3)  # 400 MOhm and 50 pF behind 30 MOhm
    >>> voltage = -70e-3 + 400e6 * lfilter([1 - a], [1, -a], current) + 30e6 * current
    >>> found = ns.biophysics.estimate_electrode(ns.as_sweeps(current, voltage, time_step=1e-4))
    >>> round(found.capacitance * 1e12), round(found.input_resistance / 1e6), round(found.resistance / 1e6)
    (51, 398, 32)
    """
    sweeps = check_sweeps(sweeps, "estimate_electrode")
    step = float(sweeps.attrs["time_step"])
    longest = round(reach / step)
    if sweeps.sizes["time"] < 20 * longest or float(sweeps["current"].std()) < 1e-13:
        raise InputError(
            f"estimate_electrode: a current that varies for at least {20 * reach:g} s asked, found "
            f"{sweeps.sizes['time'] * step:g} s with a standard deviation of {float(sweeps['current'].std()):.1e} A."
        )
    knots = _knots(longest, round(1.2 * RAMP / step))
    lags = np.arange(knots[0], knots[-1] + 1) * step
    grams, sides = _normal_equations(sweeps, knots, longest, step)
    response = _step_response(grams.sum(0), sides.sum(0), knots)
    values = _read(response, lags, settled)
    if not min(values) > 0:
        raise InputError("estimate_electrode: the voltage does not rise with the current; check their units and signs.")
    left_out = [
        _read(_step_response(grams.sum(0) - g, sides.sum(0) - s, knots), lags, settled)
        for g, s in zip(grams, sides, strict=True)
    ]
    if not np.isfinite(left_out).all():
        raise InputError(
            f"estimate_electrode: the response to a step does not settle in {reach:g} s; lengthen 'reach'."
        )
    errors = np.sqrt((len(left_out) - 1) * np.var(np.array(left_out), axis=0))
    resistance, capacitance, input_resistance = values
    names = ("resistance", "capacitance", "input_resistance")
    early = np.arange(round(settled / step) + 1) * step
    rise = np.interp(early, lags, response) - early / capacitance
    rise[-1] = resistance
    return Electrode(
        np.diff(rise, prepend=0.0),
        step,
        resistance,
        capacitance,
        input_resistance,
        {k: float(e) for k, e in zip(names, errors, strict=True)},
        xr.DataArray(response, dims="lag", coords={"lag": lags}, attrs={"units": "Ohm"}),
    )


def compensate(sweeps: xr.Dataset, electrode: Electrode) -> xr.Dataset:
    """Return `sweeps` without the voltage that the electrode adds.

    Parameters
    ----------
    sweeps : ``current`` and ``voltage`` (sweep, time). electrode : from :func:`estimate_electrode`.

    Returns
    -------
    the sweeps, with the voltage (V) of the neuron alone.

    Raises
    ------
    InputError : another time step than that of the electrode.

    Examples
    --------
    >>> import xarray as xr
    >>> from neurosim.biophysics.fitting.electrode import Electrode
    >>> nothing = xr.DataArray([0.0], dims="lag", coords={"lag": [0.0]})
    >>> resistor = Electrode(np.array([30e6]), 1e-4, 30e6, 50e-12, 400e6, {}, nothing)  # 30 MOhm at once
    >>> current = np.array([0.0, 1e-10, 0.0])
    >>> found = ns.biophysics.compensate(ns.as_sweeps(current, -70e-3 + 30e6 * current, time_step=1e-4), resistor)
    >>> found.voltage.values.round(6).tolist()
    [[-0.07, -0.07, -0.07]]
    """
    sweeps = check_sweeps(sweeps, "compensate")
    if not np.isclose(sweeps.attrs["time_step"], electrode.time_step):
        raise InputError(
            f"compensate: the electrode was estimated at steps of {electrode.time_step:g} s, the sweeps have "
            f"{sweeps.attrs['time_step']:g} s; resample one of them."
        )
    current = sweeps["current"].values
    started = np.concatenate([np.repeat(current[:, :1], len(electrode.kernel) - 1, axis=1), current], axis=1)
    added = np.stack([np.convolve(row, electrode.kernel, mode="valid") for row in started])
    return sweeps.assign(voltage=sweeps["voltage"] - added)


def _knots(longest: int, dense: int) -> np.ndarray:
    """Lags in samples: every one at first, then wider and wider apart; a few before zero, where nothing may come."""
    wide = np.geomspace(dense, longest, 25).round()
    return np.unique(np.concatenate([np.arange(-5, dense), wide]).astype(int))


def _normal_equations(
    sweeps: xr.Dataset, knots: np.ndarray, longest: int, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Regress changes of voltage on past changes of current; the weights run straight from knot to knot of the lag."""
    hats = [np.interp(np.arange(knots[0], knots[-1] + 1), knots, row) for row in np.eye(len(knots))]
    grams, sides = [], []
    per_sweep = max(1, N_BLOCKS // sweeps.sizes["sweep"])
    for v, i in zip(sweeps["voltage"].values, sweeps["current"].values, strict=True):
        usable = np.ones(len(v), dtype=bool)
        usable[:longest], usable[-10:] = False, False
        for spike in crossings(v, -10e-3, 0):
            usable[max(0, spike - round(SPIKE_MASK[0] / step)) : spike + round(SPIKE_MASK[1] / step)] = False
        change, moved = np.diff(v), np.diff(i, prepend=i[0])
        columns = [oaconvolve(moved, hat)[1 - knots[0] :][: len(v)] for hat in hats]
        for block in np.array_split(np.flatnonzero(usable), per_sweep):
            design = np.stack([*(c[block] for c in columns), np.ones(len(block))], axis=1)
            grams.append(design.T @ design)
            sides.append(design.T @ change[block])
    return np.array(grams), np.array(sides)


def _step_response(gram: np.ndarray, side: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the voltage after a step of current, Ohm, at every lag from the first knot to the last."""
    scale = np.sqrt(np.diag(gram))
    rise = np.linalg.solve(gram / np.outer(scale, scale), side / scale) / scale
    return np.cumsum(np.interp(np.arange(knots[0], knots[-1] + 1), knots, rise[:-1]))


def _read(response: np.ndarray, lags: np.ndarray, settled: float) -> tuple[float, ...]:
    """Return the resistance of the electrode, the capacitance and the input resistance of the neuron."""
    after = (lags >= settled * (1 - 1e-9)) & (lags <= RAMP * (1 + 1e-9))
    _, slope, resistance = np.polyfit(lags[after], response[after], 2)
    late = lags >= LATE
    start = (response[-1], response[-1] - resistance, lags[-1] / 4)
    try:
        (end, *_), _ = curve_fit(_charging, lags[late], response[late], start, maxfev=5000)
    except RuntimeError:
        end = np.nan
    return float(resistance), float(1 / slope), float(end - resistance)


def _charging(lag: np.ndarray, end: float, height: float, tau: float) -> np.ndarray:
    return end - height * np.exp(-lag / tau)
