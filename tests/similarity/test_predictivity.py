"""Predictivity against scikit-learn, and what normalisation must keep."""

import logging

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV

from neurosim.schema import InputError, as_responses
from neurosim.similarity.kernels import folds as kernels_of_folds
from neurosim.similarity.kernels import prediction as kernels
from neurosim.similarity.predictivity import normalize, predict_responses
from neurosim.similarity.predictor import PREDICTORS
from neurosim.similarity.predictors.ridge import RidgeOptions


def pair(seed, n=60, p=10, u=4, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    return as_responses(x), as_responses(x @ rng.normal(size=(p, u)) + noise * rng.normal(size=(n, u)))


@pytest.mark.parametrize("shape", [(50, 8), (20, 40)])
def test_ridge_weights_and_penalties_equal_scikit_learn(shape):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=shape), rng.normal(size=(shape[0], 3))
    x, y = x - x.mean(0), y - y.mean(0)
    weights, penalty = kernels.ridge_weights(x, y, kernels.PENALTIES, "leave_one_out")
    values = np.linalg.svd(x, compute_uv=False)
    scale = (values[values > 1e-10 * values[0]] ** 2).mean()
    for u in range(3):
        fitted = Ridge(alpha=penalty[u] * scale, fit_intercept=False).fit(x, y[:, u])
        np.testing.assert_allclose(weights[:, u], fitted.coef_, atol=1e-8)
    chosen = RidgeCV(alphas=kernels.PENALTIES * scale, alpha_per_target=True).fit(x, y)
    np.testing.assert_allclose(penalty * scale, chosen.alpha_, rtol=1e-10)


def test_generalised_cross_validation_equals_its_definition():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=(30, 1)) * 2
    x, y = x - x.mean(0), y - y.mean(0)
    found = kernels.ridge_weights(x, y, kernels.PENALTIES, "generalised")[1][0]
    scale = (np.linalg.svd(x, compute_uv=False) ** 2).mean()
    losses = []
    for penalty in kernels.PENALTIES:
        hat = x @ np.linalg.solve(x.T @ x + penalty * scale * np.eye(5), x.T) + 1 / 30
        losses.append(((y - hat @ y) ** 2).mean() / (1 - np.trace(hat) / 30) ** 2)
    assert found == kernels.PENALTIES[int(np.argmin(losses))]


def test_scores_are_means_over_folds_of_correlations_with_what_was_held_out():
    source, target = pair(0)
    found = predict_responses(source, target, method="pls", options={"n_components": 3}, folds=5, rng=3)
    order = np.random.default_rng(3).permutation(60)
    each = []
    for test in np.array_split(order, 5):
        train = np.setdiff1d(np.arange(60), test)
        model = PLSRegression(n_components=3, scale=False).fit(source.values[train], target.values[train])
        predicted = model.predict(source.values[test])
        each.append([pearsonr(predicted[:, u], target.values[test, u])[0] for u in range(4)])
    np.testing.assert_allclose(found.score, np.mean(each, 0), atol=1e-10)


def test_the_variance_over_folds_is_unbiased_for_a_sum_over_pairs():
    """The second order of a symmetric statistic: two for one of the spread of folds, and half of the jackknife."""
    rng, k = np.random.default_rng(0), 6
    pairs = rng.normal(size=(k, k, 4000))
    pairs = (pairs + pairs.swapaxes(0, 1)) * ~np.eye(k, dtype=bool)[:, :, None] + rng.normal(size=(k, 1, 4000))
    rows = pairs * ~np.eye(k, dtype=bool)[:, :, None]
    each = rows.sum(1) / (k - 1)
    without = (rows.sum(1)[:, None] - rows) / (k - 2)
    together = kernels_of_folds._shared(each[:, None] - without) * (k - 2) ** 2
    assert together.mean() == pytest.approx(2, rel=0.1)
    variance, jackknife, _ = kernels_of_folds.fold_variance(each, without)
    assert (variance >= each.var(0, ddof=1) / k - 1e-12).all()
    assert jackknife.mean() > 1.15 * each.mean(0).var() and variance.mean() < jackknife.mean()
    assert np.isnan(kernels_of_folds.fold_variance(each[:3], without[:3, :3]).variance).all()


