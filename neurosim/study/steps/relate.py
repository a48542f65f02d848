"""Step: all subjects with each other: scores between RDMs, CKA between responses, and an arrangement in the plane."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.similarity.arrangement import arrange
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.study.engine.step import Job
from neurosim.study.steps.compare import stacked_models


def run(job: Job) -> None:
    """Write ``relations.nc``.

    It holds ``score`` between all RDMs, ``cka`` of all networks and circuits, ``points`` in the plane, and the Pearson
    correlation of the mean RDMs of the recordings.
    """
    models = stacked_models(job)
    brains = []
    for name, folder in job.all_inputs("brain:").items():
        rdm = storage.read_dataset(folder / "rdms.nc")["rdm"].drop_vars("category", errors="ignore")
        mean = (rdm / rdm.mean(("stimulus", "stimulus_other"))).mean("subject")
        brains.append(mean.expand_dims(model=[name]).assign_coords(group=("model", ["brain"])))
    everyone = xr.concat([models, *brains], "model", combine_attrs="override", coords="minimal", compat="override")
    score = compare_rdms(everyone, everyone, job.config["method"])
    recorded = xr.concat(brains, "model", combine_attrs="override")
    pearson = compare_rdms(recorded, recorded, "corr")
    euclidean = stacked_models(job, "euclidean")
    debiased = compare_cka(euclidean)
    points = arrange(1 - score.values, seed=seed_of(job.config["seed"], "arrange") % 2**31)
    result = xr.Dataset(
        {
            "score": score,
            "cka": (("network", "network_other"), debiased.values),
            "points": (("model", "axis"), points),
            "pearson_of_brains": (("brain", "brain_other"), pearson.values),
        },
        coords={
            "model": everyone["model"].values,
            "model_other": everyone["model"].values,
            "group": ("model", everyone["group"].values),
            "network": euclidean["model"].values,
            "network_other": euclidean["model"].values,
            "axis": np.arange(2),
            "brain": recorded["model"].values,
            "brain_other": recorded["model"].values,
        },
        attrs={"method": job.config["method"], "cka": "linear, debiased"},
    )
    storage.write_dataset(job.out / "relations.nc", result)
