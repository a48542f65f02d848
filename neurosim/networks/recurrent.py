"""Networks with memory: leaky rate units, with Dale's law or of low rank, and gated units (GRU, LSTM)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurosim.networks.architectures.leaky_rnn import LeakyRNNSpecification
from neurosim.networks.architectures.rate_rnn import RateRNNSpecification
from neurosim.networks.feedforward import n_channels, with_channel
from neurosim.networks.shared_parameters import GatedSpecification
from neurosim.schema import InputError

# activation -> (function, its derivative written by what the function returned)
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "relu": (torch.relu, lambda y: (y > 0).to(y.dtype)),
    "softplus": (nn.functional.softplus, lambda y: 1 - torch.exp(-y)),
    "tanh": (torch.tanh, lambda y: 1 - y.square()),
}


@dataclass(frozen=True)
class _RateStep:
    """One Euler step of a leaky rate unit, ``tau dr/dt = -r + relu(input)``."""

    alpha: float

    def __call__(self, rate: Tensor, drive: Tensor) -> Tensor:
        return (1 - self.alpha) * rate + self.alpha * torch.relu(drive)


class RateUnits(nn.Module):
    """Recurrently connected leaky rate units over a sequence (time, batch, unit)."""

    time_first = True

    def __init__(self, n_inputs: int, n_units: int, alpha: float) -> None:
        super().__init__()
        self.input = nn.Linear(n_inputs, n_units)
        self.recurrent = nn.Linear(n_units, n_units, bias=False)
        nn.init.orthogonal_(self.recurrent.weight)
        self.step = _RateStep(alpha)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return the rates (time, batch, unit)."""
        drive = self.input(sequence)
        rate = torch.zeros_like(drive[0])
        rates = []
        for now in drive.unbind(0):
            rate = self.step(rate, now + self.recurrent(rate))
            rates.append(rate)
        return torch.stack(rates)


