"""A spiking neuron fitted to spike trains alone: integrate-and-fire with escape noise, driven by a stimulus.

Where no membrane was recorded its scale is free: the neuron rests at ``e_leak`` and one unit of drive moves it by 1 mV.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.signal import lfilter

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.circuit import Circuit, single_neuron
from neurosim.biophysics.fitting.receptive_field import matched, stimulus_values
from neurosim.biophysics.neurons.gif import GIF_MEMORIES, GIFParameters
from neurosim.biophysics.simulation import simulate
from neurosim.runtime import track
from neurosim.schema import InputError, as_stimuli

G_LEAK = 10e-9
MILLIVOLT = 1e-3
MEMORIES = (1e-3, 4e-3, 16e-3, 64e-3)
BEFORE = 0.2
WIDEST = 50e-3


@by_value
@dataclass(frozen=True, eq=False)
class DrivenNeuron:
    """A spiking neuron and how a stimulus drives it.

    Parameters
    ----------
    parameters : the neuron. delay : from the stimulus to the current, s.
    centre, spread : of the stimulus; the current is ``g_leak`` times 1 mV for every `spread` above `centre`.
    logarithmic : whether the logarithm of the stimulus drives it.
    time_step : s. bits_per_spike : how much better than the mean rate it predicts the spikes it was fitted to.
    """

    parameters: GIFParameters
    delay: float
    centre: float
    spread: float
    logarithmic: bool
    time_step: float
    bits_per_spike: float

    def current(self, stimuli: xr.DataArray) -> xr.DataArray:
        """Return the current (stimulus, time, unit) in A that `stimuli` (stimulus, time) drive."""
        values = _drive(stimulus_values(stimuli, self.time_step, "DrivenNeuron.current"), self.logarithmic)
        shifted = _delayed((values - self.centre) / self.spread, round(self.delay / self.time_step))
        return as_stimuli(
            shifted[..., None] * G_LEAK * MILLIVOLT,
            dims=("stimulus", "time", "unit"),
            ids=stimuli["stimulus"].values.astype(str).tolist(),
            time_step=self.time_step,
        )

    def circuit(self) -> Circuit:
        """Return the neuron as a circuit of one, driven by :meth:`current`."""
        return single_neuron(self.parameters, self.time_step)

    def simulate(
        self,
        stimuli: xr.DataArray,
        *,
        trials: int = 1,
        rng: np.random.Generator | int = 0,
        engine: str = "auto",
        progress: bool = True,
    ) -> xr.DataArray:
        """Return spike counts (stimulus, [trial,] time, unit), in Brian2 or another engine of ``simulate``."""
        answers: xr.DataArray = simulate(
            self.circuit(),
            self.current(stimuli),
            trials=trials,
            rng=rng,
            engine=engine,
            progress=progress,
        )
        return answers


def fit_driven(
    stimuli: xr.DataArray,
    responses: xr.DataArray,
    *,
    delays: tuple[float, ...] = tuple(np.arange(0, 10.5e-3, 0.5e-3)),
    time_constants: tuple[float, ...] = (0.5e-3, 1e-3, 2e-3, 4e-3, 8e-3),
    refractory: float = 1e-3,
    progress: bool = True,
) -> DrivenNeuron:
    """Fit a spiking neuron with a leaky membrane, a memory of its spikes and escape noise to stimulus-driven spikes.

    For each delay, membrane time constant and scale of the stimulus (linear or logarithmic), gain, threshold and memory
    follow from the maximum of the likelihood, which is the only one; the best of all is taken
    (https://doi.org/10.1162/0899766041732468).

    Parameters
    ----------
    stimuli : (stimulus, time), such as the envelope of a sound, with a ``time_step``, s.
    responses : spike counts (stimulus, [trial,] time, unit) of one unit, at the same time step of at most 1 ms.
    delays, time_constants : those tried, s.
    refractory : s.
    progress : show a progress bar.

    Returns
    -------
    DrivenNeuron.

    Raises
    ------
    InputError : other stimuli, times or steps; several units; fewer than 20 spikes; too long a step.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(1, 3000))
    >>> noise = ns.as_stimuli(values, dims=("stimulus", "time"), time_step=1e-3)
    >>> fired = ns.as_responses(
    ...     (np.roll(values, 3, axis=1) > 1.2)[..., None] * 1.0,  # 3 ms after every peak
    ...     stimuli=noise, quantity="spike_count", time_step=1e-3,
    ... )
    >>> found = ns.biophysics.fit_driven(noise, fired, delays=(0.0, 3e-3), time_constants=(0.5e-3,), progress=False)
    >>> found.delay
    0.003
    """
    values, counts, step, _ = matched(stimuli, responses, "fit_driven")
    if counts.shape[-1] != 1 or counts.sum() < 20 or step > refractory * (1 + 1e-9):
        raise InputError(
            f"fit_driven: one unit with 20 spikes and steps of at most {refractory:g} s asked, found "
            f"{counts.shape[-1]} with {counts.sum():g} spikes every {step:g} s."
        )
    trains = np.minimum(counts[..., 0], 1)
    risen, kept = _memories(trains, step, round(refractory / step))
    scales = (False, True) if values.min() > 0 else (False,)
    tried = list(itertools.product(scales, delays, time_constants))
    best: tuple[float, DrivenNeuron] | None = None
    for logarithmic, delay, tau in track(tried, "fitting neurons", progress=progress):
        drive = _drive(values, logarithmic)
        centre, spread = float(drive.mean()), float(drive.std())
        left = np.exp(-step / tau)
        shifted = _delayed((drive - centre) / spread, round(delay / step))
        membrane = lfilter([1 - left], [1.0, -left], shifted, axis=-1)[:, None].repeat(trains.shape[1], 1)
        numbers, bits = _likely(membrane, risen, trains, kept, step)
        if numbers and (best is None or bits > best[0]):
            parameters = GIFParameters(
                capacitance=tau * G_LEAK,
                g_leak=G_LEAK,
                e_leak=0.0,
                v_reset=0.0,
                refractory=refractory,
                **{f"tau_{k}": t for k, t in zip(GIF_MEMORIES, MEMORIES, strict=True)},
                **{f"eta_{k}": 0.0 for k in GIF_MEMORIES},
                **numbers,
            )
            best = (bits, DrivenNeuron(parameters, float(delay), centre, spread, logarithmic, step, bits))
    if best is None:
        raise InputError("fit_driven: no delay makes the stimulus drive the spikes; is it the right stimulus?")
    return best[1]


def _drive(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    return np.log(values) if logarithmic else np.asarray(values, dtype=float)


def _delayed(values: np.ndarray, lag: int) -> np.ndarray:
    return np.asarray(np.concatenate([np.repeat(values[:, :1], lag, axis=1), values], axis=1)[:, : values.shape[1]])


def _memories(trains: np.ndarray, step: float, held: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Traces of past spikes (stimulus, trial, time), one a time constant, and where the neuron is not refractory."""
    before = np.pad(trains, ((0, 0), (0, 0), (1, 0)))[..., :-1]
    risen = [lfilter([np.exp(-step / t)], [1.0, -np.exp(-step / t)], before, axis=-1) for t in MEMORIES]
    recent = lfilter(np.ones(held), [1.0], before, axis=-1)
    kept = recent < 0.5
    kept[..., : round(BEFORE / step)] = False
    return risen, kept


