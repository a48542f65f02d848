"""Synapses with a current that rises with one time constant and falls with another."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.biophysics import time_courses
from neurosim.biophysics.formulas import Brought, Functions, Quantities, State
from neurosim.biophysics.models import Constants, Numbers, SynapseModel
from neurosim.parameters import check_range
from neurosim.refusals import InputError
from neurosim.showing import tabled


@tabled
@dataclass(frozen=True)
class DoubleExponentialParameters:
    """Synapses whose current rises with `tau_rise`, falls with `tau_decay` and peaks at their weight (A) after a spike.

    Parameters
    ----------
    tau_rise, tau_decay : s; it rises faster than it falls.

    Raises
    ------
    InputError : a value is outside its range, or the rise is not the faster one.

    Examples
    --------
    >>> ns.biophysics.DoubleExponentialParameters(0.5e-3, 5e-3).tau_decay
    0.005
    """

    tau_rise: float = 0.5e-3
    tau_decay: float = 5e-3

    def __post_init__(self) -> None:
        check_range(self, tau_rise=(1e-6, 10.0), tau_decay=(1e-6, 10.0))
        check_rise(self, self.tau_rise, self.tau_decay)


def check_rise(record: object, tau_rise: float, tau_decay: float) -> None:
    """Raise unless a time course rises faster than it falls."""
    if tau_rise > 0.999 * tau_decay:
        raise InputError(
            f"{type(record).__name__}: tau_rise = {tau_rise:g} s is not below tau_decay = {tau_decay:g} s; where both "
            "agree take alpha synapses."
        )


def constants(p: Numbers, dt: float) -> Constants:
    """Return the constants of the time course."""
    return time_courses.double_exponential_constants(dt, p["tau_rise"], p["tau_decay"])


def step(x: State, m: Functions) -> tuple[Quantities, Brought]:
    """Let the current rise and fall, and bring its mean."""
    state, mean = time_courses.double_exponential(x, m)
    return state, {"kick": None, "i_syn": mean, "g_syn": None}


MODEL = SynapseModel(
    "double_exponential",
    DoubleExponentialParameters,
    ("arrived",),
    ("falling", "rising"),
    constants,
    step,
    state_units={"falling": "A", "rising": "A"},
    caption="synapses with a current of two time constants",
    reference="Roth A, van Rossum MCW (2009) in Computational Modeling Methods for Neuroscientists, ch. 6, "
    "https://doi.org/10.7551/mitpress/9780262013277.003.0007",
    example=5e-11,
)
