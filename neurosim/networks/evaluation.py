"""How good a classifier is on stimuli it never saw, with intervals; what classical ones reach on the same split."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.stats import binomtest
from scipy.stats import t as student_t
from torch import nn

from neurosim.networks.asked import Task
from neurosim.networks.distributed import Share
from neurosim.networks.door import Data, as_task, check_task
from neurosim.networks.feeding import Feeder, first_batch
from neurosim.networks.flags import check_module
from neurosim.networks.operations import EnergyCosts, counted, summed_operations
from neurosim.networks.optimization import Precision, autocast_of
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.unfit import outputs_of
from neurosim.networks.untouched import evaluating
from neurosim.runtime import as_seed, track
from neurosim.schema import InputError

N_BINS = 10
INTERVALS = ["interval", "top_5_interval"]
SHARES = ("accuracy", "top_5", "balanced_accuracy", "auc", "calibration_error", "precision", "recall", "f1")
HIGHEST = dict.fromkeys(SHARES, 1.0) | {"mean_squared_error": 2.0}


def evaluate(
    network: nn.Module,
    task: Task | Data | Iterable[Any],
    *,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    batch_size: int = 256,
    precision: Precision = "float32",
    costs: EnergyCosts | None = None,
) -> xr.Dataset:
    """Return the test performance of a network, by the measures of scikit-learn.

    Parameters
    ----------
    network : module from inputs to logits (batch, category), which gets sequences time first, (time, batch, ...).
    task : what it learned; its test set is used. All of a ``DataLoader`` or dataset is the test set. Of several trained
        instances, :func:`over_instances` makes one with intervals.
    rng : seed of encoded inputs, or a generator. device : "auto", "cpu", "cuda". batch_size : stimuli at once.
    precision : "float32", or mixed precision in "bfloat16" or "float16", as it was trained.
    costs : count the operations of the network too, as :func:`synaptic_operations` does, which takes longer.

    Returns
    -------
    Dataset: ``accuracy`` with its ``interval`` (bound; Wilson, 95 %), ``top_5`` (the right category among the five with
    the largest logits) with ``top_5_interval`` where there are more than five, ``balanced_accuracy``,
    ``cross_entropy``, ``mean_squared_error`` of the probabilities (Brier score, summed over categories), ``auc``
    (one against the rest, mean over categories; NaN where a category is not in the test set), ``calibration_error``
    (expected, over ten bins of confidence; https://proceedings.mlr.press/v70/guo17a.html); along ``category``
    ``precision``, ``recall``, ``f1``, ``support``; ``confusion`` (category, named), counts. With `costs` also
    ``dense``, ``effective_macs``, ``effective_acs`` and ``energy`` (J) a stimulus, ``activation_sparsity``,
    ``connection_sparsity`` and ``footprint`` (bytes).

    Raises
    ------
    InputError : logits for another number of categories, or that are no finite numbers.

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> ns.networks.evaluate(network, ns.tasks.classification_task(ns.load_digits())).confusion.shape
    (10, 10)
    """
    check_module("evaluate", network)
    seed = as_seed(rng, "evaluate")
    task = as_task(task, network, max(batch_size, 1), "evaluate")
    if batch_size < 1 or first_batch(task, "test", 1, seed) is None:
        raise InputError(f"evaluate: batch_size of at least 1 and test stimuli are asked, batch_size = {batch_size}.")
    logits: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    counting = contextlib.nullcontext() if costs is None else counted(network)
    with evaluating(network, device, False) as where, torch.no_grad(), counting as counts:
        for portion in Feeder(task, batch_size, seed, Share(device=where)).batches("test"):
            reset_neurons(network)
            if counts is not None:
                counts.n_now.clear()
            with autocast_of(precision, where):
                place = f"evaluate: stimuli from {sum(len(found) for found in logits)} on"
                answered = outputs_of(network, network, portion, place)
            if not isinstance(answered, torch.Tensor):
                raise InputError(
                    f"evaluate: logits (batch, category) asked, found {type(answered).__name__}; pass a module that "
                    "returns them alone."
                )
            logits.append(answered.double().cpu().numpy())
            labels.append(portion.targets[0].cpu().numpy())
    found = score_logits(np.concatenate(logits), np.concatenate(labels), task.categories)
    if costs is None or counts is None:
        return found
    return found.assign(summed_operations(network, counts, found.attrs["n_test"], costs))


def score_logits(logits: np.ndarray, labels: np.ndarray, categories: tuple[str, ...]) -> xr.Dataset:
    """Return the measures of :func:`evaluate` for logits (stimulus, category) and indices of the right categories."""
    from sklearn import metrics

    n = len(categories)
    if logits.ndim != 2 or logits.shape[1] != n:
        raise InputError(f"evaluate: finite logits for {n} categories asked, found shape {logits.shape}.")
    if not (fit := np.isfinite(logits).all(1)).all():
        raise InputError(
            f"evaluate: finite logits are asked, those of {(~fit).sum()} of {len(fit)} stimuli are not, stimulus "
            f"{fit.argmin()} the first; look there for NaN in the stimuli, or in the weights."
        )
    labels = labels.astype(np.int64) if labels.dtype.kind == "b" else labels
    if labels.shape != (len(logits),) or labels.dtype.kind not in "iu" or ((labels < 0) | (labels >= n)).any():
        raise InputError(f"evaluate: {len(logits)} labels, whole numbers in 0..{n - 1}, asked; found {_found(labels)}.")
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
        "mean_squared_error": float(((p - np.eye(n)[labels]) ** 2).sum(1).mean()),
        "cross_entropy": float(-log_p[np.arange(len(labels)), labels].mean()),
        "auc": float(np.mean(auc)),
        "calibration_error": _calibration_error(p.max(1), named == labels),
        "precision": ("category", precision),
        "recall": ("category", recall),
        "f1": ("category", f1),
        "support": ("category", support),
        "confusion": (("category", "named"), metrics.confusion_matrix(labels, named, labels=every)),
    }
    if n > 5:
        among = int((np.argsort(-logits, axis=1, kind="stable")[:, :5] == labels[:, None]).any(1).sum())
        ci = binomtest(among, len(labels)).proportion_ci(method="wilson")
        data |= {"top_5": among / len(labels), "top_5_interval": ("bound", [ci.low, ci.high])}
    coords = {"category": list(categories), "named": list(categories), "bound": ["low", "high"]}
    return xr.Dataset(data, coords=coords, attrs={"n_test": len(labels)})


def _found(labels: np.ndarray) -> str:
    """Return what labels are, in words."""
    if labels.ndim != 1 or not labels.size:
        return f"shape {labels.shape}"
    return f"{labels.dtype}, {labels.min()}..{labels.max()}"


def roc_curves(
    logits: np.ndarray, labels: np.ndarray, categories: tuple[str, ...], n_points: int = 101
) -> xr.DataArray:
    """Return the share of hits at each share of false alarms, one category against the rest.

    Parameters
    ----------
    logits : (stimulus, category). labels : right categories. categories : names. n_points : false-alarm rates in 0..1.

    Returns
    -------
    array (category, false_alarms); NaN for a category that is not among `labels`.
    """
    from sklearn import metrics

    rates = np.linspace(0, 1, n_points)
    curves = np.full((len(categories), n_points), np.nan)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    for k in np.unique(labels):
        false, hits, _ = metrics.roc_curve(labels == k, p[:, k])
        curves[k] = np.interp(rates, false, hits)
    return xr.DataArray(
        curves, dims=("category", "false_alarms"), coords={"category": list(categories), "false_alarms": rates}
    )


def over_instances(evaluations: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return the mean of every measure over trained instances, with its 95 % interval (Student's t).

    Bounds that a measure cannot reach are moved to the last value that it can: a share ends at 0 and 1, a squared error
    of probabilities at 2, a cross-entropy and a count at 0. The interval covers the mean as often as without.

    Parameters
    ----------
    evaluations : of :func:`evaluate`, one an instance, at least two.

    Returns
    -------
    Dataset with each measure, its ``<measure>_low`` and ``<measure>_high``, the confusion matrix included.

    Raises
    ------
    InputError : fewer than two instances, other categories or another number of test stimuli, or shares outside 0..1.

    Examples
    --------
    >>> from torch import nn
    >>> task = ns.tasks.classification_task(ns.load_digits())
    >>> networks = [nn.Sequential(nn.Flatten(), nn.Linear(64, 10)) for _ in range(2)]
    >>> together = ns.networks.over_instances([ns.networks.evaluate(network, task) for network in networks])
    >>> bool(together.accuracy_low <= together.accuracy <= together.accuracy_high)
    True
    """
    given = list(evaluations) if isinstance(evaluations, Sequence) else [evaluations]
    odd = [e for e in given if not isinstance(e, xr.Dataset) or "category" not in e.coords or "n_test" not in e.attrs]
    if odd:
        raise InputError(f"over_instances: a list of what evaluate returns is asked, found {type(odd[0]).__name__}.")
    if len(evaluations) < 2:
        raise InputError(f"over_instances: at least 2 trained instances asked, found {len(evaluations)}.")
    if any(not e.category.equals(evaluations[0].category) for e in evaluations):
        raise InputError("over_instances: the instances do not name the same categories.")
    sizes = sorted({int(e.attrs["n_test"]) for e in evaluations})
    if len(sizes) > 1:
        raise InputError(f"over_instances: the instances were tested on other numbers of stimuli, {sizes}.")
    together = xr.concat([e.drop_vars(INTERVALS, errors="ignore") for e in evaluations], dim="subject")
    for name in together:
        bad = (together[name] < 0) | (together[name] > HIGHEST.get(str(name), np.inf) + 1e-9)
        if bool(bad.any()):
            raise InputError(f"over_instances: {name} = {float(together[name].where(bad).max())} is out of its range.")
    n = len(evaluations)
    mean = together.mean("subject", skipna=False)
    half = together.std("subject", ddof=1, skipna=False) / np.sqrt(n) * student_t.ppf(0.975, n - 1)
    low = (mean - half).clip(min=0).rename({k: f"{k}_low" for k in mean})
    high = (mean + half).map(lambda v: v.clip(max=HIGHEST.get(str(v.name), np.inf)))
    high = high.rename({k: f"{k}_high" for k in mean})
    return xr.merge([mean, low, high]).assign_attrs(n_subjects=n, n_test=evaluations[0].attrs["n_test"])


def classical_baselines(
    task: Task,
    *,
    features: Callable[[np.ndarray], np.ndarray] | None = None,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Return the test accuracy of classical classifiers on the same split, on the raw inputs or on features of them.

    Logistic regression, a support vector machine with a radial kernel (both on standardised inputs) and a random
    forest, as scikit-learn has them. Inputs that are encoded as spikes are summed over time first.

    Parameters
    ----------
    task : labelled batches. features : from inputs (batch, ...) to (batch, feature), such as
        :func:`orientation_histograms`. rng : seed of the forest and of encoded inputs. progress : show a bar.

    Returns
    -------
    Dataset along ``baseline``: ``accuracy`` and ``interval`` (baseline, bound; Wilson, 95 %).

    Raises
    ------
    InputError : no task.

    Examples
    --------
    >>> found = ns.networks.classical_baselines(ns.tasks.classification_task(ns.load_digits()[:200]), progress=False)
    >>> found.baseline.values.tolist()
    ['logistic_regression', 'support_vector_machine', 'random_forest']
    """
    check_task("classical_baselines", task)
    seed = as_seed(rng, "classical_baselines")
    train = _flat(task.batches(0, 1024, seed), task, features)
    test = _flat(task.test_batches(1024, seed), task, features)
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


def orientation_histograms(images: np.ndarray, cell: int = 4, n_orientations: int = 9) -> np.ndarray:
    """Return hand-made features of images: histograms of the orientations of their edges, cell by cell.

    The features of https://doi.org/10.1109/CVPR.2005.177, each cell normalised for itself.

    Parameters
    ----------
    images : (batch, [channel,] y, x); channels are averaged. cell : side of a cell, pixels. n_orientations : bins.

    Returns
    -------
    array (batch, feature).
    """
    gray = images.mean(1) if images.ndim == 4 else images
    dy, dx = np.gradient(gray.astype(float), axis=(1, 2))
    strength, angle = np.hypot(dy, dx), np.arctan2(dy, dx) % np.pi
    index = np.minimum((angle / np.pi * n_orientations).astype(int), n_orientations - 1)
    n, y, x = gray.shape
    rows, columns = max(1, y // cell), max(1, x // cell)
    place = (np.arange(y)[:, None] * rows // y) * columns + np.arange(x)[None] * columns // x
    flat = (np.arange(n)[:, None, None] * rows * columns + place) * n_orientations + index
    size = n * rows * columns * n_orientations
    found = np.bincount(flat.ravel(), strength.ravel(), size).reshape(n, rows * columns, n_orientations)
    answer: np.ndarray = (found / (np.linalg.norm(found, axis=2, keepdims=True) + 1e-2)).reshape(n, -1)
    return answer


def _flat(
    batches: Any, task: Task, features: Callable[[np.ndarray], np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = zip(*batches, strict=True)
    joined = np.concatenate([x.sum(1) if task.is_sequence and x.ndim > 2 else x for x in inputs])
    joined = joined if features is None else features(joined)
    return joined.reshape(len(joined), -1), np.concatenate(labels)


def _calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    place = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = [
        abs(right[place == k].mean() - confidence[place == k].mean()) * (place == k).mean() for k in np.unique(place)
    ]
    return float(np.sum(gaps))
