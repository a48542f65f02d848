"""One vocabulary for experiments on networks and circuits: what it does, and that both answer it alike."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.biophysics.circuit_perturbation import perturb_circuit
from neurosim.biophysics.ladder import climb
from neurosim.biophysics.simulation import simulate
from neurosim.bridge import to_circuit
from neurosim.experiments import perturbation_effect
from neurosim.networks.perturbation import perturbed
from neurosim.networks.recording import record_responses
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, Perturbation, as_stimuli
from neurosim.stimuli.encoders import encode_rate


@pytest.fixture(scope="module")
def both(spiking_mlp):
    network, task = spiking_mlp
    return network, to_circuit(network), encode_rate(task.test[:60], n_steps=15), task


EXPERIMENTS = {
    "lesion": Perturbation("lesion", "hidden1", 0.4),
    "silence": Perturbation("silence", "hidden2", [0, 3, 5]),
    "stimulate": Perturbation("stimulate", "hidden1", [1, 2], amount=0.25),
    "all": Perturbation("silence", "output"),
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_network_and_circuit_answer_an_experiment_with_the_same_spikes(name, both):
    network, circuit, shown, _ = both
    p = EXPERIMENTS[name]
    with perturbed(network, p):
        expected = record_responses(network, shown, double=True, progress=False)
    found = simulate(perturb_circuit(circuit, p), shown, engine="torch", progress=False)
    np.testing.assert_array_equal(expected.values, found.values)
    untouched = record_responses(network, shown, double=True, progress=False)
    assert (untouched.values != expected.values).any()


@pytest.mark.parametrize("rung", ["exact", "refractory", "adex", "hodgkin_huxley"])
def test_lesioned_units_are_silent_and_noise_grows_with_its_amount(rung, both):
    _, circuit, shown, _ = both
    climbed = climb(circuit, rung)
    lesioned = simulate(
        perturb_circuit(climbed, Perturbation("lesion", "hidden1", [0, 4])), shown[:10], engine="torch", progress=False
    )
    own = np.flatnonzero(lesioned.layer.values == "hidden1")
    assert lesioned.values[..., own[[0, 4]]].sum() == 0
    plain = simulate(climbed, shown[:10], engine="torch", progress=False)
    changed = [
        np.abs(
            simulate(
                perturb_circuit(climbed, Perturbation("noise", "hidden1", [2], amount)), shown[:10],
                engine="torch", progress=False,
            ).values[..., own[2]] - plain.values[..., own[2]]
        ).sum()
        for amount in (0.0, 3.0)
    ]  # fmt: skip
    if rung not in ("adex", "hodgkin_huxley"):
        assert changed[0] == 0
    assert changed[1] > changed[0]


def test_noise_on_circuits_does_not_depend_on_the_engine(both):
    _, circuit, shown, _ = both
    noisy = perturb_circuit(climb(circuit, "conductance"), Perturbation("noise", "hidden2", 0.5, amount=0.3))
    first, second = (simulate(noisy, shown[:5], rng=4, engine=e, progress=False) for e in ("brian2", "torch"))
    np.testing.assert_array_equal(first.values, second.values)


def test_the_effect_on_task_and_representation_comes_as_one_dataset(both):
    network, circuit, shown, task = both
    experiments = {
        "some": Perturbation("lesion", "hidden1", 0.2),
        "most": Perturbation("lesion", "hidden1", 0.9),
        "noise": Perturbation("noise", "hidden1", amount=1.0),
    }
    for subject in (network, circuit):
        found = perturbation_effect(
            subject, experiments, shown, categories=task.categories, engine="torch", progress=False
        )
        assert found.perturbation.values.tolist() == ["none", "some", "most", "noise"]
        assert found.layer.values.tolist() == ["hidden1", "hidden2", "output"]
        assert found.accuracy.sel(perturbation="most") < found.accuracy.sel(perturbation="none")
        assert ((found.accuracy_low <= found.accuracy) & (found.accuracy <= found.accuracy_high)).all()
        np.testing.assert_allclose(found.similarity.sel(perturbation="none"), 1)
        low, high = (found.similarity.sel(perturbation=p, layer="output") for p in ("most", "some"))
        assert not np.isfinite(low) or low < high
        assert found.activity.sel(perturbation="none").values.tolist() == [1, 1, 1]


def test_layers_that_do_not_spike_are_perturbed_at_their_output():
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    inputs = torch.ones(2, 4)
    with perturbed(network, Perturbation("stimulate", "0", [1], amount=100.0)):
        assert (network(inputs)[:, 1] > 90).all()
    with perturbed(network, Perturbation("noise", "0", amount=1.0, rng=3)):
        first = network(inputs)
    with perturbed(network, Perturbation("noise", "0", amount=1.0, rng=3)):
        assert torch.equal(first, network(inputs))
    neuron = nn.Sequential(nn.Linear(4, 3), snn.Leaky(beta=0.9, init_hidden=True))
    with perturbed(neuron, Perturbation("silence", "1", [0])):
        assert neuron(100 * inputs)[:, 0].sum() == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: Perturbation("leison", "a"), "Did you mean 'lesion'"),
        (lambda _: Perturbation("lesion", "a", 1.5), r"0\.\.1"),
        (lambda _: Perturbation("noise", "a", amount=-1.0), "negative noise"),
        (lambda _: Perturbation("stimulate", "a", amount=np.nan), "not finite"),
        (lambda b: perturb_circuit(b[1], Perturbation("lesion", "hidden3")), "Did you mean 'hidden"),
        (lambda b: perturb_circuit(b[1], Perturbation("lesion", "hidden1", [99])), "units 0 to 31"),
        (lambda b: perturbed(b[0], Perturbation("lesion", "hidden9")).__enter__(), "no layer 'hidden9'"),
        (
            lambda b: perturbation_effect(b[1], {}, b[2].drop_vars("category"), categories=b[3].categories),
            "no 'category'",
        ),
        (lambda b: perturbation_effect(b[1], {"x": Perturbation("lesion", "a")}, b[2]), "no population 'a'"),
    ],
)
def test_experiments_that_make_no_sense_are_refused(make, words, both):
    with pytest.raises(InputError, match=words):
        make(both)


class Words(nn.Module):
    """Features of five words, the mean of which is read out."""

    def __init__(self):
        super().__init__()
        self.block = nn.ModuleDict({"features": nn.Linear(3, 6)})
        self.readout = nn.Linear(6, 2)

    def forward(self, words):
        return self.readout(torch.tanh(self.block["features"](words.unflatten(-1, (5, 3)))).mean(1))


def test_lesioned_units_of_every_word_count_neither_in_rdms_nor_in_activity():
    with torch_seeded(3):
        network = Words()
    stimuli = as_stimuli(np.random.default_rng(0).normal(size=(7, 15)), dims=("stimulus", "unit"))
    experiments = {"cut": Perturbation("lesion", "block.features", [1, 4])}
    found = perturbation_effect(network, experiments, stimuli, layers=["block.features"], progress=False)
    cut = found.sel(perturbation="cut")
    assert float(cut.similarity) == pytest.approx(1)
    assert float(cut.activity) == pytest.approx(1)


def test_a_perturbed_layer_is_recorded_also_where_it_has_no_parameters():
    """Seven of nine rectified units are lesioned behind the only layer with weights."""
    with torch_seeded(0):
        network = torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.ReLU())
    shown = as_stimuli(np.random.default_rng(0).normal(size=(12, 6)))
    lesion = Perturbation("silence", "1", list(range(7)))
    effect = perturbation_effect(network, {"lesion": lesion}, shown, progress=False)
    assert {"0", "1"} == set(effect.layer.values)
    assert float(effect.similarity.sel(perturbation="lesion", layer="0")) == pytest.approx(1)
    assert float(effect.similarity.sel(perturbation="lesion", layer="1")) < 0.99
