"""Folders of pictures: every depth is read right, or refused by name."""

import zipfile

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


@pytest.fixture(scope="module")
def cut_out():
    """An opaque square of one colour amid noise of alpha 0."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 4)).astype(np.uint8)
    pixels[..., 3] = 0
    pixels[2:6, 2:6] = (200, 100, 50, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("ground", [0.0, 0.5, 1.0])
def test_where_a_picture_is_transparent_its_ground_is_seen_and_asked(tmp_path, cut_out, ground):
    """A colour that a palette leaves out, and gray with alpha, are no different."""
    paletted = cut_out.convert("RGB").quantize(8)
    paletted.save(tmp_path / "b.png", transparency=int(paletted.getpixel((0, 0))))
    for picture, name in ((cut_out, "a.png"), (cut_out.convert("LA"), "c.png")):
        picture.save(tmp_path / name)
    for read in (ns.load_stimuli, ns.stimuli.load_image_folder):
        with pytest.raises(InputError, match=r"a.png: the picture is transparent in places.*background=0.5"):
            read(tmp_path)
    shown = ns.load_stimuli(tmp_path, background=ground)
    gray = round(255 * ground) / 255
    np.testing.assert_allclose(shown[[0, 2], :, :2], gray, atol=1e-6)
    np.testing.assert_allclose(shown[0, :, 3, 3], np.array([200, 100, 50]) / 255, atol=1e-6)
    np.testing.assert_allclose(shown[1, :, 0, 0], gray, atol=1e-6)
    as_rgb = ns.storage.read_picture(tmp_path / "a.png", background=ground)
    np.testing.assert_allclose(np.asarray(as_rgb)[0, 0], 255 * gray, atol=0.5)


def test_an_alpha_that_covers_all_is_no_transparency(tmp_path, cut_out):
    cut_out.convert("RGB").convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_allclose(ns.load_stimuli(tmp_path)[0, :, 3, 3], np.array([200, 100, 50]) / 255, atol=1e-6)


@pytest.mark.parametrize("background", [-0.1, 2, "white", True, np.nan])
def test_a_ground_is_a_gray(tmp_path, background):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a gray from 0 .* to 1"):
        ns.load_stimuli(tmp_path, background=background)


def test_alpha_in_memory_is_refused_or_said(cut_out):
    with pytest.raises(InputError, match="transparent in places"):
        ns.as_stimuli([cut_out, cut_out])
    pixels = np.stack([np.asarray(cut_out)] * 2)
    with pytest.raises(InputError, match=r"4 channels: where the last is transparency.*dims=\('stimulus', 'y', 'x'"):
        ns.as_stimuli(pixels)
    assert ns.as_stimuli(pixels, dims=("stimulus", "y", "x", "channel")).sizes["channel"] == 4
    with pytest.raises(InputError, match="background= are for folders"):
        ns.load_stimuli(pixels, background=0.5)


def test_hidden_files_beside_pictures_are_passed_over(tmp_path):
    """Those of macOS are no pictures, though they are called so, in folders and in archives."""
    (tmp_path / "cat" / ".checkpoints").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "cat" / "a.png")
    for hidden in ("._a.png", ".checkpoints/a.png"):
        (tmp_path / "cat" / hidden).write_bytes(b"Mac OS X")
    assert ns.load_stimuli(tmp_path).stimulus.values.tolist() == ["cat/a.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "cat" / "a.png", "a.png")
        archive.writestr("__MACOSX/._a.png", b"Mac OS X")
    assert list(ns.storage.read_picture_archive(tmp_path / "a.zip")) == ["a.png"]
