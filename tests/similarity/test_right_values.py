"""Values that follow from a definition alone, where a wrong factor, count or tie would otherwise go unseen."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from sklearn.covariance import LedoitWolf

from neurosim.schema import as_rdm, as_responses
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.similarity.inference import _p_above, infer
from neurosim.similarity.inference_options import Significance
from neurosim.similarity.kernels import prediction
from neurosim.similarity.kernels.fitting import fit_components
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.metrics.poisson import poisson
from neurosim.similarity.metrics.poisson_crossvalidated import poisson_crossvalidated
from neurosim.similarity.neighbourhoods import searchlights
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.regression import regress_rdm
from neurosim.similarity.resampling import JackknifeVariance, _two_factor, bootstrap_variance, jackknife_variance
from neurosim.similarity.shrinkage import SHRINKAGES
from neurosim.similarity.weighting import WEIGHTINGS


def test_a_tie_of_the_decoder_counts_half():
    """Small whole numbers tie often; nearness to the training means in exact fractions says who wins."""
    folds = np.random.default_rng(0).integers(0, 3, size=(4, 5, 1))
    wins, ties = np.zeros((5, 5)), 0
    for m, (i, j) in ((m, pair) for m in range(4) for pair in permutations(range(5), 2)):
        means = [[Fraction(int(v), 3) for v in np.delete(folds, m, axis=0)[:, k].sum(0)] for k in (i, j)]
        far = [sum((int(x) - y) ** 2 for x, y in zip(folds[m, i], mean, strict=True)) for mean in means]
        ties += far[0] == far[1]
        wins[i, j] += 1 if far[0] < far[1] else Fraction(1, 2) if far[0] == far[1] else 0
    assert ties > 10
    exact = np.array((wins + wins.T) / 8, dtype=float)
    responses = as_responses(3 * folds.transpose(1, 0, 2).astype(float), dims=("stimulus", "trial", "unit"))
    found = compute_rdm(responses, "decoding", precision=np.ones(1))
    np.testing.assert_allclose(found.values, exact, atol=1e-12)


@pytest.mark.parametrize(("prior_mean", "prior_weight"), [(1.0, 0.1), (3.0, 0.5), (0.2, 2.0)])
def test_the_prior_of_rates_is_so_many_measurements_of_its_mean(prior_mean, prior_weight):
    counts = np.random.default_rng(0).poisson(2.0, size=(3, 4, 6)).astype(float)

    def drawn(x):
        return np.average(np.stack([x, np.full_like(x, prior_mean)]), axis=0, weights=[1.0, prior_weight])

    def divergence(rates, logs):
        return np.array(
            [
                [((a - b) * (np.log(c) - np.log(d))).mean() for b, d in zip(rates, logs, strict=True)]
                for a, c in zip(rates, logs, strict=True)
            ]
        )

    prior = {"prior_mean": prior_mean, "prior_weight": prior_weight}
    means = drawn(counts.mean(0))
    np.testing.assert_allclose(poisson(counts.mean(0), **prior), divergence(means, means), atol=1e-12)
    folds = [divergence(drawn(np.delete(counts, m, 0).mean(0)), drawn(counts[m])) for m in range(3)]
    np.testing.assert_allclose(poisson_crossvalidated(counts, **prior), np.mean(folds, 0), atol=1e-12)


# --- noise and searchlights ---------------------------------------------------------------------------------------


def test_shrinkage_ends_at_the_target():
    """Twelve samples of these three independent units show no more than noise: all is shrunk, as in scikit-learn."""
    residuals = np.random.default_rng(2).normal(size=(12, 3))
    wanted = LedoitWolf(assume_centered=True).fit(residuals)
    assert wanted.shrinkage_ == 1
    np.testing.assert_allclose(SHRINKAGES["ledoit_wolf"].covariance(residuals, 12), wanted.covariance_, atol=1e-12)
    np.testing.assert_allclose(SHRINKAGES["ledoit_wolf"].covariance(residuals, 8), 1.5 * wanted.covariance_, atol=1e-12)


def test_residuals_take_one_degree_of_freedom_and_trials_one_a_stimulus():
    values = np.random.default_rng(2).normal(size=(5, 4, 3))
    flat = noise_precision(values.reshape(20, 3), shrinkage="diagonal")
    np.testing.assert_allclose(1 / flat.values, values.reshape(20, 3).var(0, ddof=1), atol=1e-12)
    within = noise_precision(values, shrinkage="diagonal")
    np.testing.assert_allclose(1 / within.values, values.var(1, ddof=1).mean(0), atol=1e-12)


def test_a_unit_at_the_radius_is_inside():
    assert searchlights(np.arange(3.0)[:, None], 1.0).values.tolist() == [[0, 1, -1], [0, 1, 2], [1, 2, -1]]


def test_a_gram_matrix_is_of_the_patterns_themselves():
    """Not of their distance from the mean pattern, which distances cannot tell apart."""
    folds = np.random.default_rng(3).normal(size=(4, 5, 6)) + 2
    responses = as_responses(folds.transpose(1, 0, 2), dims=("stimulus", "trial", "unit"))
    means = folds.mean(0)
    np.testing.assert_allclose(compute_rdm(responses, "euclidean", keep="gram").values, means @ means.T / 6, atol=1e-12)
    crossed = np.mean([folds[a] @ folds[b].T for a, b in permutations(range(4), 2)], axis=0) / 6
    np.testing.assert_allclose(compute_rdm(responses, "crossnobis", keep="gram").values, crossed, atol=1e-12)


def test_three_trials_are_enough_for_a_discriminant():
    responses = as_responses(np.random.default_rng(4).normal(size=(4, 3, 2)), dims=("stimulus", "trial", "unit"))
    assert compute_rdm(responses, "ldc_t").shape == (4, 4)


def test_debiased_alignment_is_not_the_plain_one():
    rng = np.random.default_rng(5)
    points = [rng.normal(size=(12, 40)) for _ in range(2)]
    rdms = as_rdm(np.stack([euclidean(x) for x in points]), dims=("model",), metric="euclidean")

    def unbiased(a, b):
        """Hollow kernels, written out (https://www.jmlr.org/papers/v13/song12a.html)."""
        k, m = (x @ x.T * (1 - np.eye(12)) for x in (a - a.mean(0), b - b.mean(0)))
        return (np.trace(k @ m) + k.sum() * m.sum() / (11 * 10) - 2 * (k @ m).sum() / 10) / (12 * 9)

    wanted = unbiased(*points) / np.sqrt(unbiased(points[0], points[0]) * unbiased(points[1], points[1]))
    assert float(compare_cka(rdms)[0, 1]) == pytest.approx(wanted, abs=1e-10)


# --- uncertainty --------------------------------------------------------------------------------------------------


def rdms(seed, n):
    rng = np.random.default_rng(seed)
    return as_rdm(np.stack([euclidean(rng.normal(size=(8, 5))) for _ in range(n)]), dims=("subject",))


def heavy_tailed(values):
    """Degrees of freedom of the variance of a mean, fewer than n - 1 where tails are heavy."""
    return (len(values) - 1) * 2 / max(stats.kurtosis(values, fisher=False) - 1, 2.0)


def test_scores_of_subjects_are_tested_as_their_mean():
    data, models = rdms(0, 7), rdms(1, 2).rename(subject="model")
    each = compare_rdms(models, data, "corr").values
    found = infer(
        models, data, method="corr", resample=("subject",), significance=Significance(alpha=0.1), progress=False
    )
    error = each.std(1, ddof=1) / np.sqrt(7)
    df = np.array([heavy_tailed(row) for row in each])
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-9)
    np.testing.assert_allclose(found.df, df, rtol=1e-9)
    reach = stats.t.ppf(0.95, df) * error
    np.testing.assert_allclose(found.interval[:, 1] - found.score, reach, rtol=1e-9)
    np.testing.assert_allclose(found.p_zero, stats.t.sf(each.mean(1) / error, df), rtol=1e-9)
    gap = each[0] - each[1]
    t = abs(gap.mean()) / (gap.std(ddof=1) / np.sqrt(7))
    assert float(found.p_pair[0, 1]) == pytest.approx(2 * stats.t.sf(t, heavy_tailed(gap)), rel=1e-9)


