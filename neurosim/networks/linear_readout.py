"""A linear readout learned at once: ridge regression on what reaches the last layer, its penalty cross-validated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks.asked import Task
from neurosim.networks.distributed import Share
from neurosim.networks.door import Data, as_task
from neurosim.networks.evaluation import evaluate
from neurosim.networks.feeding import Feeder, Part, first_batch
from neurosim.networks.flags import check_module
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.untouched import evaluating
from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError

AT_ONCE = 256  # stimuli
PENALTIES = tuple(float(p) for p in 10.0 ** np.arange(-6, 5))


def fit_readout(
    network: nn.Module,
    task: Task | Data | Iterable[Any],
    *,
    penalties: Sequence[float] = PENALTIES,
    folds: int = 5,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
) -> xr.Dataset:
    """Fit the last linear layer of `network`, in place, to the labels of `task` by ridge regression.

    All else stays as it is: the liquid of a liquid state machine, an encoder that learned without labels (linear
    evaluation). Labels are 1 for the right category and 0 for the others. The penalty with the best accuracy over
    `folds` of the training set is taken, of equals the largest; the test set is looked at once, at the end.

    Parameters
    ----------
    network : whose last ``nn.Linear``, in the order of definition, gives its logits.
    task : with labels; its training set is shown once, augmented as in the first epoch.
    penalties : of which one is chosen, in units of the mean variance of what the layer gets, times stimuli.
    folds : of the training set, each with all categories in their shares. rng : seed of folds and of what the task
        draws, or a generator. device : "auto", "cpu" or "cuda".

    Returns
    -------
    Dataset: ``accuracy`` (penalty, fold), the ``chosen`` penalty, ``test_accuracy`` with its ``interval`` (bound).

    Raises
    ------
    InputError : no linear layer that is called once with one row a stimulus, probabilities for labels, penalties or
        folds that cannot be.

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
    >>> found = ns.networks.fit_readout(network, ns.tasks.classification_task(ns.load_digits()))
    >>> bool(found.test_accuracy > 0.9)
    True
    """
    check_module("fit_readout", network)
    seed = as_seed(rng, "fit_readout")
    task = as_task(task, network, AT_ONCE, "fit_readout", "train")
    if first_batch(task, "test", 1, seed) is None:
        raise InputError("fit_readout: a test set is asked beside that of training; pass networks.Data(train=, test=).")
    if not isinstance(penalties, Sequence) or not penalties or not all(0 < p < np.inf for p in penalties):
        raise InputError(f"fit_readout: penalties = {penalties!r}; positive numbers are asked.")
    heads = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not heads:
        raise InputError("fit_readout: a network with a linear layer is asked, found none.")
    given, labels = _given(network, heads[-1], task, device, seed)
    n = len(task.categories)
    fold = _folds(labels, folds, seed)
    accuracy = np.array([_accuracies(given, labels, n, fold == k, penalties) for k in range(folds)]).T
    mean = accuracy.mean(1)
    chosen = max(p for p, found in zip(penalties, mean, strict=True) if found == mean.max())
    _put(heads[-1], *_ridge(given, np.eye(n)[labels], [chosen])[0])
    tested = evaluate(network, task, rng=seed, device=device)
    return xr.Dataset(
        {
            "accuracy": (("penalty", "fold"), accuracy),
            "chosen": chosen,
            "test_accuracy": tested.accuracy,
            "interval": tested.interval,
        },
        coords={"penalty": list(penalties)},
        attrs={"n_train": len(labels), "n_test": tested.attrs["n_test"]},
    )


def _given(
    network: nn.Module, head: nn.Module, task: Task, device: str, seed: int, part: Part = "train"
) -> tuple[np.ndarray, np.ndarray]:
    """Return what reaches a layer (stimulus, unit), in float64, and the labels."""
    rows: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with evaluating(network, device, False) as where, torch.no_grad(), _hearing(head) as heard:
        for portion in Feeder(task, AT_ONCE, seed, Share(device=where)).batches(part):
            reset_neurons(network)
            heard.clear()
            network(portion.inputs)
            if len(heard) != 1 or heard[0].ndim != 2 or len(heard[0]) != len(portion.targets[0]):
                shapes = [tuple(h.shape) for h in heard]
                raise InputError(
                    f"fit_readout: the last linear layer, called once with (batch, unit), is asked; found {shapes}."
                )
            rows.append(heard[0].double().cpu().numpy())
            labels.append(portion.targets[0].cpu().numpy())
    every = np.concatenate(labels)
    if every.ndim != 1 or every.dtype.kind not in "iu":
        raise InputError(f"fit_readout: one whole label a stimulus is asked, found {every.dtype} of {every.shape}.")
    return np.concatenate(rows), every


@contextlib.contextmanager
def _hearing(module: nn.Module) -> Iterator[list[Tensor]]:
    heard: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _module, given: heard.append(given[0].detach()))
    try:
        yield heard
    finally:
        handle.remove()


def _folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each stimulus; each category is dealt out over all of them."""
    least = int(np.unique(labels, return_counts=True)[1].min())
    if isinstance(folds, bool) or not isinstance(folds, int) or not 2 <= folds <= least:
        raise InputError(
            f"fit_readout: folds = {folds!r}; from 2 up to {least}, the stimuli of the rarest category, are asked."
        )
    rng, found = stream(seed, "folds"), np.empty(len(labels), dtype=int)
    for category in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == category))
        found[members] = np.arange(len(members)) % folds
    return found


def _accuracies(
    given: np.ndarray, labels: np.ndarray, n: int, held: np.ndarray, penalties: Sequence[float]
) -> list[float]:
    fits = _ridge(given[~held], np.eye(n)[labels[~held]], penalties)
    return [float(((given[held] @ weight.T + bias).argmax(1) == labels[held]).mean()) for weight, bias in fits]


def _ridge(x: np.ndarray, y: np.ndarray, penalties: Sequence[float]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weights (output, unit) and bias (output,) for each penalty; the bias is not penalised."""
    x_mean, y_mean = x.mean(0), y.mean(0)
    u, s, vt = np.linalg.svd(x - x_mean, full_matrices=False)
    scale = max(float((s**2).sum()) / x.shape[1], np.finfo(float).tiny)
    found = []
    for penalty in penalties:
        weight = (vt.T * (s / (s**2 + penalty * scale)) @ (u.T @ (y - y_mean))).T
        found.append((weight, y_mean - weight @ x_mean))
    return found


def _put(layer: nn.Linear, weight: np.ndarray, bias: np.ndarray) -> None:
    if layer.bias is None or layer.weight.shape != weight.shape:
        raise InputError(
            f"fit_readout: a last layer with a bias and {weight.shape[0]} outputs is asked, found {layer}; "
            "replace_head gives one."
        )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
