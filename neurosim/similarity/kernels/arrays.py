"""What the kernels share: the library an array belongs to, blocks of units, and square or upper forms of RDMs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

Array = Any
BLOCK_BYTES = 2**26
LAZY_BYTES = 2**23
__all__ = [
    "Array",
    "array_namespace",
    "diagonal",
    "entries_among",
    "hollow",
    "is_torch_array",
    "n_block",
    "to_square",
    "unit_blocks",
    "upper",
]


def unit_blocks(responses: Array) -> Iterator[Array]:
    """Yield the responses (..., units) in blocks of units, in memory and in float.

    `responses` is whatever can be sliced: a numpy array, a memory-mapped one, a dask array, a torch tensor. Blocks of
    what is computed as it is read are smaller, as they are made of parts that are as large.
    """
    lazy = hasattr(responses, "dask")
    step = n_block(math.prod(responses.shape[:-1]), LAZY_BYTES if lazy else BLOCK_BYTES)
    for start in range(0, responses.shape[-1], step):
        block = responses[..., start : start + step]
        yield block if is_torch_array(block) else np.asarray(block, dtype=float)


def n_block(n_rows: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Return how many columns of `n_rows` float64 numbers fit into `block_bytes`, at least one."""
    return max(1, block_bytes // (8 * max(1, n_rows)))


def diagonal(square: Array) -> Array:
    """Return the diagonal (..., K) of (..., K, K)."""
    return array_namespace(square).linalg.diagonal(square)


def hollow(square: Array) -> Array:
    """Return `square` (..., K, K) with zeros on the diagonal."""
    xp = array_namespace(square)
    options = {"device": square.device} if is_torch_array(square) else {}
    return xp.where(xp.eye(square.shape[-1], dtype=xp.bool, **options), 0.0, square)


def upper(square: Array) -> Array:
    """Return the upper entries (..., P) of square RDMs (..., K, K), in the order of ``scipy``'s squareform."""
    rows, columns = np.triu_indices(square.shape[-1], 1)
    if is_torch_array(square):
        return square[..., rows, columns]
    return np.asarray(square[..., rows, columns], dtype=float)


def to_square(vectors: np.ndarray, n_stimuli: int) -> np.ndarray:
    """Return the square RDMs (..., K, K) of upper entries (..., P)."""
    rows, columns = np.triu_indices(n_stimuli, 1)
    square = np.zeros((*vectors.shape[:-1], n_stimuli, n_stimuli))
    square[..., rows, columns] = square[..., columns, rows] = vectors
    return square


def entries_among(vectors: np.ndarray, chosen: np.ndarray, n_stimuli: int) -> np.ndarray:
    """Return the upper entries (..., p) among the stimuli `chosen`, in ascending order, of upper entries (..., P).

    >>> entries_among(np.arange(6), np.array([0, 2, 3]), 4).tolist()
    [1, 2, 5]
    """
    rows, columns = (chosen[side] for side in np.triu_indices(len(chosen), 1))
    found: np.ndarray = vectors[..., rows * n_stimuli - rows * (rows + 1) // 2 + columns - rows - 1]
    return found
