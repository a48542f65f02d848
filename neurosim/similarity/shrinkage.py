"""What a shrinkage is. One a file of the folder ``shrinkages``, and all by name in ``SHRINKAGES``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim.registry import Registry
from neurosim.showing import shown
from neurosim.similarity.common_trials import CommonTrials


@shown
@dataclass(frozen=True)
class Shrinkage:
    """One way to estimate the covariance of noise between units from few measurements.

    Parameters
    ----------
    name : what users type.
    covariance : from residuals (n, P) and their degrees of freedom to a covariance (P, P), or to variances (P,).
    common : the same from :class:`CommonTrials` of units that lack other trials than other units, where it can.
    caption : what it shrinks towards, as a method section says it.
    reference : its paper, a DOI.

    Examples
    --------
    >>> def halved(residuals, df):
    ...     sample = residuals.T @ residuals / df
    ...     return (sample + np.diag(np.diagonal(sample))) / 2
    >>> with ns.similarity.SHRINKAGES.added(ns.similarity.Shrinkage("halved", halved, "half of the correlations")):
    ...     ns.similarity.noise_precision(np.random.default_rng(0).normal(size=(9, 3)), shrinkage="halved").shape
    (3, 3)
    """

    name: str
    covariance: Callable[[np.ndarray, int], np.ndarray]
    common: Callable[[CommonTrials], np.ndarray] | None = None
    caption: str = ""
    reference: str = ""


SHRINKAGES = Registry("shrinkage", "neurosim.similarity.shrinkages", Shrinkage)
