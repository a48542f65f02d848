"""Inference: how well models explain the RDMs of several subjects, with uncertainty, ceilings and corrected tests."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from scipy import stats

from neurosim.rdm_arrays import by_name, by_subject, check_symmetric, in_order_of_names, known_entries
from neurosim.refusals import asked_by
from neurosim.runtime import as_rng, library_versions
from neurosim.schema import InputError, as_rdm, check_rdm, same_stimuli
from neurosim.similarity.comparison import rdm_vectors
from neurosim.similarity.incomplete import (
    FEWEST_COMMON,
    IncompleteComparison,
    check_subjects,
    has_missing,
)
from neurosim.similarity.inference_in_places import in_every_place, lead_of
from neurosim.similarity.inference_options import (
    AT_5_PERCENT,
    FACTORS,
    MIN_STIMULI,
    Fitting,
    Resampling,
    Significance,
    as_fitting,
    as_resampling,
    correct_p,
    levels_of,
)
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.kernels.ceilings import exact_ceilings
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.method import Method, inference_method
from neurosim.similarity.resampling import (
    Comparison,
    Evaluate,
    Folds,
    Variance,
    bootstrap_variance,
    jackknife_variance,
)
from neurosim.similarity.zero import why_zero_means_nothing

log = logging.getLogger(__name__)

MAX_PAIRED, MAX_PAIRED_FITTED = 50, 12


def infer(
    models: xr.DataArray | Mapping[str, xr.DataArray],
    data: xr.DataArray,
    *,
    method: str = "spearman",
    resample: Resampling | Sequence[str] | str = FACTORS,
    fit: Fitting | str | None = None,
    significance: Significance = AT_5_PERCENT,
    rng: np.random.Generator | int | None = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Score models against the RDMs of subjects, generalising to new subjects, new stimuli or both.

    (https://doi.org/10.7554/eLife.82566)

    Calibrated in 1,000 simulated experiments: null mean -0.02, recovery 0.99, error ratio 1.01, coverage 94.8 %,
    false positives 4.1 %. Two models that score alike are told apart by ``p_pair`` in 4 %.

    Parameters
    ----------
    models : RDMs (model, stimulus, stimulus_other), or a mapping from names to RDMs. In a mapping a model may be
        flexible, (component, stimulus, stimulus_other), and is then fitted; or noisy, (fold, stimulus,
        stimulus_other), such as one RDM a trial of a stochastic network: its mean is scored and its own ceiling
        reported.
    data : RDMs (..., subject, stimulus, stimulus_other), or one RDM; bare arrays are accepted for models and data. Each
        place along other dims (time, searchlight, ...) is inferred in as if selected alone, with the same folds and
        draws, and without the subjects whose RDM is all NaN there. NaN at all entries of a stimulus says that a subject
        did not see it: the subject is scored on the stimuli that it saw, ceilings come from the scores of every two
        subjects on the stimuli that both saw (without ranking again, and none where two share fewer than 6), and
        leaving a stimulus out touches those who saw it. Flexible models are fitted to subjects who saw every stimulus.
    method : a name in ``METHODS`` that has inference: all but "tau_b" and "bures".
    resample : "subject", "stimulus" or both: to what the result is meant to generalise; or a :class:`Resampling` that
        also says how the variance is estimated and which stimuli belong together.
    fit : the weights of flexible models, "select", "weighted", "nonnegative" or "interpolated"; or a :class:`Fitting`
        that also says in how many folds.
    significance : level of intervals and correction of p values.
    rng : seed or generator of the bootstrap and of the folds.
    progress : show a bar over places, or over samples of flexible models.

    Returns
    -------
    Dataset, of places if the data have them, with ``score``, ``standard_error``, ``interval`` (low, high), ``p_zero``
    (score above 0, one-sided), ``p_pair`` (two models differ), the same corrected (``*_corrected``), ``df`` of the
    tests, ``score_of_subject`` (of fixed models); with two subjects or more ``ceiling``, ``ceiling_standard_error``,
    ``ceiling_interval`` (side) and ``p_ceiling`` (below the lower ceiling, one-sided; conservative, 2 to 5 % false
    positives at 5 %); with noisy models ``model_ceiling`` and its standard error. The upper ceiling is the best
    attainable score or a proven bound: no RDM scores higher. The attrs hold seed, versions and a hash of the inputs.
    "cosine" and "whitened_cosine" count distances from 0: a model that has nothing to do with the data scores above 0
    wherever stimuli differ at all, with cross-validated distances too, so ``p_zero`` is NaN, with a warning and the
    attr ``no_p_zero``; all else holds, and :func:`mantel_test` tests such scores. Places have p values corrected for
    the models of all of them (conservative where places are alike, 1.5 % false positives in five such times;
    :func:`sign_flip_test` follows how alike they are), and ``n_subjects``; where RDMs do not vary, or too few subjects
    are left, all is NaN and ``undefined`` says why.

    Raises
    ------
    InputError : unknown names, different stimuli, fewer than 6 stimuli where stimuli are resampled (3 where they are
        fixed), one subject where subjects are resampled, places named as a dim of the result, or an `rng` that is none.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(10, 20))
    >>> data = xr.concat([ns.compute_rdm(truth + rng.normal(size=truth.shape)) for _ in range(5)], "subject")
    >>> bool(ns.infer({"truth": ns.compute_rdm(truth)}, data).p_zero[0] < 0.01)
    True
    """
    asked, fitting, generator = inference_method(method, "infer"), as_fitting(fit), as_rng(rng, "infer")
    named = {name: in_order_of_names(rdm) for name, rdm in named_models(models, fitting).items()}
    data = _checked_data(named, data)
    resampling = as_resampling(resample, data.sizes["subject"], "infer")
    _check_number_of_stimuli(data, resampling)
    seed = str(rng) if isinstance(rng, int) else json.dumps(generator.bit_generator.state, default=_plain)
    places = lead_of(data)
    alone = partial(_infer, named, asked, resampling, fitting, significance, progress and not places)
    if places:
        fewest = 2 if "subject" in resampling.over else 1
        correction = significance.correction
        result = in_every_place(alone, data, fewest=fewest, correction=correction, rng=generator, progress=progress)
    else:
        result = alone(data, generator)
    if "no_p_zero" in result.attrs:
        log.warning("infer: p_zero is NaN: %s", result.attrs["no_p_zero"])
    return result.assign_attrs(seed=seed, versions=json.dumps(library_versions()))


