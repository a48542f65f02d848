"""The circuit that a trained network becomes spikes identically, and what cannot be represented is refused by name."""

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.biophysics.simulation import choose_category, simulate
from neurosim.bridge import to_circuit, to_nir, verify_translation
from neurosim.networks import SpikingConvNetSpecification, SpikingMLPSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.chains import neuron_names, structure_of
from neurosim.networks.recording import predict
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.encoders import encode_rate


@pytest.fixture(scope="module")
def spikes():
    rng = np.random.default_rng(0)
    return as_stimuli((rng.random((12, 25, 64)) < 0.3) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)


@pytest.fixture(scope="module")
def pictures():
    return as_stimuli(np.random.default_rng(1).random((8, 1, 8, 8)))


def seeded(make):
    with torch_seeded(5):
        return make()


NETWORKS = {
    "leaky, thresholds of their own": lambda: nn.Sequential(
        nn.Linear(64, 30), snn.Leaky(beta=0.9), nn.Linear(30, 10), snn.Leaky(beta=0.8, threshold=torch.rand(10) + 0.3)
    ),
    "leaky, zero reset, decays of their own": lambda: nn.Sequential(
        nn.Linear(64, 30),
        snn.Leaky(beta=0.9, reset_mechanism="zero", init_hidden=True),
        nn.Linear(30, 10, bias=False),
        snn.Leaky(beta=torch.rand(10) * 0.5 + 0.45, threshold=0.3, reset_mechanism="zero", init_hidden=True),
    ),
    "synaptic, both resets": lambda: nn.Sequential(
        nn.Linear(64, 30),
        snn.Synaptic(alpha=0.8, beta=0.9),
        nn.Linear(30, 10),
        snn.Synaptic(alpha=torch.rand(10) * 0.5 + 0.4, beta=0.9, reset_mechanism="zero"),
    ),
    "recurrent, all to all and one to one": lambda: nn.Sequential(
        nn.Linear(64, 30),
        snn.RLeaky(beta=0.9, linear_features=30),
        nn.Linear(30, 10),
        snn.RLeaky(beta=0.9, threshold=0.5, all_to_all=False, V=torch.rand(10), reset_mechanism="zero"),
    ),
    "never reset": lambda: nn.Sequential(nn.Linear(64, 20), snn.Leaky(beta=0.5, reset_mechanism="none")),
}


