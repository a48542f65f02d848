"""Folders in the ALF convention of the International Brain Laboratory: spikes, clusters, trials."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.recordings.reader import Reader
from neurosim.recordings.sessions import Sorted, sorted_session
from neurosim.schema import InputError, suggest

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

NAME = re.compile(r"(?P<object>_?\w+)\.(?P<attribute>\w+)(\.[\w-]+)*\.(?P<ending>npy|csv|tsv|pqt|parquet)")
NAMESPACE = re.compile(r"^_[a-z0-9]+_")


@dataclass(frozen=True)
class ALFOptions:
    """How a session of ALF becomes responses.

    Parameters
    ----------
    by : attribute of the trials that says what was shown, such as "contrastLeft"; trials without it (NaN) are left out.
    align_to : attribute with the time of the event, s; trials without it are left out. A line in the log counts them.
    trials : folder of the session where the trials are, if they are not in the folder of the spikes.
    window : from and to, s from the event. time_bin : width of the bins, s; one bin over the window when absent.
    balance : take of every stimulus the first trials, as many as the rarest has; otherwise what it lacks is NaN.
    """

    by: str
    align_to: str = "stimOn_times"
    trials: Path | None = None
    window: tuple[float, float] = (0.0, 0.5)
    time_bin: float | None = None
    balance: bool = False


def read_responses(path: Path, options: ALFOptions) -> xr.DataArray:
    """Cut out the spikes of the clusters around the trials; trials without a time or a stimulus were not shown."""
    where = options.trials or path
    trials = _columns(where, "trials")
    if not trials:
        raise InputError(f"{path.name}: no trials.* in {where.name}; name their folder with trials=.")
    for name in (options.by, options.align_to):
        if name not in trials:
            raise InputError(f"{path.name}: no trials.{name}; known: {', '.join(trials)}.{suggest(name, trials)}")
    table = _table(trials, path.name)
    shown = table.dropna(subset=[options.by, options.align_to])
    if len(shown) < len(table):
        lost, of = len(table) - len(shown), f"{options.by} or {options.align_to}"
        log.warning("%s: %d of %d trials have no %s.", path.name, lost, len(table), of)
    return _session(path).around(shown, options)


def read_spikes(path: Path) -> pd.DataFrame:
    """Return the spikes of all clusters."""
    return _session(path).table()


def _session(folder: Path) -> Sorted:
    spikes = _columns(folder, "spikes", ("times", "clusters"))
    if spikes["times"].dtype.kind != "f":
        raise InputError(
            f"{folder.name}: spikes.times are in s, found {spikes['times'].dtype}; they may count samples."
        )
    clusters = _columns(folder, "clusters")
    units = None
    if clusters:
        table = _table(clusters, folder.name)
        index = table["cluster_id"] if "cluster_id" in table else range(len(table))
        units = table.set_axis([str(v) for v in index], axis=0).drop(columns="cluster_id", errors="ignore")
    return sorted_session(spikes["clusters"], spikes["times"], folder.name, units)


def _columns(folder: Path, what: str, needed: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Return the attributes of an object, from one file each or from its table; labels of one dimension alone."""
    found: dict[str, np.ndarray] = {}
    for name in storage.names_inside(folder):
        parts = NAME.fullmatch(name)
        if parts is None or NAMESPACE.sub("", parts["object"]) != what:
            continue
        attribute = NAMESPACE.sub("", parts["attribute"])
        if parts["ending"] != "npy":
            if attribute in ("table", "metrics"):
                table = storage.read_table(storage.inside(folder, name))
                found |= {str(k): table[k].to_numpy() for k in table if str(k) not in found}
        elif needed is None or attribute in needed:
            if attribute in found:
                raise InputError(
                    f"{folder.name}: {what}.{attribute} is there twice; name the folder of one collection."
                )
            values = storage.read_npy(storage.inside(folder, name))
            if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
                found[attribute] = values.reshape(-1)
    missing = [n for n in needed or () if n not in found]
    if missing:
        raise InputError(f"{folder.name}: {', '.join(f'{what}.{n}.npy' for n in missing)} missing.")
    return found


def _table(columns: dict[str, np.ndarray], name: str) -> pd.DataFrame:
    import pandas as pd

    lengths = {k: len(v) for k, v in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{name}: attributes of one object have one length, found {lengths}.")
    return pd.DataFrame(columns)


def example(path: Path) -> ALFOptions:
    """Write a session of two clusters and two trials."""
    path.mkdir()
    np.save(path / "spikes.times.npy", np.array([0.1, 0.2, 1.1]))
    np.save(path / "spikes.clusters.npy", np.array([0, 1, 0]))
    np.save(path / "clusters.depths.npy", np.array([20.0, 40.0]))
    np.save(path / "_ibl_trials.stimOn_times.npy", np.array([0.0, 1.0]))
    np.save(path / "_ibl_trials.contrastLeft.npy", np.array([0.25, 1.0]))
    return ALFOptions(by="contrastLeft")


ALF = Reader(
    name="alf",
    caption="sessions in the ALF convention: spikes.*, clusters.*, trials.*",
    holds=("*spikes.times*.npy", "*spikes.clusters*.npy"),
    responses=read_responses,
    spikes=read_spikes,
    options=ALFOptions,
    citation="https://doi.org/10.1038/s41592-022-01742-6",
    example=example,
)
