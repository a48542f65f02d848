"""Homeostasis: every neuron comes back to the rate that it had in the trained network, without knowing the task."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurosim.biophysics.calibration import layer_counts, rheobase
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.execution import Execution
from neurosim.biophysics.presentation import check_stimuli
from neurosim.biophysics.simulation import simulate
from neurosim.refusals import asked_by
from neurosim.runtime import track
from neurosim.schema import InputError


@asked_by("homeostasis", "simulate")
def homeostasis(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    expected: xr.DataArray,
    *,
    rounds: int = 20,
    rate: float = 0.2,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[Circuit, xr.Dataset]:
    """Move the bias of every neuron until it fires as often as in the trained network, without knowing the task.

    Each round adds ``rate`` x (wanted - found) / (wanted + found) rheobases to the bias, for all neurons at once: the
    multiplicative rule of synaptic scaling (https://doi.org/10.1038/36103) on intrinsic excitability.

    Parameters
    ----------
    circuit, stimuli, expected, rng, device, progress : as for :func:`~neurosim.biophysics.calibration.calibrate`.
    rounds : number of rounds.
    rate : step of a round, rheobases.

    Returns
    -------
    the circuit, and a Dataset along ``layer``: the mean ``|log2 rate ratio|`` of its neurons ``before`` and ``after``.

    Raises
    ------
    InputError : discrete neurons, other stimuli, or a layer that is missing in `expected`.

    Examples
    --------
    >>> draw = np.random.default_rng(0).random
    >>> cells = ns.biophysics.Population("cells", 2, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", draw((4, 2)))
    >>> trained = ns.biophysics.Circuit("twin", ns.biophysics.Input(4), (cells,), (wire,), 1e-3, 1e-3)
    >>> spikes = ns.as_stimuli((draw((6, 20, 4)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> wanted = ns.simulate(trained, spikes, engine="torch", progress=False)
    >>> climbed = ns.climb(trained, "currents", ladder=ns.biophysics.Ladder(dt=1e-3))
    >>> _, report = ns.biophysics.homeostasis(climbed, spikes, wanted, rounds=3, progress=False)
    >>> bool(report.after[0] <= report.before[0])
    True
    """
    if circuit.is_discrete:
        raise InputError(
            f"homeostasis: {circuit.name!r} stands on rung 'exact', which is the trained network; climb first."
        )
    labels = check_stimuli(circuit, stimuli).labels
    wanted = np.concatenate([c.mean(0) for c in layer_counts(circuit, labels, expected, "homeostasis").values()])
    layers = np.repeat([p.name for p in circuit.populations], [p.size for p in circuit.populations])
    misses = []
    for k in track(range(rounds + 1), f"homeostasis of {circuit.name}", progress=progress):
        answers = simulate(circuit, stimuli, engine="torch", rng=rng, execution=Execution(device), progress=False)
        found = answers.values.sum(1).mean(0)
        misses.append(np.abs(np.log2((found + 0.05) / (wanted + 0.05))))
        if k == rounds:
            break
        change = rate * (wanted - found) / (wanted + found + 0.05)
        for p in circuit.populations:
            circuit = circuit.with_population(p.name, drive=p.drive + change[layers == p.name] * rheobase(p))
    columns = [[float(m[layers == p.name].mean()) for p in circuit.populations] for m in (misses[0], misses[-1])]
    names = [p.name for p in circuit.populations]
    report = xr.Dataset(
        {"before": ("layer", columns[0]), "after": ("layer", columns[1])},
        coords={"layer": names},
        attrs={"rounds": rounds, "n_stimuli": labels.sizes["stimulus"]},
    )
    return circuit, report
