"""Step: every layer of every subject against one brain, with ceiling, intervals and tests."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.study.engine.step import Job


def run(job: Job) -> None:
    """Write ``scores.nc`` (along ``model``) and ``time.nc`` (model, time) for subjects that answer over time."""
    config = job.config
    name = next(iter(job.all_inputs("brain:")))
    brain = storage.read_dataset(job.input("brain:") / "rdms.nc")
    data = brain["rdm"].drop_vars("category", errors="ignore")
    models = stacked_models(job)
    n_subjects = data.sizes["subject"]
    resample = tuple(config["resample"]) if n_subjects > 1 else ("stimulus",)
    result = infer(
        models,
        data,
        method=config["method"],
        resample=resample,
        estimate=config["estimate"],
        n=config["n_bootstrap"],
        rng=seed_of(config["seed"], "infer", name),
        alpha=config["alpha"],
        correction=config["correction"],
    )
    result = result.assign_coords(group=("model", models["group"].values))
    result.attrs.update(
        brain=name,
        n_subjects=n_subjects,
        n_stimuli=data.sizes["stimulus"],
        synthetic=int(brain.attrs.get("synthetic", 0)),
    )
    storage.write_dataset(job.out / "scores.nc", result)
    timed = _scores_in_time(job, data, config["method"])
    if timed is not None:
        storage.write_dataset(job.out / "time.nc", timed)


def stacked_models(job: Job, variable: str = "rdm") -> xr.DataArray:
    """Return the RDMs of all subjects and layers along ``model`` ("subject/layer"), with ``group``, the subject."""
    parts, names, groups = [], [], []
    for subject, folder in job.all_inputs("rdms:").items():
        rdms = storage.read_dataset(folder / "rdms.nc")[variable].drop_vars("category", errors="ignore")
        names += [f"{subject}/{layer}" for layer in rdms["layer"].values]
        groups += [subject] * rdms.sizes["layer"]
        parts.append(rdms.rename(layer="model").drop_vars("model"))
    stacked = xr.concat(parts, "model", combine_attrs="override")
    return stacked.assign_coords(model=names, group=("model", groups))


def _scores_in_time(job: Job, data: xr.DataArray, method: str) -> xr.Dataset | None:
    """Return score and standard error over subjects for every layer and time bin; NaN where the layer is silent."""
    found: dict[str, tuple[tuple[str, str], np.ndarray]] = {}
    coords: dict[str, np.ndarray] = {}
    for subject, folder in job.all_inputs("rdms:").items():
        rdms = storage.read_dataset(folder / "rdms.nc")
        if "rdm_time" not in rdms:
            continue
        timed = rdms["rdm_time"].drop_vars("category", errors="ignore")
        scores = np.full((timed.sizes["layer"], timed.sizes["time"]), np.nan)
        errors = scores.copy()
        for layer, time in np.ndindex(*scores.shape):
            rdm = timed.isel(layer=layer, time=time, drop=True)
            if np.isfinite(rdm.values).all() and np.ptp(rdm.values) > 0:
                each = compare_rdms(rdm, data, method).values
                scores[layer, time] = each.mean()
                errors[layer, time] = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
        dims = (f"layer_{subject}", f"time_{subject}")
        found[subject], found[f"{subject}_standard_error"] = (dims, scores), (dims, errors)
        coords |= {dims[0]: timed["layer"].values, dims[1]: timed["time"].values}
    return xr.Dataset(found, coords=coords, attrs={"method": method}) if found else None
