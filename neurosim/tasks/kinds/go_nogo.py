"""Answer after one cue, stay still after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import MakeSheet, begun
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "no-go cue", "go cue")
OUTPUTS = ("fixation", "go")


@dataclass(frozen=True)
class Options:
    """How hard the task is.

    Parameters
    ----------
    dt : duration of a step, s.
    noise : standard deviation of the noise of an input in a step.
    delay : time between cue and go, s.
    """

    dt: float = 20e-3
    noise: float = 0.1
    delay: float = 0.5


def draw(n: int, rng: np.random.Generator, sheet: MakeSheet, options: Options) -> Trials:
    """Draw trials."""
    is_go, on = rng.integers(0, 2, n), rng.uniform(0.1, 0.3, n)
    go = on + 0.3 + options.delay
    s = begun(sheet, n, go)
    for k in range(2):
        s.show(1 + k, is_go == k, on, on + 0.3)
    s.noise(options.noise, rng, slice(1, 3))
    s.ask(0, np.where(is_go, 0.0, 1.0), go)
    s.ask(1, is_go, go)
    return s.trials({"cue": np.array(["no-go", "go"])[is_go], "choice": is_go, "stimulus_on": on, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("go_nogo", draw, judge_choice, INPUTS, OUTPUTS, options)


GO_NOGO = TaskKind(
    name="go_nogo",
    caption="one cue asks for an answer after a delay, the other for none",
    build=build,
    options=Options,
    gives="trials",
    citation="Donders FC (1969) Acta Psychologica 30:412-431, https://doi.org/10.1016/0001-6918(69)90065-1",
)
