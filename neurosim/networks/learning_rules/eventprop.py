"""EventProp: the exact gradient of spike times, carried by spikes alone."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.learning_rule import LearningRule
from neurosim.refusals import InputError


@dataclass(frozen=True)
class EventProp:
    """What silent neurons are given, which have no gradient of spike times.

    Parameters
    ----------
    wake : neurons that are silent at every stimulus of a batch gain weights as if this were the gradient of the loss
        by each, downwards (https://doi.org/10.1038/s42256-021-00388-x); 0: they stay silent.

    Raises
    ------
    InputError : a negative number.

    References
    ----------
    Wunderlich TC, Pehle C (2021) Sci Rep 11:12829, https://doi.org/10.1038/s41598-021-91786-z

    Examples
    --------
    >>> ns.networks.EventProp().wake
    0.01
    """

    wake: float = 0.01

    def __post_init__(self) -> None:
        if not self.wake >= 0:
            raise InputError(f"EventProp: wake of at least 0 asked, found {self.wake!r}.")


EVENTPROP = LearningRule(
    name="eventprop",
    options=EventProp,
    bind="neurosim.networks.learning.eventprop:bind",
    takes="networks whose weights are all those of a SpikeTimeLayer",
    caption="The gradient of spike times by adjoint variables that jump at spikes; silent neurons are woken.",
    citation="Wunderlich TC, Pehle C (2021) Sci Rep 11:12829, https://doi.org/10.1038/s41598-021-91786-z",
    architectures=("SpikeTimeMLP",),
)
