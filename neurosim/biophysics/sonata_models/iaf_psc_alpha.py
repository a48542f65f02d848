"""NEST's leaky neuron with alpha-shaped currents, which peak at their weight (pA)."""

from __future__ import annotations

from neurosim.biophysics.sonata_models import PICO, of_leaky
from neurosim.biophysics.synapses.alpha import AlphaParameters

MODEL = of_leaky("nest:iaf_psc_alpha", ("tau_syn_ex", "tau_syn_in"), AlphaParameters, PICO, AlphaParameters)
