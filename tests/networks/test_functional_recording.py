"""Operations that are no modules are recorded by the names and with the numbers of torchvision's feature extractor."""

import importlib

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim import networks as sp
from neurosim.networks.architecture import build_network
from neurosim.networks.axes import Reading
from neurosim.networks.functional import graph_of
from neurosim.networks.published import torchvision
from neurosim.networks.recording import iterate_layers, record_responses
from neurosim.schema import InputError, as_stimuli

RNG = np.random.default_rng(0)
PICTURES = RNG.random((5, 3, 32, 32)).astype(np.float32)
VECTORS = RNG.normal(size=(5, 6)).astype(np.float32)


def models():
    return torchvision().models


def vit():
    return models().VisionTransformer(32, 16, 2, 2, 8, 16, num_classes=3)


def swin():
    return models().SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=3)


def convnext():
    block = models().convnext.CNBlockConfig
    return models().ConvNeXt([block(8, 16, 1), block(16, None, 1)], num_classes=3)


def stimuli_of(values):
    return as_stimuli(values, dims=None if values.ndim == 4 else ("stimulus", "unit"))


def record(network, values, layers, **options):
    return record_responses(network, stimuli_of(values), layers=layers, device="cpu", progress=False, **options)


CASES = {
    "ResNet-18": (
        lambda: models().resnet18(num_classes=3),
        ["layer1.0.relu_1", "layer1.0.add", "layer4.1.add", "flatten"],
    ),
    "ViT": (
        vit,
        [
            "cat",
            "getitem_5",
            "permute",
            *(f"encoder.layers.encoder_layer_{k}.add{s}" for k in (0, 1) for s in ("", "_1")),
        ],
    ),
    "Swin": (swin, ["features.1.0.add", "features.1.0.add_1", "features.2._patch_merging_pad"]),
    "ConvNeXt": (convnext, ["features.1.0.add", "features.1.0.mul"]),
}


@pytest.mark.parametrize("name", list(CASES))
def test_operations_are_those_of_torchvision(name):
    make, layers = CASES[name]
    torch.manual_seed(0)
    network = make()
    weights = {k: (v.data_ptr(), v.clone()) for k, v in network.state_dict().items()}
    found = record(network, PICTURES, layers, batch_size=2)
    assert torch.is_grad_enabled()
    assert all(m.training and not m._forward_hooks and not m._forward_pre_hooks for m in network.modules())
    assert all(v.data_ptr() == weights[k][0] and torch.equal(v, weights[k][1]) for k, v in network.state_dict().items())
    extraction = importlib.import_module("torchvision.models.feature_extraction")
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # or the extractor hands out sums that the next ReLU has overwritten
    network.eval()
    extractor = extraction.create_feature_extractor(network, return_nodes=layers)
    with torch.no_grad():
        expected = extractor(torch.from_numpy(PICTURES))
    assert list(dict.fromkeys(found.layer.values)) == layers
    for layer in layers:
        got = found.sel(unit=found.layer == layer)
        np.testing.assert_allclose(got, expected[layer].flatten(1), rtol=1e-5, atol=2e-6)
    names = set(extraction.get_graph_node_names(network)[1])
    own = set(graph_of(network).operations)
    assert own - names <= {n for n, _ in network.named_modules()}  # torchvision cuts "ln_2" to "ln"


def test_operations_beside_modules_pooled_streamed_and_by_wildcards(tmp_path):
    torch.manual_seed(0)
    network = models().resnet18(num_classes=3)
    layers = ["flatten", "layer1.0", "layer1.?.add", "bn1", "layer1.0.relu_1"]
    found = record(network, PICTURES, layers, batch_size=2)
    order = ["flatten", "layer1.0", "layer1.0.add", "layer1.1.add", "bn1", "layer1.0.relu_1"]
    assert list(dict.fromkeys(found.layer.values)) == order
    streamed = record(network, PICTURES, layers, batch_size=2, out=tmp_path / "responses.nc")
    np.testing.assert_array_equal(streamed.values, found.values)
    for layer, values in iterate_layers(network, stimuli_of(PICTURES), layers, 2, "cpu", progress=False, memory=2**19):
        np.testing.assert_array_equal(values, found.sel(unit=found.layer == layer).values)
        assert torch.is_grad_enabled()
    network.eval()
    x = torch.from_numpy(PICTURES)
    pooled = network.maxpool(network.bn1(network.conv1(x)).relu())
    block = network.layer1[0]
    total = pooled + block.bn2(block.conv2(block.bn1(block.conv1(pooled)).relu()))
    mean = record(network, PICTURES, ["layer1.0.add"], reading=Reading(pool="mean", channels="first"))
    np.testing.assert_allclose(mean, total.detach().mean((2, 3)), rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="first or last"):
        record(network, PICTURES, ["layer1.0.add"], reading=Reading(pool="mean"))


