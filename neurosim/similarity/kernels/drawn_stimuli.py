"""Scores of RDMs under resampling of the stimuli: linear algebra instead of a loop over resampled RDMs.

Drawing stimulus i ``w_i`` times gives the pair (i, j) the weight ``w_i w_j``; entries of a stimulus with itself have
none. So every inner product of every sample is one entry of a matrix product: weights times products of features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from neurosim.similarity.kernels.arrays import BLOCK_BYTES, n_block, to_square
from neurosim.similarity.kernels.left_out_stimuli import (
    leaves_out_at_most_two,
    left_out_products,
    left_out_rank_products,
)
from neurosim.similarity.kernels.sorted_entries import SortedEntries
from neurosim.similarity.method import Method

SINGULAR = 1e-8
WEIGHT_BYTES, RANK_BYTES, ENTRIES_AT_ONCE = 2**23, 2**23, 2**10
Pairs = tuple[np.ndarray, np.ndarray]


def pair_weights(counts: np.ndarray, axis: int = -1) -> np.ndarray:
    """Weight of every pair, P along `axis`, when stimulus i was drawn ``counts[..., i]`` times (i along `axis`)."""
    moved = np.moveaxis(counts, axis, 0)
    weights = np.concatenate([moved[i] * moved[i + 1 :] for i in range(len(moved) - 1)])
    return np.moveaxis(weights, 0, axis)


def number_of_entries(counts: np.ndarray) -> np.ndarray:
    """How many entries (N,) RDMs have whose stimuli were drawn `counts` (N, K) times."""
    found: np.ndarray = (counts.sum(1) ** 2 - (counts**2).sum(1)) / 2
    return found


def gram_of_features(
    features: np.ndarray, counts: np.ndarray, method: Method, *, n_models: int = 0, normalise: bool = True
) -> np.ndarray:
    """Inner products of RDMs as `method` embeds them, under resampling of the stimuli.

    Parameters
    ----------
    features : RDMs (F, P), upper entries.
    counts : (N, K), how often each stimulus was drawn in each sample; a row of ones is the plain comparison.
    method : one that has inference.
    n_models : the first so many RDMs are not compared with each other: their entries are NaN.
    normalise : give scores; without it, for the linear methods, the plain inner products.

    Returns
    -------
    (N, F, F), the score of every RDM with every other in every sample.
    """
    if method.drawn is None:
        raise TypeError(f"{method.name} has no inner products under resampling")
    pairs = _wanted_pairs(len(features), n_models)
    gram = _filled(method.drawn(features, counts, pairs), pairs, len(features))
    return _normalised(gram) if method.normalised and normalise else gram


def linear_products(
    features: np.ndarray, counts: np.ndarray, pairs: Pairs, *, centre: bool, whitened: bool
) -> np.ndarray:
    """Inner products (N, pairs) of entries, of `centre` of entries less their mean, of RDMs that are `whitened`."""
    if centre:
        features = features - features.mean(1, keepdims=True)
    products, sums = _weighted_products(features, counts, pairs, with_sums=centre)
    mean = np.zeros((len(counts), len(features)))
    if centre:
        mean = sums / number_of_entries(counts)[:, None]
        products = products - mean[:, pairs[0]] * sums[:, pairs[1]]
    found: np.ndarray = 2 * products - _row_sum_products(features, mean, counts, pairs) if whitened else products
    return found


def rank_products(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Inner products (N, pairs) of the centred ranks of entries, each as often as it was drawn."""
    if leaves_out_at_most_two(counts):
        return left_out_rank_products(features, counts, pairs)
    return drawn_rank_products(features, counts, pairs)


