"""Representational similarity over time: the time of subjects, or that of brains."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.similarity import inference
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference_options import Resampling, Significance
from neurosim.study.analyses.asked import (
    Asked,
    answers_of,
    brains_of,
    check_time_bin,
    counted,
    of_its_kind,
    subjects_of,
    which_of,
)
from neurosim.study.analyses.rsa import brain_of, check, stacked_models
from neurosim.study.citations import PAPERS
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import AnalysisKind, Answers, Citation, TableOfNumbers, Told
from neurosim.study.results import Results

OVER_BRAIN = "brain_time.nc"
TOLD = {"score": "score", "standard_error": "standard_error", "p": "p_zero", "p_corrected": "p_zero_corrected"}


class RSAInTime(Asked):
    """How time bins of subjects are compared with brains; `time_bin` in s, by default at most 12 bins.

    `over` "brain" compares every layer, whole, with time bins of the brains, which are recorded over time then.

    Examples
    --------
    >>> ns.study.RSAInTime(time_bin=0.02).method
    'spearman'
    """

    kind: Literal["rsa_in_time"] = "rsa_in_time"
    metric: str = "correlation"
    method: str = "spearman"
    time_bin: float | None = Field(default=None, gt=0)
    over: Literal["subject", "brain"] = "subject"
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    correction: Literal["holm", "fdr"] = "holm"


def check_answers(row: RSAInTime, place: str, study: StudyLike, found: Answers) -> None:
    """Refuse bins that recorded subjects or brains do not have."""
    check_time_bin(place, row.time_bin, answers_of(row, study, found, f"{row.over}s"))


def plan(row: RSAInTime, name: str, made: PlanLike) -> list[Step]:
    """Return one step a brain."""
    work = "neurosim.study.analyses.rsa_in_time:"
    if row.over == "subject":
        rdms = tuple(made.rdms(subject, row.metric, row.time_bin) for subject in subjects_of(row, made.study))
        return [
            Step(f"{name}:{b}", f"{work}run", {"method": row.method, "brain": b}, (*rdms, made.brain_rdms(b)))
            for b in brains_of(row, made.study)
        ]
    rdms = tuple(made.rdms(subject, row.metric) for subject in subjects_of(row, made.study))
    config = {k: getattr(row, k) for k in ("method", "alpha", "correction")}
    return [
        Step(f"{name}:{b}", f"{work}run_over_brain", config | {"brain": b}, (*rdms, made.timed_brain(b, row.time_bin)))
        for b in brains_of(row, made.study)
    ]


def run(job: Job) -> None:
    """Write ``time.nc``: score and standard error over subjects for every layer and time bin.

    NaN where the layer is silent; nothing where no subject answers over time.
    """
    data, _ = brain_of(job)
    found: dict[str, tuple[tuple[str, str], np.ndarray]] = {}
    coords: dict[str, np.ndarray] = {}
    for folder in job.all_inputs("rdms:").values():
        rdms = storage.read_dataset(folder / "rdms.nc")
        subject = str(rdms.attrs["subject"])
        if "rdm_time" not in rdms:
            continue
        timed = rdms["rdm_time"].drop_vars("category", errors="ignore")
        scores, errors = _scores(timed, data, job.config["method"])
        dims = (f"layer_{subject}", f"time_{subject}")
        found[subject], found[f"{subject}_standard_error"] = (dims, scores), (dims, errors)
        coords |= {dims[0]: timed["layer"].values, dims[1]: timed["time"].values}
    attrs = {"method": job.config["method"], "n_subjects": data.sizes["subject"]}
    storage.write_dataset(job.out / "time.nc", xr.Dataset(found, coords=coords, attrs=attrs))


def _scores(timed: xr.DataArray, data: xr.DataArray, method: str) -> tuple[np.ndarray, np.ndarray]:
    scores = np.full((timed.sizes["layer"], timed.sizes["time"]), np.nan)
    errors = scores.copy()
    for layer, time in np.ndindex(*scores.shape):
        rdm = timed.isel(layer=layer, time=time, drop=True)
        if np.isfinite(rdm.values).all() and np.ptp(rdm.values) > 0:
            each = compare_rdms(rdm, data, method).values
            scores[layer, time] = each.mean()
            errors[layer, time] = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
    return scores, errors


def run_over_brain(job: Job) -> None:
    """Write ``brain_time.nc``: score, error, interval and tests of every layer in every bin, and the ceiling.

    NaN in bins in which some individual answers all stimuli alike.
    """
    config = job.config
    data, _ = brain_of(job, "timed_brain:")
    models = stacked_models(job)
    resample = ("subject", "stimulus") if data.sizes["subject"] > 1 else ("stimulus",)
    data = data.transpose("time", "subject", "stimulus", "stimulus_other")
    known = np.isfinite(data.values).all((1, 2, 3)) & (np.ptp(data.values, axis=(2, 3)) > 0).all(1)
    found: dict[str, tuple[tuple[str, str], np.ndarray]] = {
        k: (("model", "time"), np.full((models.sizes["model"], len(known)), np.nan)) for k in TOLD
    }
    if known.any():
        result = inference.infer(
            models,
            data.where(xr.DataArray(known, dims="time")),
            method=config["method"],
            resample=Resampling(resample),
            significance=Significance(config["alpha"], config["correction"]),
        )
        found = {k: (("model", "time"), result[of_result].values.T) for k, of_result in TOLD.items()}
        if "ceiling" in result:
            found["ceiling"] = (("bound", "time"), result["ceiling"].values.T)
    attrs = {k: config[k] for k in ("method", "alpha", "correction")}
    table = xr.Dataset(
        found,
        coords={
            "model": models["model"].values,
            "group": ("model", models["group"].values),
            "time": data["time"].values,
        },
        attrs=attrs
        | {"resample": "+".join(resample), "n_subjects": data.sizes["subject"], "n_stimuli": data.sizes["stimulus"]},
    )
    storage.write_dataset(job.out / OVER_BRAIN, table)


def tell(row: RSAInTime, name: str, results: Results) -> Told:
    """Tell when each layer is above 0, where brains have time."""
    if row.over == "subject":
        return Told()
    about = which_of(name, of_its_kind(row, results.study))
    tables = [
        _table(results.dataset(f"{name}:{b}", OVER_BRAIN), f"{r.title or b}{about}")
        for b, r in brains_of(row, results.study).items()
    ]
    method = (
        f"RDMs of layers ('{row.metric}', whole) are compared with those of the brain in every bin of its time by "
        f"'{row.method}'; uncertainty by jackknife, p values corrected by '{row.correction}' for all layers and bins."
    )
    return Told(methods=[method], tables=tables)


def _table(table: xr.Dataset, title: str) -> TableOfNumbers:
    above = table["p_corrected"].values < table.attrs["alpha"]
    time = table["time"].values * 1e3
    rows = [
        (str(m), f"{int(above[i].sum())} of {len(time)}", f"{time[above[i]][0]:.4g}" if above[i].any() else "-")
        for i, m in enumerate(table["model"].values)
    ]
    n, stimuli = int(table.attrs["n_subjects"]), int(table.attrs["n_stimuli"])
    note = (
        f"{table.attrs['method']}; n = {counted(n, 'subject')}, {counted(stimuli, 'stimulus', 'stimuli')}; resampled: "
        f"{table.attrs['resample']}; p corrected ({table.attrs['correction']}) for all layers and bins."
    )
    return TableOfNumbers(f"Layers over the time of {title}", ("layer", "bins above 0", "first at (ms)"), rows, note)


def cite(row: RSAInTime) -> list[Citation]:
    """Cite the method, and the inference where there is one."""
    return (
        [PAPERS["rsa"]] if row.over == "subject" else [PAPERS[k] for k in ("rsa", "ceiling", "inference", "jackknife")]
    )


IN_TIME = AnalysisKind(
    name="rsa_in_time", table=RSAInTime, plan=plan, check=check, check_answers=check_answers, tell=tell, cite=cite
)
