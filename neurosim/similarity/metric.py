"""What a metric is: how an RDM is made. One a file of the folder ``metrics``, and all by name in ``METRICS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurosim.registry import Registry
from neurosim.showing import shown
from neurosim.similarity.kernels.arrays import Array

Domain = Literal["all", "varying", "nonzero", "rates"]
Whitening = Literal["none", "if_given", "always", "of_training"]


@shown
@dataclass(frozen=True)
class Metric:
    """One way to make an RDM: its kernel, and what it can take.

    Parameters
    ----------
    name : what users type.
    kernel : distances (K, K) of patterns (K, P), K stimuli in P units; with `folds`, of trials (M, K, P). A numpy
        function that knows no labels.
    caption : what a distance is, as a figure says it.
    reference : its paper, a DOI.
    folds : trials are independent folds, 2 or more; otherwise they are averaged first.
    unequal_folds : the kernel takes a last argument ``measured`` (M, K), true where a trial showed a stimulus.
    within_folds : with `unequal_folds`, two stimuli are held against each other in one fold, which measured both.
    across_units : kernel of distances (..., K, K) of folds (..., M, K, P), 0 where they were not measured, of what each
        unit measured of them (M, K, P), and of a precision (P, P) of the noise of units, if it has one.
    gram : kernel of the second moments (K, K) that the distances come from, if they do.
    whitening : "none"; "if_given", patterns are whitened by a precision if there is one; "always", by one that is
        estimated from trials where none is given; "of_training", the kernel takes a second argument, a function from
        training trials (M - 1, K, P), and what of them was measured if not all, to a factor (P, P) of the precision of
        their noise.
    defined_for : which patterns have a distance: "all", "varying" over units, "nonzero", "rates" of 0 or more.
    fewest_units : units it takes for a distance to say anything.
    blocks : the kernel takes leading dims (..., K, P), and reads units in blocks from whatever can be sliced.
    tensors : with `blocks`, the kernel takes torch tensors too and can be differentiated.
    adds_up : a distance is the mean over units of distances of one unit, so units may differ in their trials.
    without_trials : name of the metric for subjects that answer once, such as models, where this one needs trials.
    chance : with `folds`, the mean distance of pure noise.

    Examples
    --------
    >>> def largest(patterns):
    ...     return abs(patterns[:, None] - patterns[None]).max(-1)
    >>> with ns.similarity.METRICS.added(ns.similarity.Metric("largest", largest, "largest difference of any unit")):
    ...     ns.compute_rdm(np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 4.0]]), "largest").values.tolist()
    [[0.0, 2.0, 3.0], [2.0, 0.0, 3.0], [3.0, 3.0, 0.0]]
    """

    name: str
    kernel: Callable[..., Array]
    caption: str = ""
    reference: str = ""
    folds: bool = False
    unequal_folds: bool = False
    within_folds: bool = False
    across_units: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None
    gram: Callable[..., Array] | None = None
    whitening: Whitening = "none"
    defined_for: Domain = "all"
    fewest_units: int = 1
    blocks: bool = False
    tensors: bool = False
    adds_up: bool = False
    without_trials: str | None = None
    chance: float = 0.0

    @property
    def takes_precision(self) -> bool:
        """Whether a precision of the noise of units can be given."""
        return self.whitening != "none"

    @property
    def fewest_trials(self) -> int:
        """Trials of every stimulus that it takes without a precision: 0 where none are needed."""
        if self.whitening == "of_training":
            return 3
        return 2 if self.folds or self.whitening == "always" else 0

    def with_trials(self, n_trials: int) -> str:
        """Return the name of the metric for so many trials: this one, or the one for subjects that answer once.

        >>> ns.similarity.METRICS["crossnobis"].with_trials(4), ns.similarity.METRICS["crossnobis"].with_trials(0)
        ('crossnobis', 'euclidean')
        """
        return self.name if n_trials >= self.fewest_trials or self.without_trials is None else self.without_trials


METRICS = Registry("metric", "neurosim.similarity.metrics", Metric)