def _likely(
    membrane: np.ndarray, risen: list[np.ndarray], trains: np.ndarray, kept: np.ndarray, step: float
) -> tuple[dict[str, float], float]:
    """Threshold, slope and memory that make the spikes most likely; bits a spike above the mean rate."""
    from sklearn.linear_model import PoissonRegressor

    design = np.stack([m[kept] for m in (membrane, *risen)], axis=1)
    spikes = trains[kept]
    spread = design.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    model = PoissonRegressor(alpha=1e-6, solver="newton-cholesky", max_iter=100, tol=1e-6)
    model.fit(design / spread, spikes)
    slopes, offset = model.coef_ / spread, float(model.intercept_)
    if slopes[0] <= MILLIVOLT / WIDEST:
        return {}, -np.inf
    expected = np.exp(np.minimum(offset + design @ slopes, 20))
    gain = np.log(expected[spikes > 0] / spikes.mean()).sum() - (expected.sum() - spikes.sum())
    delta = MILLIVOLT / float(slopes[0])
    numbers = {"delta_v": delta, "v_t": delta * float(np.log(step) - offset)}
    numbers |= {f"gamma_{k}": -delta * float(s) for k, s in zip(GIF_MEMORIES, slopes[1:], strict=True)}
    return numbers, float(gain / spikes.sum() / np.log(2))
