"""What the monitors of a Brian2 network recorded, as arrays over time and units, in SI units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.biophysics.plain_numbers import WHOLE, is_whole
from neurosim.refusals import InputError, suggest

MEMBRANE_NAMES = ("v", "vm", "v_m")  # in small letters


@dataclass(frozen=True)
class Window:
    """The part of a run that is read: from `start` for `duration`, spikes in bins of `time_bin`, all in s."""

    start: float
    duration: float
    time_bin: float


@dataclass(frozen=True)
class Record:
    """What one monitor recorded of one variable.

    Parameters
    ----------
    layer : name of the monitor. values : (time, unit). quantity, units : as of responses. time_step : s.
    index : place (unit,) of each unit in the group that is monitored. size : number of neurons of that group.
    """

    layer: str
    values: np.ndarray
    quantity: str
    units: str
    time_step: float
    index: np.ndarray
    size: int


def time_of(network: Any) -> float:
    """Return for how long a network has been run, s."""
    return float(np.asarray(network.t_).item())


def monitors_in(things: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the named things that are monitors of spikes, variables or population rates."""
    import brian2

    kinds = (brian2.EventMonitor, brian2.StateMonitor, brian2.PopulationRateMonitor)
    return {name: thing for name, thing in things.items() if isinstance(thing, kinds)}


def chosen(found: Mapping[str, Any], asked: Mapping[str, Any] | None, who: str) -> dict[str, Any]:
    """Return the monitors that are asked for, by layer, of those `found` by name; all of them where none is asked.

    Raises
    ------
    InputError : one that is not there, that is no monitor or that is switched off; or there is none at all.
    """
    if not found:
        raise InputError(
            f"{who}: the network holds no SpikeMonitor, StateMonitor or PopulationRateMonitor; add one to it."
        )
    layers = {}
    for layer, monitor in (asked if asked is not None else dict(sorted(found.items()))).items():
        name = monitor if isinstance(monitor, str) else getattr(monitor, "name", None)
        by_name = {str(m.name): m for m in found.values()} | dict(found)
        if name not in by_name or not (isinstance(monitor, str) or monitor is by_name[name]):
            raise InputError(
                f"{who}: the network holds no monitor {name or monitor!r}; it has {', '.join(found)}."
                f"{suggest(str(name), by_name)}"
            )
        layers[str(layer)] = by_name[name]
        off = next((o for o in (by_name[name], by_name[name].source) if not getattr(o, "active", True)), None)
        if off is not None:
            raise InputError(f"{who}: {off.name!r} is switched off (active = False), so that {name!r} records nothing.")
    if not layers:
        raise InputError(f"{who}: no monitor is asked for; the network has {', '.join(found)}.")
    return layers


def records(layer: str, monitor: Any, window: Window, who: str) -> Iterator[tuple[str, Record]]:
    """Yield what a monitor recorded in a window, by name: "E" for the spikes, "E.v" for a variable, "E.rate".

    Raises
    ------
    InputError : bins do not fit its clock or the window, or it kept no times of spikes.
    """
    import brian2

    step = float(monitor.clock.dt_)
    if isinstance(monitor, brian2.EventMonitor):
        size = _size(monitor)
        counts = _counts(layer, monitor, window, step, who)
        yield layer, Record(layer, counts, "spike_count", "spikes", window.time_bin, np.arange(size), size)
        return
    inside = _inside(monitor, window, step)
    if isinstance(monitor, brian2.PopulationRateMonitor):
        values = np.array(monitor.rate_, dtype=float)[inside, None]
        yield f"{layer}.rate", Record(layer, values, "firing_rate", "spikes/s", step, np.zeros(1, int), 1)
        return
    index = np.atleast_1d(np.asarray(monitor.record, dtype=int))
    for name in monitor.record_variables:
        units = _units(monitor.source.variables[name].dim)
        values = np.array(getattr(monitor, f"{name}_"), dtype=float).reshape(-1, len(inside))[:, inside].T
        quantity = _quantity(name, units)
        places = index if len(index) == values.shape[1] else np.arange(values.shape[1])
        yield f"{layer}.{name}", Record(layer, values, quantity, units, step, places, _size(monitor))


