"""A circuit built by hand and never trained: oriented input onto excitatory and inhibitory AdEx neurons.

Each excitatory neuron receives a random few of the input units, inhibitory neurons pool the excitatory ones and feed
back (parameters after https://doi.org/10.1152/jn.00686.2005 and https://doi.org/10.1007/s00422-008-0264-7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.neurons import adex
from neurosim.biophysics.neurons.adex import AdExParameters
from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.synapses.conductance import ConductanceParameters
from neurosim.refusals import InputError

EXCITATORY, INHIBITORY = "excitatory", "inhibitory"
MOST_NEURONS, MOST_PAIRS = 10**6, 10**9  # 8 GB of weights


@dataclass(frozen=True)
class GaborAdExOptions:
    """Options of the Gabor-AdEx circuit.

    Parameters
    ----------
    n_excitatory, n_inhibitory : numbers of neurons.
    duration : how long a stimulus is shown, s.
    max_rate : rate of the largest Gabor energy, spikes/s.
    dt : step of the simulation, s.

    Raises
    ------
    InputError : fewer than one neuron, more than fit into memory, a duration, rate or step that is not above 0, or what
        is no number.

    Examples
    --------
    >>> ns.biophysics.GaborAdExOptions().n_excitatory
    128
    """

    n_excitatory: int = 128
    n_inhibitory: int = 32
    duration: float = 0.15
    max_rate: float = 300.0
    dt: float = 2e-4

    def __post_init__(self) -> None:
        convert(self, "GaborAdExOptions", n_excitatory=whole, n_inhibitory=whole)
        convert(self, "GaborAdExOptions", duration=number, max_rate=number, dt=number)
        if self.n_excitatory < 1 or self.n_inhibitory < 1:
            found = f"n_excitatory = {self.n_excitatory}, n_inhibitory = {self.n_inhibitory}"
            raise InputError(f"GaborAdExOptions: at least one neuron of each kind asked, found {found}.")
        most, pairs = max(self.n_excitatory, self.n_inhibitory), self.n_excitatory * self.n_inhibitory
        if most > MOST_NEURONS or pairs > MOST_PAIRS:
            found = f"n_excitatory = {self.n_excitatory}, n_inhibitory = {self.n_inhibitory}"
            raise InputError(
                f"GaborAdExOptions: at most {MOST_NEURONS} neurons of each kind and {MOST_PAIRS} pairs of both asked, "
                f"found {found}."
            )
        for name in ("duration", "max_rate", "dt"):
            if not getattr(self, name) > 0:
                raise InputError(f"GaborAdExOptions: {name} above 0 asked, found {getattr(self, name)!r}.")


def build(options: GaborAdExOptions, n_inputs: int, rng: np.random.Generator) -> Circuit:
    """Return regular-spiking AdEx neurons that pool Gabor energy, balanced by fast-spiking inhibition."""
    n_excitatory, n_inhibitory = options.n_excitatory, options.n_inhibitory
    regular = AdExParameters()
    fast = AdExParameters(capacitance=100e-12, g_leak=10e-9, a=0.0, b=0.0, tau_w=30e-3, refractory=1e-3)
    synapses = ConductanceParameters(tau_exc=5e-3, tau_inh=10e-3, e_exc=0.0, e_inh=-80e-3)
    populations = (
        Population(EXCITATORY, n_excitatory, regular, synapses=synapses),
        Population(INHIBITORY, n_inhibitory, fast, synapses=synapses),
    )
    few = max(2, min(n_inputs, 6))
    projections = (
        Projection(INPUT, EXCITATORY, _random(rng, n_inputs, n_excitatory, few, 12e-9)),
        Projection(EXCITATORY, INHIBITORY, _random(rng, n_excitatory, n_inhibitory, n_excitatory // 4, 2e-9)),
        Projection(INHIBITORY, EXCITATORY, -_random(rng, n_inhibitory, n_excitatory, n_inhibitory // 4, 6e-9)),
    )
    inputs = Input(n_inputs, "poisson", options.duration, options.max_rate)
    return Circuit("Gabor-AdEx", inputs, populations, projections, dt=options.dt, step=1e-3, rung="adex")


def present(energies: xr.DataArray) -> xr.DataArray:
    """Return Gabor energies (stimulus, unit) as intensities: a share of the largest of all."""
    return energies / float(energies.max())


def _random(rng: np.random.Generator, n_source: int, n_target: int, n_each: int, mean: float) -> np.ndarray:
    """Return weights (source, target), in S, with `n_each` synapses a target, gamma distributed around `mean`."""
    weights = np.zeros((n_source, n_target))
    for target in range(n_target):
        sources = rng.choice(n_source, size=min(n_each, n_source), replace=False)
        weights[sources, target] = rng.gamma(4.0, mean / 4.0, size=len(sources))
    return weights


CIRCUIT = NamedCircuit(
    "gabor_adex",
    GaborAdExOptions,
    build,
    caption="AdEx neurons that pool Gabor energy, balanced by fast-spiking inhibition",
    uses=(adex.MODEL,),
    encoder="gabor_energy",
    layers=lambda _options: (EXCITATORY, INHIBITORY),
    present=present,
)
