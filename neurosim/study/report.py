"""One self-contained page, put together from what the kinds of a study say of its results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from neurosim import storage
from neurosim.study.citations import citations_of
from neurosim.study.functions import functions_in
from neurosim.study.kinds import BRAINS, FIGURES, SHOWN, SUBJECTS, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.study import Study

TEMPLATE = Path(__file__).with_name("report.html.j2")
TOPICS = ("accuracy", "accuracy_of_network_on_the_same_spikes", "differing_spikes", "engine", "calibration")


def told_by(study: Study, results: Results) -> Told:
    """Return what all entries of a study tell together, in their order."""
    parts = [kind.tell(row, name, results) for group, name, kind, row in study.kinds() if group != "stimuli"]
    numbers: dict[str, Any] = {topic: {} for topic in (*TOPICS, "best_model", "pearson_of_brains")}
    for part in parts:
        for topic, values in part.numbers.items():
            numbers.setdefault(topic, {}).update(values)
    return Told(
        numbers,
        cards=list(dict.fromkeys(card for part in parts for card in part.cards)),
        sentences=[line for part in parts for line in part.sentences],
        notes=[*left_out(results), *(note for part in parts for note in part.notes)],
        methods=[
            SHOWN[study.stimuli.source].method(study.stimuli, study),
            *(m for part in parts for m in part.methods),
        ],
        tables=[table for part in parts for table in part.tables],
        cited=list(dict.fromkeys([*citations_of(study), *(paper for part in parts for paper in part.cited)])),
    )


def write_report(path: Path, study: Study, results: Results, told: Told, provenance: dict[str, Any]) -> None:
    """Write the page of a study to `path`."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(storage.read_text(TEMPLATE)).render(
        title=study.title or study.name,
        study=study,
        provenance=provenance,
        synthetic=[row.title or name for name, row in study.brains.items() if not BRAINS[row.kind].measured],
        cards=told.cards,
        sentences=told.sentences,
        notes=told.notes,
        figures=_figures(results),
        tables=[_table(t) for t in (_subjects(study, told), *told.tables, _steps(provenance))],
        methods=" ".join(m for m in told.methods if m),
        citations=told.cited,
        differ=_differ(results),
        environment=_environment(provenance),
        own_files=sorted({row.path.name for row in functions_in(study)}),
    )
    storage.write_text(path, page)


def _differ(results: Results) -> list[str]:
    """Return what would make the results differ, of what the study did."""
    trained, simulated = results.named("train:"), results.named("simulate:")
    drawn = [
        *(["weights"] if trained else []),
        *(["encoded spikes"] if trained or simulated else []),
        *(["what functions draw"] if results.named("answers:") else []),
        *(["synthetic noise"] if any(not BRAINS[row.kind].measured for row in results.study.brains.values()) else []),
        *(["bootstrap samples"] if any(getattr(row, "estimate", "") == "bootstrap" for row in _rows(results)) else []),
    ]
    found = [f"another seed: {', '.join(drawn)} are drawn from it"] if drawn else []
    if trained:
        found += [
            "another version of a numeric library or another processor: training sums in another order, so weights drift "
            "apart in the last digits and then further",
            "a GPU in place of the CPU: training agrees within the spread of seeds, not bit for bit",
        ]
    return [
        *found,
        "other stimuli or another number of them: intervals are for new stimuli of the same kind only",
        "another metric or comparison method; both are named above the tables",
    ]


def _rows(results: Results) -> list[Any]:
    return list(results.study.analyses.values())


def left_out(results: Results) -> list[str]:
    """Return which layers have no RDMs, and why; of a subject that does not spike at all, its analysis tells."""
    notes = []
    for step in (*results.named("rdms:").values(), *results.named("spike_rdms:").values()):
        found = results.dataset(step, "rdms.nc")
        layers: dict[str, list[str]] = {}
        for layer, reason in json.loads(found.attrs.get("left_out", "{}")).items() if "rdm" in found else ():
            said = str(reason).removeprefix(f"{layer}: ")
            layers.setdefault(said, []).append(f"{found.attrs['subject']}/{layer}")
        notes += [f"{', '.join(names)}: {reason}" for reason, names in layers.items()]
    return list(dict.fromkeys(notes))


def _figures(results: Results) -> list[dict[str, Any]]:
    shown = []
    for name, step in results.named("figure:").items():
        if not results.has(step, "figure.svg"):
            continue
        config = results.configs[step]
        kind, of = FIGURES[config["figure"]], config.get("title")
        numbers = results.dataset(step, "figure.nc")
        caption = kind.caption if isinstance(kind.caption, str) else kind.caption(numbers)
        svg = storage.read_text(results.folders[step] / "figure.svg")
        svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg[svg.index("<svg") :], count=1)
        title = f"{kind.title}: {of}" if of else kind.title
        shown.append({"name": name, "title": title, "caption": caption, "svg": Markup(svg)})
    return shown


def _subjects(study: Study, told: Told) -> TableOfNumbers:
    accuracy = told.numbers["accuracy"]
    rows = [
        (name, SUBJECTS[row.kind].describe(row), _percent(accuracy.get(name))) for name, row in study.subjects.items()
    ]
    if not accuracy:
        return TableOfNumbers("Subjects", ("subject", "what it is"), [row[:2] for row in rows])
    return TableOfNumbers("Subjects", ("subject", "what it is", "test accuracy"), rows)


def _steps(provenance: dict[str, Any]) -> TableOfNumbers:
    rows = [
        (s["name"], f"{s['seconds']:.1f}", s["device"], s["reproducible"], s["key"][:12]) for s in provenance["steps"]
    ]
    columns = ("step", "seconds when made", "device", "repeats", "key")
    note = "Each with one thread; a step that is in the store is not run again."
    return TableOfNumbers("Steps", columns, rows, note)


def _table(table: TableOfNumbers) -> dict[str, Any]:
    numeric = [all(str(row[i])[:1] in "-0123456789" for row in table.rows) for i in range(len(table.columns))]
    return {k: getattr(table, k) for k in ("title", "columns", "rows", "note")} | {"numeric": numeric}


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _environment(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    machine, git = provenance["machine"], provenance["git"]
    rows = [("neurosim", provenance["neurosim"]), *provenance["libraries"].items()]
    rows += [
        ("system", machine["system"]),
        ("cores", str(machine["cpu_count"])),
        ("GPU", machine["gpu"] or "none used"),
    ]
    return rows + ([("commit", git["commit"][:12] + (" (modified)" if git["modified"] else ""))] if git else [])
