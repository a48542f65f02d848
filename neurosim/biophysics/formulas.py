"""One formula, two readers: a model's step is written once and read as Brian2 code or computed on tensors.

A step is a function of the variables ``x`` and the functions ``m``. Given numbers or tensors it computes; given
:class:`Text` it writes down the same operations in the same order, so that every engine rounds alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.special


class Quantity(Protocol):
    """What a step computes with: a number, an array, a tensor or the text of an expression."""

    def __add__(self, other: Any, /) -> Quantity:
        """Sum."""

    def __radd__(self, other: Any, /) -> Quantity:
        """Sum."""

    def __sub__(self, other: Any, /) -> Quantity:
        """Difference."""

    def __rsub__(self, other: Any, /) -> Quantity:
        """Difference."""

    def __mul__(self, other: Any, /) -> Quantity:
        """Product."""

    def __rmul__(self, other: Any, /) -> Quantity:
        """Product."""

    def __truediv__(self, other: Any, /) -> Quantity:
        """Quotient."""

    def __rtruediv__(self, other: Any, /) -> Quantity:
        """Quotient."""

    def __neg__(self) -> Quantity:
        """Negative."""


class State(SimpleNamespace):
    """What a step finds by name: variables and constants, choices as words, and what the synapses bring or None."""

    reset_kind: str
    scheme: str
    pairing: str
    bounds: str
    can_wait: bool
    kick: Quantity
    i_syn: Quantity | None
    g_syn: Quantity | None
    noise: Quantity | None

    if TYPE_CHECKING:

        def __getattribute__(self, name: str, /) -> Quantity:
            """Return a variable or constant."""


class Functions(Protocol):
    """The functions of a step."""

    def let(self, name: str, value: Quantity, /) -> Quantity:
        """Compute `value` once under a name."""

    def still(self, value: Quantity, /) -> Quantity:
        """Return `value`, through which no gradient passes."""

    def exp(self, value: Quantity, /) -> Quantity:
        """Exponential function."""

    def exprel(self, value: Quantity, /) -> Quantity:
        """``(exp(x) - 1) / x``, which is 1 at 0."""

    def apply(self, name: str, value: Quantity, /) -> Quantity:
        """Return the function of that name of `value`; one of ``FUNCTIONS``, without clip."""

    def power(self, value: Quantity, exponent: float, /) -> Quantity:
        """``value ** exponent``."""

    def at_most(self, value: Quantity, highest: Quantity | float, /) -> Quantity:
        """Return `value`, or `highest` where it is larger."""

    def at_least(self, value: Quantity, lowest: Quantity | float, /) -> Quantity:
        """Return `value`, or `lowest` where it is smaller."""

    def is_positive(self, value: Quantity, /) -> Quantity:
        """1 where `value` is above 0, else 0."""

    def is_not_negative(self, value: Quantity, /) -> Quantity:
        """1 where `value` is 0 or above, else 0."""

    def floor(self, value: Quantity, /) -> Quantity:
        """Return the largest whole number that is not above `value`."""

    def unless(self, held: Quantity, most: float, value: Quantity, /) -> Quantity:
        """Return `value`, or far below 0 where `held` is above `most`."""


FAR = 1e3
FUNCTIONS = ("exp", "log", "sqrt", "abs", "clip", "exprel", "expm1", "sin", "cos", "tan", "tanh", "int", "sign")
Quantities = dict[str, Quantity]
Brought = dict[str, Quantity | None]  # what synapses bring; None is nothing
Formula = Callable[[State, Functions], Quantity]
Step = Callable[[State, Functions], Quantities]


class Text:
    """The text of an expression in Brian2's language; arithmetic on it writes more text.

    `above` is the condition that it is above 0: a difference is so where the one is above the other.

    >>> v = Text("v")
    >>> (2.0 * v + 1.0).code
    '((2.0 * v) + 1.0)'
    >>> (v - 1.0).above
    'v > 1.0'
    """

    def __init__(self, code: str, above: str = "") -> None:
        self.code, self.above = code, above or f"{code} > 0"

    def __add__(self, other: object) -> Text:
        return Text(f"({self.code} + {_code(other)})")

    def __radd__(self, other: object) -> Text:
        return Text(f"({_code(other)} + {self.code})")

    def __sub__(self, other: object) -> Text:
        return Text(f"({self.code} - {_code(other)})", f"{self.code} > {_code(other)}")

    def __rsub__(self, other: object) -> Text:
        return Text(f"({_code(other)} - {self.code})", f"{_code(other)} > {self.code}")

    def __mul__(self, other: object) -> Text:
        return Text(f"({self.code} * {_code(other)})")

    def __rmul__(self, other: object) -> Text:
        return Text(f"({_code(other)} * {self.code})")

    def __truediv__(self, other: object) -> Text:
        return Text(f"({self.code} / {_code(other)})")

    def __rtruediv__(self, other: object) -> Text:
        return Text(f"({_code(other)} / {self.code})")

    def __neg__(self) -> Text:
        return Text(f"(-{self.code})")


class TextFunctions:
    """The functions of a step, as Brian2 code; `lines` collects what :meth:`let` names."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def let(self, name: str, value: object) -> Text:
        """Compute `value` once under a name."""
        self.lines.append(f"{name} = {_code(value)}")
        return Text(name)

    def still(self, value: Any) -> Any:
        """Return `value`: code has no gradients."""
        return value

    def exp(self, value: object) -> Text:
        """Exponential function."""
        return Text(f"exp({_code(value)})")

    def exprel(self, value: object) -> Text:
        """``(exp(x) - 1) / x``, which is 1 at 0."""
        return Text(f"exprel({_code(value)})")

    def apply(self, name: str, value: object) -> Text:
        """Return the function of that name of `value`."""
        return Text(f"(1.0*int({_code(value)}))" if name == "int" else f"{name}({_code(value)})")

    def power(self, value: object, exponent: float) -> Text:
        """``value ** exponent``."""
        return Text(f"({_code(value)} ** {exponent!r})")

    def at_most(self, value: object, highest: object) -> Text:
        """Return `value`, or `highest` where it is larger."""
        return Text(f"clip({_code(value)}, -1e300, {_code(highest)})")

    def at_least(self, value: object, lowest: object) -> Text:
        """Return `value`, or `lowest` where it is smaller."""
        return Text(f"clip({_code(value)}, {_code(lowest)}, 1e300)")

    def is_positive(self, value: Any) -> Text:
        """1 where `value` is above 0, else 0."""
        return Text(f"(1.0*int({value.above}))")

    def is_not_negative(self, value: object) -> Text:
        """1 where `value` is 0 or above, else 0."""
        return Text(f"(1.0*int({_code(value)} >= 0))")

    def floor(self, value: object) -> Text:
        """Return the largest whole number that is not above `value`."""
        return Text(f"floor({_code(value)})")

    def unless(self, held: Any, most: float, value: Any) -> Text:
        """Return `value`, or far below 0 where `held` is above `most`."""
        far = FAR * self.is_positive(held - most)
        return Text((value - far).code, f"({value.above}) and ({held.code} <= {most!r})")


