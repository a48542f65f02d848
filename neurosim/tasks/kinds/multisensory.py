"""A rate that is seen, heard or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import TWO, MakeSheet, ask_choice, begun, coherences
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "visual 1", "visual 0", "auditory 1", "auditory 0")
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
    rate, modality, on = coherences(rng, n), rng.integers(0, 3, n), rng.uniform(0.1, 0.4, n)
    go = on + 1.0
    s = begun(sheet, n, go)
    for unit, senses in ((1, (0, 2)), (3, (1, 2))):
        present = np.isin(modality, senses)
        s.show(unit, present * (1 + rate) / 2, on, go)
        s.show(unit + 1, present * (1 - rate) / 2, on, go)
    s.noise(options.noise, rng, slice(1, 5))
    choice = (rate > 0).astype(int)
    ask_choice(s, choice, go)
    names = np.array(["visual", "auditory", "both"])[modality]
    return s.trials({"modality": names, "coherence": rate, "choice": choice, "stimulus_on": on, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("multisensory", draw, judge_choice, INPUTS, OUTPUTS, options)


MULTISENSORY = TaskKind(
    name="multisensory",
    caption="a rate that is seen, heard or both is judged",
    build=build,
    options=Options,
    gives="trials",
    citation="Raposo D, Kaufman MT, Churchland AK (2014) Nature Neuroscience 17:1784-1792, https://doi.org/10.1038/nn.3865",
)
