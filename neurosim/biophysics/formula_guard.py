"""The guard that every formula of a user or of a file passes before anything reads it.

A formula may hold nothing but numbers, names, arithmetic, comparisons and known functions. It is never run as code:
what reads it (``equations.py``) walks its parts.
"""

from __future__ import annotations

import ast
import keyword
import math

from neurosim.biophysics.formulas import FUNCTIONS
from neurosim.schema import InputError, suggest

N_ARGUMENTS = {"clip": 3}
RESERVED = ("e", "pi", "inf", "t", "dt", "i", "j", "N", "xi", "lastspike", "not_refractory", "refractory", "second")
LONGEST = 2000
DEEPEST = 50
LARGEST = 1e100
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.UAdd, ast.And, ast.Or, ast.Not,
    ast.Gt, ast.GtE, ast.Lt, ast.LtE,
)  # fmt: skip


def is_plain_name(name: object) -> bool:
    """Whether a name is of plain letters, digits and '_', and means nothing of its own in Python, Brian2 or a formula.

    >>> is_plain_name("ampa"), is_plain_name("xi"), is_plain_name("_x"), is_plain_name("exp")
    (True, False, False, False)
    """
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()) or name.startswith("_"):
        return False
    return name not in (*FUNCTIONS, *RESERVED) and not keyword.iskeyword(name)


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
                f"the formula names {node.id!r}; known: {', '.join(sorted(known))}; others are given in numbers=."
                f"{suggest(node.id, known)}"
            )
        elif isinstance(node, ast.Constant) and (
            isinstance(node.value, bool) or not isinstance(node.value, int | float) or not abs(node.value) <= LARGEST
        ):
            raise InputError(f"the formula holds {short(node.value)}, which is not a number up to {LARGEST:g}.")
        elif isinstance(node, ast.Compare) and len(node.ops) > 1:
            raise InputError(f"the formula {formula[:80]!r} compares more than two; join comparisons with 'and'.")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
            if not isinstance(power, ast.Constant) or _power(node) > 16:
                raise InputError(f"the formula {formula[:80]!r} has a power that is not a number up to 16.")
    _check_kind(tree.body, is_condition, formula)


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


def short(value: object) -> str:
    """Return a value as a short text; whole numbers of thousands of digits have none."""
    return "a huge number" if isinstance(value, int) and abs(value) > LARGEST else repr(value)[:40]
