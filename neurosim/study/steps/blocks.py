"""Steps: a simulation in blocks of stimuli, which may run side by side, and the step that joins their answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike

ANSWERS, NOTHING = "responses.nc", "nothing.json"


def in_blocks(made: PlanLike, whole: Step, blocks: int) -> str:
    """Add the step of a simulation, or one for each of several blocks and one that joins; return its name."""
    kind = f"block:{whole.name.partition(':')[2]}"
    return made.add_parts(whole, kind, blocks, "neurosim.study.steps.blocks:join")


def write_answers(job: Job, stimuli: xr.DataArray, simulated: Callable[[xr.DataArray], xr.DataArray]) -> None:
    """Write ``responses.nc``, what `simulated` makes of the stimuli of this step; ``nothing.json`` if it has none."""
    block, blocks = job.part
    places = np.array_split(np.arange(stimuli.sizes["stimulus"]), blocks)[block]
    if not places.size:
        storage.write_json(job.out / NOTHING, {"nothing": "there are more blocks than stimuli"})
        return
    storage.write_dataset(job.out / ANSWERS, simulated(stimuli.isel(stimulus=places)).rename("responses"))


def join(job: Job) -> None:
    """Write ``responses.nc``, the answers of all blocks in the order of the stimuli."""
    parts = [storage.read_array(path / ANSWERS) for path in job.inputs.values() if (path / ANSWERS).is_file()]
    whole = xr.concat(parts, "stimulus", join="exact", combine_attrs="identical", coords="minimal", compat="equals")
    storage.write_dataset(job.out / ANSWERS, whole.rename("responses"))
