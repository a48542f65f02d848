"""Surrogate gradients: what stands in for the derivative of a spike, which is zero wherever it is defined.

Each is the derivative of a smooth primitive that approaches the step; both are here, and one is tested by the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from neurosim.networks.shared_parameters import SurrogateName
from neurosim.schema import InputError, suggest

DEFAULT_SLOPES: dict[str, float] = {
    "atan": 2.0,
    "fast_sigmoid": 25.0,
    "sigmoid": 25.0,
    "triangular": 1.0,
    "straight_through": 1.0,
}


@dataclass(frozen=True)
class Surrogate:
    """The gradient of a spike by its distance from threshold, with the conventions of snnTorch.

    Parameters
    ----------
    name : "atan" (https://doi.org/10.1109/ICCV48922.2021.00266), "fast_sigmoid"
        (https://doi.org/10.1162/neco_a_01086), "sigmoid", "triangular"
        (https://doi.org/10.1038/s41467-020-17236-y) or "straight_through" (https://arxiv.org/abs/1308.3432).
    slope : steepness, 1 / threshold units; by default that of snnTorch.

    Raises
    ------
    InputError : unknown name, a slope that is not above 0.

    Examples
    --------
    >>> import torch
    >>> ns.networks.Surrogate("atan").derivative(torch.zeros(1)).item()
    1.0
    """

    name: SurrogateName = "atan"
    slope: float = 0.0

    def __post_init__(self) -> None:
        known = get_args(SurrogateName)
        if self.name not in known:
            raise InputError(
                f"Surrogate: {self.name!r} is not known; known: {', '.join(known)}.{suggest(str(self.name), known)}"
            )
        if self.slope == 0.0:
            object.__setattr__(self, "slope", DEFAULT_SLOPES[self.name])
        if not (self.slope > 0 and math.isfinite(self.slope)):
            raise InputError(f"Surrogate: slope = {self.slope!r}; a finite number above 0 is asked.")

    @property
    def index(self) -> int:
        """Number under which compiled kernels know it."""
        return get_args(SurrogateName).index(self.name)

    def primitive(self, distance: Tensor) -> Tensor:
        """Return the smooth step whose derivative is used, up to a constant."""
        return _PRIMITIVES[self.name](distance, self.slope)

    def derivative(self, distance: Tensor) -> Tensor:
        """Return the gradient of a spike at membrane minus threshold = `distance`."""
        return _DERIVATIVES[self.name](distance, self.slope)

    def spike(self, distance: Tensor) -> Tensor:
        """Return 1 where `distance` is above 0, with the surrogate as its derivative, forward and backward.

        Derivatives of a second order are those of the surrogate: everywhere for "atan", "sigmoid" and
        "straight_through" (0), where it has no kink for "fast_sigmoid" (at 0) and "triangular" (at 0 and at its ends).
        """
        answer: Tensor = _Spike.apply(distance, self)  # type: ignore[no-untyped-call]
        return answer


class _Spike(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(distance: Tensor, surrogate: Surrogate) -> Tensor:
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.surrogate = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (distance,) = ctx.saved_tensors
        return ctx.surrogate.derivative(distance) * grad_outputs[0], None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        (distance,) = ctx.saved_tensors
        answer: Tensor = ctx.surrogate.derivative(distance) * tangents[0]
        return answer


def _d_atan(x: Tensor, k: float) -> Tensor:
    scaled = x * (math.pi / 2 * k)
    return (k / 2) / scaled.square_().add_(1.0)


def _d_fast_sigmoid(x: Tensor, k: float) -> Tensor:
    return 1.0 / (x.abs() * k).add_(1.0).square_()


def _d_sigmoid(x: Tensor, k: float) -> Tensor:
    step = torch.sigmoid(x * k)
    return k * step * (1.0 - step)


def _triangle(x: Tensor, k: float) -> Tensor:
    inside = (x * k).clamp(-1, 1)
    return inside - inside * inside.abs() / 2


_PRIMITIVES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "atan": lambda x, k: torch.atan(x * (math.pi / 2 * k)) / math.pi,
    "fast_sigmoid": lambda x, k: x / (1 + k * x.abs()),
    "sigmoid": lambda x, k: torch.sigmoid(x * k),
    "triangular": _triangle,
    "straight_through": lambda x, k: x * k,
}
_DERIVATIVES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "atan": _d_atan,
    "fast_sigmoid": _d_fast_sigmoid,
    "sigmoid": _d_sigmoid,
    "triangular": lambda x, k: (1.0 - (x * k).abs()).clamp(min=0.0) * k,
    "straight_through": torch.full_like,
}
