"""Weights whose delays are learned: each synapse has one, spread over steps in training, a whole number at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from neurosim.networks.watching import Moment
from neurosim.schema import InputError

Spread = Literal["gaussian", "linear"]
LAST_WIDTH = 0.5


class DelayedLinear(nn.Module):
    """Weights from units to units over sequences (time, batch, unit), each with a delay that is learned.

    In training a delay is spread over the steps about it, by a Gaussian that is narrowed meanwhile
    (:class:`NarrowingDelays`), or over the two steps beside it; in evaluation it is rounded to a whole step
    (https://arxiv.org/abs/2306.17670). Delays stay within 0 and `longest`: their parameter ``position`` is a logit,
    which weight decay draws to half of `longest`.

    Parameters
    ----------
    in_features, out_features : numbers of units before and after.
    longest : longest delay, s. dt : duration of a step, s.
    bias : add a number a unit, without delay.
    spread : "gaussian", or "linear" between the two steps beside the delay.
    width : standard deviation of the Gaussian at the start, in steps; by default half of the longest delay.

    Raises
    ------
    InputError : delays shorter than a step, an unknown spread, a width that is not above 0.

    Examples
    --------
    >>> import torch
    >>> layer = ns.networks.DelayedLinear(2, 1, longest=3e-3, bias=False).eval()
    >>> with torch.no_grad():
    ...     _ = layer.weight.fill_(1.0)
    ...     layer.set_delays(torch.tensor([[0.0, 2e-3]]))
    >>> pulse = torch.zeros(4, 1, 2)
    >>> pulse[0] = 1.0
    >>> layer(pulse).flatten().tolist()
    [1.0, 0.0, 1.0, 0.0]
    """

    time_first = True
    width: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        longest: float = 25e-3,
        dt: float = 1e-3,
        bias: bool = True,
        spread: Spread = "gaussian",
        width: float | None = None,
    ) -> None:
        super().__init__()
        steps = longest / dt if dt > 0 else 0.0
        if not (math.isfinite(steps) and steps >= 1 and math.isclose(steps, round(steps), rel_tol=1e-6)):
            raise InputError(
                f"DelayedLinear: longest = {longest!r} s asked to be one or more whole steps of dt = {dt!r} s."
            )
        if spread not in get_args(Spread):
            raise InputError(f"DelayedLinear: spread = {spread!r}; known: {', '.join(get_args(Spread))}.")
        self.in_features, self.out_features = in_features, out_features
        self.dt, self.n_steps, self.spread = dt, round(steps), spread
        self.first_width = max(self.n_steps / 2, LAST_WIDTH) if width is None else float(width)
        if not self.first_width > 0:
            raise InputError(f"DelayedLinear: width = {width!r} steps; a number above 0 is asked.")
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features)) if bias else None
        self.position = nn.Parameter(torch.logit(torch.rand(out_features, in_features).clamp(0.01, 0.99)))
        self.register_buffer("width", torch.tensor(self.first_width))
        bound = 1 / math.sqrt(in_features)
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                nn.init.uniform_(parameter, -bound, bound)

    @property
    def delays(self) -> Tensor:
        """Delay of each synapse (to, from), s."""
        return self.n_steps * self.dt * torch.sigmoid(self.position.double())

    @property
    def steps(self) -> Tensor:
        """Delay of each synapse (to, from) in whole steps, as in evaluation."""
        return torch.round(self.delays.detach() / self.dt).long()

    def set_delays(self, delays: Tensor) -> None:
        """Set the delay of each synapse (to, from), s; those at the ends of the range stay a little inside it.

        Raises
        ------
        InputError : another shape, or a delay outside 0..longest.
        """
        delays = torch.as_tensor(delays)
        share = delays.detach().double() / (self.n_steps * self.dt)
        rounding = 1e-6  # of numbers in float32
        if share.shape != self.position.shape or not bool(((share >= -rounding) & (share <= 1 + rounding)).all()):
            raise InputError(
                f"DelayedLinear: delays {tuple(self.position.shape)} of 0 to {self.n_steps * self.dt:g} s asked, found "
                f"{tuple(delays.shape)} of {float(delays.min()):g} to {float(delays.max()):g} s."
            )
        margin = 0.1 / self.n_steps
        with torch.no_grad():
            self.position.copy_(torch.logit(share.clamp(margin, 1 - margin)))

    def kernel(self) -> Tensor:
        """Return the weights (to, from, delay in steps) as they are used now: spread in training, else rounded."""
        lags = torch.arange(self.n_steps + 1, device=self.weight.device)
        if not self.training:
            return self.weight.unsqueeze(-1) * (self.steps.unsqueeze(-1) == lags)
        away = lags - (self.delays / self.dt).to(self.weight.dtype).unsqueeze(-1)
        if self.spread == "linear":
            return self.weight.unsqueeze(-1) * (1 - away.abs()).clamp(min=0)
        return self.weight.unsqueeze(-1) * torch.softmax(-0.5 * (away / self.width).square(), -1)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return the weighted sums (time, batch, unit) of what `sequence` brought in this step and in earlier ones.

        Raises
        ------
        InputError : a sequence of other dims or units.
        """
        if sequence.ndim != 3 or sequence.shape[2] != self.in_features:
            raise InputError(
                f"DelayedLinear: a sequence (time, batch, {self.in_features} units) asked, found "
                f"{tuple(sequence.shape)}."
            )
        padded = nn.functional.pad(sequence.permute(1, 2, 0), (self.n_steps, 0))
        found = nn.functional.conv1d(padded, self.kernel().flip(-1), self.bias)
        return found.permute(2, 0, 1).contiguous()

    def narrow(self, share: float, last: float = LAST_WIDTH) -> None:
        """Set the width of the Gaussian, from its first (0) on a geometric way to the `last` one (1), in steps."""
        self.width.fill_(self.first_width * (last / self.first_width) ** min(max(share, 0.0), 1.0))

    def extra_repr(self) -> str:
        """Return sizes and delays, as printing a module shows them."""
        about = f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        return f"{about}, longest={self.n_steps * self.dt:g}, dt={self.dt:g}, spread={self.spread}"


@dataclass(frozen=True)
class NarrowingDelays:
    """A callback of :class:`Watch` that narrows the delays of every :class:`DelayedLinear`, epoch by epoch.

    Parameters
    ----------
    epochs : after which the last width is reached. last : that width, in steps.

    Raises
    ------
    InputError : fewer than 1 epoch, a width that is not above 0.

    Examples
    --------
    >>> watch = ns.networks.Watch(callbacks=[ns.networks.NarrowingDelays(epochs=10)])
    >>> watch.callbacks[0].last
    0.5
    """

    epochs: int
    last: float = LAST_WIDTH

    def __post_init__(self) -> None:
        if self.epochs < 1 or not self.last > 0:
            raise InputError(f"NarrowingDelays: 1 epoch or more and a width above 0 asked, found {self}.")

    def __call__(self, moment: Moment) -> None:
        """Narrow the delays of the network as far as the epochs that are done say."""
        for module in moment.network.modules():
            if isinstance(module, DelayedLinear):
                module.narrow(moment.epoch / self.epochs, self.last)
