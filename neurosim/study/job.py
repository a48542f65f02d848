"""What a step is given to work with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


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

    def input(self, prefix: str) -> Path:
        """Return the folder of the one input whose name starts with `prefix`."""
        return next(path for name, path in self.inputs.items() if name.startswith(prefix))

    def all_inputs(self, prefix: str) -> dict[str, Path]:
        """Return the folders of the inputs whose names start with `prefix`, by the rest of the name."""
        return {n.removeprefix(prefix): p for n, p in self.inputs.items() if n.startswith(prefix)}
