"""Residual networks of spiking neurons whose branches meet spike by spike; see ``neurosim.networks.sew_resnet``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from neurosim.networks.architecture import Architecture
from neurosim.networks.shared_parameters import NeuronSpecification, refuse_poolings
from neurosim.refusals import InputError, suggest

Connect = Literal["add", "and", "iand"]


@dataclass(frozen=True)
class SEWResNetSpecification:
    """Spike-element-wise residual network.

    Parameters
    ----------
    channels : of each stage; from the second on, a stage halves the side of what it gets.
    n_blocks : residual blocks a stage.
    connect : how the spikes of a branch meet those that pass it by: "add", "and", or "iand", where spikes that pass by
        are kept unless the branch spikes.
    n_steps : steps that an image is shown.
    neuron : its neurons; by default they do not leak and are reset to zero, as in the paper.

    Raises
    ------
    InputError : another way to connect, or no stage, block or step.

    Examples
    --------
    >>> ns.networks.SEWResNetSpecification((16, 32), connect="iand").n_blocks
    1
    """

    channels: tuple[int, ...] = (16, 32)
    n_blocks: int = 1
    connect: Connect = "add"
    n_steps: int = 4
    neuron: NeuronSpecification = field(default_factory=lambda: NeuronSpecification(tau_mem=math.inf, reset="zero"))

    def __post_init__(self) -> None:
        known = get_args(Connect)
        if self.connect not in known:
            raise InputError(
                f"SEWResNet: connect = {self.connect!r}; known: {', '.join(known)}.{suggest(self.connect, known)}"
            )
        if not self.channels or min(*self.channels, self.n_blocks, self.n_steps) < 1:
            raise InputError("SEWResNet: at least one stage of one channel, one block and one step are asked.")


def refuses(specification: SEWResNetSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be halved so often."""
    return refuse_poolings("SEWResNet", len(specification.channels) - 1, sizes)


SEW_RESNET = Architecture(
    name="SEWResNet",
    specification=SEWResNetSpecification,
    build="neurosim.networks.sew_resnet:SEWResNet",
    takes=("gray", "colour", "events"),
    learns=("categories",),
    caption="A residual network of spiking neurons; the spikes of a branch meet those that pass it by.",
    citation="Fang W, Yu Z, Chen Y, et al. (2021) NeurIPS, https://arxiv.org/abs/2102.04159",
    examples=(SEWResNetSpecification((4, 6)), SEWResNetSpecification((4,), connect="iand", n_steps=3)),
    is_spiking=True,
    refuses=refuses,
)
