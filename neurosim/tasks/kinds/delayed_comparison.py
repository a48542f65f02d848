"""Which of two frequencies, a delay apart, is higher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import TWO, MakeSheet, ask_choice, begun
from neurosim.tasks.task import TaskKind, drawn_task
from neurosim.tasks.trials import CognitiveTask, Trials

INPUTS = ("fixation", "rising", "falling")
OUTPUTS = TWO


@dataclass(frozen=True)
class Options:
    """How hard the task is.

    Parameters
    ----------
    dt : duration of a step, s.
    noise : standard deviation of the noise of an input in a step.
    delay : mean time between the two, s.
    """

    dt: float = 20e-3
    noise: float = 0.05
    delay: float = 1.0


def draw(n: int, rng: np.random.Generator, sheet: MakeSheet, options: Options) -> Trials:
    """Draw trials."""
    pairs = np.array([(10, 18), (14, 22), (18, 26), (22, 30), (26, 34)], dtype=float)
    pair, turned = pairs[rng.integers(0, len(pairs), n)], rng.integers(0, 2, n)
    first, second = np.where(turned, pair[:, 1], pair[:, 0]), np.where(turned, pair[:, 0], pair[:, 1])
    on = np.full(n, 0.2)
    again = on + 0.3 + rng.uniform(0.5, 1.5, n) * options.delay
    go = again + 0.3
    s = begun(sheet, n, go)
    for frequency, start in ((first, on), (second, again)):
        s.show(1, frequency / 34, start, start + 0.3)
        s.show(2, 1.2 - frequency / 34, start, start + 0.3)
    s.noise(options.noise, rng, slice(1, 3))
    choice = (first > second).astype(int)
    ask_choice(s, choice, go)
    return s.trials({"first_hz": first, "second_hz": second, "choice": choice, "first_on": on, "second_on": again,
                     "go": go})  # fmt: skip


def build(options: Options) -> CognitiveTask:
    """Return the task."""
    return drawn_task("delayed_comparison", draw, judge_choice, INPUTS, OUTPUTS, options)


DELAYED_COMPARISON = TaskKind(
    name="delayed_comparison",
    caption="the first of two frequencies, a delay apart, is higher or lower",
    build=build,
    options=Options,
    gives="trials",
    citation="Romo R, Brody CD, Hernandez A, Lemus L (1999) Nature 399:470-473, https://doi.org/10.1038/20939",
)
