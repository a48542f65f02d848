"""Numbers that carry a unit, such as Brian2's ``10*mV``: taken by their own dimension where numbers come in.

A record says in ``own_units`` in what its numbers are where their names alone do not; see ``COMMON``. Units are written
as products of powers, "S V-1"; "A or 1" is either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from neurosim.refusals import InputError, one_line

BASES = ("length", "mass", "time", "current", "temperature", "substance", "luminosity")
SYMBOLS: dict[str, tuple[int, ...]] = {
    "1": (),
    "m": (1,),
    "s": (0, 0, 1),
    "Hz": (0, 0, -1),
    "A": (0, 0, 0, 1),
    "V": (2, 1, -3, -1),
    "S": (-2, -1, 3, 2),
    "ohm": (2, 1, -3, -2),
    "F": (-2, -1, 4, 2),
    "mol": (0, 0, 0, 0, 0, 1),
}
AMOUNT = "A or 1"  # of neurons in volts, of discrete ones
WEIGHT = "V or A or S or 1"  # as the receptor asks
COMMON = (
    (r"dt|step|tail|refractory|duration|delay|start|stop|times|record_every|time_(step|bin)|tau(_\w+)?", "s"),
    (r"[ve]_\w+|theta_\w+|gamma_\d|delta_[tv]|k_[mh]|subtracted|noise", "V"),
    (r"g_\w+", "S"),
    (r"capacitance", "F"),
    (r"eta_\d", "A"),
    (r"rate|max_rate|frequency|target", "Hz"),
    (r"amplitudes?|offset|first|last|sigma|values|drive", AMOUNT),
    (r"weights?|w_max|w_min", WEIGHT),
    (r"positions|width|length|torus|spacing|radius|size_m", "m"),
)
GIVEN = "_units_given"


def unit_of(record: object, name: str) -> str:
    """Return in what a number of a record is: as the record says, or as numbers of this name are everywhere.

    >>> unit_of(None, "tau_syn"), unit_of(None, "e_rev"), unit_of(None, "multapses")
    ('s', 'V', '1')
    """
    own: dict[str, str] = getattr(type(record), "own_units", {})
    return own.get(name) or next((unit for names, unit in COMMON if re.fullmatch(names, name)), "1")


def plain(value: Any, unit: str, what: str) -> Any:
    """Return a value without its unit, in SI units; a value that carries none as it is, and "" takes any unit.

    >>> plain(0.01, "V", "here: v")
    0.01
    """
    found = set(_dimensions(value))
    if found <= {None}:
        return value
    if unit and not any(found == {dimension(each)} for each in unit.split(" or ")):
        asked = "no unit" if unit == "1" else unit.removesuffix(" or 1")
        raise InputError(
            f"{what} is in {asked}, found {one_line(' '.join(str(value).split()))[:60]}; give a quantity of that "
            "dimension, or plain numbers in SI units."
        )
    bare = np.asarray(value, dtype=float)
    return float(bare) if bare.ndim == 0 else bare


def plain_field(record: object, name: str, who: str = "") -> Any:
    """Return a number of a frozen record, from which its unit is taken; what it was given in is noted."""
    value = getattr(record, name)
    bare = plain(value, unit_of(record, name), f"{who or type(record).__name__}: {name}")
    if bare is not value:
        object.__setattr__(record, name, bare)
        note(record, name, value)
    return bare


def note(record: object, name: str, value: Any) -> None:
    """Note in what a value of a record was given, where several units are possible; see :func:`check_given`."""
    given = {**getattr(record, GIVEN, {}), name: next(_dimensions(value))}
    object.__setattr__(record, GIVEN, given)


def check_given(record: object, name: str, unit: str, what: str) -> None:
    """Raise where a number of a record came with another unit than the one that now turns out to be asked."""
    given = getattr(record, GIVEN, {}).get(name)
    if given is not None and given != dimension(unit):
        found = next((symbol for symbol in SYMBOLS if dimension(symbol) == given), "another unit")
        raise InputError(f"{what} is in {'no unit' if unit == '1' else unit} here, found a quantity in {found}.")


def dimension(unit: str) -> tuple[float, ...]:
    """Return the exponents of the seven base units in a product of powers.

    >>> dimension("S V-1") == dimension("A V-2"), dimension("V/s")[:4]
    (True, (2.0, 1.0, -4.0, -1.0))
    """
    total = np.zeros(len(BASES))
    for divides, symbol, power in re.findall(r"(/?)\s*([A-Za-z]+|1)(-?\d+)?", unit):
        exponents = np.array(SYMBOLS[symbol]) * int(power or 1)
        total[: len(exponents)] += -exponents if divides else exponents
    return tuple(total.tolist())


def _dimensions(value: Any) -> Iterator[tuple[float, ...] | None]:
    """Yield the dimension of a value, or of each of a list; None where it carries none, though others beside it do."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _dimensions(each)
        return
    exponent = getattr(getattr(value, "dim", None), "get_dimension", None)
    yield None if exponent is None else tuple(float(exponent(base)) for base in BASES)
