"""Who watches a training: metrics, callbacks, the progress bar and TensorBoard."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.schema import InputError
from neurosim.showing import shown

TAKEN = ("loss", "accuracy")


@shown
@dataclass(frozen=True)
class Moment:
    """Where a training stands, as a callback is told.

    Parameters
    ----------
    network : as it is now. epoch : epochs that are done. batch : batches of this epoch that are done, 0 after its end.
    learning_rate : of the next step. history : what past epochs gave, by name.

    Examples
    --------
    >>> from torch import nn
    >>> ns.networks.Moment(nn.Linear(1, 1), 2, 0, 1e-3, {"loss": [0.5, 0.4]}).history["loss"][-1]
    0.4
    """

    network: nn.Module
    epoch: int
    batch: int
    learning_rate: float
    history: Mapping[str, Sequence[float]]


@shown
@dataclass(frozen=True)
class Watch:
    """What is measured on the validation and test set beside loss and accuracy, and who is told.

    Parameters
    ----------
    metrics : by name a function of (outputs, targets) -> mean over the batch, or values of its stimuli; or an object
        with ``update``, ``compute`` and ``reset``, as those of torchmetrics.
    callbacks : functions of a :class:`Moment`, called after every epoch, in every process; one that returns True ends
        the training. The method ``after_batch`` of one, where it has it, is called after every batch.

    Raises
    ------
    InputError : what is neither, or a name that is taken.

    Examples
    --------
    >>> ns.networks.Watch(metrics={"margin": lambda outputs, targets: outputs.max(1).values.mean()}).metrics.keys()
    dict_keys(['margin'])
    """

    metrics: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[Callable[[Moment], Any]] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.metrics, Mapping) or isinstance(self.callbacks, str) or not _are_many(self.callbacks):
            raise InputError("Watch: metrics by name and a list of callbacks are asked.")
        for name, metric in self.metrics.items():
            if name in TAKEN or not isinstance(name, str):
                raise InputError(f"Watch: a metric cannot be called {name!r}; take another name.")
            if isinstance(metric, type) or not (callable(metric) or _keeps_state(metric)):
                raise InputError(
                    f"Watch: metric {name!r} is a function of (outputs, targets), or has update, compute and reset; "
                    f"found {metric!r}."
                )
        for callback in self.callbacks:
            if isinstance(callback, type) or not callable(callback):
                raise InputError(f"Watch: a callback is a function of a Moment, found {callback!r}.")
            if not _takes_one(callback):
                raise InputError(f"Watch: a callback takes one argument, the Moment; {callback!r} does not.")

    def tell(self, moment: Moment) -> bool:
        """Tell every callback; return whether one asks for the end."""
        answers = [callback(moment) for callback in self.callbacks]  # all are told
        return True in answers

    def tell_batch(self, moment: Callable[[], Moment]) -> None:
        """Tell the callbacks that want to know of every batch."""
        for callback in self.callbacks:
            if hasattr(callback, "after_batch"):
                callback.after_batch(moment())


class Measured:
    """Metrics over the batches of a part; sums stay on the device until they are asked for."""

    def __init__(self, watch: Watch, device: str) -> None:
        self.sums: dict[str, Tensor] = {}
        self.kept = {name: metric for name, metric in watch.metrics.items() if _keeps_state(metric)}
        self.plain = {name: metric for name, metric in watch.metrics.items() if name not in self.kept}
        self.seen = 0
        for metric in self.kept.values():
            if isinstance(metric, nn.Module):
                metric.to(device)
            metric.reset()

    def add(self, outputs: object, targets: tuple[Tensor, ...], n: int) -> None:
        """Measure a batch of `n` stimuli."""
        self.seen += n
        for metric in self.kept.values():
            metric.update(outputs, *targets)
        for name, metric in self.plain.items():
            value = _value(name, metric(outputs, *targets), n)
            self.sums[name] = value if name not in self.sums else self.sums[name] + value

    def found(self) -> dict[str, float]:
        """Return the metrics by name."""
        return {name: float(value) / self.seen for name, value in self.sums.items()} | {
            name: _number(name, metric.compute()) for name, metric in self.kept.items()
        }


def _number(name: str, value: Any) -> float:
    if getattr(value, "ndim", 0) and value.numel() != 1:
        raise InputError(f"train: metric {name!r} gives {tuple(value.shape)} values; one is asked, such as their mean.")
    return float(value)


def check_metrics(watch: Watch, outputs: object, targets: tuple[Tensor, ...]) -> None:
    """Refuse functions that do not measure what the network answers to the first batch, before any training."""
    for name, metric in watch.metrics.items():
        if _keeps_state(metric):
            continue
        try:
            found = metric(outputs, *targets)
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"train: metric {name!r} does not take what the network answers and the labels ({reason})."
            ) from error
        _value(name, found, len(targets[0]))


def _value(name: str, found: object, n: int) -> Tensor:
    """Return what a metric gives for a batch of `n` stimuli, summed over them."""
    try:
        value = torch.as_tensor(found).detach().float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"train: metric {name!r} gives {type(found).__name__}; a number, or one a stimulus, is asked."
        ) from error
    if value.numel() != 1 and (value.numel() != n or len(value) != n):
        raise InputError(
            f"train: metric {name!r} gives values of shape {tuple(value.shape)} for {n} stimuli; one number, or one a "
            "stimulus, is asked, such as a mean over categories."
        )
    return value.mean() * n


def _takes_one(callback: Callable[..., Any]) -> bool:
    """Whether a function can be called with one argument, as far as it says."""
    try:
        inspect.signature(callback).bind(None)
    except TypeError:
        return False
    except ValueError:  # functions of other languages do not say
        return True
    return True


def _keeps_state(metric: object) -> bool:
    return all(callable(getattr(metric, name, None)) for name in ("update", "compute", "reset"))


def _are_many(callbacks: object) -> bool:
    return isinstance(callbacks, Sequence)


@contextlib.contextmanager
def logged(folder: str | Path | None) -> Iterator[Callable[[dict[str, float], int], None]]:
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
