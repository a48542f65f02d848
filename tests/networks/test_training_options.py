"""Whatever people train with: own losses, metrics, callbacks, optimizers, averages, and how it is computed."""

import functools
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from neurosim.networks import training
from neurosim.networks.computing import Runtime, computing
from neurosim.networks.door import Data
from neurosim.networks.evaluation import evaluate
from neurosim.networks.measuring import test_accuracy as accuracy_of
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import Checkpoint, train, weights_of
from neurosim.networks.watching import Watch
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.tasks.classification import classification_task

SGD = TrainingOptions(2, 8, 0.1, 1e6, "sgd", schedule="constant")


def task_of(n=48):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n, 4)) + 3 * np.eye(4)[np.arange(n) % 3]
    stimuli = as_stimuli(values.astype(np.float32), dims=("stimulus", "unit"), coords={"category": list("abc" * n)[:n]})
    return classification_task(stimuli, test_fraction=0.25, validation_fraction=0.25)


def network_of(*, normalised=False, dropout=0.0):
    with torch_seeded(0):
        middle = nn.BatchNorm1d(8) if normalised else nn.Identity()
        return nn.Sequential(nn.Linear(4, 8), middle, nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))


def trained(options=SGD, network=None, **asked):
    network = network_of() if network is None else network
    return network, train(network, task_of(), options, device="cpu", progress=False, **asked)


def change(options, **fields):
    return TrainingOptions(**({f: getattr(options, f) for f in options.__dataclass_fields__} | fields))


def same(one, other):
    return all(np.array_equal(v, weights_of(other)[k]) for k, v in weights_of(one).items())


def close(one, other):
    return all(np.allclose(v, weights_of(other)[k], atol=1e-6) for k, v in weights_of(one).items())


def test_any_loss_of_torch_is_learned_and_its_mean_is_that_of_its_stimuli():
    plain, history = trained()
    for loss in (
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(reduction="none"),
        lambda x, y: nn.functional.nll_loss(x.log_softmax(1), y),
    ):
        network, found = trained(objective=loss)
        assert close(network, plain)
        for name in history.data_vars:
            np.testing.assert_allclose(found[name], history[name], rtol=1e-5)


def test_a_loss_that_names_no_right_answers_has_no_accuracy():
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x @ torch.ones(4, 2))
    network = nn.Linear(4, 2)
    options = TrainingOptions(30, 8, 0.05)
    history = train(network, Data(data, data, data), options, objective=nn.MSELoss(), device="cpu", progress=False)
    assert set(history.data_vars) == {"loss", "validation_loss", "test_loss"}
    with torch.no_grad():
        wanted = nn.functional.mse_loss(network(x), data.tensors[1])
    assert float(history.test_loss) == pytest.approx(float(wanted), rel=1e-4) and wanted < 0.1


class Rights:
    """A metric that keeps what it counts, as those of torchmetrics do."""

    def reset(self):
        self.right, self.seen = 0, 0

    def update(self, outputs, labels):
        self.right, self.seen = self.right + (outputs.argmax(1) == labels).sum(), self.seen + len(labels)

    def compute(self):
        return self.right / self.seen


def test_metrics_of_both_kinds_are_measured_on_validation_and_test():
    def right(outputs, labels):
        return (outputs.argmax(1) == labels).float()

    watch = Watch(metrics={"right": right, "kept": Rights(), "share": lambda x, y: right(x, y).mean()})
    _, history = trained(watch=watch)
    for name in ("right", "kept", "share"):
        np.testing.assert_allclose(history[f"validation_{name}"], history.validation_accuracy, rtol=1e-6)
        np.testing.assert_allclose(history[f"test_{name}"], history.test_accuracy, rtol=1e-6)


def test_callbacks_are_told_of_epochs_and_batches_and_may_end_the_training(tmp_path):
    class Told:
        def __init__(self):
            self.epochs, self.batches = [], []

        def __call__(self, moment):
            self.epochs.append((moment.epoch, len(moment.history["loss"]), moment.learning_rate))
            return moment.epoch == 2

        def after_batch(self, moment):
            self.batches.append((moment.epoch, moment.batch))

    told, path = Told(), tmp_path / "run.safetensors"
    options = change(SGD, epochs=5)
    _, history = trained(options, watch=Watch(callbacks=[told]), checkpoint=path)
    assert history.sizes["epoch"] == 2 and told.epochs == [(1, 1, 0.1), (2, 2, 0.1)]
    assert told.batches == [(e, b) for e in (0, 1) for b in (1, 2, 3, 4)][: len(told.batches)]
    assert history.identical(trained(options, watch=Watch(callbacks=[Told()]), checkpoint=path)[1])


