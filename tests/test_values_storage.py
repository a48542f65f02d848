"""Numbers survive a table, and every stored array carries its checksum."""

import h5py
import numpy as np
import xarray as xr

from neurosim import storage


def test_tables_keep_ten_digits(tmp_path):
    values = xr.DataArray([0.1234567891, 12345.67891], dims="unit", name="value")
    storage.write_table(tmp_path / "t.csv", values)
    np.testing.assert_allclose(storage.read_table(tmp_path / "t.csv")["value"], values, rtol=1e-9)


def test_arrays_of_every_size_have_a_checksum(tmp_path):
    storage.write_dataset(tmp_path / "a.nc", xr.Dataset({"small": ("x", np.ones(3)), "large": ("y", np.ones(9000))}))
    with h5py.File(tmp_path / "a.nc") as file:
        assert file["small"].fletcher32 and file["large"].fletcher32
