"""How well the states of a population tell inputs apart, and how many of them: what makes a liquid a good one."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.labels import label_along
from neurosim.responses.averages import over_time
from neurosim.schema import InputError, check_responses


def separation(responses: xr.DataArray, label: str = "category") -> xr.Dataset:
    """Return how far apart the states of a population are for different inputs, and how many dimensions they span.

    Parameters
    ----------
    responses : (stimulus, [time,] unit); time is summed (counts) or averaged.
    label : coordinate that says which stimuli are of one class; each has two stimuli or more.

    Returns
    -------
    Dataset: ``between``, the mean distance of the means of two classes (of each with itself too); ``within``, the mean
    over classes of the mean distance from the mean; ``separation`` = between / (within + 1)
    (https://doi.org/10.1016/j.neucom.2010.08.005); ``kernel_rank``, the rank of the matrix of states
    (https://doi.org/10.1016/j.neunet.2007.04.017): of different inputs, the more the better told apart by a linear
    readout; ``generalisation_rank``, the mean over classes of the rank of the states of one class less their mean: of
    noisy versions of an input, the fewer the better.

    Raises
    ------
    InputError : trials, values that are missing, no such label, fewer than two classes, a class of a single stimulus.

    Examples
    --------
    >>> states = ns.as_responses([[0.0, 0], [2, 0], [10, 0], [12, 0]])
    >>> found = ns.responses.separation(states.assign_coords(category=("stimulus", list("aabb"))))
    >>> found.between.item(), found.within.item(), found.separation.item(), found.kernel_rank.item()
    (5.0, 1.0, 2.5, 1)
    """
    responses = check_responses(responses, "separation")
    if "trial" in responses.dims:
        raise InputError("separation: responses (stimulus, [time,] unit) are asked, found trials; take average_trials.")
    states = over_time(responses).transpose("stimulus", "unit")
    names = label_along(states, label, "separation")
    classes = [states.values[names == name].astype(float) for name in np.unique(names)]
    if len(classes) < 2 or min(len(c) for c in classes) < 2:
        raise InputError("separation: two classes or more are asked, each of two stimuli or more.")
    means = np.stack([c.mean(0) for c in classes])
    between = float(np.linalg.norm(means[:, None] - means[None], axis=2).mean())
    within = float(np.mean([np.linalg.norm(c - c.mean(0), axis=1).mean() for c in classes]))
    return xr.Dataset(
        {
            "separation": between / (within + 1),
            "between": between,
            "within": within,
            "kernel_rank": int(np.linalg.matrix_rank(states.values)),
            "generalisation_rank": float(np.mean([np.linalg.matrix_rank(c - c.mean(0)) for c in classes])),
        }
    )
