"""What a stranger hands to training, and what training hands back: frozen parts stay frozen, flags are as found."""

import contextlib
import dataclasses
import functools
import types

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

import neurosim as ns
from neurosim.networks.evaluation import evaluate
from neurosim.networks.explanation import explain
from neurosim.networks.fingerprints import fingerprint_of
from neurosim.networks.maximisation import AscentOptions, maximise_activation
from neurosim.networks.measuring import test_accuracy as accuracy_of
from neurosim.networks.objectives import CrossEntropy, Reconstruction
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import Checkpoint, train, weights_of
from neurosim.networks.transfer import replace_head
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.tasks.augmentation import pixel_noise
from neurosim.tasks.classification import ClassificationTask, classification_task

ONE = TrainingOptions(1, 16)


def blobs(n=48, seed=0, shift=3.0):
    """Three clouds of points in four dimensions."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    values = rng.normal(size=(n, 4)) + shift * np.eye(4)[labels]
    return as_stimuli(values.astype(np.float32), dims=("stimulus", "unit"), coords={"category": list("abc" * n)[:n]})


def task_of(n=48, **options):
    return classification_task(blobs(n, **options), test_fraction=0.25, validation_fraction=0.25)


def network_of(*, normalised=False, dropout=0.0, seed=0):
    with torch_seeded(seed):
        middle = nn.BatchNorm1d(8) if normalised else nn.Identity()
        return nn.Sequential(nn.Linear(4, 8), middle, nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 3))


def changed(network, before):
    return {k for k, v in weights_of(network).items() if not np.array_equal(before[k], v)}


def flags(network):
    return [m.training for m in network.modules()], [p.requires_grad for p in network.parameters()]


@pytest.mark.parametrize("rates", [(), (("*", 0.5),), (("0.weight", 0.0),)])
def test_what_the_user_froze_stays_frozen_and_nothing_else_does(rates):
    network = network_of(normalised=True)
    network[0].bias.requires_grad_(False)
    network[1].eval()
    before, were = weights_of(network), flags(network)
    network[0].bias.grad = torch.full((8,), 1e6)
    train(network, task_of(), dataclasses.replace(ONE, layer_rates=rates), device="cpu", progress=False)
    frozen = {name for name, factor in rates if factor == 0}
    assert changed(network, before) == {"0.weight", "1.weight", "1.bias", "4.weight", "4.bias"} - frozen
    assert flags(network) == were


def test_a_stale_gradient_of_a_frozen_parameter_does_not_shrink_the_steps():
    plain, stale = network_of(), network_of()
    for network in (plain, stale):
        network[0].bias.requires_grad_(False)
    stale[0].bias.grad = torch.full((8,), 1e6)
    train_of(plain, optimizer="sgd", clip=0.1)
    train_of(stale, optimizer="sgd", clip=0.1)
    assert not changed(plain, weights_of(stale))


def train_of(network, **options):
    return train(network, task_of(), dataclasses.replace(ONE, **options), device="cpu", progress=False)


def test_a_network_that_stands_in_evaluation_mode_trains_as_a_whole():
    network = network_of(normalised=True).eval()
    before = weights_of(network)
    train_of(network)
    assert {"1.running_mean", "1.running_var"} <= changed(network, before) and not network.training


@pytest.mark.parametrize(
    "ask",
    [
        lambda n: evaluate(n, task_of(), device="cpu"),
        lambda n: accuracy_of(n, task_of(), device="cpu"),
        lambda n: explain(n, blobs(3), "saliency", device="cpu", progress=False),
        lambda n: maximise_activation(
            nn.Sequential(nn.Flatten(), n), "1.4", [0], (2, 2), AscentOptions(n_steps=1), progress=False
        ),
        train_of,
    ],
)
def test_questions_leave_every_flag_as_found(ask):
    network = network_of(normalised=True, dropout=0.3)
    network[1].eval()
    network[4].weight.requires_grad_(False)
    were = flags(network)
    ask(network)
    assert flags(network) == were


def test_neurons_that_keep_their_state_start_every_batch_from_silence():
    with torch_seeded(0):
        neurons = snn.Leaky(beta=0.9, threshold=0.3, init_hidden=True)
        network = nn.Sequential(nn.Linear(4, 8), neurons, nn.Linear(8, 3))
    history = train_of(network)
    whole, one = (evaluate(network, task_of(), batch_size=size, device="cpu") for size in (256, 1))
    np.testing.assert_allclose(one.cross_entropy, whole.cross_entropy, rtol=1e-5)
    assert float(history.test_accuracy) == float(whole.accuracy)
    values = torch.from_numpy(task_of().test.values)
    neurons.reset_mem()
    with torch.no_grad():
        wanted = torch.nn.functional.cross_entropy(network(values), torch.from_numpy(task_of()._labels(task_of().test)))
    np.testing.assert_allclose(whole.cross_entropy, wanted, rtol=1e-5)


def test_a_new_head_is_in_the_mode_of_the_old_one():
    network = network_of().eval()
    replace_head(network, 5)
    assert not any(m.training for m in network.modules())


OTHERS = {
    "task": [
        {"task": lambda: task_of(seed=1)},
        {"task": lambda: task_of(shift=3.1)},
        {"task": lambda: task_of().with_augmentation(pixel_noise(0.1))},
        {"task": lambda: task_of().with_augmentation(mixup=0.2)},
        {"task": lambda: relabelled(task_of())},
    ],
    "objective": [
        {"objective": CrossEntropy(3, (1.0, 2.0, 1.0))},
        {"objective": CrossEntropy(3, smoothing=0.1)},
    ],
    "options": [{"options": dataclasses.replace(ONE, learning_rate=1e-3)}],
    "network": [{"network": lambda: nn.Sequential(*network_of()[:2], nn.Tanh(), *network_of()[3:])}],
    "frozen parameters": [{"network": lambda: frozen(network_of())}],
}


def relabelled(task):
    names = task.train["category"].values.copy()
    names[[0, 1]] = names[[1, 0]]
    return dataclasses.replace(task, train=task.train.assign_coords(category=("stimulus", names)))


def frozen(network):
    network[0].bias.requires_grad_(False)
    return network


@pytest.mark.parametrize(("name", "change"), [(n, c) for n, changes in OTHERS.items() for c in changes])
def test_the_checkpoint_of_another_training_is_refused_by_name(tmp_path, name, change):
    def run(network=network_of, task=task_of, options=ONE, objective=None):
        path = tmp_path / "run.safetensors"
        return train(network(), task(), options, objective=objective, checkpoint=path, device="cpu", progress=False)

    first = run()
    assert first.identical(run())
    with pytest.raises(InputError, match=rf"another training \(it differs in {name}\)"):
        run(**change)


def test_augmentations_of_other_strength_have_other_fingerprints():
    def scaled(by):
        return lambda x, rng: by * x

    makers = [lambda: pixel_noise(0.1), lambda: pixel_noise(0.2), lambda: scaled(2), lambda: scaled(3)]
    makers += [lambda: functools.partial(np.add, 1), lambda: functools.partial(np.add, 2), lambda: Reconstruction(2.0)]
    makers += [nn.ReLU, nn.Tanh, lambda: torch.ones(2), lambda: torch.ones(3)]
    assert len({fingerprint_of(make()) for make in makers}) == len(makers)
    assert all(fingerprint_of(make()) == fingerprint_of(make()) for make in makers)


@pytest.mark.parametrize(("n", "batch_size"), [(29, 4), (5, 1)])
def test_batches_of_one_are_refused_before_batch_normalisation_meets_them(n, batch_size):
    task = classification_task(blobs(n), test=blobs(60).isel(stimulus=slice(40, 60)))
    network, options = network_of(normalised=True), TrainingOptions(2, batch_size)
    before = weights_of(network)
    with pytest.raises(InputError, match=r"a batch holds 1 stimuli .* take drop_last=True") as caught:
        train(network, task, options, device="cpu", progress=False)
    assert "\n" not in str(caught.value) and not changed(network, before)
    if batch_size > 1:
        history = train(network, task, dataclasses.replace(options, drop_last=True), device="cpu", progress=False)
        assert history.sizes["epoch"] == 2 and changed(network, before)
    train(network_of(), task, options, device="cpu", progress=False)
    network[1].eval()
    train(network, task, options, device="cpu", progress=False)


def test_an_epoch_without_any_batch_is_refused():
    with pytest.raises(InputError, match="no batch is left: the largest holds 27 stimuli, batch_size = 64"):
        train_of(network_of(), batch_size=64, drop_last=True)


CHANGES = {
    "epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "clip": 0.01, "optimizer": "sgd", "weight_decay": 0.5,
    "schedule": "constant", "precision": "bfloat16", "patience": 1, "class_weights": "balanced",
    "label_smoothing": 0.3, "layer_rates": (("0.*", 0.1),), "drop_last": True, "accumulate": 2, "ema": 0.5,
}  # fmt: skip


THROUGH_TIME = {"truncate", "recompute"}  # of sequences: in test_truncation.py and test_recomputing.py


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(TrainingOptions) if f.name not in THROUGH_TIME])
def test_every_option_changes_what_is_learned(name):
    task = task_of()
    uneven = dataclasses.replace(task, train=task.train.isel(stimulus=slice(3, 25)))
    base = {"epochs": 6, "batch_size": 16, "learning_rate": 0.5} if name == "patience" else {"batch_size": 16}
    found = []
    for options in (base, base | {name: CHANGES[name]}):
        network = network_of()
        train(network, uneven, TrainingOptions(**({"epochs": 3} | options)), device="cpu", progress=False)
        found.append(network)
    assert changed(found[0], weights_of(found[1]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: train(network_of(), blobs()), "a task is asked, .* found DataArray"),
        (lambda: train(network_of(), blobs().values), "found ndarray"),
        (lambda: train(network_of(), torch.utils.data.DataLoader([1])), "found DataLoader"),
        (lambda: train(network_of(), ClassificationTask), "found ClassificationTask"),
        (lambda: train(blobs(), network_of()), "a torch.nn.Module is asked as network, found DataArray"),
        (lambda: train(network_of(), task_of(), 20), "options are TrainingOptions"),
        (lambda: train(network_of(), task_of(), {"epochs": 2}), "found dict"),
        (lambda: Checkpoint("run.safetensors", every=-1), "at least 1 batch"),
        (
            lambda: train(network_of(), task_of(), TrainingOptions(label_smoothing=0.1), objective=CrossEntropy(3)),
            "class_weights and label_smoothing belong",
        ),
        (lambda: evaluate(network_of(), blobs().values), "evaluate: a task is asked"),
        (lambda: evaluate(blobs(), task_of()), "evaluate: a torch.nn.Module is asked"),
        (lambda: accuracy_of(network_of(), blobs()), "test_accuracy: a task is asked"),
        (lambda: classification_task(blobs().values), "found ndarray of shape"),
        (lambda: classification_task(blobs(), test=blobs().values), "found ndarray of shape"),
        (lambda: classification_task(blobs(), test=blobs()[:, :3]), "differs from those to train on"),
        (lambda: next(dataclasses.replace(task_of(), categories=("a", "b")).batches(0, 64, 0)), "'c' of a stimulus"),
        (lambda: TrainingOptions(clip=float("nan")), "clip > 0"),
        (lambda: TrainingOptions(weight_decay=float("nan")), "weight_decay >= 0"),
        (lambda: TrainingOptions(layer_rates=(("*", -1.0),)), "factor of at least 0"),
        (lambda: train_of(frozen_throughout(network_of())), "nothing to train"),
    ],
)
def test_what_training_does_not_take_is_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def frozen_throughout(network):
    return network.requires_grad_(False)


def test_labels_are_looked_up_whatever_the_order_of_the_names():
    task = dataclasses.replace(task_of(), categories=("c", "a", "b"))
    labels = next(task.test_batches(64, 0))[1]
    assert [task.categories[k] for k in labels] == task.test["category"].values.tolist()


class WritesInput(nn.Sequential):
    """Writes into what it is given, as a first layer does that computes in place."""

    def forward(self, inputs):
        return super().forward(inputs.mul_(0.5))


def test_the_data_of_a_task_stay_when_a_network_writes_into_its_inputs():
    task, network = task_of(), WritesInput(*network_of())
    before = task.train.copy(deep=True), task.test.copy(deep=True), task.validation.copy(deep=True)
    train(network, task, ONE, device="cpu", progress=False)
    first = evaluate(network, task, device="cpu").accuracy
    assert evaluate(network, task, device="cpu").accuracy == first
    for found, wanted in zip((task.train, task.test, task.validation), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


OWN = """
import torch
from torch import nn

