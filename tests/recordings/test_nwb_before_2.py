"""Files of NWB 1 in the layout that AllenSDK reads, as the Cell Types and the Brain Observatory have it."""

import logging

import h5py
import numpy as np
import pytest

import neurosim as ns
from neurosim.schema import InputError

RATE, N = 200_000.0, 400
RNG = np.random.default_rng(0)
VOLTAGE = -0.07 + 0.001 * RNG.normal(size=(4, N))
CURRENT = np.zeros((4, N))
CURRENT[:, 100:200] = np.array([10, 20, 30, 40])[:, None] * 1e-12


def cell(path, *, version="1.1", units=True, clamp="CurrentClamp"):
    """Four sweeps, 2, 9, 10 and 11; the last a ramp that was stopped early, with nothing recorded at its end."""
    scaled = version is not None and version >= "1.1"
    with h5py.File(path, "w") as file:
        file["nwb_version"] = np.bytes_("NWB-1.0.5")
        if version is not None:
            file["general/generated_by"] = [b"pipeline", b"x", b"version", version.encode() + b".0"]
        file["general/subject/subject_id"] = np.bytes_("cell 7")
        for k, number in enumerate([2, 9, 10, 11]):
            for side, values, unit, kind in (
                ("stimulus/presentation", CURRENT[k], b"Amps", f"{clamp}StimulusSeries"),
                ("acquisition/timeseries", VOLTAGE[k], b"Volts", f"{clamp}Series"),
            ):
                group = file.create_group(f"{side}/Sweep_{number}")
                group.attrs["ancestry"] = [b"TimeSeries", b"PatchClampSeries", kind.encode()]
                conversion = {b"Amps": 1e-12, b"Volts": 1e-3}[unit]
                group["data"] = (values / (conversion if scaled else 1.0)).astype("float64")
                group["data"].attrs["conversion"] = conversion
                if units:
                    group["data"].attrs["unit"] = unit
                group["starting_time"] = 0.0
                group["starting_time"].attrs["rate"] = RATE
            name = b"Ramp" if number == 11 else b"Long Square"
            file[f"stimulus/presentation/Sweep_{number}/aibs_stimulus_name"] = np.bytes_(name)
            for epoch, start, count in (("Sweep", 0, N), ("Experiment", 50, 250 if number == 11 else N - 50)):
                for side, place in (("stimulus", "stimulus/presentation"), ("response", "acquisition/timeseries")):
                    held = file.create_group(f"epochs/{epoch}_{number}/{side}")
                    held["idx_start"], held["count"] = start, count
                    held["timeseries"] = h5py.SoftLink(f"/{place}/Sweep_{number}")
    return path


CLOCK = 10.0 + np.arange(900) / 30
TRACES = RNG.normal(size=(3, 900))
SPEED = np.abs(RNG.normal(size=900))
ANGLES = np.array([0.0, 90.0, np.nan, 0.0, 90.0, 0.0])
SHOWN = np.array([[30, 90], [120, 180], [210, 270], [300, 360], [390, 450], [480, 540]])


def session(path):
    """Three cells, running, gratings with a blank one, and pictures by number."""
    with h5py.File(path, "w") as file:
        file["nwb_version"] = np.bytes_("NWB-1.0.6")
        place = "processing/brain_observatory_pipeline"
        for module in ("DfOverF", "Fluorescence"):
            file[f"{place}/{module}/imaging_plane_1/data"] = TRACES * (100 if module == "Fluorescence" else 1)
            file[f"{place}/{module}/imaging_plane_1/timestamps"] = CLOCK
        file[f"{place}/ImageSegmentation/cell_specimen_ids"] = np.array([517472450, 517472451, 7])
        file[f"{place}/BehavioralTimeSeries/running_speed/data"] = SPEED[:, None]
        file[f"{place}/BehavioralTimeSeries/running_speed/data"].attrs["unit"] = np.bytes_("cm/s")
        file[f"{place}/BehavioralTimeSeries/running_speed/timestamps"] = CLOCK
        gratings = file.create_group("stimulus/presentation/drifting_gratings_stimulus")
        gratings["data"] = np.column_stack([np.ones(6), ANGLES, np.isnan(ANGLES)])
        gratings["features"] = [b"temporal_frequency", b"orientation", b"blank_sweep"]
        gratings["frame_duration"] = SHOWN
        scenes = file.create_group("stimulus/presentation/natural_scenes_stimulus")
        scenes["data"], scenes["frame_duration"] = np.array([5, 17, 5]), SHOWN[:3] + 300
        spontaneous = file.create_group("stimulus/presentation/spontaneous_stimulus")
        spontaneous["data"], spontaneous["frame_duration"] = [1, -1], [[0, 0], [20, 20]]
    return path


