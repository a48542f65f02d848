"""Recordings: files of every kind, published sets with their published numbers, a synthetic brain with known truth."""

import functools
import hashlib
import http.server
import re
import shutil
import threading

import numpy as np
import pandas as pd
import pytest

from neurosim import storage
from neurosim.recordings.datasets import (
    check_dataset,
    dataset_files,
    find_dataset,
    list_datasets,
    list_recordings,
    load_dataset,
)
from neurosim.recordings.files import load_responses
from neurosim.recordings.published import DATASETS, Content, DataFile, DataSet, fetch
from neurosim.recordings.spikes import bin_spikes
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.schema import InputError, as_responses, as_stimuli
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.rdms import compute_rdm
from neurosim.storage import StorageError


def test_three_formats_give_the_same_responses(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 4, size=(3, 2, 4)).astype(float)
    names = ["a", "b", "c"]
    whole = as_responses(counts, dims=("stimulus", "trial", "unit"), stimuli=names, quantity="spike_count")
    storage.write_dataset(tmp_path / "x.nc", whole.rename("responses"))
    np.savez(tmp_path / "x.npz", responses=counts, dims=["stimulus", "trial", "unit"], stimulus=names)
    rows = [
        {"stimulus": names[s], "trial": t, "unit": f"u{u}", "time": rng.random()}
        for s, t, u in np.ndindex(*counts.shape)
        for _ in range(int(counts[s, t, u]))
    ]
    pd.DataFrame(rows).sample(frac=1, random_state=0).to_csv(tmp_path / "x.csv", index=False)
    for name in ("x.nc", "x.npz", "x.csv"):
        found = load_responses(tmp_path / name)
        assert found.dims == ("stimulus", "trial", "unit")
        np.testing.assert_array_equal(found.values, counts)


def test_the_time_step_is_given_or_read_from_an_even_coordinate(tmp_path):
    values = np.random.default_rng(0).random((3, 4, 2))
    even = as_responses(values, stimuli=list("abc")).assign_coords(time=[0.0, 0.02, 0.04, 0.06])
    storage.write_dataset(tmp_path / "even.nc", even.rename("responses"))
    assert load_responses(tmp_path / "even.nc").attrs["time_step"] == pytest.approx(0.02)
    np.savez(tmp_path / "given.npz", responses=values, time_step=0.01)
    assert load_responses(tmp_path / "given.npz").time.values.tolist() == pytest.approx([0, 0.01, 0.02, 0.03])
    np.savez(tmp_path / "neither.npz", responses=values)
    with pytest.raises(InputError, match="neither a time_step"):
        load_responses(tmp_path / "neither.npz")


def test_spikes_are_binned_by_time():
    table = pd.DataFrame({"stimulus": ["a"] * 3, "unit": [0] * 3, "time": [0.0, 0.011, 0.019]})
    assert bin_spikes(table, time_bin=0.01).values.ravel().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame({"stimulus": ["a"], "unit": [1]}), r"missing: time"),
        (pd.DataFrame({"stimulus": [], "unit": [], "time": []}), "no spike"),
        (pd.DataFrame({"stimulus": ["a"], "unit": [1], "time": [np.nan]}), "NaN"),
    ],
)
def test_tables_that_are_not_spikes_are_refused(table, words):
    with pytest.raises(InputError, match=words):
        bin_spikes(table)


def test_unknown_formats_and_arrays_are_named(tmp_path):
    with pytest.raises(InputError, match=r"^load_responses: \. is a folder that no reader takes \(folders: alf .*\); "):
        load_responses(".")
    with pytest.raises(InputError, match=r"ends in '\.xyz'"):
        load_responses(tmp_path / "x.xyz")
    np.savez(tmp_path / "x.npz", data=np.zeros(3))
    with pytest.raises(InputError, match="it holds data"):
        load_responses(tmp_path / "x.npz")
    (tmp_path / "x.csv").write_bytes(b"\x00\xff")
    with pytest.raises(InputError):
        load_responses(tmp_path / "x.csv")


def test_human_and_monkey_agree_as_published(data_folder):
    rdms = load_dataset("kriegeskorte2008").rdms
    for method, published in (("corr", 0.491210), ("spearman", 0.438924), ("tau_a", 0.304048), ("cosine", 0.995022)):
        assert float(compare_rdms(rdms["human_IT_group"], rdms["monkey_IT"], method)) == pytest.approx(
            published, abs=1e-6
        )


