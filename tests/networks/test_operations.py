"""Operations, sparsity and footprint against counts by hand and by plain loops."""

import numpy as np
import pytest
import snntorch as snn
import torch
import xarray as xr
from torch import nn

import neurosim as ns
from neurosim.networks import EnergyCosts, SpikformerSpecification, SpikingRNNSpecification, synaptic_operations
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli

RNG = np.random.default_rng(0)


def counted(network, values, dims=None, **options):
    step = {"time_step": 1e-3} if dims and "time" in dims else {}
    return synaptic_operations(network, as_stimuli(values, dims=dims, **step), **options)


def test_weights_that_are_0_are_not_effective():
    layer = nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        layer.weight[:, 1:] = 0
    found = synaptic_operations(layer, as_stimuli(np.full((2, 4), 0.5)))
    assert float(found.effective_macs.sum()) == 3 and float(found.dense.sum()) == 12


def test_a_network_that_is_counted_by_hand():
    """Stimulus 1: 2 of 3 inputs; stimulus 2: none. One weight of six is 0; the second unit is never active."""
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 2.0, 0.0], [-1.0, -1.0, -1.0]]))
        network[0].bias.zero_()
        network[2].weight.fill_(0.5)
    found = counted(network, np.array([[0.5, 0.25, 0.0], [0.0, 0.0, 0.0]]), costs=EnergyCosts(2.0, 1.0))
    assert found.layer.values.tolist() == ["0", "2"]
    assert found.dense.values.tolist() == [6, 4]
    assert found.effective_macs.values.tolist() == [4 / 2, 0.0]  # all four go through weights that are not 0
    assert found.effective_acs.values.tolist() == [0.0, 1.0]  # the active unit answers exactly 1: an addition
    assert found.energy.values.tolist() == [4.0, 1.0] and found.energy.attrs["units"] == "J/stimulus"
    assert found.activation_layer.values.tolist() == ["1"] and found.zero_activations.item() == 0.75
    assert found.activation_sparsity.item() == 0.75 and found.n_activations.item() == 2
    assert found.connection_sparsity.item() == 1 / 10 and found.footprint.item() == 4 * 12


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "dilation": 2, "padding": 2}])
@pytest.mark.parametrize("make", [nn.Conv2d, nn.ConvTranspose2d])
def test_convolutions_are_counted_as_by_a_matrix(make, options):
    """The matrix of a convolution has an operation for each entry that is not 0: one weight from a pixel to a unit."""
    with torch_seeded(0):
        layer = make(2, 4, 3, bias=False, **options).double()
    dense = make(2, 4, 3, bias=False, **options).double()
    with torch.no_grad():
        layer.weight[layer.weight.abs() < 0.05] = 0
        dense.weight.fill_(1)
        columns = torch.eye(2 * 25, dtype=torch.float64).unflatten(1, (2, 5, 5))
        n_used, n_all = ((m(columns) != 0).flatten(1).sum(1).double() for m in (layer, dense))
    values = RNG.random((3, 2, 5, 5)) * (RNG.random((3, 2, 5, 5)) < 0.4)
    found = counted(layer, values)
    used = torch.from_numpy(values != 0).double().flatten(1)
    assert found.effective_macs.item() == float((used @ n_used).sum()) / 3 < found.dense.item()
    assert found.dense.item() == float(n_all.sum()) and found.layer.values.tolist() == ["network"]


def test_a_recurrent_spiking_network_is_counted_by_a_plain_loop():
    with torch_seeded(3):
        network = ns.build_network(SpikingRNNSpecification((7,), spread=2.0), (9, 4), 2).eval()
    layer = network.spikes["hidden1"]
    with torch.no_grad():
        layer.recurrent.weight[layer.recurrent.weight < 0] = 0
    values = (RNG.random((3, 9, 4)) < 0.4).astype(float)
    found = counted(network, values, ("stimulus", "time", "unit"))
    spikes = ns.record_responses(
        network,
        as_stimuli(values, dims=("stimulus", "time", "unit"), time_step=1e-3),
        layers=["spikes.hidden1"],
        progress=False,
    ).values
    weights, n = layer.recurrent.weight.detach().numpy(), 0
    for stimulus in spikes:
        for step in stimulus[:-1]:
            for source in np.flatnonzero(step):
                n += np.count_nonzero(weights[:, source])
    by_layer = {k: found.sel(layer=k) for k in found.layer.values.tolist()}
    assert n > 0 and by_layer["hidden1"].effective_acs.item() == n / 3
    assert by_layer["hidden1"].dense.item() == 8 * 7 * 7
    assert by_layer["linears.hidden1"].effective_acs.item() == values.sum() * 7 / 3
    assert by_layer["linears.hidden1"].dense.item() == 9 * 4 * 7 and by_layer["readout"].dense.item() == 7 * 2
    assert np.isclose(found.activation_sparsity.item(), 1 - spikes.mean())


