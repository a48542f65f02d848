"""NeuroGym environments as tasks: their trials, with the table that their periods and trial records make.

NeuroGym is not needed by neurosim; any environment that has its interface is taken: ``seed``, ``new_trial``, ``ob``,
``gt``, ``trial``, ``dt``, ``start_t`` (https://doi.org/10.31234/osf.io/aqc9n).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosim.schema import InputError
from neurosim.tasks.trials import CognitiveTask, Trials, joined

NEEDED = ("new_trial", "ob", "gt", "dt")


def from_neurogym(environment: Any, *, name: str | None = None, n_outputs: int | None = None) -> CognitiveTask:
    """Return a NeuroGym environment as a task whose trials repeat by seed.

    Parameters
    ----------
    environment : a NeuroGym environment, or one wrapped by gymnasium; it is reset and drawn from.
    name : of the task; by default that of the environment's class.
    n_outputs : number of actions; by default that of its action space.

    Returns
    -------
    task whose trials carry what the environment keeps in ``trial`` (numbers and words) and the start and end of its
    periods in s. Outputs are one unit an action, the target 1 at the right one.

    Raises
    ------
    InputError : the object lacks what a NeuroGym environment has, or its right answers are no actions.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> light = SimpleNamespace(dt=100, ob=np.eye(3), gt=[0, 0, 1], seed=lambda seed: None, new_trial=dict)
    >>> ns.tasks.from_neurogym(light, name="light", n_outputs=2).trials(4).targets.shape
    (4, 3, 2)
    """
    inner = getattr(environment, "unwrapped", environment)
    if not hasattr(inner, "new_trial"):
        raise InputError(f"from_neurogym: {type(inner).__name__} has no new_trial; a NeuroGym environment is asked.")
    n_actions = n_outputs or int(getattr(getattr(inner, "action_space", None), "n", 0))
    if n_actions < 2:
        raise InputError("from_neurogym: the number of actions is not known; pass n_outputs=.")
    _seed(inner, 0)
    inner.new_trial()
    missing = [part for part in NEEDED if getattr(inner, part, None) is None]
    if missing:
        raise InputError(f"from_neurogym: {type(inner).__name__} has no {missing[0]}; a NeuroGym environment is asked.")
    dt, n_inputs = float(inner.dt) * 1e-3, np.asarray(inner.ob).shape[1]

    def generate(n: int, rng: np.random.Generator) -> Trials:
        _seed(inner, int(rng.integers(2**31 - 1)))
        return joined([_one(inner, n_actions) for _ in range(n)], np.arange(n))

    return CognitiveTask(
        name or type(inner).__name__,
        generate,
        judge_actions,
        tuple(f"observation {k}" for k in range(n_inputs)),
        tuple(f"action {k}" for k in range(n_actions)),
        dt,
    )


def judge_actions(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials took the right action in most steps of their last period, whose target is constant."""
    chosen, wanted = outputs.argmax(2), targets.argmax(2)
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(1)
    final = wanted[np.arange(len(wanted)), last]
    steps = np.arange(weights.shape[1])
    changes = (wanted != final[:, None]) & (steps <= last[:, None])
    begin = np.where(changes.any(1), weights.shape[1] - changes[:, ::-1].argmax(1), 0)
    period = (steps >= begin[:, None]) & (steps <= last[:, None])
    return np.asarray(((chosen == final[:, None]) & period).sum(1) > period.sum(1) / 2)


def _one(environment: Any, n_actions: int) -> Trials:
    record = environment.new_trial()
    inputs, right = np.asarray(environment.ob, dtype=np.float32), np.asarray(environment.gt)
    if right.ndim != 1 or right.min() < 0 or right.max() >= n_actions:
        raise InputError(f"from_neurogym: right answers are actions 0..{n_actions - 1}, one a step; found others.")
    targets = np.eye(n_actions, dtype=np.float32)[right.astype(int)]
    table: dict[str, Any] = {}
    for key, value in (record or getattr(environment, "trial", None) or {}).items():
        if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biufUS":
            table[str(key)] = value
    for when in ("start_t", "end_t"):
        for period, t in getattr(environment, when, {}).items():
            table[f"{period}_{when.removesuffix('_t')}"] = float(t) * 1e-3
    columns = {key: np.array([value]) for key, value in table.items()}
    return Trials(inputs[None], targets[None], np.ones((1, len(inputs)), dtype=np.float32), columns)


def _seed(environment: object, seed: int) -> None:
    if hasattr(environment, "seed") and callable(environment.seed):
        environment.seed(seed)
    elif hasattr(environment, "rng"):
        environment.rng = np.random.RandomState(seed)
