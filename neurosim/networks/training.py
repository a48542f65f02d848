"""Train a network on a task, seeded and deterministic, and report honest test accuracy."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from neurosim.networks import distributed
from neurosim.networks.asked import Request, Task
from neurosim.networks.batches import check_batch, check_options, check_request, check_sizes
from neurosim.networks.checkpoint import Learner, load_checkpoint, random_state, save_checkpoint
from neurosim.networks.computing import Runtime
from neurosim.networks.door import BroughtTask, Data, as_task
from neurosim.networks.feeding import Feeder, Part, Portion, digest_of, first_batch
from neurosim.networks.fingerprints import fingerprint_of, fingerprint_of_network, fingerprint_of_task
from neurosim.networks.flags import check_module, kept_flags, training_modes
from neurosim.networks.objectives import CrossEntropy, Objective, SquaredError, balanced_weights
from neurosim.networks.optimization import TrainingOptions, autocast_of, optimizer_of, schedule_of
from neurosim.networks.stepwise import reset_neurons
from neurosim.runtime import as_seed, kept_memory, pick_device, progress_bar, torch_seeded
from neurosim.schema import InputError


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is kept, so that it goes on from there when it was stopped.

    Parameters
    ----------
    path : ``.safetensors`` file that is written after every epoch.
    every : write it also after every so many batches.

    Raises
    ------
    InputError : fewer than 1 batch.

    Examples
    --------
    >>> ns.networks.Checkpoint("run.safetensors", every=100).every
    100
    """

    path: str | Path
    every: int | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise InputError(f"Checkpoint: every = {self.every}; at least 1 batch is asked.")


@dataclass
class Progress:
    """Where a training stands: epoch, batch in it, running sums of it, and what past epochs gave."""

    epoch: int = 0
    batch: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    history: dict[str, list[float]] = field(default_factory=dict)
    best: float = math.inf
    best_epoch: int = -1
    taken: str = ""  # digest of the last batch of a loader, by which it is known again

    def should_stop(self, options: TrainingOptions) -> bool:
        """Whether all epochs are done, or the patience is over."""
        waited = self.epoch - 1 - self.best_epoch
        return self.epoch >= options.epochs or (
            options.patience is not None and self.epoch > 0 and waited >= options.patience
        )


