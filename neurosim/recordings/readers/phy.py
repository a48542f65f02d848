"""Folders of phy and Kilosort: the sorted spikes of a session, and what was said of its clusters."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.recordings.sessions import SessionOptions, Sorted, events_of, sorted_names, sorted_session
from neurosim.schema import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

TABLES = (  # what is said later counts; the endings of phy 1 are .csv
    "cluster_KSLabel.tsv",
    "cluster_groups.csv",
    "cluster_group.csv",
    "cluster_group.tsv",
    "cluster_info.tsv",
)
OWN_LABELS = {"cluster_id", "id", "ch", "sh", "fr", "n_spikes"}  # of a table of clusters: what is counted, not said


@dataclass(frozen=True)
class PhyOptions(SessionOptions):
    """How a folder of phy becomes responses.

    Parameters
    ----------
    groups : clusters of these groups ("good", "mua", "noise", "unsorted"); all but noise by default. A cluster that
        nobody judged is "unsorted".
    """

    groups: tuple[str, ...] | None = None


def read_responses(path: Path, options: PhyOptions) -> xr.DataArray:
    """Cut out the spikes of the clusters around the events."""
    return _session(path, options.groups).around(events_of(options), options)


def read_spikes(path: Path) -> pd.DataFrame:
    """Return the spikes of all clusters that are no noise."""
    return _session(path, None).table()


def _session(folder: Path, groups: tuple[str, ...] | None) -> Sorted:
    samples = storage.read_npy(storage.inside(folder, "spike_times.npy")).reshape(-1)
    cluster = storage.read_npy(storage.inside(folder, "spike_clusters.npy")).reshape(-1)
    if samples.dtype.kind not in "iu" or cluster.dtype.kind not in "iu" or samples.shape != cluster.shape:
        raise InputError(
            f"{folder.name}: spike_times.npy and spike_clusters.npy hold one whole number a spike, found "
            f"{samples.dtype} {samples.shape} and {cluster.dtype} {cluster.shape}."
        )
    labels = _labels(folder, sorted_names(cluster.astype(str)))
    kept = labels["group"] != "noise" if groups is None else labels["group"].isin(groups)
    for group in groups or ():
        if group not in set(labels["group"]):
            known = sorted(set(labels["group"]))
            raise InputError(
                f"{folder.name}: no cluster is {group!r}; groups: {', '.join(known)}.{suggest(group, known)}"
            )
    labels = labels[kept]
    mine = np.isin(cluster.astype(str), labels.index.to_numpy(dtype=str))
    return sorted_session(cluster[mine], samples[mine] / sample_rate(folder), folder.name, labels)


def sample_rate(folder: Path) -> float:
    """Return the sampling rate, Hz, that ``params.py`` gives; the file is read as text, never run.

    Raises
    ------
    InputError : it gives none.
    """
    text = storage.read_text(storage.inside(folder, "params.py"))
    try:
        given = {
            target.id: ast.literal_eval(line.value)
            for line in ast.parse(text).body
            if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant)
            for target in line.targets
            if isinstance(target, ast.Name)
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{folder.name}: params.py is no list of names and values.") from error
    rate = given.get("sample_rate")
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < np.inf:
        raise InputError(f"{folder.name}: params.py gives sample_rate = {rate!r}; a number of Hz asked.")
    return float(rate)


def _labels(folder: Path, clusters: list[str]) -> pd.DataFrame:
    """Return what was said of each cluster: its group, and further columns of the tables of clusters."""
    import pandas as pd

    found = pd.DataFrame({"group": "unsorted"}, index=pd.Index(clusters, dtype=object))
    names = storage.names_inside(folder)
    for file in [n for n in TABLES if n in names]:
        table = storage.read_table(storage.inside(folder, file), ids=("cluster_id", "id"))
        key = next((c for c in ("cluster_id", "id") if c in table), None)
        if key is None:
            raise InputError(
                f"{folder.name}: {file} has no column cluster_id; found {', '.join(map(str, table.columns))}."
            )
        table = table.set_axis([str(v) for v in table[key]], axis=0)
        if table.index.duplicated().any():
            twice = table.index[table.index.duplicated()][0]
            raise InputError(f"{folder.name}: cluster {twice} is there twice in {file}; keep one row of it.")
        said = table.reindex(clusters)
        for column in [c for c in table.columns if c not in OWN_LABELS]:
            found[str(column)] = said[column].where(said[column].notna(), found.get(column))
    said = {c: v.fillna("unsorted" if c == "group" else "") for c, v in found.items() if v.dtype == object}
    return found.assign(**said)


def example(path: Path) -> PhyOptions:
    """Write a session of two clusters and two events."""
    path.mkdir()
    np.save(path / "spike_times.npy", np.array([3000, 6000, 33000], dtype=np.uint64)[:, None])
    np.save(path / "spike_clusters.npy", np.array([4, 12, 4], dtype=np.int32))
    storage.write_text(path / "params.py", "dat_path = r'raw.bin'\nn_channels_dat = 4\nsample_rate = 30000.0\n")
    storage.write_text(path / "cluster_group.tsv", "cluster_id\tgroup\n4\tgood\n12\tmua\n")
    storage.write_text(path / "events.csv", "start_time,stimulus\n0,a\n1,b\n")
    return PhyOptions(events=path / "events.csv")


PHY = Reader(
    name="phy",
    caption="sorted spikes of Kilosort and phy, with the groups and labels of the clusters",
    holds=("spike_times.npy", "spike_clusters.npy", "params.py"),
    responses=read_responses,
    spikes=read_spikes,
    options=PhyOptions,
    citation="https://doi.org/10.1038/s41592-024-02232-7",
    example=example,
)
