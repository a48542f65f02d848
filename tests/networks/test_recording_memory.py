"""What is chosen of tokens or pooled is all that is kept of a layer while a batch runs."""

import gc

import numpy as np
import pytest
import torch
from torch import nn

from neurosim.networks.axes import Reading
from neurosim.networks.published import torchvision
from neurosim.networks.recording import record_responses
from neurosim.schema import as_stimuli

N, N_LAYERS, N_TOKENS, WIDTH = 32, 6, 65, 16
ONE_LAYER = N * N_TOKENS * WIDTH * 4  # bytes


def live_bytes():
    """Return the bytes of all tensors that anybody holds, each storage once."""
    tensors = [t for t in gc.get_objects() if type(t) is torch.Tensor and t.layout == torch.strided]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


class Watched(nn.Module):
    """Notes what is held when the last layer is reached, in batches of all stimuli."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.vit = torchvision().models.VisionTransformer(32, 4, N_LAYERS, 2, WIDTH, 16, num_classes=2)
        self.held = []

    def forward(self, pictures):
        answer = self.vit(pictures)
        if len(pictures) == N:
            self.held.append(live_bytes())
        return answer


PICTURES = np.random.default_rng(0).random((N, 3, 32, 32)).astype(np.float32)
LAYERS = [f"vit.encoder.layers.encoder_layer_{k}" for k in range(N_LAYERS)]


@pytest.mark.parametrize(("options", "kept"), [({"tokens": [0, -1]}, 2), ({"pool": "mean"}, 1), ({}, N_TOKENS)])
def test_only_what_is_chosen_is_held(options, kept):
    network, stimuli = Watched(), as_stimuli(PICTURES)
    network.eval()
    shown = torch.from_numpy(stimuli.values)
    with torch.no_grad():
        network(shown.clone())  # recorded networks get a copy too
    bare = network.held.pop()
    quiet = {"device": "cpu", "progress": False, "batch_size": N}
    found = record_responses(network, stimuli, layers=LAYERS, reading=Reading(**options), **quiet)
    assert found.shape == (N, N_LAYERS * kept * WIDTH)
    [held] = network.held
    chosen = N_LAYERS * ONE_LAYER * kept // N_TOKENS
    assert chosen - 1000 <= held - bare <= chosen + ONE_LAYER  # never the tokens of two layers at once
