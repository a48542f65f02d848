"""Judgements as distances: shares of odd-one-out choices, and arrangements brought to one scale."""

from __future__ import annotations

import numpy as np

TOLERANCE, MOST_ROUNDS = 1e-12, 10_000
Arranged = tuple[np.ndarray, np.ndarray, np.ndarray]


def shares_of_triplets(index: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of their triplets in which pairs (n, n) were not chosen, NaN without one, and the number of triplets.

    `index` (T, 3) are the stimuli of each triplet, the odd one last, so the first two are the chosen pair.
    """
    shown = np.zeros((n, n))
    chosen = np.zeros((n, n))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        np.add.at(shown, (index[:, a], index[:, b]), 1)
    np.add.at(chosen, (index[:, 0], index[:, 1]), 1)
    shown, chosen = shown + shown.T, chosen + chosen.T
    share = 1 - np.divide(chosen, shown, out=np.full((n, n), np.nan), where=shown > 0)
    np.fill_diagonal(share, 0.0)
    return share, shown.astype(int)


def weighted_distances(arranged: list[Arranged], n: int) -> np.ndarray:
    """Mean distances (n, n) of arrangements (rows, columns, distances), each scaled to it; root mean square 1.

    A distance weighs by its square as it was arranged. The scale of an arrangement makes its norm that of the mean at
    its pairs. NaN where no arrangement has a pair.
    """
    weight, times = np.zeros((n, n)), np.zeros((n, n))
    for rows, columns, apart in arranged:
        weight[rows, columns] += apart**2
        times[rows, columns] += 1
    known = times > 0
    scales = np.array([1 / np.sqrt((apart**2).mean()) for _, _, apart in arranged])
    mean = np.zeros((n, n))
    for _ in range(MOST_ROUNDS):
        total = np.zeros((n, n))
        for (rows, columns, apart), scale in zip(arranged, scales, strict=True):
            total[rows, columns] += scale * apart**3
        found = np.divide(total, weight, out=np.zeros((n, n)), where=weight > 0)
        found /= np.sqrt((found[known] ** 2).mean())
        change, mean = np.abs(found - mean).max(), found
        if change < TOLERANCE:
            break
        scales = np.array(
            [np.sqrt((mean[rows, columns] ** 2).sum() / (apart**2).sum()) for rows, columns, apart in arranged]
        )
    square = np.where(known, mean, np.nan)
    square = np.where(np.triu(np.ones((n, n), dtype=bool), 1), square, 0.0)
    return np.asarray(square + square.T)
