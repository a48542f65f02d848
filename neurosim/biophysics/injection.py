"""What an injected current is, whatever its course; the kinds stand in ``currents/``, one in a file.

A current is a value in every simulation step, held over the step; times are rounded to whole steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.biophysics.courses import Following
from neurosim.biophysics.plain_numbers import whole
from neurosim.parameters import Parameters, filled
from neurosim.registry import Registry
from neurosim.schema import InputError
from neurosim.showing import shown


@shown
@dataclass(frozen=True)
class CurrentModel:
    """A kind of injected current: its numbers and its course.

    Parameters
    ----------
    name : name by which files and messages know it.
    parameters : class of its numbers, a frozen dataclass with ``neurons``: the places of those that receive it, or None
        for all of them.
    begin : (record, dt, number of neurons, draw) -> what gives the current (step, neuron), or (step, 1) where it is the
        same in all, in the steps (step,) that it is asked for, one block after another from 0 on; A, or threshold units
        where neurons are discrete.
    until : (record) -> time up to which it says something, s; 0 is no such time.
    is_random : whether it is drawn anew in every trial.
    caption : what it is, in one sentence without a verb.
    reference : the paper to cite, with its DOI; "" where there is none.

    Examples
    --------
    >>> ns.biophysics.CURRENTS["ornstein_uhlenbeck"].is_random
    True
    """

    name: str
    parameters: type[Parameters]
    begin: Callable[[Any, float, int, np.random.Generator], Callable[[np.ndarray], np.ndarray]]
    until: Callable[[Any], float]
    is_random: bool = False
    caption: str = ""
    reference: str = ""

    def of(self, values: dict[str, Any]) -> Parameters:
        """Return the record with these numbers, the others as they are by default; unknown names are refused."""
        return filled(self.name, self.parameters, values)


CURRENTS = Registry("current", "neurosim.biophysics.currents", CurrentModel)


def current_of(parameters: object) -> CurrentModel | None:
    """Return the model whose numbers these are; None where there is none."""
    return next((model for model in CURRENTS.values() if model.parameters is type(parameters)), None)


def chosen_neurons(record: object, neurons: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the places of neurons of a record as a tuple of whole numbers; None is all of them."""
    if neurons is None:
        return None
    try:
        found = tuple(whole(i) for i in neurons)
    except (TypeError, ValueError) as error:
        raise InputError(f"{type(record).__name__}: neurons are whole numbers, found {neurons!r}.") from error
    if len(set(found)) != len(found) or min(found, default=0) < 0:
        raise InputError(f"{type(record).__name__}: neurons from 0 on, each once, asked; found {found}.")
    return found


def check_lasts(model: CurrentModel, record: Any, duration: float) -> None:
    """Raise where a current says something about times after the simulation."""
    until = model.until(record)
    if until > duration * (1 + 1e-9):
        raise InputError(
            f"{type(record).__name__}: it goes on until {until:g} s, the simulation ends after {duration:g} s; show "
            "the stimuli longer, or simulate a tail."
        )


def begun(
    model: CurrentModel, record: Any, dt: float, size: int, draw: np.random.Generator, chosen: np.ndarray | None = None
) -> Following:
    """Return what gives the current (step, neuron) in the next n steps, 0 in neurons that do not receive it.

    It is that of all neurons, or of those that are `chosen` where it is the same in all that receive it.
    """
    values, now = model.begin(record, dt, size, draw), 0
    receiving = receives(record, size)[slice(None) if chosen is None else chosen]

    def following(n: int) -> np.ndarray:
        nonlocal now
        steps, now = np.arange(now, now + n), now + n
        found = values(steps)
        return found if found.shape[1] == len(receiving) and receiving.all() else found * receiving

    return following


def receives(record: Any, size: int) -> np.ndarray:
    """Return which of `size` neurons receive what a record brings, 1 or 0."""
    return np.ones(size) if record.neurons is None else np.isin(np.arange(size), record.neurons).astype(float)
