"""NEST's adaptive exponential neuron with currents shaped as alpha functions, which peak at their weight (pA)."""

from __future__ import annotations

from neurosim.biophysics.sonata_models import of_adaptive
from neurosim.biophysics.synapses.alpha import AlphaParameters

MODEL = of_adaptive("nest:aeif_psc_alpha", AlphaParameters)
