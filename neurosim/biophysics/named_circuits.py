"""What a circuit with a name is: a builder with options, and how stimuli become its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.models import NeuronModel, SynapseModel


def as_it_is(stimuli: xr.DataArray) -> xr.DataArray:
    """Return stimuli unchanged."""
    return stimuli


@dataclass(frozen=True)
class NamedCircuit:
    """A circuit that is built from a few options, by its name.

    Parameters
    ----------
    name : name by which studies and users know it.
    options : frozen dataclass of its options, all with defaults.
    build : (options, number of input units, generator of everything random) -> circuit.
    caption : what it is, in one sentence without a verb.
    uses : neuron and synapse models whose papers are to be cited with it.
    reference : the paper of the circuit itself, with its DOI; "" where there is none.
    encoder : what makes the input units of pictures, by the name that ``stimuli`` has for it ("gabor_energy"); "" where
        stimuli are shown unit by unit.
    present : (encoded stimuli) -> stimuli as the input of the circuit takes them, such as intensities in 0..1.

    Examples
    --------
    >>> from neurosim.biophysics.circuits import CIRCUITS
    >>> CIRCUITS["gabor_adex"].encoder
    'gabor_energy'
    """

    name: str
    options: type
    build: Callable[[Any, int, np.random.Generator], Circuit]
    caption: str = ""
    uses: tuple[NeuronModel | SynapseModel, ...] = ()
    reference: str = ""
    encoder: str = ""
    present: Callable[[xr.DataArray], xr.DataArray] = as_it_is