def train(
    network: nn.Module,
    task: Task | Data | Iterable[Any],
    options: TrainingOptions | None = None,
    *,
    runtime: Runtime | None = None,
    objective: Objective | None = None,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    checkpoint: str | Path | Checkpoint | None = None,
    log: str | Path | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train `network` in place on `task` by gradient descent.

    With a `checkpoint`, a run that was killed at any moment goes on from its last one and ends with the same bits as
    one that was not (on the same machine and device). Under ``torchrun`` every process takes its share of each batch;
    batch normalisation learns from the share of each and keeps the statistics of the first.

    Parameters that do not ask for gradients are not trained, and modules in evaluation mode inside a network in
    training mode stay in it. All these flags are afterwards as they were: call ``network.eval()`` before asking the
    network itself, where it holds dropout or batch normalisation.

    Parameters
    ----------
    network : module from inputs to logits (batch, category), or to what `objective` takes.
    task : batches, see ``neurosim.tasks``; or data of one's own: a ``DataLoader``, a dataset (map-style or iterable, of
        Hugging Face, shards of WebDataset), or :class:`Data` of several, with a test and a validation set. A dataset is
        shuffled by (seed, epoch) and starts at any batch at no cost; a loader keeps its batches, starts each epoch from
        random numbers of (seed, epoch), and passes over the batches of an epoch that were learned before. One that
        gives others then is refused.
    options : epochs, batch size, learning rate, ...
    runtime : how the machine computes it: workers that read, ...
    objective : what is made small; by default the cross-entropy of labels, or the squared error of the answers of a
        cognitive task. One of your own is any object with three methods of (outputs, targets), where ``outputs`` is
        what the network answers to a batch and ``targets`` the tuple of tensors of the batch, its labels first:
        ``check`` raises before training where the two do not fit, ``losses`` returns the loss of every stimulus,
        shape (batch,), and ``n_right`` how many were answered rightly, a float.
    rng : seed of shuffling and of every random layer, or a generator that draws one.
    device : "auto" (a GPU when there is one), "cpu", "cuda".
    checkpoint : ``.safetensors`` file, or a :class:`Checkpoint` of one, that is written after every epoch, and from
        which training goes on if it is there; one of another network (its layers, their constants and code, not its
        weights), other data, augmentation, objective or options is refused. One epoch of batches is read for that.
    log : folder of TensorBoard event files; needs ``pip install 'neurosim[tensorboard]'``.
    progress : show loss, share right, learning rate and time left.

    Returns
    -------
    Dataset with ``loss`` and ``accuracy`` (training) along ``epoch``, ``validation_loss`` and
    ``validation_accuracy`` where the task has a validation set, ``test_accuracy`` (where data of one's own hold a test
    set) and ``best_epoch``.

    Raises
    ------
    InputError : inputs or labels that the network or the objective does not take, or a last batch too small for batch
        normalisation (before any training), a loss that is no longer finite, or `checkpoint` is of another training.
    StorageError : a truncated or changed checkpoint.

    Examples
    --------
    >>> from torch import nn
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> task = ns.tasks.classification_task(ns.load_digits())
    >>> history = ns.train(network, task, ns.networks.TrainingOptions(epochs=5), progress=False)
    >>> bool(history.test_accuracy > 0.8)
    True
    """
    options = TrainingOptions() if options is None else options
    check_options(options)
    check_module("train", network)
    task = as_task(task, network, options.batch_size, "train")
    check_request(task, options, objective)
    share = distributed.join(pick_device(device))
    if options.precision == "float16" and not share.device.startswith("cuda"):
        raise InputError("train: precision 'float16' needs a GPU; take 'bfloat16' or 'float32'.")
    network.to(share.device)
    objective = objective or default_objective(task, options)
    request = Request(network, task, objective, options, as_seed(rng, "train"), share, runtime or Runtime())
    check_batch(request)
    check_sizes(request)
    with kept_flags(network), torch_seeded(share.seed(request.seed)), kept_memory():
        run = _Run(request)
        if checkpoint is not None:
            run.keep_at(checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint))
        with _logger(log if share.is_first else None) as write, _bar(run, progress and share.is_first) as report:
            while not run.progress.should_stop(options):
                run.epoch(report)
                write({name: values[-1] for name, values in run.progress.history.items()}, run.progress.epoch)
        run.take_best()
    return _found(run)


def _found(run: _Run) -> xr.Dataset:
    """Return what past epochs gave, and what the network reaches on the test set."""
    r = run.request
    history = {name: ("epoch", values) for name, values in run.progress.history.items()}
    found: dict[str, Any] = {}
    if measured := _measure(r.network, r.task, "test", 256, r.seed, r.objective, r.share.device):
        found["test_accuracy"] = measured[1]
    if r.options.patience is not None:
        found["best_epoch"] = run.progress.best_epoch
    return xr.Dataset(history | found, coords={"epoch": np.arange(run.progress.epoch)})


class _Run:
    """One training: what was asked, what a step changes, and where it stands."""

    def __init__(self, request: Request) -> None:
        self.request, network, options = request, request.network, request.options
        self.modes = training_modes(network)
        self.n_batches = _n_batches(request.task, options)
        least = options.batch_size if options.drop_last else 1
        self.feeder = Feeder(request.task, options.batch_size, request.seed, request.share, request.runtime, least)
        optimizer = optimizer_of(network, options)
        self.learner = Learner(
            network,
            optimizer,
            schedule_of(optimizer, options, options.epochs * (self.n_batches or 1)),
            torch.amp.GradScaler(
                request.share.device.split(":", maxsplit=1)[0], enabled=options.precision == "float16"
            ),
        )
        self.parallel = request.share.wrapped(network)
        self.progress = Progress()
        self.best: dict[str, np.ndarray] = {}
        self.kept: Checkpoint | None = None

    def keep_at(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint if it is there, and write to it from now on."""
        self.kept, self.key = checkpoint, self._key()
        path = Path(checkpoint.path)
        if path.exists():
            about, self.best = load_checkpoint(path, self.learner, self.key, self.request.share)
            self.progress = Progress(**about["progress"])

    def _key(self) -> dict[str, Any]:
        """Return what a checkpoint has to agree in, by name."""
        r, network = self.request, self.request.network
        return {
            "network": [str(network), _shape_of(network), fingerprint_of_network(network, self._see)],
            "frozen parameters": [name for name, p in network.named_parameters() if not p.requires_grad],
            "modules that stay in evaluation mode": [n for n, m in network.named_modules() if not self.modes[m]],
            "categories": list(r.task.categories),
            "task": fingerprint_of_task(r.task),
            "objective": fingerprint_of(r.objective),
            "options": asdict(r.options),
            "seed": r.seed,
            "processes": r.share.size,
        }

    def _see(self) -> None:
        """Show the first batch to the network as in training, without learning from it."""
        r = self.request
        first = first_batch(r.task, "train", r.options.batch_size, r.seed, r.share.device)
        assert first is not None
        reset_neurons(r.network)
        try:
            for module, is_training in self.modes.items():
                module.training = is_training
            r.network(first.inputs)
        finally:
            reset_neurons(r.network)

    def epoch(self, report: Callable[[_Run], None]) -> None:
        """Train to the end of the current epoch."""
        now = self.progress
        every = None if self.kept is None else self.kept.every
        for module, is_training in self.modes.items():
            module.training = is_training
        for portion in self.feeder.batches("train", now.epoch, now.batch, now.taken):
            if portion.is_used:
                for k, value in enumerate(self._step(portion)):
                    now.sums[k] += value
            now.batch += 1
            self.learner.schedule.step()
            report(self)
            if every and now.batch % every == 0 and now.batch != self.n_batches:
                now.taken = digest_of(portion.inputs) if isinstance(self.request.task, BroughtTask) else ""
                self._write()
        self._close_epoch()

    def _step(self, portion: Portion) -> list[float]:
        """Make one step; return summed loss, number right and number of stimuli."""
        r, learner = self.request, self.learner
        x, truth, n_all, where = portion.inputs, portion.targets, portion.n_all, r.share.device
        reset_neurons(r.network)
        with autocast_of(r.options.precision, where):
            outputs = self.parallel(x)
            losses = r.objective.losses(outputs, truth)
        loss = losses.sum() * (r.share.size / n_all)
        (reached,) = r.share.summed([loss.item()])
        if not math.isfinite(reached):
            raise InputError(f"train: the loss is {reached} in epoch {self.progress.epoch}; lower the learning_rate.")
        learner.optimizer.zero_grad()
        torch.autograd.backward(learner.scaler.scale(loss))
        learner.scaler.unscale_(learner.optimizer)
        nn.utils.clip_grad_norm_([p for g in learner.optimizer.param_groups for p in g["params"]], r.options.clip)
        learner.scaler.step(learner.optimizer)
        learner.scaler.update()
        return [float(losses.detach().sum()), r.objective.n_right(outputs, truth), float(len(losses))]

    def _close_epoch(self) -> None:
        now, r = self.progress, self.request
        total, right, seen = r.share.summed(now.sums)
        found = {"loss": total / seen, "accuracy": right / seen}
        r.share.share_buffers(r.network)
        if measured := _measure(r.network, r.task, "validation", 256, r.seed, r.objective, r.share.device):
            measured = r.share.of_first(measured)
            found |= {"validation_loss": measured[0], "validation_accuracy": measured[1]}
        for name, value in found.items():
            now.history.setdefault(name, []).append(value)
        if r.options.patience is not None and found["validation_loss"] < now.best:
            now.best, now.best_epoch, self.best = found["validation_loss"], now.epoch, weights_of(r.network)
        now.epoch, now.batch, now.sums = now.epoch + 1, 0, [0.0, 0.0, 0.0]
        now.taken = ""
        self._write()

    def take_best(self) -> None:
        """Put the weights of the best epoch back, if training watched for it."""
        if self.best:
            load_weights(self.request.network, self.best)

    def _write(self) -> None:
        if self.kept is None:
            return
        random = random_state(self.request.share)
        if self.request.share.is_first:
            about = {"key": self.key, "progress": asdict(self.progress)}
            save_checkpoint(Path(self.kept.path), self.learner, about, self.best, random)


