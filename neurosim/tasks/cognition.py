"""Cognitive tasks of the classic experiments, each as trials with their table.

Outputs are fixation and then the choices; a trial is right when fixation is held as long as it is asked for and the
right choice is strongest at the end. Periods are in s; evidence is noisy in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from neurosim.arrays import check_numbers
from neurosim.schema import InputError, suggest
from neurosim.tasks.trials import CognitiveTask, Judge, Sheet, Trials, judge_choice, judge_direction

COHERENCES = (0.032, 0.064, 0.128, 0.256, 0.512)
GRACE, RESPONSE = 0.1, 0.3
N_RING = 16
MOST = 60.0
Draw = Callable[[int, np.random.Generator, Callable[..., Sheet]], Trials]


def cognitive_task(name: str, *, dt: float = 20e-3, **options: float) -> CognitiveTask:
    """Return a cognitive task by name.

    Parameters
    ----------
    name : "perceptual_decision" (https://doi.org/10.1523/JNEUROSCI.12-12-04745.1992),
        "context_decision" (https://doi.org/10.1038/nature12742),
        "delayed_match_to_sample" (https://doi.org/10.1523/JNEUROSCI.16-16-05154.1996),
        "delayed_comparison" (https://doi.org/10.1038/20939), "ready_set_go" (https://doi.org/10.1038/nn.2590),
        "go_nogo", "anti_reach" (https://doi.org/10.1038/nrn1345) or
        "multisensory" (https://doi.org/10.1038/nn.3865).
    dt : duration of a step, s.
    **options : what the task lets one set, such as ``noise`` or ``delay`` (s); see ``TASKS``.

    Raises
    ------
    InputError : an unknown task or option, or a value outside its range.

    Examples
    --------
    >>> trials = cognitive_task("perceptual_decision").trials(200)
    >>> bool((trials.choice == (trials.coherence > 0)).all())
    True
    """
    if name not in TASKS:
        raise InputError(f"cognitive_task: no task {name!r}; known: {', '.join(TASKS)}.{suggest(name, TASKS)}")
    draw, inputs, outputs, defaults, judge = TASKS[name]
    for key, value in options.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise InputError(f"cognitive_task: {name} has no option {key!r}; known: {known}.{suggest(key, defaults)}")
        if not (isinstance(value, int | float) and 0 <= value <= MOST):
            raise InputError(f"cognitive_task: {key} = {value!r} is outside 0..{MOST:g}.")
    if not 1e-4 <= dt <= 0.1:
        raise InputError(f"cognitive_task: dt = {dt!r} s is outside 1e-4..0.1 s.")
    sheet = partial(Sheet, dt=dt, inputs=inputs, outputs=outputs)
    chosen = defaults | options

    def generate(n: int, rng: np.random.Generator) -> Trials:
        return draw(n, rng, sheet, **chosen)

    return CognitiveTask(name, generate, judge, inputs, outputs, dt)


def judge_timing(outputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return which trials answered, the last output passing one half, within a fifth of the interval that was asked.

    The interval is the time for which the target of the first output, fixation, is below its start: from set to go.
    """
    asked, wanted, answered = targets[:, :, 0] < 0.9, targets[:, :, -1] > 0.5, outputs[:, :, -1] > 0.5
    begin, go = asked.argmax(1), wanted.argmax(1)
    early = np.arange(outputs.shape[1]) < begin[:, None]
    first = np.where((answered & ~early).any(1), (answered & ~early).argmax(1), 10**6)
    return (np.abs(first - go) <= np.maximum(0.2 * (go - begin), 1)) & ~(answered & early).any(1)


def _sign(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n)


def _coherence(rng: np.random.Generator, n: int) -> np.ndarray:
    return _sign(rng, n) * rng.choice(COHERENCES, n)


def _begin(sheet: Callable[..., Sheet], n: int, go: np.ndarray) -> Sheet:
    """Return a sheet on which fixation is shown and asked for until `go`."""
    s = sheet(n, go + RESPONSE)
    s.show(0, 1.0, 0.0, go)
    s.ask(0, 1.0, 0.0, go)
    s.weigh(0.0, go, go + GRACE)
    s.weigh(3.0, go + GRACE)
    return s


def _choose(s: Sheet, choice: np.ndarray, go: np.ndarray) -> None:
    """Ask for output 1 + choice from `go` on."""
    for k in range(s.targets.shape[2] - 1):
        s.ask(1 + k, choice == k, go)


def _evidence(s: Sheet, unit: int, coherence: np.ndarray, on: np.ndarray, off: np.ndarray) -> None:
    """Show evidence for one choice in a unit, against it in the next."""
    s.show(unit, (1 + coherence) / 2, on, off)
    s.show(unit + 1, (1 - coherence) / 2, on, off)


def _perceptual_decision(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float) -> Trials:
    coherence, on = _coherence(rng, n), rng.uniform(0.1, 0.4, n)
    go = on + rng.choice([0.2, 0.4, 0.8], n)
    s = _begin(sheet, n, go)
    _evidence(s, 1, coherence, on, go)
    s.noise(noise, rng, slice(1, 3))
    choice = (coherence > 0).astype(int)
    _choose(s, choice, go)
    return s.trials({"coherence": coherence, "choice": choice, "stimulus_on": on, "go": go})


def _context_decision(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float) -> Trials:
    motion, colour, context = _coherence(rng, n), _coherence(rng, n), rng.integers(0, 2, n)
    on = np.full(n, 0.35)
    go = on + 0.75
    s = _begin(sheet, n, go)
    s.show(1, motion, on, go)
    s.show(2, colour, on, go)
    s.noise(noise, rng, slice(1, 3))
    for k in range(2):
        s.show(3 + k, context == k, 0.0)
    relevant = np.where(context == 0, motion, colour)
    choice = (relevant > 0).astype(int)
    _choose(s, choice, go)
    names = np.array(["motion", "colour"])[context]
    table = {"context": names, "motion_coherence": motion, "colour_coherence": colour, "relevant_coherence": relevant}
    return s.trials(table | {"choice": choice, "stimulus_on": on, "go": go})


def _ring(angle: np.ndarray) -> np.ndarray:
    preferred = 2 * np.pi * np.arange(N_RING) / N_RING
    return np.exp(4 * (np.cos(preferred - angle[:, None]) - 1))


def _delayed_match(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float, delay: float) -> Trials:
    sample, is_match = rng.integers(0, 8, n), rng.integers(0, 2, n)
    test = np.where(is_match, sample, (sample + rng.integers(1, 8, n)) % 8)
    on = np.full(n, 0.2)
    again = on + 0.4 + rng.uniform(0.5, 1.5, n) * delay
    go = again + 0.4
    s = _begin(sheet, n, go)
    s.show(slice(1, None), _ring(sample * np.pi / 4), on, on + 0.4)
    s.show(slice(1, None), _ring(test * np.pi / 4), again, go)
    s.noise(noise, rng, slice(1, None))
    _choose(s, is_match, go)
    table = {"sample_deg": sample * 45.0, "test_deg": test * 45.0, "choice": is_match, "sample_on": on}
    return s.trials(table | {"test_on": again, "go": go})


def _delayed_comparison(
    n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float, delay: float
) -> Trials:
    pairs = np.array([(10, 18), (14, 22), (18, 26), (22, 30), (26, 34)], dtype=float)
    pair, turned = pairs[rng.integers(0, len(pairs), n)], rng.integers(0, 2, n)
    first, second = np.where(turned, pair[:, 1], pair[:, 0]), np.where(turned, pair[:, 0], pair[:, 1])
    on = np.full(n, 0.2)
    again = on + 0.3 + rng.uniform(0.5, 1.5, n) * delay
    go = again + 0.3
    s = _begin(sheet, n, go)
    for frequency, start in ((first, on), (second, again)):
        s.show(1, frequency / 34, start, start + 0.3)
        s.show(2, 1.2 - frequency / 34, start, start + 0.3)
    s.noise(noise, rng, slice(1, 3))
    choice = (first > second).astype(int)
    _choose(s, choice, go)
    return s.trials({"first_hz": first, "second_hz": second, "choice": choice, "first_on": on, "second_on": again,
                     "go": go})  # fmt: skip


def _ready_set_go(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float, gain: float) -> Trials:
    interval, ready = rng.choice([0.4, 0.5, 0.6, 0.7, 0.8], n), rng.uniform(0.2, 0.5, n)
    at_set = ready + interval
    go = at_set + gain * interval
    s = sheet(n, go + RESPONSE)
    s.show(0, 1.0, 0.0)
    s.show(1, 1.0, ready, ready + 0.1)
    s.show(2, 1.0, at_set, at_set + 0.1)
    s.noise(noise, rng, slice(1, 3))
    s.ask(0, 1.0, 0.0, at_set)
    ramp = np.clip((s.steps * s.dt - at_set[:, None]) / (go - at_set)[:, None], 0, None)
    s.targets[:, :, 1] = np.where(s.during(at_set), np.minimum(ramp, 1.0) ** 3, 0.0)
    s.ask(1, 1.0, go)
    return s.trials({"interval": interval, "choice": gain * interval, "ready": ready, "set": at_set, "go": go})


def _go_nogo(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float, delay: float) -> Trials:
    is_go, on = rng.integers(0, 2, n), rng.uniform(0.1, 0.3, n)
    go = on + 0.3 + delay
    s = _begin(sheet, n, go)
    for k in range(2):
        s.show(1 + k, is_go == k, on, on + 0.3)
    s.noise(noise, rng, slice(1, 3))
    s.ask(0, np.where(is_go, 0.0, 1.0), go)
    s.ask(1, is_go, go)
    return s.trials({"cue": np.array(["no-go", "go"])[is_go], "choice": is_go, "stimulus_on": on, "go": go})


def _anti_reach(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float, delay: float) -> Trials:
    angle, is_anti, on = rng.uniform(0, 2 * np.pi, n), rng.integers(0, 2, n), rng.uniform(0.2, 0.4, n)
    go = on + 0.4 + rng.uniform(0.5, 1.5, n) * delay
    s = _begin(sheet, n, go)
    for k in range(2):
        s.show(1 + k, is_anti == k, 0.0)
    s.show(slice(3, None), _ring(angle), on, on + 0.4)
    s.noise(noise, rng, slice(3, None))
    wanted = (angle + np.pi * is_anti) % (2 * np.pi)
    s.ask(slice(1, None), _ring(wanted), go)
    table = {"rule": np.array(["pro", "anti"])[is_anti], "direction_deg": np.rad2deg(angle)}
    return s.trials(table | {"choice": np.rad2deg(wanted), "stimulus_on": on, "go": go})


def _multisensory(n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], noise: float) -> Trials:
    rate, modality, on = _coherence(rng, n), rng.integers(0, 3, n), rng.uniform(0.1, 0.4, n)
    go = on + 1.0
    s = _begin(sheet, n, go)
    for unit, senses in ((1, (0, 2)), (3, (1, 2))):
        present = np.isin(modality, senses)
        s.show(unit, present * (1 + rate) / 2, on, go)
        s.show(unit + 1, present * (1 - rate) / 2, on, go)
    s.noise(noise, rng, slice(1, 5))
    choice = (rate > 0).astype(int)
    _choose(s, choice, go)
    names = np.array(["visual", "auditory", "both"])[modality]
    return s.trials({"modality": names, "coherence": rate, "choice": choice, "stimulus_on": on, "go": go})


_TWO = ("fixation", "choice 0", "choice 1")
_RING = tuple(f"{k * 360 / N_RING:g}" for k in range(N_RING))
TASKS: dict[str, tuple[Callable[..., Trials], tuple[str, ...], tuple[str, ...], dict[str, float], Judge]] = {
    "perceptual_decision": (
        _perceptual_decision, ("fixation", "evidence 1", "evidence 0"), _TWO, {"noise": 0.3}, judge_choice
    ),
    "context_decision": (
        _context_decision, ("fixation", "motion", "colour", "attend motion", "attend colour"), _TWO, {"noise": 0.3},
        judge_choice,
    ),
    "delayed_match_to_sample": (
        _delayed_match, ("fixation", *_RING), _TWO, {"noise": 0.1, "delay": 1.0}, judge_choice
    ),
    "delayed_comparison": (
        _delayed_comparison, ("fixation", "rising", "falling"), _TWO, {"noise": 0.05, "delay": 1.0}, judge_choice
    ),
    "ready_set_go": (
        _ready_set_go, ("fixation", "ready", "set"), ("fixation", "go"), {"noise": 0.02, "gain": 1.0}, judge_timing
    ),
    "go_nogo": (
        _go_nogo, ("fixation", "no-go cue", "go cue"), ("fixation", "go"), {"noise": 0.1, "delay": 0.5}, judge_choice
    ),
    "anti_reach": (
        _anti_reach, ("fixation", "pro", "anti", *_RING), ("fixation", *_RING), {"noise": 0.1, "delay": 0.5},
        judge_direction,
    ),
    "multisensory": (
        _multisensory, ("fixation", "visual 1", "visual 0", "auditory 1", "auditory 0"), _TWO, {"noise": 0.3},
        judge_choice,
    ),
}  # fmt: skip


def psychometric(right: Any, condition: str) -> Any:
    """Return the share of trials answered rightly by condition, with its uncertainty and number of trials.

    Parameters
    ----------
    right : (stimulus,) of 0 and 1 with the table of the trials, as :meth:`CognitiveTask.score` returns it.
    condition : column of the table.

    Returns
    -------
    Dataset along `condition`: ``mean``, ``standard_error``, ``interval`` (bound; Wilson, 95 %), ``n``.
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
