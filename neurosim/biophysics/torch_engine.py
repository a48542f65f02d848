"""The torch engine: the same steps on tensors with a batch axis, on a GPU where there is one.

In float64 its spikes are those of Brian2. With a surrogate gradient the run is differentiable in everything that
``Tensors`` holds, which is how circuits are retuned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import (
    Chunk,
    Events,
    Run,
    Watch,
    constants_of,
    initial_state,
    population_step,
    sent_by,
)
from neurosim.biophysics.formulas import Quantity, State, TensorFunctions
from neurosim.biophysics.populations import Population
from neurosim.biophysics.torch_events import Sent
from neurosim.biophysics.torch_rules import RuledWire
from neurosim.biophysics.torch_wires import wire_of
from neurosim.runtime import pick_device
from neurosim.schema import InputError

if TYPE_CHECKING:
    import torch

    Tensor: TypeAlias = torch.Tensor

REPORT_EVERY = 100  # steps
BUFFER = 2**24


@dataclass(frozen=True)
class Tensors:
    """What replaces the numbers of a circuit, so that it can be learned or differ between copies.

    Parameters
    ----------
    weights : weights (source, target) of a projection, by its index; of sparse ones their values, (synapse,).
    drive : drive (neuron,) or (copy, neuron) of a population.
    constants : any constant of a population, (neuron,) or (copy, 1), by (population, name).
    gain : factor of all spikes and graded input that arrive at a population, (neuron,) or (copy, 1).
    surrogate : width of the surrogate gradient of a spike, V or threshold units, by population; none is no gradient.
    """

    weights: Mapping[int, Tensor] = field(default_factory=dict)
    drive: Mapping[str, Tensor] = field(default_factory=dict)
    constants: Mapping[tuple[str, str], Tensor] = field(default_factory=dict)
    gain: Mapping[str, Tensor] = field(default_factory=dict)
    surrogate: Mapping[str, float] = field(default_factory=dict)


def run(
    circuit: Circuit,
    chunk: Chunk,
    watched: Sequence[Watch],
    *,
    device: str = "auto",
    single: bool = False,
    report: Callable[[float], None] | None = None,
) -> Run:
    """Run the copies of `chunk`; in float32 with `single`. `report` is told the share of the steps that are done."""
    torch = import_torch()
    found: dict[str, list[np.ndarray]] = {p.name: [] for p in circuit.populations}
    seen = [np.empty((chunk.n_copies, watch.n_records(chunk.n_steps), len(watch.index))) for watch in watched]
    kept: dict[str, list[Tensor]] = {p.name: [] for p in circuit.populations}
    places = [torch.as_tensor(np.array(watch.index), device=pick_device(device)) for watch in watched]
    rules: dict[int, RuledWire] = {}
    n_kept = max(1, BUFFER // (chunk.n_copies * sum(p.size for p in circuit.populations)))

    def flush(first: int) -> None:
        for name, parts in kept.items():
            if parts:
                rows = torch.stack(parts).nonzero().cpu().numpy()
                found[name].append(rows + np.array([first, 0, 0]))
                parts.clear()

    with torch.inference_mode():
        steps = march(circuit, chunk, device=device, single=single, rules=rules)
        for k, (spikes, states) in enumerate(steps):
            for name, fired in spikes.items():
                kept[name].append(fired > 0)
            for watch, place, into in zip(watched, places, seen, strict=True):
                if k % watch.every == 0 and watch.projection is not None:
                    into[:, k // watch.every] = rules[watch.projection].values(watch.variable, watch.index)
                elif k % watch.every == 0:
                    value = states[watch.population][watch.variable]
                    into[:, k // watch.every] = value.expand(chunk.n_copies, -1)[:, place].cpu().numpy()
            if (k + 1) % n_kept == 0:
                flush(k + 1 - n_kept)
            if report is not None and (k + 1) % REPORT_EVERY == 0:
                report((k + 1) / chunk.n_steps)
        flush(chunk.n_steps - chunk.n_steps % n_kept)
        broken = tuple(name for name, state in states.items() if not bool(torch.isfinite(state["v"]).all()))
    empty = np.zeros((0, 3), dtype=np.int64)
    rows = {name: np.concatenate([empty, *parts]) for name, parts in found.items()}
    events = {name: Events.sorted(*part.T) for name, part in rows.items()}
    weights = {index: wire.learned() for index, wire in rules.items() if wire.learns}
    return Run(events, seen, broken, weights)


def march(
    circuit: Circuit,
    chunk: Chunk,
    *,
    device: str = "auto",
    single: bool = False,
    tensors: Tensors | None = None,
    replayed: Mapping[str, Tensor] | None = None,
    brought: Mapping[str, Sequence[Mapping[str, Tensor]]] | None = None,
    rules: dict[int, RuledWire] | None = None,
) -> Iterator[tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]]:
    """Yield, step by step, the spikes (copy, neuron) and the state of every population.

    Populations in `replayed` are not simulated: their spikes, (simulation step, copy, neuron), are taken as they are.
    For populations in `brought` only what they send to themselves is computed: what else arrives in each step is given
    by :func:`arrivals`. That and graded input may be for fewer copies, which repeat. `rules` takes the projections with
    release or plasticity.
    """
    torch = import_torch()
    where, dtype = pick_device(device), torch.float32 if single else torch.float64
    tensors = tensors or Tensors()
    replayed, brought = replayed or {}, brought or {}
    inputs = [i.name for i in circuit.all_inputs]
    layers = [
        _Layer(torch, circuit, p, chunk, tensors, where, dtype) for p in circuit.populations if p.name not in replayed
    ]
    wires = [
        wire_of(torch, circuit, i, chunk, tensors.weights.get(i), where, dtype, has_gradient=bool(tensors.surrogate))
        for i, q in enumerate(circuit.projections)
        if q.target not in replayed
        and (q.target not in brought or q.source == q.target)
        and (q.source in chunk.spikes or q.source not in inputs)
    ]
    if rules is not None:
        rules |= {wire.index: wire for wire in wires if isinstance(wire, RuledWire)}
    shown = _shown(torch, chunk, where)
    ruled = [wire for wire in wires if isinstance(wire, RuledWire)]
    latest: dict[str, Sent | None] = {}
    values = {layer.name: layer.state for layer in layers}
    for k in range(chunk.n_steps):
        now, beginning = divmod(k, circuit.substeps)
        latest |= {name: _sample_of(values, now, beginning, dtype) for name, values in shown.items()}
        latest |= {name: Sent(spikes[k].to(dtype)) for name, spikes in replayed.items()}
        sent: dict[str, Tensor] = {}
        for learning in ruled:
            learning.begin(k, values[learning.target]["v"])
        for layer in layers:
            arrived = {
                n: _repeated(v, chunk.n_copies)
                for n, v in (brought[layer.name][k] if layer.name in brought else {}).items()
            }
            for wire in wires:
                if wire.target == layer.name:
                    wire.deliver(
                        Sent(values[wire.source][wire.sends]) if wire.sends else latest.get(wire.source), arrived
                    )
            fired = sent[layer.name] = layer.advance(arrived, now)
            latest[layer.name] = Sent(fired)
            for learning in ruled:
                if learning.target == layer.name:
                    learning.follow(fired, layer.moved)
        yield sent, values


def first_broken(circuit: Circuit, name: str, chunk: Chunk) -> int | None:
    """Return the first step after which the membrane of a population is no finite number; None where there is none."""
    torch = import_torch()
    with torch.no_grad():
        for k, (_, states) in enumerate(march(circuit, chunk, device="cpu")):
            if not bool(torch.isfinite(states[name]["v"]).all()):
                return k
    return None


def arrivals(
    circuit: Circuit,
    name: str,
    chunk: Chunk,
    replayed: Mapping[str, Tensor],
    *,
    device: str = "auto",
    single: bool = False,
) -> list[dict[str, Tensor]]:
    """Return what arrives at a population from the input and from `replayed` populations, in every simulation step."""
    torch = import_torch()
    where, dtype = pick_device(device), torch.float32 if single else torch.float64
    coupled = [q.source for q in circuit.into(name) if sent_by(circuit, q)]
    if coupled:
        raise InputError(
            f"calibrate: {coupled[0]!r} is coupled to {name!r} by its membrane, which cannot be replayed; calibrate "
            "before the gap junctions are added."
        )
    wires = [
        wire_of(torch, circuit, i, chunk, None, where, dtype)
        for i, q in enumerate(circuit.projections)
        if q.target == name and (q.source in replayed or q.source in chunk.spikes)
    ]
    shown = _shown(torch, chunk, where)
    found = []
    for k in range(chunk.n_steps):
        now, beginning = divmod(k, circuit.substeps)
        arrived: dict[str, Tensor] = {}
        for wire in wires:
            if isinstance(wire, RuledWire):
                wire.begin(k, None)
            if wire.source in shown:
                sent = _sample_of(shown[wire.source], now, beginning, dtype)
            else:
                sent = Sent(replayed[wire.source][k].to(dtype))
            wire.deliver(sent, arrived)
        found.append(arrived)
    return found


def _shown(torch: ModuleType, chunk: Chunk, where: str) -> dict[str, Tensor]:
    """Return the spikes (copy, time, unit) of every input as tensors."""
    return {name: torch.as_tensor(np.ascontiguousarray(values), device=where) for name, values in chunk.spikes.items()}


def _sample_of(spikes: Tensor, now: int, beginning: int, dtype: torch.dtype) -> Sent | None:
    """Return the spikes (copy, unit) with which a step of the input begins; None within a step, and after the last."""
    return Sent(spikes[:, now].to(dtype), is_counted=True) if beginning == 0 and now < spikes.shape[1] else None


def _repeated(values: Tensor, n_copies: int) -> Tensor:
    return values if len(values) == n_copies else values.repeat(n_copies // len(values), 1)


def import_torch() -> ModuleType:
    """Import torch when it is first needed; this engine is the one place outside networks/ that does."""
    import torch

    return torch


class _Layer:
    """All copies of one population: its state, and the step that advances it."""

    def __init__(
        self,
        torch: ModuleType,
        circuit: Circuit,
        population: Population,
        chunk: Chunk,
        tensors: Tensors,
        where: str,
        dtype: torch.dtype,
    ) -> None:
        def tensor(value: npt.ArrayLike) -> Tensor:
            made: Tensor = torch.as_tensor(np.asarray(value), device=where, dtype=dtype)
            return made

        self.torch, self.name, self.n_copies = torch, population.name, chunk.n_copies
        self.model, self.step = population.model, population_step(population)
        self.functions = TensorFunctions(torch)
        constants = constants_of(population, circuit.dt)
        words = {k: v for k, v in constants.items() if isinstance(v, str | bool)}
        self.numbers = words | {k: tensor(v) for k, v in constants.items() if k not in words}
        self.numbers |= {name: value for (owner, name), value in tensors.constants.items() if owner == self.name}
        shape = (chunk.n_copies, population.size)
        self.nothing = torch.zeros(shape, device=where, dtype=dtype)
        state = initial_state(population, self.numbers)
        self.state: dict[str, Any] = {
            k: (v if hasattr(v, "expand") else tensor(v)).expand(shape) for k, v in state.items()
        }
        self.drive = tensors.drive.get(self.name, tensor(population.drive))
        self.gain = tensors.gain.get(self.name)
        self.width = tensors.surrogate.get(self.name)
        external, noise = chunk.external.get(self.name), chunk.noise.get(self.name)
        self.external = None if external is None else tensor(external)
        injected = chunk.currents.get(self.name)
        self.noise = None if noise is None else noise.rows(tensor)
        self.injected = None if injected is None else injected.rows(tensor)
        self.background = {a: v.rows(tensor) for (owner, a), v in chunk.background.items() if owner == self.name}

    def advance(self, arrived: Mapping[str, Tensor], now: int) -> Tensor:
        """Advance by one step of the simulation and return the spikes (copy, neuron)."""
        outside = {name: next(rows) for name, rows in self.background.items()}
        arrived = {**arrived, **{n: arrived[n] + v if n in arrived else v for n, v in outside.items()}}
        for name, value in arrived.items():
            self.state[name] = value if self.gain is None else value * self.gain
        x = State(**self.numbers, **self.state)
        x.drive = self.drive
        if self.external is not None:
            shown = _repeated(self.external[:, min(now, self.external.shape[1] - 1)], self.n_copies)
            x.drive = x.drive + (shown if self.gain is None else shown * self.gain)
        if self.injected is not None:
            x.drive = x.drive + next(self.injected)
        if self.noise is not None:
            x.xi = next(self.noise)
        new = self.step(x, self.functions)
        self.state.update({n: self._spread(n, v) for n, v in new.items()})
        x.__dict__.update(self.state)
        self.moved: Tensor = self.state["v"]
        distance = self.model.distance(x, self.functions)
        spikes: Tensor = self.functions.is_positive(distance)
        if self.width is not None:
            spikes = _with_gradient(self.torch, distance, spikes, self.width)
        fired = spikes > 0
        for name, new_value in self.model.reset(x, self.functions).items():
            self.state[name] = self.torch.where(fired, new_value, self.state[name])
        return spikes

    def _spread(self, name: str, value: Any) -> Tensor:
        """Return the new value of a variable, one a copy and neuron, whatever it was computed from."""
        now = self.state[name]
        is_tensor = hasattr(value, "expand")
        spread: Tensor = value if is_tensor else self.torch.full_like(now, value) if value else self.nothing
        return spread if spread.ndim else spread.expand(now.shape)


def _with_gradient(torch: ModuleType, distance: Quantity, spikes: Tensor, width: float) -> Tensor:
    """Return `spikes` unchanged, with the gradient of ``arctan(x / width)`` (https://doi.org/10.1109/MSP.2019.2931595)."""
    soft = torch.atan(distance / width) / torch.pi
    changed: Tensor = spikes.detach() + (soft - soft.detach())
    return changed
