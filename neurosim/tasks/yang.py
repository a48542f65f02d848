"""The twenty cognitive tasks of Yang et al. 2019 as one family: a rule, two rings of inputs, a ring of answers.

https://doi.org/10.1038/s41593-018-0310-2. Periods, strengths and noise follow the paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from neurosim.schema import InputError, suggest
from neurosim.tasks.judges import judge_direction
from neurosim.tasks.painting import Sheet
from neurosim.tasks.trials import CognitiveTask, Trials, joined

RESPONSE, GRACE = 0.5, 0.1
REST, BUMP = 0.05, 0.8
FINE, COARSE = (0.01, 0.02, 0.04, 0.08), (0.08, 0.16, 0.32)


def yang_task(
    rules: Sequence[str] | None = None, *, n_ring: int = 32, dt: float = 20e-3, noise: float = 0.01, tau: float = 100e-3
) -> CognitiveTask:
    """Return one or several of the twenty tasks, mixed in every batch (https://doi.org/10.1038/s41593-018-0310-2).

    Parameters
    ----------
    rules : names out of ``RULES``; all twenty by default. n_ring : units of each ring.
    dt : s. noise : of the inputs, scaled by ``sqrt(2 tau / dt)`` as in the paper; tau : s.

    Returns
    -------
    a task whose inputs are (trial, time, unit): fixation, two rings, the rules; its outputs fixation and a ring.

    Raises
    ------
    InputError : an unknown rule, or rings and steps that there cannot be.

    Examples
    --------
    >>> task = ns.tasks.yang_task(["delaygo", "delayanti"])
    >>> trials = task.trials(10)
    >>> sorted(set(trials.rule.values.tolist()))
    ['delayanti', 'delaygo']
    """
    chosen = tuple(rules or RULES)
    for name in chosen:
        if name not in RULES:
            raise InputError(f"yang_task: no rule {name!r}; known: {', '.join(RULES)}.{suggest(name, RULES)}")
    if n_ring < 4 or not (noise >= 0 and 0 < dt <= tau):
        raise InputError(
            f"yang_task: n_ring >= 4, noise >= 0, 0 < dt <= tau asked, found {n_ring}, {noise!r}, {dt!r}, {tau!r}."
        )
    ring = [f"{k * 360 / n_ring:g}" for k in range(n_ring)]
    inputs = ("fixation", *(f"first {k}" for k in ring), *(f"second {k}" for k in ring), *RULES)
    outputs = ("fixation", *ring)
    sheet = partial(Sheet, dt=dt, inputs=inputs, outputs=outputs, rest=REST)
    sd = noise * np.sqrt(2 * tau / dt)

    def generate(n: int, rng: np.random.Generator) -> Trials:
        which = np.sort(rng.permutation(np.resize(rng.permutation(len(chosen)), n)))
        counts = np.bincount(which, minlength=len(chosen))
        parts = []
        for name, count in zip(chosen, counts, strict=True):
            if count:
                draw = _Drawing(int(count), rng, sheet, n_ring)
                table = RULES[name](draw)
                draw.sheet.show(inputs.index(name), 1.0, 0.0)
                draw.sheet.noise(sd, rng, slice(0, 1 + 2 * n_ring))
                parts.append(draw.sheet.trials({"rule": name, **table}))
        return joined(parts, rng.permutation(n))

    return CognitiveTask("yang: " + ", ".join(chosen), generate, judge_direction, inputs, outputs, dt)


class _Drawing:
    """Draws the trials of one rule: angles, periods, and what is painted on the sheet."""

    def __init__(self, n: int, rng: np.random.Generator, sheet: Callable[..., Sheet], n_ring: int) -> None:
        self.n, self.rng, self.make, self.n_ring = n, rng, sheet, n_ring
        self.preferred = 2 * np.pi * np.arange(n_ring) / n_ring
        self.sheet: Sheet

    def between(self, low: float, high: float) -> np.ndarray:
        return self.rng.uniform(low, high, self.n)

    def one_of(self, values: Sequence[float]) -> np.ndarray:
        return self.rng.choice(np.asarray(values), self.n)

    def angle(self) -> np.ndarray:
        return self.between(0, 2 * np.pi)

    def ring(self, modality: int) -> slice:
        return slice(1 + modality * self.n_ring, 1 + (modality + 1) * self.n_ring)

    def bump(self, angle: np.ndarray) -> np.ndarray:
        apart = np.abs(np.angle(np.exp(1j * (self.preferred - angle[:, None]))))
        return np.asarray(BUMP * np.exp(-0.5 * (8 * apart / np.pi) ** 2))

    def begin(self, fixation_off: np.ndarray, go: np.ndarray | None = None) -> None:
        """Start a sheet on which fixation is shown until `fixation_off` and asked for until `go`."""
        go = fixation_off if go is None else go
        self.sheet = self.make(self.n, go + RESPONSE)
        self.sheet.show(0, 1.0, 0.0, fixation_off)
        self.sheet.ask(0, REST + BUMP, 0.0, go)
        self.sheet.weigh(5.0, go + GRACE)
        self.sheet.weigh(0.0, go, go + GRACE)

    def shown(self, modality: np.ndarray, angle: np.ndarray, strength: Any, start: Any, stop: Any = np.inf) -> None:
        """Show a bump in one of the two rings of each trial."""
        for k in (0, 1):
            values = self.bump(angle) * np.broadcast_to(strength, self.n)[:, None] * (modality == k)[:, None]
            self.sheet.show(self.ring(k), values, start, stop)

    def answer(self, angle: np.ndarray, go: np.ndarray, respond: np.ndarray | None = None) -> None:
        """Ask for a bump at `angle` from `go` on, or for fixation where `respond` is False."""
        respond = np.ones(self.n, dtype=bool) if respond is None else respond
        ring = np.where(respond[:, None], REST + self.bump(angle), REST)
        self.sheet.ask(slice(1, None), ring, go)
        self.sheet.ask(0, np.where(respond, REST, REST + BUMP), go)


def _go(d: _Drawing, kind: str, anti: bool) -> dict[str, Any]:
    modality, angle = d.rng.integers(0, 2, d.n), d.angle()
    if kind == "react":
        on, off = d.between(0.5, 2.5), np.full(d.n, np.inf)
        d.begin(np.full(d.n, np.inf), on)
        go = on
    elif kind == "fd":
        on = d.between(0.3, 0.7)
        off, go = np.full(d.n, np.inf), on + d.between(0.5, 1.5)
        d.begin(go)
    else:
        on = d.between(0.3, 0.7)
        off = on + d.one_of((0.2, 0.4, 0.6))
        go = off + d.one_of((0.2, 0.4, 0.8, 1.6))
        d.begin(go)
    d.shown(modality, angle, 1.0, on, off)
    wanted = (angle + np.pi * anti) % (2 * np.pi)
    d.answer(wanted, go)
    return {"modality": modality, "direction_deg": np.rad2deg(angle), "choice": np.rad2deg(wanted), "stimulus_on": on,
            "go": go}  # fmt: skip


def _two_directions(d: _Drawing) -> tuple[np.ndarray, np.ndarray]:
    first = d.angle()
    return first, (first + d.between(np.pi / 2, 3 * np.pi / 2)) % (2 * np.pi)


def _coherence(d: _Drawing, sizes: Sequence[float]) -> np.ndarray:
    return d.one_of([*sizes, *(-s for s in sizes)])


def _decide(d: _Drawing, attended: tuple[int, ...], shown: tuple[int, ...], delayed: bool) -> dict[str, Any]:
    """Draw two stimuli, together or in turn; the stronger one in the modalities attended is the answer."""
    first, second = _two_directions(d)
    sizes = COARSE if delayed else FINE
    mean = {m: d.between(0.8, 1.2) for m in shown}
    coherence = {m: _coherence(d, sizes) for m in shown}
    if attended == (0, 1):
        both = _coherence(d, sizes)
        tilt = both * d.between(-0.5, 0.5)
        coherence = {0: both + tilt, 1: both - tilt}
    if delayed:
        on = d.one_of((0.2, 0.4, 0.6))
        off = on + d.one_of((0.2, 0.4, 0.6))
        again = off + d.one_of((0.2, 0.4, 0.8, 1.6))
        end = again + d.one_of((0.2, 0.4, 0.6))
        go = end + d.between(0.1, 0.3)
    else:
        on = again = d.between(0.1, 0.4)
        off = end = go = on + d.one_of((0.4, 0.8, 1.6))
    d.begin(go)
    for m in shown:
        where = np.full(d.n, m)
        d.shown(where, first, mean[m] + coherence[m], on, off)
        d.shown(where, second, mean[m] - coherence[m], again, end)
    evidence = sum(coherence[m] for m in attended)
    wanted = np.where(np.asarray(evidence) > 0, first, second)
    d.answer(wanted, go)
    table = {f"coherence_{m + 1}": coherence[m] for m in shown}
    return table | {"evidence": evidence, "direction_deg": np.rad2deg(first), "choice": np.rad2deg(wanted),
                    "stimulus_on": on, "go": go}  # fmt: skip


def _match(d: _Drawing, category: bool, respond_to_match: bool) -> dict[str, Any]:
    """Draw a sample, a delay, and a test at whose onset is answered, or not."""
    modality, match = d.rng.integers(0, 2, d.n), d.rng.integers(0, 2, d.n).astype(bool)
    if category:
        sample, test = (d.one_of([math.radians(v) for v in (18, 54, 90, 126, 162)]) for _ in range(2))
        half = d.rng.integers(0, 2, d.n)
        sample, test = sample + np.pi * half, test + np.pi * np.where(match, half, 1 - half)
    else:
        sample = d.angle()
        test = np.where(match, sample, (sample + d.between(np.pi / 9, 2 * np.pi - np.pi / 9)) % (2 * np.pi))
    on = d.between(0.2, 0.6)
    off = on + d.one_of((0.2, 0.4, 0.6))
    go = off + d.one_of((0.2, 0.4, 0.8, 1.6))
    d.begin(np.full(d.n, np.inf), go)
    d.shown(modality, sample, 1.0, on, off)
    d.shown(modality, test, 1.0, go)
    respond = match if respond_to_match else ~match
    d.answer(test, go, respond)
    return {"modality": modality, "match": match, "sample_deg": np.rad2deg(sample), "test_deg": np.rad2deg(test),
            "choice": np.where(respond, np.rad2deg(test), np.nan), "stimulus_on": on, "go": go}  # fmt: skip


RULES: dict[str, Callable[[_Drawing], dict[str, Any]]] = {
    "fdgo": partial(_go, kind="fd", anti=False),
    "reactgo": partial(_go, kind="react", anti=False),
    "delaygo": partial(_go, kind="delay", anti=False),
    "fdanti": partial(_go, kind="fd", anti=True),
    "reactanti": partial(_go, kind="react", anti=True),
    "delayanti": partial(_go, kind="delay", anti=True),
    "dm1": partial(_decide, attended=(0,), shown=(0,), delayed=False),
    "dm2": partial(_decide, attended=(1,), shown=(1,), delayed=False),
    "contextdm1": partial(_decide, attended=(0,), shown=(0, 1), delayed=False),
    "contextdm2": partial(_decide, attended=(1,), shown=(0, 1), delayed=False),
    "multidm": partial(_decide, attended=(0, 1), shown=(0, 1), delayed=False),
    "delaydm1": partial(_decide, attended=(0,), shown=(0,), delayed=True),
    "delaydm2": partial(_decide, attended=(1,), shown=(1,), delayed=True),
    "contextdelaydm1": partial(_decide, attended=(0,), shown=(0, 1), delayed=True),
    "contextdelaydm2": partial(_decide, attended=(1,), shown=(0, 1), delayed=True),
    "multidelaydm": partial(_decide, attended=(0, 1), shown=(0, 1), delayed=True),
    "dmsgo": partial(_match, category=False, respond_to_match=True),
    "dmsnogo": partial(_match, category=False, respond_to_match=False),
    "dmcgo": partial(_match, category=True, respond_to_match=True),
    "dmcnogo": partial(_match, category=True, respond_to_match=False),
}
