"""Where spikes and samples lie in time: the clock starts at 0, windows stay inside the session, trials in order."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosim.recordings.events import align_series
from neurosim.recordings.spikes import align_spikes, bin_spikes
from neurosim.schema import InputError


def test_time_starts_at_zero_although_the_first_spike_comes_later():
    table = pd.DataFrame({"stimulus": ["a", "a"], "unit": ["u", "u"], "time": [0.025, 0.031]})
    found = bin_spikes(table, time_bin=0.01)
    np.testing.assert_allclose(found.time, [0.0, 0.01, 0.02, 0.03])
    assert found.values[0, :, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("window", "at"), [((-0.5, 0.5), 0.3), ((0.0, 0.5), 9.7)])
def test_windows_that_leave_the_session_at_either_end_are_refused(window, at):
    events = pd.DataFrame({"start_time": [at, 5.0], "stimulus": ["a", "b"]})
    with pytest.raises(InputError, match="1 of 2 events lie outside"):
        align_spikes({"u": [1.0, 6.0]}, events, window=window, session=(0.0, 10.0))


def test_trials_follow_time_whatever_the_order_of_the_table():
    events = pd.DataFrame({"start_time": [3.0, 2.0, 1.0], "stimulus": ["a", "a", "a"]})
    found = align_spikes({"u": [1.1, 2.1, 2.2, 3.1, 3.2, 3.3]}, events, window=(0, 0.5))
    assert found.values[0, :, 0].tolist() == [1, 2, 3]
    assert found.onset.values[0].tolist() == [1.0, 2.0, 3.0]


def test_a_series_that_starts_late_is_cut_at_its_own_times():
    clock = 100 + np.arange(50) * 0.01
    series = xr.DataArray(clock, dims="time", coords={"time": clock})
    events = pd.DataFrame({"start_time": [100.1, 100.3], "stimulus": ["a", "b"]})
    found = align_series(series, events, window=(-0.02, 0.02))
    np.testing.assert_allclose(
        found.values[..., 0].ravel(), [100.08, 100.09, 100.1, 100.11, 100.28, 100.29, 100.3, 100.31]
    )
