"""Functions that users give: called with what their parameters name, whatever the order."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neurosim.refusals import InputError


def asks_for(function: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters of a function.

    >>> asks_for(lambda stimulus, rng=None: stimulus)
    ['stimulus', 'rng']
    """
    return list(inspect.signature(function).parameters)


def call(
    function: Callable[..., Any], given: Mapping[str, Any], what: str, refused: type[InputError] = InputError
) -> Any:
    """Call a function with those of the `given` things that its parameters name.

    >>> call(lambda b, a: a - b, {"a": 3, "b": 1, "c": 5}, "here")
    2

    Raises
    ------
    InputError : it asks for something else, or raises an error; of the class `refused`.
    """
    parameters = inspect.signature(function).parameters.values()
    unknown = [
        p.name
        for p in parameters
        if p.name not in given and p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if unknown:
        raise refused(f"{what}: it asks for {unknown[0]!r}; a function here may ask for {', '.join(given)}.")
    try:
        return function(**{p.name: given[p.name] for p in parameters if p.name in given})
    except InputError:
        raise
    except Exception as error:
        told = " ".join(str(error).split())[:300]
        raise refused(
            f"{what}: your function raised {type(error).__name__}{_line_of(function, error)}: {told}"
        ) from error


def _line_of(function: Callable[..., Any], error: Exception) -> str:
    """Say in which line of the file of a function an error arose."""
    code = getattr(inspect.unwrap(getattr(function, "func", function)), "__code__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return f" in line {lines[-1]} of {Path(code.co_filename).name}" if code and lines else ""
