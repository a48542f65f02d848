"""Alignment of responses to the same stimuli: CKA, canonical correlations, shapes, matching of units, dynamics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from neurosim.runtime import as_rng, track
from neurosim.schema import InputError, check_responses, same_stimuli, suggest
from neurosim.similarity.kernels import alignment as kernels
from neurosim.similarity.kernels.arrays import Array, array_namespace, is_torch_array

ESTIMATORS = ("debiased", "biased", "unit_corrected", "minibatch")
CCA_METHODS = ("svcca", "pwcca", "cca")
Responses = xr.DataArray | np.ndarray


def cka(
    a: Responses,
    b: Responses,
    *,
    kernel: str = "linear",
    estimator: str = "debiased",
    bandwidth: float = 1.0,
    batch: int = 256,
    rng: np.random.Generator | int | None = 0,
) -> float:
    """Return the centred kernel alignment of two sets of responses (https://arxiv.org/abs/1905.00414).

    The biased estimate grows with the number of units: two independent sets of 50 units score above 0.5 over 12
    stimuli. So "debiased" is the default (https://arxiv.org/abs/2010.15327); it can be slightly negative.

    Parameters
    ----------
    a, b : responses (stimulus, unit), the same stimuli in any order if labelled; tensors stay tensors.
    kernel : "linear", computed in the smaller of unit and stimulus space; or "rbf".
    estimator : "debiased"; "biased"; "unit_corrected", also unbiased by how few units of a population were recorded
        (https://arxiv.org/abs/2502.15104; linear only); "minibatch", the debiased estimate over batches of stimuli,
        whose memory does not grow with stimuli squared (https://arxiv.org/abs/2010.15327).
    bandwidth : width of "rbf" in median distances.
    batch : stimuli in a batch.
    rng : seed or generator that shuffles stimuli into batches.

    Raises
    ------
    InputError : different stimuli, fewer than 4, unknown names, or responses whose own unbiased estimate is not
        positive: their geometry cannot be told from noise.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> round(cka(x, x @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]), 6)
    1.0
    """
    a, b = _pair(a, b, "cka", least=4)
    _known(kernel, ("linear", "rbf"), "cka: no kernel")
    _known(estimator, ESTIMATORS, "cka: no estimator")
    if estimator == "unit_corrected":
        if kernel != "linear" or min(a.shape[1], b.shape[1]) < 2:
            raise InputError("cka: unit_corrected is for the linear kernel and 2 units or more.")
        parts = [_unit_corrected_self(x) for x in (a, b)]
        scale = a.shape[1] * b.shape[1]
        return _ratio(kernels.linear_hsic(a, b, unbiased=True) / scale, *parts)
    if estimator == "minibatch":
        return _ratio(*_minibatch_sums(a, b, kernel, bandwidth, batch, rng))
    return _ratio(*(_hsic(x, y, kernel, bandwidth, estimator == "debiased") for x, y in ((a, b), (a, a), (b, b))))


def cca(a: Responses, b: Responses, *, method: str = "svcca", variance: float = 0.99) -> float:
    """Return the mean canonical correlation of two sets of responses.

    Parameters
    ----------
    a, b : responses (stimulus, unit).
    method : "svcca", after keeping the principal axes with `variance` of the variance
        (https://arxiv.org/abs/1706.05806); "pwcca", weighted by how much each canonical variable of `a` accounts for
        its units (https://arxiv.org/abs/1806.05759); "cca", plain.
    variance : part of the variance that svcca keeps.

    Raises
    ------
    InputError : different stimuli, unknown method, or as many axes as stimuli: any two sets then correlate perfectly.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> round(cca(x, x @ np.random.default_rng(1).normal(size=(5, 5))), 6)
    1.0
    """
    x, y = _pair(a, b, "cca")
    _known(method, CCA_METHODS, "cca: no method")
    correlations, variables = kernels.canonical_correlations(x, y, variance if method == "svcca" else 1.0)
    if len(correlations) >= len(x) - 1:
        raise InputError(
            f"cca: {len(correlations)} axes for {len(x)} stimuli correlate perfectly whatever they represent; "
            "use method='svcca' with a smaller variance, more stimuli, or cka."
        )
    if method != "pwcca":
        return _scalar(correlations.mean())
    weights = abs(variables.mT @ (x - x.mean(0))).sum(-1)
    return _scalar((weights * correlations).sum() / weights.sum())


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

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> q = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    >>> round(ShapeMetric().distance(x, 2 * x @ q), 5)
    0.0
    """

    alpha: float = 1.0
    scaled: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise InputError(f"ShapeMetric: alpha is 0 (any linear map) to 1 (rotations only), found {self.alpha}.")

    def fit(self, a: Responses, b: Responses) -> FittedShape:
        """Return the alignment of `a` and `b` (stimulus, unit)."""
        x, y = _pair(a, b, "ShapeMetric.fit")
        means = x.mean(0), y.mean(0)
        x, y = x - means[0], y - means[1]
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
        a, b = _pair(a, b, "FittedShape.score")
        if a.shape[1] != self.maps[0].shape[0] or b.shape[1] != self.maps[1].shape[0]:
            raise InputError("FittedShape.score: other numbers of units than the alignment was fitted to.")
        a, b = ((x - m) @ w for x, m, w in zip((a, b), self.means, self.maps, strict=True))
        xp = array_namespace(a)
        agreement = ((a @ self.turns[0]) * (b @ self.turns[1])).sum()
        sizes = (a * a).sum(), (b * b).sum()
        if not self.metric.scaled:
            squared = sizes[0] + sizes[1] - 2 * agreement
            return _scalar(xp.sqrt(xp.where(squared > 0, squared, 0.0) / len(a)))
        cosine = agreement / xp.sqrt(sizes[0] * sizes[1])
        chord = 2 - 2 * cosine
        return _scalar(2 * xp.asin(xp.sqrt(xp.where(chord > 0, xp.where(chord < 4, chord, 4.0), 0.0)) / 2))


def soft_matching(a: Responses, b: Responses) -> float:
    """Return the mean correlation of units under the best soft matching (https://arxiv.org/abs/2311.09466).

    One-to-one where both have as many units; otherwise every unit is shared out evenly. Unlike rotations, it is
    sensitive to the tuning of single units.

    Parameters
    ----------
    a, b : responses (stimulus, unit); a unit that does not vary matches nothing (correlation 0).

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 5))
    >>> round(soft_matching(x, x[:, ::-1]), 6)
    1.0
    """
    a, b = (np.asarray(x, dtype=float) for x in _pair(a, b, "soft_matching"))
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
    a, b : responses (stimulus, trial, unit) of the same stimuli; trials and units may differ in number.
    alpha : 0..2.
    n_restarts : random starts besides the rotation that aligns the means; the best one counts.
    rng : seed or generator of the starts.

    Raises
    ------
    InputError : alpha out of range, different stimuli, or fewer than 2 trials.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(6, 20, 3))
    >>> round(stochastic_shape(x, x[:, :, ::-1]), 4)
    0.0
    """
    if not 0 <= alpha <= 2:
        raise InputError(f"stochastic_shape: alpha is 0 (means) to 2 (noise), found {alpha}.")
    first, second = (_with_trials(x, "stochastic_shape") for x in (a, b))
    if isinstance(a, xr.DataArray) and isinstance(b, xr.DataArray):
        second = _with_trials(same_stimuli(a, b, "stochastic_shape"), "stochastic_shape")
    width = max(first.shape[2], second.shape[2])
    padded = [np.pad(x, ((0, 0), (0, 0), (0, width - x.shape[2]))) for x in (first, second)]
    means = tuple(x.mean(1) - x.mean((0, 1)) for x in padded)
    roots = tuple(_covariance_roots(x - x.mean(1, keepdims=True)) for x in padded)
    u, _, vh = np.linalg.svd(means[1].T @ means[0])
    generator = as_rng(rng)
    starts = [u @ vh] + [np.linalg.qr(generator.normal(size=(width, width)))[0] for _ in range(n_restarts)]
    found = [kernels.stochastic_shape_fit((means[0], means[1]), (roots[0], roots[1]), alpha, s, 500)[0] for s in starts]
    return float(np.sqrt(max(min(found), 0.0)))


def dsa(
    a: xr.DataArray,
    b: xr.DataArray,
    *,
    n_delays: int = 10,
    rank: int = 10,
    method: str = "eigenvalues",
    n_restarts: int = 5,
    rng: np.random.Generator | int | None = 0,
) -> float:
    """Return how much two systems differ in their dynamics (https://arxiv.org/abs/2306.10168).

    Each is embedded in delays and stepped forward by one linear operator. Two systems are alike if their operators are,
    up to a change of coordinates.

    Parameters
    ----------
    a, b : responses (stimulus, time, unit) with the same time step; units and stimuli may differ.
    n_delays : time steps in the embedding.
    rank : dimensions of the operator.
    method : "eigenvalues": mean distance of eigenvalues (not singular values) under their best pairing; "angle": least
        angle of the operators over orthogonal changes of coordinates, rad, the best of several starts.
    n_restarts, rng : random starts of "angle" besides the identity and a reflection, and their seed or generator.

    Raises
    ------
    InputError : different time steps, or too few time points or units for the embedding.

    Examples
    --------
    >>> t = np.arange(60.0)
    >>> slow, fast = (np.stack([np.cos(w * t), np.sin(w * t)], axis=1)[None] for w in (0.2, 1.0))
    >>> dsa(slow, slow, n_delays=1, rank=2) < 1e-6 < dsa(slow, fast, n_delays=1, rank=2)
    True
    """
    _known(method, ("eigenvalues", "angle"), "dsa: no method")
    steps = [float(x.attrs["time_step"]) for x in (a, b) if isinstance(x, xr.DataArray) and "time_step" in x.attrs]
    if len(steps) == 2 and not np.isclose(steps[0], steps[1]):
        raise InputError(f"dsa: time steps of {steps[0]:g} s and {steps[1]:g} s differ; rebin one of the two.")
    operators = []
    for x in (a, b):
        values = _trajectories(x)
        if values.shape[1] < n_delays + 2 or n_delays * values.shape[2] < rank:
            raise InputError(
                f"dsa: {values.shape[1]} time points and {values.shape[2]} units are too few for {n_delays} delays "
                f"and rank {rank}; lower n_delays or rank."
            )
        operators.append(kernels.dynamics_matrix(values, n_delays, rank))
    if method == "eigenvalues":
        return kernels.eigenvalue_distance(*operators)
    generator, size = as_rng(rng), len(operators[0])
    mirror = np.eye(size)
    mirror[0, 0] = -1
    starts = [np.eye(size), mirror] + [np.linalg.qr(generator.normal(size=(size, size)))[0] for _ in range(n_restarts)]
    return kernels.conjugacy_angle(operators[0], operators[1], starts)


def compare_by(
    a: xr.DataArray, b: xr.DataArray, score: Callable[..., float] = cka, *, by: str = "layer", progress: bool = True
) -> xr.DataArray:
    """Score every part of `a` against every part of `b`, such as layers against areas.

    Parameters
    ----------
    a, b : responses (stimulus, unit) with a label `by` along ``unit`` (where one lacks it, it is one part).
    score : any function of two responses that gives a number, such as :func:`cka`.
    by : the label.
    progress : show a bar.

    Returns
    -------
    scores (`by`, `by`_other).

    Examples
    --------
    >>> from neurosim.schema import as_responses
    >>> x = as_responses(np.random.default_rng(0).normal(size=(20, 4)), coords={"layer": ("unit", list("aabb"))})
    >>> compare_by(x, x).dims
    ('layer', 'layer_other')
    """
    parts_a, parts_b = (_parts(x, by) for x in (a, b))
    pairs = [(i, j) for i in parts_a for j in parts_b]
    values = [score(parts_a[i], parts_b[j]) for i, j in track(pairs, "comparing", progress=progress)]
    return xr.DataArray(
        np.reshape(values, (len(parts_a), len(parts_b))),
        dims=(by, f"{by}_other"),
        coords={by: list(parts_a), f"{by}_other": list(parts_b)},
        attrs={"quantity": "score", "method": getattr(score, "__name__", type(score).__name__)},
    )


def jackknife(
    score: Callable[..., float], a: Responses, b: Responses, *, alpha: float = 0.05, progress: bool = True
) -> xr.Dataset:
    """Return a score with its uncertainty over stimuli, by leaving out each stimulus once.

    Parameters
    ----------
    score : any smooth function of two responses, such as :func:`cka` or ``ShapeMetric().distance``.
    a, b : responses (stimulus, ...).
    alpha : one minus the coverage of the interval.
    progress : show a bar.

    Returns
    -------
    Dataset: ``score``, ``standard_error``, ``interval`` (low, high), from a t distribution with stimuli - 1 degrees of
    freedom (https://doi.org/10.1214/aos/1176345462).

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2, 20, 5))
    >>> found = jackknife(cka, x[0], x[0] + x[1])
    >>> bool(found.interval[0] < found.score < found.interval[1])
    True
    """
    if isinstance(a, xr.DataArray) and isinstance(b, xr.DataArray):
        b = same_stimuli(a, b, "jackknife")
    else:
        a, b = _pair(a, b, "jackknife", least=5)
    n = a.sizes["stimulus"] if isinstance(a, xr.DataArray) else len(a)
    value = float(score(a, b))
    left = np.array(
        [float(score(_without(a, i), _without(b, i))) for i in track(range(n), "jackknife", progress=progress)]
    )
    error = float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))
    reach = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
    return xr.Dataset(
        {"score": value, "standard_error": error, "interval": ("bound", [value - reach, value + reach])},
        coords={"bound": ["low", "high"]},
    )


def unit_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation (P_a, P_b) of units over stimuli; 0 for a unit that does not vary."""
    scaled = []
    for x in (a, b):
        centred = x - x.mean(0)
        norm = np.linalg.norm(centred, axis=0)
        flat = norm <= 1e-12 * np.abs(x).max(axis=0, initial=1e-300)
        scaled.append(centred / np.where(flat, np.inf, norm))
    return scaled[0].T @ scaled[1]


# --- what comes in ------------------------------------------------------------------------------------------------


def _pair(a: Any, b: Any, who: str, least: int = 3) -> tuple[Array, Array]:
    """Return the two as arrays (K, P) in one order of stimuli, finite."""
    if isinstance(a, xr.DataArray) and isinstance(b, xr.DataArray):
        b = same_stimuli(check_responses(a, who), check_responses(b, who), who)
    a, b = (_matrix(x, who) for x in (a, b))
    if len(a) != len(b):
        raise InputError(f"{who}: responses to {len(a)} and {len(b)} stimuli; give the same stimuli to both.")
    if len(a) < least:
        raise InputError(f"{who}: at least {least} stimuli are needed, found {len(a)}.")
    return a, b


def _matrix(x: Any, who: str) -> Array:
    if isinstance(x, xr.DataArray):
        x = check_responses(x, who).values
    if not is_torch_array(x):
        x = np.asarray(x, dtype=float)
    if x.ndim != 2:
        raise InputError(f"{who}: responses are (stimulus, unit), found shape {tuple(x.shape)}; average or select.")
    if not bool(array_namespace(x).all(array_namespace(x).isfinite(x))):
        raise InputError(f"{who}: responses hold NaN or infinite values; drop or impute them first.")
    return x


def _with_trials(x: Any, who: str) -> np.ndarray:
    values = check_responses(x, who).values if isinstance(x, xr.DataArray) else np.asarray(x, dtype=float)
    if values.ndim != 3 or values.shape[1] < 2 or not np.isfinite(values).all():
        raise InputError(f"{who}: needs finite responses (stimulus, trial, unit) with 2 trials, found {values.shape}.")
    return np.asarray(values, dtype=float)


def _trajectories(x: Any) -> np.ndarray:
    values = check_responses(x, "dsa").values if isinstance(x, xr.DataArray) else np.asarray(x, dtype=float)
    if values.ndim != 3 or not np.isfinite(values).all():
        raise InputError(f"dsa: needs finite responses (stimulus, time, unit), found shape {values.shape}.")
    return values - values.mean((0, 1))


def _covariance_roots(residuals: np.ndarray) -> np.ndarray:
    covariance = np.einsum("kmi,kmj->kij", residuals, residuals) / (residuals.shape[1] - 1)
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))[:, None]) @ vectors.transpose(0, 2, 1)


def _parts(x: xr.DataArray, by: str) -> dict[str, xr.DataArray]:
    if by not in x.coords:
        return {"all": x}
    names = x[by].values
    return {str(n): x.isel(unit=np.flatnonzero(names == n)) for n in dict.fromkeys(names.tolist())}


def _without(x: Any, i: int) -> Any:
    keep = np.delete(np.arange(x.sizes["stimulus"] if isinstance(x, xr.DataArray) else len(x)), i)
    return x.isel(stimulus=keep) if isinstance(x, xr.DataArray) else x[keep]


def _known(name: str, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        raise InputError(f"{what} {name!r}. Known: {', '.join(known)}.{suggest(name, known)}")


# --- parts of CKA -------------------------------------------------------------------------------------------------


def _hsic(a: Array, b: Array, kernel: str, bandwidth: float, unbiased: bool) -> Array:
    if kernel == "linear":
        return kernels.linear_hsic(a, b, unbiased=unbiased)
    grams = [kernels.rbf_gram(x, bandwidth) for x in (a, b)]
    if unbiased:
        return kernels.unbiased_hsic(*grams)
    centred = [kernels.centred_gram(-2 * g) for g in grams]
    return (centred[0] * centred[1]).sum()


def _unit_corrected_self(x: Array) -> Array:
    n_units = x.shape[1]
    return (kernels.linear_hsic(x, x, unbiased=True) - kernels.same_unit_hsic(x)) / (n_units * (n_units - 1))


def _minibatch_sums(
    a: Array, b: Array, kernel: str, bandwidth: float, batch: int, rng: np.random.Generator | int | None
) -> list[Array]:
    if batch < 4:
        raise InputError(f"cka: a batch needs at least 4 stimuli, found {batch}.")
    order = as_rng(rng).permutation(len(a))
    parts = np.array_split(order, max(1, len(a) // batch))
    sums: list[Array] = [0.0, 0.0, 0.0]
    for part in parts:
        x, y = a[part], b[part]
        found = [_hsic(*pair, kernel, bandwidth, True) for pair in ((x, y), (x, x), (y, y))]
        sums = [s + f for s, f in zip(sums, found, strict=True)]
    return sums


def _ratio(joint: Array, own_a: Array, own_b: Array) -> float:
    for own, which in ((own_a, "first"), (own_b, "second")):
        if not own > 0:
            raise InputError(
                f"cka: the geometry of the {which} responses cannot be told from noise (its own estimate is "
                f"{float(own):.3g}); use more stimuli or trials."
            )
    return _scalar(joint / (own_a * own_b) ** 0.5)


def _scalar(value: Any) -> Any:
    """Return a float of a numpy result; a tensor stays what it is, so that it can be differentiated."""
    return value if is_torch_array(value) else float(value)
