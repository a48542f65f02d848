"""Objects of the real pynapple, in and out."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosim as ns
from neurosim.recordings.readers.pynapple import PYNAPPLE
from neurosim.recordings.sessions import SessionOptions
from neurosim.schema import InputError

nap = pytest.importorskip("pynapple", reason="pip install 'neurosim[pynapple]'")

RNG = np.random.default_rng(0)
TIMES = {3: np.sort(RNG.uniform(2, 58, 300)), 10: np.sort(RNG.uniform(2, 58, 200)), 7: np.empty(0)}
SESSION = nap.IntervalSet(1.0, 59.0)
EVENTS = pd.DataFrame({"start_time": 1.0 + np.arange(0, 58, 2.0), "stimulus": (list("abc") * 10)[:29]})
EVENTS["stop_time"] = EVENTS["start_time"] + 0.5


def group(**given):
    return nap.TsGroup(
        {k: nap.Ts(t, **given) for k, t in TIMES.items()}, metadata={"location": ["CA1", "CA3", "CA1"]}, **given
    )


def shown():
    return nap.IntervalSet(
        EVENTS["start_time"], EVENTS["stop_time"], metadata={"stimulus": EVENTS["stimulus"].to_numpy()}
    )


def test_a_group_and_intervals_are_what_a_mapping_and_a_table_are():
    found = ns.recordings.align_spikes(group(time_support=SESSION), shown(), time_bin=0.1)
    plain = {str(k): TIMES[k] for k in (3, 7, 10)}
    expected = ns.recordings.align_spikes(plain, EVENTS.drop(columns="stop_time"), time_bin=0.1)
    np.testing.assert_array_equal(found.values, expected.sel(unit=found.unit).values)
    assert found.unit.values.tolist() == ["3", "7", "10"]
    assert found.location.values.tolist() == list(group(time_support=SESSION).metadata["location"])


def test_a_trial_outside_the_support_that_was_given_is_not_measured():
    found = ns.recordings.align_spikes(group(time_support=SESSION), shown(), window=(-0.5, 0.5))
    first = found.onset.values == EVENTS["start_time"].min()
    assert (
        np.isnan(found.values[first]).all() and np.isfinite(found.values[~first & found.onset.notnull().values]).all()
    )


def test_a_support_that_pynapple_made_up_is_not_believed(caplog, tmp_path):
    """By default it begins and ends with spikes; both as an object and as a file."""
    made_up = nap.TsGroup({k: nap.Ts(TIMES[k]) for k in (3, 10)})
    edges = np.concatenate([TIMES[3], TIMES[10]])
    assert np.isin(made_up.time_support.values, edges).all()
    with caplog.at_level(logging.WARNING):
        found = ns.recordings.align_spikes(made_up, shown(), window=(-0.5, 0.5))
    assert not found.where(found.onset.notnull(), 0).isnull().any()
    assert "begins and ends with spikes" in caplog.text and "\n" not in caplog.records[0].getMessage()
    caplog.clear()
    made_up.save(str(tmp_path / "x.npz"))
    EVENTS.to_csv(tmp_path / "events.csv", index=False)
    options = SessionOptions(events=tmp_path / "events.csv", window=(-0.5, 0.5))
    with caplog.at_level(logging.WARNING):
        read = PYNAPPLE.responses(tmp_path / "x.npz", options)
    np.testing.assert_array_equal(read.values, found.values)
    assert "time_support" in caplog.text


@pytest.mark.parametrize("kind", ["Tsd", "TsdFrame", "TsdTensor"])
def test_series_are_cut_and_label_trials_as_labelled_arrays_do(kind):
    clock, values = np.arange(3000) * 0.02, RNG.normal(size=(3000, 2, 3))
    made = {
        "Tsd": lambda: (nap.Tsd(t=clock, d=values[:, 0, 0]), values[:, 0, :1], ["0"]),
        "TsdFrame": lambda: (
            nap.TsdFrame(t=clock, d=values[:, 0, :2], columns=["x", "y"], metadata={"side": ["l", "r"]}),
            values[:, 0, :2],
            ["x", "y"],
        ),
        "TsdTensor": lambda: (
            nap.TsdTensor(t=clock, d=values),
            values.reshape(3000, 6),
            [f"{a}_{b}" for a in range(2) for b in range(3)],
        ),
    }
    given, plain, names = made[kind]()
    series = xr.DataArray(plain, dims=("time", "unit"), coords={"time": clock, "unit": names})
    found = ns.recordings.align_series(given, shown(), window=(0, 0.4))
    expected = ns.recordings.align_series(series, EVENTS.drop(columns="stop_time"), window=(0, 0.4))
    np.testing.assert_array_equal(found.values, expected.values)
    if kind != "Tsd":
        assert found.unit.values.tolist() == names
    if kind == "TsdFrame":
        assert found.side.values.tolist() == ["l", "r"]
    if kind == "TsdTensor":
        assert found.place_1.values.tolist() == [0, 1, 2] * 2
    labelled = ns.recordings.label_trials(found, {"eye": given})
    first = "eye" if kind == "Tsd" else f"eye_{names[0]}"
    label = labelled[first].values[0, 0]
    onset = float(found.onset[0, 0])
    assert label == pytest.approx(plain[(clock >= onset - 1e-9) & (clock < onset + 0.25 - 1e-9), 0].mean())


def test_values_of_a_tsd_are_what_was_shown():
    angles = nap.Tsd(t=EVENTS["start_time"].to_numpy(), d=np.resize([10.0, 2.0, 100.0], 29))
    found = ns.recordings.align_spikes(group(time_support=SESSION), angles)
    assert found.stimulus.values.tolist() == ["2.0", "10.0", "100.0"]


def test_spikes_go_out_and_come_back():
    table = pd.DataFrame({"unit": np.repeat(["3", "10"], [300, 200]), "time": np.concatenate([TIMES[3], TIMES[10]])})
    units = pd.DataFrame({"location": ["CA1", "CA1", "CA3"]}, index=["3", "7", "10"])
    made = ns.recordings.to_pynapple(table, session=(1.0, 59.0), units=units)
    assert list(made) == [3, 7, 10] and made.metadata["location"].tolist() == ["CA1", "CA1", "CA3"]
    np.testing.assert_array_equal(made.time_support.values, [[1.0, 59.0]])
    for k in (3, 7, 10):
        np.testing.assert_array_equal(made[k].t, TIMES[k])
    events = ns.recordings.to_pynapple(EVENTS)
    np.testing.assert_array_equal(events.values, EVENTS[["start_time", "stop_time"]])
    xr.testing.assert_identical(
        ns.recordings.align_spikes(made, events), ns.recordings.align_spikes(group(time_support=SESSION), shown())
    )


def test_series_go_out_with_their_labels():
    series = xr.DataArray(
        RNG.normal(size=(50, 2)),
        dims=("time", "unit"),
        coords={"time": np.arange(50) * 0.1, "unit": ["x", "y"], "side": ("unit", ["l", "r"])},
    )
    made = ns.recordings.to_pynapple(series, session=(0.0, 5.0))
    np.testing.assert_array_equal(made.d, series.values)
    assert list(made.columns) == ["x", "y"] and made.metadata["side"].tolist() == ["l", "r"]
    assert made.time_support.values.tolist() == [[0.0, 5.0]]
    alone = ns.recordings.to_pynapple(series.isel(unit=0, drop=True))
    assert type(alone).__name__ == "Tsd" and np.array_equal(alone.t, series.time)


SPIKES = pd.DataFrame({"unit": ["u", "v"], "time": [0.5, 1.5]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ns.recordings.to_pynapple(SPIKES), "session="),
        (lambda: ns.recordings.to_pynapple(SPIKES, session=(0, 1)), "1 spikes lie outside"),
        (
            lambda: ns.recordings.to_pynapple(SPIKES, session=(0, 2), units=pd.DataFrame(index=["u"])),
            "1 units spike and are not in units, the first is v",
        ),
        (lambda: ns.recordings.to_pynapple(EVENTS.assign(stop_time=EVENTS["start_time"] + 3)), "overlap"),
        (lambda: ns.recordings.to_pynapple(ns.as_responses(np.ones((2, 3)))), r"a series \(time\[, unit\]\)"),
        (lambda: ns.recordings.align_series(group(time_support=SESSION), shown()), "a TsGroup of pynapple holds no"),
        (lambda: ns.recordings.align_spikes(nap.Ts(TIMES[3]), shown()), "Ts"),
        (lambda: ns.recordings.align_spikes(group(time_support=SESSION), nap.Ts(TIMES[3])), "does not say what was"),
        (
            lambda: ns.recordings.align_spikes(group(time_support=SESSION), nap.IntervalSet([1, 3], [2, 4])),
            "no column 'stimulus' of events. Columns: start_time, stop_time",
        ),
    ],
)
def test_what_is_neither_is_refused(call, words):
    with pytest.raises(InputError, match=words) as refused:
        call()
    assert "\n" not in str(refused.value)


FEW = pd.DataFrame({"unit": ["u", "u", "v"], "time": [0.1, 0.7, 0.4]})
RISING = xr.DataArray(np.arange(5.0), dims="time", coords={"time": np.arange(5) * 0.1})


@pytest.mark.parametrize(
    ("thing", "how", "said"),
    [
        (RISING[::-1], {}, "times of the series do not rise"),
        (RISING, {"units": pd.DataFrame(index=["u"])}, "units= are read with spikes"),
        (pd.DataFrame({"start_time": [0.0], "stop_time": [1.0]}), {"session": (0, 1)}, "are read with spikes"),
        (FEW.assign(unit=["u", None, "v"]), {"session": (0, 1)}, "1 spikes have no unit; drop those rows"),
        (
            FEW,
            {"session": (0, 1), "units": pd.DataFrame({"d": [1, 2, 3]}, index=["u", "v", "u"])},
            "every unit once",
        ),
    ],
)
def test_what_would_come_out_wrong_is_refused(thing, how, said):
    with pytest.raises(InputError, match=said):
        ns.recordings.to_pynapple(thing, **how)


def test_labels_of_units_that_are_called_unit_are_kept_beside_the_names():
    said = {"unit": ["good", "mua", "good"], "unit_unit": [1, 2, 3]}
    named = nap.TsGroup({k: nap.Ts(t) for k, t in TIMES.items()}, time_support=SESSION, metadata=said)
    found = ns.recordings.align_spikes(named, EVENTS, time_bin=0.1)
    assert found.unit.values.tolist() == ["3", "7", "10"]
    assert found["unit_unit_unit"].values.tolist() == named.metadata["unit"].tolist()
    frame = nap.TsdFrame(
        t=np.arange(600) * 0.1, d=RNG.normal(size=(600, 2)), columns=["x", "y"], metadata={"unit": ["a", "b"]}
    )
    series = ns.recordings.align_series(frame, EVENTS, window=(0.0, 0.5))
    assert series.unit.values.tolist() == ["x", "y"] and series["unit_unit"].values.tolist() == ["a", "b"]


def test_a_file_of_a_series_with_named_columns_is_refused_for_what_it_is(tmp_path):
    frame = nap.TsdFrame(t=np.arange(5) * 0.1, d=RNG.normal(size=(5, 2)), columns=["x", "y"])
    frame.save(tmp_path / "series.npz")
    EVENTS.to_csv(tmp_path / "events.csv")
    with pytest.raises(InputError, match="found a TsdFrame") as error:
        PYNAPPLE.responses(tmp_path / "series.npz", SessionOptions(events=tmp_path / "events.csv"))
    assert "\n" not in str(error.value)
