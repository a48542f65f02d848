"""Figure: scores of every layer and time bin with a brain."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, geometry
from neurosim.study.analyses.asked import brains_of, which_of
from neurosim.study.analyses.rsa_in_time import RSAInTime
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_of, figure_step


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every brain and analysis over time."""
    analyses = {n: r for n, r in made.study.analyses.items() if isinstance(r, RSAInTime) and r.over == "subject"}
    return [
        figure_step(
            "time",
            figure_of("time", name, brain, len(analyses)),
            "neurosim.study.figures.time:draw",
            {"title": f"{entry.title or brain}{which_of(name, analyses)}"},
            (f"{name}:{brain}",),
        )
        for name, row in analyses.items()
        for brain, entry in brains_of(row, made.study).items()
    ]


def draw(job: Job) -> Drawn | None:
    """Draw a map for every subject that answers over time; nothing where none does, or no bin has scores."""
    maps = storage.read_dataset(next(iter(job.inputs.values())) / "time.nc")
    names = [str(n) for n in maps.data_vars if not str(n).endswith("_standard_error")]
    names = [n for n in names if np.isfinite(maps[n].values).any()]
    if not names:
        return None
    alike = len({maps[f"time_{n}"].values.tobytes() for n in names}) == 1
    figure = canvas.new_figure(6.5, 0.4 + (0.9 if alike else 1.1) * len(names))
    limit = max(0.1, float(np.nanmax(np.abs(np.concatenate([maps[n].values.ravel() for n in names])))))
    axes = np.atleast_1d(figure.subplots(len(names), 1))
    for ax, name in zip(axes, names, strict=True):
        scores = maps[name].rename({f"layer_{name}": "layer", f"time_{name}": "time"})
        geometry.plot_layer_time(
            scores,
            ax,
            title=f"{name} with {job.config['title']}",
            limit=limit,
            label=str(maps.attrs.get("method", "score")),
        )
        if alike and ax is not axes[-1]:
            ax.set_xlabel("")
    return figure, maps


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    n = numbers.attrs["n_subjects"]
    errors = f" Standard errors over {n} subjects are in the numbers." if n > 1 else " One subject: no standard errors."
    return (
        "Score of every layer and time bin with the brain. Gray: some stimulus has not been answered yet, or all "
        f"alike, so that the RDM is not defined.{errors}"
    )


TIME = FigureKind(name="time", plan=plan, title="Layer by time", caption=caption)
