"""Tables as programs of others write them, and events whose clock or labels are not those of the spikes."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim import storage
from neurosim.recordings import align_spikes, load_spikes
from neurosim.recordings.columns import coded, names
from neurosim.schema import InputError

LINES = [["unit", "time", "name"], ["1", "0.5", "größe"], ["2", "1.25", "x,y"]]


@pytest.mark.parametrize(
    ("ending", "between"),
    [
        (".csv", ","),
        (".CSV", ";"),
        (".csv", "\t"),
        (".tsv", "\t"),
        (".csv.gz", ";"),
        (".Csv.GZ", ","),
        (".Tsv.GZ", "\t"),
    ],
)
@pytest.mark.parametrize("letters", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_a_table_is_the_same_however_it_is_written(tmp_path, ending, letters, between):
    text = "\n".join(between.join(f'"{v}"' if "," in v else v for v in line) for line in LINES)
    text = text.replace("0.5", "0,5").replace("1.25", "1,25") if between == ";" else text
    path = tmp_path / f"x{ending}"
    content = text.encode(letters)
    path.write_bytes(gzip.compress(content) if ending.lower().endswith("gz") else content)
    found = storage.read_table(path)
    assert found["time"].tolist() == [0.5, 1.25]
    assert found["unit"].tolist() == [1, 2]
    assert found["name"].tolist() == ["größe", "x,y"]
    assert load_spikes(path)["time"].tolist() == [0.5, 1.25]


def test_words_between_semicolons_stay_words_and_names_as_written(tmp_path):
    (tmp_path / "x.csv").write_text('unit;time;note;"a,b,c"\n1,5;0,5;1,5 mm;7\n2;1;2;8\n')
    found = storage.read_table(tmp_path / "x.csv")
    assert found["unit"].tolist() == ["1,5", "2"]
    assert found["time"].tolist() == [0.5, 1.0]
    assert found["note"].tolist() == ["1,5 mm", "2"]
    assert found["a,b,c"].tolist() == [7, 8]


def test_bytes_are_no_text(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"unit,time\n1,\x00\xff\n")
    with pytest.raises(storage.StorageError, match="null characters"):
        storage.read_table(tmp_path / "x.csv")


SECONDS = np.arange(1.0, 9.0)
SPIKES = {"u": np.linspace(0.5, 10, 200), "v": np.linspace(0.1, 9.5, 77)}


def shown(times, by=None):
    return pd.DataFrame({"start_time": times, "orientation": np.tile([100, 10, 2, 45], 2) if by is None else by})


@pytest.mark.parametrize(
    "times",
    [
        pd.to_timedelta(SECONDS, unit="s"),
        pd.Series(pd.to_timedelta(SECONDS, unit="s")).astype(object),
        [t.to_pytimedelta() for t in pd.to_timedelta(SECONDS, unit="s")],
        (SECONDS * 1000).astype("timedelta64[ms]"),
    ],
)
def test_durations_are_seconds(times):
    assert align_spikes(SPIKES, shown(times), by="orientation").identical(
        align_spikes(SPIKES, shown(SECONDS), by="orientation")
    )


@pytest.mark.parametrize("start", [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01", tz="CET")])
@pytest.mark.parametrize("kind", ["its own", object])
def test_dates_are_refused_with_the_cure(start, kind):
    times = pd.Series(start + pd.to_timedelta(SECONDS, unit="s"))
    given = times if kind == "its own" else times.astype(object)
    with pytest.raises(InputError, match=r"are dates, held as .* s from the start of the session asked"):
        align_spikes(SPIKES, shown(given), by="orientation")
    since = (times - start) / np.timedelta64(1, "s")
    assert align_spikes(SPIKES, shown(since), by="orientation").sizes["stimulus"] == 4


@pytest.mark.parametrize("session", [None, (0.0, 10.0)])
def test_milliseconds_are_noticed(session):
    with pytest.raises(InputError, match=r"8 of 8 events lie .*outside .* first at 1000 s; in ms\? s asked: divide by"):
        align_spikes(SPIKES, shown(SECONDS * 1000), by="orientation", session=session)


def test_events_when_nothing_fired_are_those_that_the_session_says():
    early = {"u": np.array([0.1, 0.1])}
    times = np.array([0.0, 0.05, *range(1, 7)]) * 20
    with pytest.raises(InputError, match=r"6 of 8 events lie far outside the spikes .*where none fired, session= says"):
        align_spikes(early, shown(times), by="orientation")
    assert align_spikes(early, shown(times), by="orientation", session=(0, 121)).sum() == 2
    assert align_spikes(early, shown(times / 20), by="orientation").sum() == 4


def test_numbers_order_the_stimuli_and_label_them():
    found = align_spikes(SPIKES, shown(SECONDS), by="orientation")
    assert found["stimulus"].values.tolist() == ["2", "10", "45", "100"]
    assert found["orientation"].values.tolist() == [2, 10, 45, 100]
    assert found["onset"].sel(stimulus="100").values.tolist() == [1.0, 5.0]
    assert ns.responses.tuning_curve(found, by="orientation")["orientation"].values.tolist() == [2, 10, 45, 100]
    words = align_spikes(SPIKES, shown(SECONDS, [str(v) for v in [100, 10, 2, 45] * 2]), by="orientation")
    assert words["stimulus"].values.tolist() == ["10", "100", "2", "45"]
    assert "orientation" not in words.coords


@given(st.lists(st.one_of(st.integers(-50, 50), st.floats(-9, 9)), min_size=1, max_size=30), st.booleans())
@settings(max_examples=40, deadline=None)
def test_codes_are_those_of_the_names(ids, as_words):
    ids = [str(v) for v in ids] if as_words else [float(v) for v in ids]
    found, code, numbers = coded(ids, "here", "ids")
    assert found[code].tolist() == names(ids, "here", "ids").tolist() or numbers is not None
    if numbers is None:
        assert found.tolist() == sorted(set(ids))
    else:
        assert numbers.tolist() == sorted(set(ids))
        np.testing.assert_array_equal(numbers[code], ids)


def test_spikes_in_any_order_and_form_give_the_same_counts():
    rng = np.random.default_rng(1)
    unit, time = rng.integers(0, 300, 4000), rng.uniform(0, 10, 4000)
    trains = {str(k): time[unit == k] for k in range(300)}
    wanted = align_spikes(trains, shown(SECONDS), by="orientation", time_bin=0.1)
    for ids in (unit, unit.astype(str), pd.Categorical(unit)):
        found = align_spikes(pd.DataFrame({"unit": ids, "time": time}), shown(SECONDS), by="orientation", time_bin=0.1)
        assert found.sel(unit=wanted["unit"]).identical(wanted)


def test_a_table_of_units_with_other_names_is_refused():
    trains = {"3": [1.1], "5": [2.2], "9": [3.3, 8.9]}
    rows = pd.DataFrame({"area": list("abcd")})
    with pytest.raises(InputError, match=r"3 of 4 rows of units have no spikes \(0, 1, 2\) and 2 units with spikes no"):
        align_spikes(trains, shown(SECONDS), by="orientation", units=rows)
    with pytest.raises(InputError, match="2 of 3 rows of units have no spikes"):
        align_spikes(trains, shown(SECONDS), by="orientation", units=rows.iloc[:3].set_axis(["3", "x", "y"]))
    kept = align_spikes(trains, shown(SECONDS), by="orientation", units=rows.iloc[:2].set_axis(["9", "3"]))
    assert kept["area"].values.tolist() == ["a", "b"]


@pytest.mark.parametrize("first", [0.0, 1.0])
def test_spikes_in_milliseconds_are_noticed_where_none_falls_into_a_trial(first):
    """Those before the first trial may do; a session that is said makes silence an answer."""
    times = np.arange(1.0, 9.0)
    spikes = {"u": np.sort(np.concatenate([times + 0.1, times + 0.2])) * 1000 + 300}
    with pytest.raises(
        InputError, match=r"none of 16 spikes falls into any of 8 .* 1 to 8.5 s, .* in ms\? s asked: div"
    ):
        align_spikes(spikes, shown(times), by="orientation")
    with pytest.raises(InputError, match=r"none of 1 spikes .*; give both in s from the start of the session"):
        align_spikes({"u": [first + 0.7]}, shown(times), by="orientation")
    assert align_spikes(spikes, shown(times), by="orientation", session=(0, 9000)).sum() == 0


def test_few_spikes_in_trials_of_a_thousandth_of_their_span_are_logged(caplog):
    times = np.arange(1.0, 9.0)
    many = np.linspace(10, 8000, 500)
    assert align_spikes({"u": [1.1, *many]}, shown(times), by="orientation").sum() == 1
    assert "only 1 of 501 spikes fall into trials" in caplog.text and "are they in ms?" in caplog.text
    caplog.clear()
    align_spikes({"u": times + 0.1}, shown(times), by="orientation")
    assert not caplog.text
