"""What the files of a Brain-Score plugin say: plain torch, without this package."""

INIT = '''"""Brain-Score plugin {name}."""

from brainscore_vision import model_registry
from brainscore_vision.model_helpers.brain_transformation import ModelCommitment

from .model import IDENTIFIER, get_layers, get_model

model_registry[IDENTIFIER] = lambda: ModelCommitment(
    identifier=IDENTIFIER, activations_model=get_model(IDENTIFIER), layers=get_layers(IDENTIFIER)
)
'''

TEST = """import brainscore_vision
import pytest


@pytest.mark.travis_slow
def test_has_identifier():
    model = brainscore_vision.load_model({name})
    assert model.identifier == {name}
"""

MODEL = '''"""A network as the operations that torch was seen to run, one image at a time, on the CPU."""

from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import device, inf, nan  # noqa: F401

IDENTIFIER = {name}
LAYERS = {layers}
CHANNELS, HEIGHT, WIDTH = {shape}
MEAN, STD = {mean}, {std}
N_STEPS = {n_steps}
HELD = load_file(str(Path(__file__).with_name("weights.safetensors")))
WEIGHTS = [HELD[name] for name in {weights}]
CONSTANTS = SimpleNamespace(**{{name: HELD["constant." + name] for name in {constants}}})


def get_layers(name=IDENTIFIER):
    assert name == IDENTIFIER
    return list(LAYERS)


def get_bibtex(model_identifier=IDENTIFIER):
    return {bibtex}


def load_images(paths, **_):
    """Return pictures (image, channel, y, x), scaled as the network was trained on."""
    found = []
    for path in paths:
        with Image.open(path) as picture:
            plain = picture.convert("L" if CHANNELS == 1 else "RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        values = np.asarray(plain, dtype=np.float32).reshape(HEIGHT, WIDTH, CHANNELS) / np.float32(255)
        found.append((values - np.float32(MEAN)) / np.float32(STD))
    return np.stack(found).astype(np.float32).transpose(0, 3, 1, 2)


def get_activations(images, layer_names):
    """Return what layers answer to pictures (image, channel, y, x), as arrays (image, ...) by name."""
    found = OrderedDict((name, []) for name in layer_names)
    with torch.no_grad():
        for image in images:
            shown = torch.as_tensor(np.asarray(image), dtype=torch.float32)[None]
            shown = shown if N_STEPS is None else shown.expand(N_STEPS, *shown.shape)
            answers = dict(zip(LAYERS, _graph(CONSTANTS, *WEIGHTS, shown)))
            for name in layer_names:
                found[name].append(answers[name].numpy())
    return OrderedDict((name, np.concatenate(values)) for name, values in found.items())


def get_model(name=IDENTIFIER):
    """Return the network as Brain-Score asks for it."""
    assert name == IDENTIFIER
    from brainscore_vision.model_helpers.activations.core import ActivationsExtractorHelper

    extractor = ActivationsExtractorHelper(
        identifier=IDENTIFIER, get_activations=get_activations, preprocessing=load_images
    )
    return _Model(extractor)


class _Model:
    def __init__(self, extractor):
        self._extractor = extractor
        extractor.insert_attrs(self)
        self.image_size = HEIGHT

    @property
    def identifier(self):
        return self._extractor.identifier

    @identifier.setter
    def identifier(self, value):
        self._extractor.identifier = value

    def __call__(self, *args, **kwargs):
        return self._extractor(*args, **kwargs)


{graph}'''
