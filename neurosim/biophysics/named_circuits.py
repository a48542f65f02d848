"""What a circuit with a name is: a builder with options, and how stimuli become its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.models import NeuronModel, SynapseModel
from neurosim.biophysics.plain_numbers import one_of, whole
from neurosim.refusals import InputError
from neurosim.registry import Registry
from neurosim.runtime import as_seed, stream
from neurosim.showing import shown


def as_it_is(stimuli: xr.DataArray) -> xr.DataArray:
    """Return stimuli unchanged."""
    return stimuli


Options = TypeVar("Options")


@shown
@dataclass(frozen=True)
class NamedCircuit(Generic[Options]):
    """A circuit that is built from a few options, by its name.

    Parameters
    ----------
    name : name by which studies and users know it.
    options : frozen dataclass of its options, all with defaults.
    build : (options, number of input units, generator of everything random) -> circuit.
    caption : what it is, in one sentence without a verb.
    uses : neuron and synapse models whose papers are to be cited with it.
    reference : the paper of the circuit itself, with its DOI; "" where there is none.
    encoder : what makes the input units of pictures: "gabor_energy", as ``stimuli`` has it; "luminance", pictures in
        grey, pixel by pixel; "" where stimuli are shown unit by unit.
    layers : (options) -> names of its populations, so that a study can check what it asks before anything runs; None
        where they are known only when it is built.
    present : (encoded stimuli) -> stimuli as the input of the circuit takes them, such as intensities in 0..1.

    Examples
    --------
    >>> ns.biophysics.CIRCUITS["gabor_adex"].encoder
    'gabor_energy'
    """

    name: str
    options: type[Options]
    build: Callable[[Options, int, np.random.Generator], Circuit]
    caption: str = ""
    uses: tuple[NeuronModel | SynapseModel, ...] = ()
    reference: str = ""
    encoder: str = ""
    layers: Callable[[Options], tuple[str, ...]] | None = None
    present: Callable[[xr.DataArray], xr.DataArray] = as_it_is


CIRCUITS: Registry[NamedCircuit[Any]] = Registry("circuit", "neurosim.biophysics.circuits", NamedCircuit)


def build_circuit(name: str, n_inputs: int, options: object = None, *, rng: np.random.Generator | int = 0) -> Circuit:
    """Build the circuit called `name`.

    Parameters
    ----------
    name : one of ``neurosim.biophysics.CIRCUITS``.
    n_inputs : number of input units.
    options : record of its options, ``CIRCUITS[name].options``; by default as they are there.
    rng : seed of its connectivity, or a generator that draws the seed.

    Returns
    -------
    the circuit.

    Raises
    ------
    InputError : an unknown name, options of another circuit, fewer than one input unit.

    Examples
    --------
    >>> ns.biophysics.build_circuit("gabor_adex", 64).sizes
    {'input': 64, 'excitatory': 128, 'inhibitory': 32}
    """
    record = CIRCUITS.find(name, "build_circuit")
    options = record.options() if options is None else options
    if not isinstance(options, record.options):
        raise InputError(
            f"build_circuit: {name!r} takes {record.options.__name__}, found {type(options).__name__}; see "
            f"CIRCUITS[{name!r}].options."
        )
    n_inputs = one_of("build_circuit", "n_inputs", n_inputs, whole)
    if n_inputs < 1:
        raise InputError(f"build_circuit: at least one input unit asked, found {n_inputs}.")
    return record.build(options, n_inputs, stream(as_seed(rng, "build_circuit"), f"{name}_circuit"))
