"""What a unit answers to: tuning curves, their fits, selectivity and sparseness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from scipy import stats
from scipy.optimize import curve_fit

from neurosim.registry import options_of
from neurosim.responses.averages import average_trials, over_time
from neurosim.responses.curves import CURVES, Curve
from neurosim.schema import InputError, check_measured, check_responses, suggest


def tuning_curve(responses: xr.DataArray, by: str, *, alpha: float = 0.05) -> xr.Dataset:
    """Return the mean response of every unit to every value of a stimulus label, with its interval.

    Parameters
    ----------
    responses : (stimulus, [trial,] [time,] unit); time is summed (counts) or averaged.
    by : numeric label along ``stimulus``, such as "orientation_deg", "x" or "current".
    alpha : one minus the coverage of the interval.

    Returns
    -------
    Dataset along ``by`` and ``unit``: ``response``, ``standard_error``, ``interval`` (..., bound), from a t
    distribution over the trials and stimuli of a value; NaN errors where a value has a single presentation, as ``n``
    says.

    Raises
    ------
    InputError : no such label along ``stimulus``, or one that is not numeric.

    Examples
    --------
    >>> r = ns.as_responses([[1.0], [3.0], [5.0], [5.0]], coords={"x": ("stimulus", [0.0, 0.0, 1.0, 1.0])})
    >>> ns.responses.tuning_curve(r, "x").response.values.ravel().tolist()
    [2.0, 5.0]
    """
    responses = over_time(check_responses(responses, "tuning_curve"))
    x = _label(responses, by, "tuning_curve")
    values = (responses if "trial" in responses.dims else responses.expand_dims("trial")).transpose(
        "stimulus", "trial", "unit"
    )
    levels = np.unique(x)
    groups = [values.values[x == level].reshape(-1, values.sizes["unit"]) for level in levels]
    counts = np.array([len(g) for g in groups])
    mean = np.stack([g.mean(0) for g in groups])
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.stack([g.std(0, ddof=1) if len(g) > 1 else np.full(g.shape[1], np.nan) for g in groups])
    error = spread / np.sqrt(counts)[:, None]
    reach = stats.t.ppf(1 - alpha / 2, np.maximum(counts - 1, 1))[:, None] * error
    dims = (by, "unit")
    coords = {by: levels, "bound": ["low", "high"]} | {k: v for k, v in responses.coords.items() if v.dims == ("unit",)}
    data = {"response": (dims, mean), "standard_error": (dims, error), "n": (by, counts)}
    interval = ((*dims, "bound"), np.stack([mean - reach, mean + reach], axis=-1))
    return xr.Dataset({**data, "interval": interval}, coords=coords).assign_attrs(
        label=by, quantity=responses.attrs.get("quantity", ""), units=responses.attrs.get("units", "")
    )


def fit_tuning(curve: xr.Dataset, shape: str, *, options: Mapping[str, object] | object | None = None) -> xr.Dataset:
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

    Returns
    -------
    Dataset along ``unit``: one variable a parameter, its ``<name>_error``, ``explained`` (share of the variance of the
    curve) and ``fitted`` (label, unit). Where no fit is found all are NaN and ``explained`` is 0.

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
    fits = [_fit(chosen, x, y, wanted) for y in curve["response"].transpose("unit", by).values]
    found, errors, fitted = (np.array([f[k] for f in fits]) for k in range(3))
    observed = curve["response"].transpose("unit", by).values
    total = observed.var(1)
    missed = np.where(np.isnan(fitted).any(1), total, ((observed - fitted) ** 2).mean(1))
    explained = np.where(total > 0, 1 - missed / np.where(total > 0, total, 1), 0.0)
    data = {n: ("unit", found[:, k]) for k, n in enumerate(chosen.parameters)}
    data |= {f"{n}_error": ("unit", errors[:, k]) for k, n in enumerate(chosen.parameters)}
    coords = {k: v for k, v in curve.coords.items() if v.dims in (("unit",), (by,))}
    return xr.Dataset(
        {**data, "explained": ("unit", explained), "fitted": (("unit", by), fitted)}, coords, {"shape": shape}
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
    a unit that is silent.

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
    if values.min() < 0:
        raise InputError("orientation_selectivity: responses below 0; subtract no baseline before, or rectify.")
    total = values.sum(0)
    angle = np.deg2rad(degrees)[:, None]

    def resultant(cycles: int) -> np.ndarray:
        length = np.abs((values * np.exp(1j * cycles * angle)).sum(0))
        return np.asarray(np.divide(length, total, out=np.zeros_like(length), where=total > 0))

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
    along : "stimulus" gives lifetime sparseness (unit), "unit" population sparseness (stimulus).

    Raises
    ------
    InputError : negative responses, or fewer than 2 along the dim. Silent units (stimuli) get 0.

    Examples
    --------
    >>> ns.responses.sparseness(ns.as_responses([[1.0, 1.0], [0.0, 1.0]])).values.tolist()
    [1.0, 0.0]
    """
    responses = average_trials(over_time(check_responses(responses, "sparseness")))
    n = responses.sizes[along]
    if n < 2 or float(responses.min()) < 0:
        raise InputError(f"sparseness: at least 2 along {along!r} and no negative responses asked, found {n}.")
    square = (responses**2).mean(along)
    share = (responses.mean(along) ** 2 / square.where(square > 0, 1.0)).where(square > 0, 1.0)
    found: xr.DataArray = ((1 - share) / (1 - 1 / n)).clip(0, 1)
    return found.assign_attrs(quantity="sparseness", units="1")


def _label_of(curve: object, who: str) -> str:
    """Return the label that a tuning curve is over, of finite responses along it and ``unit``."""
    by = str(getattr(curve, "attrs", {}).get("label", ""))
    if not isinstance(curve, xr.Dataset) or "response" not in curve or set(curve["response"].dims) != {by, "unit"}:
        raise InputError(f"{who}: a curve as tuning_curve returns it is asked, found {type(curve).__name__}.")
    for values in (curve["response"], curve[by]):
        check_measured(values, who)
    return by


def _label(responses: xr.DataArray, by: str, who: str) -> np.ndarray:
    known = [str(k) for k, v in responses.coords.items() if v.dims == ("stimulus",)]
    if by not in known:
        raise InputError(f"{who}: no label {by!r} along stimulus. Labels: {', '.join(known)}.{suggest(by, known)}")
    values = responses[by].values
    if values.dtype.kind not in "biuf" or not np.isfinite(values.astype(float)).all():
        raise InputError(f"{who}: the label {by!r} is not numeric; a curve needs numbers without NaN.")
    return np.asarray(values, dtype=float)


def _fit(curve: Curve, x: np.ndarray, y: np.ndarray, options: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters, their standard errors and the fitted values of one unit, from the best of several starts."""
    best, bounds = None, curve.bounds(x, y, options)

    def function(x: np.ndarray, *parameters: float) -> np.ndarray:
        return curve.function(x, parameters, options)

    for start in curve.start(x, y, options):
        try:
            inside = np.clip(start, *bounds)
            found, covariance = curve_fit(function, x, y, inside, bounds=bounds, max_nfev=5000, x_scale="jac")
        except RuntimeError:
            continue
        error = float(((function(x, *found) - y) ** 2).sum())
        if best is None or error < best[0]:
            best = (error, found, np.sqrt(np.maximum(np.diag(covariance), 0)))
    if best is None:
        n = len(curve.parameters)
        return np.full(n, np.nan), np.full(n, np.nan), np.full(len(x), np.nan)
    return best[1], best[2], function(x, *best[1])
