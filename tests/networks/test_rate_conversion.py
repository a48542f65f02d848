"""Rates of converted networks are the activations of rectified units, as the theorem bounds them, layer by layer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import neurosim as ns
from neurosim.networks.architectures.conv_net import ConvNetSpecification
from neurosim.networks.published import torchvision
from neurosim.networks.rate_conversion import to_spiking
from neurosim.networks.rate_networks import RateChain, RateNetwork, SpikingMaxPool2d, Summed
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli

RNG = np.random.default_rng(0)


def converted(network, shown, **options):
    """The same network with spikes, its thresholds the largest activations, in float64."""
    options = {"percentile": 100, "n_steps": 64, "half_start": False} | options
    return to_spiking(network.double().eval(), as_stimuli(shown.numpy()), **options).double()


def pictures(n=4, channels=2, side=8):
    return torch.rand((n, channels, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-64, 64).map(lambda k: k / 32), min_size=1, max_size=6),
    st.floats(0.1, 1.5),
    st.integers(1, 200),
    st.booleans(),
)
def test_rates_of_one_layer_are_activations_to_within_a_threshold_over_the_number_of_steps(x, top, n_steps, half):
    """Activations are cut off at the threshold `top`; half of the bound holds where membranes start at half of it."""
    units = len(x)
    network = nn.Sequential(nn.Linear(1, units), nn.ReLU(), nn.Linear(units, units)).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor(x)[:, None])
        network[0].bias.zero_()
        network[2].weight.copy_(torch.eye(units))
        network[2].bias.zero_()
    calibration = as_stimuli(np.array([[top / max(*x, 1e-3)]]))
    spiking = to_spiking(network, calibration, n_steps=n_steps, percentile=100, half_start=half).double()
    (layer,) = spiking.spikes.values()
    threshold = layer.neuron.threshold
    with torch.no_grad():
        rates = spiking(torch.ones(1, 1, dtype=torch.float64))[0]
    wanted = torch.tensor(x, dtype=torch.float64).clamp(0, threshold)
    assert ((rates - wanted).abs() <= threshold / n_steps / (1 + half) + 1e-6).all()


class Residual(nn.Module):
    """Two branches that meet, a normalisation behind them, a maximum, and operations that are no modules."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.branch, self.pool = nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d(2)
        self.after = nn.BatchNorm2d(4)
        self.readout = nn.Linear(4, 3)

    def forward(self, images):
        first = torch.relu(self.norm(self.stem(images)))
        both = self.after(torch.relu(self.branch(first) + first))
        pooled = nn.functional.adaptive_avg_pool2d(self.pool(nn.functional.relu(both)), 1)
        return self.readout(torch.flatten(pooled, 1))


