"""How well two sets of spike trains coincide, spike by spike."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.schema import InputError, check_responses, same_stimuli


def spike_time_f1(expected: xr.DataArray, found: xr.DataArray, *, tolerance: float = 2e-3) -> xr.DataArray:
    """Return how many spikes have a partner in the other trains, as the F1 score of every stimulus and unit.

    Spikes are paired one to one, at most `tolerance` apart, as many as can be:
    ``2 pairs / (spikes in one + spikes in the other)``. With equal rates it is the share of spikes that coincide, as
    in https://doi.org/10.1007/s00422-008-0261-x, without the correction for chance.

    Parameters
    ----------
    expected, found : spike counts (stimulus, time, unit) with the same units and time step.
    tolerance : largest distance of two spikes, s.

    Returns
    -------
    (stimulus, unit); 1 where both are silent.

    Raises
    ------
    InputError : no spike counts over time, other shapes or time steps.

    Examples
    --------
    >>> from neurosim.schema import as_responses
    >>> trains = ([1, 0, 0, 1], [0, 1, 0, 0])
    >>> a, b = (as_responses([[[s] for s in t]], quantity="spike_count", time_step=1e-3) for t in trains)
    >>> spike_time_f1(a, b, tolerance=1e-3).item()
    0.6666666666666666
    """
    expected, found = (check_responses(r, "spike_time_f1") for r in (expected, found))
    found = same_stimuli(expected, found, "spike_time_f1")
    if "time" not in expected.dims or expected.shape != found.shape or "trial" in expected.dims:
        raise InputError(
            f"spike_time_f1: counts (stimulus, time, unit) of one shape asked, found {expected.shape}, {found.shape}."
        )
    step = float(expected.attrs.get("time_step", 0.0))
    if not step or not np.isclose(step, found.attrs.get("time_step", 0.0)):
        raise InputError("spike_time_f1: both need the same time_step in attrs.")
    pairs = count_pairs(expected.values, found.values, round(tolerance / step))
    total = expected.values.sum(1) + found.values.sum(1)
    score = np.where(total > 0, 2 * pairs / np.maximum(total, 1), 1.0)
    coords = {k: v for k, v in expected.coords.items() if "time" not in v.dims}
    return xr.DataArray(
        score, dims=("stimulus", "unit"), coords=coords, attrs={"quantity": "F1", "tolerance": tolerance}
    )


def count_pairs(a: np.ndarray, b: np.ndarray, reach: int) -> np.ndarray:
    """Return the largest number of pairs of spikes at most `reach` bins apart, (stimulus, unit).

    Going through time, each spike takes the earliest partner that is left: for windows of one width this is optimal.
    """
    left, free = a.astype(np.int64), b.astype(np.int64)
    pairs = np.zeros((a.shape[0], a.shape[2]), dtype=np.int64)
    for now in range(a.shape[1]):
        need = left[:, now].copy()
        for other in range(max(0, now - reach), min(b.shape[1], now + reach + 1)):
            taken = np.minimum(need, free[:, other])
            free[:, other] -= taken
            need -= taken
            pairs += taken
    return pairs
