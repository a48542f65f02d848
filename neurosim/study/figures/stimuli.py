"""Figure: everything that was shown."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, pictures
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import SHOWN, FigureKind
from neurosim.study.steps.figure import Drawn, figure_step


def plan(made: PlanLike) -> list[Step]:
    """Return the figure of the stimuli, where there is something to show."""
    if not SHOWN[made.study.stimuli.source].pictured:
        return []
    return [figure_step("stimuli", "stimuli", "neurosim.study.figures.stimuli:draw", {}, (made.stimuli(),))]


def draw(job: Job) -> Drawn | None:
    """Draw the pictures."""
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    if "y" not in stimuli.dims:
        return None
    n_columns = 20 if stimuli.sizes["stimulus"] > 20 else 10
    figure = canvas.new_figure(6.5, 0.35 * -(-stimuli.sizes["stimulus"] // n_columns) + 0.3)
    pictures.plot_stimuli(stimuli, figure.subplots(), n_columns=n_columns)
    numbers: xr.DataArray = stimuli.mean([d for d in stimuli.dims if d != "stimulus"]).rename("mean_intensity")
    return figure, numbers


STIMULI = FigureKind(name="stimuli", plan=plan, title="Stimuli", caption="Everything that was shown.")
