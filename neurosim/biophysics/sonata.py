"""Circuits of point neurons from SONATA files (https://doi.org/10.1371/journal.pcbi.1007696).

Each population of nodes becomes one of neurons, whose numbers may vary; all virtual populations together are the input;
each population of edges becomes projections. What a circuit does not hold exactly is refused by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from neurosim import storage
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import load_circuit
from neurosim.biophysics.inputs import INPUT, Input
from neurosim.biophysics.models import synapse_of
from neurosim.biophysics.plain_numbers import WHOLE, one_of
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.sonata_models import SONATA_MODELS, SonataModel
from neurosim.biophysics.sonata_tables import WHO, Config, Table, in_one_line, read_config, read_tables
from neurosim.refusals import InputError

SIMULATED, VIRTUAL = ("point_neuron", "point_process"), "virtual"
PLAIN_WEIGHTS = ("", "wmax", "set_syn_weight", "default_weight_fnc")  # the weight itself
OWN_KEY, OWN_FILE = "neurosim", "circuit.nc"
MICRO = 1e-6
Mapped = Mapping[str, "str | SonataModel"]


@dataclass(frozen=True)
class Nodes:
    """A population of nodes: its table, the numbers by which edges call them, its model (None where virtual)."""

    name: str
    table: Table
    ids: np.ndarray
    model: SonataModel | None

    def rows(self, ids: np.ndarray, edges: str) -> np.ndarray:
        """Return the places of nodes in the population."""
        order = np.argsort(self.ids, kind="stable")
        found = order[np.clip(np.searchsorted(self.ids[order], ids), 0, len(order) - 1)]
        wrong = ids[self.ids[found] != ids]
        if wrong.size:
            raise InputError(f"{WHO}: {edges} names node {int(wrong[0])}, which {self.name!r} has not.")
        return found


@dataclass(frozen=True)
class Edges:
    """Synapses between two populations: source, target, weight (SI) and delay (s) of each."""

    source: str
    target: str
    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    delays: np.ndarray


def load_sonata(
    path: str | Path,
    *,
    dt: float | None = None,
    step: float | None = None,
    root: str | Path | None = None,
    mapping: Mapped | None = None,
) -> Circuit:
    """Read a circuit of point neurons from SONATA files; nothing in them is executed.

    Known are the models of ``SONATA_MODELS``: NEST's iaf_psc_alpha, iaf_psc_exp, iaf_psc_delta, iaf_cond_exp,
    iaf_cond_alpha, aeif_psc_exp, aeif_psc_alpha, aeif_cond_exp, aeif_cond_alpha and GLIF 1 of glif_psc with static
    synapses, NEURON's IntFire1. Their equations are the same here, and membranes start where they do there, or at a V_m
    that is given. NEST looks for the peak of aeif neurons also within a step: there times agree ever better as `dt`
    falls. A spike is sent above, there at or above the threshold. A delay counts here from the beginning of the step in
    which a neuron fires, there from its end, and delta synapses act here at the end of a step: delays are longer or
    shorter by `dt` so that all spikes come at the same times, NEST's ``time`` being the end of a step and ours its
    beginning.
    Where a delay from the input is shorter than that, everything comes `dt` later. Synapses of one pair that have one
    delay add up, others become projections of their own.

    Parameters
    ----------
    path : ``config.json``, ``circuit_config.json`` or ``simulation_config.json``.
    dt : step of the simulation, s; by default that of the simulation's configuration.
    step : step in which input arrives and spikes are counted, s; by default `dt`.
    root : folder that holds all files; nothing may lead out of it. By default the folder of `path`.
    mapping : what to take for a ``model_template`` that is not known: the name of a model that is, or a record
        :class:`SonataModel` of one's own.

    Returns
    -------
    the circuit; its input has the nodes of all virtual populations, in the order of the configuration. What
    :func:`save_sonata` wrote comes back bit for bit.

    Raises
    ------
    InputError : models, synapses, weight functions or numbers without an exact counterpart, no step, what is no SONATA.
    StorageError : missing, damaged or unsafe files, paths that lead out of `root`.

    Examples
    --------
    >>> import tempfile
    >>> cells = ns.biophysics.Population("cells", 3, ns.biophysics.LIFParameters())
    >>> wire = ns.biophysics.connect(ns.biophysics.AllToAll(), ns.biophysics.Input(2), cells, weight=2e-3, delay=1e-3)
    >>> circuit = ns.biophysics.Circuit("small", ns.biophysics.Input(2), (cells,), (wire,), dt=1e-4, step=1e-3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = ns.biophysics.save_sonata(f"{folder}/small", circuit)
    ...     print(ns.biophysics.load_sonata(file))
    small: rung exact, dt 0.0001 s, step 0.001 s
      input: 2 units, spikes
      cells: 3 lif, delta synapses
      input -> cells: 6 synapses, delay 0.001 s
    """
    path = storage.as_path(path, WHO)
    with in_one_line(path):
        config, found_dt = read_config(path, None if root is None else storage.as_path(root, WHO))
        if OWN_KEY in config.content:
            return _own(config, {"dt": dt, "step": step, "mapping": mapping})
        dt = found_dt if dt is None else one_of(WHO, "dt", dt)
        if dt is None:
            raise InputError(
                f"{WHO}: {config.path.name} says no step; give dt in s, or the simulation's configuration."
            )
        return _circuit(config, dt, step or dt, mapping or {})


def _circuit(config: Config, dt: float, step: float, mapping: Mapped) -> Circuit:
    """Return the circuit that all tables of a configuration make."""
    nodes = nodes_of(config, mapping)
    virtual = starts_of([n for n in nodes.values() if n.model is None])
    simulated = [n for n in nodes.values() if n.model is not None]
    if not simulated:
        raise InputError(f"{WHO}: {config.path.name} has no point neurons, only {', '.join(nodes) or 'nothing'}.")
    edges = [e for file, types in config.files("edges") for e in _edges(file, types, config, nodes, virtual, dt)]
    edges = _in_time(edges, dt)
    populations = tuple(_population(n, config, [e for e in edges if e.target == n.name]) for n in simulated)
    sizes = {p.name: p.size for p in populations} | {INPUT: max(sum(len(nodes[v].ids) for v in virtual), 1)}
    receptors = {p.name: p.receptors for p in populations}
    projections = tuple(q for e in edges for q in _projections(e, sizes, receptors[e.target]))
    return Circuit(config.path.parent.name or "sonata", Input(sizes[INPUT]), populations, projections, dt, step)


def _own(config: Config, given: Mapping[str, Any]) -> Circuit:
    """Return the circuit that stands beside its SONATA files, if those are as they were written."""
    asked = [name for name, value in given.items() if value is not None]
    folder = config.path.parent
    changed = storage.damaged_files(folder)
    if asked or changed:
        what = f"{asked[0]} is given" if asked else f"{changed[0]} was changed since"
        raise InputError(
            f"{WHO}: {folder.name} was saved whole with its step and records, and {what}; take the key {OWN_KEY!r} out "
            f"of {config.path.name} to read what the SONATA files say."
        )
    return load_circuit(storage.inside(folder, OWN_FILE))


def nodes_of(config: Config, mapping: Mapped, virtual_only: bool = False) -> dict[str, Nodes]:
    """Return all populations of nodes by name, or the virtual ones."""
    nodes: dict[str, Nodes] = {}
    for file, types in config.files("nodes"):
        for name, table, found in read_tables(file, types, "nodes"):
            if virtual_only and set(table.words("model_type")) != {VIRTUAL}:
                continue
            model = _model(name, table, mapping)
            if name in nodes or (name == INPUT and model is not None):
                raise InputError(f"{WHO}: two populations are called {name!r}, or one as the input is here; rename it.")
            nodes[name] = Nodes(name, table, found["ids"], model)
    return nodes


def starts_of(virtual: Sequence[Nodes]) -> dict[str, int]:
    """Return where each virtual population begins among the units of the input."""
    sizes = [len(n.ids) for n in virtual]
    return dict(zip([n.name for n in virtual], np.cumsum([0, *sizes])[:-1].tolist(), strict=True))


def _model(name: str, table: Table, mapping: Mapped) -> SonataModel | None:
    """Return the model of a population, None where it is virtual, or refuse it by name."""
    kinds, templates = set(table.words("model_type")), set(table.words("model_template"))
    if kinds == {VIRTUAL}:
        return None
    if not kinds <= set(SIMULATED):
        found = ", ".join(sorted(kinds - set(SIMULATED))) or "no model_type"
        raise InputError(f"{WHO}: nodes of {name!r} are {found}; point neurons and virtual nodes are read.")
    chosen = {template: mapping.get(template, template) for template in sorted(templates)}
    unknown = [t for t, c in chosen.items() if not isinstance(c, SonataModel) and c not in SONATA_MODELS]
    if unknown:
        raise InputError(
            f"{WHO}: neurons of {name!r} are {unknown[0]!r}, for which no exact counterpart is known (known: "
            f"{', '.join(SONATA_MODELS)}); say what to take with mapping={{{unknown[0]!r}: ...}}."
        )
    if len(chosen) != 1:
        raise InputError(
            f"{WHO}: {name!r} has neurons of {len(chosen)} models ({', '.join(chosen)}); one a population is read, so "
            "part it."
        )
    (model,) = chosen.values()
    return model if isinstance(model, SonataModel) else SONATA_MODELS[model]


def _dynamics(n: Nodes, config: Config) -> dict[str, np.ndarray]:
    """Return every number of the model of each node: as usual, of its type, or its own."""
    model = n.model
    assert model is not None
    found = {k: np.full(len(n.ids), v) for k, v in model.numbers.items()}
    files = n.table.words("dynamics_params")
    for name in dict.fromkeys(files[files != ""]):
        values = storage.read_json_object(config.component("point_neuron_models_dir", name))
        for key, value in values.items():
            if key != "type":
                _put(found, n, key, value, files == name)
    for key in n.table.own("dynamics_params/"):
        _put(
            found,
            n,
            key,
            n.table.numbers(f"dynamics_params/{key}"),
            ~np.isnan(n.table.numbers(f"dynamics_params/{key}")),
        )
    return found


def _put(found: dict[str, np.ndarray], n: Nodes, key: str, value: Any, rows: np.ndarray) -> None:
    """Set a number of some nodes."""
    model = n.model
    assert model is not None
    if key in model.lacking:
        if value is not False:
            raise InputError(
                f"{WHO}: {n.name!r}: {key} of {model.name} is {str(value)[:40]}, which no circuit has ("
                f"{model.lacking[key]}); false is read."
            )
        return
    if key in model.unread:
        return
    if isinstance(value, list) and model.port:
        if len(value) != 1:
            raise InputError(
                f"{WHO}: {n.name!r}: {key} of {model.name} has {len(value)} ports of synapses; one is read."
            )
        value = value[0]
    if isinstance(value, bool | str | list | dict) or value is None:
        raise InputError(f"{WHO}: {n.name!r}: {key} of {model.name} is a number, found {str(value)[:40]!r}.")
    if key not in found:
        raise InputError(
            f"{WHO}: {n.name!r}: {key!r} of {model.name} has no counterpart; known: {', '.join(model.numbers)}."
        )
    found[key][rows] = np.broadcast_to(value, rows.shape)[rows]


def _population(n: Nodes, config: Config, arriving: Sequence[Edges]) -> Population:
    model = n.model
    assert model is not None
    numbers = _dynamics(n, config)
    fields = model.neuron(numbers)
    drive, start = fields.pop("drive"), fields.pop("start")
    record = model.cell.of({k: float(v[0]) for k, v in fields.items()})
    varying = {k: v for k, v in fields.items() if np.ptp(v)}
    signs = [sign for sign in (1, -1) if any((np.sign(e.weights) == sign).any() for e in arriving)]
    names = {1: "excitatory", -1: "inhibitory"}
    synapses: Any = {names[sign]: _receptor(n, numbers, sign) for sign in signs or (1,)}
    if len(set(synapses.values())) < 2:
        synapses = next(iter(synapses.values()))
    initial = {} if np.array_equal(start, fields["e_leak"]) else {"v": start}
    axes = [n.table.numbers(axis) for axis in "xyz"]
    axes = [axis for axis in axes if not np.isnan(axis).all()]
    places = np.stack(axes, axis=-1) * MICRO if len(axes) > 1 else None
    return Population(n.name, len(n.ids), record, drive, synapses, 0.0, varying, places, initial)


def _receptor(n: Nodes, numbers: Mapping[str, np.ndarray], sign: int) -> Any:
    """Return the record of the synapses of a population that receive the weights of one sign."""
    assert n.model is not None
    which = 0 if sign > 0 else 1
    tau, reversal = n.model.synapses[which], n.model.reversals[which]
    time = _common(n, numbers, tau) if tau else 0.0
    return n.model.receptor(time, _common(n, numbers, reversal)) if reversal else n.model.receptor(time)


def _common(n: Nodes, numbers: Mapping[str, np.ndarray], name: str) -> float:
    """Return a number of the synapses of a whole population (ms, mV) in SI units."""
    if np.ptp(numbers[name]):
        raise InputError(f"{WHO}: {name} differs between neurons of {n.name!r}; part it into a population for each.")
    return float(numbers[name][0]) * 1e-3


def _edges(
    file: Path, types: Path | None, config: Config, nodes: Mapping[str, Nodes], virtual: Mapping[str, int], dt: float
) -> list[Edges]:
    read = []
    for _, table, ends in read_tables(file, types, "edges"):
        source, target = (nodes.get(ends[f"{side}_population"]) for side in ("source", "target"))
        if source is None or target is None or target.model is None:
            names = f"{ends['source_population']!r} to {ends['target_population']!r}"
            raise InputError(f"{WHO}: {table.name} leads from {names}; a population to one of point neurons asked.")
        sources, targets = source.rows(ends["source"], table.name), target.rows(ends["target"], table.name)
        name = INPUT if source.name in virtual else source.name
        sources = sources + virtual.get(source.name, 0)
        weights, delays = _synapses(table, target.model, config)
        _check_delays(table.name, delays, dt)
        late = delays + target.model.steps(name) * dt
        read.append(Edges(name, target.name, sources, targets, weights, late))
    return read


def _check_delays(name: str, delays: np.ndarray, dt: float) -> None:
    """Refuse delays that are no whole steps, or below 0, as the file says them."""
    steps = delays / dt
    wrong = np.flatnonzero((np.abs(steps - np.rint(steps)) > WHOLE) | (steps < 0))
    if len(wrong):
        delay, n = delays[wrong[0]] / 1e-3, steps[wrong[0]]
        raise InputError(
            f"{WHO}: {name}: {len(wrong)} edges have delays such as {delay:g} ms, {n:g} steps of {dt / 1e-3:g} ms; "
            "whole numbers of steps from 0 on are read, so give a dt= that divides them."
        )


def _in_time(edges: list[Edges], dt: float) -> list[Edges]:
    """Return the synapses, all those of the input `dt` later where one would be early."""
    early = any((e.delays < -dt / 2).any() for e in edges if e.source == INPUT)
    lifted = [e.delays + dt if early and e.source == INPUT else e.delays for e in edges]
    return [replace(e, delays=np.where(np.abs(d) < dt * WHOLE, 0.0, d)) for e, d in zip(edges, lifted, strict=True)]


def _synapses(table: Table, model: SonataModel, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (SI) and delay (s) of each edge, or refuse synapses that do more."""
    strange = sorted(set(table.words("model_template")) - set(model.synapse_templates))
    functions = sorted(set(table.words("weight_function")) - set(PLAIN_WEIGHTS))
    if strange or functions or table.own("dynamics_params/"):
        what = strange or functions or table.own("dynamics_params/")
        raise InputError(
            f"{WHO}: {table.name}: synapses with {what[0]!r} have no exact counterpart at neurons of {model.name}; "
            "static ones with a weight are read."
        )
    found = []
    for column, usual, unit in (("syn_weight", model.usual_weight, model.weight), ("delay", model.usual_delay, 1e-3)):
        values = table.numbers(column, np.nan if usual is None else usual)
        if not np.isfinite(values).all():
            raise InputError(f"{WHO}: {table.name}: {int((~np.isfinite(values)).sum())} edges have no {column}.")
        found.append(values * unit)
    return found[0] * table.numbers("nsyns", 1.0) * _signs(table, model, config), found[1]


def _signs(table: Table, model: SonataModel, config: Config) -> np.ndarray:
    """Return the sign by which each weight is multiplied, as files of synapses may say."""
    files, signs = table.words("dynamics_params"), np.ones(len(table.type_ids))
    for name in dict.fromkeys(files[files != ""]):
        values = storage.read_json_object(config.component("synaptic_models_dir", name))
        sign = values.pop("sign", 1)
        values.pop("level_of_detail", None)
        if values.get("receptor_type") == model.port:
            del values["receptor_type"]
        if values or sign not in (1, -1):
            raise InputError(
                f"{WHO}: {table.name}: {name} says {next(iter(values), 'sign')!r}, which is not represented."
            )
        signs[files == name] = sign
    return signs


def _projections(e: Edges, sizes: Mapping[str, int], receptors: Mapping[str, Any]) -> list[Projection]:
    """Return synapses as projections: one a receptor; of pairs with several delays one for each further synapse."""
    parts = []
    for receptor, synapses in receptors.items():
        kind = synapse_of(synapses)
        sized = replace(e, weights=np.abs(e.weights)) if kind is not None and kind.has_one_sign else e
        signs = {"excitatory": e.weights > 0, "inhibitory": e.weights < 0}
        kept = signs.get(receptor, e.weights != 0)
        rank = np.zeros(int(kept.sum()), int)
        if np.ptp(e.delays[kept]) if kept.any() else False:
            pairs = e.sources[kept] * sizes[e.target] + e.targets[kept]
            order = np.argsort(pairs, kind="stable")
            first = np.r_[True, np.diff(pairs[order]) != 0]
            rank[order] = np.arange(len(pairs)) - np.maximum.accumulate(np.where(first, np.arange(len(pairs)), 0))
        for k in np.unique(rank):
            rows = np.flatnonzero(kept)[rank == k]
            parts.append(_projection(sized, rows, (sizes[e.source], sizes[e.target]), receptor))
    return parts


def _projection(e: Edges, rows: np.ndarray, shape: tuple[int, int], receptor: str) -> Projection:
    places, delays = (e.sources[rows], e.targets[rows]), e.delays[rows]
    weights = scipy.sparse.coo_array((e.weights[rows], places), shape=shape).tocsr()
    late = scipy.sparse.coo_array((delays, places), shape=shape).tocsr() if np.ptp(delays) else float(delays[0])
    return Projection(e.source, e.target, weights, late, receptor)
