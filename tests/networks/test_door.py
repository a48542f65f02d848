"""Anybody's data: loaders, datasets and iterables are learned and recorded with as tasks are, or refused by name."""

import itertools
import os
import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from neurosim.networks import shown_data, training
from neurosim.networks.computing import Runtime
from neurosim.networks.distributed import Share
from neurosim.networks.door import BroughtTask, Data, is_data
from neurosim.networks.evaluation import evaluate
from neurosim.networks.feeding import Feeder
from neurosim.networks.measuring import test_accuracy as accuracy_of
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import record_responses
from neurosim.networks.training import Checkpoint, train, weights_of
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError

OPTIONS = TrainingOptions(2, 8, 1e-2)
STEADY = TrainingOptions(2, 8, 1e-2, schedule="constant")


def points(n=29):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=generator)
    return x, (x[:, 0] > 0).long()


def network_of(seed=0):
    with torch_seeded(seed):
        return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 2))


class Noisy(Dataset):
    """Draws from the random numbers of torch, numpy and Python, as transforms of pictures do."""

    def __len__(self):
        return len(points()[0])

    def __getitem__(self, index):
        x, y = points()
        return x[index] + 0.1 * torch.randn(4) + np.random.normal() + random.random(), y[index]  # noqa: NPY002


class Named(Dataset):
    """Samples by name, with what Hugging Face's datasets say of themselves."""

    def __init__(self):
        self.x, self.y = points()
        self.column_names = ["id", "pixels", "label"]
        self.features = {"id": None, "pixels": None, "label": SimpleNamespace(names=["no", "yes"])}

    def __len__(self):
        return len(self.x)

    def __getitem__(self, key):
        if isinstance(key, str):
            return [self[k][key] for k in range(len(self))]
        return {"id": f"p{key}", "pixels": self.x[key].tolist(), "label": int(self.y[key])}


class Shards(IterableDataset):
    """Samples in an order of their own, as WebDataset gives them."""

    def __iter__(self):
        x, y = points()
        return ({"__key__": f"s{k}", "npy": x[k].numpy(), "cls": int(y[k])} for k in range(len(x)))


def trained(data, options=OPTIONS, **asked):
    network = network_of()
    return network, train(network, data, options, device="cpu", progress=False, **asked)


def same(one, other):
    return all(np.array_equal(v, weights_of(other)[k]) for k, v in weights_of(one).items())


