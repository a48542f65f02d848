"""Projections on tensors: the spikes that are on their way, and what they bring when they arrive.

On the processor only spikes that are there cost time: each adds the weights of its synapses, in the order in which
Brian2 adds them. Where a gradient passes, on a GPU, and where most pairs are joined, all weights are multiplied.
"""

from __future__ import annotations

from collections import deque
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import scipy.sparse

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, arrival_of, sent_by
from neurosim.biophysics.models import named
from neurosim.biophysics.projections import Projection, Weights
from neurosim.biophysics.torch_events import Sent, Sums, Synapses
from neurosim.biophysics.torch_rules import RuledWire
from neurosim.schema import InputError

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor
    Wire: TypeAlias = "_Wire | _EventWire | _RingWire | RuledWire"

DENSE_LIMIT = 2**24  # pairs that are multiplied out on a GPU, however few are joined
FEW_PAIRS = 2**12  # the same on the processor
SPARSE = 0.2  # share of joined pairs up to which a list of synapses is quicker


class _Wire:
    """One projection as tensors: its weights apart by delay, and by sign where the target keeps signs apart."""

    def __init__(
        self,
        torch: ModuleType,
        circuit: Circuit,
        projection: Projection,
        weights: Tensor | None,
        where: str,
        dtype: torch.dtype,
    ) -> None:
        self.torch, self.source, self.target = torch, projection.source, projection.target
        self.sends = sent_by(circuit, projection)
        names = _arrivals(circuit, projection)
        self.parts: list[tuple[int, str, Tensor]] = []
        for steps, late in projection.by_delay(circuit.dt):
            if weights is not None:
                among = late.data if late is not None and weights.ndim == 1 else late
                own = weights if among is None else weights * _whole(torch, among, where, dtype)
                signed = [own] if len(names) == 1 else [own.clamp(min=0), own.clamp(max=0)]
                if weights.ndim == 1:
                    signed = [_placed(torch, projection.weights, values) for values in signed]
            else:
                matrix = scipy.sparse.csr_array(projection.weights)
                matrix = matrix if late is None else scipy.sparse.csr_array(matrix.multiply(late))
                halves = [matrix] if len(names) == 1 else [matrix.maximum(0), matrix.minimum(0)]
                signed = [_matrix(torch, scipy.sparse.csr_array(part), where, dtype) for part in halves]
            self.parts += [
                (max(0, steps - _lag(circuit, projection)), name, part)
                for name, part in zip(names, signed, strict=True)
            ]
        longest = max((steps for steps, _, _ in self.parts), default=0)
        self.sent: deque[Sent | None] = deque([None] * (longest + 1), longest + 1)

    def deliver(self, sent: Sent | None, arrived: dict[str, Tensor]) -> None:
        """Send spikes (None: there are none) on their way and add what arrives now to `arrived`."""
        self.sent.appendleft(sent)
        for steps, name, weights in self.parts:
            now = self.sent[steps]
            if now is None or not (now.spikes.requires_grad or bool(now.spikes.any())):
                continue
            dense = weights.layout == now.spikes.layout
            brought = now.spikes @ weights if dense else self.torch.sparse.mm(weights, now.spikes.T).T
            arrived[name] = arrived[name] + brought if name in arrived else brought


class _GradedWire(_Wire):
    """One projection that passes a variable of its source on at every step."""

    def __init__(
        self, torch: ModuleType, circuit: Circuit, projection: Projection, where: str, dtype: torch.dtype
    ) -> None:
        super().__init__(torch, circuit, projection, None, where, dtype)
        model = circuit.population(projection.target).receptor_models[projection.receptor]
        self.coupled = named(projection.receptor, model.arrivals[1])
        total = np.asarray(projection.weights.sum(axis=0)).ravel()
        self.total: Tensor = torch.as_tensor(total, device=where, dtype=dtype)

    def deliver(self, sent: Sent | None, arrived: dict[str, Tensor]) -> None:
        """Add weights times the variable to `arrived`, and the weights alone."""
        assert sent is not None
        super().deliver(sent, arrived)
        total = self.total.expand(len(sent.spikes), -1)
        arrived[self.coupled] = arrived[self.coupled] + total if self.coupled in arrived else total


class _EventWire:
    """One projection with one delay, of which each spike adds the weights of its own synapses when it is due."""

    sends = ""

    def __init__(self, circuit: Circuit, projection: Projection, sums: Sums) -> None:
        self.source, self.target, self.sums = projection.source, projection.target, sums
        matrix = scipy.sparse.csr_array(projection.weights)
        self.parts = [
            (name, Synapses(part, sums.kind)) for name, part, _ in _apart(matrix, _arrivals(circuit, projection))
        ]
        steps = max(0, round(float(projection.delay) / circuit.dt) - _lag(circuit, projection))
        self.sent: deque[Sent | None] = deque([None] * (steps + 1), steps + 1)

    def deliver(self, sent: Sent | None, arrived: dict[str, Tensor]) -> None:
        """Send spikes (None: there are none) on their way and add what arrives now to `arrived`."""
        self.sent.appendleft(sent)
        now = self.sent[-1]
        if now is None or not len(now.fired.source):
            return
        for name, synapses in self.parts:
            total = self.sums.of(name, arrived)
            for targets, weights, _ in synapses.reached(now.fired):
                np.add.at(total, targets, weights)


