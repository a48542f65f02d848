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
    with pytest.raises(InputError, match=r"bin_spikes: a pandas DataFrame with the columns .* found a numpy ndarray"):
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


def of_clock(clock, n, start=0.0):
    """A series whose values are the times of its samples."""
    times = start + np.arange(n) / float(clock)
    return xr.DataArray(times, dims="time", coords={"time": times})


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
@pytest.mark.parametrize("onsets", [(0.25, 0.75), (0.2503217, 0.7501234), (0.3000004,)])
def test_the_time_of_a_series_is_that_of_the_samples_that_were_taken(clock, onsets):
    step, start = 1 / float(clock), 0.123
    series = of_clock(clock, int(1.5 * float(clock)), start)
    events = pd.DataFrame({"start_time": onsets, "stimulus": "s"})
    found = align_series(series, events, window=(-4 * step, 6 * step))
    assert found.shape == (1, len(onsets), 10, 1)
    for trial, onset in enumerate(onsets):
        taken = found.values[0, trial, :, 0]
        begin = float(found.first_sample[0, trial])
        np.testing.assert_allclose(onset + begin + np.arange(10) * step, taken, atol=1e-11)
        nearest = series.values[np.abs(series.values - (onset - 4 * step)).argmin()]
        assert abs(taken[0] - onset + 4 * step) <= abs(nearest - onset + 4 * step) + 1e-9
    sampled = (found.values - found.onset.values[..., None, None])[..., 0].mean((0, 1))
    np.testing.assert_allclose(found.time, sampled, atol=1e-9)


@pytest.mark.parametrize(("onset", "first"), [(0.1, 0.1), (0.1004, 0.1), (0.1005, 0.1), (0.1006, 0.101), (0.3, 0.3)])
def test_the_sample_nearest_to_an_event_is_the_first(onset, first):
    events = pd.DataFrame({"start_time": [onset], "stimulus": ["s"]})
    found = align_series(of_clock(1000, 500), events, window=(0, 0.005))
    assert found.values[0, 0, 0, 0] == pytest.approx(first, abs=1e-12)
    assert found.time.values.tolist() == pytest.approx(first - onset + np.arange(5) * 0.001, abs=1e-9)
    assert (float(found.time[0]) == 0.0) == (abs(first - onset) < 1e-9)


def test_a_clock_that_drifts_is_followed_sample_by_sample():
    times = np.cumsum(np.where(np.arange(40000) < 20000, 0.9995e-3, 1.0005e-3))
    series = xr.DataArray(times, dims="time", coords={"time": times})
    onsets = [5.0, 20.0, 33.3]
    events = pd.DataFrame({"start_time": onsets, "stimulus": "s"})
    found = align_series(series, events, window=(0, 0.01))
    for trial, onset in enumerate(onsets):
        assert found.values[0, trial, 0, 0] == times[np.abs(times - onset).argmin()]


def test_windows_at_both_ends_of_a_series_are_whole():
    series = of_clock(1000, 100)
    for onset, first in ((0.0, 0.0), (0.09, 0.09)):
        events = pd.DataFrame({"start_time": [onset], "stimulus": ["s"]})
        assert align_series(series, events, window=(0, 0.01)).values[0, 0, 0, 0] == pytest.approx(first)
    for onset in (-0.0011, 0.0911):
        with pytest.raises(InputError, match="1 of 1 events lie outside the recording"):
            align_series(series, pd.DataFrame({"start_time": [onset], "stimulus": ["s"]}), window=(0, 0.01))


@pytest.mark.parametrize(
    ("series", "words"),
    [
        (np.zeros((5, 2)), "a DataArray .* asked, found ndarray"),
        (xr.DataArray(np.zeros(5), dims="time"), "no 'time' coordinate"),
        (xr.DataArray(np.zeros(5), dims="time", coords={"time": ("time", np.arange(5.0), {"units": "ms"})}), "in 'ms'"),
        (xr.DataArray(np.zeros((5, 2)), dims=("time", "y"), coords={"time": np.arange(5.0)}), "asked, found {'time'"),
        (xr.DataArray(np.zeros(5), dims="time", coords={"time": pd.date_range("2020", periods=5)}), "datetime64"),
        (xr.DataArray(np.zeros(5), dims="time", coords={"time": np.arange(5)[::-1] * 1.0}), "not evenly spaced"),
        (xr.DataArray([0.0], dims="time", coords={"time": [0.0]}), "2 samples or more"),
    ],
)
def test_series_without_their_time_in_seconds_are_refused(series, words):
    with pytest.raises(InputError, match=words):
        align_series(series, pd.DataFrame({"start_time": [1.0], "stimulus": ["s"]}), window=(0, 2.0))


