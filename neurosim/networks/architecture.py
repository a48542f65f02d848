"""What an architecture is: a record in a file of ``architectures/``, which says what it takes, learns and comes with.

The records load without torch, so that a study is checked without it; the torch module is built by name.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args

from neurosim.refusals import InputError
from neurosim.registry import Registry, called
from neurosim.showing import shown

if TYPE_CHECKING:
    from torch import nn

Network: TypeAlias = "nn.Module"
Kind = Literal["gray", "colour", "vector", "sequence", "words", "events"]
Learning = Literal["categories", "targets", "reconstruction"]
KINDS: dict[frozenset[str], Kind] = {
    frozenset({"y", "x"}): "gray",
    frozenset({"channel", "y", "x"}): "colour",
    frozenset({"unit"}): "vector",
    frozenset({"time", "unit"}): "sequence",
    frozenset({"time"}): "words",
    frozenset({"time", "channel", "y", "x"}): "events",
}
SPOKEN: dict[Kind, str] = {
    "gray": "gray pictures (y, x)",
    "colour": "colour pictures (channel, y, x)",
    "vector": "numbers (unit)",
    "sequence": "sequences (time, unit)",
    "words": "words (time)",
    "events": "events (time, channel, y, x)",
}


class Specification(Protocol):
    """The parameters of an architecture: any frozen dataclass of plain numbers."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Spec = TypeVar("Spec", bound=Specification)


@dataclass(frozen=True)
class Encoding:
    """How pictures become input spikes of an architecture that takes spikes.

    Parameters
    ----------
    n_steps : steps that a picture is shown. time_step : duration of one, s.

    Examples
    --------
    >>> spiking = ns.networks.ARCHITECTURES["SpikingMLP"]
    >>> spiking.encoding(spiking.specification(n_steps=20))
    Encoding(n_steps=20, time_step=0.001)
    """

    n_steps: int
    time_step: float


@dataclass(frozen=True)
class Requirement:
    """What has to be installed for an architecture.

    Parameters
    ----------
    extra : of neurosim, that brings it. module : by which it is seen to be here.

    Examples
    --------
    >>> ns.networks.Requirement("mine", "a_module_of_nowhere").is_met
    False
    """

    extra: str
    module: str

    @property
    def is_met(self) -> bool:
        """Whether the module is here; it is not imported."""
        return importlib.util.find_spec(self.module) is not None


@shown
@dataclass(frozen=True)
class Architecture(Generic[Spec]):
    """One architecture: its parameters, the torch module that it builds, what that takes and learns.

    Parameters
    ----------
    name : as files and users name it. caption : one sentence about it. citation : the paper behind it, with its DOI.
    specification : frozen dataclass of its parameters, which load without torch.
    build : function (specification, shape of one stimulus, n_outputs) that returns the torch module, or where it is:
        "module:function".
    takes : kinds of stimuli that it takes with some specification.
    learns : what it can be trained for: "categories" of stimuli, "targets" in every step, "reconstruction" of stimuli;
        empty where it comes as it is.
    examples : small specifications on which the tests of every architecture run; together they take all that it takes.
    is_spiking : whether its units spike; ``quantity`` follows from it.
    has_twin : whether ``to_circuit`` translates it.
    encoding : function (specification) that says how pictures become input spikes, where it takes spikes alone.
    refuses : function (specification, sizes of one stimulus by dim) that returns why they do not go together, or None.
    requires : what has to be installed for it.
    shape : ([channel,] y, x) of the pictures that it was made for, to which others are resized.
    n_outputs : number of outputs, where it is not free.

    Raises
    ------
    InputError : the specification is no frozen dataclass, or the citation has no DOI (or arXiv number).

    Examples
    --------
    >>> ns.networks.ARCHITECTURES["ConvNet"].takes
    ('gray', 'colour')
    >>> ns.networks.ARCHITECTURES["SpikingMLP"].quantity
    'spike_count'
    """

    name: str
    specification: type[Spec]
    build: Callable[..., object] | str
    takes: tuple[Kind, ...]
    learns: tuple[Learning, ...]
    caption: str
    citation: str
    examples: tuple[Spec, ...] = ()
    is_spiking: bool = False
    has_twin: bool = False
    encoding: Callable[[Spec], Encoding] | None = None
    refuses: Callable[[Spec, Mapping[str, int]], str | None] | None = None
    requires: Requirement | None = None
    shape: tuple[int, ...] | None = None
    n_outputs: int | None = None

    def __post_init__(self) -> None:
        parameters = getattr(self.specification, "__dataclass_params__", None)
        if parameters is None or not parameters.frozen:
            raise InputError(f"Architecture {self.name!r}: its specification has to be a frozen dataclass.")
        if not any(where in self.citation for where in ("doi.org/10.", "arxiv.org/abs/")):
            raise InputError(f"Architecture {self.name!r}: its citation has no DOI, as https://doi.org/10....")
        for field, known in (("takes", get_args(Kind)), ("learns", get_args(Learning))):
            if odd := [word for word in getattr(self, field) if word not in known]:
                raise InputError(f"Architecture {self.name!r}: {field} {odd[0]!r}; known: {', '.join(known)}.")

    @property
    def quantity(self) -> Literal["activation", "spike_count"]:
        """What its units answer."""
        return "spike_count" if self.is_spiking else "activation"

    def refusal(
        self, specification: Spec, sizes: Mapping[str, int], learns: str | None = None, n_outputs: int | None = None
    ) -> str | None:
        """Return in one line why a specification cannot take stimuli, or learn from them, or None where it can.

        Parameters
        ----------
        specification : of this architecture.
        sizes : of one stimulus by dim, as {"y": 8, "x": 8}; pictures as they are after resizing.
        learns : "categories", "targets" or "reconstruction"; None where it is not trained.
        n_outputs : number of categories or outputs, where it is known.

        Examples
        --------
        >>> convolutional = ns.networks.ARCHITECTURES["ConvNet"]
        >>> convolutional.refusal(convolutional.specification(), {"y": 8, "x": 8}, "categories")
        >>> convolutional.refusal(convolutional.specification(), {"time": 20, "unit": 3})
        'ConvNet takes gray pictures (y, x) or colour pictures (channel, y, x), not sequences (time, unit).'
        """
        kind = kind_of(sizes)
        if kind not in self.takes:
            found = SPOKEN[kind] if kind else f"stimuli ({', '.join(sizes)})"
            return f"{self.name} takes {' or '.join(SPOKEN[k] for k in self.takes)}, not {found}."
        if learns is not None and learns not in self.learns:
            able = f"learns {' or '.join(self.learns)}" if self.learns else "comes as it is and is not trained"
            return f"{self.name} {able}, not {learns}."
        if n_outputs is not None and self.n_outputs not in (None, n_outputs):
            return f"{self.name} has {self.n_outputs} outputs, not {n_outputs}."
        return None if self.refuses is None else self.refuses(specification, sizes)

    def twin_refusal(self, specification: object) -> str | None:
        """Return in one line why there is no twin in Brian2, or None where there is one.

        Examples
        --------
        >>> ns.networks.ARCHITECTURES["MLP"].twin_refusal(ns.networks.ARCHITECTURES["MLP"].specification())
        'MLP has no twin in Brian2; LiquidStateMachine, SpikingConvNet, SpikingMLP, SpikingRNN have one.'
        """
        if not self.has_twin:
            able = ", ".join(a.name for a in ARCHITECTURES.values() if a.has_twin)
            return f"{self.name} has no twin in Brian2; {able} have one."
        neuron = getattr(specification, "neuron", None)
        if getattr(neuron, "kind", None) == "adaptive":
            return f"{self.name}: neurons with adaptive thresholds have no twin in Brian2."
        if getattr(specification, "readout", "counts") != "counts":
            return f"{self.name}: a readout by membranes has no twin in Brian2; readout = 'counts' has."
        return None


