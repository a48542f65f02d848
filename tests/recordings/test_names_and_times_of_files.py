"""Names, labels and times in files of recordings: read as they are written, or refused in one line."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.schema import InputError


def test_names_of_a_csv_are_read_as_they_are_written(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("stimulus,unit,time\n007,01,0.1\nNA,1,0.2\nnan,1.0,0.3\nNone,1e3,0.4\n010,1000,0.5\n")
    found = ns.load_responses(path)
    assert found["unit"].values.tolist() == ["01", "1", "1.0", "1000", "1e3"]
    assert found["stimulus"].values.tolist() == ["007", "010", "NA", "None", "nan"]
    assert found.values.sum() == 5


def test_plain_whole_numbers_stay_integers_and_nothing_is_missing(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("stimulus,unit,trial,time\n1,2,10,0.1\n1,10,2,0.2\n")
    assert storage.read_table(path)["unit"].tolist() == [2, 10]
    assert ns.load_responses(path)["unit"].values.tolist() == ["2", "10"]
    path.write_text("stimulus,unit,time\na,,0.1\na,1,0.2\n")
    with pytest.raises(InputError, match="1 spikes have no unit"):
        ns.load_responses(path)


def test_a_column_of_a_csv_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("stimulus,unit,time,time\na,1,0.1,0.9\n")
    with pytest.raises(InputError, match="'time' is there twice"):
        ns.load_responses(path)


@pytest.mark.parametrize("column", ["stimulus", "onset", "trial", "time"])
def test_a_column_of_the_units_never_renames_the_stimuli(column):
    events = pd.DataFrame({"start_time": [1.0, 2.0], "stimulus": ["a", "b"]})
    units = pd.DataFrame({column: ["grating", "dots"], "area": ["V1", "V2"]}, index=["u", "v"])
    found = ns.recordings.align_spikes({"u": [1.1], "v": [2.1, 2.2]}, events, units=units)
    assert found["stimulus"].values.tolist() == ["a", "b"]
    assert found["onset"].values.ravel().tolist() == [1.0, 2.0]
    assert found["area"].values.tolist() == ["V1", "V2"]


def test_a_label_of_the_units_of_a_series_never_renames_the_stimuli():
    events = pd.DataFrame({"start_time": [0.1, 0.5], "stimulus": ["a", "b"]})
    clock = np.arange(100) * 0.01
    series = xr.DataArray(np.ones((100, 2)), dims=("time", "unit"), coords={"time": clock, "onset": ("unit", [7, 8])})
    found = ns.recordings.align_series(series, events, window=(0, 0.03))
    assert found["onset"].values.ravel().tolist() == [0.1, 0.5]


@pytest.mark.parametrize("what", ["spikes", "series"])
def test_a_label_of_the_units_that_is_called_like_one_of_the_stimuli_stands_beside_it(what):
    events = pd.DataFrame({"start_time": [0.1, 0.5], "stimulus": ["a", "b"], "category": ["face", "house"]})
    if what == "spikes":
        units = pd.DataFrame({"category": ["good", "mua"]}, index=["u", "v"])
        found = ns.recordings.align_spikes({"u": [0.1], "v": [0.2]}, events, units=units)
    else:
        coords = {"time": np.arange(100) * 0.01, "category": ("unit", ["good", "mua"])}
        series = xr.DataArray(np.ones((100, 2)), dims=("time", "unit"), coords=coords)
        found = ns.recordings.align_series(series, events, window=(0, 0.03))
    assert found["category"].dims == ("stimulus",)
    assert found["category"].values.tolist() == ["face", "house"]
    assert found["unit_category"].values.tolist() == ["good", "mua"]


def test_bytes_are_read_as_text():
    events = pd.DataFrame({"start_time": [1.0, 2.0], "stimulus": [b"a", b"b"], "category": [b"x", b"y"]})
    units = pd.DataFrame({"area": [b"V1"]}, index=[b"u"])
    found = ns.recordings.align_spikes({b"u": [1.1]}, events, units=units)
    assert found["stimulus"].values.tolist() == ["a", "b"]
    assert found["unit"].values.tolist() == ["u"]
    assert (found["area"].item(), found["category"].values.tolist()) == ("V1", ["x", "y"])
    with pytest.raises(InputError, match="unit u is there as bytes and as str"):
        ns.recordings.align_spikes({b"u": [1.1], "u": [1.2]}, events)


def saved(path, time, attrs=None, about=None):
    array = xr.DataArray(np.ones((2, 3, 2)), dims=("stimulus", "time", "unit"), attrs=attrs or {}, name="values")
    array.assign_coords(time=("time", time, about or {})).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("lazy", [False, True])
def test_whole_numbers_of_time_are_refused_unless_the_file_says_seconds(tmp_path, lazy):
    with pytest.raises(InputError, match="counted in samples"):
        ns.load_responses(saved(tmp_path / "a.nc", np.array([0, 10, 20])), lazy=lazy)
    found = ns.load_responses(saved(tmp_path / "b.nc", np.array([0.0, 10.0, 20.0])), lazy=lazy)
    assert found.attrs["time_step"] == 10
    said = saved(tmp_path / "c.nc", np.array([0, 10, 20]), {"time_step": 10.0})
    assert ns.load_responses(said, lazy=lazy).attrs["time_step"] == 10
    said = saved(tmp_path / "d.nc", np.array([0, 10, 20]), about={"units": "s"})
    assert ns.load_responses(said, lazy=lazy).time.values.tolist() == [0, 10, 20]


@pytest.mark.parametrize("step", ["0.1 s", [0.1, 0.1], -0.1, np.nan])
def test_a_time_step_that_is_no_number_of_seconds_is_refused(tmp_path, step):
    with pytest.raises(InputError, match="time_step is one positive number of s"):
        ns.load_responses(saved(tmp_path / "a.nc", np.array([0.0, 0.1, 0.2]), {"time_step": step}))


def test_a_time_step_of_one_number_in_an_array_is_that_number(tmp_path):
    path = saved(tmp_path / "a.nc", np.array([0.0, 0.1, 0.2]), {"time_step": np.array([0.1])})
    assert ns.load_responses(path).attrs["time_step"] == 0.1


def test_a_time_step_that_times_contradict_is_written_to_no_nwb_file(tmp_path):
    responses = ns.as_responses(np.ones((2, 6, 2)), quantity="spike_count", time_step=0.1).isel(
        time=slice(None, None, 2)
    )
    with pytest.raises(InputError, match=r"save_nwb: the times are 0.2 to 0.2 s apart and time_step is 0.1 s"):
        ns.recordings.save_nwb(tmp_path / "x.nwb", responses, description="x")
    assert not list(tmp_path.iterdir())


def test_arrays_of_an_npz_label_the_responses_by_their_names(tmp_path):
    path, dims = tmp_path / "a.npz", np.array(["stimulus", "trial", "time", "unit"])
    labels = {"unit": np.array(["p", "q"]), "trial": np.array([5, 6]), "category": np.array([b"x", b"y", b"z"])}
    np.savez(path, responses=np.ones((3, 2, 4, 2)), dims=dims, time=np.arange(4) * 0.5, **labels)
    found = ns.load_responses(path)
    wanted = {"unit": ["p", "q"], "trial": [5, 6], "category": ["x", "y", "z"]}
    assert {k: found[k].values.tolist() for k in labels} == wanted
    assert found["time"].values.tolist() == [0, 0.5, 1, 1.5]
    assert found.attrs["time_step"] == 0.5


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"unit": np.array(["p", "q", "r"])}, "one value for each unit"),
        ({"trial": np.array([1, 2])}, "one value for each trial"),
        ({"stimulus": np.array([["a", "b", "c"]])}, "give a flat list"),
        ({"unit": np.array([["p", "q"]])}, "give a flat list"),
        ({"time": np.arange(3)}, "counted in samples"),
    ],
)
def test_arrays_of_an_npz_that_are_no_such_labels_are_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", responses=np.ones((3, 2)), **arrays)
    with pytest.raises(InputError, match=words):
        ns.load_responses(tmp_path / "a.npz")


def test_ids_of_an_npz_in_bytes_are_text(tmp_path):
    np.savez(tmp_path / "a.npz", responses=np.ones((2, 2)), stimulus=np.array([b"a", b"b"]))
    assert ns.load_responses(tmp_path / "a.npz")["stimulus"].values.tolist() == ["a", "b"]


def test_a_table_in_place_of_names_is_refused():
    table = pd.DataFrame({"one": ["x", "y"], "two": ["x", "y"]})
    for ask in (
        lambda: ns.as_stimuli(np.ones((2, 4)), ids=table),
        lambda: ns.as_responses(np.ones((2, 4)), stimuli=table),
    ):
        with pytest.raises(InputError, match="give one of its columns"):
            ask()
