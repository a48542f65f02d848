"""What is said when something cannot be done: one line, by the function that was called, with the nearest name."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterable, Iterator
from typing import SupportsFloat

LONGEST = 3000  # characters of a message
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
    r"""Something the user asked for cannot be done; the message says what was asked, found and what to do, in one line.

    Parameters
    ----------
    message : what is said; characters that would move the cursor are written as codes, and the middle of what is very
        long is left out.

    Examples
    --------
    >>> raise ns.InputError("a\nb.png: no such picture.")
    Traceback (most recent call last):
    neurosim.schema.InputError: a\nb.png: no such picture.
    """

    __module__ = "neurosim.schema"  # where it is public
    exit_code = 2

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


class SchemaError(InputError):
    """An array does not have the dims, labels or values that its place asks for.

    Examples
    --------
    >>> raise ns.SchemaError("compute_rdm: no dim 'stimulus', found ('x', 'unit').")
    Traceback (most recent call last):
    neurosim.schema.SchemaError: compute_rdm: no dim 'stimulus', found ('x', 'unit').
    """

    __module__ = "neurosim.schema"


def one_line(text: str) -> str:
    r"""Return text as one line of characters that can be seen, with the middle left out where it is very long.

    >>> one_line("a\x1b[2Jb\n")
    'a\\x1b[2Jb\\n'
    """
    shown = text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 700]} […] {shown[-600:]}"


def suggest(name: object, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known word nearest to `name`, or an empty string.

    >>> suggest("conv4", ["conv1", "conv3", "readout"])
    " Did you mean 'conv3'?"
    >>> suggest("spiking_mlp", ["SpikingRNN", "SpikingMLP"])
    " Did you mean 'SpikingMLP'?"
    """
    known = list(known)
    if not isinstance(name, str):
        return ""
    near = [a for a in ALIASES.get(name.lower(), ()) if a in known]
    near = near or [word for word in known if _bare(word) == _bare(name)][:1]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        bare = {_bare(word): word for word in reversed(known)}
        near = [bare[word] for word in difflib.get_close_matches(_bare(name), bare, n=1, cutoff=0.5)]
    return f" Did you mean {near[0]!r}?" if near else ""


def _bare(name: str) -> str:
    """Return a name without capitals and without what joins its words, which people write in many ways."""
    return "".join(c for c in name.lower() if c not in "_- .")


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


def check_number(
    value: object, who: str, name: str, low: float = -math.inf, high: float = math.inf, *, whole: bool = False
) -> None:
    """Raise :class:`InputError` on behalf of `who` if an option is no number from `low` to `high`, or not a whole one.

    >>> check_number(2.5, "here", "n_spikes", 2, whole=True)
    Traceback (most recent call last):
    neurosim.schema.InputError: here: n_spikes = 2.5; a whole number of at least 2 asked.
    """
    held = _number(value)
    if low <= held <= high and math.isfinite(held) and (not whole or held.is_integer()):
        return
    ends = f" from {low:g} to {high:g}" if math.isfinite(low + high) else ""
    ends = ends or (f" of at least {low:g}" if math.isfinite(low) else "")
    raise InputError(f"{who}: {name} = {one_line(repr(value))[:60]}; a {'whole ' * whole}number{ends} asked.")


def check_alpha(alpha: object, who: str) -> None:
    """Refuse a level of intervals or tests that is not between 0 and 1, which say nothing.

    >>> check_alpha(0.05, "here")
    """
    if not 0 < _number(alpha) < 1:
        raise InputError(f"{who}: alpha is between 0 and 1, found {alpha}; 0.05 gives 95 % intervals.")


def _number(value: object) -> float:
    """Return an option as a number, NaN for what is none: words, truth values and arrays."""
    plain = isinstance(value, SupportsFloat) and not isinstance(value, bool) and not getattr(value, "ndim", 0)
    return float(value) if plain else math.nan  # type: ignore[arg-type]


def check_known(name: object, known: Iterable[str], what: str) -> None:
    """Raise :class:`InputError`, which begins with `what`, if `name` is not among the `known` words.

    >>> check_known("fdr", ("holm", "fdr"), "infer: no correction")
    """
    known = tuple(known)
    if name not in known:
        raise InputError(f"{what} {name!r}. Known: {', '.join(known)}.{suggest(name, known)}")