def test_turning_the_source_changes_nothing_however_many_units_it_has():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 70))
    turned = kernels.principal_coordinates(x, block=16)
    centred = x - x.mean(0)
    np.testing.assert_allclose(turned @ turned.T, centred @ centred.T, atol=1e-9)
    y = as_responses(x[:, :2] + rng.normal(size=(20, 2)))
    wide = predict_responses(as_responses(x), y, folds=4, progress=False)
    narrow = predict_responses(as_responses(turned), y, folds=4, progress=False)
    xr.testing.assert_allclose(wide, narrow, rtol=1e-7)


def test_the_best_layer_is_chosen_by_the_other_folds():
    source, target = pair(0, p=6)
    other = np.random.default_rng(9).normal(size=(60, 6))
    both = as_responses(np.hstack([other, source.values]), coords={"layer": ("unit", list("a" * 6 + "b" * 6))})
    found = predict_responses(both, target, choose="layer", folds=5, progress=False)
    assert found.chosen.values.tolist() == ["b"] * 5
    np.testing.assert_allclose(found.score, predict_responses(source, target, folds=5, progress=False).score)
    nothing = as_responses(np.random.default_rng(4).normal(size=(60, 1)).repeat(4, 1))
    parts = [predict_responses(s, nothing, folds=5, progress=False).score[0] for s in (as_responses(other), source)]
    chosen = predict_responses(both, nothing, choose="layer", folds=5, progress=False)
    assert float(chosen.score[0]) <= max(parts) + 1e-12
    with pytest.raises(InputError, match="no label 'layers' along unit"):
        predict_responses(both, target, choose="layers")
    with pytest.raises(InputError, match="direction='forward'"):
        predict_responses(both, target, choose="layer", direction="both")


