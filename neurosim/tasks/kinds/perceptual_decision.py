"""Which of two sources of noisy evidence is stronger."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import TWO, MakeSheet, ask_choice, begun, coherences, show_evidence
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "evidence 1", "evidence 0")
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
    coherence, on = coherences(rng, n), rng.uniform(0.1, 0.4, n)
    go = on + rng.choice([0.2, 0.4, 0.8], n)
    s = begun(sheet, n, go)
    show_evidence(s, 1, coherence, on, go)
    s.noise(options.noise, rng, slice(1, 3))
    choice = (coherence > 0).astype(int)
    ask_choice(s, choice, go)
    return s.trials({"coherence": coherence, "choice": choice, "stimulus_on": on, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("perceptual_decision", draw, judge_choice, INPUTS, OUTPUTS, options)


PERCEPTUAL_DECISION = TaskKind(
    name="perceptual_decision",
    caption="the stronger of two noisy inputs is chosen",
    build=build,
    options=Options,
    gives="trials",
    citation="Britten KH, Shadlen MN, Newsome WT, Movshon JA (1992) Journal of Neuroscience 12:4745-4765, https://doi.org/10.1523/JNEUROSCI.12-12-04745.1992",
)
