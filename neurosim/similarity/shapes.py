"""Representations as shapes and as sets of units: rotations, soft matching, stochastic shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurosim.arrays import plain
from neurosim.refusals import check_number
from neurosim.runtime import as_rng
from neurosim.schema import InputError, same_stimuli
from neurosim.similarity.kernels import shapes as kernels
from neurosim.similarity.kernels.arrays import Array, array_namespace
from neurosim.similarity.kernels.prediction import unit_correlations
from neurosim.similarity.matched_responses import Responses, alike, as_pair, plain_scalar, with_trials


@dataclass(frozen=True)
class ShapeMetric:
    """Distance of two sets of responses as shapes, up to rotations of their units (https://arxiv.org/abs/2110.14739).

    ``alpha=1`` is Procrustes, ``alpha=0`` is made of canonical correlations; values between whiten partially. Fitting
    and scoring are apart, so that a distance can be cross-validated: fit on some stimuli, score on others. A proper
    metric: zero with itself, symmetric, and it obeys the triangle inequality.

    Parameters
    ----------
    alpha : 0 (any linear map) .. 1 (rotations only).
    scaled : angle between shapes of unit size, rad; without it the Euclidean distance over the root of stimuli.

    Raises
    ------
    InputError : an alpha that is not 0 to 1; of its methods: different stimuli, or responses that do not vary.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> q = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    >>> round(ns.similarity.ShapeMetric().distance(x, 2 * x @ q), 5)
    0.0
    """

    alpha: float = 1.0
    scaled: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise InputError(f"ShapeMetric: alpha is 0 (any linear map) to 1 (rotations only), found {self.alpha}.")

    def fit(self, a: Responses, b: Responses) -> FittedShape:
        """Return the alignment of `a` and `b` (stimulus, unit)."""
        x, y = as_pair(a, b, "ShapeMetric.fit")
        means = x.mean(0), y.mean(0)
        x, y = x - means[0], y - means[1]
        if not (abs(x).max() > 0 and abs(y).max() > 0):
            raise InputError("ShapeMetric.fit: the responses of one side do not vary, so they have no shape.")
        maps = kernels.partially_whitened(x, self.alpha), kernels.partially_whitened(y, self.alpha)
        return FittedShape(self, means, maps, kernels.procrustes_rotations(x @ maps[0], y @ maps[1]))

    def distance(self, a: Responses, b: Responses) -> float:
        """Return the distance of `a` and `b`, fitted and scored on the same stimuli."""
        return self.fit(a, b).score(a, b)


@dataclass(frozen=True)
class FittedShape:
    """An alignment found by :meth:`ShapeMetric.fit`: means, partial whitening and rotations of both sides."""

    metric: ShapeMetric
    means: tuple[Array, Array]
    maps: tuple[Array, Array]
    turns: tuple[Array, Array]

    def score(self, a: Responses, b: Responses) -> float:
        """Return the distance of other responses of the same units under this alignment."""
        a, b = as_pair(a, b, "FittedShape.score")
        a, b = (alike(x, mean)[0] for x, mean in zip((a, b), self.means, strict=True))
        means, maps, turns = ([alike(a, x)[1] for x in of_both] for of_both in (self.means, self.maps, self.turns))
        if a.shape[1] != self.maps[0].shape[0] or b.shape[1] != self.maps[1].shape[0]:
            raise InputError("FittedShape.score: other numbers of units than the alignment was fitted to.")
        a, b = ((x - m) @ w for x, m, w in zip((a, b), means, maps, strict=True))
        xp = array_namespace(a)
        agreement = ((a @ turns[0]) * (b @ turns[1])).sum()
        sizes = (a * a).sum(), (b * b).sum()
        if self.metric.scaled and not (sizes[0] > 0 and sizes[1] > 0):
            raise InputError("FittedShape.score: the responses of one side do not vary, so they have no shape.")
        if not self.metric.scaled:
            squared = sizes[0] + sizes[1] - 2 * agreement
            return plain_scalar(xp.sqrt(xp.where(squared > 0, squared, 0.0) / len(a)))
        cosine = agreement / xp.sqrt(sizes[0] * sizes[1])
        chord = 2 - 2 * cosine
        return plain_scalar(2 * xp.asin(xp.sqrt(xp.where(chord > 0, xp.where(chord < 4, chord, 4.0), 0.0)) / 2))


def shape_distance(
    a: Responses, b: Responses, *, alpha: float = ShapeMetric.alpha, scaled: bool = ShapeMetric.scaled
) -> float:
    """Return the distance of a :class:`ShapeMetric`, fitted and scored on the same stimuli.

    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> round(shape_distance(x, x[:, ::-1]), 5)
    0.0
    """
    return ShapeMetric(alpha, scaled).distance(a, b)


def soft_matching(a: Responses, b: Responses) -> float:
    """Return the mean correlation of units under the best soft matching (https://arxiv.org/abs/2311.09466).

    One-to-one where both have as many units; otherwise every unit is shared out evenly. Unlike rotations, it is
    sensitive to the tuning of single units.

    Parameters
    ----------
    a, b : responses (stimulus, unit); a unit that does not vary matches nothing (correlation 0).

    Returns
    -------
    a number, -1 to 1.

    Raises
    ------
    InputError : different stimuli, or fewer than 3.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> round(ns.similarity.soft_matching(x, x[:, ::-1]), 6)
    1.0
    """
    a, b = (plain(x, "soft_matching").astype(float) for x in as_pair(a, b, "soft_matching"))
    similarity = unit_correlations(a, b)
    return float((kernels.transport_plan(similarity) * similarity).sum())


def stochastic_shape(
    a: xr.DataArray,
    b: xr.DataArray,
    *,
    alpha: float = 1.0,
    n_restarts: int = 5,
    rng: np.random.Generator | int | None = 0,
) -> float:
    """Return the distance of two stochastic representations up to rotation (https://arxiv.org/abs/2211.11665).

    The root of the mean over stimuli of ``(2 - alpha) |difference of means|^2 + alpha Bures^2 of noise covariances``;
    with ``alpha=1`` the Wasserstein distance of Gaussian noise, 0 means alone, 2 noise alone.

    Parameters
    ----------
    a, b : responses (stimulus, trial, unit) of the same stimuli; trials and units may differ in number, and a stimulus
        may have fewer trials than others (NaN in all units), 2 or more.
    alpha : 0..2.
    n_restarts : random starts besides the rotation that aligns the means; the best one counts.
    rng : seed or generator of the starts.

    Returns
    -------
    a number, 0 for representations that a rotation makes the same, in the units of the responses.

    Raises
    ------
    InputError : alpha out of range, different stimuli, or fewer than 2 trials.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(6, 20, 3))
    >>> round(ns.similarity.stochastic_shape(x, x[:, :, ::-1]), 4)
    0.0
    """
    if not 0 <= alpha <= 2:
        raise InputError(f"stochastic_shape: alpha is 0 (means) to 2 (noise), found {alpha}.")
    check_number(n_restarts, "stochastic_shape", "n_restarts", 0, whole=True)
    first, second = (with_trials(x, "stochastic_shape") for x in (a, b))
    if isinstance(a, xr.DataArray) and isinstance(b, xr.DataArray):
        second = with_trials(same_stimuli(a, b, "stochastic_shape"), "stochastic_shape")
    if len(first) != len(second):
        raise InputError(f"stochastic_shape: responses to {len(first)} and {len(second)} stimuli; give the same ones.")
    width = max(first.shape[2], second.shape[2])
    padded = [np.pad(x, ((0, 0), (0, 0), (0, width - x.shape[2]))) for x in (first, second)]
    of_stimuli = [np.nanmean(x, axis=1) for x in padded]
    means = tuple(m - m.mean(0) for m in of_stimuli)
    roots = tuple(_covariance_roots(x - m[:, None]) for x, m in zip(padded, of_stimuli, strict=True))
    u, _, vh = np.linalg.svd(means[1].T @ means[0])
    generator = as_rng(rng, "stochastic_shape")
    starts = [u @ vh] + [np.linalg.qr(generator.normal(size=(width, width)))[0] for _ in range(n_restarts)]
    found = [kernels.stochastic_shape_fit((means[0], means[1]), (roots[0], roots[1]), alpha, s, 500)[0] for s in starts]
    return float(np.sqrt(max(min(found), 0.0)))


def _covariance_roots(residuals: np.ndarray) -> np.ndarray:
    measured = np.isfinite(residuals)
    trials = measured.any(-1).sum(1)[:, None, None]
    residuals = np.where(measured, residuals, 0.0)
    covariance = np.einsum("kmi,kmj->kij", residuals, residuals) / (trials - 1)
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))[:, None]) @ vectors.transpose(0, 2, 1))
