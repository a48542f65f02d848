"""The neuron models, one file each: numbers, equations, step, threshold, reset and reference."""

from neurosim.biophysics.models import NeuronModel
from neurosim.registry import Registry

NEURONS = Registry("neuron", __name__, NeuronModel)


def neuron_of(parameters: object) -> NeuronModel | None:
    """Return the model whose numbers these are; None where there is none."""
    return next((model for model in NEURONS.values() if model.parameters is type(parameters)), None)