class RateRNN(nn.Module):
    """A leaky rate network that reads an image row by row (https://doi.org/10.1371/journal.pcbi.1004792)."""

    def __init__(self, specification: RateRNNSpecification, image_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        self.repeats = specification.repeats
        alpha = specification.dt / specification.tau
        n_inputs = n_channels(image_shape) * image_shape[-1]
        self.recurrent = RateUnits(n_inputs, specification.n_units, alpha)
        self.readout = nn.Linear(specification.n_units, n_categories)
        self.time_step = specification.dt
        self.recorded = ("recurrent",)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, category) after the last row of images (batch, [channel,] y, x)."""
        rows = as_rows(images)
        answer: Tensor = self.readout(self.recurrent(rows.repeat_interleave(self.repeats, dim=0))[-1])
        return answer


class RecurrentWeights(nn.Module):
    """Weights (to, from) between units, by re-parametrisation free, of low rank, or of one sign a sender.

    Dale's law: the first units excite, the others inhibit, ``W = |free| diag(sign)`` without self-connections,
    excitation and inhibition balanced at the start (https://doi.org/10.1371/journal.pcbi.1004792). Low rank:
    ``W = m n^T / units`` (https://doi.org/10.1016/j.neuron.2018.07.003).
    """

    sign: Tensor
    mask: Tensor

    def __init__(self, specification: LeakyRNNSpecification) -> None:
        super().__init__()
        n, self.excitatory, self.rank = specification.n_units, specification.excitatory, specification.rank
        if self.rank is not None:
            self.m = nn.Parameter(torch.randn(n, self.rank))
            self.n = nn.Parameter(torch.randn(n, self.rank))
            return
        start = specification.spread * torch.randn(n, n) / math.sqrt(n)
        if specification.identity:
            start = start * 0.1 + specification.identity * torch.eye(n)
        self.free = nn.Parameter(start)
        if self.excitatory is not None:
            n_excitatory = round(self.excitatory * n)
            sign = torch.ones(n)
            sign[n_excitatory:] = -1
            self.register_buffer("sign", sign)
            self.register_buffer("mask", 1 - torch.eye(n))
            with torch.no_grad():
                self.free.abs_()
                self.free[:, n_excitatory:] *= n_excitatory / max(1, n - n_excitatory)

    def forward(self) -> Tensor:
        """Return the weights."""
        if self.rank is not None:
            return self.m @ self.n.T / len(self.m)
        return self.free if self.excitatory is None else self.free.abs() * self.mask * self.sign


class LeakyUnits(nn.Module):
    """``tau dr/dt = -r + f(W r + input + noise)``, in Euler steps of ``dt``."""

    time_first = True

    def __init__(self, n_inputs: int, specification: LeakyRNNSpecification) -> None:
        super().__init__()
        self.alpha = specification.dt / specification.tau
        self.noise = specification.noise * math.sqrt(2 / self.alpha)
        self.activation = specification.activation
        self.input = nn.Linear(n_inputs, specification.n_units)
        self.weights = RecurrentWeights(specification)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return the rates (time, batch, unit) of a sequence (time, batch, unit)."""
        drive = self.input(sequence)
        if self.noise and self.training:
            drive = drive + self.noise * torch.randn_like(drive)
        weights = self.weights()
        with torch.autocast(drive.device.type, enabled=False):
            drive, apply = drive.to(weights.dtype), _LeakySequence.apply
            answer: Tensor = apply(drive, weights, self.alpha, self.activation)  # type: ignore[no-untyped-call]
            return answer


class _LeakySequence(torch.autograd.Function):
    """All steps ``r = (1 - alpha) r + alpha f(W r + drive)`` as one node; the gradient of W is one product."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, weights: Tensor, alpha: float, activation: str) -> Tensor:
        function, _ = ACTIVATIONS[activation]
        turned, rate = weights.T.contiguous(), torch.zeros_like(drive[0])
        rates, active = torch.empty_like(drive), torch.empty_like(drive)
        for t, now in enumerate(drive.unbind(0)):
            active[t] = function(torch.addmm(now, rate, turned))
            rate = torch.lerp(rate, active[t], alpha, out=rates[t])
        ctx.save_for_backward(rates, active, weights)
        ctx.alpha, ctx.activation = alpha, activation
        return rates

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rates, active, weights = ctx.saved_tensors
        _, derivative = ACTIVATIONS[ctx.activation]
        slopes = derivative(active).mul_(ctx.alpha)
        to_rate, to_drive = torch.zeros_like(rates[0]), torch.empty_like(rates)
        for t in reversed(range(len(rates))):
            to_rate += grads[0][t]
            torch.mul(to_rate, slopes[t], out=to_drive[t])
            to_rate = torch.addmm(to_rate, to_drive[t], weights, beta=1 - ctx.alpha)
        n = rates.shape[-1]
        to_weights = to_drive[1:].reshape(-1, n).T @ rates[:-1].reshape(-1, n)
        return to_drive, to_weights, None, None


class LeakyRNN(nn.Module):
    """A leaky rate network that answers in every step, for cognitive tasks (https://doi.org/10.1038/s41593-018-0310-2)."""

    def __init__(self, specification: LeakyRNNSpecification, input_shape: tuple[int, ...], n_outputs: int) -> None:
        super().__init__()
        self.recurrent = LeakyUnits(input_shape[-1], specification)
        self.readout = nn.Linear(specification.n_units, n_outputs)
        self.time_step = specification.dt
        self.recorded = ("recurrent",)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return outputs (time, batch, output) of inputs (time, batch, unit)."""
        answer: Tensor = self.readout(self.recurrent(sequence))
        return answer


class GatedRNN(nn.Module):
    """GRU or LSTM units that read words, a sequence, or an image row by row, and name its category.

    GRU: https://doi.org/10.3115/v1/D14-1179; LSTM: https://doi.org/10.1162/neco.1997.9.8.1735.
    """

    def __init__(self, specification: GatedSpecification, input_shape: tuple[int, ...], n_categories: int) -> None:
        super().__init__()
        s = specification
        self.words, self.is_image = s.n_words > 0, len(input_shape) >= 2 and not s.is_sequence
        self.pooling = s.pooling
        self.dropout = nn.Dropout(s.dropout)
        n_inputs = n_channels(input_shape) * input_shape[-1] if self.is_image else input_shape[-1]
        if self.words:
            self.embedding = nn.Embedding(s.n_words, s.n_embedding, padding_idx=0)
            n_inputs = s.n_embedding
        kind = {"GRU": nn.GRU, "LSTM": nn.LSTM}[s.cell]
        self.recurrent = kind(n_inputs, s.n_units, s.n_layers, bidirectional=s.bidirectional)
        self.recurrent.time_first = True
        self.readout = nn.Linear(s.n_units * (1 + s.bidirectional), n_categories)
        self.time_step = s.dt
        self.recorded = ("recurrent",)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, category) of words (time, batch), sequences (time, batch, unit) or images."""
        present = None
        if self.words:
            present = (inputs > 0).unsqueeze(2)
            sequence = self.dropout(self.embedding(check_words(inputs.long(), self.embedding, "GatedRNN")))
        else:
            sequence = as_rows(inputs) if self.is_image else inputs
        activity = self.recurrent(sequence)[0]
        answer: Tensor = self.readout(self.dropout(pooled(activity, self.pooling, present)))
        return answer


def pooled(activity: Tensor, pooling: str, present: Tensor | None) -> Tensor:
    """Return one row a stimulus of activity (time, batch, unit): of the last step, or the mean or largest over time.

    ``present`` (time, batch, 1) says which steps count; all when absent.
    """
    if pooling == "last":
        return activity[-1]
    if present is None:
        return activity.mean(0) if pooling == "mean" else activity.amax(0)
    if pooling == "mean":
        return (activity * present).sum(0) / present.sum(0).clamp(min=1)
    return activity.masked_fill(~present, torch.finfo(activity.dtype).min).amax(0).clamp(min=-1e4)


def check_words(words: Tensor, embedding: nn.Module, who: str) -> Tensor:
    """Return the words, which have to be numbers that the network has vectors for."""
    assert isinstance(embedding, nn.Embedding)
    if (
        words.device.type == "cpu"
        and words.numel()
        and not 0 <= int(words.min()) <= int(words.max()) < embedding.num_embeddings
    ):
        raise InputError(
            f"{who}: words 0..{embedding.num_embeddings - 1} are known (n_words), found {int(words.min())}.."
            f"{int(words.max())}."
        )
    return words


def as_rows(images: Tensor) -> Tensor:
    """Return images (batch, [channel,] y, x) as sequences of rows (time, batch, unit)."""
    return with_channel(images).permute(2, 0, 1, 3).flatten(2)
