"""Numbers of neurons that are learned: how each is kept as a parameter, what it says of a step, and in SI units.

Shares, thresholds and rises are computed in float64 from parameters of any precision, so that a layer, its copy in
float64 and what is exported of it hold the same numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurosim.networks.learnable import Form
from neurosim.networks.spiking.sequence import NUMBERS, Coefficients
from neurosim.schema import InputError

LEAST_THRESHOLD = 1e-6
POSITIVE = ("threshold", "rise")


def kept_as(name: str, value: Tensor, form: Form) -> Tensor:
    """Return the parameter, in torch's default precision, that stands for a coefficient `name` of this value."""
    exact = value.detach().double()
    if form == "free":
        exact = exact.log() if name in POSITIVE else torch.logit(exact)
    return exact.to(torch.get_default_dtype())


def value_of(name: str, parameter: Tensor, form: Form) -> Tensor:
    """Return the coefficient `name`, float64, that a parameter stands for.

    >>> value_of("beta", torch.zeros(1), "free").item()
    0.5
    """
    exact = parameter.double()
    if form == "free":
        return exact.exp() if name in POSITIVE else exact.sigmoid()
    if name in POSITIVE:
        return exact.clamp(min=LEAST_THRESHOLD if name == "threshold" else 0.0)
    return exact.clamp(0.0, 1.0)


def in_si_units(name: str, value: Tensor, dt: float) -> Tensor:
    """Return a coefficient as its record has it: shares as time constants, s.

    >>> in_si_units("beta", torch.tensor([0.5, 1.0]), math.log(2)).tolist()
    [1.0, inf]
    """
    values = value.detach()
    return values if name in POSITIVE else torch.where(values < 1, -dt / values.log(), torch.inf)


def size_of(sharing: str, shape: tuple[int, ...] | None, who: str) -> tuple[int, ...]:
    """Return the shape of what is learned, given that of the units.

    Raises
    ------
    InputError : the shape of the units is asked and was not given.
    """
    if sharing == "layer":
        return (1,)
    if shape is None:
        raise InputError(f"SpikingLayer: {who} is learned by {sharing}; pass shape=, the shape of the units.")
    return shape[:1] if sharing == "channel" else shape


def each_unit(c: Coefficients, units: tuple[int, ...]) -> Coefficients:
    """Return coefficients whose tensors are one number, or one a unit of this shape: those of channels are spread.

    Raises
    ------
    InputError : numbers that are neither one, nor one a channel, nor one a unit.
    """
    numbers = {k: getattr(c, k) for k in NUMBERS}
    found = {k: _spread(k, v, units) if isinstance(v, Tensor) else v for k, v in numbers.items()}
    return Coefficients(reset=c.reset, **found)


def _spread(name: str, values: Tensor, units: tuple[int, ...]) -> Tensor:
    n, shape = values.numel(), tuple(values.shape)
    if n in (1, math.prod(units)):
        return values.flatten()
    if len(units) > 1 and shape in (units[:1], (units[0],) + (1,) * (len(units) - 1)):
        return values.reshape(units[0], *(1,) * (len(units) - 1)).expand(units).flatten()
    raise InputError(f"SpikingLayer: {n} numbers for {math.prod(units)} units of shape {units}: {name}.")
