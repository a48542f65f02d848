"""The synapse models, one file each: numbers, step, units and reference."""

from neurosim.biophysics.models import SynapseModel
from neurosim.registry import Registry

SYNAPSES = Registry("synapse", __name__, SynapseModel)


def synapse_of(parameters: object) -> SynapseModel | None:
    """Return the model whose numbers these are; None where there is none."""
    return next((model for model in SYNAPSES.values() if model.parameters is type(parameters)), None)
