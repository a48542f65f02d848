"""Files from outside are hostile: no code runs, no other file is read, nothing expands without bound."""

import gzip
import io
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

from neurosim import storage
from neurosim.recordings.neo import load_neo
from neurosim.schema import InputError


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["x.pkl", "x.PKL", "x.Pickle", "folder/x.PkL"])
def test_no_pickle_runs_whatever_its_name(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    with pytest.raises(InputError, match="pickle"):
        load_neo(path.parent if "/" in name else path)
    with pytest.raises(InputError, match="pickle"):
        load_neo(path, reader="PickleIO")
    assert not (tmp_path / "sprung").exists()


def test_readers_are_named(tmp_path):
    (tmp_path / "x.plx").write_bytes(b"no")
    with pytest.raises(InputError, match=r"no reader 'PlexonI' in Neo\. Did you mean 'PlexonIO'"):
        load_neo(tmp_path / "x.plx", reader="PlexonI")


@pytest.mark.parametrize("kind", ["virtual", "external link", "external data"])
def test_hdf5_reads_no_other_file(tmp_path, kind):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["values"] = np.arange(4.0)
    path = tmp_path / "given.nc"
    with h5py.File(path, "w") as file:
        if kind == "virtual":
            layout = h5py.VirtualLayout((4,), float)
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "values", (4,))
            file.create_virtual_dataset("values", layout)
        elif kind == "external link":
            file["values"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "values")
        else:
            file.create_dataset("values", (4,), float, external=[(str(tmp_path / "secret.h5"), 0, 32)])
    for read in (storage.read_dataset, storage.open_dataset, storage.check_hdf5):
        with pytest.raises(storage.StorageError, match="such files are not opened"):
            read(path)
    path.rename(tmp_path / "given.h5")
    with pytest.raises(storage.StorageError, match="such files are not opened"):
        load_neo(tmp_path / "given.h5", reader="KwikIO")


def test_archives_do_not_expand_without_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "MAX_BYTES", 10**6)
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(10**6))
    assert (tmp_path / "bomb.npz").stat().st_size < 10**4
    with pytest.raises(storage.StorageError, match="expands to"):
        storage.read_npz(tmp_path / "bomb.npz")


def test_arrays_that_claim_more_than_they_hold_are_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(tmp_path / "liar.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(64))
    (tmp_path / "liar.npy").write_bytes(header.getvalue() + bytes(64))
    with pytest.raises(storage.StorageError, match="claims 1000000000000 values"):
        storage.read_npz(tmp_path / "liar.npz")
    with pytest.raises(storage.StorageError, match="claims 1000000000000 values"):
        storage.read_npy(tmp_path / "liar.npy")


def test_objects_in_arrays_are_refused(tmp_path):
    np.save(tmp_path / "o.npy", np.array([Trap(str(tmp_path / "sprung"))], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", a=np.array([Trap(str(tmp_path / "other"))], dtype=object))
    for read, name in ((storage.read_npy, "o.npy"), (storage.read_npz, "o.npz")):
        with pytest.raises(storage.StorageError, match="allow_pickle"):
            read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_plain_arrays_come_back(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    np.savez(tmp_path / "a.npz", a=np.array(3.5), b=np.array(["x", "y"]))
    assert storage.read_npy(tmp_path / "a.npy").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert {k: v.tolist() for k, v in storage.read_npz(tmp_path / "a.npz").items()} == {"a": 3.5, "b": ["x", "y"]}


@pytest.mark.parametrize("held", ["array", "struct"])
def test_matlab_files_do_not_expand_without_bound(tmp_path, monkeypatch, held):
    path, zeros = tmp_path / "bomb.mat", np.zeros((1000, 1000))
    scipy.io.savemat(path, {"a": zeros if held == "array" else {"inner": zeros}}, do_compression=True)
    assert path.stat().st_size < 10**5
    assert storage.read_mat(path)
    monkeypatch.setattr(storage, "MAX_BYTES", 10**6)
    with pytest.raises(storage.StorageError, match="expands to more"):
        storage.read_mat(path)


def test_tables_are_not_unpacked(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("unit,time\n" + "u,0.5\n" * 1000)
    with pytest.raises(storage.StorageError, match="cannot be read as CSV"):
        storage.read_table(tmp_path / "t.csv.gz")


def test_zarr_folders_read_no_other_file_and_run_no_pickle(tmp_path):
    xr.Dataset({"a": ("x", np.arange(3.0))}).to_zarr(tmp_path / "s.zarr")
    assert storage.open_dataset(tmp_path / "s.zarr").a.values.tolist() == [0, 1, 2]
    (tmp_path / "secret").write_bytes(bytes(24))
    (tmp_path / "s.zarr" / "a" / "stray").symlink_to(tmp_path / "secret")
    with pytest.raises(storage.StorageError, match="'stray' links to another place"):
        storage.open_dataset(tmp_path / "s.zarr")
    with pytest.raises(storage.StorageError, match="'stray' links to another place"):
        load_neo(tmp_path / "s.zarr", reader="OpenEphysBinaryIO")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.abf", "a.plx"])
def test_empty_files_are_no_recordings(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(storage.StorageError, match="the file is empty"):
        load_neo(tmp_path / name)
