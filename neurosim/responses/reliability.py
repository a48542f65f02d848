"""How reliable responses are: the same stimuli, other trials."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.runtime import as_rng
from neurosim.schema import InputError, check_responses


def split_half_reliability(
    responses: xr.DataArray, *, n: int = 50, rng: np.random.Generator | int | None = 0
) -> xr.DataArray:
    """Correlate the mean of one half of the trials with the other, per unit, Spearman-Brown corrected.

    (https://doi.org/10.1111/j.2044-8295.1910.tb00206.x)

    Parameters
    ----------
    responses : (stimulus, trial, unit), two trials or more.
    n : number of random splits.
    rng : seed or generator.

    Returns
    -------
    reliability (unit); 0 for a unit that does not vary.

    Raises
    ------
    InputError : fewer than two trials, or a ``time`` dim.

    Examples
    --------
    >>> from neurosim.schema import as_responses
    >>> signal = np.arange(5.0)[:, None, None] * np.ones((5, 4, 2))
    >>> split_half_reliability(as_responses(signal, dims=("stimulus", "trial", "unit"))).values.tolist()
    [1.0, 1.0]
    """
    responses = check_responses(responses, "split_half_reliability")
    n_trials = responses.sizes.get("trial", 1)
    if n_trials < 2 or "time" in responses.dims:
        raise InputError("split_half_reliability: needs dims (stimulus, trial, unit) and at least 2 trials.")
    values, generator = responses.values, as_rng(rng)
    total = np.zeros(responses.sizes["unit"])
    for _ in range(n):
        order = generator.permutation(n_trials)
        a, b = (values[:, part].mean(1) for part in (order[: n_trials // 2], order[n_trials // 2 :]))
        a, b = a - a.mean(0), b - b.mean(0)
        norm = np.sqrt((a**2).sum(0) * (b**2).sum(0))
        total += np.divide((a * b).sum(0), norm, out=np.zeros_like(norm), where=norm > 0)
    half = total / n
    return xr.DataArray(np.round(2 * half / (1 + half), 12), dims="unit", coords={"unit_reliability_splits": n})
