"""Figure: all subjects and brains with each other."""

from __future__ import annotations

import numpy as np

from neurosim import storage
from neurosim.plots import canvas, geometry
from neurosim.study.analyses.relations import Relations
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_step


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every analysis of relations."""
    names = [name for name, row in made.study.analyses.items() if isinstance(row, Relations)]
    work = "neurosim.study.figures.subjects:draw"
    if len(names) == 1:
        return [figure_step("subjects", "subjects", work, {}, (names[0],))]
    return [figure_step("subjects", f"subjects_{name}", work, {"title": name}, (name,)) for name in names]


def draw(job: Job) -> Drawn:
    """Draw both matrices and the arrangement."""
    relations = storage.read_dataset(next(iter(job.inputs.values())) / "relations.nc")
    figure = canvas.new_figure(7.0, 7.6)
    top, bottom = np.ravel(figure.subfigures(2, 1, height_ratios=(1.15, 1.0), squeeze=False))
    left, right = top.subplots(1, 2)
    geometry.plot_matrix(relations["score"], left, label=f"{relations.attrs['method']} between RDMs")
    geometry.plot_matrix(
        relations["cka"].rename(network="model", network_other="model_other"), right, label="CKA (debiased)"
    )
    ax = bottom.subplots()
    geometry.plot_arrangement(relations["points"], ax, groups=[str(g) for g in relations["group"].values])
    ax.set_title("all subjects, near when their RDMs agree")
    return figure, relations


SUBJECTS_TOGETHER = FigureKind(
    name="subjects",
    plan=plan,
    title="All subjects with each other",
    caption="Agreement of RDMs, debiased CKA, and an arrangement in which alike subjects are near.",
)
