"""Layers of networks that others wrote are recorded as an independent record by hand holds them."""

import logging

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks.axes import Reading
from neurosim.networks.published import torchvision
from neurosim.networks.recording import predict, record_neurons, record_responses
from neurosim.schema import InputError, as_stimuli

RNG = np.random.default_rng(0)


def record(network, values, layers, dims=None, **options):
    step = {"time_step": 1.0} if dims is not None and "time" in dims else {}
    stimuli = as_stimuli(values) if dims is None else as_stimuli(values, dims=dims, **step)
    return record_responses(network, stimuli, layers=layers, device="cpu", progress=False, **options)


def pictures(n, side=32):
    return RNG.random((n, 3, side, side)).astype(np.float32)


def close(found, expected):
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_resnet18_before_and_after_its_relus():
    torch.manual_seed(0)
    network = torchvision().models.resnet18(weights=None, num_classes=5)
    network.layer1.eval()
    shown = pictures(5)
    found = record(network, shown, ["bn1", "layer1.0.relu", "layer1.0.bn1", "relu#1", "fc:input"], batch_size=2)
    flags = [m.training for m in network.modules()]
    assert not network.layer1.training
    assert network.training
    assert any(flags)
    assert int(network.bn1.num_batches_tracked) == 0
    network.eval()
    x = torch.from_numpy(shown)
    bn1 = network.bn1(network.conv1(x)).clone()
    pooled = network.maxpool(bn1.relu())
    block = network.layer1[0]
    inner = block.bn1(block.conv1(pooled)).clone()
    outer = (block.bn2(block.conv2(inner.relu())) + pooled).relu()
    assert (bn1 < 0).any()
    close(found.sel(unit=found.layer == "bn1"), bn1.flatten(1))
    close(found.sel(unit=found.layer == "relu"), bn1.relu().flatten(1))
    close(found.sel(unit=found.layer == "layer1.0.bn1"), inner.flatten(1))
    close(found.sel(unit=found.layer == "layer1.0.relu"), inner.relu().flatten(1))
    close(found.sel(unit=found.layer == "layer1.0.relu#2"), outer.flatten(1))
    last = network.avgpool(network.layer4(network.layer3(network.layer2(network.layer1(pooled))))).flatten(1)
    close(found.sel(unit=found.layer == "fc:input"), last)
    mean = record(network, shown, ["layer1"], reading=Reading(pool="mean"))
    close(mean, network.layer1(pooled).mean((2, 3)))


def test_vision_transformer_tokens_and_pools():
    torch.manual_seed(0)
    network = (
        torchvision()
        .models.VisionTransformer(
            image_size=32, patch_size=16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=3
        )
        .eval()
    )
    shown = pictures(5)
    name = "encoder.layers.encoder_layer_1"
    tokens = network._process_input(torch.from_numpy(shown))
    tokens = torch.cat([network.class_token.expand(5, -1, -1), tokens], 1) + network.encoder.pos_embedding
    for layer in network.encoder.layers:
        tokens = layer(tokens)
    close(record(network, shown, [name]), tokens.flatten(1))
    close(record(network, shown, [name], reading=Reading(tokens=0)), tokens[:, 0])
    close(record(network, shown, [name], reading=Reading(tokens=[1, -1], pool="max")), tokens[:, [1, 4]].amax(1))
    with pytest.raises(InputError, match=r"tokens 0\.\.4"):
        record(network, shown, [name], reading=Reading(tokens=7))
    assert set(record(network, shown, None, batch_size=2).layer.values) >= {"conv_proj", "encoder.ln", "heads.head"}


