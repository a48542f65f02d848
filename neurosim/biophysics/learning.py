"""Learning in a circuit: stimuli are shown one after another to one copy, whose weights change by their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse
import xarray as xr

from neurosim.biophysics.by_value import by_value
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk, Run
from neurosim.biophysics.execution import Execution
from neurosim.biophysics.plain_numbers import is_whole, number, one_of
from neurosim.biophysics.presentation import Shown, check_stimuli, make_chunk
from neurosim.biophysics.projections import Projection, names_of
from neurosim.biophysics.results import BEFORE, count_spikes, label_counts, label_records
from neurosim.biophysics.rules import plasticity_of
from neurosim.biophysics.simulation import check_run, choose_engine, run_chunk
from neurosim.biophysics.watching import variables
from neurosim.refusals import InputError, asked_by
from neurosim.runtime import as_seed, progress_bar
from neurosim.schema import step_of
from neurosim.units import plain

LONGEST = 1e5  # s


@by_value
@dataclass(frozen=True, eq=False)
class Learned:
    """What learning left behind.

    Parameters
    ----------
    circuit : the circuit with its new weights.
    responses : spike counts (stimulus, time, unit) while it learned; the gaps are left out.
    weights : of each plastic projection, "source->target", (record_time, synapse) with ``source`` and ``target``
        neuron along ``synapse``: as they are at ``record_time``, before the step that begins then; the last record is
        at the end.
    records : every variable that was recorded, (record_time, ...), by its name; the gaps are there too. They hold the
        end of the step that begins at ``record_time``, as those of :func:`simulate` do; ``record_time.attrs["state"]``
        says which of the two an array holds.

    Examples
    --------
    >>> ns.biophysics.Learned.__dataclass_fields__.keys() >= {"circuit", "weights"}
    True
    """

    circuit: Circuit
    responses: xr.DataArray
    weights: Mapping[str, xr.DataArray]
    records: Mapping[str, xr.DataArray] = field(default_factory=dict)


@asked_by("learn", "simulate")
def learn(
    circuit: Circuit,
    stimuli: xr.DataArray | Mapping[str, xr.DataArray],
    *,
    gap: float = 0.0,
    totals: Mapping[str, float] | None = None,
    modulator: xr.DataArray | None = None,
    record: Sequence[str] = (),
    record_every: float | None = None,
    rng: np.random.Generator | int = 0,
    engine: str = "brian2",
    execution: Execution | None = None,
    progress: bool = True,
) -> Learned:
    """Show stimuli one after another, without rest or with a gap between them, while plastic weights change.

    Nothing is folded: each stimulus meets the weights, membranes and traces that the one before left. Afterwards
    :func:`simulate` answers with the new weights, which it keeps.

    Parameters
    ----------
    circuit : with projections that have ``plasticity``.
    stimuli : as :func:`simulate` takes them; shown in their order.
    gap : silence after each stimulus, s, a multiple of ``circuit.step``; noise, background and currents rest too.
    totals : of plastic projections, by the names that ``weights`` of what is returned have ("source->target"): the
        sum, in the units of the weights, to which those onto each target neuron are scaled before each stimulus
        (https://doi.org/10.3389/fncom.2015.00099), none beyond the bounds of its rule.
    modulator : third factor (stimulus, time) every ``circuit.step``, such as dopamine, 1/s; 0 in the gaps. Asked for
        where a rule reads it.
    record : variables of neurons, receptors and synapses that are recorded too, as ``Monitors(record=...)`` names them;
        those of plastic synapses are traces, their other variables, and ``weight``, such as "input->cells.pre_trace".
    record_every : time between two records, s, a multiple of ``circuit.dt``; by default of weights only the end, of
        `record` every ``circuit.step``.
    rng : seed of everything random, or a generator that draws the seed.
    engine : one of ``neurosim.biophysics.ENGINES``. execution : device, precision and threads; one copy runs, in one
        process.
    progress : show a progress bar, of the simulated time; a C++ standalone program moves it at its end.

    Returns
    -------
    the circuit with its new weights, its responses, and weights and other variables over time.

    Raises
    ------
    InputError : no projection is plastic, a modulator that is missing, not read or of another shape, totals of no
        plastic projection, that its bounds do not hold or of weights that may be negative, an unknown engine, workers
        or memory that nobody reads, times that are no whole steps.

    Notes
    -----
    Memory grows with the spikes, with graded input times the time of all stimuli, and with the records times the
    plastic synapses; noise, background and currents are drawn in blocks of time.

    Examples
    --------
    >>> cells = ns.biophysics.Population("cells", 1, ns.biophysics.LIFParameters())
    >>> rule = ns.biophysics.PairSTDPParameters(w_max=30e-3, a_plus=0.1)
    >>> wire = ns.biophysics.Projection("input", "cells", [[24e-3]], plasticity=rule)
    >>> circuit = ns.biophysics.Circuit("one", ns.biophysics.Input(1), (cells,), (wire,), dt=1e-4, step=1e-3)
    >>> spikes = ns.as_stimuli([[[1.0], [0.0]]], dims=("stimulus", "time", "unit"), time_step=1e-3)
    >>> found = ns.biophysics.learn(circuit, spikes)
    >>> found.weights["input->cells"].values[-1].round(4).tolist()
    [0.027]
    """
    shown, execution = check_stimuli(circuit, stimuli), execution or Execution()
    plastic = {i: q for i, q in enumerate(circuit.projections) if q.plasticity is not None}
    if not plastic:
        raise InputError(f"learn: no projection of {circuit.name} is plastic; give one plasticity=.")
    usual = Execution()
    if (execution.workers, execution.memory) != (usual.workers, usual.memory):
        raise InputError("learn: one copy runs in one process; workers and memory of execution are not read here.")
    used = choose_engine(circuit, engine, execution, 1)
    n_gap = _steps(gap, circuit.step, "gap")
    each = (shown.n_time + n_gap) * circuit.substeps
    chunk = make_chunk(
        circuit, shown, [(s, 0) for s in range(len(shown.ids))], shown.n_time * circuit.substeps, as_seed(rng, "learn")
    )
    kept = 0 if record_every is None else _steps(record_every, circuit.dt, "record_every", lowest=1)
    stream = _in_a_row(chunk, circuit, shown, n_gap)
    stream = replace(stream, learns=True, kept_every=kept, modulator=_modulator(circuit, modulator, shown, n_gap))
    stream = replace(stream, totals=_totals(circuit, totals or {}), scaled_every=each)
    watched = variables(circuit, record, record_every, learns=True, who="learn")
    n = stream.n_steps
    with progress_bar(f"learning of {circuit.name}", n, lambda share: (round(share * n), ""), progress) as show:
        run = run_chunk(circuit, stream, watched, used, execution, report=show)
        show(1.0)
    check_run(circuit, run, stream)
    responses = _responses(circuit, run, shown, each, used.name)
    names = names_of(circuit.projections)
    weights = {names[i]: _labelled(q, run.weights[i], kept, circuit, stream) for i, q in plastic.items()}
    found = label_records(circuit, run.recorded, watched, 1, learns=True)
    records = {name: values.isel(stimulus=0) for name, values in found.items()}
    return Learned(_with_weights(circuit, run), responses, weights, records)


def _steps(value: float, step: float, name: str, lowest: int = 0) -> int:
    """Return a time as a whole number of steps."""
    value = one_of("learn", name, value, number)
    if not 0 <= value <= LONGEST:
        raise InputError(f"learn: {name} = {value:g} s is outside 0..{LONGEST:g} s.")
    if not is_whole(value / step) or round(value / step) < lowest:
        raise InputError(f"learn: {name} = {value:g} s is no whole number of steps of {step:g} s, {lowest} or more.")
    return round(value / step)


def _totals(circuit: Circuit, totals: Mapping[str, float]) -> dict[int, float]:
    """Return the sums to which weights onto each target are scaled, by the index of their projection."""
    names = names_of(circuit.projections)
    known = {names[i]: i for i, q in enumerate(circuit.projections) if q.plasticity is not None}
    if not isinstance(totals, Mapping):
        raise InputError(f"learn: totals by projection asked, as {{{next(iter(known))!r}: sum}}, found {totals!r}.")
    found = {}
    for name, total in totals.items():
        if name not in known:
            raise InputError(f"learn: totals of {name!r}, which is no plastic projection. Known: {', '.join(known)}.")
        unit = _unit(circuit, circuit.projections[known[name]])
        found[known[name]] = one_of("learn", "total", plain(total, unit, f"learn: totals of {name!r}"), number)
        if not 0 < found[known[name]] < np.inf:
            raise InputError(f"learn: the weights of {name!r} are scaled to a sum above 0, found {total:g}.")
        q = circuit.projections[known[name]]
        most = float(q.plasticity.w_max) * int(np.bincount(q.synapses()[1]).max())  # type: ignore[union-attr]
        if found[known[name]] > most:
            raise InputError(
                f"learn: weights of {name!r} scaled to {total:g} in sum asked, {most:g} is the most of any."
            )
        lowest = min(float(q.plasticity.w_min), *q.weights.data, 0.0)  # type: ignore[union-attr]
        if lowest < 0:
            raise InputError(f"learn: weights of {name!r} may fall to {lowest:g}; only those from 0 on are scaled.")
    return found


def _in_a_row(chunk: Chunk, circuit: Circuit, shown: Shown, n_gap: int) -> Chunk:
    """Return a chunk whose copies follow each other in time, each with a gap after it, as one copy."""
    n, k = chunk.n_copies, circuit.substeps

    def row(values: np.ndarray, n_time: int, silent: int) -> np.ndarray:
        lasting = np.broadcast_to(values, (n, n_time, values.shape[-1]))
        rest = np.zeros((n, silent, values.shape[-1]), values.dtype)
        flat: np.ndarray = np.concatenate([lasting, rest], axis=1).reshape(1, -1, values.shape[-1])
        return flat

    return Chunk(
        1,
        (shown.n_time + n_gap) * k * n,
        {name: row(values, shown.n_time, n_gap) for name, values in chunk.spikes.items()},
        {name: row(values, shown.n_time, n_gap) for name, values in chunk.external.items()},
        {name: values.in_a_row(n_gap * k) for name, values in chunk.noise.items()},
        {i: first[:1] for i, first in chunk.seeds.items()},
        {key: values.in_a_row(n_gap * k) for key, values in chunk.background.items()},
        {name: values.in_a_row(n_gap * k) for name, values in chunk.currents.items()},
    )


def _modulator(circuit: Circuit, modulator: xr.DataArray | None, shown: Shown, n_gap: int) -> np.ndarray | None:
    """Return the third factor in every simulation step."""
    models = [plasticity_of(q.plasticity) for q in circuit.projections]
    asking = [m.name for m in models if m is not None and m.is_modulated]
    if modulator is None:
        if asking:
            raise InputError(f"learn: {asking[0]} reads a third factor; give modulator= (stimulus, time), in 1/s.")
        return None
    if not asking:
        raise InputError("learn: a modulator is given, which no plasticity of the circuit reads; leave it out.")
    if not isinstance(modulator, xr.DataArray) or set(modulator.dims) != {"stimulus", "time"}:
        raise InputError(
            f"learn: a modulator (stimulus, time) asked, found {getattr(modulator, 'dims', type(modulator))}."
        )
    if modulator.sizes["time"] > 1 and ("time_step" in modulator.attrs or "time" in modulator.coords):
        step = step_of(modulator, "learn")
        if not np.isclose(step, circuit.step):
            raise InputError(
                f"learn: the modulator comes every {step:g} s, the circuit expects one every {circuit.step:g} s."
            )
    if "stimulus" in modulator.coords and "stimulus" in shown.labels.coords:
        modulator = modulator.reindex(stimulus=shown.labels["stimulus"].values)
    values = np.asarray(modulator.transpose("stimulus", "time").values, dtype=float)
    if values.shape != (len(shown.ids), shown.n_time) or not np.isfinite(values).all():
        raise InputError(
            f"learn: the modulator needs a finite value for each of {len(shown.ids)} stimuli and {shown.n_time} steps "
            f"of {circuit.step:g} s, found {values.shape} with {int((~np.isfinite(values)).sum())} that are missing."
        )
    rested = np.concatenate([values, np.zeros((len(values), n_gap))], axis=1)
    return np.repeat(rested.ravel(), circuit.substeps)


def _responses(circuit: Circuit, run: Run, shown: Shown, each: int, engine: str) -> xr.DataArray:
    """Return spike counts (stimulus, time, unit) of every step of the input, without the gaps."""
    n, per_bin = len(shown.ids), circuit.substeps
    counts = count_spikes(circuit, run, per_bin, n * each // per_bin, 1)
    counts = counts.reshape(n, each // per_bin, -1)[:, : shown.n_time]
    return label_counts(circuit, counts, shown.labels, 1, circuit.step, engine)


def _labelled(q: Projection, weights: np.ndarray, kept: int, circuit: Circuit, stream: Chunk) -> xr.DataArray:
    source, target, _ = q.synapses()
    times = [*np.arange(len(weights) - 1) * kept * circuit.dt, stream.n_steps * circuit.dt]
    coords = {
        "record_time": ("record_time", times, BEFORE),
        "source": ("synapse", source),
        "target": ("synapse", target),
    }
    return xr.DataArray(weights, dims=("record_time", "synapse"), coords=coords, attrs={"units": _unit(circuit, q)})


def _unit(circuit: Circuit, q: Projection) -> str:
    """Return the unit of the weights of a projection."""
    return "1" if circuit.is_discrete else circuit.population(q.target).receptor_models[q.receptor].units


def _with_weights(circuit: Circuit, run: Run) -> Circuit:
    """Return the circuit with the weights that were learned."""
    projections = list(circuit.projections)
    for i, weights in run.weights.items():
        q = projections[i]
        parts = (weights[-1], q.weights.indices, q.weights.indptr)
        projections[i] = replace(q, weights=scipy.sparse.csr_array(parts, shape=q.weights.shape))
    return replace(circuit, projections=tuple(projections))
