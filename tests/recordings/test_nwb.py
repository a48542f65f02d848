"""NWB files of others: factors of channels, clocks, names that are there twice, against what was written."""

import numpy as np
import pandas as pd
import pytest

from neurosim.recordings import align_spikes, load_responses, load_spikes, load_sweeps
from neurosim.recordings.nwb import LONG_AGO, load_nwb_responses, load_nwb_series, load_nwb_sweeps, save_nwb
from neurosim.schema import InputError, as_responses
from neurosim.storage import StorageError

pynwb = pytest.importorskip("pynwb")


def new_file():
    return pynwb.NWBFile("x", "x", LONG_AGO)


def write(path, file):
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def electrodes(file, n):
    group = file.create_electrode_group("g", "g", "g", file.create_device("d"))
    for _ in range(n):
        file.add_electrode(location="x", group=group)
    return file.create_electrode_table_region(list(range(n)), "all")


@pytest.mark.parametrize(("channels", "shape"), [(None, (7, 3)), ([2.0, 2.0, 2.0], (3, 3)), ([1.0, 0.5, 4.0], (3, 3))])
def test_volts_are_samples_times_both_factors_plus_offset(tmp_path, channels, shape):
    file, raw = new_file(), np.random.default_rng(0).integers(-3000, 3000, shape).astype(np.int16)
    series = pynwb.ecephys.ElectricalSeries(
        name="lfp", data=raw, electrodes=electrodes(file, 3), rate=30000.0, starting_time=2.5,
        conversion=1.95e-7, offset=1e-3, channel_conversion=channels,
    )  # fmt: skip
    file.add_acquisition(series)
    write(tmp_path / "x.nwb", file)
    found = load_nwb_series(tmp_path / "x.nwb")
    wanted = raw.astype(float) * 1.95e-7 * np.array(channels or [1.0, 1.0, 1.0]) + 1e-3
    assert not found.variable._in_memory
    np.testing.assert_allclose(found.values, wanted, rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(found[2:0:-1, [2, 0]].values, wanted[2:0:-1, [2, 0]], rtol=1e-12)
    np.testing.assert_allclose(found[1, 1].values, wanted[1, 1], rtol=1e-12)
    np.testing.assert_allclose(found.time, 2.5 + np.arange(shape[0]) / 30000, rtol=1e-15)
    assert (found.attrs["quantity"], found.attrs["units"]) == ("electric_potential", "V")


def test_series_of_one_name_are_told_apart_by_their_place(tmp_path):
    file = new_file()
    for k, module in enumerate(("first", "second")):
        one = pynwb.TimeSeries(name="speed", data=np.full(4, float(k)), unit="m/s", rate=10.0)
        file.create_processing_module(module, module).add(one)
    write(tmp_path / "x.nwb", file)
    with pytest.raises(InputError, match=r"no series 'speed'\. Series: processing/.*/speed, processing/.*/speed"):
        load_nwb_series(tmp_path / "x.nwb", "speed")
    assert load_nwb_series(tmp_path / "x.nwb", "processing/second/speed").values.tolist() == [[1.0]] * 4


def test_a_series_of_pictures_is_no_series_of_units(tmp_path):
    file = new_file()
    file.add_acquisition(pynwb.TimeSeries(name="film", data=np.zeros((4, 3, 2)), unit="1", rate=10.0))
    write(tmp_path / "x.nwb", file)
    with pytest.raises(InputError, match=r"film has shape \(4, 3, 2\)"):
        load_nwb_series(tmp_path / "x.nwb")


def test_pictures_in_other_files_are_no_series_of_units(tmp_path):
    file = new_file()
    away = {"external_file": ["a.tiff"], "format": "external", "starting_frame": [0]}
    file.add_acquisition(pynwb.image.ImageSeries(name="film", timestamps=[0.0, 0.1], **away))
    write(tmp_path / "x.nwb", file)
    with pytest.raises(InputError, match=r"film has shape .*, its frames in other files"):
        load_nwb_series(tmp_path / "x.nwb")


def current_clamp(path, *, rates=(1e4, 1e4), starts=(0.0, 0.0)):
    file = new_file()
    electrode = file.create_icephys_electrode(name="e", description="e", device=file.create_device("d"))
    kinds = (pynwb.icephys.CurrentClampSeries, pynwb.icephys.CurrentClampStimulusSeries)
    scales = ({"conversion": 1e-3, "offset": 0.002}, {"conversion": 1e-12})
    for kind, name, rate, start, scale in zip(kinds, "vi", rates, starts, scales, strict=True):
        values = np.arange(5.0) - 70 if name == "v" else np.arange(5.0) * 10
        series = kind(name=name, data=values, electrode=electrode, gain=1.0, rate=rate, starting_time=start, **scale)
        (file.add_acquisition if name == "v" else file.add_stimulus)(series)
    write(path, file)


def test_sweeps_are_in_volts_and_amperes_on_one_clock(tmp_path):
    current_clamp(tmp_path / "x.nwb")
    found = load_nwb_sweeps(tmp_path / "x.nwb")
    np.testing.assert_allclose(found.voltage[0], (np.arange(5.0) - 70) * 1e-3 + 0.002, rtol=1e-12)
    np.testing.assert_allclose(found.current[0], np.arange(5.0) * 1e-11, rtol=1e-12)
    for other in ({"rates": (1e4, 2e4)}, {"starts": (0.0, 0.1)}):
        current_clamp(tmp_path / "y.nwb", **other)
        with pytest.raises(InputError, match="v and i have other rates or starts"):
            load_nwb_sweeps(tmp_path / "y.nwb")


def units_and_trials(path, times, ids=(0, 1)):
    file = new_file()
    file.add_trial_column("shown", "what")
    for k in range(2):
        file.add_trial(start_time=1.0 + k, stop_time=1.5 + k, shown="ab"[k])
    file.add_unit_column("unit", "name")
    for k, train in zip(ids, times, strict=True):
        file.add_unit(spike_times=train, unit=f"n{k}", id=k)
    write(path, file)


def test_units_keep_their_names_and_their_spikes(tmp_path):
    units_and_trials(tmp_path / "x.nwb", [[1.1, 1.2, 2.3], [2.0, 2.49]])
    found = load_nwb_responses(tmp_path / "x.nwb", by="shown")
    assert found.values[:, 0].tolist() == [[2, 0], [1, 2]]
    assert found.label.values.tolist() == ["n0", "n1"]


def test_units_of_one_number_are_refused(tmp_path):
    units_and_trials(tmp_path / "x.nwb", [[1.1], [2.0]], ids=(4, 4))
    with pytest.raises(InputError, match="unit 4 is there twice"):
        load_nwb_responses(tmp_path / "x.nwb", by="shown")


def test_tables_and_sweeps_that_claim_too_much_are_not_read(tmp_path, monkeypatch):
    units_and_trials(tmp_path / "x.nwb", [np.linspace(1, 2.5, 3000), [2.0]])
    current_clamp(tmp_path / "y.nwb")
    monkeypatch.setattr("neurosim.storage.bounds.MAX_BYTES", 70)
    with pytest.raises(StorageError, match="the table units claims"):
        load_nwb_responses(tmp_path / "x.nwb", by="shown")
    with pytest.raises(StorageError, match="the array of sweeps claims"):
        load_nwb_sweeps(tmp_path / "y.nwb")


@pytest.mark.parametrize("step", [0.03, 1 / 30, 1 / 24414.0625])
@pytest.mark.parametrize("quantity", ["spike_count", "electric_potential"])
def test_what_is_written_comes_back_to_the_last_bit(tmp_path, step, quantity):
    start = 0.0 if step == 0.03 else -0.06
    rng = np.random.default_rng(1)
    values = (
        rng.poisson(2.0, (2, 3, 5, 2)).astype(float) if quantity == "spike_count" else rng.normal(size=(2, 3, 5, 2))
    )
    written = as_responses(values, stimuli=["a", "b"], quantity=quantity, time_step=step)
    written = written.assign_coords(time=start + np.arange(5) * step)
    save_nwb(tmp_path / "x.nwb", written, description="x")
    how = {"time_bin": step} if quantity == "spike_count" else {"series": "responses"}
    align_to = "start_time" if start == 0 else "event_time"
    window = (start, start + 5 * step)
    found = load_nwb_responses(tmp_path / "x.nwb", by="stimulus", window=window, align_to=align_to, **how)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_allclose(found.time, written.time, atol=1e-9)
    assert found.attrs["quantity"] == quantity


@pytest.mark.parametrize("nothing", [None, np.zeros((2, 3)), pd.DataFrame({"a": [1.0]}), "x", 3])
def test_only_responses_over_time_are_written(tmp_path, nothing):
    with pytest.raises(InputError) as caught:
        save_nwb(tmp_path / "x.nwb", nothing, description="x")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_events_whose_window_leaves_the_recording_are_refused(tmp_path):
    units_and_trials(tmp_path / "x.nwb", [[1.1, 1.2, 2.3], [2.0, 2.49]])
    assert load_nwb_responses(tmp_path / "x.nwb", by="shown", window=(-1.0, 0.5)).sizes["trial"] == 1
    for window in ((-1.01, 0.5), (0.0, 0.51)):
        with pytest.raises(InputError, match=r"1 of 2 events lie outside the recording \(0 to 2\.5 s\)"):
            load_nwb_responses(tmp_path / "x.nwb", by="shown", window=window)


def presentations(path, names=("gratings_presentations", "flashes_presentations")):
    """Write two units at electrodes of two areas, without trials, and tables of presentations as Allen's files do."""
    from pynwb.epoch import TimeIntervals

    file = new_file()
    group = file.create_electrode_group("g", "g", "g", file.create_device("d"))
    for number, area in ((70, "VISp"), (90, "VISl")):
        file.add_electrode(id=number, location=area, group=group)
    file.add_unit_column("peak_channel_id", "number of the electrode")
    for k, train in enumerate(([1.1, 1.2, 2.3, 9.0], [2.0, 2.49])):
        file.add_unit(spike_times=train, peak_channel_id=(90, 70)[k])
    for k, name in enumerate(names):
        table = TimeIntervals(name=name, description="what was shown")
        table.add_column(name="orientation", description="degrees")
        for row in range(2):
            table.add_row(start_time=1.0 + row + k, stop_time=1.5 + row + k, orientation=45.0 * row)
        file.add_time_intervals(table)
    write(path, file)


def test_units_without_trials_are_spikes_and_any_intervals_are_events(tmp_path):
    path = tmp_path / "x.nwb"
    presentations(path)
    spikes = load_spikes(path)
    assert spikes.time.tolist() == [1.1, 1.2, 2.3, 9.0, 2.0, 2.49]
    assert spikes.unit.tolist() == ["0"] * 4 + ["1"] * 2
    asked = {"by": "orientation", "window": (0, 0.5)}
    found = load_responses(path, options={**asked, "intervals": "gratings_presentations"})
    assert found.values[:, 0].tolist() == [[2, 0], [1, 2]]
    assert found.area.values.tolist() == ["VISl", "VISp"]
    later = load_nwb_responses(path, **asked, intervals="flashes_presentations")
    assert later.values[:, 0].tolist() == [[1, 2], [0, 0]]
    with pytest.raises(InputError, match=r"no trials .*intervals=: gratings_presentations, flashes_presentations"):
        load_nwb_responses(path, **asked)
    with pytest.raises(InputError, match=r"no intervals 'grating_presentations'.*mean 'gratings_presentations'"):
        load_nwb_responses(path, **asked, intervals="grating_presentations")
    presentations(path, ("gratings_presentations",))
    assert load_nwb_responses(path, **asked).values.tolist() == found.values.tolist()


def test_tags_of_epochs_say_what_happened(tmp_path):
    file = new_file()
    for k, tags in enumerate((["wake"], ["sleep", "deep"], ["wake"])):
        file.add_epoch(1.0 + k, 2.0 + k, tags)
    file.add_unit(spike_times=[1.1, 2.2, 2.3, 3.4, 9.0])
    write(tmp_path / "x.nwb", file)
    found = load_nwb_responses(tmp_path / "x.nwb", by="tags", window=(0, 0.5))
    assert found["stimulus"].values.tolist() == ["sleep, deep", "wake"]
    np.testing.assert_array_equal(found.values[..., 0], [[2, np.nan], [1, 1]])
    with pytest.raises(InputError, match="unit holds lists or arrays"):
        align_spikes(
            pd.DataFrame({"unit": [[1], [2]], "time": [1.0, 2.0]}), pd.DataFrame({"start_time": [1.0], "stimulus": "a"})
        )


def test_sweeps_of_several_lengths_come_by_stimulus(tmp_path):
    file = new_file()
    electrode = file.create_icephys_electrode(name="e", description="e", device=file.create_device("d"))
    for k, (about, n) in enumerate((("ramp", 5), ("step", 3), ("step", 3), ("noise", 4), ("noise", 6))):
        same = {
            "electrode": electrode,
            "gain": 1.0,
            "rate": 100.0,
            "sweep_number": np.uint64(k),
            "stimulus_description": about,
        }
        file.add_acquisition(pynwb.icephys.CurrentClampSeries(name=f"v{k}", data=np.full(n, 0.01 * k), **same))
        file.add_stimulus(pynwb.icephys.CurrentClampStimulusSeries(name=f"i{k}", data=np.zeros(n), **same))
    write(tmp_path / "x.nwb", file)
    found = load_sweeps(tmp_path / "x.nwb")
    noise = ["noise, 4 samples at 100 Hz", "noise, 6 samples at 100 Hz"]
    assert {name: dict(held.sizes) for name, held in found.items()} == {
        "ramp": {"sweep": 1, "time": 5}, "step": {"sweep": 2, "time": 3},
        noise[0]: {"sweep": 1, "time": 4}, noise[1]: {"sweep": 1, "time": 6},
    }  # fmt: skip
    assert found["step"].voltage.values.tolist() == [[0.01] * 3, [0.02] * 3]
    with pytest.raises(InputError, match="sweeps of several lengths and rates; load_sweeps gives"):
        load_nwb_sweeps(tmp_path / "x.nwb")


def test_trials_in_which_a_unit_was_not_observed_are_missing(tmp_path):
    file = new_file()
    for spans in ([[0.0, 1.0], [1.0, 2.5], [4.0, 6.0]], [[0.0, 6.0]]):
        file.add_unit(spike_times=[0.1, 1.1, 5.1], obs_intervals=spans)
    file.add_trial_column("stimulus", "s")
    for k in (0, 0.9, 2.4, 3, 4, 5):
        file.add_trial(start_time=float(k), stop_time=k + 0.5, stimulus=f"s{k}")
    write(tmp_path / "x.nwb", file)
    found = load_nwb_responses(tmp_path / "x.nwb", by="stimulus", window=(0, 0.5))[:, 0]
    np.testing.assert_array_equal(found[:, 0], [1, 1, np.nan, np.nan, 0, 1])
    np.testing.assert_array_equal(found[:, 1], [1, 1, 0, 0, 0, 1])


def test_units_of_series_with_prefixes_become_those_of_si(tmp_path):
    file, raw = new_file(), np.arange(4.0)
    known = {
        "mV": ("V", 1e-3),
        "\u00b5V": ("V", 1e-6),
        "microvolts": ("V", 1e-6),
        "Volts": ("V", 1.0),
        "MV": ("MV", 1.0),
    }
    known |= {"fT": ("T", 1e-15), "pA": ("A", 1e-12), "m/s": ("m/s", 1.0)}
    for k, unit in enumerate(known):
        file.add_acquisition(pynwb.TimeSeries(name=f"s{k}", data=raw, unit=unit, rate=10.0, conversion=2.0, offset=1.0))
    write(tmp_path / "x.nwb", file)
    for k, (unit, factor) in enumerate(known.values()):
        found = load_nwb_series(tmp_path / "x.nwb", f"s{k}")
        np.testing.assert_allclose(found[:, 0], (raw * 2 + 1) * factor, rtol=1e-12)
        assert found.attrs["units"] == unit
        assert (found.attrs["quantity"] == "activation") == (unit not in ("V", "T"))


def test_trials_without_a_name_or_a_time_are_left_out(tmp_path):
    file = new_file()
    file.add_unit(spike_times=[0.1, 3.2])
    for name in ("angle", "shown_at"):
        file.add_trial_column(name, name)
    for k, (angle, at) in enumerate([(10.0, 0.0), (np.nan, 1.0), (20.0, np.nan), (20.0, 3.0)]):
        file.add_trial(start_time=float(k), stop_time=k + 0.5, angle=angle, shown_at=at)
    file.add_acquisition(pynwb.TimeSeries(name="ts", data=np.arange(50.0), unit="V", rate=10.0))
    write(tmp_path / "x.nwb", file)
    asked = {"by": "angle", "align_to": "shown_at", "window": (0, 0.5)}
    found = load_nwb_responses(tmp_path / "x.nwb", **asked)
    assert found.values[:, :, 0].tolist() == [[1.0], [1.0]]
    assert found["stimulus"].values.tolist() == ["10.0", "20.0"]
    series = load_nwb_responses(tmp_path / "x.nwb", **asked, series="ts")
    assert series.values[:, 0, 0, 0].tolist() == [0.0, 30.0]
    with pytest.raises(InputError, match="a time_bin is of spikes, the series 'ts' has none"):
        load_nwb_responses(tmp_path / "x.nwb", **asked, series="ts", time_bin=0.1)


@pytest.mark.parametrize("numbered", [False, True])
def test_sweeps_are_in_the_order_of_their_numbers(tmp_path, numbered):
    file = new_file()
    electrode = file.create_icephys_electrode(name="e", description="e", device=file.create_device("d"))
    for k in range(12):
        said = {"sweep_number": np.uint64(11 - k)} if numbered else {}
        same = {"data": np.full(3, k * 1e-6), "electrode": electrode, "gain": 1.0, "rate": 100.0, **said}
        file.add_acquisition(pynwb.icephys.CurrentClampSeries(name=f"v{k}", **same))
        file.add_stimulus(pynwb.icephys.CurrentClampStimulusSeries(name=f"i_{k}", **same))
    write(tmp_path / "x.nwb", file)
    found = load_nwb_sweeps(tmp_path / "x.nwb")
    wanted = 1e-6 * np.arange(12)[:: -1 if numbered else 1]
    np.testing.assert_array_equal(found.voltage[:, 0], wanted)
    np.testing.assert_array_equal(found.current[:, 0], wanted)


def test_an_empty_name_of_what_was_shown_is_none(tmp_path):
    file = new_file()
    file.add_unit(spike_times=[0.1, 1.1, 1.2, 2.2])
    file.add_trial_column("stimulus", "what was shown")
    for k, name in enumerate(["a", "", "b", " "]):
        file.add_trial(start_time=float(k), stop_time=k + 0.5, stimulus=name)
    write(tmp_path / "x.nwb", file)
    found = load_nwb_responses(tmp_path / "x.nwb", by="stimulus", window=(0, 0.5))
    assert found["stimulus"].values.tolist() == ["a", "b"] and found.values.ravel().tolist() == [1.0, 1.0]
