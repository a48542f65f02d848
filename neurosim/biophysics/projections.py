"""Synapses from one population, or an input, to another: weights, delays, receptor, release and plasticity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.plain_numbers import convert, matrix, number, scaled
from neurosim.biophysics.rules import plasticity_of, release_of
from neurosim.parameters import Parameters
from neurosim.refusals import InputError
from neurosim.units import plain_field

Weights: TypeAlias = Any  # a dense numpy array or a scipy.sparse.csr_array


@by_value
@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population (or an input, such as ``"input"``) to another.

    Parameters
    ----------
    source, target : names of populations, or of an input as the source.
    weights : (source, target), dense or scipy sparse; 0 is no synapse. Threshold units (discrete neurons), V (delta),
        A (exponential) or S (conductance, where the sign says excitatory or inhibitory).
    delay : s, one number, or one a synapse: (source, target), dense or, in the places of sparse weights, sparse.
        Without delay a spike arrives in the same step, or in the next one where the target comes first.
    receptor : name of the receptor of the target at which spikes arrive, where it has several.
    release : how much of its weight a spike brings: a record of a registered release, such as depressing synapses.
    plasticity : how weights change in :func:`learn`: a record of a registered rule; :func:`simulate` keeps them. The
        units of a Poisson input that has a projection with release or plasticity send at most one spike a step.

    Raises
    ------
    InputError : weights that are no matrix of real numbers, delays of another shape or not finite, records of no
        registered release or rule, weights outside the bounds of their rule.

    Examples
    --------
    >>> wire = ns.biophysics.Projection("input", "cells", [[1e-9, 0.0], [2e-9, -1e-9]], delay=1e-3)
    >>> [part.tolist() for part in wire.synapses()]
    [[0, 1, 1], [0, 0, 1], [1e-09, 2e-09, -1e-09]]
    """

    source: str
    target: str
    weights: Weights
    delay: Any = 0.0
    receptor: str = ""
    release: Parameters | None = None
    plasticity: Parameters | None = None

    def __post_init__(self) -> None:
        who = f"Projection {self.source}->{self.target}"
        object.__setattr__(self, "weights", matrix(plain_field(self, "weights", who), f"{who}: weights"))
        self._check_rules(who)
        if np.ndim(plain_field(self, "delay", who)) == 0:
            convert(self, who, delay=number)
        else:
            object.__setattr__(self, "delay", self._delay_matrix(who))
        if not isinstance(self.receptor, str):
            raise InputError(f"{who}: the receptor is a name, found {type(self.receptor).__name__}.")

    def _check_rules(self, who: str) -> None:
        """Raise for records of no registered rule; a plastic synapse is there although its weight may be 0."""
        for name, find in (("release", release_of), ("plasticity", plasticity_of)):
            given = getattr(self, name)
            if given is not None and find(given) is None:
                raise InputError(f"{who}: {name} is a record of a registered {name}, found {type(given).__name__}.")
        if self.plasticity is None or self.weights.ndim != 2:
            return
        object.__setattr__(self, "weights", scipy.sparse.csr_array(self.weights))
        low, high = self.plasticity.w_min, self.plasticity.w_max  # type: ignore[attr-defined]
        outside = (self.values < low) | (self.values > high)
        if outside.any():
            raise InputError(
                f"{who}: {int(outside.sum())} weights, such as {self.values[outside][0]:g}, are outside the bounds "
                f"{low:g} to {high:g} of their plasticity."
            )

    @property
    def is_there(self) -> np.ndarray:
        """Which of the `values` are synapses: those that are not 0, and all stored ones of a plastic projection."""
        return np.ones(len(self.values), bool) if self.plasticity is not None else self.values != 0

    def _delay_matrix(self, who: str) -> Any:
        """Return delays in the places of the weights: dense, or as a csr_array of the very same structure."""
        delay = matrix(self.delay, f"{who}: delays")
        if not np.isfinite(delay.data if scipy.sparse.issparse(delay) else delay).all():
            raise InputError(f"{who}: delays hold what is not finite.")
        if delay.shape != self.weights.shape:
            raise InputError(
                f"{who}: one delay (s), or one a synapse with the shape {self.weights.shape} of the weights, asked; "
                f"found {delay.shape}."
            )
        if not scipy.sparse.issparse(self.weights):
            return delay if isinstance(delay, np.ndarray) else delay.toarray()
        row, column = _places(self.weights)
        values = np.asarray(delay[row, column]).ravel() if len(row) else np.zeros(0)
        return scipy.sparse.csr_array((values, self.weights.indices, self.weights.indptr), shape=self.weights.shape)

    @property
    def values(self) -> np.ndarray:
        """The weights of the synapses that exist, flat."""
        return self.weights.data if scipy.sparse.issparse(self.weights) else np.asarray(self.weights).ravel()

    def synapses(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return source neuron, target neuron and weight of every synapse."""
        matrix = scipy.sparse.coo_array(self.weights)
        is_there = self.is_there if scipy.sparse.issparse(self.weights) else matrix.data != 0
        kept = slice(None) if is_there.all() else is_there
        return matrix.row[kept].astype(np.int64), matrix.col[kept].astype(np.int64), matrix.data[kept]

    def delays(self) -> np.ndarray:
        """Return the delay of every synapse, s, in the order of :meth:`synapses`."""
        if np.ndim(self.delay) == 0:
            return np.full(np.count_nonzero(self.is_there), float(self.delay))
        given = self.delay.data if scipy.sparse.issparse(self.delay) else self.delay.ravel()
        kept: np.ndarray = np.asarray(given)[self.is_there]
        return kept

    def by_delay(self, dt: float) -> list[tuple[int, Weights | None]]:
        """Return each delay in steps of `dt` and where it is (1, else 0); None is everywhere."""
        steps = np.rint(np.unique(self.delays()) / dt).astype(int)
        if len(steps) < 2:
            return [(int(steps[0]) if len(steps) else 0, None)]
        if not scipy.sparse.issparse(self.delay):
            own = np.rint(self.delay / dt)
            return [(int(k), (own == k).astype(float)) for k in np.unique(steps)]
        found = []
        for k in np.unique(steps):
            chosen = (np.rint(self.delay.data / dt) == k).astype(float)
            places = (chosen, self.delay.indices, self.delay.indptr)
            found.append((int(k), scipy.sparse.csr_array(places, shape=self.delay.shape)))
        return found

    def onto(self, chosen: np.ndarray) -> Projection:
        """Return the synapses onto the `chosen` neurons of the target."""
        delay = self.delay if np.isscalar(self.delay) else self.delay[:, chosen]
        return replace(self, weights=self.weights[:, chosen], delay=delay)

    def repeated(self, times: int) -> Projection:
        """Return the projection of `times` copies of its source, one after another."""
        stacked = [
            scipy.sparse.vstack([scipy.sparse.csr_array(m)] * times) for m in (self.weights, self.delay) if np.ndim(m)
        ]
        return replace(self, weights=stacked[0], delay=stacked[1] if len(stacked) > 1 else self.delay)

    def later(self, seconds: float) -> Projection:
        """Return the projection with every delay longer by `seconds`."""
        if not scipy.sparse.issparse(self.delay):
            return replace(self, delay=self.delay + seconds)
        places = (self.delay.data + seconds, self.delay.indices, self.delay.indptr)
        return replace(self, delay=scipy.sparse.csr_array(places, shape=self.delay.shape))

    @property
    def rules_text(self) -> str:
        """Release and plasticity as a few words; "" where there are none."""
        found = (release_of(self.release), plasticity_of(self.plasticity))
        return "".join(f", {model.name}" for model in found if model is not None)

    @property
    def delay_text(self) -> str:
        """The delays as a few words; "" where there are none."""
        delays = np.unique(self.delays())
        if not delays.any():
            return ""
        return f", delay {delays[0]:g} s" if len(delays) == 1 else f", delays {delays[0]:g} to {delays[-1]:g} s"

    def times(self, factor: np.ndarray) -> Projection:
        """Return the projection with the weights onto each target neuron multiplied by its `factor`."""
        return replace(self, weights=scaled(self.weights, factor))

    def relayed(self, factor: np.ndarray) -> Projection:
        """Return the projection with the weights of each source neuron multiplied by its `factor`."""
        return replace(self, weights=scaled(self.weights.T, factor).T)

    def map(self, function: Any) -> Projection:
        """Return the projection with `function` applied to its weights; it must leave 0 at 0."""
        if scipy.sparse.issparse(self.weights):
            changed = self.weights.copy()
            changed.data = function(changed.data)
            return replace(self, weights=changed)
        return replace(self, weights=function(self.weights))


def names_of(projections: Sequence[Projection]) -> dict[int, str]:
    """Return the name of each projection with release or plasticity, by its index.

    It is source, target and receptor, numbered where several have the same.
    """
    names = {
        i: f"{q.source}->{q.target}" + (f" ({q.receptor})" if q.receptor else "")
        for i, q in enumerate(projections)
        if q.release is not None or q.plasticity is not None
    }
    same = {name: [i for i in names if names[i] == name] for name in names.values()}
    return {i: name if len(same[name]) == 1 else f"{name} {same[name].index(i)}" for i, name in names.items()}


def _places(weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Return source and target of every entry of a csr_array, in the order of its data."""
    return np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr)), weights.indices
