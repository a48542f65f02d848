"""The world in which every ingredient is tried: the same input spikes, weights and neurons in both scripts.

An ingredient is two functions that do the same, ``ours`` with neurosim and ``plain`` with Brian2 alone; both get
a World. ``plain`` returns the times (s) and neurons of all spikes, or the weights that were learned; ``ours`` a Case,
which an engine runs alone or together with others.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

import neurosim as ns
import neurosim.biophysics as nb

N_INPUT, N_CELLS = 20, 10
STEP = 1e-3  # between input samples, s
WITHIN = 1e-3  # two spikes this near to each other are one, s


@dataclass(frozen=True)
class World:
    """Input spikes (time, input), weights from 0 to 1 (input, cell) and (cell, cell), delays (s), and how long it runs.

    With its short step both scripts solve the equations so well that their spikes agree one by one.
    """

    seed: int = 0
    seconds: float = 0.4
    dt: float = 2e-5
    spikes: np.ndarray = field(init=False)
    feed: np.ndarray = field(init=False)
    within: np.ndarray = field(init=False)
    late: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        drawn = {
            "spikes": rng.random((round(self.seconds / STEP), N_INPUT)) < 0.03,
            "feed": rng.uniform(0.3, 1.0, (N_INPUT, N_CELLS)),
            "within": rng.uniform(0.2, 1.0, (N_CELLS, N_CELLS)) * (1 - np.eye(N_CELLS)),
            "late": rng.integers(1, 6, (N_INPUT, N_CELLS)) * 1e-3,
        }
        for name, values in drawn.items():
            object.__setattr__(self, name, values)

    @property
    def events(self) -> tuple[np.ndarray, np.ndarray]:
        """Input unit and time (s) of every input spike."""
        step, unit = np.nonzero(self.spikes)
        return unit, step * STEP


@dataclass(frozen=True)
class Case:
    """A circuit of one population, what it is shown by the name of each input, and the third factor of its rule."""

    circuit: nb.Circuit
    shown: dict[str, xr.DataArray]
    modulator: xr.DataArray | None = None


def spike_trains(spikes: np.ndarray) -> xr.DataArray:
    """Return spikes (time, unit) as one stimulus."""
    return ns.as_stimuli(spikes[None].astype(float), dims=("stimulus", "time", "unit"), time_step=STEP)


@dataclass(frozen=True)
class Ingredient:
    """One published ingredient.

    Parameters
    ----------
    name : of the ingredient. ours : (world) -> its Case. plain : (world) -> (times, neurons) of spikes, or weights.
    kind : "spikes", compared one by one; "weights", compared one by one; "statistics", numbers alone.
    is_stiff : whether both scripts agree at fine steps only, as where an upstroke is integrated.
    """

    name: str
    ours: Callable[[World], Case]
    plain: Callable[[World], object]
    kind: str = "spikes"
    is_stiff: bool = False


def lines_of(function: Callable[..., object]) -> int:
    """Return the number of lines of code that a function takes, without its head, its docstring and blank lines."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    is_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    rows = {row for node in body[int(is_text) :] for row in range(node.lineno, node.end_lineno + 1)}
    source = textwrap.dedent(inspect.getsource(function)).splitlines()
    return sum(bool(source[row - 1].strip()) for row in rows)


def agreement(found: object, asked: object, kind: str) -> float:
    """Return how well two scripts agree: the share of spikes with a partner, or 1 less the largest error of weights."""
    if kind == "weights":
        first, second = (np.asarray(w, dtype=float).ravel() for w in (found, asked))
        return float(1 - np.abs(first - second).max() / np.ptp(second))
    (t, i), (s, j) = found, asked  # type: ignore[misc]
    if kind == "statistics":
        return float(min(len(t), len(s)) / max(len(t), len(s), 1))
    paired = sum(_partners(t[i == n], s[j == n]) for n in range(N_CELLS))
    return float(2 * paired / max(len(t) + len(s), 1))


def difference(found: object, asked: object) -> float:
    """Return by how much two engines differ: spikes that only one sent, or weights over their range; 0 is equal."""
    if isinstance(found, tuple) and isinstance(asked, tuple):
        (t, i), (s, j) = found, asked
        return float(len(set(zip(t.tolist(), i.tolist(), strict=True)) ^ set(zip(s.tolist(), j.tolist(), strict=True))))
    first, second = np.asarray(found, dtype=float), np.asarray(asked, dtype=float)
    return float(np.abs(first - second).max() / np.ptp(second))


def _partners(first: np.ndarray, second: np.ndarray) -> int:
    """Return how many spikes of two trains can be paired one to one within WITHIN."""
    first, second = np.sort(first), np.sort(second)
    i = j = n = 0
    while i < len(first) and j < len(second):
        if abs(first[i] - second[j]) <= WITHIN + 1e-9:
            i, j, n = i + 1, j + 1, n + 1
        elif first[i] < second[j]:
            i += 1
        else:
            j += 1
    return n
