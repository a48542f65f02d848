"""E-prop: a recurrent spiking layer learns from eligibility traces and a signal that its readout sends back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurosim.networks.learning_rule import LearningRule
from neurosim.refusals import InputError, check_known

Signal = Literal["symmetric", "random", "adaptive"]


@dataclass(frozen=True)
class EProp:
    """How errors of the readout reach the neurons, and what they pay for their rates.

    Parameters
    ----------
    feedback : weights that bring errors to neurons: "symmetric", those of the readout; "random" and fixed; "adaptive":
        random at the start, they change as the readout does, and both decay.
    scale : of random feedback, in units of 1 / sqrt(number of neurons).
    decay : of adaptive feedback and of the readout, added to their gradients.
    rate : mean rate that neurons are asked to have, spikes/s.
    rate_weight : price of half the squared distance, in spikes a step, from that rate, summed over neurons.

    Raises
    ------
    InputError : a value that is unknown or out of its range.

    References
    ----------
    Bellec G, Scherr F, Subramoney A, et al. (2020) Nat Commun 11:3625, https://doi.org/10.1038/s41467-020-17236-y

    Examples
    --------
    >>> ns.networks.EProp("random", rate=10.0, rate_weight=1.0).decay
    0.0
    """

    feedback: Signal = "symmetric"
    scale: float = 1.0
    decay: float = 0.0
    rate: float = 10.0
    rate_weight: float = 0.0

    def __post_init__(self) -> None:
        check_known(self.feedback, get_args(Signal), "EProp: unknown feedback")
        if not self.scale > 0 or not min(self.decay, self.rate, self.rate_weight) >= 0:
            raise InputError("EProp: scale > 0 and decay, rate and rate_weight >= 0 are asked.")
        if self.decay and self.feedback != "adaptive":
            raise InputError("EProp: decay is of 'adaptive' feedback; leave it out.")


EPROP = LearningRule(
    name="eprop",
    options=EProp,
    bind="neurosim.networks.learning.eprop:bind",
    takes="one nn.Linear, the SpikingLayer that it drives, and one nn.Linear that reads it",
    caption="Eligibility traces times what the readout sends back; what a spike does through recurrent weights is left "
    "out.",
    citation="Bellec G, Scherr F, Subramoney A, et al. (2020) Nat Commun 11:3625, "
    "https://doi.org/10.1038/s41467-020-17236-y",
    architectures=("SpikingRNN",),
)
