"""What a unit answers to: tuning curves, their fits, selectivity and sparseness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import stats
from scipy.optimize import curve_fit

from neurosim.registry import options_of
from neurosim.responses.averages import average_trials, over_time
from neurosim.responses.curves import CURVES, Bounds, Curve
from neurosim.responses.reliability import f_test
from neurosim.schema import InputError, check_measured, check_missing, check_responses, suggest


def tuning_curve(responses: xr.DataArray, by: str, *, alpha: float = 0.05) -> xr.Dataset:
    """Return the mean response of every unit to every value of a stimulus label, with its interval.

    Calibrated in 20,000 simulated experiments: null mean 0.00, recovery 1.00, error ratio 1.00, coverage 94.7 %,
    false positives 5.1 %.

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit); time is summed (counts) or averaged. Trials that were not measured do
        not count; a value that a unit has no trial of is NaN.
    by : numeric label along ``stimulus``, such as "orientation_deg", "x" or "current".
    alpha : one minus the coverage of the interval.

    Returns
    -------
    Dataset along ``by`` and ``unit``: ``response``, ``standard_error``, ``interval`` (..., bound), from a t
    distribution over the trials and stimuli of a value, and their number ``n``; NaN errors where a value has a single
    presentation. Along ``unit``: ``p``, how often values would differ as much in a unit that is not tuned (F test; NaN
    where all have a single presentation).

    Raises
    ------
    InputError : no such label along ``stimulus``, or one that is not numeric.

    Examples
    --------
    >>> r = ns.as_responses([[1.0], [3.0], [5.0], [5.0]], coords={"x": ("stimulus", [0.0, 0.0, 1.0, 1.0])})
    >>> ns.responses.tuning_curve(r, "x").response.values.ravel().tolist()
    [2.0, 5.0]
    """
    responses = over_time(check_responses(responses, "tuning_curve", missing=True))
    x = _label(responses, by, "tuning_curve")
    values = (responses if "trial" in responses.dims else responses.expand_dims("trial")).transpose(
        "stimulus", "trial", "unit"
    )
    levels = np.unique(x)
    groups = [values.values[x == level].reshape(-1, values.sizes["unit"]) for level in levels]
    moments = [_moments(np.asarray(group, dtype=float)) for group in groups]
    counts, mean, spread = (np.stack(part) for part in zip(*moments, strict=True))
    error = spread / np.sqrt(np.maximum(counts, 1))
    reach = stats.t.ppf(1 - alpha / 2, np.maximum(counts - 1, 1)) * error
    dims = (by, "unit")
    coords = {by: levels, "bound": ["low", "high"]} | {k: v for k, v in responses.coords.items() if v.dims == ("unit",)}
    data = {"response": (dims, mean), "standard_error": (dims, error), "n": (dims, counts)}
    interval = ((*dims, "bound"), np.stack([mean - reach, mean + reach], axis=-1))
    longest = max(len(group) for group in groups)
    widths = [((0, longest - len(group)), (0, 0)) for group in groups]
    padded = [np.pad(g.astype(float), w, constant_values=np.nan) for g, w in zip(groups, widths, strict=True)]
    p = ("unit", np.where((counts > 1).any(0), f_test(np.stack(padded)), np.nan))
    return xr.Dataset({**data, "interval": interval, "p": p}, coords=coords).assign_attrs(
        label=by, quantity=responses.attrs.get("quantity", ""), units=responses.attrs.get("units", "")
    )


def fit_tuning(
    curve: xr.Dataset, shape: str, *, options: Mapping[str, object] | object | None = None, alpha: float = 0.05
) -> xr.Dataset:
    """Fit a curve to the tuning of every unit by least squares.

    * "von_mises": ``baseline + amplitude exp(concentration (cos(2 pi (x - preferred) / period) - 1))`` (orientation).
    * "gaussian": ``baseline + amplitude exp(-(x - preferred)^2 / (2 width^2))`` (place, frequency).
    * "threshold_linear": ``gain [x - threshold]_+`` (current to rate: an f-I curve).
    * "saturating": ``amplitude [x]_+^exponent / ([x]_+^exponent + half^exponent) + baseline`` (contrast;
      https://doi.org/10.1152/jn.1982.48.1.217).

    A curve of one's own is a record of ``neurosim.responses.curves``.

    Parameters
    ----------
    curve : from :func:`tuning_curve`. shape : one of these.
    options : of the shape, such as ``{"period": 360}`` of "von_mises", in the units of the label: 180 for orientation
        (the default), 360 for direction, both in degrees.
    alpha : level at which a unit must be tuned (``p`` of the curve) to be fitted; 1 fits all that vary.

    Returns
    -------
    Dataset along ``unit``: one variable a parameter, its ``<name>_error``, ``explained`` (share of the variance of the
    curve), ``fitted`` (label, unit) and ``outcome``: "fitted", or why all are NaN and ``explained`` is 0: "silent" (the
    curve does not vary), "not tuned" (p above `alpha`), "too few values" or "no fit". Errors are those of the curve,
    whatever their sizes, carried through the fit (https://doi.org/10.2307/1912934); of a curve without errors, those of
    its distance from the fit.
    Calibrated in 1,000 simulated experiments: recovery 1.00, error ratio 0.98, coverage 94.0 %.

    Raises
    ------
    InputError : unknown shape or option, fewer values than parameters, or no tuning curve.

    Examples
    --------
    >>> x = np.arange(0, 180, 15.0)
    >>> r = 2 + 5 * np.exp(1.5 * (np.cos(2 * np.pi * (x - 50) / 180) - 1))
    >>> cell = ns.as_responses(r[:, None], coords={"orientation_deg": ("stimulus", x)})
    >>> curve = ns.responses.tuning_curve(cell, "orientation_deg")
    >>> round(float(ns.responses.fit_tuning(curve, "von_mises").preferred[0]), 3)
    50.0
    """
    chosen = CURVES.find(shape, "fit_tuning")
    wanted: Any = options_of(chosen.options, options, "fit_tuning")
    by = _label_of(curve, "fit_tuning")
    x = curve[by].values.astype(float)
    if len(x) <= len(chosen.parameters):
        raise InputError(
            f"fit_tuning: {shape} has {len(chosen.parameters)} parameters; {len(x)} values of {by} are too few."
        )
    observed = curve["response"].transpose("unit", by).values.astype(float)
    spread = curve["standard_error"].transpose("unit", by).values if "standard_error" in curve else observed * np.nan
    p = curve["p"].values if "p" in curve else np.full(len(observed), np.nan)
    outcome = [_reason(y, q, len(chosen.parameters), alpha) for y, q in zip(observed, p, strict=True)]
    fits = [
        _fit(chosen, x, y, e, wanted) if why == "fitted" else _no_fit(chosen, x)
        for y, e, why in zip(observed, spread, outcome, strict=True)
    ]
    found, errors, fitted = (np.array([f[k] for f in fits]) for k in range(3))
    outcome = [
        "no fit" if why == "fitted" and np.isnan(f).all() else why for why, f in zip(outcome, fitted, strict=True)
    ]
    total = np.nanvar(observed, axis=1)
    missed = np.where(np.isnan(fitted).all(1), total, np.nanmean((observed - fitted) ** 2, axis=1))
    explained = np.where(total > 0, 1 - missed / np.where(total > 0, total, 1), 0.0)
    data = {n: ("unit", found[:, k]) for k, n in enumerate(chosen.parameters)}
    data |= {f"{n}_error": ("unit", errors[:, k]) for k, n in enumerate(chosen.parameters)}
    coords = {k: v for k, v in curve.coords.items() if v.dims in (("unit",), (by,))}
    return xr.Dataset(
        {**data, "explained": ("unit", explained), "fitted": (("unit", by), fitted), "outcome": ("unit", outcome)},
        coords,
        {"shape": shape, "alpha": alpha},
    )


def orientation_selectivity(curve: xr.Dataset) -> xr.Dataset:
    """Return how selective units are for orientation and direction, as one minus circular variance.

    (https://doi.org/10.1523/JNEUROSCI.22-13-05639.2002)

    Parameters
    ----------
    curve : from :func:`tuning_curve`, by a label in degrees that covers 180 or 360 degrees evenly.

    Returns
    -------
    Dataset along ``unit``: ``orientation_selectivity`` and, over 360 degrees, ``direction_selectivity``, 0 to 1; 0 for
    a unit that is silent, NaN for one that has no answer to some of the values.

    Raises
    ------
    InputError : negative responses, degrees that are not even, or no tuning curve.

    Examples
    --------
    >>> r = ns.as_responses(np.eye(4)[:, :1], coords={"orientation_deg": ("stimulus", [0.0, 45.0, 90.0, 135.0])})
    >>> curve = ns.responses.tuning_curve(r, "orientation_deg")
    >>> float(ns.responses.orientation_selectivity(curve).orientation_selectivity[0])
    1.0
    """
    by = _label_of(curve, "orientation_selectivity")
    degrees, values = curve[by].values.astype(float), curve["response"].transpose(by, "unit").values
    gaps = np.diff(degrees)
    whole = len(degrees) * gaps[0] if len(gaps) else 0.0
    if not len(gaps) or not np.allclose(gaps, gaps[0]) or not (np.isclose(whole, 180) or np.isclose(whole, 360)):
        raise InputError(f"orientation_selectivity: {by} in even steps over 180 or 360 degrees asked, found {degrees}.")
    if np.nanmin(values) < 0:
        raise InputError("orientation_selectivity: responses below 0; subtract no baseline before, or rectify.")
    total = values.sum(0)
    angle = np.deg2rad(degrees)[:, None]

    def resultant(cycles: int) -> np.ndarray:
        length = np.abs((values * np.exp(1j * cycles * angle)).sum(0))
        return np.asarray(np.divide(length, total, out=np.where(np.isnan(total), np.nan, 0.0), where=total > 0))

    data = {"orientation_selectivity": ("unit", resultant(2))}
    if np.isclose(whole, 360):
        data["direction_selectivity"] = ("unit", resultant(1))
    return xr.Dataset(data, coords={k: v for k, v in curve.coords.items() if v.dims == ("unit",)})


def sparseness(responses: xr.DataArray, *, along: Literal["stimulus", "unit"] = "stimulus") -> xr.DataArray:
    """Return how few stimuli a unit answers to, or how few units answer to a stimulus.

    ``(1 - mean(r)^2 / mean(r^2)) / (1 - 1/n)``: 0 when all answers are equal, 1 when there is one only
    (https://doi.org/10.1126/science.287.5456.1273, after https://doi.org/10.1088/0954-898X_2_4_004).

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit), not negative; trials are averaged, time summed (counts) or averaged.
        What was not measured does not enter; with fewer than 2 answers the result is NaN.
    along : "stimulus" gives lifetime sparseness (unit), "unit" population sparseness (stimulus).

    Raises
    ------
    InputError : negative responses, or fewer than 2 along the dim. Silent units (stimuli) get 0.

    Examples
    --------
    >>> ns.responses.sparseness(ns.as_responses([[1.0, 1.0], [0.0, 1.0]])).values.tolist()
    [1.0, 0.0]
    """
    responses = average_trials(over_time(check_responses(responses, "sparseness", missing=True)))
    n = responses.count(along)
    if int(n.max()) < 2 or float(responses.min()) < 0:
        raise InputError(
            f"sparseness: at least 2 along {along!r} and no negative responses asked, found {int(n.max())}."
        )
    square = (responses**2).mean(along)
    share = (responses.mean(along) ** 2 / square.where(square > 0, 1.0)).where(square > 0, 1.0)
    found: xr.DataArray = ((1 - share) / (1 - 1 / n.where(n > 1))).clip(0, 1)
    return found.assign_attrs(quantity="sparseness", units="1")


def _label_of(curve: object, who: str) -> str:
    """Return the label that a tuning curve is over, of finite responses along it and ``unit``."""
    by = str(getattr(curve, "attrs", {}).get("label", ""))
    if not isinstance(curve, xr.Dataset) or "response" not in curve or set(curve["response"].dims) != {by, "unit"}:
        raise InputError(f"{who}: a curve as tuning_curve returns it is asked, found {type(curve).__name__}.")
    check_missing(curve["response"], who)
    check_measured(curve[by], who)
    return by


def _label(responses: xr.DataArray, by: str, who: str) -> np.ndarray:
    known = [str(k) for k, v in responses.coords.items() if v.dims == ("stimulus",)]
    if by not in known:
        raise InputError(f"{who}: no label {by!r} along stimulus. Labels: {', '.join(known)}.{suggest(by, known)}")
    values = responses[by].values
    if values.dtype.kind not in "biuf" or not np.isfinite(values.astype(float)).all():
        raise InputError(f"{who}: the label {by!r} is not numeric; a curve needs numbers without NaN.")
    return np.asarray(values, dtype=float)


def _moments(group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return number, mean and standard deviation (unit) of the presentations (n, unit) that were measured."""
    measured = np.isfinite(group)
    n = measured.sum(0)
    if measured.all():
        return n, group.mean(0), group.std(0, ddof=1) if len(group) > 1 else np.full(group.shape[1], np.nan)
    mean = np.divide(np.where(measured, group, 0.0).sum(0), n, out=np.full(n.shape, np.nan), where=n > 0)
    squares = np.where(measured, (group - mean) ** 2, 0.0).sum(0)
    return n, mean, np.sqrt(np.divide(squares, n - 1, out=np.full(n.shape, np.nan), where=n > 1))


def _reason(y: np.ndarray, p: float, n_parameters: int, alpha: float) -> str:
    """Return "fitted" for a curve that can be, else why it is not."""
    known = y[np.isfinite(y)]
    if len(known) <= n_parameters:
        return "too few values"
    if np.ptp(known) == 0:
        return "silent"
    return "not tuned" if p > alpha else "fitted"


def _no_fit(curve: Curve, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(curve.parameters)
    return np.full(n, np.nan), np.full(n, np.nan), np.full(len(x), np.nan)


def _fit(
    curve: Curve, x: np.ndarray, y: np.ndarray, spread: np.ndarray, options: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters, their standard errors and the fitted values of one unit, from the best of several starts."""
    there = np.isfinite(y)
    best, bounds = None, curve.bounds(x[there], y[there], options)

    def function(x: np.ndarray, *parameters: float) -> np.ndarray:
        return curve.function(x, parameters, options)

    for start in curve.start(x[there], y[there], options):
        try:
            inside = np.clip(start, *bounds)
            found, covariance = curve_fit(
                function, x[there], y[there], inside, bounds=bounds, max_nfev=5000, x_scale="jac"
            )
        except RuntimeError:
            continue
        error = float(((function(x[there], *found) - y[there]) ** 2).sum())
        if best is None or error < best[0]:
            best = (error, found, covariance)
    if best is None:
        return _no_fit(curve, x)
    found, covariance = best[1], best[2]
    if np.isfinite(spread[there]).all():
        covariance = _carried(function, x[there], found, spread[there], bounds)
    return found, np.sqrt(np.maximum(np.diag(covariance), 0)), function(x, *found)


def _carried(
    function: Callable[..., np.ndarray], x: np.ndarray, at: np.ndarray, spread: np.ndarray, bounds: Bounds
) -> np.ndarray:
    """Return the covariance of least-squares parameters from the standard errors of the values (a sandwich)."""
    low, high = (np.asarray(b, dtype=float) for b in bounds)
    step = 1e-6 * np.maximum(np.abs(at), 1e-3)
    up, down = np.minimum(at + step, high), np.maximum(at - step, low)
    slopes = [
        (function(x, *np.where(i, up, at)) - function(x, *np.where(i, down, at))) / (up[k] - down[k])
        for k, i in enumerate(np.eye(len(at), dtype=bool))
    ]
    inverse = np.linalg.pinv(np.stack(slopes, axis=1))
    found: np.ndarray = (inverse * spread**2) @ inverse.T
    return found
