"""NEST's adaptive exponential neuron with conductances that decay exponentially from their weight (nS)."""

from __future__ import annotations

from neurosim.biophysics.neurons.adex import MODEL as ADEX
from neurosim.biophysics.sonata_models import of_conductance
from neurosim.biophysics.synapses.exponential_conductance import ExponentialConductanceParameters

MODEL = of_conductance("nest:aeif_cond_exp", ADEX, ExponentialConductanceParameters)
