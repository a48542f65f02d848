"""Representational similarity over time: every layer and time bin of subjects that answer over time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.similarity.comparison import compare_rdms
from neurosim.study.analyses.rsa import CITED, brain_of, check
from neurosim.study.engine.step import Job, Step
from neurosim.study.kinds import AnalysisKind
from neurosim.study.plan import Plan
from neurosim.study.tables import Table


class RSAInTime(Table):
    """How time bins of subjects are compared with brains; `time_bin` in s, by default at most 12 bins."""

    kind: Literal["rsa_in_time"] = "rsa_in_time"
    metric: str = "correlation"
    method: str = "spearman"
    time_bin: float | None = Field(default=None, gt=0)


def plan(row: RSAInTime, name: str, made: Plan) -> list[Step]:
    """Return one step a brain."""
    rdms = tuple(made.rdms(subject, row.metric, row.time_bin) for subject in made.study.subjects)
    work = "neurosim.study.analyses.rsa_in_time:run"
    return [
        Step(f"{name}:{brain}", work, {"method": row.method, "brain": brain}, (*rdms, made.brain_rdms(brain)))
        for brain in made.study.brains
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


IN_TIME = AnalysisKind(name="rsa_in_time", table=RSAInTime, plan=plan, check=check, cite=lambda _row: [CITED["rsa"]])
