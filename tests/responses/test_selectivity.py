"""Tuning, its fits, selectivity and sparseness where trials are missing, units silent, and noise all there is."""

import statistics

import numpy as np
import pytest
from scipy import stats

from neurosim.responses.reliability import select_reliable
from neurosim.responses.selectivity import orientation_selectivity, sparseness
from neurosim.responses.tuning import fit_tuning, tuning_curve
from neurosim.schema import as_responses
from tests.variance_reference import p_of_unequal_noise

DIMS = ("stimulus", "trial", "unit")
X = np.arange(0, 180, 15.0)
BUMP = np.exp(1.5 * (np.cos(2 * np.deg2rad(X - 70)) - 1))


def labelled(values, x=X):
    return as_responses(values, dims=DIMS, coords={"x": ("stimulus", x)})


def test_fits_say_why_they_are_none():
    rng = np.random.default_rng(0)
    rates = np.stack([2 + 8 * BUMP, 1 + 0 * X, 3 + 0 * X, 0 * X, 2 + 8 * BUMP], axis=1)
    counts = rng.poisson(rates[:, None], size=(12, 8, 5)).astype(float)
    counts[:, :, 1] += 8 * (X == 60)[:, None]
    counts[3:, :, 4] = np.nan
    counts[5, :, 0], counts[7, 2:, 0] = np.nan, np.nan
    curve = tuning_curve(labelled(counts), "x")
    found = fit_tuning(curve, "von_mises")
    assert found.outcome.values.tolist() == ["fitted", "not identified", "not tuned", "silent", "too few values"]
    assert np.isfinite(found.preferred.values).tolist() == [True] + 4 * [False]
    assert abs(float(found.preferred[0]) - 70) < 4 * float(found.preferred_error[0])
    assert found.explained.values[2:].tolist() == [0, 0, 0] and float(found.explained[1]) > 0.9
    assert fit_tuning(curve, "von_mises", alpha=1.0).outcome.values[2] != "not tuned"


def test_errors_of_a_line_are_the_closed_form_in_any_units():
    """The gain of a threshold-linear curve above its threshold is a slope, of amperes as of picoamperes."""
    noise = np.random.default_rng(1).normal(size=(15, 6, 1)) * np.linspace(0.2, 2, 15)[:, None, None]
    for unit in (1.0, 1e-12):
        x = np.arange(1.0, 16.0) * unit
        curve = tuning_curve(labelled(20 + 5 * x[:, None, None] / unit + noise, x), "x")
        found = fit_tuning(curve, "threshold_linear")
        weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        expected = np.sqrt((weights**2 * curve.standard_error.values[:, 0] ** 2).sum())
        assert float(found.gain_error[0]) == pytest.approx(expected, rel=1e-4)


