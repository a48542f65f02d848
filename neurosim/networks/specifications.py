"""What a network is, in plain numbers: records that files can hold and that load without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurosim.parameters import Reset
from neurosim.schema import InputError


@dataclass(frozen=True)
class ConvNetSpecification:
    """Convolutional network. `channels` of each 3 x 3 convolution, units of the `hidden` layer."""

    channels: tuple[int, ...] = (16, 32)
    hidden: int = 64


@dataclass(frozen=True)
class RateRNNSpecification:
    """Leaky rate network. `n_units`; step `dt` and time constant `tau` in s; steps each image row stays (`repeats`)."""

    n_units: int = 96
    dt: float = 5e-3
    tau: float = 10e-3
    repeats: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.dt <= self.tau:
            raise InputError(f"RateRNN: dt = {self.dt} s is not in 0..tau = {self.tau} s; take a shorter step.")


@dataclass(frozen=True)
class SpikingConvNetSpecification:
    """Spiking convolutional network. `channels`; `tau_mem` and `dt` in s; `n_steps` of `dt` a stimulus."""

    channels: tuple[int, ...] = (12, 24)
    tau_mem: float = 10e-3
    dt: float = 1e-3
    n_steps: int = 12


@dataclass(frozen=True)
class SpikingMLPSpecification:
    """Spiking fully connected network. `hidden` sizes; `tau_mem` and `dt` in s; `n_steps` of input spikes; `reset`."""

    hidden: tuple[int, ...] = (64, 32)
    tau_mem: float = 10e-3
    dt: float = 1e-3
    n_steps: int = 25
    reset: Reset = "subtract"


@dataclass(frozen=True)
class EfficientNetLite0Specification:
    """EfficientNet-Lite0. `weights` "imagenet" (trained) or "random" (an untrained copy)."""

    weights: Literal["imagenet", "random"] = "imagenet"


NetworkSpecification = (
    ConvNetSpecification
    | RateRNNSpecification
    | SpikingConvNetSpecification
    | SpikingMLPSpecification
    | EfficientNetLite0Specification
)

ARCHITECTURES: dict[str, type[NetworkSpecification]] = {
    "ConvNet": ConvNetSpecification,
    "RateRNN": RateRNNSpecification,
    "SpikingConvNet": SpikingConvNetSpecification,
    "SpikingMLP": SpikingMLPSpecification,
    "EfficientNetLite0": EfficientNetLite0Specification,
}
