"""A task that stays on disk is the task that was read whole: same stimuli, same bytes whoever reads, at any batch."""

import importlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from neurosim import storage
from neurosim.networks import training
from neurosim.networks.computing import Runtime
from neurosim.networks.evaluation import evaluate
from neurosim.networks.feeding import Feeder
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.published import torchvision
from neurosim.networks.recording import record_responses
from neurosim.networks.training import Checkpoint, train, weights_of
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli.images import iterate_image_folder, load_digits
from neurosim.tasks.augmentation import chained, pixel_noise, random_crops, random_flips
from neurosim.tasks.classification import classification_task
from neurosim.tasks.lazy import lazy_task
from neurosim.tasks.rows import PictureView, open_rows

OPTIONS = TrainingOptions(2, 8, 1e-2)
SMALL = PictureView(size=10, crop=8)


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(0)
    for k in range(30):
        place = tmp_path / "pictures" / ("cat", "dog", "emu")[k % 3]
        place.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (12 + k % 4, 14, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{k:02d}.png")
    return tmp_path / "pictures"


def looks(n=192):
    with torch_seeded(0):
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(n, 3))


def bytes_of(task, epoch=1, workers=0, start=0):
    feeder = Feeder(task, 8, 5, runtime=Runtime(workers=workers))
    return [(p.inputs.numpy(), p.targets[0].numpy()) for p in feeder.batches("train", epoch, start)]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(one, other, strict=True)
    )


def transform():
    torchvision()
    v2 = importlib.import_module("torchvision.transforms.v2")
    return v2.Compose([v2.RandomResizedCrop(8), v2.RandomHorizontalFlip(), v2.ToImage()])


def augmented(folder):
    return lazy_task(folder, view=SMALL).with_augmentation(chained(random_crops(1), random_flips(), pixel_noise(0.1)))


VIEWS = {
    "plain": lambda f: lazy_task(f, view=SMALL),
    "transformed": lambda f: lazy_task(f, view=PictureView(size=10, crop=8, train=transform())),
    "augmented": augmented,
}


@pytest.mark.parametrize("view", list(VIEWS))
def test_bytes_are_the_same_whoever_reads_and_wherever_reading_starts(folder, view):
    task = VIEWS[view](folder)
    whole = bytes_of(task)
    assert same(whole, bytes_of(task, workers=2)) and same(whole[2:], bytes_of(task, start=2))
    assert same(whole, list(task.batches(1, 8, 5))) and same(whole[1:], list(task.batches(1, 8, 5, 1)))
    assert not same(whole, bytes_of(task, epoch=2))
    first, again = (np.concatenate([x for x, _ in bytes_of(task, epoch)]) for epoch in (1, 2))
    together = {x.tobytes() for x in first} == {x.tobytes() for x in again}
    assert together == (view == "plain")


