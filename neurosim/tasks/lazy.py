"""Tasks whose stimuli are read while they are learned: folders of pictures, netCDF, Zarr and npy files of any size.

Order, transforms and augmentations are functions of (seed, epoch, stimulus), so that a training goes on at any batch
without reading those before, whoever reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.arrays import is_missing
from neurosim.runtime import RandomApart, as_seed, seed_of, stream
from neurosim.schema import InputError, as_stimuli
from neurosim.showing import shown
from neurosim.splits import held_back, in_turn
from neurosim.tasks.classification import Augmentation, Batch, Encoder
from neurosim.tasks.rows import ArrayRows, Joined, PictureView, Rows, View, array_rows, folder_rows

Part = Literal["train", "test", "validation"]


@shown
@dataclass(frozen=True)
class LazyTask:
    """Name the category of stimuli that stay in their files until they are shown.

    Parameters
    ----------
    rows : the stimuli. ids : their names. labels : index of the category of each. categories : their names.
    parts : places of the stimuli of "train", "test" and, where there is one, "validation".
    view : what is made of a stimulus that is read, as transforms of pictures.
    augment, encode : as of :class:`~neurosim.tasks.classification.ClassificationTask`, asked with
        one stimulus at a time.
    """

    rows: Rows
    ids: np.ndarray
    labels: np.ndarray
    categories: tuple[str, ...]
    parts: dict[str, np.ndarray]
    view: View
    augment: Augmentation | None = None
    encode: Encoder | None = None

    scaled = ("train", "test", "validation")  # bytes of these parts are intensities, divided by 255 on the device

    def with_encoder(self, encode: Encoder) -> LazyTask:
        """Return the same task with stimuli encoded as spikes."""
        return replace(self, encode=encode)

    def with_augmentation(self, augment: Augmentation) -> LazyTask:
        """Return the same task with training inputs changed at random, newly in every epoch."""
        return replace(self, augment=augment)

    @property
    def is_sequence(self) -> bool:
        """Whether inputs are sequences (batch, time, ...)."""
        return self.encode is not None or self.rows.is_sequence

    @property
    def time_step(self) -> float | None:
        """Duration of a step, s; None where inputs have no time of their own."""
        return self.rows.time_step if self.encode is None else None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one stimulus before it is encoded, such as (channel,) y, x; the first is read for that."""
        return tuple(self._raw("test", int(self.parts["test"][0]), 0, 0).shape)

    @property
    def sizes(self) -> dict[str, int]:
        """Sizes of one stimulus by dim, before it is encoded."""
        return dict(zip(self.rows.dims, self.image_shape, strict=True))

    def some(self, part: Part, n: int) -> xr.DataArray:
        """Return `n` stimuli of a part as tests show them, categories taking turns, in the order of the part."""
        chosen = self.parts[part]
        category = np.array(self.categories)[self.labels[chosen]]
        chosen = chosen[np.sort(in_turn(category, n))]
        values = np.stack([_floats(np.asarray(self._raw("test", int(place), 0, 0))) for place in chosen])
        names = np.array(self.categories)[self.labels[chosen]]
        return as_stimuli(
            values, dims=("stimulus", *self.sizes), ids=self.ids[chosen].tolist(), coords={"category": names}
        )

    @property
    def n_test(self) -> int:
        """Number of test stimuli."""
        return len(self.parts["test"])

    def places(self, part: Part, epoch: int, seed: int) -> np.ndarray | None:
        """Return the stimuli of a part in the order of an epoch: shuffled for training, else as they are."""
        if part not in self.parts:
            return np.zeros(0, dtype=np.int64)
        found = self.parts[part]
        return stream(seed, "batches", epoch).permutation(found) if part == "train" else found

    def sample(self, part: Part, place: int, epoch: int, seed: int) -> tuple[Any, int]:
        """Return one stimulus as a part shows it in an epoch, and its label."""
        values = self._raw(part, place, epoch, seed)
        if self.augment is not None and part == "train":
            rng = stream(seed, "augment", epoch, place)
            values = np.asarray(self.augment(_floats(values)[None], rng), dtype=np.float32)[0]
        if self.encode is not None:
            rng = stream(seed, "encode", part, epoch, place)
            values = self.encode(_floats(values).reshape(1, -1), rng)[0]
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"{self.ids[place]}: holds values that are NaN or infinite.")
        return values, int(self.labels[place])

    def _raw(self, part: Part, place: int, epoch: int, seed: int) -> Any:
        draw = partial(stream, seed, "view", epoch, place)
        return self.rows.read(place, self.view.transform(part == "train", draw))

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches in one pass over the training set."""
        return -(-len(self.parts["train"]) // batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Yield shuffled (inputs, labels) of one epoch from batch `start` on; those before are not read."""
        return self._batches("train", epoch, batch_size, seed, start)

    def test_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (inputs, labels) of the test set in order."""
        return self._batches("test", 0, batch_size, seed)

    def validation_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
        """Yield (inputs, labels) of the validation set in order; nothing where there is none."""
        return self._batches("validation", 0, batch_size, seed)

    def _batches(self, part: Part, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        places = self.places(part, epoch, seed)
        assert places is not None
        for k in range(start * batch_size, len(places), batch_size):
            chosen = [self._shown(part, int(place), epoch, seed) for place in places[k : k + batch_size]]
            yield np.stack([x for x, _ in chosen]), np.array([y for _, y in chosen], dtype=np.int64)

    def _shown(self, part: Part, place: int, epoch: int, seed: int) -> tuple[np.ndarray, int]:
        with RandomApart(seed_of(seed, "sample", part, epoch, place)).entered():
            values, label = self.sample(part, place, epoch, seed)
        return _floats(np.asarray(values)), label

    def identity(self) -> list[Any]:
        """Return what tells the task from others: names, labels, split, transforms, and what some stimuli hold."""
        about = [self.rows.identity(), self.ids, self.labels, list(self.categories), sorted(self.parts.items())]
        return [*about, self.view, self.augment, self.encode]


def lazy_task(
    path: str | Path,
    *,
    test: str | Path | None = None,
    labels: Sequence[str] | None = None,
    view: PictureView | None = None,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    rng: np.random.Generator | int = 0,
) -> LazyTask:
    """Make a classification task of stimuli that stay in their files: memory does not grow with their number.

    Parameters
    ----------
    path : a folder of one folder a category (the ``ImageFolder`` layout); or a ``.nc``, ``.zarr`` or ``.npy`` file of
        stimuli (stimulus, ...), with ``category`` along ``stimulus`` where the file can say it.
    test : folder or file of the held-back stimuli; when absent, `test_fraction` of every category is held back.
    labels : category of each stimulus, for files that do not say it.
    view : how pictures become inputs; by default the shorter side is 256 pixels and the middle 224 are taken.
    test_fraction, validation_fraction : share of each category that is held back, or watched.
    rng : seed of the splits, or generator from which one is drawn.

    Returns
    -------
    a task whose parts share no stimulus; ``train(..., runtime=Runtime(workers=n))`` reads it by `n` processes. Pictures
    are intensities in 0..1 unless a transform of the view says otherwise.

    Raises
    ------
    InputError : no category, fewer than two, a category without training stimuli, files of other dims.
    StorageError : a missing or damaged file.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as place:
    ...     for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
    ...         Path(place, name).parent.mkdir(exist_ok=True)
    ...         Image.new("RGB", (9, 8)).save(Path(place, name))
    ...     task = ns.tasks.lazy_task(place, view=ns.tasks.PictureView(size=8, crop=6), test_fraction=0.5)
    ...     inputs, names = next(task.batches(0, 2, seed=1))
    >>> inputs.shape, task.categories
    ((2, 3, 6, 6), ('cat', 'dog'))
    """
    view, seed = view or PictureView(), as_seed(rng, "lazy_task")
    rows, ids, names = _rows(path, view, labels)
    if test is not None:
        other, other_ids, other_names = _rows(test, view, None)
        if isinstance(rows, ArrayRows) and isinstance(other, ArrayRows) and rows.dims != other.dims:
            raise InputError(f"lazy_task: test stimuli have the dims {other.dims}, those to train on {rows.dims}.")
        held = {"test": len(rows) + np.arange(len(other))}
        rows, ids, names = Joined((rows, other)), [*ids, *other_ids], [*names, *other_names]
    else:
        held = {}
    return split_task(rows, ids, names, view, held, (test_fraction, validation_fraction), seed, "lazy_task")


def split_task(
    rows: Rows,
    ids: Sequence[str],
    names: list[str],
    view: View,
    held: Mapping[str, np.ndarray],
    fractions: tuple[float, float],
    seed: int,
    who: str,
) -> LazyTask:
    """Return the task of rows with these names and categories.

    Parameters
    ----------
    rows, ids, names, view : stimuli, their names, their categories, and what is made of each.
    held : places of "test" and "validation" where they are given. fractions : shares of those that are drawn.
    seed : of the splits. who : asks, for errors.

    Raises
    ------
    InputError : a share that is none, fewer than two categories, one without training stimuli.
    """
    kept, parts = np.setdiff1d(np.arange(len(rows)), np.concatenate([*held.values(), []])), dict(held)
    if "test" not in held:
        kept, parts["test"] = _split(kept, names, fractions[0], stream(seed, "split"), f"{who}: test_fraction")
    if "validation" not in held and fractions[1]:
        rng = stream(seed, "validation split")
        kept, parts["validation"] = _split(kept, names, fractions[1], rng, f"{who}: validation_fraction")
    parts["train"] = kept
    return task_of_rows(rows, ids, names, parts, view, who)


def task_of_rows(
    rows: Rows,
    ids: Sequence[str],
    names: Sequence[str],
    parts: dict[str, np.ndarray],
    view: View | None = None,
    who: str = "lazy_task",
) -> LazyTask:
    """Return the task of naming the category of stimuli that are read one by one.

    Parameters
    ----------
    rows : the stimuli. ids, names : of each, and of its category. parts : as of :class:`LazyTask`.
    view : what is made of a stimulus that is read; nothing when absent. who : asks, for errors.

    Raises
    ------
    InputError : fewer than two categories, or one without training stimuli.
    """
    categories = tuple(sorted({names[k] for k in parts["train"]}))
    empty = sorted({names[k] for part in parts.values() for k in part} - set(categories))
    if empty or len(categories) < 2:
        raise InputError(
            f"{who}: at least two categories with training stimuli are asked, found {list(categories)[:5]}; "
            f"without any: {empty[:5]}."
        )
    index = {name: k for k, name in enumerate(categories)}
    labels = np.array([index.get(n, -1) for n in names])
    return LazyTask(rows, np.array(ids), labels, categories, parts, view or PictureView())


def _rows(path: str | Path, view: PictureView, labels: Sequence[str] | None) -> tuple[Rows, list[str], list[str]]:
    """Return the stimuli of a folder or file, their names, and their categories."""
    place = storage.as_path(path, "lazy_task")
    if place.suffix.lower() not in (".nc", ".zarr", ".npy"):
        if not storage.is_folder(place):
            raise InputError(f"lazy_task: {place} is neither a folder of pictures nor a .nc, .zarr or .npy file.")
        if labels is not None:
            raise InputError("lazy_task: labels= is for files; the folders of pictures name their categories.")
        pictures, names = folder_rows(place, view)
        return pictures, pictures.names.tolist(), names
    rows = array_rows(place)
    if view.size != PictureView().size or view.crop != PictureView().crop:
        raise InputError("lazy_task: size and crop of the view are for folders; arrays are taken in their size.")
    coords = {} if place.suffix.lower() == ".npy" else _coords(place)
    found = coords.get("category") if labels is None else [str(v) for v in labels]
    if found is None or len(found) != len(rows):
        raise InputError(
            f"lazy_task: {place.name} holds {len(rows)} stimuli and {0 if found is None else len(found)} categories; "
            "pass labels=."
        )
    return rows, coords.get("stimulus") or [f"stimulus_{k}" for k in range(len(rows))], found


def _coords(path: Path) -> dict[str, list[str]]:
    opened = storage.open_dataset(path)
    found = {}
    for name in ("category", "stimulus"):
        if name in opened.coords:
            values = opened[name].values
            if any(is_missing(v) for v in values.ravel()):
                raise InputError(f"lazy_task: a stimulus of {path.name} has no {name} (NaN).")
            found[name] = values.astype(str).tolist()
    return found


def _split(
    kept: np.ndarray, names: list[str], fraction: float, rng: np.random.Generator, option: str
) -> tuple[np.ndarray, np.ndarray]:
    if not 0 < fraction < 1:
        raise InputError(f"{option} = {fraction!r}; a share between 0 and 1 is asked.")
    labels = {"category": ("stimulus", [names[k] for k in kept])}
    learned, held = held_back(xr.DataArray(kept, dims="stimulus", coords=labels), fraction, rng)
    return learned.values, held.values


def _floats(values: np.ndarray) -> np.ndarray:
    """Return inputs as floats; bytes of pictures as intensities."""
    values = np.asarray(values)
    scaled = values.astype(np.float32) / np.float32(255) if values.dtype == np.uint8 else values
    return np.ascontiguousarray(scaled, dtype=np.float32)