def default_objective(task: Task, options: TrainingOptions) -> Objective:
    """Return the squared error of a task with a ``judge`` of its answers, else the cross-entropy of labels."""
    judge = getattr(task, "judge", None)
    if judge is not None:
        return SquaredError(judge)
    n = len(task.categories)
    weights = None
    if options.class_weights == "balanced":
        labels = [torch.from_numpy(np.asarray(y)) for _, y in task.batches(0, 4096, 0)]
        together = torch.cat([y.argmax(1) if y.is_floating_point() else y for y in labels])
        weights = balanced_weights(together, n)
    return CrossEntropy(n, weights, options.label_smoothing)


def test_accuracy(
    network: nn.Module,
    task: Task | Data | Iterable[Any],
    *,
    objective: Objective | None = None,
    rng: np.random.Generator | int = 0,
    device: str = "auto",
) -> float:
    """Return the share of test stimuli that `network` answers rightly; of a loader or dataset, all are the test set."""
    check_module("test_accuracy", network)
    task = as_task(task, network, 256, "test_accuracy")
    where = pick_device(device) if device == "auto" else device
    network.to(where)
    objective = objective or default_objective(task, TrainingOptions())
    measured = _measure(network, task, "test", 256, as_seed(rng, "test_accuracy"), objective, where)
    if measured is None:
        raise InputError("test_accuracy: the task has no test stimuli.")
    return measured[1]


