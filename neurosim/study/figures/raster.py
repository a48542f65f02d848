"""Figure: spikes of a trained network and of its exact twin."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, pictures
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_step
from neurosim.study.subjects.twin import TwinSubject


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every exact twin."""
    return [
        figure_step(
            "raster",
            f"raster_{name}",
            "neurosim.study.figures.raster:draw",
            {},
            (*made.subject(name).inputs, f"translate:{name}"),
        )
        for name, row in made.study.subjects.items()
        if isinstance(row, TwinSubject) and row.rung == "exact"
    ]


def draw(job: Job) -> Drawn:
    """Draw two stimuli side by side."""
    trained = storage.read_array(job.input("translate:") / "expected.nc")
    twin = storage.read_array(job.input("simulate:") / "responses.nc")
    figure = canvas.new_figure(6.5, 6.0)
    picks = tuple(dict.fromkeys((0, trained.sizes["stimulus"] // 2)))
    axes = figure.subplots(1, len(picks), sharey=True, squeeze=False).ravel()
    for ax, stimulus in zip(axes, picks, strict=True):
        pictures.plot_raster(trained, twin, ax, stimulus=stimulus, labels=("network", "circuit"))
        ax.set_title(f"\n{trained['stimulus'].values[stimulus]}", loc="right", fontsize=7, fontweight="normal")
    for ax in axes[1:]:
        ax.get_legend().remove()
        ax.set_ylabel("")
    chosen = [
        xr.DataArray(r.isel(stimulus=list(picks)).values, dims=("stimulus", "time", "unit"), name=n)
        for r, n in ((trained, "torch"), (twin, "brian2"))
    ]
    return figure, xr.merge(chosen).assign_coords(stimulus=trained["stimulus"].values[list(picks)])


RASTER = FigureKind(
    name="raster",
    plan=plan,
    title="The trained network and its twin",
    caption="Circles are spikes of the trained network, bars those of the circuit: a bar in every circle, and none "
    "outside, is an exact translation.",
)