def trials(seed, n=80, n_trials=6, u=3, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    signal = x @ rng.normal(size=(5, u)) / np.sqrt(5)
    values = signal[:, None] + noise * rng.normal(size=(n, n_trials, u))
    return as_responses(x), as_responses(values, dims=("stimulus", "trial", "unit")), signal


def test_ceilings_and_shares_know_the_noise_of_the_trials():
    """A linear unit that is predicted rightly has its ceiling for a score, and all of what can be explained."""
    source, target, signal = trials(0, n=400, n_trials=3)
    found = predict_responses(source, target, folds=5, progress=False)
    true = np.array([np.corrcoef(signal[:, u], target.values.mean(1)[:, u])[0, 1] for u in range(3)])
    np.testing.assert_allclose(found.ceiling, true, atol=0.02)
    np.testing.assert_allclose(found.normalized, 1, atol=0.03)
    np.testing.assert_allclose(found.explained, 1, atol=0.06)
    np.testing.assert_allclose(found.score, found.normalized * found.ceiling)
    deaf = target - target.mean("trial") + 0 * target[0, 0]
    deaf = predict_responses(source, deaf, folds=5, progress=False)
    assert np.isnan(deaf.ceiling).all() and np.isnan(deaf.median_normalized) and np.isfinite(deaf.score).all()


def test_missing_trials_are_left_out_and_their_number_is_known():
    source, target, _ = trials(1)
    whole = predict_responses(source, target, folds=5, progress=False)
    fewer = predict_responses(source, target.isel(trial=slice(4)), folds=5, progress=False)
    last = target.where(xr.DataArray(np.arange(6) < 4, dims="trial"))
    xr.testing.assert_allclose(predict_responses(source, last, folds=5, progress=False), fewer)
    lost = target.copy(data=np.where((np.arange(80) < 10)[:, None, None] & (np.arange(3) == 1), np.nan, target.values))
    found = predict_responses(source, lost, folds=5, progress=False)
    np.testing.assert_allclose(found.score[[0, 2]], whole.score[[0, 2]], rtol=1e-9)
    fold = np.empty(80, dtype=int)
    for f, part in enumerate(np.array_split(np.random.default_rng(0).permutation(80), 5)):
        fold[part] = f
    only = np.arange(80) >= 10
    each = [
        kernels.correlations(
            predict_one(source.values[only & (fold != f)], target.values.mean(1)[only & (fold != f), 1:2],
                        source.values[only & (fold == f)]),
            target.values.mean(1)[only & (fold == f), 1:2],
        )
        for f in range(5)
    ]  # fmt: skip
    assert float(found.score[1]) == pytest.approx(float(np.mean(each)))
    gone = target.copy(data=np.where((np.arange(80) > 12)[:, None, None] & (np.arange(3) == 1), np.nan, target.values))
    assert np.isnan(predict_responses(source, gone, folds=5, progress=False).score).values.tolist() == [
        False,
        True,
        False,
    ]
    with pytest.raises(InputError, match="1 of 3 source units were not measured at some stimulus"):
        predict_responses(source, lost, direction="both", folds=5)


@pytest.mark.parametrize("method", ["ridge", "pls", "one_to_one", "soft_matching"])
@pytest.mark.filterwarnings("error")
def test_a_silent_unit_and_one_that_was_never_measured_have_no_score_and_say_why(method):
    source, target, _ = trials(1)
    values = target.values.copy()
    values[..., 0], values[..., 2] = 0.1, np.nan
    odd = predict_responses(source, target.copy(data=values), method=method, folds=4, progress=False)
    assert odd.undefined.values.tolist() == ["does not vary", "", "fewer than 3 stimuli in a fold"]
    assert np.isnan(odd[["score", "explained", "ceiling"]].isel(unit=[0, 2]).to_array()).all()
    assert float(odd.median_score) == float(odd.score[1])
    assert "undefined" not in predict_responses(source, target, method=method, folds=4, progress=False).coords


def predict_one(train, target, test):
    return PREDICTORS["ridge"].predict(train, target, test, RidgeOptions())[0]


def test_both_directions_have_ceilings_of_their_own():
    source, target, _ = trials(2)
    both = predict_responses(source, target, direction="both", folds=5, progress=False)
    forward = predict_responses(source, target, folds=5, progress=False)
    assert float(both.median_normalized[0]) == float(forward.median_normalized)
    assert np.isnan(both.median_ceiling).values.tolist() == [False, True]
    assert float(both.median_score[1]) == float(
        predict_responses(source, target, folds=5, direction="reverse", progress=False).median_score
    )


def test_ridge_recovers_the_signal_and_noise_is_not_predicted():
    source, target = pair(0, n=200)
    assert float(predict_responses(source, target).median_score) > 0.9
    nothing = as_responses(np.random.default_rng(5).normal(size=(200, 30)))
    found = predict_responses(nothing, target)
    assert float(found.median_score) < 3 * float(found.median_standard_error) + 0.05


@pytest.mark.parametrize("method", ["one_to_one", "soft_matching"])
def test_matching_finds_the_same_units_in_another_order(method):
    source = as_responses(np.random.default_rng(0).normal(size=(50, 6)))
    shuffled = as_responses(3 * source.values[:, [3, 1, 0, 5, 4, 2]] + 1)
    np.testing.assert_allclose(predict_responses(source, shuffled, method=method).score, 1, atol=1e-10)
    rotated = as_responses(source.values @ np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0])
    assert float(predict_responses(source, rotated, method=method).median_score) < 0.95
    assert float(predict_responses(source, rotated).median_score) > 0.99


def test_a_richer_model_predicts_and_is_not_predicted():
    source, _ = pair(0, p=20)
    part = as_responses(source.values[:, :3])
    both = predict_responses(source, part, direction="both")
    assert both.direction.values.tolist() == ["forward", "reverse"]
    assert float(both.median_score[0]) > float(both.median_score[1]) + 0.3
    assert float(both.both_score) == pytest.approx(float(both.median_score.mean()))
    reverse = predict_responses(source, part, direction="reverse")
    assert float(reverse.median_score) == pytest.approx(float(both.median_score[1]))


