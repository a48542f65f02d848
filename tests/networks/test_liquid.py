"""Liquid state machines: their wiring is as drawn, the readout alone learns, and ridge regression is that of others."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from torch import nn

import neurosim as ns
from neurosim.networks import LiquidStateMachineSpecification, TrainingOptions, fit_readout
from neurosim.networks.linear_readout import _accuracies, _ridge
from neurosim.networks.liquid import LIKELY, MEAN
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli

RNG = np.random.default_rng(0)


def liquid(specification=None, n_inputs=8, n_categories=3, seed=0):
    with torch_seeded(seed):
        return ns.build_network(specification or LiquidStateMachineSpecification(), (9, n_inputs), n_categories)


def sequences(n=30, n_inputs=8, n_steps=9):
    """Spikes whose rate differs between categories, and in which half of the inputs."""
    category = np.arange(n) % 3
    rates = np.full((n, n_steps, n_inputs), 0.1)
    for k in range(3):
        rates[category == k, :, 2 * k : 2 * k + 3] = 0.8
    return as_stimuli(
        (RNG.random(rates.shape) < rates).astype(float),
        dims=("stimulus", "time", "unit"),
        coords={"category": [f"c{k}" for k in category]},
        time_step=1e-3,
    )


def test_a_neuron_excites_or_inhibits_all_it_reaches_and_the_nearer_the_likelier():
    network = liquid(LiquidStateMachineSpecification((6, 6, 15)))
    weights = network.spikes["liquid"].recurrent.weight.numpy()
    excites, places = network.excites.numpy(), network.places.numpy()
    assert excites.mean() == pytest.approx(0.8, abs=1e-3) and not np.diag(weights).any()
    assert (weights[:, excites] >= 0).all() and (weights[:, ~excites] <= 0).all()
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    chance = np.exp(-((distance / 2.0) ** 2))
    for i, source in enumerate((excites, ~excites)):
        for j, target in enumerate((excites, ~excites)):
            block = np.ix_(target, source)
            expected = LIKELY[i][j] * (chance[block] - (distance[block] == 0))
            n, spread = expected.sum(), np.sqrt((expected * (1 - expected)).sum())
            connected = weights[block] != 0
            assert abs(connected.sum() - n) < 4 * spread
            mean = 0.1 * MEAN[i][j]
            assert abs(weights[block][connected].mean() - mean) < 4 * abs(mean) / np.sqrt(connected.sum())


def test_nothing_but_the_readout_learns_and_the_same_seed_is_the_same_liquid():
    network, again = liquid(), liquid()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in before.items())
    assert not torch.equal(before["linear.weight"], liquid(seed=1).linear.weight)
    task = ns.tasks.classification_task(sequences(), test_fraction=0.3)
    ns.train(network, task, TrainingOptions(2, 8), progress=False)
    changed = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"readout.weight", "readout.bias"}


def test_its_readout_is_learned_at_once():
    network, task = liquid(), ns.tasks.classification_task(sequences(60), test_fraction=0.3)
    found = fit_readout(network, task, rng=1)
    assert float(found.test_accuracy) > 0.8 and found.accuracy.sizes == {"penalty": 11, "fold": 5}
    assert float(found.test_accuracy) == float(ns.networks.evaluate(network, task).accuracy)
    best = found.accuracy.mean("fold")
    assert found.chosen == found.penalty[best == best.max()].max()
    again = liquid()
    assert fit_readout(again, task, rng=1).identical(found)
    assert torch.equal(again.readout.weight, network.readout.weight)


def test_ridge_regression_is_that_of_scikit_learn():
    x, labels = RNG.normal(size=(40, 6)), np.arange(40) % 3
    scale = ((x - x.mean(0)) ** 2).sum() / 6
    for penalty in (1e-3, 0.1, 10.0):
        ((weight, bias),) = _ridge(x, np.eye(3)[labels], [penalty])
        theirs = RidgeClassifier(alpha=penalty * scale).fit(x, labels)
        assert np.allclose(2 * weight, theirs.coef_) and np.allclose(2 * bias - 1, theirs.intercept_)


def test_the_test_set_chooses_nothing():
    """Labels of the test set that are all wrong change neither the penalty nor the weights."""
    stimuli = sequences(60)
    task = ns.tasks.classification_task(stimuli, test_fraction=0.3)
    wrong = task.test.assign_coords(category=("stimulus", np.roll(task.test.category.values, 1)))
    other = dataclasses.replace(task, test=wrong)
    one, two = liquid(), liquid()
    found, misled = fit_readout(one, task), fit_readout(two, other)
    assert torch.equal(one.readout.weight, two.readout.weight) and found.chosen == misled.chosen
    assert found.test_accuracy > misled.test_accuracy


@pytest.mark.parametrize("kind", ["lif", "synaptic"])
def test_it_runs_on_brian2_spike_for_spike(kind):
    neuron = ns.networks.NeuronSpecification(kind, tau_mem=30e-3)
    network = liquid(LiquidStateMachineSpecification((2, 2, 4), strength=0.3, neuron=neuron))
    spikes = sequences(4)
    circuit = ns.to_circuit(network)
    compared = ns.verify_translation(network, circuit, spikes, engine="torch", progress=False)
    assert (compared.n_differing == 0).all() and (compared.n_spikes > 20).all()


def test_separation_and_ranks_of_its_states():
    network = liquid(LiquidStateMachineSpecification((3, 3, 6)))
    states = ns.record_responses(network, sequences(60), progress=False)
    shuffled = states.assign_coords(category=("stimulus", RNG.permutation(states.category.values)))
    found, chance = ns.responses.separation(states), ns.responses.separation(shuffled)
    assert found.separation > 2 * chance.separation and found.kernel_rank == chance.kernel_rank
    same = states.isel(stimulus=[0, 0, 1, 1, 2, 2]).assign_coords(stimulus=list("abcdef"))
    repeated = ns.responses.separation(same)
    assert repeated.generalisation_rank == 0 == repeated.within and repeated.kernel_rank == 3


def test_what_cannot_be_is_refused():
    task = ns.tasks.classification_task(sequences(), test_fraction=0.3)
    for call, words in (
        (lambda: fit_readout(nn.Flatten(), task), "a network with a linear layer is asked, found none"),
        (lambda: fit_readout(liquid(), task, penalties=()), "penalties"),
        (lambda: fit_readout(liquid(), task, folds=1), "folds = 1"),
        (lambda: fit_readout(nn.Sequential(nn.Linear(8, 3)), task), r"called once with \(batch, unit\)"),
        (lambda: fit_readout(liquid(n_categories=4), task), "3 outputs is asked"),
        (lambda: LiquidStateMachineSpecification((3, 3)), "three sides"),
        (lambda: LiquidStateMachineSpecification(excitatory=1.5), r"excitatory = 1\.5"),
        (lambda: LiquidStateMachineSpecification(strength=0), "strength = 0"),
    ):
        with pytest.raises(InputError, match=words):
            call()
    states = ns.as_responses(np.ones((4, 2)))
    with pytest.raises(InputError, match="no label 'category'"):
        ns.responses.separation(states)
    with pytest.raises(InputError, match="two classes or more"):
        ns.responses.separation(states.assign_coords(category=("stimulus", list("aaab"))))


def test_a_fold_that_is_held_back_is_not_learned():
    """Labels that nothing tells are read perfectly where they were learned, and by chance elsewhere."""
    given, labels, held = RNG.normal(size=(90, 200)), RNG.permutation(np.arange(90) % 3), np.arange(90) < 30
    assert _accuracies(given, labels, 3, held, [1e-6])[0] < 0.7


def test_a_readout_asks_for_both_sets_and_for_several_penalties():
    network = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))
    data = torch.utils.data.TensorDataset(torch.rand(20, 4), torch.arange(20) % 2)
    with pytest.raises(InputError, match=r"fit_readout: a test set is asked beside that of training"):
        fit_readout(network, torch.utils.data.DataLoader(data, 8))
    with pytest.raises(InputError, match=r"penalties = 0\.1"):
        fit_readout(network, ns.networks.Data(train=data, test=data), penalties=0.1)
    assert fit_readout(network, ns.networks.Data(train=data, test=data), folds=2).attrs["n_train"] == 20
