"""Statistics of responses against scipy, against the standard library, and against every split there is."""

import statistics
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from neurosim.responses.reliability import signal_to_noise, split_half_reliability
from neurosim.responses.variability import fano_factor, interval_variability, psth, signal_correlation
from neurosim.schema import as_responses

DIMS = ("stimulus", "trial", "time", "unit")


def trials(n_trials, n_stimuli=5, n_units=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_stimuli, 1, n_units)) + rng.normal(size=(n_stimuli, n_trials, n_units))


def labelled(values, **options):
    return as_responses(values, dims=DIMS if np.ndim(values) == 4 else ("stimulus", "trial", "unit"), **options)


@pytest.mark.parametrize("n_trials", [2, 3, 7])
def test_psth_has_the_mean_error_and_interval_of_scipy(n_trials):
    counts = np.random.default_rng(0).poisson(2, size=(2, n_trials, 4, 3)).astype(float)
    found = psth(labelled(counts, quantity="spike_count", time_step=0.01), bandwidth=0, alpha=0.1)
    rates = counts / 0.01
    np.testing.assert_allclose(found.rate, rates.mean(1))
    np.testing.assert_allclose(found.standard_error, stats.sem(rates, axis=1), rtol=1e-12)
    one = rates[1, :, 2, 0]
    if one.std():
        expected = stats.t.interval(0.9, n_trials - 1, one.mean(), stats.sem(one))
        np.testing.assert_allclose(found.interval[1, 2, 0], expected)


@pytest.mark.parametrize("n_trials", [2, 3, 7])
def test_fano_factor_is_the_sample_variance_by_the_mean(n_trials):
    counts = np.random.default_rng(1).poisson(3, size=(4, n_trials, 2)).astype(float) + 1
    found = fano_factor(labelled(counts, quantity="spike_count"))
    for unit in range(2):
        rows = [row.tolist() for row in counts[:, :, unit]]
        expected = sum(map(statistics.variance, rows)) / sum(map(statistics.mean, rows))
        assert float(found[unit]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_trials", [2, 3, 8])
def test_signal_and_noise_power_and_the_f_test_are_those_of_one_way_analysis_of_variance(n_trials):
    values = trials(n_trials)
    found = signal_to_noise(labelled(values))
    for unit in range(3):
        groups = [row.tolist() for row in values[:, :, unit]]
        within = statistics.mean(map(statistics.variance, groups))
        between = statistics.variance(map(statistics.mean, groups))
        assert float(found.noise_power[unit]) == pytest.approx(within)
        assert float(found.signal_power[unit]) == pytest.approx(between - within / n_trials)
        assert float(found.p[unit]) == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-9)


def every_half(values, together):
    """Return the mean of `together` over all ways to cut the trials into two halves."""
    n = values.shape[1]
    return np.mean(
        [
            together(values[:, list(half)].mean(1), np.delete(values, half, axis=1).mean(1))
            for half in combinations(range(n), n // 2)
        ],
        axis=0,
    )


def test_random_halves_average_to_all_halves():
    """The first half against the second, or odd against even trials, give quite another number here."""
    values = trials(6, seed=3)
    values += 3 * np.array([1, 1, 1, -1, -1, -1])[:, None] * np.random.default_rng(1).normal(size=(5, 1, 1))

    def together(a, b):
        return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)])

    half = every_half(values, together)
    fixed = together(values[:, :3].mean(1), values[:, 3:].mean(1))
    expected, other = 2 * half / (1 + half), 2 * fixed / (1 + fixed)
    found = [split_half_reliability(labelled(values), n=2000, rng=seed).reliability.values for seed in (0, 1)]
    assert np.abs(found[0] - expected).max() < 0.1
    assert np.abs(other - expected).min() > 0.3
    assert not np.array_equal(*found)


def test_signal_correlation_is_symmetric_and_that_of_all_halves():
    values = trials(6, seed=4)

    def together(a, b):
        return np.array([[np.corrcoef(x, y)[0, 1] for y in b.T] for x in a.T])

    expected = every_half(values, together)
    found = signal_correlation(labelled(values), n=2000).values
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, (expected + expected.T) / 2, atol=0.05)
    once = signal_correlation(labelled(values), n=1).values
    np.testing.assert_array_equal(once, once.T)


def test_intervals_do_not_cross_trials_and_two_spikes_of_a_bin_cost_no_others():
    trains = np.zeros((1, 2, 100, 1))
    trains[0, 0, [10, 20, 40, 80], 0] = 1
    trains[0, 1, [5, 10, 20], 0] = 1
    found = interval_variability(labelled(trains, quantity="spike_count", time_step=1e-3))
    intervals = np.array([10, 20, 40, 5, 10])
    assert int(found.n_intervals[0]) == 5
    assert float(found.cv[0]) == pytest.approx(intervals.std() / intervals.mean())
    pairs = [(10, 20), (20, 40), (5, 10)]
    assert float(found.lv[0]) == pytest.approx(np.mean([3 * ((a - b) / (a + b)) ** 2 for a, b in pairs]))
    trains[0, 0, 80, 0] = 3
    found = interval_variability(labelled(trains, quantity="spike_count", time_step=1e-3))
    pairs += [(40, 0)]
    assert float(found.lv[0]) == pytest.approx(np.mean([3 * ((a - b) / (a + b)) ** 2 for a, b in pairs]))
