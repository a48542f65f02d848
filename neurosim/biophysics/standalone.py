"""The compiled engine: Brian2's C++ standalone, built once a circuit and run again with other inputs.

A build is addressed by its content (circuit, number of copies and steps, versions), kept between processes with the
checksums of its files, and made again when it is damaged. A run starts the binary in a folder of its own, so that
several processes can use one build at once.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from neurosim import storage
from neurosim.biophysics.brian2_engine import (
    build,
    courses_of,
    import_brian2,
    preferences,
    strict_flags,
)
from neurosim.biophysics.brian2_rules import weights_over_time
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.circuit_files import digest_of_circuit, load_circuit, save_circuit
from neurosim.biophysics.courses import Course, silent
from neurosim.biophysics.dynamics import Chunk, Events, Run, Watch
from neurosim.biophysics.sources import columns_of
from neurosim.schema import InputError

# Brian2 writes one small source an object, and each reads the same headers: they are compiled once.
COMMON_HEADERS = """#include "objects.h"
#include "brianlib/common_math.h"
#include "synapses_classes.h"
#include <climits>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iostream>
"""
COMMON_RULES = """
$(OBJS): common.h.gch
$(OBJS): CXXFLAGS += -include common.h
common.h.gch: common.h
\t-$(CXX) $(filter-out -c -include common.h,$(CXXFLAGS)) -x c++-header $< -o $@
"""


def run(circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], *, n_copies: int, threads: int = 1) -> Run:
    """Run a chunk on the binary of `circuit` for `n_copies` copies and OpenMP threads, built where it is not there."""
    padded = _padded(circuit, chunk, n_copies)
    with tempfile.TemporaryDirectory(prefix="neurosim-run-") as private:
        folder = built(circuit, padded, watched, Path(private), threads)
        about = storage.read_json(folder / "about.json")
        out = Path(private) / "out"
        out.mkdir()
        for name in about["unread"]:  # a program writes all that it holds, its synapses among it
            (out / name).symlink_to(os.devnull)
        arguments = []
        for name, values in _arrays_of(circuit, padded).items():
            path = Path(private) / f"{name}.bin"
            with path.open("wb") as file:
                for block in values.blocks() if isinstance(values, Course) else [values]:
                    np.ascontiguousarray(block, dtype=float).tofile(file)
            arguments.append(f"{name}.values={path}")
        done = subprocess.run(
            [str(folder / "main"), "--results_dir", f"{out}/", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InputError(f"simulate: the compiled {circuit.name} stopped ({done.stderr.strip()[-300:]}).")
        return _collect(circuit, chunk, about, out)


def built(circuit: Circuit, chunk: Chunk, watched: Sequence[Watch], private: Path, threads: int) -> Path:
    """Return the folder of the build, made in a child process where it is not there."""
    about = {
        "n_copies": chunk.n_copies,
        "n_steps": chunk.n_steps,
        "spikes": {name: values.shape[1] for name, values in chunk.spikes.items()},
        "external": {k: v.shape[1] for k, v in chunk.external.items()},
        "noise": sorted(chunk.noise),
        "background": sorted(chunk.background),
        "currents": sorted(chunk.currents),
        "seeds": {str(i): first.shape[1] for i, first in chunk.seeds.items()},
        "learns": chunk.learns,
        "is_modulated": chunk.modulator is not None,
        "kept_every": chunk.kept_every,
        "totals": {str(i): total for i, total in chunk.totals.items()},
        "scaled_every": chunk.scaled_every,
        "watched": [[w.population, w.variable, w.index.tolist(), w.every, w.name, w.projection] for w in watched],
        "flags": list(strict_flags()),
        "threads": threads if threads > 1 else 0,
        **_made_with(),
    }
    key = hashlib.sha256((digest_of_circuit(circuit) + json.dumps(about, sort_keys=True)).encode()).hexdigest()
    folder = storage.cache_folder("standalone") / key[:32]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not storage.is_whole_build(folder):
            save_circuit(private / "job" / "circuit.nc", circuit)
            storage.write_json(private / "job" / "job.json", about)
            _build_in_child(private / "job", folder)
            if not storage.is_whole_build(folder):
                raise InputError(f"simulate: {folder} is damaged again right after it was built; look at the disk.")
        os.utime(folder)
    return folder


@functools.cache
def _made_with() -> dict[str, Any]:
    """Return the version of Brian2 and the checksums of the code of this room: a process has one of each."""
    code = [storage.sha256(p) for p in sorted(Path(__file__).parent.rglob("*.py"))]
    return {"brian2": importlib.metadata.version("brian2"), "code": code}


def _build_in_child(job: Path, folder: Path) -> None:
    """Build in a fresh process, whose device is C++, with the code of this one; only what a run needs is kept."""
    root = str(Path(__file__).parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    work = Path(tempfile.mkdtemp(prefix="build-", dir=folder.parent))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "neurosim.biophysics.standalone", str(job), str(work)],
            cwd=job,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise InputError(f"simulate: C++ standalone could not be built: {lines[-1][:300]}")
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main(job: Path, folder: Path) -> None:
    """Build the circuit that the folder `job` describes into `folder` (called in the child process)."""
    circuit, about = load_circuit(job / "circuit.nc"), storage.read_json(job / "job.json")
    chunk = _empty_chunk(circuit, about)
    watched = [Watch(of, name, np.asarray(index, dtype=int), *more) for of, name, index, *more in about["watched"]]
    b2 = import_brian2()
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.prefs.devices.cpp_standalone.openmp_threads = about["threads"]
    b2.prefs["devices.cpp_standalone.extra_make_args_unix"] = [f"-j{os.cpu_count() or 1}"]  # Brian2's are without end
    with preferences(b2, "cython"):
        parts = build(b2, circuit, chunk, watched, inputs_as_arrays=True, is_fed=False)
        parts.network.run(chunk.n_steps * circuit.dt * b2.second, namespace={})
        b2.device.build(directory=str(folder), compile=False, run=False, debug=False, clean=False)
        (folder / "common.h").write_text(COMMON_HEADERS)
        with (folder / "makefile").open("a") as rules:
            rules.write(COMMON_RULES)
        (
            folder / "make.deps"
        ).touch()  # newer than all sources: what depends on what is not asked, all is compiled once
        b2.device.compile_source(str(folder), "unix", debug=False, clean=False)

    all_files = {variable: Path(b2.device.get_array_filename(variable)).name for variable in b2.device.arrays}
    read = set()

    def file_of(variable: object) -> str:
        read.add(all_files[variable])
        return all_files[variable]

    names = {
        "spikes": {name: {key: file_of(m.variables[key]) for key in ("t", "i")} for name, m in parts.spikes.items()},
        "last": {name: file_of(group.variables["v"]) for name, group in parts.groups.items()},
        "recorded": [[[file_of(m.variables[v]), at.tolist()] for m, v, at in several] for several in parts.watches],
        "weights": {
            str(rules.index): {
                "kept": [file_of(monitor.variables["weight"]) for monitor in rules.monitors],
                "last": [file_of(synapses.variables["weight"]) for synapses in rules.synapses],
            }
            for rules in parts.rules
            if rules.ruled.plasticity is not None
        },
    }
    for path in (*folder.rglob("*.o"), *folder.rglob("*.gch")):
        path.unlink()
    storage.write_json(folder / "about.json", about | names | {"unread": sorted({*all_files.values()} - read)})
    storage.write_manifest(folder)


def _arrays_of(circuit: Circuit, chunk: Chunk) -> dict[str, np.ndarray | Course]:
    """Return the arrays over time (time, copy, neuron), by the name they have in the binary."""
    arrays: dict[str, np.ndarray | Course] = {}
    for place, name in enumerate(circuit.sizes):
        if name in chunk.spikes:
            arrays[f"input_{place}"] = chunk.spikes[name].transpose(1, 0, 2)
    for index, p in enumerate(circuit.populations):
        if p.name in chunk.external:
            arrays[f"external_{index}"] = chunk.external[p.name].transpose(1, 0, 2)
        arrays |= courses_of(p, index, chunk)
    arrays |= {f"seeds_{i}": first[None] for i, first in chunk.seeds.items()}
    return arrays if chunk.modulator is None else arrays | {"modulator": chunk.modulator}


def _padded(circuit: Circuit, chunk: Chunk, n_copies: int) -> Chunk:
    """Return the chunk with silent copies added, so that one binary serves the last, shorter chunk too."""
    missing = n_copies - chunk.n_copies

    def pad(values: np.ndarray, axis: int) -> np.ndarray:
        shape = [(0, 0)] * values.ndim
        shape[axis] = (0, missing)
        return np.pad(values, shape)

    return replace(
        chunk,
        n_copies=n_copies,
        spikes={k: pad(v, 0) for k, v in chunk.spikes.items()},
        external={k: pad(v, 0) for k, v in chunk.external.items()},
        noise={k: v.padded(n_copies) for k, v in chunk.noise.items()},
        seeds={i: pad(first, 0) for i, first in chunk.seeds.items()},
        background={k: v.padded(n_copies) for k, v in chunk.background.items()},
        currents={k: v.padded(n_copies) for k, v in chunk.currents.items()},
    )


def _empty_chunk(circuit: Circuit, about: Mapping[str, Any]) -> Chunk:
    n, sizes = about["n_copies"], circuit.sizes
    return Chunk(
        n,
        about["n_steps"],
        {k: np.zeros((n, t, sizes[k]), dtype=np.uint8) for k, t in about["spikes"].items()},
        {k: np.zeros((n, t, sizes[k])) for k, t in about["external"].items()},
        {k: silent(n, about["n_steps"], sizes[k]) for k in about["noise"]},
        {int(i): np.ones((n, size)) for i, size in about["seeds"].items()},
        {(k, arrival): silent(n, about["n_steps"], sizes[k]) for k, arrival in about["background"]},
        {k: _empty_current(circuit, k, n, about["n_steps"]) for k in about["currents"]},
        about["learns"],
        np.zeros(about["n_steps"]) if about["is_modulated"] else None,
        about["kept_every"],
        {int(i): total for i, total in about["totals"].items()},
        about["scaled_every"],
    )


def _empty_current(circuit: Circuit, name: str, n_copies: int, n_steps: int) -> Course:
    column, size = columns_of(circuit.population(name), circuit.dt)
    return replace(silent(n_copies, n_steps, size), column=column)


def _collect(circuit: Circuit, chunk: Chunk, about: Mapping[str, Any], out: Path) -> Run:
    events = {}
    for p in circuit.populations:
        names = about["spikes"][p.name]
        times = np.fromfile(out / names["t"], dtype=np.float64)
        copy, neuron = np.divmod(np.fromfile(out / names["i"], dtype=np.int32).astype(np.int64), p.size)
        real = copy < chunk.n_copies
        steps = np.rint(times / circuit.dt).astype(np.int64)
        events[p.name] = Events.sorted(steps[real], copy[real], neuron[real])
    recorded = []
    for (_, _, index, every, *_), files in zip(about["watched"], about["recorded"], strict=True):
        values = np.empty((chunk.n_copies, -(-chunk.n_steps // every), len(index)))
        for file, columns in files:
            flat = np.fromfile(out / file, dtype=np.float64).reshape(-1, about["n_copies"], len(columns))
            values[..., columns] = flat[:, : chunk.n_copies].transpose(1, 0, 2)
        recorded.append(values)
    last = {name: np.fromfile(out / file, dtype=np.float64) for name, file in about["last"].items()}
    weights = {int(i): _weights(circuit, int(i), files, out) for i, files in about["weights"].items()}
    return Run(events, recorded, tuple(name for name, v in last.items() if not np.isfinite(v).all()), weights)


def _weights(circuit: Circuit, index: int, files: Mapping[str, Sequence[str]], out: Path) -> np.ndarray:
    """Return the weights (record, synapse) of a plastic projection."""
    last = [np.fromfile(out / file, dtype=np.float64) for file in files["last"]]
    kept = [
        np.fromfile(out / file, dtype=np.float64).reshape(-1, len(end))
        for file, end in zip(files["kept"], last[: len(files["kept"])], strict=True)
    ]
    return weights_over_time(circuit, circuit.projections[index], kept, last)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