def randomised(network):
    """The network with statistics and weights of its normalisations as if it had been trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low in ((module.weight, 0.5), (module.bias, -0.3), (module.running_mean, -0.3)):
                nn.init.uniform_(values, low, low + 0.8)
            nn.init.uniform_(module.running_var, 0.1, 1.0)
    return network


@pytest.mark.parametrize("half_start", [False, True])
@pytest.mark.parametrize("make", [Residual, lambda: ns.build_network(ConvNetSpecification((4, 6), 8), (2, 8, 8), 3)])
def test_answers_of_deep_networks_converge_as_one_over_the_number_of_steps(make, half_start):
    with torch_seeded(1):
        network = randomised(make()).double().eval()
    shown = pictures()
    spiking = converted(network, shown, half_start=half_start)
    with torch.no_grad():
        wanted = network(shown)
        errors = {n: float((spiking.with_steps(n)(shown) - wanted).abs().max()) for n in (32, 128, 512)}
        assert torch.equal(network(shown), wanted)
    assert errors[512] < errors[32] / 4 and errors[512] < 0.03 * float(wanted.abs().max())
    assert all(n * error < 64 * float(wanted.abs().max()) for n, error in errors.items())


def test_half_a_threshold_is_the_same_however_long_a_stimulus_is_shown():
    with torch_seeded(1):
        network = randomised(Residual())
    there = converted(network, pictures(), n_steps=8, half_start=True)
    back = there.with_steps(100).with_steps(8)
    for (name, a), b in zip(there.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=1e-12), name
    name, threshold = next(iter(there.shifted.items()))
    part = there.sums[name] if name in there.sums else there.weights[name]
    longer = there.with_steps(16)
    other = longer.sums[name] if name in longer.sums else longer.weights[name]
    assert torch.allclose(part.bias - other.bias, torch.tensor(threshold / 32, dtype=torch.float64))


def test_the_maximum_of_counts_is_that_of_the_neuron_that_spiked_most():
    spikes = (torch.rand((40, 2, 3, 6, 6), generator=torch.Generator().manual_seed(0)) < 0.3).float()
    pool = nn.MaxPool2d(3, 2, 1)
    found = SpikingMaxPool2d(pool)(spikes)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert all(torch.equal(found[:n].sum(0), pool(spikes[:n].sum(0))) for n in (1, 7, 40))


def test_branches_are_weighed_and_a_current_added():
    summed = Summed((2.0, 0.5))
    summed.bias += 1
    assert summed(torch.ones(2), torch.full((2,), 4.0)).tolist() == [5.0, 5.0]


def test_a_chain_runs_on_brian2_spike_for_spike():
    with torch_seeded(2):
        network = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8, 5),
            nn.ReLU(),
            nn.Linear(5, 2),
        )
    images = as_stimuli(RNG.random((3, 1, 4, 4)).astype(np.float32))
    spiking = to_spiking(randomised(network), images, n_steps=12)
    assert isinstance(spiking, RateChain)
    circuit = ns.to_circuit(spiking)
    compared = ns.verify_translation(spiking, circuit, images, progress=False)
    assert (compared.n_differing == 0).all() and (compared.n_spikes > 0).all()
    choice = ns.biophysics.choose_category(circuit, ns.simulate(circuit, images, progress=False))
    with torch.no_grad():
        assert choice.tolist() == spiking(torch.from_numpy(images.values)).argmax(1).tolist()


def test_max_pooling_has_no_twin_and_that_is_said():
    network = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 2))
    spiking = converted(network, pictures())
    assert not isinstance(spiking, RateChain)
    with pytest.raises(InputError, match="forward of its own"):
        ns.to_circuit(spiking)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_published_networks_convert(name):
    with torch_seeded(0):
        network = randomised(getattr(torchvision().models, name)(num_classes=3)).eval()
    shown = torch.rand((1, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    spiking = to_spiking(network, as_stimuli(shown.numpy()), n_steps=2, percentile=100)
    n_rectified = sum(1 for _ in spiking.recorded)
    assert n_rectified == {"resnet18": 17, "mobilenet_v2": 35}[name]
    found = ns.record_responses(spiking, as_stimuli(shown.numpy()), layers=[spiking.recorded[-1]], progress=False)
    assert found.sizes["time"] == 2 and set(np.unique(found.values)) <= {0.0, 1.0}


def test_a_relu_six_is_cut_off_at_six_and_a_silent_layer_stays_silent():
    network = nn.Sequential(nn.Linear(1, 2), nn.ReLU6(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.fill_(100.0)
        network[2].weight.fill_(-1.0)
        network[2].bias.zero_()
    spiking = converted(network, torch.ones(2, 1, dtype=torch.float64))
    assert [layer.neuron.threshold for layer in spiking.spikes.values()] == [6.0, 1.0]
    found = ns.record_responses(spiking, as_stimuli(np.ones((1, 1))), progress=False)
    assert found.sel(unit=found.layer == "3").sum() == 0


def test_thresholds_are_balanced_on_the_training_set_of_a_task_alone():
    """Test stimuli a thousand times as strong as those of training change no threshold."""
    train = as_stimuli(RNG.random((20, 4)), ids=[f"a{k}" for k in range(20)], coords={"category": ["a", "b"] * 10})
    test = as_stimuli(RNG.random((4, 4)) * 1000, coords={"category": ["a", "b"] * 2}, scale=1)
    with torch_seeded(0):
        network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    of_task = to_spiking(network, ns.tasks.classification_task(train, test=test), percentile=90)
    of_stimuli = to_spiking(network, train, percentile=90)
    values = torch.relu(network[0](torch.from_numpy(train.values).float())).detach().numpy()
    for spiking in (of_task, of_stimuli):
        assert np.isclose(spiking.spikes["1"].neuron.threshold, np.percentile(values, 90))


def test_the_loss_of_a_conversion_is_reported_by_the_number_of_steps():
    task = ns.tasks.classification_task(ns.load_digits())
    with torch_seeded(0):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    ns.train(network, task, ns.networks.TrainingOptions(epochs=4), progress=False)
    spiking = ns.networks.to_spiking(network, task)
    found = ns.networks.conversion_loss(network, spiking, task, n_steps=(1, 64))
    assert np.allclose(found.loss, found.network_accuracy - found.accuracy)
    assert found.loss[0] > 0.05 > abs(found.loss[1]) and found.interval.shape == (2, 2)
    assert float(ns.networks.evaluate(spiking, task).accuracy) == float(found.accuracy[1])


class Coded(nn.Module):
    """Convolution and readout, with code of one's own between."""

    def __init__(self, between):
        super().__init__()
        self.first, self.last, self.between = nn.Conv2d(2, 3, 3, padding=1), nn.Linear(48, 3), between

    def forward(self, x):
        return self.last(self.between(self, self.first(x)))


