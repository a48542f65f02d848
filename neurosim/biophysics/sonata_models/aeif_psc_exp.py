"""NEST's adaptive exponential neuron with currents that decay exponentially from their weight (pA)."""

from __future__ import annotations

from neurosim.biophysics.sonata_models import of_adaptive
from neurosim.biophysics.synapses.exponential import ExponentialParameters

MODEL = of_adaptive("nest:aeif_psc_exp", ExponentialParameters)
