"""What a network is, in plain numbers: records that files can hold and that load without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
    Reset,
)
from neurosim.schema import InputError, suggest

Pooling = Literal["last", "mean", "max"]
SpikingNeuron = Literal["lif", "synaptic", "adaptive"]
VisionName = Literal["resnet18", "resnet50", "inception_v3", "mobilenet_v2"]


@dataclass(frozen=True)
class MLPSpecification:
    """Fully connected network. `hidden` sizes; `dropout`, the share of hidden units left out in training."""

    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check_share("MLP", self.dropout)


@dataclass(frozen=True)
class ConvNetSpecification:
    """Convolutional network.

    `channels` of each block, `convolutions` a block of side `kernel`, units of the `hidden` layer, `dropout` before the
    readout.
    """

    channels: tuple[int, ...] = (16, 32)
    hidden: int = 64
    kernel: int = 3
    convolutions: int = 1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check_share("ConvNet", self.dropout)
        if self.kernel % 2 == 0 or self.convolutions < 1:
            raise InputError(
                f"ConvNet: an odd kernel and at least one convolution asked, found {self.kernel}, {self.convolutions}."
            )


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
class LeakyRNNSpecification:
    """Leaky rate network that answers in every step.

    `n_units`; step `dt` and time constant `tau` in s; `activation`; `noise`, standard deviation of the private noise of
    a unit at rest; `spread` of random recurrent weights, or `identity`, the weight of each unit to itself at the start;
    `excitatory`, the share of units that excite where Dale's law holds; `rank` of the recurrent weights.
    """

    n_units: int = 128
    dt: float = 20e-3
    tau: float = 100e-3
    activation: Literal["relu", "softplus", "tanh"] = "relu"
    noise: float = 0.0
    spread: float = 1.0
    identity: float = 0.0
    excitatory: float | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.dt <= self.tau:
            raise InputError(f"LeakyRNN: dt = {self.dt} s is not in 0..tau = {self.tau} s; take a shorter step.")
        if self.excitatory is not None and self.rank is not None:
            raise InputError("LeakyRNN: Dale's law and a low rank cannot both hold; give excitatory or rank.")
        if self.excitatory is not None and not 0 < self.excitatory < 1:
            raise InputError(f"LeakyRNN: excitatory = {self.excitatory}; a share between 0 and 1 is asked.")


@dataclass(frozen=True)
class GRUSpecification:
    """Gated recurrent network (GRU) that reads words, sequences, or images row by row.

    `n_units` in `n_layers`, `bidirectional`; `n_words` of the vocabulary (0: inputs are no words) as vectors of
    `n_embedding`; `pooling` over time; `dropout`; step `dt` in s; `is_sequence`: (time, unit) inputs are no images.
    """

    n_units: int = 96
    n_layers: int = 1
    bidirectional: bool = False
    n_words: int = 0
    n_embedding: int = 100
    pooling: Pooling = "last"
    dropout: float = 0.0
    dt: float = 1.0
    is_sequence: bool = False


@dataclass(frozen=True)
class LSTMSpecification:
    """Long short-term memory network; its values are those of :class:`GRUSpecification`."""

    n_units: int = 96
    n_layers: int = 1
    bidirectional: bool = False
    n_words: int = 0
    n_embedding: int = 100
    pooling: Pooling = "last"
    dropout: float = 0.0
    dt: float = 1.0
    is_sequence: bool = False


@dataclass(frozen=True)
class TransformerSpecification:
    """Transformer encoder.

    `n_units` (a multiple of `n_heads`), `n_layers`, `n_hidden` units of each block; `n_words` of the vocabulary (0:
    inputs are sequences of numbers); `dropout`; step `dt` in s.
    """

    n_units: int = 64
    n_heads: int = 4
    n_layers: int = 2
    n_hidden: int = 128
    n_words: int = 0
    dropout: float = 0.1
    dt: float = 1.0

    def __post_init__(self) -> None:
        _check_share("Transformer", self.dropout)
        if self.n_units % self.n_heads:
            raise InputError(f"Transformer: n_units = {self.n_units} is not a multiple of n_heads = {self.n_heads}.")


@dataclass(frozen=True)
class AutoencoderSpecification:
    """Convolutional autoencoder. `channels` of each halving of the image; `n_code` units of the code."""

    channels: tuple[int, ...] = (16, 32)
    n_code: int = 16


@dataclass(frozen=True)
class VAESpecification:
    """Variational autoencoder. `channels` of each halving of the image; `n_code` dimensions of the code."""

    channels: tuple[int, ...] = (16, 32)
    n_code: int = 16


@dataclass(frozen=True)
class SpikingConvNetSpecification:
    """Spiking convolutional network.

    `channels`; `tau_mem` and `dt` in s; `n_steps` of `dt` an image; `dropout` before the readout; `kind` of neuron,
    with `tau_syn` in s of synaptic and `tau_threshold` in s and `rise` of adaptive ones.
    """

    channels: tuple[int, ...] = (12, 24)
    tau_mem: float = 10e-3
    dt: float = 1e-3
    n_steps: int = 12
    dropout: float = 0.0
    reset: Reset = "subtract"
    kind: SpikingNeuron = "lif"
    tau_syn: float = 5e-3
    tau_threshold: float = 100e-3
    rise: float = 0.1

    def neuron(self) -> DiscreteParameters:
        """Return the record of its neurons."""
        return _neuron(self)


@dataclass(frozen=True)
class SpikingMLPSpecification:
    """Spiking fully connected network. `hidden` sizes; `n_steps` of input spikes; the neuron as in SpikingConvNet."""

    hidden: tuple[int, ...] = (64, 32)
    tau_mem: float = 10e-3
    dt: float = 1e-3
    n_steps: int = 25
    reset: Reset = "subtract"
    kind: SpikingNeuron = "lif"
    tau_syn: float = 5e-3
    tau_threshold: float = 100e-3
    rise: float = 0.1

    def neuron(self) -> DiscreteParameters:
        """Return the record of its neurons."""
        return _neuron(self)


@dataclass(frozen=True)
class SpikingRNNSpecification:
    """Spiking network that reads sequences.

    `hidden` sizes; `recurrent`: units of a layer are connected; `spread` of weights at the start, threshold units;
    `dropout`; `surrogate` and its `slope`; the neuron as in SpikingConvNet. A steep surrogate keeps the gradients of
    recurrent spikes from exploding.
    """

    hidden: tuple[int, ...] = (128,)
    recurrent: bool = True
    spread: float = 0.6
    dropout: float = 0.0
    surrogate: Literal["atan", "fast_sigmoid", "sigmoid", "triangular", "straight_through"] = "fast_sigmoid"
    slope: float = 10.0
    tau_mem: float = 20e-3
    dt: float = 1e-3
    reset: Reset = "subtract"
    kind: SpikingNeuron = "lif"
    tau_syn: float = 5e-3
    tau_threshold: float = 100e-3
    rise: float = 0.1

    def neuron(self) -> DiscreteParameters:
        """Return the record of its neurons."""
        return _neuron(self)


@dataclass(frozen=True)
class EfficientNetLite0Specification:
    """EfficientNet-Lite0. `weights` "imagenet" (trained) or "random" (an untrained copy)."""

    weights: Literal["imagenet", "random"] = "imagenet"


@dataclass(frozen=True)
class VisionSpecification:
    """A published network of torchvision. `name`; `weights`, path of a file of published ones, or none: untrained."""

    name: VisionName = "resnet50"
    weights: str | None = None

    def __post_init__(self) -> None:
        known = get_args(VisionName)
        if self.name not in known:
            raise InputError(
                f"VisionSpecification: no network {self.name!r}; known: {', '.join(known)}.{suggest(self.name, known)}"
            )


NetworkSpecification = (
    MLPSpecification
    | ConvNetSpecification
    | RateRNNSpecification
    | LeakyRNNSpecification
    | GRUSpecification
    | LSTMSpecification
    | TransformerSpecification
    | AutoencoderSpecification
    | VAESpecification
    | SpikingConvNetSpecification
    | SpikingMLPSpecification
    | SpikingRNNSpecification
    | EfficientNetLite0Specification
    | VisionSpecification
)

ARCHITECTURES: dict[str, type[NetworkSpecification]] = {
    "MLP": MLPSpecification,
    "ConvNet": ConvNetSpecification,
    "RateRNN": RateRNNSpecification,
    "LeakyRNN": LeakyRNNSpecification,
    "GRU": GRUSpecification,
    "LSTM": LSTMSpecification,
    "Transformer": TransformerSpecification,
    "Autoencoder": AutoencoderSpecification,
    "VAE": VAESpecification,
    "SpikingConvNet": SpikingConvNetSpecification,
    "SpikingMLP": SpikingMLPSpecification,
    "SpikingRNN": SpikingRNNSpecification,
    "EfficientNetLite0": EfficientNetLite0Specification,
    "Vision": VisionSpecification,
}


def _check_share(who: str, dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise InputError(f"{who}: dropout = {dropout!r}; a share from 0 up to 1 is asked.")


def _neuron(
    s: SpikingConvNetSpecification | SpikingMLPSpecification | SpikingRNNSpecification,
) -> DiscreteParameters:
    if s.kind == "synaptic":
        reset = "clear" if s.reset == "zero" else s.reset
        return DiscreteSynapticParameters(s.tau_syn, s.tau_mem, s.dt, reset=reset)
    if s.kind == "adaptive":
        return DiscreteAdaptiveLIFParameters(s.tau_mem, s.tau_threshold, s.rise, s.dt, reset=s.reset)
    return DiscreteLIFParameters(s.tau_mem, s.dt, reset=s.reset)
