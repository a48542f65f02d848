"""Kendall's tau-a of RDMs."""

from __future__ import annotations

from functools import partial

import numpy as np

from neurosim.similarity.kernels.drawn_stimuli import repeated_entries
from neurosim.similarity.method import Method
from neurosim.similarity.methods.tau_b import tau_b


def tau_a(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a of two vectors (P,): concordant minus discordant pairs over all pairs."""
    return tau_b(a, b) * float(np.sqrt(_untied(a) * _untied(b)))


def _untied(vector: np.ndarray) -> float:
    """Fraction of pairs of entries that differ."""
    counts = np.unique(vector, return_counts=True)[1].astype(float)
    n = len(vector)
    return 1 - float((counts * (counts - 1)).sum()) / (n * (n - 1))


def majority_bound(ranks: np.ndarray, bound: float = 1.0, block: int = 256) -> float:
    """Mean over pairs of entries of the absolute mean order among subjects, attained if majorities are transitive."""
    n = ranks.shape[1]
    total = 0.0
    for start in range(0, n, block):
        signs = np.sign(ranks[:, start : start + block, None] - ranks[:, None, :])
        total += float(np.abs(signs.mean(0)).sum())
    found: float = total / (n * (n - 1))
    return found


TAU_A = Method(
    name="tau_a",
    caption="Kendall's tau-a of the entries of two RDMs",
    reference="https://doi.org/10.1371/journal.pcbi.1003553",
    score=tau_a,
    drawn=partial(repeated_entries, score=tau_a),
    best_score=majority_bound,
    ceiling="bound",
)
