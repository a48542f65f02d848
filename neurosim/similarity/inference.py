"""Inference: how well models explain the RDMs of several subjects, with uncertainty, ceilings and corrected tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from scipy import stats

from neurosim.runtime import as_rng, library_versions
from neurosim.schema import InputError, as_rdm, check_rdm, same_stimuli
from neurosim.similarity.comparison import check_method, rdm_vectors
from neurosim.similarity.kernels.ceilings import exact_ceilings
from neurosim.similarity.kernels.fitting import FITS
from neurosim.similarity.kernels.resampling import METHODS, gram_of_features
from neurosim.similarity.resampling import (
    Comparison,
    Evaluate,
    Folds,
    Variance,
    bootstrap_variance,
    jackknife_variance,
)

FACTORS = ("subject", "stimulus")
ESTIMATES = ("bootstrap", "jackknife")
MIN_STIMULI = 6
MIN_GROUPS = 4
MIN_SAMPLES = 20
MAX_PAIRED, MAX_PAIRED_FITTED = 50, 12
INFERENCE_METHODS = METHODS


def infer(
    models: xr.DataArray | Mapping[str, xr.DataArray],
    data: xr.DataArray,
    *,
    method: str = "spearman",
    resample: Sequence[str] = FACTORS,
    estimate: str = "jackknife",
    n: int = 1000,
    rng: np.random.Generator | int | None = 0,
    folds: int | Mapping[str, int] | None = None,
    fit: str | None = None,
    groups: str | None = None,
    alpha: float = 0.05,
    correction: str = "holm",
    progress: bool = True,
) -> xr.Dataset:
    """Score models against the RDMs of subjects, generalising to new subjects, new stimuli or both.

    Parameters
    ----------
    models : RDMs (model, stimulus, stimulus_other), or a mapping from names to RDMs. In a mapping a model may be
        flexible, (component, stimulus, stimulus_other), and is then fitted; or noisy, (fold, stimulus,
        stimulus_other), such as one RDM a trial of a stochastic network: its mean is scored and its own ceiling
        reported.
    data : RDMs (subject, stimulus, stimulus_other), or one RDM. Bare arrays are accepted for models and data.
    method : see :func:`~neurosim.similarity.comparison.compare_rdms`; all but "tau_b" and "bures".
    resample : "subject", "stimulus" or both: to what the result is meant to generalise. With one subject only
        "stimulus" is possible.
    estimate : of the variance. "jackknife" leaves out every subject, every stimulus and pairs of stimuli, and counts
        once what subjects and stimuli share: deterministic, and in simulated experiments of 12 subjects and 30 stimuli
        its variance is 1.0 to 1.2 times the true one. "bootstrap" draws ``n`` samples; its two-factor form is
        ``2 (V_subject + V_stimulus) - V_both``, kept between the larger single variance and V_both
        (https://doi.org/10.7554/eLife.82566). With few stimuli it is conservative where stimuli dominate (8 subjects,
        14 stimuli: 1.45 times the true variance, 2 % false positives at 5 %) and liberal between models where noise
        dominates (up to 10 %).
    n : number of samples of the bootstrap.
    rng : seed or generator of the bootstrap and of the folds.
    folds : cross-validation of flexible models: number of folds of stimuli, or ``{"stimulus": 5, "subject": 2}``. A
        model is fitted to the other stimuli of the other subjects.
    fit : "select" (the best component), "weighted", "nonnegative" or "interpolated" (between neighbouring
        components). The weights are the closed-form optimum of `method`, of "corr" for rank methods.
    groups : a label along ``stimulus`` such as "category": whole groups are resampled and held out.
    alpha : one minus the coverage of the intervals.
    correction : of the p values for several models: "holm" or "fdr" (Benjamini-Hochberg).
    progress : show a bar over samples of flexible models.

    Returns
    -------
    Dataset: ``score``, ``standard_error``, ``interval`` (low, high), ``p_zero`` (score above 0, one-sided),
    ``p_pair`` (two models differ), the same corrected (``*_corrected``), ``df`` of the tests, ``score_of_subject`` (of
    fixed models); with two subjects or more ``ceiling``, ``ceiling_standard_error``, ``ceiling_interval`` (side) and
    ``p_ceiling`` (below the lower ceiling, one-sided; conservative, 2 to 5 % false positives at 5 %); with noisy models
    ``model_ceiling`` and its standard error. The upper ceiling is the best attainable score or a proven bound: no RDM
    scores higher. The attrs hold seed, versions and a hash of the inputs.

    Raises
    ------
    InputError : unknown names, different stimuli, fewer than 6 stimuli, or one subject where subjects are resampled.

    Examples
    --------
    >>> from neurosim.similarity.rdms import compute_rdm
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(10, 20))
    >>> data = xr.concat([compute_rdm(truth + rng.normal(size=truth.shape)) for _ in range(5)], "subject")
    >>> bool(infer({"truth": compute_rdm(truth)}, data, n=100).p_zero[0] < 0.01)
    True
    """
    factors = _check_names(method, resample, estimate, correction, fit)
    _check_numbers(estimate, n, alpha)
    named = _named_models(models, fit)
    data = _checked_data(named, data, factors)
    levels = _levels(data, groups, factors)
    comparison = _comparison(named, data, method)
    generator = as_rng(rng)
    state = json.dumps(generator.bit_generator.state, default=_plain) if not isinstance(rng, int) else str(rng)
    held_out = _folds(folds, levels, data.sizes["subject"], generator) if fit else None
    fixed, each, evaluate = _evaluation(comparison, held_out, fit, progress)
    n_subjects = data.sizes["subject"]
    variance: Variance
    if estimate == "jackknife":
        pairs_of = MAX_PAIRED_FITTED if held_out else MAX_PAIRED
        variance = jackknife_variance(evaluate, levels, n_subjects, factors, pairs_of)
    else:
        variance = bootstrap_variance(evaluate, levels, n_subjects, factors, n, generator, held_out)
    result = _tests(fixed, variance, alpha, correction, n_subjects)
    if each is not None:
        result["score_of_subject"] = (("model", "subject"), each)
    result = _with_model_ceilings(result, named, method, levels)
    names, subjects = list(named), data["subject"].values if "subject" in data.coords else np.arange(n_subjects)
    result = result.assign_coords(model=names, model_other=names, subject=subjects)
    return result.assign_attrs(
        method=method,
        resample="+".join(factors),
        estimate=estimate,
        n_bootstrap=n if estimate == "bootstrap" else 0,
        fit=fit or "none",
        folds=f"{len(held_out.stimuli)} x {len(held_out.subjects)}" if held_out else "none",
        groups=groups or "none",
        alpha=alpha,
        correction=correction,
        seed=state,
        versions=json.dumps(library_versions()),
        inputs_sha256=_hash(comparison),
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


# --- what was asked -----------------------------------------------------------------------------------------------


def _check_names(
    method: str, resample: Sequence[str], estimate: str, correction: str, fit: str | None
) -> tuple[str, ...]:
    check_method(method, METHODS, "infer")
    check_method(estimate, ESTIMATES, "infer")
    check_method(correction, ("holm", "fdr"), "infer")
    if fit is not None:
        check_method(fit, FITS, "infer")
    factors = tuple(f for f in FACTORS if f in resample)
    if not factors or len(factors) != len(set(resample)):
        raise InputError(f"infer: resample is 'subject', 'stimulus' or both, found {tuple(resample)}.")
    return factors


def _check_numbers(estimate: str, n: int, alpha: float) -> None:
    if not 0 < alpha < 1:
        raise InputError(f"infer: alpha is between 0 and 1, found {alpha}; 0.05 gives 95 % intervals.")
    if estimate == "bootstrap" and n < MIN_SAMPLES:
        raise InputError(f"infer: {n} samples are too few for a standard error; give n = {MIN_SAMPLES} or more.")


def _named_models(models: xr.DataArray | Mapping[str, xr.DataArray], fit: str | None) -> dict[str, xr.DataArray]:
    """RDMs ([component or fold,] stimulus, stimulus_other) by name, all in one order of stimuli."""
    if not isinstance(models, Mapping):
        models = check_rdm(models if isinstance(models, xr.DataArray) else as_rdm(models, dims=("model",)), "infer")
        if models.dims[:-2] != ("model",):
            raise InputError(
                f"infer: models have dims (model, ...), found {models.dims[:-2]}; stack or select the other dims first."
            )
        names = models["model"].values if "model" in models.coords else np.arange(models.sizes["model"])
        models = {str(name): models.isel(model=i, drop=True) for i, name in enumerate(names)}
        if len(models) != len(names):
            raise InputError("infer: names of models repeat.")
    if not models:
        raise InputError("infer: there is no model.")
    first = next(iter(models.values()))
    named = {}
    for name, given in models.items():
        rdm = same_stimuli(_as_rdm(first), _as_rdm(given), "infer")
        lead = rdm.dims[:-2]
        if lead not in ((), ("component",), ("fold",)):
            raise InputError(f"infer: model {name!r} has dims {lead}; give it one of 'component' or 'fold', or none.")
        if lead == ("component",) and fit is None:
            raise InputError(f"infer: model {name!r} has components to be fitted; pass fit={FITS} (one of them).")
        named[name] = rdm
    return named


def _as_rdm(rdm: xr.DataArray) -> xr.DataArray:
    return check_rdm(rdm, "infer") if isinstance(rdm, xr.DataArray) else as_rdm(rdm)


def _checked_data(named: dict[str, xr.DataArray], data: xr.DataArray, factors: tuple[str, ...]) -> xr.DataArray:
    reference = next(iter(named.values()))
    if not isinstance(data, xr.DataArray) and np.ndim(data) == 3:
        data = as_rdm(data, dims=("subject",))
    data = same_stimuli(reference, _as_rdm(data), "infer")
    data = data if "subject" in data.dims else data.expand_dims("subject")
    if data.dims[:-2] != ("subject",):
        raise InputError(
            f"infer: data have dims (subject, ...), found {data.dims[:-2]}; stack or select the other dims first."
        )
    if data.sizes["stimulus"] < MIN_STIMULI:
        raise InputError(f"infer: at least {MIN_STIMULI} stimuli are needed, found {data.sizes['stimulus']}.")
    if "subject" in factors and data.sizes["subject"] < 2:
        raise InputError("infer: one subject cannot be resampled; pass resample=('stimulus',).")
    return data


def _levels(data: xr.DataArray, groups: str | None, factors: tuple[str, ...]) -> np.ndarray:
    """Index (K,) of what is resampled as one: the stimulus itself, or its group."""
    if groups is None:
        return np.arange(data.sizes["stimulus"])
    if not isinstance(groups, str) or groups not in data.coords or data[groups].dims != ("stimulus",):
        labels = [str(k) for k, v in data.coords.items() if v.dims == ("stimulus",) and k != "stimulus"]
        raise InputError(
            f"infer: no label {str(groups)!r} along stimulus of the data. Labels: {', '.join(labels) or 'none'}."
        )
    names, levels = np.unique(data[groups].values, return_inverse=True)
    if len(names) < MIN_GROUPS and "stimulus" in factors:
        raise InputError(
            f"infer: {len(names)} groups of {groups!r} are too few to resample; at least {MIN_GROUPS} are needed."
        )
    return levels


def _comparison(named: dict[str, xr.DataArray], data: xr.DataArray, method: str) -> Comparison:
    vectors = [rdm_vectors(r.mean("fold") if "fold" in r.dims else r, method, "infer") for r in named.values()]
    owner = np.repeat(np.arange(len(vectors)), [len(v) for v in vectors])
    return Comparison(
        np.concatenate(vectors), owner, rdm_vectors(data, method, "infer"), method, data.sizes["stimulus"]
    )


def _folds(
    folds: int | Mapping[str, int] | None, levels: np.ndarray, n_subjects: int, rng: np.random.Generator
) -> Folds:
    n_levels = int(levels.max()) + 1
    asked = {"stimulus": folds} if isinstance(folds, int) else dict(folds or {})
    unknown = sorted(set(asked) - set(FACTORS))
    if unknown:
        raise InputError(f"infer: folds are of 'stimulus' and 'subject', found {unknown}.")
    of_stimuli = asked.get("stimulus") or max(2, min(5, len(levels) // 8))
    of_subjects = asked.get("subject") or min(5, n_subjects)
    smallest = len(levels) // of_stimuli if n_levels == len(levels) else n_levels // of_stimuli
    if of_stimuli < 2 or smallest < (5 if n_levels == len(levels) else 3) or not 1 <= of_subjects <= n_subjects:
        raise InputError(
            f"infer: {of_stimuli} folds of {n_levels} stimuli or groups and {of_subjects} folds of {n_subjects} "
            "subjects cannot be made; every fold needs at least 5 stimuli (or 3 groups) and 1 subject."
        )
    return Folds.random(levels, n_subjects, (of_stimuli, of_subjects), rng)


def _evaluation(
    comparison: Comparison, folds: Folds | None, fit: str | None, progress: bool
) -> tuple[np.ndarray, np.ndarray | None, Evaluate]:
    if folds is None or fit is None:
        each, fixed = comparison.plain()
        return fixed, each, comparison.fixed
    evaluate = partial(comparison.crossvalidated, folds=folds, fit=fit, progress=progress)
    n_subjects = len(comparison.data)
    return evaluate(np.ones((1, comparison.n_stimuli)), np.ones((1, 1, n_subjects)))[0, 0], None, evaluate


def _hash(comparison: Comparison) -> str:
    digest = hashlib.sha256()
    for part in (comparison.components, comparison.owner, comparison.data):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


# --- what comes out -----------------------------------------------------------------------------------------------


def _tests(values: np.ndarray, variance: Variance, alpha: float, correction: str, n_subjects: int) -> xr.Dataset:
    """Test `values` (M + 2): scores of models, lower and upper ceiling."""
    m = len(values) - 2
    score, basis = values[:m], np.eye(m + 2)
    error, df, reach = _uncertainty(basis, variance, alpha)
    p_zero = _p_above(score, error[:m], df[:m])
    result = xr.Dataset(
        {
            "score": ("model", score),
            "standard_error": ("model", error[:m]),
            "interval": (("model", "bound"), np.column_stack([score - reach[:m], score + reach[:m]])),
            "df": ("model", df[:m]),
            "p_zero": ("model", p_zero),
            "p_zero_corrected": ("model", correct_p(p_zero, correction)),
        },
        coords={"bound": ["low", "high"]},
    )
    pair, pair_corrected = np.ones((m, m)), np.ones((m, m))
    rows, columns = np.triu_indices(m, 1)
    if m > 1:
        gap_error, gap_df, _ = _uncertainty(basis[rows] - basis[columns], variance, alpha)
        p = _p_two_sided(score[rows] - score[columns], gap_error, gap_df)
        pair[rows, columns] = pair[columns, rows] = p
        pair_corrected[rows, columns] = pair_corrected[columns, rows] = correct_p(p, correction)
    result["p_pair"] = (("model", "model_other"), pair)
    result["p_pair_corrected"] = (("model", "model_other"), pair_corrected)
    if n_subjects > 1:
        middle = values[m:]
        gap_error, gap_df, _ = _uncertainty(basis[m] - basis[:m], variance, alpha)
        p_ceiling = _p_above(values[m] - score, gap_error, gap_df)
        result["ceiling"] = ("side", middle)
        result["ceiling_standard_error"] = ("side", error[m:])
        limits = np.column_stack([middle - reach[m:], middle + reach[m:]])
        result["ceiling_interval"] = (("side", "bound"), limits)
        result["p_ceiling"] = ("model", p_ceiling)
        result["p_ceiling_corrected"] = ("model", correct_p(p_ceiling, correction))
        result = result.assign_coords(side=["lower", "upper"])
    return result


def _uncertainty(contrasts: np.ndarray, variance: Variance, alpha: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standard error, degrees of freedom and half width of the interval of every contrast (C, M + 2)."""
    found = np.array([variance.of(c) for c in contrasts])
    error = np.sqrt(found[:, 0])
    return error, found[:, 1], stats.t.ppf(1 - alpha / 2, found[:, 1]) * error


