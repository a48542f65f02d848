"""How many copies of a circuit fit into a memory budget at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Watch
from neurosim.biophysics.execution import Engine
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.ruled import Ruled
from neurosim.biophysics.sources import arrivals_of, columns_of
from neurosim.refusals import InputError

BYTES_A_SYNAPSE = 64
BYTES_A_NEURON = 256
NUMBER = 8  # bytes of a number


def chunk_size(
    circuit: Circuit,
    engine: Engine,
    n_time: int,
    n_steps: int,
    memory: int,
    n_copies: int,
    watched: Sequence[Watch],
) -> int:
    """Return how many copies of a circuit fit into `memory` bytes; Brian2 holds the synapses of each, torch one set."""
    n_neurons = sum(p.size for p in circuit.populations)
    graded = sum(q.weights.shape[1] for q in circuit.projections if circuit.is_graded(q))
    sent = sum(i.size for i in circuit.all_inputs if i.kind != "current")
    synapses = 0 if engine.shares_synapses else BYTES_A_SYNAPSE * circuit.n_synapses
    drawn = drawn_a_step(circuit) * (n_steps if engine.draws_ahead else 1)
    a_copy = synapses + BYTES_A_NEURON * n_neurons + drawn
    a_copy += sum(_own_of(circuit, q, engine, n_steps) for q in circuit.projections if not circuit.is_graded(q))
    a_copy += NUMBER * n_time * (graded + sent)
    a_copy += NUMBER * sum(watch.n_records(n_steps) * len(watch.index) for watch in watched)
    if a_copy > memory:
        ahead = f" ({drawn} of them drawn ahead, as other engines do not)" if drawn > memory else ""
        raise InputError(
            f"simulate: one copy of {circuit.name} needs about {a_copy} bytes{ahead}, above memory = {memory}; allow "
            "more."
        )
    return int(min(n_copies, memory // max(1, a_copy)))


def drawn_a_step(circuit: Circuit) -> int:
    """Return how many bytes of noise, background and currents are drawn in a step of one copy."""
    injected = sum(columns_of(p, circuit.dt)[1] for p in circuit.populations if p.currents)
    return NUMBER * (injected + sum(p.size * (p.is_random + len(arrivals_of(p))) for p in circuit.populations))


def _own_of(circuit: Circuit, q: Projection, engine: Engine, n_steps: int) -> int:
    """Return the bytes that each copy has of a projection beside what its synapses share, or take anyway.

    Synapses with a release of their own have its variables and what is drawn for them; where engines share synapses,
    the spikes on their way, or the sums that will arrive, and weights that a share is taken of, are those of a copy.
    """
    numbers = 0
    if q.release is not None:
        of_each = 3 * len(Ruled(circuit, q, learns=False).synapse_state) + 4 * engine.shares_synapses
        numbers += of_each * len(q.synapses()[0])
    if engine.shares_synapses:
        steps = min(round(float(np.max(q.delays(), initial=0.0)) / circuit.dt), n_steps)
        numbers += steps * circuit.sizes[q.target if np.ndim(q.delay) else q.source]
    return NUMBER * numbers
