"""Parameters that several architectures share: spiking neurons, gated units, the share of units left out, poolings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from neurosim.networks.learnable import FIXED, Learnable
from neurosim.parameters import (
    DiscreteAdaptiveLIFParameters,
    DiscreteLIFParameters,
    DiscreteParameters,
    DiscreteSynapticParameters,
    Reset,
)
from neurosim.refusals import InputError, suggest

Pooling = Literal["last", "mean", "max"]
Readout = Literal["counts", "max", "mean", "last"]
SurrogateName = Literal["atan", "fast_sigmoid", "sigmoid", "triangular", "straight_through"]


@dataclass(frozen=True)
class NeuronSpecification:
    """The neurons of a spiking architecture.

    Parameters
    ----------
    kind : "lif", leaky integrate-and-fire; "synaptic", with a synaptic current; "adaptive", with an adaptive threshold.
    tau_mem : time constant of the membrane, s. dt : duration of a step, s. threshold : above which they spike.
    reset : "subtract" the threshold, or to "zero".
    tau_syn : time constant of the current of synaptic ones, s.
    tau_threshold, rise : time constant of the threshold of adaptive ones, s, and its rise a spike.
    surrogate, slope : gradient of a spike, as of :class:`Surrogate`; the slope 0 is that of snnTorch. A steep one keeps
        the gradients of recurrent spikes from exploding.
    learn : which of these numbers are learned; in TOML a table of its own, such as ``learn = {tau_mem = "layer"}``.

    Raises
    ------
    InputError : an unknown kind or surrogate, a number out of its range, or one to learn that the kind does not have.

    Examples
    --------
    >>> ns.networks.NeuronSpecification("adaptive", rise=0.2).parameters().rise
    0.2
    """

    kind: str = "lif"
    tau_mem: float = 10e-3
    dt: float = 1e-3
    threshold: float = 1.0
    reset: Reset = "subtract"
    tau_syn: float = 5e-3
    tau_threshold: float = 100e-3
    rise: float = 0.1
    surrogate: SurrogateName = "atan"
    slope: float = 0.0
    learn: Learnable = FIXED

    def __post_init__(self) -> None:
        for field, known in (("kind", tuple(PARAMETERS)), ("surrogate", get_args(SurrogateName))):
            value = getattr(self, field)
            if value not in known:
                raise InputError(
                    f"NeuronSpecification: {field} = {value!r}; known: {', '.join(known)}.{suggest(value, known)}"
                )
        self.learn.check(self.parameters())

    def parameters(self) -> DiscreteParameters:
        """Return the record of one neuron."""
        return PARAMETERS[self.kind](self)


PARAMETERS: dict[str, Callable[[NeuronSpecification], DiscreteParameters]] = {
    "lif": lambda n: DiscreteLIFParameters(n.tau_mem, n.dt, threshold=n.threshold, reset=n.reset),
    "synaptic": lambda n: DiscreteSynapticParameters(
        n.tau_syn, n.tau_mem, n.dt, threshold=n.threshold, reset="clear" if n.reset == "zero" else n.reset
    ),
    "adaptive": lambda n: DiscreteAdaptiveLIFParameters(
        n.tau_mem, n.tau_threshold, n.rise, n.dt, threshold=n.threshold, reset=n.reset
    ),
}


@dataclass(frozen=True)
class GatedSpecification:
    """What GRU and LSTM have in common."""

    cell: ClassVar[str]
    n_units: int = 96
    n_layers: int = 1
    bidirectional: bool = False
    n_words: int = 0
    n_embedding: int = 100
    pooling: Pooling = "last"
    dropout: float = 0.0
    dt: float = 1.0
    is_sequence: bool = False


def refuse_inputs_of_gated(specification: GatedSpecification, sizes: Mapping[str, int]) -> str | None:
    """Return why gated units, as they are specified, do not read such a stimulus."""
    if "y" not in sizes and "unit" in sizes and not specification.is_sequence:
        return f"{specification.cell} reads images row by row as specified; is_sequence = true reads sequences."
    return refuse_words(specification.cell, specification.n_words, sizes) or (
        f"{specification.cell} reads sequences as specified; is_sequence = false reads images row by row."
        if "y" in sizes and specification.is_sequence
        else None
    )


def refuse_words(name: str, n_words: int, sizes: Mapping[str, int]) -> str | None:
    """Return why an architecture that knows `n_words` words does not read such a stimulus."""
    are_words = set(sizes) == {"time"}
    if are_words and not n_words:
        return f"{name} knows no words as specified; n_words says how many there are."
    return f"{name} reads words as specified; n_words = 0 reads numbers." if n_words and not are_words else None


def refuse_poolings(name: str, n_poolings: int, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be pooled so often, each time to half of their side."""
    y, x = sizes["y"], sizes["x"]
    if x >> n_poolings < 1:
        return f"{name}: images of {y} x {x} pixels are too small for that many poolings; use fewer channels."
    return None if x == y else f"{name}: square images asked, found {y} x {x} pixels."


def refuse_halvings(name: str, n_halvings: int, sizes: Mapping[str, int]) -> str | None:
    """Return why pictures cannot be halved so often without a rest."""
    y, x = sizes["y"], sizes["x"]
    if y == x and x % 2**n_halvings == 0:
        return None
    return (
        f"{name}: images of {y} x {x} pixels cannot be halved {n_halvings} times: square ones with a side that is a "
        f"multiple of {2**n_halvings} are asked."
    )


def check_readout(who: str, readout: str) -> None:
    """Refuse a readout that spiking networks do not have."""
    known = get_args(Readout)
    if readout not in known:
        raise InputError(f"{who}: readout = {readout!r}; known: {', '.join(known)}.{suggest(str(readout), known)}")


def check_share(who: str, dropout: float) -> None:
    """Refuse a share of units left out that is none."""
    if not 0 <= dropout < 1:
        raise InputError(f"{who}: dropout = {dropout!r}; a share from 0 up to 1 is asked.")
