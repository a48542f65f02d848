"""Projections on tensors: the spikes that are on their way, and what they bring when they arrive."""

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
from neurosim.biophysics.torch_rules import RuledWire
from neurosim.schema import InputError

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor

DENSE_LIMIT = 2**24


class _Wire:
    """One projection: its weights apart by sign where the target keeps signs apart, and the spikes on their way."""

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
        lag = 0 if circuit.comes_before(projection.source, projection.target) else 1
        target = circuit.population(projection.target)
        self.sends = sent_by(circuit, projection)
        arrivals = (1,) if self.sends else (1, -1)
        names = dict.fromkeys(arrival_of(target, sign, projection.receptor) for sign in arrivals)
        self.parts: list[tuple[int, str, Weights]] = []
        for steps, late in projection.by_delay(circuit.dt):
            if weights is not None:
                own = weights if late is None else weights * torch.as_tensor(late, device=where, dtype=dtype)
                signed = [own] if len(names) == 1 else [own.clamp(min=0), own.clamp(max=0)]
            else:
                matrix = scipy.sparse.csr_array(projection.weights)
                matrix = matrix if late is None else scipy.sparse.csr_array(matrix.multiply(late))
                halves = [matrix] if len(names) == 1 else [matrix.maximum(0), matrix.minimum(0)]
                signed = [_matrix(torch, scipy.sparse.csr_array(part), where, dtype) for part in halves]
            self.parts += [(max(0, steps - lag), name, part) for name, part in zip(names, signed, strict=True)]
        longest = max((steps for steps, _, _ in self.parts), default=0)
        self.sent: deque[Tensor | None] = deque([None] * (longest + 1), longest + 1)

    def deliver(self, spikes: Tensor | None, arrived: dict[str, Tensor]) -> None:
        """Send `spikes` (None: there are none) on their way and add what arrives now to `arrived`."""
        self.sent.appendleft(spikes)
        for steps, name, weights in self.parts:
            now = self.sent[steps]
            if now is None or not (now.requires_grad or bool(now.any())):
                continue
            brought = self.product(now, weights)
            arrived[name] = arrived[name] + brought if name in arrived else brought

    def begin(self, k: int, membrane: Tensor | None) -> None:
        """Nothing happens at the begin of a step."""

    def follow(self, spikes: Tensor, membrane: Tensor) -> None:
        """Nothing happens after the step of the target."""

    def product(self, spikes: Tensor, weights: Weights) -> Tensor:
        """Return spikes (copy, source) times weights; where both are sparse, only spikes that are there cost time."""
        if scipy.sparse.issparse(weights) and spikes.requires_grad:
            weights = _turned(self.torch, weights, "cpu", spikes.dtype)
        if scipy.sparse.issparse(weights):
            sent = scipy.sparse.csr_array(spikes.numpy())
            dense: Tensor = self.torch.as_tensor((sent @ weights).toarray())
            return dense.to(spikes)
        arrived: Tensor = spikes @ weights if weights.layout == spikes.layout else (weights @ spikes.T).T
        return arrived


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

    def deliver(self, spikes: Tensor | None, arrived: dict[str, Tensor]) -> None:
        """Add weights times the variable to `arrived`, and the weights alone."""
        assert spikes is not None
        super().deliver(spikes, arrived)
        total = self.total.expand(len(spikes), -1)
        arrived[self.coupled] = arrived[self.coupled] + total if self.coupled in arrived else total


def wire_of(
    torch: ModuleType,
    circuit: Circuit,
    index: int,
    chunk: Chunk,
    weights: Tensor | None,
    where: str,
    dtype: torch.dtype,
) -> _Wire | RuledWire:
    """Return the projection `index` as it is simulated, with `weights` in place of its own where they are given."""
    projection = circuit.projections[index]
    if sent_by(circuit, projection):
        return _GradedWire(torch, circuit, projection, where, dtype)
    if not chunk.is_ruled(projection):
        return _Wire(torch, circuit, projection, weights, where, dtype)
    if weights is not None:
        raise InputError(
            f"retune: {projection.source}->{projection.target} has release, through which no gradient passes; take it "
            "away to retune."
        )
    return RuledWire(torch, circuit, index, chunk, where, dtype)


def _matrix(torch: ModuleType, weights: Weights, where: str, dtype: torch.dtype) -> Weights:
    """Return weights as a dense tensor (source, target); large sparse ones as they are, or on a GPU transposed."""
    if weights.shape[0] * weights.shape[1] <= DENSE_LIMIT or weights.nnz > 0.2 * weights.shape[0] * weights.shape[1]:
        return torch.as_tensor(weights.toarray(), device=where, dtype=dtype)
    if where == "cpu":
        return weights
    return _turned(torch, weights, where, dtype)


def _turned(torch: ModuleType, weights: Weights, where: str, dtype: torch.dtype) -> Weights:
    """Return sparse weights as a sparse tensor (target, source), through which gradients pass."""
    turned = scipy.sparse.csr_array(weights.T)
    parts = [torch.as_tensor(a) for a in (turned.indptr.astype(np.int64), turned.indices.astype(np.int64), turned.data)]
    return torch.sparse_csr_tensor(*parts, size=turned.shape, dtype=dtype, device=where)
