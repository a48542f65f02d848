"""What a circuit is shown: stimuli as its input takes them, drawn and arranged for the copies of a chunk.

Everything random (input spikes, membrane noise) is drawn here from streams keyed by (seed, purpose, stimulus, trial),
so results depend neither on the chunks, nor on the workers, nor on the order of the stimuli, nor on the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from neurosim.biophysics.circuit import INPUT, Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.rules import release_of
from neurosim.biophysics.sources import backgrounds, injections
from neurosim.runtime import stream
from neurosim.schema import STIMULUS_DIMS, InputError, step_of

MOST_A_STEP = 100
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Shown:
    """Stimuli as the circuit takes them: values (stimulus, time, unit), or (stimulus, unit) where they last."""

    values: np.ndarray
    ids: tuple[str, ...]
    n_time: int


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
    seeds = {
        i: np.stack([_seeds(circuit, i, shown.ids[s], t, seed) for s, t in copies])
        for i, q in enumerate(circuit.projections)
        if (model := release_of(q.release)) is not None and model.is_of_synapses
    }
    named = [(shown.ids[s], t) for s, t in copies]
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


def _seeds(circuit: Circuit, index: int, stimulus: str, trial: int, seed: int) -> np.ndarray:
    """Draw where the generator of every synapse of a projection begins."""
    q = circuit.projections[index]
    before = sum((r.source, r.target) == (q.source, q.target) for r in circuit.projections[:index])
    draw = stream(seed, "release", q.source, q.target, before, stimulus, trial)
    return draw.integers(1, LARGEST_SEED, len(q.synapses()[0])).astype(float)


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
    most = circuit.inputs.max_rate or 0.0
    if most * circuit.step > MOST_A_STEP:
        raise InputError(
            f"simulate: max_rate = {most:g} spikes/s is more than {MOST_A_STEP} spikes in a step of "
            f"{circuit.step} s; lower it and raise the weights, or send a current."
        )
    step = step_of(stimuli, "simulate") if "time_step" in stimuli.attrs and len(lead) == 2 else circuit.step
    if len(lead) == 2 and not np.isclose(step, circuit.step):
        raise InputError(f"simulate: the stimuli come every {step} s, {name} expects one every {circuit.step} s.")
    n_time = values.shape[1] if len(lead) == 2 else max(1, round((circuit.inputs.duration or 0.0) / circuit.step))
    return Shown(values, tuple(str(s) for s in stimuli["stimulus"].values), n_time)


def _poisson(circuit: Circuit, shown: Shown, stimulus: int, trial: int, seed: int) -> np.ndarray:
    """Draw the number of input spikes (time, unit) of every step: Poisson counts with the mean rate x step."""
    mean = shown.values[stimulus] * (circuit.inputs.max_rate or 0.0) * circuit.step
    draw = stream(seed, "input", shown.ids[stimulus], trial)
    counts = draw.poisson(mean, (shown.n_time, circuit.inputs.size)).astype(np.uint8)
    is_ruled = any(q.release or q.plasticity for q in circuit.projections if q.source == INPUT)
    return np.minimum(counts, 1) if is_ruled else counts


def most_at_once(circuit: Circuit, shown: Shown, trials: int, seed: int) -> int:
    """Return the largest number of spikes that an input unit sends in one step of the whole simulation."""
    if circuit.inputs.kind != "poisson":
        return 1
    counts = (_poisson(circuit, shown, s, t, seed) for s in range(len(shown.ids)) for t in range(trials))
    return max(int(drawn.max(initial=0)) for drawn in counts)


def apart(circuit: Circuit, most: int) -> Circuit:
    """Return the circuit with its input units repeated, so that none sends more than one spike in a step.

    Their number is a power of two, so that compiled programs are found again.
    """
    if most < 2:
        return circuit
    most = 2 ** (most - 1).bit_length()
    projections = tuple(q.repeated(most) if q.source == INPUT else q for q in circuit.projections)
    return replace(circuit, inputs=replace(circuit.inputs, size=most * circuit.inputs.size), projections=projections)


def _currents(circuit: Circuit, shown: Shown, stimuli: list[int]) -> dict[str, np.ndarray]:
    """Return the graded input (copy, time or 1, neuron) of every population that receives it.

    Products are of one stimulus at a time: the last digits of a product depend on how many rows it has.
    """
    values = shown.values[stimuli].astype(float).reshape(len(stimuli), -1, shown.values.shape[-1])
    external: dict[str, np.ndarray] = {}
    for q in circuit.projections:
        if q.source == INPUT:
            brought = np.stack([np.asarray(one @ q.weights) for one in values])
            external[q.target] = external[q.target] + brought if q.target in external else brought
    return external


def _ended(values: np.ndarray, n_time: int) -> np.ndarray:
    """Return graded input (copy, time or 1, neuron) over `n_time` steps and, from then on, none."""
    lasting = np.broadcast_to(values, (len(values), n_time, values.shape[-1]))
    return np.concatenate([lasting, np.zeros_like(lasting[:, :1])], axis=1)
