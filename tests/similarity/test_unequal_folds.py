"""Distances whose folds did not all measure every stimulus, against their definitions written out pair by pair."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from neurosim.schema import InputError, as_responses
from neurosim.similarity import compute_rdm

UNEQUAL = ("decoding", "ldc_t", "poisson_crossvalidated")
PRECISION = np.linalg.inv(np.cov(np.random.default_rng(2).normal(size=(4, 30))))


def trials(seed=0, n_stimuli=5, n_trials=5, missing=0.3):
    """Counts (trial, stimulus, unit) with trials missing, of which every stimulus keeps the first three."""
    rng = np.random.default_rng(seed)
    x = rng.poisson(rng.gamma(4, 1, size=(n_stimuli, 4)), size=(n_trials, n_stimuli, 4)).astype(float)
    lost = rng.random((n_trials, n_stimuli)) < missing
    lost[:3] = False
    x[lost] = np.nan
    return x


def labelled(x):
    return as_responses(x.transpose(1, 0, 2), dims=("stimulus", "trial", "unit"))


def others(x, i, m):
    """The mean of the trials of stimulus i but for m."""
    return np.nanmean(np.delete(x[:, i], m, axis=0), axis=0)


def both(x, i, j):
    return [m for m in range(len(x)) if np.isfinite(x[m, [i, j]]).all()]


def decoding(x, i, j):
    right = []
    for own, other in ((i, j), (j, i)):
        told = []
        for m in (m for m in range(len(x)) if np.isfinite(x[m, own]).all()):
            a, b = others(x, own, m), others(x, other, m)
            told.append(float((a - b) @ PRECISION @ (x[m, own] - (a + b) / 2) > 0))
        right.append(np.mean(told))
    return np.mean(right)


def ldc_t(x, i, j):
    residual = x - np.nanmean(x, axis=0)
    residual = residual[np.isfinite(residual).all(-1)]
    noise = residual.T @ residual / (len(residual) - x.shape[1])
    t = []
    for m in both(x, i, j):
        w = PRECISION @ (others(x, i, m) - others(x, j, m))
        t.append(w @ (x[m, i] - x[m, j]) / np.sqrt(2 * w @ noise @ w))
    return np.mean(t)


def poisson_crossvalidated(x, i, j):
    each = []
    for m in both(x, i, j):
        rate = (others(x, i, m) - others(x, j, m)) / 1.1
        log = np.log((x[m, i] + 0.1) / 1.1) - np.log((x[m, j] + 0.1) / 1.1)
        each.append(np.mean(rate * log))
    return np.mean(each)


@pytest.mark.parametrize("metric", UNEQUAL)
def test_a_distance_of_unequal_trials_is_its_definition(metric):
    x = trials()
    options = {} if metric.startswith("poisson") else {"precision": PRECISION}
    found = compute_rdm(labelled(x), metric, **options).values
    for i, j in combinations(range(x.shape[1]), 2):
        assert found[i, j] == pytest.approx(globals()[metric](x, i, j), abs=1e-12)
    np.testing.assert_allclose(found, found.T, atol=1e-12)


@pytest.mark.parametrize("metric", UNEQUAL)
def test_an_empty_trial_is_none_and_orders_of_stimuli_and_trials_are_alike(metric):
    x = trials(1)
    found = compute_rdm(labelled(x), metric).values
    more = np.concatenate([x, np.full((1, *x.shape[1:]), np.nan)])
    np.testing.assert_allclose(compute_rdm(labelled(more), metric).values, found, atol=1e-12)
    turned = compute_rdm(labelled(x[::-1, ::-1]), metric).values
    np.testing.assert_allclose(turned[::-1, ::-1], found, atol=1e-12)


@pytest.mark.parametrize("metric", ["ldc_t", "poisson_crossvalidated"])
def test_two_stimuli_without_a_common_trial_are_refused(metric):
    x = trials(missing=0.0, n_trials=6)
    x[:3, 0], x[3:, 1] = np.nan, np.nan
    with pytest.raises(InputError, match="share no trial that measured both"):
        compute_rdm(labelled(x), metric)
    assert np.isfinite(compute_rdm(labelled(x), "decoding").values).all()


def test_units_that_lack_other_trials_have_poisson_distances_of_their_own():
    x = trials(3)
    x[4, 2, 1] = np.nan
    found = compute_rdm(labelled(x), "poisson_crossvalidated").values
    alone = [compute_rdm(labelled(x[..., [u]]), "poisson_crossvalidated").values for u in range(4)]
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-12)
    y = xr.concat([labelled(x), labelled(x)], "time").assign_coords(time=[0.0, 0.1])
    np.testing.assert_allclose(compute_rdm(y, "poisson_crossvalidated").values[1], found, atol=1e-12)
