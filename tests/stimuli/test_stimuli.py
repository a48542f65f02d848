"""Stimuli: labelled, in range, drawn from their own streams."""

import io
import tarfile

import numpy as np
import pytest
import torch
from sklearn import datasets

from neurosim import storage
from neurosim.schema import InputError, as_stimuli
from neurosim.stimuli import cifar10
from neurosim.stimuli.cifar10 import load_cifar10
from neurosim.stimuli.encoders import encode_rate
from neurosim.stimuli.files import load_stimuli
from neurosim.stimuli.gabors import gabor_bank, gabor_energy
from neurosim.stimuli.images import load_digits, load_image_folder, resize_images, to_gray
from neurosim.stimuli.parts import balanced
from neurosim.storage import StorageError


def test_digits_are_those_of_scikit_learn():
    digits, theirs = load_digits(), datasets.load_digits()
    np.testing.assert_array_equal(digits, theirs.images / 16)
    assert digits.category.values.tolist() == theirs.target.astype(str).tolist()


def test_digits_are_all_there():
    digits = load_digits()
    assert digits.shape == (1797, 8, 8)
    assert float(digits.min()) >= 0 and float(digits.max()) == 1
    assert len(set(digits.stimulus.values)) == 1797


def test_balanced_takes_as_many_of_each():
    chosen = balanced(load_digits(), 3)
    assert np.unique(chosen.category, return_counts=True)[1].tolist() == [3] * 10
    with pytest.raises(InputError, match="fewer than 500"):
        balanced(load_digits(), 500)


def test_spikes_of_a_stimulus_do_not_depend_on_its_company():
    digits = load_digits()[:20]
    everyone = encode_rate(digits, n_steps=12, rng=4)
    alone = encode_rate(digits[7:9], n_steps=12, rng=4)
    np.testing.assert_array_equal(everyone.values[7:9], alone.values)
    assert not np.array_equal(everyone.values, encode_rate(digits, n_steps=12, rng=5).values)


def test_spike_probability_is_the_intensity():
    flat = as_stimuli(np.full((1, 10, 10), 0.6))
    rate = float(encode_rate(flat, n_steps=2000, max_probability=0.5).mean())
    assert abs(rate - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 200_000)
    with pytest.raises(InputError, match=r"0\.\.1"):
        encode_rate(as_stimuli(np.full((1, 2, 2), 2.0)), n_steps=3)


