"""What a circuit is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from neurosim.biophysics.plain_numbers import convert, number, whole
from neurosim.refusals import InputError
from neurosim.showing import shown

INPUT = "input"
InputKind = Literal["spikes", "poisson", "current"]
READ_BY = {"duration": (("poisson", "current"), 0.1), "max_rate": (("poisson",), 500.0)}


@shown
@dataclass(frozen=True)
class Input:
    """What the circuit is shown.

    Parameters
    ----------
    size : number of input units.
    kind : "spikes" (stimuli are 0 and 1 in every step), "poisson" (stimuli are intensities in 0..1; every trial draws
        its own spikes), or "current" (stimuli are graded; weights turn them into the constant input of a step).
    duration : how long stimuli without a ``time`` dim are shown, s (poisson, current; 0.1 by default); None where the
        stimuli are spikes, which have times of their own.
    max_rate : rate of an intensity of 1, spikes/s (poisson; 500 by default); None for the others.
    name : by which projections name it as their source, where a circuit has several inputs.

    Raises
    ------
    InputError : no name, an unknown kind, fewer than one unit, a duration or rate out of range, or one that nothing
        reads.

    Examples
    --------
    >>> ns.biophysics.Input(64, "poisson", duration=0.2).max_rate
    500.0
    """

    size: int
    kind: InputKind = "spikes"
    duration: float | None = None
    max_rate: float | None = None
    name: str = INPUT

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"Input: a name asked, found {self.name!r}.")
        if self.kind not in get_args(InputKind):
            raise InputError(f"Input: kind = {self.kind!r}; known: {', '.join(get_args(InputKind))}.")
        for name, (kinds, usual) in READ_BY.items():
            if self.kind in kinds:
                object.__setattr__(self, name, usual if getattr(self, name) is None else getattr(self, name))
            elif getattr(self, name) is not None:
                raise InputError(f"Input: {name} is read where kind is {' or '.join(kinds)}, found {self.kind!r}.")
        convert(self, "Input", size=whole, **{k: number for k in READ_BY if getattr(self, k) is not None})
        is_long = self.duration is None or 0 < self.duration <= 1e4
        if self.size < 1 or not is_long or not (self.max_rate is None or 0 <= self.max_rate <= 1e6):
            raise InputError(
                f"Input: size >= 1, duration in 0..1e4 s and max_rate in 0..1e6 spikes/s asked, found {self}."
            )
