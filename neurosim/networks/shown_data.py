"""Data of somebody's as stimuli: a dataset is read when it is shown, a loader or iterable some batches at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.utils.data import DataLoader, Subset
from xarray.backends import BackendArray
from xarray.core import indexing

from neurosim.networks.door import Data, kind_of
from neurosim.networks.samples import NAMES, Keys, batch_of, id_of, intensities_of, parted, stacked, tensor_of
from neurosim.pictures import picture_dims
from neurosim.runtime import RandomApart
from neurosim.schema import InputError, as_stimuli

AT_ONCE = 1024  # stimuli of a loader that are shown together


def stimuli_of(data: object, who: str) -> Iterator[xr.DataArray]:
    """Yield the stimuli of a dataset as one array that is read when it is shown, of other data as arrays, in order.

    Of :class:`Data` the test part is shown where there is one, else the training part; of a task, the test part.

    Raises
    ------
    InputError : a loader that shuffles stimuli without names, or samples whose parts or dims are not certain.
    """
    if hasattr(data, "places"):
        yield _of_task(data, who)
        return
    given = data if isinstance(data, Data) else Data(test=data)
    source = given.train if given.test is None else given.test
    kind = kind_of(source)
    if kind == "dataset":
        yield _unread(source, given, who)
    else:
        _check_order(source, who)
        yield from _in_turn(source, kind == "stream", given, who)


class _Unread(BackendArray):
    """The samples of a dataset as an array; only those asked for are read."""

    def __init__(self, read: Callable[[int], np.ndarray], n: int, first: np.ndarray, who: str) -> None:
        self.read, self.who = read, who
        self.shape, self.dtype = (n, *first.shape), first.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        first = key[0]
        if isinstance(first, slice):
            wanted = range(self.shape[0])[first]
            found = (
                np.stack([self._one(k) for k in wanted]) if len(wanted) else np.empty((0, *self.shape[1:]), self.dtype)
            )
            return np.asarray(found[(slice(None), *key[1:])])
        return np.asarray(self._one(int(first))[key[1:]])

    def _one(self, index: int) -> np.ndarray:
        values = self.read(index)
        if values.shape != self.shape[1:]:
            raise InputError(
                f"{self.who}: stimulus {index} has the shape {values.shape}, the first {self.shape[1:]}; give them one "
                "shape in the dataset, as by transform=."
            )
        if not np.isfinite(values).all():
            raise InputError(f"{self.who}: stimulus {index} holds values that are NaN or infinite.")
        return values.astype(self.dtype, copy=False)


def _values(sample: object, keys: Keys | None, who: str) -> np.ndarray:
    return intensities_of(parted(sample, keys, who)[0], who).numpy()


def _unread(dataset: Any, given: Data, who: str) -> xr.DataArray:
    if len(dataset) == 0:
        raise InputError(f"{who}: the dataset holds no stimuli.")

    def read(index: int) -> np.ndarray:
        return _values(dataset[index], given.keys, who)

    return _array(read, _labels_of(dataset), given.is_sequence, who)


def _of_task(task: Any, who: str) -> xr.DataArray:
    """Return the test stimuli of a task that are read one by one."""
    places = task.places("test", 0, 0)

    def read(index: int) -> np.ndarray:
        values = tensor_of(task.sample("test", int(places[index]), 0, 0)[0], who)
        return (values.float() / 255 if values.dtype == torch.uint8 else values).numpy()

    names = [task.categories[k] for k in task.labels[places]]
    labels = as_stimuli(np.zeros((len(places), 1)), ids=task.ids[places].tolist(), coords={"category": names})
    return _array(read, labels, task.is_sequence, who)


def _array(read: Callable[[int], np.ndarray], labels: xr.DataArray, is_sequence: bool, who: str) -> xr.DataArray:
    unread = _Unread(read, len(labels), read(0), who)
    lazy = indexing.LazilyIndexedArray(unread)
    return xr.DataArray(xr.Variable(_dims(unread.shape, is_sequence, who), lazy), coords=_along_stimuli(labels))


def _along_stimuli(labels: xr.DataArray) -> dict[str, Any]:
    return {str(k): v.variable for k, v in labels.coords.items() if v.dims == ("stimulus",)}


def _in_turn(source: Any, of_samples: bool, given: Data, who: str) -> Iterator[xr.DataArray]:
    """Yield the stimuli of a loader, or of an iterable of samples or batches, some at a time."""
    n_before = 0
    parts: list[Tensor] = []
    names: list[str | None] = []
    known = _known(source)
    batches = _gathered(source) if of_samples else source
    for batch in batches:
        if of_samples:
            parts.append(stacked([intensities_of(parted(s, given.keys, who)[0], who) for s in batch], who))
            names += [id_of(s) for s in batch]
        else:
            parts.append(batch_of(parted(batch, given.keys, who)[0], who))
            names += _names_of(batch, len(parts[-1]))
        if len(names) >= AT_ONCE:
            yield _labelled(parts, names, n_before, given, known, who)
            n_before += len(names)
            parts, names = [], []
    if parts:
        yield _labelled(parts, names, n_before, given, known, who)
    elif not n_before:
        raise InputError(f"{who}: the data hold no stimuli.")


def _gathered(samples: Any) -> Iterator[list[Any]]:
    waiting: list[Any] = []
    for sample in samples:
        waiting.append(sample)
        if len(waiting) == 64:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _names_of(batch: object, n: int) -> list[str | None]:
    found = next((v for k, v in batch.items() if str(k).lower() in NAMES), None) if isinstance(batch, Mapping) else None
    if found is None or len(found) != n:
        return [None] * n
    return [str(v.item() if hasattr(v, "item") else v) for v in found]


def _labelled(
    parts: list[Tensor], names: list[str | None], n_before: int, given: Data, known: xr.DataArray | None, who: str
) -> xr.DataArray:
    values = np.concatenate([p.numpy() for p in parts])
    dims, place = _dims(values.shape, given.is_sequence, who), slice(n_before, n_before + len(values))
    scale = 1 if {"y", "x"} <= set(dims) else None
    if known is not None and None in names:
        here = known.isel(stimulus=place)
        found = as_stimuli(values, dims=dims, ids=here.stimulus.values.tolist(), scale=scale)
        return found.assign_coords(_along_stimuli(here))
    ids = [f"stimulus_{n_before + k}" if name is None else name for k, name in enumerate(names)]
    return as_stimuli(values, dims=dims, ids=ids, scale=scale)


def _known(source: object) -> xr.DataArray | None:
    """Return the labels of the stimuli of a loader that goes through its dataset in order."""
    if not isinstance(source, DataLoader) or type(source.sampler).__name__ != "SequentialSampler":
        return None
    return _labels_of(source.dataset, may_read=False)


def _labels_of(dataset: Any, may_read: bool = True) -> xr.DataArray:
    return as_stimuli(np.zeros((len(dataset), 1)), ids=_ids(dataset, may_read), coords=_categories(dataset))


def _dims(shape: tuple[int, ...], is_sequence: bool, who: str) -> tuple[str, ...]:
    if is_sequence:
        known = {3: ("stimulus", "time", "unit"), 4: ("stimulus", "time", "y", "x")}
        known |= {5: ("stimulus", "time", "channel", "y", "x")}
    else:
        known = {2: ("stimulus", "unit"), 3: ("stimulus", "y", "x")}
        if len(shape) == 4:
            return picture_dims(shape, None, who) or ()
    if len(shape) not in known:
        raise InputError(f"{who}: samples of shape {shape[1:]} are neither units, pictures nor sequences of these.")
    return known[len(shape)]


def _check_order(source: object, who: str) -> None:
    """Refuse a loader that shuffles, and whose stimuli nothing names: nobody could tell which answer is whose."""
    if not isinstance(source, DataLoader):
        return
    sampler = type(getattr(source, "sampler", None)).__name__
    if sampler in ("SequentialSampler", "_InfiniteConstantSampler") and source.batch_size is not None:
        return
    first = next(iter(source), None)
    if _names_of(first, 1)[0] is None and (not isinstance(first, Mapping) or not _has_names(first)):
        raise InputError(
            f"{who}: the loader gives its stimuli in an order of its own ({sampler}), and they have no name; pass its "
            "dataset, or shuffle=False."
        )


def _has_names(batch: Mapping[Any, Any]) -> bool:
    return any(str(k).lower() in NAMES for k in batch)


def _ids(dataset: Any, may_read: bool) -> list[str] | None:
    """Return the names of the stimuli of a dataset: paths or a column of ids, or what samples with names are called.

    Only where nothing else names them, and the first sample has a name, all are read once for theirs.
    """
    if isinstance(dataset, Subset):
        inner = _ids(dataset.dataset, may_read=False)
        if inner is not None:
            return [inner[k] for k in dataset.indices]
    if (paths := _paths(dataset)) is not None:
        return paths
    columns = getattr(dataset, "column_names", None)
    if isinstance(columns, list):
        named = [c for c in columns if c.lower() in NAMES]
        return [str(v) for v in dataset[named[0]]] if named else None
    with RandomApart(0).entered():
        if not may_read or len(dataset) == 0 or id_of(dataset[0]) is None:
            return None
        found = [id_of(dataset[k]) for k in range(len(dataset))]
    return [str(name) for name in found] if None not in found else None


def _paths(dataset: Any) -> list[str] | None:
    """Return the paths that a dataset keeps in ``samples``, as those of torchvision do; inside its ``root``."""
    samples, root = getattr(dataset, "samples", None), getattr(dataset, "root", None)
    if not isinstance(samples, list) or not samples or len(samples) != len(dataset):
        return None
    paths = [s[0] if isinstance(s, list | tuple) and s else s for s in samples]
    if not all(isinstance(p, str | Path) for p in paths):
        return None
    if root is not None and all(Path(p).is_relative_to(root) for p in paths):
        return [Path(p).relative_to(root).as_posix() for p in paths]
    named = [Path(p).as_posix() for p in paths]
    return named if len(set(named)) == len(named) else None


def _categories(dataset: Any) -> dict[str, list[str]] | None:
    """Return the names of the categories, where they are known without reading the stimuli: of folders, of a column."""
    if isinstance(dataset, Subset):
        inner = _categories(dataset.dataset)
        return None if inner is None else {k: [names[i] for i in dataset.indices] for k, names in inner.items()}
    targets, classes = getattr(dataset, "targets", None), getattr(dataset, "classes", None)
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        named = [c for c, f in features.items() if isinstance(getattr(f, "names", None), list)]
        return {"category": [features[named[0]].names[int(k)] for k in dataset[named[0]]]} if len(named) == 1 else None
    if isinstance(targets, list) and isinstance(classes, list) and len(targets) == len(dataset):
        return {"category": [str(classes[k]) for k in targets]}
    return None
