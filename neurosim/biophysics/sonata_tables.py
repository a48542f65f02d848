"""The tables of SONATA files: nodes and edges with the numbers of their types, and the paths that a manifest names.

The format is that of https://doi.org/10.1371/journal.pcbi.1007696: HDF5 for what is each node's or edge's own, text for
what is common to a type; what stands in HDF5 overrides the type.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.refusals import InputError

WHO = "load_sonata"
MISSING = ("", "NULL", "null", "None", "NaN", "nan")
DEEPEST = 20


@dataclass(frozen=True)
class Config:
    """A circuit's configuration, its paths resolved.

    Parameters
    ----------
    path : of the file. root : folder out of which nothing leads. content : what it says.
    """

    path: Path
    root: Path
    content: Mapping[str, Any]

    def file(self, name: str) -> Path:
        """Return the file that a text of the configuration names, variables of its manifest filled in."""
        manifest = {"configdir": ".", **{k.strip("${}"): v for k, v in self.content.get("manifest", {}).items()}}
        filled = str(name)
        for _ in range(DEEPEST):
            if "$" not in filled:
                break
            for key in sorted(manifest, key=len, reverse=True):
                filled = filled.replace("${" + key + "}", str(manifest[key])).replace("$" + key, str(manifest[key]))
        if "$" in filled:
            raise InputError(f"{WHO}: {self.path.name}: no variable of the manifest for {filled!r}, found in {name!r}.")
        try:
            return storage.inside(self.root, str(self.path.parent.resolve() / filled))
        except storage.StorageError as error:
            raise storage.StorageError(
                f"{WHO}: {self.path.name} names {filled!r}, which leads out of {self.root.name!r}; where it may, say "
                "root=, the folder that holds all files."
            ) from error

    def component(self, kind: str, name: str) -> Path:
        """Return a file of a folder of components, such as ``point_neuron_models_dir``."""
        folder = self.content.get("components", {}).get(kind)
        if folder is None:
            raise InputError(
                f"{WHO}: {self.path.name} names no {kind!r} among its components, where {name!r} should be."
            )
        return self.file(f"{folder}/{name}")

    def files(self, kind: str) -> Iterator[tuple[Path, Path | None]]:
        """Yield the tables of all "nodes" or "edges" and of their types."""
        for entry in self.content["networks"].get(kind) or []:
            if entry.get("enabled", True):
                types = entry.get(f"{kind[:-1]}_types_file")
                yield self.file(entry[f"{kind}_file"]), None if types in (None, *MISSING) else self.file(types)


@dataclass(frozen=True)
class Table:
    """Nodes or edges of one population.

    Parameters
    ----------
    name : of the population, with its file. type_ids : (row,). types : what is common, by type and column.
    groups : for each group of rows, their numbers and what is their own, by column ("dynamics_params/tau_m" of those).
    """

    name: str
    type_ids: np.ndarray
    types: Mapping[int, Mapping[str, str]]
    groups: tuple[tuple[np.ndarray, Mapping[str, np.ndarray]], ...]

    def numbers(self, column: str, usual: float = np.nan) -> np.ndarray:
        """Return a number of each row, or `usual`."""
        found = np.full(len(self.type_ids), usual)
        for kind, row in self.types.items():
            text = row.get(column, "")
            if text not in MISSING:
                try:
                    found[self.type_ids == kind] = float(text)
                except ValueError as error:
                    raise InputError(f"{WHO}: {self.name}: {column} of type {kind} is {text!r}, no number.") from error
        for rows, own in self.groups:
            if column in own:
                if own[column].dtype.kind not in "biuf" or own[column].ndim != 1:
                    raise InputError(
                        f"{WHO}: {self.name}: a number a row asked as {column}, found {own[column].dtype}."
                    )
                found[rows] = own[column]
        return found

    def words(self, column: str) -> np.ndarray:
        """Return a text of each row, "" where there is none."""
        found = np.full(len(self.type_ids), "", dtype=object)
        for kind, row in self.types.items():
            text = row.get(column, "")
            found[self.type_ids == kind] = "" if text in MISSING else text
        for rows, own in self.groups:
            if column in own:
                found[rows] = [text_of(x) for x in own[column]]
        return found

    def own(self, prefix: str) -> list[str]:
        """Return the columns of groups that begin so, without that."""
        names = [name for _, own in self.groups for name in own if name.startswith(prefix)]
        return list(dict.fromkeys(name.removeprefix(prefix) for name in names))


@contextmanager
def in_one_line(path: Path) -> Iterator[None]:
    """Say in one line that files are no SONATA circuit, whatever the reading of them stumbles on."""
    try:
        yield
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"{WHO}: {path.name} and the files that it names are no SONATA circuit ({type(error).__name__}: {reason})."
        ) from error


def text_of(value: object) -> str:
    """Return text of HDF5 as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_config(path: Path, root: Path | None) -> tuple[Config, float | None]:
    """Return a circuit's configuration and the step (s) of a simulation of it, from whichever of both `path` is."""
    content, path = storage.read_json_object(path), path.resolve()
    config = Config(path, (path.parent if root is None else root).resolve(), content)
    step = content.get("run", {}).get("dt")
    if isinstance(content.get("simulation"), str):
        step = storage.read_json_object(config.file(content["simulation"])).get("run", {}).get("dt")
    if isinstance(content.get("network"), str):
        inner = config.file(content["network"])
        config = Config(inner, config.root, storage.read_json_object(inner))
    if not isinstance(config.content.get("networks"), dict):
        raise InputError(
            f"{WHO}: {config.path.name} is no configuration of a SONATA circuit; 'networks' asked, found "
            f"{', '.join(map(repr, config.content)) or 'nothing'}."
        )
    return config, None if step is None else float(step) * 1e-3


