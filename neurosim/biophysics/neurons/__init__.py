"""The neuron models, one file each: equations, step, threshold, reset and reference."""

from neurosim.biophysics.neurons import (
    adaptive_lif,
    adex,
    discrete_adaptive_lif,
    discrete_lif,
    discrete_synaptic,
    gif,
    hodgkin_huxley,
    lif,
)
from neurosim.biophysics.neurons.model import NeuronModel

MODELS: dict[type, NeuronModel] = {
    module.MODEL.parameters: module.MODEL
    for module in (discrete_lif, discrete_synaptic, discrete_adaptive_lif, lif, adaptive_lif, adex, gif, hodgkin_huxley)
}
