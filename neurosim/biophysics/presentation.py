"""What a circuit is shown: stimuli as its input takes them, drawn and arranged for the copies of a chunk.

Everything random (input spikes, membrane noise) is drawn here from streams keyed by (seed, purpose, stimulus, trial),
so results depend neither on the chunks, nor on the workers, nor on the order of the stimuli, nor on the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.courses import Course, Following
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.rules import release_of
from neurosim.biophysics.sources import backgrounds, injections
from neurosim.runtime import stream
from neurosim.schema import STIMULUS_DIMS, InputError, step_of

MOST_A_STEP = 100
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Shown:
    """Stimuli as the circuit takes them.

    Parameters
    ----------
    values : by input, (stimulus, time, unit), or (stimulus, unit) where they last.
    ids : names of the stimuli. n_time : steps for which they are shown. labels : stimuli that carry the labels.
    """

    values: Mapping[str, np.ndarray]
    ids: tuple[str, ...]
    n_time: int
    labels: xr.DataArray


def make_chunk(circuit: Circuit, shown: Shown, copies: Sequence[tuple[int, int]], n_steps: int, seed: int) -> Chunk:
    """Draw and arrange what the copies (stimulus, trial) are shown; an input that reaches nobody sends nothing."""
    spikes = {}
    heard = {q.source for q in circuit.projections}
    for i in [i for i in circuit.all_inputs if i.name in heard]:
        if i.kind == "spikes":
            spikes[i.name] = shown.values[i.name][[s for s, _ in copies]].astype(np.uint8)
        elif i.kind == "poisson":
            spikes[i.name] = np.stack([_poisson(circuit, i, shown, s, t, seed) for s, t in copies])
    external = _currents(circuit, shown, [s for s, _ in copies])
    if n_steps > shown.n_time * circuit.substeps:
        external = {name: _ended(values, shown.n_time) for name, values in external.items()}
    named = [(shown.ids[s], t) for s, t in copies]
    noise = {
        p.name: Course(n_steps, p.size, [_noise(p, (seed, "noise", p.name, *copy)) for copy in named])
        for p in circuit.populations
        if p.is_random
    }
    seeds = {
        i: np.stack([_seeds(circuit, i, shown.ids[s], t, seed) for s, t in copies])
        for i, q in enumerate(circuit.projections)
        if (model := release_of(q.release)) is not None and model.is_of_synapses
    }
    return Chunk(
        len(copies),
        n_steps,
        spikes,
        external,
        noise,
        seeds,
        backgrounds(circuit, named, n_steps, seed),
        injections(circuit, named, n_steps, seed),
    )


def _noise(population: Population, key: tuple[Any, ...]) -> Callable[[], Following]:
    """Return what begins the random numbers of a population in one copy."""
    size, escapes = population.size, population.escapes

    def begin() -> Following:
        draw = stream(*key)
        return lambda n: np.log(draw.standard_exponential((n, size))) if escapes else draw.standard_normal((n, size))

    return begin


def _seeds(circuit: Circuit, index: int, stimulus: str, trial: int, seed: int) -> np.ndarray:
    """Draw where the generator of every synapse of a projection begins."""
    q = circuit.projections[index]
    before = sum((r.source, r.target) == (q.source, q.target) for r in circuit.projections[:index])
    draw = stream(seed, "release", q.source, q.target, before, stimulus, trial)
    return draw.integers(1, LARGEST_SEED, len(q.synapses()[0])).astype(float)


def check_stimuli(circuit: Circuit, stimuli: xr.DataArray | Mapping[str, xr.DataArray]) -> Shown:
    """Check stimuli against each input of the circuit and lay them out as (stimulus, [time,] unit)."""
    given = _by_input(circuit, stimuli)
    values, n_times = {}, {}
    for i in circuit.all_inputs:
        values[i.name], n_times[i.name] = _checked(circuit, i, given[i.name])
    if len(set(n_times.values())) > 1:
        found = ", ".join(f"{n * circuit.step:g} s of {name!r}" for name, n in n_times.items())
        raise InputError(f"simulate: the inputs of {circuit.name} are shown for as long as each other, found {found}.")
    labels = given[circuit.all_inputs[0].name]
    ids = tuple(str(s) for s in labels["stimulus"].values)
    return Shown(values, ids, next(iter(n_times.values())), labels)


def _by_input(circuit: Circuit, stimuli: xr.DataArray | Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return the stimuli of each input, those of the first in the order of its labels, the others in the same."""
    names = [i.name for i in circuit.all_inputs]
    if not isinstance(stimuli, Mapping) or isinstance(stimuli, xr.Dataset):
        if len(names) > 1:
            raise InputError(
                f"simulate: {circuit.name} has the inputs {', '.join(names)}; give stimuli by the name of each."
            )
        stimuli = {names[0]: stimuli}
    if set(stimuli) != set(names):
        raise InputError(
            f"simulate: stimuli for the inputs {', '.join(names)} of {circuit.name} asked, found them for "
            f"{', '.join(map(str, stimuli))}."
        )
    for one in stimuli.values():
        if not isinstance(one, xr.DataArray):
            raise InputError(
                f"simulate: stimuli are a labelled array, found {type(one).__name__}; name its dims with as_stimuli."
            )
    return {name: _in_order_of(stimuli[names[0]], stimuli[name], name) for name in names}


