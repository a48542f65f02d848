"""What training makes small, and what it counts as right."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neurosim.schema import InputError

NO_LABEL = -(2**62)  # so that -100, which torch leaves out without a word, is refused as any other label outside


class Objective(Protocol):
    """A loss a stimulus and a count of right answers; targets are the arrays that a batch of the task holds."""

    def check(self, outputs: object, targets: tuple[Tensor, ...]) -> None:
        """Refuse outputs or targets that do not fit each other, before training starts."""

    def losses(self, outputs: object, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of every stimulus, shape (batch,)."""

    def n_right(self, outputs: object, targets: tuple[Tensor, ...]) -> float | Tensor:
        """Return how many stimuli were answered rightly, NaN where nobody can say; a tensor stays on its device."""


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of logits (batch, category) with labels (batch,), or with probabilities (batch, category).

    Parameters
    ----------
    n_categories : number of categories.
    weights : weight of each category; equal when absent. smoothing : share of the label that all categories get.
    """

    n_categories: int
    weights: tuple[float, ...] | None = None
    smoothing: float = 0.0

    def check(self, outputs: object, targets: tuple[Tensor, ...]) -> None:
        """Refuse logits of another shape, and labels that are not 0..n_categories - 1."""
        labels, n = targets[0], self.n_categories
        if not isinstance(outputs, Tensor) or outputs.shape != (len(labels), n):
            found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            shape = f"logits of shape {(len(labels), n)}" if n else "logits"
            raise InputError(f"train: {shape} (batch, category) asked, found {found}; or pass objective=.")
        if not labels.is_floating_point() and labels.ndim != 1:
            raise InputError(
                f"train: whole labels of shape {(len(labels),)} asked, found {tuple(labels.shape)}; pass rows of "
                "categories as .argmax(1), and a column as [:, 0]."
            )
        if labels.is_floating_point() and (labels.ndim != 2 or labels.shape[1] != n):
            raise InputError(f"train: labels are whole numbers, or probabilities (batch, {n}); found {labels.dtype}.")
        if not labels.is_floating_point() and not bool(((labels >= 0) & (labels < n)).all()):
            low, high = int(indices(labels).min()), int(indices(labels).max())
            raise InputError(f"train: labels lie in 0..{n - 1} for {n} categories, found {low}..{high}.")

    def losses(self, outputs: Any, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of every stimulus."""
        weights = None if self.weights is None else _weights_on(self.weights, outputs.dtype, outputs.device)
        return nn.functional.cross_entropy(
            outputs,
            indices(targets[0]),
            weight=weights,
            ignore_index=NO_LABEL,
            reduction="none",
            label_smoothing=self.smoothing,
        )

    def n_right(self, outputs: Any, targets: tuple[Tensor, ...]) -> Tensor:
        """Return how many stimuli have the largest logit at the right category."""
        labels = targets[0].argmax(1) if targets[0].is_floating_point() else targets[0]
        return _n_largest(outputs, labels)