class Reads(nn.Module):
    """A recurrent module that is given (batch, time, unit) in its own layout."""

    def __init__(self, kind, batch_first):
        super().__init__()
        torch.manual_seed(1)
        self.core = kind(4, 6, batch_first=batch_first)

    def forward(self, inputs):
        batch = inputs.transpose(0, 1) if self.core.batch_first else inputs
        return self.core(batch)[0]


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(("n", "n_time"), [(7, 7), (5, 3), (2, 9)])
def test_recurrent_modules_of_either_layout(kind, batch_first, n, n_time):
    network = Reads(kind, batch_first)
    values = RNG.random((n, n_time, 4)).astype(np.float32)
    found = record(network, values, ["core"], ("stimulus", "time", "unit"), batch_size=3)
    assert found.dims == ("stimulus", "time", "unit")
    one_by_one = [network(torch.from_numpy(v)[:, None]).reshape(n_time, 6) for v in values]
    close(found, torch.stack(one_by_one))
    last = record(network, values, ["core:1:0" if kind is nn.LSTM else "core:1"], ("stimulus", "time", "unit"))
    close(last, torch.stack(one_by_one)[:, -1])


def test_a_recurrent_module_alone_that_takes_stimuli_for_time_is_refused():
    with pytest.raises(InputError, match="takes the stimuli for one sequence"):
        record(nn.Sequential(nn.GRU(4, 2)), RNG.random((5, 4)), ["0"], ("stimulus", "unit"))


def bert():
    torchvision()
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    return BertModel(BertConfig(vocab_size=300, max_position_embeddings=16, **sizes))


def test_an_encoder_of_transformers_takes_words_and_names_its_outputs(caplog):
    network = bert()
    words = RNG.integers(0, 300, (5, 6))
    dims = ("stimulus", "unit")
    with caplog.at_level(logging.WARNING):
        default = record(network, words, None, dims, batch_size=2)
    assert "position_embeddings" in caplog.text
    network.eval()
    expected = network(torch.from_numpy(words), output_hidden_states=True)
    close(default.sel(unit=default.layer == "pooler.dense"), torch.atanh(expected.pooler_output))
    found = record(network, words, ["output:last_hidden_state", "encoder.layer.0", "embeddings"], dims)
    for layer, values in zip(
        ("embeddings", "encoder.layer.0", "output:last_hidden_state"), expected.hidden_states, strict=True
    ):
        close(found.sel(unit=found.layer == layer), values.flatten(1))
    with pytest.raises(InputError, match=r"ask for one: output:last_hidden_state, output:pooler_output"):
        record(network, words, ["output"], dims)


def test_traced_modules_inside_and_as_a_whole():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(inplace=True))
    values = RNG.random((4, 4, 4)).astype(np.float32)
    expected = plain(torch.from_numpy(values))
    traced = torch.jit.trace(plain, torch.from_numpy(values))
    close(record(nn.Sequential(traced, nn.Linear(5, 2)), values, ["0"], batch_size=3), expected)
    close(record(traced, values, ["output"], batch_size=3), expected)
    with pytest.raises(InputError, match="calls no hooks"):
        record(traced, values, ["1"])
    compiled = torch.compile(plain)
    before = (plain[1](torch.from_numpy(values).flatten(1))).clone()
    close(record(compiled, values, ["1"], batch_size=3), before)


class Many(nn.Module):
    """Answers in ways that are easily confused."""

    def __init__(self):
        super().__init__()
        self.relu, self.used, self.unused = nn.ReLU(inplace=True), nn.Linear(4, 4), nn.Linear(4, 4)
        self.blocks = nn.ModuleDict({"used": nn.Linear(4, 4)})
        self.alike, self.weights, self.swap = nn.Identity(), nn.Identity(), nn.Identity()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        x = self.norm(x)
        first = self.relu(self.used(x))
        second = self.relu(self.blocks["used"](first))
        self.alike(second @ second.T)
        self.weights(self.used.weight)
        self.swap(second.T)
        return second


