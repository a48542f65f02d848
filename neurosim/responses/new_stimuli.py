"""What can be read out of responses to stimuli that were not trained on: decoding with whole stimuli held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurosim.responses.averages import average_trials, over_time
from neurosim.responses.decoding import Classifier, fit_of
from neurosim.runtime import as_rng
from neurosim.schema import InputError, check_responses, suggest


def decode_new_stimuli(
    responses: xr.DataArray,
    by: str = "category",
    *,
    folds: int = 5,
    groups: str | None = None,
    decoder: str | Classifier = "correlation",
    options: Mapping[str, object] | object | None = None,
    rng: np.random.Generator | int | None = 0,
) -> xr.Dataset:
    """Decode a label of stimuli that were not trained on (https://doi.org/10.1126/science.1117593).

    Needs no trials, so it is for networks that answer once as for recordings. Units are standardised by the training
    stimuli. Every class counts alike, however many stimuli it has, so that chance is one over the classes.

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit); trials are averaged, time is averaged (spike counts: summed).
    by : the label along ``stimulus`` to decode.
    folds : parts of the stimuli, each held out once; every class is spread over them.
    groups : a label along ``stimulus``: stimuli of one group, such as views of one object, are held out together.
    decoder, options : as of :func:`~neurosim.responses.decode`, fitted anew in every fold.
    rng : seed or generator that deals stimuli into folds.

    Returns
    -------
    Dataset: ``accuracy``, the mean over classes of the share that is named rightly; its ``standard_error``, by leaving
    out each stimulus (or group) of the predictions; ``chance``; ``right`` (stimulus), whether each was named rightly.

    Raises
    ------
    InputError : an unknown label, decoder or option, fewer than two classes, or a class that a fold holds whole.

    Examples
    --------
    >>> x = np.repeat(np.eye(3), 4, axis=0)
    >>> r = ns.as_responses(x, coords={"category": ("stimulus", np.repeat(list("abc"), 4))})
    >>> float(ns.responses.decode_new_stimuli(r, folds=4).accuracy)
    1.0
    """
    still = over_time(average_trials(check_responses(responses, "decode_new_stimuli")))
    classes, labels = np.unique(_label(still, by), return_inverse=True)
    levels = np.arange(len(labels)) if groups is None else np.unique(_label(still, groups), return_inverse=True)[1]
    if len(classes) < 2:
        raise InputError(f"decode_new_stimuli: the label {by!r} has one value; there is nothing to decode.")
    fit = fit_of(decoder, options, "decode_new_stimuli")
    parts = _folds(labels, levels, folds, as_rng(rng, "decode_new_stimuli"))
    values = np.asarray(still.transpose("stimulus", "unit").values, dtype=float)
    right = np.zeros(len(labels), dtype=bool)
    for test in parts:
        if len(np.unique(labels[~test])) < len(classes):
            raise InputError(
                f"decode_new_stimuli: {folds} folds of {len(labels)} stimuli ({levels.max() + 1} held out together) "
                f"leave no stimulus of some {by!r} to train on; give fewer classes, or other folds or groups."
            )
        centre, spread = values[~test].mean(0), values[~test].std(0)
        scale = np.where(spread > 0, spread, np.inf)
        predict = fit((values[~test] - centre) / scale, labels[~test])
        right[test] = predict((values[test] - centre) / scale) == labels[test]
    left = np.array([balanced_accuracy(right[levels != g], labels[levels != g]) for g in range(levels.max() + 1)])
    n = len(left)
    return xr.Dataset(
        {
            "accuracy": balanced_accuracy(right, labels),
            "standard_error": float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())),
            "chance": 1 / len(classes),
            "right": ("stimulus", right),
        },
        coords={"stimulus": still["stimulus"].values},
        attrs={"label": by, "folds": folds, "n_units": still.sizes["unit"], "n_held_out": n},
    )


def balanced_accuracy(right: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean, over the classes that are there, of the share that is `right` (stimulus)."""
    return float(np.mean([right[labels == c].mean() for c in np.unique(labels)]))


def _label(responses: xr.DataArray, name: str) -> np.ndarray:
    if name not in responses.coords or responses[name].dims != ("stimulus",):
        known = [str(k) for k, v in responses.coords.items() if v.dims == ("stimulus",)]
        raise InputError(
            f"decode_new_stimuli: no label {name!r} along stimulus. Labels: {', '.join(known)}.{suggest(name, known)}"
        )
    return np.asarray(responses[name].values)


def _folds(labels: np.ndarray, levels: np.ndarray, folds: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return what each fold holds out: groups dealt in turn, class by class, so that every class is spread."""
    n_groups = levels.max() + 1
    if not 2 <= folds <= n_groups:
        raise InputError(f"decode_new_stimuli: {folds} folds of {n_groups} stimuli or groups; give 2 to {n_groups}.")
    first = np.array([labels[levels == g][0] for g in range(n_groups)])
    order = rng.permutation(n_groups)
    order = order[np.argsort(first[order], kind="stable")]
    fold = np.zeros(n_groups, dtype=int)
    fold[order] = np.arange(n_groups) % folds
    return [fold[levels] == f for f in range(folds)]
