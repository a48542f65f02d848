"""Point neurons fitted to current clamp: leaky, adaptive exponential and generalised integrate-and-fire.

All three begin alike: the electrode is taken off, spikes are found, and the change of the membrane between spikes is
regressed on what may drive it. They end differently: with the escape of spikes, an exponential upstroke, or a
threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.circuit import Circuit, single_neuron
from neurosim.biophysics.fitting.adex_fit import fit_adex
from neurosim.biophysics.fitting.electrode import Electrode, compensate
from neurosim.biophysics.fitting.gif_fit import fit_gif
from neurosim.biophysics.fitting.lif_fit import fit_lif
from neurosim.biophysics.fitting.trace import Trace, as_trace
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.biophysics.neurons.gif import GIFParameters
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.simulation import simulate
from neurosim.refusals import asked_by
from neurosim.schema import InputError, as_stimuli, check_sweeps, suggest

FITS: dict[str, Callable[[Trace, bool], tuple[Any, dict[str, float]]]] = {
    "gif": fit_gif,
    "adex": fit_adex,
    "lif": fit_lif,
}
FEWEST_SPIKES = 20


@by_value
@dataclass(frozen=True, eq=False)
class FittedNeuron:
    """A neuron fitted to current clamp.

    Parameters
    ----------
    parameters : the neuron.
    electrode : what was taken off the recording; None where it was clean already.
    time_step : of the recording, s.
    quality : on the training data. "gif": "explained_variance" of the membrane between spikes, given the spikes, and
        "bits_per_spike", by how much it predicts spikes better than their mean rate; "adex": "spike_concordance", 1
        where its spikes are those recorded; "lif": "explained_change" of the membrane.
    """

    parameters: GIFParameters | AdExParameters | LIFParameters
    electrode: Electrode | None
    time_step: float
    quality: dict[str, float]

    def circuit(self) -> Circuit:
        """Return the neuron as a circuit of one, driven by a current in A."""
        return single_neuron(self.parameters, self.time_step)


def fit_neuron(
    sweeps: xr.Dataset,
    kind: str = "gif",
    *,
    electrode: Electrode | None = None,
    threshold: float = -10e-3,
    refractory: float = 4e-3,
    progress: bool = True,
) -> FittedNeuron:
    """Fit a point neuron to recordings of its membrane under a fluctuating current.

    * "gif": the generalised integrate-and-fire neuron: the membrane by linear regression, the escape of spikes by
      maximum likelihood (https://doi.org/10.1371/journal.pcbi.1004275), whose likelihood also chooses the gates of the
      A-type current and the speed of the threshold out of a grid.
    * "adex": membranes and adaptation currents by linear regression, between spikes and on the dynamic I-V curve
      (https://doi.org/10.1152/jn.01107.2007); of these, moved at random, the one whose spikes are nearest to those of
      the training data.
    * "lif": leak by linear regression, threshold where the training data spikes as often as the neuron does.

    Parameters
    ----------
    sweeps : ``current`` and ``voltage`` (sweep, time), a minute or so with some hundred spikes; see ``as_sweeps``.
    kind : which neuron.
    electrode : from :func:`estimate_electrode`; None where the recording holds no electrode.
    threshold : voltage whose upward crossing is a spike, V.
    refractory : time after a spike during which the membrane is not modelled, s.
    progress : show a progress bar.

    Returns
    -------
    FittedNeuron.

    Raises
    ------
    InputError : an unknown kind, fewer than 20 spikes, or a recording that the neuron cannot follow.

    Examples
    --------
    >>> current = 5e-10 + 2e-10 * np.random.default_rng(0).normal(size=(1, 30)).repeat(10, axis=1)
    >>> shown = ns.as_stimuli(current[..., None], dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> cell = ns.biophysics.single_neuron(ns.biophysics.LIFParameters(refractory=4e-3), 1e-3)
    >>> kept = ns.biophysics.Monitors(membrane=["neuron"])
    >>> answers = ns.simulate(cell, shown, engine="torch", monitors=kept, progress=False)
    >>> voltage = answers.membrane_potential.values[..., 0].copy()
    >>> voltage[answers.responses.values[..., 0] > 0] = 20e-3
    >>> sweeps = ns.as_sweeps(current, voltage, time_step=1e-3)
    >>> found = ns.biophysics.fit_neuron(sweeps, "lif", refractory=5e-3, progress=False)
    >>> bool(abs(found.parameters.tau_mem - 10e-3) < 1e-3)
    True
    """
    if kind not in FITS:
        raise InputError(f"fit_neuron: no neuron {kind!r}. Neurons: {', '.join(FITS)}.{suggest(kind, FITS)}")
    sweeps = check_sweeps(sweeps, "fit_neuron")
    sweeps = sweeps if electrode is None else compensate(sweeps, electrode)
    trace = as_trace(sweeps, threshold, refractory)
    if trace.n_spikes < FEWEST_SPIKES:
        raise InputError(
            f"fit_neuron: {trace.n_spikes} spikes found (crossings of {threshold:g} V), {FEWEST_SPIKES} needed; "
            "give a longer or stronger current, or another threshold."
        )
    parameters, quality = FITS[kind](trace, progress)
    return FittedNeuron(parameters, electrode, trace.step, quality)


@asked_by("predict_spikes", "simulate")
def predict_spikes(
    fitted: FittedNeuron,
    sweeps: xr.Dataset,
    *,
    trials: int = 1,
    rng: np.random.Generator | int = 0,
    engine: str = "auto",
    progress: bool = True,
) -> xr.DataArray:
    """Return the spikes of a fitted neuron that receives the current of `sweeps`.

    Parameters
    ----------
    fitted : from :func:`fit_neuron`.
    sweeps : ``current`` (sweep, time) at the time step of the fit; of the sweeps of one stimulus the first is used.
    trials : how often each stimulus is given; differs from one to the next only where spikes are random.
    rng, engine, progress : see :func:`neurosim.simulate`.

    Returns
    -------
    spike counts (stimulus, [trial,] time, unit), as from :func:`detect_spikes`.

    Raises
    ------
    InputError : another time step.

    Examples
    --------
    >>> current = 5e-10 + 2e-10 * np.random.default_rng(0).normal(size=(1, 30)).repeat(10, axis=1)
    >>> shown = ns.as_stimuli(current[..., None], dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> cell = ns.biophysics.single_neuron(ns.biophysics.LIFParameters(refractory=4e-3), 1e-3)
    >>> kept = ns.biophysics.Monitors(membrane=["neuron"])
    >>> answers = ns.simulate(cell, shown, engine="torch", monitors=kept, progress=False)
    >>> voltage = answers.membrane_potential.values[..., 0].copy()
    >>> voltage[answers.responses.values[..., 0] > 0] = 20e-3
    >>> sweeps = ns.as_sweeps(current, voltage, time_step=1e-3)
    >>> fitted = ns.biophysics.fit_neuron(sweeps, "lif", refractory=5e-3, progress=False)
    >>> ns.biophysics.predict_spikes(fitted, sweeps, progress=False).dims
    ('stimulus', 'time', 'unit')
    """
    sweeps = check_sweeps(sweeps, "predict_spikes")
    if not np.isclose(sweeps.attrs["time_step"], fitted.time_step):
        raise InputError(
            f"predict_spikes: the neuron was fitted at steps of {fitted.time_step:g} s, the sweeps have "
            f"{sweeps.attrs['time_step']:g} s; resample one of them."
        )
    names, first = np.unique(sweeps["stimulus"].values, return_index=True)
    order = np.argsort(first)
    current = as_stimuli(
        sweeps["current"].values[first[order], :, None],
        dims=("stimulus", "time", "unit"),
        ids=names[order].astype(str).tolist(),
        time_step=fitted.time_step,
    )
    options: dict[str, Any] = {"trials": trials, "rng": rng, "engine": engine, "progress": progress}
    found: xr.DataArray = simulate(fitted.circuit(), current, **options)
    return found