def test_stimuli_that_share_a_value_are_its_sample():
    """Each counts once, however many trials it has: the error is that of their means, p that of scipy."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(12, 1, 1)) + rng.normal(size=(12, 5, 1))
    values[3, 1:], values[4] = np.nan, np.nan
    x = np.repeat([0.0, 1.0, 2.0], 4)
    curve = tuning_curve(labelled(values, x), "x")
    groups = [
        [statistics.mean(row[np.isfinite(row)]) for row in values[x == v, :, 0] if np.isfinite(row).any()]
        for v in (0, 1, 2)
    ]
    assert curve.n.values.ravel().tolist() == [4, 3, 4]
    np.testing.assert_allclose(curve.response.values.ravel(), [statistics.mean(g) for g in groups])
    np.testing.assert_allclose(curve.standard_error.values.ravel(), [stats.sem(g) for g in groups])
    assert float(curve.p[0]) == pytest.approx(p_of_unequal_noise(groups))
    kept = [0, 1, 2, 5, 6, 7, 8, 9, 10]
    equal = values[kept, 0, 0].reshape(3, 3)
    found = tuning_curve(labelled(values[kept, :1], np.repeat([0.0, 1.0, 2.0], 3)), "x").p
    assert float(found[0]) == pytest.approx(stats.f_oneway(*equal).pvalue)


def test_selectivity_is_free_of_noise_and_plain_without_trials():
    rates = 3 * (1 + 0.6 * np.cos(2 * np.deg2rad(X - 40)))
    plain = orientation_selectivity(tuning_curve(as_responses(rates[:, None], coords={"x": ("stimulus", X)}), "x"))
    assert float(plain.orientation_selectivity[0]) == pytest.approx(0.3)
    assert np.isnan(plain.orientation_selectivity_error[0])
    rng = np.random.default_rng(3)
    counts = np.concatenate([rng.poisson(r, size=(3000, 4, 12)) for r in (rates, np.full(12, 3.0))]).transpose(2, 1, 0)
    curve = tuning_curve(labelled(counts.astype(float)), "x")
    found = orientation_selectivity(curve)
    tuned, flat = found.isel(unit=slice(3000)), found.isel(unit=slice(3000, None))
    assert float(tuned.orientation_selectivity.mean()) == pytest.approx(0.3, abs=0.01)
    spread = float(tuned.orientation_selectivity.std())
    assert float(np.sqrt((tuned.orientation_selectivity_error**2).mean())) == pytest.approx(spread, rel=0.1)
    assert abs(float(flat.orientation_selectivity.mean())) < 0.1 * float(flat.orientation_selectivity.std())
    assert 0.035 < float((flat.orientation_selectivity_p <= 0.05).mean()) < 0.065


@pytest.mark.parametrize("along", ["stimulus", "unit"])
def test_sparseness_is_that_of_plain_loops_over_pairs_of_trials(along):
    """A square of means is, without its noise, the mean product of trials that are not the same."""
    values = np.random.default_rng(4).poisson(3.0, size=(5, 3, 4)) + 1.0
    found = sparseness(labelled(values, np.arange(5.0)), along=along).values
    rows = values.transpose(2, 0, 1) if along == "stimulus" else values.transpose(0, 2, 1)
    for row, share in zip(rows, found, strict=True):  # (stimulus, trial) of a unit, or (unit, trial) of a stimulus
        k, trials = row.shape
        pairs = [(s, t) for s in range(trials) for t in range(trials) if s != t]
        own = [statistics.mean(a[s] * a[t] for s, t in pairs) for a in row]
        if along == "unit":  # trials of all units go together
            total = statistics.mean(row[:, s].sum() * row[:, t].sum() for s, t in pairs)
        else:  # those of other stimuli are independent
            means = row.mean(1)
            total = sum(own) + sum(means[i] * means[j] for i in range(k) for j in range(k) if i != j)
        expected = (1 - total / k**2 / (sum(own) / k)) / (1 - 1 / k)
        assert share == pytest.approx(expected)


def test_what_was_not_measured_is_not_silent():
    values = np.random.default_rng(5).poisson(3.0, size=(6, 4, 3)).astype(float)
    values[:, :, 1] = 0
    lost = values.copy()
    lost[4:, :, 0], lost[0, 2:, 2] = np.nan, np.nan
    found, whole = sparseness(labelled(lost, np.arange(6.0))), sparseness(labelled(values[:4], np.arange(4.0)))
    assert np.isnan(found[1]) and np.isfinite(found[[0, 2]]).all()
    assert float(found[0]) == pytest.approx(float(whole[0]))


def test_units_that_cannot_be_tested_do_not_count_among_the_tests():
    """Thirty units that were hardly measured do not hide the one that answers."""
    rng = np.random.default_rng(6)
    values = rng.normal(size=(6, 4, 31)) + 1.3 * rng.normal(size=(6, 1, 31))
    values[:, 1:, 1:] = np.nan
    assert select_reliable(labelled(values, np.arange(6.0)), alpha=0.05).sizes["unit"] == 1