def test_gabors_have_no_mean_and_unit_norm():
    bank = gabor_bank(9, 4.0, 6)
    np.testing.assert_allclose(bank.sum((2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose((bank**2).sum((2, 3)), 1)


@pytest.mark.parametrize(("vertical", "preferred"), [(True, 0.0), (False, 90.0)])
def test_gabor_energy_prefers_its_orientation(vertical, preferred):
    phase = 2 * np.pi * np.arange(32) / 6
    grating = np.tile((1 + np.cos(phase)) / 2, (32, 1))
    energy = gabor_energy(as_stimuli((grating if vertical else grating.T)[None]), wavelength=6.0, grid=2)
    best = energy.groupby("orientation_deg").mean().isel(stimulus=0)
    assert float(best.orientation_deg[int(best.values.argmax())]) == preferred


def test_gabor_energy_ignores_uniform_light():
    assert float(gabor_energy(as_stimuli(np.full((1, 16, 16), 0.7))).max()) < 1e-10
    with pytest.raises(InputError, match="smaller than the grid"):
        gabor_energy(as_stimuli(np.zeros((1, 3, 3))), grid=4)


def test_picture_folders(tmp_path):
    from PIL import Image

    for category, side in (("cat", 6), ("dog", 6)):
        (tmp_path / category).mkdir()
        Image.fromarray(np.full((side, side, 3), 51, np.uint8)).save(tmp_path / category / "one.png")
    stimuli = load_stimuli(tmp_path)
    assert stimuli.category.values.tolist() == ["cat", "dog"]
    np.testing.assert_allclose(stimuli.values, 0.2)
    np.testing.assert_allclose(to_gray(stimuli).values, 0.2, rtol=1e-6)
    assert resize_images(stimuli, 4).shape == (2, 3, 4, 4)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "dog" / "two.png")
    with pytest.raises(InputError, match="2 sizes"):
        load_image_folder(tmp_path)
    assert load_image_folder(tmp_path, size=5).shape == (3, 3, 5, 5)
    with pytest.raises(InputError, match="no such folder"):
        load_image_folder(tmp_path / "cat" / "none")
    with pytest.raises(InputError, match="neither"):
        load_stimuli(tmp_path / "cat" / "one.png")


def test_cifar10_offline_says_which_file_goes_where(monkeypatch):
    monkeypatch.delenv("NEUROSIM_DATA", raising=False)
    monkeypatch.setattr(cifar10, "ARCHIVE_URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
    with pytest.raises(StorageError, match=r"put cifar10_jpeg_train20000\.npz into"):
        load_cifar10()
    with pytest.raises(InputError, match="unknown split"):
        load_cifar10("valid")


def test_cifar10_damaged_copy_is_refused(monkeypatch, tmp_path):
    (tmp_path / "cifar10_jpeg").mkdir()
    (tmp_path / "cifar10_jpeg" / "cifar10_jpeg_test10000.npz").write_bytes(b"no")
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    with pytest.raises(StorageError, match="wrong checksum"):
        load_cifar10("test")


def test_cifar10_original_archive_is_parsed(monkeypatch, tmp_path):
    """An archive of the published layout, two images a batch: category byte, then red, green and blue planes."""
    rng = np.random.default_rng(0)
    records = rng.integers(0, 256, size=(6, 2, 3073), dtype=np.uint8)
    records[:, :, 0] %= 10
    archive = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for content, name in zip(records, [*cifar10.BATCHES["train"], *cifar10.BATCHES["test"]], strict=True):
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = content.nbytes
            tar.addfile(entry, io.BytesIO(content.tobytes()))
    monkeypatch.delenv("NEUROSIM_DATA", raising=False)
    monkeypatch.setattr(storage, "fetch", lambda *_: archive)
    train, test = load_cifar10("train"), load_cifar10("test", 1)
    assert cifar10.cifar10_checksum("train") == ("cifar-10-binary.tar.gz", cifar10.ARCHIVE_HASH)
    np.testing.assert_array_equal(np.round(train.values.reshape(10, -1) * 255), records[:5, :, 1:].reshape(10, -1))
    assert train.category.values.tolist() == [cifar10.CATEGORIES[c] for c in records[:5, :, 0].ravel()]
    assert test.shape == (1, 3, 32, 32)


def test_cifar10_is_read(data_folder):
    stimuli = load_cifar10("test", 50)
    assert stimuli.shape == (50, 3, 32, 32)
    assert set(stimuli.category.values) <= {
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    }


def colours(n=3, side=7):
    return np.random.default_rng(3).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_bytes_of_any_layout_and_kind_are_the_planes_of_the_picture(tmp_path):
    from PIL import Image

    pixels = colours()
    pictures = [Image.fromarray(p) for p in pixels]
    wanted = np.stack([[np.asarray(plane) / 255 for plane in p.split()] for p in pictures])
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "a.npz", stimuli=pixels, stimulus=np.array(["x", "y", "z"]), category=np.array(list("uvu")))
    (tmp_path / "folder").mkdir()
    for k, picture in enumerate(pictures):
        picture.save(tmp_path / "folder" / f"{k}.png")
    first = np.moveaxis(pixels, -1, 1)
    files = [tmp_path / "a.npy", tmp_path / "a.npz", tmp_path / "folder"]
    for given in (pixels, first, pictures, torch.from_numpy(first), list(pixels), *files):
        found = load_stimuli(given)
        assert found.dims == ("stimulus", "channel", "y", "x")
        np.testing.assert_allclose(found.values, wanted, atol=1e-7)
        np.testing.assert_allclose(as_stimuli(found).values, wanted, atol=1e-7)
    assert load_stimuli(tmp_path / "a.npz").stimulus.values.tolist() == ["x", "y", "z"]
    gray = load_stimuli([p.convert("L") for p in pictures])
    assert gray.dims == ("stimulus", "y", "x")
    np.testing.assert_allclose(gray.values, [np.asarray(p.convert("L")) / 255 for p in pictures], atol=1e-7)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: load_stimuli(colours().astype(float)), "scale=255"),
        (lambda: load_stimuli(colours().astype(np.int64)), "scale=255"),
        (lambda: load_stimuli((colours() > 99).astype(np.uint8)), "scale=1"),
        (lambda: load_stimuli(np.zeros((2, 3, 3, 3))), "layout='NHWC'"),
        (lambda: load_stimuli(np.zeros((2, 8, 8, 8))), "layout='NCHW'"),
        (lambda: load_stimuli(colours()[0]), "one picture"),
        (lambda: load_stimuli(colours(), layout="CHWN"), "'NCHW' or 'NHWC'"),
        (lambda: load_stimuli(colours(), scale=0), "above 0"),
        (lambda: load_stimuli(colours(), size=4), "folders of pictures"),
        (lambda: load_stimuli("nowhere.npy"), "no such file"),
    ],
)
def test_what_is_not_certain_of_pictures_is_asked(make, words):
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_layout_and_scale_that_are_said_are_used():
    pixels = colours()
    np.testing.assert_allclose(load_stimuli(pixels.astype(float), scale=255).values, load_stimuli(pixels).values, 1e-6)
    meant = load_stimuli(pixels.astype(float), scale=1)
    np.testing.assert_array_equal(as_stimuli(meant).values, np.moveaxis(pixels, -1, 1))
    small = np.random.default_rng(0).random((2, 3, 3, 3))
    np.testing.assert_array_equal(load_stimuli(small, layout="NHWC").values, np.moveaxis(small, -1, 1))
    np.testing.assert_array_equal(load_stimuli(small, layout="NCHW").values, small)


def test_counts_of_events_are_no_bytes():
    events = np.random.default_rng(0).integers(0, 2, (2, 4, 2, 5, 5), dtype=np.uint8)
    found = as_stimuli(events, dims=("stimulus", "time", "channel", "y", "x"))
    np.testing.assert_array_equal(found.values, events)


@pytest.mark.parametrize("asked", [None, "a", [0.5], np.nan, True, 1.1])
def test_probabilities_that_are_none_are_refused(asked):
    with pytest.raises(InputError, match=r"max_probability = .* a number in 0\.\.1 is asked"):
        encode_rate(load_digits()[:2], n_steps=3, max_probability=asked)


@pytest.mark.parametrize("asked", [None, "a", [1e-3], 0.0, -1.0, np.inf])
def test_steps_without_a_duration_are_refused(asked):
    with pytest.raises(InputError, match="encode_rate: time_step = "):
        encode_rate(load_digits()[:2], n_steps=3, time_step=asked)


def test_a_probability_of_nothing_gives_no_spike():
    assert float(encode_rate(load_digits()[:2], n_steps=3, max_probability=0).sum()) == 0
