"""What a task that draws its own trials is: a record of its options, of who builds it, and of whom to cite.

Labelled stimuli are learned through :mod:`neurosim.lessons`, by the name of their source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

import numpy as np

from neurosim.registry import NoOptions, Registry
from neurosim.schema import InputError
from neurosim.tasks.classification import ClassificationTask
from neurosim.tasks.judges import Judge
from neurosim.tasks.lazy import LazyTask
from neurosim.tasks.painting import MakeSheet, Sheet
from neurosim.tasks.trials import CognitiveTask, Trials

MOST = 60.0
Task = ClassificationTask | LazyTask | CognitiveTask
Draw = Callable[[int, np.random.Generator, MakeSheet, Any], Trials]


@dataclass(frozen=True)
class TaskKind:
    """A task that a network can learn.

    Parameters
    ----------
    name : of the task. caption : what is asked, in one line.
    build : (options) -> task, or "module:function" where what builds it is heavy.
    options : frozen record; fields of type ``pathlib.Path`` are files or folders from outside.
    gives : what batches hold: "trials" (inputs, targets and weights over time), or "stimuli" with labels.
    citation : of the experiment, with the DOI.
    example : options of a small task, for tests; the defaults when absent.
    """

    name: str
    caption: str
    build: Callable[[Any], Any] | str
    options: type[Any] = NoOptions
    gives: Literal["trials", "stimuli"] = "trials"
    citation: str = ""
    example: Any = None


TASKS: Registry[TaskKind] = Registry("task", "neurosim.tasks.kinds", TaskKind)


def drawn_task(
    name: str, draw: Draw, judge: Judge, inputs: tuple[str, ...], outputs: tuple[str, ...], options: Any
) -> CognitiveTask:
    """Return a task whose trials are painted by `draw`, its options checked.

    Parameters
    ----------
    name : of the task. draw : (number of trials, generator, maker of sheets, options) -> trials.
    judge : which answers are right. inputs, outputs : names of the units.
    options : record of numbers, with ``dt`` in s.

    Raises
    ------
    InputError : an option that is no number in 0..60, or a step outside 1e-4..0.1 s.
    """
    for field in fields(options):
        value = getattr(options, field.name)
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if field.name != "dt" and not (number and 0 <= value <= MOST):
            raise InputError(f"{name}: {field.name} = {value!r} is outside 0..{MOST:g}.")
        if field.name == "dt" and not (number and 1e-4 <= value <= 0.1):
            raise InputError(f"{name}: dt = {value!r} s is outside 1e-4..0.1 s.")
    sheet = partial(Sheet, dt=options.dt, inputs=inputs, outputs=outputs)

    def generate(n: int, rng: np.random.Generator) -> Trials:
        return draw(n, rng, sheet, options)

    return CognitiveTask(name, generate, judge, inputs, outputs, options.dt)
