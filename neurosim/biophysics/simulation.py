"""Simulate a circuit: stimuli and trials are folded into copies, in chunks that fit a memory budget.

Everything random (input spikes, membrane noise) is drawn here from streams keyed by (seed, purpose, stimulus, trial),
so results depend neither on the chunks, nor on the workers, nor on the order of the stimuli, nor on the engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import scipy.sparse
import xarray as xr
from joblib import Parallel, delayed

from neurosim.biophysics import brian2_engine, standalone, torch_engine
from neurosim.biophysics.circuit import INPUT, Circuit
from neurosim.biophysics.conversion import convert, one_of, whole
from neurosim.biophysics.dynamics import Chunk, Run, check_exploded
from neurosim.biophysics.results import count_spikes, label_counts, label_membrane, spike_table
from neurosim.runtime import limit_threads, pick_device, stream, track
from neurosim.schema import STIMULUS_DIMS, InputError, check_responses, step_of, suggest

Engine = Literal["auto", "brian2", "cython", "cpp_standalone", "torch"]
ENGINES: tuple[str, ...] = get_args(Engine)
BYTES_A_SYNAPSE = 64
BYTES_A_NEURON = 256
WORTH_COMPILING = 5e8
WORTH_A_GPU = 1e7
MOST_A_STEP = 100


@dataclass(frozen=True)
class Shown:
    """Stimuli as the circuit takes them: values (stimulus, time, unit), or (stimulus, unit) where they last."""

    values: np.ndarray
    ids: tuple[str, ...]
    n_time: int


@dataclass(frozen=True)
class Execution:
    """Where and how a simulation runs; no result depends on it, but for `single`.

    Parameters
    ----------
    device : torch device, "auto" is the GPU when there is one.
    single : float32 on torch; spikes then differ where a membrane nearly ties with the threshold.
    memory : about how many bytes exist at once; stimuli and trials are cut into chunks accordingly.
    workers : processes that run chunks at the same time.
    threads : OpenMP threads of a C++ standalone program.
    """

    device: str = "auto"
    single: bool = False
    memory: int = 2**29
    workers: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        convert(self, "Execution", memory=whole, workers=whole, threads=whole)
        if self.memory < 1 or self.workers < 1 or self.threads < 1:
            raise InputError(f"Execution: memory, workers and threads of at least 1 asked, found {self}.")


def simulate(
    circuit: Circuit,
    stimuli: xr.DataArray,
    *,
    trials: int = 1,
    rng: np.random.Generator | int | None = 0,
    engine: Engine = "auto",
    tail: float = 0.0,
    time_bin: float | None = None,
    spike_times: bool = False,
    membrane: Sequence[str] = (),
    execution: Execution | None = None,
    progress: bool = True,
) -> Any:
    """Run `circuit` on every stimulus and count the spikes of every neuron in every time bin.

    Parameters
    ----------
    circuit : what to simulate.
    stimuli : input spikes (stimulus, time, unit) of 0 and 1 every ``circuit.step``, or intensities or currents, with a
        ``time`` dim or without, as ``circuit.inputs`` says; pictures (stimulus, [channel,] y, x) are read unit by unit.
    trials : how often each stimulus is shown; noise and Poisson input are drawn anew in each.
    rng : seed of everything random, or a generator that draws the seed.
    engine : "brian2" (numpy), "cython" or "cpp_standalone" (Brian2, compiled), "torch"; "auto" takes torch for large
        work on a GPU, C++ above 5e8 neuron-steps where there is a compiler, else "brian2".
    tail : time simulated after the last input sample, s.
    time_bin : width of the bins in which spikes are counted, s; a multiple of ``circuit.step``, which is the default.
    spike_times : also return the sparse table of spikes.
    membrane : populations, or units such as "hidden1/3", whose membrane is also returned.
    execution : device, precision, memory, processes and threads.
    progress : show a progress bar.

    Returns
    -------
    responses (stimulus, [trial,] time, unit) of spike counts, with ``layer`` (the population) along ``unit``. With
    `spike_times` or `membrane` a Dataset: ``responses``; along ``spike``: ``spike_time`` (s), ``spike_stimulus``,
    ``spike_trial`` and ``spike_unit`` (places along the dims); ``membrane_potential`` (stimulus, [trial,]
    membrane_time, membrane_unit), in V, or without unit where neurons are discrete.

    Raises
    ------
    InputError : the stimuli are not what the circuit takes, an unknown engine or unit, no compiler where one is
        needed, a chunk of one copy above `memory`, or a population that fires without end.

    Examples
    --------
    >>> from neurosim.biophysics.circuit import Circuit, Input, Population, Projection
    >>> from neurosim.parameters import DiscreteLIFParameters
    >>> from neurosim.schema import as_stimuli
    >>> neuron = Population("out", 1, DiscreteLIFParameters())
    >>> circuit = Circuit("one", Input(1), (neuron,), (Projection("input", "out", [[1.5]]),), dt=1e-3, step=1e-3)
    >>> spikes = as_stimuli([[[1.0], [0.0], [1.0]]], dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> simulate(circuit, spikes, engine="torch").values.ravel().tolist()
    [1.0, 0.0, 1.0]
    """
    shown, execution = check_stimuli(circuit, stimuli), execution or Execution()
    trials, tail = one_of("simulate", "trials", trials, whole), one_of("simulate", "tail", tail)
    width = circuit.step if time_bin is None else one_of("simulate", "time_bin", time_bin)
    given = int(rng.integers(2**63 - 1)) if isinstance(rng, np.random.Generator) else rng
    seed = one_of("simulate", "rng", 0 if given is None else given, whole)
    if not 0 <= tail <= 1e4:
        raise InputError(f"simulate: a tail of 0 to 1e4 s asked, found {tail}.")
    per_bin = round(width / circuit.step) if 0 < width <= 1e9 else 0
    if trials < 1 or per_bin < 1 or not np.isclose(per_bin * circuit.step, width):
        raise InputError(f"simulate: trials >= 1 and a time_bin that is a multiple of {circuit.step} s asked.")
    n_steps = round((shown.n_time * circuit.step + tail) / circuit.dt)
    if n_steps % (per_bin * circuit.substeps):
        raise InputError(
            f"simulate: {n_steps * circuit.dt:g} s of stimuli and tail are no whole number of bins of {width:g} s; "
            "choose time_bin= or tail= so that they are."
        )
    watched, watched_names = _watched(circuit, membrane)
    copies = [(s, t) for s in range(len(shown.ids)) for t in range(trials)]
    used = choose_engine(circuit, _with_means(engine, execution), execution.device, len(copies) * n_steps)
    laid = circuit if used == "torch" else _apart(circuit, _most_at_once(circuit, shown, trials, seed))
    size = chunk_size(laid, used, shown.n_time, n_steps, execution.memory, len(copies), watched)
    starts = list(range(0, len(copies), size))

    def one(start: int) -> Run:
        chunk = make_chunk(circuit, shown, copies[start : start + size], n_steps, seed)
        result = run_chunk(laid, chunk, watched, engine=used, execution=execution, padded=size)
        check_exploded(circuit, result, chunk)
        return result

    parts = _run_all(one, starts, circuit.name, execution.workers, progress)
    per_bin *= circuit.substeps
    counted = [
        count_spikes(circuit, run, per_bin, -(-n_steps // per_bin), min(size, len(copies) - start))
        for start, run in zip(starts, parts, strict=True)
    ]
    responses = label_counts(circuit, np.concatenate(counted), stimuli, trials, width, used)
    data: dict[str, Any] = {"responses": responses}
    if spike_times:
        data |= spike_table(circuit, parts, starts, trials)
    if membrane:
        data["membrane_potential"] = label_membrane(circuit, parts, watched_names, trials)
    return xr.Dataset(data, attrs=responses.attrs) if len(data) > 1 else responses


def _run_all(one: Any, starts: list[int], name: str, workers: int, progress: bool) -> list[Run]:
    """Run every chunk, in this process or in several."""
    if workers > 1 and len(starts) > 1:
        tasks = (delayed(_in_worker)(one, start) for start in starts)
        runs = Parallel(n_jobs=workers, return_as="generator")(tasks)
    else:
        runs = (one(start) for start in starts)
    return list(track(runs, f"simulating {name}", len(starts), progress=progress))


def choose_category(circuit: Circuit, responses: xr.DataArray) -> np.ndarray:
    """Return the index of the category that the spikes of a circuit name, (stimulus, [trial]).

    It is the largest value of the readout of the mean spikes a step, or the most active neuron of the last population;
    the first one wins a tie.

    Examples
    --------
    >>> from neurosim.biophysics.circuit import Circuit, Input, Population
    >>> from neurosim.parameters import DiscreteLIFParameters
    >>> from neurosim.schema import as_responses
    >>> circuit = Circuit("two", Input(1), (Population("out", 2, DiscreteLIFParameters()),), (), dt=1e-3, step=1e-3)
    >>> answers = as_responses([[[0.0, 1.0], [0.0, 1.0]]], coords={"layer": ("unit", ["out", "out"])})
    >>> choose_category(circuit, answers).tolist()
    [1]
    """
    responses, readout = check_responses(responses, "choose_category"), circuit.readout
    if "layer" not in responses.coords or "time" not in responses.dims:
        raise InputError("choose_category: spikes over time with 'layer' along unit asked, as simulate returns them.")
    source = readout.source if readout else circuit.populations[-1].name
    spikes = responses.isel(unit=np.flatnonzero(responses["layer"].values == source)).mean("time")
    values = spikes.transpose(..., "unit").values
    if readout is not None:
        flat = values.reshape(-1, values.shape[-1])
        weighted = flat @ readout.weights if isinstance(readout.weights, np.ndarray) else (readout.weights.T @ flat.T).T
        values = np.asarray(weighted).reshape(*values.shape[:-1], -1) + readout.bias
    return values.argmax(-1)


def run_chunk(
    circuit: Circuit,
    chunk: Chunk,
    watched: Mapping[str, np.ndarray],
    *,
    engine: str,
    execution: Execution,
    padded: int = 0,
) -> Run:
    """Run one chunk on an engine that has been chosen; compiled engines may pad it to `padded` copies."""
    if engine == "torch":
        return torch_engine.run(circuit, chunk, watched, device=execution.device, single=execution.single)
    if chunk.spikes is not None:
        times = circuit.inputs.size // chunk.spikes.shape[-1]
        spikes = np.concatenate([chunk.spikes > k for k in range(times)], axis=-1).astype(np.uint8)
        chunk = replace(chunk, spikes=spikes)
    if engine == "cpp_standalone":
        n_copies = max(padded, chunk.n_copies)
        return standalone.run(circuit, chunk, watched, n_copies=n_copies, threads=execution.threads)
    return brian2_engine.run(circuit, chunk, watched, target="numpy" if engine == "brian2" else engine)


def _with_means(engine: str, execution: Execution) -> str:
    """Return the engine, or raise where it has not the means that are asked of it."""
    is_on_gpu, is_spread = execution.device not in ("auto", "cpu"), execution.threads > 1
    asked = {"single": (execution.single, "torch"), "device": (is_on_gpu, "torch")}
    for name, (is_asked, reader) in {**asked, "threads": (is_spread, "cpp_standalone")}.items():
        if is_asked and engine in ENGINES and engine not in ("auto", reader):
            raise InputError(f"simulate: {name} = {getattr(execution, name)!r} is for {reader!r}, found {engine!r}.")
    return "torch" if engine == "auto" and execution.single else engine


def choose_engine(circuit: Circuit, engine: str, device: str, n_copy_steps: int) -> str:
    """Return the engine to use: the one asked for, if it can run, or the one that suits the size of the work."""
    if engine not in ENGINES:
        raise InputError(f"simulate: no engine {engine!r}. Engines: {', '.join(ENGINES)}.{suggest(engine, ENGINES)}")
    if engine in ("cython", "cpp_standalone") and not shutil.which("g++"):
        raise InputError(f"simulate: engine {engine!r} needs a C++ compiler (g++), which is not here; use 'brian2'.")
    is_free = any(p.is_free for p in circuit.populations)
    if engine == "torch" and is_free:
        raise InputError("simulate: free equations run on Brian2 only; engine='brian2'.")
    if engine != "auto":
        return engine
    work = n_copy_steps * sum(p.size for p in circuit.populations)
    if work > WORTH_A_GPU and not is_free and pick_device(device).startswith("cuda"):
        return "torch"
    return "cpp_standalone" if work > WORTH_COMPILING and shutil.which("g++") else "brian2"


def chunk_size(
    circuit: Circuit,
    engine: str,
    n_time: int,
    n_steps: int,
    memory: int,
    n_copies: int,
    watched: Mapping[str, np.ndarray],
) -> int:
    """Return how many copies of a circuit fit into `memory` bytes; Brian2 holds the synapses of each, torch one set."""
    n_neurons = sum(p.size for p in circuit.populations)
    noisy = sum(p.size for p in circuit.populations if p.is_random)
    graded = sum(q.weights.shape[1] for q in circuit.projections if q.source == INPUT)
    synapses = 0 if engine == "torch" else BYTES_A_SYNAPSE * circuit.n_synapses
    a_copy = synapses + BYTES_A_NEURON * n_neurons + 8 * n_steps * noisy
    a_copy += 8 * n_time * (graded if circuit.inputs.kind == "current" else circuit.inputs.size)
    a_copy += 8 * n_steps * sum(len(index) for index in watched.values())
    if a_copy > memory:
        raise InputError(
            f"simulate: one copy of {circuit.name} needs about {a_copy} bytes, above memory = {memory}; allow more."
        )
    return min(n_copies, memory // max(1, a_copy))


def make_chunk(circuit: Circuit, shown: Shown, copies: Sequence[tuple[int, int]], n_steps: int, seed: int) -> Chunk:
    """Draw and arrange what the copies (stimulus, trial) are shown."""
    kind = circuit.inputs.kind
    spikes, external = None, {}
    if kind == "spikes":
        spikes = shown.values[[s for s, _ in copies]].astype(np.uint8)
    elif kind == "poisson":
        spikes = np.stack([_poisson(circuit, shown, s, t, seed) for s, t in copies])
    else:
        external = _currents(circuit, shown, [s for s, _ in copies])
        if n_steps > shown.n_time * circuit.substeps:
            external = {name: _ended(values, shown.n_time) for name, values in external.items()}
    noise = {}
    for p in circuit.populations:
        if p.is_random:
            streams = [stream(seed, "noise", p.name, shown.ids[s], t) for s, t in copies]
            shape = (n_steps, p.size)
            draws = [rng.standard_exponential(shape) if p.escapes else rng.standard_normal(shape) for rng in streams]
            noise[p.name] = np.stack([np.log(d) if p.escapes else d for d in draws], axis=1)
    return Chunk(len(copies), n_steps, spikes, external, noise)


def check_stimuli(circuit: Circuit, stimuli: xr.DataArray) -> Shown:
    """Check stimuli against the input of the circuit and lay them out as (stimulus, [time,] unit)."""
    kind, name = circuit.inputs.kind, circuit.name
    if not isinstance(stimuli, xr.DataArray):
        raise InputError(
            f"simulate: stimuli are a labelled array, found {type(stimuli).__name__}; name its dims with as_stimuli."
        )
    if "stimulus" not in stimuli.dims or (kind == "spikes" and "time" not in stimuli.dims):
        raise InputError(
            f"simulate: {name} takes {'spike trains (stimulus, time, unit)' if kind == 'spikes' else 'stimuli'}, found "
            f"{tuple(stimuli.dims)}; encode images with encode_rate."
        )
    lead = ("stimulus", "time") if "time" in stimuli.dims else ("stimulus",)
    stimuli = stimuli.transpose(*[d for d in STIMULUS_DIMS if d in stimuli.dims], ...)
    values = np.asarray(stimuli.values)
    values = values.reshape(*values.shape[: len(lead)], -1)
    if values.shape[-1] != circuit.inputs.size:
        raise InputError(f"simulate: {name} has {circuit.inputs.size} inputs, the stimuli {values.shape[-1]} units.")
    if kind == "spikes" and not np.isin(values, (0, 1)).all():
        raise InputError("simulate: input spikes are 0 or 1; graded input cannot be sent as spikes.")
    if not np.isfinite(values).all():
        raise InputError("simulate: the stimuli hold NaN or infinity; drop or impute them first.")
    if kind == "poisson" and (values.min() < 0 or values.max() > 1):
        raise InputError(f"simulate: intensities lie in 0..1, found {values.min():g}..{values.max():g}; rescale them.")
    if kind == "poisson" and circuit.inputs.max_rate * circuit.step > MOST_A_STEP:
        raise InputError(
            f"simulate: max_rate = {circuit.inputs.max_rate:g} spikes/s is more than {MOST_A_STEP} spikes in a step of "
            f"{circuit.step} s; lower it and raise the weights, or send a current."
        )
    step = step_of(stimuli, "simulate") if "time_step" in stimuli.attrs and len(lead) == 2 else circuit.step
    if len(lead) == 2 and not np.isclose(step, circuit.step):
        raise InputError(f"simulate: the stimuli come every {step} s, {name} expects one every {circuit.step} s.")
    n_time = values.shape[1] if len(lead) == 2 else max(1, round(circuit.inputs.duration / circuit.step))
    return Shown(values, tuple(str(s) for s in stimuli["stimulus"].values), n_time)


def _poisson(circuit: Circuit, shown: Shown, stimulus: int, trial: int, seed: int) -> np.ndarray:
    """Draw the number of input spikes (time, unit) of every step: Poisson counts with the mean rate x step."""
    mean = shown.values[stimulus] * circuit.inputs.max_rate * circuit.step
    draw = stream(seed, "input", shown.ids[stimulus], trial)
    return draw.poisson(mean, (shown.n_time, circuit.inputs.size)).astype(np.uint8)


def _most_at_once(circuit: Circuit, shown: Shown, trials: int, seed: int) -> int:
    """Return the largest number of spikes that an input unit sends in one step of the whole simulation."""
    if circuit.inputs.kind != "poisson":
        return 1
    counts = (_poisson(circuit, shown, s, t, seed) for s in range(len(shown.ids)) for t in range(trials))
    return max(int(drawn.max(initial=0)) for drawn in counts)


def _apart(circuit: Circuit, most: int) -> Circuit:
    """Return the circuit with its input units repeated, so that none sends more than one spike in a step.

    Their number is a power of two, so that compiled programs are found again.
    """
    if most < 2:
        return circuit
    most = 2 ** (most - 1).bit_length()
    projections = tuple(
        replace(q, weights=scipy.sparse.vstack([scipy.sparse.csr_array(q.weights)] * most)) if q.source == INPUT else q
        for q in circuit.projections
    )
    return replace(circuit, inputs=replace(circuit.inputs, size=most * circuit.inputs.size), projections=projections)


def _currents(circuit: Circuit, shown: Shown, stimuli: list[int]) -> dict[str, np.ndarray]:
    """Return the graded input (copy, time or 1, neuron) of every population that receives it."""
    values = shown.values[stimuli].astype(float)
    flat = values.reshape(-1, values.shape[-1])
    external: dict[str, np.ndarray] = {}
    for q in circuit.projections:
        if q.source == INPUT:
            product = flat @ q.weights if isinstance(q.weights, np.ndarray) else (q.weights.T @ flat.T).T
            brought = np.asarray(product).reshape(len(stimuli), -1, q.weights.shape[1])
            external[q.target] = external[q.target] + brought if q.target in external else brought
    return external


def _ended(values: np.ndarray, n_time: int) -> np.ndarray:
    """Return graded input (copy, time or 1, neuron) over `n_time` steps and, from then on, none."""
    lasting = np.broadcast_to(values, (len(values), n_time, values.shape[-1]))
    return np.concatenate([lasting, np.zeros_like(lasting[:, :1])], axis=1)


def _in_worker(one: Any, start: int) -> Run:
    limit_threads(1)
    return one(start)


def _watched(circuit: Circuit, membrane: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the neurons of each population whose membrane is asked for, and the names of all of them."""
    chosen: dict[str, list[int]] = {}
    for name in [membrane] if isinstance(membrane, str) else membrane:
        layer, _, index = (str(name), "", "") if name in circuit.sizes else str(name).rpartition("/")
        size = circuit.population(layer or str(name)).size
        if index and not (index.isdigit() and int(index) < size):
            raise InputError(f"simulate: no unit {name!r}; {layer!r} has units {layer}/0 to {layer}/{size - 1}.")
        chosen.setdefault(layer, []).extend([int(index)] if index else range(size))
    order = [p.name for p in circuit.populations if p.name in chosen]
    watched = {name: np.unique(chosen[name]) for name in order}
    return watched, [f"{name}/{i}" for name in order for i in watched[name]]
