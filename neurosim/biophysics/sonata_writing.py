"""Circuits of leaky neurons as SONATA files, which others read, and beside them the circuit itself for its way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from neurosim import storage
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import save_circuit
from neurosim.biophysics.inputs import INPUT
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.sonata import MICRO, OWN_FILE, OWN_KEY, VIRTUAL
from neurosim.biophysics.sonata_models import SONATA_MODELS, SonataModel
from neurosim.biophysics.sources import refuse_sources
from neurosim.refusals import InputError
from neurosim.sonata_spikes import MAGIC, VERSION

WHO = "save_sonata"
NETWORK, NEURONS = "network", "components/point_neuron_models"
TYPE, GROUP = 100, "0"
SAID = {
    Circuit: {"name", "inputs", "populations", "projections", "dt", "step", "readout", "rung"},
    Population: {"name", "size", "parameters", "drive", "synapses", "noise", "varying", "positions", "initial"},
    Projection: {"source", "target", "weights", "delay", "receptor"},
}
NUMBERS = [f.name for f in fields(LIFParameters) if f.name not in ("reset", "subtracted")]


def save_sonata(folder: str | Path, circuit: Circuit) -> Path:
    """Write a circuit of leaky neurons as SONATA files in the models and units of NEST (ms, mV, pF, pA, um).

    Beside them lies the circuit itself, with a list of checksums: :func:`load_sonata` gives it back bit for bit as long
    as no file was changed. Other programs read the rest.

    Parameters
    ----------
    folder : where it goes; an old one is replaced.
    circuit : leaky neurons that are reset to a value, without noise, with delta, exponential or alpha synapses; of two
        receptors one receives weights above 0 and the other weights below.

    Returns
    -------
    path of the configuration, ``circuit_config.json``.

    Raises
    ------
    InputError : neurons, synapses, noise or input that these files cannot hold; ``save_circuit`` holds every circuit.

    Examples
    --------
    >>> import tempfile
    >>> cells = ns.biophysics.Population("cells", 3, ns.biophysics.LIFParameters())
    >>> wire = ns.biophysics.Projection("input", "cells", [[2e-3, 1e-3, 0]], delay=1e-3)
    >>> circuit = ns.biophysics.Circuit("small", ns.biophysics.Input(1), (cells,), (wire,), dt=1e-4, step=1e-3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(ns.biophysics.save_sonata(f"{folder}/small", circuit).name)
    circuit_config.json
    """
    folder = storage.as_path(folder, WHO)
    refuse_sources(circuit, WHO)
    if circuit.only_input(WHO).kind == "current":
        raise InputError(f"{WHO}: the input of {circuit.name!r} is a current, where SONATA has nodes that spike.")
    for what, record in [(circuit.name, circuit), *((f"{q.source}->{q.target}", q) for q in circuit.projections)]:
        _check_said(what, record)
    models = {p.name: _model(p, circuit) for p in circuit.populations}
    taus = {p.name: _time_constants(p, circuit, models[p.name]) for p in circuit.populations}
    labels = _labels(circuit)
    with storage.atomic_folder(folder) as new:
        (new / NETWORK).mkdir()
        (new / NEURONS).mkdir(parents=True)
        _write_nodes(new, INPUT, circuit.inputs.size, VIRTUAL, "NULL", {}, None)
        for p in circuit.populations:
            model = models[p.name]
            assert model.back is not None
            numbers = model.back({k: p.number(k) for k in NUMBERS} | {"drive": p.drive, "start": _start(p)})
            numbers |= {k: np.full(p.size, tau / 1e-3) for k, tau in taus[p.name].items()}
            _write_nodes(new, p.name, p.size, "point_neuron", model.name, numbers, p.positions)
        for label, q in zip(labels, circuit.projections, strict=True):
            _write_edges(new, label, q, models[q.target], circuit.dt)
        storage.write_json(new / "circuit_config.json", _config([INPUT, *models], labels), sort_keys=False)
        save_circuit(new / OWN_FILE, circuit)
        storage.write_manifest(new)
    return folder / "circuit_config.json"


def _check_said(what: str, record: Any) -> None:
    """Raise where a record has something that the files do not say."""
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name not in SAID[type(record)] and (isinstance(value, np.ndarray) or bool(value)):
            raise InputError(
                f"{WHO}: {what} has {field.name}, which its files cannot say; save_circuit holds every circuit."
            )


def _model(p: Population, circuit: Circuit) -> SonataModel:
    """Return what a population is in NEST, or refuse it by name."""
    _check_said(p.name, p)
    kinds = {type(synapses) for synapses in p.receptors.values()}
    model = next((m for m in SONATA_MODELS.values() if m.back is not None and {m.kind} == kinds), None)
    reasons = {
        f"neurons ({type(p.parameters).__name__}) that are not leaky ones in volts": not isinstance(
            p.parameters, LIFParameters
        ),
        "a reset to no value": getattr(p.parameters, "reset", "value") != "value",
        f"synapses ({', '.join(sorted(k.__name__ for k in kinds))}) of another kind": model is None,
        f"noise = {p.noise:g}": bool(p.noise),
        f"initial {min({*p.initial} - {'v'}, default='')!r}": bool({*p.initial} - {"v"}),
        f"varying {min({*p.varying} - {*NUMBERS}, default='')!r}": bool({*p.varying} - {*NUMBERS}),
        "a name with '/' or nothing in it": not p.name or "/" in p.name,
    }
    found = next((reason for reason, is_so in reasons.items() if is_so), None)
    if found is not None or model is None:
        raise InputError(
            f"{WHO}: population {p.name!r} of {circuit.name!r} has {found}, which the models of NEST here cannot say; "
            "save_circuit holds every circuit."
        )
    return model


def _start(p: Population) -> np.ndarray:
    """Return where the membranes of a population start, V: at rest where nothing is said."""
    return np.broadcast_to(p.initial.get("v", p.number("e_leak")), (p.size,))


def _time_constants(p: Population, circuit: Circuit, model: SonataModel) -> dict[str, float]:
    """Return the time constants of weights above and below 0, s, by the names that they have in NEST."""
    names = dict(zip((1, -1), model.synapses, strict=True))
    if not any(names.values()):
        if len(p.receptors) > 1:
            raise InputError(f"{WHO}: population {p.name!r} has {len(p.receptors)} receptors of jumps; one asked.")
        return {}
    taus: dict[int, float] = {}
    for receptor, synapses in p.receptors.items():
        (field,) = fields(synapses)
        weights = np.concatenate([q.values for q in circuit.into(p.name) if q.receptor == receptor] or [np.zeros(0)])
        signs = (1, -1) if len(p.receptors) == 1 else tuple(s for s in (1, -1) if (np.sign(weights) == s).any())
        if taus.keys() & set(signs):
            raise InputError(
                f"{WHO}: population {p.name!r}: NEST has a kind of synapses for weights above 0, one for those below; "
                f"several of its receptors ({', '.join(p.receptors)}) receive weights of one sign."
            )
        taus |= dict.fromkeys(signs, float(getattr(synapses, field.name)))
    return {names[sign]: tau for sign, tau in taus.items()}


def _labels(circuit: Circuit) -> list[str]:
    """Return a name of its own for each projection."""
    names = [f"{q.source}_to_{q.target}" for q in circuit.projections]
    return [name if names.count(name) == 1 else f"{name}_{k}" for k, name in enumerate(names)]


def _config(nodes: list[str], edges: list[str]) -> dict[str, Any]:
    def files(kind: str, name: str) -> dict[str, str]:
        return {
            f"{kind}s_file": f"$NETWORK_DIR/{name}_{kind}s.h5",
            f"{kind}_types_file": f"$NETWORK_DIR/{name}_{kind}_types.csv",
        }

    return {
        "manifest": {"$BASE_DIR": ".", "$NETWORK_DIR": f"$BASE_DIR/{NETWORK}"},
        "components": {"point_neuron_models_dir": f"$BASE_DIR/{NEURONS}"},
        "networks": {"nodes": [files("node", n) for n in nodes], "edges": [files("edge", e) for e in edges]},
        "target_simulator": "NEST",
        OWN_KEY: OWN_FILE,
    }


def _write_nodes(
    folder: Path, name: str, n: int, kind: str, model: str, numbers: Mapping[str, np.ndarray], places: Any
) -> None:
    """Write the nodes of a population; what differs between them stands beside each, the rest with their type."""
    own = {f"dynamics_params/{k}": v for k, v in numbers.items() if np.ptp(v)}
    if places is not None:
        own |= {axis: places[:, k] / MICRO for k, axis in enumerate("xyz"[: places.shape[1]])}
    columns = {"node_id": np.arange(n, dtype=np.uint64)}
    _write_table(folder / NETWORK / f"{name}_nodes.h5", "node", name, n, columns, own)
    common, file = {k: float(v[0]) for k, v in numbers.items() if not np.ptp(v)}, "NULL"
    if numbers:
        file = f"{name}.json"
        storage.write_json(folder / NEURONS / file, common)
    text = f'node_type_id model_type model_template dynamics_params\n{TYPE} {kind} {model} "{file}"\n'
    storage.write_text(folder / NETWORK / f"{name}_node_types.csv", text)


def _write_edges(folder: Path, label: str, q: Projection, model: SonataModel, dt: float) -> None:
    sources, targets, weights = q.synapses()
    columns = {"source_node_id": sources.astype(np.uint64), "target_node_id": targets.astype(np.uint64)}
    own = {"syn_weight": weights / model.weight, "delay": _delays(q, model, dt) / 1e-3}
    ends = {"source_node_id": q.source, "target_node_id": q.target}
    _write_table(folder / NETWORK / f"{label}_edges.h5", "edge", label, len(weights), columns, own, ends)
    text = f"edge_type_id target_query source_query model_template\n{TYPE} * * static_synapse\n"
    storage.write_text(folder / NETWORK / f"{label}_edge_types.csv", text)


def _delays(q: Projection, model: SonataModel, dt: float) -> np.ndarray:
    """Return the delays as others count them, from the end of a step."""
    delays = q.delays() - model.steps(q.source) * dt
    if delays.min(initial=0) < -dt / 2:
        raise InputError(
            f"{WHO}: {q.source}->{q.target} has delays from {q.delays().min():g} s on; others count them from the end "
            f"of a step, so {dt:g} s at least are asked between populations."
        )
    return np.where(delays < dt / 2, 0.0, delays)


def _write_table(
    path: Path,
    kind: str,
    name: str,
    n: int,
    columns: Mapping[str, np.ndarray],
    own: Mapping[str, np.ndarray],
    ends: Mapping[str, str] | None = None,
) -> None:
    import h5py

    with storage.atomic_file(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["magic"], file.attrs["version"] = np.uint32(MAGIC), np.array(VERSION, np.uint32)
        group = file.create_group(f"{kind}s/{name}")
        group[f"{kind}_type_id"] = np.full(n, TYPE, np.uint32)
        group[f"{kind}_group_id"] = np.zeros(n, np.uint32)
        group[f"{kind}_group_index"] = np.arange(n, dtype=np.uint64)
        group.create_group(GROUP)
        for key, values in columns.items():
            group[key] = values
            if ends:
                group[key].attrs["node_population"] = ends[key]
        for key, values in own.items():
            group[f"{GROUP}/{key}"] = values
