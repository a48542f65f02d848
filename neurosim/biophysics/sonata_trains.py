"""Spikes of SONATA files as what a circuit is shown, and spikes of a simulation as such a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.plain_numbers import one_of
from neurosim.biophysics.sonata import nodes_of, starts_of
from neurosim.biophysics.sonata_tables import in_one_line, read_config
from neurosim.refusals import InputError
from neurosim.schema import as_stimuli
from neurosim.sonata_spikes import read_sonata_spikes, write_sonata_spikes


def sonata_stimuli(
    path: str | Path, spikes: Mapping[str, str | Path], *, dt: float, duration: float, root: str | Path | None = None
) -> xr.DataArray:
    """Return the spikes of SONATA files as one stimulus for the circuit that :func:`load_sonata` reads from `path`.

    Parameters
    ----------
    path : the configuration of the circuit. spikes : the file of each virtual population, by its name.
    dt : step in which spikes arrive, s. duration : how long to show them, s; later spikes are left out.
    root : folder that holds the circuit's files.

    Returns
    -------
    stimuli (stimulus, time, unit) of 0 and 1.

    Raises
    ------
    InputError : a population that is not there, a node that it has not, two spikes of one in a step.
    StorageError : missing, damaged or unsafe files.

    Examples
    --------
    >>> ns.biophysics.sonata_stimuli("nowhere.json", {}, dt=1e-3, duration=1.0)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    neurosim.storage.StorageError: nowhere.json: no such file.
    """
    who = "sonata_stimuli"
    path = storage.as_path(path, who)
    with in_one_line(path):
        config, _ = read_config(path, None if root is None else storage.as_path(root, who))
        nodes = {n.name: n for n in nodes_of(config, {}, virtual_only=True).values()}
    starts, labels = starts_of(list(nodes.values())), [f"{n.name}/{i}" for n in nodes.values() for i in n.ids]
    dt, n_steps = one_of(who, "dt", dt), round(one_of(who, "duration", duration) / one_of(who, "dt", dt))
    shown = np.zeros((n_steps, len(labels)), np.float32)
    for name, file in spikes.items():
        if name not in nodes:
            raise InputError(f"{who}: no virtual population {name!r}; there are {', '.join(nodes) or 'none'}.")
        found = read_sonata_spikes(storage.as_path(file, who), who)
        if name not in found and list(found) != [""]:
            raise InputError(f"{who}: {Path(file).name} has spikes of {', '.join(found)}, not of {name!r}.")
        ids, times = found[name] if name in found else found[""]
        steps = np.rint(times / dt).astype(np.int64)
        kept = (steps >= 0) & (steps < n_steps)
        np.add.at(shown, (steps[kept], starts[name] + nodes[name].rows(ids[kept], Path(file).name)), 1)
    if shown.max(initial=0) > 1:
        at, unit = np.unravel_index(shown.argmax(), shown.shape)
        raise InputError(
            f"{who}: {labels[unit]} has {int(shown.max())} spikes within {dt:g} s at {at * dt:g} s; shorten dt."
        )
    return as_stimuli(shown[None], dims=("stimulus", "time", "unit"), time_step=dt, coords={"unit": np.array(labels)})


def save_sonata_spikes(path: str | Path, simulated: xr.Dataset, *, stimulus: int = 0, trial: int = 0) -> Path:
    """Write the spikes of one stimulus and trial as a SONATA file, for each population, in ms.

    Parameters
    ----------
    path : the file, ``.h5``.
    simulated : what ``simulate`` returned with ``Monitors(spike_times=True)``.
    stimulus, trial : which of those shown, by number, from 0 on.

    Returns
    -------
    the path.

    Raises
    ------
    InputError : no spike times, a stimulus or trial that was not shown.

    Examples
    --------
    >>> import tempfile
    >>> cells = ns.biophysics.Population("cells", 1, ns.biophysics.LIFParameters(), drive=4e-10)
    >>> circuit = ns.biophysics.Circuit("one", ns.biophysics.Input(1), (cells,), (), dt=1e-3, step=1e-3)
    >>> silence = ns.as_stimuli(np.zeros((1, 50, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> monitors = ns.biophysics.Monitors(spike_times=True)
    >>> found = ns.biophysics.simulate(circuit, silence, monitors=monitors, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = ns.biophysics.save_sonata_spikes(f"{folder}/spikes.h5", found)
    ...     ns.recordings.load_spikes(file).unit.unique().tolist()
    ['cells/0']
    """
    who = "save_sonata_spikes"
    if not isinstance(simulated, xr.Dataset) or "spike_time" not in simulated:
        raise InputError(f"{who}: what simulate returns with Monitors(spike_times=True) asked, found no spike times.")
    sizes = {"stimulus": simulated.sizes["stimulus"], "trial": simulated.sizes.get("trial", 1)}
    for name, k in (("stimulus", stimulus), ("trial", trial)):
        if k not in range(sizes[name]):
            raise InputError(f"{who}: {name} {k!r} asked, found {sizes[name]}, numbered from 0 on.")
    kept = ((simulated.spike_stimulus == stimulus) & (simulated.spike_trial == trial)).values
    unit, times = simulated.spike_unit.values[kept], simulated.spike_time.values[kept]
    layers, spikes = simulated["layer"].values, {}
    for name in dict.fromkeys(layers.tolist()):
        first, own = int((layers == name).argmax()), layers[unit] == name
        spikes[name] = (unit[own] - first, times[own])
    write_sonata_spikes(storage.as_path(path, who), spikes)
    return Path(path)
