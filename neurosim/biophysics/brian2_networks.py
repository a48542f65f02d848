"""Any Brian2 network of a user's own answers stimuli: labelled spikes, traces and rates of its monitors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.brian2_engine import import_brian2
from neurosim.biophysics.brian2_sources import WHO, Asked, Show, device_as_before, shower
from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.monitors import Record
from neurosim.biophysics.plain_numbers import one_of, whole
from neurosim.refusals import InputError
from neurosim.runtime import as_seed, numpy_random_apart, track
from neurosim.schema import labelled, responses_to
from neurosim.units import plain

CLOSE = 1e-9
SPIKES = "spike_count"


@by_value
@dataclass(frozen=True, eq=False)
class Recorded:
    """What the monitors of a Brian2 network recorded.

    Parameters
    ----------
    responses : spikes (stimulus, [trial,] time, unit) in bins, with ``layer`` (the monitor) along ``unit``; None where
        no monitor records spikes.
    traces : by name, "V.v" or "P.rate", what other monitors recorded (stimulus, [trial,] time, unit) at every tick of
        their clock, called as the trace is, in the SI units that ``attrs`` name. ``quantity`` is "membrane_potential"
        of what is called v, vm or v_m and is in V, "electric_potential" of all else in V, else "activation".

    Examples
    --------
    >>> ns.biophysics.Recorded(None, {}).traces
    {}
    """

    responses: xr.DataArray | None
    traces: Mapping[str, xr.DataArray]


def record_brian2(
    network: Any,
    stimuli: xr.DataArray,
    *,
    present: Callable[..., Any] | None = None,
    monitors: Mapping[str, Any] | None = None,
    duration: Any = None,
    time_bin: Any = None,
    trials: int = 1,
    copies: int | None = None,
    rebuild: bool = False,
    namespace: Mapping[str, Any] | None = None,
    rng: np.random.Generator | int = 0,
    progress: bool = True,
) -> Recorded:
    """Show every stimulus to a Brian2 network of your own, and read its monitors.

    A network is stored once and restored before each stimulus; one built for C++ standalone
    (``build_on_run=False``) is run again with other arguments. At the end the first stimulus is shown again, and a
    network that answers otherwise then is refused. Brian2's random numbers are seeded when a network is made, and anew
    for every (stimulus, trial) that it is shown; a function that runs its network itself draws the same in all.

    Parameters
    ----------
    network : a ``brian2.Network`` that was not run, or a function that makes one and returns it, or returns
        ``locals()`` with its objects. A function may ask for ``stimulus``, ``trial`` and ``rng``, and is then called
        for each; it may run its network itself, so that a script becomes a function as it stands.
    stimuli : (stimulus, ...).
    present : shows one stimulus; asks for any of ``network``, ``names`` (those of the function, or where this is
        called), ``stimulus``, ``trial`` and ``rng``. It sets rates, spikes, currents, values of a ``TimedArray``; it
        may return names with values for the equations or, in C++ standalone, the ``run_args``.
    monitors : by layer, a monitor or its name; all of the network by default, by their own names.
    duration : of each stimulus, s (a number or a quantity of Brian2); None where the function runs its network.
    time_bin : width of the bins of spike counts, s; the whole duration by default.
    trials : how often each stimulus is shown.
    copies : number of (stimulus, trial) in one network: `network` is then a function of ``n_copies``, of which each has
        its share of every group, copy after copy, and functions may ask for ``stimuli``, ``trials`` and ``rngs`` of all
        copies. The first, second and last copy are compared with networks of one, and unequal ones are refused.
    rebuild : call the function again for every stimulus, in place of restoring the network.
    namespace : names that equations read, beside those where this is called, or of the function.
    rng : seed of everything random, or a generator that draws the seed.
    progress : show a progress bar.

    Raises
    ------
    InputError : what is no network, was already run, does not return to its beginning, names no monitor, or Brian2
        refuses; copies that are not equal to networks of one.

    Examples
    --------
    >>> import brian2 as b2
    >>> numpy = {"codeobj_class": b2.NumpyCodeObject}
    >>> def build():
    ...     cells = b2.NeuronGroup(2, "drive : 1", threshold="drive > 0.5", reset="", **numpy)
    ...     spikes = b2.SpikeMonitor(cells, **numpy)
    ...     return locals()
    >>> def present(names, stimulus):
    ...     names["cells"].drive = stimulus.values
    >>> stimuli = ns.as_stimuli([[0.0, 1.0], [1.0, 1.0]])
    >>> found = ns.biophysics.record_brian2(build, stimuli, present=present, duration=0.5 * b2.ms)
    >>> found.responses.values.tolist()
    [[[0.0, 5.0]], [[5.0, 5.0]]]
    """
    b2 = import_brian2()
    stimuli = labelled(stimuli, WHO, "stimuli")
    trials = one_of(WHO, "trials", trials, whole)
    copies = None if copies is None else one_of(WHO, "copies", copies, whole)
    if trials < 1 or (copies is not None and copies < 1):
        raise InputError(f"{WHO}: trials and copies of at least 1 asked, found {trials} and {copies}.")
    asked = Asked(
        network=network,
        present=present,
        monitors=monitors,
        duration=_seconds("duration", duration),
        time_bin=_seconds("time_bin", time_bin),
        copies=copies,
        rebuild=rebuild,
        namespace={**(_names_of_caller() if isinstance(network, b2.Network) else {}), **(namespace or {})},
        seed=as_seed(rng, WHO),
    )
    with numpy_random_apart(), device_as_before():
        rows = _recorded(asked, stimuli, trials, progress)
    return _labelled_records(rows, stimuli, trials)


def _names_of_caller() -> dict[str, Any]:
    """Return the names where :func:`record_brian2` is called, as Brian2's own ``run`` finds them."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame is not None and frame.f_back is not None else None
    return {} if caller is None else {**caller.f_globals, **caller.f_locals}


