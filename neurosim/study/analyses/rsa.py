"""Representational similarity: every layer of every subject against each brain, with ceiling, intervals and tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.similarity import inference
from neurosim.similarity.inference_options import MIN_STIMULI, Resampling, Significance
from neurosim.similarity.method import METHODS
from neurosim.similarity.metric import METRICS
from neurosim.study.analyses.asked import Asked, brains_of, check_asked, counted, subjects_of, which_of
from neurosim.study.citations import PAPERS, cited_inference
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.instances import scores_of_instances, table_of_instances
from neurosim.study.kinds import BRAINS, AnalysisKind, Answers, Citation, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.tables import StudyError, one_of

FEWEST_OF_AN_RDM = 3


class OfRDMs(Asked):
    """An analysis that compares RDMs of layers and brains: `metric` of RDMs, `method` between them, inference."""

    metric: str
    method: str = "spearman"
    resample: tuple[Literal["subject", "stimulus"], ...] = ("subject", "stimulus")
    estimate: Literal["jackknife", "bootstrap"] = "jackknife"
    n_bootstrap: Annotated[int, Field(ge=50, le=10**6)] = 1000
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    correction: Literal["holm", "fdr"] = "holm"


class RSA(OfRDMs):
    """How subjects are compared with brains: `metric` of RDMs, `method` between RDMs, inference.

    Examples
    --------
    >>> ns.study.RSA(metric="euclidean", estimate="bootstrap").n_bootstrap
    1000
    """

    kind: Literal["rsa"] = "rsa"
    metric: str = "correlation"


def check(row: Any, place: str, study: StudyLike) -> None:
    """Refuse a metric or method that is not known."""
    check_asked(row, place, study)
    one_of(row.metric, METRICS, f"{place}.metric")
    one_of(row.method, [name for name, method in METHODS.items() if method.has_inference], f"{place}.method")


def check_stimuli(row: OfRDMs, place: str, stimuli: xr.DataArray) -> None:
    """Refuse fewer stimuli than are resampled, or than an RDM has."""
    n, least = stimuli.sizes["stimulus"], MIN_STIMULI if "stimulus" in row.resample else FEWEST_OF_AN_RDM
    if n < least:
        cure = (
            "; resample = ['subject'] takes 3 or more as fixed, where the brains have several subjects; compare_rdms "
            "scores fewer without inference"
            if "stimulus" in row.resample
            else ""
        )
        raise StudyError(f"{place}: at least {least} stimuli are asked, found {n}{cure}.")


def check_individuals(row: OfRDMs, place: str, study: StudyLike, found: Answers) -> None:
    """Refuse to resample subjects alone of a brain that has one: its intervals would be for something else."""
    if row.resample != ("subject",):
        return
    for name, brain in brains_of(row, study).items():
        if BRAINS[brain.kind].n_individuals(brain, found["brains"].get(name)) == 1:
            raise StudyError(
                f"{place}.resample: the brain {name!r} has one subject, which cannot be resampled; "
                f"resample = ['stimulus'] of {MIN_STIMULI} or more, or name others in 'brains'."
            )


def plan(row: RSA, name: str, made: PlanLike) -> list[Step]:
    """Return one step a brain, which reads the RDMs of all subjects."""
    rdms = tuple(made.rdms(subject, row.metric) for subject in subjects_of(row, made.study))
    config = made.seeded(row, name)
    work = "neurosim.study.analyses.rsa:run"
    return [
        Step(f"{name}:{brain}", work, config | {"brain": brain}, (*rdms, made.brain_rdms(brain)))
        for brain in brains_of(row, made.study)
    ]


def run(job: Job) -> None:
    """Write ``scores.nc`` (along ``model``)."""
    storage.write_dataset(job.out / "scores.nc", scored(job.config, stacked_models(job), *brain_of(job)))


def scored(config: dict[str, Any], models: xr.DataArray, data: xr.DataArray, about: dict[str, Any]) -> xr.Dataset:
    """Return the scores of models with the RDMs of the individuals of a brain, as a row of the study asks for them."""
    n_subjects = data.sizes["subject"]
    asked = tuple(config["resample"])
    over = ("stimulus",) if n_subjects == 1 and "stimulus" in asked else asked
    result = inference.infer(
        models,
        data,
        method=config["method"],
        resample=Resampling(over, config["estimate"], config["n_bootstrap"]),
        significance=Significance(config["alpha"], config["correction"]),
        rng=seed_of(config["seed"], "infer", config["brain"]),
    )
    result = result.assign_coords(group=("model", models["group"].values))
    result.attrs.update(
        brain=config["brain"],
        n_subjects=n_subjects,
        n_stimuli=data.sizes["stimulus"],
        synthetic=int(about.get("synthetic", 0)),
    )
    return result


def brain_of(job: Job, step: str = "brain:") -> tuple[xr.DataArray, dict[str, Any]]:
    """Return the RDMs of the individuals of the brain that a step reads, and what is known of it."""
    found = storage.read_dataset(job.input(step) / "rdms.nc")
    return found["rdm"].drop_vars("category", errors="ignore"), dict(found.attrs)


def stacked_models(job: Job, variable: str = "rdm", steps: str = "rdms:") -> xr.DataArray:
    """Return the RDMs of all subjects and layers along ``model`` ("subject/layer"), with ``group``, the subject."""
    parts, names, groups = [], [], []
    for folder in job.all_inputs(steps).values():
        found = storage.read_dataset(folder / "rdms.nc")
        if variable not in found:
            continue
        rdms, subject = found[variable].drop_vars("category", errors="ignore"), str(found.attrs["subject"])
        names += [f"{subject}/{layer}" for layer in rdms["layer"].values]
        groups += [subject] * rdms.sizes["layer"]
        parts.append(rdms.rename(layer="model").drop_vars("model"))
    stacked = xr.concat(parts, "model", combine_attrs="override")
    return stacked.assign_coords(model=names, group=("model", groups))


def tell(row: RSA, name: str, results: Results) -> Told:
    """Tell which layer comes nearest to each brain, and the scores of all."""
    return told_of_rdms(row, name, results, "Responses of every layer, summed (spikes) or averaged over time,")


def told_of_rdms(row: OfRDMs, name: str, results: Results, responses: str) -> Told:
    """Tell of scores between RDMs; `responses` begins the sentence that says of what the RDMs are."""
    tables = {brain: results.dataset(f"{name}:{brain}", "scores.nc") for brain in brains_of(row, results.study)}
    best = {brain: _best(table) for brain, table in tables.items()}
    about = which_of(name, [other for other in results.study.analyses.values() if isinstance(other, OfRDMs)])
    over = {b: scores_of_instances(table, results.study.subjects) for b, table in tables.items()}
    first = next(iter(tables.values()))
    n_layers, n_subjects = first.sizes["model"], len(subjects_of(row, results.study))
    numbers = {"best_model": {f"{brain}{about}": found for brain, found in best.items()}}
    if any(over.values()):
        numbers["scores_over_instances"] = {f"{name}:{brain}": found for brain, found in over.items()}
    return Told(
        numbers=numbers,
        cards=[
            (str(n_layers), f"{'layer' if n_layers == 1 else 'layers'} of {counted(n_subjects, 'subject')}{about}"),
            (str(first.attrs["n_stimuli"]), "stimuli compared"),
            *(
                (f"{b['score']:.3f}", f"best {b['method']} with {brain}{about}: {b['model']}")
                for brain, b in best.items()
            ),
        ],
        sentences=[line for b in tables for line in _sentences(b, tables[b], best[b], results, about)],
        notes=_notes(tables),
        cited=cited_inference(tables.values()),
        methods=[_method(row, tables, responses)],
        tables=[
            made
            for brain, table in tables.items()
            for scores in [_table(row, brain, table, results, about)]
            for made in (scores, *table_of_instances(scores.title, over[brain]))
        ],
    )


def _best(scores: xr.Dataset) -> dict[str, Any]:
    i = int(scores["score"].values.argmax())
    best = {
        "model": str(scores["model"].values[i]),
        "score": float(scores["score"][i]),
        "interval": [float(v) for v in scores["interval"][i]],
        "method": scores.attrs["method"],
    }
    if "ceiling" in scores:
        best["ceiling"] = [float(v) for v in scores["ceiling"]]
    return best


def _sentences(brain: str, table: xr.Dataset, best: dict[str, Any], results: Results, about: str) -> list[str]:
    title = results.study.brains[brain].title or brain
    n_models = table.sizes["model"]
    found = "comes nearest" if n_models > 1 else "was compared"
    line = (
        f"{title}{about}: {best['model']} {found} ({best['method']} {best['score']:.3f}, interval "
        f"{best['interval'][0]:.3f} to {best['interval'][1]:.3f})"
    )
    if "ceiling" in best:
        line += f"; the noise ceiling is {best['ceiling'][0]:.3f} to {best['ceiling'][1]:.3f}"
    above = int((table["p_zero_corrected"] < table.attrs["alpha"]).sum())
    tested = f"{above} of {n_models} {_layers(n_models)} above 0 after correction."
    lines = [f"{line}. {tested if 'no_p_zero' not in table.attrs else 'Not tested: ' + table.attrs['no_p_zero']}"]
    if n_models > 1:
        i = int(table["score"].values.argmax())
        surely = table["p_pair_corrected"].values[i] < table.attrs["alpha"]
        worse = int((surely & (table["score"].values < table["score"].values[i])).sum())
        lines.append(
            f"{brain}{about}: {best['model']} is better than {worse} of the {n_models - 1} other layers "
            "(corrected tests)."
        )
    return lines


def _layers(n: int) -> str:
    return "layers score" if n != 1 else "layer scores"


def _notes(tables: dict[str, xr.Dataset]) -> list[str]:
    alone = [brain for brain, table in tables.items() if table.attrs["n_subjects"] == 1]
    if not alone:
        return []
    return [f"{', '.join(alone)}: one subject, so no noise ceiling, and intervals are for new stimuli only."]


def resampled(table: xr.Dataset) -> str:
    """Return over what the intervals generalise, as the results say."""
    names = {"subject": "subjects", "stimulus": "stimuli"}
    return " and ".join(names[factor] for factor in str(table.attrs["resample"]).split("+") if factor in names)


def _method(row: OfRDMs, tables: dict[str, xr.Dataset], responses: str) -> str:
    """Return how it was done, as the results say."""
    over = " or ".join(dict.fromkeys(resampled(t) for t in tables.values()))
    both = ", and what both share is counted once" if " and " in over else ""
    how = {
        "jackknife": f"jackknife over {{}}: each is left out once{both}",
        "bootstrap": f"bootstrap over {{}} with {row.n_bootstrap} samples, noise counted once (two-factor correction)",
    }[row.estimate]
    ceiling = (
        " The upper noise ceiling is the best score any RDM could reach (or a proven bound on it), the lower one the "
        "score of the mean of the other subjects."
        if any("ceiling" in t for t in tables.values())
        else ""
    )
    return (
        f"{responses} give RDMs by the metric '{row.metric}'. "
        f"RDMs are compared by '{row.method}'. Uncertainty: {how.format(over)}; t-tests, p values corrected "
        f"by '{row.correction}'.{ceiling}"
    )


def _table(row: OfRDMs, brain: str, table: xr.Dataset, results: Results, about: str) -> TableOfNumbers:
    entry = results.study.brains[brain]
    ceiling = ""
    if "ceiling" in table:
        low, high = (float(v) for v in table["ceiling"])
        low_error, high_error = (float(v) for v in table["ceiling_standard_error"])
        ceiling = f" Noise ceiling {low:.3f} (± {low_error:.3f}) to {high:.3f} (± {high_error:.3f})."
    metric = f"'{entry.metric}'" if hasattr(entry, "metric") else "as published"
    metric += "".join(f" ({k} '{v}')" for k, v in BRAINS[entry.kind].options(entry).items())
    note = (
        f"{table.attrs['method']} between RDMs: '{row.metric}' for the layers, {metric} for the recording; "
        f"n = {counted(table.attrs['n_subjects'], 'subject')}, {table.attrs['n_stimuli']} stimuli; resampled: "
        f"{table.attrs['resample']}; {_range(table['df'].values)} degrees of freedom; p corrected "
        f"({table.attrs['correction']}).{ceiling}"
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
    columns = ("layer", "score", "s.e.", "interval", "p above 0", "p below ceiling")
    return TableOfNumbers(f"Scores with {entry.title or brain}{about}", columns, rows, note)


def _range(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"


def cite(_row: OfRDMs) -> list[Citation]:
    """Cite the method; what its inference used is said by the results."""
    return [PAPERS["rsa"]]


REPRESENTATIONAL_SIMILARITY = AnalysisKind(
    name="rsa",
    table=RSA,
    plan=plan,
    check=check,
    check_stimuli=check_stimuli,
    check_answers=check_individuals,
    tell=tell,
    cite=cite,
)