def test_a_callback_cannot_change_what_past_epochs_gave():
    _, plain = trained()
    _, told = trained(watch=Watch(callbacks=[lambda moment: moment.history["loss"].clear()]))
    assert told.identical(plain)


def test_accumulated_batches_are_one_step_of_their_mean():
    large, _ = trained(change(SGD, batch_size=18))  # 27 stimuli: batches of 18 and 9
    small, _ = trained(change(SGD, batch_size=9, accumulate=2))
    one, _ = trained(change(SGD, batch_size=9))
    assert close(large, small) and not close(large, one)
    uneven, _ = trained(change(SGD, epochs=1, batch_size=9, accumulate=2))
    by_hand = network_of()
    optimizer = torch.optim.SGD(by_hand.parameters(), 0.1, momentum=0.9)
    batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in task_of().batches(0, 9, 0)]
    for step in (batches[:2], batches[2:]):
        optimizer.zero_grad()
        sum(nn.functional.cross_entropy(by_hand(x), y) / len(step) for x, y in step).backward()
        optimizer.step()
    assert close(uneven, by_hand)


def test_own_optimizers_and_schedules_are_those_of_torch():
    def optimizer(groups):
        return torch.optim.SGD(groups, momentum=0.9)

    def schedule(made, steps):
        return torch.optim.lr_scheduler.CosineAnnealingLR(made, steps)

    named, _ = trained(change(SGD, schedule="cosine"))
    assert same(named, trained(change(SGD, optimizer=optimizer, schedule=schedule))[0])
    rates = change(SGD, optimizer=torch.optim.RMSprop, layer_rates=(("0.*", 0.0),))
    network, _ = trained(rates)
    assert np.array_equal(weights_of(network)["0.weight"], weights_of(network_of())["0.weight"])
    assert not np.array_equal(weights_of(network)["4.weight"], weights_of(network_of())["4.weight"])


def test_the_running_average_is_what_is_tested_and_left(monkeypatch):
    steps = []

    class Keeps:
        def __call__(self, _):
            pass

        def after_batch(self, moment):
            steps.append(weights_of(moment.network))

    average = weights_of(network_of(normalised=True))
    network, history = trained(change(SGD, ema=0.8), network_of(normalised=True), watch=Watch(callbacks=[Keeps()]))
    for step in steps:
        average = {k: 0.8 * average[k] + 0.2 * v if v.dtype.kind == "f" else v for k, v in step.items()}
    for name, value in weights_of(network).items():
        np.testing.assert_allclose(value, average[name], atol=1e-5)
    assert float(history.test_accuracy) == accuracy_of(network, task_of(), device="cpu")


class KilledError(Exception):
    """Stands for the power that goes out."""


@pytest.mark.parametrize("n_written", [1, 2])
def test_averages_accumulation_and_own_optimizers_go_on_to_the_same_bits(tmp_path, monkeypatch, n_written):
    options = change(SGD, ema=0.8, accumulate=2, optimizer=functools.partial(torch.optim.RMSprop, alpha=0.9))
    options = change(options, schedule="one_cycle", batch_size=4)
    path, saved, plain = tmp_path / "run.safetensors", [], training.save_checkpoint
    whole, history = trained(options, network_of(normalised=True, dropout=0.3))

    def save(*arguments):
        plain(*arguments)
        saved.append(1)
        if len(saved) == n_written:
            raise KilledError

    monkeypatch.setattr(training, "save_checkpoint", save)
    with pytest.raises(KilledError):
        trained(options, network_of(normalised=True, dropout=0.3), checkpoint=Checkpoint(path, every=3))
    monkeypatch.setattr(training, "save_checkpoint", plain)
    resumed, again = trained(options, network_of(normalised=True, dropout=0.3), checkpoint=Checkpoint(path, every=3))
    assert same(whole, resumed) and history.identical(again)


SETTINGS = {
    "tf32": (Runtime(tf32=True), lambda: torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32),
    "autotune": (Runtime(autotune=True), lambda: torch.backends.cudnn.benchmark),
    "deterministic": (Runtime(deterministic=False), lambda: not torch.are_deterministic_algorithms_enabled()),
    "default": (Runtime(), torch.are_deterministic_algorithms_enabled),
}


