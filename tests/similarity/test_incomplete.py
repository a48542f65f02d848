"""Subjects who did not see every stimulus: exact where nothing is missing, each on what it saw where something is."""

import numpy as np
import pytest
import xarray as xr

from neurosim.schema import InputError, as_rdm
from neurosim.similarity import METHODS, compare_rdms, infer, regress_rdm
from neurosim.similarity.incomplete import IncompleteComparison
from neurosim.similarity.inference_options import Fitting
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.metrics.crossnobis import crossnobis
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.resampling import Comparison

N = 12


def experiment(seed=0, n_subjects=5):
    rng = np.random.default_rng(seed)
    models = euclidean(rng.normal(size=(2, N, 9)))
    return models, models[0] + euclidean(rng.normal(size=(n_subjects, N, 9)))


def with_lost(data, *lost):
    values = data.copy()
    for subject, stimuli in enumerate(lost):
        values[subject, stimuli] = values[subject, :, stimuli] = np.nan
    return as_rdm(data, dims=("subject",)).copy(data=values)


LOST = ([0, 3], [5], [], [11, 1], [2])


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].has_inference])
def test_nothing_missing_gives_the_balanced_scores_and_ceilings(method):
    models, data = experiment()
    rng = np.random.default_rng(1)
    parts = (upper(models), np.arange(2), upper(data), METHODS[method], N)
    counts, draws = rng.integers(1, 3, (3, N)).astype(float), rng.integers(1, 3, (2, 3, 5)).astype(float)
    found = IncompleteComparison(*parts, np.ones((5, N), dtype=bool)).fixed(counts, draws)
    np.testing.assert_allclose(found, Comparison(*parts).fixed(counts, draws), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["corr", "spearman", "whitened_corr"])
def test_every_subject_is_scored_on_the_stimuli_it_saw(method):
    models, data = experiment()
    incomplete = with_lost(data, *LOST)
    found = infer({"a": models[0], "b": models[1]}, incomplete, method=method, progress=False)
    scores = compare_rdms(as_rdm(models, dims=("model",)), incomplete, method)
    pairs = compare_rdms(incomplete, incomplete, method).values
    for s, lost in enumerate(LOST):
        kept = np.setdiff1d(np.arange(N), lost)
        plain = [compare_rdms(m[np.ix_(kept, kept)], data[s][np.ix_(kept, kept)], method) for m in models]
        np.testing.assert_allclose(found.score_of_subject[:, s], plain, atol=1e-12)
        np.testing.assert_allclose(scores[:, s], plain, atol=1e-12)
    np.testing.assert_allclose(float(found.ceiling[1]), np.sqrt(pairs.mean()), atol=1e-12)
    rest = [np.delete(np.delete(pairs, s, 0), s, 1).sum() for s in range(5)]
    lower = np.mean([(pairs[s].sum() - 1) / np.sqrt(rest[s]) for s in range(5)])
    np.testing.assert_allclose(float(found.ceiling[0]), lower, atol=1e-12)
    assert (found.standard_error > 0).all()


def test_a_stimulus_is_known_by_its_name():
    """The other order of stimuli, and the other order of one side, are the same data."""
    models, data = experiment()
    incomplete = with_lost(data, *LOST)
    turned = incomplete.isel(stimulus=slice(None, None, -1))
    wanted = infer({"a": models[0]}, incomplete, method="corr")
    np.testing.assert_allclose(infer({"a": as_rdm(models[0])}, turned, method="corr").score, wanted.score)
    bare = infer({"a": models[0]}, incomplete.values, method="corr")
    np.testing.assert_array_equal(bare.standard_error, wanted.standard_error)