ARCHITECTURES: Registry[Architecture[Any]] = Registry("architecture", "neurosim.networks.architectures", Architecture)


def kind_of(dims: Collection[str]) -> Kind | None:
    """Return what kind of stimulus has these dims, ``stimulus`` left out, or None for none that networks take.

    Examples
    --------
    >>> kind_of(("channel", "y", "x"))
    'colour'
    """
    return KINDS.get(frozenset(dims) - {"stimulus"})


def architecture_of(specification: object, asked_by: str = "architecture_of") -> Architecture[Any]:
    """Return the architecture whose specification this is.

    Parameters
    ----------
    specification : a frozen dataclass of parameters. asked_by : the function that an error speaks for.

    Returns
    -------
    its record in ``ARCHITECTURES``.

    Raises
    ------
    InputError : the specification of none.

    Examples
    --------
    >>> ns.networks.architecture_of(ns.networks.ARCHITECTURES["GRU"].specification()).name
    'GRU'
    """
    for architecture in ARCHITECTURES.values():
        if type(specification) is architecture.specification:
            return architecture
    known = ", ".join(ARCHITECTURES)
    raise InputError(f"{asked_by}: a specification of {known} asked, found {specification!r}.")


def build_network(specification: Specification, image_shape: tuple[int, ...], n_categories: int) -> nn.Module:
    """Build the torch module of a specification.

    Networks take images as (batch, [channel,] y, x) and sequences as (time, batch, unit); classifiers return logits
    (batch, category). ``recorded`` names the layers whose activity is recorded.

    Parameters
    ----------
    specification : parameters of an architecture, such as ``ConvNetSpecification``; ``ARCHITECTURES`` has them all.
    image_shape : shape of one stimulus: ([channel,] y, x) of an image, (time, unit) of a sequence, (time,) of words.
    n_categories : number of categories to tell apart, or of outputs.

    Returns
    -------
    the network, with random weights drawn from torch's own generator where none come with it.

    Raises
    ------
    InputError : no specification, a shape that it cannot take, another number of outputs than it has, or something that
        it requires is not installed.

    Examples
    --------
    >>> import torch
    >>> net = ns.build_network(ns.networks.ConvNetSpecification(), (8, 8), 10)
    >>> net(torch.zeros(2, 8, 8)).shape
    torch.Size([2, 10])
    """
    architecture = architecture_of(specification, "build_network")
    needed = architecture.requires
    if needed is not None and not needed.is_met:
        raise InputError(
            f"{architecture.name}: {needed.module} is not installed; pip install 'neurosim[{needed.extra}]'."
        )
    if architecture.n_outputs not in (None, n_categories):
        raise InputError(
            f"build_network: {architecture.name} has {architecture.n_outputs} outputs, {n_categories} asked; "
            "replace_head gives it others."
        )
    network: nn.Module = called(architecture.build)(specification, image_shape, n_categories)
    return network


def n_parameters(network: nn.Module, *, trained_only: bool = False) -> int:
    """Return the number of parameters of a network.

    Parameters
    ----------
    network : any module. trained_only : leave out those that do not ask for gradients.

    Returns
    -------
    the sum of the sizes of its weights and biases.

    Examples
    --------
    >>> from torch import nn
    >>> ns.networks.n_parameters(nn.Linear(3, 2))
    8
    """
    return sum(math.prod(p.shape) for p in network.parameters() if p.requires_grad or not trained_only)
