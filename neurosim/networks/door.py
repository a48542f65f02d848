"""The door for data of somebody's: loaders, datasets and iterables become what is trained, tested and recorded with.

What came is told apart by its structure alone: a loader gives batches; a dataset with a length and an index gives
stimuli, read one by one; an iterable dataset gives stimuli in its own order, and other iterables give batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from neurosim.networks.asked import Task
from neurosim.networks.axes import step_of_both
from neurosim.networks.feeding import Feeder, Part, first_batch, taken_apart
from neurosim.networks.flags import check_module, kept_flags
from neurosim.networks.samples import Keys, intensities_of, parted, stacked
from neurosim.networks.stepwise import reset_neurons
from neurosim.pictures import is_picture
from neurosim.runtime import forked_random, stream
from neurosim.schema import InputError
from neurosim.showing import shown

PARTS: tuple[Part, ...] = ("train", "test", "validation")
ASKED = ("categories", "is_sequence", "n_batches", "batches", "test_batches", "validation_batches")


@shown
@dataclass(frozen=True)
class Data:
    """Data of one's own, as ``train`` and ``evaluate`` take them beside tasks.

    Each part is a ``torch.utils.data.DataLoader``, a dataset (map-style or iterable, one of Hugging Face, shards of
    WebDataset), or another iterable of batches that starts anew each time. A dataset alone is shuffled by (seed, epoch)
    and read one by one; a loader keeps its own batch size, workers and sampler. PIL images are intensities, their bytes
    divided by 255 on the device; bytes in tensors stay bytes. A ``WebLoader`` keeps its batches where it gives any.

    Parameters
    ----------
    train, test, validation : parts; each may be absent where nobody asks for it.
    categories : names of the categories; by default those that the dataset knows, else numbers.
    keys : which entries of a sample are shown, and which say what is right, as ("image", "label") or (0, 2).
    is_sequence : whether inputs are sequences (batch, time, ...); networks get them time first, (time, batch, ...).
    n_batches : batches an epoch, for an iterable that does not say; one without end is cut there.

    Raises
    ------
    InputError : no part at all, an iterator that can be used only once, or keys that are no pair.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> points = torch.utils.data.TensorDataset(torch.eye(4), torch.tensor([0, 1, 0, 1]))
    >>> data = ns.networks.Data(train=points, test=torch.utils.data.DataLoader(points, batch_size=2))
    >>> ns.train(nn.Linear(4, 2), data, ns.networks.TrainingOptions(epochs=2), progress=False).sizes["epoch"]
    2
    """

    train: Any = None
    test: Any = None
    validation: Any = None
    categories: Sequence[str] | None = None
    keys: Keys | None = None
    is_sequence: bool = False
    n_batches: int | None = None

    def __post_init__(self) -> None:
        given = {part: getattr(self, part) for part in PARTS if getattr(self, part) is not None}
        if not given:
            raise InputError("Data: no part is given; pass train=, test= or validation=.")
        for part, value in given.items():
            if kind_of(value) is None:
                raise InputError(
                    f"Data: {part} is a loader, a dataset or an iterable of batches, found {_named(value)}."
                )
        if self.keys is not None and (not isinstance(self.keys, tuple) or len(self.keys) != 2):
            raise InputError(f"Data: keys = {self.keys!r}; a pair is asked, as ('image', 'label').")


def kind_of(value: object) -> str | None:
    """Return what something is by its structure: "loader", "dataset", "stream" of samples, "batches", or None.

    >>> kind_of(torch.utils.data.TensorDataset(torch.eye(2))), kind_of(np.eye(2))
    ('dataset', None)
    """
    if isinstance(value, type | Mapping | str | bytes | Set) or hasattr(value, "__array__") or hasattr(value, "dims"):
        return None  # arrays, tensors and tables of any library are stimuli, or nothing that holds labels
    if isinstance(value, DataLoader):
        return "loader"
    if isinstance(value, IterableDataset):
        return "stream"
    if hasattr(value, "__getitem__") and hasattr(value, "__len__"):
        return "batches" if isinstance(value, list | tuple) else "dataset"
    if not hasattr(value, "__iter__"):
        return None
    if hasattr(value, "__next__"):
        raise InputError(
            f"Data: {_named(value)} is used up after one epoch; pass a dataset, a loader or what starts anew."
        )
    return "batches"


def is_data(value: object) -> bool:
    """Whether something is data of somebody's, and no task, array or labelled array."""
    if isinstance(value, Data):
        return True
    if isinstance(value, type | list | tuple) or all(hasattr(value, name) for name in ASKED):
        return False
    return kind_of(value) is not None