DATASET = TensorDataset(*points())
KINDS = {
    "dataset": (lambda: DATASET, OPTIONS),
    "loader": (lambda: DataLoader(DATASET, 5, shuffle=True), OPTIONS),
    "loader, workers": (lambda: DataLoader(Noisy(), 5, shuffle=True, num_workers=1), OPTIONS),
    "by name": (Named, OPTIONS),
    "stream": (Shards, STEADY),
    "stream of known length": (lambda: Data(Shards(), n_batches=2), OPTIONS),
    "batches": (lambda: Data([points(), points()]), OPTIONS),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_whatever_gives_labelled_stimuli_is_learned_and_learned_alike_again(kind):
    make, options = KINDS[kind]
    (one, history), (other, again) = trained(make(), options), trained(make(), options)
    assert history.identical(again) and same(one, other) and not same(one, network_of())
    assert history.sizes["epoch"] == 2 and "test_accuracy" not in history


def test_a_loader_keeps_its_own_batches():
    seen = []
    loader = DataLoader(DATASET, 5, shuffle=True)

    class Watching(nn.Sequential):
        def forward(self, x):
            if self.training:
                seen.append(len(x))
            return super().forward(x)

    train(Watching(*network_of()), loader, OPTIONS, device="cpu", progress=False)
    assert seen == [5, 5, 5, 5, 5, 4] * 2


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_gives_the_same_bytes_however_many_read_it(workers):
    alone, _ = trained(Noisy())
    assert same(alone, trained(Noisy(), runtime=Runtime(workers=workers))[0])


def test_other_parts_are_measured_and_a_user_s_random_numbers_stay():
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(5)
    before, theirs = torch.get_rng_state(), generator.get_state()
    loader = DataLoader(DATASET, 8, shuffle=True, generator=generator)
    network, history = trained(Data(loader, test=Named(), validation=DATASET, categories=("a", "b")))
    assert torch.equal(before, torch.get_rng_state()) and torch.equal(theirs, generator.get_state())
    assert {"validation_loss", "validation_accuracy", "test_accuracy"} <= set(history)
    x, y = points()
    with torch.no_grad():
        right = float((network.eval()(x).argmax(1) == y).float().mean())
    for data in (DATASET, DataLoader(DATASET, 4), Named(), Shards(), Data(test=DATASET)):
        assert float(evaluate(network, data, device="cpu").accuracy) == pytest.approx(right)
        assert accuracy_of(network, data, device="cpu") == pytest.approx(right)
    assert evaluate(network, Named(), device="cpu").category.values.tolist() == ["no", "yes"]


class KilledError(Exception):
    """Stands for the power that goes out."""


def cut(monkeypatch, make, path, n_written):
    """Train until so many checkpoints are written, then go on; return what a whole training gives, and this one."""
    whole, _ = trained(make())
    plain, saved = training.save_checkpoint, []

    def save(*arguments):
        plain(*arguments)
        saved.append(1)
        if len(saved) == n_written:
            raise KilledError

    monkeypatch.setattr(training, "save_checkpoint", save)
    with pytest.raises(KilledError):
        trained(make(), checkpoint=Checkpoint(path, every=2))
    monkeypatch.setattr(training, "save_checkpoint", plain)
    return whole, trained(make(), checkpoint=Checkpoint(path, every=2))[0]


@pytest.mark.parametrize("kind", ["dataset", "loader", "noisy loader"])
def test_a_training_on_a_loader_that_was_cut_off_goes_on_to_the_same_bits(tmp_path, monkeypatch, kind):
    make = {"dataset": Noisy, "loader": lambda: DataLoader(DATASET, 8, shuffle=True)}.get(
        kind, lambda: DataLoader(Noisy(), 8, shuffle=True)
    )
    whole, resumed = cut(monkeypatch, make, tmp_path / "run.safetensors", 3)
    assert same(whole, resumed)


class Unseeded(Noisy):
    """Draws what nobody can draw again."""

    def __getitem__(self, index):
        x, y = points()
        return x[index] + int.from_bytes(os.urandom(2)) * (index > 7), y[index]


def test_a_loader_that_gives_other_batches_after_a_cut_is_refused(tmp_path, monkeypatch):
    with pytest.raises(
        InputError, match="the loader gives other batches than when the checkpoint was written"
    ) as caught:
        cut(monkeypatch, lambda: DataLoader(Unseeded(), 8), tmp_path / "run.safetensors", 1)
    assert "\n" not in str(caught.value)


class OwnNoise(Noisy):
    """Draws from a generator that it keeps, and which no checkpoint knows."""

    def __init__(self, since=0):
        self.draw, self.since = np.random.default_rng(5), since

    def __getitem__(self, index):
        x, y = points()
        return x[index] + (index >= self.since) * self.draw.normal(size=4).astype("f4"), y[index]


@pytest.mark.parametrize("n_written", [1, 2])
@pytest.mark.parametrize("make", [OwnNoise, lambda: DataLoader(OwnNoise(), 8)])
def test_data_that_draw_from_a_generator_of_their_own_do_not_go_on(tmp_path, monkeypatch, caplog, make, n_written):
    with pytest.raises(InputError, match="the first batch is another when it is read anew") as caught:
        cut(monkeypatch, make, tmp_path / "run.safetensors", n_written)
    assert "no training can go on from its checkpoint" in caplog.text and "\n" not in str(caught.value)


def test_a_training_that_is_done_is_given_whatever_its_data_draw(tmp_path):
    done = trained(OwnNoise(), checkpoint=tmp_path / "run.safetensors")
    again = trained(OwnNoise(), checkpoint=tmp_path / "run.safetensors")
    assert same(done[0], again[0]) and done[1].identical(again[1])


def test_a_dataset_whose_later_batches_are_others_is_refused_inside_an_epoch(tmp_path, monkeypatch):
    def in_order(task, part, *_):
        return np.arange(29) if part in task.datasets else None

    monkeypatch.setattr(BroughtTask, "places", in_order)
    with pytest.raises(InputError, match="gives other batches than when the checkpoint was written"):
        cut(monkeypatch, lambda: OwnNoise(since=8), tmp_path / "run.safetensors", 1)


def test_a_stimulus_before_the_batch_where_training_goes_on_is_not_read():
    read = []

    class Counted(Noisy):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    task = BroughtTask(Data(Counted()), 8, "train")
    whole = list(Feeder(task, 8, 1).batches("train", 2))
    read.clear()
    rest = list(Feeder(task, 8, 1).batches("train", 2, start=2))
    assert len(read) == 29 - 16
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(whole[2:], rest, strict=True))


