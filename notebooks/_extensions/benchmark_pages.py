"""Benchmarks: every table and figure of speed and memory, with its machine, its versions and its date."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from typing import Any

from pages import md_table
from scripts_of_analyses import ANALYSES, PROVENANCE, ROOT, Script, said, scripts

from neurosim import storage

ABOUT = """# Benchmarks

Each side runs in a process of its own, on one thread, and results are compared before times are. Where a number is not
flattering it stands here all the same.
"""
VERSIONS = ("python", "numpy", "torch", "snntorch", "brian2")
LEFT_OUT = {"before", "ratio_asked", "asked", "asked_is"}  # aims of the time when they were measured


def pages() -> Iterator[tuple[str, str]]:
    """Yield path below ``catalogue/`` and text of the page of benchmarks."""
    lines = [ABOUT]
    for script in scripts(ANALYSES / "benchmarks"):
        if script.results:
            lines += _section(script, storage.read_json(script.results))
    yield "benchmarks.md", "\n".join(lines)


def _section(script: Script, found: dict[str, Any]) -> list[str]:
    lines = [f"## {script.title}", ""]
    if script.figure:
        lines += [f"![{script.title}](../../{script.figure.relative_to(ROOT)})", ""]
    lines += [script.text.replace("``", "`"), "", f"*{_machine(found)}{_date(script)}*", ""]
    rows = found.get("results") or found.get("rows") or []
    flat = [_flat(row) for row in rows if isinstance(row, dict)]
    heads = list(dict.fromkeys(key for row in flat for key in row))
    if flat:
        table = md_table([head.replace("_", " ") for head in heads], [[row.get(h, "") for h in heads] for row in flat])
        lines += ["::::{dropdown} Numbers", "", *table, "::::", ""]
    alone = [
        (k, said(v))
        for k, v in _flat({k: v for k, v in found.items() if k not in PROVENANCE and v is not rows}).items()
    ]
    if alone:
        lines += [*md_table(["what", "value"], [(key.replace("_", " "), value) for key, value in alone])]
    return [*lines, f"From `{script.name}`.", ""]


def _flat(row: dict[str, Any], above: str = "") -> dict[str, str]:
    """Return what stands in a row of results by the keys that lead there, without aims."""
    told: dict[str, str] = {}
    for key, value in row.items():
        if key in LEFT_OUT:
            continue
        if isinstance(value, dict):
            told |= _flat(value, f"{above}{key}, ")
        else:
            told[f"{above}{key}"] = _number(value)
    return told


def _number(value: object) -> str:
    try:
        return said(float(value) if isinstance(value, str) else value)
    except ValueError:
        return str(value)


def _machine(found: dict[str, Any]) -> str:
    """Return processor, cores, versions and date of a file of results, as it says itself."""
    about = {**found, **found.get("about", {})}
    machine, versions = _record(about.get("machine", {})), _record(about.get("libraries", about.get("versions", {})))
    cores = machine.get("cpu_count", about.get("cores", ""))
    told = [
        str(about.get("cpu") or machine.get("processor") or about.get("machine", "")),
        f"{cores} cores" if cores else "",
    ]
    told += [
        f"{about.get('threads', 1)} thread",
        *(f"{name} {versions[name]}" for name in VERSIONS if name in versions),
    ]
    return ", ".join(part for part in told if part)


def _record(value: object) -> dict[str, Any]:
    """Return a record that a file holds as such, or as the text of one."""
    if isinstance(value, str):
        value = ast.literal_eval(value) if value.startswith("{") else {}
    return value if isinstance(value, dict) else {}


def _date(script: Script) -> str:
    """Return the day on which a file of results was last measured, as the history of the repository has it."""
    asked = ["git", "log", "-1", "--format=%as", "--", str(script.results)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return f", {done.stdout.strip()}" if done.stdout.strip() else ""