def monitored(network: object) -> dict[str, np.ndarray]:
    """Return what each monitor of a Brian2 network that has been run recorded, by the name of the monitor.

    Parameters
    ----------
    network : ``brian2.Network`` after its ``run``. Each ``SpikeMonitor`` gives the spikes of every neuron; each
        ``StateMonitor`` the mean over time of every variable and neuron, in SI units; each ``PopulationRateMonitor``
        its mean rate.

    Returns
    -------
    values (unit,) by monitor.

    Raises
    ------
    InputError : it is no network, was not run, or holds no such monitor.

    Examples
    --------
    >>> import brian2 as b2
    >>> group = b2.NeuronGroup(2, "v : 1", threshold="i == 0", codeobj_class=b2.NumpyCodeObject, name="pair")
    >>> spikes = b2.SpikeMonitor(group, name="spikes", codeobj_class=b2.NumpyCodeObject)
    >>> network = b2.Network(group, spikes)
    >>> network.run(0.5 * b2.ms)
    >>> monitored(network)["spikes"].tolist()
    [5.0, 0.0]
    """
    import brian2

    if not isinstance(network, brian2.Network):
        raise InputError(f"monitored: a brian2.Network asked, found a {type(network).__name__}.")
    if not time_of(network):
        raise InputError("monitored: the network has not been run; call its run(...) before it is returned.")
    found = chosen(monitors_in({str(o.name): o for o in network.objects}), None, "monitored")
    window = Window(0.0, time_of(network), time_of(network))
    means: dict[str, list[np.ndarray]] = {}
    for name, monitor in found.items():
        for _, record in records(name, monitor, window, "monitored"):
            means.setdefault(name, []).append(record.values.mean(axis=0))
    return {name: np.concatenate(parts) for name, parts in means.items()}


def _size(monitor: Any) -> int:
    """Return the number of neurons or synapses that are monitored."""
    return int(np.asarray(monitor.source.variables["N"].get_value()).item())


def _inside(monitor: Any, window: Window, step: float) -> np.ndarray:
    """Say of each sample of a monitor whether it lies in the window."""
    after = np.rint((np.asarray(monitor.t_, dtype=float) - window.start) / step)
    inside: np.ndarray = (after >= 0) & (after < window.duration / step - WHOLE)
    return inside


def _counts(layer: str, monitor: Any, window: Window, step: float, who: str) -> np.ndarray:
    """Return the spikes (time, unit) of every neuron in every bin."""
    per_bin, n_bins = window.time_bin / step, window.duration / window.time_bin
    if not is_whole(n_bins) or round(n_bins) < 1:
        raise InputError(
            f"{who}: {window.duration:g} s are no whole number of bins of time_bin = {window.time_bin:g} s."
        )
    if not is_whole(per_bin) or round(per_bin) < 1:
        raise InputError(
            f"{who}: the clock of {layer!r} ticks every {step:g} s, and bins of {window.time_bin:g} s hold no whole "
            "number of its steps; choose another time_bin."
        )
    n_bins, size = round(n_bins), _size(monitor)
    if not monitor.record:
        if n_bins > 1 or window.start > 0:
            raise InputError(f"{who}: {layer!r} counts spikes without their times (record=False); one bin only.")
        return np.array(monitor.count, dtype=np.float32)[None]
    after = np.rint((np.asarray(monitor.t_, dtype=float) - window.start) / step).astype(np.int64)
    bins = np.floor_divide(after, round(per_bin))
    inside = (bins >= 0) & (bins < n_bins)
    flat = bins[inside] * size + np.asarray(monitor.i, dtype=np.int64)[inside]
    return np.bincount(flat, minlength=n_bins * size).reshape(n_bins, size).astype(np.float32)


def _quantity(name: str, units: str) -> str:
    """Return what a variable is: thresholds and reversal potentials are in V too, and no membrane."""
    if units != "V":
        return "activation"
    return "membrane_potential" if name.lower() in MEMBRANE_NAMES else "electric_potential"


def _units(dim: Any) -> str:
    """Return the symbol of the SI unit of Brian2's dimensions: "V", "A/(m^2)", "1"."""
    from brian2.units.fundamentalunits import get_unit

    return "1" if dim.is_dimensionless else str(get_unit(dim).dispname)
