"""Sign flips of subjects: every way, or as many as asked, to turn the scores of whole subjects round."""

from __future__ import annotations

import numpy as np
from scipy import special

NO_SKEW = 1e-6  # below which the cubic is a line
LARGEST_SHARE = 1 - 1e-12  # of the mean square that a mean explains: t stays finite where subjects are all alike


def flips(n: int, asked: int, two_sided: bool, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Signs (B, n) of subjects, and whether they are all that differ: then the first row is of ones.

    Two-sided, turning all subjects changes nothing, so the first keeps its sign.

    >>> flips(2, 10, False, np.random.default_rng(0))[0].tolist()
    [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
    """
    free = n - two_sided
    if n_flips(n, two_sided) <= asked + 1:
        bits = np.arange(2**free)[:, None] >> np.arange(free)[::-1] & 1
        signs = np.ones((2**free, n))
        signs[:, two_sided:] = 1.0 - 2.0 * bits
        return signs, True
    return 1.0 - 2.0 * rng.integers(0, 2, size=(asked, n)), False


def n_flips(n: int, two_sided: bool) -> int:
    """Return how many sign flips of `n` subjects differ."""
    return int(2 ** (n - two_sided))


def flipped_t(values: np.ndarray, n: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return t (B, V) of the means of scores (S, V) after sign flips (B, S); 0 stands where a subject has none.

    `n` (V,) says of how many subjects a place has scores. Flips leave the sum of squares as it is, so that one product
    of matrices gives all.

    >>> flipped_t(np.array([[1.0], [2.0], [3.0]]), np.array([3]), np.ones((1, 3))).round(6).tolist()
    [[3.464102]]
    """
    root = np.sqrt(n * (values**2).sum(0))
    share = (signs @ values) / np.where(root > 0, root, 1.0)
    found: np.ndarray = share * np.sqrt((n - 1) / (1 - np.minimum(share**2, LARGEST_SHARE)))
    return found


def flipped_skew(values: np.ndarray, n: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return the skewness (B, V) of subjects in every place after sign flips (B, S) of scores (S, V).

    >>> flipped_skew(np.array([[1.0], [2.0], [6.0]]), np.array([3]), np.array([[1.0, 1, 1], [-1, -1, -1]])).round(4)
    array([[ 1.4579],
           [-1.4579]])
    """
    mean, square, cube = signs @ values / n, (values**2).sum(0) / n, signs @ values**3 / n
    variance = square - np.minimum(mean**2, LARGEST_SHARE * square)
    third = cube - 3 * mean * square + 2 * mean**3
    found: np.ndarray = third / np.where(variance > 0, variance, 1.0) ** 1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    return found


def without_skew(t: np.ndarray, skew: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return t (B, V) as it would be without the skewness (B, V) or (B, 1) of subjects.

    The correction of Johnson (1978, https://doi.org/10.1080/01621459.1978.10480051), made monotone by the cubic of Hall
    (1992, J R Stat Soc B 54:221).

    >>> without_skew(np.array([[-3.0, 0.0, 3.0]]), np.array([[0.6]]), np.array([9])).round(4).tolist()
    [[-2.4067, 0.0333, 3.6733]]
    """
    a = skew / np.sqrt(n)
    found: np.ndarray = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    return found


def with_skew(t: np.ndarray, skew: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return what :func:`without_skew` makes `t` of.

    >>> t = np.array([-3.0, 0.5, 3.0])
    >>> with_skew(without_skew(t, 0.6, 9), 0.6, 9).round(12).tolist(), with_skew(t, 0.0, 9).tolist()
    ([-3.0, 0.5, 3.0], [-3.0, 0.5, 3.0])
    """
    a = skew / np.sqrt(n)
    steep = np.where(np.abs(a) < NO_SKEW, 1.0, a)
    found: np.ndarray = np.where(steep == a, 3 / steep * (np.cbrt(1 + a * (t - a / 6)) - 1), t)
    return found


def as_z(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Return the normal deviate with the tail of `t` (B, V) at `df` (V,) degrees of freedom.

    >>> as_z(np.array([[2.570582, -12.706205]]), np.array([5, 1])).round(4).tolist()
    [[1.96, -1.96]]
    """
    tail = np.maximum(special.stdtr(df, -np.abs(t)), np.finfo(float).tiny)
    found: np.ndarray = -np.sign(t) * special.ndtri(tail)
    return found
