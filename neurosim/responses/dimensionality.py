"""How many dimensions responses fill, and how many of them are signal."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.responses.averages import over_time
from neurosim.responses.joint_trials import halves_of_trials
from neurosim.runtime import as_rng
from neurosim.schema import InputError, check_responses


def participation_ratio(responses: xr.DataArray) -> float:
    """Return the effective number of dimensions of responses over stimuli, ``(sum l)^2 / sum l^2`` of the eigenvalues.

    (https://doi.org/10.1016/j.conb.2015.04.003.) With trials the two sums are estimated across trials: noise, which is
    independent from trial to trial, then does not count; a single trial a stimulus counts all of it.

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit); time is summed (counts) or averaged. Of the trials that there are of
        each stimulus, two halves are taken; every unit has a trial in both.

    Raises
    ------
    InputError : fewer than 3 stimuli, a unit that lacks a half, or no signal variance left once noise is taken off.

    Examples
    --------
    >>> round(ns.responses.participation_ratio(ns.as_responses(np.random.default_rng(0).normal(size=(4000, 5)))))
    5
    """
    values = _values(responses, "participation_ratio")
    n_trials = values.shape[1]
    if n_trials == 1:
        centred = values[:, 0] - _complete(values[:, 0], "participation_ratio").mean(0)
        gram = centred @ centred.T
        return float(np.trace(gram) ** 2 / (gram**2).sum())
    centred = values - values.mean(0) if np.isfinite(values).all() else values
    halves = [_complete(h, "participation_ratio") for h in halves_of_trials(centred, np.arange(n_trials))]
    halves = halves if centred is not values else [h - h.mean(0) for h in halves]
    cross = halves[0].T @ halves[1] if values.shape[2] <= len(values) else halves[1] @ halves[0].T
    trace, square = float((halves[0] * halves[1]).sum()), float((cross * cross.T).sum())
    if trace <= 0 or square <= 0:
        raise InputError("participation_ratio: across trials no variance of the signal is left; take more trials.")
    return trace**2 / square


def cross_validated_pca(
    responses: xr.DataArray, *, n: int = 10, rng: np.random.Generator | int | None = 0
) -> xr.Dataset:
    """Return the spectrum of the signal: variance along principal components that two halves of the trials share.

    The components come from one half of the trials; the covariance of both halves along them is free of noise in
    expectation (https://doi.org/10.1038/s41586-019-1346-5).

    Parameters
    ----------
    responses : (stimulus, trial, [time,] unit), 2 trials or more; time is summed (counts) or averaged. Of the trials
        that there are of each stimulus, two halves are taken; every unit has a trial in both.
    n : number of random splits of the trials. rng : seed or generator.

    Returns
    -------
    Dataset along ``component``: ``signal_variance`` with its ``standard_deviation`` over splits, ``total_variance`` of
    a half; in attrs ``signal_share`` and ``exponent``, the slope of the spectrum in double logarithms between
    components 10 and 100 (or as many as stay above 0; NaN where fewer than 5 do).

    Raises
    ------
    InputError : fewer than 2 trials or 3 stimuli, or a unit that lacks a half.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=(200, 1, 2)) @ rng.normal(size=(2, 30))
    >>> noisy = ns.as_responses(signal + rng.normal(size=(200, 6, 30)), dims=("stimulus", "trial", "unit"))
    >>> found = ns.responses.cross_validated_pca(noisy).signal_variance
    >>> bool(found[1] > 20 * abs(found[2]))
    True
    """
    values = _values(responses, "cross_validated_pca")
    if values.shape[1] < 2:
        raise InputError("cross_validated_pca: at least 2 trials asked; without them signal and noise look alike.")
    generator, spectra, totals = as_rng(rng, "cross_validated_pca"), [], []
    for _ in range(n):
        order = generator.permutation(values.shape[1])
        first, second = (_complete(h, "cross_validated_pca") for h in halves_of_trials(values, order))
        first, second = first - first.mean(0), second - second.mean(0)
        axes = np.linalg.svd(first, full_matrices=False)[2]
        spectra.append(((first @ axes.T) * (second @ axes.T)).mean(0))
        totals.append(((first @ axes.T) ** 2).mean(0))
    signal, total = np.mean(spectra, axis=0), np.mean(totals, axis=0)
    rank = 1 + np.arange(len(signal))
    kept = (rank >= min(10, len(rank) // 4)) & (rank <= 100) & (signal > 0)
    slope = float(-np.polyfit(np.log(rank[kept]), np.log(signal[kept]), 1)[0]) if kept.sum() >= 5 else np.nan
    data = {
        "signal_variance": ("component", signal),
        "standard_deviation": ("component", np.std(spectra, axis=0)),
        "total_variance": ("component", total),
    }
    attrs = {"signal_share": float(signal.sum() / total.sum()), "exponent": slope, "splits": n}
    return xr.Dataset(data, coords={"component": rank}, attrs=attrs)


def _complete(means: np.ndarray, who: str) -> np.ndarray:
    """Return mean responses (stimulus, unit), or refuse those that lack some."""
    lacking = int((~np.isfinite(means)).any(0).sum())
    if lacking:
        raise InputError(
            f"{who}: {lacking} units have no trial of some stimulus in a half of the trials; leave out those units or "
            "stimuli."
        )
    return means


def _values(responses: xr.DataArray, who: str) -> np.ndarray:
    """Values (stimulus, trial, unit)."""
    still = over_time(check_responses(responses, who, missing=True))
    still = still if "trial" in still.dims else still.expand_dims("trial")
    values = np.asarray(still.transpose("stimulus", "trial", "unit").values, dtype=float)
    if len(values) < 3 or not (np.nanmax(values, axis=0) > np.nanmin(values, axis=0)).any():
        raise InputError(f"{who}: at least 3 stimuli that are answered differently asked, found {len(values)}.")
    return values
