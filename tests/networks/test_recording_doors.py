"""What is given to be recorded is taken by its labels and kinds at the door, or refused in one line."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from neurosim.networks.axes import Reading
from neurosim.networks.recording import iterate_layers, predict, record_neurons, record_responses
from neurosim.schema import InputError, SchemaError, as_stimuli

VALUES = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
STIMULI = as_stimuli(VALUES, dims=("stimulus", "unit"), ids=list("abcd"))
QUIET = {"device": "cpu", "progress": False}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (VALUES, None),
        (VALUES.tolist(), None),
        (torch.from_numpy(VALUES), None),
        (pd.DataFrame(VALUES, index=list("dcba")), list("dcba")),
        (STIMULI.transpose(), list("abcd")),  # as many stimuli as units: dims in another order are no other stimuli
        (STIMULI.isel(stimulus=[2, 0, 3, 1]), list("cadb")),
    ],
)
def test_stimuli_of_every_form(given, names):
    rows = [list("abcd").index(n) for n in names] if isinstance(given, type(STIMULI)) else [0, 1, 2, 3]
    subject = network()
    expected = subject(torch.from_numpy(VALUES[rows])).detach().numpy()
    found = record_responses(subject, given, layers=["2"], **QUIET)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert names is None or list(found.stimulus.values) == names
    np.testing.assert_allclose(
        dict(iterate_layers(subject, given, ["2"], **QUIET))["2"], expected, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(predict(subject, given, device="cpu"), expected.argmax(1))


def test_dims_of_pictures_and_sequences_are_put_in_order():
    pictures = as_stimuli(np.random.default_rng(1).random((4, 4, 4, 4)).astype(np.float32), layout="NCHW")
    core = nn.Sequential(nn.Conv2d(4, 2, 3))
    expected = core(torch.from_numpy(pictures.values)).flatten(1).detach()
    for dims in (("x", "y", "channel", "stimulus"), ("stimulus", "y", "x", "channel")):
        found = record_responses(core, pictures.transpose(*dims), layers=["0"], **QUIET)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    trains = as_stimuli(VALUES.reshape(2, 2, 4), dims=("stimulus", "time", "unit"), time_step=1.0)
    lstm = nn.LSTM(4, 3)
    expected = lstm(torch.from_numpy(trains.values).transpose(0, 1))[0].transpose(0, 1).detach()
    found = record_responses(lstm, trains.transpose("time", "unit", "stimulus"), layers=["output"], **QUIET)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (STIMULI.astype(complex), "complex"),
        (STIMULI.astype(str), "numbers asked"),
        (STIMULI.where(STIMULI > 0), "NaN or infinite"),
        (STIMULI[:0], "empty along"),
        (STIMULI.rename(unit="pixel"), "unknown dims"),
        (None, "numbers asked"),
    ],
)
def test_stimuli_that_are_none(given, message):
    for run in (
        lambda: record_responses(network(), given, **QUIET),
        lambda: list(iterate_layers(network(), given, **QUIET)),
        lambda: predict(network(), given, device="cpu"),
        lambda: record_neurons(network(), given, ["0"], device="cpu"),
    ):
        with pytest.raises(SchemaError, match=message) as caught:
            run()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"batch_size": size}, "batch_size = .* whole number") for size in (0, -1, 2.5, "3", True)),
        *(({"layers": layers}, "names of layers are asked") for layers in (3, [3], [None])),
        ({"layers": []}, "names no layer"),
        *(({"pool": pool}, "no pool") for pool in (3, "median", ["mean"])),
        *(({"tokens": tokens}, "places of tokens") for tokens in ("cls", 0.5, [0.5], True, [], slice(1))),
        ({"channels": "middle"}, "'first' or 'last'"),
        *(({name: axis}, name) for name in ("batch_axis", "time_axis") for axis in ("x", 1.5, True, {"0": "a"})),
        *(({name: {"zz": 0}}, "'zz', which is not") for name in ("batch_axis", "time_axis")),
        ({"batch_axis": 2}, "has 2 axes, axis 2 asked"),
        ({"memory": "1GB"}, "a number of bytes"),
        ({"device": "gpu"}, "device = 'gpu'"),
    ],
)
def test_options_that_mean_nothing(options, message):
    with pytest.raises(InputError, match=message) as caught:
        how = {k: v for k, v in options.items() if k in {f.name for f in fields(Reading)}}
        plain = {k: v for k, v in options.items() if k not in how}
        record_responses(network(), STIMULI, **{"layers": ["1"], **QUIET, **plain}, reading=Reading(**how))
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        record_responses(network(), STIMULI, out=tmp_path, **QUIET)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (lambda: nn.Sequential(nn.LazyLinear(3)), "call the network once before"),
        (lambda: nn.Sequential(nn.Linear(4, 3, device="meta")), "has no values"),
        (lambda: "resnet18", "torch.nn.Module is asked"),
        (lambda: None, "torch.nn.Module is asked"),
    ],
)
def test_networks_that_are_none_yet(subject, message):
    for run in (
        lambda: record_responses(subject(), STIMULI, **QUIET),
        lambda: predict(subject(), STIMULI, device="cpu"),
        lambda: record_neurons(subject(), STIMULI, ["0"], device="cpu"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            run()
        assert "\n" not in str(caught.value)


class Fails(nn.Module):
    def forward(self, x):
        return {}[f"a bug\nof one's own: {len(x)}"]


def test_what_fails_inside_a_network_is_told_in_a_line_with_its_cause():
    with pytest.raises(InputError, match=r"does not take stimuli .*KeyError: .*of one's own") as caught:
        record_responses(Fails(), STIMULI, layers=["output"], **QUIET)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(("layers", "message"), [(["0"], "is a Linear, not of spiking"), ([], "names no layer")])
def test_neurons_that_are_none(layers, message):
    with pytest.raises(InputError, match=message):
        record_neurons(network(), STIMULI, layers, device="cpu")


class Writes(nn.Module):
    """Writes into what it is given, as a first layer does that computes in place."""

    def __init__(self):
        super().__init__()
        self.relu, self.linear = nn.ReLU(inplace=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(self.relu(x.sub_(0.5)))


def test_stimuli_stay_as_they_are_when_a_network_writes_into_its_inputs():
    torch.manual_seed(0)
    values, subject = VALUES.copy(), Writes()
    expected = subject.linear(torch.from_numpy(VALUES - 0.5).relu()).detach().numpy()
    given = as_stimuli(values, dims=("stimulus", "unit"))
    for _ in range(2):
        found = record_responses(subject, given, layers=["linear", "relu:input"], batch_size=2, **QUIET)
        np.testing.assert_allclose(found[:, :2], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found[:, 2:], VALUES - 0.5, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(predict(subject, given, device="cpu"), expected.argmax(1))
        [(_, answers)] = iterate_layers(subject, given, ["linear"], **QUIET)
        np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(values, VALUES)
    frozen = VALUES.copy()
    frozen.flags.writeable = False
    found = record_responses(subject, frozen, layers=["linear"], **QUIET)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrap", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_layers_whose_weights_are_computed_are_layers_by_default(wrap):
    torch.manual_seed(0)
    subject = nn.Sequential(wrap(nn.Linear(4, 3)), nn.ReLU(), nn.Linear(3, 2)).eval()
    found = record_responses(subject, STIMULI, **QUIET)
    assert found.layer.values.tolist() == ["0"] * 3 + ["2"] * 2
    with torch.no_grad():
        np.testing.assert_allclose(found[:, :3], subject[0](torch.from_numpy(VALUES)), rtol=1e-6)


class Packed(nn.Module):
    """Reads the first steps of each stimulus, as many as it says."""

    def __init__(self, kind=nn.GRU):
        super().__init__()
        self.core = kind(1, 3)

    def forward(self, x):
        lengths = x[0].round().long().clamp(1, len(x)).flatten()
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        return self.core(packed)[1]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_packed_sequences_of_unequal_lengths_are_refused_not_filled_with_zeros(batch_size):
    values = np.ones((4, 5, 1), dtype=np.float32)
    values[:, 0, 0] = [5, 5, 5, 3]
    shown = as_stimuli(values, dims=("stimulus", "time", "unit"), time_step=1e-3)
    words = "unequal numbers of steps, 3 to 5" if batch_size == 4 else "to another; show stimuli of one length"
    with pytest.raises(InputError, match=words):
        record_responses(Packed(), shown, layers=["core"], batch_size=batch_size, **QUIET)
    found = record_responses(Packed(), shown.isel(stimulus=[0, 1, 2]), layers=["core"], batch_size=batch_size, **QUIET)
    assert found.shape == (3, 5, 3)
    second = Reading(batch_axis=1)
    last = record_responses(Packed(), shown, layers=["core:1"], reading=second, batch_size=batch_size, **QUIET)
    assert last.shape == (4, 3)


class Held(nn.Module):
    """Layers inside containers that are called as those of our own networks are."""

    def __init__(self, recorded=()):
        super().__init__()
        for holder in ("block", "blocks", "spikes", "network"):
            self.add_module(holder, nn.ModuleDict({"01": nn.Linear(4, 4), "b": nn.Sequential(nn.Linear(4, 4))}))
        self.inner = nn.ModuleDict({"block": nn.ModuleDict({"01": nn.Linear(4, 4)})})
        if recorded:
            self.recorded = recorded

    def forward(self, x):
        for name in ("block", "blocks", "spikes", "network"):
            x = getattr(self, name)["b"](getattr(self, name)["01"](x))
        return self.inner["block"]["01"](x)


@pytest.mark.parametrize("recorded", [(), ("blocks.b", "inner.block.01")])
def test_layers_are_called_as_they_are_asked_for_and_can_be_asked_for_as_they_are_called(recorded):
    """A network that names no layers has the names of its modules; a name in results finds the same layer again."""
    torch.manual_seed(0)
    subject = Held(recorded)
    leaves = [n for n, m in subject.named_modules() if isinstance(m, nn.Linear)]
    labels = []
    for name in leaves:
        found = record_responses(subject, STIMULI, layers=[name], **QUIET)
        [label] = set(found.layer.values.tolist())
        again = record_responses(subject, STIMULI, layers=[label], **QUIET)
        assert again.identical(found)
        labels.append(label)
    assert len(set(labels)) == len(leaves)
    assert "inner.block.01" in labels
    assert recorded or labels == leaves
    with pytest.raises(InputError, match=r"no layer 'inner.block01' .*Did you mean 'inner.block.01'"):
        record_responses(subject, STIMULI, layers=["inner.block01"], **QUIET)


class Stepping(nn.Module):
    """Integrate-and-fire neurons that keep their state and say how they run, in the words of SpikingJelly."""

    def __init__(self, step_mode):
        super().__init__()
        self.step_mode, self.v = step_mode, 0.0

    def reset(self):
        self.v = 0.0

    def step(self, x):
        self.v = self.v + x
        spikes = (self.v >= 1).to(x)
        self.v = self.v - spikes
        return spikes

    def forward(self, x):
        return torch.stack([self.step(now) for now in x]) if self.step_mode == "m" else self.step(x)


class StepByStep(nn.Module):
    """A network that runs its neurons call by call."""

    def __init__(self):
        super().__init__()
        self.weights, self.neurons = nn.Linear(4, 3), Stepping("s")

    def forward(self, x):
        return torch.stack([self.neurons(self.weights(now)) for now in x]).sum(0)


TRAINS = as_stimuli(np.random.default_rng(2).random((5, 6, 4)), dims=("stimulus", "time", "unit"), time_step=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_layers_in_multi_step_mode_answer_over_time_and_start_every_batch_from_silence(batch_size):
    torch.manual_seed(0)
    subject = nn.Sequential(nn.Linear(4, 3), Stepping("m"), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        subject[0].weight.abs_()
        subject[0].bias.abs_()
        currents = subject[0](torch.tensor(TRAINS.values).float()).numpy()
    v, spikes = np.zeros((5, 3), np.float32), np.zeros((5, 6, 3))
    for k in range(6):
        v += currents[:, k]
        spikes[:, k] = v >= 1
        v -= spikes[:, k]
    read = spikes @ subject[2].weight.detach().numpy().T
    assert spikes.sum() > 5
    for layer, wanted in (("0", currents), ("1", spikes), ("2", read), ("output", read)):
        found = record_responses(subject, TRAINS, layers=[layer], batch_size=batch_size, **QUIET)
        assert found.dims == ("stimulus", "time", "unit")
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        assert found.attrs["time_step"] == 1e-3
    stepwise = StepByStep()
    stepwise.weights = subject[0]
    found = record_responses(stepwise, TRAINS, layers=["neurons"], batch_size=batch_size, **QUIET)
    np.testing.assert_array_equal(found, spikes)


def test_a_sequence_is_not_shown_to_layers_in_single_step_mode_as_one_step():
    subject = nn.Sequential(nn.Linear(4, 3), Stepping("s"))
    with pytest.raises(InputError, match=r"^record_responses: layer '1' is in single-step mode.*set_step_mode"):
        record_responses(subject, TRAINS, layers=["1"], **QUIET)
