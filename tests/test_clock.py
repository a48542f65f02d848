"""Bins against exact arithmetic: a spike of sample n of a clock lies in the bin that fractions say."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosim.clock import bin_index, n_before, whole_number
from neurosim.recordings.events import align_series
from neurosim.recordings.spikes import align_spikes, bin_spikes
from neurosim.responses.averages import rebin
from neurosim.schema import InputError, as_responses

CLOCKS = [Fraction(r) for r in (1000, 10000, 20000, "24414.0625", 25000, 30000, 40000)]


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("ticks", [1, 7, 50])
@pytest.mark.parametrize("start", [0, 1000, 86400])
def test_samples_of_a_clock_fall_into_the_bins_of_exact_arithmetic(clock, ticks, start):
    samples = int(start * clock) + np.arange(3000)
    times = samples / float(clock)
    assert bin_index(times, float(ticks / clock)).tolist() == (samples // ticks).tolist()
    assert bin_index(-times[1:], float(ticks / clock)).tolist() == (-samples[1:] // ticks).tolist()


def test_a_clock_of_a_millisecond_gives_one_spike_a_bin():
    table = pd.DataFrame({"stimulus": "a", "unit": "u", "time": np.arange(1000) / 1000})
    counts = bin_spikes(table, time_bin=0.001)
    assert counts.shape == (1, 1000, 1)
    assert (counts == 1).all()


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_spikes_around_events_fall_into_the_bins_of_exact_arithmetic(clock):
    onsets = [Fraction(10), Fraction(20), Fraction(301, 10)]
    samples = np.unique(np.concatenate([np.arange(int((o - 1) * clock), int((o + 3) * clock), 7) for o in onsets]))
    events = pd.DataFrame({"start_time": [float(o) for o in onsets], "stimulus": "s"})
    found = align_spikes({"u": samples / float(clock)}, events, window=(-0.5, 1.0), time_bin=0.001)
    width, first = Fraction(1, 1000), Fraction(-1, 2)
    for trial, onset in enumerate(onsets):
        bins = [((Fraction(int(n)) / clock - onset - first) // width) for n in samples]
        expected = np.bincount([b for b in bins if 0 <= b < 1500], minlength=1500)
        assert found.values[0, trial, :, 0].tolist() == expected.tolist()


def test_bins_before_zero_keep_an_edge_at_zero():
    table = pd.DataFrame({"stimulus": "a", "unit": "u", "time": [-0.015, -0.01, 0.0, 0.0199]})
    counts = bin_spikes(table, time_bin=0.01)
    np.testing.assert_allclose(counts.time, [-0.02, -0.01, 0.0, 0.01], atol=1e-12)
    assert counts.values[0, :, 0].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("window", [(0.5, 0.0), (0.2, 0.2), (0.0, 0.0105)])
def test_windows_that_hold_no_whole_bins_are_refused(window):
    events = pd.DataFrame({"start_time": [1.0], "stimulus": ["s"]})
    with pytest.raises(InputError, match="window of whole bins"):
        align_spikes({"u": [1.0]}, events, window=window, time_bin=0.001 if window[1] else None)


@pytest.mark.parametrize("time_bin", [0.0, -0.1, 1e-9, np.nan, np.inf])
def test_bins_narrower_than_any_clock_are_refused(time_bin):
    with pytest.raises(InputError, match="time_bin"):
        bin_spikes(pd.DataFrame({"stimulus": ["a"], "unit": ["u"], "time": [0.1]}), time_bin=time_bin)
    with pytest.raises(ValueError, match="bins of at least"):
        bin_index([0.1], time_bin)


def test_a_table_is_asked_by_name():
    with pytest.raises(InputError, match=r"bin_spikes: a pandas DataFrame with the columns .* found ndarray"):
        bin_spikes(np.zeros(3))


def test_whole_numbers_of_bins():
    assert [whole_number(0.3, 0.1), whole_number(1, 1 / 30000), whole_number(0.3, 0.07), whole_number(0, 1)] == [
        3,
        30000,
        None,
        None,
    ]
    assert n_before(np.array([0.1 + 0.2]), np.array([0.3, 0.31])).tolist() == [0, 1]


def test_rebinning_asks_for_whole_steps_also_when_steps_are_small():
    responses = as_responses(np.ones((2, 8, 1)), quantity="spike_count", time_step=1e-8)
    with pytest.raises(InputError, match="not a multiple"):
        rebin(responses, 1.5e-8)
    assert rebin(responses, 2e-8).sizes["time"] == 4


@pytest.mark.parametrize("times", [np.arange(1000, dtype=np.float32) / np.float32(1000), 1.7e9 + np.arange(3) / 1000])
def test_times_coarser_than_a_clock_are_refused(times):
    table = pd.DataFrame({"stimulus": "a", "unit": "u", "time": times})
    with pytest.raises(InputError, match="coarser than the clock"):
        bin_spikes(table, time_bin=0.001)
    events = pd.DataFrame({"start_time": [0.1], "stimulus": ["s"]})
    for spikes in (table, {"u": times}):
        with pytest.raises(InputError, match="coarser than the clock"):
            align_spikes(spikes, events, window=(0, 0.1))


def test_series_are_cut_in_whole_samples():
    ramp = xr.DataArray(np.arange(100.0), dims="time", coords={"time": np.arange(100) * 0.001})
    events = pd.DataFrame({"start_time": [0.01], "stimulus": ["s"]})
    assert align_series(ramp, events, window=(0, 0.01)).sizes["time"] == 10
    with pytest.raises(InputError, match="window of whole samples"):
        align_series(ramp, events, window=(0, 0.0105))