def _with_model_ceilings(
    result: xr.Dataset, named: dict[str, xr.DataArray], method: str, levels: np.ndarray
) -> xr.Dataset:
    """Add how well a noisy model can agree with itself: ceilings over its folds, uncertain over stimuli."""
    noisy = {name: rdm for name, rdm in named.items() if rdm.sizes.get("fold", 1) > 1}
    if not noisy:
        return result
    values, errors = [], []
    for rdm in noisy.values():
        vectors = rdm_vectors(rdm, method, "infer")
        comparison = Comparison(vectors[:1], np.zeros(1, dtype=int), vectors, method, len(levels))
        gram = gram_of_features(vectors, np.ones((1, len(levels))), method)[0]
        values.append(exact_ceilings(vectors, gram, method, len(levels)))
        variance = jackknife_variance(comparison.fixed, levels, len(vectors), ("stimulus",))
        errors.append(_uncertainty(np.eye(3)[1:], variance, 0.05)[0])
    result["model_ceiling"] = (("noisy_model", "side"), np.array(values))
    result["model_ceiling_standard_error"] = (("noisy_model", "side"), np.array(errors))
    return result.assign_coords(noisy_model=list(noisy), side=["lower", "upper"])


def _p_above(value: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """One-sided p of `value` > 0; exactly no error gives 1 where the value is not above 0."""
    t = np.divide(value, error, out=np.where(value > 0, np.inf, 0.0), where=error > 0)
    return np.where((error == 0) & (value <= 0), 1.0, stats.t.sf(t, df))


def _p_two_sided(value: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Two-sided p of `value` != 0; no difference and no error gives 1."""
    t = np.divide(np.abs(value), error, out=np.where(value != 0, np.inf, 0.0), where=error > 1e-12)
    return 2 * stats.t.sf(t, df)
