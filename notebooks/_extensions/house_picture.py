"""The one picture of the house, drawn from the code: floors from the import contract, rooms from their stubs."""

from __future__ import annotations

import html
import textwrap
import tomllib
from pathlib import Path
from typing import Any

from neurosim.namespaces import ROOT, public_names, summary

WIDTH, GAP, HEAD, LINE = 1000, 10, 26, 15
NOT_DRAWN = {"lessons", "splits", "trials", "sonata_spikes"}  # what rooms share; nobody imports them by name
FLOORS = ("a whole study", "what needs two rooms", "the rooms: none imports another", "the ground")
SAYS = {
    "cli": "The command line: demo, new, check, run, verify.",
    "bridge": "Trained networks as circuits, spike for spike, and back.",
    "experiments": "Lesion, silence, clamp, stimulate: what it does.",
    "power": "How many subjects, stimuli and trials a question needs.",
    "storage": "The door to disk: checked, whole or not at all.",
    "parameters": "Neurons as numbers in SI units: one truth.",
    "runtime": "Seeds, devices, threads, provenance.",
    "schema": "The one labelled array: dims, coords, units.",
}


def floors() -> list[list[str]]:
    """Return the modules of each floor, the highest first, as the import contract has them."""
    contracts = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if "neurosim.cli" in c.get("layers", ()))
    rows = [[part.strip().removeprefix("neurosim.") for part in layer.split("|")] for layer in layers]
    ground = next(k for k, row in enumerate(rows) if "storage" in row)
    upper = [[m for m in row if m not in NOT_DRAWN] for row in rows[:ground]]
    lower = [m for row in rows[ground:] for m in row if m in SAYS and m not in NOT_DRAWN]
    return [upper[0] + upper[1], *[row for row in upper[2:] if row], lower]


def picture() -> str:
    """Return the picture as SVG whose colours are those of the page."""
    drawn, top = [], 0
    for title, modules in zip(FLOORS, floors(), strict=True):
        n = min(len(modules), 4)
        width = (WIDTH - GAP * (n - 1)) / n
        said = [textwrap.wrap(line(module), int(width / 7.3)) for module in modules]
        height = HEAD + LINE * max(map(len, said)) + 12
        drawn.append(f'<text class="floor" x="0" y="{top + 14}">{html.escape(title)}</text>')
        top += 22
        for k, module in enumerate(modules):
            x, y = (k % n) * (width + GAP), top + (k // n) * (height + GAP)
            drawn += _room(module, said[k], x, y, width, height)
        top += -(-len(modules) // n) * (height + GAP) + 8
    lines = "\n".join(drawn)
    label = "The house of neurosim: floors and rooms; imports only go down"
    return f'<svg viewBox="-2 0 {WIDTH + 4} {top}" role="img" aria-label="{label}">\n{lines}\n</svg>'


def line(module: str) -> str:
    """Return what is said of a module: by its stub, or by one line here."""
    said = SAYS.get(module) or summary(f"neurosim.{module}").removeprefix(f"{module.capitalize()}: ")
    return said[:1].upper() + said[1:]


def _room(module: str, said: list[str], x: float, y: float, width: float, height: float) -> list[str]:
    count = len(public_names().get(f"neurosim.{module}", ()))
    name = f"ns.{module}" if count or module == "parameters" else module
    told = f'<tspan class="count"> {count} names</tspan>' if count else ""
    box = f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="6"/>'
    head = f'<text class="room" x="{x + 10:.1f}" y="{y + 19}">{name}{told}</text>'
    body = [
        f'<text x="{x + 10:.1f}" y="{y + HEAD + LINE * (k + 1) - 3}">{html.escape(part)}</text>'
        for k, part in enumerate(said)
    ]
    linked = [f'<a href="../api/{module}.html">', box, head, *body, "</a>"]
    return linked if name.startswith("ns.") else linked[1:-1]


def setup(app: Any) -> dict[str, bool]:
    """Draw the picture before Sphinx looks for pages."""
    app.connect(
        "builder-inited", lambda app: (Path(app.srcdir) / "start" / "house.svg").write_text(picture(), encoding="utf-8")
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
