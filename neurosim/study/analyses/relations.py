"""All subjects and brains with each other: scores between RDMs, CKA between responses, an arrangement in the plane."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.similarity.arrangement import arrange
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.study.analyses.asked import Asked, brains_of, subjects_of
from neurosim.study.analyses.rsa import CITED as OF_RSA
from neurosim.study.analyses.rsa import check, stacked_models
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import AnalysisKind, Citation, TableOfNumbers, Told
from neurosim.study.results import Results


class Relations(Asked):
    """How subjects and brains are related to each other: `metric` of RDMs, `method` between RDMs.

    Examples
    --------
    >>> ns.study.Relations(method="cosine").metric
    'correlation'
    """

    kind: Literal["relations"] = "relations"
    metric: str = "correlation"
    method: str = "spearman"


def plan(row: Relations, name: str, made: PlanLike) -> list[Step]:
    """Return one step, which reads everything."""
    rdms = tuple(made.rdms(subject, row.metric) for subject in subjects_of(row, made.study))
    brains = tuple(made.brain_rdms(brain) for brain in brains_of(row, made.study))
    config = {"method": row.method, "seed": made.study.seed}
    return [Step(name, "neurosim.study.analyses.relations:run", config, (*rdms, *brains))]


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
    points = arrange(1 - score.values, rng=seed_of(job.config["seed"], "arrange") % 2**31)
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


def tell(_row: Relations, name: str, results: Results) -> Told:
    """Tell how alike the recordings are."""
    table = results.dataset(name, "relations.nc")["pearson_of_brains"]
    names = [str(b) for b in table["brain"].values]
    pairs = {f"{names[j]}, {names[i]}": float(table[j, i]) for i in range(len(names)) for j in range(i)}
    rows = [(pair, f"{value:.6f}") for pair, value in pairs.items()]
    tables = [TableOfNumbers("Recordings with each other", ("recordings", "Pearson of mean RDMs"), rows)]
    return Told({"pearson_of_brains": pairs}, tables=tables if pairs else [])


CITED = [
    OF_RSA["rsa"],
    (
        "centred kernel alignment",
        "Kornblith S, Norouzi M, Lee H, Hinton G (2019) ICML, https://arxiv.org/abs/1905.00414",
    ),
    ("its unbiased estimate", "Nguyen T, Raghu M, Kornblith S (2021) ICLR, https://arxiv.org/abs/2010.15327"),
    ("arrangement of subjects", "Kruskal JB (1964) Psychometrika 29:1-27, https://doi.org/10.1007/BF02289565"),
]


def cite(_row: Relations) -> list[Citation]:
    """Cite what is computed."""
    return CITED


RELATIONS = AnalysisKind(name="relations", table=Relations, plan=plan, check=check, tell=tell, cite=cite)
