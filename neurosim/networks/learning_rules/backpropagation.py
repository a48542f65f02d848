"""The gradient of the loss, as torch finds it."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.learning_rule import LearningRule


@dataclass(frozen=True)
class Backpropagation:
    """The gradient of the loss, through time where there is one.

    References
    ----------
    Rumelhart DE, Hinton GE, Williams RJ (1986) Nature 323:533-536, https://doi.org/10.1038/323533a0

    Examples
    --------
    >>> ns.networks.Backpropagation()
    Backpropagation()
    """


BACKPROPAGATION = LearningRule(
    name="backpropagation",
    options=Backpropagation,
    bind=None,
    takes="any module",
    caption="The gradient of the loss by the chain rule, surrogates in place of the derivatives of spikes.",
    citation="Rumelhart DE, Hinton GE, Williams RJ (1986) Nature 323:533-536, https://doi.org/10.1038/323533a0",
)
