"""Files from outside are hostile: no code runs, no other file is read, nothing expands without bound."""

import gzip
import io
import os
import pickle
import tracemalloc
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr

from neurosim import storage
from neurosim.recordings.fmri import load_betas
from neurosim.recordings.meg import load_epochs
from neurosim.recordings.neo import load_neo, neo_series
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
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 10**6)
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
        with pytest.raises(storage.StorageError, match="holds Python objects, which are never read"):
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
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 10**6)
    with pytest.raises(storage.StorageError, match="expands to more"):
        storage.read_mat(path)


def test_packed_tables_do_not_expand_without_bound(tmp_path, monkeypatch):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("unit,time\n" + "u,0.5\n" * 1000)
    assert storage.read_table(tmp_path / "t.csv.gz").time.sum() == 500
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 1000)
    with pytest.raises(storage.StorageError, match="unpacks to more than is read at once"):
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


def packed_image(path, shape, claimed=None, extra=0):
    """Write a NIfTI file of zeros packed by gzip, whose header may claim another shape."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape(claimed or shape)
    with gzip.open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4) + bytes(8 * int(np.prod(shape)) + extra))


def peak_of(call):
    """Bytes that Python and numpy held at most at once during a call."""
    tracemalloc.start()
    try:
        call()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_packed_images_do_not_expand_without_bound(tmp_path, monkeypatch):
    pytest.importorskip("nibabel")
    packed_image(tmp_path / "mask.nii.gz", (10, 10, 10))
    packed_image(tmp_path / "bomb.nii.gz", (10, 10, 10, 2), extra=2 * 10**7)
    (tmp_path / "events.tsv").write_text("trial_type\na\nb\n")
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 10**7)
    assert (tmp_path / "bomb.nii.gz").stat().st_size < 10**5

    def read():
        with pytest.raises(storage.StorageError, match=r"bomb\.nii\.gz: unpacks to more than is read at once"):
            load_betas(tmp_path / "bomb.nii.gz", tmp_path / "events.tsv", mask=tmp_path / "mask.nii.gz")

    read()
    assert peak_of(read) < 10**7


@pytest.mark.parametrize("packed", [True, False])
def test_images_that_claim_more_than_they_hold_are_refused_before_room_is_made(tmp_path, packed):
    pytest.importorskip("nibabel")
    path = tmp_path / "mask.nii.gz"
    packed_image(path, (10, 10, 10), claimed=(1000, 1000, 1000))
    if not packed:
        (tmp_path / "mask.nii").write_bytes(gzip.decompress(path.read_bytes()))
        path = tmp_path / "mask.nii"

    def read():
        with pytest.raises(storage.StorageError, match="claims 8000000000 bytes of voxels and holds"):
            load_betas(path, tmp_path / "events.tsv", mask=path)

    read()
    assert peak_of(read) < 10**7


def test_only_nifti_files_are_images(tmp_path):
    pytest.importorskip("nibabel")
    with h5py.File(tmp_path / "x.mnc", "w") as file:
        file["minc-2.0"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(InputError, match=r"x\.mnc is no \.nii or \.nii\.gz file"):
        load_betas(tmp_path / "x.mnc", tmp_path / "e.tsv", mask=tmp_path / "x.mnc")


def some_epochs():
    mne = pytest.importorskip("mne")
    events = np.stack([np.arange(4) * 500, np.zeros(4, int), [1, 2, 1, 2]], axis=1)
    info = mne.create_info(["M1", "M2"], 100.0, "mag")
    return mne.EpochsArray(np.zeros((4, 2, 300)), info, events, event_id={"a": 1, "b": 2}, verbose="error")


def test_packed_epochs_do_not_expand_without_bound(tmp_path, monkeypatch):
    some_epochs().save(tmp_path / "x-epo.fif.gz", verbose="error")
    assert load_epochs(tmp_path / "x-epo.fif.gz").shape == (2, 2, 300, 2)
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 8 * 10**3)
    with pytest.raises(storage.StorageError, match="unpacks to more than is read at once"):
        load_epochs(tmp_path / "x-epo.fif.gz")


@pytest.mark.parametrize("place", ["../secret/x-epo-1.fif", "x-epo-1.fif"])
def test_epochs_go_on_in_their_own_folder_only(tmp_path, place):
    """Parts of a recording name each other; the name is changed as a hostile file would."""
    pytest.importorskip("mne")
    from mne._fiff.constants import FIFF
    from mne._fiff.write import end_block, start_and_end_file, start_block, write_int, write_string

    some_epochs().save(tmp_path / "x-epo.fif", verbose="error")
    with start_and_end_file(tmp_path / "link.fif") as file:
        start_block(file, FIFF.FIFFB_REF)
        write_int(file, FIFF.FIFF_REF_ROLE, FIFF.FIFFV_ROLE_NEXT_FILE)
        write_string(file, FIFF.FIFF_REF_FILE_NAME, place)
        end_block(file, FIFF.FIFFB_REF)
    content = (tmp_path / "link.fif").read_bytes()
    (tmp_path / "link-epo.fif").write_bytes((tmp_path / "x-epo.fif").read_bytes() + content)
    wanted = "goes on in '../secret/x-epo-1.fif', elsewhere"
    if "/" in place:
        with pytest.raises(storage.StorageError, match=wanted):
            load_epochs(tmp_path / "link-epo.fif")
    else:
        assert load_epochs(tmp_path / "link-epo.fif").sizes["trial"] == 2


def test_arrays_that_are_too_much_together_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        for k in range(3):
            file.create_dataset(f"v{k}", shape=(2**30,), dtype="f8", chunks=(2**10,))
    with pytest.raises(storage.StorageError, match="claims 24 GiB"):
        storage.read_dataset(tmp_path / "x.nc")


def test_a_thicket_of_links_is_walked_once(tmp_path):
    """Thirty groups, each twice in the one before: a thousand million paths to thirty places."""
    with h5py.File(tmp_path / "x.nc", "w") as file:
        inner = file.create_group("g")
        inner["values"] = np.arange(3.0)
        for k in range(30):
            outer = file.create_group(f"level{k}")
            outer["left"] = outer["right"] = inner
            inner = outer
        inner["circle"] = file["level0"]
    assert storage.check_hdf5(tmp_path / "x.nc").name == "x.nc"


def test_archives_that_lie_about_their_size_are_not_unpacked_beyond_it(tmp_path):
    content = io.BytesIO()
    np.save(content, np.zeros(10**7))
    with zipfile.ZipFile(tmp_path / "liar.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content.getvalue())
    honest = (tmp_path / "liar.npz").read_bytes()
    size = len(content.getvalue()).to_bytes(4, "little")
    assert honest.count(size) == 2
    (tmp_path / "liar.npz").write_bytes(honest.replace(size, (1000).to_bytes(4, "little")))

    def read():
        with pytest.raises(storage.StorageError, match=r"Bad CRC-32 for file 'a\.npy'"):
            storage.read_npz(tmp_path / "liar.npz")

    read()
    assert peak_of(read) < 10**6


def test_tables_that_unpack_without_bound_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"unit": np.zeros(10**5, np.int8), "time": np.zeros(10**5)}).to_parquet(tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 10**4
    assert len(storage.read_table(tmp_path / "t.parquet")) == 10**5
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 10**6)
    with pytest.raises(storage.StorageError, match="expands to 1600000 bytes"):
        storage.read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("name", ["../secret.eeg", "/etc/secret.eeg", "x.eeg"])
def test_recordings_of_neo_name_no_file_elsewhere(tmp_path, name):
    pytest.importorskip("neo")
    folder = tmp_path / "given"
    folder.mkdir()
    for path in (tmp_path / "secret.eeg", folder / "x.eeg"):
        path.write_bytes(np.arange(20, dtype="<i2").tobytes())
    (folder / "x.vmrk").write_text("Brain Vision Data Exchange Marker File\n[Marker Infos]\n")
    (folder / "x.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={name}\nMarkerFile=x.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        "SamplingInterval=1000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=a,,1,uV\nCh2=b,,1,uV\n"
    )
    if name == "x.eeg":
        found = neo_series(load_neo(folder / "x.vhdr"))
        np.testing.assert_allclose(found.values, np.arange(20.0).reshape(10, 2) * 1e-6)
        assert found.time.values.tolist() == pytest.approx(np.arange(10) / 1000)
    else:
        with pytest.raises(storage.StorageError, match=r"names a file elsewhere \(DataFile="):
            load_neo(folder / "x.vhdr")


def test_a_circle_of_links_in_a_folder_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "stray").symlink_to(tmp_path / "s" / "stray")
    with pytest.raises(storage.StorageError, match="'stray' links to another place"):
        storage.check_links(tmp_path / "s")