def test_a_model_is_tested_against_the_lower_ceiling():
    """Of three subjects, by leaving each out: pseudo-values of the ceiling minus the score."""
    base = np.random.default_rng(2).normal(size=(8, 5))
    noisy = [euclidean(base + 0.5 * np.random.default_rng(s).normal(size=(8, 5))) for s in range(3)]
    data, models = as_rdm(np.stack(noisy), dims=("subject",)), {"m": rdms(4, 1)[0]}

    def gap(subjects):
        found = infer(models, data[subjects], method="corr", resample=("subject",), progress=False)
        return float(found.ceiling[0] - found.score[0])

    pseudo = np.array([3 * gap([0, 1, 2]) - 2 * gap([s for s in range(3) if s != out]) for out in range(3)])
    t = gap([0, 1, 2]) / (pseudo.std(ddof=1) / np.sqrt(3))
    found = infer(models, data, method="corr", resample=("subject",), progress=False)
    assert float(found.p_ceiling[0]) == pytest.approx(stats.t.sf(t, heavy_tailed(pseudo)), rel=1e-9)


def test_what_has_no_error_is_certain():
    found = _p_above(np.array([-1.0, 0.0, 1.0]), np.zeros(3), np.full(3, 5.0))
    np.testing.assert_array_equal(found, [1, 1, 0])


