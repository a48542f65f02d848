"""The Allen Institute's GLIF 1 as NEST has it (https://doi.org/10.1038/s41467-017-02717-4): leaky, with alpha currents.

GLIF 2 to 5 are the same neuron with switches for what circuits have not; a switch that is on is refused by its name.
"""

from __future__ import annotations

import numpy as np

from neurosim.biophysics.sonata_models import MILLI, NANO, NEST_SYNAPSES, PICO, Numbers, SonataModel, membrane
from neurosim.biophysics.synapses.alpha import AlphaParameters

USUAL = {"E_L": -78.85, "C_m": 58.72, "g": 9.43, "t_ref": 3.75, "V_th": -51.68, "V_reset": -78.85, "tau_syn": 2.0}
LACKING = {
    "spike_dependent_threshold": "GLIF 2, 4 and 5: a threshold and a reset that depend on the spikes before",
    "after_spike_currents": "GLIF 3, 4 and 5: currents after spikes, of a neuron that fires without chance",
    "adapting_threshold": "GLIF 5: a threshold that follows the membrane",
}
UNREAD = (
    *("asc_init", "asc_decay", "asc_amps", "asc_r", "th_spike_add", "th_spike_decay", "voltage_reset_fraction"),
    *("voltage_reset_add", "th_voltage_index", "th_voltage_decay"),
)


def neuron(p: Numbers) -> dict[str, np.ndarray]:
    """Return the leaky neuron, which no constant current drives."""
    own = {"g_leak": p["g"] * NANO, "v_threshold": p["V_th"] * MILLI}
    return membrane({**p, "I_e": 0.0 * p["g"]}) | own


MODEL = SonataModel(
    "nest:glif_psc",
    USUAL | {"V_m": -78.85},
    neuron,
    ("tau_syn", "tau_syn"),
    AlphaParameters,
    PICO,
    AlphaParameters,
    lacking=LACKING,
    unread=UNREAD,
    port=1,
    **NEST_SYNAPSES,
)
