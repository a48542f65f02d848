"""Data sets and stimuli: what the records say, with sizes and ceilings from the file of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pages import linked, md_table
from scripts_of_analyses import ANALYSES

from neurosim import storage
from neurosim.recordings.published import DATASETS, DataSet
from neurosim.stimuli.event_set import EVENT_DATA
from neurosim.stimuli.source import SOURCES

DIMS = {"stimulus": "stimuli", "trial": "trials", "unit": "units", "subject": "subjects", "sweep": "sweeps"}
DIMS |= {"time": "points in time"}
ABOUT = """# Data sets

Recordings and stimuli by name. A set that comes with a Python package or has a public address is fetched when it is
first loaded, and its checksum compared; the others are files that you put where the error message says, in the folder
that the environment variable `NEUROSIM_DATA` names (or `ns.use_data_folder(...)`). Nothing here is distributed with
neurosim: each set has its own licence, and its authors are whom you cite.

## Recordings

`ns.load_dataset("{first}")` loads one. Ceilings are what a model can reach at most: of RDMs of several subjects the
lower and upper one (Spearman), of responses with trials the median unit's correlation with the true mean.
"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield path below ``catalogue/`` and text of the page of data sets."""
    measured = storage.read_json(ANALYSES / "data_sets" / "table1_data_sets.json")["data_sets"]
    lines = [ABOUT.format(first=next(iter(DATASETS)))]
    for data_set in DATASETS.values():
        lines += _recordings(data_set, measured[data_set.name])
    lines += ["## Stimuli", "", '`ns.stimuli.load_source("digits")` loads one; a study names one as its `source`.', ""]
    lines += _named(SOURCES)
    lines += ["## Recordings of events", "", '`ns.stimuli.load_events("nmnist")` loads one.', "", *_named(EVENT_DATA)]
    yield "data_sets.md", "\n".join(lines)


def _recordings(data_set: DataSet, measured: Mapping[str, object]) -> list[str]:
    told: Mapping[str, Mapping[str, object]] = measured["recordings"]  # type: ignore[assignment]
    rows = [[f"`{name}`", _sizes(one["sizes"]), _ceiling(one["ceiling"])] for name, one in told.items()]
    lines = [f"### {data_set.name}", "", f"{data_set.caption[:1].upper()}{data_set.caption[1:]}.", ""]
    lines += [*md_table(["recording", "what", "ceiling"], rows)]
    lines += [
        f"{measured['megabytes']} MB, {data_set.licence}. From {data_set.home}.",
        "",
        f"Cite: {data_set.citation}",
        "",
    ]
    return lines


def _named(registry: Mapping[str, object]) -> list[str]:
    fields = ("name", "caption", "licence", "citation")
    rows = [
        [f"`{record.name}`", *(linked(getattr(record, field)) for field in fields[1:])] for record in registry.values()
    ]  # type: ignore[attr-defined]
    return md_table(["name", "what it shows", "licence", "cite"], rows)


def _sizes(sizes: object) -> str:
    assert isinstance(sizes, dict)
    told = [f"{n:,} {dim if n == 1 else DIMS[dim]}" for dim, n in sizes.items() if dim in DIMS]
    return f"RDMs: {', '.join(told)}" if "stimulus_other" in sizes else ", ".join(told)


def _ceiling(ceiling: object) -> str:
    assert isinstance(ceiling, list)
    return " to ".join(f"{value:.3f}" for value in ceiling)