def test_the_upper_ceiling_of_subjects_that_agree_is_one():
    same = xr.concat([rdms(0, 1)[0]] * 3, "subject")
    for method in ("tau_a", "rho_a", "spearman", "corr"):
        found = infer({"m": rdms(1, 1)[0]}, same, method=method, resample=("subject",), progress=False)
        np.testing.assert_allclose(found.ceiling, 1, atol=1e-9)


def test_the_variance_of_a_bootstrap_is_that_of_its_samples():
    values, drawn = np.array([1.0, 4.0, 9.0, 2.0, 7.0]), []

    def evaluate(counts, draws):
        drawn.append((draws[0] @ values / draws[0].sum(-1))[:, None, None])
        return drawn[-1] * np.array([1.0, 2.0])

    found = bootstrap_variance(evaluate, np.arange(6), 5, ("subject",), 25, np.random.default_rng(0))
    variance, df = found.of(np.array([1.0, 0.0]))
    assert variance == pytest.approx(drawn[0].var(ddof=1) * 5 / 4, rel=1e-12)
    assert df == 4


@pytest.mark.parametrize("n", [3, 6])
def test_the_bootstrap_over_subjects_has_the_variance_of_their_mean(n):
    values = np.random.default_rng(n).normal(size=n)

    def evaluate(counts, draws):
        return (draws[0] @ values / draws[0].sum(-1))[:, None, None] * np.array([1.0, 2.0])

    found = bootstrap_variance(evaluate, np.arange(6), n, ("subject",), 4000, np.random.default_rng(0))
    kept = 1 - n ** (1.0 - n)  # draws of one subject alone, whose means spread most, are drawn again
    wanted = values.var(ddof=1) * (1 / n - n ** (1.0 - n)) / kept
    assert found.of(np.array([1.0, 0.0]))[0] == pytest.approx(wanted, rel=0.08)


def test_two_factors_count_their_noise_once():
    """``2 (V_subject + V_stimulus) - V_both``, between the larger single variance and that of both."""
    for both, wanted in ((3.5, 2.5), (5.0, 2.0), (2.5, 2.5)):
        assert _two_factor(*(np.array([[v]]) for v in (1.0, 2.0, both)))[0, 0] == pytest.approx(wanted)


def test_the_jackknife_takes_off_what_both_factors_hold_and_pairs_add():
    rng = np.random.default_rng(6)
    subjects, stimuli = rng.normal(size=(9, 1)), rng.normal(size=(14, 1))
    single = [x.var(ddof=1) / len(x) for x in (subjects, stimuli)]
    nothing, little = np.zeros((1, 1)), np.full((1, 1), 0.01)
    found = JackknifeVariance(subjects, stimuli, nothing, little, little / 2).of(np.ones(1))[0]
    assert found == pytest.approx(single[0] + single[1] - 0.015, rel=1e-12)


@pytest.mark.parametrize("factor", ["stimulus", "subject"])
def test_the_jackknife_of_a_mean_is_the_variance_of_the_mean(factor):
    values = np.random.default_rng(12).normal(size=11)

    def evaluate(counts, draws):
        weights = counts[:, None] if factor == "stimulus" else np.broadcast_to(draws[None, :, 0], (1, len(draws), 11))
        means = (weights @ values / weights.sum(-1))[..., None]
        return np.broadcast_to(means, (len(counts), len(draws), 1))

    sizes = (11, 1) if factor == "stimulus" else (3, 11)
    found = jackknife_variance(evaluate, np.arange(sizes[0]), sizes[1], (factor,))
    assert found.of(np.ones(1))[0] == pytest.approx(values.var(ddof=1) / 11, rel=1e-9)


def test_what_pairs_of_subjects_add_is_the_residual_of_single_ones():
    """Values of pairs, less the best sum of single effects by least squares, have n (n - 3) / 2 degrees of freedom."""
    n = 7
    i, j = np.triu_indices(n, 1)
    values = np.random.default_rng(13).normal(size=len(i))

    def evaluate(counts, draws):
        weights = draws[:, 0, i] * draws[:, 0, j]
        return (weights @ values / weights.sum(-1))[None, :, None]

    single = (np.arange(n) == i[:, None]).astype(float) + (np.arange(n) == j[:, None])
    left = float(np.linalg.lstsq(single, values)[1][0])
    found = jackknife_variance(evaluate, np.arange(3), n, ("subject",)).pairs_of_subjects[0, 0]
    assert found == pytest.approx(left / (n * (n - 3) / 2) / len(values), rel=1e-9)