def pictures(n=6, size=5):
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (size, size, 3), dtype=np.uint8)) for _ in range(n)]


class Folder(Dataset):
    """Pictures with what torchvision's ImageFolder says of itself."""

    def __init__(self, shown):
        self.shown, self.classes, self.root = shown, ["cat", "dog"], "/pictures"
        self.targets = [k % 2 for k in range(len(shown))]
        self.samples = [(f"/pictures/{self.classes[t]}/{k}.jpg", t) for k, t in enumerate(self.targets)]

    def __len__(self):
        return len(self.shown)

    def __getitem__(self, index):
        return self.shown[index], self.targets[index]


def looks():
    with torch_seeded(0):
        return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(18, 2))


def test_pictures_are_intensities_and_responses_to_them_keep_their_names():
    shown, seen = pictures(), []
    data, network = Folder(shown), looks()
    network.register_forward_hook(lambda _m, x, _y: seen.append(x[0]))
    train(network, Data(data, test=data), OPTIONS, device="cpu", progress=False)
    wanted = torch.stack([torch.from_numpy(np.asarray(p) / np.float32(255)).permute(2, 0, 1) for p in shown])
    torch.testing.assert_close(seen[-1], wanted)
    responses = record_responses(network, data, layers=["output"], batch_size=4, progress=False)
    with torch.no_grad():
        np.testing.assert_allclose(responses, network(wanted), rtol=1e-5, atol=1e-6)
    assert responses.stimulus.values[:2].tolist() == ["cat/0.jpg", "dog/1.jpg"]
    assert responses.category.values[:2].tolist() == ["cat", "dog"]
    loader = DataLoader(data, 4, collate_fn=lambda pairs: tuple(zip(*pairs, strict=True)))
    assert record_responses(network, loader, layers=["output"], progress=False).identical(responses)


@pytest.mark.parametrize("make", [lambda: DATASET, Named, Shards, lambda: DataLoader(DATASET, 7)])
def test_what_is_recorded_of_data_is_what_the_network_answers(make, tmp_path):
    network = network_of()
    found = record_responses(network, make(), layers=["output"], progress=False, device="cpu")
    with torch.no_grad():
        np.testing.assert_allclose(found, network.eval()(points()[0]), rtol=1e-5, atol=1e-6)
    streamed = record_responses(
        network, make(), layers=["output"], out=tmp_path / "r.nc", batch_size=5, progress=False, device="cpu"
    )
    np.testing.assert_allclose(streamed, found, rtol=1e-5, atol=1e-6)
    names = {Named: "p3", Shards: "s3"}.get(make, "stimulus_003")
    assert found.stimulus.values[3] == names


@pytest.mark.parametrize("layers", [["0"], ["relu"]])
def test_data_that_draw_at_random_are_told_and_no_layer_is_blamed(caplog, layers):
    class Adds(nn.Sequential):
        def forward(self, x):
            return torch.relu(super().forward(x))

    record_responses(Adds(nn.Linear(4, 3)), Noisy(), layers=layers, device="cpu", progress=False)
    assert "the stimuli are others each time they are read" in caplog.text and "answers otherwise" not in caplog.text


class Called(Dataset):
    """Samples that hold their names."""

    def __init__(self, key):
        self.key = key

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {"image": points()[0][index], "label": 1, self.key: f"p{index}.png"}


class Listed(Called):
    """A dataset that keeps the paths of its samples, with or without their folder."""

    def __init__(self, *root):
        super().__init__("note")
        self.samples = [("/".join([*root, f"p{k}.png"]), 1) for k in range(4)]
        self.root = root[0] if root else None

    def __getitem__(self, index):
        return points()[0][index], 1


NAMED = {key: Called(key) for key in ("path", "id", "__key__", "file", "filename", "file_name")}
NAMED |= {"samples": Listed(), "samples in a folder": Listed("/data/pictures"), "loader": DataLoader(Called("path"), 2)}
NAMED |= {"loader of samples": DataLoader(Listed(), 2)}


