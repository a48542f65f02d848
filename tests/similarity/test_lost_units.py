"""RDMs where trials are missing, unit by unit: what is measured enters, nothing else does, and nothing is biased."""

import numpy as np
import pytest
import xarray as xr

from neurosim.schema import InputError, as_responses
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.rdms import compute_rdm

DIMS = ("stimulus", "trial", "unit")
LABELS = {"area": ("unit", ["a", "b", "a", "b", "a"])}


def trials(seed=0, n_stimuli=5, n_trials=4, n_units=5):
    rng = np.random.default_rng(seed)
    return 3 + rng.normal(size=(n_stimuli, 1, n_units)) + 0.5 * rng.normal(size=(n_stimuli, n_trials, n_units))


def labelled(values, **coords):
    return as_responses(values, dims=DIMS, coords=coords or None)


def lost(values):
    """Unit 1 is lost in the last trial, unit 3 in two trials of one stimulus."""
    values = values.copy()
    values[:, 3, 1], values[2, :2, 3] = np.nan, np.nan
    return values


def of_pairs(a, b):
    """Mean over pairs of different trials that unit had of two stimuli, of their products."""
    return np.mean([x * y for m, x in enumerate(a) for n, y in enumerate(b) if m != n and np.isfinite(x * y)])


def test_crossnobis_is_the_mean_over_units_of_all_their_pairs_of_trials():
    values = lost(trials())
    n = len(values)
    wanted = np.zeros((n, n))
    for unit in range(values.shape[-1]):
        of_means = np.nanmean(values[..., unit], axis=1).mean()
        part = values[..., unit] - of_means
        gram = np.array([[of_pairs(a, b) for b in part] for a in part])
        wanted += (np.diag(gram)[:, None] + np.diag(gram) - gram - gram.T) / values.shape[-1]
    np.testing.assert_allclose(compute_rdm(labelled(values), "crossnobis").values, wanted, atol=1e-12)


@pytest.mark.parametrize("metric", ["correlation", "euclidean", "cosine", "manhattan", "poisson"])
def test_metrics_of_mean_patterns_take_the_mean_of_what_each_unit_has(metric):
    values = lost(trials())
    means = np.nanmean(values, axis=1)
    np.testing.assert_allclose(compute_rdm(labelled(values), metric).values, compute_rdm(means, metric).values)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "poisson", "crossnobis"])
def test_a_stimulus_that_a_unit_never_saw_leaves_it_out_of_those_pairs(metric):
    values = trials()
    values[1, :, 2] = np.nan
    found = compute_rdm(labelled(values), metric).values
    others = compute_rdm(labelled(values[..., [0, 1, 3, 4]]), metric).values
    with_it = compute_rdm(labelled(np.delete(values, 1, axis=0)), metric).values
    rest = [0, 2, 3, 4]
    np.testing.assert_allclose(found[1], others[1], atol=1e-12)
    if metric != "crossnobis":  # its mean pattern is over other stimuli then; distances agree but for trials that lack
        np.testing.assert_allclose(found[np.ix_(rest, rest)], with_it, atol=1e-12)


def test_labels_searchlights_and_diagonal_precisions_are_those_of_each_unit():
    values, precision = labelled(lost(trials()), **LABELS), np.array([1.0, 2.0, 0.5, 1.5, 3.0])
    scaled = labelled(lost(trials()) * np.sqrt(precision), **LABELS)
    wanted = compute_rdm(scaled, "crossnobis")
    np.testing.assert_allclose(compute_rdm(values, "crossnobis", precision=precision).values, wanted.values)
    by_area = compute_rdm(values, "crossnobis", by="area")
    lights = compute_rdm(values, "crossnobis", by=np.array([[0, 2, 4], [1, 3, -1]]), progress=False)
    np.testing.assert_allclose(by_area.values, lights.values)
    first = compute_rdm(values.isel(unit=[0, 2, 4]), "crossnobis")
    np.testing.assert_allclose(by_area.sel(area="a").values, first.values, atol=1e-12)


def test_time_and_subjects_ride_along_where_they_lack_the_same_trials():
    values = lost(trials())
    two = xr.concat([labelled(values), labelled(2 * values)], "subject")
    found = compute_rdm(two, "crossnobis").values
    np.testing.assert_allclose(found[1], 4 * found[0])
    other = xr.concat([labelled(values), labelled(trials())], "subject")
    with pytest.raises(InputError, match="other trials are missing at other places of 'subject'"):
        compute_rdm(other, "crossnobis")


