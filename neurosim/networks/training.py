"""Train a network on a task, seeded and deterministic, and report honest test accuracy."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neurosim.networks import distributed
from neurosim.networks.asked import Request, Task
from neurosim.networks.averaging import Averaged
from neurosim.networks.batches import check_batch, check_options, check_request, check_sizes
from neurosim.networks.checkpoint import Learner, Progress, load_checkpoint, random_state, save_checkpoint
from neurosim.networks.computing import Runtime, computing
from neurosim.networks.door import BroughtTask, Data, as_task
from neurosim.networks.feeding import Feeder, Portion, digest_of, first_batch, gives_others
from neurosim.networks.fingerprints import fingerprint_of, fingerprint_of_network, fingerprint_of_task
from neurosim.networks.flags import check_module, kept_flags, training_modes
from neurosim.networks.learning.at_work import bound, check_rule
from neurosim.networks.learning_rule import asked_rule
from neurosim.networks.measuring import default_objective, exact, measure, named, summed_up
from neurosim.networks.objectives import Loss, Objective, as_objective
from neurosim.networks.optimization import TrainingOptions, autocast_of, key_of, optimizer_of, schedule_of
from neurosim.networks.recomputing import recomputed
from neurosim.networks.stepwise import reset_neurons
from neurosim.networks.truncation import truncated
from neurosim.networks.unfit import answered, first_unfit
from neurosim.networks.watching import Moment, Watch, logged
from neurosim.runtime import as_seed, kept_memory, pick_device, progress_bar
from neurosim.schema import InputError

log = logging.getLogger(__name__)
DRAWN = (
    "is another when it is read anew, as by a generator that the data keep; draw from the random numbers of torch, "
    "numpy or random alone"
)


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


def train(
    network: nn.Module,
    task: Task | Data | Iterable[Any],
    options: TrainingOptions | None = None,
    *,
    runtime: Runtime | None = None,
    watch: Watch | None = None,
    objective: Objective | Callable[..., Tensor] | None = None,
    rule: object = "backpropagation",
    rng: np.random.Generator | int = 0,
    device: str = "auto",
    checkpoint: str | Path | Checkpoint | None = None,
    log: str | Path | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """Train `network` in place on `task` by gradient descent, or by another learning rule.

    With a `checkpoint`, a run that was killed at any moment goes on from its last one and ends with the same bits as
    one that was not (on the same machine and device). Under ``torchrun`` every process takes its share of each batch;
    batch normalisation learns from the share of each and keeps the statistics of the first.

    Parameters that do not ask for gradients are not trained, and modules in evaluation mode inside a network in
    training mode stay in it. All these flags are afterwards as they were: call ``network.eval()`` before asking the
    network itself, where it holds dropout or batch normalisation.

    Parameters
    ----------
    network : module from inputs to logits (batch, category), or to what `objective` takes. Sequences reach it time
        first, (time, batch, ...), as all networks here take them; batches of data and tasks are (batch, time, ...).
    task : batches, see ``neurosim.tasks``; or data of one's own: a ``DataLoader``, a dataset (map-style or iterable, of
        Hugging Face, shards of WebDataset), or :class:`Data` of several, with a test and a validation set. A dataset is
        shuffled by (seed, epoch) and starts at any batch at no cost; a loader keeps its batches, starts each epoch from
        random numbers of (seed, epoch), and passes over the batches of an epoch that were learned before. Data that
        give others then, as by a generator of their own, are refused; with a `checkpoint` that is said at the start.
    options : epochs, batch size, learning rate, ...
    runtime : how the machine computes it: workers that read, kernels, layout, compilation, determinism.
    watch : metrics of the validation and test set, and callbacks.
    objective : what is made small: any function of (outputs, targets) -> mean or loss of each stimulus, such as
        ``nn.MSELoss()``, or an objective; by default the cross-entropy of labels, or the squared error of the answers
        of a cognitive task. One of your own is any object with three methods of (outputs, targets), where ``outputs``
        is what the network answers to a batch and ``targets`` the tuple of tensors of the batch, its labels first:
        ``check`` raises before training where the two do not fit, ``losses`` returns the loss of every stimulus,
        shape (batch,), and ``n_right`` how many were answered rightly, a float.
    rule : name of a learning rule of ``LEARNING_RULES``, or the record of its options, as ``EProp("random")``: what
        takes the place of the gradient. Optimizer, schedule, clipping and checkpoints are those of any training.
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
    set) and ``best_epoch``; metrics as ``validation_<name>`` and ``test_<name>``. Where a loss of one's own does not
    say what is right, there is no accuracy, and ``test_loss`` instead. Validation and test are in the precision of the
    training.

    Raises
    ------
    InputError : inputs or labels that the network or the objective does not take, a network that the rule does not
        take, or a last batch too small for batch normalisation (before any training), a loss that is no longer finite,
        or `checkpoint` is of another training.
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
    asked = asked_rule(rule)
    share = distributed.join(pick_device(device))
    if options.precision == "float16" and not share.device.startswith("cuda"):
        raise InputError("train: precision 'float16' needs a GPU; take 'bfloat16' or 'float32'.")
    network.to(share.device)
    objective = default_objective(task, options) if objective is None else as_objective(objective)
    if isinstance(objective, Loss) and isinstance(objective.function, nn.Module):
        objective.function.to(share.device)
    runtime, seed = runtime or Runtime(), as_seed(rng, "train")
    request = Request(network, task, objective, options, seed, share, runtime, watch or Watch(), asked)
    check_rule(request)
    check_batch(request)
    check_sizes(request)
    machine = computing(network, runtime, share.device, share.seed(seed))
    in_time = truncated(network, options.truncate), recomputed(network, options.recompute)
    with kept_flags(network), machine, kept_memory(), in_time[0], in_time[1]:
        run = _Run(request)
        if checkpoint is not None:
            run.keep_at(checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint))
        with logged(log if share.is_first else None) as write, _bar(run, progress and share.is_first) as report:
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
    if measured := measure(r.network, run.feeder, "test", r.objective, r.options.precision, r.watch):
        found = named(measured, "test")
        if "test_accuracy" in found:
            del found["test_loss"]
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
        optimizer, where = optimizer_of(network, options), request.share.device
        self.rule = bound(request.rule, network, request.seed)
        if self.rule is not None and (own := list(self.rule.state.parameters())):
            optimizer.add_param_group({"params": own, "lr": options.learning_rate})
        self.learner = Learner(
            network,
            optimizer,
            schedule_of(optimizer, options, options.epochs * -(-(self.n_batches or 1) // options.accumulate)),
            torch.amp.GradScaler(where.split(":", maxsplit=1)[0], enabled=options.precision == "float16"),
            None if options.ema is None else Averaged(network, options.ema),
            None if self.rule is None else self.rule.state,
        )
        self.shared = request.share.wrapped(network)
        self.parallel: Callable[[Any], Any] = self.shared
        if request.runtime.compile:
            backend = request.runtime.compile
            self.parallel = torch.compile(self.shared, backend="inductor" if backend is True else backend)
        self.progress = Progress()
        self.sums = torch.zeros(3, dtype=exact(where), device=where)
        self.unfit = torch.tensor(math.inf, device=where)  # first batch of the epoch with inputs that are not finite
        self.has_learned, self.n_waiting = False, 0  # batches whose gradients wait for the step
        self.checks_after = request.runtime.checks_after(where)
        self.best: dict[str, np.ndarray] = {}
        self.kept: Checkpoint | None = None

    def keep_at(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint if it is there, and write to it from now on."""
        self.kept, self.key = checkpoint, self._key()
        path, r = Path(checkpoint.path), self.request
        others = gives_others(r.task, r.options.batch_size, r.seed)
        if others and not path.exists():
            log.warning("train: the first batch %s, so that no training can go on from its checkpoint.", DRAWN)
        if path.exists():
            about, self.best = load_checkpoint(path, self.learner, self.key, self.request.share)
            self.progress = Progress(**about["progress"])
            if others and not self.progress.should_stop(r.options):
                raise InputError(f"train: training cannot go on from {path.name}: the first batch {DRAWN}.")
            self.sums.copy_(torch.tensor(self.progress.sums, dtype=self.sums.dtype))

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
            "options": key_of(r.options),
            "runtime": r.runtime.key(network, r.share.device),
            "seed": r.seed,
            "processes": r.share.size,
        } | ({} if self.rule is None else {"rule": r.rule.key()})

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
        now, written = self.progress, self.progress.batch
        every = None if self.kept is None else self.kept.every
        for module, is_training in self.modes.items():
            module.training = is_training
        for portion in self.feeder.batches("train", now.epoch, now.batch, taken=now.taken):
            if self.n_waiting == 0:
                self.learner.optimizer.zero_grad()
                self.has_learned = False
            self.n_waiting += 1
            is_last = self.n_waiting == self.request.options.accumulate or now.batch + 1 == self.n_batches
            if portion.is_used:
                self._learn(portion, is_last)
            now.batch += 1
            if is_last:
                self._step()
            if now.batch % self.checks_after == 0:
                report(self)
            self.request.watch.tell_batch(self.moment)
            if every and is_last and now.batch // every > written // every and now.batch != self.n_batches:
                written = now.batch
                now.taken = "" if portion.whole is None else digest_of(portion.whole)
                self._write()
        if self.n_waiting:
            self._step()
        self._close_epoch()

    def _learn(self, portion: Portion, is_last: bool) -> None:
        """Add the gradients of a batch to those of the step; sums stay on the device."""
        r, learner = self.request, self.learner
        truth, n_all, where = portion.targets, portion.n_all, r.share.device
        unfit = first_unfit(portion.inputs, r.task.is_sequence)
        self.unfit = torch.minimum(self.unfit, torch.where(unfit.isfinite(), float(self.progress.batch), math.inf))
        reset_neurons(r.network)
        with r.share.unheard(self.shared, not is_last):
            with autocast_of(r.options.precision, where):
                place = f"batch {self.progress.batch} of epoch {self.progress.epoch}"
                if self.rule is not None:
                    outputs, losses = self.rule.learn(portion, r.objective, place, 1 / (n_all * self._n_of_step()))
                else:
                    outputs, losses = answered(self.parallel, r.network, r.objective, portion, place)
            loss = losses.sum() * (r.share.size / n_all)
            if self.rule is None and not loss.requires_grad:
                raise InputError(
                    "train: the loss has no gradient; compute it from what the network answers, by functions of torch."
                )
            if (self.progress.batch + 1) % self.checks_after == 0:
                self._check(loss.detach())
            if self.rule is None:
                torch.autograd.backward(learner.scaler.scale(loss / self._n_of_step()))
        self.has_learned = True
        self.sums[:2] += summed_up(losses, r.objective.n_right(outputs, truth), self.sums)
        self.sums[2] += len(losses)

    def _n_of_step(self) -> int:
        """Return how many batches the step of now is made of."""
        size = self.request.options.accumulate
        start = self.progress.batch + 1 - self.n_waiting
        return size if self.n_batches is None else min(size, self.n_batches - start)

    def _check(self, loss: Tensor) -> None:
        """Refuse a loss that is no longer finite, or was not since the last look; here the processor waits."""
        both = torch.stack([loss.to(self.sums.dtype), self.sums[0]]).tolist()
        bad = [value for value in self.request.share.summed(both) if not math.isfinite(value)]
        if bad and math.isfinite(unfit := float(self.unfit)):
            raise InputError(
                f"train: the inputs of batch {unfit:.0f} of epoch {self.progress.epoch} are not all finite numbers."
            )
        if bad:
            raise InputError(f"train: the loss is {bad[0]} in epoch {self.progress.epoch}; lower the learning_rate.")

    def _step(self) -> None:
        """Make one step with the gradients that wait for it."""
        r, learner = self.request, self.learner
        if self.has_learned:
            parameters = [p for g in learner.optimizer.param_groups for p in g["params"]]
            learner.scaler.unscale_(learner.optimizer)
            nn.utils.clip_grad_norm_(parameters, r.options.clip)
            learner.scaler.step(learner.optimizer)
            learner.scaler.update()
            if learner.averaged is not None:
                learner.averaged.update()
        learner.schedule.step()
        self.n_waiting = 0

    def moment(self) -> Moment:
        """Return where the training stands, as callbacks are told."""
        now, rate = self.progress, self.learner.optimizer.param_groups[0]["lr"]
        return Moment(
            self.request.network, now.epoch, now.batch, float(rate), {k: list(v) for k, v in now.history.items()}
        )

    def _close_epoch(self) -> None:
        now, r = self.progress, self.request
        self._check(self.sums[0])
        total, right, seen = r.share.summed(self.sums.tolist())
        found = {"loss": total / seen} | ({} if math.isnan(right) else {"accuracy": right / seen})
        r.share.share_buffers(r.network)
        averaged = self.learner.averaged
        with contextlib.nullcontext() if averaged is None else averaged.at_work():
            if measured := measure(r.network, self.feeder, "validation", r.objective, r.options.precision, r.watch):
                names, values = list(measured), r.share.of_first(list(measured.values()))
                found |= named(dict(zip(names, values, strict=True)), "validation")
            for name, value in found.items():
                now.history.setdefault(name, []).append(value)
            if r.options.patience is not None and found["validation_loss"] < now.best:
                now.best, now.best_epoch, self.best = found["validation_loss"], now.epoch, weights_of(r.network)
        now.epoch, now.batch, now.taken = now.epoch + 1, 0, ""
        self.sums.zero_()
        self.unfit.fill_(math.inf)
        now.stopped = r.watch.tell(self.moment())
        self._write()

    def take_best(self) -> None:
        """Put the weights of the best epoch back, if training watched for it, or else their average."""
        if self.best:
            load_weights(self.request.network, self.best)
        elif self.learner.averaged is not None:
            self.learner.averaged.put()

    def _write(self) -> None:
        if self.kept is None:
            return
        random, self.progress.sums = random_state(self.request.share), self.sums.tolist()
        if self.request.share.is_first:
            about = {"key": self.key, "progress": asdict(self.progress)}
            save_checkpoint(Path(self.kept.path), self.learner, about, self.best, random)


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
        at, (total, right, n) = now.progress, now.sums.tolist()
        rate, seen = now.learner.optimizer.param_groups[0]["lr"], max(n, 1.0)
        about = f"loss {total / seen:.4f}, right {right / seen:.3f}, rate {rate:.1e}"
        return at.epoch * (now.n_batches or 0) + at.batch, about

    return progress_bar(f"training {type(run.request.network).__name__}", total, text, progress=progress)
