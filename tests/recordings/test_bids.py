"""Derivatives of BIDS: one run is found by what the names of its files say, and cut out around its events."""

import numpy as np
import pandas as pd
import pytest

from neurosim import storage
from neurosim.recordings import load_bids, load_epochs
from neurosim.schema import InputError
from tests.recordings.test_conformance_readers import VOXELS, epochs, write_bids

pytest.importorskip("nibabel")
ASKED = {"sub": "01", "task": "see"}


@pytest.fixture
def folder(tmp_path):
    write_bids(tmp_path / "derivatives")
    return tmp_path / "derivatives"


def test_voxels_are_cut_out_around_the_events_of_their_run(folder, tmp_path):
    found = load_bids(folder, suffix="bold", entities=ASKED, window=(0, 3))
    assert found.dims == ("stimulus", "trial", "time", "unit")
    assert found["time"].values.tolist() == [0.0, 1.5]
    np.testing.assert_array_equal(found.sel(stimulus="b")[0].values, VOXELS.reshape(12, 4)[:, 2:].T)
    assert set(found["subject"].values) == {"01"}
    np.testing.assert_allclose(found["y"].values[[0, 2]], [0.0, 0.002])
    assert found.attrs["quantity"] == "bold"
    raw = tmp_path / "raw" / "sub-01" / "func"
    raw.mkdir(parents=True)
    table = pd.DataFrame({"onset": [1.5, 0.0, 3.0], "trial_type": ["01", "1", "1"]})
    table.to_csv(raw / "sub-01_task-see_run-1_events.tsv", sep="\t", index=False)
    other = load_bids(folder, suffix="bold", entities=ASKED, window=(0, 3), raw=tmp_path / "raw")
    assert other["stimulus"].values.tolist() == ["01", "1"]
    assert np.isnan(other.sel(stimulus="01")[1].values).all()


def test_epochs_are_found_by_their_entities(folder):
    pytest.importorskip("mne")
    place = folder / "sub-01" / "meg"
    place.mkdir()
    for task in ("see", "hear"):
        epochs().save(place / f"sub-01_task-{task}_proc-clean_epo.fif", verbose="error")
    found = load_bids(folder, suffix="epo", entities=ASKED)
    assert found.identical(load_epochs(place / "sub-01_task-see_proc-clean_epo.fif", subject="01"))
    for option in ({"window": (0, 0.1)}, {"by": "trial_type"}, {"raw": folder}):
        with pytest.raises(InputError, match=f"{next(iter(option))} is of bold, and suffix = 'epo'"):
            load_bids(folder, suffix="epo", entities=ASKED, **option)
    with pytest.raises(InputError, match=r"2 files \*_epo of sub-01; add entities .* sub-01_task-hear_proc-clean_epo"):
        load_bids(folder, suffix="epo", entities={"sub": "01"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entities": {"sub": "02"}}, "no folder sub-02 in derivatives"),
        (
            {"entities": {"sub": "01", "run": "7"}},
            r"0 files \*_bold of sub-01_run-7; check them\. There are: sub-01_task",
        ),
        ({"entities": {"sub": "../01"}}, "letters and digits, found '../01'"),
        ({"entities": "01"}, "entities by name asked"),
        ({"suffix": "T1w"}, "suffix = 'T1w'; known: epo, bold"),
        ({"picks": "mag"}, "picks is of epo, and suffix = 'bold'; leave it out"),
        ({"by": "object"}, "no column 'object' of events"),
        ({"window": (0, 30)}, "lie outside the recording"),
    ],
)
def test_what_is_not_one_run_is_refused_in_one_line(folder, change, words):
    with pytest.raises(InputError, match=words) as caught:
        load_bids(folder, **{"suffix": "bold", "entities": ASKED, "window": (0, 3)} | change)
    assert "\n" not in str(caught.value)


def test_a_file_that_lies_elsewhere_is_not_read(folder, tmp_path):
    image = next(folder.rglob("*_bold.nii.gz"))
    image.rename(tmp_path / "away.nii.gz")
    image.symlink_to(tmp_path / "away.nii.gz")
    with pytest.raises(storage.StorageError, match="leads out of its folder"):
        load_bids(folder, suffix="bold", entities=ASKED, window=(0, 3))


def test_the_clock_is_that_of_the_side_cars(folder, monkeypatch):
    nibabel = pytest.importorskip("nibabel")
    path = next(folder.rglob("*_bold.nii.gz"))
    image = nibabel.load(path)
    values = np.broadcast_to(np.arange(10.0) * 2 + 1, (*image.shape[:3], 10))  # when each was taken, s
    nibabel.save(nibabel.Nifti1Image(values, image.affine), path)
    read = lambda: load_bids(folder, suffix="bold", entities=ASKED, window=(1, 5))  # noqa: E731
    with pytest.raises(InputError, match=r"neither the head of .* nor a \*_bold.json says the time"):
        read()
    own = path.with_name(path.name.replace(".nii.gz", ".json"))
    storage.write_json(folder / "task-see_bold.json", {"RepetitionTime": 3.0, "StartTime": 1.0})
    storage.write_json(folder / "task-hear_bold.json", {"RepetitionTime": 4.0})
    storage.write_json(own, {"RepetitionTime": 2.0})
    events = next(folder.rglob("*_events.tsv"))
    table = pd.DataFrame({"onset": [0.0, 4.0, 8.0], "trial_type": ["a", "b", "n/a"]})
    table.to_csv(events, sep="\t", index=False)
    found = read()
    monkeypatch.chdir(folder.parent)
    assert load_bids(folder.name, suffix="bold", entities=ASKED, window=(1, 5)).identical(found)
    assert found["stimulus"].values.tolist() == ["a", "b"]
    assert found[:, 0, :, 0].values.tolist() == [[1, 3], [5, 7]]
    for said, words in {
        (("RepetitionTime", "2"),): "RepetitionTime of .* is a number of s, found '2'",
        (("RepetitionTime", None), ("VolumeTiming", (0, 1))): "have a VolumeTiming",
    }.items():
        storage.write_json(own, dict(said))
        with pytest.raises(InputError, match=words):
            read()
    other = nibabel.Nifti1Image(values, image.affine)
    other.header.set_zooms((*other.header.get_zooms()[:3], 1500))
    other.header.set_xyzt_units("mm", "msec")
    nibabel.save(other, path)
    storage.write_json(own, {"RepetitionTime": 2.0})
    with pytest.raises(InputError, match="RepetitionTime is 2 s and the head says 1500 msec"):
        read()
