"""How many synapses a circuit has between every two populations: what a picture of it shows."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit

INHIBITS_BELOW = -50e-3  # V


def count_synapses(circuit: Circuit) -> xr.Dataset:
    """Return how many synapses lead from every population, and from the input, to every other, and how strong they are.

    Parameters
    ----------
    circuit : any; several projections between two populations are taken together.

    Returns
    -------
    dataset of ``n_synapses``, ``mean_weight`` (in the units of the target's synapses; counted below 0 where a receptor
    reverses below -50 mV) and ``mean_delay`` (s), each (source, target); the means are NaN where there is no
    synapse. ``size`` (source) is the number of units.

    Examples
    --------
    >>> counts = ns.biophysics.count_synapses(ns.biophysics.build_circuit("gabor_adex", 8))
    >>> counts.n_synapses.sel(source="inhibitory").to_series().to_dict()
    {'input': 0, 'excitatory': 1024, 'inhibitory': 0}
    """
    names = list(circuit.sizes)
    sums = np.zeros((3, len(names), len(names)))
    for q in circuit.projections:
        receptor = circuit.population(q.target).receptors[q.receptor]
        weights = q.synapses()[2] * (-1 if getattr(receptor, "e_rev", 0.0) < INHIBITS_BELOW else 1)
        found = (len(weights), weights.sum(), q.delays().sum())
        sums[:, names.index(q.source), names.index(q.target)] += found
    counts, weight, delay = sums
    with np.errstate(invalid="ignore"):
        means = {"mean_weight": weight / counts, "mean_delay": delay / counts}
    ends = ("source", "target")
    return xr.Dataset(
        {"n_synapses": (ends, counts.astype(np.int64))} | {k: (ends, v) for k, v in means.items()},
        coords={"source": names, "target": names, "size": ("source", list(circuit.sizes.values()))},
        attrs={"circuit": circuit.name},
    )
