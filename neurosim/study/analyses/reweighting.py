"""Flexible models: the features of every layer are weighted so that its RDM predicts those of a brain."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.schema import InputError
from neurosim.similarity import reweighting
from neurosim.similarity.comparison import compare_rdms
from neurosim.study.analyses.asked import brains_of, check_asked, counted, subjects_of, titles_of
from neurosim.study.analyses.layer_scores import FILE, Estimate, OfLayers, table_of, told
from neurosim.study.analyses.rsa import brain_of
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import AnalysisKind, Citation, Told
from neurosim.study.results import Results
from neurosim.study.steps.responses import layers_in
from neurosim.study.tables import StudyError

IN_A_FOLD, FEWEST, MOST = 5, 10, 150  # stimuli; the memory grows with their fourth power: 1 GB for 150


class Reweighting(OfLayers):
    """How well layers predict RDMs of brains when their features are weighted, in `folds` of stimuli (2 to 5).

    Examples
    --------
    >>> ns.study.Reweighting(folds=3).folds
    3
    """

    kind: Literal["reweighting"] = "reweighting"
    folds: Annotated[int, Field(ge=2, le=10**4)] | None = None


def check_stimuli(row: Reweighting, place: str, stimuli: xr.DataArray) -> None:
    """Refuse too few and too many stimuli."""
    n, least = stimuli.sizes["stimulus"], IN_A_FOLD * row.folds if row.folds else FEWEST
    if not least <= n <= MOST:
        folds = f" with folds = {row.folds}" if row.folds else ""
        raise StudyError(f"{place}{folds} needs at least {least} and at most {MOST} stimuli, found {n}.")


def plan(row: Reweighting, name: str, made: PlanLike) -> list[Step]:
    """Return one step for every subject and brain."""
    keep = {"time": "mean", "trials": "mean"}
    return [
        Step(
            f"{name}:{s}:{b}",
            "neurosim.study.analyses.reweighting:run",
            {"folds": row.folds, "target": b, "seed": made.study.seed},
            (made.responses(s, keep), made.brain_rdms(b)),
        )
        for b in brains_of(row, made.study)
        for s in subjects_of(row, made.study)
    ]


def run(job: Job) -> None:
    """Write ``layers.nc``: correlation of predicted and measured distances of held-out stimuli."""
    config = job.config
    data, _ = brain_of(job)
    subject, folder = next(iter(job.all_inputs("responses:").items()))
    rng = seed_of(config["seed"], "folds") % 2**31
    found: dict[str, Estimate] = {}
    left_out: dict[str, str] = {}
    plain, folds = [], 0
    for layer, responses in layers_in(folder):
        try:
            result = reweighting.reweight_features(responses, data, folds=config["folds"], rng=rng, progress=False)
        except InputError as error:
            left_out[layer] = f"{layer}: {error}"
            continue
        found[layer] = _estimate(result["score"].values)
        plain.append(float(result["mean_plain_score"]))
        folds = int(result.attrs["folds"])
    n_subjects = data.sizes["subject"]
    table = table_of(
        found,
        subject.partition(":")[0],
        ceiling=_of_the_others(data) if n_subjects > 1 else None,
        left_out=left_out,
        method="corr of held-out distances",
        label="correlation with\nheld-out distances",
        what="Weighted features and the RDMs of",
        leads="predicts best",
        ceiling_is="individuals with the mean of the others",
        over="new individuals" if n_subjects > 1 else "this individual alone, so without uncertainty",
        null=0.0,
        folds=folds,
        n_stimuli=data.sizes["stimulus"],
        n_subjects=n_subjects,
    )
    table["plain_score"] = ("model", plain)
    storage.write_dataset(job.out / FILE, table)


def _estimate(each: np.ndarray) -> Estimate:
    """Return the mean over individuals and its standard error; NaN for one."""
    n = len(each)
    error = float(each.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    return Estimate(float(each.mean()), error, max(n - 1, 1), each)


def _of_the_others(data: xr.DataArray) -> Estimate:
    """Return the score of every individual with the mean of the others, of all stimuli."""
    n = data.sizes["subject"]
    others = [data.isel(subject=np.delete(np.arange(n), i)).mean("subject") for i in range(n)]
    each = [float(compare_rdms(o, data.isel(subject=i, drop=True), "corr")) for i, o in enumerate(others)]
    return _estimate(np.array(each))


def tell(row: Reweighting, name: str, results: Results) -> Told:
    """Tell the best layer for every brain, and the scores of all."""
    said = told(row, name, results, titles_of(row, results.study), _note)
    method = (
        "Reweighting: the features of every layer are weighted (ridge regression of distances) so that they predict "
        "the distances of a brain; weights and penalty are learnt from other stimuli than those that are scored."
    )
    return Told(said.numbers, sentences=said.sentences, notes=said.notes, methods=[method], tables=said.tables)


def _note(table: xr.Dataset) -> str:
    a = table.attrs
    equal = ", ".join(f"{m} {v:.3f}" for m, v in zip(table["model"].values, table["plain_score"].values, strict=True))
    return (
        f"{a['method']}, {a['folds']} folds; n = {counted(int(a['n_subjects']), 'individual')}, "
        f"{counted(int(a['n_stimuli']), 'stimulus', 'stimuli')}; for {a['over']}. With equal weights: {equal}."
    )


CITED = (
    "weighted features",
    "Kaniuth P, Hebart MN (2022) NeuroImage 257:119294, https://doi.org/10.1016/j.neuroimage.2022.119294",
)


def cite(_row: Reweighting) -> list[Citation]:
    """Cite the method."""
    return [CITED]


REWEIGHTING = AnalysisKind(
    name="reweighting",
    table=Reweighting,
    plan=plan,
    check=check_asked,
    check_stimuli=check_stimuli,
    tell=tell,
    cite=cite,
)
