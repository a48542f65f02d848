"""Feedback alignment: errors travel back through weights of their own, layer by layer or straight to every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurosim.networks.learning_rule import LearningRule
from neurosim.refusals import InputError, check_known

Feedback = Literal["random", "sign", "adaptive"]


@dataclass(frozen=True)
class FeedbackAlignment:
    """How errors travel back.

    Parameters
    ----------
    feedback : weights that bring errors back: "random" and fixed, of the "sign" of the weights forward with random and
        fixed sizes (https://arxiv.org/abs/1510.05067), or "adaptive": they change as the weights forward do, and both
        decay (https://arxiv.org/abs/1904.05391).
    direct : the error of the output goes straight to every layer (https://arxiv.org/abs/1609.01596); "random" alone.
    scale : of random feedback, in units of 1 / sqrt(number of inputs of a layer).
    decay : of adaptive feedback and its weights, added to their gradients.

    Raises
    ------
    InputError : a value that is unknown or out of its range; direct feedback that is not random.

    References
    ----------
    Lillicrap TP, Cownden D, Tweed DB, Akerman CJ (2016) Nat Commun 7:13276, https://doi.org/10.1038/ncomms13276

    Examples
    --------
    >>> ns.networks.FeedbackAlignment(direct=True).feedback
    'random'
    """

    feedback: Feedback = "random"
    direct: bool = False
    scale: float = 1.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        check_known(self.feedback, get_args(Feedback), "FeedbackAlignment: unknown feedback")
        if self.direct and self.feedback != "random":
            raise InputError(f"FeedbackAlignment: direct feedback is 'random', found {self.feedback!r}.")
        if not self.scale > 0 or not self.decay >= 0:
            raise InputError(f"FeedbackAlignment: scale > 0 and decay >= 0 asked, found {self.scale}, {self.decay}.")
        if self.decay and self.feedback != "adaptive":
            raise InputError("FeedbackAlignment: decay is of 'adaptive' feedback; leave it out.")


FEEDBACK_ALIGNMENT = LearningRule(
    name="feedback_alignment",
    options=FeedbackAlignment,
    bind="neurosim.networks.learning.feedback:bind",
    takes="modules whose weights are those of nn.Linear, convolutions and normalisations, each called in forward",
    caption="Errors travel back through weights of their own, layer by layer or from the output to each.",
    citation="Lillicrap TP, Cownden D, Tweed DB, Akerman CJ (2016) Nat Commun 7:13276, "
    "https://doi.org/10.1038/ncomms13276; Nokland A (2016) NeurIPS, https://arxiv.org/abs/1609.01596",
    architectures=("MLP", "ConvNet", "SpikingMLP", "SpikingConvNet", "SpikingRNN", "SEWResNet", "Spikformer", "Vision"),
)
