"""Scores of subjects who each saw stimuli of their own, combined: their mean, and how much they truly vary."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy import optimize, stats

from neurosim.rdm_arrays import in_order_of_names, seen_stimuli
from neurosim.refusals import asked_by, check_alpha
from neurosim.schema import InputError, check_rdm
from neurosim.similarity.comparison import rdm_vectors
from neurosim.similarity.inference_options import MIN_STIMULI
from neurosim.similarity.method import Method, inference_method
from neurosim.similarity.resampling import Comparison, jackknife_variance
from neurosim.similarity.zero import why_zero_means_nothing

FEWEST_SUBJECTS = 3


def combine_subjects(
    models: xr.DataArray,
    data: Mapping[str, xr.DataArray],
    *,
    method: str = "spearman",
    alpha: float = 0.05,
) -> xr.Dataset:
    """Score models in subjects who each saw other stimuli, and generalise to new subjects and stimuli.

    Each subject (an animal, a session) has a score with an error that leaving out its stimuli tells. The score of all
    is their plain mean, as weights from errors would favour high scores, whose errors are smaller
    (https://doi.org/10.1037/a0012868), and its t interval holds whatever the errors of subjects are
    (https://doi.org/10.1198/jbes.2009.08046). How much true scores vary is found by restricted likelihood.
    Calibrated in 1,000 simulated experiments: null mean 0.01, recovery 1.00, error ratio 1.04, coverage 93.9 %,
    false positives 5.6 %.

    Parameters
    ----------
    models : RDMs (model, stimulus, stimulus_other) of all stimuli that any subject saw.
    data : RDMs (stimulus, stimulus_other) by name of the subject, each of stimuli that no other subject saw. NaN at all
        entries of a stimulus says that it was not seen; it counts for nobody.
    method : a name in ``METHODS`` that has inference.
    alpha : one minus the coverage of the intervals.

    Returns
    -------
    Dataset along ``model``: ``score``, ``standard_error``, ``interval`` (low, high), ``p_zero`` (score above 0,
    one-sided; NaN for methods that count distances from 0, see :func:`infer`), ``variance_of_subjects`` of true scores
    and its share ``heterogeneity`` in the variance of the scores of subjects; and (model, subject)
    ``score_of_subject`` and ``standard_error_of_subject``.

    Raises
    ------
    InputError : fewer than 3 subjects, stimuli that two subjects share (their errors are not independent: ``infer``
        takes one array of subjects), stimuli that models lack, fewer than 6 stimuli of a subject.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> model = ns.compute_rdm(rng.normal(size=(30, 9)), "euclidean").expand_dims(model=["own"])
    >>> names = model.stimulus.values.reshape(3, 10)
    >>> data = {f"day{i}": model[0].sel(stimulus=n, stimulus_other=n) for i, n in enumerate(names)}
    >>> ns.similarity.combine_subjects(model, data).score.values.round(6).tolist()
    [1.0]
    """
    who = "combine_subjects"
    asked = inference_method(method, who)
    check_alpha(alpha, who)
    models = check_rdm(models, who)
    if models.dims[:-2] != ("model",) or not isinstance(data, Mapping) or len(data) < FEWEST_SUBJECTS:
        raise InputError(
            f"{who}: models (model, stimulus, stimulus_other) and a mapping of {FEWEST_SUBJECTS} or more subjects to "
            f"RDMs asked, found models {models.dims} and {len(data) if isinstance(data, Mapping) else 'no mapping'}."
        )
    rdms = {
        name: _of_seen_stimuli(in_order_of_names(check_rdm(rdm, who, missing=True)), name, who)
        for name, rdm in data.items()
    }
    _check_stimuli(models, rdms, who)
    alone = [_scores_alone(models, rdm, asked, f"{who}, subject {name!r}") for name, rdm in rdms.items()]
    each, errors = (np.stack(side, axis=1) for side in zip(*alone, strict=True))
    between = np.array([variance_between(y, e**2) for y, e in zip(each, errors, strict=True)])
    score, error, df = each.mean(1), each.std(1, ddof=1) / np.sqrt(len(rdms)), len(rdms) - 1
    reach = stats.t.ppf(1 - alpha / 2, df) * error
    t = np.divide(score, error, out=np.where(score > 0, np.inf, 0.0), where=error > 0)
    zero = why_zero_means_nothing(asked)
    within = (errors**2).mean(1)
    result = xr.Dataset(
        {
            "score": ("model", score),
            "standard_error": ("model", error),
            "interval": (("model", "bound"), np.column_stack([score - reach, score + reach])),
            "p_zero": ("model", stats.t.sf(t, df) if zero is None else np.full(len(score), np.nan)),
            "variance_of_subjects": ("model", between),
            "heterogeneity": ("model", between / np.maximum(between + within, np.finfo(float).tiny)),
            "score_of_subject": (("model", "subject"), each),
            "standard_error_of_subject": (("model", "subject"), errors),
        },
        coords={"subject": list(rdms), "bound": ["low", "high"]},
        attrs={"method": method, "alpha": alpha, "df": df} | ({} if zero is None else {"no_p_zero": zero}),
    )
    return result.assign_coords(model=models["model"].values) if "model" in models.coords else result


def random_effects_mean(values: np.ndarray, variances: np.ndarray) -> tuple[float, float, float]:
    """Mean of values (S,) with known variances (S,), its Knapp-Hartung error, and the variance between (REML).

    For values whose errors do not go with them; scores of RDMs have smaller errors where they are high.

    >>> [round(float(v), 6) for v in random_effects_mean(np.array([1.0, 2.0, 3.0]), np.full(3, 0.25))]
    [2.0, 0.57735, 0.75]
    """
    between = variance_between(values, variances)
    total = between + variances
    if not (total > 0).all():
        return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), between
    weights = 1 / total
    mean = float(weights @ values / weights.sum())
    squared = float(weights @ (values - mean) ** 2) / (len(values) - 1) / weights.sum()
    return mean, float(np.sqrt(squared)), between


def variance_between(values: np.ndarray, variances: np.ndarray) -> float:
    """Variance of the true values behind values (S,) of known variances (S,) by restricted likelihood, 0 or above.

    >>> round(variance_between(np.array([1.0, 2.0, 3.0]), np.full(3, 0.25)), 6)
    0.75
    """
    spread = float(np.ptp(values))
    if spread == 0:
        return 0.0

    def loss(between: float) -> float:
        weights = 1 / (between + variances + 1e-12 * spread**2)
        mean = weights @ values / weights.sum()
        return float(np.log(weights.sum()) - np.log(weights).sum() + weights @ (values - mean) ** 2)

    found = optimize.minimize_scalar(loss, bounds=(0, spread**2), method="bounded", options={"xatol": 1e-9 * spread**2})
    return float(found.x) if found.fun < loss(0.0) else 0.0


def _of_seen_stimuli(rdm: xr.DataArray, name: str, who: str) -> xr.DataArray:
    """Return the RDM of a subject without the stimuli that it did not see."""
    if rdm.ndim != 2:
        raise InputError(f"{who}: subject {name!r} has dims {rdm.dims}; give one RDM (stimulus, stimulus_other).")
    own = np.flatnonzero(seen_stimuli(rdm))
    if len(own) < MIN_STIMULI:
        raise InputError(
            f"{who}: subject {name!r} saw {len(own)} stimuli, at least {MIN_STIMULI} are needed; leave it out."
        )
    return rdm.isel(stimulus=own, stimulus_other=own)


def _scores_alone(models: xr.DataArray, rdm: xr.DataArray, method: Method, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores and errors (M,) of one subject, over its stimuli."""
    seen = rdm["stimulus"].values
    own = rdm_vectors(models.sel(stimulus=seen, stimulus_other=seen), method, who)
    comparison = Comparison(own, np.arange(len(own)), rdm_vectors(rdm, method, who), method, len(seen))
    with asked_by(who, "infer"):
        variance = jackknife_variance(comparison.fixed, np.arange(len(seen)), 1, ("stimulus",))
    return comparison.plain()[0][:, 0], np.sqrt([variance.of(c)[0] for c in np.eye(len(own) + 2)[: len(own)]])


def _check_stimuli(models: xr.DataArray, rdms: Mapping[str, xr.DataArray], who: str) -> None:
    known, owner = set(models["stimulus"].values.tolist()), dict[object, str]()
    for name, rdm in rdms.items():
        for stimulus in rdm["stimulus"].values.tolist():
            if stimulus not in known:
                raise InputError(f"{who}: models have no stimulus {stimulus!r}, which {name!r} saw; select the others.")
            if stimulus in owner:
                raise InputError(
                    f"{who}: stimulus {stimulus!r} was seen by {owner[stimulus]!r} and {name!r}, whose errors are then "
                    "not independent; stack such subjects and use infer."
                )
            owner[stimulus] = name
