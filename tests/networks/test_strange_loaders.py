"""Data sets of Hugging Face, shards of WebDataset and metrics of torchmetrics, by these packages themselves."""

import datasets
import numpy as np
import pytest
import torch
import webdataset
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from neurosim.networks.door import Data
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.published import torchvision
from neurosim.networks.recording import record_responses
from neurosim.networks.training import train, weights_of
from neurosim.networks.watching import Watch
from neurosim.runtime import torch_seeded

OPTIONS = TrainingOptions(2, 4, 1e-2)
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    kept = datasets.config.HF_DATASETS_CACHE
    datasets.config.HF_DATASETS_CACHE = tmp_path_factory.mktemp("datasets")
    datasets.disable_progress_bars()
    yield
    datasets.config.HF_DATASETS_CACHE = kept


def network_of():
    with torch_seeded(0):
        return nn.Sequential(nn.Flatten(), nn.Linear(90, 3))


def learned(data, options=OPTIONS, **asked):
    network = network_of()
    history = train(network, data, options, device="cpu", progress=False, **asked)
    return weights_of(network), history


def numbers():
    """Return a data set of Hugging Face of numbers (channel, y, x) and names of categories."""
    columns = {"id": [f"p{k}" for k in range(12)], "pixels": np.moveaxis(PIXELS, -1, 1) / 255.0, "label": LABELS}
    features = datasets.Features(
        id=datasets.Value("string"),
        pixels=datasets.Array3D((3, 5, 6), "float32"),
        label=datasets.ClassLabel(names=["ape", "bee", "cat"]),
    )
    return datasets.Dataset.from_dict(columns, features=features)


def as_tensors(sample):
    return {
        "x": [torch.tensor(np.moveaxis(np.array(p), -1, 0) / 255.0).float() for p in sample["image"]],
        "y": sample["label"],
    }


def pictures():
    """Return the same as a data set of pictures that a transform makes tensors of."""
    found = datasets.Dataset.from_dict(
        {"image": [Image.fromarray(p) for p in PIXELS], "label": LABELS},
        features=datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(3)),
    )
    found.set_transform(as_tensors)
    return found


def test_data_sets_of_hugging_face_in_every_format_are_learned_alike():
    wanted, history = learned(numbers())
    assert history.sizes["epoch"] == 2 and not np.array_equal(wanted["1.weight"], weights_of(network_of())["1.weight"])
    for given in (numbers().with_format("torch"), numbers().with_format("numpy"), Data(pictures(), keys=("x", "y"))):
        found, _ = learned(given)
        assert all(np.array_equal(v, wanted[k]) for k, v in found.items())


def test_a_stream_of_hugging_face_is_learned_in_its_order():
    options = TrainingOptions(2, 4, 1e-2, schedule="constant")
    stream, loader = numbers().to_iterable_dataset(num_shards=3), DataLoader(numbers().with_format("torch"), 4)
    assert all(np.array_equal(v, learned(loader, options)[0][k]) for k, v in learned(stream, options)[0].items())


def test_responses_keep_the_names_of_the_categories():
    found = record_responses(network_of(), numbers(), layers=["1"], progress=False)
    assert found.category.values.tolist() == [["ape", "bee", "cat"][k] for k in LABELS]


@pytest.fixture
def shards(tmp_path):
    for shard in range(2):
        with webdataset.TarWriter(str(tmp_path / f"{shard}.tar")) as written:
            for k in range(6 * shard, 6 * shard + 6):
                written.write({"__key__": f"s{k:02d}", "png": PIXELS[k], "cls": int(LABELS[k])})
    return [str(tmp_path / f"{shard}.tar") for shard in range(2)]


@pytest.mark.parametrize("way", ["by name", "pairs", "loader of its own", "batches of samples", "samples of a loader"])
def test_shards_of_webdataset_are_learned_as_the_arrays_that_they_hold(shards, way):
    options = TrainingOptions(2, 4, 1e-2, schedule="constant")
    found = webdataset.WebDataset(shards, shardshuffle=False).decode("torchrgb")
    given = {
        "by name": lambda: Data(found, keys=("png", "cls")),
        "pairs": lambda: found.to_tuple("png", "cls"),
        "loader of its own": lambda: webdataset.WebLoader(found.to_tuple("png", "cls"), batch_size=4, num_workers=1),
        "batches of samples": lambda: (
            webdataset.WebLoader(found.to_tuple("png", "cls").batched(6), batch_size=None).unbatched().batched(4)
        ),
        "samples of a loader": lambda: webdataset.WebLoader(found.to_tuple("png", "cls"), batch_size=6).unbatched(),
    }[way]()
    arrays = DataLoader(
        [(x, int(y)) for x, y in zip(np.moveaxis(PIXELS, -1, 1) / np.float32(255), LABELS, strict=True)], 4
    )
    assert all(np.array_equal(v, learned(arrays, options)[0][k]) for k, v in learned(given, options)[0].items())


def test_metrics_of_torchmetrics_are_those_of_the_package():
    torchvision()
    import torchmetrics

    options = TrainingOptions(2, 4, 1e-2)
    metrics = {
        "accuracy_of_theirs": torchmetrics.Accuracy(task="multiclass", num_classes=3, average="micro"),
        "f1": torchmetrics.F1Score(task="multiclass", num_classes=3, average="macro"),
    }
    data = Data(numbers(), test=numbers(), validation=numbers())
    network = network_of()
    history = train(network, data, options, watch=Watch(metrics=metrics), device="cpu", progress=False)
    np.testing.assert_allclose(history.validation_accuracy_of_theirs, history.validation_accuracy, rtol=1e-6)
    with torch.no_grad():
        answers = network(torch.tensor(np.moveaxis(PIXELS, -1, 1) / np.float32(255)))
    wanted = torchmetrics.functional.f1_score(
        answers, torch.tensor(LABELS), task="multiclass", num_classes=3, average="macro"
    )
    assert float(history.test_f1) == pytest.approx(float(wanted))
