"""Cognitive tasks of the classic experiments by name, and how a network's answers to them are read.

Outputs are fixation and then the choices; a trial is right when fixation is held as long as it is asked for and the
right choice is strongest at the end. Periods are in s; evidence is noisy in every step.
"""

from __future__ import annotations

from typing import Any

import xarray as xr
from scipy.stats import binomtest

from neurosim.arrays import check_numbers
from neurosim.registry import called, options_of
from neurosim.schema import InputError, suggest
from neurosim.tasks.task import TASKS
from neurosim.tasks.trials import CognitiveTask


def cognitive_task(name: str, **options: Any) -> CognitiveTask:
    """Return a cognitive task by name.

    Parameters
    ----------
    name : "perceptual_decision" (https://doi.org/10.1523/JNEUROSCI.12-12-04745.1992),
        "context_decision" (https://doi.org/10.1038/nature12742),
        "delayed_match_to_sample" (https://doi.org/10.1523/JNEUROSCI.16-16-05154.1996),
        "delayed_comparison" (https://doi.org/10.1038/20939), "ready_set_go" (https://doi.org/10.1038/nn.2590),
        "go_nogo" (https://doi.org/10.1016/0001-6918(69)90065-1), "anti_reach" (https://doi.org/10.1038/nrn1345),
        "multisensory" (https://doi.org/10.1038/nn.3865), "yang" (https://doi.org/10.1038/s41593-018-0310-2), or one
        that an installed package adds.
    **options : fields of the task's options: ``dt``, duration of a step, 20e-3 s by default, and what else it lets one
        set, such as ``noise`` or ``delay`` (s).

    Returns
    -------
    a task whose inputs are (trial, time, unit) and whose targets are (trial, time, output).

    Raises
    ------
    InputError : an unknown task or option, or a value outside its range.

    Examples
    --------
    >>> trials = ns.tasks.cognitive_task("perceptual_decision").trials(200)
    >>> bool((trials.choice == (trials.coherence > 0)).all())
    True
    """
    known = {n: kind for n, kind in TASKS.items() if kind.gives == "trials"}
    if not isinstance(name, str) or name not in known:
        raise InputError(f"cognitive_task: no task {name!r}; known: {', '.join(known)}.{suggest(name, known)}")
    asked = options_of(known[name].options, options, f"cognitive_task: {name}")
    task = called(known[name].build)(asked)
    if not isinstance(task, CognitiveTask):
        raise InputError(f"cognitive_task: {name} draws no trials; found a {type(task).__name__}.")
    return task


def psychometric(right: object, condition: str) -> Any:
    """Return the share of trials answered rightly by condition, with its uncertainty and number of trials.

    Parameters
    ----------
    right : (stimulus,) of 0 and 1 with the table of the trials, as :meth:`CognitiveTask.score` returns it.
    condition : column of the table.

    Returns
    -------
    Dataset along `condition`: ``mean``, ``standard_error``, ``interval`` (bound; Wilson, 95 %,
    https://doi.org/10.1080/01621459.1927.10502953), ``n``.

    Raises
    ------
    InputError : what no task has scored, or a condition that its table does not have.

    Examples
    --------
    >>> task = ns.tasks.cognitive_task("go_nogo")
    >>> trials = task.trials(20)
    >>> ns.tasks.psychometric(task.score(trials.targets.values, trials), "cue")["mean"].values.tolist()
    [1.0, 1.0]
    """
    if not isinstance(right, xr.DataArray):
        raise InputError(f"psychometric: what .score(...) of a task returns is asked, found {type(right).__name__}.")
    check_numbers(right, "psychometric")
    if condition not in right.coords:
        known = [str(c) for c in right.coords if c != "stimulus"]
        raise InputError(
            f"psychometric: no condition {condition!r}; the table has {', '.join(known)}.{suggest(condition, known)}"
        )
    groups = right.groupby(condition)
    mean, n = groups.mean(), groups.count()
    bounds = [_wilson(m, k) for m, k in zip(mean.values, n.values, strict=True)]
    interval = ((condition, "bound"), [[b.low, b.high] for b in bounds])
    found = mean.to_dataset(name="mean").assign(standard_error=(mean * (1 - mean) / n) ** 0.5, interval=interval, n=n)
    return found.assign_coords(bound=["low", "high"])


def _wilson(share: float, n: float) -> Any:
    return binomtest(round(share * n), int(n)).proportion_ci(method="wilson")