@dataclass(frozen=True)
class SquaredError:
    """Mean squared error of outputs (time, batch, unit) with targets (batch, time, unit), weighted (batch, time).

    Parameters
    ----------
    judge : function (outputs (batch, time, unit), targets, ...) -> which stimuli were answered rightly, on arrays.
    """

    judge: Any

    def check(self, outputs: object, targets: tuple[Tensor, ...]) -> None:
        """Refuse outputs of another shape."""
        n_batch, n_time, n_units = targets[0].shape
        if not isinstance(outputs, Tensor) or outputs.shape != (n_time, n_batch, n_units):
            found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise InputError(f"train: outputs of shape {(n_time, n_batch, n_units)} asked, found {found}.")

    def losses(self, outputs: Any, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of every stimulus."""
        wanted, weights = targets[0], targets[1]
        errors = (outputs.transpose(0, 1) - wanted).square().mean(2) * weights
        answer: Tensor = errors.sum(1) / weights.sum(1)
        return answer

    def n_right(self, outputs: Any, targets: tuple[Tensor, ...]) -> float:
        """Return how many trials were answered rightly."""
        answered = outputs.detach().transpose(0, 1).float().cpu().numpy()
        return float(self.judge(answered, *(t.cpu().numpy() for t in targets)).sum())


@dataclass(frozen=True)
class Reconstruction:
    """Squared error of what comes out with what went in, summed over pixels; of a variational network also the price.

    A network that returns (reconstruction, mean, log variance) pays `price` times the divergence of its code from a
    standard normal distribution (https://arxiv.org/abs/1312.6114).
    """

    price: float = 1.0

    def check(self, outputs: Any, targets: tuple[Tensor, ...]) -> None:
        """Refuse reconstructions of another shape."""
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if first.shape != targets[0].shape:
            raise InputError(f"train: reconstructions {tuple(targets[0].shape)} asked, found {tuple(first.shape)}.")

    def losses(self, outputs: Any, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of every stimulus."""
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        error: Tensor = (first - targets[0]).square().flatten(1).sum(1)
        if not isinstance(outputs, tuple):
            return error
        _, mean, log_variance = outputs
        divergence: Tensor = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).flatten(1).sum(1)
        return error + self.price * divergence

    def n_right(self, outputs: Any, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the variance explained, times stimuli: 1 a stimulus is a perfect copy, 0 no better than the mean."""
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        wanted = targets[0]
        error = (first.detach() - wanted).square().sum()
        total = (wanted - wanted.mean(0)).square().sum().clamp(min=torch.finfo(wanted.dtype).tiny)
        answer: Tensor = (1 - error / total) * len(wanted)
        return answer


@dataclass(frozen=True)
class Loss:
    """Any loss of somebody's, as that of ``torch.nn``: of (outputs, targets): its mean, or that of each stimulus.

    Where targets are whole numbers and outputs are (batch, category), the largest output names the category.
    """

    function: Callable[..., Tensor]

    def check(self, outputs: object, targets: tuple[Tensor, ...]) -> None:
        """Refuse a loss that does not take outputs or targets, or that is no number a batch or stimulus."""
        if isinstance(self.function, nn.Module) and any(p.requires_grad for p in self.function.parameters()):
            raise InputError("train: the loss has parameters that learn; make them part of the network.")
        try:
            found = self.function(outputs, *targets)
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"train: the loss does not take what the network answers and the labels ({reason})."
            ) from error
        if not isinstance(found, Tensor) or (found.ndim and len(found) != len(targets[0])):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise InputError(f"train: the loss is one number, or one a stimulus ({len(targets[0])}); found {shape}.")

    def losses(self, outputs: object, targets: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of every stimulus; a mean counts for each."""
        found = self.function(outputs, *targets)
        return found.flatten(1).mean(1) if found.ndim > 1 else found.expand(len(targets[0]))

    def n_right(self, outputs: object, targets: tuple[Tensor, ...]) -> float | Tensor:
        """Return how many stimuli have the largest output at the right category; NaN where there are none."""
        labels = targets[0]
        whole = labels.ndim == 1 and not labels.is_floating_point()
        if not whole or not isinstance(outputs, Tensor) or outputs.ndim != 2 or outputs.shape[1] < 2:
            return float("nan")
        return _n_largest(outputs, labels)


@functools.lru_cache(16)
def _weights_on(weights: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return weights of categories on a device; copied there once, as the processor waits for a copy."""
    return torch.tensor(weights, dtype=dtype, device=device)


def indices(labels: Tensor) -> Tensor:
    """Return whole labels, of truth values too, as torch takes them; probabilities stay."""
    return labels if labels.is_floating_point() else labels.long()


def _n_largest(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return at how many stimuli the largest output is the right one; NaN is no answer."""
    answer: Tensor = ((outputs.argmax(1) == labels) & ~outputs.isnan().any(1)).sum()
    return answer


def as_objective(given: Any) -> Objective:
    """Return an objective, or any other function of (outputs, targets) as one.

    Raises
    ------
    InputError : a class, or what is neither.
    """
    missing = [name for name in ("check", "losses", "n_right") if not callable(getattr(given, name, None))]
    if not missing and not isinstance(given, type):
        objective: Objective = given
        return objective
    if callable(given) and not isinstance(given, type):
        return Loss(given)
    found = given.__name__ if isinstance(given, type) else type(given).__name__
    lacks = f" without {', '.join(missing)}" if missing and not isinstance(given, type) else ", a class"
    raise InputError(
        "train: an objective has methods check, losses and n_right, each of (outputs, targets), as CrossEntropy has, "
        f"or is a function of (outputs, targets), as nn.CrossEntropyLoss(); found {found}{lacks}."
    )


def balanced_weights(labels: Tensor, n_categories: int) -> tuple[float, ...]:
    """Return weights of categories that make each count the same, with mean 1 over stimuli."""
    counts = torch.bincount(labels, minlength=n_categories).double()
    if len(counts) > n_categories or not bool((counts > 0).all()):
        empty = (counts[:n_categories] == 0).nonzero().flatten().tolist()
        raise InputError(f"train: balanced weights need stimuli of categories 0..{n_categories - 1}; none of {empty}.")
    return tuple((len(labels) / (n_categories * counts)).tolist())