def test_a_precision_of_units_is_estimated_from_the_trials_that_each_has():
    """Variances need no common trials; a distance of means is whitened by any precision, here one of common trials."""
    values = labelled(lost(trials()), **LABELS)
    alone = noise_precision(values, shrinkage="diagonal")
    wanted = compute_rdm(values, "crossnobis", precision=alone)
    found = compute_rdm(values, "crossnobis", precision="diagonal").values
    np.testing.assert_allclose(found, wanted.values, atol=1e-12)
    by_area = compute_rdm(values, "crossnobis", precision="diagonal", by="area").sel(area="a")
    own = compute_rdm(values.isel(unit=[0, 2, 4]), "crossnobis", precision="diagonal")
    np.testing.assert_allclose(by_area.values, own.values, atol=1e-12)
    whole = values.copy(data=trials())
    whole.values[2, 3:, 1] = np.nan
    full = noise_precision(whole)
    x, found = whole.mean("trial").values, compute_rdm(whole, "mahalanobis").values
    gap = x[:, None] - x[None]
    np.testing.assert_allclose(found, np.einsum("ijp,pq,ijq->ij", gap, full.values, gap) / 5, atol=1e-12)
    np.testing.assert_allclose(compute_rdm(whole, "mahalanobis", precision=full).values, found, atol=1e-12)
    whole.values[2, :, 1] = np.nan
    with pytest.raises(InputError, match="mahalanobis needs a trial of every stimulus in every unit"):
        compute_rdm(whole, "mahalanobis")


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        ("decoding", {}, "decoding needs all units in the same trials"),
        ("mahalanobis", {"by": np.array([[0, 1], [3, 4]])}, "in every unit, and a precision=noise_precision"),
        ("crossnobis", {"precision": "ledoit_wolf"}, "'ledoit_wolf' needs all units in the same trials"),
        ("crossnobis", {"precision": np.eye(5), "by": "area"}, "is not that of a part"),
        ("crossnobis", {"precision": np.eye(5), "keep": "gram"}, "needs all units in the same trials"),
    ],
)
def test_what_needs_all_units_at_once_is_refused(metric, options, message):
    with pytest.raises(InputError, match=message):
        compute_rdm(labelled(lost(trials()), **LABELS), metric, **options)


def test_stimuli_that_no_unit_knows_both_are_named():
    values = trials()
    values[0, :, :2], values[1, :, 2:] = np.nan, np.nan
    with pytest.raises(InputError, match="both stimuli 0 and 1"):
        compute_rdm(labelled(values), "euclidean")
    with pytest.raises(InputError, match="leave out the units or trials"):
        compute_rdm(labelled(values), "correlation")


def test_unequal_trials_are_unbiased_and_a_baseline_adds_nothing_to_their_spread():
    """Distances of noise are 0 on average, and 100 times the baseline leaves them as they are."""
    rng = np.random.default_rng(0)
    n = 100
    noise = rng.normal(size=(6, 5, n))
    noise[rng.random((6, 5)) < 0.3] = np.nan
    noise[:, :2] = rng.normal(size=(6, 2, n))
    each = [compute_rdm(labelled(noise[..., [u]]), "crossnobis").values[0, 1] for u in range(n)]
    high = [compute_rdm(labelled(100 + noise[..., [u]]), "crossnobis").values[0, 1] for u in range(n)]
    np.testing.assert_allclose(high, each, atol=1e-9)
    assert abs(np.mean(each)) < 4 * np.std(each) / np.sqrt(n)


def test_noise_precision_still_says_what_it_cannot():
    values = lost(trials())
    for options, words in (
        ({"shrinkage": "ledoit_wolf"}, "needs all units in the same trials"),
        ({"df": 9}, "`df` is one for all units"),
    ):
        with pytest.raises(InputError, match=words):
            noise_precision(labelled(values), **options)
    values = trials()
    values[:, :2, 1], values[:, 2:, 2] = np.nan, np.nan
    with pytest.raises(InputError, match="no repeated trials in common"):
        noise_precision(labelled(values))
    assert noise_precision(labelled(values), shrinkage="diagonal").shape == (5,)
    values[:, 3, 1] = np.nan
    with pytest.raises(InputError, match="have no second trial"):
        noise_precision(labelled(values), shrinkage="diagonal")


def test_a_precision_between_units_of_other_trials_takes_the_pairs_that_every_two_have():
    """Written out unit by unit; whole trials give what whitening gives, and one precision is that of the noise."""
    rng = np.random.default_rng(3)
    precision = np.linalg.inv(np.cov(rng.normal(size=(5, 30))))
    whole = labelled(trials())
    wanted = compute_rdm(whole, "crossnobis", precision=precision).values
    values = trials()
    values[0, 3, 0] = np.nan
    found = compute_rdm(labelled(values), "crossnobis", precision=precision).values
    np.testing.assert_allclose(found[1:, 1:], wanted[1:, 1:], atol=1e-12)
    values = lost(trials())
    found = compute_rdm(labelled(values), "crossnobis", precision=precision).values
    centred = values - np.nanmean(values, axis=1).mean(0)

    def moment(k, other):
        pairs = np.ndindex(5, 5)
        return sum(precision[p, q] * of_pairs(centred[k, :, p], centred[other, :, q]) for p, q in pairs)

    assert found[1, 2] * 5 == pytest.approx(moment(1, 1) + moment(2, 2) - moment(1, 2) - moment(2, 1))
    own = compute_rdm(labelled(values), "crossnobis", precision="schaefer_strimmer").values
    given = compute_rdm(labelled(values), "crossnobis", precision=noise_precision(labelled(values))).values
    np.testing.assert_allclose(own, given)
