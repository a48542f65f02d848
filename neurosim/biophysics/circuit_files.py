"""Circuits as files: numbers as arrays, models by name, free equations as guarded text; a file never holds code.

One netCDF file: the arrays, and everything else as readable JSON in its attributes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr

from neurosim import storage
from neurosim.biophysics.background import Poisson
from neurosim.biophysics.circuit import Circuit, Readout
from neurosim.biophysics.custom import FREE, CustomNeuron
from neurosim.biophysics.injection import CURRENTS, current_of
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.models import NEURONS, SYNAPSES
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection, Weights
from neurosim.biophysics.rules import PLASTICITY, RELEASES, PlasticityModel, ReleaseModel, plasticity_of, release_of
from neurosim.parameters import as_dict, filled
from neurosim.schema import InputError

# 1 had one kind of synapses a population and one delay a projection; 2 no equations, no initial; 3 one input
SCHEMA_VERSION = 4


def save_circuit(path: str | Path, circuit: Circuit) -> Path:
    """Write a circuit to one netCDF file: numbers as arrays, everything else as readable JSON in its attributes.

    Parameters
    ----------
    path : file to write, ``.nc``.
    circuit : any circuit; free equations are kept as text, which passes its guard again when it is read.

    Returns
    -------
    the path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = ns.biophysics.save_circuit(f"{folder}/mine.nc", ns.biophysics.build_circuit("gabor_adex", 8))
    ...     ns.biophysics.load_circuit(file).sizes
    {'input': 8, 'excitatory': 128, 'inhibitory': 32}
    """
    storage.write_dataset(Path(path), _as_dataset(circuit))
    return Path(path)


def digest_of_circuit(circuit: Circuit) -> str:
    """Return the checksum of everything that a circuit is, without writing it."""
    held = _as_dataset(circuit)
    digest = hashlib.sha256(held.attrs["circuit"].encode())
    for name, array in held.variables.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array.values).data)
    return digest.hexdigest()


def _as_dataset(circuit: Circuit) -> xr.Dataset:
    """Return the arrays of a circuit, and everything else as JSON in the attributes."""
    arrays: dict[str, tuple[str, np.ndarray]] = {}

    def keep(name: str, values: np.ndarray) -> str:
        arrays[name] = (f"{name}_item", np.asarray(values))
        return name

    about = {
        "schema_version": SCHEMA_VERSION,
        "name": circuit.name,
        "rung": circuit.rung,
        "dt": circuit.dt,
        "step": circuit.step,
        "inputs": [as_dict(i) for i in circuit.all_inputs],
        "populations": [_population_record(p, i, keep) for i, p in enumerate(circuit.populations)],
        "projections": [
            {
                "source": p.source,
                "target": p.target,
                "delay": p.delay if np.isscalar(p.delay) else _keep_weights(p.delay, f"D{i}", keep),
                "receptor": p.receptor,
                "release": _rule_record(release_of(p.release), p.release),
                "plasticity": _rule_record(plasticity_of(p.plasticity), p.plasticity),
                "weights": _keep_weights(p.weights, f"W{i}", keep),
            }
            for i, p in enumerate(circuit.projections)
        ],
        "readout": None
        if circuit.readout is None
        else {
            "source": circuit.readout.source,
            "weights": _keep_weights(circuit.readout.weights, "readout", keep),
            "bias": keep("readout_bias", circuit.readout.bias),
            "reads": circuit.readout.reads,
        },
    }
    return xr.Dataset(arrays, attrs={"circuit": json.dumps(about, indent=1)})


def load_circuit(path: str | Path) -> Circuit:
    """Read a circuit that :func:`save_circuit` wrote; unknown models, keys and damaged files are refused.

    Parameters
    ----------
    path : file, ``.nc``.

    Returns
    -------
    the circuit.

    Raises
    ------
    InputError : not a circuit file, an unknown model or key, numbers out of range.
    StorageError : no such file, or a damaged one.

    Examples
    --------
    >>> ns.biophysics.load_circuit("nowhere.nc")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    neurosim.storage.StorageError: no such file
    """
    path = storage.as_path(path, "load_circuit")
    data = storage.read_dataset(path)
    try:
        about = json.loads(data.attrs["circuit"])
        if about["schema_version"] not in range(1, SCHEMA_VERSION + 1):
            raise ValueError(f"schema_version {about['schema_version']!r}, known: 1 to {SCHEMA_VERSION}")
        populations = tuple(_population_of(p, data) for p in about["populations"])
        projections = tuple(_projection_of(p, data) for p in about["projections"])
        given, kept = about["inputs"], about["readout"]
        inputs = tuple(Input(**record) for record in (given if isinstance(given, list) else [given]))
        readout = kept and _readout_of(kept, data)
        return Circuit(
            str(about["name"]), inputs, populations, projections, about["dt"], about["step"], readout, about["rung"]
        )
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InputError(f"load_circuit: {path} is not a circuit file ({type(error).__name__}: {error}).") from error


def _readout_of(kept: dict[str, Any], data: xr.Dataset) -> Readout:
    weights, bias = _weights_of(kept["weights"], data), data[kept["bias"]].values
    return Readout(kept["source"], weights, bias, kept.get("reads", "spikes"))


def _population_record(p: Population, index: int, keep: Any) -> dict[str, Any]:
    values = as_dict(p.parameters)
    infinite = [k for k, v in values.items() if v == float("inf")]
    return {
        "name": p.name,
        "size": p.size,
        "neuron": p.model.name,
        "parameters": {k: v for k, v in values.items() if k not in infinite},
        "infinite": infinite,
        "receptors": {
            r: _receptor_record(model.name, as_dict(p.receptors[r])) for r, model in p.receptor_models.items()
        },
        "noise": p.noise,
        "drive": keep(f"drive_{index}", p.drive),
        "background": [
            as_dict(b) | {"rate": keep(f"rate_{index}_{i}", np.atleast_1d(b.rate))} for i, b in enumerate(p.background)
        ],
        "currents": [_current_record(current, f"current_{index}_{i}", keep) for i, current in enumerate(p.currents)],
        "varying": {k: keep(f"varying_{index}_{k}", v) for k, v in p.varying.items()},
        "positions": None
        if p.positions is None
        else {"shape": list(p.positions.shape), "dense": keep(f"positions_{index}", p.positions.ravel())},
        "initial": {k: keep(f"initial_{index}_{k}", v) for k, v in p.initial.items()},
    }


def _receptor_record(synapses: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"synapses": synapses, "parameters": parameters}


def _projection_of(record: dict[str, Any], data: xr.Dataset) -> Projection:
    delay = record["delay"]
    delay = _weights_of(delay, data) if isinstance(delay, dict) else float(delay)
    weights = _weights_of(record["weights"], data)
    release, plasticity = (
        kept and registry.find(kept["rule"], "load_circuit").of(kept["parameters"])
        for registry, kept in ((RELEASES, record.get("release")), (PLASTICITY, record.get("plasticity")))
    )
    receptor = record.get("receptor", "")
    return Projection(record["source"], record["target"], weights, delay, receptor, release, plasticity)


def _rule_record(model: ReleaseModel | PlasticityModel | None, parameters: Any) -> dict[str, Any] | None:
    return None if model is None else {"rule": model.name, "parameters": as_dict(parameters)}


def _population_of(record: dict[str, Any], data: xr.Dataset) -> Population:
    numbers = record["parameters"] | dict.fromkeys(record["infinite"], float("inf"))
    if "receptors" not in record:
        record = record | {"receptors": {"": _receptor_record(record["synapses"], record["synapse_parameters"])}}
    receptors = {
        r: SYNAPSES.find(kept["synapses"], "load_circuit").of(kept["parameters"])
        for r, kept in record["receptors"].items()
    }
    return Population(
        record["name"],
        int(record["size"]),
        filled(FREE, CustomNeuron, numbers)
        if record["neuron"] == FREE
        else NEURONS.find(record["neuron"], "load_circuit").of(numbers),
        data[record["drive"]].values,
        receptors.get("", receptors),
        float(record["noise"]),
        {k: data[v].values for k, v in record["varying"].items()},
        _weights_of(places, data) if (places := record.get("positions")) else None,
        {k: data[v].values for k, v in record.get("initial", {}).items()},
        background=tuple(_background_of(kept, data) for kept in record.get("background", ())),
        currents=tuple(_current_of(kept, data) for kept in record.get("currents", ())),
    )


def _current_record(current: Any, name: str, keep: Any) -> dict[str, Any]:
    """Return a current as its name and numbers; arrays are kept apart."""
    model, numbers = current_of(current), as_dict(current)
    assert model is not None
    arrays = {k: v for k, v in numbers.items() if isinstance(v, np.ndarray)}
    kept = {k: {"shape": list(v.shape), "array": keep(f"{name}_{k}", v.ravel())} for k, v in arrays.items()}
    return {"current": model.name, "numbers": numbers | kept}


def _current_of(record: dict[str, Any], data: xr.Dataset) -> Any:
    numbers = {
        k: data[v["array"]].values.reshape(v["shape"]) if isinstance(v, dict) else v
        for k, v in record["numbers"].items()
    }
    return CURRENTS.find(record["current"], "load_circuit").of(numbers)


def _background_of(record: dict[str, Any], data: xr.Dataset) -> Poisson:
    rate = data[record["rate"]].values
    return Poisson(**(record | {"rate": rate if len(rate) > 1 else float(rate[0])}))


def _keep_weights(weights: Weights, name: str, keep: Any) -> dict[str, Any]:
    shape = list(weights.shape)
    if not scipy.sparse.issparse(weights):
        return {"shape": shape, "dense": keep(name, np.asarray(weights).ravel())}
    parts = {k: keep(f"{name}_{k}", getattr(weights, k)) for k in ("data", "indices", "indptr")}
    return {"shape": shape, "sparse": parts}


def _weights_of(record: dict[str, Any], data: xr.Dataset) -> Weights:
    shape = tuple(record["shape"])
    if "dense" in record:
        return data[record["dense"]].values.reshape(shape)
    parts = tuple(data[record["sparse"][k]].values for k in ("data", "indices", "indptr"))
    matrix = scipy.sparse.csr_array(parts, shape=shape)
    matrix.check_format(full_check=True)
    return matrix
