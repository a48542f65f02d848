"""A local field potential from the synaptic currents of a circuit of point neurons."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.biophysics.plain_numbers import is_whole, number, one_of
from neurosim.schema import InputError

TIME = "record_time"


def lfp_proxy(
    excitatory: xr.DataArray, inhibitory: xr.DataArray, *, delay: float = 6e-3, ratio: float = 1.65
) -> xr.DataArray:
    """Return the weighted sum of synaptic currents that follows the field potential of pyramidal cells best.

    ``sum |I_exc(t - delay)| - ratio sum |I_inh(t)|`` over neurons; its course is that of the potential, its size is not
    (https://doi.org/10.1371/journal.pcbi.1004584, which divides by its standard deviation).

    Parameters
    ----------
    excitatory, inhibitory : synaptic currents of the same pyramidal cells, A: (..., record_time, unit) as
        :func:`simulate` records them, whatever the name of the last dim (it ends in "unit").
    delay : by how much excitation is late, s; a whole number of records. ratio : weight of inhibition.

    Returns
    -------
    proxy (..., record_time), A, from `delay` after the first record on.

    Raises
    ------
    InputError : no such dims, labels or times that differ, a delay between records or longer than them.

    Examples
    --------
    >>> import xarray as xr
    >>> times = {"record_time": np.arange(4) * 6e-3}
    >>> current = xr.DataArray([[1.0], [2.0], [3.0], [4.0]], dims=("record_time", "cells_unit"), coords=times)
    >>> ns.biophysics.lfp_proxy(current, -current, ratio=1.0).values.tolist()
    [-1.0, -1.0, -1.0]
    """
    delay, ratio = (one_of("lfp_proxy", k, v, number) for k, v in (("delay", delay), ("ratio", ratio)))
    sums = [_summed(currents, name) for currents, name in ((excitatory, "excitatory"), (inhibitory, "inhibitory"))]
    try:
        early, inhibition = xr.align(*sums, join="exact")
    except ValueError as error:
        raise InputError(
            "lfp_proxy: the two currents have other stimuli, trials or times; record both alike."
        ) from error
    times = np.asarray(early[TIME].values, dtype=float)
    steps = np.diff(times)
    if not len(steps) or not np.allclose(steps, steps[0], rtol=1e-6) or steps[0] <= 0:
        raise InputError(f"lfp_proxy: evenly spaced times asked, found {len(times)} of {TIME}.")
    late = delay / steps[0]
    if not is_whole(late) or not 0 <= round(late) < len(times):
        raise InputError(
            f"lfp_proxy: delay = {delay:g} s asked, the records come every {steps[0]:g} s over {times[-1]:g} s; "
            "a whole number of records, fewer than there are, is needed."
        )
    kept = len(times) - round(late)
    excitation = early.isel({TIME: slice(0, kept)}).assign_coords({TIME: times[round(late) :]})
    proxy = excitation - ratio * inhibition.isel({TIME: slice(round(late), None)})
    return proxy.assign_attrs(units="A")


def _summed(currents: xr.DataArray, name: str) -> xr.DataArray:
    """Return the sum of the absolute currents over neurons."""
    if not isinstance(currents, xr.DataArray) or TIME not in currents.coords:
        found = currents.dims if isinstance(currents, xr.DataArray) else type(currents).__name__
        raise InputError(f"lfp_proxy: {name} currents (..., {TIME}, unit) with their times asked, found {found}.")
    units = [str(d) for d in currents.dims if str(d).endswith("unit")]
    if len(units) != 1:
        raise InputError(f"lfp_proxy: {name} currents have one dim of neurons, found {currents.dims}.")
    if not np.isfinite(currents.values).all():
        raise InputError(f"lfp_proxy: the {name} currents hold NaN or infinity.")
    return abs(currents).sum(units[0])
