"""Whether a test is the same as a sample before the delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import RING, TWO, MakeSheet, ask_choice, begun, bump
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", *RING)
OUTPUTS = TWO


@dataclass(frozen=True)
class Options:
    """How hard the task is.

    Parameters
    ----------
    dt : duration of a step, s.
    noise : standard deviation of the noise of an input in a step.
    delay : mean time between sample and test, s.
    """

    dt: float = 20e-3
    noise: float = 0.1
    delay: float = 1.0


def draw(n: int, rng: np.random.Generator, sheet: MakeSheet, options: Options) -> Trials:
    """Draw trials."""
    sample, is_match = rng.integers(0, 8, n), rng.integers(0, 2, n)
    test = np.where(is_match, sample, (sample + rng.integers(1, 8, n)) % 8)
    on = np.full(n, 0.2)
    again = on + 0.4 + rng.uniform(0.5, 1.5, n) * options.delay
    go = again + 0.4
    s = begun(sheet, n, go)
    s.show(slice(1, None), bump(sample * np.pi / 4), on, on + 0.4)
    s.show(slice(1, None), bump(test * np.pi / 4), again, go)
    s.noise(options.noise, rng, slice(1, None))
    ask_choice(s, is_match, go)
    table = {"sample_deg": sample * 45.0, "test_deg": test * 45.0, "choice": is_match, "sample_on": on}
    return s.trials(table | {"test_on": again, "go": go})


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("delayed_match_to_sample", draw, judge_choice, INPUTS, OUTPUTS, options)


DELAYED_MATCH_TO_SAMPLE = TaskKind(
    name="delayed_match_to_sample",
    caption="a test is, or is not, the sample that was shown before a delay",
    build=build,
    options=Options,
    gives="trials",
    citation="Miller EK, Erickson CA, Desimone R (1996) Journal of Neuroscience 16:5154-5167, https://doi.org/10.1523/JNEUROSCI.16-16-05154.1996",
)
