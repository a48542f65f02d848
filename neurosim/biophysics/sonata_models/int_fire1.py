"""NEURON's IntFire1: a number without units that decays to 0, jumps by the weight and fires above 1 (here 100 mV).

Its files give times in s, as those of the Brain Modeling Toolkit and of the examples of SONATA do.
"""

from __future__ import annotations

import numpy as np

from neurosim.biophysics.sonata_models import Numbers, SonataModel
from neurosim.biophysics.synapses.delta import DeltaParameters
from neurosim.refusals import InputError

ONE, G_LEAK, LONGEST = 0.1, 1e-8, 1.0  # V, S, s


def neuron(p: Numbers) -> dict[str, np.ndarray]:
    """Return the same decay, threshold and refractory period, of a membrane around 0 V."""
    longest = max(p["tau"].max(), p["refrac"].max())
    if longest > LONGEST:
        raise InputError(f"IntFire1: tau and refrac in s asked, up to {LONGEST:g} s, found {longest:g}.")
    zeros = np.zeros_like(p["tau"])
    return {
        "capacitance": p["tau"] * G_LEAK,
        "g_leak": zeros + G_LEAK,
        "e_leak": zeros,
        "v_threshold": zeros + ONE,
        "v_reset": zeros,
        "refractory": p["refrac"],
        "drive": zeros,
    }


MODEL = SonataModel(
    "nrn:IntFire1",
    {"tau": 0.01, "refrac": 0.005},
    neuron,
    ("", ""),
    lambda _tau: DeltaParameters(),
    ONE,
    DeltaParameters,
    late=1,
)
