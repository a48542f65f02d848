"""Lapicque, RSynaptic, Alpha, one-dimensional and adaptive layers, and membranes that answer, across the bridge."""

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.biophysics.nir_circuits import circuit_from_nir, load_nir
from neurosim.biophysics.simulation import MEMBRANES, Monitors, choose_category, monitors_of_choice, simulate
from neurosim.bridge import to_circuit, to_nir, verify_translation
from neurosim.experiments import Perturbation, perturbation_effect
from neurosim.networks import SpikingMLPSpecification, SpikingRNNSpecification, from_nir
from neurosim.networks.architecture import build_network
from neurosim.networks.shared_parameters import NeuronSpecification
from neurosim.runtime import torch_seeded
from neurosim.schema import as_stimuli

N = 8


@pytest.fixture(scope="module")
def spikes():
    rng = np.random.default_rng(0)
    return as_stimuli((rng.random((6, 25, N)) < 0.4) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)


def each(low, high):
    return torch.rand(N) * (high - low) + low


NEURONS = {
    **{f"Lapicque {r}": lambda r=r: snn.Lapicque(beta=0.9, threshold=0.1, reset_mechanism=r)
       for r in ("subtract", "zero", "none")},
    "Lapicque of R and C": lambda: snn.Lapicque(R=1.3, C=4.0, time_step=1.0, threshold=0.2),
    "Lapicque hidden": lambda: snn.Lapicque(beta=0.8, threshold=0.2, init_hidden=True),
    **{f"RSynaptic {r}": lambda r=r: snn.RSynaptic(0.7, 0.8, threshold=0.4, linear_features=N, reset_mechanism=r)
       for r in ("subtract", "zero", "none")},
    "RSynaptic one to one": lambda: snn.RSynaptic(0.7, each(0.5, 0.9), V=each(-0.5, 0.5), all_to_all=False,
                                                  init_hidden=True),
    **{f"Alpha {r}": lambda r=r: snn.Alpha(0.9, 0.8, threshold=0.4, reset_mechanism=r)
       for r in ("subtract", "zero", "none")},
    "Alpha of numbers of its own": lambda: snn.Alpha(each(0.85, 0.95), each(0.5, 0.8), threshold=each(0.2, 0.5),
                                                     init_hidden=True),
}  # fmt: skip


def strong(*layers, seed=5):
    """Return layers whose weights are dyadic and large enough that all neurons spike."""
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for layer in network:
            for parameter in layer.parameters() if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) else ():
                parameter.copy_(torch.round((3 * parameter + 0.1) * 1024) / 1024)
    return network


def equal(network, stimuli, circuit=None, **options):
    report = verify_translation(network, circuit or to_circuit(network), stimuli, progress=False, **options)
    assert report.n_differing.values.sum() == 0 and report.membrane_difference.max() < 1e-9, report
    return report


@pytest.mark.parametrize("engine", ["brian2", "torch"])
@pytest.mark.parametrize("name", NEURONS)
def test_neurons_of_snntorch_differ_in_no_spike(name, engine, spikes):
    with torch_seeded(3):
        network = strong(nn.Linear(N, N), NEURONS[name](), nn.Linear(N, N), NEURONS[name]())
    report = equal(network, spikes, engine=engine)
    counts = report.n_spikes.values
    assert (counts > 20).all() and (counts < 6 * 25 * N).all()


@pytest.mark.parametrize("name", ["Lapicque zero", "RSynaptic subtract", "Alpha subtract"])
def test_modules_with_a_forward_of_their_own_and_files(name, spikes, tmp_path):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(N, N), nn.Linear(N, N)
            self.lif1, self.lif2 = NEURONS[name](), NEURONS[name]()

        def forward(self, inputs):
            states, sent, before = [(), ()], [], torch.zeros_like(inputs[0])
            for module in (self.lif1, self.lif2):
                module.reset_mem()
            for now in inputs:
                first, *rest = self.lif1(self.fc1(now) + 0.5 * before, *states[0])
                states[0] = (first, *rest) if isinstance(self.lif1, snn.RSynaptic) else tuple(rest)
                second, *rest = self.lif2(self.fc2(first) + first + now, *states[1])
                states[1] = (second, *rest) if isinstance(self.lif2, snn.RSynaptic) else tuple(rest)
                before = second
                sent.append(second)
            return torch.stack(sent)

    with torch_seeded(3):
        network = Residual()
    example = torch.from_numpy(spikes.values[:2]).transpose(0, 1)
    circuit = to_circuit(network, example=example)
    assert {(q.source, q.target) for q in circuit.projections} >= {("input", "lif2"), ("lif2", "lif1")}
    equal(network, spikes, circuit, example=example)
    nir.write(tmp_path / "graph.nir", to_nir(circuit))
    again = circuit_from_nir(load_nir(tmp_path / "graph.nir"))
    first, second = (simulate(c, spikes, engine="torch", progress=False).values for c in (circuit, again))
    np.testing.assert_array_equal(first, second)
    assert first.sum() > 50


