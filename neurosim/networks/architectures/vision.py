"""Published networks of torchvision, with weights from a file or untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurosim.networks.architecture import Architecture, Requirement
from neurosim.refusals import InputError, suggest


@dataclass(frozen=True)
class Published:
    """One of them: `layers` to record, `size` of the pictures it was made for, the `smallest` that it takes, pixels."""

    layers: tuple[str, ...]
    size: int = 224
    smallest: int = 1


RESNET = Published(("layer1", "layer2", "layer3", "layer4", "avgpool", "fc"))
PUBLISHED: dict[str, Published] = {
    "resnet18": RESNET,
    "resnet50": RESNET,
    "inception_v3": Published(("Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c", "avgpool", "fc"), 299, 75),
    "mobilenet_v2": Published(("features.0", "features.3", "features.6", "features.13", "features.18", "classifier")),
}


@dataclass(frozen=True)
class VisionSpecification:
    """A published network of torchvision.

    Parameters
    ----------
    name : "resnet18", "resnet50", "inception_v3" or "mobilenet_v2".
    weights : path of a file of published ones (``.pth``, ``.safetensors``), or none: untrained.

    Raises
    ------
    InputError : another name.

    Examples
    --------
    >>> ns.networks.VisionSpecification("resnet34")
    Traceback (most recent call last):
    neurosim.schema.InputError: VisionSpecification: no network 'resnet34'; known: ... Did you mean 'resnet...'?
    """

    name: str = "resnet50"
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.name not in PUBLISHED:
            raise InputError(
                f"VisionSpecification: no network {self.name!r}; known: {', '.join(PUBLISHED)}."
                f"{suggest(self.name, PUBLISHED)}"
            )


def refuses(specification: VisionSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures of such a size or number of channels are not taken."""
    if sizes["channel"] != 3:
        return f"Vision: pictures of 3 channels asked, found {sizes['channel']}."
    least, found = PUBLISHED[specification.name].smallest, min(sizes["y"], sizes["x"])
    if found < least:
        return f"Vision: {specification.name} takes pictures of at least {least} pixels, found {found}."
    return None


VISION = Architecture(
    name="Vision",
    specification=VisionSpecification,
    build="neurosim.networks.published:vision_network",
    takes=("colour",),
    learns=("categories",),
    caption="A convolutional network for photographs as torchvision builds it.",
    citation="He K, Zhang X, Ren S, Sun J (2016) CVPR, https://doi.org/10.1109/CVPR.2016.90 (ResNet); "
    "Szegedy C, Vanhoucke V, Ioffe S, et al. (2016) CVPR, https://doi.org/10.1109/CVPR.2016.308 (Inception V3); "
    "Sandler M, Howard A, Zhu M, et al. (2018) CVPR, https://doi.org/10.1109/CVPR.2018.00474 (MobileNetV2)",
    examples=(VisionSpecification("resnet18"),),
    refuses=refuses,
    requires=Requirement("vision", "torchvision"),
    shape=(3, 224, 224),
)
