"""What a learning rule is: a record in a file of ``learning_rules/``, which says what it takes.

The records load without torch, so that a study is checked without it; what a rule does is found by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from neurosim.refusals import InputError
from neurosim.registry import Registry, options_of
from neurosim.showing import shown

Opt = TypeVar("Opt")


@shown
@dataclass(frozen=True)
class LearningRule(Generic[Opt]):
    """One way to find what a step of training goes down by: its options, what it learns and its paper.

    Parameters
    ----------
    name : as files and users name it. caption : one sentence about it. citation : the paper behind it, with its DOI.
    options : frozen dataclass of its options, which load without torch.
    bind : function (network, options, seed) that returns the rule at work on a network, or where it is:
        "module:function"; None for the gradient that torch finds.
    takes : the networks that it learns, in words, as an error says them.
    architectures : names of those that it learns; what it takes of them, and of modules of one's own, `bind` sees.

    Raises
    ------
    InputError : the options are no frozen dataclass, or the citation has no DOI (or arXiv number).

    Examples
    --------
    >>> ns.networks.LEARNING_RULES["eprop"].takes
    'one nn.Linear, the SpikingLayer that it drives, and one nn.Linear that reads it'
    >>> list(ns.networks.LEARNING_RULES)[0]
    'backpropagation'
    """

    name: str
    options: type[Opt]
    bind: Callable[..., Any] | str | None
    takes: str
    caption: str
    citation: str
    architectures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parameters = getattr(self.options, "__dataclass_params__", None)
        if parameters is None or not parameters.frozen:
            raise InputError(f"LearningRule {self.name!r}: its options have to be a frozen dataclass.")
        if not any(where in self.citation for where in ("doi.org/10.", "arxiv.org/abs/")):
            raise InputError(f"LearningRule {self.name!r}: its citation has no DOI, as https://doi.org/10....")

    def refusal(self, architecture: str) -> str | None:
        """Return in one line why an architecture is not learned by this rule, or None where it may be.

        Examples
        --------
        >>> rules = ns.networks.LEARNING_RULES
        >>> rules["backpropagation"].refusal("GRU")
        >>> rules["eprop"].refusal("GRU")[:44]
        'rule eprop learns SpikingRNN, not GRU; it ta'
        """
        if self.bind is None or architecture in self.architectures:
            return None
        known = ", ".join(self.architectures)
        return f"rule {self.name} learns {known}, not {architecture}; it takes {self.takes}."


LEARNING_RULES: Registry[LearningRule[Any]] = Registry(
    "learning rule", "neurosim.networks.learning_rules", LearningRule
)


@dataclass(frozen=True)
class Asked:
    """A rule with its options."""

    rule: LearningRule[Any]
    options: Any

    def key(self) -> dict[str, Any]:
        """Return what of it changes a training."""
        return {"name": self.rule.name} | asdict(self.options)


def asked_rule(given: object, options: Mapping[str, object] | None = None, asked_by: str = "train") -> Asked:
    """Return the rule of a name, or of the record of its options.

    Raises
    ------
    InputError : a name that is not known, an option that it does not have.

    Examples
    --------
    >>> asked_rule("feedback_alignment", {"direct": True}).options.direct
    True
    """
    if isinstance(given, str):
        rule = LEARNING_RULES.find(given, asked_by)
        return Asked(rule, options_of(rule.options, options, f"{asked_by}: rule {given!r}"))
    for rule in LEARNING_RULES.values():
        if isinstance(given, rule.options):
            return Asked(rule, given)
    known = ", ".join(LEARNING_RULES)
    raise InputError(f"{asked_by}: rule= is a name or the options of a rule, found {given!r}; known: {known}.")
