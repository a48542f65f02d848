"""Which trials were run is said by a table, never guessed from spikes: silence is 0, what was not run is NaN."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosim.recordings import align_series, bin_spikes, load_responses
from neurosim.recordings.readers.spike_table import SpikeTableOptions
from neurosim.schema import InputError

SPIKES = pd.DataFrame(
    {"stimulus": ["a", "a", "b"], "trial": [1, 2, 1], "unit": ["u", "u", "v"], "time": [0.1, 0.2, 0.3]}
)
RUN = pd.DataFrame({"stimulus": ["a", "a", "b", "c"], "trial": [1, 2, 1, 2]})


def test_a_trial_that_was_run_without_a_spike_is_silent_and_another_is_not_there():
    found = bin_spikes(SPIKES, trials=RUN).sel(unit="u")
    assert found.stimulus.values.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(found.values, [[1, 1], [0, np.nan], [np.nan, 0]])
    everywhere = bin_spikes(SPIKES, trials="all")
    assert int(everywhere.sum()) == 3 and not bool(everywhere.isnull().any())


def test_what_spikes_cannot_say_is_asked_for():
    with pytest.raises(InputError, match="1 trials of a stimulus have no spike, the first is trial 2 of 'b'"):
        bin_spikes(SPIKES)
    with pytest.raises(InputError, match="1 spikes are of trials that were not run"):
        bin_spikes(SPIKES, trials=RUN.iloc[1:])
    with pytest.raises(InputError, match="no column 'trial'"):
        bin_spikes(SPIKES.drop(columns="trial"), trials=RUN)
    with pytest.raises(InputError, match="columns stimulus and trial, found: stimulus"):
        bin_spikes(SPIKES, trials=RUN[["stimulus"]])
    with pytest.raises(InputError, match="or 'all', found 'some'"):
        bin_spikes(SPIKES, trials="some")


def test_a_file_of_spikes_takes_a_file_of_trials(tmp_path):
    SPIKES.to_csv(tmp_path / "spikes.csv", index=False)
    RUN.to_csv(tmp_path / "trials.csv", index=False)
    found = load_responses(tmp_path / "spikes.csv", options=SpikeTableOptions(trials=tmp_path / "trials.csv"))
    xr.testing.assert_equal(found, bin_spikes(SPIKES, trials=RUN))


def test_series_around_unequal_events_lack_what_was_not_shown():
    ramp = xr.DataArray(np.arange(100.0), dims="time", coords={"time": np.arange(100) * 0.01})
    shown = pd.DataFrame({"start_time": [0.1, 0.3, 0.5], "stimulus": list("aab")})
    found = align_series(ramp, shown, window=(0, 0.02))
    np.testing.assert_array_equal(found.values[..., 0], [[[10, 11], [30, 31]], [[50, 51], [np.nan] * 2]])
    np.testing.assert_array_equal(found.onset.values, [[0.1, 0.3], [0.5, np.nan]])
