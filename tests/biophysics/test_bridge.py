"""The Brian2 twin of a trained network spikes identically, and the ladder starts from it."""

import nir
import numpy as np
import pytest
import torch

from neurosim.biophysics.bridge import to_circuit, verify_translation
from neurosim.biophysics.ladder import calibrate, climb
from neurosim.biophysics.simulation import simulate
from neurosim.networks.architectures import build_network
from neurosim.networks.exchange import to_nir
from neurosim.networks.recording import predict, record_responses
from neurosim.networks.specifications import SpikingMLPSpecification
from neurosim.responses.readout import named_category
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.encoders import encode_rate


def test_trained_twin_differs_in_no_spike(spiking_mlp):
    network, task = spiking_mlp
    shown = encode_rate(task.test[:120], n_steps=15)
    expected = record_responses(network, shown, double=True, progress=False)
    circuit = to_circuit(to_nir(network))
    translation = verify_translation(expected, circuit, shown)
    assert translation.attrs["verdict"] == "spike-exact"
    assert translation.n_differing.values.tolist() == [0, 0, 0]
    assert (translation.n_spikes.values > 500).all()
    named = named_category(simulate(circuit, shown, progress=False), "output")
    np.testing.assert_array_equal(named, predict(network, shown, double=True))


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("seed", range(3))
def test_twin_of_dyadic_weights_is_exact_for_both_resets(reset, seed):
    """Weights that are multiples of 2**-10 sum to the same float in any order: equality is provable."""
    with torch_seeded(seed):
        network = build_network(SpikingMLPSpecification((24, 12), reset=reset, tau_mem=8e-3), (4, 4), 5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.round(4 * parameter * 1024) / 1024)
    images = as_stimuli(np.random.default_rng(seed).random((30, 4, 4)))
    shown = encode_rate(images, n_steps=40, seed=seed)
    expected = record_responses(network, shown, double=True, progress=False)
    translation = verify_translation(expected, to_circuit(to_nir(network)), shown)
    assert translation.n_spikes.sum() > 1000
    assert translation.n_differing.sum() == 0


def test_a_difference_is_found_and_placed(spiking_mlp):
    network, task = spiking_mlp
    shown = encode_rate(task.test[:5], n_steps=15)
    expected = record_responses(network, shown, double=True, progress=False)
    simulated = simulate(to_circuit(to_nir(network)), shown, progress=False)
    changed = expected.copy(deep=True)
    changed.values[3, 7, 2] = 1 - changed.values[3, 7, 2]
    found = verify_translation(changed, to_circuit(to_nir(network)), shown, simulated=simulated)
    first = found.isel(layer=0)
    assert found.attrs["verdict"] == "different"
    assert [int(first[n]) for n in ("n_differing", "first_step", "first_neuron", "first_stimulus")] == [1, 7, 2, 3]


def test_chunks_and_order_of_stimuli_change_nothing(spiking_mlp):
    network, task = spiking_mlp
    shown = encode_rate(task.test[:10], n_steps=15)
    for circuit in (to_circuit(to_nir(network)), climb(to_circuit(to_nir(network)), "conductance")):
        whole = simulate(circuit, shown, progress=False)
        pieces = simulate(circuit, shown, memory=3 * 64 * 3000, progress=False)
        backwards = simulate(circuit, shown[::-1], progress=False)
        np.testing.assert_array_equal(whole.values, pieces.values)
        np.testing.assert_array_equal(whole.values, backwards.values[::-1])


def test_what_cannot_be_represented_is_refused_by_name(spiking_mlp):
    graph = to_nir(spiking_mlp[0])
    chained = list(graph.edges)
    conv = nir.Conv2d((4, 4), np.zeros((1, 1, 3, 3)), 1, 0, 1, 1, np.zeros(1))
    nodes = dict(graph.nodes) | {"hidden1": conv}
    with pytest.raises(InputError, match=r"'hidden1' \(Conv2d\) cannot be represented"):
        to_circuit(nir.NIRGraph(nodes, chained, type_check=False))
    forgetful = dict(graph.nodes)
    n = len(graph.nodes["hidden1"].tau)
    forgetful["hidden1"] = nir.LIF(np.ones(n), np.ones(n), np.zeros(n), np.ones(n), np.zeros(n))
    with pytest.raises(InputError, match="does not say its reset"):
        to_circuit(nir.NIRGraph(forgetful, chained))
    looped = nir.NIRGraph(
        dict(graph.nodes), [e for e in chained if e[1] != "output_readout"] + [("output", "hidden1")], type_check=False
    )
    with pytest.raises(InputError, match="returns to node"):
        to_circuit(looped)


def test_calibration_restores_the_rates_of_every_layer(spiking_mlp):
    network, task = spiking_mlp
    held = encode_rate(task.train[:30], n_steps=15)
    expected = record_responses(network, held, double=True, progress=False)
    circuit, report = calibrate(climb(to_circuit(to_nir(network)), "conductance"), held, expected, progress=False)
    assert (report.rate_ratio_before < 0.8).all()
    assert report.in_band.all()
    assert np.abs(report.rate_ratio - 1).max() < 0.2
    assert simulate(circuit, held, progress=False).sum() > 0


def test_the_ladder_knows_its_rungs(spiking_mlp):
    circuit = to_circuit(to_nir(spiking_mlp[0]))
    assert climb(circuit, "exact") is circuit
    with pytest.raises(InputError, match="Did you mean 'conductance'"):
        climb(circuit, "conductances")
    with pytest.raises(InputError, match="left the first rung"):
        climb(climb(circuit, "conductance"), "conductance")


def test_stimuli_that_do_not_fit_are_refused(spiking_mlp):
    network, task = spiking_mlp
    circuit = to_circuit(to_nir(network))
    shown = encode_rate(task.test[:2], n_steps=5)
    for stimuli, words in (
        (task.test[:2], "encode_rate"),
        (shown.isel(unit=slice(10)), "has 64 inputs"),
        (shown * 0.5, "0 or 1"),
        (shown.assign_attrs(time_step=2e-3), "expects one every"),
    ):
        with pytest.raises(InputError, match=words):
            simulate(circuit, stimuli)
