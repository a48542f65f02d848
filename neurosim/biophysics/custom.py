"""A neuron of free equations, from Python or from a file: its text passes the guard before anything reads it."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.equations import METHODS, PROVIDED, Equations, Method, spelled
from neurosim.biophysics.formula_guard import LARGEST, LONGEST, check_formula, is_plain_name, short
from neurosim.biophysics.models import Constants, NeuronModel, Numbers
from neurosim.schema import InputError, suggest
from neurosim.units import plain

FREE = "custom"
OWN_NUMBERS = ("refractory", "rheobase")
_LINE = re.compile(r"^\s*(?:d(?P<state>[A-Za-z]\w*)/dt|(?P<name>[A-Za-z]\w*))\s*=(?P<formula>[^=].*)$")


@by_value
@dataclass(frozen=True, eq=False)
class CustomNeuron:
    """A neuron given by its equations, in plain numbers of SI units.

    Every engine runs it, files hold it as text, and its numbers may differ between the neurons of a population.

    Parameters
    ----------
    equations : one a line, ``dx/dt = formula`` (per second) or ``x = formula``; ``v`` is the membrane. Formulas may
        use ``drive``, ``i_syn`` and ``g_syn`` (A, S: the synapses bring the current ``i_syn - g_syn*v``); delta
        synapses and noise move ``v`` by themselves.
    threshold : condition of a spike, of comparisons joined by ``and``, ``or`` and ``not``.
    reset : assignments at a spike, one after another, separated by ``;``.
    numbers : the constants that the formulas name; a quantity is taken in SI units, whatever its dimension.
    initial : initial value of each variable; 0 where absent.
    refractory : time after a spike during which no other is sent, s.
    method : "exponential_euler" (each state must be linear in itself), "rk2" (midpoint) or "rk4"; "auto" is the first
        where there is one state and it is linear, else "rk2".
    rheobase : constant drive that brings it to threshold, the unit of experiments and calibrations, which ask for it.

    Raises
    ------
    InputError : a formula holds anything but numbers, known names, arithmetic, comparisons and known functions; a
        method that does not fit.

    Examples
    --------
    >>> ns.biophysics.CustomNeuron("dv/dt = (drive - v) / tau", "v > 1", "v = 0", {"tau": 10e-3}).states
    ('v',)
    """

    equations: str
    threshold: str
    reset: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    refractory: float = 0.0
    method: Method = "auto"
    rheobase: float | None = None

    def __post_init__(self) -> None:
        for name in ("equations", "threshold", "reset", "method"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"CustomNeuron: {name} is a text, found {type(getattr(self, name)).__name__}.")
        for name in ("numbers", "initial"):
            object.__setattr__(self, name, {k: _number(k, v) for k, v in getattr(self, name).items()})
        lines = self.lines()
        names = [*(name for name, _, _ in lines), *self.numbers]
        known = {*names, *PROVIDED, "v"}
        if "v" not in self.states:
            raise InputError("CustomNeuron: the equations need a line 'dv/dt = ...' for the membrane.")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"CustomNeuron: {twice[0]!r} is given twice; one line or one number for each name.")
        for name, is_state, formula in lines:
            _check(f"d{name}/dt" if is_state else name, formula, known)
        _check("threshold", self.threshold, known, is_condition=True)
        for name, _, formula in self.assignments():
            if name not in self.states:
                raise InputError(
                    f"CustomNeuron: the reset assigns {name!r}, which is no state of the neuron; states: "
                    f"{', '.join(self.states)}.{suggest(name, self.states)}"
                )
            _check("reset", formula, known)
        _check_order([(name, formula) for name, is_state, formula in lines if not is_state])
        self._check_used(lines)
        object.__setattr__(self, "refractory", _number("refractory", self.refractory))
        if not 0 <= self.refractory <= 1:
            raise InputError(f"CustomNeuron: refractory = {self.refractory!r} is outside 0..1 s.")
        if self.rheobase is not None:
            object.__setattr__(self, "rheobase", _number("rheobase", self.rheobase))
        self._check_step()

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the variables that have a differential equation."""
        return tuple(name for name, is_state, _ in self.lines() if is_state)

    @cached_property
    def model(self) -> NeuronModel:
        """The neuron as a pure step, like the registered ones."""
        read = self._read()
        start = {spelled(name): self.initial.get(name, 0.0) for name in self.states}
        return NeuronModel(
            FREE,
            CustomNeuron,
            start | {"wait": 0.0, "above_threshold": 0.0},
            read.constants,
            read.update,
            read.distance,
            read.reset,
            variables={name: spelled(name) for name in self.states},
            numbers=_numbers_of,
            changed=_changed,
            rheobase=None if self.rheobase is None else self._rheobase,
            caption="neurons of free equations",
        )

    def _rheobase(self, _numbers: Numbers) -> float | None:
        return self.rheobase

    def _read(self) -> Equations:
        def tree(formula: str) -> ast.expr:
            return ast.parse(formula.strip(), mode="eval").body

        changes = {name: tree(formula) for name, is_state, formula in self.lines() if is_state}
        parts = {name: tree(formula) for name, is_state, formula in self.lines() if not is_state}
        resets = tuple((name, sign, tree(formula)) for name, sign, formula in self.assignments())
        return Equations(changes, parts, tree(self.threshold), resets, tuple(self.numbers), self.method)

    def _check_step(self) -> None:
        """Raise where the method cannot integrate the equations, or the reset names what only a step has."""
        read = self._read()
        if self.method not in METHODS:
            raise InputError(
                f"CustomNeuron: method = {self.method!r}; known: {', '.join(METHODS)}.{suggest(self.method, METHODS)}"
            )
        curved = [s for s in self.states if not read.is_linear(s)]
        if self.method == "exponential_euler" and curved:
            raise InputError(
                f"CustomNeuron: exponential_euler asks that each state is linear in itself, {curved[0]!r} is not; "
                "method = 'rk2' or 'rk4'."
            )
        brought = {"i_syn", "g_syn"} & {name for _, _, formula in read.resets for name in read.named_by(formula)}
        if brought:
            raise InputError(
                f"CustomNeuron: the reset names {min(brought)!r}, which acts during a step, not at a spike."
            )

    def _check_used(self, lines: list[tuple[str, bool, str]]) -> None:
        """Raise for numbers that no formula names, and for initial values of what is no state."""
        used = set(re.findall(r"[A-Za-z_]\w*", " ".join([*(f for _, _, f in lines), self.threshold, self.reset])))
        for key in self.numbers:
            if key not in used:
                raise InputError(f"CustomNeuron: no formula names the number {key!r}.{suggest(key, used)}")
        for key in self.initial:
            if key not in self.states:
                raise InputError(
                    f"CustomNeuron: initial {key!r} is no state; states: {', '.join(self.states)}."
                    f"{suggest(key, self.states)}"
                )

    def lines(self) -> list[tuple[str, bool, str]]:
        """Return (name, has a differential equation, formula) of every line."""
        found = []
        for line in filter(None, (part.strip() for part in self.equations.splitlines())):
            match = _LINE.match(line)
            if match is None or len(line) > LONGEST:
                raise InputError(f"CustomNeuron: cannot read the line {line[:80]!r}; write 'dx/dt = ...' or 'x = ...'.")
            name = match["state"] or match["name"]
            _check_name(name)
            found.append((name, match["state"] is not None, match["formula"].strip()))
        return found

    def assignments(self) -> list[tuple[str, str, str]]:
        """Return (name, operator, formula) of every assignment of the reset."""
        return [_split_assignment(part) for part in (a.strip() for a in self.reset.split(";")) if part]


