"""Job descriptions: what a worker is told, as plain JSON, and what it must find in them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine.step import Step

KEY = re.compile(r"[0-9a-f]{64}")
WORK = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Order:
    """One step to make, with everything that it takes.

    Parameters
    ----------
    store : folder of step results. key : key of the step.
    name, work, config, files : as in :class:`~neurosim.study.engine.step.Step`.
    device : "cpu" or "cuda", as in the key.
    inputs : folder of each step that it reads, by name. inputs_digests : and their digests.
    """

    store: str
    key: str
    name: str
    work: str
    config: dict[str, Any]
    device: str
    inputs: dict[str, str]
    inputs_digests: dict[str, str]
    files: dict[str, str]


@dataclass(frozen=True)
class Queued:
    """One step of a plan whose key is known only when the steps before it are done.

    Parameters
    ----------
    store : folder of step results. device : "cpu" or "cuda", for steps that can run on both.
    plan : file with all steps of the study. step : name of the one to make.
    """

    store: str
    device: str
    plan: str
    step: str


@dataclass(frozen=True)
class Question:
    """What the side that works has: device, versions, the source of the modules of `works`, a view of the store."""

    store: str
    works: list[str]


class Side(TypedDict):
    """What the side that works has, see :class:`Question`."""

    host: str
    device: str
    libraries: dict[str, str]
    sources: dict[str, str]
    store: bool


class Answer(TypedDict, total=False):
    """A line of a worker: how far it is, or that it is done or failed, and why; `about` answers a question."""

    progress: tuple[str, int, int]
    done: bool
    notes: list[str]
    user: bool
    error: str
    traceback: str
    about: Side


Description = Order | Queued | Question


def parse(text: str, source: str) -> Description:
    """Return the job that JSON `text` describes; `source` is what an error calls it.

    Raises
    ------
    InputError : not JSON, or not a job description.
    """
    values = _object(text, source)
    for kind in (Order, Queued, Question):
        if values.keys() == kind.__dataclass_fields__.keys():
            order: Description = kind(**values)
            _check(order, source)
            return order
    missing = sorted(Order.__dataclass_fields__.keys() - values.keys())
    what = (
        f"no {missing[0]!r}"
        if missing
        else f"an unknown {sorted(values.keys() - set(Order.__dataclass_fields__))[0]!r}"
    )
    raise InputError(
        f"{source}: not a job description, {what}; it has {', '.join(Order.__dataclass_fields__)}, "
        f"or {', '.join(Queued.__dataclass_fields__)}."
    )


def written(order: Description) -> str:
    """Return a job description as one line."""
    return json.dumps(asdict(order))


def _object(text: str, source: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except RecursionError:
        raise InputError(f"{source}: not a job description, its JSON is nested too deeply.") from None
    except ValueError as error:
        reason = getattr(error, "msg", "a number is too long")
        raise InputError(f"{source}: not a job description, its JSON is not valid ({reason}).") from None
    if not isinstance(values, dict):
        raise InputError(f"{source}: a job description is a JSON object, found a {type(values).__name__}.")
    return values


def _check(order: Description, source: str) -> None:
    kinds: dict[str, type] = {"dict[str, Any]": dict, "dict[str, str]": dict, "list[str]": list, "str": str}
    for name, field in type(order).__dataclass_fields__.items():
        value = getattr(order, name)
        texts = list(value.values()) if field.type == "dict[str, str]" else value if field.type == "list[str]" else []
        if not isinstance(value, kinds[str(field.type)]) or not all(isinstance(t, str) for t in texts):
            raise InputError(f"{source}: {name!r} of a job description is a {field.type}, found {str(value)[:60]!r}.")
    works = [order.work] if isinstance(order, Order) else getattr(order, "works", [])
    for value, pattern, what in (
        *((work, WORK, "work") for work in works),
        *([(order.key, KEY, "key")] if isinstance(order, Order) else []),
    ):
        if not pattern.fullmatch(value):
            raise InputError(f"{source}: {value[:60]!r} is no {what} of a step.")
    device = getattr(order, "device", "cpu")
    if device not in DEVICES:
        raise InputError(f"{source}: device = {device!r} is not known; known: {', '.join(DEVICES)}.")
    if "\0" in order.store or not Path(order.store).is_absolute():
        raise InputError(f"{source}: the store is an absolute path, found {order.store[:60]!r}.")


@dataclass(frozen=True)
class Plan:
    """The steps of a study by name, in an order in which they can run, and the checksums of the files they read."""

    steps: dict[str, Step]
    checksums: dict[str, str]

    def check_files(self, name: str) -> None:
        """Refuse a step whose files changed since the plan was made, as its key would lie."""
        for file in self.steps[name].files.values():
            if (
                file in self.checksums
                and storage.sha256(storage.existing(Path(file), any_size=True)) != self.checksums[file]
            ):
                raise InputError(f"{name}: {file} changed since the study was submitted; submit it again.")


def write_plan(path: Path, steps: list[Step]) -> None:
    """Write a plan as JSON, with the checksums of the files from outside as they are now."""
    files = sorted({f for s in steps for f in s.files.values() if Path(f).is_file()})
    checksums = {f: storage.sha256(Path(f)) for f in files}
    storage.write_json(path, {"steps": [asdict(s) for s in steps], "checksums": checksums})


def read_plan(path: Path) -> Plan:
    """Return the plan that :func:`write_plan` wrote.

    Raises
    ------
    InputError : it is not there, or not a plan.
    """
    values = storage.read_json(path)
    try:
        steps = [Step(**(s | {"inputs": tuple(s["inputs"])})) for s in values["steps"]]
        return Plan({s.name: s for s in steps}, dict(values["checksums"]))
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{path}: not a plan of steps; submit the study again.") from None
