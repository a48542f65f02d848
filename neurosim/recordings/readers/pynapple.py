"""Groups of spike times that pynapple saved as an archive of numpy (``TsGroup.save``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurosim import storage
from neurosim.recordings.observed import known_support
from neurosim.recordings.pynapple_objects import unit_labels
from neurosim.recordings.reader import Reader
from neurosim.recordings.sessions import SessionOptions, Sorted, reads_of, sorted_session
from neurosim.schema import InputError

OWN = {"t", "d", "start", "end", "index", "keys", "type", "_metadata"}


def _session(path: Path) -> Sorted:
    """Read the spikes; the labels that newer versions pickle (``_metadata``) are left unread."""
    import pandas as pd

    with storage.readable(path, "npz of pynapple"):
        held = storage.read_npz(path, without=("_metadata", "columns"))
        kind = "".join(np.atleast_1d(held["type"]).astype(str))
        if kind != "TsGroup":
            raise InputError(
                f"{path.name}: a TsGroup of pynapple asked, which holds units; found a {kind}. Load a series with "
                "pynapple.load_file and give it to align_series."
            )
        keys = [str(k) for k in held["keys"].tolist()]
        said = {k: v for k, v in held.items() if k not in OWN and v.shape == (len(keys),)}
        units = unit_labels(pd.DataFrame(said, index=pd.Index(keys, dtype=object)))
        support = np.stack([held["start"].astype(float), held["end"].astype(float)], axis=-1)
        known = known_support(support, held["t"], path.name)
        return sorted_session(held["index"].astype(np.int64), held["t"], path.name, units, known)


RESPONSES, SPIKES = reads_of(_session)


def example(path: Path) -> SessionOptions:
    """Write a group of two units and two events."""
    np.savez(
        path,
        type=["TsGroup"],
        t=[0.1, 0.2, 1.1],
        index=[0, 6, 0],
        keys=[0, 6],
        location=["CA1", "CA3"],
        start=[0.0],
        end=[2.0],
    )
    events = path.with_name(f"{path.stem}_events.csv")
    storage.write_text(events, "start_time,stimulus\n0,a\n1,b\n")
    return SessionOptions(events=events)


PYNAPPLE = Reader(
    name="pynapple",
    caption="a TsGroup of pynapple: spikes by unit, with labels",
    endings=(".npz",),
    holds=("t", "start", "end", "type"),
    responses=RESPONSES,
    spikes=SPIKES,
    options=SessionOptions,
    citation="https://doi.org/10.7554/eLife.85786",
    example=example,
)
