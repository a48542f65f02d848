"""The decision circuit of Wang 2002: two pools compete through slow recurrent excitation and shared inhibition.

https://doi.org/10.1016/S0896-6273(02)01092-9. NMDA receptors saturate: a spike opens a share of those that are closed.
Numbers of neurons are a quarter of the paper's by default, and weights grow as these become fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.neurons import lif
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.releases.saturating import SaturatingParameters
from neurosim.biophysics.synapses import exponential_conductance, nmda
from neurosim.biophysics.synapses.exponential_conductance import ExponentialConductanceParameters
from neurosim.biophysics.synapses.nmda import NMDAParameters
from neurosim.parameters import Parameters
from neurosim.refusals import InputError

POOLS = ("first", "second")
OTHERS, INHIBITORY = "others", "inhibitory"
PAPER = {"excitatory": 1600, INHIBITORY: 400}
TO_EXCITATORY = {"outside": 2.1e-9, "ampa": 0.05e-9, "nmda": 0.165e-9, "gaba": 1.3e-9}  # S
TO_INHIBITORY = {"outside": 1.62e-9, "ampa": 0.04e-9, "nmda": 0.13e-9, "gaba": 1.0e-9}  # S
NEURONS = {
    "excitatory": LIFParameters(0.5e-9, 25e-9, -70e-3, -50e-3, -55e-3, 2e-3),
    INHIBITORY: LIFParameters(0.2e-9, 20e-9, -70e-3, -50e-3, -55e-3, 1e-3),
}


@dataclass(frozen=True)
class DecisionOptions:
    """Options of the decision circuit of Wang 2002.

    Parameters
    ----------
    n_excitatory, n_inhibitory : numbers of neurons.
    selective : share of the excitatory neurons in each of the two pools.
    strength : weights within a pool, in units of those between others; weights from elsewhere onto a pool fall. The
        paper's circuit of 2,000 neurons has 1.7; smaller pools decide within a second with more.
    background : rate of what arrives at each neuron from outside, spikes/s.
    max_rate : rate of an input unit shown an intensity of 1, spikes/s: 40 (1 + coherence) is an intensity of
        ``(1 + coherence) / 2``.
    duration : how long a stimulus is shown, s. dt : step of the simulation, s.

    Raises
    ------
    InputError : a number out of range.

    Examples
    --------
    >>> ns.biophysics.DecisionOptions(n_excitatory=1600, n_inhibitory=400, strength=1.7).selective
    0.15
    """

    own_units: ClassVar[dict[str, str]] = {"background": "Hz"}
    n_excitatory: int = 400
    n_inhibitory: int = 100
    selective: float = 0.15
    strength: float = 2.1
    background: float = 2400.0
    max_rate: float = 80.0
    duration: float = 1.0
    dt: float = 1e-4

    def __post_init__(self) -> None:
        convert(self, "DecisionOptions", n_excitatory=whole, n_inhibitory=whole)
        rest = ("selective", "strength", "background", "max_rate", "duration", "dt")
        convert(self, "DecisionOptions", **dict.fromkeys(rest, number))
        bounds = {
            "n_excitatory": (10, 10**5), "n_inhibitory": (2, 10**5), "selective": (0.01, 0.45), "strength": (0.0, 5.0),
            "background": (0.0, 1e5), "max_rate": (0.0, 1e4), "duration": (1e-3, 100.0), "dt": (1e-6, 1e-3),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"DecisionOptions: {name} from {low:g} to {high:g} asked, found {getattr(self, name):g}."
                )


def sizes_of(options: DecisionOptions) -> dict[str, int]:
    """Return the number of neurons of each population."""
    n = max(1, round(options.selective * options.n_excitatory))
    return {**dict.fromkeys(POOLS, n), OTHERS: options.n_excitatory - 2 * n, INHIBITORY: options.n_inhibitory}


def build(options: DecisionOptions, n_inputs: int, rng: np.random.Generator) -> Circuit:
    """Return two pools, other excitatory neurons and inhibition; half of the inputs drive each pool, spread over it."""
    if n_inputs % 2:
        raise InputError(f"decision: an even number of inputs, half for each pool, asked; found {n_inputs}.")
    sizes = sizes_of(options)
    populations = tuple(_population(name, size, options) for name, size in sizes.items())
    projections = [_shown(k, sizes[pool], n_inputs) for k, pool in enumerate(POOLS)]
    for source, n_source in sizes.items():
        for target, n_target in sizes.items():
            projections += _between(source, n_source, target, n_target, options)
    inputs = Input(n_inputs, "poisson", options.duration, options.max_rate)
    return Circuit("Wang 2002", inputs, populations, tuple(projections), dt=options.dt, step=1e-3)


def _population(name: str, size: int, options: DecisionOptions) -> Population:
    """Return neurons with four receptors: excitation from outside and from within, slow excitation, inhibition."""
    weights = TO_INHIBITORY if name == INHIBITORY else TO_EXCITATORY
    receptors: dict[str, Parameters] = {
        "ampa": ExponentialConductanceParameters(2e-3, 0.0),
        "nmda": NMDAParameters(0.5e-3, 100e-3, 0.0, 1.0),
        "gaba": ExponentialConductanceParameters(5e-3, -70e-3),
    }
    outside = Poisson(options.background, weights["outside"], "ampa")
    neuron = NEURONS[INHIBITORY if name == INHIBITORY else "excitatory"]
    return Population(name, size, neuron, synapses=receptors, background=(outside,))


def _shown(pool: int, size: int, n_inputs: int) -> Projection:
    """Return synapses from one half of the inputs to a pool: unit after unit to neuron after neuron."""
    weights = np.zeros((n_inputs, size))
    half = n_inputs // 2
    for k in range(max(half, size)):
        weights[pool * half + k % half, k % size] = TO_EXCITATORY["outside"]
    return Projection(INPUT, POOLS[pool], weights, receptor="ampa")


def _between(source: str, n_source: int, target: str, n_target: int, options: DecisionOptions) -> list[Projection]:
    """Return all synapses from one population to another."""
    units = TO_INHIBITORY if target == INHIBITORY else TO_EXCITATORY
    others = np.ones((n_source, n_target)) - np.eye(n_source, n_target) * (source == target)
    if source == INHIBITORY:
        scale = PAPER[INHIBITORY] / options.n_inhibitory
        return [Projection(source, target, others * units["gaba"] * scale, 5e-4, "gaba")]
    weaker = 1 - options.selective * (options.strength - 1) / (1 - options.selective)
    relative = 1.0
    if target in POOLS:
        relative = options.strength if source == target else weaker
    scale = relative * PAPER["excitatory"] / options.n_excitatory
    slow = SaturatingParameters(0.63, 100e-3)
    return [
        Projection(source, target, others * units["ampa"] * scale, 5e-4, "ampa"),
        Projection(source, target, others * units["nmda"] * scale, 5e-4, "nmda", release=slow),
    ]


CIRCUIT = NamedCircuit(
    "decision",
    DecisionOptions,
    build,
    caption="two pools that compete through slow excitation and shared inhibition",
    uses=(lif.MODEL, exponential_conductance.MODEL, nmda.MODEL),
    reference="Wang XJ (2002) Neuron 36:955-968, https://doi.org/10.1016/S0896-6273(02)01092-9",
    layers=lambda options: tuple(sizes_of(options)),
)
