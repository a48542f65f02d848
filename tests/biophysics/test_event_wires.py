"""Spikes that reach their own synapses one by one bring what all weights multiplied would, to every copy alike."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.biophysics import ExponentialParameters, LIFParameters, torch_events, torch_wires
from neurosim.biophysics.circuit import Circuit
from neurosim.biophysics.dynamics import Chunk
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.populations import Population
from neurosim.biophysics.projections import Projection
from neurosim.biophysics.simulation import Execution, Monitors, simulate
from neurosim.biophysics.torch_events import Sent, Sums, Synapses
from neurosim.schema import as_stimuli


def drawn(rng, shape, density):
    """Weights that are multiples of 2^-10, whose sums are exact in any order."""
    return rng.integers(-2000, 2000, shape) / 1024 * (rng.random(shape) < density)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0, 1), st.booleans(), st.sampled_from([7, 2**20]))
def test_synapses_that_are_reached_are_the_product(seed, n_copies, density, is_counted, block):
    rng = np.random.default_rng(seed)
    weights = drawn(rng, (9, 6), density)
    spikes = rng.integers(0, 4 if is_counted else 2, (n_copies, 9)).astype(float)
    sums, arrived = Sums(torch, (n_copies, 6), torch.float64), {"arrived": torch.ones(n_copies, 6, dtype=torch.float64)}
    given_before = arrived["arrived"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_events, "BLOCK", block)
        total = sums.of("arrived", arrived)
        synapses = Synapses(scipy.sparse.csr_array(weights), sums.kind)
        for targets, own, _ in synapses.reached(Sent(torch.as_tensor(spikes), is_counted=is_counted).fired):
            np.add.at(total, targets, own)
    np.testing.assert_array_equal(arrived["arrived"].numpy(), 1 + spikes @ weights)
    assert (given_before == 1).all()


def delayed(weights, delay):
    """Recurrent neurons with many delays, of which each needs its own step of the ring."""
    cells = Population("cells", 30, LIFParameters(), 2.1e-10, ExponentialParameters())
    wires = (Projection("input", "cells", np.eye(30) * 4e-10, 1e-3), Projection("cells", "cells", weights, delay))
    return Circuit("delayed", Input(30), (cells,), wires, dt=2.5e-4, step=1e-3)


@pytest.mark.parametrize("is_sparse", [True, False])
def test_a_ring_of_delays_is_brian2_spike_for_spike_whatever_the_chunk(is_sparse):
    rng = np.random.default_rng(3)
    weights = drawn(rng, (30, 30), 0.3) * 2.0**-32
    delay = rng.integers(0, 24, (30, 30)) * 2.5e-4
    if is_sparse:
        weights = scipy.sparse.csr_array(weights)
        row, column = np.repeat(np.arange(30), np.diff(weights.indptr)), weights.indices
        delay = scipy.sparse.coo_array((delay[row, column] + 2.5e-4, (row, column)), shape=(30, 30))
    circuit = delayed(weights, delay)
    shown = as_stimuli((rng.random((3, 60, 30)) < 0.1) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    kept = Monitors(membrane=["cells"])
    wanted = simulate(circuit, shown, engine="brian2", monitors=kept, progress=False)
    whole = simulate(circuit, shown, engine="torch", monitors=kept, progress=False)
    pieces = simulate(
        circuit, shown, engine="torch", monitors=kept, execution=Execution(memory=200_000), progress=False
    )
    assert wanted.responses.sum() > 300
    np.testing.assert_array_equal(whole.responses.values, wanted.responses.values)
    np.testing.assert_allclose(whole.membrane_potential.values, wanted.membrane_potential.values, atol=1e-12)
    np.testing.assert_array_equal(pieces.membrane_potential.values, whole.membrane_potential.values)


def test_weights_of_one_sign_are_not_copied_and_only_few_pairs_are_multiplied_out():
    """A circuit at rest and on the way has one set of synapses; a gradient asks for tensors."""
    weights = scipy.sparse.csr_array(np.abs(drawn(np.random.default_rng(0), (30, 30), 0.2)) * 1e-12)
    circuit = delayed(weights, 1e-3)
    chunk, where = Chunk(2, 4), ("cpu", torch.float64)
    wire = torch_wires.wire_of(torch, circuit, 1, chunk, None, *where)
    ((_, synapses),) = wire.parts
    assert np.shares_memory(synapses.weights, circuit.projections[1].weights.data)
    assert np.shares_memory(synapses.targets, circuit.projections[1].weights.indices)
    smooth = torch_wires.wire_of(torch, circuit, 1, chunk, None, *where, has_gradient=True)
    np.testing.assert_array_equal(smooth.parts[0][2].numpy(), weights.toarray())
    assert type(smooth) is not type(wire)
    both = replace(circuit.projections[1], weights=-weights + scipy.sparse.eye_array(30, format="csr") * 1e-9)
    apart = torch_wires.wire_of(torch, delayed(both.weights, 1e-3), 1, chunk, None, *where)
    assert sum(len(part.weights) for _, part in apart.parts) == both.weights.nnz