class BroughtTask:
    """Data of somebody's behind the methods that a task has."""

    def __init__(self, data: Data, batch_size: int, who: str) -> None:
        self.data, self.who = data, who
        self.is_sequence = data.is_sequence
        self.datasets: dict[str, Any] = {}
        self.loaders: dict[str, Any] = {}
        self.n_given = {"train": data.n_batches} if data.n_batches is not None else {}
        for part in PARTS:
            value = getattr(data, part)
            kind = None if value is None else kind_of(value)
            if kind == "dataset":
                self.datasets[part] = value
            elif kind == "stream" and not _is_batched(value, data.keys, who):
                self.loaders[part] = _batched(value, data.keys, batch_size, who)
            elif kind is not None:
                self.loaders[part] = value
        self.scaled = frozenset(part for part in self.datasets if self._gives_pictures(part))
        self.categories = tuple(data.categories) if data.categories is not None else _known_categories(data)

    def _gives_pictures(self, part: str) -> bool:
        """Whether samples hold PIL images, as the first one does; their bytes are scaled on the device."""
        dataset = self.datasets[part]
        return len(dataset) > 0 and is_picture(parted(dataset[0], self.data.keys, self.who)[0])

    def places(self, part: Part, epoch: int, seed: int) -> np.ndarray | None:
        """Return the order in which the stimuli of a part are read; None where a loader decides it, or none are."""
        if part not in self.datasets:
            return None
        n = len(self.datasets[part])
        return stream(seed, "batches", epoch).permutation(n) if part == "train" else np.arange(n)

    def sample(self, part: Part, index: int, _epoch: int, _seed: int) -> tuple[Any, Any]:
        """Return inputs and what is right of one stimulus."""
        inputs, target = parted(self.datasets[part][index], self.data.keys, self.who)
        if target is None:
            raise InputError(
                f"{self.who}: samples (inputs, label) are asked, found {_named(self.datasets[part])} of "
                f"{type(inputs).__name__} without labels."
            )
        return inputs, target

    def taken_apart(self, batch: object, loader: object) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return inputs and what is right of a batch of a loader."""
        keys = None if isinstance(loader, _Batches) else self.data.keys
        return taken_apart(batch, keys, self.who, _named(loader))

    def n_batches(self, batch_size: int) -> int:
        """Return the number of training batches an epoch."""
        found = self.n_batches_or_none(batch_size)
        if found is None:
            raise InputError(
                f"{self.who}: nothing says how many batches an epoch has, which the schedule of the learning rate "
                "needs; take schedule='constant', or Data(..., n_batches=)."
            )
        return found

    def n_batches_or_none(self, batch_size: int) -> int | None:
        """Return the number of training batches an epoch, None where an iterable does not say."""
        if "train" in self.datasets:
            return -(-len(self.datasets["train"]) // batch_size)
        if self.data.n_batches is not None:
            return self.data.n_batches
        try:
            return len(self.loaders["train"])
        except (KeyError, TypeError):
            return None

    def batches(self, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        """Yield the training batches of one epoch from batch `start` on, as arrays."""
        return self._arrays("train", epoch, batch_size, seed, start)

    def test_batches(self, batch_size: int, seed: int) -> Iterator[tuple[Any, Any]]:
        """Yield the test batches."""
        return self._arrays("test", 0, batch_size, seed)

    def validation_batches(self, batch_size: int, seed: int) -> Iterator[tuple[Any, Any]]:
        """Yield the validation batches, if there are any."""
        return self._arrays("validation", 0, batch_size, seed)

    def _arrays(self, part: Part, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        if part not in self.datasets and part not in self.loaders:
            return
        for portion in Feeder(self, batch_size, seed).batches(part, epoch, start):
            inputs = portion.inputs.transpose(0, 1) if self.is_sequence else portion.inputs
            yield inputs.numpy(), portion.targets[0].numpy()

    def identity(self) -> list[Any]:
        """Return what is known of the data without reading them: kinds, lengths, names, keys."""
        parts = {**self.datasets, **self.loaders}
        return [[part, _named(value), _length(value)] for part, value in sorted(parts.items())] + [
            list(self.categories), list(self.data.keys or ()), self.is_sequence, self.data.n_batches,
        ]  # fmt: skip


def as_task(data: Any, network: nn.Module, batch_size: int, who: str, part: Part | None = None) -> Task:
    """Return what ``train`` and ``evaluate`` were given as a task.

    What has no parts is the `part` that is asked for: by default that of training where `who` trains, else the test
    set. Data without names of categories get the numbers of the outputs that the network has.

    Raises
    ------
    InputError : neither a task nor data of somebody's, or data without labels.
    """
    if isinstance(data, Mapping):
        names = [part for part in PARTS if part in data]
        if names:
            parts = ", ".join(f"{part}=data[{part!r}]" for part in names)
            raise InputError(f"{who}: {_named(data)} holds parts by name; pass Data({parts}).")
        raise InputError(
            f"{who}: {_named(data)} of {[str(k) for k in data]} is no dataset of samples; pass arrays as "
            "TensorDataset(torch.as_tensor(images), torch.as_tensor(labels))."
        )
    if not is_data(data):
        check_task(who, data)
        task: Task = data
        step_of_both(getattr(task, "time_step", None), network, who)
        return task
    part = part or ("train" if who == "train" else "test")
    if not isinstance(data, Data):
        data = Data(**{part: data})
    if getattr(data, part) is None:
        raise InputError(f"{who}: Data(..., {part}=) is asked, and has no such part.")
    task = BroughtTask(data, batch_size, who)
    if not task.categories:
        task.categories = tuple(str(k) for k in range(_n_outputs(task, network, part, batch_size)))
    return task


def check_task(asker: str, task: object) -> None:
    """Refuse what is neither task nor data, such as an array."""
    if isinstance(task, type) or not all(hasattr(task, name) for name in ASKED):
        raise InputError(
            f"{asker}: a task is asked, as classification_task(as_stimuli(values, coords={{'category': labels}})) is, "
            f"or a DataLoader or Dataset, found {_named(task)}."
        )


def check_subject(asker: str, network: object, task: object) -> None:
    """Refuse what is no module, and what is no task."""
    check_module(asker, network)
    check_task(asker, task)


def _n_outputs(task: Any, network: nn.Module, part: Part, batch_size: int) -> int:
    """Return how many outputs the network has, seen with the first batch; 0 where they are no logits."""
    first = first_batch(task, part, batch_size, 0)
    if first is None:
        raise InputError(f"{task.who}: the data hold no stimuli.")
    where = next((p.device for p in network.parameters()), torch.device("cpu"))
    try:
        with kept_flags(network), forked_random(), torch.no_grad():
            reset_neurons(network)
            outputs = network.eval()(first.inputs.to(where))
    except Exception:  # said in one line where the first batch is checked
        return 0
    return outputs.shape[-1] if isinstance(outputs, Tensor) and outputs.ndim == 2 else 0


class _Batches(DataLoader[Any]):
    """An iterable of samples in batches (inputs, labels)."""


def _is_batched(data: Any, keys: Keys | None, who: str) -> bool:
    """Whether an iterable dataset that holds a loader, as WebDataset's ``WebLoader``, gives batches already."""
    if not any(isinstance(stage, DataLoader) for stage in getattr(data, "pipeline", ())):
        return False
    first = next(iter(data), None)
    right = None if first is None else parted(first, keys, who)[1]
    return getattr(right, "ndim", 0) > 0 or isinstance(right, list | tuple)


