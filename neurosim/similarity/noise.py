"""The precision of noise between units, from repeated measurements or from residuals."""

from __future__ import annotations

from numbers import Real

import numpy as np
import xarray as xr

from neurosim.arrays import check_numbers, column_names, is_table, plain
from neurosim.schema import InputError, SchemaError, check_finite, check_missing
from neurosim.similarity.common_trials import CommonTrials
from neurosim.similarity.parts import UndefinedError
from neurosim.similarity.shrinkage import SHRINKAGES, Shrinkage


def noise_precision(
    measurements: xr.DataArray, *, shrinkage: str = "schaefer_strimmer", df: int | None = None
) -> xr.DataArray:
    """Estimate the inverse covariance of the noise of units, to whiten responses with.

    Parameters
    ----------
    measurements : repeated measurements (stimulus, trial, unit), whose residuals about the mean of each stimulus are
        the noise; or residuals (any one dim, unit), such as those of a general linear model. Bare arrays and tables
        are accepted. Trials may be missing (NaN). Where units lack other trials than other units, the noise of every
        two is that of the trials that both have, unbiased; such covariances need not be positive definite together, so
        "schaefer_strimmer" first shrinks them by as little as makes them positive semidefinite
        (https://doi.org/10.1137/140996112); "none" is refused where they are not, "ledoit_wolf" always.
    shrinkage : a name in ``SHRINKAGES``: "schaefer_strimmer" (towards independent units, https://doi.org/10.2202/1544-6115.1175),
        "ledoit_wolf" (towards equal independent units, https://doi.org/10.1016/S0047-259X(03)00096-4),
        "diagonal" (variances alone) or "none".
    df : degrees of freedom. Default: measurements minus stimuli, as each stimulus takes its mean; for residuals their
        number minus one. A linear model with r regressors leaves n - r. Never more than there are measurements. Not
        to be given where units lack other trials than other units: every two then have their own.

    Returns
    -------
    precision (unit, unit_other), or (unit,) for "diagonal"; its attrs hold ``shrinkage`` and ``df``, the fewest of any
    two units where they lack other trials.

    Raises
    ------
    InputError : unknown shrinkage, no repeated measurement, a unit without noise, a covariance that cannot be inverted
        without shrinkage, or two units without repeated trials in common.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> trials = xr.DataArray(rng.normal(size=(30, 5, 4)), dims=("stimulus", "trial", "unit"))
    >>> np.round(np.diagonal(ns.similarity.noise_precision(trials)), 1).tolist()
    [1.1, 1.2, 0.9, 1.0]
    """
    asked = SHRINKAGES.find(shrinkage, "noise_precision")
    measurements = _measurements(measurements)
    residuals, natural = residuals_of(measurements)
    if residuals is None:
        return _precision(*_of_common_trials(measurements, asked, df), shrinkage, measurements)
    df = natural if df is None else df
    if natural > 0 and not (isinstance(df, Real) and 1 <= df <= len(residuals)):
        raise InputError(
            f"noise_precision: df = {df}; {len(residuals)} residuals have 1 to {len(residuals)} degrees of freedom."
        )
    if natural < 1:
        raise InputError(f"noise_precision: {natural} degrees of freedom; at least one stimulus needs two trials.")
    _check_noise((residuals**2).sum(0))
    return _precision(asked.covariance(residuals, int(df)), int(df), shrinkage, measurements)


def _of_common_trials(measurements: xr.DataArray, asked: Shrinkage, df: int | None) -> tuple[np.ndarray, float]:
    """Return the covariance of units that lack other trials than other units, and the fewest degrees of freedom."""
    if asked.common is None or df is not None:
        others = ", ".join(s.name for s in SHRINKAGES.values() if s.common is not None)
        fault = f"{asked.name!r} needs all units in the same trials" if df is None else "`df` is one for all units"
        raise InputError(
            f"noise_precision: units lack other trials than other units, and {fault}; leave out those that lack some, "
            f"or use {others} without `df`."
        )
    values = np.asarray(measurements.transpose("stimulus", "trial", "unit").values, dtype=float)
    common = CommonTrials.of(values)
    _check_noise(common.variance)
    return asked.common(common), float(common.df.min())


def _check_noise(squares: np.ndarray) -> None:
    silent = squares == 0
    if silent.any():
        raise UndefinedError(
            f"noise_precision: {int(silent.sum())} units have no noise (the first is {int(np.argmax(silent))}), "
            "so their precision is infinite; leave them out."
        )


def _precision(covariance: np.ndarray, df: float, shrinkage: str, measurements: xr.DataArray) -> xr.DataArray:
    """Return the inverse of a covariance (P, P) or of variances (P,), labelled."""
    attrs = {"quantity": "precision", "shrinkage": shrinkage, "df": df}
    coords = {"unit": measurements["unit"].values} if "unit" in measurements.coords else {}
    if covariance.ndim == 1:
        return xr.DataArray(1 / covariance, dims="unit", coords=coords, attrs=attrs)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        raise InputError(
            f"noise_precision: {len(covariance)} units and {df:g} degrees of freedom give a covariance that has no "
            "inverse, or is none where units lack other trials; use shrinkage='schaefer_strimmer'."
        ) from None
    coords |= {"unit_other": coords["unit"]} if coords else {}
    return xr.DataArray(inverse.T @ inverse, dims=("unit", "unit_other"), coords=coords, attrs=attrs)


def _measurements(given: object) -> xr.DataArray:
    """Return repeated measurements or residuals as a labelled array of real numbers, none of its dims empty."""
    if not isinstance(given, xr.DataArray):
        array = plain(given, "noise_precision")
        dims = {2: ("sample", "unit"), 3: ("stimulus", "trial", "unit")}.get(array.ndim)
        if dims is None:
            raise SchemaError(
                f"noise_precision: (stimulus, trial, unit) or residuals (any, unit) asked, found {array.shape}."
            )
        units = column_names(given, "noise_precision") if is_table(given) else None
        given = xr.DataArray(array, dims=dims, coords={} if units is None else {"unit": units})
    check_numbers(given, "noise_precision")
    if 0 in given.shape:
        raise SchemaError(f"noise_precision: the measurements are empty, {dict(given.sizes)}.")
    found: xr.DataArray = given
    return found


def residuals_of(measurements: xr.DataArray) -> tuple[np.ndarray | None, int]:
    """Return residuals (n, unit) and their degrees of freedom; None where units lack other trials than other units."""
    dims = set(measurements.dims)
    if "unit" not in dims or measurements.ndim not in (2, 3) or (len(dims) == 3 and not dims >= {"stimulus", "trial"}):
        raise SchemaError(
            f"noise_precision: needs (stimulus, trial, unit) or (any, unit), found {tuple(measurements.dims)}; "
            "select one of the other dims, or average over it."
        )
    if measurements.ndim == 2:
        check_finite(measurements, "noise_precision")
        values = np.asarray(measurements.transpose(..., "unit").values, dtype=float)
        return values - values.mean(0), len(values) - 1
    ordered = measurements.transpose("stimulus", "trial", "unit")
    values = np.asarray(check_missing(ordered, "noise_precision").values, dtype=float)
    measured = np.isfinite(values).any(-1)
    if not np.isfinite(values[measured]).all():
        return None, 0
    values = np.where(measured[..., None], values, 0.0)
    centred = values - (values.sum(1) / np.maximum(measured.sum(1), 1)[:, None])[:, None]
    return centred[measured], int(measured.sum() - (measured.sum(1) > 0).sum())
