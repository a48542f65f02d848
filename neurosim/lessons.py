"""What a network learns, by name: a task that draws its own trials, or the labelled stimuli of a source.

Every source of stimuli with categories can be learned. What is learned and what :func:`~neurosim.stimuli.load_source`
shows of the same source, options and seed share no stimulus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import xarray as xr

from neurosim.registry import called, options_of
from neurosim.schema import InputError, suggest
from neurosim.stimuli.parts import part_of, some_of
from neurosim.stimuli.source import SOURCES, Source, taught_parts
from neurosim.tasks.classification import classification_task
from neurosim.tasks.lazy import LazyTask, task_of_rows
from neurosim.tasks.task import TASKS, Task, TaskKind
from neurosim.tasks.trials import CognitiveTask

HELD = 2**30  # bytes of stimuli that are held in memory; more are read one by one


def lesson_names() -> tuple[str, ...]:
    """Return the names of everything that a network can learn.

    Examples
    --------
    >>> {"digits", "mnist", "folder", "go_nogo"} <= set(lesson_names())
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


@dataclass(frozen=True)
class Lesson:
    """What is known of a task before anything is read or drawn.

    Parameters
    ----------
    sizes : of one input by dim; None where only the files say.
    learns : "categories" of stimuli, or "targets" in every step.
    n_outputs : number of categories or outputs; None where only the files say.
    files : checksum by name of the files that it reads, beside those that the options name.
    citation : whom to cite.
    """

    sizes: Mapping[str, int] | None
    learns: Literal["categories", "targets"]
    n_outputs: int | None
    files: Mapping[str, str]
    citation: str


def look_at(name: str, options: object = None, asked_by: str = "look_at") -> Lesson:
    """Return what is known of a task before anything is read or drawn; its options are checked.

    Parameters
    ----------
    name, options : as for :func:`build_task`. asked_by : who asks, for errors.

    Raises
    ------
    InputError : an unknown task or option. StorageError : a file that is not there, of which the checksum is not known.

    Examples
    --------
    >>> look_at("digits").sizes, look_at("digits").n_outputs
    ({'y': 8, 'x': 8}, 10)
    >>> look_at("go_nogo").learns
    'targets'
    """
    kind = find_lesson(name, asked_by)
    asked = options_of(kind.options, options, f"{asked_by}: {name}")
    if isinstance(kind, Source):
        sizes = None if kind.sizes is None else kind.sizes(asked)
        parts = [replace(asked, part=part) for part in ("train", "test")]
        files = {} if kind.files is None else {k: v for part in parts for k, v in kind.files(part).items()}
        return Lesson(sizes, "categories", kind.n_categories, files, kind.citation)
    task = called(kind.build)(asked)
    if not isinstance(task, CognitiveTask):
        return Lesson(None, "targets", None, {}, kind.citation)
    return Lesson({"time": 1, "unit": len(task.inputs)}, "targets", len(task.outputs), {}, kind.citation)


def check_lesson(name: str, options: object = None, asked_by: str = "check_lesson") -> None:
    """Fetch and verify the files of a task, or say which one is missing and where it goes."""
    kind = find_lesson(name, asked_by)
    if isinstance(kind, Source) and kind.check is not None:
        asked = options_of(kind.options, options, f"{asked_by}: {name}")
        for part in ("train", "test"):
            kind.check(replace(asked, part=part))


def build_task(name: str, options: object = None, *, rng: int = 0, n_train: int | None = None) -> Task:
    """Return the task called `name`, as a network learns it.

    Parameters
    ----------
    name : a source with categories ("digits", "mnist", "cifar10", "nmnist", "spoken_digits", "sentences",
        "time_series", "events", "folder", "file"), a cognitive task ("go_nogo", ...) or "yang". The pictures of a
        folder, and the steps of time of recordings of events, that would fill more than 1 GiB are not held but made
        while they are learned, by as many processes as there are threads.
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
    359
    >>> build_task("go_nogo", {"delay": 0.2}).outputs
    ('fixation', 'go')
    """
    kind = find_lesson(name, "build_task")
    if isinstance(kind, Source):
        asked = options_of(kind.options, options, f"build_task: {name}")
        if kind.staying is not None and (staying := kind.staying(asked)) and _bytes_of(staying) > HELD:
            return _read_one_by_one(kind, staying, asked, rng, n_train)
        train, test = taught_parts(name, asked, rng=rng, n_train=n_train)
        return classification_task(train, test=test, rng=rng)
    if n_train is not None:
        raise InputError(f"build_task: {name} draws new trials for every batch; n_train is for stimuli that are given.")
    return cast(Task, called(kind.build)(options_of(kind.options, options, f"build_task: {name}")))


def _bytes_of(staying: Any) -> int:
    """Return what all stimuli would fill as float32, if they are of the size of the first."""
    return len(staying) * int(np.asarray(staying.read(0)).size) * 4


def _read_one_by_one(source: Source, staying: Any, asked: Any, rng: int, n_train: int | None) -> LazyTask:
    """Return the task of :func:`taught_parts` of stimuli that stay where they are."""
    labels = {"category": ("stimulus", staying.categories)}
    places = xr.DataArray(np.arange(len(staying)), dims="stimulus", coords=labels)
    official, parts = getattr(staying, "official", None), {}
    for part, n in (("train", n_train), ("test", source.n_test)):
        of_part = replace(asked, part=part, n=n, n_per_category=None)
        if official is None:
            parts[part] = part_of(places, of_part, rng, source.name).values
        else:
            parts[part] = some_of(places[official[part]], of_part).values
    return task_of_rows(staying, staying.names, staying.categories, parts)
