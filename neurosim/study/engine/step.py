"""A step of a study: what is to be done, on what, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Step:
    """One unit of work: the function that does it, its configuration in plain values, and the steps it reads.

    Parameters
    ----------
    name : "kind:rest", unique in a study.
    work : the function, "module:function"; it is called with a :class:`Job`.
    config : plain values (as in JSON), part of the step's key.
    inputs : names of the steps it reads.
    files : inputs from outside by role; their checksums are part of the configuration.
    on_gpu : whether it runs on a GPU where there is one, so that the device is part of its key.
    is_part : whether it makes a part of what another step joins, so that its files need no place among the results; its
        configuration says which, as ``part``.
    """

    name: str
    work: str
    config: dict[str, Any]
    inputs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    on_gpu: bool = False
    is_part: bool = False


@dataclass(frozen=True)
class Job:
    """One step at work.

    Parameters
    ----------
    config : the step's configuration, plain values.
    inputs : folder of each step it reads, by step name.
    files : files from outside, by role.
    out : empty folder for what it makes.
    """

    config: dict[str, Any]
    inputs: dict[str, Path]
    files: dict[str, Path]
    out: Path

    @property
    def part(self) -> tuple[int, int]:
        """Which part, from 0 on, of how many; (0, 1) is all of it."""
        number, n_parts = self.config.get("part", (0, 1))
        return number, n_parts

    def input(self, prefix: str) -> Path:
        """Return the folder of the one input whose name starts with `prefix`."""
        return next(path for name, path in self.inputs.items() if name.startswith(prefix))

    def all_inputs(self, prefix: str) -> dict[str, Path]:
        """Return the folders of the inputs whose names start with `prefix`, by the rest of the name."""
        return {n.removeprefix(prefix): p for n, p in self.inputs.items() if n.startswith(prefix)}
