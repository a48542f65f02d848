"""Leaky rate networks that answer in every step, as in cognitive tasks; with Dale's law, or of low rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurosim.networks.architecture import Architecture
from neurosim.refusals import InputError


@dataclass(frozen=True)
class LeakyRNNSpecification:
    """Leaky rate network that answers in every step.

    Parameters
    ----------
    n_units : recurrently connected units. dt, tau : step and time constant, s. activation : of the units.
    noise : standard deviation of the private noise of a unit at rest.
    spread, identity : of random recurrent weights, or the weight of each unit to itself at the start.
    excitatory : share of units that excite where Dale's law holds. rank : of the recurrent weights.

    Raises
    ------
    InputError : a step longer than the time constant, Dale's law and a low rank together, a share that is none.

    Examples
    --------
    >>> ns.networks.LeakyRNNSpecification(100, excitatory=0.8).tau
    0.1
    """

    n_units: int = 128
    dt: float = 20e-3
    tau: float = 100e-3
    activation: Literal["relu", "softplus", "tanh"] = "relu"
    noise: float = 0.0
    spread: float = 1.0
    identity: float = 0.0
    excitatory: float | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.dt <= self.tau:
            raise InputError(f"LeakyRNN: dt = {self.dt} s is not in 0..tau = {self.tau} s; take a shorter step.")
        if self.excitatory is not None and self.rank is not None:
            raise InputError("LeakyRNN: Dale's law and a low rank cannot both hold; give excitatory or rank.")
        if self.excitatory is not None and not 0 < self.excitatory < 1:
            raise InputError(f"LeakyRNN: excitatory = {self.excitatory}; a share between 0 and 1 is asked.")


LEAKY_RNN = Architecture(
    name="LeakyRNN",
    specification=LeakyRNNSpecification,
    build="neurosim.networks.recurrent:LeakyRNN",
    takes=("sequence",),
    learns=("targets",),
    caption="Leaky rate units, recurrently connected, that answer in every step of a trial.",
    citation="Yang GR, Joglekar MR, Song HF, Newsome WT, Wang XJ (2019) Nat Neurosci 22:297-306, "
    "https://doi.org/10.1038/s41593-018-0310-2",
    examples=(
        LeakyRNNSpecification(9),
        LeakyRNNSpecification(10, excitatory=0.8),
        LeakyRNNSpecification(9, rank=2, activation="tanh", noise=0.1),
    ),
)
