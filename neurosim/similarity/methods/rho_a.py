"""Spearman correlation of RDMs without credit for ties."""

from __future__ import annotations

import numpy as np

from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.kernels.comparisons import centred_ranks
from neurosim.similarity.kernels.drawn_stimuli import Pairs, number_of_entries, rank_products
from neurosim.similarity.method import Method


def embed(rdms: np.ndarray) -> np.ndarray:
    """Return the centred ranks (A, P) of the entries of RDMs (A, K, K), of norm 1 where none are tied."""
    return embed_entries(upper(rdms))


def embed_entries(entries: np.ndarray) -> np.ndarray:
    """Return what `embed` does, of upper entries (A, P)."""
    centred = centred_ranks(entries)
    n = centred.shape[-1]
    found: np.ndarray = centred * np.sqrt(12 / (n**3 - n))
    return found


def drawn_products(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return the scores (N, pairs) of RDMs (F, P) whose stimuli were drawn `counts` (N, K) times."""
    total = number_of_entries(counts)
    found: np.ndarray = rank_products(features, counts, pairs) * (12 / (total**3 - total))[:, None]
    return found


def best_score(ranks: np.ndarray, bound: float) -> float:
    """Return the mean score of the ranks of mean ranks with subjects (S, P): no other ranks have a higher one."""
    embedded = embed_entries(np.concatenate([ranks.mean(0)[None], ranks]))
    return float((embedded[:1] @ embedded[1:].T).mean())


RHO_A = Method(
    name="rho_a",
    caption="Spearman correlation of the entries of two RDMs, without credit for ties",
    reference="https://doi.org/10.7554/eLife.82566",
    embed=embed,
    drawn=drawn_products,
    best_score=best_score,
    ceiling="exact",
)
