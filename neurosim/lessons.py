"""What a network learns, by name: a task that draws its own trials, or the labelled stimuli of a source.

Every source of stimuli with categories can be learned. What is learned and what :func:`~neurosim.stimuli.load_source`
shows of the same source, options and seed share no stimulus.
"""

from __future__ import annotations

from typing import Any, cast

from neurosim.registry import called, options_of
from neurosim.schema import InputError, suggest
from neurosim.stimuli.source import SOURCES, Source, taught_parts
from neurosim.tasks.classification import classification_task
from neurosim.tasks.task import TASKS, Task, TaskKind


def lesson_names() -> tuple[str, ...]:
    """Return the names of everything that a network can learn.

    >>> {"digits", "mnist", "go_nogo"} <= set(lesson_names())
    True
    """
    return (*(name for name, source in SOURCES.items() if source.teaches), *TASKS)


def find_lesson(name: object, asked_by: str) -> Source | TaskKind:
    """Return the record of what is learned: a source whose stimuli have categories, or a task.

    Raises
    ------
    InputError : neither; the message gives the nearest name.

    Examples
    --------
    >>> find_lesson("digits", "here").citation[:7]
    'Alpaydi'
    """
    if isinstance(name, str) and name in SOURCES and SOURCES[name].teaches:
        return SOURCES[name]
    if isinstance(name, str) and name in TASKS:
        return TASKS[name]
    known = lesson_names()
    raise InputError(f"{asked_by}: no task {name!r}; known: {', '.join(known)}.{suggest(name, known)}")


def build_task(name: str, options: Any = None, *, rng: int = 0, n_train: int | None = None) -> Task:
    """Return the task called `name`, as a network learns it.

    Parameters
    ----------
    name : a source with categories ("digits", "mnist", "cifar10", "nmnist", "spoken_digits", "sentences",
        "time_series", "folder", "file"), a cognitive task ("go_nogo", ...) or "yang".
    options : by name or as the record of the source or task.
    rng : seed of the split, where the source has no official one.
    n_train : learn only so many of the training stimuli, as evenly from all categories as can be.

    Returns
    -------
    a task that :func:`~neurosim.train` takes.

    Raises
    ------
    InputError : an unknown task or option, `n_train` of a task that draws its trials. StorageError : a missing file.

    Examples
    --------
    >>> build_task("digits", rng=1).test.sizes["stimulus"]
    360
    >>> build_task("go_nogo", {"delay": 0.2}).outputs
    ('fixation', 'go')
    """
    kind = find_lesson(name, "build_task")
    if isinstance(kind, Source):
        train, test = taught_parts(name, options, rng=rng, n_train=n_train)
        return classification_task(train, test=test, rng=rng)
    if n_train is not None:
        raise InputError(f"build_task: {name} draws new trials for every batch; n_train is for stimuli that are given.")
    return cast(Task, called(kind.build)(options_of(kind.options, options, f"build_task: {name}")))
