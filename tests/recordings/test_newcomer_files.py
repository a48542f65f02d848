"""Files of recordings as a newcomer writes them: read right, or refused with one line."""

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
    assert ns.load_responses(path)["unit"].values.tolist() == ["10", "2"]
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