def test_calls_names_and_axes_are_never_confused():
    torch.manual_seed(0)
    network, values = Many(), RNG.normal(size=(4, 4)).astype(np.float32)
    dims = ("stimulus", "unit")
    layers = ["relu", "used", "blocks.used", "swap"]
    found = record(network, values, layers, dims, batch_size=3)
    assert list(dict.fromkeys(found.layer.values)) == ["relu", "relu#2", "used", "blocks.used", "swap"]
    network.norm.eval()
    used = network.used(network.norm(torch.from_numpy(values))).clone()
    again = network.blocks["used"](used.relu()).clone()
    for layer, expected in zip(
        ("used", "relu", "blocks.used", "relu#2", "swap"), (used, used.relu(), again, again.relu(), again.relu()),
        strict=True,
    ):  # fmt: skip
        close(found.sel(unit=found.layer == layer), expected)
    close(record(network, values, ["relu#2"], dims), again.relu())
    assert record(network, values, ["used", "use*", "relu#1", "relu"], dims).sizes["unit"] == 4 * 4  # blocks.used fits
    for layer, message in [
        ("alike", r"axes \[0, 1\]"),
        ("weights", "no axis of layer"),
        ("unused", "never reached"),
        ("relu#3", "never reached"),
        ("used:input:3", "has no"),
    ]:
        with pytest.raises(InputError, match=message):
            record(network, values, [layer], dims)
    close(record(network, values, ["alike"], dims, reading=Reading(batch_axis=1)), again.relu() @ again.relu().T)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_mixed_precision_and_gradients_stay(dtype):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3).to(dtype), nn.Linear(3, 3), nn.BatchNorm1d(3))
    network[0].weight.requires_grad_(False)
    network[1].weight.grad = torch.ones(3, 3)
    network[2].eval()
    state = {k: v.clone() for k, v in network.state_dict(keep_vars=False).items()}
    values = RNG.random((5, 4)).astype(np.float32)
    expected = network[0](torch.from_numpy(values).to(dtype)).float()
    found = record(network, values, ["0"], ("stimulus", "unit"))
    assert found.dtype == np.float32
    close(found, expected)
    record(network, values, ["0"], ("stimulus", "unit"), double=True)
    predict(network, as_stimuli(values, dims=("stimulus", "unit")), double=True, device="cpu")
    for key, value in network.state_dict().items():
        assert value.dtype == state[key].dtype
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)
    assert [m.training for m in network] == [True, True, False]
    assert network[1].weight.grad.dtype == torch.float32
    assert not network[0].weight.requires_grad
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_counts_stay_counts_and_pictures_become_floats():
    shown = RNG.integers(0, 255, (4, 3, 8, 8), dtype=np.uint8)
    network = nn.Sequential(nn.Conv2d(3, 2, 3))
    close(record(network, shown, ["0"]), network(torch.from_numpy(shown).float() / 255).flatten(1))
    words = np.array([[16_777_217, 1], [2, 3]])

    class Hashed(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(5, 3)

        def forward(self, x):
            return self.table(x % 5)

    hashed = Hashed()
    close(record(hashed, words, ["table"], ("stimulus", "unit")), hashed(torch.from_numpy(words)).flatten(1))


def test_a_network_that_refuses_its_stimuli_says_so_in_one_line():
    with pytest.raises(InputError, match="does not take stimuli of shape") as caught:
        record(nn.Sequential(nn.Linear(5, 2)), RNG.random((3, 4)), ["0"], ("stimulus", "unit"))
    assert "\n" not in str(caught.value)


class Odd(nn.Module):
    """A quantised answer, an input that is None, named parts, packed sequences, complex numbers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.quantize = torch.ao.nn.quantized.Quantize(0.1, 3, torch.quint8)
        self.take, self.parts, self.wave = Takes(), Parts(), nn.Identity()
        self.lstm = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x):
        self.quantize(x)
        self.take(x, None, scale=x * 2)
        self.parts(x)
        self.wave(torch.fft.fft(x))
        lengths = torch.full((len(x),), 2)
        packed = nn.utils.rnn.pack_padded_sequence(torch.stack([x, 2 * x], 1), lengths, batch_first=True)
        return self.lstm(packed)[1][0]


class Takes(nn.Module):
    def forward(self, x, mask, scale):
        return x if mask is None else mask


class Parts(nn.Module):
    def forward(self, x):
        return {"up": x + 1, "pair": (x, x - 1)}


def test_quantised_absent_named_and_packed_values():
    network, values, dims = Odd(), RNG.random((5, 4)).astype(np.float32), ("stimulus", "unit")
    x = torch.from_numpy(values)
    close(record(network, values, ["quantize"], dims), torch.quantize_per_tensor(x, 0.1, 3, torch.quint8).dequantize())
    close(record(network, values, ["take:input:scale"], dims, batch_size=2), 2 * x)
    close(record(network, values, ["take:input"], dims), x)
    close(record(network, values, ["parts:pair:1"], dims), x - 1)
    close(record(network, values, ["lstm"], dims, batch_size=2), network.lstm(torch.stack([x, 2 * x], 1))[0])
    for layer, message in [
        ("parts", "ask for one: parts:up, parts:pair"),
        ("wave", "complex"),
        ("parts:down", "has up"),
    ]:
        with pytest.raises(InputError, match=message):
            record(network, values, [layer], dims)
    assert set(record(network, values, ["p*:up", "tak*"], dims).layer.values) == {"parts:up", "take"}


class Stepped(nn.Module):
    """snnTorch neurons in a loop of one's own, after an encoder that is run once."""

    def __init__(self, shared=False):
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.linear, self.leaky = nn.Linear(4, 4), nn.Linear(4, 3), snn.Leaky(beta=0.9)
        self.shared = shared
        self.other = snn.Leaky(beta=0.5)

    def forward(self, x):
        first, second, x = self.leaky.init_leaky(), self.other.init_leaky(), self.encoder(x)
        for _ in range(5):
            spikes, first = self.leaky(self.linear(x), first)
            spikes, second = self.other(spikes, second)
            if self.shared:
                spikes, first = self.leaky(spikes, first)
        return spikes


def test_calls_are_steps_in_networks_of_steps_alone():
    network, values, dims = Stepped(), RNG.normal(size=(5, 4)).astype(np.float32), ("stimulus", "unit")
    found = record(network, values, ["linear", "leaky"], dims, batch_size=2)
    assert found.shape == (5, 5, 6)
    drive = network.linear(network.encoder(torch.from_numpy(values)))
    close(found.sel(unit=found.layer == "linear"), drive[:, None].expand(5, 5, 3))
    assert record(network, values, ["encoder"], dims).dims == ("stimulus", "unit")
    with pytest.raises(InputError, match="no time steps"):
        record(Stepped(shared=True), values, ["leaky"], dims)
    assert record(Stepped(shared=True), values, ["leaky#1"], dims).dims == ("stimulus", "unit")


def test_other_ways_to_run_a_network_refuse_what_they_cannot_do():
    stimuli = as_stimuli(RNG.random((5, 4)).astype(np.float32), dims=("stimulus", "unit"))
    for make, message in [
        (lambda: record_neurons(Stepped(), stimuli, ["nothing"], device="cpu"), "no layer 'nothing'"),
        (lambda: record_neurons(nn.ModuleList(), stimuli, [], device="cpu"), "names no layer"),
        (lambda: predict(nn.ModuleList(), stimuli, device="cpu"), r"does not take .*NotImplementedError"),
        (lambda: predict(Parts(), stimuli, device="cpu"), "does not answer with logits"),
        (lambda: predict(nn.Flatten(0), stimuli, device="cpu"), "does not answer with logits"),
    ]:
        with pytest.raises(InputError, match=message):
            make()


def test_an_answer_that_is_not_among_the_outputs_is_refused_by_the_name_asked_for():
    with pytest.raises(InputError, match="layer 'output' has no 'zz'; it has a Tensor alone"):
        record_responses(nn.Linear(3, 2), np.ones((4, 3)), layers=["output:zz"], progress=False)