@pytest.mark.parametrize("kind", [*NAMED, "some", "some that are read"])
def test_names_of_samples_are_those_of_stimuli_however_they_come(kind):
    data, first = NAMED.get(kind), 0
    if data is None:
        data, first = Subset(Listed("/data") if kind == "some" else Called("path"), [2, 1]), 2
    found = record_responses(network_of(), data, device="cpu", progress=False)
    assert found.stimulus.values[0] == f"p{first}.png" and found.stimulus.values[1] == "p1.png"


def test_loaders_longer_than_what_is_held_at_once_are_recorded_in_turn(monkeypatch):
    monkeypatch.setattr(shown_data, "AT_ONCE", 10)
    network = network_of()
    whole = record_responses(network, DATASET, progress=False)
    parts = record_responses(network, DataLoader(DATASET, 4), progress=False)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)
    assert parts.stimulus.equals(whole.stimulus)
    with pytest.raises(InputError, match="out= asks for it; pass the dataset itself"):
        record_responses(network, DataLoader(DATASET, 4), out="r.nc", progress=False)


class Keyed(Dataset):
    def __init__(self, **parts):
        self.parts = parts

    def __len__(self):
        return 8

    def __getitem__(self, _):
        return self.parts


X, Y = torch.zeros(4), 1
REFUSED = {
    "no label": (TensorDataset(points()[0]), "found TensorDataset of Tensor without labels"),
    "loader, no label": (DataLoader(TensorDataset(points()[0]), 4), "found DataLoader of Tensor without labels"),
    "three parts": (TensorDataset(*points(), points()[1]), "samples have 3 parts"),
    "two inputs": (Keyed(image=X, mask=X, label=Y), r"keys \['image', 'mask', 'label'\]; which one is shown"),
    "two labels": (Keyed(image=X, label=Y, target=Y), "which one is its label is not certain"),
    "no known key": (Keyed(u=X), "which one is shown"),
    "text": (Keyed(x="a", inputs=[["b"]], label=Y), "numbers or pictures are asked"),
    "wrong keys": (Data(Keyed(image=X, label=Y), keys=("picture", "label")), "without 'picture'"),
    "shapes": (Folder([*pictures(3), *pictures(2, 6)]), "samples of 2 shapes, such as"),
    "by name": ({"train": DATASET}, r"holds parts by name; pass Data\(train=data\['train'\]\)"),
    "arrays by name": (
        {"image": X, "label": Y},
        r"of \['image', 'label'\] is no dataset.*pass arrays as TensorDataset",
    ),
    "no length": (Shards(), "take schedule='constant', or Data"),
    "no such part": (Data(test=DATASET), r"Data\(..., train=\) is asked"),
    "empty": (TensorDataset(torch.zeros(0, 4), torch.zeros(0)), "no stimuli"),
}


def batches_with(last=None, label=None, units=4):
    """Two batches, of which the second holds another value, label or number of units."""
    x, y = torch.ones(8, units), torch.tensor([0, 1] * 4)
    if last is not None:
        x[5, 1] = last
    if label is not None:
        y[3] = label
    return [points(8), (x, y)]


@pytest.mark.parametrize("every", [1, 50])
@pytest.mark.parametrize(
    ("part", "last", "message"),
    [
        ("train", {"last": np.nan}, "the inputs of batch 1 of epoch 0 are not all finite"),
        ("train", {"label": 9}, r"batch 1 of epoch 0: labels lie in 0\.\.1 for 2 categories, found 0\.\.9"),
        ("train", {"units": 5}, r"batch 1 of epoch 0: Sequential does not take inputs of shape \(8, 5\)"),
        ("test", {"last": np.inf}, "stimulus 13 of the test set holds values that are NaN"),
        ("validation", {"last": np.nan}, "stimulus 13 of the validation set holds values that are NaN"),
        ("train", {"label": -100}, r"batch 1 of epoch 0: labels lie in 0\.\.1 for 2 categories, found -100\.\.1"),
        ("validation", {"label": -100}, r"stimuli of the validation set from 8 on: labels lie in 0\.\.1"),
        ("validation", {"label": -1}, r"stimuli of the validation set from 8 on: labels lie in 0\.\.1"),
        ("test", {"units": 5}, r"stimuli of the test set from 8 on: Sequential does not take"),
    ],
)
def test_batches_that_do_not_fit_when_their_turn_comes_are_told_in_one_line(part, last, message, every):
    data = Data(**{"train": DATASET} | {part: batches_with(**last)})
    with pytest.raises(InputError, match=message) as caught:
        train(network_of(), data, STEADY, runtime=Runtime(check_every=every), device="cpu", progress=False)
    assert "\n" not in str(caught.value)


