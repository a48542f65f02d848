"""Release and plasticity in Brian2: a relay of each source, which holds its traces, between it and its synapses.

Spikes reach the relay with the delay of the projection and go on at once, so that release and traces belong to the
spikes that arrive. Synapses with several delays have a relay for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, arrival_of
from neurosim.biophysics.formulas import Step, Text, as_code, as_expression
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.ruled import Ruled, ruled_into

if TYPE_CHECKING:
    import brian2


TOTAL = "total"  # sum of the weights onto a target


def trace_name(index: int, name: str) -> str:
    """Return the name that a trace of a target, kept for a projection, has in its population."""
    return f"rule{index}_{name}"


def target_traces(circuit: Circuit, population: Population, chunk: Chunk) -> dict[str, Any]:
    """Return the initial values of all traces and sums that a population keeps for the projections onto it."""
    found = ruled_into(circuit, population.name, chunk.learns).items()
    traces = {trace_name(i, k): v for i, ruled in found for k, v in ruled.target_state.items()}
    return traces | {trace_name(i, TOTAL): 0.0 for i, _ in found if i in chunk.totals}


def follow_targets(
    group: brian2.Group, circuit: Circuit, population: Population, place: int, learns: bool, names: Mapping[str, Any]
) -> None:
    """Let a population keep its traces: they decay at the begin of a step and count its spikes at the end."""
    for i, ruled in ruled_into(circuit, population.name, learns).items():
        own = {k: Text(trace_name(i, k)) for k in ruled.target_state}
        if not own:
            continue
        words = {k: v for k, v in ruled.constants.items() if isinstance(v, str | bool)}
        numbers = {k: Text(repr(float(v))) for k, v in ruled.constants.items() if k not in words}
        seen = {**names, **numbers, **words, **own}

        def renamed(step: Step, index: int = i) -> Step:
            return lambda x, m: {trace_name(index, k): v for k, v in step(x, m).items()}

        group.run_regularly(as_code(renamed(ruled.target_step), seen), when="traces", clock=group.clock)
        fired = as_expression(lambda x, m: m.is_positive(population.model.distance(x, m)), names)
        code = as_code(renamed(ruled.target_spike), {**seen, "fired": Text(fired)})
        if code:
            group.run_regularly(code, when=f"pst_{place}", order=1, clock=group.clock)


def alike(circuit: Circuit, projection: Projection) -> list[tuple[int, str, np.ndarray]]:
    """Return the synapses of one delay that arrive at one variable: steps, variable and places of each such part."""
    _, _, weight = projection.synapses()
    target = circuit.population(projection.target)
    lag = 0 if circuit.comes_before(projection.source, projection.target) else 1
    steps = np.maximum(0, np.rint(projection.delays() / circuit.dt) - lag)
    arrival = np.array([arrival_of(target, sign, projection.receptor) for sign in (-1, 1)])
    arrivals = arrival[(weight > 0).astype(int)]
    return [
        (int(late), str(name), np.flatnonzero((steps == late) & (arrivals == name)))
        for late in np.unique(steps)
        for name in dict.fromkeys(arrivals[steps == late])
    ]


def weights_over_time(
    circuit: Circuit, projection: Projection, kept: Sequence[np.ndarray], last: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the weights (record, synapse) of one copy, the last those at the end.

    Parameters
    ----------
    kept : what was recorded (record, synapse) of each part of :func:`alike`; none where nothing was.
    last : what is there at the end (synapse) of each part.
    """
    kept = kept or [np.zeros((0, len(end))) for end in last]
    found = np.zeros((1 + (len(kept[0]) if kept else 0), len(projection.synapses()[0])))
    for (_, _, chosen), before, end in zip(alike(circuit, projection), kept, last, strict=True):
        found[:-1, chosen], found[-1, chosen] = before, end
    return found


class Place(NamedTuple):
    """Where a variable is that is recorded: a group, its name there, places (copy, column), and columns of a record."""

    group: brian2.Group
    variable: str
    chosen: np.ndarray
    columns: np.ndarray


