"""Release and plasticity on tensors: a projection as a list of synapses, of which those that a spike reaches act."""

from __future__ import annotations

from collections import deque
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, arrival_of
from neurosim.biophysics.formulas import State, TensorFunctions
from neurosim.biophysics.ruled import Ruled
from neurosim.biophysics.torch_events import Sent

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor


class RuledWire:
    """One projection with release or plasticity: its synapses by delay, and the traces of its target."""

    sends = ""

    def __init__(
        self, torch: ModuleType, circuit: Circuit, index: int, chunk: Chunk, where: str, dtype: torch.dtype
    ) -> None:
        projection = circuit.projections[index]
        self.torch, self.index, self.chunk = torch, index, chunk
        self.source, self.target = projection.source, projection.target
        self.ruled = Ruled(circuit, projection, chunk.learns)
        self.learns = self.ruled.plasticity is not None
        self.functions = TensorFunctions(torch)
        words = {k: v for k, v in self.ruled.constants.items() if isinstance(v, str | bool)}
        numbers = {k: v for k, v in self.ruled.constants.items() if k not in words}
        self.constants = words | {k: torch.as_tensor(float(v), device=where, dtype=dtype) for k, v in numbers.items()}
        self.where, self.dtype = where, dtype
        self.traces = self._state(self.ruled.target_state, circuit.sizes[self.target])
        self.modulator = torch.zeros((), device=where, dtype=dtype)
        self.kept: list[np.ndarray] = []
        self._lay(circuit)

    def _lay(self, circuit: Circuit) -> None:
        """Lay the synapses out by delay, each part with the variables of its source neurons."""
        projection, torch = circuit.projections[self.index], self.torch
        source, post, weight = projection.synapses()
        target = circuit.population(self.target)
        lag = 0 if circuit.comes_before(self.source, self.target) else 1
        steps = np.maximum(0, np.rint(projection.delays() / circuit.dt) - lag).astype(int)
        names = np.array([arrival_of(target, sign, projection.receptor) for sign in (-1, 1)])
        arrivals = names[(weight > 0).astype(int)]
        self.size = target.size
        self.parts = []
        for late in np.unique(steps):
            places = np.flatnonzero(steps == late)
            own = self._state({**self.ruled.synapse_state, "weight": 0.0}, len(places), places)
            own["weight"] = self._tensor(weight[places]).expand(self.chunk.n_copies, -1).clone()
            self.parts.append(
                _Part(
                    int(late),
                    places,
                    torch.as_tensor(source[places], device=self.where),
                    torch.as_tensor(post[places], device=self.where),
                    {n: self._tensor(arrivals[places] == n) for n in dict.fromkeys(arrivals[places])},
                    self._state(self.ruled.source_state, circuit.sizes[self.source]),
                    own,
                )
            )
        longest = max((part.steps for part in self.parts), default=0)
        self.sent: deque[Tensor | None] = deque([None] * (longest + 1), longest + 1)
        self.n_synapses = len(source)

    def _tensor(self, values: Any) -> Tensor:
        made: Tensor = self.torch.as_tensor(np.asarray(values, dtype=float), device=self.where, dtype=self.dtype)
        return made

    def _state(self, state: dict[str, Any], size: int, places: np.ndarray | None = None) -> dict[str, Tensor]:
        drawn = self.chunk.seeds.get(self.index)
        found = {}
        for name, value in state.items():
            start = drawn[:, places] if isinstance(value, str) and drawn is not None else value
            found[name] = self._tensor(start).expand(self.chunk.n_copies, size).clone()
        return found

    def _see(self, **more: Any) -> State:
        return State(**self.constants, modulator=self.modulator, **more)

    def begin(self, k: int, membrane: Tensor | None) -> None:
        """Scale weights where a stimulus begins with simulation step `k`, and let all traces decay."""
        if self.learns and self.index in self.chunk.totals and k % self.chunk.scaled_every == 0:
            self._scale(self.chunk.totals[self.index])
        if self.learns and self.chunk.kept_every and k % self.chunk.kept_every == 0:
            self.kept.append(self._weights())
        if self.chunk.modulator is not None:
            self.modulator = self._tensor(self.chunk.modulator[k])
        for part in self.parts:
            part.source_state |= self.ruled.source_step(self._see(**part.source_state), self.functions)  # type: ignore[arg-type]
        if self.traces:
            self.traces |= self.ruled.target_step(self._see(**self.traces, v=membrane), self.functions)  # type: ignore[arg-type]
        self.membrane = membrane

    def _scale(self, total: float) -> None:
        """Multiply the weights onto each target so that their sum is `total`, within their bounds."""
        sums = self.torch.zeros(self.chunk.n_copies, self.size, device=self.where, dtype=self.dtype)
        for part in self.parts:
            sums.index_add_(1, part.post, part.own["weight"])
        factor = total / (sums + (sums == 0).to(self.dtype))
        for part in self.parts:
            scaled = part.own["weight"] * factor[:, part.post]
            part.own["weight"] = scaled.clamp(self.constants["w_min"], self.constants["w_max"])

    def deliver(self, sent: Sent | None, arrived: dict[str, Tensor]) -> None:
        """Send `spikes` on their way, bring what arrives now, and let it change weights and traces."""
        self.sent.appendleft(None if sent is None else sent.spikes)
        for part in self.parts:
            now = self.sent[part.steps]
            if now is not None and bool(now.any()):
                self._arrive(part, (now > 0).to(self.dtype), arrived)

    def _arrive(self, part: _Part, fired: Tensor, arrived: dict[str, Tensor]) -> None:
        reached = fired[:, part.source]
        brought = reached * part.own["weight"]
        release = self.ruled.release
        if release is not None and release.is_of_synapses:
            new = self.ruled.released(self._see(**part.own), self.functions)
            brought = brought * new.pop("amount")  # type: ignore[assignment]
            self._change(part.own, new, reached)
        elif release is not None:
            new = self.ruled.released(self._see(**part.source_state), self.functions)
            brought = brought * new.pop("amount")[:, part.source]  # type: ignore[index]
            self._change(part.source_state, new, fired)
        for name, chosen in part.arrivals.items():
            sum_ = self.torch.zeros(len(fired), self.size, device=self.where, dtype=self.dtype)
            sum_.index_add_(1, part.post, brought * chosen)
            arrived[name] = arrived[name] + sum_ if name in arrived else sum_
        self._apply("on_pre", part, reached, self.membrane)
        self._change(part.source_state, self.ruled.source_spike(self._see(**part.source_state), self.functions), fired)

    def follow(self, spikes: Tensor, membrane: Tensor) -> None:
        """Change weights by the step of the target and by its spikes, then its traces."""
        if not self.learns:
            return
        for part in self.parts:
            self._apply("each_step", part, None, membrane)
            if bool(spikes.any()):
                self._apply("on_post", part, spikes[:, part.post], membrane)
        if self.traces:
            seen = self._see(**self.traces, fired=spikes)
            self.traces |= self.ruled.target_spike(seen, self.functions)  # type: ignore[arg-type]

    def _apply(self, when: str, part: _Part, reached: Tensor | None, membrane: Tensor | None) -> None:
        """Change the weights and variables of the synapses that are reached; None is all of them."""
        rule = self.ruled.changed(when)
        if rule is None:
            return
        seen = self._see(
            **{k: v[:, part.source] for k, v in part.source_state.items()},
            **{k: v[:, part.post] for k, v in self.traces.items()},
            **part.own,
            v=None if membrane is None else membrane.expand(self.chunk.n_copies, -1)[:, part.post],
        )
        new = rule(seen, self.functions)
        self._change(part.own, new, None if reached is None else reached)

    def _change(self, state: dict[str, Tensor], new: Any, reached: Tensor | None) -> None:
        for name, value in new.items():
            state[name] = value if reached is None else self.torch.where(reached > 0, value, state[name])

    def values(self, variable: str, index: np.ndarray) -> np.ndarray:
        """Return a variable (copy, synapse) of the synapses at the places `index`, or of their source or target."""
        found = np.empty((self.chunk.n_copies, len(index)))
        for part in self.parts:
            columns = np.flatnonzero(np.isin(index, part.places))
            own = self.torch.as_tensor(np.searchsorted(part.places, index[columns]), device=self.where)
            if variable in part.source_state:
                value = part.source_state[variable][:, part.source[own]]
            elif variable in self.traces:
                value = self.traces[variable][:, part.post[own]]
            else:
                value = part.own[variable][:, own]
            found[:, columns] = value.cpu().numpy()
        return found

    def _weights(self) -> np.ndarray:
        found: np.ndarray = self.values("weight", np.arange(self.n_synapses))[0]
        return found

    def learned(self) -> np.ndarray:
        """Return the weights (record, synapse), the last those at the end."""
        return np.stack([*self.kept, self._weights()])


class _Part:
    """The synapses of one delay: places in the projection, source and target, and the variables of both."""

    def __init__(
        self,
        steps: int,
        places: np.ndarray,
        source: Tensor,
        post: Tensor,
        arrivals: dict[str, Tensor],
        source_state: dict[str, Tensor],
        own: dict[str, Tensor],
    ) -> None:
        self.steps, self.places, self.source, self.post = steps, places, source, post
        self.arrivals, self.source_state, self.own = arrivals, source_state, own
