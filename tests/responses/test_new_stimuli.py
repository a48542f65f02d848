"""Decoding of what was held out: stimuli, groups, trials; unequal numbers; errors and permutations by hand."""

import numpy as np
import pytest

from neurosim.responses import cross_validation as cv
from neurosim.responses.averages import average_trials
from neurosim.responses.decoding import decode, generalise
from neurosim.schema import InputError, as_responses

DIMS = ("stimulus", "trial", "unit")


def reliable(seed, n=24, n_trials=4, n_classes=3, strength=0.0):
    """Stimuli that every trial tells apart, in categories whose mean patterns differ by `strength`."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % n_classes
    patterns = rng.normal(size=(n, 1, 10)) + strength * rng.normal(size=(n_classes, 1, 10))[label]
    values = patterns + 0.2 * rng.normal(size=(n, n_trials, 10))
    coords = {"category": ("stimulus", label), "session": ("stimulus", np.arange(n) // 6)}
    return as_responses(values, dims=DIMS, coords=coords)


def test_random_categories_of_reliable_stimuli_are_at_chance_unless_the_stimuli_themselves_were_trained_on():
    found = [decode(average_trials(reliable(s)), "category", folds=6, progress=False) for s in range(40)]
    accuracy = np.array([float(f.accuracy) for f in found])
    assert abs(accuracy.mean() - 1 / 3) < 4 * accuracy.std() / np.sqrt(40)
    error = np.sqrt(np.mean([float(f.standard_error) ** 2 for f in found]))
    assert 0.7 < error / accuracy.std() < 1.4
    assert float(decode(reliable(0), "category", hold_out="trial", n_orders=1, progress=False).accuracy) > 0.6
    assert float(decode(reliable(0, strength=3), "category", n_orders=1, progress=False).accuracy) > 0.9


def test_accuracy_and_error_are_those_of_folds_and_of_leaving_each_stimulus_out_of_the_predictions():
    responses = average_trials(reliable(1, n=20, n_classes=2, strength=0.5)).isel(stimulus=np.r_[0:14, 15, 17, 19])
    found = decode(responses, "category", folds=5, rng=3, progress=False)
    labels, values = responses.category.values, responses.values
    fold = cv.groups_dealt(labels, np.arange(len(labels)), 5, np.random.default_rng(3))
    right = np.zeros(len(labels))
    for f in range(5):
        train, test = fold != f, fold == f
        scaled = (values - values[train].mean(0)) / values[train].std(0)
        means = np.stack([scaled[train & (labels == c)].mean(0) for c in (0, 1)])
        right[test] = np.corrcoef(scaled[test], means)[: test.sum(), test.sum() :].argmax(1) == labels[test]
    np.testing.assert_array_equal(found.right, right)

    def balanced(kept):
        return np.mean([right[kept & (labels == c)].mean() for c in (0, 1)])

    assert float(found.accuracy) == pytest.approx(balanced(labels >= 0))
    left = [balanced(np.arange(len(labels)) != i) for i in range(len(labels))]
    assert float(found.standard_error) == pytest.approx(np.sqrt((len(left) - 1) * np.var(left)))
    low, high = found.interval.values
    assert low < float(found.accuracy) < high and found.attrs["df"] == len(labels) - 2


def test_a_pseudo_trial_takes_a_measured_trial_of_every_unit_once():
    values = np.arange(2 * 5 * 3, dtype=float).reshape(2, 5, 3)
    values[0, [1, 3], 0], values[1, 0, 2] = np.nan, np.nan
    trials = cv.pseudo_trials(as_responses(values, dims=DIMS), "here")
    assert trials.n.tolist() == [3, 4]
    patterns = trials.shuffled(np.random.default_rng(0))[:, 0]
    assert patterns.shape == (7, 3) and np.isfinite(patterns).all()
    stimulus = np.broadcast_to([0, 1], trials.there.shape)[trials.there]
    for s in (0, 1):
        for u in range(3):
            taken = patterns[stimulus == s, u]
            assert len(set(taken)) == len(taken) and set(taken) <= set(values[s, :, u])
    assert [np.bincount(cv.trials_dealt(trials.n, 3)[stimulus == s]).tolist() for s in (0, 1)] == [[1, 1, 1], [2, 1, 1]]


def test_missing_trials_are_not_silence_and_what_was_never_measured_is_refused():
    responses = reliable(2, n_trials=6)
    some = responses.where(np.random.default_rng(0).random(responses.shape) > 0.2)
    assert float(decode(some, n_orders=2, progress=False).accuracy) > 0.95
    last = responses.copy(data=np.where((np.arange(6) > 3)[:, None], np.nan, responses.values))
    found, fewer = (decode(r, folds=4, n_orders=40, progress=False) for r in (last, responses.isel(trial=slice(4))))
    assert float(found.accuracy) == pytest.approx(float(fewer.accuracy), abs=0.02)
    gone = responses.copy(data=np.where((np.arange(24) == 5)[:, None, None] & (np.arange(10) == 7), np.nan, responses))
    with pytest.raises(InputError, match="unit 7 was not measured at stimulus stimulus_005"):
        decode(gone)
    one = responses.copy(data=np.where((np.arange(6) > 0)[:, None] & (np.arange(10) == 7), np.nan, responses.values))
    with pytest.raises(InputError, match="at least 2 trials"):
        decode(one)


def test_classes_count_alike_and_a_constant_answer_is_at_chance():
    rng = np.random.default_rng(5)
    labels = {"category": ("stimulus", np.repeat([0, 1], (45, 5)))}
    found = [decode(as_responses(rng.normal(size=(50, 4)), coords=labels), "category", folds=5, decoder="linear_svm",
                    rng=s, progress=False) for s in range(6)]  # fmt: skip
    assert abs(np.mean([float(f.accuracy) for f in found]) - 0.5) < 0.05


def test_sessions_are_held_out_whole():
    responses = average_trials(reliable(3, strength=2))
    found = decode(responses, "category", hold_out="session", progress=False)
    assert found.attrs["folds"] == 4 and found.attrs["n_held_out"] == 4 and float(found.accuracy) > 0.8
    with pytest.raises(InputError, match="5 folds of 4 stimuli or groups"):
        decode(responses, "category", hold_out="session", folds=5)
    with pytest.raises(InputError, match="no label 'sessions' along stimulus"):
        decode(responses, "category", hold_out="sessions")
    with pytest.raises(InputError, match="leave no stimulus of some 'session'"):
        decode(responses, "session", hold_out="session")


@pytest.mark.parametrize("hold_out", ["stimulus", "trial", "session"])
def test_p_is_small_for_what_is_there_and_counts_the_true_labels_among_the_shuffled(hold_out):
    responses = reliable(4, strength=3)
    how = {"hold_out": hold_out, "folds": 4, "n_orders": 1, "n_permutations": 19, "progress": False}
    assert float(decode(responses, "category", **how).p) == 0.05
    nothing = responses.copy(data=np.random.default_rng(0).normal(size=responses.shape))
    assert float(decode(nothing, "category", **how).p) > 0.05


def test_all_right_is_not_certain():
    found = decode(reliable(0), n_orders=2, progress=False)
    assert float(found.accuracy) == 1 and 0 < float(found.standard_error) < 0.02
    labels = {"object": ("stimulus", np.arange(24) % 12), "place": ("stimulus", np.arange(24) // 12)}
    same = reliable(0).copy(data=np.tile(reliable(0).values[:12], (2, 1, 1))).assign_coords(labels)
    moved = generalise(same, "object", "place", n_orders=1, progress=False)
    assert float(moved.other) == 1 and float(moved.other_standard_error) > 0 and moved.interval.shape == (2, 2, 2)