class ArrayFunctions:
    """The functions of a step, on numpy arrays."""

    def let(self, _name: str, value: Any) -> Any:
        """Return `value`: arrays need no name."""
        return value

    def still(self, value: Any) -> Any:
        """Return `value`: arrays have no gradients."""
        return value

    def exp(self, value: Any) -> Any:
        """Exponential function."""
        return np.exp(value)

    def exprel(self, value: Any) -> Any:
        """``(exp(x) - 1) / x``, which is 1 at 0."""
        return np.asarray(scipy.special.exprel(value))

    def apply(self, name: str, value: Any) -> Any:
        """Return the function of that name of `value`."""
        return self.exprel(value) if name == "exprel" else getattr(np, {"int": "trunc"}.get(name, name))(value)

    def power(self, value: Any, exponent: float) -> Any:
        """``value ** exponent``."""
        return np.power(value, exponent)

    def at_most(self, value: Any, highest: Any) -> Any:
        """Return `value`, or `highest` where it is larger."""
        return np.minimum(value, highest)

    def at_least(self, value: Any, lowest: Any) -> Any:
        """Return `value`, or `lowest` where it is smaller."""
        return np.maximum(value, lowest)

    def is_positive(self, value: Any) -> Any:
        """1 where `value` is above 0, else 0."""
        return np.asarray(value > 0, dtype=float)

    def is_not_negative(self, value: Any) -> Any:
        """1 where `value` is 0 or above, else 0."""
        return np.asarray(value >= 0, dtype=float)

    def floor(self, value: Any) -> Any:
        """Return the largest whole number that is not above `value`."""
        return np.floor(value)

    def unless(self, held: Any, most: float, value: Any) -> Any:
        """Return `value`, or far below 0 where `held` is above `most`."""
        return value - FAR * self.is_positive(held - most)