@pytest.mark.parametrize(("area", "wanted", "left_out"), [("EVC", 0.158937, 0.068646), ("IT", 0.307513, 0.226445)])
def test_fmri_subjects_agree_as_published(data_folder, area, wanted, left_out):
    """Mean over subjects of the squared Spearman correlation with the mean of all, and of all others."""
    rdm = load_dataset("cichy2014_92").rdms[area]
    whole = compare_rdms(rdm, rdm.mean("subject"))
    others = [compare_rdms(rdm[s], rdm.drop_isel(subject=s).mean("subject")) for s in range(15)]
    assert float((whole**2).mean()) == pytest.approx(wanted, abs=1e-6)
    assert float(np.mean(np.square(others))) == pytest.approx(left_out, abs=1e-6)


def test_absent_and_offline_says_which_file_goes_where(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    small = small_set("http://127.0.0.1:9/none", "0" * 64)
    with pytest.raises(StorageError) as caught:
        fetch(small, "x.npz")
    assert f"put it into small/ of NEUROSIM_DATA ({tmp_path})" in str(caught.value)
    with DATASETS.added(small), pytest.raises(InputError, match="Did you mean 'small'"):
        find_dataset("smal")


def test_wrong_checksum_is_refused(monkeypatch, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "x.npz").write_text("not it")
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    with pytest.raises(StorageError, match="wrong checksum"):
        fetch(small_set("", "0" * 64), "x.npz")


def test_files_are_fetched_by_name_and_checked(monkeypatch, tmp_path):
    pooch = pytest.importorskip("pooch")
    served = tmp_path / "served"
    served.mkdir()
    (served / "x.npz").write_bytes(b"content")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x.npz"
    monkeypatch.delenv("NEUROSIM_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda _name: tmp_path / "cache")
    try:
        right = hashlib.sha256(b"content").hexdigest()
        assert fetch(small_set(url, right), "x.npz").read_bytes() == b"content"
        shutil.rmtree(tmp_path / "cache")
        with pytest.raises(StorageError, match="wrong checksum"):
            fetch(small_set(url, "0" * 64), "x.npz")
    finally:
        server.shutdown()


def small_set(url, sha256):
    return DataSet(
        "small", "little", sevens, ("V1",), "small", "nowhere", (DataFile("x.npz", sha256, url),), "Me (2026)", "CC0"
    )


def sevens(data_set):
    return Content(responses={name: as_responses(np.full((2, 3), 7.0)) for name in data_set.recordings})


def test_a_set_of_ones_own_is_loaded_like_the_others():
    with DATASETS.added(small_set("", "0" * 64)):
        found = load_dataset("small")
        assert (found.responses["V1"].values.sum(), found.citation) == (42, "Me (2026)")
        assert list_recordings("small") == ("V1",) and dataset_files("small") == {"x.npz": "0" * 64}
        assert "small" in list_datasets()
    assert "small" not in list_datasets()


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_set_says_whom_to_cite_and_holds_what_it_lists(name, data_folder):
    record = DATASETS[name]
    assert "https://" in record.citation and record.licence and record.caption
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in record.files)
    found = load_dataset(name)
    held = {**found.rdms, **found.responses, **found.sweeps}
    assert held and all(any(key.startswith(r) for key in held) for r in record.recordings if r != "99111002")
    check_dataset(name)


def test_synthetic_brain_is_labelled_repeats_and_carries_its_truth():
    truth = as_stimuli(np.random.default_rng(0).normal(size=(20, 6)), dims=("stimulus", "unit"))
    options = BrainOptions(n_subjects=3, n_units=400, n_trials=2, individuality=0.0, trial_noise=0.0)
    brain = synthetic_brain(truth, options)
    assert brain.attrs["synthetic"] == 1
    np.testing.assert_array_equal(brain.values, synthetic_brain(truth, options).values)
    rdms = compute_rdm(brain, "euclidean", by="subject")
    assert float(compare_rdms(rdms, compute_rdm(truth, "euclidean"), "corr").min()) > 0.95
    with pytest.raises(InputError, match="do not vary"):
        synthetic_brain(as_stimuli(np.ones((4, 2)), dims=("stimulus", "unit")))
    with pytest.raises(InputError, match="at least"):
        BrainOptions(n_subjects=0)
