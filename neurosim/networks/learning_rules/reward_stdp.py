"""Reward-modulated STDP: what spike pairs mark, a reward that comes later makes stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurosim.networks.learning_rule import LearningRule
from neurosim.refusals import InputError, check_known

Reward = Literal["outcome", "loss", "spikes"]


@dataclass(frozen=True)
class RewardSTDP:
    """Which pairs of spikes mark a synapse, for how long, and what the reward is.

    Weights have no bounds, unlike those of the paper. Of three instances two learn which of two groups fires (97 and
    95 %, the third stays at chance); none learns the exclusive or (50 %; ``analyses/learning_rules``).

    Parameters
    ----------
    reward : "outcome", +1 or -1 at the end of a stimulus that was answered rightly or wrongly; "loss", minus its loss
        there; "spikes", +1 at every spike of the output of the right category and -1 at those of others; a
        single output is that of category 1.
    tau_plus, tau_minus : time constants of pairs in which the sender is first, or the receiver, s.
    a_plus, a_minus : what such a pair adds to the mark, or takes from it.
    tau_mark : time constant of the mark, s.
    baseline : share of the running mean reward that a batch keeps; rewards count from this mean. 0: they count from 0.

    Raises
    ------
    InputError : a value that is unknown or out of its range; a baseline of the reward of spikes.

    References
    ----------
    Florian RV (2007) Neural Comput 19:1468-1502, https://doi.org/10.1162/neco.2007.19.6.1468

    Examples
    --------
    >>> ns.networks.RewardSTDP("spikes").tau_mark
    0.025
    """

    reward: Reward = "outcome"
    tau_plus: float = 20e-3
    tau_minus: float = 20e-3
    a_plus: float = 1.0
    a_minus: float = 1.0
    tau_mark: float = 25e-3
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_known(self.reward, get_args(Reward), "RewardSTDP: unknown reward")
        if not min(self.tau_plus, self.tau_minus, self.tau_mark) > 0 or not 0 <= self.baseline < 1:
            raise InputError("RewardSTDP: time constants above 0 s and a baseline in 0..1, below 1, are asked.")
        if self.baseline and self.reward == "spikes":
            raise InputError("RewardSTDP: a baseline is of rewards at the end of a stimulus; leave it out.")


REWARD_STDP = LearningRule(
    name="reward_stdp",
    options=RewardSTDP,
    bind="neurosim.networks.learning.reward:bind",
    takes="nn.Linear, each followed by a SpikingLayer without recurrent weights",
    caption="Pairs of spikes mark synapses; the reward that comes while the mark lasts changes them. Biases stay.",
    citation="Izhikevich EM (2007) Cereb Cortex 17:2443-2452, https://doi.org/10.1093/cercor/bhl152; Florian RV (2007) "
    "Neural Comput 19:1468-1502, https://doi.org/10.1162/neco.2007.19.6.1468",
    architectures=("SpikingMLP",),
)
