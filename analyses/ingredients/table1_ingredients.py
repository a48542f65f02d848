"""Table 1: published ingredients, the lines that each takes with neurosim and in plain Brian2, and whether both agree.

Run: python analyses/ingredients/table1_ingredients.py [family ...] (all by default: some minutes on one core). Both
scripts of an ingredient get the same input and wiring; spikes are the same where they are within 1 ms of each other.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import families  # noqa: E402
from ingredient import Ingredient, World, agreement, lines_of  # noqa: E402

from neurosim import runtime, storage  # noqa: E402
from neurosim.runtime import track  # noqa: E402

HEADS = ("ingredient", "lines, neurosim", "lines, Brian2", "compared", "agreement", "engines")


def ingredients(asked: list[str] | None = None) -> dict[str, tuple[Ingredient, ...]]:
    """Return the ingredients of every family, or of those that are asked for."""
    names = asked or [module.name for module in pkgutil.iter_modules(families.__path__)]
    return {name: importlib.import_module(f"families.{name}").INGREDIENTS for name in names}


def compute(found: tuple[Ingredient, ...]) -> list[dict[str, object]]:
    """Return one row for each ingredient: lines and the worst agreement over engines."""
    rows = []
    for one in track(found, "ingredients", len(found)):
        asked = one.plain(World())
        scores = {engine: agreement(one.ours(World(engine)), asked, one.kind) for engine in one.engines}
        row = {"name": one.name, "ours": lines_of(one.ours), "plain": lines_of(one.plain), "kind": one.kind}
        rows.append(row | {"agreement": scores, "count": _size(asked)})
    return rows


def _size(asked: object) -> int:
    return len(asked[0]) if isinstance(asked, tuple) else len(asked)  # type: ignore[arg-type]


def page(found: dict[str, list[dict[str, object]]]) -> str:
    """Return the table as a page of Markdown."""
    lines = [
        "# Ingredients",
        "",
        "Lines of code of the body of each script, helpers that all scripts of a family share left out. Agreement: the "
        "share of spikes with a partner within 1 ms in the plain Brian2 script, or one less the largest difference of "
        "weights over their range; the lowest over the engines.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
    ]
    for rows in found.values():
        for row in rows:
            scores = row["agreement"]
            assert isinstance(scores, dict)
            cells = [row["name"], row["ours"], row["plain"], f"{row['count']} {row['kind']}"]
            cells += [f"{min(scores.values()):.3f}", ", ".join(scores)]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def main(asked: list[str]) -> None:
    """Compute the families that are asked for and write the page of all."""
    for name, found in ingredients(asked).items():
        storage.write_json(HERE / "families" / f"{name}.json", {"rows": compute(found), "made": runtime.provenance()})
    known = {name: storage.read_json(HERE / "families" / f"{name}.json")["rows"] for name in ingredients()}
    (HERE / "table1_ingredients.md").write_text(page(known))


if __name__ == "__main__":
    main(sys.argv[1:])
