"""NEST's leaky neuron with conductances shaped as alpha functions, which peak at their weight (nS)."""

from __future__ import annotations

from neurosim.biophysics.neurons.lif import MODEL as LIF
from neurosim.biophysics.sonata_models import of_conductance
from neurosim.biophysics.synapses.alpha_conductance import AlphaConductanceParameters

MODEL = of_conductance("nest:iaf_cond_alpha", LIF, AlphaConductanceParameters)
