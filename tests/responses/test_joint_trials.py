"""Variability where trials are missing, against plain loops over what is there."""

import statistics

import numpy as np
import pytest

from neurosim.responses.reliability import signal_to_noise
from neurosim.responses.variability import fano_factor, noise_correlation
from neurosim.schema import as_responses

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
