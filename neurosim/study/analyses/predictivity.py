"""Predictivity: every layer predicts the held-out responses of a brain's units, beside the ceiling of their trials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.responses import reliability
from neurosim.responses.averages import over_time
from neurosim.runtime import seed_of
from neurosim.schema import InputError, same_stimuli
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.predictor import PREDICTORS
from neurosim.study.analyses.asked import brains_of, check_asked, counted, subjects_of, titles_of
from neurosim.study.analyses.layer_scores import FILE, Estimate, OfLayers, table_of, told
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import AnalysisKind, Citation, Told
from neurosim.study.results import Results
from neurosim.study.steps.recording import recording_in, units_of
from neurosim.study.steps.responses import layers_in
from neurosim.study.tables import StudyError, as_row, one_of

FEWEST = 3  # stimuli a fold
EACH_FOLD = "predictions.nc"
BLOCKS = 20  # of stimuli, each left out once for the standard error of the ceiling


class Predictivity(OfLayers):
    """How layers predict the units of brains: `method`, its `options`, `folds`, and `groups` held out whole.

    Examples
    --------
    >>> ns.study.Predictivity(method="pls", options={"n_components": 10}).folds
    5
    """

    kind: Literal["predictivity"] = "predictivity"
    method: str = "ridge"
    folds: Annotated[int, Field(ge=2, le=10**4)] = 5
    groups: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


def check(row: Predictivity, place: str, study: StudyLike) -> None:
    """Refuse names that are not known, and brains without responses."""
    one_of(row.method, tuple(PREDICTORS), f"{place}.method")
    as_row(PREDICTORS[row.method].options, row.options, f"{place}.options")
    check_asked(row, place, study, responses=True)


def check_stimuli(row: Predictivity, place: str, stimuli: xr.DataArray) -> None:
    """Refuse too few stimuli for the folds, and groups that are no label of the stimuli."""
    check_folds(row.folds, row.groups, place, stimuli, FEWEST)


def check_folds(folds: int, groups: str | None, place: str, stimuli: xr.DataArray, fewest: int) -> None:
    """Refuse fewer than `fewest` stimuli a fold, and `groups` that are no label of the stimuli."""
    n = stimuli.sizes["stimulus"]
    if n < fewest * folds:
        raise StudyError(f"{place}.folds = {folds} needs {fewest * folds} stimuli or more, found {n}.")
    if groups is None:
        return
    labels = [str(k) for k, v in stimuli.coords.items() if v.dims == ("stimulus",)]
    one_of(groups, labels, f"{place}.groups")
    n_groups = len(np.unique(stimuli[groups].values))
    if n_groups < folds:
        raise StudyError(f"{place}.folds = {folds} needs as many groups of {groups!r}, found {n_groups}.")


def plan(row: Predictivity, name: str, made: PlanLike) -> list[Step]:
    """Return one step for every subject and brain."""
    keep: dict[str, Any] = {"time": "mean", "trials": "mean"}
    keep |= {"units": "rotated"} if PREDICTORS[row.method].rotates else {}
    config = {k: getattr(row, k) for k in ("method", "folds", "groups", "options")}
    return [
        Step(
            f"{name}:{s}:{b}",
            "neurosim.study.analyses.predictivity:run",
            config | {"target": b, "seed": made.study.seed},
            (made.responses(s, keep), made.recording(b)),
        )
        for b in brains_of(row, made.study)
        for s in subjects_of(row, made.study)
    ]


def run(job: Job) -> None:
    """Write ``layers.nc``: the median over units of the mean correlation, within folds, of prediction and response.

    ``predictions.nc`` is what ``predict_responses`` returned, along ``model``, for ``compare_predictions``.
    """
    config = job.config
    recording = recording_in(job.input("recording:"))
    target = over_time(recording)
    subject, folder = next(iter(job.all_inputs("responses:").items()))
    rng = seed_of(config["seed"], "folds") % 2**31
    options = {k: config[k] for k in ("method", "folds", "groups", "options")}
    people = units_of(target)
    found: dict[str, Estimate] = {}
    predictions: list[xr.Dataset] = []
    left_out: dict[str, str] = {}
    for layer, responses in layers_in(folder):
        try:
            result = predict_responses(
                responses, same_stimuli(responses, target, layer), rng=rng, progress=False, **options
            )
        except InputError as refusal:
            left_out[layer] = f"{layer}: {refusal}"
            continue
        predictions.append(result)
        score, spread = float(result["median_score"]), float(result["median_standard_error"])
        each = np.array([np.median(result["score"].values[units]) for units in people.values()])
        found[layer] = Estimate(score, spread, result.attrs["df"], each)
    table = table_of(
        found,
        subject.partition(":")[0],
        ceiling=_ceiling(recording),
        left_out=left_out,
        method=config["method"],
        what="Prediction of",
        label="correlation with held-out\nresponses (median of units)",
        leads="predicts best",
        ceiling_is="median ceiling of the units by their trials",
        over="new stimuli" if config["groups"] is None else f"new groups ({config['groups']}) of stimuli",
        null=0.0,
        folds=config["folds"],
        groups=config["groups"] or "none",
        n_stimuli=target.sizes["stimulus"],
        n_subjects=len(people),
        n_units=target.sizes["unit"],
    )
    storage.write_dataset(job.out / FILE, table)
    of_folds = xr.concat(predictions, "model", combine_attrs="drop_conflicts")
    storage.write_dataset(job.out / EACH_FOLD, of_folds.assign_coords(model=table["model"].values))


def _ceiling(recording: xr.DataArray) -> Estimate | None:
    """Return the median over units of the best correlation that a model could have, where there are trials."""
    if recording.sizes.get("trial", 1) < 2 or recording.sizes["stimulus"] < 4:
        return None
    still = over_time(recording)
    everything = np.arange(still.sizes["stimulus"])
    n = min(len(everything), BLOCKS)
    try:
        whole, *left = (
            float(np.nanmedian(reliability.signal_to_noise(still.isel(stimulus=kept))["ceiling"]))
            for kept in (everything, *(np.delete(everything, part) for part in np.array_split(everything, n)))
        )
    except InputError:
        return None
    error = float(np.sqrt((n - 1) / n * ((np.array(left) - np.mean(left)) ** 2).sum()))
    return Estimate(whole, error, n - 1)


def tell(row: Predictivity, name: str, results: Results) -> Told:
    """Tell the best layer for every brain, and the scores of all."""
    said = told(row, name, results, titles_of(row, results.study), _note)
    by = f", groups of '{row.groups}' together" if row.groups else ""
    method = (
        f"Predictivity: units of a brain are predicted from every layer ({row.method}) in {row.folds} folds of the "
        f"stimuli{by}; all choices within the training stimuli. A score is the median over units of the correlation of "
        "predicted and measured responses to held-out stimuli, mean over folds. The ceiling of a unit is what a "
        "perfect model reaches."
    )
    return Told(said.numbers, sentences=said.sentences, notes=said.notes, methods=[method], tables=said.tables)


def _note(table: xr.Dataset) -> str:
    a = table.attrs
    return (
        f"{a['method']}, {a['folds']} folds; median of n = {counted(int(a['n_units']), 'unit')} of "
        f"{counted(int(a['n_subjects']), 'individual')}, {counted(int(a['n_stimuli']), 'stimulus', 'stimuli')}; "
        f"for {a['over']}."
    )


CITED = {
    "predictivity": (
        "prediction of responses",
        "Yamins DLK, Hong H, Cadieu CF, et al. (2014) PNAS 111:8619-8624, https://doi.org/10.1073/pnas.1403112111",
    ),
    "ceiling": (
        "ceiling of units",
        "Schoppe O, Harper NS, Willmore BDB, et al. (2016) Front Comput Neurosci 10:10, "
        "https://doi.org/10.3389/fncom.2016.00010",
    ),
    "pls": (
        "partial least squares",
        "Wold S, Sjostrom M, Eriksson L (2001) Chemom Intell Lab Syst 58:109-130, "
        "https://doi.org/10.1016/S0169-7439(01)00155-1",
    ),
}


def cite(row: Predictivity) -> list[Citation]:
    """Cite the method and the ceiling."""
    used = ("predictivity", "ceiling", *(("pls",) if row.method == "pls" else ()))
    return [CITED[k] for k in used]


PREDICTIVITY = AnalysisKind(
    name="predictivity",
    table=Predictivity,
    plan=plan,
    check=check,
    check_stimuli=check_stimuli,
    tell=tell,
    cite=cite,
)