def test_intervals_of_coefficients_are_those_of_the_t_distribution():
    wide = [as_rdm(euclidean(np.random.default_rng(s).normal(size=(12, 5)))) for s in range(6)]
    data, a, b = xr.concat(wide[:4], "subject"), wide[4], wide[5]
    found = regress_rdm(data, {"a": a, "b": b}, alpha=0.1)
    reach = stats.t.ppf(0.95, found.df) * found.standard_error
    np.testing.assert_allclose(found.interval[:, 1] - found.coefficient, reach, rtol=1e-9)
    np.testing.assert_allclose(
        found.p, 2 * stats.t.sf(abs(found.coefficient / found.standard_error), found.df), rtol=1e-9
    )


# --- fits and predictions -----------------------------------------------------------------------------------------


def test_the_component_that_is_selected_has_the_best_direction_not_the_largest_size():
    among = np.diag([4.0, 1.0])
    chosen = fit_components(among, np.array([[1.0], [0.9]]), np.ones(1), np.ones(1), WEIGHTINGS["select"])
    assert chosen.tolist() == [0, 1]
    loud = np.array([[9.0, 0.1], [1.0, 0.9]])
    fitted = fit_components(np.eye(2), loud, np.array([10.0, 1.0]), np.ones(2), WEIGHTINGS["weighted"])
    np.testing.assert_allclose(fitted, [(0.9 + 0.1) / 2, (0.1 + 0.9) / 2], atol=1e-12)


@pytest.mark.parametrize("penalty", [0.1, 5.0])
def test_the_loss_of_a_penalty_is_that_of_its_hat_matrix(penalty):
    """With an intercept, which takes one degree of freedom; leaving out one is done one by one."""
    rng = np.random.default_rng(10)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    x, y = x - x.mean(0), y - y.mean(0)
    hat = x @ np.linalg.inv(x.T @ x + penalty * np.eye(3)) @ x.T + 1 / 9
    u, values, _ = np.linalg.svd(x, full_matrices=False)
    parts = u, values**2, u.T @ y, y, penalty
    generalised = ((y - hat @ y) ** 2).mean(0) / (1 - np.trace(hat) / 9) ** 2
    np.testing.assert_allclose(prediction._ridge_loss(*parts, "generalised"), generalised, rtol=1e-10)
    squares = []
    for out in range(9):
        keep = np.delete(np.arange(9), out)
        # the centre moves with what is left out, as the intercept of the fit does
        mean_x, mean_y = x[keep].mean(0), y[keep].mean(0)
        left = x[keep] - mean_x
        weights = np.linalg.solve(left.T @ left + penalty * np.eye(3), left.T @ (y[keep] - mean_y))
        squares.append((y[out] - mean_y - (x[out] - mean_x) @ weights) ** 2)
    np.testing.assert_allclose(prediction._ridge_loss(*parts, "leave_one_out"), np.mean(squares, 0), rtol=1e-9)


def test_the_error_of_a_prediction_is_that_of_leaving_out_each_fold_of_training_and_testing():
    x, noise = np.random.default_rng(11).normal(size=(2, 20, 2))
    found = predict_responses(x, x + noise, method="one_to_one", folds=4, progress=False)
    parts = np.array_split(np.random.default_rng(0).permutation(20), 4)

    def correlation(test, left, unit):
        train = np.setdiff1d(np.arange(20), np.concatenate([test, left]))
        y = (x + noise)[:, unit]
        best = np.argmax([np.corrcoef(x[train, k], y[train])[0, 1] for k in range(2)])
        slope, offset = np.polyfit(x[train, best], y[train], 1)
        return np.corrcoef(slope * x[test, best] + offset, y[test])[0, 1]

    for unit in range(2):
        each = np.array([correlation(test, np.zeros(0, int), unit) for test in parts])
        two = np.array([[correlation(a, b, unit) for b in parts] for a in parts])
        assert float(found.score[unit]) == pytest.approx(each.mean(), abs=1e-10)
        off = ~np.eye(4, dtype=bool)
        jackknife = 3 * np.var([two[off[:, g], g].mean() for g in range(4)])
        effects = (each[:, None] - two)[off]
        design = np.column_stack([np.repeat(np.eye(4), 4, 0)[off.ravel()], np.tile(np.eye(4), (4, 1))[off.ravel()]])
        left = np.zeros((4, 4))
        left[off] = effects - design @ np.linalg.lstsq(design, effects, rcond=None)[0]
        wanted = np.sqrt(max(jackknife - 2 * (left * left.T).sum() / 4, each.var(ddof=1) / 4))
        assert float(found.standard_error[unit]) == pytest.approx(wanted, abs=1e-10)
