"""Regression on RDMs and reweighted features against dense formulas and scikit-learn."""

import numpy as np
import pytest
import xarray as xr
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge

from neurosim.schema import InputError, as_rdm, as_responses
from neurosim.similarity import reweighting
from neurosim.similarity.kernels.arrays import to_square, upper
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.regression import partition_variance, regress_rdm
from neurosim.similarity.resampling import jackknife_variance
from neurosim.similarity.reweighting import reweight_features


def some_rdms(seed, n, n_stimuli=24):
    rng = np.random.default_rng(seed)
    return [as_rdm(euclidean(rng.normal(size=(n_stimuli, 12)))) for _ in range(n)]


def subjects_of(models, weights, seed=9, n_subjects=5, noise=0.5):
    rng = np.random.default_rng(seed)
    mixed = sum(w * m.values / m.values.std() for w, m in zip(weights, models, strict=True))
    noisy = [mixed + noise * to_square(rng.normal(size=(24 * 23 // 2,)), 24) for _ in range(n_subjects)]
    return as_rdm(np.stack(noisy), dims=("subject",))


def standard(rdm):
    v = upper(np.asarray(rdm))
    return (v - v.mean()) / v.std()


def test_coefficients_are_those_of_ordinary_regression_with_interaction():
    models = dict(zip("abc", some_rdms(0, 3), strict=True))
    data = subjects_of(models.values(), (1.0, 0.5, 0.0))
    found = regress_rdm(data, models, interactions=[("a", "b")])
    assert found.term.values.tolist() == ["a", "b", "c", "a:b"]
    product = standard(models["a"]) * standard(models["b"])
    x = np.column_stack([*(standard(m) for m in models.values()), (product - product.mean()) / product.std()])
    wanted = np.mean([LinearRegression().fit(x, standard(d)).coef_ for d in data.values], axis=0)
    np.testing.assert_allclose(found.coefficient, wanted, atol=1e-10)


def test_partial_correlation_is_the_correlation_of_residuals():
    a, b = some_rdms(1, 2)
    data = subjects_of([a, b], (1.0, 1.0), n_subjects=1)
    x, z, y = standard(a), standard(b), standard(data.values[0])
    wanted = np.corrcoef(x - (x @ z) / (z @ z) * z, y - (y @ z) / (z @ z) * z)[0, 1]
    found = regress_rdm(data, {"a": a, "b": b}, resample=("stimulus",))
    assert float(found.partial_correlation[0]) == pytest.approx(wanted, abs=1e-10)


def test_nonnegative_coefficients_stay_at_zero_where_the_plain_ones_are_below():
    a, b = some_rdms(2, 2)
    data = subjects_of([a, b], (1.0, -1.0))
    plain, held = (regress_rdm(data, {"a": a, "b": b}, nonnegative=n) for n in (False, True))
    assert float(plain.coefficient.sel(term="b")) < -0.1
    assert float(held.coefficient.sel(term="b")) == 0
    assert float(held.coefficient.sel(term="a")) > 0.1


def test_a_term_without_effect_is_called_one_at_about_alpha():
    hits = 0
    for seed in range(150):
        models = some_rdms(seed, 2)
        data = subjects_of(models, (1.0, 0.0), seed=seed + 1000, noise=1.0)
        hits += float(regress_rdm(data, {"a": models[0], "b": models[1]}, folds=2).p[1]) < 0.05
    assert hits <= 0.09 * 150


def test_cross_validated_unique_variance_is_zero_on_average_for_a_useless_term_and_not_for_a_useful_one():
    useless, useful = [], []
    for seed in range(40):
        models = some_rdms(seed, 2)
        data = subjects_of(models, (1.0, 0.0), seed=seed + 500, n_subjects=1)
        found = regress_rdm(data, {"a": models[0], "b": models[1]}, resample=("stimulus",)).unique_variance
        useful.append(float(found[0]))
        useless.append(float(found[1]))
    assert np.mean(useless) < 0.01
    assert np.mean(useful) > 0.3


def test_subjects_are_regressed_on_the_stimuli_that_they_saw():
    """Every result is the mean of those of subjects cut to their stimuli, also of two who miss the same."""
    models = dict(zip("ab", some_rdms(4, 2), strict=True))
    full = subjects_of(models.values(), (1.0, 0.5), n_subjects=4)
    data, lost = full.copy(), ([0, 7, 9], [], [3, 4, 5], [0, 7, 9])
    for i, k in enumerate(lost):
        data.values[i, k] = data.values[i, :, k] = np.nan
    found = regress_rdm(data, models, folds=0, resample="subject")
    parts = partition_variance(data, models, folds=0, resample="subject")
    alone = []
    for i, k in enumerate(lost):
        own = np.setdiff1d(np.arange(24), k)
        y, x = (
            standard(full.values[i][np.ix_(own, own)]),
            [standard(m.values[np.ix_(own, own)]) for m in models.values()],
        )
        fit = LinearRegression().fit(np.column_stack(x), y)
        alone.append([*fit.coef_, fit.score(np.column_stack(x), y)])
    np.testing.assert_allclose([*found.coefficient, found.explained_variance], np.mean(alone, axis=0), atol=1e-10)
    assert float(parts.explained_variance[-1]) == pytest.approx(np.mean(alone, axis=0)[-1], abs=1e-10)
    np.testing.assert_allclose(found.standard_error, np.std(alone, axis=0, ddof=1)[:2] / 2, atol=1e-10)
    whole = regress_rdm(data[[1]], models, resample="stimulus")
    np.testing.assert_array_equal(
        whole.unique_variance, regress_rdm(full[[1]], models, resample="stimulus").unique_variance
    )
    assert np.isfinite(regress_rdm(data, models).unique_variance_standard_error).all()


def test_five_fixed_stimuli_have_coefficients_and_no_folds():
    a, b = some_rdms(5, 2, 5)
    data = as_rdm(np.stack([a + b.values, a.values, a + 2 * b.values]), dims=("subject",))
    found = regress_rdm(data, {"a": a, "b": b}, resample="subject", folds=0)
    x = np.column_stack([standard(a), standard(b)])
    wanted = np.mean([LinearRegression().fit(x, standard(d)).coef_ for d in data.values], axis=0)
    np.testing.assert_allclose(found.coefficient, wanted, atol=1e-10)
    with pytest.raises(InputError, match="at least 6 stimuli are needed to resample them"):
        regress_rdm(data, {"a": a, "b": b}, folds=0)
    with pytest.raises(InputError, match="folds=0 gives the variance of the fit itself"):
        regress_rdm(data, {"a": a, "b": b}, resample="subject")


@pytest.mark.parametrize(("n", "words"), [(10, "with 10 stimuli"), (12, "")])
def test_errors_of_explained_variance_are_warned_of_where_stimuli_are_too_few(n, words, caplog):
    a, b = some_rdms(6, 2, n)
    partition_variance(a, {"b": b}, resample="stimulus")
    assert bool(caplog.text) == bool(words)
    assert words in caplog.text


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
def test_the_error_of_a_mean_is_the_same_whatever_share_of_a_value_is_taken_off(share):
    values = np.random.default_rng(7).normal(size=9)

    def mean(counts, draws):
        return np.broadcast_to((counts @ values / counts.sum(1))[:, None, None], (len(counts), len(draws), 1))

    found = jackknife_variance(mean, np.arange(9), 1, ("stimulus",), share=share)
    assert found.of(np.ones(1))[0] == pytest.approx(values.var(ddof=1) / 9)


@pytest.mark.parametrize("folds", [0, 3])
def test_parts_of_the_variance_sum_to_the_whole(folds):
    models = dict(zip("abc", some_rdms(3, 3), strict=True))
    data = subjects_of(models.values(), (1.0, 0.7, 0.4))
    parts = partition_variance(data, models, folds=folds)
    assert parts.subset.values.tolist() == ["a", "b", "c", "a+b", "a+c", "b+c", "a+b+c"]
    assert float(parts.common_variance.sum()) == pytest.approx(float(parts.explained_variance[-1]), abs=1e-10)
    assert (parts.explained_variance_standard_error > 0).all()
    assert (parts.common_variance_standard_error > 0).all()
    if folds == 0:
        x = np.column_stack([standard(m) for m in models.values()])
        wanted = np.mean([LinearRegression().fit(x, standard(d)).score(x, standard(d)) for d in data.values])
        assert float(parts.explained_variance[-1]) == pytest.approx(wanted, abs=1e-10)


def test_kernel_trick_equals_ridge_on_the_differences_of_features():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 40))
    rows, columns = np.triu_indices(10, 1)
    z = (x[rows] - x[columns]) ** 2
    kernel = reweighting._pair_kernel(x, rows, columns)
    z = z * np.sqrt(45 / (z**2).sum())
    np.testing.assert_allclose(kernel, z @ z.T, atol=1e-10)
    y = rng.normal(size=45)
    train = np.arange(45) < 30
    for penalty in (0.1, 10.0):
        found = reweighting._kernel_ridge(kernel, y, train, ~train, np.array([penalty]))[0]
        strength = penalty * np.sqrt(30)
        np.testing.assert_allclose(found, Ridge(alpha=strength).fit(z[train], y[train]).predict(z[~train]), atol=1e-8)
        centred = z - z[train].mean(0)
        dual = KernelRidge(alpha=strength).fit(centred[train], y[train] - y[train].mean())
        np.testing.assert_allclose(found, dual.predict(centred[~train]) + y[train].mean(), atol=1e-8)


def test_nothing_is_found_where_features_and_data_are_unrelated():
    """No pair with a held-out stimulus is learned: scores of subjects that answer at random are 0 on average."""
    rng = np.random.default_rng(5)
    data = np.stack([euclidean(rng.normal(size=(16, 20))) for _ in range(24)])
    found = reweight_features(as_responses(rng.normal(size=(16, 60))), data, penalties=[1e-3], folds=3, progress=False)
    assert abs(found.mean_score) < 3 * found.mean_score_standard_error


def test_reweighting_finds_the_features_that_matter():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 60))
    data = as_rdm(np.stack([euclidean(x[:, :6] + 0.3 * rng.normal(size=(40, 6))) for _ in range(3)]), dims=("subject",))
    found = reweight_features(as_responses(x), data)
    assert float(found.mean_score) > float(found.mean_plain_score) + 0.15
    assert "mean_score_standard_error" in found
    xr.testing.assert_identical(found, reweight_features(as_responses(x), data))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda a, b: regress_rdm(a, {"a": a, "b": b}), "one subject cannot be resampled"),
        (lambda a, b: regress_rdm(a, {}, resample=("stimulus",)), "at least one model"),
        (lambda a, b: regress_rdm(a, {"a": b, "b": 2 * b + 0.0}, resample=("stimulus",)), "linear combinations"),
        (lambda a, b: regress_rdm(a, {"a": b}, interactions=[("a", "c")], resample=("stimulus",)), "names no two"),
        (lambda a, b: regress_rdm(a, {"a": b}, resample=("unit",)), "'subject', 'stimulus' or both"),
        (lambda a, b: regress_rdm(a, {"a": b}, resample=("stimulus",), folds=9), "each of 5 stimuli"),
        (lambda a, b: regress_rdm(a, {"a": b[:9, :9]}, resample=("stimulus",)), "different stimuli"),
        (lambda a, b: partition_variance(a, {str(i): b for i in range(7)}), "linear combinations|at most 6"),
        (lambda a, b: reweight_features(as_responses(np.ones((3, 4))), a), "different stimuli"),
        (lambda a, b: reweight_features(as_responses(np.ones((24, 4))), a), "no feature varies"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*some_rdms(0, 2))
