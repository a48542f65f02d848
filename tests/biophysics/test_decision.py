"""The decision circuit of Wang 2002 in little: the pool that is shown more wins, the other falls silent."""

from __future__ import annotations

import numpy as np
import pytest

import neurosim as ns
from neurosim.biophysics import DecisionOptions, Monitors, build_circuit, simulate
from neurosim.biophysics.circuits.decision import POOLS, sizes_of
from neurosim.schema import InputError

SMALL = DecisionOptions(n_excitatory=200, n_inhibitory=50, duration=0.9)
N = sizes_of(SMALL)["first"]


def shown(coherence):
    """Intensities of all inputs of both pools: 40 (1 + coherence) and 40 (1 - coherence) spikes/s."""
    return ns.as_stimuli(np.stack([np.repeat([(1 + c) / 2, (1 - c) / 2], N) for c in coherence]))


def test_the_pool_that_is_shown_more_wins_and_silences_the_other():
    circuit = build_circuit("decision", 2 * N, SMALL)
    found = simulate(
        circuit, shown([0.6, -0.6]), rng=1, engine="brian2", monitors=Monitors(time_bin=0.1), progress=False
    )
    rates = {name: found.sel(unit=found["layer"] == name).mean("unit").values / 0.1 for name in sizes_of(SMALL)}
    for stimulus, (winner, loser) in enumerate((POOLS, POOLS[::-1])):
        won, lost = rates[winner][stimulus], rates[loser][stimulus]
        assert won[-2:].mean() > 30 and lost[-2:].mean() < 10  # spikes/s at the end
        assert won[0] < 10  # both begin alike
    assert 5 < rates["inhibitory"][:, -2:].mean() < 40 and rates["others"].mean() < 10


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: build_circuit("decision", 3), "an even number of inputs, half for each pool"),
        (lambda: DecisionOptions(selective=0.6), "selective from 0.01 to 0.45 asked"),
        (lambda: DecisionOptions(dt=float("nan")), "dt from 1e-06 to 0.001 asked"),
    ],
)
def test_what_decides_nothing_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_a_receptor_that_reverses_below_rest_is_counted_as_inhibition():
    counts = ns.biophysics.count_synapses(build_circuit("decision", 2 * N, SMALL))
    weights = counts["mean_weight"]
    assert (weights.sel(source="inhibitory", target=list(sizes_of(SMALL))) < 0).all()
    assert (weights.sel(source="first", target=list(sizes_of(SMALL))) > 0).all()
