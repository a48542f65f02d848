"""Towards a target or away from it, as a cue says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_direction
from neurosim.tasks.painting import RING, MakeSheet, begun, bump
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "pro", "anti", *RING)
OUTPUTS = ("fixation", *RING)


@dataclass(frozen=True)
class Options:
    """How hard the task is.

    Parameters
    ----------
    dt : duration of a step, s.
    noise : standard deviation of the noise of an input in a step.
    delay : mean time between target and go, s.
    """

    dt: float = 20e-3
    noise: float = 0.1
    delay: float = 0.5


def draw(n: int, rng: np.random.Generator, sheet: MakeSheet, options: Options) -> Trials:
    """Draw trials."""
    angle, is_anti, on = rng.uniform(0, 2 * np.pi, n), rng.integers(0, 2, n), rng.uniform(0.2, 0.4, n)
    go = on + 0.4 + rng.uniform(0.5, 1.5, n) * options.delay
    s = begun(sheet, n, go)
    for k in range(2):
        s.show(1 + k, is_anti == k, 0.0)
    s.show(slice(3, None), bump(angle), on, on + 0.4)
    s.noise(options.noise, rng, slice(3, None))
    wanted = (angle + np.pi * is_anti) % (2 * np.pi)
    s.ask(slice(1, None), bump(wanted), go)
    table = {"rule": np.array(["pro", "anti"])[is_anti], "direction_deg": np.rad2deg(angle)}
    return s.trials(table | {"choice": np.rad2deg(wanted), "stimulus_on": on, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("anti_reach", draw, judge_direction, INPUTS, OUTPUTS, options)


ANTI_REACH = TaskKind(
    name="anti_reach",
    caption="a remembered direction, or its opposite, is answered",
    build=build,
    options=Options,
    gives="trials",
    citation="Munoz DP, Everling S (2004) Nature Reviews Neuroscience 5:218-228, https://doi.org/10.1038/nrn1345",
)
