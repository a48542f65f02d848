"""The integrate-and-fire neuron with a threshold that rises with its spikes, in whole steps.

``a[k] = rho a[k-1] + s[k-1]``, ``s[k] = v[k] > threshold + rise a[k]``. https://doi.org/10.1038/s41467-020-17236-y.
"""

from __future__ import annotations

from neurosim.biophysics.formulas import Functions, Quantities, Quantity, State
from neurosim.biophysics.models import Constants, NeuronModel, Numbers, decay
from neurosim.biophysics.neurons import discrete_lif
from neurosim.parameters import DiscreteAdaptiveLIFParameters


def constants(p: Numbers, dt: float) -> Constants:
    """Return both decays, the threshold and its rise, and which reset it is."""
    numbers = {"beta": decay(p["dt"], p["tau_mem"]), "rho": decay(p["dt"], p["tau_threshold"])}
    return numbers | {"threshold": p["threshold"], "rise": p["rise"], "reset_kind": p["reset"]}


def update(x: State, m: Functions) -> Quantities:
    """Leak, add the input of this step, and let the last spike raise the threshold."""
    current = m.let("current", x.kick + x.drive if x.noise is None else x.kick + x.drive + x.noise)
    fired = m.let("fired", m.is_positive(distance(x, m)))
    return {"v": discrete_lif.after_reset(x, m, current, fired), "adaptation": x.rho * x.adaptation + fired}


def distance(x: State, m: Functions) -> Quantity:
    """Return how far the membrane is above the threshold of this moment."""
    return x.v - (x.threshold + x.rise * x.adaptation)


def reset(x: State, m: Functions) -> Quantities:
    """Do nothing: the reset belongs to the next step."""
    return {}


MODEL = NeuronModel(
    DiscreteAdaptiveLIFParameters.model,
    DiscreteAdaptiveLIFParameters,
    {"v": 0.0, "adaptation": 0.0},
    constants,
    update,
    distance,
    reset,
    units={"v": "1", "adaptation": "1"},
    is_discrete=True,
    threshold="threshold",
    caption="integrate-and-fire neurons with an adaptive threshold, in whole steps",
    reference="Bellec G, Scherr F, Subramoney A, et al. (2020) Nat Commun 11:3625, https://doi.org/10.1038/s41467-020-17236-y",
    example=({}, 0.3),
)