def test_an_alpha_neuron_never_reset_is_the_cubalif_that_plain_readers_see_one_step_later(spikes):
    network = strong(nn.Linear(N, N), snn.Alpha(0.9, 0.8, threshold=0.4, reset_mechanism="none"))
    graph = to_nir(network)
    graph.nodes["1"].metadata = {}
    graph.nodes["1"].v_threshold = np.full(N, 1e6)
    plain = circuit_from_nir(graph, dt=1e-3)  # forward Euler: other decays
    decays = {"beta": np.full(N, 0.8), "alpha": np.full(N, 0.9)}
    node = graph.nodes["1"]
    numbers = decays | {"input_scale": (1 - 0.8) * node.r}
    factor = (1 - 0.9) * node.w_in / ((1 - plain.populations[0].varying["alpha"]) * node.w_in)
    exact = plain.adjusted("1", float(factor[0])).with_population("1", varying=numbers)
    seen = [simulate(c, spikes, engine="torch", monitors=Monitors(membrane=["1"]), progress=False)
            for c in (to_circuit(network), exact)]  # fmt: skip
    alpha, cuba = (s.membrane_potential.values for s in seen)
    np.testing.assert_allclose(alpha[:, 1:], cuba[:, :-1], rtol=1e-5, atol=1e-6)  # snnTorch's decays are float32
    assert np.abs(alpha).max() > 0.5 and np.allclose(alpha[:, 0], 0, atol=1e-6)


def conv1d():
    return strong(
        nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4), snn.Leaky(beta=0.9, threshold=0.5), nn.AvgPool1d(2),
        nn.Conv1d(4, 6, 3, stride=2, dilation=2, groups=2, padding=2), snn.Leaky(beta=0.8, threshold=0.3),
        nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(12, 3), snn.Leaky(beta=0.9, threshold=0.5),
    )  # fmt: skip


def adaptive():
    return strong(
        nn.Conv2d(1, 3, 3), snn.Leaky(beta=0.9, threshold=0.3), nn.AdaptiveAvgPool2d((3, 2)),
        nn.Conv2d(3, 4, 2), snn.Leaky(beta=0.9, threshold=0.3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3), snn.Leaky(beta=0.9, threshold=0.3),
    )  # fmt: skip


def uneven():
    return strong(
        nn.Conv2d(1, 3, 3), snn.Leaky(beta=0.9, threshold=0.3), nn.AdaptiveAvgPool2d((4, 4)), nn.Flatten(),
        nn.Linear(48, 3), snn.Leaky(beta=0.9, threshold=0.3),
    )  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), [(conv1d, (2, 16)), (adaptive, (1, 8, 8)), (uneven, (1, 8, 8))])
def test_one_dimensional_and_adaptive_layers_differ_in_no_spike(make, shape):
    with torch_seeded(2):
        network = make().eval()
    rng = np.random.default_rng(1)
    flat = as_stimuli((rng.random((4, 15, int(np.prod(shape)))) < 0.5) * 1.0, dims=("stimulus", "time", "unit"),
                      time_step=1e-3)  # fmt: skip
    circuit = to_circuit(network, input_shape=shape)
    shaped = nn.Sequential(nn.Unflatten(1, shape), *network)
    report = verify_translation(network, circuit, unflattened(flat, shape), progress=False)
    assert report.n_differing.values.sum() == 0 and (report.n_spikes.values > 0).all()
    found = to_circuit(shaped, example=torch.from_numpy(flat.values).transpose(0, 1))
    first, second = (simulate(c, flat, engine="torch", progress=False).values for c in (circuit, found))
    np.testing.assert_array_equal(first, second)


def unflattened(flat, shape):
    dims = ("channel", "x") if len(shape) == 2 else ("channel", "y", "x")
    return as_stimuli(flat.values.reshape(*flat.shape[:2], *shape), dims=("stimulus", "time", *dims), time_step=1e-3)


