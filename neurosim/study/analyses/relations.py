"""All subjects and brains with each other: scores between RDMs, CKA between responses, an arrangement in the plane."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.schema import InputError
from neurosim.similarity.arrangement import arrange, stress
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.study.analyses.asked import Asked, brains_of, of_its_kind, subjects_of, which_of
from neurosim.study.analyses.rsa import check, stacked_models
from neurosim.study.citations import PAPERS
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import AnalysisKind, Citation, TableOfNumbers, Told
from neurosim.study.results import Results

OF_BRAINS = "pearson_of_brains"


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

    It holds ``score`` between all RDMs, ``cka`` of all networks and circuits, ``points`` in the plane, and, where there
    are brains, the Pearson correlation of the mean RDMs of the recordings.
    """
    models = stacked_models(job)
    brains = []
    for name, folder in job.all_inputs("brain:").items():
        rdm = storage.read_dataset(folder / "rdms.nc")["rdm"].drop_vars("category", errors="ignore")
        mean = (rdm / rdm.mean(("stimulus", "stimulus_other"))).mean("subject")
        brains.append(mean.expand_dims(model=[name]).assign_coords(group=("model", ["brain"])))
    everyone = xr.concat([models, *brains], "model", combine_attrs="override", coords="minimal", compat="override")
    if everyone.sizes["model"] < 2:
        raise InputError(f"relations are of two layers or brains or more, found one: {everyone['model'].values[0]}.")
    score = compare_rdms(everyone, everyone, job.config["method"])
    euclidean = stacked_models(job, "euclidean")
    debiased = compare_cka(euclidean)
    points = arrange(1 - score.values, rng=seed_of(job.config["seed"], "arrange") % 2**31)
    values: dict[str, Any] = {
        "score": score,
        "cka": (("network", "network_other"), debiased.values),
        "points": (("model", "axis"), points),
    }
    labels: dict[str, Any] = {}
    if brains:
        recorded = xr.concat(brains, "model", combine_attrs="override")
        values[OF_BRAINS] = (("brain", "brain_other"), compare_rdms(recorded, recorded, "corr").values)
        labels = {"brain": recorded["model"].values, "brain_other": recorded["model"].values}
    result = xr.Dataset(
        values,
        coords={
            "model": everyone["model"].values,
            "model_other": everyone["model"].values,
            "group": ("model", everyone["group"].values),
            "network": euclidean["model"].values,
            "network_other": euclidean["model"].values,
            "axis": np.arange(2),
            **labels,
        },
        attrs={"method": job.config["method"], "cka": "linear, debiased", "stress": stress(1 - score.values, points)},
    )
    storage.write_dataset(job.out / "relations.nc", result)


def tell(row: Relations, name: str, results: Results) -> Told:
    """Tell how alike the recordings are; where there are none, which layers of two subjects are most alike."""
    found = results.dataset(name, "relations.nc")
    about = which_of(name, of_its_kind(row, results.study))
    if OF_BRAINS not in found:
        return _of_subjects(found, results.dataset("stimuli", "stimuli.nc").sizes["stimulus"], about)
    table = found[OF_BRAINS]
    names = [str(b) for b in table["brain"].values]
    pairs = {f"{names[j]}, {names[i]}{about}": float(table[j, i]) for i in range(len(names)) for j in range(i)}
    rows = [(pair, f"{value:.6f}") for pair, value in pairs.items()]
    tables = [TableOfNumbers(f"Recordings with each other{about}", ("recordings", "Pearson of mean RDMs"), rows)]
    return Told({"pearson_of_brains": pairs}, tables=tables if pairs else [])


def _of_subjects(found: xr.Dataset, n_stimuli: int, about: str) -> Told:
    """Tell which layers of different subjects agree most."""
    score, groups = found["score"].values, found["group"].values
    others = np.where(groups[:, None] != groups[None], score, -np.inf)
    methods = [
        f"Relations: RDMs of every layer are compared by {found.attrs['method']}, responses by CKA "
        f"({found.attrs['cka']}), over {n_stimuli} stimuli. No brain is part of this study."
    ]
    if not np.isfinite(others).any():
        return Told(methods=methods)
    i, j = np.unravel_index(np.nanargmax(others), others.shape)
    names, best = found["model"].values, float(others[i, j])
    return Told(
        {"most_alike": {f"{names[i]}, {names[j]}{about}": best}},
        cards=[
            (
                f"{best:.2f}",
                f"{found.attrs['method']} of {names[i]} and {names[j]}, the most alike of two subjects{about}",
            )
        ],
        sentences=[
            f"Of all layers of two subjects, the RDMs of {names[i]} and {names[j]} agree most ({best:.2f}){about}."
        ],
        methods=methods,
    )


CITED = [
    PAPERS["rsa"],
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


RELATIONS = AnalysisKind(
    name="relations",
    table=Relations,
    plan=plan,
    check=check,
    tell=tell,
    cite=cite,
    needs_brains=lambda row: bool(row.brains),
)
