"""Step: draw one figure and keep the numbers it shows."""

from __future__ import annotations

from typing import Any, TypeAlias

import xarray as xr

from neurosim import storage
from neurosim.plots import canvas
from neurosim.registry import called
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import StudyLike
from neurosim.study.kinds import SUBJECTS

Drawn: TypeAlias = "tuple[canvas.Figure, xr.Dataset | xr.DataArray]"
MANY_LAYERS = 12
FEW_BARS = 6


def figure_step(kind: str, name: str, draw: str, config: dict[str, Any], inputs: tuple[str, ...]) -> Step:
    """Return the step of a figure of a kind, called `name`.

    `draw` is "module:function" from a ``Job`` to the figure and the numbers drawn, or None where nothing is shown.
    """
    work = "neurosim.study.steps.figure:run"
    return Step(f"figure:{name}", work, {"figure": kind, "draw": draw} | config, inputs)


def figure_of(what: str, analysis: str, brain: str, n_analyses: int) -> str:
    """Return the name of a figure, with the analysis in it where there are several."""
    return f"{what}_{brain}" if n_analyses == 1 else f"{what}_{brain}_{analysis}"


def unordered(study: StudyLike) -> list[str]:
    """Return the subjects whose layers have no order."""
    return [name for name, row in study.subjects.items() if not SUBJECTS[row.kind].layers_follow]


def roomy(ax: canvas.Axes, n_bars: int) -> None:
    """Leave room beside few bars, so that one does not fill the axes."""
    pad = max(0, FEW_BARS - n_bars) / 2
    ax.set_xlim(-0.7 - pad, n_bars - 0.3 + pad)


def run(job: Job) -> None:
    """Write ``figure.svg``, ``.pdf``, ``.png`` and the numbers drawn as ``figure.nc`` and ``figure.csv``.

    Where there is nothing to show, ``nothing.json`` says so.
    """
    with canvas.house_style():
        drawn = called(job.config["draw"])(job)
        if drawn is None:
            storage.write_json(job.out / "nothing.json", {"nothing": "there is nothing to show"})
            return
        figure, numbers = drawn
        for ending, content in canvas.figure_bytes(figure).items():
            storage.write_bytes(job.out / f"figure.{ending}", content)
    storage.write_dataset(job.out / "figure.nc", numbers)
    storage.write_table(job.out / "figure.csv", numbers)
