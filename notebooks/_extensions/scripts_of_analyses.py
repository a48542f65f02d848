"""What the scripts of analyses say of themselves: their docstrings, their figures, their files of results."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosim import storage

ROOT = Path(__file__).resolve().parents[2]
ANALYSES = ROOT / "analyses"
sys.path.append(str(ANALYSES))

from command_line import Usage, usage  # noqa: E402

HEAD = re.compile(r"^(?:Figure|Table) \d+(?: and figure)?(?: of (?:the )?(?P<of>[^:]+))?: ")
PROVENANCE = {"provenance", "libraries", "machine", "cpu", "git", "made", "neurosim", "threads", "about", "caption"}


@dataclass(frozen=True)
class Script:
    """One figure or table of an analysis.

    Parameters
    ----------
    path : of the script. doc : its docstring.
    """

    path: Path
    doc: str

    @property
    def name(self) -> str:
        """Path below the repository."""
        return str(self.path.relative_to(ROOT))

    @property
    def title(self) -> str:
        """What the figure or table shows, in the first sentence of the docstring."""
        said = HEAD.sub("", self.doc.split("\n\n")[0].replace("\n", " ")).rstrip(".")
        return said[:1].upper() + said[1:]

    @property
    def text(self) -> str:
        """The rest of the docstring, without how it is run."""
        return "\n\n".join(part for part in self.doc.split("\n\n")[1:] if not part.startswith("Run"))

    @property
    def run(self) -> Usage:
        """The command that makes it, and what is said of it, such as how long it takes."""
        return usage(self.doc)

    @property
    def lasts(self) -> str:
        """How long it takes, where the docstring says it."""
        found = re.search(r"[^,;.:]*(?:minute|hour)[^,;.:]*", self.run.said)
        return found[0].strip() if found else ""

    @property
    def figure(self) -> Path | None:
        """The figure as a PNG file."""
        return path if (path := self.path.with_suffix(".png")).exists() else None

    @property
    def results(self) -> Path | None:
        """The numbers as a JSON file."""
        return path if (path := self.path.with_suffix(".json")).exists() else None


def scripts(folder: Path) -> list[Script]:
    """Return the figures and tables of a folder, figures first."""
    paths = [*sorted(folder.glob("fig*.py")), *sorted(folder.glob("table*.py"))]
    return [Script(path, ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") for path in paths]


def numbers(path: Path) -> list[tuple[str, str]]:
    """Return the numbers of a file of results by the keys that lead to them, without how they were made."""
    found: list[tuple[str, str]] = []

    def walk(value: Any, keys: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                if key not in PROVENANCE and not key.endswith("asked"):
                    walk(part, (*keys, key))
        elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
            for k, part in enumerate(value):
                walk(part, (*keys, str(k)))
        else:
            found.append((" > ".join(keys), said(value)))

    walk(storage.read_json(path), ())
    return found


def said(value: Any) -> str:
    """Return a number, a word or a list of them as a table says it."""
    if isinstance(value, list):
        return ", ".join(map(said, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
