"""What people bring on their first day: dialects of tables, MATLAB's habits, other units, old files."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import h5py
import mne
import numpy as np
import pandas as pd
import pynwb
import pytest
import scipy.io
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.recordings.readers.alf import ALF, ALFOptions
from neurosim.schema import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nstimulus;unit;time\na;1;0,5\nb;2;0,25\n",
        '"sep=,"\nstimulus,unit,time\na,1,0.5\nb,2,0.25\n',
        "stimulus, unit, time\na, 1, 0.5\nb, 2, 0.25\n",
        "sep=|\nstimulus|unit|time\na|1|0.5\nb|2|0.25\n",
    ],
)
@pytest.mark.parametrize("letters", ["utf-8", "utf-8-sig", "utf-16"])
def test_dialects_of_excel_are_one_table(tmp_path, text, letters):
    (tmp_path / "x.csv").write_bytes(text.encode(letters))
    found = ns.recordings.load_spikes(tmp_path / "x.csv")
    assert (
        found.stimulus.tolist() == ["a", "b"] and found.unit.tolist() == [1, 2] and found.time.tolist() == [0.5, 0.25]
    )


def test_letters_of_windows_are_read_as_windows_wrote_them(tmp_path):
    """The apostrophe, the dash and the euro of cp1252 are control characters of Latin-1."""
    words = ["mother\u2019s", "5\u20ac", "a\u2013b", "caf\u00e9"]
    text = "stimulus,unit,time\n" + "".join(f"{w},1,0.5\n" for w in words)
    (tmp_path / "x.csv").write_bytes(text.encode("cp1252"))
    assert sorted(ns.recordings.load_spikes(tmp_path / "x.csv").stimulus) == sorted(words)
    (tmp_path / "y.csv").write_bytes(text.encode("cp1252") + b"\x81,1,0.5\n")  # no letter of cp1252
    assert "caf\u00e9" in ns.recordings.load_spikes(tmp_path / "y.csv").stimulus.tolist()


def test_names_keep_their_spaces_where_the_head_has_none(tmp_path):
    (tmp_path / "x.csv").write_text("stimulus,unit,time\na, 1a,0.5\na,1a,0.25\n")
    assert sorted(ns.recordings.load_spikes(tmp_path / "x.csv").unit) == [" 1a", "1a"]


@pytest.mark.parametrize("trials", [False, True])
def test_numbers_of_spikes_are_in_their_order(trials):
    table = pd.DataFrame({"stimulus": [100, 2, 10], "unit": [10, 9, 100], "time": [0.1, 0.2, 0.3]})
    table = table.assign(trial=[1, 1, 1]) if trials else table
    found = ns.recordings.bin_spikes(table)
    assert found.stimulus.values.tolist() == ["2", "10", "100"] and found.unit.values.tolist() == ["9", "10", "100"]
    np.testing.assert_array_equal(found.values.reshape(3, 3), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    if trials:
        run = pd.DataFrame({"stimulus": [2, 10, 30, 100], "trial": 1})
        again = ns.recordings.bin_spikes(table, trials=run)
        assert again.stimulus.values.tolist() == ["2", "10", "30", "100"]
        np.testing.assert_array_equal(again.sel(stimulus=["2", "10", "100"]).values, found.values)
        assert again.sel(stimulus="30").values.sum() == 0
        with pytest.raises(InputError, match="1 spikes are of trials that were not run"):
            ns.recordings.bin_spikes(table, trials=run[run.stimulus != 10])


def test_a_neuron_alone_and_numbers_of_matlab(tmp_path):
    names = np.array([2.0, 10.0, 100.0])
    values = RNG.normal(size=(3, 4, 5, 1))
    dims = np.array(["stimulus", "trial", "time", "unit"], dtype=object)
    scipy.io.savemat(tmp_path / "a.mat", {"responses": values, "dims": dims, "stimulus": names, "time_step": 0.1})
    found = ns.load_responses(tmp_path / "a.mat")
    assert found.dims == tuple(dims) and found.stimulus.values.tolist() == ["2", "10", "100"]
    np.testing.assert_array_equal(found.values, values)
    scipy.io.savemat(tmp_path / "b.mat", {"responses": values[:, 0, 0], "stimulus": names})
    assert ns.load_responses(tmp_path / "b.mat").shape == (3, 1)
    scipy.io.savemat(tmp_path / "c.mat", {"responses": values[:, 0, 0].T, "unit": names})
    assert dict(ns.load_responses(tmp_path / "c.mat").sizes) == {"stimulus": 1, "unit": 3}
    scipy.io.savemat(tmp_path / "d.mat", {"responses": values[:, :1], "dims": dims, "stimulus": names, "trial": 7.0})
    with pytest.raises(InputError, match="MATLAB drops dims of one element"):
        ns.load_responses(tmp_path / "d.mat")
    everything = {"responses": values[:, :1], "dims": dims, "stimulus": names, "trial": 7.0, "unit": 3.0}
    scipy.io.savemat(tmp_path / "e.mat", everything | {"time_step": 0.1})
    found = ns.load_responses(tmp_path / "e.mat")
    assert found.shape == (3, 1, 5, 1) and found.unit.values.tolist() == ["3"] and found.trial.values.tolist() == [7]


def test_netcdf_of_version_3_is_refused_by_its_name(tmp_path):
    xr.Dataset({"responses": (("stimulus", "unit"), np.ones((2, 3)))}).to_netcdf(tmp_path / "x.nc", engine="scipy")
    for call in (ns.load_responses, storage.open_dataset, ns.recordings.load_sweeps):
        with pytest.raises(InputError, match=r"netCDF-3, and netCDF-4 is read; write it anew: xr\.load_dataset"):
            call(tmp_path / "x.nc")


def test_times_of_pandas_go_to_mne_in_s():
    clock = pd.to_timedelta([-100, 0, 100, 200], unit="ms")
    found = ns.recordings.to_mne(xr.DataArray(np.ones(4), dims="time", coords={"time": clock}))
    np.testing.assert_allclose(found.times, [-0.1, 0, 0.1, 0.2])


def test_one_sensor_has_no_neighbour():
    montage = mne.channels.make_standard_montage("biosemi16")
    info = mne.create_info(["Cz"], 100.0, "eeg", verbose="error").set_montage(montage)
    with pytest.raises(InputError, match="2 'eeg' sensors or more asked, found 1"):
        ns.recordings.sensor_neighbours(info, "eeg")


@pytest.mark.parametrize(
    "call",
    [
        ns.similarity.searchlights,
        ns.similarity.neighbours,
        lambda places, r: ns.similarity.surface_searchlights(places, np.array([[0, 1, 2]]), r),
    ],
)
def test_a_radius_in_mm_of_places_in_m_is_caught(call):
    places = RNG.uniform(-0.09, 0.09, size=(30, 3))
    call(places, 0.02)
    with pytest.raises(InputError, match=r"radius = 8 is larger than the extent of all places, 0\.2"):
        call(places, 8.0)


def test_alf_says_which_trials_are_left_out(tmp_path, caplog):
    options = ALF.example(tmp_path / "s")
    np.save(tmp_path / "s" / "_ibl_trials.contrastLeft.npy", np.array([0.25, np.nan]))
    with caplog.at_level(logging.WARNING):
        found = ALF.responses(tmp_path / "s", ALFOptions(by="contrastLeft", window=options.window))
    assert found.sizes["stimulus"] == 1 and "1 of 2 trials have no contrastLeft or stimOn_times" in caplog.text


def test_a_bias_current_is_a_label_of_the_sweeps(tmp_path, caplog):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    file = pynwb.NWBFile("a", "b", datetime(2020, 1, 1, tzinfo=UTC))
    amplifier = file.create_device("amplifier")
    electrode = file.create_icephys_electrode(name="e", description="e", device=amplifier)
    for k, bias in enumerate([-20e-12, np.nan]):
        given = {"electrode": electrode, "gain": 1.0, "rate": 1e4, "sweep_number": k}
        file.add_acquisition(
            pynwb.icephys.CurrentClampSeries(name=f"v{k}", data=np.full(50, -0.07), bias_current=bias, **given)
        )
        file.add_stimulus(pynwb.icephys.CurrentClampStimulusSeries(name=f"i{k}", data=np.zeros(50), **given))
    with pynwb.NWBHDF5IO(str(tmp_path / "x.nwb"), "w") as io:
        io.write(file)
    with caplog.at_level(logging.WARNING):
        found = ns.recordings.load_sweeps(tmp_path / "x.nwb")["sweeps"]
    np.testing.assert_array_equal(found.bias_current.values, [-20e-12, np.nan])
    assert float(found.current.max()) == 0.0 and "bias current" in caplog.text
    with h5py.File(tmp_path / "x.nwb", "a") as held:
        for k in range(2):
            del held[f"acquisition/v{k}/bias_current"]
    assert "bias_current" not in ns.recordings.load_sweeps(tmp_path / "x.nwb")["sweeps"].coords


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ({"": "speed"}, "a label is a word, found ''"),
        ({3: "speed"}, "a label is a word, found 3"),
        ({"running": "ms"}, "a sample every 10 s, far more than the window"),
        ({"running": "words"}, "a series of real numbers, found dtype <U1"),
        ({"running": "complex"}, "a series of real numbers, found dtype complex128"),
    ],
)
def test_series_that_are_no_labels_are_refused(series, said):
    events = pd.DataFrame({"start_time": [100.0, 110.0, 120.0], "stimulus": ["a", "b", "a"]})
    responses = ns.recordings.align_spikes({"u": [100.1, 110.1]}, events)
    clock = np.arange(1000) * 0.1 + 90
    kinds = {
        "speed": xr.DataArray(np.ones(1000), dims="time", coords={"time": clock}),
        "ms": xr.DataArray(np.ones(16001), dims="time", coords={"time": np.arange(16001) * 10.0}),
        "words": xr.DataArray(np.full(1000, "a"), dims="time", coords={"time": clock}),
        "complex": xr.DataArray(np.ones(1000) * 1j, dims="time", coords={"time": clock}),
    }
    with pytest.raises(InputError, match=said):
        ns.recordings.label_trials(responses, {name: kinds[kind] for name, kind in series.items()})


def session_of_pictures(path):
    """Six trials of NWB whose column ``picture`` says what was shown, three units."""
    made = pynwb.NWBFile("a session", "1", datetime(2020, 1, 1, tzinfo=UTC))
    made.add_trial_column("picture", "what was shown")
    for k in range(6):
        made.add_trial(start_time=float(k), stop_time=k + 0.5, picture="abc"[k % 3])
    for spikes in (np.arange(0, 6, 0.1), np.arange(0.05, 6, 0.3), np.arange(0.2, 5, 0.7)):
        made.add_unit(spike_times=spikes)
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(made)
    return path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (None, "'stimulus' of events. Columns: start_time, stop_time, picture. What was shown: by='picture'"),
        ({"by": "image"}, "no column 'image' of events.*options={'by': 'picture'}"),
        ({"by": "picture", "align_to": "picture_on"}, "no column 'picture_on'.*When: align_to='start_time'"),
        ({"by": "picture", "align_to": "begin_time"}, "When: align_to='stop_time'|When: align_to='start_time'"),
    ],
)
def test_the_columns_of_a_session_are_told_with_what_to_write(tmp_path, options, told):
    path = session_of_pictures(tmp_path / "a.nwb")
    with pytest.raises(InputError, match=f"^a.nwb, trials: .*{told}") as refused:
        ns.load_responses(path, options=options)
    assert "\n" not in str(refused.value) and "Did you mean" not in str(refused.value)
    assert ns.load_responses(path, options={"by": "picture"}).stimulus.values.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (
            ["picture", "unit", "time"],
            "missing: stimulus, .* Rename the one that says it, such as {'picture': 'stimulus'}",
        ),
        (["picture", "u0", "u1"], "missing: unit, time, .* One row a stimulus, one column a unit"),
    ],
)
def test_a_table_without_the_columns_of_spikes_says_what_to_do(tmp_path, columns, told):
    pd.DataFrame([[1, 2.0, 3.0]], columns=columns).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match=told):
        ns.load_responses(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("door", "reads"),
    [
        (ns.compute_rdm, "load_responses"),
        (ns.as_responses, "load_responses"),
        (ns.responses.split_half_reliability, "load_responses"),
        (ns.as_stimuli, "load_stimuli"),
        (ns.as_rdm, "recordings.load_rdms"),
        (lambda path: ns.infer(path, np.eye(3)), "recordings.load_rdms"),
        (ns.recordings.bin_spikes, "recordings.load_spikes"),
    ],
)
@pytest.mark.parametrize("path", ["mine.nc", Path("mine.nc")])
def test_a_path_where_an_array_goes_is_told_who_reads_it(door, reads, path):
    with pytest.raises(
        InputError, match=rf"asked, found the (text|path) 'mine.nc'; of a file: ns.{reads}\('mine.nc'\)"
    ):
        door(path)