CODES = {
    "view": lambda _, h: functional.max_pool2d(functional.relu(h), 2).view(h.size(0), -1),
    "shape": lambda _, h: functional.max_pool2d(torch.relu(h), (2, 2), stride=2).reshape(h.shape[0], -1),
    "tuple": lambda _, h: torch.max_pool2d(torch.relu(h), 2).reshape((h.size()[0], -1)),
    "numbers": lambda _, h: functional.max_pool2d(functional.relu(h), 2).view(-1, 48),
    "dropout": lambda net, h: functional.dropout(
        functional.max_pool2d(functional.relu(h), 2), 0.5, net.training
    ).flatten(1),
}
OTHER_CODES = {
    r"'view' answers to 4 stimuli with 16 rows": lambda _, h: functional.relu(h).view(-1, 48),
    r"'view' \(view\) has no counter": lambda _, h: functional.max_pool2d(functional.relu(h), 2).view(h.size(1), -1),
    r"'reshape' \(reshape\) has no": lambda _, h: functional.relu(h).reshape(-1, 8),
    r"'max_pool2d.*' \(max_pool2d.*\) has no": lambda _, h: functional.max_pool2d(
        functional.relu(h), 2, return_indices=True
    )[0].flatten(1),
    r"'dropout' \(dropout\) has no": lambda _, h: functional.dropout(
        functional.max_pool2d(functional.relu(h), 2)
    ).flatten(1),
    r"'mul' \(mul\) has no": lambda _, h: functional.relu(h) * h.size(0),
}


@pytest.mark.parametrize("code", list(CODES))
def test_code_is_converted_as_the_modules_that_do_the_same(code):
    with torch_seeded(0):
        network = Coded(CODES[code])
    modules = nn.Sequential(network.first, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), network.last)
    expected = converted(modules, pictures(), n_steps=9)(pictures())
    assert torch.equal(converted(network, pictures(), n_steps=9)(pictures()), expected) and expected.std() > 0


@pytest.mark.parametrize("words", list(OTHER_CODES))
def test_code_that_does_something_else_is_refused(words):
    with pytest.raises(InputError, match=words):
        converted(Coded(OTHER_CODES[words]), pictures())


class Doubled(nn.Module):
    def forward(self, shown):
        return torch.relu(shown) * 2


class Branching(nn.Module):
    def forward(self, shown):
        return shown if shown.sum() > 0 else -shown