def _in_order_of(first: xr.DataArray, other: xr.DataArray, name: str) -> xr.DataArray:
    """Return stimuli of an input in the order of the first one's labels."""
    if other is first or "stimulus" not in first.dims or "stimulus" not in other.dims:
        return other
    wanted, found = (x["stimulus"].values.tolist() for x in (first, other))
    if sorted(map(str, wanted)) != sorted(map(str, found)) or len(set(found)) < len(found):
        raise InputError(
            f"simulate: the stimuli of {name!r} are called {', '.join(map(str, found[:3]))}, ..., those of the first "
            f"input {', '.join(map(str, wanted[:3]))}, ...; each input is shown stimuli of the same names."
        )
    return other.isel(stimulus=[found.index(label) for label in wanted])


def _checked(circuit: Circuit, shown: Input, stimuli: xr.DataArray) -> tuple[np.ndarray, int]:
    """Return the stimuli of an input as (stimulus, [time,] unit), and for how many steps they are shown."""
    kind, name = shown.kind, circuit.name if len(circuit.all_inputs) == 1 else f"{shown.name!r} of {circuit.name}"
    if "stimulus" not in stimuli.dims or (kind == "spikes" and "time" not in stimuli.dims):
        raise InputError(
            f"simulate: {name} takes {'spike trains (stimulus, time, unit)' if kind == 'spikes' else 'stimuli'}, found "
            f"{tuple(stimuli.dims)}; encode images with encode_rate."
        )
    lead = ("stimulus", "time") if "time" in stimuli.dims else ("stimulus",)
    stimuli = stimuli.transpose(*[d for d in STIMULUS_DIMS if d in stimuli.dims], ...)
    values = np.asarray(stimuli.values)
    if not values.size:
        raise InputError(
            f"simulate: {name} is shown nothing, found {dict(stimuli.sizes)}; one stimulus and one step asked."
        )
    values = values.reshape(*values.shape[: len(lead)], -1)
    if values.shape[-1] != shown.size:
        raise InputError(f"simulate: {name} has {shown.size} inputs, the stimuli {values.shape[-1]} units.")
    if kind == "spikes" and not np.isin(values, (0, 1)).all():
        raise InputError("simulate: input spikes are 0 or 1; graded input cannot be sent as spikes.")
    if not np.isfinite(values).all():
        raise InputError("simulate: the stimuli hold NaN or infinity; drop or impute them first.")
    if kind == "poisson" and (values.min() < 0 or values.max() > 1):
        raise InputError(f"simulate: intensities lie in 0..1, found {values.min():g}..{values.max():g}; rescale them.")
    most = shown.max_rate or 0.0
    if most * circuit.step > MOST_A_STEP:
        raise InputError(
            f"simulate: max_rate = {most:g} spikes/s is more than {MOST_A_STEP} spikes in a step of "
            f"{circuit.step} s; lower it and raise the weights, or send a current."
        )
    step = step_of(stimuli, "simulate") if "time_step" in stimuli.attrs and len(lead) == 2 else circuit.step
    if len(lead) == 2 and not np.isclose(step, circuit.step):
        raise InputError(f"simulate: the stimuli come every {step} s, {name} expects one every {circuit.step} s.")
    lasting = max(1, round((shown.duration or 0.0) / circuit.step))
    return values, values.shape[1] if len(lead) == 2 else lasting


