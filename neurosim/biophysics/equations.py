"""Free equations as a pure step: guarded formulas are walked on numbers, on tensors, or on the text of Brian2 code.

Nothing here runs a formula as code, and one walk serves every engine, so that all of them do the same operations.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from neurosim.biophysics.formulas import ArrayFunctions, Functions, Quantities, Quantity, State
from neurosim.biophysics.integrators import midpoint, runge_kutta
from neurosim.biophysics.models import Constants, Numbers, jumped
from neurosim.schema import InputError

OWN = "own_"  # before every name of an author, so that it is no name of Brian2, of C++, of a receptor or an engine
PROVIDED = ("drive", "i_syn", "g_syn")
Method = Literal["auto", "exponential_euler", "rk2", "rk4"]
METHODS = get_args(Method)
ARITHMETIC: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
BARE = ArrayFunctions()


@dataclass(frozen=True)
class Linear:
    """``slope * state + offset``: what a formula is that has a state once."""

    slope: Any
    offset: Any

    def __neg__(self) -> Linear:
        """Negative."""
        return Linear(-self.slope, -self.offset)

    def plus(self, other: Any) -> Linear:
        """Sum."""
        slope, offset = (other.slope, other.offset) if isinstance(other, Linear) else (0.0, other)
        return Linear(_arithmetic("+", self.slope, slope), _arithmetic("+", self.offset, offset))

    def scaled(self, operator: str, factor: Any) -> Linear:
        """Product with, or quotient by, what does not hold the state."""
        return Linear(_arithmetic(operator, self.slope, factor), _arithmetic(operator, self.offset, factor))


@dataclass(frozen=True)
class Equations:
    """The formulas of a neuron, read once: the change of each state, named parts, the condition and the reset."""

    changes: Mapping[str, ast.expr]
    parts: Mapping[str, ast.expr]
    condition: ast.expr
    resets: tuple[tuple[str, str, ast.expr], ...]
    numbers: tuple[str, ...]
    method: Method

    @property
    def integrator(self) -> Method:
        """How they are integrated: exponential Euler by itself where there is one state and it is linear, else rk2."""
        if self.method != "auto":
            return self.method
        return "exponential_euler" if len(self.changes) == 1 and self.is_linear("v") else "rk2"

    def is_linear(self, state: str) -> bool:
        """Whether the change of a state is linear in it, whatever it is in the others."""
        degrees: dict[str, float] = {state: 1}
        for _ in self.parts:
            degrees |= {name: _degree(formula, degrees) for name, formula in self.parts.items()}
        return _degree(self.changes[state], degrees) <= 1

    def named_by(self, formula: ast.expr) -> set[str]:
        """Return every name that a formula holds, itself or in a part that it names."""
        found: set[str] = set()
        new = _names(formula)
        while new:
            found |= new
            new = {n for name in new & self.parts.keys() for n in _names(self.parts[name])} - found
        return found

    def constants(self, numbers: Numbers, dt: float) -> Constants:
        """Return the numbers that the formulas name, the step, the refractory steps and the leak where there is one."""
        own: Constants = {OWN + name: numbers[name] for name in self.numbers}
        waits = {"held_steps": np.rint(np.asarray(numbers["refractory"]) / dt)[()]}
        own |= {"step_length": dt, "can_wait": bool(np.any(numbers["refractory"])), **waits}
        slope = self._leak(own)
        return own if slope is None else own | {"leak_decay": np.exp(dt * slope)}

    def _leak(self, constants: Constants) -> Any:
        """Return the slope of dv/dt in v without synapses where it is a number, below 0; else None."""
        is_chosen = any(isinstance(node, ast.Call) and node.func.id == "int" for node in self._walked())  # type: ignore[attr-defined]
        if is_chosen or not self.is_linear("v"):
            return None
        unknown = dict.fromkeys(("drive", *(OWN + s for s in self.changes if s != "v")), np.asarray(np.nan))
        unknown |= dict.fromkeys(("i_syn", "g_syn"), np.asarray(0.0))
        given = {k: np.asarray(v, dtype=float) for k, v in constants.items()}
        reading = _Reading(self, State(**given, **unknown), BARE, {"v": Linear(1.0, 0.0)}, [])
        with np.errstate(all="ignore"):
            change = reading.read(self.changes["v"])
        slope = np.asarray(change.slope if isinstance(change, Linear) else 0.0, dtype=float)
        return slope[()] if np.isfinite(slope).all() and (slope < 0).all() else None

    def _walked(self) -> list[ast.AST]:
        return [node for formula in (*self.changes.values(), *self.parts.values()) for node in ast.walk(formula)]

    def update(self, x: State, m: Functions) -> Quantities:
        """Move every state by one step, then say by how much the condition of a spike is met."""
        named: list[str] = []
        before = {name: getattr(x, spelled(name)) for name in self.changes}
        moved = INTEGRATORS[self.integrator](self, x, m, before, named)
        moved["v"] = jumped(x, moved["v"])
        after = {name: m.let(f"{OWN}{len(named)}after_{name}", value) for name, value in moved.items()}
        above = _Reading(self, x, m, after, named).distance(self.condition)
        new = {spelled(name): value for name, value in after.items()}
        if not x.can_wait:
            return new | {"above_threshold": above}
        wait = x.wait - m.is_positive(x.wait - 0.5)
        return new | {"wait": wait, "above_threshold": m.at_most(0.5 - wait, above)}

    def distance(self, x: State, m: Functions) -> Quantity:
        """Return by how much the condition of a spike is met; the update of this step computed it."""
        return x.above_threshold

    def reset(self, x: State, m: Functions) -> Quantities:
        """Assign one after another, and begin to wait."""
        states = {name: getattr(x, spelled(name)) for name in self.changes}
        new: Quantities = {"wait": x.held_steps} if x.can_wait else {}
        named: list[str] = []
        for name, sign, formula in self.resets:
            value = _Reading(self, x, m, states, named).read(formula)
            states[name] = value if sign == "=" else _arithmetic(sign[0], states[name], value)
            new[spelled(name)] = states[name]
        return new

    def change_of(
        self, x: State, m: Functions, states: Mapping[str, Quantity], named: list[str]
    ) -> dict[str, Quantity]:
        """Return the change of every state a second, at these states."""
        reading = _Reading(self, x, m, states, named)
        return {name: reading.read(formula) for name, formula in self.changes.items()}


def spelled(name: str) -> str:
    """Return the name that a variable or number of a free equation has in a step."""
    return name if name in ("v", *PROVIDED) else OWN + name


class _Reading:
    """A walk through formulas at given states; parts that they name are computed once."""

    def __init__(
        self, equations: Equations, x: State, m: Functions, states: Mapping[str, Any], named: list[str]
    ) -> None:
        self.equations, self.x, self.m = equations, x, m
        self.values, self.named = dict(states), named

    def let(self, name: str, value: Any) -> Any:
        """Compute a value once, under a name that no author can write."""
        if isinstance(value, Linear):
            return Linear(self.let(f"{name}_slope", value.slope), self.let(f"{name}_offset", value.offset))
        self.named.append(name)
        return value if _is_plain(value) else self.m.let(f"{OWN}{len(self.named)}{name}", value)

    def read(self, node: ast.AST) -> Any:
        """Return the value of a formula."""
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            return self._value_of(node.id)
        if isinstance(node, ast.UnaryOp):
            value = self.read(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Pow):
                return self._power(self.read(node.left), self.read(node.right))
            return _arithmetic(ARITHMETIC[type(node.op)], self.read(node.left), self.read(node.right))
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        return self._call(node.func.id, node.args)

    def distance(self, node: ast.AST, *, is_not: bool = False) -> Any:
        """Return what is above 0 exactly where a condition holds: ``a - b`` for ``a > b``."""
        if isinstance(node, ast.UnaryOp):
            return self.distance(node.operand, is_not=not is_not)
        if isinstance(node, ast.BoolOp):
            first, *others = (self.distance(value, is_not=is_not) for value in node.values)
            for other in others:
                first = (
                    self._least(first, other) if isinstance(node.op, ast.And) != is_not else self._most(first, other)
                )
            return first
        assert isinstance(node, ast.Compare)
        left, right, (kind,) = self.read(node.left), self.read(node.comparators[0]), node.ops
        above = _arithmetic("-", *((left, right) if isinstance(kind, ast.Gt | ast.GtE) else (right, left)))
        is_strict = isinstance(kind, ast.Gt | ast.Lt)
        if is_not:
            above, is_strict = -above, not is_strict
        return above if is_strict else self._on("is_not_negative", above) - 0.5

    def _value_of(self, name: str) -> Any:
        if name not in self.values:
            part = self.equations.parts.get(name)
            if part is not None:
                self.values[name] = self.let(name, self.read(part))
            else:
                value = getattr(self.x, spelled(name))
                self.values[name] = 0.0 if value is None else value
        return self.values[name]

    def _power(self, base: Any, exponent: float) -> Any:
        """Return a power; whole ones are products, which every engine rounds alike."""
        if not float(exponent).is_integer() or _is_plain(base):
            return self._on("power", base, exponent)
        if not exponent:
            return 1.0
        product = base = self.let("base", base)
        for _ in range(abs(int(exponent)) - 1):
            product = self.let("power", product * base)
        return product if exponent > 0 else 1.0 / product

    def _call(self, name: str, arguments: list[ast.expr]) -> Any:
        if name == "int" and isinstance(arguments[0], ast.Compare | ast.BoolOp | ast.UnaryOp) and _asks(arguments[0]):
            return self._on("is_positive", self.distance(arguments[0]))
        values = [self.read(argument) for argument in arguments]
        if name == "clip":
            return self._least(self._most(values[0], values[1]), values[2])
        return self._on(name, values[0]) if name in ("exp", "exprel") else self._on("apply", name, values[0])

    def _least(self, a: Any, b: Any) -> Any:
        return self._on("at_most", *((b, a) if _is_plain(a) else (a, b)))

    def _most(self, a: Any, b: Any) -> Any:
        return self._on("at_least", *((b, a) if _is_plain(a) else (a, b)))

    def _on(self, function: str, *values: Any) -> Any:
        """Apply a function of the step; on plain numbers it is computed here and now."""
        if any(not _is_plain(v) and not isinstance(v, str) for v in values):
            return getattr(self.m, function)(*values)
        with np.errstate(all="ignore"):
            return _finite(getattr(BARE, function)(*values))


def _asks(node: ast.AST) -> bool:
    """Whether a part of a formula is a condition."""
    return not isinstance(node, ast.UnaryOp) or isinstance(node.op, ast.Not)


def _is_plain(value: Any) -> bool:
    """Whether a value stands in the formula itself: no variable, and no number that may differ between neurons."""
    return type(value) is float


def _arithmetic(sign: str, left: Any, right: Any) -> Any:
    """Return a sum, difference, product or quotient; on plain numbers it is computed here and now."""
    if _is_plain(left) and _is_plain(right):
        with np.errstate(all="ignore"):
            return _finite(OPERATORS[sign](np.float64(left), right))
    if sign in "+-" and (isinstance(left, Linear) or isinstance(right, Linear)):
        right = -right if sign == "-" else right
        return left.plus(right) if isinstance(left, Linear) else right.plus(left)
    if isinstance(left, Linear):
        return left.scaled(sign, right)
    return right.scaled(sign, left) if isinstance(right, Linear) else OPERATORS[sign](left, right)


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise InputError("CustomNeuron: a formula divides by 0 or leaves the range of its functions, whatever v is.")
    return float(value)


def _names(formula: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(formula) if isinstance(node, ast.Name)}


def _exponential_euler(
    equations: Equations, x: State, m: Functions, before: Mapping[str, Any], named: list[str]
) -> dict[str, Any]:
    """Move each state exactly, with the others held still."""
    moved = {}
    for name, formula in equations.changes.items():
        change = _Reading(equations, x, m, {**before, name: Linear(1.0, 0.0)}, named).read(formula)
        if not isinstance(change, Linear):
            moved[name] = before[name] + x.step_length * change
            continue
        rate = m.let(f"{OWN}rate_{name}", x.step_length * change.slope)
        moved[name] = before[name] + m.exprel(rate) * x.step_length * (change.slope * before[name] + change.offset)
    return moved


def _by(integrator: Callable[..., Quantities]) -> Callable[..., dict[str, Any]]:
    """Return the way to move all states together by an integrator of any change."""

    def move(
        equations: Equations, x: State, m: Functions, before: Mapping[str, Any], named: list[str]
    ) -> dict[str, Any]:
        """Move every state by its change."""

        def change(states: Mapping[str, Quantity]) -> Quantities:
            return equations.change_of(x, m, states, named)

        return integrator(change, before, x.step_length, m)

    return move


INTEGRATORS = {"exponential_euler": _exponential_euler, "rk2": _by(midpoint), "rk4": _by(runge_kutta)}


def _degree(node: ast.AST, degrees: Mapping[str, float]) -> float:
    """Return the degree of a formula in the names whose `degrees` are given; infinite where it is no polynomial."""
    if isinstance(node, ast.Name):
        return degrees.get(node.id, 0)
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        return _degree(node.operand, degrees)
    if isinstance(node, ast.BinOp):
        left, right = _degree(node.left, degrees), _degree(node.right, degrees)
        if isinstance(node.op, ast.Mult):
            return left + right
        if isinstance(node.op, ast.Add | ast.Sub):
            return max(left, right)
        if isinstance(node.op, ast.Div):
            return math.inf if right else left
    parts = [_degree(child, degrees) for child in ast.iter_child_nodes(node)]
    return math.inf if any(parts) else 0