def test_pictures_are_those_that_are_read_in_batches(folder):
    task = lazy_task(folder, view=SMALL, validation_fraction=0.2)
    wanted = next(iterate_image_folder(folder, size=10, crop=8, progress=False))
    seen = []
    for part in ("train", "test", "validation"):
        for portion in Feeder(task, 8, 5).batches(part):
            seen += list(zip(portion.inputs.numpy(), portion.targets[0].tolist(), strict=True))
    assert len(seen) == 30 and task.n_test == len(task.parts["test"])
    names = {image.values.tobytes(): str(image.category.values) for image in wanted}
    assert {image.tobytes(): task.categories[label] for image, label in seen} == names
    assert task.image_shape == (3, 8, 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_on_files_that_was_cut_off_goes_on_to_the_same_bits(folder, tmp_path, monkeypatch, workers):
    def run(network, **asked):
        return train(network, task, OPTIONS, runtime=Runtime(workers=workers), device="cpu", progress=False, **asked)

    task, whole, resumed = augmented(folder), looks(), looks()
    history, path, plain = run(whole), tmp_path / "run.safetensors", training.save_checkpoint

    def save(*arguments):
        plain(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_checkpoint", save)
    with pytest.raises(KeyboardInterrupt):
        run(looks(), checkpoint=Checkpoint(path, every=2))
    monkeypatch.setattr(training, "save_checkpoint", plain)
    assert history.identical(run(resumed, checkpoint=Checkpoint(path, every=2)))
    assert all(np.array_equal(v, weights_of(resumed)[k]) for k, v in weights_of(whole).items())


@pytest.mark.parametrize(
    "change",
    [
        lambda f: lazy_task(f, view=SMALL),
        lambda f: lazy_task(f, view=SMALL, rng=1).with_augmentation(pixel_noise(0.1)),
        lambda f: lazy_task(f, view=PictureView(9, 8)).with_augmentation(pixel_noise(0.1)),
        lambda f: lazy_task(f, view=SMALL).with_augmentation(pixel_noise(0.2)),
    ],
)
def test_the_checkpoint_of_other_files_or_views_is_refused(folder, tmp_path, change):
    def run(task):
        train(looks(), task, OPTIONS, checkpoint=tmp_path / "run.safetensors", device="cpu", progress=False)

    run(lazy_task(folder, view=SMALL).with_augmentation(pixel_noise(0.1)))
    run(lazy_task(folder, view=SMALL).with_augmentation(pixel_noise(0.1)))
    with pytest.raises(InputError, match="it differs in task"):
        run(change(folder))


def digits(n=60):
    found = load_digits()[:n]
    return found.assign_coords(category=("stimulus", found.category.values.astype(str)))


def written(path, stimuli):
    if path.suffix == ".npy":
        np.save(path, stimuli.values)
    elif path.suffix == ".zarr":
        pytest.importorskip("zarr")
        stimuli.to_dataset(name="stimuli").to_zarr(path)
    else:
        storage.write_dataset(path, stimuli.rename("stimuli"))
    return path


@pytest.mark.parametrize("ending", [".nc", ".npy"])
def test_a_file_of_other_values_in_its_place_is_read_and_told_from_the_old_one(tmp_path, ending):
    stimuli, path = digits(), tmp_path / f"digits{ending}"
    labels = stimuli.category.values.tolist()
    old = lazy_task(written(path, stimuli), labels=labels)
    first, about = bytes_of(old), old.identity()[0]
    assert lazy_task(path, labels=labels).identity()[0] == about
    path.unlink()
    new = lazy_task(written(path, stimuli.copy(data=stimuli.values[::-1])), labels=labels)
    assert new.identity()[0] != about and not same(bytes_of(new), first)
    path.unlink()
    with pytest.raises(storage.StorageError, match="no such file"):
        lazy_task(path, labels=labels)


@pytest.mark.parametrize("ending", [".nc", ".zarr", ".npy"])
def test_files_give_the_bytes_of_the_task_that_was_read_whole(tmp_path, ending):
    stimuli = digits()
    labels = stimuli.category.values.tolist() if ending == ".npy" else None
    task = lazy_task(written(tmp_path / f"digits{ending}", stimuli), labels=labels, validation_fraction=0.25, rng=3)
    held = classification_task(stimuli, validation_fraction=0.25, rng=3)
    assert same(bytes_of(task), list(held.batches(1, 8, 5))) and task.categories == held.categories
    assert same(bytes_of(task), bytes_of(task, workers=2))
    assert same(list(task.test_batches(8, 0)), list(held.test_batches(8, 0)))
    assert same(list(task.validation_batches(8, 0)), list(held.validation_batches(8, 0)))
    assert ending == ".npy" or task.ids[task.parts["test"]].tolist() == held.test.stimulus.values.tolist()
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    assert evaluate(network, task, device="cpu").identical(evaluate(network, held, device="cpu"))


def test_a_test_file_of_its_own_is_the_test_set(tmp_path):
    paths = [written(tmp_path / f"{k}.nc", digits()[part]) for k, part in enumerate((slice(40), slice(40, 60)))]
    task = lazy_task(paths[0], test=paths[1])
    held = classification_task(digits()[:40], test=digits()[40:60])
    assert same(bytes_of(task), list(held.batches(1, 8, 5)))
    assert same(list(task.test_batches(8, 0)), list(held.test_batches(8, 0)))


def test_encoded_stimuli_are_sequences_that_start_anywhere(tmp_path):
    task = lazy_task(written(tmp_path / "digits.nc", digits())).with_encoder(
        lambda x, rng: (rng.random((len(x), 5, x.shape[1])) < x[:, None]).astype(np.float32)
    )
    whole = bytes_of(task)
    assert task.is_sequence and whole[0][0].shape == (5, 8, 64)
    assert same(whole[3:], bytes_of(task, start=3)) and same(whole, bytes_of(task, workers=1))


def test_responses_to_the_test_files_keep_their_names_and_are_read_batch_by_batch(folder, tmp_path):
    task, network = lazy_task(folder, view=SMALL), looks()
    found = record_responses(network, task, layers=["output"], batch_size=4, out=tmp_path / "r.nc", progress=False)
    images = torch.from_numpy(np.concatenate([x for x, _ in task.test_batches(8, 0)]))
    with torch.no_grad():
        np.testing.assert_allclose(found, network.eval()(images), rtol=1e-5, atol=1e-6)
    names = [task.categories[k] for k in task.labels[task.parts["test"]]]
    assert found.category.values.tolist() == names
    assert all(
        Path(name).suffix == ".png" and name.startswith(c) for name, c in zip(found.stimulus.values, names, strict=True)
    )


def test_memory_does_not_grow_with_the_number_of_stimuli(tmp_path):
    peaks = []
    for n in (200, 800):
        values = np.zeros((n, 64, 64), dtype=np.float32)
        np.save(tmp_path / f"{n}.npy", values)
        del values
        task = lazy_task(tmp_path / f"{n}.npy", labels=list("ab" * (n // 2)))
        tracemalloc.start()
        for _ in Feeder(task, 8, 0).batches("train"):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 4e5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: lazy_task(p / "nowhere"), "neither a folder of pictures nor"),
        (lazy_task, "no picture in the folders"),
        (lambda p: lazy_task(p / "digits.nc", labels=["a"]), "60 stimuli and 1 categories; pass labels="),
        (lambda p: lazy_task(p / "digits.nc", test_fraction=1.5), "test_fraction = 1.5"),
        (lambda p: lazy_task(p / "digits.nc", view=SMALL), "are for folders"),
        (lambda p: lazy_task(p / "digits.nc", labels=["a"] * 60), "at least two categories"),
        (lambda p: lazy_task(p / "two.nc"), "holds 2 variables with a stimulus dim"),
        (lambda p: PictureView(size=4, crop=5), "crop = 5"),
        (lambda p: PictureView(train=3), "train is a function of a picture"),
    ],
)
def test_what_cannot_be_read_one_by_one_is_refused_in_one_line(tmp_path, make, message):
    stimuli = digits()
    written(tmp_path / "digits.nc", stimuli)
    storage.write_dataset(tmp_path / "two.nc", stimuli.to_dataset(name="a").assign(b=stimuli))
    with pytest.raises(InputError, match=message) as caught:
        make(tmp_path)
    assert "\n" not in str(caught.value)


def test_pictures_for_transforms_are_upright_and_in_rgb(tmp_path):
    draw = np.random.default_rng(0)
    turned = Image.fromarray(draw.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    about = turned.getexif()
    about[0x0112] = 6  # the camera was held on its side
    turned.save(tmp_path / "turned.jpg", exif=about)
    Image.fromarray(draw.integers(0, 256, (5, 7), dtype=np.uint8)).save(tmp_path / "gray.png")
    for name, shape in (("turned.jpg", (7, 5, 3)), ("gray.png", (5, 7, 3))):
        found = np.asarray(storage.read_picture(tmp_path / name))
        assert found.shape == shape
        np.testing.assert_array_equal(found, storage.read_image(tmp_path / name))


def test_a_value_that_is_no_number_is_refused_where_it_is_met(tmp_path):
    values = np.zeros((20, 4), dtype=np.float32)
    values[:, 1] = np.nan
    np.save(tmp_path / "a.npy", values)
    task = lazy_task(tmp_path / "a.npy", labels=list("ab" * 10))
    with pytest.raises(InputError, match=r"stimulus_.*NaN or infinite"):
        train(looks(4), task, OPTIONS, runtime=Runtime(workers=1), device="cpu", progress=False)
    open_rows.cache_clear()


def test_bytes_of_pictures_in_a_file_are_intensities(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (20, 5, 5), dtype=np.uint8)
    stimuli = as_stimuli(values, coords={"category": list("ab" * 10)})
    np.save(tmp_path / "a.npy", values)
    task = lazy_task(tmp_path / "a.npy", labels=list("ab" * 10))
    assert same(bytes_of(task), list(classification_task(stimuli).batches(1, 8, 5)))