VECTORS = as_stimuli(np.ones((2, 4)))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (
            nn.Sequential(nn.Linear(4, 2), nn.GELU(), nn.Linear(2, 2)),
            r"layer '1' \(GELU\) .* with ReLU",
        ),
        (nn.Sequential(nn.Linear(4, 2), nn.LSTM(2, 2)), r"layer '1' \(LSTM\) has no counterpart"),
        (Doubled(), r"layer 'mul' \(mul\) has no counterpart"),
        (Branching(), "cannot be traced"),
        (nn.Linear(4, 2), "no rectified units"),
        (nn.Sequential(nn.Linear(4, 2), nn.ReLU()), "answers with rectified units"),
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)), r"does not take stimuli of shape \(4,\)"),
        (nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)), "batch norm '0' does not follow weights"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(network, words):
    with pytest.raises(InputError, match=words) as refusal:
        to_spiking(network, VECTORS)
    assert "\n" not in str(refusal.value)


def test_maxima_of_what_is_not_rectified_and_numbers_out_of_range_are_refused():
    network = nn.Sequential(nn.Conv2d(2, 2, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2))
    with pytest.raises(InputError, match="'1' takes the maximum of what is not rectified"):
        converted(network, pictures())
    plain = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2))
    for options, words in (
        ({"n_steps": 0}, "n_steps = 0"),
        ({"percentile": 101}, "percentile = 101"),
        ({"half_start": "no"}, "half_start = 'no'; True or False"),
        ({"time_step": -1.0}, "dt = -1.0"),
    ):
        with pytest.raises(InputError, match=words):
            to_spiking(plain, VECTORS, **options)
    with pytest.raises(InputError, match="sequences"):
        to_spiking(plain, as_stimuli(np.ones((2, 3, 4)), dims=("stimulus", "time", "unit"), time_step=1e-3))
    with pytest.raises(InputError, match=r"n_steps = 1\.5"):
        to_spiking(plain, VECTORS).with_steps(1.5)
    with pytest.raises(InputError, match="what to_spiking made is asked, found Sequential"):
        ns.networks.conversion_loss(plain, plain, ns.tasks.classification_task(ns.load_digits()))
    assert isinstance(to_spiking(plain, VECTORS), RateNetwork)


class Written(nn.Module):
    """Changes activity in place, and goes on with what was changed."""

    def __init__(self, write):
        super().__init__()
        self.a, self.relu, self.b, self.write = nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3), write

    def forward(self, x):
        return self.b(self.write(self, self.a(x)))


def untaken(network, h):
    network.relu(h)
    return h


def of_function(_, h):
    nn.functional.relu_(h)
    return h


def added(network, h):
    found = network.relu(h)
    return h + found


@pytest.mark.parametrize("write", [untaken, of_function, added])
def test_what_is_changed_in_place_and_read_elsewhere_is_refused(write):
    with pytest.raises(InputError, match=r"works in place, and what it changes is used besides its result") as caught:
        to_spiking(Written(write), as_stimuli(np.ones((2, 4))))
    assert "\n" not in str(caught.value)


def test_what_is_changed_in_place_and_taken_is_converted():
    with torch_seeded(0):
        network = Written(lambda net, h: net.relu(h))
    stimuli = as_stimuli(np.random.default_rng(0).random((8, 4)).astype(np.float32))
    shown = torch.from_numpy(stimuli.values)
    found = to_spiking(network, stimuli, n_steps=2000, percentile=100)(shown)
    torch.testing.assert_close(found, network(shown), atol=2e-3, rtol=0)


def test_loaders_are_the_training_set(tmp_path):
    with torch_seeded(0):
        network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    data = torch.utils.data.TensorDataset(torch.rand(12, 4), torch.arange(12) % 2)
    whole = to_spiking(network, as_stimuli(data.tensors[0].numpy()), percentile=100)
    for brought in (data, torch.utils.data.DataLoader(data, 5), ns.networks.Data(train=data)):
        found = to_spiking(network, brought, percentile=100)
        assert torch.equal(found(data.tensors[0]), whole(data.tensors[0]))


@pytest.mark.parametrize("n_steps", [(), 4, (0,), (1.5,), "8"])
def test_numbers_of_steps_are_several_whole_numbers(n_steps):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10))
    task = ns.tasks.classification_task(ns.load_digits()[:40])
    with pytest.raises(InputError, match=r"n_steps = .* several whole numbers"):
        ns.networks.conversion_loss(network, to_spiking(network, task), task, n_steps=n_steps)
