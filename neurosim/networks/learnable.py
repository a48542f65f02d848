"""Which numbers of spiking neurons are learned, by what each is shared, and in which form; without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from neurosim.parameters import DiscreteParameters
from neurosim.refusals import InputError, suggest

Sharing = Literal["fixed", "layer", "channel", "neuron"]
Form = Literal["free", "clamped"]
COEFFICIENTS: dict[str, str] = {
    "tau_mem": "beta",
    "tau_syn": "alpha",
    "tau_threshold": "rho",
    "threshold": "threshold",
    "rise": "rise",
}


@dataclass(frozen=True)
class Learnable:
    """Which numbers of a layer of spiking neurons are learned (parametric neurons).

    Time constants as in https://doi.org/10.1109/ICCV48922.2021.00266. Each number is "fixed", one for the "layer", one
    a "channel" (the first axis of the units) or one a "neuron". It starts from the record of the neurons.

    Parameters
    ----------
    tau_mem, tau_syn, tau_threshold : time constants of the membrane, of the synaptic current, of the threshold.
    threshold, rise : threshold, and its rise a spike.
    form : how a number is kept as a parameter of torch. "free": the number is valid whatever its parameter becomes. Of
        a time constant that is the logit of the share that is left after a step, of a threshold or rise its logarithm;
        weight decay draws these to 0, which is a share of 1/2, a threshold and a rise of 1. "clamped": the parameter is
        the share, threshold or rise itself, cut to 0..1 (share), 1e-6 or more (threshold), 0 or more (rise), as
        snnTorch does with the shares; weight decay draws it to 0.

    Raises
    ------
    InputError : another word.

    Examples
    --------
    >>> ns.networks.Learnable(tau_mem="layer", threshold="neuron").learned
    {'tau_mem': 'layer', 'threshold': 'neuron'}
    """

    tau_mem: Sharing = "fixed"
    tau_syn: Sharing = "fixed"
    tau_threshold: Sharing = "fixed"
    threshold: Sharing = "fixed"
    rise: Sharing = "fixed"
    form: Form = "free"

    def __post_init__(self) -> None:
        for field in fields(self):
            known, value = get_args(Form if field.name == "form" else Sharing), getattr(self, field.name)
            if value not in known:
                raise InputError(
                    f"Learnable: {field.name} = {value!r}; known: {', '.join(known)}.{suggest(str(value), known)}"
                )

    @property
    def learned(self) -> dict[str, Sharing]:
        """The numbers that are learned, and by what each is shared."""
        return {name: getattr(self, name) for name in COEFFICIENTS if getattr(self, name) != "fixed"}

    def check(self, neuron: DiscreteParameters) -> None:
        """Refuse numbers that such neurons do not have, or from which nothing can be learned in this form.

        Raises
        ------
        InputError : one of these.
        """
        for name in self.learned:
            kind = type(neuron).__name__
            if not hasattr(neuron, name):
                raise InputError(f"Learnable: {kind} has no {name}, which was asked to be learned.")
            value = getattr(neuron, name)
            if self.form == "free" and value in (math.inf, 0):
                raise InputError(
                    f"Learnable: {name} = {value:g} of {kind} is at the end of its range, from which the form 'free' "
                    "does not learn; start inside it, or take form = 'clamped'."
                )


FIXED = Learnable()


def learned_of(neuron: DiscreteParameters) -> tuple[str, ...]:
    """Return the names of the numbers that neurons of this record can learn.

    >>> from neurosim.parameters import DiscreteAdaptiveLIFParameters
    >>> learned_of(DiscreteAdaptiveLIFParameters())
    ('tau_mem', 'tau_threshold', 'threshold', 'rise')
    """
    return tuple(name for name in COEFFICIENTS if hasattr(neuron, name))


def coefficient_of(neuron: DiscreteParameters, name: str) -> float:
    """Return the number of a step that stands for `name` in a record.

    >>> from neurosim.parameters import DiscreteSynapticParameters
    >>> coefficient_of(DiscreteSynapticParameters(tau_syn=math.inf), "tau_syn")
    1.0
    """
    return float(getattr(neuron, COEFFICIENTS[name]))
