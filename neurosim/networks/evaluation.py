"""How good a classifier is on stimuli it never saw, with intervals; what classical ones reach on the same split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.stats import binomtest
from torch import nn

from neurosim.networks.training import Task, as_input
from neurosim.runtime import pick_device, track
from neurosim.schema import InputError

N_BINS = 10


def evaluate(
    network: nn.Module, task: Task, *, seed: int = 0, device: str = "auto", batch_size: int = 256
) -> xr.Dataset:
    """Return the test performance of a network, by the measures of scikit-learn.

    Parameters
    ----------
    network : module from inputs to logits (batch, category). task : what it learned; its test set is used.
    seed : of encoded inputs. device : "auto", "cpu", "cuda". batch_size : stimuli at once.

    Returns
    -------
    Dataset: ``accuracy`` with its ``interval`` (bound; Wilson, 95 %), ``balanced_accuracy``, ``cross_entropy``, ``auc``
    (one against the rest, mean over categories; NaN where a category is not in the test set), ``calibration_error``
    (expected, over ten bins of confidence; https://proceedings.mlr.press/v70/guo17a.html); along ``category``
    ``precision``, ``recall``, ``f1``, ``support``; ``confusion`` (category, named), counts.

    Raises
    ------
    InputError : logits for another number of categories, or that are no finite numbers.

    Examples
    --------
    >>> from neurosim.stimuli.images import load_digits
    >>> from neurosim.tasks.classification import classification_task
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> evaluate(network, classification_task(load_digits())).confusion.shape
    (10, 10)
    """
    where = pick_device(device)
    network.to(where).eval()
    logits, labels = [], []
    with torch.no_grad():
        for inputs, truth in task.test_batches(batch_size, seed):
            logits.append(network(as_input(inputs, task, where)).double().cpu().numpy())
            labels.append(truth)
    return score_logits(np.concatenate(logits), np.concatenate(labels), task.categories)


def score_logits(logits: np.ndarray, labels: np.ndarray, categories: tuple[str, ...]) -> xr.Dataset:
    """Return the measures of :func:`evaluate` for logits (stimulus, category) and indices of the right categories."""
    from sklearn import metrics

    n = len(categories)
    if logits.ndim != 2 or logits.shape[1] != n or not np.isfinite(logits).all():
        raise InputError(f"evaluate: finite logits for {n} categories asked, found shape {logits.shape}.")
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    p, named = np.exp(log_p), logits.argmax(1)
    right = int((named == labels).sum())
    interval = binomtest(right, len(labels)).proportion_ci(method="wilson")
    every = np.arange(n)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, named, labels=every, zero_division=0.0
    )
    present = np.unique(labels)
    auc = [metrics.roc_auc_score(labels == k, p[:, k]) for k in every] if len(present) == n > 1 else [np.nan]
    data: dict[str, Any] = {
        "accuracy": right / len(labels),
        "interval": ("bound", [interval.low, interval.high]),
        "balanced_accuracy": float(recall[present].mean()),
        "cross_entropy": float(-log_p[np.arange(len(labels)), labels].mean()),
        "auc": float(np.mean(auc)),
        "calibration_error": _calibration_error(p.max(1), named == labels),
        "precision": ("category", precision),
        "recall": ("category", recall),
        "f1": ("category", f1),
        "support": ("category", support),
        "confusion": (("category", "named"), metrics.confusion_matrix(labels, named, labels=every)),
    }
    coords = {"category": list(categories), "named": list(categories), "bound": ["low", "high"]}
    return xr.Dataset(data, coords=coords, attrs={"n_test": len(labels)})


def classical_baselines(task: Task, *, seed: int = 0, progress: bool = True) -> xr.Dataset:
    """Return the test accuracy of classical classifiers on the same split, on the raw inputs.

    Logistic regression, a support vector machine with a radial kernel (both on standardised inputs) and a random
    forest, as scikit-learn has them. Inputs that are encoded as spikes are summed over time first.

    Parameters
    ----------
    task : labelled batches. seed : of the forest and of encoded inputs. progress : show a bar.

    Returns
    -------
    Dataset along ``baseline``: ``accuracy`` and ``interval`` (baseline, bound; Wilson, 95 %).
    """
    train = _flat(task.batches(0, 1024, seed), task)
    test = _flat(task.test_batches(1024, seed), task)
    rows = []
    models = _baselines(seed)
    for model in track(list(models.values()), "fitting baselines", progress=progress):
        right = int((model.fit(*train).predict(test[0]) == test[1]).sum())
        ci = binomtest(right, len(test[1])).proportion_ci(method="wilson")
        rows.append((right / len(test[1]), ci.low, ci.high))
    values = np.array(rows)
    data = {"accuracy": ("baseline", values[:, 0]), "interval": (("baseline", "bound"), values[:, 1:])}
    return xr.Dataset(data, coords={"baseline": list(models), "bound": ["low", "high"]}, attrs={"n_test": len(test[1])})


def _baselines(seed: int) -> Mapping[str, Any]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return {
        "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "support_vector_machine": make_pipeline(StandardScaler(), SVC(C=10.0)),
        "random_forest": RandomForestClassifier(300, random_state=seed),
    }


def _flat(batches: Any, task: Task) -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = zip(*batches, strict=True)
    joined = np.concatenate([x.sum(1) if task.is_sequence else x for x in inputs])
    return joined.reshape(len(joined), -1), np.concatenate(labels)


def _calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    place = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = [
        abs(right[place == k].mean() - confidence[place == k].mean()) * (place == k).mean() for k in np.unique(place)
    ]
    return float(np.sum(gaps))
