"""An interval is measured and given back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_timing
from neurosim.tasks.painting import RESPONSE, MakeSheet
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "ready", "set")
OUTPUTS = ("fixation", "go")


@dataclass(frozen=True)
class Options:
    """How hard the task is.

    Parameters
    ----------
    dt : duration of a step, s.
    noise : standard deviation of the noise of an input in a step.
    gain : interval asked, by the interval shown.
    """

    dt: float = 20e-3
    noise: float = 0.02
    gain: float = 1.0


def draw(n: int, rng: np.random.Generator, sheet: MakeSheet, options: Options) -> Trials:
    """Draw trials."""
    interval, ready = rng.choice([0.4, 0.5, 0.6, 0.7, 0.8], n), rng.uniform(0.2, 0.5, n)
    at_set = ready + interval
    go = at_set + options.gain * interval
    s = sheet(n, go + RESPONSE)
    s.show(0, 1.0, 0.0)
    s.show(1, 1.0, ready, ready + 0.1)
    s.show(2, 1.0, at_set, at_set + 0.1)
    s.noise(options.noise, rng, slice(1, 3))
    s.ask(0, 1.0, 0.0, at_set)
    ramp = np.clip((s.steps * s.dt - at_set[:, None]) / (go - at_set)[:, None], 0, None)
    s.targets[:, :, 1] = np.where(s.during(at_set), np.minimum(ramp, 1.0) ** 3, 0.0)
    s.ask(1, 1.0, go)
    return s.trials({"interval": interval, "choice": options.gain * interval, "ready": ready, "set": at_set, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("ready_set_go", draw, judge_timing, INPUTS, OUTPUTS, options)


READY_SET_GO = TaskKind(
    name="ready_set_go",
    caption="the interval between two flashes is produced again",
    build=build,
    options=Options,
    gives="trials",
    citation="Jazayeri M, Shadlen MN (2010) Nature Neuroscience 13:1020-1026, https://doi.org/10.1038/nn.2590",
)