def settings():
    cudnn = torch.backends.cudnn
    return torch.backends.cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic


@pytest.mark.parametrize("name", list(SETTINGS))
def test_settings_of_the_machine_hold_while_it_trains_and_no_longer(name):
    runtime, holds = SETTINGS[name]
    seen, before = [], settings()
    trained(runtime=runtime, watch=Watch(callbacks=[lambda _: seen.append(bool(holds()))]))
    assert seen == [True, True] and settings() == before and not torch.are_deterministic_algorithms_enabled()


def test_large_networks_on_a_gpu_are_the_only_ones_that_are_not_deterministic_by_default():
    small, large = nn.Linear(3, 3), nn.Linear(20_000, 600, device="meta")
    found = [Runtime().is_deterministic(n, d) for n in (small, large) for d in ("cpu", "cuda:0")]
    assert found == [True, True, True, False]
    assert Runtime(deterministic=True).is_deterministic(large, "cuda") and Runtime().checks_after("cuda:1") == 50


def pictures():
    x = torch.randn(16, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, torch.arange(16) % 2)


def test_the_channel_is_last_while_it_trains_and_no_longer():
    layouts = []

    class Looks(nn.Sequential):
        def forward(self, x):
            is_last = [t.is_contiguous(memory_format=torch.channels_last) for t in (x, self[0].weight)]
            layouts.append((self.training, *is_last))
            return super().forward(x)

    with torch_seeded(0):
        network = Looks(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 2))
    runtime = Runtime(channels_last=True)
    train(network, Data(pictures(), validation=pictures()), SGD, runtime=runtime, device="cpu", progress=False)
    assert {flags[1:] for flags in layouts if flags[0]} == {(True, True)} and layouts[-1][1:] == (True, True)
    assert network[0].weight.is_contiguous()