@pytest.mark.parametrize("version", [None, "1.0", "1.1", "2.3"])
@pytest.mark.parametrize("units", [True, False])
def test_sweeps_are_read_in_si_units_by_protocol(tmp_path, version, units):
    """The conversion counts from pipeline 1.1 on, as AllenSDK has it; units by the kind of series if none is said."""
    found = ns.recordings.load_sweeps(cell(tmp_path / "x.nwb", version=version, units=units))
    assert list(found) == ["Long Square", "Ramp"]
    square, ramp = found["Long Square"], found["Ramp"]
    assert square.sweep.values.tolist() == ["Sweep_2", "Sweep_9", "Sweep_10"]
    np.testing.assert_allclose(square.voltage.values, VOLTAGE[:3], rtol=1e-12)
    np.testing.assert_allclose(square.current.values, CURRENT[:3], rtol=1e-12)
    np.testing.assert_allclose(ramp.voltage.values[0], VOLTAGE[3, :300], rtol=1e-12)  # what came after is nothing
    assert square.attrs["time_step"] == pytest.approx(1 / RATE) and square.attrs["subject"] == "cell 7"


def test_voltage_clamp_is_no_current_clamp(tmp_path):
    path = cell(tmp_path / "x.nwb", units=False, clamp="VoltageClamp")
    with pytest.raises(InputError, match=r"of NWB-1\.0\.5, holds no current clamp that is read"):
        ns.recordings.load_sweeps(path)


def test_imaging_is_cut_around_the_gratings(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = ns.recordings.load_nwb_responses(
            session(tmp_path / "x.nwb"), by="orientation", intervals="drifting_gratings", window=(0.0, 1.0)
        )
    assert found.sizes == {"stimulus": 2, "trial": 3, "time": 30, "unit": 3}
    assert found.unit.values.tolist() == ["517472450", "517472451", "7"]
    assert found.orientation.values.tolist() == [0.0, 90.0] and "1 of 6 drifting_gratings" in caplog.text
    np.testing.assert_array_equal(found.values[1, 0], TRACES[:, 120:150].T)
    np.testing.assert_array_equal(found.values[0, 2], TRACES[:, 480:510].T)
    assert np.isnan(found.values[1, 2]).all()
    raw = ns.load_responses(
        tmp_path / "x.nwb", options={"by": "frame", "intervals": "natural_scenes", "series": "Fluorescence"}
    )
    assert raw.frame.values.tolist() == [5, 17]
    np.testing.assert_allclose(raw.values[1, 0], 100 * TRACES[:, 420:435].T)


def test_running_labels_the_trials(tmp_path):
    path = session(tmp_path / "x.nwb")
    speed = ns.recordings.load_nwb_series(path, "running_speed")
    assert speed.dims == ("time", "unit") and speed.attrs["units"] == "cm/s"
    found = ns.recordings.load_nwb_responses(path, by="orientation", intervals="drifting_gratings")
    labelled = ns.recordings.label_trials(found, {"running": speed}, window=(0, 0.5))
    assert float(labelled.running[0, 1]) == pytest.approx(SPEED[300:315].mean())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (ns.recordings.load_spikes, "a version of NWB before 2, of which sweeps and imaging alone"),
        (ns.recordings.load_sweeps, "of NWB-1.0.6, holds no sweeps that is read"),
        (ns.recordings.load_nwb_series, "no series None. Series: "),
        (lambda p: ns.recordings.load_nwb_series(p, "dfoverf"), "Did you mean 'DfOverF'"),
        (lambda p: ns.recordings.load_nwb_responses(p, by="frame"), "holds several stimuli; choose one with"),
        (
            lambda p: ns.recordings.load_nwb_responses(p, by="angle", intervals="drifting_gratings"),
            "drifting_gratings: no column 'angle' of events. Columns: temporal_frequency, orientation",
        ),
        (
            lambda p: ns.recordings.load_nwb_responses(p, by="frame", intervals="natural_scenes", time_bin=0.1),
            "a time_bin is of spikes",
        ),
    ],
)
def test_what_is_not_there_is_said(tmp_path, call, words):
    with pytest.raises(InputError, match=words) as refused:
        call(session(tmp_path / "x.nwb"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("made", [cell, session])
def test_damage_is_said_in_one_line(tmp_path, made):
    whole = made(tmp_path / "x.nwb").read_bytes()
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(60):
        held = bytearray(whole)
        for at in rng.integers(0, min(len(held), 40_000), 20):
            held[at] = rng.integers(256)
        (tmp_path / "y.nwb").write_bytes(held if rng.random() < 0.8 else held[: rng.integers(1, len(held))])
        for call in (ns.recordings.load_sweeps, lambda p: ns.recordings.load_nwb_series(p, "DfOverF")):
            try:
                call(tmp_path / "y.nwb")
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 60
