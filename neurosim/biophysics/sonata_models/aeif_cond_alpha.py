"""NEST's adaptive exponential neuron with conductances shaped as alpha functions, which peak at their weight (nS)."""

from __future__ import annotations

from neurosim.biophysics.neurons.adex import MODEL as ADEX
from neurosim.biophysics.sonata_models import of_conductance
from neurosim.biophysics.synapses.alpha_conductance import AlphaConductanceParameters

MODEL = of_conductance("nest:aeif_cond_alpha", ADEX, AlphaConductanceParameters)