class TensorFunctions:
    """The functions of a step, on tensors of the module `torch`; spikes get a surrogate gradient on request."""

    def __init__(self, torch: ModuleType) -> None:
        self.torch = torch
        self.exp = torch.exp
        self.floor = torch.floor

    def let(self, name: str, value: Any) -> Any:
        """Return `value`: tensors need no name."""
        return value

    def still(self, value: Any) -> Any:
        """Return `value`, through which no gradient passes."""
        return value.detach()

    def exprel(self, value: Any) -> Any:
        """``(exp(x) - 1) / x``, with the series next to 0."""
        small = value.abs() < 1e-5
        safe = self.torch.where(small, 1.0, value)
        return self.torch.where(small, 1.0 + value / 2, self.torch.expm1(safe) / safe)

    def apply(self, name: str, value: Any) -> Any:
        """Return the function of that name of `value`."""
        return self.exprel(value) if name == "exprel" else getattr(self.torch, {"int": "trunc"}.get(name, name))(value)

    def power(self, value: Any, exponent: float) -> Any:
        """``value ** exponent``."""
        return self.torch.pow(value, exponent)

    def at_most(self, value: Any, highest: Any) -> Any:
        """Return `value`, or `highest` where it is larger."""
        return value.clamp(max=highest)

    def at_least(self, value: Any, lowest: Any) -> Any:
        """Return `value`, or `lowest` where it is smaller."""
        return value.clamp(min=lowest)

    def is_positive(self, value: Any) -> Any:
        """1 where `value` is above 0, else 0."""
        return self.torch.gt(value.detach(), 0, out=self.torch.empty_like(value))

    def is_not_negative(self, value: Any) -> Any:
        """1 where `value` is 0 or above, else 0."""
        return (value >= 0).to(value.dtype)

    def unless(self, held: Any, most: float, value: Any) -> Any:
        """Return `value`, or far below 0 where `held` is above `most`."""
        return value - FAR * self.is_positive(held - most)


def as_code(step: Step, variables: Mapping[str, Quantity | str | bool]) -> str:
    """Return a step as Brian2 statements: intermediate values, all new values, then their assignment.

    >>> as_code(lambda x, m: {"v": 0.5 * x.v, "w": x.v}, {"v": Text("v"), "w": Text("w")}).splitlines()
    ['new_v = (0.5 * v)', 'new_w = v', 'v = new_v', 'w = new_w']
    """
    functions = TextFunctions()
    new = step(State(**variables), functions)
    lines = [*functions.lines, *(f"new_{name} = {_code(value)}" for name, value in new.items())]
    return "\n".join([*lines, *(f"{name} = new_{name}" for name in new)])


def as_expression(formula: Formula, variables: Mapping[str, Quantity | str | bool]) -> str:
    """Return a formula as one Brian2 expression."""
    return _code(formula(State(**variables), TextFunctions()))


def as_condition(formula: Formula, variables: Mapping[str, Quantity | str | bool]) -> str:
    """Return as a Brian2 condition that a formula is above 0; what holds it back is looked at only where it is."""
    value: Any = formula(State(**variables), TextFunctions())
    return str(value.above)


def _code(value: object) -> str:
    return value.code if isinstance(value, Text) else repr(float(value))  # type: ignore[arg-type]
