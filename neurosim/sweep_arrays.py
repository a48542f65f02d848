"""Recordings from inside a neuron as labelled arrays: currents and voltages, in SI units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosim.arrays import plain
from neurosim.labels import TIME, check_finite
from neurosim.refusals import SchemaError

LONGEST_STEP = 0.01  # s, beyond which no spike is seen


def as_sweeps(
    current: npt.ArrayLike,
    voltage: npt.ArrayLike,
    *,
    time_step: float,
    sweeps: Sequence[str] | None = None,
    stimulus: Sequence[str] | str | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Label recordings from inside a neuron: the current that was injected and the voltage that was measured.

    Parameters
    ----------
    current, voltage : (sweep, time) or (time,), in A and V.
    time_step : seconds between samples.
    sweeps : unique name of each sweep; counted when absent.
    stimulus : what was injected, for each sweep or for all; sweeps of one stimulus are its trials. By default every
        sweep is a stimulus of its own.
    attrs : what else is known, such as ``{"subject": "DRN159"}``.

    Returns
    -------
    Dataset: ``current`` and ``voltage`` (sweep, time), with ``stimulus`` along ``sweep``.

    Raises
    ------
    SchemaError : shapes that differ, NaN, names that repeat, or values that cannot be in A and V.

    Examples
    --------
    >>> dict(ns.as_sweeps(np.zeros(4), np.full(4, -70e-3), time_step=1e-4).sizes)
    {'sweep': 1, 'time': 4}
    """
    _check_step(time_step, "as_sweeps")
    both = [np.atleast_2d(plain(a, "as_sweeps").astype(float)) for a in (current, voltage)]
    if not both[0].size or both[0].shape != both[1].shape or both[0].ndim != 2 or both[0].shape[1] < 2:
        raise SchemaError(f"as_sweeps: current {both[0].shape} and voltage {both[1].shape} of one shape (sweep, time).")
    names = [f"sweep_{i:03d}" for i in range(len(both[0]))] if sweeps is None else [str(s) for s in sweeps]
    if len(set(names)) != len(both[0]):
        raise SchemaError(f"as_sweeps: {len(both[0])} sweeps need as many different names, found {len(set(names))}.")
    shown = names if stimulus is None else [stimulus] * len(names) if isinstance(stimulus, str) else list(stimulus)
    units = {"current": "A", "voltage": "V"}
    data = {k: (("sweep", TIME), v, {"units": units[k]}) for k, v in zip(units, both, strict=True)}
    coords = {"sweep": names, "stimulus": ("sweep", shown), TIME: np.arange(both[0].shape[1]) * time_step}
    return check_sweeps(xr.Dataset(data, coords, {"time_step": float(time_step), **(attrs or {})}), "as_sweeps")


def check_sweeps(sweeps: xr.Dataset, who: str = "check_sweeps") -> xr.Dataset:
    """Return `sweeps`, transposed to (sweep, time), or raise :class:`SchemaError`."""
    missing = [v for v in ("current", "voltage") if v not in getattr(sweeps, "data_vars", ())]
    if missing or set(sweeps["current"].dims) != {"sweep", TIME} or sweeps.attrs.get("time_step") is None:
        raise SchemaError(f"{who}: sweeps have current and voltage (sweep, time) and a time_step; see as_sweeps.")
    _check_step(sweeps.attrs["time_step"], who)
    for name, largest, unit in (("current", 1e-4, "A"), ("voltage", 1.0, "V")):
        check_finite(sweeps[name], who)
        found = float(np.abs(sweeps[name].values).max())
        if found > largest:
            raise SchemaError(f"{who}: a {name} of {found:g} {unit} is no recording; SI units: 50 pA is 50e-12.")
    return sweeps.transpose("sweep", TIME)


def _check_step(step: object, who: str) -> None:
    if not isinstance(step, int | float | np.number) or not 0 < step <= LONGEST_STEP:
        raise SchemaError(f"{who}: time_step = {step!r}; s between samples asked, above 0, at most {LONGEST_STEP:g} s.")
