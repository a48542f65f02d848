"""What is said when something cannot be done: one line, by the function that was called, with the nearest name."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from typing import Any

ALIASES = {
    "pearson": ("corr", "correlation"),
    "pearsonr": ("corr", "correlation"),
    "spearmanr": ("spearman",),
    "rho": ("spearman",),
    "kendall": ("tau_b",),
    "kendalltau": ("tau_b",),
    "tau": ("tau_b",),
    "l2": ("euclidean",),
    "sqeuclidean": ("euclidean",),
    "l1": ("manhattan",),
    "cityblock": ("manhattan",),
    "cos": ("cosine",),
}


class InputError(ValueError):
    """Something the user asked for cannot be done; the message says what was asked, found and what to do."""

    __module__ = "neurosim.schema"  # where it is public
    exit_code = 2


class SchemaError(InputError):
    """An array does not have the dims, labels or values that its place asks for."""

    __module__ = "neurosim.schema"


def suggest(name: Any, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known word nearest to `name`, or an empty string.

    >>> suggest("conv4", ["conv1", "conv3", "readout"])
    " Did you mean 'conv3'?"
    """
    known = list(known)
    if not isinstance(name, str):
        return ""
    near = [a for a in ALIASES.get(name.lower(), ()) if a in known]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


@contextlib.contextmanager
def asked_by(who: str, *called: str) -> Iterator[None]:
    """Let what is refused inside say that `who` was called, not the function `called` by it; also a decorator.

    >>> with asked_by("outer", "inner"):
    ...     raise InputError("inner: nothing is there.")
    Traceback (most recent call last):
    neurosim.schema.InputError: outer: nothing is there.
    """
    try:
        yield
    except InputError as error:
        speaker, _, said = str(error).partition(": ")
        if speaker not in (called or ("record_responses",)):
            raise
        raise type(error)(f"{who}: {said}").with_traceback(error.__traceback__) from error.__cause__


def check_known(name: object, known: Iterable[str], what: str) -> None:
    """Raise :class:`InputError`, which begins with `what`, if `name` is not among the `known` words.

    >>> check_known("fdr", ("holm", "fdr"), "infer: no correction")
    """
    known = tuple(known)
    if name not in known:
        raise InputError(f"{what} {name!r}. Known: {', '.join(known)}.{suggest(name, known)}")
