"""The gallery: a card and a page for every published model and every study, from their files of results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pages import md_table
from scripts_of_analyses import ANALYSES, Script, numbers, scripts

from neurosim import storage

WITH_PAGES = {"gallery", "benchmarks", "calibration", "ingredients", "data_sets"}  # of their own kind
MOST_NUMBERS = 60
ABOUT = """Published models, built and run with the public functions of neurosim, beside the numbers that were published
of them; then the studies, each one file a figure. All of it is made from the files of results. How long a model took is
said of one core of a machine with two (x86-64)."""
MINUTES_FROM = 1.5  # below, seconds say more


def pages() -> Iterator[tuple[str, str]]:
    """Yield path below ``catalogue/`` and text of the gallery and of the pages behind its cards."""
    classics = sorted((ANALYSES / "gallery" / "cards").glob("*.md"))
    studies = [folder for folder in sorted(ANALYSES.iterdir()) if scripts(folder) and folder.name not in WITH_PAGES]
    lines = ["# Gallery", "", ABOUT, "", "## Published models", "", *_grid(_classic_card(path) for path in classics)]
    lines += ["## Studies", "", *_grid(_study_card(folder) for folder in studies)]
    for caption, below in (("Published models", "classics/*"), ("Studies", "studies/*")):
        lines += ["```{toctree}", ":hidden:", ":glob:", f":caption: {caption}", "", below, "```", ""]
    yield "gallery.md", "\n".join(lines)
    for path in classics:
        yield f"classics/{path.name}", _classic_page(path)
    for folder in studies:
        yield f"studies/{folder.name}.md", _study_page(folder)


def study_title(folder: Path) -> str:
    """Return the name of a study in words."""
    words = folder.name.replace("_", " ")
    known = {"macaque it": "Macaque IT", "meg time course": "MEG time course", "v4": "V4", "imagenet": "ImageNet"}
    return known.get(words, words.capitalize())


def lasting(minutes: float) -> str:
    """Return how long something took, in whole seconds or minutes."""
    number, unit = (round(minutes), "minute") if minutes >= MINUTES_FROM else (max(1, round(60 * minutes)), "second")
    return f"{number} {unit}{'s' * (number != 1)}"


def _grid(cards: Iterator[list[str]]) -> list[str]:
    return [":::::{grid} 1 2 2 3", ":gutter: 3", "", *(line for card in cards for line in card), ":::::", ""]


def _classic_card(path: Path) -> list[str]:
    found = storage.read_json(path.with_suffix(".json"))
    n_met = sum(row["is_met"] for row in found["rows"])
    title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    told = f"{n_met} of {len(found['rows'])} numbers as near as is asked · {lasting(found['minutes'])}"
    return _card(title, f"classics/{path.stem}", path.with_suffix(".png"), told)


def _study_card(folder: Path) -> list[str]:
    made = scripts(folder)
    figure = next((script.figure for script in made if script.figure), None)
    lasts = next((script.lasts for script in made if script.lasts), "")
    return _card(
        study_title(folder),
        f"studies/{folder.name}",
        figure,
        f"{made[0].title}." + (f" {lasts}." if lasts else ""),
    )


def _card(title: str, page: str, figure: Path | None, told: str) -> list[str]:
    image = [f":img-top: ../../{figure.relative_to(ANALYSES.parent)}", f":img-alt: {title}"] if figure else []
    return [f"::::{{grid-item-card}} {title}", f":link: {page}", ":link-type: doc", *image, "", told, "::::", ""]


def _classic_page(path: Path) -> str:
    text = path.read_text(encoding="utf-8").replace("](", "](../../../analyses/gallery/cards/")
    text = text.replace("](../../../analyses/gallery/cards/http", "](http")
    return f"{text}\nBuilt and run by `analyses/gallery/classics/{path.stem}.py`.\n"


def _study_page(folder: Path) -> str:
    lines = [f"# {study_title(folder)}", ""]
    for script in scripts(folder):
        lines += _section(script)
    return "\n".join(lines)


def _section(script: Script) -> list[str]:
    lines = [f"## {script.title}", ""]
    if script.figure:
        lines += [f"![{script.title}](../../../{script.figure.relative_to(ANALYSES.parent)})", ""]
    lines += [script.text.replace("``", "`"), "", "```text", script.run.command, "```", ""]
    more = f"May be followed by `{script.run.more}`. " if script.run.more else ""
    lines += [f"{more}{script.run.said}", ""]
    if script.results:
        told, file = numbers(script.results), script.results
        more = f"The first {MOST_NUMBERS} of {len(told)}. " if len(told) > MOST_NUMBERS else ""
        link = f"{{download}}`{file.name} <../../../{file.relative_to(ANALYSES.parent)}>`"
        lines += [f"::::{{dropdown}} Numbers of `{file.name}`", "", *md_table(["what", "value"], told[:MOST_NUMBERS])]
        lines += [f"{more}All of them: {link}.", "::::", ""]
    return lines
