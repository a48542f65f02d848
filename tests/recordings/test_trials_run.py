"""Which trials were run is said by a table, never guessed from spikes: silence is 0, what was not run is NaN."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosim.recordings import align_series, bin_spikes, load_responses
from neurosim.recordings.readers.spike_table import SpikeTableOptions
from neurosim.schema import InputError, as_trials

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


def test_trials_are_named_and_rows_without_a_name_are_refused(tmp_path):
    """Whole numbers that a missing row has made floats are the same names."""
    words = SPIKES.assign(trial=["r7", "r1", "r7"])
    assert bin_spikes(words, trials="all").trial.values.tolist() == ["r1", "r7"]
    assert bin_spikes(SPIKES, trials=RUN).trial.values.tolist() == [1, 2]
    for column in ("stimulus", "trial"):
        run = RUN.astype(object)
        run.loc[3, column] = None
        with pytest.raises(InputError, match=f"1 rows of the table of trials name no {column}"):
            bin_spikes(SPIKES, trials=run)
    numbered, run = (t.assign(stimulus=t.stimulus.map({"a": 7, "b": 8, "c": 9})) for t in (SPIKES, RUN))
    found = bin_spikes(numbered, trials=run.astype(float))
    assert found.stimulus.values.tolist() == ["7", "8", "9"]
    np.testing.assert_array_equal(found.values, bin_spikes(SPIKES, trials=RUN).values)
    SPIKES.to_csv(tmp_path / "s.csv", index=False)
    found = load_responses(tmp_path / "s.csv", options={"trials": "all"})
    xr.testing.assert_equal(found, bin_spikes(SPIKES, trials="all"))
    with pytest.raises(InputError, match=r"s\.csv: the option trials is the path of a file or .*goes to bin_spikes"):
        load_responses(tmp_path / "s.csv", options={"trials": RUN})


def test_observations_of_units_that_were_lost_are_missing_and_those_without_a_name_refused():
    found = as_trials([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]], ["a", "a", "b"])
    np.testing.assert_array_equal(found.values, [[[1, 2], [3, np.nan]], [[np.nan] * 2] * 2])
    assert found.measured.values.tolist() == [[True, True], [False, False]]
    for names, trials, what in ((["a", None, "b"], None, "stimulus"), ([1.0, 2.0, 3.0], [0, np.nan, 1], "trial")):
        with pytest.raises(InputError, match=f"1 of 3 observations name no {what}"):
            as_trials(np.ones((3, 1)), names, trials=trials)


def test_an_archive_says_what_was_measured_and_of_what_or_is_refused(tmp_path):
    """What is written beside the responses is read: missing trials are no zeros."""
    values = np.random.default_rng(0).poisson(2, (3, 4, 2))
    measured = np.arange(4) < np.array([[2], [4], [3]])
    dims = ["stimulus", "trial", "unit"]
    np.savez(tmp_path / "a.npz", responses=values, dims=dims, measured=measured, quantity="spike_count", units="spikes")
    found = load_responses(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.values, np.where(measured[..., None], values, np.nan))
    assert found.attrs["quantity"] == "spike_count" and found.attrs["units"] == "spikes"
    for strange, said in (({"angle": [1, 2, 3]}, "unknown arrays angle; known"), ({"units": "V"}, "activation is in")):
        np.savez(tmp_path / "b.npz", responses=values, dims=dims, **strange)
        with pytest.raises(InputError, match=said):
            load_responses(tmp_path / "b.npz")


def test_series_around_unequal_events_lack_what_was_not_shown():
    ramp = xr.DataArray(np.arange(100.0), dims="time", coords={"time": np.arange(100) * 0.01})
    shown = pd.DataFrame({"start_time": [0.1, 0.3, 0.5], "stimulus": list("aab")})
    found = align_series(ramp, shown, window=(0, 0.02))
    np.testing.assert_array_equal(found.values[..., 0], [[[10, 11], [30, 31]], [[50, 51], [np.nan] * 2]])
    np.testing.assert_array_equal(found.onset.values, [[0.1, 0.3], [0.5, np.nan]])
