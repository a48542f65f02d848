"""Simulate a circuit: stimuli and trials are folded into copies, in chunks that fit a memory budget."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.chunk_memory import chunk_size, drawn_a_step
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Run, Watch, check_exploded
from neurosim.biophysics.execution import ENGINES, Engine, Execution, Report
from neurosim.biophysics.extremes import Extremes
from neurosim.biophysics.plain_numbers import convert, number, one_of, whole
from neurosim.biophysics.populations import Population
from neurosim.biophysics.presentation import Shown, apart, check_stimuli, make_chunk, most_at_once, spread_spikes
from neurosim.biophysics.results import (
    count_spikes,
    keep_records,
    label_counts,
    label_membrane,
    label_records,
    spike_table,
)
from neurosim.biophysics.torch_engine import first_broken
from neurosim.biophysics.watching import membranes, variables
from neurosim.refusals import InputError, suggest
from neurosim.runtime import as_seed, limit_threads, pick_device, track
from neurosim.schema import check_responses

AUTO = "auto"
WORTH_COMPILING = 5e8
WORTH_A_GPU = 1e7
MEMBRANES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean_membrane": lambda v: v.mean(-2),
    "last_membrane": lambda v: v[..., -1, :],
    "largest_membrane": lambda v: v.max(-2),
}


@by_value
@dataclass(frozen=True, eq=False)
class Monitors:
    """What is kept of a simulation.

    Parameters
    ----------
    time_bin : width of the bins in which spikes are counted, s; a multiple of ``circuit.step``, which is the default.
    tail : time that is simulated after the last input sample, s.
    spike_times : also return the sparse table of spikes.
    membrane : populations, or units such as "hidden1/3", whose membrane is also returned at every ``circuit.dt``.
    record : variables of neurons, receptors or releasing synapses that are also returned, such as "hidden1.w",
        "cells.nmda_falling/3", "input->cells.used" or, of some synapses, "input->cells.used/0->3" (from neuron 0 to 3),
        "input->cells.used/0->" (all from neuron 0) and "input->cells.used/->3".
    record_every : time between two records, s; a multiple of ``circuit.dt``, by default ``circuit.step``.

    Raises
    ------
    InputError : a tail outside 0 to 1e4 s, what is no number, or a `record_every` that nothing reads.

    Examples
    --------
    >>> ns.biophysics.Monitors(record=["hidden1.w"], record_every=1e-3).tail
    0.0
    """

    time_bin: float | None = None
    tail: float = 0.0
    spike_times: bool = False
    membrane: Sequence[str] = ()
    record: Sequence[str] = ()
    record_every: float | None = None

    def __post_init__(self) -> None:
        given = {k: number for k in ("time_bin", "record_every") if getattr(self, k) is not None}
        convert(self, "Monitors", tail=number, **given)
        if self.record_every is not None and not self.record:
            raise InputError("Monitors: record_every is read where something is recorded; name it with record=.")
        if not 0 <= self.tail <= 1e4:
            raise InputError(f"Monitors: a tail of 0 to 1e4 s asked, found {self.tail}.")


@dataclass(frozen=True)
class _Plan:
    """The numbers of a simulation: steps, bins, copies in chunks, the engine and the circuit as it takes it."""

    circuit: Circuit
    engine: Engine
    execution: Execution
    copies: list[tuple[int, int]]
    n_steps: int
    per_bin: int
    size: int
    watched: Sequence[Watch]

    @property
    def starts(self) -> list[int]:
        return list(range(0, len(self.copies), self.size))


def simulate(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    trials: int = 1,
    rng: np.random.Generator | int = 0,
    engine: str = AUTO,
    monitors: Monitors | None = None,
    execution: Execution | None = None,
    progress: bool = True,
) -> Any:
    """Run `circuit` on every stimulus and count the spikes of every neuron in every time bin.

    Parameters
    ----------
    circuit : what to simulate.
    stimuli : input spikes (stimulus, time, unit) of 0 and 1 every ``circuit.step``, or intensities or currents, with a
        ``time`` dim or without, as ``circuit.inputs`` says; pictures (stimulus, [channel,] y, x) are read unit by unit.
        Where there are several inputs: stimuli by the name of the input, each with the same labels of ``stimulus``.
    trials : how often each stimulus is shown; noise and Poisson input are drawn anew in each.
    rng : seed of everything random, or a generator that draws the seed.
    engine : one of ``neurosim.biophysics.ENGINES``: "brian2" (numpy), "cython" or "cpp_standalone" (Brian2, compiled),
        "torch"; "auto" takes torch for large work on a GPU, C++ above 5e8 neuron-steps where there is a compiler, else
        "brian2".
    monitors : what is kept: bins, spike times, membranes, and for how long after the input.
    execution : device, precision, memory, processes and threads.
    progress : show a progress bar.

    Returns
    -------
    responses (stimulus, [trial,] time, unit) of spike counts, with ``layer`` (the population) along ``unit``. With
    spike times, membranes or records a Dataset: ``responses``; along ``spike``: ``spike_time`` (s), ``spike_stimulus``,
    ``spike_trial`` and ``spike_unit`` (places along the dims); ``membrane_potential`` (stimulus, [trial,]
    membrane_time, membrane_unit), in V, or without unit where neurons are discrete; and each variable that is
    recorded by its name, such as "hidden1.w" (stimulus, [trial,] record_time, hidden1_unit); those of synapses along a
    dim such as ``input->cells_synapse``, with the places of their neurons in ``input->cells_source`` and
    ``input->cells_target``. Times are those at which steps begin, values those at their ends, as ``attrs["state"]`` of
    the times says.
    A warning is logged for a population that spikes reach and that never fires, where none of its variables is
    recorded, and for one that fires as often as its refractory period allows.

    Raises
    ------
    InputError : the stimuli are not what the circuit takes, an unknown engine, unit or variable, no compiler where one
        is needed, a chunk of one copy above `memory`, or a population that fires without end.

    Notes
    -----
    Noise, background and currents are drawn in blocks of time: 10,000 neurons with noise for 10 s at 0.1 ms take 11 MB
    beside what is imported on "brian2", where their numbers are 8 GB. "cpp_standalone" draws them ahead. What is
    recorded is held once.

    Examples
    --------
    >>> neuron = ns.biophysics.Population("out", 1, ns.parameters.DiscreteLIFParameters())
    >>> wire = ns.biophysics.Projection("input", "out", [[1.5]])
    >>> circuit = ns.biophysics.Circuit("one", ns.biophysics.Input(1), (neuron,), (wire,), dt=1e-3, step=1e-3)
    >>> spikes = ns.as_stimuli([[[1.0], [0.0], [1.0]]], dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> ns.simulate(circuit, spikes, engine="torch").values.ravel().tolist()
    [1.0, 0.0, 1.0]
    """
    shown, monitors = check_stimuli(circuit, stimuli), monitors or Monitors()
    trials, seed = one_of("simulate", "trials", trials, whole), as_seed(rng, "simulate")
    seen = membranes(circuit, monitors.membrane)
    watched = [*seen, *variables(circuit, monitors.record, monitors.record_every)]
    plan = _planned(circuit, shown, trials, seed, engine, monitors, execution or Execution(), watched)

    def one(start: int) -> Run:
        chunk = make_chunk(circuit, shown, plan.copies[start : start + plan.size], plan.n_steps, seed)
        result = run_chunk(plan.circuit, chunk, watched, plan.engine, plan.execution, padded=plan.size)
        check_run(circuit, result, chunk)
        return result

    counted, spikes = [], []
    recorded: list[np.ndarray] = []
    extremes = Extremes(circuit, shown, {watch.population for watch in watched})
    runs = _run_all(one, plan.starts, circuit.name, plan.execution.workers, progress)
    for start, run in zip(plan.starts, runs, strict=True):
        copies = plan.copies[start : start + plan.size]
        counted.append(count_spikes(circuit, run, plan.per_bin, plan.n_steps // plan.per_bin, len(copies)))
        recorded = keep_records(recorded, run, start, len(plan.copies))
        spikes += [run.events] if monitors.spike_times else []
        extremes.see(run, copies)
    extremes.tell()
    width = circuit.step if monitors.time_bin is None else monitors.time_bin
    counts = counted[0] if len(counted) == 1 else np.concatenate(counted)
    responses = label_counts(circuit, counts, shown.labels, trials, width, plan.engine.name)
    data: dict[str, Any] = {"responses": responses}
    if monitors.spike_times:
        data |= spike_table(circuit, spikes, plan.starts, trials)
    if seen:
        data["membrane_potential"] = label_membrane(circuit, recorded[: len(seen)], seen, trials)
    data |= label_records(circuit, recorded[len(seen) :], watched[len(seen) :], trials)
    return xr.Dataset(data, attrs=responses.attrs) if len(data) > 1 else responses


def check_run(circuit: Circuit, run: Run, chunk: Chunk) -> None:
    """Raise when a population exploded; a membrane that is no finite number is named with the time, found once more."""
    if run.broken:
        step = first_broken(circuit, run.broken[0], chunk)
        since = "at the end" if step is None else f"from {(step + 1) * circuit.dt:g} s on"
        raise InputError(
            f"simulate: the membrane of {run.broken[0]!r} of {circuit.name} is no finite number {since}; "
            "take a shorter dt, or weaken its drive and weights."
        )
    check_exploded(circuit, run, chunk)


def _planned(
    circuit: Circuit,
    shown: Shown,
    trials: int,
    seed: int,
    engine: str,
    monitors: Monitors,
    execution: Execution,
    watched: Sequence[Watch],
) -> _Plan:
    """Return how the simulation is cut into steps, bins, copies and chunks, and which engine runs it."""
    width = circuit.step if monitors.time_bin is None else monitors.time_bin
    per_bin = round(width / circuit.step) if 0 < width <= 1e9 else 0
    if trials < 1 or per_bin < 1 or not np.isclose(per_bin * circuit.step, width):
        raise InputError(f"simulate: trials >= 1 and a time_bin that is a multiple of {circuit.step} s asked.")
    n_steps, per_bin = round((shown.n_time * circuit.step + monitors.tail) / circuit.dt), per_bin * circuit.substeps
    if n_steps % per_bin:
        raise InputError(
            f"simulate: {n_steps * circuit.dt:g} s of stimuli and tail are no whole number of bins of {width:g} s; "
            "choose time_bin= or tail= so that they are."
        )
    copies = [(s, t) for s in range(len(shown.ids)) for t in range(trials)]
    used = choose_engine(circuit, engine, execution, len(copies) * n_steps)
    if engine == AUTO and used.draws_ahead and drawn_a_step(circuit) * n_steps > execution.memory:
        used = ENGINES["cython"]
    laid = circuit if used.counts_spikes else apart(circuit, most_at_once(circuit, shown, trials, seed))
    size = chunk_size(laid, used, shown.n_time, n_steps, execution.memory, len(copies), watched)
    return _Plan(laid, used, execution, copies, n_steps, per_bin, size, watched)


def _run_all(one: Callable[[int], Run], starts: list[int], name: str, workers: int, progress: bool) -> Iterable[Run]:
    """Yield what came out of every chunk, in this process or in several."""
    if workers > 1 and len(starts) > 1:
        tasks = (delayed(_in_worker)(one, start) for start in starts)
        runs = Parallel(n_jobs=workers, return_as="generator")(tasks)
    else:
        runs = (one(start) for start in starts)
    return track(runs, f"simulating {name}", len(starts), progress=progress)


def choose_category(circuit: Circuit, responses: xr.DataArray | xr.Dataset) -> np.ndarray:
    """Return the index of the category that the answers of a circuit name, (stimulus, [trial]).

    It is the largest value of the readout, or the most active neuron of the last population; the first one wins a tie.

    Parameters
    ----------
    circuit : that answered.
    responses : its spikes (stimulus, [trial,] time, unit), as :func:`simulate` returns them; the Dataset with the
        membranes of the population that is read, where the readout reads membranes.

    Returns
    -------
    indices (stimulus, [trial]).

    Raises
    ------
    InputError : responses without ``time`` or ``layer``, membranes that are read and were not kept, a last population
        that sends no spikes and that no readout reads.

    Examples
    --------
    >>> neurons = ns.biophysics.Population("out", 2, ns.parameters.DiscreteLIFParameters())
    >>> circuit = ns.biophysics.Circuit("two", ns.biophysics.Input(1), (neurons,), (), dt=1e-3, step=1e-3)
    >>> answers = ns.as_responses([[[0.0, 1.0], [0.0, 1.0]]], coords={"layer": ("unit", ["out", "out"])})
    >>> ns.biophysics.choose_category(circuit, answers).tolist()
    [1]
    """
    readout = circuit.readout
    source = circuit.population(readout.source if readout else circuit.populations[-1].name)
    if readout is None and not source.sends_spikes:
        raise InputError(
            f"choose_category: {source.name!r} sends no spikes; give the circuit a Readout of its membrane."
        )
    reads = readout.reads if readout else "spikes"
    values = _mean_spikes(responses, source.name) if reads == "spikes" else _read_membrane(responses, source, reads)
    if readout is not None:
        flat = values.reshape(-1, values.shape[-1])
        weighted = flat @ readout.weights if isinstance(readout.weights, np.ndarray) else (readout.weights.T @ flat.T).T
        values = np.asarray(weighted).reshape(*values.shape[:-1], -1) + readout.bias
    return np.asarray(values.argmax(-1))


def monitors_of_choice(circuit: Circuit) -> Monitors:
    """Return what a simulation has to keep for :func:`choose_category`: membranes where the readout reads them."""
    readout = circuit.readout
    return Monitors(membrane=() if readout is None or readout.reads == "spikes" else [readout.source])


def _mean_spikes(responses: xr.DataArray | xr.Dataset, source: str) -> np.ndarray:
    """Return the mean spikes of the neurons of a population in a bin, (stimulus, [trial,] neuron)."""
    given = responses["responses"] if isinstance(responses, xr.Dataset) and "responses" in responses else responses
    spikes = check_responses(given, "choose_category")
    if "layer" not in spikes.coords or "time" not in spikes.dims:
        raise InputError("choose_category: spikes over time with 'layer' along unit asked, as simulate returns them.")
    mean = spikes.isel(unit=np.flatnonzero(spikes["layer"].values == source)).mean("time")
    values: np.ndarray = mean.transpose(..., "unit").values
    return values


def _read_membrane(responses: xr.DataArray | xr.Dataset, source: Population, reads: str) -> np.ndarray:
    """Return the membranes of the neurons of a population as they are read, (stimulus, [trial,] neuron)."""
    units = [f"{source.name}/{i}" for i in range(source.size)]
    kept = responses.get("membrane_potential") if isinstance(responses, xr.Dataset) else None
    if kept is None or not set(units) <= set(kept["membrane_unit"].values.tolist()):
        raise InputError(
            f"choose_category: the membrane of {source.name!r} is read; pass the Dataset of simulate(..., "
            f"monitors=Monitors(membrane=[{source.name!r}]))."
        )
    chosen = kept.sel(membrane_unit=units).transpose(..., "membrane_time", "membrane_unit").values
    values: np.ndarray = MEMBRANES[reads](chosen)
    return values


def run_chunk(
    circuit: Circuit,
    chunk: Chunk,
    watched: Sequence[Watch],
    engine: Engine,
    execution: Execution,
    *,
    padded: int = 0,
    report: Report = lambda share: None,
) -> Run:
    """Run one chunk on an engine that has been chosen; compiled engines may pad it to `padded` copies.

    `report` is told, every now and then, the share of the steps that are done.
    """
    if not engine.counts_spikes:
        chunk = spread_spikes(circuit, chunk)
    return engine.run(circuit, chunk, watched, execution, padded, report)


def choose_engine(circuit: Circuit, engine: str, execution: Execution, n_copy_steps: int) -> Engine:
    """Return the engine to use: the one asked for, if it can do what is asked, or the one that suits the work."""
    known = (AUTO, *ENGINES)
    if engine not in known:
        raise InputError(f"simulate: no engine {engine!r}. Engines: {', '.join(known)}.{suggest(engine, known)}")
    if engine != AUTO:
        return _able(ENGINES[engine], execution)
    if execution.single:
        return _able(ENGINES["torch"], execution)
    work = n_copy_steps * sum(p.size for p in circuit.populations)
    if work > WORTH_A_GPU and pick_device(execution.device).startswith("cuda"):
        return ENGINES["torch"]
    return ENGINES["cpp_standalone" if work > WORTH_COMPILING and shutil.which("g++") else "brian2"]


def _able(engine: Engine, execution: Execution) -> Engine:
    """Return the engine, or raise where it cannot do what is asked of it."""
    for name in execution.asked:
        if name not in engine.reads:
            reader = next(e.name for e in ENGINES.values() if name in e.reads)
            raise InputError(
                f"simulate: {name} = {getattr(execution, name)!r} is for {reader!r}, found {engine.name!r}."
            )
    if engine.is_compiled and not shutil.which("g++"):
        raise InputError(
            f"simulate: engine {engine.name!r} needs a C++ compiler (g++), which is not here; use 'brian2'."
        )
    return engine


def _in_worker(one: Callable[[int], Run], start: int) -> Run:
    limit_threads(1)
    return one(start)
