"""The numbers of a circuit that retuning learns, and the circuit that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse

from neurosim.biophysics import torch_engine
from neurosim.biophysics.calibration import rheobase
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.torch_engine import Tensors
from neurosim.schema import InputError

if TYPE_CHECKING:
    from neurosim.biophysics.torch_engine import Tensor

THRESHOLD_UNIT = 2e-3  # V
SURROGATE_WIDTH = 6e-3  # V


class LearnedNumbers:
    """The numbers of a circuit that are learned, each near 0 at the start, and the circuit that they make."""

    def __init__(self, torch: ModuleType, circuit: Circuit, tune: Sequence[str], where: str) -> None:
        self.torch, self.original, self.where = torch, circuit, where
        self.parts: dict[tuple[str, str], Tensor] = {}
        for p in circuit.populations:
            for what in ("gain", "bias", "threshold"):
                if what in tune:
                    self.parts[p.name, what] = torch.zeros(p.size, device=where, requires_grad=True)
        self.weights: dict[int, Tensor] = {}
        if "weights" in tune:
            for i, q in enumerate(circuit.projections):
                if not circuit.is_graded(q):
                    shape = q.weights.shape if isinstance(q.weights, np.ndarray) else q.values.shape
                    self.weights[i] = torch.zeros(shape, device=where, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        """Return all tensors that are learned."""
        return [*self.parts.values(), *self.weights.values()]

    def copied(self) -> list[Tensor]:
        """Return the values of all tensors that are learned, as they are now."""
        return [parameter.detach().clone() for parameter in self.parameters()]

    def put_back(self, values: list[Tensor]) -> None:
        """Give all tensors that are learned the values that :meth:`copied` returned."""
        for parameter, value in zip(self.parameters(), values, strict=True):
            parameter.data.copy_(value)

    def drop_infinite_gradients(self) -> None:
        """Set the gradient of a neuron to 0 where it is not finite, as stiff membranes can make it."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                self.torch.nan_to_num_(parameter.grad, nan=0.0, posinf=0.0, neginf=0.0)

    def counts(self, chunk: Chunk, n_steps: int | None = None) -> dict[str, Tensor]:
        """Return the spike counts (copy, neuron) of every population, in all or the first `n_steps` steps."""
        total: dict[str, Tensor] = {}
        steps = torch_engine.march(self.original, chunk, device=self.where, single=True, tensors=self.tensors())
        for spikes, _ in islice(steps, n_steps):
            total = {name: total[name] + fired if total else fired for name, fired in spikes.items()}
        return total

    def distance(self, counts: dict[str, Tensor], wanted: dict[str, np.ndarray], batch: np.ndarray) -> Tensor:
        """Return the mean squared error of the counts over their variance, a mean over populations."""
        errors = [
            ((found - self._tensor(wanted[name][batch])) ** 2).mean() / max(float(wanted[name].var()), 1e-6)
            for name, found in counts.items()
        ]
        return sum(errors[1:], errors[0]) / len(errors)

    def logits(self, counts: dict[str, Tensor], n_time: int) -> Tensor:
        """Return logits (copy, category): spike counts of the last population, or the readout of their mean."""
        readout = self.original.readout
        total = counts[readout.source if readout else self.original.populations[-1].name]
        if readout is None:
            return total
        weights = scipy.sparse.csr_array(readout.weights).toarray()
        tensor = self.torch.as_tensor(weights, device=self.where, dtype=self.torch.float32)
        bias = self.torch.as_tensor(readout.bias, device=self.where, dtype=self.torch.float32)
        found: Tensor = ((total / n_time) @ tensor + bias) * np.sqrt(n_time)
        return found

    def tensors(self) -> Tensors:
        """Return what the learned numbers make of the circuit."""
        gain, drive, constants, surrogate = {}, {}, {}, {}
        for p in self.original.populations:
            factor = self.parts[p.name, "gain"].exp() if (p.name, "gain") in self.parts else None
            if factor is not None:
                gain[p.name] = factor
            drive[p.name] = self._tensor(p.drive) * (1.0 if factor is None else factor)
            if (p.name, "bias") in self.parts:
                drive[p.name] = drive[p.name] + self.parts[p.name, "bias"] * self._tensor(rheobase(p))
            if (p.name, "threshold") in self.parts:
                name, value = threshold_of(p)
                constants[p.name, name] = self._tensor(value) + self.parts[p.name, "threshold"] * THRESHOLD_UNIT
            surrogate[p.name] = SURROGATE_WIDTH
        return Tensors(self._weights(), drive, constants, gain, surrogate)

    def circuit(self) -> Circuit:
        """Return the circuit with the learned numbers in their places."""
        circuit, tensors = self.original, self.tensors()
        factors = {name: _numpy(value) for name, value in tensors.gain.items()}
        projections = []
        for i, q in enumerate(circuit.projections):
            learned = _with_values(q, _numpy(tensors.weights[i])) if i in tensors.weights else q
            projections.append(learned.times(factors[q.target]) if q.target in factors else learned)
        circuit = replace(circuit, projections=tuple(projections))
        for p in circuit.populations:
            varying = dict(p.varying)
            varying |= {n: _numpy(v) for (owner, n), v in tensors.constants.items() if owner == p.name}
            circuit = circuit.with_population(p.name, drive=_numpy(tensors.drive[p.name]), varying=varying)
        return circuit

    def _weights(self) -> dict[int, Tensor]:
        """Return learned weights; a synapse that does not exist stays away, one that exists may change its sign."""
        found = {}
        for i, change in self.weights.items():
            q = self.original.projections[i]
            own = q.weights if isinstance(q.weights, np.ndarray) else q.values
            unit = np.abs(own[own != 0]).mean() if own.any() else 0.0
            found[i] = self._tensor(own) + change * self._tensor((own != 0) * unit)
        return found

    def _tensor(self, values: npt.ArrayLike) -> Tensor:
        made: Tensor = self.torch.as_tensor(np.array(values), device=self.where, dtype=self.torch.float32)
        return made


def _with_values(projection: Projection, values: np.ndarray) -> Projection:
    """Return the projection with other weights in the places of its own: a matrix, or those of sparse weights."""
    kept = projection.weights
    if not isinstance(kept, np.ndarray):
        values = scipy.sparse.csr_array((values, kept.indices, kept.indptr), shape=kept.shape)
    return replace(projection, weights=values)


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.array(tensor.detach().cpu().numpy(), dtype=float)


def threshold_of(population: Population) -> tuple[str, np.ndarray]:
    """Return the name of the number that sets the threshold of a neuron, and its value for each neuron, V."""
    name = population.model.threshold
    if not name:
        raise InputError(f"retune: the neuron {population.model.name!r} does not say which number is its threshold.")
    return name, population.number(name)
