"""The precision of noise between units, from repeated measurements or from residuals."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.schema import InputError, SchemaError, check_measured, labelled, suggest
from neurosim.similarity.kernels.noise import SHRINKAGES, noise_covariance


def noise_precision(
    measurements: xr.DataArray, *, shrinkage: str = "schaefer_strimmer", df: int | None = None
) -> xr.DataArray:
    """Estimate the inverse covariance of the noise of units, to whiten responses with.

    Parameters
    ----------
    measurements : repeated measurements (stimulus, trial, unit), whose residuals about the mean of each stimulus are
        the noise; or residuals (any one dim, unit), such as those of a general linear model.
    shrinkage : "schaefer_strimmer" (towards independent units, https://doi.org/10.2202/1544-6115.1175),
        "ledoit_wolf" (towards equal independent units, https://doi.org/10.1016/S0047-259X(03)00096-4),
        "diagonal" (variances alone) or "none".
    df : degrees of freedom. Default: measurements minus stimuli, as each stimulus takes its mean; for residuals their
        number minus one. A linear model with r regressors leaves n - r.

    Returns
    -------
    precision (unit, unit_other), or (unit,) for "diagonal"; its attrs hold ``df`` and ``shrinkage``.

    Raises
    ------
    InputError : unknown shrinkage, no repeated measurement, a unit without noise, or a covariance that cannot be
        inverted without shrinkage.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> trials = xr.DataArray(rng.normal(size=(30, 5, 4)), dims=("stimulus", "trial", "unit"))
    >>> np.round(np.diagonal(noise_precision(trials)), 1).tolist()
    [1.1, 1.2, 0.9, 1.0]
    """
    if shrinkage not in SHRINKAGES:
        known = f"{', '.join(SHRINKAGES)}.{suggest(shrinkage, SHRINKAGES)}"
        raise InputError(f"noise_precision: no shrinkage {shrinkage!r}. Known: {known}")
    if not isinstance(measurements, xr.DataArray):
        measurements = labelled(measurements, "noise_precision")
    residuals, natural = residuals_of(measurements)
    df = natural if df is None else df
    if df < 1:
        raise InputError(f"noise_precision: {df} degrees of freedom; at least one stimulus needs two trials.")
    silent = (residuals**2).sum(0) == 0
    if silent.any():
        raise InputError(
            f"noise_precision: {int(silent.sum())} units have no noise (the first is {int(np.argmax(silent))}), "
            "so their precision is infinite; leave them out."
        )
    covariance = noise_covariance(residuals, df, shrinkage)
    attrs = {"quantity": "precision", "shrinkage": shrinkage, "df": int(df)}
    coords = {"unit": measurements["unit"].values} if "unit" in measurements.coords else {}
    if covariance.ndim == 1:
        return xr.DataArray(1 / covariance, dims="unit", coords=coords, attrs=attrs)
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        raise InputError(
            f"noise_precision: {len(covariance)} units and {df} degrees of freedom give a covariance that has no "
            "inverse; use shrinkage='schaefer_strimmer' or 'ledoit_wolf'."
        ) from None
    coords |= {"unit_other": coords["unit"]} if coords else {}
    return xr.DataArray(inverse.T @ inverse, dims=("unit", "unit_other"), coords=coords, attrs=attrs)


def residuals_of(measurements: xr.DataArray) -> tuple[np.ndarray, int]:
    """Return residuals (n, unit) and their degrees of freedom."""
    dims = set(measurements.dims)
    if "unit" not in dims or not (len(dims) == 2 or dims == {"stimulus", "trial", "unit"}):
        raise SchemaError(
            f"noise_precision: needs (stimulus, trial, unit) or (any, unit), found {tuple(measurements.dims)}; "
            "select one of the other dims, or average over it."
        )
    check_measured(measurements, "noise_precision")
    if measurements.ndim == 2:
        values = np.asarray(measurements.transpose(..., "unit").values, dtype=float)
        return values - values.mean(0), len(values) - 1
    ordered = measurements.transpose("stimulus", "trial", "unit")
    measured = np.ones(ordered.shape[:2], dtype=bool)
    if "measured" in ordered.coords:
        measured = ordered["measured"].transpose("stimulus", "trial").values.astype(bool)
    values = np.where(measured[..., None], np.asarray(ordered.values, dtype=float), 0.0)
    centred = values - (values.sum(1) / np.maximum(measured.sum(1), 1)[:, None])[:, None]
    return centred[measured], int(measured.sum() - (measured.sum(1) > 0).sum())
