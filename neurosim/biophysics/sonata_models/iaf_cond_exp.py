"""NEST's leaky neuron with conductances that decay exponentially from their weight (nS)."""

from __future__ import annotations

from neurosim.biophysics.neurons.lif import MODEL as LIF
from neurosim.biophysics.sonata_models import of_conductance
from neurosim.biophysics.synapses.exponential_conductance import ExponentialConductanceParameters

MODEL = of_conductance("nest:iaf_cond_exp", LIF, ExponentialConductanceParameters)
