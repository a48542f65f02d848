"""Evaluation: closed forms, limits, and calibration that is right on average."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics
from torch import nn

from neurosim.networks.evaluation import (
    classical_baselines,
    evaluate,
    orientation_histograms,
    over_instances,
    roc_curves,
    score_logits,
)
from neurosim.schema import InputError
from neurosim.stimuli.images import load_digits
from neurosim.tasks.classification import classification_task

NAMES = ("a", "b", "c")


def test_a_perfect_and_a_constant_classifier():
    labels = np.array([0, 0, 0, 1, 2])
    perfect = score_logits(50 * np.eye(3)[labels], labels, NAMES)
    assert [float(perfect[k]) for k in ("accuracy", "balanced_accuracy", "auc")] == [1, 1, 1]
    assert float(perfect.cross_entropy) == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(perfect.confusion, np.diag([3, 1, 1]))
    constant = score_logits(np.tile([1.0, 0, 0], (5, 1)), labels, NAMES)
    assert float(constant.accuracy) == pytest.approx(0.6)
    assert float(constant.balanced_accuracy) == pytest.approx(1 / 3)
    assert float(constant.auc) == pytest.approx(0.5)
    assert float(constant.interval[0]) < 0.6 < float(constant.interval[1])


def test_logits_that_are_no_numbers_are_told_by_their_stimulus():
    logits = np.eye(3)
    logits[1, 2] = np.nan
    with pytest.raises(InputError, match="those of 1 of 3 stimuli are not, stimulus 1 the first") as caught:
        score_logits(logits, np.arange(3), NAMES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "found"),
    [(np.eye(3, dtype=int), r"shape \(3, 3\)"), (np.array([0, 1, 3]), r"int64, 0\.\.3"), (np.zeros(3), "float64")],
)
def test_labels_that_are_none_are_refused_in_one_line(labels, found):
    with pytest.raises(InputError, match=rf"3 labels, whole numbers in 0\.\.2, asked; found {found}") as caught:
        score_logits(np.eye(3), labels, NAMES)
    assert "\n" not in str(caught.value)


def test_probabilities_that_are_true_are_calibrated_and_sharpened_ones_are_not():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (p.cumsum(1) < rng.random((len(p), 1))).sum(1)
    assert float(score_logits(logits, labels, NAMES).calibration_error) < 0.02
    assert float(score_logits(4 * logits, labels, NAMES).calibration_error) > 0.15
    with pytest.raises(InputError, match="logits for 3 categories"):
        score_logits(logits[:, :2], labels, NAMES)


def test_networks_and_classical_classifiers_on_the_same_digits():
    task = classification_task(load_digits(), rng=0)
    torch.manual_seed(0)
    found = evaluate(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), task)
    assert abs(float(found.accuracy) - 0.1) < 0.15
    baselines = classical_baselines(task, progress=False)
    assert float(baselines.accuracy.min()) > 0.93
    assert int(found.support.sum()) == baselines.attrs["n_test"] == task.test.sizes["stimulus"]


def test_curves_top_five_and_squared_errors_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 8, 300)
    logits = rng.normal(size=(300, 8)) + 1.5 * np.eye(8)[labels]
    names = tuple("abcdefgh")
    found = score_logits(logits, labels, names)
    assert float(found.top_5) == pytest.approx(metrics.top_k_accuracy_score(labels, logits, k=5))
    assert float(found.top_5_interval[0]) < float(found.top_5) < float(found.top_5_interval[1])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert float(found.mean_squared_error) == pytest.approx(((p - np.eye(8)[labels]) ** 2).sum(1).mean())
    curves = roc_curves(logits, labels, names, 2001)
    assert float(curves.integrate("false_alarms").mean()) == pytest.approx(float(found.auc), abs=2e-3)


def test_intervals_over_instances_cover_their_mean():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    found = [score_logits(rng.normal(size=(60, 3)) + np.eye(3)[labels], labels, ("a", "b", "c")) for _ in range(4)]
    together = over_instances(found)
    values = [float(f.accuracy) for f in found]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert float(together.accuracy_low) == pytest.approx(low) and float(together.accuracy_high) == pytest.approx(high)
    assert together.confusion.sum() == pytest.approx(60) and (together.confusion_high >= together.confusion).all()
    with pytest.raises(InputError, match="at least 2"):
        over_instances(found[:1])


def instances(*rights, n=10):
    """Instances that name so many of n stimuli of two categories rightly."""
    labels = np.arange(n) % 2
    return [score_logits(np.eye(2)[np.where(np.arange(n) < k, labels, 1 - labels)], labels, ("a", "b")) for k in rights]


def test_intervals_of_shares_end_where_shares_end():
    together = over_instances(instances(6, 10, 10))
    free = stats.t.interval(0.95, 2, np.mean([0.6, 1, 1]), stats.sem([0.6, 1, 1]))
    assert free[1] > 1.19 and float(together.accuracy_high) == 1.0
    assert float(together.accuracy_low) == pytest.approx(free[0])
    shares = ("accuracy", "balanced_accuracy", "auc", "calibration_error", "precision", "recall", "f1")
    for name in shares:
        for bound in ("", "_low", "_high"):
            assert ((together[name + bound] >= 0) & (together[name + bound] <= 1)).all(), name
    assert (together.confusion_low >= 0).all() and float(together.cross_entropy_low) >= 0
    assert float(over_instances(instances(0, 0, 4)).accuracy_low) == 0.0


def test_instances_that_are_no_shares_or_of_other_tests_are_refused():
    found = instances(6, 10)
    with pytest.raises(InputError, match=r"accuracy = 1\.199 is out of its range"):
        over_instances([found[0], found[1].assign(accuracy=1.199)])
    with pytest.raises(InputError, match=r"other numbers of stimuli, \[10, 12\]"):
        over_instances([found[0], *instances(6, n=12)])


def test_a_measure_that_is_missing_in_an_instance_is_missing_in_the_mean():
    found = instances(6, 10, 8)
    together = over_instances([found[0].assign(auc=np.nan), *found[1:]])
    assert np.isnan(together.auc) and np.isnan(together.auc_low) and together.accuracy == pytest.approx(0.8)


def test_orientation_histograms_see_orientation_and_not_brightness():
    y, x = np.mgrid[:16, :16]
    gratings = np.stack([np.sin(x), np.sin(y), 3 * np.sin(x) + 5])
    found = orientation_histograms(gratings)
    assert found.shape == (3, 16 * 9)
    similar = np.corrcoef(found)
    assert similar[0, 2] > 0.99 and similar[0, 1] < 0.2
    task = classification_task(load_digits()[:500])
    raw, made = (classical_baselines(task, features=f, progress=False) for f in (None, orientation_histograms))
    assert made.accuracy.sel(baseline="support_vector_machine") > 0.85 and not made.equals(raw)
