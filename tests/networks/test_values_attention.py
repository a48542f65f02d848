"""Attention rolled out by hand from the maps that were recorded."""

import numpy as np
import torch

from neurosim.networks import TransformerSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.attention import attention_rollout
from neurosim.networks.recording import record_responses
from neurosim.schema import as_stimuli


def test_attention_passes_half_by_the_residual_path_of_every_layer():
    torch.manual_seed(0)
    network = build_network(TransformerSpecification(16, 2, 3, 32, n_words=20), (7,), 2)
    words = as_stimuli(np.array([[2, 3, 4, 5, 6, 7, 8]]), dims=("stimulus", "time"), time_step=1.0)
    maps = record_responses(network, words, layers=["*attention.map"], progress=False).values.reshape(3, 2, 8, 8)
    rolled = np.eye(8)
    for heads in maps:
        rolled = (0.5 * heads.mean(0) + 0.5 * np.eye(8)) @ rolled
    np.testing.assert_allclose(attention_rollout(network, words).values[0], rolled.mean(0)[1:], rtol=1e-4)
