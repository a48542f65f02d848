"""Populations that died, and such that fire as often as they can: said once, when a simulation ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Run
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import Shown

PERIODS = 10  # refractory periods in which a population is counted
SATURATED = 0.9  # of the spikes that refractory periods allow
log = logging.getLogger(__name__)


class Extremes:
    """What is seen of the populations of a circuit, one chunk after the other.

    Parameters
    ----------
    circuit, shown : what is simulated, and with what.
    recorded : populations of which variables are recorded: whoever does that asks for what is below threshold.
    """

    def __init__(self, circuit: Circuit, shown: Shown, recorded: set[str]) -> None:
        self.circuit, self.shown, self.recorded = circuit, shown, recorded
        self.first = _first_of_inputs(circuit, shown)
        self.saturated: dict[str, tuple[tuple[int, int], float, float]] = {}

    def see(self, run: Run, copies: Sequence[tuple[int, int]]) -> None:
        """Take in what came out of a chunk, whose copies are (stimulus, trial)."""
        for p in self.circuit.populations:
            steps = run.events[p.name].step
            if len(steps):
                begun = int(steps[0]) * self.circuit.dt
                self.first[p.name] = min(begun, self.first.get(p.name, begun))
            where = None if p.name in self.saturated else _saturated(self.circuit, p, run, copies)
            if where is not None:
                self.saturated[p.name] = where

    def tell(self) -> None:
        """Log a warning for every population that spikes reached and that never fired, and for every saturated one."""
        for p in self.circuit.populations:
            sources = [q.source for q in self.circuit.into(p.name) if q.source in self.first and (q.values > 0).any()]
            if p.sends_spikes and p.name not in self.first and sources and p.name not in self.recorded:
                source = min(sources, key=lambda name: self.first[name])
                log.warning(
                    "simulate: no neuron of %r of %s fired, although %r, which projects to it, sent spikes from %g s "
                    "on; raise its weights or drive, or calibrate.",
                    p.name, self.circuit.name, source, self.first[source],
                )  # fmt: skip
            if p.name in self.saturated:
                (stimulus, trial), since, share = self.saturated[p.name]
                log.warning(
                    "simulate: %r of %s is saturated from %g s of stimulus %r, trial %d, on: %.0f %% of the spikes "
                    "that its refractory period allows; weaken its drive or recurrent weights.",
                    p.name, self.circuit.name, since, self.shown.ids[stimulus], trial, 100 * share,
                )  # fmt: skip


def _first_of_inputs(circuit: Circuit, shown: Shown) -> dict[str, float]:
    """Return when each input that spikes sent its first spike, s, where it sent one."""
    first = {}
    for i in circuit.all_inputs:
        if i.kind != "current" and shown.values[i.name].any():
            values = shown.values[i.name]
            first[i.name] = float(np.nonzero(values)[1].min() * circuit.step) if values.ndim == 3 else 0.0
    return first


def _saturated(
    circuit: Circuit, p: Population, run: Run, copies: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], float, float] | None:
    """Return the first copy, time and share of possible spikes in which a population was saturated; None is nowhere."""
    if p.is_discrete or "refractory" not in p.numbers or not p.number("refractory").all():
        return None
    apart = np.rint(p.number("refractory") / circuit.dt) + 1
    window = int(PERIODS * apart.max())
    possible = float((window / apart).sum())
    spikes = run.events[p.name]
    n_windows = int(spikes.step.max(initial=0)) // window + 1
    counts = np.bincount(spikes.copy * n_windows + spikes.step // window, minlength=len(copies) * n_windows)
    share = counts.reshape(-1, n_windows)[: len(copies)] / possible
    full = np.argwhere(share >= SATURATED)
    if not len(full):
        return None
    copy, at = full[0].tolist()
    return copies[copy], at * window * circuit.dt, min(float(share[copy, at]), 1.0)
