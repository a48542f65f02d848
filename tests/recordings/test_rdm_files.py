"""RDMs come back from a file as they were, with every label, and those of rsatoolbox with theirs."""

import h5py
import numpy as np
import pytest
import xarray as xr

import neurosim as ns

K = 5


def labelled():
    rng = np.random.default_rng(0)
    r = ns.as_responses(rng.normal(size=(K, 3, 8)), dims=("stimulus", "time", "unit"), time_step=0.1)
    labels = {"category": ("stimulus", list("ppqqq")), "size": ("stimulus", np.arange(K) / 3)}
    rdm = ns.compute_rdm(r.assign_coords(labels)).rename(time="subject").drop_vars("subject")
    return rdm.assign_coords(subject=["s1", "s2", "s3"], patient=("subject", [True, False, True]))


def of_rsatoolbox(path, *, vectors=None, patterns=None, rdms=None):
    """What ``RDMs.save`` of rsatoolbox 0.3.2 writes."""
    given = np.random.default_rng(0).random((3, K * (K - 1) // 2))
    with h5py.File(path, "w") as file:
        file.attrs.update(dissimilarity_measure="squared euclidean", rsatoolbox_version="0.3.2")
        file["dissimilarities"] = given if vectors is None else vectors
        file.create_group("descriptors")
        shown = {"conds": np.array([b"v", b"w", b"x", b"y", b"z"]), "cat": np.array([b"p"] * K), "index": np.arange(K)}
        for k, v in (patterns or shown).items():
            file[f"pattern_descriptors/{k}"] = v
        for k, v in (rdms or {"subject": np.array([b"a", b"b", b"c"]), "age": np.arange(3)}).items():
            file[f"rdm_descriptors/{k}"] = v
    return given


def test_rdms_come_back_as_they_were(tmp_path):
    rdms = labelled()
    ns.recordings.save_rdms(rdms, tmp_path / "a.nc")
    xr.testing.assert_identical(ns.recordings.load_rdms(tmp_path / "a.nc"), rdms)
    ns.recordings.save_rdms(rdms, tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_entries_that_were_not_measured_stay_so(tmp_path):
    values = labelled().values.copy()
    values[1, 2], values[1, :, 2], values[0, 0, 3], values[0, 3, 0] = np.nan, np.nan, np.nan, np.nan
    values[1, 2, 2] = 0
    rdms = labelled().copy(data=values)
    ns.recordings.save_rdms(rdms, tmp_path / "a.nc")
    xr.testing.assert_identical(ns.recordings.load_rdms(tmp_path / "a.nc"), rdms)


def test_rdms_of_rsatoolbox_have_their_descriptors(tmp_path):
    vectors = of_rsatoolbox(tmp_path / "a.h5")
    found = ns.recordings.load_rdms(tmp_path / "a.h5", dim="subject")
    assert found.dims == ("subject", "stimulus", "stimulus_other") and found.attrs["metric"] == "euclidean"
    assert found.stimulus.values.tolist() == list("vwxyz") and found.subject.values.tolist() == list("abc")
    assert found.cat.dims == ("stimulus",) and found.age.values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.values[:, *np.triu_indices(K, 1)], vectors)
    np.testing.assert_array_equal(found.values, np.swapaxes(found.values, 1, 2))
    of_rsatoolbox(tmp_path / "b.h5", patterns={"index": np.arange(K)}, rdms={"index": np.arange(3)})
    counted = ns.recordings.load_rdms(tmp_path / "b.h5")
    assert counted.dims[0] == "rdm" and counted.stimulus.values.tolist() == list("01234")


TWO = {"a": np.arange(K), "b": np.arange(K) + 1}


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        ({"patterns": TWO}, {}, "a, b could name the stimuli; say which"),
        ({}, {"stimuli": "cat"}, "no descriptor 'cat' that names each stimulus once; those that do: conds, index"),
        ({"vectors": np.ones((3, 11))}, {}, r"shape \(3, 11\) are no RDMs"),
        ({"vectors": np.ones((3, 1))}, {}, r"no RDMs of 3 stimuli"),
        ({"vectors": np.full((3, 10), np.inf)}, {}, "infinite"),
    ],
)
def test_what_is_no_rdm_of_rsatoolbox_is_refused(tmp_path, made, options, message):
    of_rsatoolbox(tmp_path / "a.h5", **made)
    with pytest.raises(ns.InputError, match=message) as caught:
        ns.recordings.load_rdms(tmp_path / "a.h5", **options)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["dissimilarities"] = 3
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04.")
    ns.storage.write_dataset(tmp_path / "x.nc", xr.DataArray(np.ones((3, 2)), dims=("stimulus", "unit")))
    one_sided = labelled().copy()
    one_sided[0, 1, 2] = np.nan
    for call, message in [
        (lambda: ns.recordings.load_rdms(tmp_path / "x.h5"), "no rdm_descriptors, pattern_descriptors"),
        (lambda: ns.recordings.load_rdms(tmp_path / "x.pkl"), r"x.pkl is no .nc, .h5 or .hdf5"),
        (lambda: ns.recordings.load_rdms(tmp_path / "x.nc"), r"load_rdms: x.nc: an RDM has dims"),
        (lambda: ns.recordings.load_rdms(tmp_path / "x.nc", dim="a"), "are of rsatoolbox"),
        (lambda: ns.recordings.save_rdms(labelled(), tmp_path / "x.h5"), "x.h5 is no .nc file"),
        (lambda: ns.recordings.save_rdms(one_sided, tmp_path / "y.nc"), "save_rdms: the RDM is not symmetric"),
    ]:
        with pytest.raises(ns.InputError, match=message):
            call()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda r: r.assign_attrs(scale_factor=2.0),
            ns.storage.StorageError,
            "scale_factor = 2.0 of 'rdms' is netCDF's",
        ),
        (lambda r: r.assign_attrs(missing_value=3.0), ns.storage.StorageError, "missing_value = 3.0 .* rename it"),
        (lambda r: r.assign_attrs(_FillValue=0.0), ns.storage.StorageError, "_FillValue"),
        (lambda r: since(r, "days since 2000-01-01"), ns.storage.StorageError, "of 'size' is netCDF's own"),
        (lambda r: since(r, "seconds"), ns.storage.StorageError, "write s for seconds"),
        (lambda r: r.rename(patient="a/b"), ns.InputError, "save_rdms: .* 'a/b', a name with a slash"),
        (lambda r: r.rename(subject="who").stack(subject=["who"]), ns.InputError, "labels of several levels"),
    ],
)
def test_what_netcdf_would_change_is_refused(tmp_path, change, error, message):
    with pytest.raises(error, match=message) as caught:
        ns.recordings.save_rdms(change(labelled()), tmp_path / "a.nc")
    assert "\n" not in str(caught.value) and not (tmp_path / "a.nc").exists()


def since(rdms, units):
    rdms["size"].attrs["units"] = units
    return rdms