def _infer(
    named: dict[str, xr.DataArray],
    asked: Method,
    resampling: Resampling,
    fitting: Fitting | None,
    significance: Significance,
    progress: bool,
    data: xr.DataArray,
    generator: np.random.Generator,
) -> xr.Dataset:
    """Infer from one RDM a subject."""
    n_subjects, levels, incomplete = data.sizes["subject"], levels_of(data, resampling), has_missing(data)
    if incomplete and fitting is not None:
        raise InputError(
            "infer: models are fitted to subjects who saw every stimulus; select the stimuli that all saw."
        )
    comparison = _incomplete(named, data, asked, resampling) if incomplete else _comparison(named, data, asked)
    held_out = _folds(fitting, levels, n_subjects, generator) if fitting else None
    fixed, each, evaluate = _evaluation(comparison, held_out, fitting, progress)
    variance = _variance(evaluate, levels, n_subjects, resampling, generator, held_out)
    result = _only_if_zero_means_something(_tests(fixed, variance, significance, n_subjects), asked)
    if isinstance(comparison, IncompleteComparison) and not comparison.ceilings_known:
        result = result.drop_vars([name for name in result if "ceiling" in str(name)])
        result.attrs["no_ceiling"] = f"some two subjects have fewer than {FEWEST_COMMON} stimuli in common"
    if each is not None:
        zero = {"zero": result.attrs["no_p_zero"]} if "no_p_zero" in result.attrs else {}
        result["score_of_subject"] = (("model", "subject"), each, zero)
    result = _with_model_ceilings(result, named, asked, levels)
    names, subjects = list(named), data["subject"].values if "subject" in data.coords else np.arange(n_subjects)
    result = result.assign_coords(model=names, model_other=names, subject=subjects)
    return result.assign_attrs(
        method=asked.name,
        resample="+".join(resampling.over),
        estimate=resampling.estimate,
        n_bootstrap=resampling.n_samples if resampling.estimate == "bootstrap" else 0,
        fit=fitting.weights if fitting else "none",
        folds=f"{len(held_out.stimuli)} x {len(held_out.subjects)}" if held_out else "none",
        groups=resampling.groups or "none",
        alpha=significance.alpha,
        correction=significance.correction,
        inputs_sha256=_hash(comparison),
    )


# --- what was asked -----------------------------------------------------------------------------------------------