def test_a_one_dimensional_graph_comes_back_as_layers():
    with torch_seeded(2):
        network = conv1d().eval()
    graph = to_nir(network, input_shape=(2, 16))
    again = from_nir(graph, dt=1e-3)
    shown = (torch.rand(12, 3, 2, 16, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    assert isinstance(again.layers[0] if hasattr(again, "layers") else next(iter(again.children())), nn.Module)
    with torch.no_grad():
        back = again.double()(shown)
        flat = as_stimuli(shown.transpose(0, 1).reshape(3, 12, 32).numpy(), dims=("stimulus", "time", "unit"),
                          time_step=1e-3)  # fmt: skip
    circuit = to_circuit(network, input_shape=(2, 16))
    found = simulate(circuit, flat, engine="torch", progress=False)
    last = found.values[..., found.layer.values == circuit.populations[-1].name]
    np.testing.assert_array_equal(back.transpose(0, 1).numpy(), last)


@pytest.mark.parametrize("kind", ["lif", "synaptic"])
@pytest.mark.parametrize("pooling", ["mean", "last", "max"])
def test_a_network_that_answers_by_membranes_has_a_circuit_that_does(kind, pooling, tmp_path):
    with torch_seeded(1):
        network = build_network(
            SpikingMLPSpecification((12,), neuron=NeuronSpecification(kind), readout=pooling), (4, 4), 3
        )
    rng = np.random.default_rng(0)
    shown = as_stimuli((rng.random((20, 25, 16)) < 0.5) * 1.0, dims=("stimulus", "time", "unit"), time_step=1e-3)
    circuit = to_circuit(network)
    last = circuit.populations[-1]
    assert not last.sends_spikes and circuit.readout.reads.startswith(
        {"mean": "mean", "last": "last", "max": "largest"}[pooling]
    )
    equal(network, shown, circuit)
    nir.write(tmp_path / "graph.nir", to_nir(circuit))
    with torch.no_grad():
        wanted = network.double()(torch.from_numpy(shown.values).transpose(0, 1)).numpy()
    read = MEMBRANES[circuit.readout.reads]
    for given in (circuit, circuit_from_nir(load_nir(tmp_path / "graph.nir"))):
        found = simulate(given, shown, engine="torch", monitors=monitors_of_choice(given), progress=False)
        np.testing.assert_allclose(read(found.membrane_potential.values), wanted, rtol=1e-9)
        assert choose_category(given, found).tolist() == wanted.argmax(1).tolist()


def test_experiments_on_such_a_circuit_read_the_membrane():
    with torch_seeded(1):
        network = build_network(SpikingMLPSpecification((12,), readout="mean"), (4, 4), 2)
    rng = np.random.default_rng(0)
    trains = (rng.random((20, 25, 16)) < 0.5) * 1.0
    shown = as_stimuli(trains, dims=("stimulus", "time", "unit"), time_step=1e-3)
    with torch.no_grad():
        network.linears["output"].bias.sub_(network(torch.from_numpy(trains).float().transpose(0, 1)).mean(0) / 5)
        named = network.double()(torch.from_numpy(trains).transpose(0, 1)).argmax(1).numpy()
    assert len(set(named.tolist())) == 2
    shown = shown.assign_coords(category=("stimulus", np.array(["a", "b"])[named]))
    cut = {"cut": Perturbation("lesion", "hidden1", 0.9)}
    table = perturbation_effect(to_circuit(network), cut, shown, categories=["a", "b"], progress=False)
    assert float(table.accuracy.sel(perturbation="none")) == 1.0 > float(table.accuracy.sel(perturbation="cut"))


def test_a_network_of_a_forward_of_its_own_that_answers_by_membranes():
    with torch_seeded(1):
        network = build_network(SpikingRNNSpecification((7,), readout="max"), (20, 6), 3)
    trains = (np.random.default_rng(0).random((4, 25, 6)) < 0.5) * 1.0
    shown = as_stimuli(trains, dims=("stimulus", "time", "unit"), time_step=1e-3)
    example = torch.from_numpy(trains).transpose(0, 1)
    circuit = to_circuit(network)
    assert circuit.readout.reads == "largest_membrane" and not circuit.populations[-1].sends_spikes
    equal(network, shown, circuit, example=example)
    found = simulate(circuit, shown, engine="torch", monitors=monitors_of_choice(circuit), progress=False)
    with torch.no_grad():
        wanted = network.double()(example).numpy()
    np.testing.assert_allclose(MEMBRANES["largest_membrane"](found.membrane_potential.values), wanted, rtol=1e-9)
