"""Motion or colour counts, as a cue says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import TWO, MakeSheet, ask_choice, begun, coherences
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "motion", "colour", "attend motion", "attend colour")
OUTPUTS = TWO


@dataclass(frozen=True)
class Options:
    """How hard the task is.

    Parameters
    ----------
    dt : duration of a step, s.
    noise : standard deviation of the noise of an input in a step.
    """

    dt: float = 20e-3
    noise: float = 0.3


def draw(n: int, rng: np.random.Generator, sheet: MakeSheet, options: Options) -> Trials:
    """Draw trials."""
    motion, colour, context = coherences(rng, n), coherences(rng, n), rng.integers(0, 2, n)
    on = np.full(n, 0.35)
    go = on + 0.75
    s = begun(sheet, n, go)
    s.show(1, motion, on, go)
    s.show(2, colour, on, go)
    s.noise(options.noise, rng, slice(1, 3))
    for k in range(2):
        s.show(3 + k, context == k, 0.0)
    relevant = np.where(context == 0, motion, colour)
    choice = (relevant > 0).astype(int)
    ask_choice(s, choice, go)
    names = np.array(["motion", "colour"])[context]
    table = {"context": names, "motion_coherence": motion, "colour_coherence": colour, "relevant_coherence": relevant}
    return s.trials(table | {"choice": choice, "stimulus_on": on, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("context_decision", draw, judge_choice, INPUTS, OUTPUTS, options)


CONTEXT_DECISION = TaskKind(
    name="context_decision",
    caption="motion or colour is judged, as the context says",
    build=build,
    options=Options,
    gives="trials",
    citation="Mante V, Sussillo D, Shenoy KV, Newsome WT (2013) Nature 503:78-84, https://doi.org/10.1038/nature12742",
)
