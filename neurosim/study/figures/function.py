"""A function of your own as a figure: the Dataset of an analysis in, a matplotlib Figure out."""

from __future__ import annotations

import xarray as xr

from neurosim import storage
from neurosim.schema import InputError
from neurosim.study.engine.step import Job, Step
from neurosim.study.functions import call, code_of, imported, parameters_of
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import Drawn, figure_step
from neurosim.study.tables import StudyError


def plan(made: PlanLike) -> list[Step]:
    """Return a figure for every function of the study's ``figures``."""
    steps = []
    for name, row in made.study.figures.items():
        asked = parameters_of(made.folder / row.path, row.function)
        inputs = []
        for analysis in asked:
            if analysis not in made.study.analyses:
                known = ", ".join(made.study.analyses)
                raise StudyError(f"figures.{name}: {row.function} asks for {analysis!r}; analyses: {known}.")
            inputs += [s for s in made.steps if s == analysis or s.startswith(f"{analysis}:")]
        config, files = code_of(row, made.folder)
        about = config | {"function": row.function, "title": row.title or name}
        drawn = figure_step("function", name, "neurosim.study.figures.function:draw", about, tuple(inputs))
        steps.append(Step(drawn.name, drawn.work, drawn.config, drawn.inputs, files))
    return steps


def draw(job: Job) -> Drawn:
    """Call the function with the results of the analyses that it asks for."""
    given: dict[str, xr.Dataset] = {}
    for analysis in dict.fromkeys(step.partition(":")[0] for step in job.inputs):
        parts = {
            step.partition(":")[2]: _result(job, step) for step in job.inputs if step.partition(":")[0] == analysis
        }
        given[analysis] = _together(parts)
    with imported(job.files["path"], job.config["function"]) as function:
        figure = call(function, given, job.config["title"])
    if not hasattr(figure, "savefig"):
        raise InputError(f"{job.config['title']}: the function returned a {type(figure).__name__}; a Figure is asked.")
    return figure, next(iter(given.values())) if given else xr.Dataset()


def _result(job: Job, step: str) -> xr.Dataset:
    return storage.read_dataset(sorted(job.inputs[step].glob("*.nc"))[0])


def _together(parts: dict[str, xr.Dataset]) -> xr.Dataset:
    """Return the results of an analysis along ``of``, the subject or brain that each is of; one alone as it is."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    of = xr.DataArray(list(parts), dims="of", name="of")
    return xr.concat(list(parts.values()), of, join="outer", combine_attrs="drop_conflicts")


FUNCTION = FigureKind(name="function", plan=plan, title="Own figure", caption="Drawn by a function of the study.")
