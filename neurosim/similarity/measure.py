"""What a measure of alignment is. One a file of the folder ``measures``, and all by name in ``MEASURES``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from typing import Literal, cast

from neurosim.registry import Registry, called
from neurosim.showing import shown

Score = Callable[..., float]


@shown
@dataclass(frozen=True)
class Measure:
    """One way to score how alike two subjects answer, from their responses: its function, and what it takes.

    Parameters
    ----------
    name : what users type.
    score : function of two responses, or where it stands, "module:function"; its keyword-only arguments are options.
    caption : what a score is, as a figure says it.
    reference : its paper, a DOI.
    dims : of the responses that it takes.
    same_stimuli : both subjects saw the same stimuli; they are matched by label.
    is_distance : alike subjects have a small score, the same ones 0; otherwise a high one, 1.
    ignores : which changes of the units leave the score as it is: their order ("permutation"), also a "rotation", or
        any invertible "linear" map.
    symmetric : two subjects have one score, whichever comes first.
    fewest_stimuli : stimuli it takes.
    chance : mean score, with default options, of subjects that have nothing in common, where it is known.

    Examples
    --------
    >>> def mean_agreement(a, b):
    ...     return float(np.corrcoef(a.mean(1), b.mean(1))[0, 1])
    >>> x = np.random.default_rng(0).normal(size=(20, 4))
    >>> measure = ns.similarity.Measure("mean_agreement", mean_agreement, "correlation of the mean over units")
    >>> with ns.similarity.MEASURES.added(measure):
    ...     round(float(ns.similarity.jackknife("mean_agreement", x, x, progress=False).score), 6)
    1.0
    """

    name: str
    score: Score | str
    caption: str = ""
    reference: str = ""
    dims: tuple[str, ...] = ("stimulus", "unit")
    same_stimuli: bool = True
    is_distance: bool = False
    ignores: Literal["permutation", "rotation", "linear"] = "permutation"
    symmetric: bool = True
    fewest_stimuli: int = 3
    chance: float | None = None

    @property
    def function(self) -> Score:
        """The function of two responses."""
        return cast(Score, called(self.score))

    @property
    def options(self) -> type:
        """A frozen dataclass of the options that the function takes, with its defaults."""
        given = inspect.signature(self.function).parameters.values()
        named = [p for p in given if p.kind is p.KEYWORD_ONLY and p.name != "progress"]
        return make_dataclass(
            f"{self.name}_options", [(p.name, p.annotation, field(default=p.default)) for p in named], frozen=True
        )


MEASURES = Registry("measure", "neurosim.similarity.measures", Measure)
