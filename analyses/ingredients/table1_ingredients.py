"""Table 1: published ingredients, the lines that each takes with neurosim and in plain Brian2, and whether both agree.

Run: python analyses/ingredients/table1_ingredients.py [family ...] (all by default: half an hour on one core, much of
which compiles). Both scripts of an ingredient get the same input and wiring; spikes are the same where they are within
1 ms of each other. The engines are compared with each other in a shorter world, in which the ingredients of a family
are one circuit where one program is built for all.
"""

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import families  # noqa: E402
from command_line import called  # noqa: E402
from ingredient import Case, Ingredient, World, agreement, difference, lines_of  # noqa: E402
from together import answers  # noqa: E402

from neurosim import runtime, storage  # noqa: E402
from neurosim.biophysics import ENGINES  # noqa: E402
from neurosim.runtime import track  # noqa: E402

HEADS = ("ingredient", "lines, neurosim", "lines, Brian2", "compared", "agreement", "engines", "engines differ by")
REFERENCE, AS_ONE = "brian2", "cpp_standalone"
SHORT = {"seconds": 0.12, "dt": 1e-4}


def ingredients(asked: list[str] | None = None) -> dict[str, tuple[Ingredient, ...]]:
    """Return the ingredients of every family, or of those that are asked for."""
    names = asked or [module.name for module in pkgutil.iter_modules(families.__path__)]
    return {name: importlib.import_module(f"families.{name}").INGREDIENTS for name in names}


def compute(found: tuple[Ingredient, ...]) -> list[dict[str, object]]:
    """Return one row for each ingredient: lines, and how engines that compile nothing agree with plain Brian2."""
    rows = []
    for one in track(found, "ingredients", len(found)):
        asked, case = one.plain(World()), {one.name: one.ours(World())}
        scores = {
            engine.name: agreement(answers(case, engine.name)[one.name], asked, one.kind)
            for engine in ENGINES.values()
            if not engine.is_compiled
        }
        row = {"name": one.name, "ours": lines_of(one.ours), "plain": lines_of(one.plain), "kind": one.kind}
        rows.append(row | {"agreement": scores, "count": _size(asked)})
    return rows


def compare_engines(found: tuple[Ingredient, ...]) -> dict[str, dict[str, float]]:
    """Return by how much every engine differs from the reference in each ingredient of a family.

    One program is built for all ingredients; engines that compile object by object find most of them again.
    """
    cases = {one.name: one.ours(World(**SHORT)) for one in found}
    wanted = _alone(cases, REFERENCE)
    given = {e: answers(cases, e) if e == AS_ONE else _alone(cases, e) for e in track(list(ENGINES), "engines")}
    return {name: {e: difference(answer[name], wanted[name]) for e, answer in given.items()} for name in cases}


def _alone(cases: dict[str, Case], engine: str) -> dict[str, object]:
    """Return what each case answers by itself."""
    return {name: answers({name: case}, engine)[name] for name, case in cases.items()}


def _size(asked: object) -> int:
    return len(asked[0]) if isinstance(asked, tuple) else len(asked)  # type: ignore[arg-type]


def page(found: dict[str, tuple[Any, Any]]) -> str:
    """Return the table as a page of Markdown, from the rows and the engines of every family."""
    lines = [
        "# Ingredients",
        "",
        "Lines of code of the body of each script, helpers that all scripts of a family share left out. Agreement: the "
        "share of spikes with a partner within 1 ms in the plain Brian2 script, or one less the largest difference of "
        "weights over their range; the lowest over the engines.",
        "",
        f"Engines differ by: spikes that one of the engines sends and {REFERENCE} does not, or the other way round, in "
        f"the very same step of {SHORT['dt'] * 1e3:g} ms; of weights the largest difference over their range.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
    ]
    for rows, engines in found.values():
        for row in rows:
            scores, differs = row["agreement"], engines[row["name"]]
            cells = [row["name"], row["ours"], row["plain"], f"{row['count']} {row['kind']}"]
            cells += [f"{min(scores.values()):.3f}", ", ".join(differs), f"{max(differs.values()):.1g}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def main(asked: list[str]) -> None:
    """Compute the families that are asked for and write the page of all."""
    for name, found in ingredients(asked).items():
        for folder, rows in (("families", compute(found)), ("engines", compare_engines(found))):
            storage.write_json(HERE / folder / f"{name}.json", {"rows": rows, "made": runtime.provenance()})
    known = {
        name: tuple(storage.read_json(HERE / folder / f"{name}.json")["rows"] for folder in ("families", "engines"))
        for name in ingredients()
    }
    (HERE / "table1_ingredients.md").write_text(page(known))


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.names(ingredients(), "family"))
