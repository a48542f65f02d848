"""Table 1: every statistic in simulated experiments, held against the errors that it states.

Run: python analyses/calibration/table1_calibration.py [module of worlds/ ...] (all by default: about an hour on one
core). The numbers of each module stand beside it in a JSON file, the page is put together from all of them.
"""

import math
import sys
from dataclasses import asdict
from pathlib import Path

from world import ASKED, HERE, World, measured, shown, worlds

from neurosim import runtime, storage
from neurosim.runtime import track

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

N = 1000
HEADS = ("estimator", "world", "null mean", "recovery", "error ratio", "coverage", "false positives", "experiments")


def compute(asked: tuple[World, ...]) -> dict[str, dict[str, object]]:
    """Return the row of every world by name."""
    rows = {}
    for world in track(asked, "worlds"):
        row = asdict(measured(world, N, seed=2 * world.revision))
        rows[world.name] = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
    return rows


def page(found: dict[str, dict[str, dict[str, object]]], known: dict[str, tuple[World, ...]]) -> str:
    """Return the table as a page of Markdown, numbers outside of what is asked in bold."""
    lines = [
        "# Calibration",
        "",
        "Every row is a world with a known truth, simulated anew in each experiment. Null mean: mean estimate where "
        "there is nothing, less the true value, in spreads of repeated experiments (within 0.1). Recovery: mean "
        "estimate over the true value (0.9 to 1.1). Error ratio: stated standard error over the spread of repeats "
        "(0.85 to 1.2). Coverage of the 95 % interval (at least 93 %). False positives at 5 % (3 to 7 %). Bold: "
        "outside, and the notes say why. Empty: the estimator does not say it.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
    ]
    notes = []
    for module, rows in found.items():
        for world in known[module]:
            row = rows[world.name]
            cells = [_cell(key, row[key]) for key in ASKED]
            lines.append("| " + " | ".join([f"`{world.estimator}`", world.name, *cells, str(row["n"])]) + " |")
            notes.append(f"- {world.name}: {world.what}" + (f" {world.outside}" if world.outside else ""))
    return "\n".join([*lines, "", "## The worlds", "", *notes, ""])


def _cell(key: str, value: object) -> str:
    if not isinstance(value, float):
        return ""
    low, high = ASKED[key]
    return shown(key, value) if low <= value <= high else f"**{shown(key, value)}**"


def main(asked: list[str]) -> None:
    """Measure what is asked, and write the numbers and the page of all that is measured."""
    known = worlds()
    for module in asked:
        rows = compute(known[module])
        about = {"rows": rows, "provenance": runtime.provenance()}
        storage.write_json(HERE / "worlds" / f"{module}.json", about, sort_keys=False)
    paths = {module: HERE / "worlds" / f"{module}.json" for module in known}
    found = {module: storage.read_json(path)["rows"] for module, path in paths.items() if path.exists()}
    storage.write_text(HERE / "table1_calibration.md", page(found, known))


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.names(worlds(), "module of worlds"))
