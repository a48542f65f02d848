"""Leaky rate networks that read an image row by row."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.networks.architecture import Architecture
from neurosim.refusals import InputError


@dataclass(frozen=True)
class RateRNNSpecification:
    """Leaky rate network that reads an image row by row.

    Parameters
    ----------
    n_units : recurrently connected units. dt, tau : step and time constant, s.
    repeats : steps that each row of the image stays.

    Raises
    ------
    InputError : a step that is longer than the time constant.

    Examples
    --------
    >>> ns.networks.RateRNNSpecification(64).tau
    0.01
    """

    n_units: int = 96
    dt: float = 5e-3
    tau: float = 10e-3
    repeats: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.dt <= self.tau:
            raise InputError(f"RateRNN: dt = {self.dt} s is not in 0..tau = {self.tau} s; take a shorter step.")


RATE_RNN = Architecture(
    name="RateRNN",
    specification=RateRNNSpecification,
    build="neurosim.networks.recurrent:RateRNN",
    takes=("gray", "colour"),
    learns=("categories",),
    caption="Leaky rate units, recurrently connected, that read an image row by row.",
    citation="Song HF, Yang GR, Wang XJ (2016) PLoS Comput Biol 12:e1004792, "
    "https://doi.org/10.1371/journal.pcbi.1004792",
    examples=(RateRNNSpecification(9),),
)
