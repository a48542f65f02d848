"""Figure: the RDMs of every subject, layer and brain."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, geometry
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import MANY_LAYERS, Drawn, figure_step

FEW_COLUMNS = 4  # so that two panels are not drawn larger than twenty


def plan(made: PlanLike) -> list[Step]:
    """Return one figure of all RDMs of the study, where there are any."""
    rdms = tuple(n for n in made.steps if n.startswith("rdms:") and n.count(":") == 1)
    brains = tuple(n for n in made.steps if n.startswith("brain:"))
    return (
        [figure_step("rdms", "rdms", "neurosim.study.figures.rdms:draw", {}, (*rdms, *brains))]
        if rdms or brains
        else []
    )


def draw(job: Job) -> Drawn:
    """Draw a panel for every layer; six layers of a subject that has more than twelve."""
    panels = []
    for subject, folder in job.all_inputs("rdms:").items():
        rdms = storage.read_dataset(folder / "rdms.nc")["rdm"]
        layers = rdms["layer"].values
        keep = range(len(layers)) if len(layers) <= MANY_LAYERS else np.linspace(0, len(layers) - 1, 6).astype(int)
        panels += [(f"{subject}/{layers[i]}", rdms.isel(layer=int(i), drop=True)) for i in keep]
    for brain, folder in job.all_inputs("brain:").items():
        panels.append((f"{brain} (mean)", storage.read_dataset(folder / "rdms.nc")["rdm"].mean("subject")))
    n_columns = min(6, max(FEW_COLUMNS, len(panels)))
    n_rows = -(-len(panels) // n_columns)
    figure = canvas.new_figure(1.25 * n_columns, 1.42 * n_rows)
    axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    category = next((rdm["category"] for _, rdm in panels if "category" in rdm.coords), None)
    for i, (ax, (name, rdm)) in enumerate(zip(axes, panels, strict=False)):
        labels = None if category is None else category.sel(stimulus=rdm["stimulus"].values).values
        shown = rdm if labels is None else rdm.assign_coords(category=("stimulus", labels))
        geometry.plot_rdm(shown, ax, title=name, named=i % n_columns == 0, colorbar=False)
        ax.set_title(name, fontsize=5.5, fontweight="normal")
    bar = figure.colorbar(axes[0].images[0], ax=axes[: len(panels)].tolist(), aspect=16 * n_rows)
    bar.ax.tick_params(labelsize=5.5)
    bar.set_label("percentile of dissimilarity / 100" if n_rows > 1 else "percentile / 100", fontsize=5.5)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    bare = [r.drop_vars([c for c in r.coords if c not in ("stimulus", "stimulus_other")]) for _, r in panels]
    return figure, xr.concat(bare, xr.DataArray([n for n, _ in panels], dims="panel", name="panel")).rename("rdm")


RDMS = FigureKind(
    name="rdms",
    plan=plan,
    title="RDMs",
    caption="How differently every two stimuli are answered (percentile of dissimilarity, dark is alike), for every "
    "subject and layer; lines part categories, where stimuli are in their order.",
)
