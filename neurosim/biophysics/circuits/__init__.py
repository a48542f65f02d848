"""The circuits with a name, one file each: options, builder, what they take, what to cite."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.conversion import one_of, seed_from, whole
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.refusals import InputError
from neurosim.registry import Registry
from neurosim.runtime import stream

CIRCUITS = Registry("circuit", __name__, NamedCircuit)


def build_circuit(
    name: str, n_inputs: int, options: Any = None, *, rng: np.random.Generator | int | None = 0
) -> Circuit:
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
    >>> build_circuit("gabor_adex", 64).sizes
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
    return record.build(options, n_inputs, stream(seed_from(rng, "build_circuit"), f"{name}_circuit"))