def test_a_compiled_network_learns_what_it_learns_uncompiled():
    graphs = []

    def backend(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    torch._dynamo.register_backend(name="watched_here")(backend)
    network, _ = trained(runtime=Runtime(compile="watched_here"))
    assert graphs and close(network, trained()[0])


def test_the_average_of_batches_over_processes_is_put_in_and_taken_out(monkeypatch):
    network = network_of(normalised=True)
    inner = network[1]
    with computing(network, Runtime(sync_batchnorm=True), "cuda:0", 0):
        assert type(network[1]) is nn.SyncBatchNorm and network[1].weight is inner.weight
        assert network[1].running_mean is inner.running_mean
    assert network[1] is inner
    with pytest.raises(InputError, match="sync_batchnorm is for GPUs"):
        trained(runtime=Runtime(sync_batchnorm=True))


class Waits:
    """Counts how often a number leaves its tensor, for which a processor waits for its GPU."""

    def __init__(self, monkeypatch):
        self.n = 0
        for name in ("item", "tolist", "numpy", "cpu", "__float__", "__int__", "__bool__"):
            monkeypatch.setattr(torch.Tensor, name, self.counted(getattr(torch.Tensor, name)))

    def counted(self, plain):
        def asked(*arguments):
            self.n += 1
            return plain(*arguments)

        return asked


@pytest.mark.parametrize(("every", "an_epoch"), [(1, 9), (4, 2), (100, 0)])
def test_the_processor_waits_only_where_the_loss_is_looked_at(monkeypatch, every, an_epoch):
    waits, counts = Waits(monkeypatch), []
    for epochs in (1, 3):
        before = waits.n
        options = change(SGD, epochs=epochs, batch_size=3)  # 27 stimuli: 9 batches
        train(network_of(), task_of(), options, runtime=Runtime(check_every=every), device="cpu", progress=False)
        counts.append(waits.n - before)
    at_its_end = 3  # the last look, the sums of training, those of validation
    assert counts[1] - counts[0] == 2 * (an_epoch + at_its_end)


@pytest.mark.parametrize("every", [1, 3, 100])
def test_a_loss_that_is_no_longer_finite_is_refused_however_rarely_it_is_looked_at(every):
    with pytest.raises(InputError, match="the loss is nan in epoch 0; lower"):
        trained(objective=lambda x, y: x.sum(1) * float("nan"), runtime=Runtime(check_every=every))


def test_validation_and_test_are_in_the_precision_of_the_training():
    seen = []

    class Looks(nn.Linear):
        def forward(self, x):
            found = super().forward(x)
            seen.append((self.training, found.dtype))
            return found

    network = Looks(4, 3)
    trained(change(SGD, precision="bfloat16"), network)
    assert {dtype for _, dtype in seen[1:]} == {torch.bfloat16} and {flag for flag, _ in seen} == {True, False}
    seen.clear()
    for ask in (evaluate, accuracy_of):
        ask(network, task_of(), device="cpu", precision="bfloat16")
    assert {dtype for _, dtype in seen} == {torch.bfloat16}


OTHERS = {
    "runtime": {"runtime": Runtime(deterministic=False)},
    "options": {"options": change(SGD, optimizer=functools.partial(torch.optim.SGD, momentum=0.5))},
    "objective": {"objective": nn.CrossEntropyLoss(label_smoothing=0.1)},
}


@pytest.mark.parametrize("name", [*OTHERS, "no bits"])
def test_what_changes_bits_is_part_of_the_checkpoint(tmp_path, name):
    def run(**asked):
        options = change(SGD, optimizer=functools.partial(torch.optim.SGD, momentum=0.9))
        asked = {"options": options, "objective": nn.CrossEntropyLoss()} | asked
        return trained(asked.pop("options"), checkpoint=tmp_path / "run.safetensors", **asked)

    run()
    if name == "no bits":
        run(runtime=Runtime(workers=1, prefetch=3, check_every=7))
        return
    with pytest.raises(InputError, match=rf"it differs in {name}\)"):
        run(**OTHERS[name])


class Weighs(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x, y):
        return self.weight * nn.functional.cross_entropy(x, y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trained(objective=nn.MSELoss), "an objective has methods .*found MSELoss, a class"),
        (lambda: trained(objective=3), "found int without check"),
        (lambda: trained(objective=lambda x, y: x.sum(0)), "one number, or one a stimulus"),
        (lambda: trained(objective=lambda x, y: 1.0), "found float"),
        (lambda: trained(objective=lambda x, y: torch.tensor(1.0)), "the loss has no gradient"),
        (lambda: trained(objective=nn.MSELoss()), "the loss does not take"),
        (lambda: trained(objective=Weighs()), "parameters that learn"),
        (lambda: trained(change(SGD, optimizer=lambda groups: groups)), "found list"),
        (lambda: trained(change(SGD, optimizer=lambda g: torch.optim.LBFGS(g[0]["params"]))), "found LBFGS"),
        (lambda: trained(change(SGD, schedule=lambda o, n: n)), "found int"),
        (lambda: trained(change(SGD, schedule=lambda o, n: torch.optim.lr_scheduler.ReduceLROnPlateau(o))), "Plateau"),
        (lambda: change(SGD, optimizer=torch.optim.SGD, weight_decay=0.1), "give it to your own"),
        (lambda: change(SGD, ema=1.0), "a share between 0 and 1"),
        (lambda: change(SGD, accumulate=0), "accumulate >= 1"),
        (lambda: Runtime(autotune=True, deterministic=True), "choose one"),
        (lambda: Runtime(check_every=0), "at least 1"),
        (lambda: Runtime(tf32=1), "True or False"),
        (lambda: Runtime(deterministic="no"), "True, False or None"),
        (lambda: Runtime(compile=3), "name of a backend"),
        (lambda: Watch(metrics={"loss": max}), "cannot be called 'loss'"),
        (lambda: Watch(metrics={"a": 3}), "is a function of"),
        (lambda: Watch(metrics=[max]), "metrics by name"),
        (lambda: Watch(callbacks=[3]), "a function of a Moment"),
        (lambda: Watch(callbacks=[lambda: 1]), "a callback takes one argument"),
        (lambda: trained(watch=Watch(metrics={"a": lambda x, y: "b"})), "metric 'a' gives str"),
        (lambda: trained(watch=Watch(metrics={"a": lambda x, y: x})), r"shape \(\d+, \d\) for \d+ stimuli"),
        (lambda: trained(watch=Watch(metrics={"a": lambda x: 1.0})), "metric 'a' does not take"),
    ],
)
def test_what_cannot_be_trained_with_is_refused_in_one_line(make, message):
    with warnings.catch_warnings(), pytest.raises(InputError, match=message) as caught:
        warnings.simplefilter("ignore")
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("optimizer", [torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.ASGD, torch.optim.Rprop])
def test_optimizers_without_momentum_learn_by_the_schedule_that_is_the_default(optimizer):
    _, history = trained(TrainingOptions(2, 8, 1e-2, optimizer=optimizer))
    assert history.loss.notnull().all()