def _poisson(circuit: Circuit, source: Input, shown: Shown, stimulus: int, trial: int, seed: int) -> np.ndarray:
    """Draw the number of spikes (time, unit) of an input in every step: Poisson counts with the mean rate x step."""
    mean = shown.values[source.name][stimulus] * (source.max_rate or 0.0) * circuit.step
    draw = stream(seed, source.name, shown.ids[stimulus], trial)
    counts = draw.poisson(mean, (shown.n_time, source.size)).astype(np.uint8)
    is_ruled = any(q.release or q.plasticity for q in circuit.projections if q.source == source.name)
    return np.minimum(counts, 1) if is_ruled else counts


def most_at_once(circuit: Circuit, shown: Shown, trials: int, seed: int) -> dict[str, int]:
    """Return the largest number of spikes that a unit of each Poisson input sends in a step of the whole simulation."""
    return {
        i.name: max(
            int(_poisson(circuit, i, shown, s, t, seed).max(initial=0))
            for s in range(len(shown.ids))
            for t in range(trials)
        )
        for i in circuit.all_inputs
        if i.kind == "poisson"
    }


def apart(circuit: Circuit, most: Mapping[str, int]) -> Circuit:
    """Return the circuit with units of its inputs repeated, so that none sends more than one spike in a step.

    Their number is a power of two, so that compiled programs are found again.
    """
    times = {name: 2 ** (n - 1).bit_length() for name, n in most.items() if n > 1}
    if not times:
        return circuit
    projections = tuple(q.repeated(times[q.source]) if q.source in times else q for q in circuit.projections)
    inputs = tuple(replace(i, size=times.get(i.name, 1) * i.size) for i in circuit.all_inputs)
    return replace(circuit, inputs=inputs, projections=projections)


def spread_spikes(circuit: Circuit, chunk: Chunk) -> Chunk:
    """Return a chunk whose input counts are spikes, at most one a step, of the repeated units of :func:`apart`."""
    spread = {
        name: np.concatenate([counts > k for k in range(circuit.sizes[name] // counts.shape[-1])], axis=-1)
        for name, counts in chunk.spikes.items()
    }
    return replace(chunk, spikes={name: spikes.astype(np.uint8) for name, spikes in spread.items()})


def _currents(circuit: Circuit, shown: Shown, stimuli: list[int]) -> dict[str, np.ndarray]:
    """Return the graded input (copy, time or 1, neuron) of every population that receives it.

    Products are of one stimulus at a time: the last digits of a product depend on how many rows it has.
    """
    external: dict[str, np.ndarray] = {}
    for q in circuit.projections:
        if circuit.is_graded(q):
            values = shown.values[q.source][stimuli].astype(float)
            values = values.reshape(len(stimuli), -1, values.shape[-1])
            brought = np.stack([np.asarray(one @ q.weights) for one in values])
            circuit.population(q.target).check_current(brought, f"simulate: the input onto {q.target!r}")
            external[q.target] = external[q.target] + brought if q.target in external else brought
    return external


def _ended(values: np.ndarray, n_time: int) -> np.ndarray:
    """Return graded input (copy, time or 1, neuron) over `n_time` steps and, from then on, none."""
    lasting = np.broadcast_to(values, (len(values), n_time, values.shape[-1]))
    return np.concatenate([lasting, np.zeros_like(lasting[:, :1])], axis=1)