@pytest.mark.parametrize("kind", ["ms", "timedelta", "quantities", "neo", "brian2"])
def test_times_with_a_unit_are_converted_to_seconds(kind):
    pq, neo = pytest.importorskip("quantities"), pytest.importorskip("neo")
    brian2 = pytest.importorskip("brian2")
    in_ms = [1100.0, 1300.0, 1200.0]
    times = {
        "ms": pq.Quantity(in_ms, "ms"),
        "timedelta": np.array(in_ms, int).astype("timedelta64[ms]"),
        "quantities": pq.Quantity(np.array(in_ms) / 1000, "s"),
        "neo": neo.SpikeTrain(in_ms * pq.ms, t_stop=9 * pq.s),
        "brian2": np.array(in_ms) * brian2.ms,
    }[kind]
    events = pd.DataFrame({"start_time": [1.0], "stimulus": ["s"]})
    found = align_spikes({"u": times}, events, window=(0, 0.4), time_bin=0.1)
    assert found.values[0, 0, :, 0].tolist() == [0, 1, 1, 1]
    delta = events.assign(start_time=pd.to_timedelta([1000], unit="ms"))
    assert align_spikes({"u": times}, delta, window=(0, 0.4)).values.tolist() == [[[3.0]]]


def test_spikes_of_a_brian2_monitor_are_aligned():
    brian2 = pytest.importorskip("brian2")
    brian2.start_scope()
    brian2.prefs.codegen.target = "numpy"
    source = brian2.SpikeGeneratorGroup(3, [0, 2, 0], [5, 1, 2] * brian2.ms, dt=0.1 * brian2.ms)
    monitor = brian2.SpikeMonitor(source)
    brian2.Network(source, monitor).run(10 * brian2.ms)
    events = pd.DataFrame({"start_time": [0.001], "stimulus": ["s"]})
    found = align_spikes(monitor.spike_trains(), events, window=(0, 0.005), time_bin=0.001)
    assert found.unit.values.tolist() == ["0", "1", "2"]
    assert found.values[0, 0].T.tolist() == [[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
    for ask in (lambda: align_spikes(monitor, events), lambda: bin_spikes(monitor, time_bin=0.001)):
        with pytest.raises(InputError, match=r"spike_trains\(\)|found a brian2 SpikeMonitor"):
            ask()


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (np.array([30000, 45000]), "counted in samples"),
        (np.array([True, False]), "held as bool"),
        (np.array([1 + 1j]), "held as complex"),
        (pd.date_range("2020", periods=2), "held as datetime64"),
        (["a", "b"], "not numbers"),
        (np.ma.array([0.1, 0.2], mask=[False, True]), "1 spike times of unit u are masked"),
        (np.array([[0.1], [0.2]]), "one dimension"),
        (0.5, "one dimension"),
        (None, "not numbers|NaN"),
        ([0.1, np.inf], "1 of 2 spike times of unit u are NaN or infinite"),
    ],
)
def test_times_that_are_not_certainly_seconds_are_refused(times, words):
    with pytest.raises(InputError, match=words):
        align_spikes({"u": times}, pd.DataFrame({"start_time": [0.0], "stimulus": ["s"]}))


def test_volts_are_no_times():
    pq, brian2 = pytest.importorskip("quantities"), pytest.importorskip("brian2")
    events = pd.DataFrame({"start_time": [0.0], "stimulus": ["s"]})
    for times in (pq.Quantity([1.0], "mV"), [1.0] * brian2.mV):
        with pytest.raises(InputError, match=r"cannot be given in s|s asked"):
            align_spikes({"u": times}, events)