@pytest.mark.parametrize("method", ["spearman", "tau_a"])
def test_leaving_stimuli_out_of_what_subjects_saw_is_quick(method):
    """Samples that leave out what a subject did not see either are those of the stimuli that it saw."""
    models, data = experiment()
    lost = [[0, 3], [5, 7], [8, 6], [11, 1], [2, 9]]
    parts = (upper(models), np.arange(2), upper(np.nan_to_num(with_lost(data, *lost).values)), METHODS[method], N)
    seen = np.array([~np.isin(np.arange(N), k) for k in lost])
    counts = np.ones((40, N)) - np.eye(N)[np.arange(40) % N]
    found = IncompleteComparison(*parts, seen)._scores(counts)[0]
    for n, s in ((0, 0), (3, 0), (13, 1), (39, 4)):
        kept = np.flatnonzero((counts[n] > 0) & seen[s])
        plain = [compare_rdms(m[np.ix_(kept, kept)], data[s][np.ix_(kept, kept)], method) for m in models]
        np.testing.assert_allclose(found[n, s], plain, atol=1e-12)


def test_subjects_without_common_stimuli_have_scores_and_no_ceiling():
    models, data = experiment(n_subjects=2)
    apart = with_lost(data, range(6), range(6, N))
    found = infer({"a": models[0]}, apart, method="corr", resample="subject")
    assert "ceiling" not in found
    assert "fewer than 6 stimuli in common" in found.attrs["no_ceiling"]
    assert np.isfinite(found.score)


def test_a_dead_rdm_has_no_score(caplog):
    models, data = experiment()
    scores = compare_rdms(as_rdm(models[0]), with_lost(data, [], range(N)), "corr")
    assert np.isnan(scores.values).tolist() == [False, True, False, False, False]
    assert "1 scores are NaN" in caplog.text


@pytest.mark.parametrize(
    ("lost", "options", "words"),
    [
        ([range(7)], {}, "saw 5 stimuli, at least 6"),
        ([[0]] * 5, {}, "no subject saw"),
        ([[0]], {"fit": Fitting("select")}, "who saw every stimulus"),
    ],
)
def test_too_little_is_refused(lost, options, words):
    models, data = experiment()
    with pytest.raises(InputError, match=words):
        infer({"a": models[0]}, with_lost(data, *lost), method="corr", **options)


def test_single_entries_are_not_missing_stimuli():
    models, data = experiment()
    torn = as_rdm(data, dims=("subject",))
    values = torn.values.copy()
    values[0, 1, 2] = values[0, 2, 1] = np.nan
    for act in (lambda x: infer({"a": models[0]}, x), lambda x: compare_rdms(as_rdm(models[0]), x)):
        with pytest.raises(InputError, match="single entries"):
            act(torn.copy(data=values))


@pytest.mark.parametrize("method", METHODS)
def test_zero_is_tested_only_where_an_unrelated_model_scores_zero(method, caplog):
    """Cross-validated distances of stimuli that differ are positive, as those of any model are."""
    rng = np.random.default_rng(0)
    trials = rng.normal(size=(N, 1, 9)) + rng.normal(size=(5, N, 4, 9))
    data = as_rdm(np.stack([crossnobis(np.moveaxis(x, 1, 0)) for x in trials]), dims=("subject",), metric="crossnobis")
    unrelated = as_rdm(euclidean(rng.normal(size=(20, N, 9))), dims=("model",))
    scores = compare_rdms(unrelated, data, method)
    above = float(scores.mean()) > 0.2
    assert above == ("mantel_test" in scores.attrs.get("zero", "")) == METHODS[method].counts_from_zero
    if METHODS[method].has_inference:
        found = infer(unrelated[:1], data, method=method, resample="subject", progress=False)
        assert np.isnan(found.p_zero).all() == np.isnan(found.p_zero_corrected).all() == above
        assert ("no_p_zero" in found.attrs) == ("p_zero is NaN" in caplog.text) == above
        assert (found.standard_error > 0).all()


def test_terms_that_leaving_out_makes_flat_are_named():
    models, _ = experiment()
    odd = np.zeros((N, N))
    odd[0, 1:] = odd[1:, 0] = 1
    with pytest.raises(InputError, match="a, odd do not vary or are linear combinations"):
        regress_rdm(models[1], {"a": models[0], "odd": odd}, resample=("stimulus",))
    exact = regress_rdm(models[0], {"a": models[0]}, resample=("stimulus",))
    assert float(exact.partial_correlation[0]) == pytest.approx(1.0)
    assert float(exact.explained_variance) == pytest.approx(1.0)
    assert isinstance(exact, xr.Dataset)
