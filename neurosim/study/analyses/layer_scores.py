"""One score a layer, with its uncertainty: the table that several analyses share, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from neurosim.schema import InputError
from neurosim.similarity import inference_options, mixtures, resampling
from neurosim.study.analyses.asked import Asked, counted, of_its_kind, which_of
from neurosim.study.instances import scores_of_instances, table_of_instances
from neurosim.study.kinds import TableOfNumbers, Told
from neurosim.study.results import Results

FEWEST_STIMULI = 6
PAIRED_STIMULI = 12
NO_ERROR = 1e-12  # a standard error that is rounding alone
FILE = "layers.nc"


class OfLayers(Asked):
    """An analysis that gives one score a layer: level of intervals and tests, correction for several layers."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    correction: Literal["holm", "fdr"] = "holm"


@dataclass(frozen=True)
class Estimate:
    """A score, its standard error, the degrees of freedom of that, and the scores of individuals."""

    score: float
    error: float
    df: float
    each: np.ndarray = field(default_factory=lambda: np.zeros(0))


def jackknifed(of_stimuli: Callable[[np.ndarray], np.ndarray], levels: np.ndarray) -> Estimate:
    """Return the mean score of individuals, with its uncertainty over stimuli, and over individuals if there are more.

    Parameters
    ----------
    of_stimuli : from indices of stimuli to the scores (S,) of the individuals on these.
    levels : which stimuli (K,) are left out together: the same whole number, from 0 on.
    """
    each = of_stimuli(np.arange(len(levels)))

    def evaluate(counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
        table = np.stack([each if row.all() else of_stimuli(np.flatnonzero(row)) for row in counts])
        return mixtures.weighted_mean(table[:, :, None], draws)

    factors = ("subject", "stimulus") if len(each) > 1 else ("stimulus",)
    variance, df = resampling.jackknife_variance(evaluate, levels, len(each), factors, PAIRED_STIMULI).of(np.ones(1))
    return Estimate(float(each.mean()), float(np.sqrt(variance)), float(df), each)


def table_of(
    found: Mapping[str, Estimate],
    group: str,
    *,
    ceiling: Estimate | None = None,
    left_out: Mapping[str, str] | None = None,
    **about: Any,
) -> xr.Dataset:
    """Return the scores of the layers of a subject along ``model``, "subject/layer".

    `about` says what was done: ``method``, ``null`` (the score of chance, where it is known), ``lower_is_nearer``,
    ``over`` (what is resampled), ``n_stimuli``, ``n_subjects``.

    A score that stays the same whatever is left out, as of a few stimuli that are all told rightly, has no standard
    error that is known, so neither interval nor p; ``without_error`` says so.
    """
    if not found:
        raise InputError(f"{group}: no layer has a score: {next(iter((left_out or {}).values()), 'it has none')}")
    names = [f"{group}/{layer}" if layer else group for layer in found]
    steady = [layer for layer, e in found.items() if e.error <= NO_ERROR]
    estimates = [replace(e, error=np.nan) if layer in steady else e for layer, e in found.items()]
    result = xr.Dataset(
        {
            "score": ("model", [e.score for e in estimates]),
            "standard_error": ("model", [e.error for e in estimates]),
            "df": ("model", [e.df for e in estimates]),
        },
        coords={"model": names, "group": ("model", [group] * len(names))},
        attrs={
            "left_out": json.dumps(dict(left_out or {})),
            "without_error": json.dumps([layer or group for layer in steady]),
            **about,
        },
    )
    if all(len(e.each) for e in estimates):
        result["score_of_subject"] = (("model", "subject"), np.stack([e.each for e in estimates]))
    if ceiling is not None:
        result["ceiling"], result["ceiling_standard_error"] = ceiling.score, ceiling.error
    return result


def together(tables: Iterable[xr.Dataset], alpha: float, correction: str) -> xr.Dataset:
    """Return the layers of all subjects in one table, with intervals, and tests against chance where it is known."""
    from scipy import stats

    parts = list(tables)
    wanted = [n for n in ("score", "standard_error", "df", "plain_score") if all(n in p for p in parts)]
    result = xr.concat([p[wanted] for p in parts], "model", combine_attrs="override")
    for name in ("ceiling", "ceiling_standard_error"):
        if name in parts[0]:
            result[name] = parts[0][name]
    score, error, df = (result[name].values for name in wanted[:3])
    reach = stats.t.ppf(1 - alpha / 2, df) * error
    result["interval"] = (("model", "bound"), np.column_stack([score - reach, score + reach]))
    if "null" in result.attrs:
        gain = score - result.attrs["null"]
        p = np.where(np.isfinite(error), stats.t.sf(gain / error, df), np.nan)
        corrected, known = p.copy(), np.isfinite(p)
        corrected[known] = inference_options.correct_p(p[known], correction)
        result["p"], result["p_corrected"] = ("model", p), ("model", corrected)
    return result.assign_coords(bound=["low", "high"]).assign_attrs(alpha=alpha, correction=correction)


def steps_of(name: str, target: str, results: Results) -> list[xr.Dataset]:
    """Return the tables that the steps of an analysis left about one target, in the order of the subjects."""
    found = [step for step in results.named(f"{name}:").values() if results.configs[step].get("target") == target]
    return [results.dataset(step, FILE) for step in found if results.has(step, FILE)]


def told(row: Any, name: str, results: Results, targets: Mapping[str, str], note: Callable[[xr.Dataset], str]) -> Told:
    """Tell the best layer and the scores of all, for every target.

    Parameters
    ----------
    row, name, results : as of ``tell`` of a kind.
    targets : by name, what the report calls it.
    note : from a table to what its numbers are.
    """
    about = which_of(name, of_its_kind(row, results.study))
    numbers, sentences, tables, notes = {}, [], [], []
    over: dict[str, Any] = {}
    for target, title in targets.items():
        parts = steps_of(name, target, results)
        table = together(parts, row.alpha, row.correction)
        best = best_of(table)
        numbers[f"{target}{about}"] = best
        sentences.append(_sentence(table, best, f"{title}{about}"))
        scores = _table(table, f"{table.attrs['what']} {title}{about}", note(table))
        of_instances = scores_of_instances(table, results.study.subjects)
        over |= {f"{name}:{target}": of_instances} if of_instances else {}
        tables += [scores, *table_of_instances(scores.title, of_instances)]
        notes += [
            f"{p['group'].values[0]}: {reason}" for p in parts for reason in json.loads(p.attrs["left_out"]).values()
        ]
        notes += [note_of for p in parts if (note_of := _without_error(p))]
    told_numbers = {row.kind: numbers} | ({"scores_over_instances": over} if over else {})
    return Told(told_numbers, sentences=sentences, tables=tables, notes=list(dict.fromkeys(notes)))


def _without_error(part: xr.Dataset) -> str:
    """Return what is said of the layers of a subject whose score did not change, or nothing."""
    layers = json.loads(part.attrs.get("without_error", "[]"))
    if not layers:
        return ""
    stimuli = counted(int(part.attrs["n_stimuli"]), "stimulus", "stimuli")
    return (
        f"{part['group'].values[0]}: {', '.join(layers)}: {part.attrs['method']} is the same whatever is left out "
        f"({stimuli}), so that its standard error, interval and p are not known."
    )


def best_of(table: xr.Dataset) -> dict[str, Any]:
    """Return the nearest layer, its score, interval, and the ceiling where there is one."""
    score = table["score"].values
    i = int(score.argmin() if table.attrs.get("lower_is_nearer") else score.argmax())
    best = {
        "model": str(table["model"].values[i]),
        "score": float(score[i]),
        "method": str(table.attrs["method"]),
    }
    if np.isfinite(table["interval"].values[i]).all():
        best["interval"] = [float(v) for v in table["interval"].values[i]]
    if "ceiling" in table:
        best["ceiling"] = [float(table["ceiling"]), float(table["ceiling_standard_error"])]
    return best


def _sentence(table: xr.Dataset, best: dict[str, Any], title: str) -> str:
    leads = table.attrs["leads"] if table.sizes["model"] > 1 else "is the only one"
    line = f"{table.attrs['what']} {title}: {best['model']} {leads} ({best['score']:.3f}"
    if "interval" in best:
        line += f", interval {best['interval'][0]:.3f} to {best['interval'][1]:.3f} for {table.attrs['over']}"
    line += f"; {table.attrs['ceiling_is']} {best['ceiling'][0]:.3f})" if "ceiling" in best else ")"
    if tested(table):
        n = int(np.isfinite(table["p_corrected"].values).sum())
        above = int((table["p_corrected"] < table.attrs["alpha"]).sum())
        line += f". {above} of {counted(n, 'score')} above {table.attrs['null']:.3g} after correction"
    return f"{line}."


def _table(table: xr.Dataset, title: str, note: str) -> TableOfNumbers:
    if "ceiling" in table:
        note += (
            f" {table.attrs['ceiling_is'].capitalize()}: {float(table['ceiling']):.3f} "
            f"(± {float(table['ceiling_standard_error']):.3f})."
        )
    if tested(table):
        note += f" p above {table.attrs['null']:.3g}, corrected ({table.attrs['correction']})."
    rows = [
        (
            str(m),
            f"{float(table['score'][i]):.4f}",
            _number(table["standard_error"][i], ".4f"),
            " … ".join(dict.fromkeys(_number(bound, ".3f") for bound in table["interval"][i])),
            *((_number(table["p_corrected"][i], ".2g"),) if tested(table) else ()),
        )
        for i, m in enumerate(table["model"].values)
    ]
    p = (f"p above {table.attrs['null']:.3g}",) if tested(table) else ()
    return TableOfNumbers(title, ("layer", "score", "s.e.", "interval", *p), rows, note)


def tested(table: xr.Dataset) -> bool:
    """Whether any score was tested against chance."""
    return "p_corrected" in table and bool(np.isfinite(table["p_corrected"].values).any())


def _number(value: xr.DataArray, style: str) -> str:
    return format(float(value), style) if np.isfinite(float(value)) else "-"
