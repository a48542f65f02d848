"""Table 1: published models, run with neurosim, beside the numbers that were published of them.

Run: python analyses/gallery/table1_gallery.py [--redraw] [name ...] (all by default: about an hour on one core). Each
classic leaves its results (netCDF), card, numbers and figure in analyses/gallery/cards; the table is put together from
all cards. With --redraw nothing is simulated: numbers and figures are made of the results that lie beside the cards.
"""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from classic import Classic, classics, judged, timed  # noqa: E402
from command_line import called  # noqa: E402

from neurosim import runtime, storage  # noqa: E402
from neurosim.plots.canvas import PAGE, figure_bytes, house_style, letter_panels, new_figure  # noqa: E402
from neurosim.runtime import track  # noqa: E402

CARDS = HERE / "cards"
HEADS = ("what", "theirs", "ours", "standard error", "tolerance", "where theirs stands")


def compute(classic: Classic) -> dict[str, Any]:
    """Run a classic, leave its results, and return with what and how long it was run."""
    found, minutes = timed(classic)
    made = runtime.provenance()  # before the files of results change the checkout
    storage.write_dataset(CARDS / f"{classic.name}.nc", found)
    options = {k: list(v) if isinstance(v, tuple) else v for k, v in classic.full.items()}
    return {"options": options, "minutes": round(minutes, 2), "made": made}


def told(classic: Classic) -> list[dict[str, Any]]:
    """Draw the results of a classic and return what its card says of every claim."""
    gathered = storage.read_dataset(CARDS / f"{classic.name}.nc")
    figure = new_figure(PAGE, 2.9)
    with house_style():
        classic.draw(gathered, figure)
        panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
        letter_panels(panels if len(panels) > 1 else [], 7)
        storage.write_bytes(CARDS / f"{classic.name}.png", figure_bytes(figure)["png"])
    return [
        {"name": r.name, "theirs": r.claim.theirs, "ours": r.ours, "unit": r.claim.unit, "where": r.claim.where}
        | {"tolerance": r.claim.tolerance, "is_met": r.is_met, "error": r.error, "outside": r.claim.outside}
        for r in judged(classic, gathered)
    ]


def card(classic: Classic, found: dict[str, Any]) -> str:
    """Return the card of a classic as a page of Markdown."""
    lines = [f"# {classic.title}", "", classic.what, "", *(f"- {paper}" for paper in classic.papers), ""]
    lines += ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in found["rows"]]
    outside = [f"- {row['name']}: {row['outside']}" for row in found["rows"] if not row["is_met"]]
    said = "; ".join(f"{name} {_value(value)}" for name, value in found["options"].items()) or "as its numbers say"
    lines += ["", f"Run with: {said}. Minutes: {found['minutes']:g}. Bold: further away than asked.", "", *outside]
    return "\n".join([*lines, *([""] if outside else []), f"![{classic.title}]({classic.name}.png)", ""])


def page(found: dict[str, dict[str, Any]], known: dict[str, Classic]) -> str:
    """Return the table of all classics as a page of Markdown."""
    lines = [
        "# The gallery",
        "",
        "Published models, built and run with the public functions of neurosim. Theirs: what the paper, a closed form "
        "or another program says, and where; ours: from the run whose seeds and minutes are given, with its standard "
        "error over seeds where it is random. Bold: further away than asked; the card says why.",
        "",
        "| classic | " + " | ".join(HEADS) + " | seeds | minutes |",
        "|---|" + "---|" * (len(HEADS) + 2),
    ]
    for name, one in found.items():
        seeds = _value(one["options"].get("seeds", "none"))
        for k, row in enumerate(one["rows"]):
            first = (
                (f"[{known[name].title}](cards/{name}.md)", seeds, f"{one['minutes']:g}") if k == 0 else ("", "", "")
            )
            lines.append("| " + " | ".join([first[0], *_cells(row), *first[1:]]) + " |")
    n_rows = sum(len(one["rows"]) for one in found.values())
    n_met = sum(row["is_met"] for one in found.values() for row in one["rows"])
    return "\n".join([*lines, "", f"{len(found)} classics, {n_rows} numbers, {n_met} within what is asked.", ""])


def _cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of a claim: name, theirs, ours, its standard error, tolerance and where theirs stands."""
    unit = f" {row['unit']}" if row["unit"] else ""
    error = "" if row["error"] is None else f"{row['error']:.2g}{unit}"
    ours = _value(row["ours"]) + unit
    asked = (
        "the same" if isinstance(row["theirs"], str) or not row["tolerance"] else f"{_value(row['tolerance'])}{unit}"
    )
    return [
        row["name"],
        _value(row["theirs"]) + unit,
        ours if row["is_met"] else f"**{ours}**",
        error,
        asked,
        row["where"],
    ]


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(asked: list[str], *, redraw: bool) -> None:
    """Run what is asked (or, with `--redraw`, take what is kept), and write its cards and the table of all."""
    known = classics()
    paths = {name: CARDS / f"{name}.json" for name in known}
    for name in track(asked, "classics"):
        about = storage.read_json(paths[name]) if redraw else compute(known[name])
        storage.write_json(paths[name], about | {"rows": told(known[name])}, sort_keys=False)
    found = {name: storage.read_json(path) for name, path in paths.items() if path.exists()}
    for name, one in found.items():
        storage.write_text(CARDS / f"{name}.md", card(known[name], one))
    storage.write_text(HERE / "table1_gallery.md", page(found, known))


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.names(classics(), "classic"), redraw=given.redraw)
