"""The search for gain and bias of every neuron of a population: all candidates at once, as copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neurosim.biophysics import torch_engine
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.matching import Match, choose_deciding
from neurosim.biophysics.torch_engine import Tensors
from neurosim.runtime import pick_device

if TYPE_CHECKING:
    from neurosim.biophysics.torch_engine import Tensor

COARSE_GAINS, COARSE_BIASES = np.geomspace(0.2, 51.2, 9), np.linspace(-1.1, 1.3, 7)
FINE = ((2**0.5, 0.2), (2**0.25, 0.1), (2**0.125, 0.05))  # factor of the gain, step of the bias (rheobases)
COARSE, FINER = (50, 3200), (100, 6400)  # stimuli at least, and neurons of all stimuli where these are more stimuli
AT_ONCE = 2**17  # neurons of all copies


class LayerSearch:
    """The search for gain and bias of every neuron of one population.

    Neurons of one population do not hear each other in it: what they send to themselves is replayed, as everything that
    arrives. So one run of a candidate is a run of it in every neuron, and each neuron takes its own best.

    Parameters
    ----------
    circuit, name : where, and which population. unit : rheobase of every neuron, A.
    chunk, replayed : what is shown, and the spikes of the populations that send to this one.
    wanted : trained counts (stimulus, neuron). match : what is matched.
    decides : whether the most active neuron of this population names the category.
    """

    def __init__(
        self,
        circuit: Circuit,
        name: str,
        unit: np.ndarray,
        chunk: Chunk,
        replayed: Mapping[str, Tensor],
        wanted: np.ndarray,
        match: Match,
        device: str,
        *,
        decides: bool,
    ) -> None:
        self.population, self.unit, self.chunk, self.wanted = circuit.population(name), unit, chunk, wanted
        self.match, self.device, self.decides = match, device, decides
        self.brought = torch_engine.arrivals(circuit, name, chunk, replayed, device=device, single=True)
        self.circuit = replace(circuit, populations=(self.population,), projections=(), readout=None)

    def search(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return gain and bias (A) of every neuron, and the counts (stimulus, neuron) without them and with them."""
        none = np.ones((1, self.population.size))
        before: np.ndarray = self.counts(none, 0 * none, self.chunk.n_copies)[0]
        if (before == self.wanted).all():
            return none[0], 0 * none[0], before, before
        gains, biases = (a.reshape(-1, 1) * none for a in np.meshgrid(COARSE_GAINS, COARSE_BIASES, indexing="ij"))
        best = self.best(np.vstack([none, gains]), np.vstack([0 * none, biases]), COARSE)
        for factor, step in FINE:
            factors, steps = np.meshgrid([1.0, 1 / factor, factor], [0.0, -step, step], indexing="ij")
            best = self.best(best[0] * factors.reshape(-1, 1), best[1] + steps.reshape(-1, 1), FINER)
        after: np.ndarray = self.counts(best[0][None], best[1][None], self.chunk.n_copies)[0]
        return best[0], best[1] * self.unit, before, after

    def best(self, gains: np.ndarray, biases: np.ndarray, extent: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return gain and bias (rheobases) of the best of the candidates (candidate, neuron); the first wins a tie."""
        least, neurons = extent
        found = self.counts(gains, biases, min(max(least, neurons // self.population.size), self.chunk.n_copies))
        wanted = self.wanted[: found.shape[1]]
        chosen = self.match.cost(found, wanted).argmin(0)
        if self.decides:
            chosen = choose_deciding(found, wanted, chosen)
        each = np.arange(self.population.size)
        return gains[chosen, each], biases[chosen, each]

    def counts(self, gains: np.ndarray, biases: np.ndarray, n: int) -> np.ndarray:
        """Return the counts (candidate, stimulus, neuron) of candidates, to the first `n` stimuli."""
        at_once = max(1, AT_ONCE // (n * self.population.size))
        starts = range(0, len(gains), at_once)
        parts = [self._counted(gains[i : i + at_once], biases[i : i + at_once], n) for i in starts]
        return np.concatenate(parts)

    def _counted(self, gains: np.ndarray, biases: np.ndarray, n: int) -> np.ndarray:
        torch, name = torch_engine.import_torch(), self.population.name
        where = pick_device(self.device)

        def rows(values: np.ndarray) -> Tensor:
            made: Tensor = torch.as_tensor(np.repeat(values, n, axis=0), device=where, dtype=torch.float32)
            return made

        external = {k: v[:n] for k, v in self.chunk.external.items() if k == name}
        drawn = {k: replace(v, copies=v.copies[:n]) for k, v in self.chunk.noise.items() if k == name}
        noise = {k: v.repeated(len(gains)) for k, v in drawn.items()}
        chunk = Chunk(n * len(gains), self.chunk.n_steps, {}, external, noise)
        brought: Sequence[dict[str, Tensor]] = [{k: v[:n] for k, v in step.items()} for step in self.brought]
        drive = gains * self.population.drive + biases * self.unit
        tensors = Tensors(drive={name: rows(drive)}, gain={name: rows(gains)})
        total = torch.zeros(n * len(gains), self.population.size, device=where)
        with torch.no_grad():
            for fired, _ in torch_engine.march(
                self.circuit, chunk, device=self.device, single=True, tensors=tensors, brought={name: brought}
            ):
                total += fired[name]
        return np.asarray(total.cpu().numpy(), dtype=float).reshape(len(gains), n, -1)
