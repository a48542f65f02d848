"""The Brian2 engine: a circuit and its copies as one network, on numpy or cython.

The slots of a step run layer by layer, as in torch: synapses, update, threshold and reset of the first population,
then of the next. Everything random comes in as numbers: block after block, or as arrays over the whole time where no
Python runs.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurosim.biophysics.brian2_rules import Place, RuledSynapses, follow_targets, target_traces
from neurosim.biophysics.brian2_synapses import ALWAYS, graded_synapses, is_one, spiking_synapses
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.courses import Course
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
from neurosim.biophysics.formulas import Text, as_code, as_condition
from neurosim.biophysics.garbage import unsearched
from neurosim.biophysics.populations import Population
from neurosim.biophysics.sources import arrivals_of
from neurosim.runtime import private_folder
from neurosim.storage import cache_folder, checked_modules, processor_has

if TYPE_CHECKING:
    import brian2

REPORT_EVERY = 0.5  # s
COLUMN = "current_column"  # of each neuron, in an array over time
STRICT = ("-ffp-contract=off", "-std=c++11", "-g0")  # Python's own flags ask for debugging symbols, a sixth of the time


def run(
    circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], *, target: str, report: Callable[[float], None]
) -> Run:
    """Run the copies of `chunk`, and record what is `watched`."""
    with unsearched() as leaves:
        leaves(chunk.n_copies * sum(q.values.size for q in circuit.projections))
        return _run(circuit, chunk, watched, target, report)


def _run(circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], target: str, report: Callable[[float], None]) -> Run:
    """Run the copies of `chunk`.

    What monitors hold is copied: from Brian2 2.11 on it is a view of memory that is freed together with the monitor.
    """
    b2 = import_brian2()
    with preferences(b2, target):
        parts = build(b2, circuit, chunk, watched, inputs_as_arrays=False, is_fed=True)
        parts.network.run(
            chunk.n_steps * circuit.dt * b2.second,
            report=lambda elapsed, share, start, duration: report(share),
            report_period=REPORT_EVERY * b2.second,
            namespace={},
        )
        events = {
            p.name: _events(parts.spikes[p.name].t_, parts.spikes[p.name].i, p.size, circuit.dt)
            for p in circuit.populations
        }
        broken = tuple(n for n, group in parts.groups.items() if not np.isfinite(np.asarray(group.v_)).all())
        weights = {rules.index: rules.weights() for rules in parts.rules if rules.ruled.plasticity is not None}
    return Run(events, parts.recorded, broken, weights)


class Parts:
    """The objects of a built network: the network itself, its one clock, its monitors and its input arrays."""

    def __init__(self) -> None:
        self.network: brian2.Network = None
        self.groups: dict[str, brian2.Group] = {}
        self.spikes: dict[str, brian2.SpikeMonitor] = {}
        self.watches: list[list[tuple[brian2.StateMonitor, str, np.ndarray]]] = []
        self.recorded: list[np.ndarray] = []
        self.arrays: dict[str, brian2.TimedArray] = {}
        self.operations: list[brian2.NetworkOperation] = []
        self.rules: list[RuledSynapses] = []
        self.clock: brian2.Clock = None


def build(
    b2: ModuleType,
    circuit: Circuit,
    chunk: Chunk,
    watched: Sequence[Watch],
    *,
    inputs_as_arrays: bool,
    is_fed: bool,
) -> Parts:
    """Build the network of all copies; names are canonical, so that compiled code is found again.

    Input spikes are sent from arrays, or by their times; courses are fed in every step, or arrays over the whole time.
    """
    parts = Parts()
    parts.clock = b2.Clock(circuit.dt * b2.second, name="steps")
    groups = {name: _input_group(b2, circuit, name, chunk, parts, inputs_as_arrays) for name in chunk.spikes}
    for index, population in enumerate(circuit.populations):
        groups[population.name] = _group(b2, circuit, population, index, chunk, parts, is_fed)
    synapses: list[brian2.BrianObject] = []
    for index, projection in enumerate(circuit.projections):
        if projection.source not in groups:
            continue
        if sent_by(circuit, projection):
            synapses.append(graded_synapses(b2, circuit, projection, index, groups, chunk.n_copies, parts.clock))
        elif chunk.is_ruled(projection):
            rules = RuledSynapses(b2, circuit, index, groups, chunk, parts.clock, parts.arrays)
            parts.rules.append(rules)
            synapses += rules.objects
        else:
            synapses += spiking_synapses(b2, circuit, projection, index, groups, chunk.n_copies, parts.clock)
    for index, population in enumerate(circuit.populations):
        group = parts.groups[population.name] = groups[population.name]
        parts.spikes[population.name] = b2.SpikeMonitor(group, name=f"M{index}", when="thresholds")
    for index, watch in enumerate(watched):
        places = _places(circuit, watch, parts, chunk)
        if is_fed:
            parts.recorded.append(np.empty((chunk.n_copies, watch.n_records(chunk.n_steps), len(watch.index))))
            parts.operations.append(_record(b2, watch, places, parts.recorded[-1], parts.clock, index))
        else:
            parts.watches.append(_monitors(b2, circuit, watch, places, index))
    monitors = [*parts.spikes.values(), *(monitor for several in parts.watches for monitor, _, _ in several)]
    parts.network = b2.Network(*groups.values(), *parts.operations, *synapses, *monitors)
    slots = [f"{slot}_{i}" for i in range(len(circuit.populations)) for slot in ("syn", "upd", "thr", "pst", "rst")]
    parts.network.schedule = ["start", "groups", "traces", "input", *slots, "thresholds", "synapses", "resets", "end"]
    return parts


def _places(circuit: Circuit, watch: Watch, parts: Parts, chunk: Chunk) -> list[Place]:
    """Return where a variable that is watched is."""
    if watch.projection is not None:
        rules = next(r for r in parts.rules if r.index == watch.projection)
        return rules.places(watch.variable, watch.index)
    chosen = np.arange(chunk.n_copies)[:, None] * circuit.sizes[watch.population] + watch.index
    return [Place(parts.groups[watch.population], watch.variable, chosen, np.arange(len(watch.index)))]


def _record(
    b2: ModuleType, watch: Watch, places: Sequence[Place], into: np.ndarray, clock: brian2.Clock, index: int
) -> brian2.NetworkOperation:
    """Record a variable in an array (copy, record, neuron or synapse), which is the only one that holds it."""
    passed = 0

    def record() -> None:
        nonlocal passed
        if passed % watch.every == 0:
            for place in places:
                values = place.group.variables[place.variable].get_value()
                into[:, passed // watch.every, place.columns] = values[place.chosen]
        passed += 1

    return b2.NetworkOperation(record, clock=clock, when="end", name=f"V{index}")


def _monitors(
    b2: ModuleType, circuit: Circuit, watch: Watch, places: Sequence[Place], index: int
) -> list[tuple[brian2.StateMonitor, str, np.ndarray]]:
    """Return monitors of a variable, the name it has in each, and the columns of the record that each has."""
    every = {} if watch.every == 1 else {"dt": watch.every * circuit.dt * b2.second}
    found = []
    for i, p in enumerate(places):
        name = f"V{index}" if len(places) == 1 else f"V{index}_{i}"
        monitor = b2.StateMonitor(p.group, p.variable, record=p.chosen.ravel(), when="end", name=name, **every)
        found.append((monitor, p.variable, p.columns))
    return found


def _events(times: npt.ArrayLike, indices: npt.ArrayLike, size: int, dt: float) -> Events:
    copy, neuron = np.divmod(np.asarray(indices, dtype=np.int64), size)
    return Events.sorted(np.rint(np.asarray(times) / dt).astype(np.int64), copy, neuron)


def _input_group(
    b2: ModuleType, circuit: Circuit, name: str, chunk: Chunk, parts: Parts, as_array: bool
) -> brian2.Group:
    shown, size = chunk.spikes[name], circuit.sizes[name]
    n_units, place = chunk.n_copies * size, list(circuit.sizes).index(name)
    if as_array:
        flat = shown.transpose(1, 0, 2).reshape(shown.shape[1], n_units).astype(float)
        array = parts.arrays[f"input_{place}"] = b2.TimedArray(flat, dt=circuit.step * b2.second, name=f"input_{place}")
        first = "" if circuit.substeps == 1 else f" and (t_in_timesteps % {circuit.substeps} == 0)"
        lasting = f" and (t_in_timesteps < {len(flat) * circuit.substeps})"
        group = b2.NeuronGroup(
            n_units,
            "unused : 1",
            threshold=f"(input_{place}(t, i) > 0.5){first}{lasting}",
            clock=parts.clock,
            name=f"input_spikes_{place}",
            namespace={f"input_{place}": array},
        )
        group.thresholder["spike"].when = "input"
        return group
    copy, time, unit = np.nonzero(shown)
    order = np.argsort(time, kind="stable")
    return b2.SpikeGeneratorGroup(
        n_units,
        (copy * size + unit)[order],
        time[order] * circuit.step * b2.second,
        clock=parts.clock,
        when="input",
        name=f"input_spikes_{place}",
    )


def _group(
    b2: ModuleType, circuit: Circuit, population: Population, index: int, chunk: Chunk, parts: Parts, is_fed: bool
) -> brian2.Group:
    """Build all copies of a population: one step as code, a threshold, a reset."""
    model = population.model
    constants = constants_of(population, circuit.dt)
    scalars = {k: float(v) for k, v in constants.items() if np.ndim(v) == 0 and not isinstance(v, str | bool)}
    per_neuron = {k: v for k, v in constants.items() if np.ndim(v) == 1}
    words = {k: v for k, v in constants.items() if isinstance(v, str | bool)}
    state = initial_state(population, constants) | target_traces(circuit, population, chunk)
    if is_one(population.drive):
        scalars["drive"] = float(population.drive[0])
    else:
        per_neuron["drive"] = population.drive
    arrays, drive = _arrays(b2, circuit, population, index, chunk, is_fed)
    injected = None if is_fed else chunk.currents.get(population.name)
    columns = {} if injected is None or injected.column is None else {COLUMN: _columns_of(injected)}
    parts.arrays |= arrays
    fed = courses_of(population, index, chunk) if is_fed else {}
    names = {k: Text(k) for k in (*state, *scalars, *per_neuron)} | words
    names |= {"drive": Text(drive), "xi": Text(_read(f"noise_{index}", is_fed))}
    names |= {a: Text(f"({a} + {_read(f'{a}_from_{index}', is_fed)})") for a in arrivals_of(population)}
    group = b2.NeuronGroup(
        chunk.n_copies * population.size,
        "\n".join(
            [*(f"{k} : 1" for k in state), *(f"{k} : 1 (constant)" for k in per_neuron), *(f"{k} : 1" for k in fed)]
            + [f"{k} : integer (constant)" for k in columns]
        ),
        threshold=as_condition(model.distance, names),
        reset=as_code(model.reset, names),
        events={ALWAYS: "True"} if _passes_on(circuit, population) else {},
        clock=parts.clock,
        namespace=scalars | arrays,
        name=f"L{index}",
    )
    for name, value in {**state, **per_neuron, **columns}.items():
        setattr(group, name, np.broadcast_to(value, (chunk.n_copies, population.size)).ravel())
    if ALWAYS in group.thresholder:
        group.thresholder[ALWAYS].when = "traces"
    group.thresholder["spike"].when = f"thr_{index}"
    if "spike" in group.resetter:
        group.resetter["spike"].when = f"rst_{index}"
    group.run_regularly(as_code(population_step(population), names), when=f"upd_{index}", clock=parts.clock)
    follow_targets(group, circuit, population, index, chunk.learns, names)
    if fed:
        parts.operations.append(_feed(b2, group, fed, parts.clock))
    return group


def _passes_on(circuit: Circuit, population: Population) -> bool:
    """Whether a variable of a population is passed on at every step."""
    return any(q.source == population.name and sent_by(circuit, q) for q in circuit.projections)


def _arrays(
    b2: ModuleType, circuit: Circuit, population: Population, index: int, chunk: Chunk, is_fed: bool
) -> tuple[dict[str, Any], str]:
    """Return the arrays over time of a population, by their name in the code, and the code of its drive."""
    arrays, given = {}, ["drive"]
    if population.name in chunk.external:
        values = chunk.external[population.name]
        flat = values.transpose(1, 0, 2).reshape(values.shape[1], -1)
        arrays[f"external_{index}"] = b2.TimedArray(flat, dt=circuit.step * b2.second, name=f"external_{index}")
        given.append(f"external_{index}(t, i)")
    injected = chunk.currents.get(population.name)
    if injected is not None:
        given.append(_read(f"current_{index}", is_fed, "i" if injected.column is None else COLUMN))
    for name, course in ({} if is_fed else courses_of(population, index, chunk)).items():
        flat = course.whole().reshape(chunk.n_steps, -1)
        arrays[name] = b2.TimedArray(flat, dt=circuit.dt * b2.second, name=name)
    return arrays, "drive" if len(given) == 1 else f"({' + '.join(given)})"


def courses_of(population: Population, index: int, chunk: Chunk) -> dict[str, Course]:
    """Return what is drawn for every step of a population, by its name in the code."""
    found = {
        f"current_{index}": chunk.currents.get(population.name),
        f"noise_{index}": chunk.noise.get(population.name),
    }
    found |= {f"{a}_from_{index}": course for (name, a), course in chunk.background.items() if name == population.name}
    return {name: course for name, course in found.items() if course is not None}


def _columns_of(course: Course) -> np.ndarray:
    """Return the place (copy, neuron) among the numbers of a step of what each neuron has."""
    assert course.column is not None
    places: np.ndarray = np.arange(len(course.copies))[:, None] * course.size + course.column
    return places


def _read(name: str, is_fed: bool, place: str = "i") -> str:
    """Return the code of what is drawn for a step: a variable that is fed, or an array over time, at some place."""
    return name if is_fed else f"{name}(t, {place})"


def _feed(
    b2: ModuleType, group: brian2.Group, courses: Mapping[str, Course], clock: brian2.Clock
) -> brian2.NetworkOperation:
    """Let the variables of a group have at each step what their courses say; what stays as it is, is not set again."""
    rows = {name: course.rows() for name, course in courses.items()}
    shown: dict[str, np.ndarray] = {}

    def feed() -> None:
        for name, given in rows.items():
            now = next(given)
            if now is not shown.get(name):
                group.variables[name].set_value(now.ravel())
                shown[name] = now

    return b2.NetworkOperation(feed, clock=clock, when="start", name=f"feed_{group.name}")


def strict_flags() -> tuple[str, ...]:
    """Return compiler flags under which every operation rounds as in numpy, four neurons at a time where AVX2 is there.

    A loop over several arrays is only done so where the program may compare all their addresses first.
    """
    if not processor_has("avx2"):
        return ("-O2", *STRICT)
    return ("-O3", "-mavx2", "--param=vect-max-version-for-alias-checks=200", *STRICT)


@contextlib.contextmanager
def preferences(b2: ModuleType, target: str) -> Iterator[None]:
    """Set Brian2's preferences for strict arithmetic inside the block, and put them back."""
    flags, cache = "codegen.cpp.extra_compile_args_gcc", "codegen.runtime.cython.cache_dir"
    used = strict_flags()
    modules = cache_folder("cython-avx2" if "-mavx2" in used else "cython-strict")
    wanted = {
        "codegen.target": target,
        "codegen.loop_invariant_optimisations": False,
        flags: list(used),
        cache: str(checked_modules(modules) if target == "cython" else modules),
    }
    before = {name: b2.prefs[name] for name in wanted}
    for name, value in wanted.items():
        b2.prefs[name] = value
    try:
        yield
    finally:
        for name, value in before.items():
            b2.prefs[name] = value


def import_brian2() -> ModuleType:
    """Import Brian2 from an empty folder (it would run a file ``brian_preferences`` of the current one)."""
    if "brian2" not in sys.modules:
        with private_folder():
            import brian2
    else:
        import brian2
    module: ModuleType = brian2
    return module
