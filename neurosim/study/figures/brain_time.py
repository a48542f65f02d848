"""Figure: scores of every layer over the time of a brain."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, geometry
from neurosim.study.analyses.asked import brains_of, counted, which_of
from neurosim.study.analyses.rsa_in_time import OVER_BRAIN, RSAInTime
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_of, figure_step

FEW_LINES = 6


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every brain and analysis over the time of brains."""
    analyses = {n: r for n, r in made.study.analyses.items() if isinstance(r, RSAInTime) and r.over == "brain"}
    return [
        figure_step(
            "brain_time",
            figure_of("brain_time", name, brain, len(analyses)),
            "neurosim.study.figures.brain_time:draw",
            {"title": f"{entry.title or brain}{which_of(name, analyses)}"},
            (f"{name}:{brain}",),
        )
        for name, row in analyses.items()
        for brain, entry in brains_of(row, made.study).items()
    ]


def draw(job: Job) -> Drawn | None:
    """Draw lines of few layers with errors and the ceiling, a map a subject of many; nothing where nothing is known."""
    table = storage.read_dataset(next(iter(job.inputs.values())) / OVER_BRAIN)
    if not np.isfinite(table["score"].values).any():
        return None
    title = f"over the time of {job.config['title']}"
    if table.sizes["model"] <= FEW_LINES:
        figure = canvas.new_figure(6.5, 3.0)
        _lines(table, figure.subplots(), title)
        return figure, table
    return maps_of(table["score"], title), table


def maps_of(score: xr.DataArray, title: str) -> canvas.Figure:
    """Draw scores (model, time) as a map of layers and time for every group of models; NaN is gray."""
    groups = list(dict.fromkeys(str(g) for g in score["group"].values))
    figure = canvas.new_figure(6.5, 0.6 + sum(0.5 + 0.14 * int((score["group"].values == g).sum()) for g in groups))
    limit = max(0.1, float(np.nanmax(np.abs(score.values), initial=0.0)))
    axes = np.ravel(figure.subplots(len(groups), 1, squeeze=False))
    for ax, group in zip(axes, groups, strict=True):
        own = score.isel(model=np.flatnonzero(score["group"].values == group))
        names = [str(m).partition("/")[2] for m in own["model"].values]
        scores = xr.DataArray(own.values, dims=("layer", "time"), coords={"layer": names, "time": score["time"].values})
        geometry.plot_layer_time(
            scores, ax, title=f"{group} {title}", limit=limit, label=f"{score.attrs.get('method', 'score')}"
        )
        ax.tick_params(axis="y", labelsize=6)
        if ax is not axes[-1]:
            ax.set_xlabel("")
    return figure


def _lines(table: xr.Dataset, ax: canvas.Axes, title: str) -> None:
    time = table["time"].values * 1e3
    if "ceiling" in table:
        ax.fill_between(time, *table["ceiling"].values, color="0.85", lw=0, label="noise ceiling")
    names = [str(m) for m in table["model"].values]
    for i, (name, colour) in enumerate(canvas.colour_of(names).items()):
        score, error = (table[k].values[i] for k in ("score", "standard_error"))
        ax.plot(time, score, color=colour, marker="o", markersize=3, label=name)
        ax.fill_between(time, score - error, score + error, color=colour, alpha=0.2, lw=0)
        above = table["p_corrected"].values[i] < table.attrs["alpha"]
        ax.plot(time[above], np.full(int(above.sum()), 0.02 + 0.025 * i), ".", color=colour, markersize=3,
                transform=ax.get_xaxis_transform())  # fmt: skip
    ax.axhline(0, color="black", lw=0.6)
    low, high = ax.get_ylim()
    ax.set_ylim(low - (0.04 + 0.03 * len(names)) * (high - low), high)
    ax.set(xlabel="time (ms)", ylabel=f"{table.attrs['method']} with the brain")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    lines = numbers.sizes["model"] <= FEW_LINES
    n, stimuli = int(numbers.attrs["n_subjects"]), int(numbers.attrs["n_stimuli"])
    shown = "Lines" if lines else "Maps"
    dots = " Bands are standard errors, dots below mark scores above 0 after correction." if lines else ""
    band = " Gray: the noise ceiling." if lines and "ceiling" in numbers else ""
    silent = "" if lines else " Gray: the recording does not tell all stimuli apart yet."
    return (
        f"{shown}: score of every layer, whole, with the brain in every bin of its time.{dots}{band}{silent} "
        f"n = {counted(n, 'subject')}, {counted(stimuli, 'stimulus', 'stimuli')}."
    )


BRAIN_TIME = FigureKind(name="brain_time", plan=plan, title="Layers over the brain's time", caption=caption)
