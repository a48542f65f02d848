"""Kendall's tau-a of RDMs."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import n_block
from neurosim.similarity.kernels.concordance import drawn_concordance, left_out_concordance
from neurosim.similarity.kernels.drawn_stimuli import Pairs, number_of_entries
from neurosim.similarity.kernels.left_out_stimuli import leaves_out_at_most_two, signs_of_differences
from neurosim.similarity.method import Method
from neurosim.similarity.methods.tau_b import tau_b

SIGN_BYTES = 2**22


def tau_a(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a of two vectors (P,): concordant minus discordant pairs over all pairs."""
    return tau_b(a, b) * float(np.sqrt(_untied(a) * _untied(b)))


def _untied(vector: np.ndarray) -> float:
    """Fraction of pairs of entries that differ."""
    counts = np.unique(vector, return_counts=True)[1].astype(float)
    n = len(vector)
    return 1 - float((counts * (counts - 1)).sum()) / (n * (n - 1))


def drawn_products(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the scores (N, pairs) of RDMs (F, P) whose stimuli were drawn `counts` (N, K) times."""
    concordance = left_out_concordance if leaves_out_at_most_two(counts) else drawn_concordance
    entries = number_of_entries(counts)
    found: np.ndarray = concordance(features, counts, pairs) / (entries * (entries - 1))[:, None]
    return found


def majority_bound(ranks: np.ndarray, bound: float = 1.0) -> float:
    """Mean over pairs of entries of the absolute mean order among subjects, attained if majorities are transitive."""
    n_subjects, n = ranks.shape
    doubled, step = (2 * ranks).astype(np.float32), n_block(ranks.size, SIGN_BYTES)
    total = 0.0
    for start in range(0, n, step):
        signs = signs_of_differences(doubled[:, start : start + step, None], doubled[:, None, start:])
        majority = np.abs(signs.sum(0))
        total += float(2 * majority.sum(dtype=float) - majority[:, :step].sum(dtype=float))
    found: float = total / (n_subjects * n * (n - 1))
    return found


TAU_A = Method(
    name="tau_a",
    caption="Kendall's tau-a of the entries of two RDMs",
    reference="https://doi.org/10.1371/journal.pcbi.1003553",
    score=tau_a,
    drawn=drawn_products,
    best_score=majority_bound,
    ceiling="bound",
)