def test_attention_counts_wherever_it_is_computed():
    with torch_seeded(0):
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval()
    network = nn.Sequential(nn.Unflatten(1, (5, 8)), layer)
    found = counted(network, RNG.random((2, 40)))
    weights = 5 * (8 * 24 + 8 * 8 + 2 * 8 * 12)
    assert found.dense.sum().item() == weights + 2 * 5 * 5 * 8
    with torch_seeded(0):
        spiking = ns.build_network(SpikformerSpecification(8, 2, 1, 12), (8, 8), 3)
    counts = counted(spiking, RNG.random((2, 8, 8)))
    assert counts.dense.sel(layer="block1.attention").item() == 4 * 2 * 16 * 16 * 8
    assert (counts.effective_macs + counts.effective_acs <= counts.dense).all()


@pytest.mark.parametrize("make", [nn.LSTM, nn.GRU, nn.RNN])
def test_gated_units_count_step_by_step(make):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells = make(4, 6)

        def forward(self, sequence):
            return self.cells(sequence)[0]

    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[make]
    found = counted(Gated(), RNG.random((2, 5, 4)) + 0.1, ("stimulus", "time", "unit"))
    assert found.layer.values.tolist() == ["cells"] and found.dense.item() == 5 * gates * 6 * (4 + 6)
    assert found.effective_macs.item() == 5 * gates * 6 * 4 + 4 * gates * 36  # nothing is remembered in the first step


def test_snntorch_neurons_and_a_frozen_functional_relu():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.neuron = nn.Linear(3, 4), snn.Leaky(0.9, threshold=0.1, init_hidden=True)

        def forward(self, shown):
            return self.neuron(torch.relu(self.first(shown)))

    with torch_seeded(0):
        network = Own()
    found = counted(network, RNG.random((4, 3)))
    assert set(found.activation_layer.values) == {"network", "neuron"} and found.n_activations.values.tolist() == [4, 4]


def test_batches_do_not_matter_and_the_network_is_left_as_it_was():
    with torch_seeded(0):
        network = ns.build_network(ns.networks.SpikingConvNetSpecification((3, 4), 5), (8, 8), 3).train()
    values = RNG.random((5, 8, 8))
    assert counted(network, values, batch_size=2).equals(counted(network, values))
    assert torch.backends.mkldnn.enabled and torch.backends.mha.get_fastpath_enabled()
    assert network.training and not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(InputError, match=r"a torch\.nn\.Module is asked"):
        synaptic_operations(3, as_stimuli(np.ones((2, 3))))
    with pytest.raises(InputError, match=r"costs are EnergyCosts"):
        counted(nn.Linear(3, 2), np.ones((2, 3)), costs=1e-12)
    with pytest.raises(InputError, match=r"mac = 0 J"):
        EnergyCosts(mac=0)


class Both(nn.Module):
    """Says both of a stimulus, by a product that torch computes as a whole."""

    def __init__(self, product):
        super().__init__()
        self.weight, self.product = nn.Parameter(torch.rand(3, 6)), product

    def forward(self, x):
        return self.product(x, self.weight)


@pytest.mark.parametrize(
    "product",
    [
        lambda x, w: nn.functional.bilinear(x, x, w[:, None].expand(3, 6, 6)),
        lambda x, w: torch.sparse.mm(w.to_sparse(), x.T).T,
        lambda x, w: torch.conv_tbc(x[:, None], w[None].mT.contiguous(), torch.zeros(3))[:, 0],
    ],
)
def test_products_that_are_not_heard_are_refused(product):
    with pytest.raises(InputError, match=r"is computed by \w+ as a whole, which hides its operations") as caught:
        synaptic_operations(Both(product), as_stimuli(np.ones((2, 6))))
    assert "\n" not in str(caught.value)


def test_operations_stand_beside_accuracy():
    task = ns.tasks.classification_task(ns.load_digits()[:60])
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))
    costs = ns.networks.EnergyCosts(mac=2e-12)
    found = ns.networks.evaluate(network, task, costs=costs, batch_size=5)
    alone = ns.networks.synaptic_operations(network, task.test, costs=costs)
    for name in ("dense", "effective_macs", "effective_acs", "energy"):
        assert float(found[name]) == pytest.approx(float(alone[name].sum()))
        assert found[name].attrs == alone[name].attrs
    for name in ("activation_sparsity", "connection_sparsity", "footprint"):
        assert float(found[name]) == float(alone[name])
    plain = ns.networks.evaluate(network, task)
    xr.testing.assert_allclose(found[list(plain.data_vars)], plain)
    assert "energy" not in plain
