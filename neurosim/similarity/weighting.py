"""What a weighting of components is. One a file of the folder ``weightings``, and all by name in ``WEIGHTINGS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim.registry import Registry
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class Weighting:
    """One way to make a flexible model of its component RDMs, fitted to some subjects and stimuli.

    The best direction of ``mean_s cos(sum_c w_c x_c, d_s)`` solves ``A w = b`` with the inner products of the
    components A and their mean inner products b with the normalised subjects.

    Parameters
    ----------
    name : what users type.
    weights : from A (C, C) and b (C,) to weights (C,).
    caption : how it weights, as a method section says it.
    reference : its paper, a DOI.

    Examples
    --------
    >>> equal = ns.similarity.Weighting("equal", lambda among, towards: np.ones(len(towards)), "equal weights")
    >>> equal.weights(np.eye(2), np.array([0.5, 0.1])).tolist()
    [1.0, 1.0]
    """

    name: str
    weights: Callable[[np.ndarray, np.ndarray], np.ndarray]
    caption: str = ""
    reference: str = ""


WEIGHTINGS = Registry("weighting", "neurosim.similarity.weightings", Weighting)
