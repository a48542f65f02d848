"""What feeds a network: the batches of a part, made where that is cheap, and brought to the device ahead of their use.

Three kinds of data are told apart by what they have. Data read one by one (``places`` and ``sample``) are read,
decoded and augmented by worker processes, each stimulus from random numbers of (seed, epoch, stimulus): starting at
batch k costs nothing, a process reads only its share, and the number of workers changes no byte. Loaders of somebody's
(``loaders``) keep their batches; they start every epoch from random numbers of (seed, epoch), and starting at batch k
passes over k batches. All else gives its batches as arrays.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from neurosim.networks.computing import Runtime
from neurosim.networks.distributed import Share
from neurosim.networks.samples import batch_of, native, parted, stacked, tensor_of
from neurosim.runtime import RandomApart, seed_everything, seed_of
from neurosim.schema import InputError

if TYPE_CHECKING:
    from neurosim.networks.asked import Task

Part = Literal["train", "test", "validation"]
Wanted = tuple[Part, int, int, int]  # part, epoch, seed, stimulus


@dataclass(frozen=True)
class Portion:
    """A share of a batch, on the device: inputs (time first where they have it), and what is right.

    `n_all` stimuli are in the whole batch; one that is not used holds none, as it is too small for all processes.
    `whole` are the inputs as the data gave them, where the first process is given the same again.
    """

    inputs: Tensor
    targets: tuple[Tensor, ...]
    n_all: int
    is_used: bool = True
    whole: Tensor | None = None


class Feeder:
    """The batches of a task.

    Parameters
    ----------
    task : as ``train`` takes it. batch_size : stimuli of all processes. seed : of order and augmentation.
    share : which process this is. runtime : how many workers read. least : smaller batches are left out.
    """

    def __init__(
        self,
        task: Any,
        batch_size: int,
        seed: int,
        share: Share | None = None,
        runtime: Runtime | None = None,
        least: int = 1,
    ) -> None:
        self.task, self.batch_size, self.seed = task, batch_size, seed
        self.share, self.runtime = share or Share(), runtime or Runtime()
        self.least = max(least, self.share.size)
        self.plan = _Plan()
        self.reader: DataLoader[Any] | None = None

    def batches(
        self, part: Part, epoch: int = 0, start: int = 0, *, size: int | None = None, taken: str = ""
    ) -> Iterator[Portion]:
        """Yield the batches of a part from batch `start` on, of `size` stimuli where it is another than in training.

        `taken` is the digest of the batch before `start`, where it is known.
        """
        share = self.share if part == "train" else Share(device=self.share.device)
        found = self._found(part, epoch, start, share, taken, size or self.batch_size)
        if self.share.device.startswith("cuda"):
            yield from _ahead(found, partial(self._moved, part), self.share.device)
        else:
            yield from (self._moved(part, portion) for portion in found)

    def _found(self, part: Part, epoch: int, start: int, share: Share, taken: str, size: int) -> Iterator[Portion]:
        places = places_of(self.task, part, epoch, self.seed)
        if places is not None:
            if not taken:
                return self._read(part, epoch, places, start, share, size)
            return self._read_on(part, epoch, places, start, share, taken)
        if (loader := loader_of(self.task, part)) is not None:
            return self._replayed(loader, part, epoch, start, share, taken)
        return self._given(part, epoch, start, share, size)

    def _read(
        self, part: Part, epoch: int, places: np.ndarray, start: int, share: Share, size: int
    ) -> Iterator[Portion]:
        """Yield batches of stimuli that are read one by one."""
        every = [places[k : k + size] for k in range(start * size, len(places), size)]
        used = [len(b) >= (self.least if part == "train" else 1) for b in every]
        self.plan.batches = [
            [(part, epoch, self.seed, int(k)) for k in batch[share.rank :: share.size]]
            for batch, is_used in zip(every, used, strict=True)
            if is_used
        ]
        if self.reader is None:
            self.reader = _reader(self.task, self.plan, self.runtime, pin=self.share.device.startswith("cuda"))
        apart = RandomApart(0)
        with apart.entered():
            batches = iter(self.reader)
        for whole, is_used in zip(every, used, strict=True):
            if not is_used:
                yield _left_out(len(whole))
                continue
            with apart.entered():
                found = next(batches)
            if isinstance(found, Exception):
                raise found
            yield Portion(found[0], found[1], len(whole), whole=found[0])

    def _read_on(
        self, part: Part, epoch: int, places: np.ndarray, start: int, share: Share, taken: str
    ) -> Iterator[Portion]:
        """Yield batches as `_read` does, when the one before `start` is the one that was learned."""
        found = self._read(part, epoch, places, start - 1, share, self.batch_size)
        before = next(found)
        if share.is_first and before.whole is not None:
            _check_same(digest_of(before.whole), taken)
        yield from found

    def _replayed(self, loader: Any, part: Part, epoch: int, start: int, share: Share, taken: str) -> Iterator[Portion]:
        """Yield the batches of a loader of somebody's; those before `start` are passed over."""
        apart, shares = RandomApart(seed_of(self.seed, "loader", part, epoch)), _shares(loader)
        generators = [(g, g.get_state()) for g in _generators(loader)]
        limit = getattr(self.task, "n_given", {}).get(part)
        try:
            with apart.entered():
                for k, (generator, _) in enumerate(generators):
                    generator.manual_seed(seed_of(self.seed, "loader", part, epoch, k))
                for sampler in (getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
                    if sampler is not None and hasattr(sampler, "set_epoch"):
                        sampler.set_epoch(epoch)
                batches = iter(loader)
            for index in itertools.count() if limit is None else range(limit):
                with apart.entered():
                    batch = next(batches, None)
                if batch is None:
                    return
                if index < start - 1:
                    continue
                inputs, targets = self.task.taken_apart(batch, loader)
                if index < start:
                    _check_same(digest_of(inputs), taken)
                    continue
                n_all = len(inputs) * (share.size if shares else 1)
                if n_all < (self.least if part == "train" else 1):
                    yield _left_out(n_all)
                else:
                    own = Portion(inputs, targets, n_all)
                    yield own if shares else Portion(share.of(inputs), share.of(targets), n_all, whole=inputs)
        finally:
            for generator, state in generators:
                generator.set_state(state)

    def _given(self, part: Part, epoch: int, start: int, share: Share, size: int) -> Iterator[Portion]:
        """Yield the batches that a task gives as arrays."""
        for inputs, targets in arrays_of(self.task, part, epoch, size, self.seed, start):
            n_all = len(inputs)
            if part == "train" and n_all < self.least:
                yield _left_out(n_all)
            else:
                yield Portion(_tensor(share.of(inputs)), _tensors(share.of(targets)), n_all)

    def _moved(self, part: Part, portion: Portion) -> Portion:
        """Return a portion on the device; what it holds is its own, whatever is written into it."""
        if not portion.is_used:
            return portion
        where, is_sequence = self.share.device, bool(self.task.is_sequence)
        is_scaled = portion.inputs.dtype == torch.uint8 and part in getattr(self.task, "scaled", ())
        inputs = _sendable(portion.inputs, where).to(where, non_blocking=True, copy=not is_scaled)
        if is_scaled:
            inputs = inputs.float().div_(255)
        targets = tuple(_sendable(t, where).to(where, non_blocking=True) for t in portion.targets)
        if self.runtime.channels_last and inputs.ndim == 4 and not is_sequence:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return replace(portion, inputs=inputs.transpose(0, 1) if is_sequence else inputs, targets=targets)


def first_batch(task: Task, part: Part, batch_size: int, seed: int, device: str = "cpu") -> Portion | None:
    """Return the first batch of a part as a whole, or None where there is none."""
    return next(iter(Feeder(task, batch_size, seed, Share(device=device)).batches(part)), None)


def gives_others(task: Task, batch_size: int, seed: int) -> bool:
    """Whether the first batch of training is another when it is read anew from the same random numbers."""
    read = [first_batch(task, "train", batch_size, seed) for _ in range(2)]
    return len({digest_of(portion.inputs) for portion in read if portion is not None}) > 1


def places_of(task: Task, part: Part, epoch: int = 0, seed: int = 0) -> np.ndarray | None:
    """Return the order of the stimuli of a part that are read one by one; None where they are not."""
    asked = getattr(task, "places", None)
    return None if asked is None else asked(part, epoch, seed)


def loader_of(task: Task, part: Part) -> Any:
    """Return the loader of somebody's that gives a part, or None."""
    return getattr(task, "loaders", {}).get(part)


def arrays_of(task: Task, part: Part, epoch: int, batch_size: int, seed: int, start: int = 0) -> Iterator[Any]:
    """Return the batches of a part as the task itself makes them."""
    if part == "train":
        return iter(task.batches(epoch, batch_size, seed, start))
    return iter(task.test_batches(batch_size, seed) if part == "test" else task.validation_batches(batch_size, seed))


def digest_of(inputs: Tensor) -> str:
    """Return a short digest of the inputs of a batch, by which it is known again."""
    values = np.ascontiguousarray(inputs.detach().cpu().numpy())
    return hashlib.sha256(f"{values.dtype} {values.shape}".encode() + values.tobytes()).hexdigest()[:16]


def _check_same(found: str, taken: str) -> None:
    if taken and found != taken:
        raise InputError(
            "train: the data or the loader gives other batches than when the checkpoint was written, so that training "
            "cannot go on; give samplers, transforms and datasets no random numbers but of torch, numpy or random."
        )


class _Plan:
    """Which stimuli are read, batch by batch: set anew for every pass, so that workers live through all of them."""

    def __init__(self) -> None:
        self.batches: list[list[Wanted]] = []

    def __iter__(self) -> Iterator[list[Wanted]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Stimuli(Dataset[Any]):
    """The stimuli of a task, each from random numbers of its own."""

    def __init__(self, task: Any) -> None:
        self.task = task

    def __getitem__(self, wanted: Wanted) -> Any:
        part, epoch, seed, index = wanted
        seed_everything(seed_of(seed, "sample", part, epoch, index))
        try:
            inputs, target = self.task.sample(part, index, epoch, seed)
            return tensor_of(inputs, "train"), tensor_of(target, "train")
        except InputError as error:  # said in one line by the process that trains
            return error


def _together(samples: Sequence[Any]) -> Any:
    failed = next((s for s in samples if isinstance(s, Exception)), None)
    if failed is not None:
        return failed
    try:
        return stacked([s[0] for s in samples], "train"), (stacked([s[1] for s in samples], "train"),)
    except InputError as error:
        return error


def _reader(task: Task, plan: _Plan, runtime: Runtime, pin: bool) -> DataLoader[Any]:
    ahead: dict[str, Any] = {}
    if runtime.workers:
        ahead = {"prefetch_factor": runtime.prefetch, "persistent_workers": True}
    return DataLoader(
        _Stimuli(task),
        batch_sampler=plan,
        num_workers=runtime.workers,
        collate_fn=_together,
        pin_memory=pin,
        **ahead,
    )


def _ahead(found: Iterator[Portion], moved: Callable[[Portion], Portion], device: str) -> Iterator[Portion]:
    """Yield portions while the next one is on its way to the GPU, on a stream of its own."""
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    waiting: tuple[Portion, Any] | None = None
    for portion in found:
        with torch.cuda.stream(stream):
            sent = moved(portion), stream.record_event()
        if waiting is not None:
            yield _arrived(*waiting, device)
        waiting = sent
    if waiting is not None:
        yield _arrived(*waiting, device)


def _sendable(tensor: Tensor, where: str) -> Tensor:
    """Return a tensor that a GPU fetches by itself: in memory that stays where it is, as workers' batches are."""
    is_here = tensor.device.type == "cpu" and where.startswith("cuda")
    return tensor.pin_memory() if is_here and not tensor.is_pinned() else tensor


def _arrived(portion: Portion, event: Any, device: str) -> Portion:
    """Let the stream that computes on the GPU wait for a portion, and keep its memory until it was used there."""
    now = torch.cuda.current_stream(device)
    now.wait_event(event)
    for tensor in (portion.inputs, *portion.targets):
        if tensor.is_cuda:
            tensor.record_stream(now)
    return portion


def _left_out(n_all: int) -> Portion:
    return Portion(torch.empty(0), (), n_all, is_used=False)


def _shares(loader: Any) -> bool:
    """Whether the sampler of a loader gives every process its own share already."""
    samplers = (getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None))
    return any(hasattr(s, "num_replicas") for s in samplers)


def _generators(loader: Any) -> list[torch.Generator]:
    """Return the generators that a loader and its samplers draw from."""
    batched = getattr(loader, "batch_sampler", None)
    owners = (loader, getattr(loader, "sampler", None), batched, getattr(batched, "sampler", None))
    found = [getattr(owner, "generator", None) for owner in owners]
    return list({id(g): g for g in found if isinstance(g, torch.Generator)}.values())


def _tensor(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(native(values))


def _tensors(targets: Any) -> tuple[Tensor, ...]:
    return tuple(_tensor(t) for t in (targets if isinstance(targets, tuple) else (targets,)))


def taken_apart(batch: Any, keys: Any, who: str, holder: str) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return inputs and targets of a batch of somebody's.

    Raises
    ------
    InputError : without labels, parts that are not told apart, or that are no numbers.
    """
    inputs, targets = parted(batch, keys, who)
    if targets is None:
        raise InputError(
            f"{who}: batches (inputs, labels) are asked, found {holder} of {type(inputs).__name__} without labels."
        )
    shown, right = batch_of(inputs, who), batch_of(targets, who)
    if shown.ndim == 0 or right.ndim == 0 or len(shown) != len(right):
        raise InputError(
            f"{who}: batches of inputs {tuple(shown.shape)} and labels {tuple(right.shape)}; one label each is asked."
        )
    return shown, (right,)