def _seconds(name: str, value: Any) -> float | None:
    """Return a time in s, of a number or of a quantity of Brian2."""
    if value is None:
        return None
    seconds = float(one_of(WHO, name, plain(value, "s", f"{WHO}: {name}")))
    if not 0 < seconds < np.inf:
        raise InputError(f"{WHO}: {name} above 0 s asked, found {seconds:g}.")
    return seconds


def _recorded(asked: Asked, stimuli: xr.DataArray, trials: int, progress: bool) -> list[dict[str, Record]]:
    """Return what was recorded of every (stimulus, trial), in order."""
    places = [(s, t) for s in range(stimuli.sizes["stimulus"]) for t in range(trials)]
    size = min(asked.copies or 1, len(places))
    parts = [places[k : k + size] for k in range(0, len(places), size)]
    show = shower(asked, trials)
    rows: list[dict[str, Record]] = []
    for part in track(parts, "recording the network", len(parts), progress=progress):
        found = show(_show_of(stimuli, part))
        rows += _apart(found, len(part)) if asked.copies else [found]
    if not asked.copies and len(places) > 1:
        differs = _difference(rows[0], show(_show_of(stimuli, parts[0])))
        if differs:
            raise InputError(
                f"{WHO}: {_name_of(stimuli, places[0])} shown again at the end, is answered otherwise ({differs}): "
                "the network or its functions keep a state, or draw numbers that are not seeded; give a function that "
                "makes it and rebuild=True, or say brian2.seed(...) in one for C++ standalone."
            )
    for k in sorted({0, 1, size - 1} & set(range(size))) if size > 1 else []:
        alone = replace(asked, copies=1)
        differs = _difference(_alone(alone, stimuli, places[k], trials), rows[k])
        if differs:
            raise InputError(
                f"{WHO}: among {size} copies {_name_of(stimuli, places[k])} is answered otherwise than alone "
                f"({differs}): copies share a state, lie in another order than copy after copy, or draw from one "
                "stream; leave out copies=."
            )
    return rows


def _alone(asked: Asked, stimuli: xr.DataArray, place: tuple[int, int], trials: int) -> dict[str, Record]:
    """Return what a network of one copy records of one (stimulus, trial)."""
    return shower(asked, trials)(_show_of(stimuli, [place]))