def test_names_of_several_types_stay_apart_or_are_refused():
    events = pd.DataFrame({"start_time": [0.0, 1.0], "stimulus": [1, "a"]})
    found = align_spikes({1: [0.1], "a": [0.2, 1.1], 2.5: [0.3]}, events)
    assert found.sel(stimulus="1", trial=0).to_series().to_dict() == {"1": 1, "a": 1, "2.5": 1}
    table = pd.DataFrame({"unit": [1, "a", 2, 1], "time": [0.1, 1.1, 0.3, 0.2], "stimulus": [1, "b", 1, 1]})
    by_table = align_spikes(table, events)
    assert by_table.sel(stimulus="1", trial=0).to_series().to_dict() == {"1": 2, "2": 1, "a": 0}
    counts = bin_spikes(table)
    assert counts.to_series().to_dict() == {
        ("1", "1"): 2, ("1", "2"): 1, ("1", "a"): 0, ("b", "1"): 0, ("b", "2"): 0, ("b", "a"): 1
    }  # fmt: skip
    alike = table.assign(unit=[1, "1", 2, 1])
    for ask in (
        lambda: align_spikes({1: [0.1], "1": [0.2]}, events),
        lambda: align_spikes(alike, events),
        lambda: bin_spikes(alike),
    ):
        with pytest.raises(InputError, match="unit 1 is there as int and as str; give all ids as one type"):
            ask()
    with pytest.raises(InputError, match="stimulus 1 is there as int and as str"):
        align_spikes({"u": [0.1]}, events.assign(stimulus=[1, "1"]))


def test_trials_without_a_number_are_refused_and_numbers_may_be_names():
    table = pd.DataFrame({"stimulus": "a", "unit": "u", "time": [0.1, 0.2, 0.3], "trial": [0, 1, np.nan]})
    with pytest.raises(InputError, match="1 spikes have no trial"):
        bin_spikes(table)
    named = bin_spikes(table.assign(trial=["t1", 2, "t1"]))
    assert named.values[0, :, 0].tolist() == [1, 2]


def test_units_of_the_table_are_those_of_the_spikes():
    events = pd.DataFrame({"start_time": [0.0], "stimulus": ["s"]})
    spikes = {"a": [0.1], "b": [0.2, 0.3], "c": [0.4]}
    kept = pd.DataFrame({"area": ["V4", "V1"]}, index=["b", "silent"])
    found = align_spikes(spikes, events, units=kept)
    assert found.values[0, 0].tolist() == [2, 0]
    assert found.area.values.tolist() == ["V4", "V1"]
    with pytest.raises(InputError, match="none is in both"):
        align_spikes(spikes, events, units=kept.reset_index(drop=True))
    with pytest.raises(InputError, match="index of units names every unit once"):
        align_spikes(spikes, events, units=pd.DataFrame({"unit": ["a", "b"]}))
    with pytest.raises(InputError, match="index of units names every unit once"):
        align_spikes(spikes, events, units=pd.DataFrame({"area": ["x", "y"]}, index=["a", "a"]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"window": None}, "a window .* asked"),
        ({"window": (0, "b")}, "a window .* asked"),
        ({"window": (0, 1, 2)}, "a window .* asked"),
        ({"window": (-np.inf, 1.0)}, "a window .* asked"),
        ({"window": (0.0, np.nan)}, "a window .* asked"),
        ({"time_bin": "wide"}, "a time_bin of at least"),
        ({"session": (0.0,)}, "a window .* asked"),
        ({"by": "stimulos"}, "Did you mean 'stimulus'"),
        ({"by": ["stimulus"]}, "no column"),
        ({"units": ["u"]}, "a pandas DataFrame .* asked, found a list"),
    ],
)
def test_options_that_mean_nothing_are_refused_in_one_line(given, words):
    events = pd.DataFrame({"start_time": [0.0], "stimulus": ["s"]})
    with pytest.raises(InputError, match=words) as caught:
        align_spikes({"u": [0.1]}, events, **given)
    assert "\n" not in str(caught.value)


