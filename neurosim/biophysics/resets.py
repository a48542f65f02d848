"""What a spike does to a membrane in volts: it is set to a value, lowered by a difference, or left where it is."""

from __future__ import annotations

from typing import Literal

from neurosim.biophysics.formulas import Functions, Quantity, State
from neurosim.biophysics.models import Constants, Numbers
from neurosim.parameters import check_choice, check_range

LeakyReset = Literal["value", "subtract", "none"]
UpstrokeReset = Literal["value", "subtract"]


def check_reset(record: object, known: tuple[str, ...]) -> None:
    """Raise where the reset of a record is none of those that are known, or lowers by what is out of range."""
    check_range(record, subtracted=(1e-6, 10.0))
    check_choice(record, "reset", known)


def reset_constants(p: Numbers) -> Constants:
    """Return what :func:`after_spike` reads."""
    return {"v_reset": p["v_reset"], "subtracted": p["subtracted"], "reset_kind": p["reset"]}


def after_spike(x: State) -> Quantity:
    """Return the membrane of a neuron that sent a spike."""
    return {"value": x.v_reset, "subtract": x.v - x.subtracted, "none": x.v}[x.reset_kind]


def while_free(x: State, m: Functions, above: Quantity) -> Quantity:
    """Return how far a membrane is above threshold; out of reach while it is held, also above it."""
    return m.unless(x.wait, 0.5, above)
