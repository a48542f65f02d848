"""Macaque V4 and mouse V1 as published: sessions, animals, unequal repeats, and numbers that must come out."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from neurosim import storage
from neurosim.recordings.datasets import load_dataset
from neurosim.schema import InputError, check_responses

FOLDER = storage.data_folder()
needs_data = pytest.mark.skipif(
    FOLDER is None or not (FOLDER / "cowley2026_v4").is_dir(), reason="NEUROSIM_DATA holds no cowley2026_v4"
)


@pytest.fixture(scope="module")
def v4():
    return load_dataset("cowley2026_v4", recordings=["210325"])


@needs_data
def test_trials_that_were_not_run_are_nan_and_everything_else_is_the_file(v4):
    counts = check_responses(v4.responses["210325"], "here", missing=True)
    published = np.load(FOLDER / "cowley2026_v4" / "responses_raw_210325.npy")  # (unit, image, repeat)
    np.testing.assert_array_equal(counts.transpose("unit", "stimulus", "trial").values, published)
    measured = np.isfinite(counts).sum("trial")
    assert (int(measured.min()), int(measured.max())) == (6, 10)
    np.testing.assert_allclose(
        counts.mean("trial").values.T, np.load(FOLDER / "cowley2026_v4" / "responses_210325.npy"), atol=1e-12
    )


@needs_data
def test_a_session_says_its_animal_and_shows_its_own_pictures(v4):
    assert set(v4.responses) == {"210325"} and v4.stimuli.shape == (640, 3, 112, 112)
    counts = v4.responses["210325"]
    assert counts.stimulus.values.tolist() == v4.stimuli.stimulus.values.tolist()
    assert set(counts.subject.values) == {"PE"} and set(v4.stimuli.session.values) == {"210325"}
    with zipfile.ZipFile(FOLDER / "cowley2026_v4" / "images_210325.zip") as archive:
        picture = np.asarray(Image.open(io.BytesIO(archive.read("image0003.jpg"))).convert("RGB"))
    shown = v4.stimuli.sel(stimulus="210325_image0003").transpose("y", "x", "channel")
    np.testing.assert_allclose(shown.values * 255, picture, atol=1e-4)


@needs_data
def test_halves_of_the_repeats_agree_as_published(v4):
    counts, rng, found = v4.responses["210325"].values, np.random.default_rng(0), []
    measured = np.isfinite(counts[..., 0])  # a picture lacks a repeat in all units or in none
    half = measured.sum(1)[:, None] // 2
    for _ in range(4):  # halves of equal size of each picture's own repeats
        rank = np.where(measured, rng.random(measured.shape), 2.0).argsort(1).argsort(1)
        parts = (rank < half, (rank >= half) & (rank < 2 * half))
        a, b = (np.where(kept[..., None], counts, 0.0).sum(1) / half for kept in parts)
        found.append([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)])
    assert abs(np.mean(found) - 0.588) < 0.005


@needs_data
def test_mouse_v1_comes_with_every_trial():
    mice = load_dataset("antolik2016_v1")
    assert {k: v.shape for k, v in mice.responses.items()} == {"region1": (50, 10, 103), "region2": (50, 8, 55)}
    assert mice.stimuli.shape == (50, 31, 31) and float(mice.stimuli.max()) == 1.0
    means = np.load(FOLDER / "antolik2016_v1" / "region2_validation_set.npy")
    np.testing.assert_allclose(mice.responses["region2"].mean("trial").values, means, atol=1e-9)


@needs_data
def test_recordings_that_were_not_asked_for_stay_out_of_any_set():
    assert set(load_dataset("cichy2014_92", recordings=["EVC"]).rdms) == {"EVC"}


def test_recordings_that_are_not_there_are_refused_by_name():
    with pytest.raises(InputError, match=r"no recording '210326'.*Did you mean '210325'"):
        load_dataset("cowley2026_v4", recordings=["210326"])
    for asked in ([], "210325x", 3):
        with pytest.raises(InputError, match="a list of some of these is asked: 190923"):
            load_dataset("cowley2026_v4", recordings=asked)


def test_archives_of_pictures_are_read_by_name_and_never_extracted(tmp_path):
    def packed(name, *members):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
        return tmp_path / name

    dot = io.BytesIO()
    Image.new("RGB", (2, 3), (255, 0, 9)).save(dot, "png")
    good = packed("good.zip", ("p/", b""), ("p/b.png", dot.getvalue()), ("../../a.png", dot.getvalue()))
    found = storage.read_picture_archive(good)
    assert list(found) == ["a.png", "b.png"] and found["a.png"][0, 0].tolist() == [255, 0, 9]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.zip"]
    twice = packed("twice.zip", ("x/a.png", dot.getvalue()), ("y/a.png", dot.getvalue()))
    for path in (twice, packed("text.zip", ("a.txt", b"a"))):
        with pytest.raises(InputError, match="pack pictures of unique names alone"):
            storage.read_picture_archive(path)
    with pytest.raises(storage.StorageError, match="cannot be read as zip"):
        storage.read_picture_archive(packed("damaged.zip", ("a.png", b"no picture")))


def test_archives_that_expand_without_bound_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10**6))
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 10**5)
    with pytest.raises(storage.StorageError, match="expands to 1000000 bytes"):
        storage.read_picture_archive(tmp_path / "bomb.zip")