def _batched(data: Any, keys: Keys | None, batch_size: int, who: str) -> _Batches:
    """Return an iterable of samples in batches."""

    def together(samples: Sequence[Any]) -> tuple[Tensor, Tensor | None]:
        pairs = [parted(sample, keys, who) for sample in samples]
        if any(right is None for _, right in pairs):
            raise InputError(f"{who}: samples (inputs, label) are asked, found {_named(data)} without labels.")
        return tuple(stacked([intensities_of(pair[k], who) for pair in pairs], who) for k in (0, 1))  # type: ignore[return-value]

    return _Batches(data, batch_size=batch_size, collate_fn=together)


def _known_categories(data: Data) -> tuple[str, ...]:
    """Return the names that a dataset has for its labels: those of torchvision's folders, or of Hugging Face's."""
    for part in PARTS:
        dataset = getattr(data, part)
        dataset = getattr(dataset, "dataset", dataset)
        names = getattr(dataset, "classes", None)
        if isinstance(names, list | tuple) and all(isinstance(n, str) for n in names):
            return tuple(names)
        features = getattr(dataset, "features", None)
        known = [getattr(f, "names", None) for f in features.values()] if isinstance(features, Mapping) else []
        if len(found := [n for n in known if isinstance(n, list)]) == 1:
            return tuple(str(n) for n in found[0])
    return ()


def _named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _length(value: Any) -> int | None:
    try:
        return len(value)
    except TypeError:
        return None
