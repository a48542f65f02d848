"""How stimuli are put into clusters: one method a file, and all of them by name in ``CLUSTERINGS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.registry import NoOptions, Registry
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class Clustering:
    """One way to put stimuli into clusters.

    Parameters
    ----------
    name : what users type.
    assign : from patterns (stimulus, unit), the number of clusters, a seed and the options to clusters (stimulus,),
        counted from 0.
    caption : what it does. reference : its paper, a DOI.
    options : what can be chosen, a frozen dataclass with defaults.

    Examples
    --------
    >>> from neurosim.responses import cluster_stimuli
    >>> def by_size(patterns, n_clusters, rng, options):
    ...     return patterns.sum(1).argsort().argsort() * n_clusters // len(patterns)
    >>> with CLUSTERINGS.added(Clustering("by_size", by_size, "quantiles of the sum")):
    ...     cluster_stimuli(np.array([[1.0], [9.0], [2.0], [8.0]]), 2, "by_size").cluster.values.tolist()
    [0, 1, 0, 1]
    """

    name: str
    assign: Callable[[np.ndarray, int, int, Any], np.ndarray]
    caption: str = ""
    reference: str = ""
    options: type = NoOptions


CLUSTERINGS = Registry("method", "neurosim.responses.clusterings", Clustering)