def drawn_rank_products(features: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return :func:`rank_products` of stimuli that are drawn any number of times."""
    sorted_features = [SortedEntries.of(feature) for feature in features]
    products = np.empty((len(counts), len(pairs[0])))
    for part in _sample_blocks(len(counts), features.size, RANK_BYTES):
        weights = pair_weights(counts[part].T.astype(np.int32), axis=0)
        ranks = np.stack([f.doubled_ranks(weights) for f in sorted_features])
        gram = np.zeros((weights.shape[1], len(features), len(features)))
        for start in range(0, len(weights), ENTRIES_AT_ONCE):
            block = slice(start, start + ENTRIES_AT_ONCE)
            values = ranks[:, block].transpose(2, 0, 1).astype(float, order="C")
            weighted = values * weights[block].T[:, None]
            gram += weighted @ values.transpose(0, 2, 1)
        products[part] = gram[:, pairs[0], pairs[1]] / 4
    return products


def repeated_entries(
    features: np.ndarray, counts: np.ndarray, pairs: Pairs, *, score: Callable[[np.ndarray, np.ndarray], float]
) -> np.ndarray:
    """Scores (N, pairs) of RDMs (F, P) whose entries stand as often as they were drawn; for any `score` of entries."""
    scores = np.empty((len(counts), len(pairs[0])))
    for n, weights in enumerate(pair_weights(counts).astype(int)):
        expanded = np.repeat(features, weights, axis=1)
        scores[n] = [score(expanded[i], expanded[j]) for i, j in zip(*pairs, strict=True)]
    return scores


def _wanted_pairs(n_features: int, n_models: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.triu_indices(n_features)
    wanted = (columns >= n_models) | (rows == columns)
    return rows[wanted], columns[wanted]


def _weighted_products(
    features: np.ndarray, counts: np.ndarray, pairs: Pairs, *, with_sums: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums over entries of products (N, pairs), and of features (N, F) if asked for."""
    if leaves_out_at_most_two(counts):
        return left_out_products(features, counts, pairs)[:2]
    n_samples, n_pairs = len(counts), len(pairs[0])
    found = np.zeros((n_pairs + with_sums * len(features), n_samples))
    for part, weights in _weight_blocks(counts, n_block(n_samples + n_pairs, WEIGHT_BYTES)):
        block = features[:, part]
        products = block[pairs[0]]
        products *= block[pairs[1]]
        found += (np.concatenate([products, block]) if with_sums else products) @ weights
    return found[:n_pairs].T, found[n_pairs:].T


def _weight_blocks(counts: np.ndarray, most: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield consecutive entries of RDMs, all those of a few stimuli, with their weights (entries, N) until the next."""
    by_stimulus = np.ascontiguousarray(counts.T)
    n = len(by_stimulus)
    weights = np.empty((max(most, n - 1), len(counts)))
    begin = filled = 0
    for i in range(n - 1):
        if filled + n - 1 - i > len(weights):
            yield slice(begin, begin + filled), weights[:filled]
            begin, filled = begin + filled, 0
        np.multiply(by_stimulus[i], by_stimulus[i + 1 :], out=weights[filled : filled + n - 1 - i])
        filled += n - 1 - i
    yield slice(begin, begin + filled), weights[:filled]


def _row_sum_products(features: np.ndarray, mean: np.ndarray, counts: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Sum products of row sums: what whitening by the covariance of independent noise takes off, in closed form."""
    square = to_square(features, counts.shape[1])
    products = np.empty((len(counts), len(pairs[0])))
    for part in _sample_blocks(len(counts), len(features) * counts.shape[1]):
        products[part] = _solved_products(square, mean[part], counts[part])[:, pairs[0], pairs[1]]
    return products


def _solved_products(square: np.ndarray, mean: np.ndarray, counts: np.ndarray) -> np.ndarray:
    n = counts.sum(1, keepdims=True)
    row_sums = np.stack([counts @ s for s in square]) - mean.T[:, :, None] * (n - counts)
    diagonal = n / 2 + 1 - counts
    inverse = 1 / np.where(diagonal == 0, SINGULAR, diagonal)
    scaled = counts * inverse
    solved = row_sums * inverse
    solved -= ((row_sums * scaled).sum(-1) / (2 + scaled.sum(1)))[..., None] * inverse
    left, right = (row_sums * counts).transpose(1, 0, 2), solved.transpose(1, 2, 0)
    found: np.ndarray = left @ right
    return found


def _sample_blocks(n_samples: int, size: int, block_bytes: int = BLOCK_BYTES) -> Iterator[slice]:
    step = n_block(size, block_bytes)
    for start in range(0, n_samples, step):
        yield slice(start, start + step)


def _filled(values: np.ndarray, pairs: Pairs, n_features: int) -> np.ndarray:
    gram = np.full((len(values), n_features, n_features), np.nan)
    gram[:, pairs[0], pairs[1]] = values
    gram[:, pairs[1], pairs[0]] = values
    return gram


def _normalised(gram: np.ndarray) -> np.ndarray:
    norm = np.sqrt(np.maximum(np.diagonal(gram, axis1=1, axis2=2), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = gram / (norm[:, :, None] * norm[:, None, :])
        return found