def test_events_and_spikes_on_the_borders_of_a_session_are_inside():
    events = pd.DataFrame({"start_time": [0.3, 0.8], "stimulus": "s"})
    found = align_spikes({"u": [0.2, 0.9]}, events, window=(-0.1, 0.1), session=(0.2, 0.8 + 0.1))
    assert found.values.ravel().tolist() == [1, 0]
    with pytest.raises(InputError, match="1 of 2 events lie outside"):
        align_spikes({"u": [0.3]}, events, window=(-0.1, 0.2), session=(0.2, 0.9))
    with pytest.raises(InputError, match="1 of 2 events lie outside"):
        align_spikes({"u": [0.3]}, events, window=(-0.2, 0.1), session=(0.2, 0.9))


def test_spikes_on_the_edges_of_a_window_and_of_its_bins():
    """The first edge is inside, the last is not; a spike on an inner edge belongs to the bin that starts there."""
    events = pd.DataFrame({"start_time": [10.0, 20.0, 30.1], "stimulus": "s"})
    spikes = [o + e for o in (10.0, 20.0, 30.1) for e in (-0.1, 0.0, 0.1, 0.2)]
    found = align_spikes({"u": spikes[::-1]}, events, window=(-0.1, 0.2), time_bin=0.1)
    assert found.values[0, :, :, 0].tolist() == [[1, 1, 1]] * 3
    np.testing.assert_allclose(found.time, [-0.1, 0.0, 0.1], atol=1e-12)
    assert found.onset.values.tolist() == [[10.0, 20.0, 30.1]]


def test_a_spike_belongs_to_every_window_that_holds_it():
    """Windows of neighbouring presentations overlap; each counts its own spikes and no other trial's."""
    events = pd.DataFrame({"start_time": [1.0, 1.3, 5.0], "stimulus": ["a", "b", "a"]})
    found = align_spikes({"u": [1.35, 1.45, 5.05, 9.0]}, events, window=(0.0, 0.4), time_bin=0.1, balance=True)
    assert found.sel(stimulus="a").values[0, :, 0].tolist() == [0, 0, 0, 1]
    assert found.sel(stimulus="b").values[0, :, 0].tolist() == [1, 1, 0, 0]


def test_bins_begin_at_the_onset_also_when_the_first_spike_comes_late():
    table = pd.DataFrame({"stimulus": ["a", "a", "b"], "unit": "u", "time": [0.55, 0.58, 0.31]})
    counts = bin_spikes(table, time_bin=0.1)
    np.testing.assert_allclose(counts.time, np.arange(6) / 10, atol=1e-12)
    assert counts.values[..., 0].tolist() == [[0, 0, 0, 0, 0, 2], [0, 0, 0, 1, 0, 0]]


def test_windows_in_which_a_clock_drifts_by_samples_are_refused():
    times = np.cumsum(np.where(np.arange(4000) < 2000, 0.9985e-3, 1.0015e-3))
    series = xr.DataArray(times, dims="time", coords={"time": times})
    events = pd.DataFrame({"start_time": [0.5], "stimulus": ["s"]})
    assert align_series(series, events, window=(0, 0.2)).sizes["time"] == 200
    with pytest.raises(InputError, match="drifts within a window"):
        align_series(series, events, window=(0, 1.0))


def test_balanced_trials_are_the_first_in_time():
    events = pd.DataFrame({"start_time": [3.0, 1.0, 2.0, 4.0], "stimulus": ["a", "a", "b", "a"]})
    found = align_spikes({"u": [1.1, 3.1, 3.2, 4.1]}, events, balance=True)
    assert found.onset.values.tolist() == [[1.0], [2.0]]
    assert found.values[..., 0].tolist() == [[1], [0]]
    whole = align_spikes({"u": [1.1, 3.1, 3.2, 4.1]}, events[events.stimulus == "a"])
    assert whole.onset.values.tolist() == [[1.0, 3.0, 4.0]]
    assert whole.values[..., 0].tolist() == [[1, 2, 1]]


def test_spikes_before_and_after_a_session_are_refused():
    events = pd.DataFrame({"start_time": [0.5], "stimulus": ["s"]})
    for spike in (-0.01, 1.01):
        with pytest.raises(InputError, match="1 spikes lie outside the recording"):
            align_spikes({"u": [0.6, spike]}, events, window=(0, 0.2), session=(0.0, 1.0))
