"""Flexible models: the RDMs of a brain as a mixture of those of layers, and what each explains that no other does."""

from __future__ import annotations

from typing import Annotated, Literal

import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.refusals import suggest
from neurosim.runtime import seed_of
from neurosim.schema import InputError
from neurosim.similarity import regression
from neurosim.similarity.metric import METRICS
from neurosim.study.analyses.asked import Asked, brains_of, check_asked, counted, of_its_kind, subjects_of, which_of
from neurosim.study.analyses.reweighting import FEWEST, IN_A_FOLD
from neurosim.study.analyses.rsa import brain_of, stacked_models
from neurosim.study.citations import PAPERS
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.instances import instances_in, name_of_all
from neurosim.study.kinds import AnalysisKind, Citation, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.tables import StudyError, one_of

MOST_PARTED = 6
FILE = "terms.nc"


class Regression(Asked):
    """Which layers (`models`, as "subject/layer"; all by default) explain a brain's RDMs together, in `folds`.

    The name of a network that has several instances stands for all of these: "cnn/conv1" is that layer of each.

    Which layers are mixed is said here and never chosen by their scores.

    Examples
    --------
    >>> ns.study.Regression(models=["cnn/conv1", "cnn/readout"]).alpha
    0.05
    """

    kind: Literal["regression"] = "regression"
    metric: str = "correlation"
    models: tuple[str, ...] = ()
    nonnegative: bool = False
    folds: Annotated[int, Field(ge=2, le=10**4)] | None = None
    alpha: float = Field(default=0.05, gt=0, lt=0.5)


def check(row: Regression, place: str, study: StudyLike) -> None:
    """Refuse a metric that is not known and layers of nobody."""
    check_asked(row, place, study)
    one_of(row.metric, METRICS, f"{place}.metric")
    for model in row.models:
        subject, _, layer = model.partition("/")
        if not layer:
            raise StudyError(f"{place}.models has {model!r}; each is 'subject/layer'.")
        asked = subjects_of(row, study)
        one_of(subject, (*asked, *instances_in(asked)), f"{place}.models, subject")


def models_of(row: Regression, study: StudyLike) -> list[str]:
    """Return the layers that are mixed; one of a network that has several instances is that of each."""
    found = []
    for model in row.models:
        subject, _, layer = model.partition("/")
        names = [n for n, r in subjects_of(row, study).items() if subject in (n, name_of_all(n, r))]
        found += [f"{name}/{layer}" for name in names]
    return list(dict.fromkeys(found))


def check_stimuli(row: Regression, place: str, stimuli: xr.DataArray) -> None:
    """Refuse too few stimuli for the folds."""
    n, least = stimuli.sizes["stimulus"], IN_A_FOLD * row.folds if row.folds else FEWEST
    if n < least:
        raise StudyError(f"{place} needs {least} stimuli or more for its folds, found {n}.")


def plan(row: Regression, name: str, made: PlanLike) -> list[Step]:
    """Return one step a brain, which reads the RDMs of the subjects asked for."""
    models = models_of(row, made.study)
    asked = {m.partition("/")[0] for m in models} or set(subjects_of(row, made.study))
    rdms = tuple(made.rdms(subject, row.metric) for subject in made.study.subjects if subject in asked)
    config = {k: getattr(row, k) for k in ("nonnegative", "folds", "alpha")}
    config |= {"models": models, "seed": made.study.seed}
    work = "neurosim.study.analyses.regression:run"
    return [
        Step(f"{name}:{b}", work, config | {"brain": b}, (*rdms, made.brain_rdms(b)))
        for b in brains_of(row, made.study)
    ]


