"""Explanations keep what theory says of them: completeness, blindness to what is not used, shares that are shares."""

import numpy as np
import pytest
import torch
from torch import nn

from neurosim.networks.architectures import build_network
from neurosim.networks.explanation import attention_rollout, explain, maximise_activation
from neurosim.networks.recording import record_responses
from neurosim.networks.specifications import ConvNetSpecification, SpikingConvNetSpecification, TransformerSpecification
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
    found = maximise_activation(network, "1", [0, 1], (8, 8), jitter=0, smoothness=0.0, progress=False)
    assert (found.values[0, :4] > 0.9).all() and (found.values[0, 4:] < 0.1).all()
    assert (found.activation.values > found.activation_at_start.values).all()


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