class Optional(nn.Module):
    """Keeps what it saw, takes a mask that it is seldom given, and calls one function often."""

    def __init__(self):
        super().__init__()
        self.linear, self.relu_1, self.seen = nn.Linear(6, 4), nn.Linear(4, 4), []

    def forward(self, x, mask=None):
        self.seen.append(x)
        y = torch.relu(self.linear(x))
        if mask is not None:
            y = y * mask
        low, high = torch.relu(-self.relu_1(y)).chunk(2, dim=-1)
        return (low * high).to(torch.float32)


def test_arguments_keep_their_defaults_modules_their_names_and_the_network_what_it_keeps():
    torch.manual_seed(0)
    network = Optional()
    found = record(network, VECTORS, ["relu", "relu_2", "chunk:1", "mul", "neg"], batch_size=2)
    x = torch.from_numpy(VECTORS)
    first = torch.relu(network.linear(x))
    negative = -network.relu_1(first)
    expected = {"relu": first, "neg": negative, "relu_2": negative.relu(), "chunk:1": negative.relu()[:, 2:]}
    for layer, values in (expected | {"mul": negative.relu()[:, :2] * negative.relu()[:, 2:]}).items():
        np.testing.assert_allclose(found.sel(unit=found.layer == layer), values.detach(), rtol=1e-5, atol=1e-6)
    assert network.seen
    assert all(type(seen) is torch.Tensor for seen in network.seen)
    np.testing.assert_allclose(
        record(network, VECTORS, ["relu_1"]), network.relu_1(first).detach(), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(InputError, match="'to' changes only how numbers are kept"):
        record(network, VECTORS, ["to"])


class Steps(nn.Module):
    """Adds within a loop over steps, around snnTorch neurons."""

    def __init__(self):
        super().__init__()
        self.linear, self.leaky = nn.Linear(6, 3), snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x):
        total = torch.zeros_like(x[:, :3])
        for _ in range(3):
            total = total + self.leaky(self.linear(x) * 2)
        return total


def test_operations_around_neurons_are_those_of_each_step():
    torch.manual_seed(0)
    network = Steps()
    found = record(network, VECTORS, ["add", "add_2"], batch_size=2)
    spikes = record(network, VECTORS, ["leaky"])
    assert float(spikes.sum()) > 0
    np.testing.assert_array_equal(found.sel(unit=found.layer == "add"), spikes.isel(time=0))
    np.testing.assert_array_equal(found.sel(unit=found.layer == "add_2"), spikes.sum("time"))


def test_operations_of_an_own_network():
    torch.manual_seed(0)
    network = build_network(sp.VisionSpecification("resnet18"), (3, 32, 32), 3)
    found = record(network, PICTURES, ["sub", "truediv"])
    scaled = (PICTURES - network.mean.numpy()) / network.sd.numpy()
    np.testing.assert_allclose(found.sel(unit=found.layer == "truediv"), scaled.reshape(5, -1), rtol=1e-5, atol=1e-6)


class Decides(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, x):
        return self.linear(x) + 1 if bool((x > 0).any()) else x


class Overwrites(nn.Module):
    """What a graph that writes nothing in place makes otherwise."""

    def forward(self, x):
        kept = x * 2
        x = kept
        x += 1
        return kept + x


class Asks(nn.Module):
    """Decides by the type of what it is given, which in a graph is a symbol."""

    def forward(self, x):
        y = x + 1
        return y if isinstance(y, torch.Tensor) else y.logits


@pytest.mark.parametrize(
    ("make", "layers", "message"),
    [
        (lambda: nn.Sequential(Decides()), ["0.add"], r"the code of '0' \(Decides\) cannot be traced: .*control flow"),
        (lambda: nn.Sequential(nn.Linear(6, 4)), ["add"], "there is none named 'add'"),
        (lambda: nn.LSTM(6, 2), ["tanh"], "there is none named 'tanh'"),
        (lambda: torch.jit.script(nn.Linear(6, 2)), ["add"], "no layer 'add'"),
        (Optional, ["chunk"], "chunk:0, chunk:1"),
        (Optional, ["mul:input"], "name of the operation or module that it comes from"),
        (Optional, ["relo"], "Did you mean 'relu'"),
        (Overwrites, ["add"], "answers otherwise than the network"),
        (Asks, ["add"], "answers otherwise than the network .*logits"),
    ],
)
def test_what_no_graph_holds_is_refused_in_a_line(make, layers, message):
    with pytest.raises(InputError, match=message) as caught:
        record(make(), VECTORS, layers)
    assert "\n" not in str(caught.value)