def _show_of(stimuli: xr.DataArray, part: list[tuple[int, int]]) -> Show:
    return Show(stimuli.isel(stimulus=[s for s, _ in part]), tuple(t for _, t in part))


def _name_of(stimuli: xr.DataArray, place: tuple[int, int]) -> str:
    return f"stimulus {stimuli['stimulus'].values[place[0]].item()!r}, trial {place[1]},"


def _apart(found: Mapping[str, Record], n_copies: int) -> list[dict[str, Record]]:
    """Return what each of the copies in a network recorded; copies lie one after another."""
    rows: list[dict[str, Record]] = [{} for _ in range(n_copies)]
    for name, record in found.items():
        size, rest = divmod(record.size, n_copies)
        copy, neuron = np.divmod(record.index, max(size, 1))
        if rest or (record.quantity == "firing_rate" and n_copies > 1):
            raise InputError(
                f"{WHO}: {name!r} records {record.size} units of a network of {n_copies} copies, which cannot be told "
                "apart; leave out copies=, or that monitor."
            )
        for k, row in enumerate(rows):
            row[name] = replace(record, values=record.values[:, copy == k], index=neuron[copy == k], size=size)
    return rows


def _difference(one: Mapping[str, Record], other: Mapping[str, Record]) -> str:
    """Say in what two recordings of one presentation differ; "" where they are equal."""
    for name, record in one.items():
        again = other[name]
        if record.values.shape != again.values.shape:
            return f"{name}: {record.values.shape} and {again.values.shape} values"
        scale = float(np.nan_to_num(np.abs(record.values)).max(initial=0.0))
        if not np.allclose(record.values, again.values, rtol=CLOSE, atol=CLOSE * scale, equal_nan=True):
            return f"{name}: a sum of {record.values.sum():.9g} and of {again.values.sum():.9g} {record.units}"
    return ""


def _labelled_records(rows: list[dict[str, Record]], stimuli: xr.DataArray, trials: int) -> Recorded:
    """Return all recordings as labelled arrays: spikes of all monitors together, everything else by its name."""
    for row in rows:
        other = next((n for n in rows[0] if row[n].values.shape != rows[0][n].values.shape), None)
        if other is not None:
            shapes = f"{rows[0][other].values.shape} and {row[other].values.shape}"
            raise InputError(f"{WHO}: {other!r} recorded (time, unit) of other sizes for other stimuli: {shapes}.")
        longer = next((n for n in rows[0] if not np.isclose(row[n].time_step, rows[0][n].time_step)), None)
        if longer is not None:
            steps = f"{rows[0][longer].time_step:g} s and {row[longer].time_step:g} s"
            raise InputError(f"{WHO}: {longer!r} counts over {steps} for other stimuli; run all for the same time.")
    spikes = [name for name, record in rows[0].items() if record.quantity == SPIKES]
    responses = _array([[row[name] for name in spikes] for row in rows], stimuli, trials) if spikes else None
    traces = {n: _array([[row[n]] for row in rows], stimuli, trials).rename(n) for n in rows[0] if n not in spikes}
    return Recorded(responses, traces)


def _array(rows: list[list[Record]], stimuli: xr.DataArray, trials: int) -> xr.DataArray:
    """Return what several monitors with one clock recorded, as (stimulus, [trial,] time, unit)."""
    values = np.stack([np.concatenate([record.values for record in row], axis=1) for row in rows])
    dims: tuple[str, ...] = ("stimulus", "time", "unit")
    if trials > 1:
        values, dims = values.reshape(-1, trials, *values.shape[1:]), ("stimulus", "trial", "time", "unit")
    if not np.isfinite(values).all():
        raise InputError(f"{WHO}: {rows[0][0].layer!r} recorded what is no finite number; take a shorter dt.")
    units = [(record.layer, int(i)) for record in rows[0] for i in record.index]
    found = responses_to(
        stimuli,
        values,
        dims=dims,
        coords={"unit": ("unit", [f"{layer}/{i}" for layer, i in units]), "layer": ("unit", [n for n, _ in units])},
        quantity=rows[0][0].quantity,
        time_step=rows[0][0].time_step,
    )
    found.attrs |= {"units": rows[0][0].units, "engine": "brian2"}
    return found
