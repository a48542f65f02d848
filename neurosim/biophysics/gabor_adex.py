"""A circuit built by hand and never trained: oriented input onto excitatory and inhibitory AdEx neurons."""

from __future__ import annotations

import numpy as np

from neurosim.biophysics.circuit import INPUT, Circuit, Input, Population, Projection
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.biophysics.synapses.conductance import ConductanceParameters
from neurosim.runtime import stream


def gabor_adex_circuit(
    n_inputs: int,
    *,
    n_excitatory: int = 128,
    n_inhibitory: int = 32,
    duration: float = 0.15,
    max_rate: float = 300.0,
    seed: int = 0,
    dt: float = 2e-4,
) -> Circuit:
    """Return regular-spiking AdEx neurons that pool Gabor energy, balanced by fast-spiking inhibition.

    Each excitatory neuron receives a random few of the input units, inhibitory neurons pool the excitatory ones and
    feed back (parameters after https://doi.org/10.1152/jn.00686.2005 and https://doi.org/10.1007/s00422-008-0264-7).

    Parameters
    ----------
    n_inputs : number of input units (Gabor energies in 0..1, shown as Poisson spikes).
    n_excitatory, n_inhibitory : numbers of neurons.
    duration : how long a stimulus is shown, s.
    max_rate : rate of the largest energy, spikes/s.
    seed : seed of the connectivity.
    dt : step of the simulation, s.

    Examples
    --------
    >>> gabor_adex_circuit(64).sizes
    {'input': 64, 'excitatory': 128, 'inhibitory': 32}
    """
    rng = stream(seed, "gabor_adex_circuit")
    regular = AdExParameters()
    fast = AdExParameters(capacitance=100e-12, g_leak=10e-9, a=0.0, b=0.0, tau_w=30e-3, refractory=1e-3)
    synapses = ConductanceParameters(tau_exc=5e-3, tau_inh=10e-3, e_exc=0.0, e_inh=-80e-3)
    populations = (
        Population("excitatory", n_excitatory, regular, synapses=synapses),
        Population("inhibitory", n_inhibitory, fast, synapses=synapses),
    )
    few = max(2, min(n_inputs, 6))
    projections = (
        Projection(INPUT, "excitatory", _random(rng, n_inputs, n_excitatory, few, 12e-9)),
        Projection("excitatory", "inhibitory", _random(rng, n_excitatory, n_inhibitory, n_excitatory // 4, 2e-9)),
        Projection("inhibitory", "excitatory", -_random(rng, n_inhibitory, n_excitatory, n_inhibitory // 4, 6e-9)),
    )
    inputs = Input(n_inputs, "poisson", duration, max_rate)
    return Circuit("Gabor-AdEx", inputs, populations, projections, dt=dt, step=1e-3, rung="adex")


def _random(rng: np.random.Generator, n_source: int, n_target: int, n_each: int, mean: float) -> np.ndarray:
    """Return weights (source, target), in S, with `n_each` synapses a target, gamma distributed around `mean`."""
    weights = np.zeros((n_source, n_target))
    for target in range(n_target):
        sources = rng.choice(n_source, size=min(n_each, n_source), replace=False)
        weights[sources, target] = rng.gamma(4.0, mean / 4.0, size=len(sources))
    return weights
