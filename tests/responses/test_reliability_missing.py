"""Reliability where trials are missing: what is measured enters by its own numbers, and noise stays within bounds."""

import statistics

import numpy as np
import pytest
from scipy import optimize, stats

from neurosim.responses.reliability import select_reliable, signal_to_noise, split_half_reliability
from neurosim.responses.tuning import fit_tuning, tuning_curve
from neurosim.schema import InputError, as_responses
from tests.variance_reference import p_of_unequal_noise


def labelled(values):
    return as_responses(values, dims=("stimulus", "trial", "unit"))


def ragged(seed=0, shape=(9, 6, 3), signal=2.0):
    """Trials of which some are missing, unit by unit; every stimulus keeps two."""
    rng = np.random.default_rng(seed)
    values = signal * rng.normal(size=(shape[0], 1, shape[2])) + rng.normal(size=shape)
    missing = rng.random(shape) < 0.4
    missing[:, :2] = False
    return np.where(missing, np.nan, values)


def test_p_holds_where_few_trials_go_with_much_noise_and_is_that_of_f_where_numbers_are_equal():
    """The F test calls one unit in three significant here; a stimulus with a single trial has no say."""
    rng = np.random.default_rng(5)
    x = np.repeat([2.0, 1.0], 10)[:, None, None] * rng.normal(size=(20, 8, 3000))
    x[:10, 3:] = np.nan
    responses = labelled(x).assign_coords(angle=("stimulus", np.arange(20.0)))
    p = signal_to_noise(responses).p.values
    assert 0.04 < (p < 0.05).mean() < 0.07 and (p < 0.001).mean() < 0.005
    np.testing.assert_array_equal(tuning_curve(responses, "angle").p, p)
    single = np.concatenate([x, np.full((1, 8, 3000), np.nan)])
    single[-1, 0] = 1e3
    np.testing.assert_array_equal(signal_to_noise(labelled(single)).p, p)
    equal = np.random.default_rng(6).normal(size=(5, 4, 2))
    padded = np.pad(equal, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    for found, unit in zip(signal_to_noise(labelled(padded)).p.values, equal.transpose(2, 0, 1), strict=True):
        assert found == pytest.approx(stats.f_oneway(*unit).pvalue, rel=1e-12)


@pytest.mark.parametrize("spikes", [1, 2, 3])
def test_a_few_spikes_of_a_session_are_no_signal(spikes):
    """All in one stimulus, they leave no variance over trials; an answer in every trial of a stimulus is one."""
    rng = np.random.default_rng(7)
    x = np.stack([np.zeros((20, 4)), rng.poisson(2, (20, 4)), np.zeros((20, 4)), np.zeros((20, 4))], axis=-1)
    x[5, :spikes, 0] = 1
    x[5, 3:, 0] = np.nan
    x[6, :, 2] = 1
    responses = as_responses(x, dims=("stimulus", "trial", "unit"), quantity="spike_count")
    responses = responses.assign_coords(angle=("stimulus", np.arange(20.0)))
    found, curve = signal_to_noise(responses), tuning_curve(responses, "angle")
    for name in ("p", "signal_to_noise", "ceiling", "ceiling_standard_error"):
        assert np.isnan(found[name].values).tolist() == [True, False, False, False]
    assert found.p.values[2:].tolist() == curve.p.values[2:].tolist() == [0.0, 1.0]
    assert np.isfinite(found.signal_power).all() and np.isnan(curve.p.values[0])
    assert select_reliable(responses, correct=False).ceiling.values[-1] == 1.0
    assert fit_tuning(curve, "gaussian").outcome.values[0] == "hardly answers"


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
        assert float(found.p[unit]) == pytest.approx(p_of_unequal_noise(groups), rel=1e-9)
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
    with pytest.raises(InputError, match=r"found [01] stimuli|no unit has 3 stimuli"):
        of(labelled(lost[:, :, [1]]))


def test_halves_are_those_of_plain_loops():
    """The same orders of trials, halved stimulus by stimulus; noise over signal solved for by bisection."""
    values = ragged(3, signal=0.7)
    found = split_half_reliability(labelled(values), n=7, rng=8).reliability
    generator, together, shares = np.random.default_rng(8), [], []
    for _ in range(7):
        order = generator.permutation(6)
        rows = [[t for t in order if np.isfinite(row[t, 0])] for row in values]
        halves = [(ts[: len(ts) // 2], ts[len(ts) // 2 :]) for ts in rows]
        a, b = (
            [statistics.mean(row[half[side], 0]) for row, half in zip(values, halves, strict=True)] for side in (0, 1)
        )
        together.append(statistics.correlation(a, b))
        shares.append([statistics.mean(1 / len(h[side]) for h in halves) for side in (0, 1)])
    r, (a, b) = statistics.mean(together), np.mean(shares, axis=0)
    noise = optimize.brentq(lambda q: (1 + a * q) * (1 + b * q) - 1 / r**2, 0, 1e6, xtol=1e-13)
    of_all = statistics.mean(1 / np.isfinite(row[:, 0]).sum() for row in values)
    assert float(found[0]) == pytest.approx(np.sign(r) / (1 + of_all * noise), rel=1e-9)


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
