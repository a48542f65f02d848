"""Areas against areas: whose geometry is whose, beyond the noise that they share, and which of two comes first."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import xarray as xr
from scipy import stats

from neurosim.labels import check_step
from neurosim.runtime import as_rng
from neurosim.schema import InputError, check_rdm, check_responses, same_stimuli
from neurosim.similarity.comparison import rdm_vectors
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.kernels.comparisons import cross_scores
from neurosim.similarity.kernels.left_out_stimuli import left_out_products
from neurosim.similarity.lost_units import over_units
from neurosim.similarity.method import METHODS, Method
from neurosim.similarity.metrics.crossnobis import crossnobis
from neurosim.similarity.parts import UndefinedError, units_of_parts
from neurosim.similarity.zero import why_zero_means_nothing

FEWEST_STIMULI = 5


def representational_connectivity(
    responses: xr.DataArray,
    *,
    by: str = "area",
    n_splits: int = 20,
    alpha: float = 0.05,
    rng: np.random.Generator | int | None = 0,
) -> xr.Dataset:
    """Correlate the geometries of areas that were recorded together (https://doi.org/10.3389/neuro.06.004.2008).

    The RDM of one area is of other trials than that of the other, so noise that areas share counts for nothing: the
    covariance of cross-validated distances of one half of the trials with those of the other half, over the root of
    that of each area with itself, is the correlation of the noiseless RDMs. Sums over splits are divided once.
    Calibrated in 1,000 simulated experiments: null mean -0.01, recovery 0.99, error ratio 1.13, coverage 96.4 %, false
    positives 3.8 %.
    No p of exchanged stimuli is given: to exchange those of one area also parts the noise that areas share. Where their
    RDMs are of different trials, :func:`mantel_test` gives it.

    Parameters
    ----------
    responses : (stimulus, trial, unit), 4 trials or more. Trials that were not measured (NaN) do not enter; where units
        lack other trials than other units, distances are means over the units that know both stimuli. A split of the
        trials in which a stimulus has fewer than 2 trials in a half is not used.
    by : the label along ``unit`` that names areas.
    n_splits : halves of the trials that are drawn; all of them where there are no more.
    alpha : one minus the coverage of intervals.
    rng : seed or generator of the splits.

    Returns
    -------
    Dataset (`by`, and the same with ``_other``): ``score``, 1 for the same geometry, which noise can push beyond 1;
    ``standard_error``, by leaving out each stimulus once; ``interval`` (bound) and ``p`` (above 0, one-sided) of a t
    distribution. All are NaN where an area's geometry cannot be told from noise: its ``reliability``, the correlation
    of its distances between halves, is not positive. Attr ``n_splits``: those used.

    Raises
    ------
    InputError : no such label, one area, fewer than 5 stimuli or 4 trials, other dims, or trials that cannot be split.

    Examples
    --------
    >>> x = np.repeat(np.random.default_rng(0).normal(size=(12, 1, 3)), 6, axis=1)
    >>> both = np.concatenate([x, 2 * x[..., ::-1]], axis=-1)
    >>> areas = ns.as_responses(both, dims=("stimulus", "trial", "unit"), coords={"area": ("unit", list("aaabbb"))})
    >>> round(float(ns.similarity.representational_connectivity(areas).score[0, 1]), 6)
    1.0
    """
    who = "representational_connectivity"
    responses = check_responses(responses, who, missing=True)
    if set(responses.dims) != {"stimulus", "trial", "unit"}:
        raise InputError(
            f"{who}: responses (stimulus, trial, unit) asked, found {tuple(responses.dims)}; select one of the others."
        )
    responses = responses.isel(trial=responses.notnull().any(["stimulus", "unit"]).values)
    n_trials, n = responses.sizes["trial"], responses.sizes["stimulus"]
    if n_trials < 4 or n < FEWEST_STIMULI or not _is_positive(n_splits) or not 0 < alpha < 1:
        raise InputError(
            f"{who}: 4 trials of {FEWEST_STIMULI} stimuli, n_splits of 1 or more, alpha between 0 and 1 asked; found "
            f"{n_trials} trials, {n} stimuli, n_splits={n_splits}, alpha={alpha}."
        )
    parts, dim = units_of_parts(responses, by)
    if len(parts) < 2:
        raise InputError(f"{who}: {by!r} names one area, {dim.values[0]!s}; two are compared.")
    ordered = np.asarray(responses.transpose("trial", "stimulus", "unit").values, dtype=float)
    areas = [ordered[..., units] for units in parts]
    halves = _halves_of_distances(areas, _splits(n_trials, n_splits, as_rng(rng, who)), n_splits, who)
    shared = _shared(halves, n)
    own = np.diagonal(shared, axis1=1, axis2=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = shared / np.sqrt(own[:, :, None] * own[:, None, :])
        reliability = own[0] / halves.var(-1).mean((0, 2))
    known: np.ndarray = np.all(own > 0, axis=0)
    scores = np.where(known[:, None] & known[None, :], scores, np.nan)
    error = _jackknife_error(scores[1:])
    names, dims = dim.values, (by, f"{by}_other")
    apart = ~np.eye(len(names), dtype=bool)
    error = np.where(apart, error, np.nan)
    return xr.Dataset(
        {
            "score": (dims, scores[0]),
            "standard_error": (dims, error),
            "interval": ((*dims, "bound"), _interval(scores[0], error, n, alpha)),
            "p": (dims, stats.t.sf(scores[0] / error, n - 1)),
            "reliability": (by, reliability),
        },
        coords={by: names, dims[1]: names, "bound": ["low", "high"]},
        attrs={"metric": "crossnobis", "method": "corr", "n_splits": len(halves)},
    )


def lagged_scores(
    a: xr.DataArray, b: xr.DataArray, method: str = "corr", *, max_lag: float, alpha: float = 0.05
) -> xr.Dataset:
    """Compare RDMs of one area with those of another at a later time, by lag (https://doi.org/10.1016/j.neuroimage.2016.01.006).

    The score of a lag is the mean over all times of `a` whose time plus the lag is one of `b`;
    :func:`compare_rdms` gives every time with every other. Its errors are a seventh too large on
    average. Calibrated in 1,000 simulated experiments: null mean -0.04, recovery 1.00, error ratio 1.15, coverage
    97.8 %.

    Parameters
    ----------
    a, b : RDMs (time, stimulus, stimulus_other) of the same stimuli and time step. Where both were recorded at once,
        make them of different trials (such as odd and even): noise that areas share is else taken for geometry.
    method : a name in ``METHODS``.
    max_lag : longest lag, in s.
    alpha : one minus the coverage of intervals.

    Returns
    -------
    Dataset along ``lag``, in s, positive where `b` comes after `a`: ``score``, ``standard_error`` by leaving out each
    stimulus once, ``interval`` (bound) of a t distribution, and ``n_times``, how many pairs of times a score is of.
    The attr ``zero`` says of which methods unrelated areas score above 0.

    Raises
    ------
    InputError : RDMs without time, other time steps or stimuli, fewer than 5 stimuli, an RDM that does not vary, or no
        times at these lags.

    Examples
    --------
    >>> x = ns.as_responses(np.random.default_rng(0).normal(size=(8, 20, 5)), time_step=0.01)
    >>> first = ns.compute_rdm(x, "euclidean")
    >>> later = first.assign_coords(time=first.time + 0.02)
    >>> found = ns.similarity.lagged_scores(first, later, max_lag=0.04)
    >>> round(float(found.score.idxmax()), 3)
    0.02
    """
    who = "lagged_scores"
    asked = METHODS.find(method, who)
    a, b = (check_rdm(rdm, who) for rdm in (a, b))
    b = same_stimuli(a, b, who)
    for rdm in (a, b):
        if rdm.dims[:-2] != ("time",) or "time" not in rdm.coords:
            raise InputError(f"{who}: RDMs (time, stimulus, stimulus_other) with times in s asked, found {rdm.dims}.")
        rdm_vectors(rdm, asked, who)
    n = a.sizes["stimulus"]
    if n < FEWEST_STIMULI or not 0 < alpha < 1:
        raise InputError(f"{who}: {FEWEST_STIMULI} stimuli and alpha between 0 and 1 asked, found {n} and {alpha}.")
    lags, at = _lags(a, b, max_lag, who)
    each = np.stack([_means_by_lag(a.values, b.values, np.delete(np.arange(n), k), at, asked) for k in range(n)])
    score, error = _means_by_lag(a.values, b.values, np.arange(n), at, asked), _jackknife_error(each)
    zero = why_zero_means_nothing(asked)
    return xr.Dataset(
        {
            "score": ("lag", score),
            "standard_error": ("lag", error),
            "interval": (("lag", "bound"), _interval(score, error, n, alpha)),
            "n_times": ("lag", [len(first) for first, _ in at]),
        },
        coords={"lag": lags, "bound": ["low", "high"]},
        attrs={"method": asked.name} | ({} if zero is None else {"zero": zero}),
    )


def _is_positive(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and bool(number > 0)


def _splits(n_trials: int, n_splits: int, rng: np.random.Generator) -> list[np.ndarray]:
    """First halves of the trials: every one if there are no more than asked, else ten times as many as asked."""
    half = n_trials // 2
    alike = n_trials % 2 == 0
    if comb(n_trials, half) // (1 + alike) > n_splits:
        return [rng.permutation(n_trials)[:half] for _ in range(10 * n_splits)]
    every = [np.array(chosen) for chosen in combinations(range(n_trials), half)]
    return every[: len(every) // 2] if alike else every


def _halves_of_distances(areas: list[np.ndarray], splits: list[np.ndarray], n_splits: int, who: str) -> np.ndarray:
    """Cross-validated distances (split, area, half, P) of areas (T, K, P), of up to `n_splits` splits."""
    found, fault = [], None
    for first in splits:
        second = np.setdiff1d(np.arange(len(areas[0])), first)
        try:
            found.append([[upper(_distances(area[half])) for half in (first, second)] for area in areas])
        except UndefinedError as error:
            fault = error
        if len(found) == n_splits:
            break
    if not found:
        raise InputError(f"{who}: no split of the trials leaves 2 trials of every stimulus in both halves; {fault}")
    return np.array(found)


def _distances(trials: np.ndarray) -> np.ndarray:
    """Cross-validated distances (K, K) of trials (T, K, P), NaN where they were not measured."""
    known = np.isfinite(trials)
    if known.all():
        return np.asarray(crossnobis(trials))

    def kernel(units: np.ndarray, stimuli: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(crossnobis(values[:, stimuli][..., units], mask))

    values = np.where(known, trials, 0.0)
    return over_units(known, kernel, 2, ())


def _shared(halves: np.ndarray, n: int) -> np.ndarray:
    """Covariances (1 + K, A, A) of areas' distances in different halves: of all `n` stimuli, then without each."""
    n_splits, n_areas, n_halves, n_entries = halves.shape
    index = np.arange(halves[..., 0].size).reshape(n_splits, n_areas, n_halves)
    shape = (n_splits, n_halves, n_areas, n_areas)
    i = np.broadcast_to(index.transpose(0, 2, 1)[..., :, None], shape).ravel()
    j = np.broadcast_to(index[..., ::-1].transpose(0, 2, 1)[..., None, :], shape).ravel()
    counts = np.vstack([np.ones(n), 1.0 - np.eye(n)])
    products, sums, number = left_out_products(halves.reshape(-1, n_entries), counts, (i, j))
    shared = products / number[:, None] - sums[:, i] * sums[:, j] / number[:, None] ** 2
    found: np.ndarray = shared.reshape(-1, n_splits * n_halves, n_areas, n_areas).mean(1)
    both: np.ndarray = (found + found.swapaxes(1, 2)) / 2
    return both


def _jackknife_error(left_out: np.ndarray) -> np.ndarray:
    """Return standard errors of scores, from those (K, ...) without each stimulus."""
    n = len(left_out)
    found: np.ndarray = np.sqrt((n - 1) / n * ((left_out - left_out.mean(0)) ** 2).sum(0))
    return found


def _interval(score: np.ndarray, error: np.ndarray, n: int, alpha: float) -> np.ndarray:
    reach = float(stats.t.ppf(1 - alpha / 2, n - 1)) * error
    return np.stack([score - reach, score + reach], axis=-1)


def _lags(
    a: xr.DataArray, b: xr.DataArray, max_lag: float, who: str
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Lags in s, and the places of the times of `a` and of `b` that are so far apart."""
    first, second = (np.asarray(rdm["time"].values, dtype=float) for rdm in (a, b))
    if len(first) < 2:
        raise InputError(f"{who}: 2 times or more asked, found {len(first)}.")
    step = float(first[1] - first[0])
    for clock in (first, second):
        check_step(clock, step, who)
    offset = (second[0] - first[0]) / step
    if abs(offset - round(offset)) > 1e-3:
        raise InputError(f"{who}: the times of one side lie between those of the other; bin both alike.")
    reach = int(np.floor(max_lag / step + 1e-6)) if np.isfinite(max_lag) and max_lag >= 0 else -1
    steps, at, place = [], [], np.arange(len(first))
    for lag in range(-reach, reach + 1):
        other = place + lag - round(offset)
        there = (other >= 0) & (other < len(second))
        if there.any():
            steps.append(lag)
            at.append((place[there], other[there]))
    if not at:
        raise InputError(f"{who}: no two times are within max_lag = {max_lag} s.")
    return np.array(steps) * step, at


def _means_by_lag(
    a: np.ndarray, b: np.ndarray, kept: np.ndarray, at: list[tuple[np.ndarray, np.ndarray]], method: Method
) -> np.ndarray:
    every = cross_scores(a[:, kept[:, None], kept], b[:, kept[:, None], kept], method)
    return np.array([every[pair].mean() for pair in at])
