"""Noise of units that lack other trials than other units: unbiased in pairs, and definite together."""

import numpy as np
import pytest

from neurosim.schema import as_responses
from neurosim.similarity import noise_precision
from neurosim.similarity.common_trials import CommonTrials, semidefinite
from neurosim.similarity.shrinkages.schaefer_strimmer import of_common_trials, schaefer_strimmer

COVARIANCE = np.array([[1.0, 0.8, 0.3], [0.8, 2.0, -0.4], [0.3, -0.4, 0.5]])


def noise(rng, n_stimuli, n_trials):
    return rng.normal(size=(n_stimuli, n_trials, 3)) @ np.linalg.cholesky(COVARIANCE).T + rng.normal(
        size=(n_stimuli, 1, 3)
    )


def lost(rng, trials, share):
    return np.where(rng.random(trials.shape) < share, np.nan, trials)


def labelled(trials):
    return as_responses(trials, dims=("stimulus", "trial", "unit"))


def test_covariances_of_common_trials_are_unbiased_however_many_are_lost():
    """The mean over many stimuli of products is the covariance times the degrees of freedom, within its error."""
    rng = np.random.default_rng(0)
    found = [CommonTrials.of(lost(rng, noise(rng, 60, 4), 0.4)).covariance for _ in range(150)]
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - COVARIANCE) < 4 * error).all()


def test_nothing_lost_is_the_covariance_and_the_shrinkage_of_all_trials():
    trials = noise(np.random.default_rng(1), 7, 4)
    common = CommonTrials.of(trials)
    residuals = (trials - trials.mean(1, keepdims=True)).reshape(-1, 3)
    np.testing.assert_allclose(common.covariance, residuals.T @ residuals / 21)
    np.testing.assert_allclose(of_common_trials(common), schaefer_strimmer(residuals, 21))


@pytest.mark.parametrize("shrinkage", ["schaefer_strimmer", "diagonal", "none"])
def test_a_trial_that_no_unit_has_changes_nothing_and_units_keep_their_variances(shrinkage):
    rng = np.random.default_rng(2)
    trials = lost(rng, noise(rng, 40, 5), 0.2)
    found = noise_precision(labelled(trials), shrinkage=shrinkage)
    more = np.concatenate([trials, np.full((40, 1, 3), np.nan)], axis=1)
    np.testing.assert_allclose(noise_precision(labelled(more), shrinkage=shrinkage), found)
    inverse = 1 / found.values if found.ndim == 1 else np.diagonal(np.linalg.inv(found.values))
    alone = [1 / noise_precision(labelled(trials[..., [u]]), shrinkage="diagonal").values[0] for u in range(3)]
    np.testing.assert_allclose(inverse, alone)


def test_covariances_that_are_none_together_are_shrunk_to_one():
    """Few common trials of many units: the least eigenvalue of what pairs say is below 0."""
    rng = np.random.default_rng(3)
    trials = lost(rng, rng.normal(size=(5, 4, 8)), 0.3)
    common = CommonTrials.of(trials)
    scale = np.sqrt(common.variance)
    correlations = common.covariance / np.outer(scale, scale)
    assert np.linalg.eigvalsh(correlations)[0] < -0.05
    found, weight = semidefinite(correlations)
    assert abs(np.linalg.eigvalsh(found)[0]) < 1e-12
    assert 0 < weight < 1
    assert np.linalg.eigvalsh(noise_precision(labelled(trials)).values)[0] > 0
