"""Networks at their edges: layers before time, checkpoints of other networks, other kinds of numbers."""

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from neurosim.experiments import perturbation_effect
from neurosim.networks.axes import Reading
from neurosim.networks.explanation import explain
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.perturbation import perturbed
from neurosim.networks.recording import record_responses
from neurosim.networks.training import train
from neurosim.schema import InputError, Perturbation, as_stimuli
from neurosim.tasks.classification import classification_task

ONE = TrainingOptions(epochs=1, batch_size=8)


class Recurrent(nn.Module):
    """A plain layer before one over time: (time, batch, unit)."""

    def __init__(self):
        super().__init__()
        self.encoder, self.relu, self.gru, self.readout = nn.Linear(6, 4), nn.ReLU(), nn.GRU(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.readout(self.gru(self.relu(self.encoder(x)))[0][-1])


@pytest.fixture
def recurrent():
    torch.manual_seed(0)
    return Recurrent().eval(), torch.randn(7, 5, 6)


def test_units_of_a_linear_layer_before_time_are_cut_for_every_stimulus(recurrent):
    network, shown = recurrent
    network.encoder.bias.data += 3.0
    with torch.no_grad(), perturbed(network, Perturbation("silence", "encoder", [1])):
        found = network(shown)
    cut = Recurrent()
    cut.load_state_dict(network.state_dict())
    cut.encoder.weight.data[1] = cut.encoder.bias.data[1] = 0.0
    with torch.no_grad():
        torch.testing.assert_close(found, cut(shown))
        assert (found != network(shown)).any(1).all()


def test_units_of_a_linear_layer_before_time_are_counted_without_the_batch(recurrent):
    network, shown = recurrent
    with (
        pytest.raises(InputError, match="'encoder' has units 0 to 3"),
        perturbed(network, Perturbation("silence", "encoder", [17])),
    ):
        network(shown)
    stimuli = as_stimuli(shown.transpose(0, 1).numpy(), dims=("stimulus", "time", "unit"))
    effect = perturbation_effect(
        network, {"cut": Perturbation("silence", "encoder", [1])}, stimuli, layers=["readout"], progress=False
    )
    assert float(effect.similarity.sel(perturbation="cut", layer="readout")) < 1


def test_a_layer_of_which_the_stimuli_are_not_known_is_refused_by_name(recurrent):
    network, shown = recurrent
    with (
        pytest.raises(InputError, match=r"layer 'relu' \(ReLU\) answers, of shape \(7, 5, 4\)") as caught,
        perturbed(network, Perturbation("silence", "relu", [1])),
    ):
        network(shown)
    assert "\n" not in str(caught.value)


def test_places_of_convolutions_and_what_follows_them_are_counted_as_recorded():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    for layer in ("0", "1"):
        with perturbed(network, Perturbation("clamp", layer, [9], amount=7.0)), torch.no_grad():
            found = network(torch.zeros(3, 1, 5, 5)).flatten(1)
        assert (found == 7).nonzero().tolist() == [[0, 9], [1, 9], [2, 9]]
    with perturbed(network, Perturbation("clamp", "0", [9], amount=7.0)), torch.no_grad():
        assert (network(torch.zeros(1, 5, 5)).flatten() == 7).nonzero().tolist() == [[9]]


class Spiking(nn.Module):
    """Linear layers around neurons, whose constants the text of the network does not show."""

    def __init__(self, beta=0.9, n_steps=5, reset="subtract", slope=25, scale=1.0):
        super().__init__()
        self.a, self.b, self.n_steps = nn.Linear(64, 8), nn.Linear(8, 4), n_steps
        self.norm = nn.BatchNorm1d(8)
        self.neurons = snn.Leaky(beta=beta, reset_mechanism=reset, spike_grad=snn.surrogate.fast_sigmoid(slope))
        self.register_buffer("average", torch.zeros(8))
        self.n_seen, self.scale, self.last = 0, torch.tensor(scale), None

    def forward(self, x):
        membrane, out = self.neurons.init_leaky(), 0
        now = self.norm(self.a(x.flatten(1)))
        if self.training:
            self.n_seen += 1
            self.average += 0.1 * (now.detach().mean(0) - self.average)
            self.last = now
        for _ in range(self.n_steps):
            spikes, membrane = self.neurons(now, membrane)
            out = out + self.b(spikes) * self.scale
        return out


def spiking_twin(factor):
    class Twin(Spiking):
        def forward(self, x):
            return super().forward(x) * 2

    class Other(Spiking):
        def forward(self, x):
            return super().forward(x) * 3

    Other.__name__ = Other.__qualname__ = "Twin"
    return Other() if factor == 3 else Twin()


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    return classification_task(
        as_stimuli(rng.random((48, 8, 8)), coords={"category": [f"c{k % 4}" for k in range(48)]}), rng=1
    )


def run(network, task, path, **options):
    options = TrainingOptions(epochs=2, batch_size=8, **options)
    return train(network, task, options, checkpoint=path, device="cpu", progress=False)


@pytest.mark.parametrize(
    "other",
    [
        lambda: Spiking(beta=0.1),
        lambda: Spiking(n_steps=6),
        lambda: Spiking(reset="zero"),
        lambda: Spiking(slope=5),
        lambda: Spiking(scale=2.0),
    ],
)
def test_the_checkpoint_of_a_network_with_other_constants_is_refused(task, tmp_path, other):
    path = tmp_path / "run.safetensors"
    run(Spiking(), task, path)
    with pytest.raises(InputError, match=r"another training \(it differs in network\)"):
        run(other(), task, path)


def test_the_checkpoint_of_a_network_with_another_forward_is_refused(task, tmp_path):
    path = tmp_path / "run.safetensors"
    run(spiking_twin(2), task, path)
    run(spiking_twin(2), task, path)
    with pytest.raises(InputError, match="it differs in network"):
        run(spiking_twin(3), task, path)


def test_the_same_network_goes_on_whatever_training_changed_in_it(task, tmp_path):
    path = tmp_path / "run.safetensors"
    torch.manual_seed(3)
    network = Spiking()
    first = run(network, task, path)
    assert first.identical(run(network, task, path))  # trained: statistics, averages and counts are others
    torch.manual_seed(4)
    other = Spiking()
    assert first.identical(run(other, task, path))
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in network.state_dict().items() if "neurons" not in k)
    torch.manual_seed(3)
    plain = Spiking()
    assert first.identical(train(plain, task, TrainingOptions(epochs=2, batch_size=8), device="cpu", progress=False))
    assert all(torch.equal(v, plain.state_dict()[k]) for k, v in network.state_dict().items() if "neurons" not in k)


