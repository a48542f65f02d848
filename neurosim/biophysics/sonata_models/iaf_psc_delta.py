"""NEST's leaky neuron whose membrane jumps by the weight (mV)."""

from __future__ import annotations

from neurosim.biophysics.sonata_models import MILLI, of_leaky
from neurosim.biophysics.synapses.delta import DeltaParameters

MODEL = of_leaky("nest:iaf_psc_delta", ("", ""), lambda _tau: DeltaParameters(), MILLI, DeltaParameters, late=1)
