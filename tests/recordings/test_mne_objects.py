"""Courses as MNE objects and back from its files; neighbours of sensors in a test of maps."""

import numpy as np
import pytest
import xarray as xr

import neurosim as ns

mne = pytest.importorskip("mne")
TIME = -0.1 + 0.004 * np.arange(6)


@pytest.fixture(scope="module")
def info():
    montage = mne.channels.make_standard_montage("biosemi16")
    return mne.create_info(montage.ch_names, 1000.0, "eeg", verbose="error").set_montage(montage)


def test_a_course_of_sensors_comes_back_from_a_file_with_its_times_and_places(info, tmp_path):
    """Written by MNE at another rate than the recording's, read by load_epochs, in the order of the units."""
    names = ["Cz", "Fz", "P3"]
    values = xr.DataArray(
        1e-6 * np.random.default_rng(0).normal(size=(6, 3)), dims=("time", "unit"), coords={"time": TIME, "unit": names}
    )
    evoked = ns.recordings.to_mne(values, info)
    assert evoked.ch_names == names
    assert evoked.get_channel_types() == ["eeg"] * 3
    np.testing.assert_array_equal(evoked.info["chs"][0]["loc"], info["chs"][info.ch_names.index("Cz")]["loc"])
    evoked.save(tmp_path / "course-ave.fif", verbose="error")
    found = ns.recordings.load_epochs(tmp_path / "course-ave.fif", picks="eeg")[0]
    np.testing.assert_allclose(found.transpose("time", "unit"), values, rtol=1e-5)
    np.testing.assert_allclose(found.time, TIME, atol=1e-6)
    assert found.unit.values.tolist() == names


def test_scores_are_a_channel_of_their_own():
    scores = xr.DataArray([0.1, np.nan, 0.3], dims="time", coords={"time": [0.0, 0.02, 0.04]}, attrs={"method": "corr"})
    evoked = ns.recordings.to_mne(scores)
    assert (evoked.ch_names, evoked.get_channel_types(), evoked.comment) == (["score"], ["misc"], "corr")
    assert evoked.info["sfreq"] == pytest.approx(50)
    np.testing.assert_array_equal(evoked.data[0], scores)
    fields = xr.DataArray(np.ones((2, 3)), dims=("unit", "time"), coords={"time": scores.time.values})
    assert ns.recordings.to_mne(fields.assign_attrs(quantity="magnetic_field")).get_channel_types() == ["mag", "mag"]


def test_sensors_form_clusters_with_those_beside_them(info):
    """A patch of sensors in another order than the matrix is one cluster; one far away is another."""
    beside = ns.recordings.sensor_neighbours(info, "eeg")
    assert not np.diagonal(beside).any()
    assert (beside.values == beside.values.T).all()
    patch = ["Fp1", *beside.unit[beside.sel(unit_other="Fp1").values].values.tolist()]
    far = next(n for n in info.ch_names if not beside.sel(unit=n, unit_other=patch).values.any() and n not in patch)
    order = info.ch_names[::-1]
    values = np.random.default_rng(1).normal(size=(8, 16)) * 0.2 + [n in (*patch, far) for n in order]
    scores = xr.DataArray(values, dims=("subject", "unit"), coords={"unit": order})
    found = ns.similarity.sign_flip_test(
        scores, method="cluster_mass", alternative="greater", adjacency={"unit": beside}, forming_p=0.001
    )
    labels = found.cluster_label.to_series()
    assert set(labels.index[labels == 1]) == set(patch)
    assert labels[far] == 2
    assert found.cluster_size.values.tolist() == [len(patch), 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda i: ns.recordings.to_mne(xr.DataArray(np.ones((2, 3)), dims=("model", "time"))), "values .time,. or"),
        (lambda i: ns.recordings.to_mne(xr.DataArray(np.ones(3), dims="time")), "2 times or more in s"),
        (lambda i: ns.recordings.to_mne(xr.DataArray(np.ones(3), {"time": [0, 1, 5.0]}, "time")), "s apart"),
        (lambda i: ns.recordings.to_mne(xr.DataArray(np.ones(3), {"time": [2.0, 1, 0]}, "time")), "does not rise"),
        (lambda i: ns.recordings.to_mne(xr.DataArray(np.ones(2), {"time": [0.0, 1]}, "time"), i), "no sensor 'score'"),
        (lambda i: ns.recordings.sensor_neighbours(i, "meg"), "picks = 'meg'; known"),
        (lambda i: ns.recordings.sensor_neighbours(i, "grad"), "'grad' sensors asked, found"),
        (lambda i: ns.recordings.sensor_neighbours(mne.create_info(3, 1.0, "eeg"), "eeg"), "set_montage"),
    ],
)
def test_what_mne_cannot_hold_is_refused(call, words, info):
    with pytest.raises(ns.InputError, match=words):
        call(info)
