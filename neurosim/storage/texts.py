"""Text, JSON and TOML: read within bounds of length, depth and digits, whatever a stranger wrote."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from neurosim.storage.atomic import write_text
from neurosim.storage.failures import StorageError, reachable
from neurosim.storage.paths import existing

MAX_JSON, MAX_TOML = 256 * 2**20, 4 * 2**20  # in bytes
MAX_DEPTH, MAX_DIGITS = 64, 40
KEY = r"""(?:(?<![\w-])[\w-]++|"(?:[^"\\\n]|\\.){0,200}+"|'[^'\n]{0,200}+')"""
LONG_KEY = re.compile(rf"(?:{KEY}[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}", re.ASCII)  # takes tomllib quadratic time


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Read text.

    Parameters
    ----------
    path : the file. encoding : how its characters are written.

    Raises
    ------
    StorageError : no such file, or bytes that are no text.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.txt", "18 °C")
    ...     ns.storage.read_text(Path(folder) / "a.txt")
    '18 °C'
    """
    try:
        with reachable(path):
            return existing(path).read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: not a text file ({error.reason} at byte {error.start}).") from error


def write_json(path: Path, value: object, *, sort_keys: bool = True) -> None:
    """Write a value as JSON, which holds no NaN.

    Parameters
    ----------
    path : the file. value : dicts, lists, text, numbers, None. sort_keys : keys go in the order of the alphabet,
        unless their own order means something.

    Raises
    ------
    StorageError : NaN or infinity, or something of which JSON knows nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_json(Path(folder) / "a.json", {"accuracy": 0.97})
    ...     ns.storage.read_json(Path(folder) / "a.json")
    {'accuracy': 0.97}
    """
    try:
        text = json.dumps(value, indent=2, sort_keys=sort_keys, allow_nan=False)
    except ValueError as error:
        raise StorageError(f"{path.name}: {error}; JSON holds no NaN or infinity.") from error
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Parameters
    ----------
    path : the file.

    Returns
    -------
    dicts, lists, text, numbers, None, as the file has them; :func:`read_json_object` where a dict is asked.

    Raises
    ------
    StorageError : no such file, not JSON, nested more than 64 deep, a whole number of more than 40 digits.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.json", "[1, 2")
    ...     ns.storage.read_json(Path(folder) / "a.json")
    Traceback (most recent call last):
    neurosim.storage.StorageError: ...a.json: not valid JSON (Expecting ',' delimiter in line 1).
    """
    text = _short(path, MAX_JSON)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise StorageError(f"{path}: not valid JSON ({error.msg} in line {error.lineno}).") from error
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path}: not valid JSON ({_excess(error)}).") from error
    _check_value(path, value)
    return value


def read_json_object(path: Path, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Read JSON that is one object, a dict.

    Parameters
    ----------
    path : the file. needs : keys that must be there.

    Raises
    ------
    StorageError : as :func:`read_json`; also anything that is no object, or one without a key that it needs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_json(Path(folder) / "a.json", [1, 2])
    ...     ns.storage.read_json_object(Path(folder) / "a.json")
    Traceback (most recent call last):
    neurosim.storage.StorageError: ...a.json: a JSON object ({...}) asked, found a list.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise StorageError(f"{path}: a JSON object ({{...}}) asked, found a {type(value).__name__}.")
    missing = [key for key in needs if key not in value]
    if missing:
        raise StorageError(f"{path}: the key {missing[0]!r} is missing.")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """Read TOML.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    StorageError : no such file, not TOML, longer than 4 MiB, nested more than 64 deep, a whole number of more than 40
        digits.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ns.storage.write_text(Path(folder) / "a.toml", "seed = 3")
    ...     ns.storage.read_toml(Path(folder) / "a.toml")
    {'seed': 3}
    """
    text = _short(path, MAX_TOML)
    if LONG_KEY.search(text):
        raise StorageError(f"{path}: not valid TOML (a name of more than {MAX_DEPTH} parts).")
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StorageError(f"{path}: not valid TOML: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path}: not valid TOML ({_excess(error)}).") from error
    _check_value(path, value)
    return value


def _short(path: Path, limit: int) -> str:
    size = existing(path).stat().st_size
    if size > limit:
        raise StorageError(f"{path}: {size} bytes of text are more than is read at once ({limit}).")
    return read_text(path)


def _excess(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else f"a number out of range: {error}"


def _check_value(path: Path, value: object) -> None:
    """Refuse depths and numbers at which whoever reads on would fail, and half characters."""
    level, waiting = 0, [value]
    while waiting:
        if level > MAX_DEPTH:
            raise StorageError(f"{path}: nested too deeply, more than {MAX_DEPTH} levels.")
        below: list[object] = []
        for item in waiting:
            if isinstance(item, dict):
                below += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                below += item
            elif isinstance(item, int) and abs(item) >= 10**MAX_DIGITS:
                raise StorageError(f"{path}: holds a whole number of more than {MAX_DIGITS} digits.")
            elif isinstance(item, str) and not item.isascii() and any("\ud800" <= c <= "\udfff" for c in item):
                raise StorageError(f"{path}: holds half a character, {item[:40]!r}.")
        level, waiting = level + 1, below
