"""Free equations for a neuron, from Python only, and the guard that they pass before Brian2 sees them.

Brian2 runs parts of an equation string as Python code while it reads it. So every string that is not our own is parsed
first and may hold nothing but numbers, names, arithmetic, comparisons and known functions.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neurosim.schema import InputError, suggest

FUNCTIONS = ("exp", "log", "sqrt", "abs", "clip", "exprel", "expm1", "sin", "cos", "tan", "tanh", "int", "sign")
N_ARGUMENTS = {"clip": 3}
RESERVED = ("e", "pi", "inf", "t", "dt", "i", "j", "N", "xi", "lastspike", "not_refractory", "second", "kick")
PROVIDED = ("drive", "i_syn", "g_syn", "v")
LONGEST = 2000
DEEPEST = 50
LARGEST = 1e100
OWN = "own_"
_LINE = re.compile(r"^\s*(?:d(?P<state>[A-Za-z]\w*)/dt|(?P<name>[A-Za-z]\w*))\s*=(?P<formula>[^=].*)$")
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.And, ast.Or, ast.Not,
    ast.Gt, ast.GtE, ast.Lt, ast.LtE,
)  # fmt: skip


@dataclass(frozen=True)
class CustomNeuron:
    """A neuron given by its equations, in plain numbers of SI units; engines based on Brian2 run it.

    Parameters
    ----------
    equations : one a line, ``dx/dt = formula`` (per second) or ``x = formula``; ``v`` is the membrane. Formulas may
        use ``drive``, ``i_syn`` and ``g_syn`` (A, S: the synapses bring the current ``i_syn - g_syn*v``).
    threshold : condition of a spike.
    reset : assignments at a spike, separated by ``;``.
    numbers : the constants that the formulas name.
    initial : initial value of each variable; 0 where absent.
    refractory : time after a spike during which no other is sent, s.

    Raises
    ------
    InputError : a formula holds anything but numbers, known names, arithmetic, comparisons and known functions.

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

    def __post_init__(self) -> None:
        for name in ("equations", "threshold", "reset"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"CustomNeuron: {name} is a text, found {type(getattr(self, name)).__name__}.")
        for name in ("numbers", "initial"):
            object.__setattr__(self, name, {k: _number(k, v) for k, v in getattr(self, name).items()})
        lines = self.lines()
        names = [*(name for name, _, _ in lines), *self.numbers]
        known = {*names, *PROVIDED}
        if "v" not in self.states:
            raise InputError("CustomNeuron: the equations need a line 'dv/dt = ...' for the membrane.")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"CustomNeuron: {twice[0]!r} is given twice; one line or one number for each name.")
        for _, _, formula in lines:
            check_formula(formula, known)
        check_formula(self.threshold, known, is_condition=True)
        for name, _, formula in self.assignments():
            if name not in self.states:
                raise InputError(f"CustomNeuron: the reset assigns {name!r}, which is no state of the neuron.")
            check_formula(formula, known)
        _check_order([(name, formula) for name, is_state, formula in lines if not is_state])
        self._check_used(lines)
        object.__setattr__(self, "refractory", _number("refractory", self.refractory))
        if not 0 <= self.refractory <= 1:
            raise InputError(f"CustomNeuron: refractory = {self.refractory!r} is outside 0..1 s.")

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the variables that have a differential equation."""
        return tuple(name for name, is_state, _ in self.lines() if is_state)

    @property
    def is_linear(self) -> bool:
        """Whether there is one state, in which its equation is linear: then exponential Euler can integrate it."""
        degrees: dict[str, float] = dict.fromkeys(self.states, 1)
        highest = 0.0
        for _ in self.lines():
            for name, is_state, formula in self.lines():
                found = _degree(ast.parse(formula, mode="eval").body, degrees)
                degrees |= {} if is_state else {name: found}
                highest = max(highest, found) if is_state else highest
        return len(self.states) == 1 and highest <= 1

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


def check_formula(formula: str, known: set[str], *, is_condition: bool = False) -> None:
    """Raise unless `formula` is arithmetic on numbers and `known` names, or with `is_condition` a comparison of such.

    >>> check_formula("exp(v/2) + 1", {"v"})
    >>> check_formula("v.__class__", {"v"})
    Traceback (most recent call last):
    neurosim.schema.InputError: the formula 'v.__class__' holds Attribute, which is not arithmetic.
    """
    if len(formula) > LONGEST or any(mark in formula for mark in "'\"`\\\n#@;"):
        raise InputError(f"the formula {formula[:80]!r} is too long or holds quotes or other marks.")
    try:
        tree = ast.parse(formula.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"the formula {formula[:80]!r} cannot be read.") from error
    if _depth(tree) > DEEPEST:
        raise InputError(f"the formula {formula[:80]!r} is nested more than {DEEPEST} deep; name parts of it.")
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise InputError(f"the formula {formula[:80]!r} holds {type(node).__name__}, which is not arithmetic.")
        if isinstance(node, ast.Call):
            _check_call(node)
        elif isinstance(node, ast.Name) and node not in called and node.id not in known:
            raise InputError(
                f"the formula names {node.id!r}; known: {', '.join(sorted(known))}.{suggest(node.id, known)}"
            )
        elif isinstance(node, ast.Constant) and (
            isinstance(node.value, bool) or not isinstance(node.value, int | float) or not abs(node.value) <= LARGEST
        ):
            raise InputError(f"the formula holds {_short(node.value)}, which is not a number up to {LARGEST:g}.")
        elif isinstance(node, ast.Compare) and len(node.ops) > 1:
            raise InputError(f"the formula {formula[:80]!r} compares more than two; join comparisons with 'and'.")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
            if not isinstance(power, ast.Constant) or _power(node) > 16:
                raise InputError(f"the formula {formula[:80]!r} has a power that is not a number up to 16.")
    _check_kind(tree.body, is_condition, formula)


def in_brian2(formula: str) -> str:
    """Return `formula` with every name of its author marked, so that it is no name of Brian2, C++ or an engine.

    >>> in_brian2("exp(-v/ms) + drive/double")
    'exp(-v / own_ms) + drive / own_double'
    """
    tree = ast.parse(formula.strip(), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in FUNCTIONS:
            node.id = name_in_brian2(node.id)
    return ast.unparse(tree)


def name_in_brian2(name: str) -> str:
    """Return the name that a variable or number of a free equation has in Brian2."""
    return name if name in PROVIDED else OWN + name


def _number(name: str, value: object) -> float:
    """Return a number as a float, whatever numeric type it has; its name is checked too."""
    if name != "refractory":
        _check_name(name)
    try:
        number = float(value) if np.ndim(value) == 0 and not isinstance(value, str | bool) else math.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= LARGEST:
        raise InputError(f"CustomNeuron: {name} = {_short(value)} is not a number up to {LARGEST:g}.")
    return number


def _short(value: object) -> str:
    """Return a value as a short text; whole numbers of thousands of digits have none."""
    return "a huge number" if isinstance(value, int) and abs(value) > LARGEST else repr(value)[:40]


def _check_name(name: str) -> None:
    if not (isinstance(name, str) and name.isascii() and name.isidentifier() and not name.startswith("_")):
        raise InputError(f"CustomNeuron: {name!r} is not a name of plain letters, digits and '_'.")
    if name in (*FUNCTIONS, *RESERVED, *PROVIDED[:3]) or keyword.iskeyword(name):
        raise InputError(f"CustomNeuron: {name!r} has a meaning of its own; choose another name.")


def _check_call(node: ast.Call) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else "?"
    if name not in FUNCTIONS or node.keywords:
        raise InputError(f"the formula calls {name!r}; known: {', '.join(FUNCTIONS)}.{suggest(name, FUNCTIONS)}")
    if len(node.args) != N_ARGUMENTS.get(name, 1):
        raise InputError(
            f"the formula calls {name!r} with {len(node.args)} values, it takes {N_ARGUMENTS.get(name, 1)}."
        )


def _check_kind(node: ast.AST, is_condition: bool, formula: str) -> None:
    """Raise where a comparison stands for a number or a number for a condition; ``int`` turns one into the other."""
    found = isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )
    if found != is_condition:
        asked = "a condition such as v > 1" if is_condition else "a number; int(condition) is 1 or 0"
        raise InputError(f"the formula {formula[:80]!r} has {ast.unparse(node)[:40]!r} where it needs {asked}.")
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr) and not (isinstance(node, ast.Call) and child is node.func):
            turned = isinstance(node, ast.Call) and node.func.id == "int"  # type: ignore[attr-defined]
            inner = isinstance(child, ast.Compare | ast.BoolOp) or (
                isinstance(child, ast.UnaryOp) and isinstance(child.op, ast.Not)
            )
            _check_kind(child, inner if turned else found and not isinstance(node, ast.Compare), formula)


def _check_order(lines: list[tuple[str, str]]) -> None:
    """Raise where lines ``x = formula`` need each other in a circle."""
    needs = {name: set(re.findall(r"[A-Za-z]\w*", formula)) for name, formula in lines}
    while needs:
        ready = [name for name, found in needs.items() if not found & needs.keys()]
        if not ready:
            raise InputError(f"CustomNeuron: {', '.join(sorted(needs))} need each other in a circle.")
        for name in ready:
            del needs[name]


def _depth(tree: ast.AST) -> int:
    """Return how deep a formula is nested, without recursion."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _power(node: ast.AST) -> float:
    """Return the largest product of nested powers at and below `node`."""
    below = max((_power(child) for child in ast.iter_child_nodes(node)), default=1.0)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        return below * max(1.0, abs(power.value)) if isinstance(power, ast.Constant) else math.inf  # type: ignore[arg-type]
    return below


def _degree(node: ast.AST, degrees: Mapping[str, float]) -> float:
    """Return the degree of a formula in the states whose `degrees` are given; infinite where it is no polynomial."""
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


def _split_assignment(assignment: str) -> tuple[str, str, str]:
    match = re.match(r"^([A-Za-z]\w*)\s*(\+=|-=|\*=|=)(?!=)(.*)$", assignment)
    if match is None:
        raise InputError(f"CustomNeuron: cannot read the reset {assignment[:80]!r}; write 'v = ...' or 'w += ...'.")
    return match[1], match[2], match[3]
