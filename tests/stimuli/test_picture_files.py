"""Folders of pictures: every depth is read right, or refused by name."""

import numpy as np
import pytest
from PIL import Image

import neurosim as ns
from neurosim.schema import InputError


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_of_gray_are_scaled_to_white(tmp_path, ending):
    values = np.random.default_rng(0).integers(0, 65536, (8, 10)).astype("u2")
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    found = ns.load_stimuli(tmp_path).values
    np.testing.assert_allclose(found.reshape(3, 8, 10), np.stack([values / 65535] * 3), atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("values", [np.ones((4, 4), "f4"), np.ones((4, 4), "i4")])
def test_pixels_of_which_white_is_not_known_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="white is not known"):
        ns.load_stimuli(tmp_path)


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    values = np.zeros((4, 6, 3), np.uint8)
    values[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    found = ns.load_stimuli(tmp_path).values[0, 0]
    np.testing.assert_array_equal(found, np.rot90(values[..., 0] / 255, -1).astype("f4"))


def test_a_moving_picture_is_refused(tmp_path):
    frames = [Image.fromarray(np.full((4, 4), v, np.uint8)) for v in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="holds 2 pictures"):
        ns.load_stimuli(tmp_path)


def test_sixteen_bits_are_kept_and_mixed_with_eight(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (8, 10)).astype("u2")
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray((values // 257).astype("u1")).save(tmp_path / "b.png")
    found = ns.load_stimuli(tmp_path).values
    np.testing.assert_allclose(found[0], np.stack([values / 65535] * 3), rtol=1e-6)
    np.testing.assert_array_equal(found[1], np.stack([(values // 257) / np.float32(255)] * 3).astype("f4"))
    small = ns.load_stimuli(tmp_path, size=4).values
    assert small.shape == (2, 3, 4, 4) and np.abs(small[0] - small[1]).max() < 0.02
    place = tmp_path / "one"
    place.mkdir()
    Image.fromarray(np.full((6, 6), 40000, "u2")).save(place / "c.png")
    batch = next(ns.stimuli.iterate_image_folder(tmp_path, size=4, crop=2, progress=False))
    np.testing.assert_allclose(batch.values, 40000 / 65535, rtol=1e-6)