def named_models(
    models: xr.DataArray | Mapping[str, xr.DataArray], fitting: Fitting | None = None
) -> dict[str, xr.DataArray]:
    """RDMs ([component or fold,] stimulus, stimulus_other) by name, all in one order of stimuli."""
    models = by_name(models, "infer")
    if not isinstance(models, Mapping):
        with asked_by("infer", "as_rdm"):
            models = check_rdm(models if isinstance(models, xr.DataArray) else as_rdm(models, dims=("model",)), "infer")
        if models.dims[:-2] != ("model",):
            raise InputError(
                f"infer: models have dims (model, ...), found {models.dims[:-2]}; stack or select the other dims first."
            )
        names = models["model"].values if "model" in models.coords else np.arange(models.sizes["model"])
        named = {str(name): models.isel(model=i, drop=True) for i, name in enumerate(names)}
        if len(named) != len(names):
            raise InputError("infer: names of models repeat.")
        for rdm in named.values():  # the stack was checked as one, against the scale of its largest model
            check_symmetric(known_entries(rdm), "infer")
        return named
    if not models:
        raise InputError("infer: there is no model.")
    checked = {name: _as_rdm(given, f"infer, model {name!r}") for name, given in models.items()}
    first, named = next(iter(checked.values())), {}
    for name, given in checked.items():
        rdm = same_stimuli(first, given, "infer")
        lead = rdm.dims[:-2]
        if lead not in ((), ("component",), ("fold",)):
            raise InputError(f"infer: model {name!r} has dims {lead}; give it one of 'component' or 'fold', or none.")
        if lead == ("component",) and fitting is None:
            raise InputError(f"infer: model {name!r} has components to be fitted; pass fit='weighted' or a Fitting.")
        named[name] = rdm
    return named


def _as_rdm(rdm: xr.DataArray, who: str) -> xr.DataArray:
    with asked_by(who, "as_rdm", "infer"):
        return check_rdm(rdm, "infer") if isinstance(rdm, xr.DataArray) else as_rdm(rdm)


def _checked_data(named: dict[str, xr.DataArray], data: xr.DataArray) -> xr.DataArray:
    reference = next(iter(named.values()))
    if not isinstance(data, xr.DataArray):
        with asked_by("infer, data", "as_rdm"):
            data = as_rdm(data, dims=("subject",) if np.ndim(data) == 3 else (), missing=True)
    return by_subject(same_stimuli(reference, check_rdm(data, "infer", missing=True), "infer"), "infer")


def _check_number_of_stimuli(data: xr.DataArray, resampling: Resampling) -> None:
    n = data.sizes["stimulus"]
    if "stimulus" in resampling.over and n < MIN_STIMULI:
        raise InputError(
            f"infer: at least {MIN_STIMULI} stimuli are needed to resample them, found {n}; resample='subject' takes "
            "them as fixed, and mantel_test permutes them."
        )


def _comparison(named: dict[str, xr.DataArray], data: xr.DataArray, method: Method) -> Comparison:
    return Comparison(*_components(named, method), rdm_vectors(data, method, "infer"), method, data.sizes["stimulus"])


