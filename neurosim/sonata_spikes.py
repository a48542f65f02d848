"""Files of spikes in the SONATA format: who fired when, by population (https://doi.org/10.1371/journal.pcbi.1007696)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neurosim import storage
from neurosim.refusals import InputError

MAGIC, VERSION = 0x0A7A, (0, 1)
UNITS = {"ms": 1e-3, "milliseconds": 1e-3, "s": 1.0, "seconds": 1.0}
Spikes = tuple[np.ndarray, np.ndarray]  # numbers of nodes, times (s)


def read_sonata_spikes(path: Path, who: str) -> dict[str, Spikes]:
    """Return the spikes of each population of a file; "" names the one of a file from before populations had names.

    Times without a unit are in ms, as SONATA says.
    """
    import h5py

    found = {}
    with storage.readable(storage.check_hdf5(path), "SONATA"), h5py.File(path, "r") as file:
        if "spikes" not in file:
            raise InputError(f"{who}: {path.name}: a group 'spikes' asked, found {', '.join(file) or 'nothing'}.")
        top = file["spikes"]
        named = {"": top} if "timestamps" in top else dict(top.items())
        for name, group in named.items():
            ids = group.get("node_ids", group.get("gids"))
            if ids is None or "timestamps" not in group or ids.shape != group["timestamps"].shape:
                raise InputError(f"{who}: {path.name}: {name!r} has no node_ids and timestamps of one length.")
            unit = group["timestamps"].attrs.get("units", "ms")
            unit = unit.decode() if isinstance(unit, bytes) else str(unit)
            if unit not in UNITS:
                raise InputError(f"{who}: {path.name}: times in {unit!r}; known: {', '.join(UNITS)}.")
            found[name] = (ids[()].astype(np.int64), group["timestamps"][()].astype(float) * UNITS[unit])
    return found


def write_sonata_spikes(path: Path, spikes: Mapping[str, Spikes]) -> None:
    """Write the spikes of each population, sorted by time."""
    import h5py

    sorting = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2})
    with storage.atomic_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["magic"], file.attrs["version"] = np.uint32(MAGIC), np.array(VERSION, np.uint32)
        top = file.create_group("spikes")
        for name, (nodes, times) in spikes.items():
            order = np.lexsort((nodes, times))
            group = top.create_group(name)
            group.attrs.create("sorting", 2, dtype=sorting)
            group["node_ids"] = nodes[order].astype(np.uint64)
            group["timestamps"] = times[order] / UNITS["ms"]
            group["timestamps"].attrs["units"] = "ms"
