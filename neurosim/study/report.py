"""One self-contained page: findings, figures, the numbers behind them, citations, and what would make it differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import xarray as xr
from markupsafe import Markup

from neurosim import storage
from neurosim.study.citations import citations
from neurosim.study.config import (
    CircuitSubject,
    DatasetBrain,
    DigitsStimuli,
    NetworkSubject,
    Study,
    SyntheticBrain,
    TwinSubject,
)
from neurosim.study.engine.store import Entry

TEMPLATE = Path(__file__).with_name("report.html.j2")
CAPTIONS = {
    "stimuli": ("Stimuli", "Everything that was shown."),
    "raster": (
        "The trained network and its twin",
        "Circles are spikes of the trained network, bars those of the circuit: a bar in every circle, and none outside, is an exact translation.",
    ),
    "rdms": (
        "RDMs",
        "How differently every two stimuli are answered (percentile of dissimilarity, dark is alike), for every subject and layer.",
    ),
    "scores": (
        "Models and brain",
        "Score of every layer with the brain. Lines are intervals for new subjects and stimuli, dots mark scores above 0 after correction, the band is the noise ceiling.",
    ),
    "time": (
        "Layer by time",
        "Score of every layer and time bin with the brain. Gray: some stimulus has not been answered yet, or all alike, so that the RDM is not defined. Standard errors over subjects are in the numbers.",
    ),
    "subjects": (
        "All subjects with each other",
        "Agreement of RDMs, debiased CKA, and an arrangement in which alike subjects are near.",
    ),
}
HELD_BACK = "The digits shown are held back: no network of this study was trained on them. "
DIFFER = (
    "another seed: weights, encoded spikes, synthetic noise and bootstrap samples are all drawn from it",
    "another version of a numeric library or another processor: training sums in another order, so weights drift apart in the last digits and then further; the exact twin stays exact for whatever weights there are",
    "a GPU in place of the CPU: training agrees within the spread of seeds, not bit for bit",
    "other stimuli or another number of them: intervals are for new stimuli of the same kind only",
    "another metric or comparison method; both are named above the tables",
)


def write_report(
    path: Path, study: Study, entries: dict[str, Entry], numbers: dict[str, Any], provenance: dict[str, Any]
) -> None:
    """Write the page of a study to `path`."""
    scores = {n: storage.read_dataset(e.folder / "scores.nc") for n, e in _of_kind(entries, "compare").items()}
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(storage.read_text(TEMPLATE)).render(
        title=study.title or study.name,
        study=study,
        provenance=provenance,
        synthetic=[b.title or n for n, b in study.brains.items() if isinstance(b, SyntheticBrain)],
        cards=_cards(study, numbers, scores),
        sentences=_sentences(study, numbers, scores),
        notes=_notes(study, entries),
        figures=_figures(entries),
        tables=_tables(study, entries, numbers, scores, provenance),
        methods=_methods(study),
        citations=citations(study),
        differ=DIFFER,
        environment=_environment(provenance),
    )
    storage.write_text(path, page)


def _of_kind(entries: dict[str, Entry], kind: str) -> dict[str, Entry]:
    return {n.partition(":")[2]: e for n, e in entries.items() if n.partition(":")[0] == kind}


def _cards(study: Study, numbers: dict[str, Any], scores: dict[str, xr.Dataset]) -> list[dict[str, str]]:
    some = next(iter(scores.values()))
    cards = [
        {"value": str(len(study.subjects)), "label": f"subjects with {some.sizes['model']} layers in all"},
        {"value": str(some.attrs["n_stimuli"]), "label": "stimuli compared"},
    ]
    for twin, layers in numbers["differing_spikes"].items():
        n, total = (int(sum(v[k] for v in layers.values())) for k in ("n_differing", "n_spikes"))
        cards.append({"value": f"{n} of {total:,}", "label": f"spikes differ between {twin} and the trained network"})
    for brain, best in numbers["best_model"].items():
        cards.append({"value": f"{best['score']:.3f}", "label": f"best {best['method']} with {brain}: {best['model']}"})
    return cards


def _sentences(study: Study, numbers: dict[str, Any], scores: dict[str, xr.Dataset]) -> list[str]:
    lines = []
    for name, brain in study.brains.items():
        table, best = scores[name], numbers["best_model"][name]
        above = int((table["p_zero_corrected"] < table.attrs["alpha"]).sum())
        line = f"{brain.title or name}: {best['model']} comes nearest ({best['method']} {best['score']:.3f}, interval {best['interval'][0]:.3f} to {best['interval'][1]:.3f})"
        if "ceiling" in best:
            line += f"; the noise ceiling is {best['ceiling'][0]:.3f} to {best['ceiling'][1]:.3f}"
        lines.append(f"{line}. {above} of {table.sizes['model']} layers score above 0 after correction.")
        i = int(table["score"].values.argmax())
        surely = table["p_pair_corrected"].values[i] < table.attrs["alpha"]
        worse = int((surely & (table["score"].values < table["score"].values[i])).sum())
        others = table.sizes["model"] - 1
        lines.append(f"{name}: {best['model']} is better than {worse} of the {others} other layers (corrected tests).")
        if isinstance(brain, SyntheticBrain):
            truth = ", ".join(f"{k} ({v:g})" for k, v in brain.tuning.items())
            lines.append(f"The truth behind {name}, which is synthetic: units tuned to {truth}.")
    for name, subject in study.subjects.items():
        if isinstance(subject, TwinSubject) and name in numbers["accuracy"]:
            line = f"{name}, the twin of {subject.of} on the rung '{subject.rung}', names {numbers['accuracy'][name]:.1%} of the test images rightly; the network, given the same spikes, {numbers['accuracy_of_network_on_the_same_spikes'][name]:.1%}"
            raw = numbers["accuracy"].get(f"{name} (uncalibrated)")
            lines.append(
                line
                + (
                    f"; before calibration{' and retuning' if subject.retuning_epochs else ''} {raw:.1%}."
                    if raw is not None
                    else "."
                )
            )
    return lines


def _notes(study: Study, entries: dict[str, Entry]) -> list[str]:
    notes = []
    for name, entry in _of_kind(entries, "rdms").items():
        left_out = storage.read_dataset(entry.folder / "rdms.nc").attrs.get("left_out", "{}")
        notes += [f"{name}: {reason}" for reason in re.findall(r'": "(.*?)"[,}]', str(left_out))]
    for name, entry in _of_kind(entries, "simulate").items():
        if (entry.folder / "calibration.nc").is_file():
            table = storage.read_dataset(entry.folder / "calibration.nc")
            outside = [str(v) for v in table["layer"].values[~table["in_band"].values.astype(bool)]]
            notes += [f"{name}: layers outside the rate band 0.5 to 2 after calibration: {outside}"] if outside else []
    if (
        min(
            s.attrs["n_subjects"]
            for s in (storage.read_dataset(e.folder / "scores.nc") for e in _of_kind(entries, "compare").values())
        )
        == 1
    ):
        notes.append("A recording with one subject has no noise ceiling, and its intervals are for new stimuli only.")
    return notes


def _figures(entries: dict[str, Entry]) -> list[dict[str, Any]]:
    shown = []
    for name, entry in _of_kind(entries, "figure").items():
        kind = entry.record["config"]["figure"]
        title, caption = CAPTIONS[kind]
        brain = entry.record["config"].get("title")
        svg = storage.read_text(entry.folder / "figure.svg")
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
        shown.append(
            {"name": name, "title": f"{title}: {brain}" if brain else title, "caption": caption, "svg": Markup(svg)}
        )
    return shown


def _tables(
    study: Study,
    entries: dict[str, Entry],
    numbers: dict[str, Any],
    scores: dict[str, xr.Dataset],
    provenance: dict[str, Any],
) -> list[dict[str, Any]]:
    tables = [
        _table(
            "Subjects",
            ("subject", "what it is", "test accuracy"),
            [
                (name, _what(subject), _percent(numbers["accuracy"].get(name)))
                for name, subject in study.subjects.items()
            ],
        )
    ]
    for twin, layers in numbers["differing_spikes"].items():
        rows = [(layer, f"{v['n_spikes']:,.0f}", f"{v['n_differing']:.0f}") for layer, v in layers.items()]
        tables.append(
            _table(
                f"Spikes of {twin} (engine {numbers['engine'][twin]}), one by one, on test images",
                ("layer", "spikes", "differing"),
                rows,
            )
        )
    for twin, layers in numbers["calibration"].items():
        gains = [
            (
                layer,
                f"{v['gain']:.2f}",
                f"{v['bias'] * 1e12:.0f}",
                f"{v['rate_ratio_before']:.2f}",
                f"{v['rate_ratio']:.2f}",
            )
            for layer, v in layers.items()
        ]
        note = "Rates relative to the trained network, on calibration images that are never tested."
        tables.append(
            _table(f"Calibration of {twin}", ("layer", "gain", "bias (pA)", "rate before", "rate after"), gains, note)
        )
    for brain, table in scores.items():
        tables.append(_score_table(study, brain, table))
    steps = [
        (s["name"], f"{s['seconds']:.1f}", s["device"], s["reproducible"], s["key"][:12]) for s in provenance["steps"]
    ]
    if numbers["pearson_of_brains"]:
        pairs = [(pair, f"{value:.6f}") for pair, value in numbers["pearson_of_brains"].items()]
        tables.append(_table("Recordings with each other", ("recordings", "Pearson of mean RDMs"), pairs))
    columns = ("step", "seconds when made", "device", "repeats", "key")
    tables.append(
        _table("Steps", columns, steps, "Each with one thread; a step that is in the store is not run again.")
    )
    return tables


def _score_table(study: Study, brain: str, table: xr.Dataset) -> dict[str, Any]:
    ceiling = ""
    if "ceiling" in table:
        low, high = (float(v) for v in table["ceiling"])
        low_error, high_error = (float(v) for v in table["ceiling_standard_error"])
        ceiling = f" Noise ceiling {low:.3f} (± {low_error:.3f}) to {high:.3f} (± {high_error:.3f})."
    note = (
        f"{table.attrs['method']} between RDMs: '{study.comparison.metric}' for the layers, "
        f"{_metric_of(study.brains[brain])} for the recording; {table.attrs['n_subjects']} subjects, "
        f"{table.attrs['n_stimuli']} stimuli; resampled: {table.attrs['resample']}; {_range(table['df'].values)} degrees of freedom; "
        f"p corrected ({table.attrs['correction']}).{ceiling}"
    )
    rows = [
        (
            str(m),
            f"{float(table['score'][i]):.4f}",
            f"{float(table['standard_error'][i]):.4f}",
            f"{float(table['interval'][i, 0]):.3f} … {float(table['interval'][i, 1]):.3f}",
            f"{float(table['p_zero_corrected'][i]):.2g}",
            f"{float(table['p_ceiling_corrected'][i]):.2g}" if "ceiling" in table else "-",
        )
        for i, m in enumerate(table["model"].values)
    ]
    title = study.brains[brain].title or brain
    return _table(
        f"Scores with {title}", ("layer", "score", "s.e.", "interval", "p above 0", "p below ceiling"), rows, note
    )


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], note: str = "") -> dict[str, Any]:
    numeric = [all(str(row[i])[:1] in "-0123456789" for row in rows) for i in range(len(columns))]
    return {"title": title, "columns": columns, "rows": rows, "note": note, "numeric": numeric}


def _what(subject: Any) -> str:
    if subject.title:
        return str(subject.title)
    if isinstance(subject, NetworkSubject):
        return subject.architecture
    if isinstance(subject, TwinSubject):
        return f"twin of {subject.of}, {subject.rung}"
    return subject.circuit if isinstance(subject, CircuitSubject) else f"responses of {subject.path}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _range(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"


def _metric_of(brain: Any) -> str:
    return "as published" if isinstance(brain, DatasetBrain) else f"'{brain.metric}'"


def _methods(study: Study) -> str:
    c = study.comparison
    held_back = HELD_BACK if isinstance(study.stimuli, DigitsStimuli) else ""
    factors = " and ".join({"subject": "subjects", "stimulus": "stimuli"}[f] for f in c.resample)
    uncertainty = (
        f"two-factor jackknife over {factors}: each is left out once, and what both share is counted once"
        if c.estimate == "jackknife" and len(c.resample) == 2
        else f"jackknife over {factors}"
        if c.estimate == "jackknife"
        else f"bootstrap over {factors} with {c.n_bootstrap} samples, noise counted once (two-factor correction)"
    )
    return (
        f"{held_back}Responses of every layer, summed (spikes) or averaged over time, give RDMs by the metric '{c.metric}'. RDMs "
        f"are compared by '{c.method}'. Uncertainty: {uncertainty}; t-tests, p values corrected by '{c.correction}'. The "
        "upper noise ceiling is the best score any RDM could reach (or a proven bound on it), the lower one the score of "
        "the mean of the other subjects."
    )


def _environment(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    machine, git = provenance["machine"], provenance["git"]
    rows = [("neurosim", provenance["neurosim"]), *provenance["libraries"].items()]
    rows += [
        ("system", machine["system"]),
        ("cores", str(machine["cpu_count"])),
        ("GPU", machine["gpu"] or "none used"),
    ]
    return rows + ([("commit", git["commit"][:12] + (" (modified)" if git["modified"] else ""))] if git else [])