def _components(named: dict[str, xr.DataArray], method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Upper entries (C, P) of all models, and the model (C,) that each belongs to."""
    vectors = [rdm_vectors(r.mean("fold") if "fold" in r.dims else r, method, "infer") for r in named.values()]
    return np.concatenate(vectors), np.repeat(np.arange(len(vectors)), [len(v) for v in vectors])


def _incomplete(
    named: dict[str, xr.DataArray], data: xr.DataArray, method: Method, resampling: Resampling
) -> IncompleteComparison:
    seen = check_subjects(data, MIN_STIMULI if "stimulus" in resampling.over else 3, method, "infer")
    entries = upper(np.nan_to_num(data.values))
    return IncompleteComparison(*_components(named, method), entries, method, data.sizes["stimulus"], seen)


def _folds(fitting: Fitting, levels: np.ndarray, n_subjects: int, rng: np.random.Generator) -> Folds:
    n_levels = int(levels.max()) + 1
    asked = fitting.folds_of
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
    comparison: Comparison | IncompleteComparison, folds: Folds | None, fitting: Fitting | None, progress: bool
) -> tuple[np.ndarray, np.ndarray | None, Evaluate]:
    if folds is None or fitting is None or isinstance(comparison, IncompleteComparison):
        each, fixed = comparison.plain()
        return fixed, each, comparison.fixed
    evaluate = partial(comparison.crossvalidated, folds=folds, fit=fitting.weights, progress=progress)
    n_subjects = len(comparison.data)
    return evaluate(np.ones((1, comparison.n_stimuli)), np.ones((1, 1, n_subjects)))[0, 0], None, evaluate


def _variance(
    evaluate: Evaluate,
    levels: np.ndarray,
    n_subjects: int,
    resampling: Resampling,
    rng: np.random.Generator,
    folds: Folds | None,
) -> Variance:
    over = tuple(resampling.over)
    if resampling.estimate == "jackknife":
        return jackknife_variance(evaluate, levels, n_subjects, over, MAX_PAIRED_FITTED if folds else MAX_PAIRED)
    return bootstrap_variance(evaluate, levels, n_subjects, over, resampling.n_samples, rng, folds)


def _hash(comparison: Comparison | IncompleteComparison) -> str:
    digest = hashlib.sha256()
    for part in (comparison.components, comparison.owner, comparison.data):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


# --- what comes out -----------------------------------------------------------------------------------------------


def _tests(values: np.ndarray, variance: Variance, significance: Significance, n_subjects: int) -> xr.Dataset:
    """Test `values` (M + 2): scores of models, lower and upper ceiling."""
    m, alpha, correction = len(values) - 2, significance.alpha, significance.correction
    score, basis = values[:m], np.eye(m + 2)
    error, df, reach = _uncertainty(basis, variance, alpha)
    p_zero = _p_above(score, error[:m], df[:m])
    pair, pair_corrected = np.ones((m, m)), np.ones((m, m))
    rows, columns = np.triu_indices(m, 1)
    if m > 1:
        gap_error, gap_df, _ = _uncertainty(basis[rows] - basis[columns], variance, alpha)
        p = p_two_sided(score[rows] - score[columns], gap_error, gap_df)
        pair[rows, columns] = pair[columns, rows] = p
        pair_corrected[rows, columns] = pair_corrected[columns, rows] = correct_p(p, correction)
    found = {
        "score": ("model", score),
        "standard_error": ("model", error[:m]),
        "interval": (("model", "bound"), np.column_stack([score - reach[:m], score + reach[:m]])),
        "df": ("model", df[:m]),
        "p_zero": ("model", p_zero),
        "p_zero_corrected": ("model", correct_p(p_zero, correction)),
        "p_pair": (("model", "model_other"), pair),
        "p_pair_corrected": (("model", "model_other"), pair_corrected),
    }
    if n_subjects == 1:
        return xr.Dataset(found, {"bound": ["low", "high"]})
    middle = values[m:]
    gap_error, gap_df, _ = _uncertainty(basis[m] - basis[:m], variance, alpha)
    p_ceiling = _p_above(values[m] - score, gap_error, gap_df)
    found |= {
        "ceiling": ("side", middle),
        "ceiling_standard_error": ("side", error[m:]),
        "ceiling_interval": (("side", "bound"), np.column_stack([middle - reach[m:], middle + reach[m:]])),
        "p_ceiling": ("model", p_ceiling),
        "p_ceiling_corrected": ("model", correct_p(p_ceiling, correction)),
    }
    return xr.Dataset(found, {"bound": ["low", "high"], "side": ["lower", "upper"]})


def _only_if_zero_means_something(result: xr.Dataset, method: Method) -> xr.Dataset:
    """Return the result without `p_zero` where a score of 0 is not what unrelated RDMs have, and say why."""
    reason = why_zero_means_nothing(method)
    if reason is None:
        return result
    nothing = xr.full_like(result["p_zero"], np.nan)
    return result.assign(p_zero=nothing, p_zero_corrected=nothing.copy()).assign_attrs(no_p_zero=reason)


def _uncertainty(contrasts: np.ndarray, variance: Variance, alpha: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standard error, degrees of freedom and half width of the interval of every contrast (C, M + 2)."""
    found = np.array([variance.of(c) for c in contrasts])
    error = np.sqrt(found[:, 0])
    return error, found[:, 1], stats.t.ppf(1 - alpha / 2, found[:, 1]) * error


def _with_model_ceilings(
    result: xr.Dataset, named: dict[str, xr.DataArray], method: Method, levels: np.ndarray
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


def p_two_sided(value: np.ndarray, error: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Two-sided p of `value` != 0; no difference and no error gives 1."""
    t = np.divide(np.abs(value), error, out=np.where(value != 0, np.inf, 0.0), where=error > 1e-12)
    found: np.ndarray = 2 * stats.t.sf(t, df)
    return found