def _check(place: str, formula: str, known: set[str], *, is_condition: bool = False) -> None:
    """Check a formula, and say in which line of the neuron it stands where it is refused."""
    try:
        check_formula(formula, known, is_condition=is_condition)
    except InputError as error:
        raise InputError(f"CustomNeuron: {place}: {error}") from None


def _numbers_of(neuron: CustomNeuron) -> Constants:
    """Return what may differ between neurons, by name."""
    return {**neuron.numbers, "refractory": neuron.refractory}


def _changed(neuron: CustomNeuron, values: Numbers) -> CustomNeuron:
    """Return the neuron with other numbers."""
    own = {k: v for k, v in values.items() if k != "refractory"}
    return replace(neuron, numbers={**neuron.numbers, **own}, refractory=values.get("refractory", neuron.refractory))


def _number(name: str, value: object) -> float:
    """Return a number as a float, whatever numeric type it has; its name is checked too."""
    if name not in OWN_NUMBERS:
        _check_name(name)
    value = plain(value, "s" if name == "refractory" else "", f"CustomNeuron: {name}")
    try:
        number = float(value) if np.ndim(value) == 0 and not isinstance(value, str | bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= LARGEST:
        raise InputError(f"CustomNeuron: {name} = {short(value)} is not a number up to {LARGEST:g}.")
    return number


def _check_name(name: str) -> None:
    if not (isinstance(name, str) and name.isascii() and name.isidentifier() and not name.startswith("_")):
        raise InputError(f"CustomNeuron: {name!r} is not a name of plain letters, digits and '_'.")
    if name in PROVIDED or not is_plain_name(name):
        raise InputError(f"CustomNeuron: {name!r} has a meaning of its own; choose another name.")


def _check_order(lines: list[tuple[str, str]]) -> None:
    """Raise where lines ``x = formula`` need each other in a circle."""
    needs = {name: set(re.findall(r"[A-Za-z]\w*", formula)) for name, formula in lines}
    while needs:
        ready = [name for name, found in needs.items() if not found & needs.keys()]
        if not ready:
            raise InputError(f"CustomNeuron: {', '.join(sorted(needs))} need each other in a circle.")
        for name in ready:
            del needs[name]


def _split_assignment(assignment: str) -> tuple[str, str, str]:
    match = re.match(r"^([A-Za-z]\w*)\s*(\+=|-=|\*=|=)(?!=)(.*)$", assignment)
    if match is None:
        raise InputError(f"CustomNeuron: cannot read the reset {assignment[:80]!r}; write 'v = ...' or 'w += ...'.")
    return match[1], match[2], match[3]
