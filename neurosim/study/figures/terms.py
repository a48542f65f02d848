"""Figure: what layers explain of a brain's RDMs together: coefficients, and what each explains alone."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas
from neurosim.study.analyses.asked import brains_of, counted, which_of
from neurosim.study.analyses.regression import FILE, Regression
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_of, figure_step


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every brain and regression."""
    analyses = {name: row for name, row in made.study.analyses.items() if isinstance(row, Regression)}
    return [
        figure_step(
            "terms",
            figure_of("terms", name, brain, len(analyses)),
            "neurosim.study.figures.terms:draw",
            {"title": f"{entry.title or brain}{which_of(name, analyses)}"},
            (f"{name}:{brain}",),
        )
        for name, row in analyses.items()
        for brain, entry in brains_of(row, made.study).items()
    ]


def draw(job: Job) -> Drawn:
    """Draw bars of coefficients with intervals, and of unique variance with standard errors."""
    table = storage.read_dataset(next(iter(job.inputs.values())) / FILE)
    names, place = [str(t) for t in table["term"].values], np.arange(table.sizes["term"])
    figure = canvas.new_figure(6.5, max(1.8, 0.8 + 0.22 * len(names)))
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(place, table["coefficient"].values, color=canvas.PALETTE[0], height=0.7)
    left.hlines(place, *table["interval"].values.T, color="0.25", lw=0.9)
    left.set(xlabel="coefficient", ylim=(len(names) - 0.4, -0.6))
    left.set_yticks(place, names, fontsize=6)
    value, error = (table[k].values for k in ("unique_variance", "unique_variance_standard_error"))
    right.barh(place, value, color=canvas.PALETTE[1], height=0.7)
    right.hlines(place, value - error, value + error, color="0.25", lw=0.9)
    right.set(xlabel="explained variance lost without it")
    for ax in (left, right):
        ax.axvline(0, color="black", lw=0.6)
    figure.suptitle(job.config["title"], fontsize=8)
    kept = ("coefficient", "interval", "unique_variance", "unique_variance_standard_error", "explained_variance")
    return figure, table[list(kept)]


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    about = numbers.attrs
    n, stimuli = int(about["n_subjects"]), int(about["n_stimuli"])
    over = str(about["resample"]).replace("+", " and ").replace("subject", "subjects").replace("stimulus", "stimuli")
    return (
        f"RDMs of the brain as a mixture of those of layers. Left: coefficients with intervals for new {over}. Right: "
        "what the explained variance of new stimuli loses without the layer (± s.e.). All together explain "
        f"{float(numbers['explained_variance']):.1%}. n = {counted(n, 'subject')}, "
        f"{counted(stimuli, 'stimulus', 'stimuli')}."
    )


TERMS = FigureKind(name="terms", plan=plan, title="Layers mixed", caption=caption)
