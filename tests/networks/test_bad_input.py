"""What a user may hand over by mistake to networks is refused in one line that says what to do."""

import numpy as np
import pytest
import torch
from torch import nn

import neurosim as ns
from neurosim.networks.evaluation import score_logits
from neurosim.networks.objectives import balanced_weights

DIGITS = ns.load_digits()[:60]
LEAKY = ns.parameters.DiscreteLIFParameters()


def convnet():
    return ns.build_network(ns.networks.ConvNetSpecification((4, 8)), (8, 8), 10)


def effect(subject, stimuli, categories, **options):
    cut = {"cut": ns.Perturbation("silence", "0", [0])}
    return ns.perturbation_effect(subject, cut, stimuli, categories=categories, progress=False, **options)


def points():
    labels = ["a", "b", "c", "a", "b"]
    return ns.as_stimuli(np.random.default_rng(0).normal(size=(5, 4)), coords={"category": labels})


def eprop(labels):
    parts = nn.Linear(4, 5), ns.networks.SpikingLayer(LEAKY), nn.Linear(5, 3)
    return ns.networks.eprop_gradients(*parts, torch.rand(5, 2, 4), torch.tensor(labels))


def state_of(n_units):
    return ns.networks.SpikingLayer(LEAKY).advance(torch.ones(3, 1, n_units))[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ns.networks.TrainingOptions(epochs=1.5), "whole epochs"),
        (lambda: ns.networks.Checkpoint("run.safetensors", every=0), "at least 1 batch"),
        (lambda: ns.networks.explain(nn.Linear(3, 2), DIGITS, progress=False), "does not take stimuli of shape"),
        (lambda: ns.networks.explain(nn.Flatten(0), DIGITS, progress=False), "does not answer with logits"),
        (
            lambda: ns.train(
                convnet(), ns.tasks.classification_task(DIGITS), ns.networks.TrainingOptions(50, patience=2)
            ),
            "patience needs a validation set",
        ),
        (lambda: balanced_weights(torch.tensor([0, 2, 2]), 3), r"none of \[1\]"),
        (lambda: ns.networks.explain(convnet(), DIGITS, target=[1, 2]), "one for each of 60 stimuli"),
        (lambda: ns.networks.maximise_activation(convnet(), "readout", [], (8, 8)), "at least one unit"),
        (lambda: ns.networks.SpikingLayer(LEAKY)(torch.full((3, 1, 2), torch.nan)), "no finite numbers"),
        (lambda: ns.networks.SpikingLayer(LEAKY).advance(torch.ones(3, 1, 2), state_of(5)), "the state"),
        (lambda: ns.networks.SpikingLayer(LEAKY)(np.ones((3, 1, 2))), "real torch tensor .*found ndarray"),
        (lambda: ns.networks.SpikingLayer(LEAKY, n_recurrent=2)(np.ones((3, 1, 2))), "found ndarray"),
        (lambda: ns.networks.SpikingLayer(LEAKY)(torch.ones(3, 1, 2) * 1j), "found torch.complex64"),
        (lambda: ns.networks.explain(convnet(), DIGITS, batch_size=0), "batch_size and window of at least 1"),
        (lambda: ns.networks.explain(convnet(), DIGITS, target=1.5), "whole numbers, found float64"),
        (lambda: ns.networks.attention_rollout(convnet(), DIGITS.values), "found ndarray"),
        (
            lambda: ns.networks.evaluate(convnet(), ns.tasks.classification_task(DIGITS), batch_size=0),
            "batch_size of at least 1",
        ),
        (lambda: ns.networks.classical_baselines(DIGITS.values), "classical_baselines: a task is asked"),
        (lambda: score_logits(np.zeros((2, 2)), np.array([0, -1]), ("a", "b")), r"whole numbers in 0\.\.1"),
        (lambda: effect(nn.Sequential(nn.Linear(4, 6)), points(), ["a", "b"]), "category 'c' of a stimulus"),
        (lambda: effect(nn.Sequential(nn.Linear(4, 60)), points(), ["a", "b", "c"]), "name one for each output"),
        (lambda: effect(nn.Sequential(nn.Linear(4, 3)), np.ones((5, 4)), ["a"]), "no 'category' label"),
        (lambda: ns.networks.SpikingLayer(LEAKY, n_recurrent=0), "at least 1 unit"),
        (lambda: ns.networks.from_nir("graph.nir"), "read files with load_nir"),
        (lambda: eprop([0, 9]), r"labels in 0\.\.2 asked"),
        (lambda: ns.build_network("CNN", (8, 8), 3), "found 'CNN'"),
        (lambda: ns.build_network(ns.networks.ConvNetSpecification(), (8,), 3), "found shape"),
        (lambda: ns.networks.VisionSpecification("resnet34"), "Did you mean 'resnet"),
        (lambda: ns.networks.MLPSpecification(dropout=2), "a share from 0"),
        (
            lambda: ns.build_network(ns.networks.TransformerSpecification(n_words=5), (4,), 2)(torch.full((4, 1), 9)),
            r"words 0\.\.4 are known",
        ),
        (
            lambda: ns.build_network(ns.networks.GRUSpecification(n_words=5), (4,), 2)(torch.full((4, 1), 9)),
            r"words 0\.\.4 are known",
        ),
        (
            lambda: ns.networks.train_gan(ns.networks.GAN((3, 8, 8)), ns.tasks.classification_task(DIGITS)),
            "those of the task",
        ),
        (
            lambda: ns.networks.train_gan(ns.networks.GAN((8, 8)), ns.tasks.classification_task(DIGITS), epochs=0),
            "at least 1",
        ),
        (lambda: ns.stimuli.load_nmnist(n_steps=0), "at least 1"),
        (lambda: ns.stimuli.load_sentences("mr", n_words=0), "n_words and max_words"),
        (lambda: ns.stimuli.load_spoken_digits(duration=0), r"outside 0\.01\.\.60 s"),
        (lambda: ns.stimuli.mel_spectrogram(np.ones(100), 8000.0, n_bands=0), "n_bands >= 1"),
        (lambda: ns.stimuli.mel_spectrogram(np.ones(100), 8000.0, high=10.0), "low < high"),
        (lambda: ns.stimuli.saccades(DIGITS, amplitude=-1), "amplitude >= 0"),
        (lambda: ns.tasks.yang_task(n_ring=1), "n_ring >= 4"),
        (lambda: ns.tasks.cognitive_task("go_nogo", delay=float("nan")), "outside 0"),
        (lambda: ns.tasks.cognitive_task("perceptual_decision", noise=-1), "outside 0"),
        (
            lambda: ns.responses.embed_stimuli(
                np.random.default_rng(0).random((9, 4)), "tsne", options={"perplexity": 100}
            ),
            "take fewer",
        ),
    ],
)
def test_mistakes_are_one_line(make, message):
    with pytest.raises(ns.InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_bare_images_are_explained_as_labelled_ones():
    network = convnet()
    bare, labelled = (
        ns.networks.explain(network, d, "saliency", device="cpu", progress=False)
        for d in (DIGITS[:3].values, DIGITS[:3])
    )
    np.testing.assert_array_equal(bare.values, labelled.values)