class RuledSynapses:
    """All Brian2 objects of one projection with release or plasticity, and where its weights are."""

    def __init__(
        self,
        b2: ModuleType,
        circuit: Circuit,
        index: int,
        groups: Mapping[str, brian2.Group],
        chunk: Chunk,
        clock: brian2.Clock,
        arrays: dict[str, brian2.TimedArray],
    ) -> None:
        self.arrays = arrays
        self.b2, self.circuit, self.index, self.chunk, self.clock = b2, circuit, index, chunk, clock
        self.projection = circuit.projections[index]
        self.ruled = Ruled(circuit, self.projection, chunk.learns)
        self.source, self.target = groups[self.projection.source], groups[self.projection.target]
        self.place = [p.name for p in circuit.populations].index(self.projection.target)
        words = {k: v for k, v in self.ruled.constants.items() if isinstance(v, str | bool)}
        self.numbers = {k: float(v) for k, v in self.ruled.constants.items() if k not in words}
        self.names = {k: Text(k) for k in self.numbers} | words
        self.releases_by_neuron = self.ruled.release is not None and not self.ruled.release.is_of_synapses
        self.objects: list[brian2.BrianObject] = []
        self.synapses: list[brian2.Synapses] = []
        self.monitors: list[brian2.StateMonitor] = []
        self.relays: list[brian2.Group] = []
        self._build()

    def _build(self) -> None:
        relays: dict[int, brian2.Group] = {}
        for late, arrival, chosen in alike(self.circuit, self.projection):
            if late not in relays:
                relays[late] = self._relay(late)
            self._synapses(relays[late], arrival, chosen)
        if self.ruled.learns and self.index in self.chunk.totals:
            self._scale(self.chunk.totals[self.index])

    def _relay(self, steps: int) -> brian2.Group:
        """Build the neurons that pass the spikes of the source on after `steps`."""
        b2, slot = self.b2, f"syn_{self.place}"
        state = {**self.ruled.source_state, "fired": 0.0, **({"amount": 1.0} if self.releases_by_neuron else {})}
        names = {**self.names, **{k: Text(k) for k in state}}
        relay = b2.NeuronGroup(
            self.chunk.n_copies * self.circuit.sizes[self.projection.source],
            "\n".join(f"{k} : 1" for k in state),
            threshold="fired > 0.5",
            reset="\n".join([as_code(self.ruled.source_spike, names), "fired = 0"]),
            clock=self.clock,
            namespace=self.numbers,
            name=f"relay{self.index}_{steps}",
        )
        for name, value in state.items():
            setattr(relay, name, value)
        relay.thresholder["spike"].when, relay.thresholder["spike"].order = slot, -1
        relay.resetter["spike"].when, relay.resetter["spike"].order = slot, 1
        decayed = as_code(self.ruled.source_step, names)
        if decayed:
            relay.run_regularly(decayed, when="traces", clock=self.clock)
        if self.releases_by_neuron:
            relay.run_regularly(as_code(self.ruled.release_where_fired, names), when=slot, order=-2, clock=self.clock)
        carried = b2.Synapses(
            self.source,
            relay,
            on_pre="fired_post = 1",
            delay=steps * self.circuit.dt * b2.second,
            clock=self.clock,
            namespace={},
            name=f"carry{self.index}_{steps}",
        )
        everyone = np.arange(relay.N)
        carried.connect(i=everyone, j=everyone)
        carried.pre.when, carried.pre.order = slot, -3
        self.objects += [relay, carried]
        return relay

    def _synapses(self, relay: brian2.Group, arrival: str, chosen: np.ndarray) -> None:
        """Build the synapses `chosen` from a relay to the target."""
        b2, n_copies = self.b2, self.chunk.n_copies
        source, post, weight = self.projection.synapses()
        own = self.ruled.synapse_state
        is_of_synapses = self.ruled.release is not None and self.ruled.release.is_of_synapses
        share = " * amount" if is_of_synapses else " * amount_pre" if self.releases_by_neuron else ""
        seen = {
            **self.names,
            **{k: Text(f"{k}_pre") for k in self.ruled.source_state},
            **{k: Text(f"{trace_name(self.index, k)}_post") for k in self.ruled.target_state},
            **{k: Text(k) for k in ("weight", *own)},
            "v": Text("v_post"),
            "modulator": Text("modulator(t)"),
        }
        first = {k: Text(f"({k} + int({k} < 0.5) * seeds_{self.index}(t, place))") for k in own if own[k] == "seed"}
        before = as_code(self.ruled.released, {**seen, **first}) if is_of_synapses else ""
        on_pre = [before, f"{arrival}_post += weight{share}", self._code("on_pre", seen)]
        variables = ["weight", *own, *(["amount"] if is_of_synapses else [])]
        drawn = [name for name, value in own.items() if value == "seed"]
        synapses = b2.Synapses(
            relay,
            self.target,
            "\n".join([*(f"{k} : 1" for k in variables), *(["place : integer (constant)"] if drawn else [])]),
            on_pre="\n".join(filter(None, on_pre)),
            on_post=self._code("on_post", seen) or None,
            clock=self.clock,
            namespace=self.numbers | self._arrays(bool(drawn)),
            name=f"S{self.index}_{arrival}_{relay.name}",
        )
        copies = np.arange(n_copies)[:, None]
        synapses.connect(
            i=(copies * self.circuit.sizes[self.projection.source] + source[chosen]).ravel(),
            j=(copies * self.circuit.sizes[self.projection.target] + post[chosen]).ravel(),
        )
        synapses.weight = np.tile(weight[chosen], n_copies)
        for name, value in own.items():
            setattr(synapses, name, 0.0 if name in drawn else value)
        if drawn:
            synapses.place = (copies * len(weight) + chosen).ravel()
        synapses.pre.when, synapses.pre.order = f"syn_{self.place}", 0
        if hasattr(synapses, "post"):
            synapses.post.when, synapses.post.order = f"pst_{self.place}", 0
        each = self._code("each_step", seen)
        if each:
            synapses.run_regularly(each, when=f"pst_{self.place}", order=-1, clock=self.clock)
        self.objects.append(synapses)
        self.synapses.append(synapses)
        if self.ruled.plasticity is not None and self.chunk.kept_every:
            every = self.chunk.kept_every * self.circuit.dt * b2.second
            monitor = b2.StateMonitor(synapses, "weight", record=np.arange(n_copies * len(chosen)), dt=every)
            self.monitors.append(monitor)
            self.objects.append(monitor)
        self.relays.append(relay)

    def _scale(self, total: float) -> None:
        """Multiply the weights onto each target, before each stimulus, so that their sum is `total`, within bounds."""
        every, name = self.chunk.scaled_every * self.circuit.dt * self.b2.second, trace_name(self.index, TOTAL)
        clock = self.b2.Clock(every, name=f"stimuli_{self.index}")
        self.target.run_regularly(f"{name} = 0", when="start", order=-3, clock=clock)
        factor = f"{total!r} / ({name}_post + int({name}_post == 0))"
        for synapses in self.synapses:
            synapses.run_regularly(f"{name}_post += weight", when="start", order=-2, clock=clock)
            scaled = f"clip(weight * ({factor}), w_min, w_max)"
            synapses.run_regularly(f"weight = {scaled}", when="start", order=-1, clock=clock)

    def _code(self, when: str, seen: Mapping[str, Any]) -> str:
        changed = self.ruled.changed(when)
        return "" if changed is None else as_code(changed, seen)

    def _arrays(self, draws: bool) -> dict[str, Any]:
        """Return the arrays that formulas read: the first draws of synapses that fail, and the modulator."""
        found, dt = {}, self.circuit.dt * self.b2.second
        if draws:
            first, name = self.chunk.seeds[self.index].reshape(1, -1), f"seeds_{self.index}"
            found[name] = self.arrays.setdefault(name, self.b2.TimedArray(first, dt=dt, name=name))
        if self.chunk.modulator is not None:
            array = self.b2.TimedArray(self.chunk.modulator, dt=dt, name="modulator")
            found["modulator"] = self.arrays.setdefault("modulator", array)
        return found

    def places(self, variable: str, index: np.ndarray) -> list[Place]:
        """Return where a variable of the synapses at the places `index` is: theirs, or their source's or target's."""
        source, post, _ = self.projection.synapses()
        copies, found = np.arange(self.chunk.n_copies)[:, None], []
        parts = alike(self.circuit, self.projection)
        for relay, synapses, (_, _, chosen) in zip(self.relays, self.synapses, parts, strict=True):
            columns = np.flatnonzero(np.isin(index, chosen))
            own = index[columns]
            if variable in self.ruled.source_state:
                at = copies * self.circuit.sizes[self.projection.source] + source[own]
                place = Place(relay, variable, at, columns)
            elif variable in self.ruled.target_state:
                at = copies * self.circuit.sizes[self.projection.target] + post[own]
                place = Place(self.target, trace_name(self.index, variable), at, columns)
            else:
                place = Place(synapses, variable, copies * len(chosen) + np.searchsorted(chosen, own), columns)
            found += [place] if len(columns) else []
        return found

    def weights(self) -> np.ndarray:
        """Return the weights (record, synapse) of one copy, the last those at the end."""
        last = [np.array(synapses.weight) for synapses in self.synapses]
        kept = [np.array(monitor.weight).T for monitor in self.monitors]
        return weights_over_time(self.circuit, self.projection, kept, last)
