"""Inference: how well models explain the RDMs of several subjects, with uncertainty, ceilings and corrected tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from neurosim.runtime import as_rng
from neurosim.schema import InputError, check_rdm, same_stimuli
from neurosim.similarity import kernels
from neurosim.similarity.comparison import check_method, rdm_vectors

FACTORS = ("subject", "stimulus")
MIN_STIMULI = 6


@dataclass(frozen=True)
class _Scores:
    """Scores (N, M) of the models and the ceilings (N,) of N resamples."""

    models: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def covariance(self) -> np.ndarray:
        """Covariance over resamples of models, lower and upper ceiling, in this order."""
        return np.cov(np.column_stack([self.models, self.lower, self.upper]), rowvar=False)


def infer(
    models: xr.DataArray,
    data: xr.DataArray,
    *,
    method: str = "spearman",
    resample: Sequence[str] = FACTORS,
    n: int = 1000,
    rng: np.random.Generator | int | None = 0,
    alpha: float = 0.05,
    correction: str = "holm",
) -> xr.Dataset:
    """Score models against the RDMs of subjects, generalising to new subjects, new stimuli or both.

    The two-factor bootstrap counts noise once: ``2 (V_subject + V_stimulus) - V_both``, kept between the larger single
    variance and V_both (https://doi.org/10.7554/eLife.82566). Tests are t-tests with (smallest number of resampled
    subjects or stimuli) - 1 degrees of freedom.

    Parameters
    ----------
    models : RDMs (model, stimulus, stimulus_other).
    data : RDMs (subject, stimulus, stimulus_other), or one RDM.
    method : see :func:`~neurosim.similarity.comparison.compare_rdms`; all but "tau_a".
    resample : "subject", "stimulus" or both: to what the result is meant to generalise. With one subject only
        "stimulus" is possible.
    n : number of bootstrap samples.
    rng : seed or generator.
    alpha : one minus the coverage of the intervals.
    correction : of the p values for several models: "holm" or "fdr" (Benjamini-Hochberg).

    Returns
    -------
    Dataset: ``score``, ``standard_error``, ``interval`` (low, high), ``p_zero`` (score above 0, one-sided),
    ``p_pair`` (two models differ), ``p_ceiling`` (below the lower ceiling, one-sided), the same corrected
    (``*_corrected``), ``score_of_subject``, ``df``, and, with two or more subjects, ``ceiling`` and
    ``ceiling_standard_error`` (lower, upper). The upper ceiling is a proven bound: no RDM can score higher.

    Raises
    ------
    InputError : unknown names, different stimuli, fewer than 6 stimuli, or one subject where subjects are resampled.

    Examples
    --------
    >>> from neurosim.similarity.rdms import compute_rdm
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(10, 20))
    >>> data = xr.concat([compute_rdm(truth + rng.normal(size=truth.shape)) for _ in range(5)], "subject")
    >>> models = xr.concat([compute_rdm(truth)], xr.DataArray(["truth"], dims="model", name="model"))
    >>> bool(infer(models, data, n=100).p_zero[0] < 0.01)
    True
    """
    models, data, factors = _check(models, data, method, resample, correction)
    n_models, n_subjects, n_stimuli = len(models), len(data), models.sizes["stimulus"]
    features = np.concatenate([rdm_vectors(models, method, "infer"), rdm_vectors(data, method, "infer")])
    gram = kernels.gram_of_features(features, np.ones((1, n_stimuli)), method)
    fixed = _scores(gram, np.ones((1, n_subjects)), n_models)
    covariance = _resampled_covariance(features, n_models, n_subjects, n_stimuli, factors, n, method, as_rng(rng))
    df = min({"subject": n_subjects, "stimulus": n_stimuli}[f] for f in factors) - 1
    result = _tests(fixed, covariance, df, alpha, correction, n_subjects)
    result["score_of_subject"] = (("model", "subject"), gram[0, :n_models, n_models:])
    names = models["model"].values
    subjects = data["subject"].values if "subject" in data.coords else np.arange(n_subjects)
    result = result.assign_coords(model=names, model_other=names, subject=subjects)
    return result.assign_attrs(
        method=method,
        resample="+".join(factors),
        n_bootstrap=n,
        alpha=alpha,
        correction=correction,
        seed=rng if isinstance(rng, int) else "generator",
    )


def correct_p(p: np.ndarray, correction: str) -> np.ndarray:
    """Return p values corrected for their number, "holm" (https://www.jstor.org/stable/4615733) or "fdr".

    >>> correct_p(np.array([0.01, 0.04]), "holm").tolist()
    [0.02, 0.04]
    """
    if correction == "fdr":
        return stats.false_discovery_control(p)
    order = np.argsort(p)
    scaled = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    out = np.empty_like(p)
    out[order] = np.minimum(scaled, 1.0)
    return out


def _check(
    models: xr.DataArray, data: xr.DataArray, method: str, resample: Sequence[str], correction: str
) -> tuple[xr.DataArray, xr.DataArray, tuple[str, ...]]:
    check_method(method, kernels.METHODS_OF_INNER_PRODUCTS, "infer")
    check_method(correction, ("holm", "fdr"), "infer")
    factors = tuple(f for f in FACTORS if f in resample)
    if not factors or len(factors) != len(set(resample)):
        raise InputError(f"infer: resample is 'subject', 'stimulus' or both, found {tuple(resample)}.")
    models = check_rdm(models, "infer")
    data = same_stimuli(models, check_rdm(data, "infer"), "infer")
    data = data if "subject" in data.dims else data.expand_dims("subject")
    if models.dims[:-2] != ("model",) or data.dims[:-2] != ("subject",):
        raise InputError(
            "infer: models have dims (model, ...), data (subject, ...); "
            f"found {models.dims[:-2]} and {data.dims[:-2]}; "
            "stack or select the other dims first."
        )
    if models.sizes["stimulus"] < MIN_STIMULI:
        raise InputError(f"infer: at least {MIN_STIMULI} stimuli are needed, found {models.sizes['stimulus']}.")
    if "subject" in factors and data.sizes["subject"] < 2:
        raise InputError("infer: one subject cannot be resampled; pass resample=('stimulus',).")
    return models, data, factors


def _scores(gram: np.ndarray, draws: np.ndarray, n_models: int) -> _Scores:
    """Scores and ceilings of samples: `gram` (N or 1, F, F), `draws` (N, S) how often each subject was drawn."""
    total = draws.sum(axis=1)
    with_models, among = gram[:, :n_models, n_models:], gram[:, n_models:, n_models:]
    models = np.einsum("nms,ns->nm", np.broadcast_to(with_models, (len(draws), *with_models.shape[1:])), draws)
    pooled = np.einsum("nst,nt->ns", np.broadcast_to(among, (len(draws), *among.shape[1:])), draws)
    upper = np.sqrt(np.einsum("ns,ns->n", pooled, draws)) / total
    own = draws * np.diagonal(among, axis1=-2, axis2=-1)
    others = pooled - own
    norm = np.einsum("ns,ns->n", pooled, draws)[:, None] - 2 * draws * pooled + draws * own
    valid = norm > 1e-12
    left_out = np.where(valid, others / np.sqrt(np.where(valid, norm, 1.0)), 0.0)
    weight = (draws * valid).sum(axis=1)
    lower = (draws * left_out).sum(axis=1) / np.maximum(weight, 1)
    return _Scores(models / total[:, None], lower, upper)


def _resampled_covariance(
    features: np.ndarray,
    n_models: int,
    n_subjects: int,
    n_stimuli: int,
    factors: tuple[str, ...],
    n: int,
    method: str,
    rng: np.random.Generator,
) -> np.ndarray:
    subjects = _draws(rng, n, n_subjects, 2) if "subject" in factors else np.ones((n, n_subjects))
    everyone = np.ones((n, n_subjects))
    plain = kernels.gram_of_features(features, np.ones((1, n_stimuli)), method)
    if "stimulus" not in factors:
        return _scores(plain, subjects, n_models).covariance()
    stimuli = _draws(rng, n, n_stimuli, 3)
    gram = kernels.gram_of_features(features, stimuli, method)
    if not np.isfinite(gram).all():
        raise InputError("infer: some resampled RDMs do not vary; more or more varied stimuli are needed.")
    by_stimulus = _scores(gram, everyone, n_models).covariance()
    if "subject" not in factors:
        return by_stimulus
    by_subject = _scores(plain, subjects, n_models).covariance()
    return _two_factor(by_subject, by_stimulus, _scores(gram, subjects, n_models).covariance())


def _two_factor(by_subject: np.ndarray, by_stimulus: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Return the corrected covariance, each variance kept between the larger single one and the joint one."""
    corrected = 2 * (by_subject + by_stimulus) - both
    variance = np.diagonal(corrected)
    floor = np.maximum(np.diagonal(by_subject), np.diagonal(by_stimulus))
    kept = np.clip(variance, floor, np.maximum(np.diagonal(both), floor))
    scale = np.sqrt(kept / np.where(variance > 0, variance, 1.0))
    corrected = corrected * np.outer(scale, scale)
    np.fill_diagonal(corrected, kept)
    return corrected


def _draws(rng: np.random.Generator, n: int, size: int, n_different: int) -> np.ndarray:
    """Return counts (n, size) of draws with replacement; samples of fewer than `n_different` are drawn again."""
    counts = rng.multinomial(size, np.full(size, 1 / size), size=n)
    while (few := (counts > 0).sum(axis=1) < n_different).any():
        counts[few] = rng.multinomial(size, np.full(size, 1 / size), size=int(few.sum()))
    return counts.astype(float)


def _tests(
    fixed: _Scores, covariance: np.ndarray, df: int, alpha: float, correction: str, n_subjects: int
) -> xr.Dataset:
    score = fixed.models[0]
    m = len(score)
    error = np.sqrt(np.diagonal(covariance)[:m])
    reach = stats.t.ppf(1 - alpha / 2, df) * error
    difference = score[:, None] - score
    variance = error[:, None] ** 2 + error**2 - 2 * covariance[:m, :m]
    p_pair = _p_two_sided(difference, variance, df)
    p_zero = _p_above(score, error**2, df)
    rows, columns = np.triu_indices(m, 1)
    corrected = np.ones((m, m))
    if m > 1:
        corrected[rows, columns] = corrected[columns, rows] = correct_p(p_pair[rows, columns], correction)
    result = xr.Dataset(
        {
            "score": ("model", score),
            "standard_error": ("model", error),
            "interval": (("model", "bound"), np.column_stack([score - reach, score + reach])),
            "p_zero": ("model", p_zero),
            "p_zero_corrected": ("model", correct_p(p_zero, correction)),
            "p_pair": (("model", "model_other"), p_pair),
            "p_pair_corrected": (("model", "model_other"), corrected),
            "df": df,
        },
        coords={"bound": ["low", "high"]},
    )
    if n_subjects > 1:
        ceiling_error = np.sqrt(np.diagonal(covariance)[m:])
        gap_variance = error**2 + ceiling_error[0] ** 2 - 2 * covariance[:m, m]
        p_ceiling = _p_above(fixed.lower[0] - score, gap_variance, df)
        result["ceiling"] = ("side", [fixed.lower[0], fixed.upper[0]])
        result["ceiling_standard_error"] = ("side", ceiling_error)
        result["p_ceiling"] = ("model", p_ceiling)
        result["p_ceiling_corrected"] = ("model", correct_p(p_ceiling, correction))
        result = result.assign_coords(side=["lower", "upper"])
    return result


def _p_above(value: np.ndarray, variance: np.ndarray, df: int) -> np.ndarray:
    """One-sided p of `value` > 0; exactly 0 variance gives 1 where the value is not above 0."""
    error = np.sqrt(np.maximum(variance, 0))
    t = np.divide(value, error, out=np.where(value > 0, np.inf, 0.0), where=error > 0)
    return np.where((error == 0) & (value <= 0), 1.0, stats.t.sf(t, df))


def _p_two_sided(value: np.ndarray, variance: np.ndarray, df: int) -> np.ndarray:
    """Two-sided p of `value` != 0; no difference and no variance gives 1."""
    error = np.sqrt(np.maximum(variance, 0))
    t = np.divide(np.abs(value), error, out=np.where(value != 0, np.inf, 0.0), where=error > 1e-12)
    return 2 * stats.t.sf(t, df)