def test_stimuli_are_matched_by_label_trials_averaged_and_seeds_repeat():
    source, target = pair(0)
    order = np.random.default_rng(0).permutation(60)
    a = predict_responses(source, target)
    xr.testing.assert_identical(a, predict_responses(source, target.isel(stimulus=order)))
    twice = target.expand_dims(trial=2)
    np.testing.assert_allclose(predict_responses(source, twice).score, a.score)
    assert not np.allclose(a.score, predict_responses(source, target, rng=1).score)


def test_a_unit_that_does_not_vary_in_one_fold_scores_zero_there():
    source, target = pair(0)
    whole = predict_responses(source, target, folds=5)
    fold = whole.held_out_in.values
    flat = target.copy(data=np.where((np.arange(4) == 1) & (fold == 2)[:, None], 3.3, target.values))
    found = predict_responses(source, flat, folds=5)
    assert float(found.score_of_fold[2, 1]) == 0
    assert np.isfinite(found.score).all()


def test_normalisation_keeps_signs_and_reports_what_is_above_the_ceiling(caplog):
    score, ceiling = xr.DataArray([-0.3, 0.2, 0.9], dims="unit"), xr.DataArray([0.6, 0.5, 0.8], dims="unit")
    with caplog.at_level(logging.WARNING):
        found = normalize(score, ceiling)
    np.testing.assert_allclose(found, [-0.5, 0.4, 1.125])
    assert found.attrs["n_above_ceiling"] == 1
    assert "1 of 3 scores are above their ceiling" in caplog.text


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda a, b: predict_responses(a * 0 + 1, b), "predicts nothing"),
        (lambda a, b: normalize(xr.DataArray([np.nan]), xr.DataArray([0.5])), "scores are NaN"),
        (
            lambda a, b: predict_responses(a, b, options={"n_components": 3}),
            "no option 'n_components'; known: penalty_by",
        ),
        (
            lambda a, b: predict_responses(a, b, method="pls", options={"n_components": 0}),
            "n_components is a whole number",
        ),
        (lambda a, b: predict_responses(a, b, method="lasso"), "unknown method 'lasso'"),
        (lambda a, b: predict_responses(a, b, direction="forwards"), "Did you mean 'forward'"),
        (lambda a, b: predict_responses(a, b, options={"penalty_by": "gcv"}), "no choice 'gcv'"),
        (lambda a, b: predict_responses(a, b, folds=40), "every fold needs 3"),
        (lambda a, b: predict_responses(a, b.isel(stimulus=slice(9))), "different stimuli"),
        (lambda a, b: predict_responses(a, b.expand_dims(time=2)), "time dim"),
        (lambda a, b: normalize(xr.DataArray([0.1]), xr.DataArray([0.0])), "carry no signal"),
        (lambda a, b: normalize(xr.DataArray([0.1]), xr.DataArray([np.nan])), "carry no signal"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*pair(0))


def test_the_ceiling_of_unequal_trials_is_that_of_their_own_means():
    source, target, _ = trials(3, n_trials=5)
    n = np.random.default_rng(0).integers(1, 6, size=(80, 1, 3))
    some = target.copy(data=np.where(np.arange(5)[:, None] < n, target.values, np.nan))
    found = predict_responses(source, some, folds=5, progress=False)
    for u in range(3):
        each = [v[np.isfinite(v)] for v in some.values[:, :, u]]
        pooled = sum(((v - v.mean()) ** 2).sum() for v in each) / sum(len(v) - 1 for v in each)
        noise = np.mean([(v.var(ddof=1) if len(v) > 1 else pooled) / len(v) for v in each])
        total = np.var([v.mean() for v in each], ddof=1)
        assert float(found.ceiling[u]) == pytest.approx(np.sqrt((total - noise) / total))
    np.testing.assert_allclose(found.normalized, found.score / found.ceiling)
