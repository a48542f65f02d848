"""Reliability where trials are missing: what is measured enters by its own numbers, and noise stays within bounds."""

import statistics

import numpy as np
import pytest
from scipy import stats

from neurosim.responses.reliability import select_reliable, signal_to_noise, split_half_reliability
from neurosim.schema import InputError, as_responses


def labelled(values):
    return as_responses(values, dims=("stimulus", "trial", "unit"))


def ragged(seed=0, shape=(9, 6, 3), signal=2.0):
    """Trials of which some are missing, unit by unit; every stimulus keeps two."""
    rng = np.random.default_rng(seed)
    values = signal * rng.normal(size=(shape[0], 1, shape[2])) + rng.normal(size=shape)
    missing = rng.random(shape) < 0.4
    missing[:, :2] = False
    return np.where(missing, np.nan, values)


def test_powers_are_sums_over_what_was_measured():
    """Each stimulus takes off its own noise over its own number of trials; p is that of the analysis of variance."""
    values = ragged()
    found = signal_to_noise(labelled(values))
    for unit in range(3):
        groups = [row[np.isfinite(row)].tolist() for row in values[..., unit]]
        own = [statistics.variance(g) for g in groups]
        of_means = statistics.mean(v / len(g) for v, g in zip(own, groups, strict=True))
        signal = statistics.variance(map(statistics.mean, groups)) - of_means
        assert float(found.noise_power[unit]) == pytest.approx(statistics.mean(own))
        assert float(found.signal_power[unit]) == pytest.approx(signal)
        assert float(found.p[unit]) == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-9)
        assert int(found.n_trials[unit]) == sum(map(len, groups))


def test_single_trials_take_the_mean_noise_of_the_others():
    """And a stimulus that a unit lacks does not enter."""
    values = ragged(1)
    values[0, 1:, 0], values[1, :, 0] = np.nan, np.nan
    found = signal_to_noise(labelled(values)).isel(unit=0)
    groups = [row[np.isfinite(row)] for row in values[..., 0]]
    own = [g.var(ddof=1) for g in groups[2:]]
    of_means = sum(v / len(g) for v, g in zip(own, groups[2:], strict=True)) + np.mean(own)
    means = [g.mean() for g in groups if len(g)]
    assert float(found.signal_power) == pytest.approx(np.var(means, ddof=1) - of_means / 8)
    assert int(found.n_stimuli) == 8


@pytest.mark.parametrize("of", [signal_to_noise, split_half_reliability])
def test_a_lost_unit_changes_no_other_and_padding_changes_nothing(of):
    """Empty trials at the end are no trials; a unit that is lost is NaN and leaves the others alone."""
    values = ragged(2, signal=1.0)
    found = of(labelled(values))
    lost = values.copy()
    lost[:, :, 1] = np.nan
    lost[0, 0, 1] = 1.0
    other = of(labelled(lost))
    for name in found.data_vars:
        np.testing.assert_array_equal(found[name].values[[0, 2]], other[name].values[[0, 2]])
    assert np.isnan(other[next(iter(other.data_vars))].values[1])
    with pytest.raises(InputError, match="found [01] stimuli|no unit has 3 stimuli"):
        of(labelled(lost[:, :, [1]]))


def test_halves_of_two_trials_are_the_two_trials():
    """With two trials of each stimulus reliability is 2 r / (1 + |r|) of them, whichever trials they are."""
    rng = np.random.default_rng(3)
    pairs = rng.normal(size=(12, 1, 4)) + rng.normal(size=(12, 2, 4))
    spread = np.full((12, 6, 4), np.nan)
    where = np.argsort(rng.random((12, 6)), axis=1)[:, :2]
    spread[np.arange(12)[:, None], np.sort(where, axis=1)] = pairs
    found = split_half_reliability(labelled(spread), n=200).reliability.values
    r = []
    for unit in range(4):
        each = []
        for order in (np.random.default_rng(9).permutation(6) for _ in range(1)):
            del order
            each.append(np.corrcoef(pairs[:, 0, unit], pairs[:, 1, unit])[0, 1])
        r.append(each[0])
    r = np.array(r)
    assert np.corrcoef(found, 2 * r / (1 + np.abs(r)))[0, 1] > 0.9


def test_reliability_of_noise_is_bounded_and_zero_on_average():
    """Six stimuli and two trials of noise: halves correlate with -0.9 at times; Spearman-Brown alone made -85 of it."""
    noise = np.random.default_rng(4).normal(size=(6, 2, 4000))
    found = split_half_reliability(labelled(noise), n=1)
    assert float(np.abs(found.reliability).max()) <= 1
    spread = float(found.reliability.std())
    assert abs(float(found.reliability.mean())) < 4 * spread / np.sqrt(4000)
    inside = (found.interval[:, 0] <= 0) & (found.interval[:, 1] >= 0)
    assert float(inside.mean()) > 0.9


def test_units_with_too_few_trials_are_not_selected():
    """They have no p, and selection keeps the others."""
    values = ragged(5, signal=4.0)
    values[:, 1:, 2] = np.nan
    assert select_reliable(labelled(values)).sizes["unit"] == 2
