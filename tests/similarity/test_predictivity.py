"""Predictivity against scikit-learn, and what normalisation must keep."""

import logging

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV

from neurosim.schema import InputError, as_responses
from neurosim.similarity.kernels import prediction as kernels
from neurosim.similarity.predictivity import normalize, predict_responses


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


def test_scores_are_correlations_of_held_out_predictions():
    source, target = pair(0)
    found = predict_responses(source, target, method="pls", options={"n_components": 3}, folds=5, rng=3)
    order = np.random.default_rng(3).permutation(60)
    predicted = np.empty((60, 4))
    for test in np.array_split(order, 5):
        train = np.setdiff1d(np.arange(60), test)
        model = PLSRegression(n_components=3, scale=False).fit(source.values[train], target.values[train])
        predicted[test] = model.predict(source.values[test])
    wanted = [pearsonr(predicted[:, u], target.values[:, u])[0] for u in range(4)]
    np.testing.assert_allclose(found.score, wanted, atol=1e-10)


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


def test_jackknifed_correlations_equal_leaving_out():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12, 3))
    score, left = kernels.jackknifed_correlations(x, y)
    for u in range(3):
        assert score[u] == pytest.approx(pearsonr(x[:, u], y[:, u])[0])
        for i in range(12):
            wanted = pearsonr(np.delete(x[:, u], i), np.delete(y[:, u], i))[0]
            assert left[i, u] == pytest.approx(wanted)


def test_a_unit_that_does_not_vary_scores_zero():
    source, target = pair(0)
    flat = target.copy(data=np.where(np.arange(4) == 1, 3.3, target.values))
    found = predict_responses(source, flat).score
    assert float(found[1]) == 0
    assert np.isfinite(found).all()


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
        (lambda a, b: predict_responses(a, b, folds=40), "every fold needs 2"),
        (lambda a, b: predict_responses(a, b.isel(stimulus=slice(9))), "different stimuli"),
        (lambda a, b: predict_responses(a, b.expand_dims(time=2)), "time dim"),
        (lambda a, b: normalize(xr.DataArray([0.1]), xr.DataArray([0.0])), "carry no signal"),
        (lambda a, b: normalize(xr.DataArray([0.1]), xr.DataArray([np.nan])), "carry no signal"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*pair(0))
