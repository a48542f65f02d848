"""Kendall's tau-b of RDMs."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.method import Method


def tau_b(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-b of two vectors (P,): tau-a over its largest value given the ties."""
    from scipy import stats

    return float(stats.kendalltau(a, b).statistic)


TAU_B = Method(
    name="tau_b",
    caption="Kendall's tau-b of the entries of two RDMs",
    reference="https://doi.org/10.1093/biomet/33.3.239",
    score=tau_b,
)