{constants}

def gain(x):
    return {body}

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        global CALLS
        CALLS = CALLS + 1
        return self.linear(SCALE * gain(x)) + OFFSETS["a"]
"""
PLAIN = {"constants": "SCALE, SHIFT, OFFSETS, CALLS, UNUSED = 2.0, 1.0, {'a': 0.5}, 0, 1", "body": "x + SHIFT"}


def own_network(changed):
    module = types.ModuleType("somebody")
    module.__file__ = "somebody.py"
    exec(compile(OWN.format(**PLAIN | changed), "somebody.py", "exec"), vars(module))
    torch.manual_seed(0)
    return module.Own()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"constants": PLAIN["constants"].replace("}, 0, 1", "}, 3, 7")}, None),
        ({"body": "x - SHIFT"}, "it differs in network"),
        ({"constants": PLAIN["constants"].replace("2.0", "3.0")}, "it differs in network"),
        ({"constants": PLAIN["constants"].replace("1.0", "4.0")}, "it differs in network"),
        ({"constants": PLAIN["constants"].replace("0.5", "0.6")}, "it differs in network"),
    ],
)
def test_functions_and_constants_that_a_forward_names_are_part_of_the_network(tmp_path, changed, words):
    path = tmp_path / "run.safetensors"
    train(own_network({}), task_of(), ONE, device="cpu", checkpoint=path, progress=False)
    with contextlib.nullcontext() if words is None else pytest.raises(InputError, match=words):
        train(own_network(changed), task_of(), ONE, device="cpu", checkpoint=path, progress=False)


@pytest.mark.parametrize("dt", [1e-3, 10e-3])
def test_a_step_of_the_network_is_one_of_the_stimuli(dt):
    """Spikes of 10 ms bins are no input of neurons that live in steps of 1 ms."""
    values = np.random.default_rng(0).integers(0, 2, (8, 3, 4)).astype(float)
    shown = ns.as_stimuli(
        values, dims=("stimulus", "time", "unit"), coords={"category": list("ab") * 4}, time_step=0.01
    )
    specification = ns.networks.SpikingRNNSpecification((5,), neuron=ns.networks.NeuronSpecification(dt=dt))
    task = ns.tasks.classification_task(shown, test_fraction=0.5)
    network = ns.networks.build_network(specification, task.image_shape, 2)
    doors = {
        "train": lambda: ns.train(network, task, ns.networks.TrainingOptions(epochs=1), progress=False),
        "evaluate": lambda: ns.networks.evaluate(network, task),
        "record_responses": lambda: ns.record_responses(network, shown),
    }
    for name, door in doors.items():
        if dt == 10e-3:
            door()
            continue
        with pytest.raises(
            InputError, match=f"^{name}: a step of the network lasts 0.001 s and one of the stimuli 0.01 s"
        ):
            door()
