"""NEST's leaky neuron with currents that decay exponentially from their weight (pA)."""

from __future__ import annotations

from neurosim.biophysics.sonata_models import PICO, of_leaky
from neurosim.biophysics.synapses.exponential import ExponentialParameters

MODEL = of_leaky("nest:iaf_psc_exp", ("tau_syn_ex", "tau_syn_in"), ExponentialParameters, PICO, ExponentialParameters)