def _measure(
    network: nn.Module, task: Task, part: Part, batch_size: int, seed: int, objective: Objective, where: str
) -> list[float] | None:
    """Return the mean loss and the share right over a part; None where there is none."""
    total, right, seen = 0.0, 0.0, 0
    with kept_flags(network), torch.no_grad():
        network.eval()
        for portion in Feeder(task, batch_size, seed, distributed.Share(device=where)).batches(part):
            reset_neurons(network)
            outputs = network(portion.inputs)
            total += float(objective.losses(outputs, portion.targets).sum())
            right += objective.n_right(outputs, portion.targets)
            seen += portion.n_all
    return [total / seen, right / seen] if seen else None


def _n_batches(task: Task, options: TrainingOptions) -> int | None:
    """Return the number of batches an epoch; None where nothing says it and no schedule asks for it."""
    if isinstance(task, BroughtTask) and options.schedule == "constant":
        return task.n_batches_or_none(options.batch_size)
    return task.n_batches(options.batch_size)


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights and buffers of `network` as named arrays."""
    return {k: np.array(v.detach().cpu().numpy()) for k, v in network.state_dict().items()}


def load_weights(network: nn.Module, tensors: dict[str, np.ndarray]) -> None:
    """Put named arrays into `network`; names and shapes must fit."""
    try:
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"load_weights: the weights do not fit {type(network).__name__}: {reason}") from error


def _shape_of(network: nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


def _bar(run: _Run, progress: bool) -> Any:
    total = run.request.options.epochs * (run.n_batches or 0)

    def text(now: _Run) -> tuple[int, str]:
        at, seen = now.progress, max(now.progress.sums[2], 1.0)
        rate = now.learner.optimizer.param_groups[0]["lr"]
        about = f"loss {at.sums[0] / seen:.4f}, right {at.sums[1] / seen:.3f}, rate {rate:.1e}"
        return at.epoch * (now.n_batches or 0) + at.batch, about

    return progress_bar(f"training {type(run.request.network).__name__}", total, text, progress=progress)


@contextlib.contextmanager
def _logger(folder: str | Path | None) -> Iterator[Callable[[dict[str, float], int], None]]:
    """Give a function that writes the numbers of an epoch for TensorBoard, where a folder is named."""
    if folder is None:
        yield lambda numbers, epoch: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("train: log= needs TensorBoard; pip install 'neurosim[tensorboard]'.") from error
    with SummaryWriter(str(folder)) as writer:

        def write(numbers: dict[str, float], epoch: int) -> None:
            for name, value in numbers.items():
                writer.add_scalar(name, value, epoch)

        yield write
