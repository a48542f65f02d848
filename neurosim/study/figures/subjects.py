"""Figure: all subjects and brains with each other."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, geometry, plane
from neurosim.plots.places import same_places
from neurosim.study.analyses.relations import Relations
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_step, unordered

MOST_PLACES = 6
FEWEST_PLACES = 4  # three points lie in a plane whatever they are


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every analysis of relations."""
    names = [name for name, row in made.study.analyses.items() if isinstance(row, Relations)]
    work = "neurosim.study.figures.subjects:draw"
    config = {"joined": [s for s in made.study.subjects if s not in unordered(made.study)]}
    if len(names) == 1:
        return [figure_step("subjects", "subjects", work, config, (names[0],))]
    return [figure_step("subjects", f"subjects_{name}", work, config | {"title": name}, (name,)) for name in names]


def draw(job: Job) -> Drawn:
    """Draw both matrices and the arrangement."""
    relations = storage.read_dataset(next(iter(job.inputs.values())) / "relations.nc")
    few = relations.sizes["model"] < FEWEST_PLACES
    figure = canvas.new_figure(canvas.PAGE, 3.6 if few else 7.4)
    parts = np.ravel(figure.subfigures(1 if few else 2, 1, height_ratios=(1.0,) if few else (1.1, 1.0), squeeze=False))
    left, right = parts[0].subplots(1, 2)
    geometry.plot_matrix(relations["score"], left, label=f"{relations.attrs['method']} between RDMs")
    geometry.plot_matrix(
        relations["cka"].rename(network="model", network_other="model_other"), right, label="CKA (debiased)"
    )
    if few:
        canvas.letter_panels([left, right])
        return figure, relations
    ax = parts[1].subplots()
    groups, joined = [str(g) for g in relations["group"].values], job.config["joined"]
    stress = float(relations.attrs["stress"])
    plane.plot_arrangement(relations["points"], ax, groups=groups, connect=joined, stress=stress)
    ax.set_title("near when their RDMs agree")
    canvas.letter_panels([left, right, ax])
    return figure, relations


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, and which points lie on each other."""
    said = "Agreement of RDMs, debiased CKA"
    if numbers.sizes["model"] < FEWEST_PLACES:
        return f"{said.replace(', ', ' and ')}."
    said = (
        f"{said}, and an arrangement in which alike subjects are near, lines joining the layers of a network (stress "
        f"{float(numbers.attrs['stress']):.2f}, 0 where the plane tells all)."
    )
    names = numbers["model"].values
    places = [", ".join(str(names[i]) for i in place) for place in same_places(numbers["points"].values)]
    if not places:
        return said
    more = f"; and {len(places) - MOST_PLACES} more places" if len(places) > MOST_PLACES else ""
    return f"{said} Points on each other, those below drawn larger: {'; '.join(places[:MOST_PLACES])}{more}."


SUBJECTS_TOGETHER = FigureKind(
    name="subjects",
    plan=plan,
    title="All subjects with each other",
    caption=caption,
)
