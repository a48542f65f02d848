"""Evaluation: closed forms, limits, and calibration that is right on average."""

import numpy as np
import pytest
import torch
from torch import nn

from neurosim.networks.evaluation import classical_baselines, evaluate, score_logits
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
    task = classification_task(load_digits(), seed=0)
    torch.manual_seed(0)
    found = evaluate(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), task)
    assert abs(float(found.accuracy) - 0.1) < 0.15
    baselines = classical_baselines(task, progress=False)
    assert float(baselines.accuracy.min()) > 0.93
    assert int(found.support.sum()) == baselines.attrs["n_test"] == task.test.sizes["stimulus"]
