"""Every architecture builds, answers, learns a step, is recorded by name; published ones have their published sizes."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurosim import networks as sp
from neurosim import storage
from neurosim.networks.architecture import build_network, n_parameters
from neurosim.networks.attention import attention_rollout
from neurosim.networks.published import as_augmentation
from neurosim.networks.recording import record_responses
from neurosim.networks.transformer import PretrainedEncoder, words_for
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.sentences import as_words

ADAPTIVE, SYNAPTIC = sp.NeuronSpecification("adaptive"), sp.NeuronSpecification("synaptic")
IMAGES, ROWS, WORDS, EVENTS = (8, 8), (12, 5), (7,), (6, 2, 8, 8)
CASES = {
    "MLP": (sp.MLPSpecification((12,)), IMAGES),
    "ConvNet": (sp.ConvNetSpecification((4, 6), 8, convolutions=2, dropout=0.1), IMAGES),
    "RateRNN": (sp.RateRNNSpecification(9), IMAGES),
    "GRU": (sp.GRUSpecification(9), IMAGES),
    "GRU on sequences": (sp.GRUSpecification(9, is_sequence=True, pooling="mean"), ROWS),
    "LSTM on words": (sp.LSTMSpecification(9, bidirectional=True, n_words=30, n_embedding=6, pooling="max"), WORDS),
    "Transformer": (sp.TransformerSpecification(8, 2, 2, 12), ROWS),
    "Transformer on words": (sp.TransformerSpecification(8, 2, 2, 12, n_words=30), WORDS),
    "SpikingMLP": (sp.SpikingMLPSpecification((12,)), (12, 64)),
    "SpikingMLP synaptic": (sp.SpikingMLPSpecification((12,), neuron=replace(SYNAPTIC, reset="zero")), (12, 64)),
    "SpikingConvNet adaptive": (sp.SpikingConvNetSpecification((4, 6), neuron=ADAPTIVE), IMAGES),
    "SpikingConvNet on events": (sp.SpikingConvNetSpecification((4, 6)), EVENTS),
    "SpikingRNN": (sp.SpikingRNNSpecification((9, 7)), ROWS),
    "SpikingRNN synaptic, not recurrent": (sp.SpikingRNNSpecification((9,), False, neuron=SYNAPTIC), ROWS),
}


def inputs_of(name, shape, n=4):
    rng = np.random.default_rng(0)
    if shape == WORDS:
        dims, values = ("stimulus", "time"), rng.integers(0, 30, (n, *shape))
    elif shape == EVENTS:
        dims, values = ("stimulus", "time", "channel", "y", "x"), rng.integers(0, 2, (n, *shape))
    elif len(shape) == 2 and shape != IMAGES:
        dims, values = ("stimulus", "time", "unit"), 2 * rng.random((n, *shape))
    else:
        dims, values = ("stimulus", "y", "x"), rng.random((n, *shape))
    step = 1e-3 if "time" in dims else None
    return as_stimuli(values, dims=dims, time_step=step)


@pytest.mark.parametrize("name", list(CASES))
def test_each_answers_learns_and_is_recorded(name):
    specification, shape = CASES[name]
    torch.manual_seed(0)
    network = build_network(specification, (64,) if "MLP" in name and "Spiking" in name else shape, 3)
    stimuli = inputs_of(name, shape)
    x = torch.from_numpy(stimuli.values.astype(np.float32))
    x = x.transpose(0, 1) if "time" in stimuli.dims else x
    logits = network(x)
    assert logits.shape == (4, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not dead and any(p.grad.abs().sum() > 0 for p in network.parameters())
    layers = ["norm", "readout"] if "Transformer" in name else None
    responses = record_responses(network, stimuli, layers=layers[:1] if layers else None, progress=False)
    assert responses.sizes["stimulus"] == 4 and np.isfinite(responses.values).all()


def test_leaky_networks_answer_in_every_step_and_keep_their_constraints():
    sequence = torch.rand(11, 2, 5)
    for change in ({}, {"excitatory": 0.8}, {"rank": 2}, {"activation": "tanh", "noise": 0.1}):
        network = build_network(sp.LeakyRNNSpecification(20, **change), (1, 5), 3)
        assert network(sequence).shape == (11, 2, 3)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        network(sequence).square().sum().backward()
        optimizer.step()
        weights = network.recurrent.weights().detach()
        if "excitatory" in change:
            assert (weights[:, :16] >= 0).all() and (weights[:, 16:] <= 0).all() and (weights.diag() == 0).all()
        if "rank" in change:
            assert torch.linalg.matrix_rank(weights) == 2


def test_leaky_units_forget_with_their_time_constant():
    network = build_network(sp.LeakyRNNSpecification(1, dt=1e-3, tau=20e-3, activation="relu"), (1, 1), 1)
    units = network.recurrent
    with torch.no_grad():
        units.weights.free.zero_()
        units.input.weight.fill_(1.0)
        units.input.bias.zero_()
        rates = units(torch.cat([torch.ones(400, 1, 1), torch.zeros(20, 1, 1)]))
    assert float(rates[399]) == pytest.approx(1.0, abs=1e-6)
    assert float(rates[419]) == pytest.approx((1 - 1 / 20) ** 20, rel=1e-4)


def test_the_fused_leaky_sequence_has_the_gradient_of_its_steps():
    from neurosim.networks.recurrent import ACTIVATIONS, _LeakySequence

    torch.manual_seed(0)
    drive = torch.randn(7, 3, 5, dtype=torch.float64, requires_grad=True)
    weights = (torch.randn(5, 5, dtype=torch.float64) / 3).requires_grad_()
    for activation in ACTIVATIONS:
        assert torch.autograd.gradcheck(lambda d, w, a=activation: _LeakySequence.apply(d, w, 0.2, a), (drive, weights))


@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet50", 25_557_032), ("inception_v3", 27_161_264), ("mobilenet_v2", 3_504_872), ("resnet18", 11_689_512)],
)
def test_published_networks_have_their_published_sizes(name, size):
    network = build_network(sp.VisionSpecification(name), (3, 224, 224), 1000)
    assert n_parameters(network) == size
    known = dict(network.named_modules())
    assert all(layer in known for layer in network.recorded)


def test_published_weights_are_read_and_others_refused(tmp_path):
    network = build_network(sp.VisionSpecification("mobilenet_v2"), (3, 64, 64), 1000)
    path = tmp_path / "weights.pth"
    torch.save(network.network.state_dict(), path)
    again = build_network(sp.VisionSpecification("mobilenet_v2", str(path)), (3, 64, 64), 1000)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network.eval()(images), again.eval()(images))
    with pytest.raises(InputError, match="weights of another network"):
        build_network(sp.VisionSpecification("resnet18", str(path)), (3, 64, 64), 1000)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(storage.StorageError, match="truncated"):
        build_network(sp.VisionSpecification("mobilenet_v2", str(path)), (3, 64, 64), 1000)

    class Trap:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"w": Trap()}, path)
    with pytest.raises(storage.StorageError):
        build_network(sp.VisionSpecification("mobilenet_v2", str(path)), (3, 64, 64), 1000)


def test_transforms_of_torchvision_are_augmentations():
    from neurosim.networks.published import torchvision

    torchvision()
    from torchvision.transforms import v2

    flip = as_augmentation(v2.RandomHorizontalFlip(0.5))
    images = np.random.default_rng(0).random((20, 3, 4, 4)).astype(np.float32)
    first, again = (flip(images, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    flipped = np.array([np.array_equal(a, b[..., ::-1]) for a, b in zip(first, images, strict=True)])
    assert 0 < flipped.sum() < 20


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    """A BERT of a few units, saved as Hugging Face saves it."""
    tmp_path = tmp_path_factory.mktemp("encoder")
    from neurosim.networks.published import torchvision

    torchvision()
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    words = {w: k for k, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(vocab_size=7, hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_pretrained_encoder_is_read_from_its_folder(encoder_folder):
    sentences = as_words(["good film", "bad", "good good bad film"], ["good"])
    words = words_for(encoder_folder, sentences, n_words=8)
    assert words.values[0].tolist() == [2, 4, 6, 3, 0, 0, 0, 0]
    network = PretrainedEncoder(encoder_folder, 2).eval()
    with torch.no_grad():
        together = network(torch.from_numpy(words.values).T)
        alone = network(torch.from_numpy(words.values[1:2]).T)
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)
    assert record_responses(network, words, layers=["readout"], progress=False).shape == (3, 2)
    shares = attention_rollout(network, words)
    assert (shares.values[words.values == 0] == 0).all() and np.allclose(shares.sum("time"), 1, atol=1e-5)


def test_folders_that_are_no_encoders_are_refused(encoder_folder, tmp_path):
    with pytest.raises(InputError, match=r"no config\.json"):
        PretrainedEncoder(tmp_path / "nothing", 2)
    changed = shutil.copytree(encoder_folder, tmp_path / "changed")
    config = json.loads((changed / "config.json").read_text())
    (changed / "config.json").write_text(json.dumps(config | {"model_type": "nonsense"}))
    with pytest.raises(InputError, match="is no encoder"):
        PretrainedEncoder(changed, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sp.TransformerSpecification(10, 4), "not a multiple"),
        (lambda: sp.ConvNetSpecification(kernel=2), "odd kernel"),
        (lambda: sp.LeakyRNNSpecification(excitatory=0.8, rank=2), "cannot both hold"),
        (lambda: sp.LeakyRNNSpecification(dt=1.0), "shorter step"),
        (lambda: build_network(sp.ConvNetSpecification((4,) * 5), (8, 8), 3), "too small"),
        (lambda: words_for("x", as_stimuli(np.zeros((2, 3)))), "no 'text'"),
    ],
)
def test_bad_requests_are_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make()
