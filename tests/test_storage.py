"""The door to disk: whole or not at all, checksummed, and shut to hostile files."""

import contextlib
import errno
import os
import pickle
import subprocess
import threading

import h5py
import numpy as np
import pytest
import xarray as xr

from neurosim import storage
from neurosim.storage import StorageError


def test_what_is_written_is_read(tmp_path):
    values = xr.DataArray(
        np.arange(12.0).reshape(3, 4), dims=("stimulus", "unit"), coords={"stimulus": ["a", "b", "c"]}, name="values"
    )
    values.attrs.update(flag=True, nothing=None, many=[1, 2])
    storage.write_dataset(tmp_path / "x.nc", values)
    found = storage.read_array(tmp_path / "x.nc")
    xr.testing.assert_equal(found, values)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        array = xr.DataArray(np.random.default_rng(0).normal(size=(90, 90)), dims=("x", "y"), name="v")
        storage.write_dataset(tmp_path / f"{name}.nc", array)
        storage.write_weights(tmp_path / f"{name}.safetensors", {"w": array.values})
    assert storage.sha256(tmp_path / "a.nc") == storage.sha256(tmp_path / "b.nc")
    assert storage.sha256(tmp_path / "a.safetensors") == storage.sha256(tmp_path / "b.safetensors")


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_flipped_bit_is_found(tmp_path, size):
    storage.write_dataset(tmp_path / "x.nc", xr.DataArray(np.random.default_rng(0).normal(size=size), name="v"))
    content = bytearray((tmp_path / "x.nc").read_bytes())
    content[-40] ^= 1
    (tmp_path / "x.nc").write_bytes(content)
    with pytest.raises(StorageError, match="truncated or not such a file"):
        storage.read_dataset(tmp_path / "x.nc")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    storage.write_text(tmp_path / "x.txt", "old")
    with pytest.raises(RuntimeError), storage.atomic_file(tmp_path / "x.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "x.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    with storage.atomic_folder(tmp_path / "f") as folder:
        (folder / "a").write_text("1")
    with pytest.raises(RuntimeError), storage.atomic_folder(tmp_path / "f") as folder:
        (folder / "a").write_text("2")
        raise RuntimeError
    assert (tmp_path / "f" / "a").read_text() == "1"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        storage.write_text(tmp_path / "x.txt", "text")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        storage.check_writable(tmp_path / "file" / "results")


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", evil=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StorageError, match="'evil' holds Python objects, which are never read"):
        storage.read_npz(tmp_path / "x.npz")
    (tmp_path / "y.npz").write_bytes(pickle.dumps([1]))
    with pytest.raises(StorageError):
        storage.read_npz(tmp_path / "y.npz")


@pytest.mark.parametrize("link", [h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/v")])
def test_links_in_netcdf_are_refused(tmp_path, link):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["v"] = np.zeros(3)
        file["away"] = link
    with pytest.raises(StorageError, match="links to another place"):
        storage.read_dataset(tmp_path / "x.nc")


def test_external_storage_and_absurd_sizes_are_refused(tmp_path):
    (tmp_path / "raw").write_bytes(b"\0" * 24)
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file.create_dataset("v", shape=(3,), dtype="f8", external=[(str(tmp_path / "raw"), 0, 24)])
    with pytest.raises(StorageError, match="outside the file"):
        storage.read_dataset(tmp_path / "x.nc")
    with h5py.File(tmp_path / "y.nc", "w") as file:
        file.create_dataset("v", shape=(2**40,), dtype="f8", chunks=(2**10,))
    with pytest.raises(StorageError, match="claims"):
        storage.read_dataset(tmp_path / "y.nc")
    with h5py.File(tmp_path / "z.nc", "w") as file:
        for name in "abc":
            file.create_dataset(name, shape=(2**26,), dtype="f8", chunks=(2**10,))
    with pytest.raises(StorageError, match="'a' claims 536870912 bytes and holds 0"):
        storage.read_dataset(tmp_path / "z.nc")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x"])
def test_paths_stay_inside(tmp_path, name):
    with pytest.raises(StorageError, match="leads out"):
        storage.inside(tmp_path, name)


def test_missing_truncated_and_wrong_files_are_one_line(tmp_path):
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\xff")
    for act in (
        lambda: storage.read_json(tmp_path / "none.json"),
        lambda: storage.read_json(tmp_path / "x.json"),
        lambda: storage.read_text(tmp_path / "b.txt"),
        lambda: storage.read_mat(tmp_path / "x.json"),
        lambda: storage.read_weights(tmp_path / "x.json"),
        lambda: storage.check_sha256(tmp_path / "x.json", "0" * 64),
        lambda: storage.write_json(tmp_path / "n.json", float("nan")),
    ):
        with pytest.raises(StorageError) as caught:
            act()
        assert "\n" not in str(caught.value)


def test_a_folder_is_no_missing_file(tmp_path):
    with pytest.raises(StorageError, match=r": a folder, where one file is asked\.$"):
        storage.read_text(tmp_path)


def test_the_manifest_is_one_that_sha256sum_checks(tmp_path):
    storage.write_text(tmp_path / "sub" / "a b.txt", "x")
    storage.write_manifest(tmp_path)
    subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=tmp_path, check=True, capture_output=True)
    assert storage.damaged_files(tmp_path) == []
    (tmp_path / "sub" / "a b.txt").write_text("y")
    assert storage.damaged_files(tmp_path) == ["sub/a b.txt"]


def test_tables_of_different_dims_do_not_multiply(tmp_path):
    dataset = xr.Dataset({"a": ("x", np.arange(300)), "b": ("y", np.arange(300)), "c": 1.0})
    storage.write_table(tmp_path / "t.csv", dataset)
    assert len(storage.read_table(tmp_path / "t.csv")) == 601


def test_only_old_leftovers_of_killed_runs_are_removed(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), storage.atomic_folder(tmp_path / ("a" * 64)) as temporary:
        old = tmp_path / temporary.name.replace("aaaa", "bbbb")
        temporary.rename(old)
        (old / "half.nc").write_text("")
        raise KeyboardInterrupt
    new = tmp_path / f".{'c' * 64}.abcdefgh"
    for path in (new, tmp_path / ".bash_history.old", tmp_path / ".config.d", tmp_path / "kept.txt"):
        path.write_text("")
        os.utime(path, (0, 0))
    os.utime(new)
    os.utime(old, (0, 0))
    storage.remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {new.name, ".bash_history.old", ".config.d", "kept.txt"}


def test_a_folder_is_exchanged_and_what_is_not_listed_stays(tmp_path):
    folder = tmp_path / "results"
    for name in ("table.csv", "notes.md", "mine/draft.tex"):
        storage.write_text(folder / name, f"old {name}")
    (folder / "link").symlink_to(tmp_path)
    with storage.atomic_folder(folder, frozenset({"table.csv"})) as temporary:
        storage.write_text(temporary / "table.csv", "new")
        storage.write_text(temporary / "notes.md", "new")
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_symlink() or p.is_file()}
    assert set(found) == {"table.csv", "notes.md", "notes.md.old", "mine/draft.tex", "link"}
    assert found["table.csv"].read_text() == found["notes.md"].read_text() == "new"
    assert found["notes.md.old"].read_text() == "old notes.md"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results"]


def test_there_is_no_moment_without_a_folder(tmp_path):
    folder, seen, done = tmp_path / "results", [], threading.Event()
    storage.write_text(folder / "a.txt", "0")

    def look():
        while not done.is_set():
            seen.append(folder.exists())

    watcher = threading.Thread(target=look)
    watcher.start()
    for i in range(50):
        with storage.atomic_folder(folder) as temporary:
            storage.write_text(temporary / "a.txt", str(i))
    done.set()
    watcher.join()
    assert len(seen) > 0
    assert all(seen)


@pytest.mark.parametrize("harm", [lambda p: p.write_bytes(b"other"), lambda p: p.unlink()], ids=["changed", "gone"])
def test_a_build_is_read_once_and_again_where_a_file_of_it_changed(tmp_path, monkeypatch, harm):
    monkeypatch.setattr(storage.builds, "A_MOMENT", -1.0)  # as if it were built long ago
    for name in ("main", "array"):
        storage.write_text(tmp_path / name, "whole")
    storage.write_manifest(tmp_path)
    read = []
    monkeypatch.setattr(storage.builds, "damaged_files", lambda *of: read.append(of) or storage.damaged_files(*of))
    assert all(storage.is_whole_build(tmp_path) for _ in range(3))
    assert len(read) == 1
    harm(tmp_path / "array")
    assert not storage.is_whole_build(tmp_path)
