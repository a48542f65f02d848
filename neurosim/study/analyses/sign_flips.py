"""Where layers and individuals agree: scores of layers, or their courses over time, tested by flips of signs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim import storage
from neurosim.runtime import seed_of
from neurosim.schema import InputError
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.kernels.sign_flips import n_flips
from neurosim.similarity.latencies import latencies
from neurosim.similarity.map_statistic import MAP_STATISTICS
from neurosim.similarity.maps import FEWEST_PERMUTATIONS, sign_flip_test
from neurosim.similarity.method import METHODS
from neurosim.similarity.metric import METRICS
from neurosim.similarity.zero import why_zero_means_nothing
from neurosim.study.analyses.asked import (
    Asked,
    answers_of,
    brains_of,
    check_asked,
    check_time_bin,
    counted,
    of_its_kind,
    subjects_of,
    which_of,
)
from neurosim.study.analyses.rsa import brain_of, stacked_models
from neurosim.study.citations import PAPERS
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike, StudyLike
from neurosim.study.kinds import AnalysisKind, Answers, Citation, TableOfNumbers, Told
from neurosim.study.results import Results
from neurosim.study.steps.recording import units_of
from neurosim.study.tables import StudyError, one_of

FILE = "tested.nc"
MOST_CLUSTERS = 20


class SignFlips(Asked):
    """Where the scores of the individuals of a brain are above 0, corrected for all layers and times together.

    `over` "brain": every layer, whole, with time bins of the brains, which are recorded over time then; "subject": time
    bins of the layers with brains, whole; "layers": both whole. `time_bin` in s, by default at most 12 bins. Options
    are those of :func:`~neurosim.similarity.sign_flip_test`, of which `statistic` is called ``method``.

    Examples
    --------
    >>> ns.study.SignFlips(statistic="cluster_mass", time_bin=0.02).alternative
    'greater'
    """

    kind: Literal["sign_flips"] = "sign_flips"
    metric: str = "correlation"
    method: str = "spearman"
    over: Literal["brain", "subject", "layers"] = "brain"
    time_bin: float | None = Field(default=None, gt=0)
    statistic: str = "max"
    alternative: Literal["greater", "two-sided"] = "greater"
    forming_p: float | None = Field(default=None, gt=0, lt=0.5)
    skew: Literal["shared", "own"] | None = None
    n_permutations: Annotated[int, Field(ge=FEWEST_PERMUTATIONS, le=10**6)] = 4999
    alpha: float = Field(default=0.05, gt=0, lt=0.5)


def check(row: SignFlips, place: str, study: StudyLike) -> None:
    """Refuse what is not known, scores that are above 0 by chance, and options that nothing reads."""
    check_asked(row, place, study)
    one_of(row.metric, METRICS, f"{place}.metric")
    one_of(row.method, METHODS, f"{place}.method")
    one_of(row.statistic, MAP_STATISTICS, f"{place}.statistic")
    reason, statistic = why_zero_means_nothing(METHODS[row.method]), MAP_STATISTICS[row.statistic]
    if reason is not None:
        raise StudyError(f"{place}.method: {reason}")
    if row.forming_p is not None and not statistic.forms_clusters:
        raise StudyError(f"{place}.forming_p is of clusters; statistic = {row.statistic!r} forms none.")
    if row.over == "layers" and (statistic.neighbours or row.time_bin is not None):
        key = "statistic" if statistic.neighbours else "time_bin"
        raise StudyError(f"{place}.{key} asks for time, and over = 'layers' has none; over = 'brain' or 'subject'.")


def check_answers(row: SignFlips, place: str, study: StudyLike, found: Answers) -> None:
    """Refuse recorded brains of too few individuals to be flipped, or without the time that is asked."""
    two_sided = row.alternative == "two-sided"
    for name in brains_of(row, study).keys() & found["brains"].keys():
        n = len(units_of(found["brains"][name]))
        if n_flips(n, two_sided) <= FEWEST_PERMUTATIONS:
            fewest = next(k for k in range(n, 99) if n_flips(k, two_sided) > FEWEST_PERMUTATIONS)
            raise StudyError(
                f"{place} flips the signs of individuals, and p of 0.05 takes {fewest}; the brain {name!r} has {n}; "
                "name others in 'brains'."
            )
        if row.over == "brain" and "time" not in found["brains"][name].dims:
            raise StudyError(f"{place} is over the time of brains, and {name!r} has none; over = 'layers'.")
    timed = "subjects" if row.over == "subject" else "brains"
    check_time_bin(place, row.time_bin, answers_of(row, study, found, timed))


def plan(row: SignFlips, name: str, made: PlanLike) -> list[Step]:
    """Return one step a brain, which reads the RDMs of all subjects."""
    time_bin = row.time_bin if row.over == "subject" else None
    rdms = tuple(made.rdms(subject, row.metric, time_bin) for subject in subjects_of(row, made.study))
    config = made.seeded(row, name, "metric", "time_bin", "subjects", "brains")
    brains = {
        b: made.timed_brain(b, row.time_bin) if row.over == "brain" else made.brain_rdms(b)
        for b in brains_of(row, made.study)
    }
    work = "neurosim.study.analyses.sign_flips:run"
    return [Step(f"{name}:{b}", work, config | {"brain": b}, (*rdms, step)) for b, step in brains.items()]


def run(job: Job) -> None:
    """Write ``tested.nc``: the map of scores (model, time), tested, and latencies of courses."""
    config = job.config
    models = _models(job, config["over"])
    data, about = brain_of(job, "timed_brain:" if config["over"] == "brain" else "brain:")
    scores = scores_of(models, data, config["method"])
    rng = seed_of(config["seed"], "flips", config["brain"])
    result = sign_flip_test(
        scores,
        method=config["statistic"],
        alternative=config["alternative"],
        forming_p=config.get("forming_p"),
        skew=config.get("skew"),
        n_permutations=config["n_permutations"],
        alpha=config["alpha"],
        rng=rng,
    )
    if "time" in scores.dims:
        result = result.merge(_when(scores, result["p_corrected"], config["alpha"], rng))
    result = result.assign_coords(group=("model", models["group"].values))
    result.attrs |= {k: config[k] for k in ("over", "brain", "statistic")}
    result.attrs |= {"method": config["method"], "synthetic": int(about.get("synthetic", 0))}
    result.attrs |= {"of_subjects": scores.sizes["subject"], "n_stimuli": data.sizes["stimulus"]}
    storage.write_dataset(job.out / FILE, result)


def _models(job: Job, over: str) -> xr.DataArray:
    """Return the RDMs of layers (model, ...), over their own time where that is asked."""
    if over != "subject":
        return stacked_models(job)
    timed = [k for k, f in job.all_inputs("rdms:").items() if "rdm_time" in storage.read_dataset(f / "rdms.nc")]
    if not timed:
        raise InputError("no subject answers over time, which over = 'subject' asks for; over = 'brain' or 'layers'.")
    return stacked_models(job, "rdm_time")


def scores_of(models: xr.DataArray, data: xr.DataArray, method: str) -> xr.DataArray:
    """Return scores (subject, model, time) of RDMs with those of individuals; NaN where one of the two does not vary.

    Time is that of the models, or of the individuals.
    """
    return compare_rdms(_varying(data), _varying(models), method).transpose("subject", "model", ...)


def _varying(rdms: xr.DataArray) -> xr.DataArray:
    """Return RDMs, NaN all over where their known entries are alike, as before the first spikes."""
    rows, columns = np.triu_indices(rdms.sizes["stimulus"], 1)
    entries = rdms.transpose(..., "stimulus", "stimulus_other").values[..., rows, columns]
    known = np.isfinite(entries)
    low, high = np.where(known, entries, np.inf).min(-1), np.where(known, entries, -np.inf).max(-1)
    dims = [d for d in rdms.dims if d not in ("stimulus", "stimulus_other")]
    return rdms.where(xr.DataArray(high > low, dims=dims))


def _when(scores: xr.DataArray, p: xr.DataArray, alpha: float, rng: int) -> xr.Dataset:
    """Latencies (model, latency) in s of the courses of models, from the first to the last time that has scores."""
    parts = []
    for model in range(scores.sizes["model"]):
        course, level = scores.isel(model=model, drop=True), p.isel(model=model, drop=True)
        there = np.flatnonzero(course.notnull().any("subject").values)
        window = slice(there[0], there[-1] + 1) if len(there) else slice(0)
        try:
            found = latencies(course.isel(time=window), p=level.isel(time=window), alpha=alpha, rng=rng)
        except InputError as error:
            found = xr.Dataset(
                {"time": ("latency", [np.nan] * 2), "interval": (("latency", "bound"), np.full((2, 2), np.nan))},
                coords={"latency": ["onset", "peak"], "bound": ["low", "high"]},
            ).assign(undefined=("latency", [str(error).partition(": ")[2]] * 2))
        if "undefined" not in found:
            found["undefined"] = xr.full_like(found["time"], "", dtype="U1")
        parts.append(found[["time", "interval", "undefined"]])
    together = xr.concat(parts, "model").assign_coords(model=scores["model"].values)
    return together.rename(time="latency_time", interval="latency_interval", undefined="latency_undefined")


def tell(row: SignFlips, name: str, results: Results) -> Told:
    """Tell which layers are above 0, and when."""
    about = which_of(name, of_its_kind(row, results.study))
    tables = {
        f"{entry.title or brain}{about}": results.dataset(f"{name}:{brain}", FILE)
        for brain, entry in brains_of(row, results.study).items()
    }
    return Told(
        numbers={row.kind: {title: _numbers(table) for title, table in tables.items()}},
        sentences=[_sentence(table, title) for title, table in tables.items()],
        methods=[_method(row, next(iter(tables.values())))],
        notes=list(dict.fromkeys(note for table in tables.values() for note in _notes(table))),
        tables=[made for title, table in tables.items() for made in (_table(table, title), *_clusters(table, title))],
    )


def significant(table: xr.Dataset) -> xr.DataArray:
    """Return which places (model, time) are beyond 0 after correction."""
    found: xr.DataArray = table["p_corrected"] < table.attrs["alpha"]
    return found


def _numbers(table: xr.Dataset) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for m in table["model"].values:
        own, there = table.sel(model=m), significant(table).sel(model=m)
        row: dict[str, Any] = {
            "smallest_p_corrected": _or_none(own["p_corrected"].min()),
            "largest_score": _or_none(own["score"].max()),
        }
        if "time" in table.dims:
            row["significant_times"] = [float(t) for t in table["time"].values[there.values]]
            row |= {f"{k}_s": _or_none(own["latency_time"].sel(latency=k)) for k in table["latency"].values}
        found[str(m)] = row
    return found


def _or_none(value: xr.DataArray) -> float | None:
    return float(value) if np.isfinite(float(value)) else None


def _beyond(table: xr.Dataset) -> str:
    return "above 0" if table.attrs["alternative"] == "greater" else "other than 0"


def _sentence(table: xr.Dataset, title: str) -> str:
    there = significant(table)
    some = there.any("time") if "time" in there.dims else there
    n, names = table.sizes["model"], [str(m) for m in table["model"].values[some.values]]
    line = f"{title}: {len(names)} of {counted(n, 'layer')} {'scores' if len(names) == 1 else 'score'} {_beyond(table)}"
    line += " at some time" if "time" in there.dims else ""
    line += f" (sign flips of {counted(table.attrs['of_subjects'], 'individual')}, all places corrected together)"
    if "time" in there.dims and np.isfinite(table["latency_time"].sel(latency="onset").values).any():
        first = table.sel(latency="onset").isel(model=int(np.nanargmin(table["latency_time"].sel(latency="onset"))))
        line += f"; {first['model'].item()} rises first, at {_ms(first['latency_time'], first['latency_interval'])} ms"
    return f"{line}."


def _method(row: SignFlips, table: xr.Dataset) -> str:
    statistic = MAP_STATISTICS[row.statistic]
    flips = "every flip of signs" if table.attrs["exact"] else f"{table.attrs['n_permutations']} random flips of signs"
    skew = {
        None: "",
        "shared": ", t without the skewness of all places",
        "own": ", t without the skewness of each place",
    }
    of = {"brain": "whole, with time bins of the brain", "subject": "in time bins, with the brain", "layers": "whole"}
    return (
        f"RDMs of layers ('{row.metric}', {of[row.over]}) are compared with those of every individual by "
        f"'{row.method}', and scores held against {flips}{skew}: {statistic.caption}. Individuals are a sample, "
        "stimuli are fixed."
    )


def _notes(table: xr.Dataset) -> list[str]:
    """Return why no course has latencies, where the test found some place."""
    if "latency_undefined" not in table or not significant(table).any():
        return []
    lost = table["latency_undefined"].values[significant(table).any("time").values]
    return [f"{table.attrs['brain']}: no latencies where {why}." for why in dict.fromkeys(lost.ravel().tolist()) if why]


def _table(table: xr.Dataset, title: str) -> TableOfNumbers:
    timed = "time" in table.dims
    columns = ("bins", "smallest p", "highest score", "at (ms)", "onset (ms)", "peak (ms)") if timed else (
        "score", "interval", "t", "p corrected"
    )  # fmt: skip
    rows = [
        (str(m), *(_row_in_time if timed else _row)(table.isel(model=i))) for i, m in enumerate(table["model"].values)
    ]
    n, stimuli = table.attrs["of_subjects"], counted(table.attrs["n_stimuli"], "stimulus", "stimuli")
    note = (
        f"{table.attrs['method']}; n = {counted(n, 'individual')}, {stimuli}; {table.attrs['n_permutations']} "
        f"{'flips, all that differ' if table.attrs['exact'] else 'random flips'}, statistic "
        f"'{table.attrs['statistic']}', {table.attrs['alternative']}; p corrected for all layers"
        f"{' and times' if timed else ''}."
    )
    note += f" Bins: how many are {_beyond(table)}." if timed else ""
    return TableOfNumbers(f"Sign flips: layers and {title}", ("layer", *columns), rows, note)


def _row(layer: xr.Dataset) -> tuple[str, ...]:
    low, high = layer["interval"].values
    return (
        _number(layer["score"], ".4f"),
        f"{low:.3f} … {high:.3f}" if np.isfinite(low) else "-",
        _number(layer["statistic"], ".2f"),
        _number(layer["p_corrected"], ".2g"),
    )


def _row_in_time(layer: xr.Dataset) -> tuple[str, ...]:
    score, known = layer["score"].values, int(layer["p_corrected"].notnull().sum())
    if not known:
        return ("0 of 0", *["-"] * 5)
    highest = layer.isel(time=int(np.nanargmax(score)))
    return (
        f"{int(significant(layer).sum())} of {known}",
        _number(layer["p_corrected"].min(), ".2g"),
        _number(highest["score"], ".4f"),
        f"{float(highest['time']) * 1e3:.4g}",
        *(_ms(layer["latency_time"][k], layer["latency_interval"][k]) for k in range(layer.sizes["latency"])),
    )


def _clusters(table: xr.Dataset, title: str) -> list[TableOfNumbers]:
    if not table.sizes.get("cluster"):
        return []
    label = table["cluster_label"].transpose("model", "time").values
    rows = []
    for k, cluster in enumerate(table["cluster"].values[:MOST_CLUSTERS]):
        model = table["model"].values[np.flatnonzero((label == cluster).any(1))[0]]
        first, last = table["time_extent"].values[k] * 1e3
        mass, p = float(table["cluster_mass"][k]), float(table["cluster_p"][k])
        rows.append((str(model), f"{first:.4g} … {last:.4g}", f"{mass:.4g}", f"{p:.2g}"))
    more = table.sizes["cluster"] - len(rows)
    note = "A cluster's p says that something is there, not when it begins and ends." + (
        f" {more} more." if more else ""
    )
    return [TableOfNumbers(f"Clusters: layers and {title}", ("layer", "bins (ms)", "mass", "p corrected"), rows, note)]


def _number(value: xr.DataArray, style: str) -> str:
    return format(float(value), style) if np.isfinite(float(value)) else "-"


def _ms(at: xr.DataArray, interval: xr.DataArray) -> str:
    if not np.isfinite(float(at)):
        return "-"
    low, high = interval.values * 1e3
    return f"{float(at) * 1e3:.4g} ({low:.4g} to {high:.4g})"


CITED = {
    "flips": (
        "sign flips of individuals, corrected for all places",
        "Nichols TE, Holmes AP (2002) Hum Brain Mapp 15:1-25, https://doi.org/10.1002/hbm.1058",
    ),
    "latencies": (
        "onsets at a fraction of the peak",
        "Miller J, Patterson T, Ulrich R (1998) Psychophysiology 35:99-115, https://doi.org/10.1111/1469-8986.3510099",
    ),
    "skew": (
        "t without skewness",
        "Johnson NJ (1978) J Am Stat Assoc 73:536-544, https://doi.org/10.1080/01621459.1978.10480051",
    ),
}


def cite(row: SignFlips) -> list[Citation]:
    """Cite the comparison, the test, its statistic and the latencies."""
    statistic = MAP_STATISTICS[row.statistic]
    return [
        PAPERS["rsa"],
        CITED["flips"],
        *([(f"statistic of maps '{row.statistic}'", statistic.reference)] if statistic.neighbours else []),
        *([CITED["skew"]] if row.skew else []),
        *([CITED["latencies"]] if row.over != "layers" else []),
    ]


SIGN_FLIPS = AnalysisKind(
    name="sign_flips",
    table=SignFlips,
    plan=plan,
    check=check,
    check_answers=check_answers,
    tell=tell,
    cite=cite,
)
