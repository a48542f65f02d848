"""Table 1: published ingredients, the lines that each takes with neurosim and in plain Brian2, and whether both agree.

Run: python analyses/ingredients/table1_ingredients.py [family ...] (all by default: about half an hour on one core,
most of which compiles). Both scripts of an ingredient get the same input and wiring; spikes are the same where they
are within 1 ms of each other. The ingredients of a family are one circuit, which every engine runs; on Brian2 each
also runs alone, to the same answer.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import families  # noqa: E402
from ingredient import Ingredient, World, agreement, difference, lines_of  # noqa: E402
from together import answers  # noqa: E402

from neurosim import runtime, storage  # noqa: E402
from neurosim.biophysics import ENGINES  # noqa: E402
from neurosim.runtime import track  # noqa: E402

HEADS = ("ingredient", "lines, neurosim", "lines, Brian2", "compared", "agreement", "engines", "engines differ by")
REFERENCE = "brian2"


def ingredients(asked: list[str] | None = None) -> dict[str, tuple[Ingredient, ...]]:
    """Return the ingredients of every family, or of those that are asked for."""
    names = asked or [module.name for module in pkgutil.iter_modules(families.__path__)]
    return {name: importlib.import_module(f"families.{name}").INGREDIENTS for name in names}


def compute(found: tuple[Ingredient, ...]) -> list[dict[str, object]]:
    """Return one row for each ingredient of a family: lines, agreement and difference of every engine."""
    cases = {one.name: one.ours(World()) for one in found}
    given = {engine: answers(cases, engine) for engine in track(list(ENGINES), "engines")}
    rows = []
    for one in track(found, "ingredients", len(found)):
        asked, here = one.plain(World()), given[REFERENCE][one.name]
        if difference(answers({one.name: cases[one.name]}, REFERENCE)[one.name], here):
            raise AssertionError(f"{one.name} answers otherwise alone than together with its family.")
        row = {"name": one.name, "ours": lines_of(one.ours), "plain": lines_of(one.plain), "kind": one.kind}
        row["agreement"] = {engine: agreement(answer[one.name], asked, one.kind) for engine, answer in given.items()}
        row["difference"] = {engine: difference(answer[one.name], here) for engine, answer in given.items()}
        rows.append(row | {"count": _size(asked)})
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
        "weights over their range; the lowest over the engines. Engines differ by: spikes that an engine sends and "
        f"{REFERENCE} does not, or the other way round, step and neuron being the same; weights by their largest "
        "difference over their range; the largest over the engines.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
    ]
    for rows in found.values():
        for row in rows:
            scores, differs = row["agreement"], row["difference"]
            assert isinstance(scores, dict) and isinstance(differs, dict)
            cells = [row["name"], row["ours"], row["plain"], f"{row['count']} {row['kind']}"]
            cells += [f"{min(scores.values()):.3f}", ", ".join(scores), f"{max(differs.values()):.1g}"]
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
