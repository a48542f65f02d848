"""Simulated experiments with a known truth: what an estimator says is held against what is true, many times."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """What one experiment gave: numbers, or arrays (n,) of `n` estimates that are independent of each other.

    What an estimator does not say stays None: its column of the table is empty, and so is its promise.
    """

    estimate: object
    standard_error: object = None
    low: object = None
    high: object = None
    p: object = None


@dataclass(frozen=True)
class World:
    """An estimator and experiments in which the true value of what it estimates is known."""

    name: str  # of the world, unique: "decode, unequal trials"
    estimator: str  # the public function: "responses.decode"
    what: str  # one line: what is simulated, how large, at which noise
    experiment: Callable[[np.random.Generator, float], Outcome]  # one experiment at a strength of the effect
    truth: Callable[[float], float]  # value of the estimand at a strength; truth(null) is the mean under the null
    effect: float = 1.0  # strength at which recovery, error and coverage are measured
    null: float | None = 0.0  # strength without effect, None where there is none
    level: float = 0.95  # of intervals
    alpha: float = 0.05  # of p
    outside: str = ""  # why a number is outside of what was asked, where one is
    quick: int = 100  # experiments of the quick test
    revision: int = 0  # how often its estimator was mended by what this table showed: the table then takes new seeds


@dataclass(frozen=True)
class Row:
    """What the experiments of one world showed; NaN where the estimator says nothing or there is no null."""

    world: str
    estimator: str
    n: int
    null_mean: float = np.nan  # mean estimate under the null less the true value there, in spreads of repeats
    recovery: float = np.nan  # mean estimate over the true value
    error_ratio: float = np.nan  # root of the mean squared standard error over the spread of repeats
    coverage: float = np.nan  # share of intervals that hold the true value
    false_positives: float = np.nan  # share of p <= alpha under the null
    bias: float = np.nan  # mean estimate less the true value at the effect


ASKED = {  # of every row: lowest and highest
    "null_mean": (-0.1, 0.1),
    "recovery": (0.9, 1.1),
    "error_ratio": (0.85, 1.2),
    "coverage": (0.93, 1.0),
    "false_positives": (0.03, 0.07),
}


def worlds() -> dict[str, tuple[World, ...]]:
    """Return the worlds of every module of ``worlds/``, each of which holds a tuple ``WORLDS``."""
    modules = sorted(m.name for m in pkgutil.iter_modules([str(HERE / "worlds")]))
    return {name: importlib.import_module(f"worlds.{name}").WORLDS for name in modules}


def shown(key: str, value: float) -> str:
    """Return a number of a row as it is printed everywhere."""
    return f"{100 * value:.1f} %" if key in ("coverage", "false_positives") else f"{round(value, 2) + 0.0:.2f}"


def sentence(row: Row) -> str:
    """Return what the docstring of an estimator says of the first of its worlds."""
    parts = [f"{key.replace('_', ' ')} {shown(key, getattr(row, key))}" for key in ASKED]
    said = ", ".join(p for p, key in zip(parts, ASKED, strict=True) if np.isfinite(getattr(row, key)))
    return f"Calibrated in {row.n:,} simulated experiments: {said}."


def measured(world: World, n: int, seed: int = 0) -> Row:
    """Run `n` experiments with the effect and `n` without, each with a generator of its own."""
    found = _outcomes(world, world.effect, n, seed)
    true = world.truth(world.effect)
    estimate, error = found["estimate"], found["standard_error"]
    spread = estimate.std(ddof=1)
    row = {
        "recovery": estimate.mean() / true if true else np.nan,
        "bias": estimate.mean() - true,
        "error_ratio": np.sqrt((error**2).mean()) / spread if error is not None else np.nan,
    }
    if found["low"] is not None:
        row["coverage"] = ((found["low"] <= true) & (true <= found["high"])).mean()
    if world.null is not None:
        nothing = _outcomes(world, world.null, n, seed + 1)
        gap = nothing["estimate"] - world.truth(world.null)
        row["null_mean"] = gap.mean() / gap.std(ddof=1)
        if nothing["p"] is not None:
            row["false_positives"] = (nothing["p"] <= world.alpha).mean()
    return Row(world.name, world.estimator, len(estimate), **{k: float(v) for k, v in row.items()})


def _outcomes(world: World, strength: float, n: int, seed: int) -> dict[str, np.ndarray | None]:
    generators = np.random.default_rng([seed, *world.name.encode()]).spawn(n)
    found = [world.experiment(rng, strength) for rng in generators]
    names = Outcome.__dataclass_fields__
    return {
        name: None
        if getattr(found[0], name) is None
        else np.concatenate([np.atleast_1d(np.asarray(getattr(o, name), dtype=float)) for o in found])
        for name in names
    }
