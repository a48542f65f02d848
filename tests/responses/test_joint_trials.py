"""Variability where trials are missing, against plain loops over what is there."""

import statistics

import numpy as np
import pytest

from neurosim.responses.dimensionality import cross_validated_pca, participation_ratio
from neurosim.responses.joint_trials import halves_of_trials
from neurosim.responses.reliability import signal_to_noise
from neurosim.responses.variability import fano_factor, noise_correlation, signal_correlation
from neurosim.schema import InputError, as_responses

DIMS = ("stimulus", "trial", "unit")


def test_noise_correlations_are_of_the_trials_that_both_units_have():
    """Residuals are about the mean of those; a stimulus with a single one does not enter."""
    rng = np.random.default_rng(0)
    values = 5 * rng.normal(size=(6, 5, 1)) + rng.normal(size=(6, 5, 1)) + rng.normal(size=(6, 5, 3))
    values[rng.random(values.shape) < 0.35] = np.nan
    found = noise_correlation(as_responses(values, dims=DIMS)).values
    for i, j in ((0, 1), (0, 2), (1, 2)):
        first, second = [], []
        for x, y in zip(values[..., i], values[..., j], strict=True):
            both = np.isfinite(x) & np.isfinite(y)
            if both.sum() > 1:
                first.extend(x[both] - x[both].mean())
                second.extend(y[both] - y[both].mean())
        assert found[i, j] == pytest.approx(statistics.correlation(first, second), rel=1e-12)


def test_a_stimulus_with_one_trial_says_nothing_of_a_fano_factor():
    """Neither its variance, which is not known, nor its mean counts."""
    counts = np.array([[[1.0], [3.0]], [[2.0], [6.0]], [[50.0], [np.nan]]])
    found = fano_factor(as_responses(counts, dims=DIMS, quantity="spike_count"))
    assert float(found[0]) == pytest.approx((2 + 8) / (2 + 4))


def test_ceilings_of_few_trials_are_right_on_average():
    """Twenty stimuli, two trials; the root of an unbiased share alone is more than one per cent low."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20, 1, 8000)) + rng.normal(size=(20, 2, 8000))
    found = signal_to_noise(as_responses(x, dims=DIMS))
    assert float(found.ceiling.mean()) == pytest.approx(np.sqrt(2 / 3), rel=0.006)


def lost_midway(seed, units=6, stimuli=30):
    """8 trials, signal and noise of one size; a unit loses the second half, others some trials of it."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(stimuli, 1, units)) + rng.normal(size=(stimuli, 8, units))
    values = whole.copy()
    values[:, 4:][rng.random((stimuli, 4, units)) < 0.4] = np.nan
    values[:, 4:, 2] = np.nan
    return as_responses(whole, dims=DIMS), as_responses(values, dims=DIMS)


def test_signal_correlations_are_of_the_splits_that_hold_a_pair():
    """A unit that is lost midway has none of its trials in one half of some splits; what is shared counts."""
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(60, 1, 1))
    values = shared + 0.1 * rng.normal(size=(60, 4, 3))
    values[:, 2:, 1] = np.nan
    for n in (1, 20):
        found = signal_correlation(as_responses(values, dims=DIMS), n=n).values
        assert (found[~np.eye(3, dtype=bool)] > 0.95).all()
        assert n == 1 or found[1, 1] > 0.95
    values[3:, :, 1] = np.nan
    values[0, 1, 1] = np.nan
    assert np.isnan(signal_correlation(as_responses(values, dims=DIMS)).values).sum(1).tolist() == [0, 1, 0]


def test_dimensions_of_units_that_lack_trials_are_those_of_all_trials_on_average():
    """Pair by pair, over many experiments; padding of trials that nobody has changes no bit."""
    found = np.array([[participation_ratio(x) for x in lost_midway(seed)] for seed in range(25)])
    assert abs((found[:, 0] - found[:, 1]).mean()) < 4 * (found[:, 0] - found[:, 1]).std() / np.sqrt(25)
    pairs = [[cross_validated_pca(x, n=2).signal_variance.sum() for x in lost_midway(seed)] for seed in range(25)]
    sums = np.array(pairs)
    assert abs((sums[:, 0] - sums[:, 1]).mean()) < 4 * (sums[:, 0] - sums[:, 1]).std() / np.sqrt(25)
    whole = lost_midway(0)[0].values
    padded = as_responses(np.pad(whole, ((0, 0), (0, 2), (0, 0)), constant_values=np.nan), dims=DIMS)
    assert participation_ratio(padded) == pytest.approx(found[0, 0], rel=1e-12)


def test_more_units_than_stimuli_that_lack_trials_have_a_spectrum_each():
    """Its sum is the covariance of the halves of each unit with itself; units that share no stimuli are refused."""
    values = lost_midway(1, units=40, stimuli=20)[1].values
    values[:, :4][np.random.default_rng(2).random((20, 4, 40)) < 0.4] = np.nan
    found = cross_validated_pca(as_responses(values, dims=DIMS), n=1, rng=5)
    a, b = halves_of_trials(values, np.random.default_rng(5).permutation(8))
    both = [np.isfinite(x) & np.isfinite(y) for x, y in zip(a.T, b.T, strict=True)]
    own = [np.cov(x[t], y[t])[0, 1] for x, y, t in zip(a.T, b.T, both, strict=True)]
    assert found.sizes["component"] == 40
    assert float(found.signal_variance.sum()) == pytest.approx(sum(own) * 19 / 20)
    values[2:, :, 0] = np.nan
    for refused in (participation_ratio, cross_validated_pca):
        with pytest.raises(InputError, match=r"fewer than 3 stimuli in common.*leave out units"):
            refused(as_responses(values, dims=DIMS))
