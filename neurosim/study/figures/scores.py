"""Figure: scores of every layer with a brain."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, scores
from neurosim.study.analyses.asked import brains_of, which_of
from neurosim.study.analyses.rsa import OfRDMs, resampled
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import MANY_LAYERS, Drawn, figure_of, figure_step, roomy, unordered


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every brain and analysis of representational similarity."""
    analyses = {name: row for name, row in made.study.analyses.items() if isinstance(row, OfRDMs)}
    return [
        figure_step(
            "scores",
            figure_of("scores", name, brain, len(analyses)),
            "neurosim.study.figures.scores:draw",
            {
                "title": f"{entry.title or brain}{which_of(name, analyses)}",
                "alpha": row.alpha,
                "unordered": unordered(made.study),
            },
            (f"{name}:{brain}",),
        )
        for name, row in analyses.items()
        for brain, entry in brains_of(row, made.study).items()
    ]


def draw(job: Job) -> Drawn:
    """Draw bars, or profiles over layers where a subject has many."""
    result = storage.read_dataset(next(iter(job.inputs.values())) / "scores.nc")
    groups = [str(g) for g in result["group"].values]
    many = max(groups.count(g) for g in set(groups)) > MANY_LAYERS
    figure = canvas.new_figure(6.5, 3.4)
    title = job.config["title"]
    if many:
        scores.plot_profiles(result, figure.subplots(), groups=groups, unordered=job.config["unordered"], title=title)
    else:
        scores.plot_scores(result, figure.subplots(), groups=groups, title=title, alpha=job.config["alpha"])
        roomy(figure.axes[0], len(groups))
    names = [n for n in ("score", "standard_error", "interval", "p_zero_corrected", "ceiling") if n in result]
    return figure, result[names]


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    band = ", the band is the noise ceiling" if "ceiling" in numbers else ""
    n, n_stimuli = numbers.attrs["n_subjects"], numbers.attrs["n_stimuli"]
    return (
        f"Score of every layer with the brain. Lines are intervals for new {resampled(numbers)}, dots mark scores "
        f"above 0 after correction{band}. n = {n} {'subject' if n == 1 else 'subjects'}, {n_stimuli} stimuli."
    )


SCORES = FigureKind(name="scores", plan=plan, title="Models and brain", caption=caption)
