"""A few files of the campaign over all readers, and those that once ended or held up the process."""

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import xarray as xr

from neurosim import storage
from tests.campaigns.hostile_recordings import some


@pytest.fixture(scope="module")
def matlab(tmp_path_factory):
    path = tmp_path_factory.mktemp("matlab") / "x.mat"
    held = {"responses": np.arange(6.0).reshape(3, 2), "cells": np.array(["a", "bb"], dtype=object), "s": {"t": 1.0}}
    scipy.io.savemat(path, held)
    return path.read_bytes()


def test_damaged_and_hostile_recordings_are_read_or_refused_in_one_line():
    found = some(0, 37, seed=3)
    assert found["wrong"] == []
    assert sum(found["counts"].values()) == 37


@pytest.mark.parametrize("kind", [0, 8, 19, 0x4009, 0xFFFF])
@pytest.mark.parametrize("packed", [False, True])
def test_matlab_elements_of_no_kind_are_refused_before_scipy_sees_them(tmp_path, matlab, kind, packed):
    """Of the numbers of a matrix: scipy takes them for the place of a type in memory."""
    at = matlab.index(b"responses") + 16
    assert struct.unpack("<II", matlab[at : at + 8]) == (9, 48)
    scipy.io.savemat(tmp_path / "whole.mat", {"responses": np.arange(6.0).reshape(3, 2)}, do_compression=packed)
    assert storage.read_mat(tmp_path / "whole.mat")["responses"].shape == (3, 2)
    content = matlab[:at] + struct.pack("<I", kind) + matlab[at + 4 :]
    if packed:
        import zlib

        size = struct.unpack("<I", content[132:136])[0]
        inner = zlib.compress(content[128 : 136 + size])
        content = content[:128] + struct.pack("<II", 15, len(inner)) + inner
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(storage.StorageError, match=f"an element of kind {kind} claims"):
        storage.read_mat(tmp_path / "x.mat")


def test_matlab_elements_that_reach_over_their_end_are_refused(tmp_path, matlab):
    at = matlab.index(b"responses") + 20
    (tmp_path / "x.mat").write_bytes(matlab[:at] + struct.pack("<I", 10**6) + matlab[at + 4 :])
    with pytest.raises(storage.StorageError, match="an element of kind 9 claims 1000000 bytes"):
        storage.read_mat(tmp_path / "x.mat")


def test_matlab_dims_that_no_bytes_fill_are_refused(tmp_path, matlab):
    at = matlab.index(b"responses") - 16
    assert struct.unpack("<2i", matlab[at : at + 8]) == (3, 2)
    (tmp_path / "x.mat").write_bytes(matlab[:at] + struct.pack("<2i", 3, 2**30) + matlab[at + 8 :])
    with pytest.raises(storage.StorageError, match="an element of kind 14 claims"):
        storage.read_mat(tmp_path / "x.mat")


@pytest.mark.parametrize("size", [0, 2**63])
def test_heaps_of_text_that_do_not_end_are_refused_before_hdf5_sees_them(tmp_path, size):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["names"] = ["a", "b" * 30]
    assert storage.check_hdf5(tmp_path / "x.h5").name == "x.h5"
    content = (tmp_path / "x.h5").read_bytes()
    at = content.index(b"GCOL") + 16
    (tmp_path / "x.h5").write_bytes(content[:at] + bytes(8) + size.to_bytes(8, "little") + content[at + 16 :])
    with pytest.raises(storage.StorageError, match=f"a heap of text holds an object of {size} bytes"):
        storage.check_hdf5(tmp_path / "x.h5")


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_damaged_values_that_are_read_late_are_refused_in_one_line(tmp_path, ending):
    values = xr.DataArray(np.random.default_rng(0).normal(size=(40, 30)), dims=("stimulus", "unit"), name="r")
    path = tmp_path / f"x{ending}"
    if ending == ".nc":
        storage.write_dataset(path, values)
        content = path.read_bytes()
        at = content.index(values.values[3].tobytes())
        path.write_bytes(content[:at] + bytes(64) + content[at + 64 :])
    else:
        values.to_dataset().to_zarr(path)
        chunk = max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        chunk.write_bytes(chunk.read_bytes()[:-99])
    opened = storage.open_dataset(path)["r"]
    assert not opened.variable._in_memory
    with pytest.raises(storage.StorageError, match=f"x\\{ending}: cannot be read as"):
        opened.load()


def test_values_that_are_read_late_are_those_of_the_file(tmp_path):
    values = xr.DataArray(
        np.random.default_rng(0).normal(size=(5, 6, 4)), dims=("stimulus", "time", "unit"), name="r",
        coords={"unit": list("abcd")}, attrs={"units": "1"},
    )  # fmt: skip
    storage.write_dataset(tmp_path / "x.nc", values)
    with storage.open_dataset(tmp_path / "x.nc") as opened:
        found, rows = opened["r"], xr.DataArray([0, 4], dims="point")
        xr.testing.assert_identical(found.isel(stimulus=[3, 1], time=slice(None, None, -2)).load(),
                                    values.isel(stimulus=[3, 1], time=slice(None, None, -2)))  # fmt: skip
        xr.testing.assert_identical(found.sel(unit=["d", "a"])[2].load(), values.sel(unit=["d", "a"])[2])
        picked = {"stimulus": rows, "time": rows}
        xr.testing.assert_identical(found.isel(picked).load(), values.isel(picked))
        xr.testing.assert_identical(found.load(), values)


def test_what_a_reader_of_others_says_is_one_short_line_that_can_be_printed():
    with pytest.raises(storage.StorageError) as caught, storage.readable(Path("x.npz"), "npz"):
        raise ValueError("header \x1b[31m" + "b" * 5000 + "\nsecond")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
