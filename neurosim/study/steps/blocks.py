"""Steps: a simulation in blocks of stimuli, which may run side by side, and the step that joins their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.study.engine.step import Job, Step
from neurosim.study.plan import Plan

ANSWERS, NOTHING = "responses.nc", "nothing.json"


def in_blocks(made: Plan, whole: Step, blocks: int) -> str:
    """Add the step of a simulation, or one for each of several blocks and one that joins; return the last one's name."""
    if blocks == 1:
        return made.add(whole)
    kind_and_name = f"block:{whole.name.partition(':')[2]}"
    parts = [
        replace(whole, name=f"{kind_and_name}:{k + 1}", config=whole.config | {"block": [k, blocks]}, is_part=True)
        for k in range(blocks)
    ]
    return made.add(Step(whole.name, "neurosim.study.steps.blocks:join", {}, tuple(made.add(part) for part in parts)))


def is_block(job: Job) -> bool:
    """Whether a step simulates a block of the stimuli, not all."""
    return "block" in job.config


def write_answers(job: Job, stimuli: xr.DataArray, simulated: Callable[[xr.DataArray], xr.DataArray]) -> None:
    """Write ``responses.nc``, what `simulated` makes of the stimuli of this step, or ``nothing.json`` if it has none."""
    block, blocks = job.config.get("block", (0, 1))
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
