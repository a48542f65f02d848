"""Every task keeps what its record says, and one more needs only its own file."""

import dataclasses
import typing
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns
from neurosim.registry import called
from neurosim.schema import InputError
from neurosim.tasks.cognition import cognitive_task
from neurosim.tasks.judges import judge_choice
from neurosim.tasks.painting import TWO, begun
from neurosim.tasks.task import TASKS, TaskKind, drawn_task


def test_the_tasks_are_those_that_have_a_file():
    folder = Path(ns.__file__).parent / "tasks" / "kinds"
    assert sorted(TASKS) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("name", list(TASKS))
def test_a_record_says_whom_to_cite_and_builds_its_task(name):
    kind = TASKS[name]
    assert kind.caption and "\n" not in kind.caption
    assert "https://doi.org/" in kind.citation
    assert kind.options.__dataclass_params__.frozen
    assert set(typing.get_type_hints(kind.options)) == {f.name for f in dataclasses.fields(kind.options)}
    task = called(kind.build)(kind.example or kind.options())
    inputs, (targets, weights) = next(iter(task.batches(0, 4, 0)))
    assert inputs.shape == (4, targets.shape[1], len(task.inputs))
    assert targets.shape == (*weights.shape, len(task.outputs))


@pytest.mark.parametrize("name", [n for n in TASKS if n != "yang"])
@pytest.mark.parametrize("value", [-1, 1e9, "a", None, [1], np.nan, True])
def test_numbers_that_a_task_cannot_have_are_refused(name, value):
    for option in [f.name for f in dataclasses.fields(TASKS[name].options)]:
        with pytest.raises(InputError, match=f"{name}: {option} = .* is outside"):
            cognitive_task(name, **{option: value})


@pytest.mark.parametrize("name", [None, 3, ["go_nogo"], "go"])
def test_what_is_no_name_of_a_task_is_refused(name):
    with pytest.raises(InputError, match="no task"):
        cognitive_task(name)


@dataclasses.dataclass(frozen=True)
class LightsOptions:
    dt: float = 20e-3
    brightness: float = 1.0


def draw(n, rng, sheet, options):
    on = rng.integers(0, 2, n)
    s = begun(sheet, n, np.full(n, 0.5))
    s.show(1, on * options.brightness, 0.1, 0.5)
    s.ask(1, on == 0, 0.5)
    s.ask(2, on == 1, 0.5)
    return s.trials({"choice": on, "go": 0.5})


def build(options):
    return drawn_task("lights", draw, judge_choice, ("fixation", "light"), TWO, options)


def test_a_task_of_ones_own_is_learned_like_the_others():
    with TASKS.added(TaskKind("lights", "say whether the light is on", build, LightsOptions)):
        task = cognitive_task("lights", brightness=0.5)
        trials = task.trials(20, rng=2)
        assert (task.score(trials.targets.values, trials) == 1).all()
        assert float(trials.inputs.sel(unit="light").max()) == 0.5
        with pytest.raises(InputError, match="Did you mean 'brightness'"):
            cognitive_task("lights", brightnes=1)