class _RingWire:
    """One projection with delays of its synapses: each spike adds to the sums of steps to come, kept in a ring."""

    sends = ""

    def __init__(self, circuit: Circuit, projection: Projection, sums: Sums) -> None:
        self.source, self.target, self.sums = projection.source, projection.target, sums
        matrix, delay = scipy.sparse.csr_array(projection.weights), scipy.sparse.csr_array(projection.delay)
        if not scipy.sparse.issparse(projection.weights):  # of the dense delays those that are of synapses
            rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
            delay = scipy.sparse.csr_array((projection.delay[rows, matrix.indices], matrix.indices, matrix.indptr))
        late = np.maximum(0, np.rint(delay.data / circuit.dt).astype(np.int32) - _lag(circuit, projection))
        parts = _apart(matrix, _arrivals(circuit, projection))
        self.parts = [(name, Synapses(part, sums.kind, late[chosen])) for name, part, chosen in parts]
        n_steps = int(late.max(initial=0)) + 1
        self.rings = {name: np.zeros((n_steps, sums.shape[0] * sums.shape[1]), sums.kind) for name, _ in self.parts}
        self.place, self.n_steps = 0, n_steps

    def deliver(self, sent: Sent | None, arrived: dict[str, Tensor]) -> None:
        """Send spikes (None: there are none) on their way and add what arrives now to `arrived`."""
        for name, synapses in self.parts:
            ring = self.rings[name]
            for targets, weights, late in synapses.reached(sent.fired) if sent is not None else ():
                np.add.at(ring.reshape(-1), (self.place + late) % self.n_steps * ring.shape[1] + targets, weights)
            if ring[self.place].any():
                total = self.sums.of(name, arrived)
                total += ring[self.place]
                ring[self.place] = 0.0
        self.place = (self.place + 1) % self.n_steps


def wire_of(
    torch: ModuleType,
    circuit: Circuit,
    index: int,
    chunk: Chunk,
    weights: Tensor | None,
    where: str,
    dtype: torch.dtype,
    *,
    has_gradient: bool = False,
) -> Wire:
    """Return the projection `index` as it is simulated, with `weights` in place of its own where they are given."""
    projection = circuit.projections[index]
    if sent_by(circuit, projection):
        return _GradedWire(torch, circuit, projection, where, dtype)
    if not chunk.is_ruled(projection):
        joined = np.count_nonzero(projection.values) / np.prod(projection.weights.shape)
        if where != "cpu" or has_gradient or weights is not None or (circuit.is_discrete and joined > SPARSE):
            return _Wire(torch, circuit, projection, weights, where, dtype)
        sums = Sums(torch, (chunk.n_copies, circuit.sizes[projection.target]), dtype)
        return (_RingWire if np.ndim(projection.delay) else _EventWire)(circuit, projection, sums)
    if weights is not None:
        raise InputError(
            f"retune: {projection.source}->{projection.target} has release, through which no gradient passes; take it "
            "away to retune."
        )
    return RuledWire(torch, circuit, index, chunk, where, dtype)


def _lag(circuit: Circuit, projection: Projection) -> int:
    """Return the steps that pass before spikes without delay arrive."""
    return 0 if circuit.comes_before(projection.source, projection.target) else 1


def _arrivals(circuit: Circuit, projection: Projection) -> list[str]:
    """Return the variable in which weights arrive, or those of weights above and below 0."""
    target = circuit.population(projection.target)
    signs = (1,) if sent_by(circuit, projection) else (1, -1)
    return list(dict.fromkeys(arrival_of(target, sign, projection.receptor) for sign in signs))


def _apart(
    matrix: scipy.sparse.csr_array, names: list[str]
) -> list[tuple[str, scipy.sparse.csr_array, np.ndarray | slice]]:
    """Return weights by the variable in which they arrive, and which of all they are; where all are one, themselves."""
    signs = {names[0]: matrix.data > 0, names[-1]: matrix.data < 0} if len(names) > 1 else {}
    if any(chosen.all() for chosen in signs.values()) or len(names) == 1:
        return [(next((n for n, chosen in signs.items() if chosen.all()), names[0]), matrix, slice(None))]
    found: list[tuple[str, scipy.sparse.csr_array, np.ndarray | slice]] = []
    for name, chosen in signs.items():
        first = np.concatenate([[0], np.cumsum(chosen)])[matrix.indptr]
        part = scipy.sparse.csr_array((matrix.data[chosen], matrix.indices[chosen], first), shape=matrix.shape)
        found.append((name, part, chosen))
    return found


def _matrix(torch: ModuleType, weights: Weights, where: str, dtype: torch.dtype) -> Tensor:
    """Return weights as a dense tensor (source, target), or as a sparse one (target, source) of few of many pairs."""
    n_pairs = weights.shape[0] * weights.shape[1]
    if n_pairs <= (FEW_PAIRS if where == "cpu" else DENSE_LIMIT) or weights.nnz > SPARSE * n_pairs:
        return _whole(torch, weights, where, dtype)
    turned = scipy.sparse.csr_array(weights.T)
    parts = [torch.as_tensor(a) for a in (turned.indptr.astype(np.int64), turned.indices.astype(np.int64), turned.data)]
    sparse: Tensor = torch.sparse_csr_tensor(*parts, size=turned.shape, dtype=dtype, device=where)
    return sparse


def _whole(torch: ModuleType, weights: Weights, where: str, dtype: torch.dtype) -> Tensor:
    """Return dense or sparse weights as a dense tensor (source, target)."""
    dense = weights.toarray() if scipy.sparse.issparse(weights) else weights
    made: Tensor = torch.as_tensor(dense, device=where, dtype=dtype)
    return made


def _placed(torch: ModuleType, weights: Weights, values: Tensor) -> Tensor:
    """Return `values` in the places of sparse weights, as a sparse tensor (target, source) that passes gradients on."""
    places = scipy.sparse.coo_array(weights).coords
    index = torch.as_tensor(np.stack(places[::-1]).astype(np.int64), device=values.device)
    placed: Tensor = torch.sparse_coo_tensor(index, values, weights.shape[::-1], check_invariants=False)
    return placed