@pytest.mark.parametrize("wrap", [torch.compile, torch.jit.script, torch.fx.symbolic_trace])
def test_wrapped_networks_go_on_too(task, tmp_path, wrap):
    options = {"backend": "eager"} if wrap is torch.compile else {}
    inner = nn.utils.parametrizations.spectral_norm(nn.Linear(64, 4)) if wrap is torch.compile else nn.Linear(64, 4)
    network, path = wrap(nn.Sequential(nn.Flatten(), inner), **options), tmp_path / "run.safetensors"
    first = run(network, task, path)
    assert first.identical(run(wrap(nn.Sequential(nn.Flatten(), inner), **options), task, path))


@pytest.mark.parametrize("dtype", [">f4", ">f8", "longdouble", ">i2", "uint16"])
def test_stimuli_of_any_byte_order_and_width_are_shown(dtype):
    values = np.random.default_rng(0).integers(0, 2, (6, 8, 8)).astype(dtype)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    wanted = record_responses(network, values.astype("f4"), progress=False)
    np.testing.assert_array_equal(record_responses(network, values, progress=False).values, wanted.values)
    task = classification_task(as_stimuli(np.repeat(values, 4, 0), coords={"category": list("abcd") * 6}))
    assert np.isfinite(train(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), task, ONE, progress=False).loss).all()