def run(job: Job) -> None:
    """Write ``terms.nc``: coefficients and unique variance by ``term``, and parts by ``subset`` of few terms."""
    config = job.config
    data, _ = brain_of(job)
    models = stacked_models(job).drop_vars("group")
    known = [str(m) for m in models["model"].values]
    unknown = next((m for m in config["models"] if m not in known), None)
    if unknown is not None:
        raise InputError(f"regression: no layer {unknown!r}. Layers: {', '.join(known)}.{suggest(unknown, known)}")
    models = models.sel(model=config["models"]) if config["models"] else models
    several = data.sizes["subject"] > 1
    options = {
        "folds": config["folds"],
        "nonnegative": config["nonnegative"],
        "resample": ("subject", "stimulus") if several else ("stimulus",),
        "rng": seed_of(config["seed"], "folds") % 2**31,
    }
    result = regression.regress_rdm(data, models, alpha=config["alpha"], **options)
    if 2 <= models.sizes["model"] <= MOST_PARTED:
        parts = regression.partition_variance(data, models, **options)
        result["common_variance"] = parts["common_variance"]
        result["common_variance_standard_error"] = parts["common_variance_standard_error"]
    result.attrs.update(n_subjects=data.sizes["subject"], n_stimuli=data.sizes["stimulus"], brain=config["brain"])
    storage.write_dataset(job.out / FILE, result)


def tell(row: Regression, name: str, results: Results) -> Told:
    """Tell what all layers explain together, and each alone."""
    found = {b: results.dataset(f"{name}:{b}", FILE) for b in brains_of(row, results.study)}
    about = which_of(name, of_its_kind(row, results.study))
    numbers = {f"{b}{about}": float(t["explained_variance"]) for b, t in found.items()}
    lines, tables = [], []
    for brain, table in found.items():
        title = f"{results.study.brains[brain].title or brain}{about}"
        n = counted(table.sizes["term"], "layer")
        value, error = (float(table[k]) for k in ("explained_variance", "explained_variance_standard_error"))
        share = f"{value:.1%} (± {error:.1%}) of the variance of held-out distances"
        lines.append(f"{title}: {n} explain{'s' if table.sizes['term'] == 1 else ''} {share}.")
        tables += _tables(row, table, title)
    method = (
        f"RDMs of layers ('{row.metric}') are mixed by regression{', not negative,' if row.nonnegative else ''} "
        "fitted on other stimuli than those whose distances are explained; uncertainty by jackknife."
    )
    return Told({"explained_variance": numbers}, sentences=lines, methods=[method], tables=tables)


def _tables(row: Regression, table: xr.Dataset, title: str) -> list[TableOfNumbers]:
    n, stimuli = int(table.attrs["n_subjects"]), int(table.attrs["n_stimuli"])
    note = (
        f"n = {counted(n, 'subject')}, {counted(stimuli, 'stimulus', 'stimuli')}, {table.attrs['folds']} folds; "
        f"resampled: {table.attrs['resample']}; p two-sided, not corrected. Unique: explained variance of new stimuli "
        "that is lost without the layer."
    )
    rows = [
        (
            str(t),
            f"{float(table['coefficient'][i]):.3f}",
            f"{float(table['interval'][i, 0]):.3f} … {float(table['interval'][i, 1]):.3f}",
            f"{float(table['p'][i]):.2g}",
            f"{float(table['unique_variance'][i]):.4f}",
            f"{float(table['unique_variance_standard_error'][i]):.4f}",
        )
        for i, t in enumerate(table["term"].values)
    ]
    columns = ("layer", "coefficient", "interval", "p", "unique", "s.e.")
    found = [TableOfNumbers(f"RDMs of {title} as a mixture", columns, rows, note)]
    if "subset" in table.dims:
        parts = [
            (
                str(s),
                f"{float(table['common_variance'][i]):.4f}",
                f"{float(table['common_variance_standard_error'][i]):.4f}",
            )
            for i, s in enumerate(table["subset"].values)
        ]
        note = "Explained variance of new stimuli that exactly these layers share; the parts sum to all of it."
        found.append(TableOfNumbers(f"Parts of the variance of {title}", ("layers", "share", "s.e."), parts, note))
    return found


CITED = [
    PAPERS["rsa"],
    PAPERS["jackknife"],
    (
        "regression of RDMs",
        "Jozwik KM, Kriegeskorte N, Mur M (2016) Neuropsychologia 83:201-226, "
        "https://doi.org/10.1016/j.neuropsychologia.2015.10.023",
    ),
    (
        "parts of variance",
        "Beaton AE (1973) Commonality. ETS Res Bull, https://doi.org/10.1002/j.2333-8504.1973.tb00830.x",
    ),
]


def cite(_row: Regression) -> list[Citation]:
    """Cite the method."""
    return CITED


REGRESSION = AnalysisKind(
    name="regression", table=Regression, plan=plan, check=check, check_stimuli=check_stimuli, tell=tell, cite=cite
)
