"""Measures of alignment by name: what each compares, what it needs, and its reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from neurosim.similarity.alignment import cca, cka
from neurosim.similarity.dynamics import dsa
from neurosim.similarity.shapes import ShapeMetric, soft_matching, stochastic_shape
from neurosim.study.kinds import Citation


@dataclass(frozen=True)
class Measure:
    """A measure of alignment of two sets of responses to the same stimuli.

    Parameters
    ----------
    name : what users type.
    score : from two arrays (stimulus, [trial or time,] unit) to a number.
    caption : what the number is.
    reference : the paper.
    needs : "patterns" (stimulus, unit), "trials" or "time" besides.
    distance : whether alike means small.
    null : score of what has nothing in common, where that is known; tests are against it.
    rotations : whether only inner products and distances of patterns count, so that units may be rotated.
    options : options of `score` and their defaults.
    """

    name: str
    score: Callable[..., float]
    caption: str
    reference: str
    needs: Literal["patterns", "trials", "time"] = "patterns"
    distance: bool = False
    null: float | None = None
    rotations: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def citation(self) -> Citation:
        """Return what it was used for, and the paper."""
        return self.caption, self.reference


def shape(a: Any, b: Any, *, alpha: float = 1.0) -> float:
    """Return the angle between two shapes, rad."""
    return ShapeMetric(alpha=alpha).distance(a, b)


_CKA = "Nguyen T, Raghu M, Kornblith S (2021) ICLR, https://arxiv.org/abs/2010.15327"
_SHAPES = "Williams AH, Kunz E, Kornblith S, Linderman SW (2021) NeurIPS, https://arxiv.org/abs/2110.14739"
_ALL = (
    Measure("cka", cka, "CKA (debiased)", _CKA, null=0.0),
    Measure(
        "cka_rbf", partial(cka, kernel="rbf"), "CKA (debiased, Gaussian)", _CKA, null=0.0, options={"bandwidth": 1.0}
    ),
    Measure(
        "cka_unit_corrected",
        partial(cka, estimator="unit_corrected"),
        "CKA (unbiased by stimuli and units)",
        "Chun C, Canatar A, Chung S, Lee D (2025) ICLR, https://arxiv.org/abs/2502.15104",
        null=0.0,
        rotations=False,
    ),
    Measure(
        "svcca",
        partial(cca, method="svcca"),
        "SVCCA",
        "Raghu M, Gilmer J, Yosinski J, Sohl-Dickstein J (2017) NeurIPS, https://arxiv.org/abs/1706.05806",
        options={"variance": 0.99},
    ),
    Measure(
        "pwcca",
        partial(cca, method="pwcca"),
        "PWCCA",
        "Morcos AS, Raghu M, Bengio S (2018) NeurIPS, https://arxiv.org/abs/1806.05759",
        rotations=False,
    ),
    Measure("shape", shape, "shape distance (rad)", _SHAPES, distance=True, options={"alpha": 1.0}),
    Measure(
        "soft_matching",
        soft_matching,
        "soft matching of units",
        "Khosla M, Williams AH (2024) UniReps, https://arxiv.org/abs/2311.09466",
        rotations=False,
    ),
    Measure(
        "stochastic_shape",
        stochastic_shape,
        "stochastic shape distance",
        "Duong LR, Zhou J, Nassar J, et al. (2023) ICLR, https://arxiv.org/abs/2211.11665",
        needs="trials",
        distance=True,
        options={"alpha": 1.0, "n_restarts": 5},
    ),
    Measure(
        "dsa",
        dsa,
        "distance of dynamics (DSA)",
        "Ostrow M, Eisen A, Kozachkov L, Fiete I (2023) NeurIPS, https://arxiv.org/abs/2306.10168",
        needs="time",
        distance=True,
        options={"n_delays": 10, "rank": 10},
    ),
)
MEASURES = {measure.name: measure for measure in _ALL}