def dyadic(network):
    """Round all weights to multiples of 2**-10: sums are then the same float in any order."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.round(3 * parameter * 1024) / 1024)
    return network


@pytest.mark.oracle
@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("name", NETWORKS)
def test_snntorch_networks_become_circuits_that_differ_in_no_spike(name, engine, spikes):
    network = dyadic(seeded(NETWORKS[name]))
    circuit = to_circuit(network)
    found = verify_translation(network, circuit, spikes, engine=engine, progress=False)
    assert found.n_spikes.values.min() > 50
    assert found.n_differing.sum() == 0
    assert found.attrs["verdict"] in ("bit-exact", "spike-exact")
    assert found.membrane_difference.max() < 1e-12
    if "recurrent" not in name:
        assert found.attrs["verdict"] == "bit-exact"


def test_trained_twin_differs_in_no_spike(spiking_mlp):
    network, task = spiking_mlp
    shown = encode_rate(task.test[:300], n_steps=15)
    circuit = to_circuit(network)
    for engine in ("brian2", "torch"):
        found = verify_translation(network, circuit, shown, engine=engine, progress=False)
        assert found.n_differing.values.tolist() == [0, 0, 0]
    assert (found.n_spikes.values > 500).all()
    answers = simulate(circuit, shown, progress=False)
    np.testing.assert_array_equal(choose_category(circuit, answers), predict(network, shown, double=True))


def test_convolutions_pooling_and_batch_norm_become_sparse_synapses(pictures):
    def make():
        network = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), snn.Leaky(beta=0.9), nn.AvgPool2d(2),
            nn.Conv2d(4, 6, 3, stride=2, groups=2, bias=False), snn.Leaky(beta=0.8), nn.Dropout(), nn.Flatten(),
            nn.Linear(6, 5), snn.Leaky(beta=0.9),
        )  # fmt: skip
        with torch.no_grad():
            network[1].running_mean.uniform_(-0.1, 0.1)
            network[1].running_var.uniform_(0.5, 2)
            network[0].weight *= 3
            network[4].weight *= 8
            network[8].weight *= 5
        return network

    network = seeded(make)
    circuit = to_circuit(network, input_shape=(1, 8, 8), inputs="current", duration=20e-3)
    found = verify_translation(network, circuit, pictures, progress=False)
    assert found.n_differing.sum() == 0
    assert found.n_spikes.values.min() > 20
    assert circuit.n_synapses < 0.2 * sum(np.prod(q.weights.shape) for q in circuit.projections)


def test_spiking_conv_net_and_its_readout(pictures):
    network = seeded(lambda: build_network(SpikingConvNetSpecification(), (8, 8), 10)).eval()
    images = pictures.squeeze("channel")
    circuit = to_circuit(network)
    assert verify_translation(network, circuit, images, progress=False).n_differing.sum() == 0
    answers = simulate(circuit, images, engine="torch", progress=False)
    np.testing.assert_array_equal(choose_category(circuit, answers), predict(network, images, double=True))


def test_convolutions_on_events_differ_in_no_spike():
    events = as_stimuli(
        (np.random.default_rng(4).random((4, 12, 2, 8, 8)) < 0.2) * 1.0,
        dims=("stimulus", "time", "channel", "y", "x"),
        time_step=1e-3,
    )
    network = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3), snn.Leaky(beta=0.9, threshold=0.2), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(36, 5), snn.Leaky(beta=0.9, threshold=0.1),
        )
    )  # fmt: skip
    circuit = to_circuit(network, input_shape=(2, 8, 8))
    found = verify_translation(network, circuit, events, progress=False)
    assert found.n_differing.sum() == 0
    assert found.n_spikes.values.min() > 20


def test_a_module_with_a_forward_of_its_own_is_translated_in_the_order_of_its_calls(spikes):
    class Backwards(nn.Module):
        """Defined in another order than called."""

        def __init__(self):
            super().__init__()
            self.second, self.spk2 = nn.Linear(20, 6), snn.Leaky(beta=0.7, threshold=0.4)
            self.first, self.spk1 = nn.Linear(64, 20), snn.Leaky(beta=0.9)

        def forward(self, inputs):
            one, two = self.spk1.reset_mem(), self.spk2.reset_mem()
            for now in inputs.unbind(0):
                spikes, one = self.spk1(self.first(now), one)
                spikes, two = self.spk2(self.second(spikes), two)
            return two

    network = dyadic(seeded(Backwards))
    circuit = to_circuit(network, input_shape=(64,), example=torch.zeros(2, 1, 64))
    assert [p.name for p in circuit.populations] == ["spk1", "spk2"]
    with pytest.raises(InputError, match="Backwards has a forward of its own"):
        to_circuit(network, input_shape=(64,))

    assert neuron_names(structure_of(network, torch.zeros(2, 1, 64))) == ["spk1", "spk2"]
    found = verify_translation(network, circuit, spikes, example=torch.zeros(2, 1, 64), progress=False)
    assert found.n_differing.sum() == 0
    assert found.n_spikes.values.min() > 20


def test_float32_divergences_are_ties():
    """In float32 the order of sums decides near-ties; every first divergence must be one, and be reported as one."""
    with torch_seeded(0):
        network = build_network(SpikingMLPSpecification((200, 100)), (8, 8), 10)
    images = as_stimuli(np.random.default_rng(0).random((300, 8, 8)))
    shown = encode_rate(images, n_steps=25)
    circuit = to_circuit(network)
    single = verify_translation(network, circuit, shown, double=False, engine="torch", progress=False)
    assert single.attrs["verdict"] in ("spike-exact", "tie-broken")
    assert single.membrane_difference.max() < 1e-4
    assert verify_translation(network, circuit, shown, engine="torch", progress=False).n_differing.sum() == 0


def test_a_difference_is_found_placed_and_not_called_a_tie(spiking_mlp):
    network, task = spiking_mlp
    shown = encode_rate(task.test[:5], n_steps=15)
    circuit = to_circuit(network)
    other = circuit.adjusted("hidden2", 1.05)
    found = verify_translation(network, other, shown, progress=False)
    assert found.attrs["verdict"] == "different"
    assert found.n_differing.values[0] == 0
    row = found.sel(layer="hidden2")
    assert row.n_differing > 0 and row.first_step >= 0 and row.margin > 0
    expected = simulate(circuit, shown, engine="torch", progress=False)
    changed = simulate(other, shown, engine="torch", progress=False)
    own = expected.layer.values == "hidden2"
    place = (int(row.first_stimulus), int(row.first_step), np.flatnonzero(own)[int(row.first_neuron)])
    assert expected.values[place] != changed.values[place]
    assert (expected.values[:, : place[1], own] == changed.values[:, : place[1], own]).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_circuits_survive_nir_files(name, spikes, tmp_path):
    network = seeded(NETWORKS[name])
    circuit = to_circuit(network)
    nir.write(tmp_path / "graph.nir", to_nir(circuit))
    again = to_circuit(nir.read(tmp_path / "graph.nir"))
    first, second = (simulate(c, spikes, engine="torch", progress=False) for c in (circuit, again))
    np.testing.assert_array_equal(first.values, second.values)
    assert again.inputs == circuit.inputs


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((nn.Linear(4, 4), snn.Leaky(beta=0.9, reset_delay=False)), "reset_delay=False"),
        ((nn.Linear(4, 4), snn.Leaky(beta=0.9, graded_spikes_factor=2.0)), "graded spikes"),
        ((nn.Linear(4, 4), snn.Leaky(beta=0.9, inhibition=True)), "inhibition"),
        ((nn.Linear(4, 4), snn.SLSTM(4, 4)), r"snn\.SLSTM"),
        ((nn.Linear(4, 4), snn.Alpha(1.0, 0.5)), "tau_syn = inf"),
        ((nn.Linear(4, 4), nn.ReLU(), snn.Leaky(beta=0.9)), "'1' .ReLU. cannot be represented"),
        ((nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), snn.Leaky(beta=0.9)), "AvgPool2d"),
        ((nn.Linear(4, 4), snn.Leaky(beta=0.0)), "not above 0"),
        ((nn.Linear(4, 4), nn.Linear(5, 4), snn.Leaky(beta=0.9)), "takes 5 values"),
        ((nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False), snn.Leaky(beta=0.9)), "no statistics"),
        ((nn.Linear(4, 4),), "no neurons that spike"),
    ],
)
def test_what_cannot_be_represented_is_refused_by_name(layers, words):
    shape = (1, 8, 8) if isinstance(layers[0], nn.Conv2d) else None
    with pytest.raises(InputError, match=words) as error:
        to_circuit(nn.Sequential(*layers), input_shape=shape)
    assert "\n" not in str(error.value)


def test_weights_that_are_not_finite_are_refused():
    network = nn.Sequential(nn.Linear(4, 4), snn.Leaky(beta=0.9))
    with torch.no_grad():
        network[0].weight[0, 0] = float("nan")
    with pytest.raises(InputError, match=r"weight of node .* holds NaN"):
        to_circuit(network)
