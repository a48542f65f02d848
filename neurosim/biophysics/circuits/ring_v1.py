"""The ring model of orientation tuning: cells that prefer like orientations excite each other, all inhibit each other.

https://doi.org/10.1073/pnas.92.9.3844 and https://doi.org/10.1523/JNEUROSCI.15-08-05448.1995, with spikes: a ring of
excitatory and one of inhibitory cells at each place, driven by broadly tuned input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.biophysics.background import Poisson
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.neurons import lif
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.synapses import exponential_conductance
from neurosim.biophysics.synapses.exponential_conductance import ExponentialConductanceParameters
from neurosim.refusals import InputError

EXCITATORY, INHIBITORY = "excitatory", "inhibitory"
CELL = LIFParameters(200e-12, 10e-9, -70e-3, -50e-3, -60e-3, 2e-3)
FROM_INPUT = {EXCITATORY: 7e-9, INHIBITORY: 6e-9}  # S: the sum of the weights onto a cell
WITHIN = {  # (source, target): sum of the weights onto a cell, S, and the width of the ring that they span, degrees
    (EXCITATORY, EXCITATORY): (25e-9, 10.0),
    (EXCITATORY, INHIBITORY): (20e-9, 60.0),
    (INHIBITORY, EXCITATORY): (60e-9, 60.0),
    (INHIBITORY, INHIBITORY): (30e-9, 60.0),
}
INPUT_WIDTH = 25.0  # degrees


@dataclass(frozen=True)
class RingV1Options:
    """Options of the ring model.

    Parameters
    ----------
    n_excitatory, n_inhibitory : cells of the ring at each place.
    n_orientations : of the input units at each place; the input has all places of the first, then of the next.
    duration : how long a stimulus is shown, s. max_rate : of an input unit shown an intensity of 1, spikes/s.
    dt : step of the simulation, s.

    Raises
    ------
    InputError : a number out of range.

    Examples
    --------
    >>> ns.biophysics.RingV1Options(n_orientations=16).n_excitatory
    32
    """

    n_excitatory: int = 32
    n_inhibitory: int = 8
    n_orientations: int = 4
    duration: float = 0.2
    max_rate: float = 1000.0
    dt: float = 2.5e-4

    def __post_init__(self) -> None:
        convert(self, "RingV1Options", n_excitatory=whole, n_inhibitory=whole, n_orientations=whole)
        convert(self, "RingV1Options", duration=number, max_rate=number, dt=number)
        bounds = {
            "n_excitatory": (4, 10**4), "n_inhibitory": (2, 10**4), "n_orientations": (2, 360),
            "duration": (1e-3, 100.0), "max_rate": (0.0, 1e4), "dt": (1e-6, 1e-3),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"RingV1Options: {name} from {low:g} to {high:g} asked, found {getattr(self, name):g}."
                )


def build(options: RingV1Options, n_inputs: int, rng: np.random.Generator) -> Circuit:
    """Return a ring of each kind at each place; its input units are those of Gabor energy."""
    n_places, rest = divmod(n_inputs, options.n_orientations)
    if rest or not n_places:
        raise InputError(
            f"ring_v1: {options.n_orientations} orientations at each place asked, found {n_inputs} input units."
        )
    sizes = {EXCITATORY: options.n_excitatory, INHIBITORY: options.n_inhibitory}
    receptors = {
        "ampa": ExponentialConductanceParameters(3e-3, 0.0),
        "gaba": ExponentialConductanceParameters(8e-3, -75e-3),
    }
    outside = Poisson(1500.0, 0.6e-9, "ampa")
    populations = tuple(
        Population(name, n_places * size, CELL, synapses=receptors, background=(outside,))
        for name, size in sizes.items()
    )
    at_each = np.eye(n_places)
    shown = tuple(
        Projection(INPUT, name, FROM_INPUT[name] * _fed(at_each, options.n_orientations, size), receptor="ampa")
        for name, size in sizes.items()
    )
    within = tuple(
        Projection(
            a, b, total * np.kron(at_each, _ring(sizes[a], sizes[b], width, rng, is_one=a == b)), 1e-3,
            "gaba" if a == INHIBITORY else "ampa",
        )
        for (a, b), (total, width) in WITHIN.items()
    )  # fmt: skip
    inputs = Input(n_inputs, "poisson", options.duration, options.max_rate)
    return Circuit("V1 ring", inputs, populations, shown + within, dt=options.dt, step=1e-3, rung="adex")


def present(energies: xr.DataArray) -> xr.DataArray:
    """Return Gabor energies (stimulus, unit) as intensities: a share of the largest of all."""
    return energies / float(energies.max())


def _bell(sources: int, targets: int, width: float) -> np.ndarray:
    """Return a bell of the difference of orientation (source, target), of sum 1 a target; rings span 180 degrees."""
    turned = np.subtract.outer(180.0 * np.arange(sources) / sources, 180.0 * np.arange(targets) / targets)
    bell = np.exp((np.cos(np.deg2rad(2 * turned)) - 1) / (4 * np.deg2rad(width) ** 2))
    return np.asarray(bell / bell.sum(0))


def _ring(sources: int, targets: int, width: float, rng: np.random.Generator, *, is_one: bool) -> np.ndarray:
    """Return random weights (source, target) around a bell, none onto itself, of sum 1 a target."""
    weights = _bell(sources, targets, width) * rng.uniform(0.5, 1.5, (sources, targets))
    weights *= 1 - np.eye(sources, targets) * is_one
    return np.asarray(weights / weights.sum(0))


def _fed(at_each: np.ndarray, n_orientations: int, size: int) -> np.ndarray:
    """Return weights (input unit, cell): units are all places of an orientation, then of the next, cells rings."""
    tuned = _bell(n_orientations, size, INPUT_WIDTH)
    spread = tuned[:, None, None, :] * at_each[None, :, :, None]  # orientation, place of the unit, of the cell, cell
    return np.asarray(spread.reshape(n_orientations * len(at_each), len(at_each) * size))


CIRCUIT = NamedCircuit(
    "ring_v1",
    RingV1Options,
    build,
    caption="rings of cells that prefer an orientation each, with recurrent excitation and broad inhibition",
    uses=(lif.MODEL, exponential_conductance.MODEL),
    reference="Ben-Yishai R, Bar-Or RL, Sompolinsky H (1995) PNAS 92:3844-3848, https://doi.org/10.1073/pnas.92.9.3844",
    encoder="gabor_energy",
    layers=lambda _options: (EXCITATORY, INHIBITORY),
    present=present,
)
