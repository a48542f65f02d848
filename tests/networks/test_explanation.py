"""Explanations keep what theory says of them: completeness, blindness to what is not used, shares that are shares."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.networks import ConvNetSpecification, SpikingConvNetSpecification, TransformerSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.attention import attention_rollout
from neurosim.networks.explanation import explain
from neurosim.networks.maximisation import AscentOptions, maximise_activation
from neurosim.networks.recording import predict, record_responses
from neurosim.plots.training import plot_attribution, plot_words
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import load_digits

METHODS = ("saliency", "integrated_gradients", "occlusion")


class Half(nn.Module):
    """Looks at the left half of an image only, linearly."""

    def __init__(self):
        super().__init__()
        self.readout = nn.Linear(32, 3)

    def forward(self, images):
        return self.readout(images[:, :, :4].flatten(1))


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_looked_at_does_not_matter(method):
    torch.manual_seed(0)
    found = explain(Half(), load_digits()[:5], method, target=1, window=1, progress=False)
    assert found.dims == ("stimulus", "y", "x")
    assert np.abs(found.values[:, :, 4:]).max() < 1e-6 < np.abs(found.values[:, :, :4]).max()


def test_integrated_gradients_sum_to_the_change_of_the_output():
    torch.manual_seed(0)
    network, digits = build_network(ConvNetSpecification((4, 8)), (8, 8), 10).eval(), load_digits()[:6]
    found = explain(network, digits, "integrated_gradients", progress=False)
    with torch.no_grad():
        logits = network(torch.from_numpy(digits.values))
        base = network(torch.zeros(1, 8, 8))
    chosen = found.target.values
    np.testing.assert_array_equal(chosen, logits.argmax(1))
    change = (logits - base).numpy()[np.arange(6), chosen]
    np.testing.assert_allclose(found.sum(("y", "x")), change, atol=0.02 * np.abs(change).max())


@pytest.mark.parametrize(
    ("specification", "is_small"),
    [(ConvNetSpecification((4, 8)), True), (SpikingConvNetSpecification((4, 8), n_steps=4), False)],
)
def test_the_gap_of_integrated_gradients_is_told_and_large_for_spikes(specification, is_small):
    torch.manual_seed(0)
    network, digits = build_network(specification, (8, 8), 10).eval(), load_digits()[:6]
    found = explain(network, digits, "integrated_gradients", target=2, device="cpu", progress=False)
    with torch.no_grad():
        change = (network(torch.from_numpy(digits.values)) - network(torch.zeros(1, 8, 8)))[:, 2].numpy()
    gap = found.completeness_gap
    assert gap.dims == ("stimulus",)
    np.testing.assert_allclose(gap, found.sum(("y", "x")) - change, atol=1e-5)
    assert (np.abs(gap).max() < 0.02 * np.abs(change).max()) == is_small
    assert "completeness_gap" not in explain(network, digits, "saliency", device="cpu", progress=False).coords


@pytest.mark.parametrize(
    "specification", [ConvNetSpecification((4, 8)), SpikingConvNetSpecification((4, 8), n_steps=4)]
)
def test_gradients_reach_the_image_in_rate_and_spiking_networks(specification):
    torch.manual_seed(0)
    network, digits = build_network(specification, (8, 8), 10), load_digits()[:3]
    assert (explain(network, digits, "saliency", progress=False).sum(("y", "x")) > 0).all()
    assert plot_attribution(digits, explain(network, digits, "saliency", progress=False)).get_images()


def test_grad_cam_is_a_picture_of_the_same_size():
    torch.manual_seed(0)
    network, digits = build_network(ConvNetSpecification((4, 8)), (8, 8), 10), load_digits()[:3]
    found = explain(network, digits, "grad_cam", layer="blocks.conv2.0", progress=False)
    assert found.shape == (3, 8, 8) and (found >= 0).all()


def test_a_linear_unit_is_most_excited_by_its_own_weights():
    weights = torch.zeros(2, 1, 8, 8)
    weights[0, :, :4], weights[0, :, 4:], weights[1, :, :, ::2] = 1, -1, 1
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False))
    network[1].weight = nn.Parameter(weights.flatten(1))
    found = maximise_activation(network, "1", [0, 1], (8, 8), AscentOptions(jitter=0, smoothness=0.0), progress=False)
    assert (found.values[0, :4] > 0.9).all() and (found.values[0, 4:] < 0.1).all()
    assert (found.activation.values > found.activation_at_start.values).all()


class Reader(nn.Module):
    """Reads an image row by row, with any recurrent module."""

    def __init__(self, unit):
        super().__init__()
        self.unit, self.readout = unit, nn.Linear(4, 3)

    def forward(self, images):
        rows = images if getattr(self.unit, "batch_first", True) else images.transpose(0, 1)
        if isinstance(self.unit, nn.RNNBase):
            sequence, _ = self.unit(rows)
            return self.readout(sequence.select(1 if self.unit.batch_first else 0, -1))
        out = [self.unit(now) for now in images[..., :4].unbind(1)]
        return self.readout(torch.stack(out).sum(0))

    def mean_activity(self, images):
        if isinstance(self.unit, nn.RNNBase):
            flipped = images if self.unit.batch_first else images.transpose(0, 1)
            return self.unit(flipped)[0].mean(1 if self.unit.batch_first else 0)
        self.unit.reset_mem()
        return torch.stack([self.unit(now) for now in images[..., :4].unbind(1)]).mean(0)


UNITS = {
    "lstm": lambda: nn.LSTM(8, 4),
    "gru": lambda: nn.GRU(8, 4, batch_first=True),
    "leaky": lambda: snn.Leaky(beta=0.9, threshold=0.7, init_hidden=True),
}


@pytest.mark.parametrize("kind", UNITS)
def test_units_over_time_are_excited_in_the_mean_over_time(kind):
    torch.manual_seed(0)
    network = Reader(UNITS[kind]())
    gradient = network.readout.weight.grad = torch.ones(3, 4)
    short = AscentOptions(n_steps=15)
    found = maximise_activation(network, "unit", [2, 0, 1], (8, 8), short, progress=False, device="cpu")
    with torch.no_grad():
        wanted = network.mean_activity(torch.from_numpy(found.values).float())[range(3), [2, 0, 1]]
    np.testing.assert_allclose(found.activation, wanted, rtol=1e-4, atol=1e-6)
    gain = found.activation - found.activation_at_start
    assert (gain >= 0).all() and gain.sum() > 0
    assert network.readout.weight.grad is gradient and (gradient == 1).all() and network.readout.bias.grad is None


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.parametrize("method", ["saliency", "occlusion"])
def test_every_stimulus_is_explained_from_silence(kind, method):
    torch.manual_seed(0)
    network, digits = Reader(UNITS[kind]()), load_digits()[:4]
    whole = explain(network, digits, method, target=1, progress=False, device="cpu")
    for size in (1, 3):
        parts = explain(network, digits, method, target=1, batch_size=size, progress=False, device="cpu")
        np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-6)
    assert np.abs(whole).max() > 0


@pytest.mark.parametrize(("channels", "axis"), [("last", 1), ("first", 2)])
def test_channels_of_tokens_are_known_or_asked(channels, axis):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Unflatten(1, (8, 1)), nn.Flatten(2), nn.Linear(8, 5), nn.GELU())
    known = maximise_activation(network, "2", [4], (8, 8), AscentOptions(n_steps=2), progress=False, device="cpu")
    with torch.no_grad():
        token = network[:3](torch.from_numpy(known.values).float())
    np.testing.assert_allclose(known.activation, token.mean(1)[:, 4], rtol=1e-5)
    with pytest.raises(InputError, match="pass channels="):
        maximise_activation(network, "3", [4], (8, 8), AscentOptions(n_steps=2), progress=False)
    short = AscentOptions(n_steps=2)
    given = maximise_activation(network, "3", [4], (8, 8), short, channels=channels, progress=False, device="cpu")
    with torch.no_grad():
        token = network(torch.from_numpy(given.values).float())
    np.testing.assert_allclose(given.activation, token.mean(axis)[:, 4], rtol=1e-5)


def test_layers_of_one_short_name_keep_their_full_ones():
    network = nn.Sequential()
    for part in ("blocks", "spikes"):
        network.add_module(part, nn.Sequential(nn.Flatten(), nn.Linear(64, 64)))
    found = maximise_activation(network, "blocks.1", [0], (8, 8), AscentOptions(n_steps=1), progress=False)
    assert found.layer.values.tolist() == ["blocks.1"] and found.stimulus.values.tolist() == ["blocks.1_0"]


def test_the_function_that_was_called_speaks():
    network, digits = nn.Linear(3, 2), load_digits()[:2]
    with pytest.raises(InputError, match=r"^predict: Linear does not take stimuli"):
        predict(network, digits)
    for ask, who in ((predict, "predict"), (explain, "explain"), (record_responses, "record_responses")):
        with pytest.raises(InputError, match=rf"^{who}: a torch.nn.Module is asked as network, found the class Linear"):
            ask(nn.Linear, digits)
    with pytest.raises(InputError, match=r"^maximise_activation: no layer 'unti'.*Did you mean 'unit'"):
        maximise_activation(Reader(nn.GRU(8, 4)), "unti", [0], (8, 8))
    with pytest.raises(InputError, match=r"^maximise_activation: 'unit' has units 0\.\.3"):
        maximise_activation(Reader(nn.GRU(8, 4)), "unit", [4], (8, 8), progress=False)


def test_rollout_gives_shares_of_words_and_nothing_to_fillings():
    torch.manual_seed(0)
    network = build_network(TransformerSpecification(16, 2, 3, 32, n_words=20), (7,), 2)
    words = as_stimuli(
        np.array([[0, 0, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 7, 8]]), dims=("stimulus", "time"), time_step=1.0
    )
    found = attention_rollout(network, words)
    assert found.shape == (2, 7) and (found >= 0).all() and (found.sum("time") < 1).all()
    assert (found.values[0, :2] == 0).all() and (found.values[1] > 0).all()
    assert plot_words(list("abcdefg"), found.values[1]).texts
    maps = record_responses(network, words, layers=["*attention.map"], progress=False)
    assert maps.sizes["unit"] == 3 * 2 * 8 * 8
    np.testing.assert_allclose(maps.values.reshape(2, 3, 2, 8, 8).sum(-1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n, d: explain(n, d, "gradcam"), "Did you mean 'grad_cam'"),
        (lambda n, d: explain(n, d, "grad_cam"), "takes layer="),
        (lambda n, d: explain(n, d, target=99, progress=False), r"outputs 0\.\.9 are there"),
        (lambda n, d: explain(n, d, "grad_cam", layer="conv9"), "no layer 'conv9'"),
        (lambda n, d: explain(n, d, "grad_cam", layer="readout", progress=False), "name a convolution"),
        (lambda n, d: maximise_activation(n, "readout", [99], (8, 8), progress=False), r"units 0\.\.9"),
        (attention_rollout, "words .stimulus, time. asked"),
        (lambda n, d: attention_rollout(nn.Linear(8, 2), d[:, :, 0].rename(y="time")), "no attention"),
        (lambda n, d: record_responses(n, d, layers=["nothing*"]), "is named like 'nothing"),
    ],
)
def test_bad_requests_are_one_line(make, message):
    network = build_network(ConvNetSpecification((4, 8)), (8, 8), 10)
    with pytest.raises(InputError, match=message):
        make(network, load_digits()[:2])
