"""Ways to move several variables by one step, given how they change; they compute on whatever a step computes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neurosim.biophysics.formulas import Functions, Quantities, Quantity

Change = Callable[[Mapping[str, Quantity]], Quantities]  # variables -> change of each a second


def midpoint(change: Change, before: Mapping[str, Quantity], step: Quantity, m: Functions) -> Quantities:
    """Return the variables moved by the change in the middle of the step: Runge-Kutta of the second order."""
    middle = _ahead(before, _named("first", change(before), m), 0.5 * step, m, "half")
    second = change(middle)
    return {name: value + step * second[name] for name, value in before.items()}


def runge_kutta(change: Change, before: Mapping[str, Quantity], step: Quantity, m: Functions) -> Quantities:
    """Return the variables moved by four changes, weighted as Runge and Kutta do: the fourth order."""
    first = _named("first", change(before), m)
    second = _named("second", change(_ahead(before, first, 0.5 * step, m, "half")), m)
    third = _named("third", change(_ahead(before, second, 0.5 * step, m, "again")), m)
    fourth = change(_ahead(before, third, step, m, "whole"))
    total = {k: first[k] + 2.0 * second[k] + 2.0 * third[k] + fourth[k] for k in before}
    return {name: value + (step / 6.0) * total[name] for name, value in before.items()}


def _named(which: str, values: Quantities, m: Functions) -> Quantities:
    return {name: m.let(f"{which}_change_{name}", value) for name, value in values.items()}


def _ahead(before: Mapping[str, Quantity], change: Quantities, time: Quantity, m: Functions, which: str) -> Quantities:
    """Return the variables after some time of this change."""
    return {name: m.let(f"{which}_ahead_{name}", value + time * change[name]) for name, value in before.items()}
