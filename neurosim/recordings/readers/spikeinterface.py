"""Sortings that SpikeInterface saved as an archive of numpy (``NpzSortingExtractor.write_sorting``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.recordings.sessions import SessionOptions, Sorted, reads_of, sorted_session
from neurosim.schema import InputError


def _session(path: Path) -> Sorted:
    import pandas as pd

    with storage.readable(path, "npz of a sorting"):
        held = storage.read_npz(path)
        n_segments = int(held["num_segment"].item())
        if n_segments != 1:
            raise InputError(f"{path.name}: {n_segments} segments, each with its own clock; save one segment.")
        rate = float(held["sampling_frequency"].item())
        samples, unit = held["spike_indexes_seg0"], held["spike_labels_seg0"]
        if not 0 < rate < np.inf or samples.dtype.kind not in "iu":
            raise InputError(f"{path.name}: whole samples at a rate in Hz asked, found {samples.dtype} at {rate:g} Hz.")
        units = pd.DataFrame(index=pd.Index([str(u) for u in held["unit_ids"].tolist()], dtype=object))
        return sorted_session(unit if len(unit) else unit.astype(str), samples / rate, path.name, units)


RESPONSES, SPIKES = reads_of(_session)


def example(path: Path) -> SessionOptions:
    """Write a sorting of three units, one of them silent, and two events."""
    np.savez(
        path,
        unit_ids=[3, 10, 11],
        num_segment=[1],
        sampling_frequency=[30000.0],
        spike_indexes_seg0=[3000, 6000, 33000],
        spike_labels_seg0=[3, 10, 3],
    )
    events = path.with_name(f"{path.stem}_events.csv")
    storage.write_text(events, "start_time,stimulus\n0,a\n1,b\n")
    return SessionOptions(events=events)


SPIKEINTERFACE = Reader(
    name="spikeinterface",
    caption="a sorting of SpikeInterface: spikes by unit",
    endings=(".npz",),
    holds=("unit_ids", "num_segment", "sampling_frequency", "spike_indexes_seg0", "spike_labels_seg0"),
    responses=RESPONSES,
    spikes=SPIKES,
    options=SessionOptions,
    citation="https://doi.org/10.7554/eLife.61834",
    example=example,
)
