"""Protocols of currents as stimuli."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurosim.biophysics.injection import begun, check_lasts, current_of
from neurosim.biophysics.plain_numbers import is_whole, number, one_of
from neurosim.parameters import Parameters
from neurosim.runtime import as_seed, stream
from neurosim.schema import InputError, as_stimuli


def protocol(
    currents: Mapping[str, Parameters], *, duration: float, time_step: float, rng: np.random.Generator | int = 0
) -> xr.DataArray:
    """Return currents as stimuli for a circuit whose input is a current, one stimulus each.

    Parameters
    ----------
    currents : record of a registered current by the name of its stimulus, such as ``{"ramp": RampCurrent(...)}``.
    duration : of every stimulus, s. time_step : between two samples, s, the step of the circuit.
    rng : seed of currents that are drawn, or a generator that draws the seed.

    Returns
    -------
    stimuli (stimulus, time, unit) with one unit, A.

    Raises
    ------
    InputError : no currents, records of no registered current or with ``neurons``, which a stimulus has not, a duration
        that is no whole number of steps or that ends before a current does.

    Examples
    --------
    >>> steps = ns.biophysics.StepCurrent((0.0, 2e-3), (1e-10, 0.0))
    >>> shown = ns.biophysics.protocol({"step": steps}, duration=4e-3, time_step=1e-3)
    >>> shown.values.ravel().tolist()
    [1e-10, 1e-10, 0.0, 0.0]
    """
    duration, time_step = (
        one_of("protocol", k, v, number) for k, v in (("duration", duration), ("time_step", time_step))
    )
    n_steps = duration / time_step if time_step > 0 and 0 < duration < 1e6 else 0.0
    if not is_whole(n_steps) or round(n_steps) < 1:
        raise InputError(f"protocol: duration = {duration:g} s is no whole number of steps of {time_step:g} s.")
    if not isinstance(currents, Mapping) or not currents:
        raise InputError(f"protocol: currents by the name of their stimulus asked, found {type(currents).__name__}.")
    seed, found = as_seed(rng, "protocol"), []
    for name, record in currents.items():
        model = current_of(record)
        if model is None or record.neurons is not None:  # type: ignore[attr-defined]
            raise InputError(f"protocol: {name!r} is no registered current, or names neurons, which stimuli lack.")
        check_lasts(model, record, duration)
        found.append(begun(model, record, time_step, 1, stream(seed, "protocol", str(name)))(round(n_steps)))
    dims = ("stimulus", "time", "unit")
    shown = as_stimuli(np.stack(found), dims=dims, ids=[str(name) for name in currents], time_step=time_step)
    return shown.assign_attrs(units="A")