def read_types(path: Path | None, key: str, population: str) -> dict[int, dict[str, str]]:
    """Return the columns of each type that a table lists, parted by spaces, for one population."""
    if path is None:
        return {}
    lines = [line for line in storage.read_text(path).splitlines() if line.strip()]
    rows = list(csv.reader(lines, delimiter=" ", skipinitialspace=True))
    header, found = [x for x in rows[0] if x] if rows else [], {}
    if key not in header:
        raise InputError(f"{WHO}: {path.name}: the column {key!r} asked, found {', '.join(header) or 'nothing'}.")
    for row in rows[1:]:
        cells = row[: len(header)] if not any(row[len(header) :]) else row
        if len(cells) != len(header):
            raise InputError(
                f"{WHO}: {path.name}: {len(header)} columns asked in every row, found {len(cells)}: {row}."
            )
        record = dict(zip(header, cells, strict=True))
        if record.get("population", "") in (*MISSING, population):
            found[int(record[key])] = record
    return found


def read_tables(path: Path, types: Path | None, kind: str) -> Iterator[tuple[str, Table, Mapping[str, Any]]]:
    """Yield name, table and what else is known (ids, and the populations of edges) of each population of a file."""
    import h5py

    with storage.readable(storage.check_hdf5(path), "SONATA"), h5py.File(path, "r") as file:
        if kind not in file:
            raise InputError(f"{WHO}: {path.name}: a group {kind!r} asked, found {', '.join(file) or 'nothing'}.")
        for name, group in file[kind].items():
            type_key = f"{kind[:-1]}_type_id"
            if type_key not in group:
                raise InputError(f"{WHO}: {path.name}: {name!r} has no {type_key!r}.")
            ids = group[type_key][()].astype(np.int64)
            known = read_types(types, type_key, name)
            missing = sorted(set(ids.tolist()) - set(known) - ({-1} if not known else set()))
            if missing and types is not None:
                raise InputError(f"{WHO}: {path.name}: {name!r} has the type {missing[0]}, which no row of types is.")
            table = Table(f"{path.name}: {name!r}", ids, known, tuple(_groups(group, kind, len(ids))))
            yield name, table, _identity(group, kind, table.name)


def _identity(group: Any, kind: str, name: str) -> dict[str, Any]:
    if kind == "nodes":
        n = len(group["node_type_id"])
        return {"ids": group["node_id"][()].astype(np.int64) if "node_id" in group else np.arange(n)}
    ends: dict[str, Any] = {}
    for side in ("source", "target"):
        ids = group[f"{side}_node_id"]
        if "node_population" not in ids.attrs:
            raise InputError(f"{WHO}: {name}: {side}_node_id has no attribute 'node_population', the nodes it counts.")
        ends[side] = ids[()].astype(np.int64)
        ends[f"{side}_population"] = text_of(ids.attrs["node_population"])
    return ends


def _groups(group: Any, kind: str, n: int) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield the rows of each group of parameters and their columns."""
    one = kind[:-1]
    members = group[f"{one}_group_id"][()] if f"{one}_group_id" in group else np.zeros(n, int)
    places = group[f"{one}_group_index"][()].astype(np.int64) if f"{one}_group_index" in group else np.arange(n)
    for key in np.unique(members):
        own, rows = group.get(str(key)), np.flatnonzero(members == key)
        if own is None:
            continue
        library = own.get("@library", {})
        columns = {}
        for label, item in own.items():
            inner = item.items() if label == "dynamics_params" else [(None, item)]
            for name, values in inner:
                if hasattr(values, "shape"):
                    read = values[()][places[rows]]
                    read = library[label][()][read] if label in library and name is None else read
                    columns[label if name is None else f"{label}/{name}"] = read
        yield rows, columns