def test_evaluation_says_which_stimuli_the_network_does_not_take():
    with pytest.raises(InputError, match=r"evaluate: stimuli from 8 on: Sequential does not take .*\(8, 5\)") as caught:
        evaluate(network_of(), Data(test=batches_with(units=5)), device="cpu")
    assert "\n" not in str(caught.value)


class Says(nn.Linear):
    """Answers by name, as those of Hugging Face do."""

    def forward(self, x):
        return {"logits": super().forward(x)}


@pytest.mark.parametrize("ask", [train, evaluate])
def test_answers_that_are_no_logits_are_refused_in_one_line(ask):
    with pytest.raises(InputError, match=r": logits \(batch, category\) asked, found dict;") as caught:
        ask(Says(4, 2), DATASET, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("why", list(REFUSED))
def test_what_is_not_certain_is_asked_for_in_one_line(why, workers):
    if workers and why not in ("no label", "two inputs"):
        return
    data, message = REFUSED[why]
    with pytest.raises(InputError, match=message) as caught:
        train(network_of(), data, OPTIONS, runtime=Runtime(workers=workers), device="cpu", progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Data, "no part is given"),
        (lambda: Data(iter([points()])), "is used up after one epoch"),
        (lambda: Data(np.zeros(3)), "found ndarray"),
        (lambda: Data(DATASET, keys="ab"), "a pair is asked"),
        (lambda: Runtime(workers=-1), "workers = -1; a whole number of at least 0"),
        (lambda: Runtime(prefetch=0), "at least 1"),
        (lambda: record_responses(network_of(), DataLoader(DATASET, 4, shuffle=True)), "in an order of its own"),
    ],
)
def test_what_is_no_data_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        np.eye(2), torch.eye(2), pd.DataFrame(np.eye(2)), pd.Series([1.0]), xr.DataArray(np.eye(2)),
        xr.Dataset({"a": ("x", [1.0])}), {"train": DATASET}, "points.pt", {1, 2}, DataLoader, [points()],
    ],
)  # fmt: skip
def test_arrays_and_tables_are_no_data_of_samples(value):
    assert not is_data(value)
    with pytest.raises(InputError):
        train(network_of(), value, OPTIONS, progress=False)


def test_keys_choose_the_parts():
    x, y = points()
    plain, _ = trained(DATASET)
    assert same(plain, trained(Data(TensorDataset(y, x, 1 - y), keys=(1, 0)))[0])


def test_an_endless_iterable_is_cut_where_it_is_said():
    class Endless(IterableDataset):
        def __iter__(self):
            x, y = points()
            return ((x[k % 29], y[k % 29]) for k in itertools.count())

    assert trained(Data(Endless(), n_batches=3))[1].sizes["epoch"] == 2


@pytest.mark.parametrize("data", [DATASET, DataLoader(DATASET, 8, shuffle=True), DataLoader(Noisy(), 8)])
def test_processes_share_every_batch_and_read_no_more_than_that(data):
    task = BroughtTask(Data(data), 8, "train")

    def batches(rank, size):
        return list(Feeder(task, 8, 1, Share(rank, size)).batches("train", 1))

    whole, first, second = batches(0, 1), batches(0, 2), batches(1, 2)
    for all_of_it, one, other in zip(whole, first, second, strict=True):
        assert one.n_all == other.n_all == len(all_of_it.inputs)
        assert torch.equal(all_of_it.inputs[0::2], one.inputs) and torch.equal(all_of_it.inputs[1::2], other.inputs)
        assert torch.equal(all_of_it.targets[0][1::2], other.targets[0])


def test_a_sampler_that_shares_is_left_to_share():
    def batches(rank):
        sampler = DistributedSampler(DATASET, 2, rank, shuffle=True)
        task = BroughtTask(Data(DataLoader(DATASET, 4, sampler=sampler)), 4, "train")
        return [list(Feeder(task, 4, 1, Share(rank, 2)).batches("train", epoch)) for epoch in (0, 1)]

    one, other = batches(0), batches(1)
    assert [p.n_all for p in one[0]] == [8, 8, 8, 6]
    seen = {row.numpy().tobytes() for batch in (*one[0], *other[0]) for row in batch.inputs}
    assert seen == {row.numpy().tobytes() for row in points()[0]}
    assert not torch.equal(one[0][0].inputs, one[1][0].inputs)