def test_options_take_the_numbers_of_numpy(task):
    numbers = {"epochs": np.int64(2), "batch_size": np.int64(8), "learning_rate": np.float32(0.125)}
    options = TrainingOptions(**numbers, patience=np.int16(3), layer_rates=[("a*", np.float64(0.5))])
    assert options == TrainingOptions(2, 8, 0.125, patience=3, layer_rates=(("a*", 0.5),))
    assert run(Spiking(), task, None).sizes["epoch"] == 2
    assert train(Spiking(), task, TrainingOptions(**numbers), progress=False).sizes["epoch"] == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 2.5),
        ("epochs", True),
        ("batch_size", "8"),
        ("learning_rate", "1e-3"),
        ("learning_rate", np.nan),
        ("clip", None),
        ("patience", 0),
        ("weight_decay", -1),
        ("label_smoothing", 1),
        ("layer_rates", "a"),
        ("layer_rates", (("a", -1),)),
    ],
)
def test_an_option_out_of_range_is_named_alone(name, value):
    with pytest.raises(InputError, match=f"^TrainingOptions: {name} ") as caught:
        TrainingOptions(**{name: value})
    assert len(str(caught.value)) < 120 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"batch_size": "4"}, "batch_size = '4'"),
        ({"batch_size": 2.5}, "batch_size = 2.5"),
        ({"window": True}, "window = True"),
        ({"target": [[0], [1, 2]]}, r"found \[\[0\], \[1, 2\]\]"),
        ({"target": 0.5}, "found float64"),
        ({"method": None}, "no method None"),
    ],
)
def test_explain_refuses_what_it_cannot_take(request_, message):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(InputError, match=f"^explain: .*{message}"):
        explain(network, np.zeros((4, 8, 8)), **{"method": "saliency", "progress": False} | request_)


class Hinge:
    """An objective that somebody wrote: a margin between the right and the others."""

    def check(self, outputs, targets):
        assert outputs.shape[1] == 4

    def losses(self, outputs, targets):
        return nn.functional.multi_margin_loss(outputs, targets[0], reduction="none")

    def n_right(self, outputs, targets):
        return float((outputs.argmax(1) == targets[0]).sum())


class Partial:
    losses, n_right = Hinge.losses, Hinge.n_right


def test_an_objective_of_ones_own_is_taken_or_refused_in_one_line(task):
    history = train(Spiking(), task, ONE, objective=Hinge(), progress=False)
    assert np.isfinite(history.loss).all()
    for wrong, found in (
        (Partial(), "Partial without check"),
        (Hinge, "Hinge, a class"),
        (nn.MSELoss, "MSELoss, a class"),
    ):
        with pytest.raises(InputError, match=f"train: an objective has methods check, .*found {found}"):
            train(Spiking(), task, ONE, objective=wrong, progress=False)


class BatchFirst(nn.Module):
    """A network over (batch, time, unit), shown stimuli over time as it is, or after its forward turned them."""

    def __init__(self, turns):
        super().__init__()
        self.lstm, self.readout, self.turns = nn.LSTM(6, 4, batch_first=True), nn.Linear(4, 3), turns

    def forward(self, x):
        return self.readout(self.lstm(x.transpose(0, 1) if self.turns else x)[0][:, -1])


@pytest.mark.parametrize("n", [5, 7])
@pytest.mark.parametrize(
    "options",
    [{}, {"layers": ["readout"]}, {"layers": ["lstm"]}, {"layers": ["lstm"], "reading": Reading(batch_axis=0)}],
)
def test_a_network_over_batch_and_time_is_told_to_turn_its_stimuli(n, options):
    torch.manual_seed(0)
    values = np.random.default_rng(0).random((n, 7, 6))  # as many stimuli as steps: the axes are not confused
    stimuli = as_stimuli(values, dims=("stimulus", "time", "unit"))
    with pytest.raises(InputError, match=r"has to begin its forward with x = x.transpose\(0, 1\)") as caught:
        record_responses(BatchFirst(False), stimuli, **options, progress=False)
    assert "batch_axis" not in str(caught.value) and "\n" not in str(caught.value)
    network = BatchFirst(True).double()
    found = record_responses(network, stimuli, layers=["readout"], progress=False)
    with torch.no_grad():
        np.testing.assert_allclose(found.values, network(torch.from_numpy(values).transpose(0, 1)))


class Keeping(nn.Module):
    """Keeps what it answered last, and neurons whose thresholds are learned."""

    def __init__(self):
        super().__init__()
        self.a, self.act = nn.Linear(64, 4), torch.relu
        self.neurons = snn.RSynaptic(alpha=0.5, beta=0.9, linear_features=4, learn_threshold=True, init_hidden=True)

    def forward(self, x):
        self.last = self.act(self.a(x.flatten(1)))
        return sum(self.neurons(self.last) for _ in range(3))


def test_networks_that_keep_what_they_answered_go_on(task, tmp_path):
    path, network = tmp_path / "run.safetensors", Keeping()
    first = run(network, task, path)
    assert first.identical(run(Keeping(), task, path))
    assert first.identical(run(network, task, path))
