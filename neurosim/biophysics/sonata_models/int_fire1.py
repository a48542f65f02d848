"""NEURON's IntFire1: a number without units that decays to 0, jumps by the weight and fires above 1 (here 100 mV)."""

from __future__ import annotations

import numpy as np

from neurosim.biophysics.sonata_models import MILLI, Numbers, SonataModel
from neurosim.biophysics.synapses.delta import DeltaParameters

ONE, G_LEAK = 0.1, 1e-7  # V, S


def neuron(p: Numbers) -> dict[str, np.ndarray]:
    """Return the same decay, threshold and refractory period, of a membrane around 0 V."""
    zeros = np.zeros_like(p["tau"])
    return {
        "capacitance": p["tau"] * MILLI * G_LEAK,
        "g_leak": zeros + G_LEAK,
        "e_leak": zeros,
        "v_threshold": zeros + ONE,
        "v_reset": zeros,
        "refractory": p["refrac"] * MILLI,
        "drive": zeros,
    }


MODEL = SonataModel(
    "nrn:IntFire1",
    {"tau": 10.0, "refrac": 5.0},
    neuron,
    ("", ""),
    lambda _tau: DeltaParameters(),
    ONE,
    DeltaParameters,
    late=1,
)
