"""Figure: where scores of layers are above 0, by sign flips of individuals, over time or of whole layers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, scores
from neurosim.study.analyses.asked import brains_of, counted, which_of
from neurosim.study.analyses.sign_flips import FILE, SignFlips, significant
from neurosim.study.engine.step import Job, Step
from neurosim.study.figures.brain_time import FEW_LINES, maps_of
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_of, figure_step, roomy


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every brain and analysis by sign flips."""
    analyses = {n: r for n, r in made.study.analyses.items() if isinstance(r, SignFlips)}
    return [
        figure_step(
            "tested",
            figure_of("tested", name, brain, len(analyses)),
            "neurosim.study.figures.tested:draw",
            {"title": f"{entry.title or brain}{which_of(name, analyses)}"},
            (f"{name}:{brain}",),
        )
        for name, row in analyses.items()
        for brain, entry in brains_of(row, made.study).items()
    ]


def draw(job: Job) -> Drawn:
    """Draw bars of layers, courses of few layers with their latencies, or maps of what is significant of many."""
    table = storage.read_dataset(next(iter(job.inputs.values())) / FILE)
    if "time" not in table.dims:
        figure = canvas.new_figure(6.5, 3.4)
        shown = table.assign(p_zero_corrected=table["p_corrected"])
        groups = [str(g) for g in table["group"].values]
        scores.plot_scores(
            shown, figure.subplots(), groups=groups, title=job.config["title"], alpha=table.attrs["alpha"]
        )
        roomy(figure.axes[0], len(groups))
        return figure, table
    title = f"{'over the time of' if table.attrs['over'] == 'brain' else 'over time, with'} {job.config['title']}"
    if table.sizes["model"] > FEW_LINES:
        return maps_of(table["score"].where(significant(table)), title), table
    figure = canvas.new_figure(6.5, 3.0)
    _courses(table, figure.subplots(), title)
    return figure, table


def _courses(table: xr.Dataset, ax: canvas.Axes, title: str) -> None:
    n = table.sizes["model"]
    for i, model in enumerate(table["model"].values):
        own = table.isel(model=i)
        when = own[["latency_time", "latency_interval"]].rename(latency_time="time", latency_interval="interval")
        scores.plot_tested_course(
            own.drop_dims("latency"), when.drop_dims("time", errors="ignore"), ax, label=str(model),
            alpha=table.attrs["alpha"], colour=i,
        )  # fmt: skip
    low, high = ax.get_ylim()
    ax.set_ylim(low - (0.04 + 0.03 * n) * (high - low), high + (0.04 + 0.04 * n) * (high - low))
    ax.set_ylabel(f"{table.attrs['method']} with the brain")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    n, stimuli = int(numbers.attrs["of_subjects"]), int(numbers.attrs["n_stimuli"])
    beyond = "above 0" if numbers.attrs["alternative"] == "greater" else "other than 0"
    corrected = f"{beyond} by sign flips of individuals, corrected for all layers"
    if "time" not in numbers.dims:
        what = f"Score of every layer. Lines are intervals for new individuals, dots mark scores {corrected}."
    elif numbers.sizes["model"] > FEW_LINES:
        what = f"Scores of layers and times that are {corrected} and times; all others are gray."
    else:
        above = np.isfinite(numbers["latency_time"].values).any()
        dots = " Dots above, with intervals: onset and peak." if above else ""
        what = f"Bands are intervals for new individuals, bars below mark times {corrected} and times.{dots}"
    return f"{what} n = {counted(n, 'individual')}, {counted(stimuli, 'stimulus', 'stimuli')}."


TESTED = FigureKind(name="tested", plan=plan, title="Where layers and individuals agree", caption=caption)
