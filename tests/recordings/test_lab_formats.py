"""Folders and files of sorters, imaging pipelines and amplifiers: what they say comes in, what they lack is asked."""

import ast
import dataclasses
import struct
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import neurosim as ns
from neurosim import storage
from neurosim.recordings.reader import READERS
from neurosim.recordings.readers import abf, phy
from neurosim.schema import InputError
from neurosim.storage import StorageError

EVENTS = "start_time,stimulus\n0,b\n1,a\n2,b\n"
RNG = np.random.default_rng(4)


def folder_of(kind, tmp_path):
    options = READERS[kind].example(tmp_path / kind)
    return tmp_path / kind, options


@pytest.mark.parametrize(
    ("kind", "counts", "labels"),
    [
        ("phy", [[1, 1], [1, 0]], {"group": ["good", "mua"]}),
        ("alf", [[1, 1], [1, 0]], {"depths": [20, 40]}),
        ("spikeinterface", [[1, 1, 0], [1, 0, 0]], {}),
        ("pynapple", [[1, 1], [1, 0]], {"location": ["CA1", "CA3"]}),
    ],
)
def test_sorted_spikes_become_responses_with_the_labels_of_their_units(kind, counts, labels, tmp_path):
    path = tmp_path / (kind if not READERS[kind].endings else f"{kind}.npz")
    found = ns.load_responses(path, options=READERS[kind].example(path))
    assert found.values[:, 0].tolist() == counts
    assert {k: found[k].values.tolist() for k in labels} == labels
    assert len(ns.recordings.load_spikes(path)) == 3


def test_clusters_of_phy_are_chosen_by_what_was_said_of_them(tmp_path):
    path, options = folder_of("phy", tmp_path)
    np.save(path / "spike_times.npy", np.arange(6, dtype=np.uint64) * 3000)
    np.save(path / "spike_clusters.npy", np.array([4, 12, 9, 100, 9, 4]))
    storage.write_text(path / "cluster_KSLabel.tsv", "cluster_id\tKSLabel\n4\tgood\n9\tmua\n12\tgood\n100\tmua\n")
    storage.write_text(path / "cluster_group.tsv", "cluster_id\tgroup\n4\tgood\n9\tnoise\n12\tmua\n")
    table = ns.recordings.load_spikes(path)
    assert table.unit.value_counts().to_dict() == {"4": 2, "12": 1, "100": 1}
    asked = {"events": options.events, "window": (0.0, 0.6)}
    every = ns.load_responses(path, options=asked)
    assert every.unit.values.tolist() == ["4", "12", "100"]
    assert every.group.values.tolist() == ["good", "mua", "unsorted"]
    assert every.KSLabel.values.tolist() == ["good", "good", "mua"]
    good = ns.load_responses(path, options=asked | {"groups": ("good", "noise")})
    assert good.unit.values.tolist() == ["4", "9"] and good.values[0, 0].tolist() == [2, 2]
    (path / "cluster_group.tsv").rename(path / "cluster_groups.csv")
    assert set(ns.recordings.load_spikes(path).unit) == {"4", "12", "100"}
    with pytest.raises(InputError, match=r"no cluster is 'god'; groups: .* Did you mean 'good'\?"):
        ns.load_responses(path, options=asked | {"groups": ("god",)})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os; os.mkdir('sprung')\nsample_rate = 3e4\n", None),
        ("sample_rate = __import__('os').getpid()\n", "sample_rate = None"),
        ("sample_rate = '30000'\n", "sample_rate = '30000'"),
        ("sample_rate = -1\n", "a number of Hz asked"),
        ("sample rate\n", "params.py is no list of names and values"),
        ("sample_rate = " + "(" * 300 + "1" + ")" * 300, "params.py is no list"),
    ],
)
def test_parameters_of_phy_are_read_as_text_and_never_run(text, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, _ = folder_of("phy", tmp_path)
    storage.write_text(path / "params.py", text)
    if words is None:
        assert phy.sample_rate(path) == ast.literal_eval("3e4")
    else:
        with pytest.raises(InputError, match=words.replace("(", r"\(")):
            phy.sample_rate(path)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_is_told_by_what_it_holds(tmp_path):
    path, _ = folder_of("phy", tmp_path)
    (path / "params.py").unlink()
    with pytest.raises(InputError, match=r"is a folder that no reader takes \(folders: .*phy with spike_times.npy"):
        ns.recordings.load_spikes(path)
    for name, values in (("spikes.times", [0.1, 0.2]), ("spikes.clusters", [0, 1])):
        np.save(path / f"{name}.npy", values)
    assert len(ns.recordings.load_spikes(path)) == 2
    (path / "params.py").write_text("sample_rate = 1.0\n")
    with pytest.raises(InputError, match="may be of the formats alf, phy; say which with reader="):
        ns.recordings.load_spikes(path)
    assert len(ns.recordings.load_spikes(path, reader="phy")) == 3


def test_alf_takes_namespaces_tables_and_metrics_and_refuses_two_of_a_kind(tmp_path):
    path, _ = folder_of("alf", tmp_path)
    (path / "spikes.times.npy").rename(path / "_ibl_spikes.times.0a1b2c3d-0000.npy")
    storage.write_text(path / "clusters.metrics.csv", "cluster_id,label\n0,1.0\n1,0.5\n")
    np.save(path / "_ibl_trials.contrastLeft.npy", np.array([0.25, np.nan]))
    found = ns.load_responses(path, options={"by": "contrastLeft"})
    assert found.stimulus.values.tolist() == ["0.25"] and found.label.values.tolist() == [1.0, 0.5]
    with pytest.raises(InputError, match=r"no trials.contrastLef; known: .* Did you mean 'contrastLeft'\?"):
        ns.load_responses(path, options={"by": "contrastLef"})
    with pytest.raises(InputError, match="the options need by"):
        ns.load_responses(path)
    np.save(path / "spikes.times.npy", np.array([1, 2, 3]))
    with pytest.raises(InputError, match=r"spikes\.times is there twice"):
        ns.recordings.load_spikes(path)
    (path / "_ibl_spikes.times.0a1b2c3d-0000.npy").unlink()
    with pytest.raises(InputError, match=r"spikes\.times are in s, found int64"):
        ns.recordings.load_spikes(path)


def test_suite2p_gives_cells_less_their_surround_at_the_rate_that_is_said(tmp_path):
    path, options = folder_of("suite2p", tmp_path)
    found = ns.load_responses(path, options=options)
    assert dict(found.sizes) == {"stimulus": 2, "trial": 1, "time": 10, "unit": 2}
    np.testing.assert_allclose(found.values[1, 0, :, 1], 120 + np.arange(10) - 0.7)
    assert found.attrs["quantity"] == "fluorescence" and found.attrs["time_step"] == pytest.approx(0.1)
    every = {"frame_rate": 10.0, "events": options.events, "cells": False, "neuropil": 0.0}
    assert ns.load_responses(path, options=every).cell_probability.values.tolist() == [0.9, 0.8, 0.1]
    with pytest.raises(InputError, match="the options need frame_rate"):
        ns.load_responses(path, options={"events": options.events})
    with pytest.raises(InputError, match="signal is F or spks, found 'dff'"):
        ns.load_responses(path, options=every | {"signal": "dff"})


def test_numbers_of_units_stay_whole_where_a_silent_one_made_them_floats(tmp_path):
    path = tmp_path / "sorting.npz"
    READERS["spikeinterface"].example(path)
    held = storage.read_npz(path)
    np.savez(path, **held | {"spike_labels_seg0": held["spike_labels_seg0"].astype(float)})
    assert ns.recordings.load_spikes(path).unit.tolist() == ["10", "3", "3"]
    np.savez(path, **held | {"spike_labels_seg0": held["spike_labels_seg0"] + 0.5})
    with pytest.raises(InputError, match=r"3 times and 3 names of units \(float64\)"):
        ns.recordings.load_spikes(path)


def test_an_archive_of_labels_that_are_pickled_is_read_without_them(tmp_path):
    path = tmp_path / "group.npz"
    options = READERS["pynapple"].example(path)
    held = storage.read_npz(path)
    held.pop("location")
    np.savez(path, **held, _metadata=np.array({"location": ["CA1"]}, dtype=object))
    found = ns.load_responses(path, options=options)
    assert found.unit.values.tolist() == ["0", "6"] and "location" not in found.coords
    np.savez(path, **held | {"type": np.array(["TsdFrame"])})
    with pytest.raises(InputError, match="a TsGroup of pynapple asked, which holds units; found a TsdFrame"):
        ns.recordings.load_spikes(path)


@pytest.mark.parametrize(
    ("kind", "option", "value", "words"),
    [
        ("phy", "groups", "good", "the option groups is tuple"),
        ("phy", "balance", "no", "the option balance is True or False, found 'no'"),
        ("phy", "events", 5, "the option events is the path of a file, found 5"),
        ("phy", "events", None, "the option events is the path of a file, found None"),
        ("alf", "trials", 5, "the option trials is the path of a file"),
        ("suite2p", "cells", 0.85, r"the option cells is True or False, found 0\.85"),
        ("suite2p", "neuropil", "a", "the option neuropil is a number, found 'a'"),
        ("npy", "dims", 5, "the option dims is tuple"),
    ],
)
def test_an_option_of_another_type_is_refused(kind, option, value, words, tmp_path):
    path = tmp_path / (kind if not READERS[kind].endings else "x.npy")
    options = READERS[kind].example(path)
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)} | {option: value}
    with pytest.raises(InputError, match=words):
        ns.load_responses(path, options=given)


def test_a_width_of_bins_is_said_once(tmp_path):
    path, options = folder_of("phy", tmp_path)
    given = {"events": options.events, "time_bin": 0.25}
    assert ns.load_responses(path, options=given, time_bin=0.25).sizes["time"] == 2
    with pytest.raises(InputError, match=r"time_bin = 0\.1, and the option says 0\.25; give one"):
        ns.load_responses(path, options=given, time_bin=0.1)


def test_evoked_responses_are_matched_by_the_names_of_their_sensors():
    mne = pytest.importorskip("mne")
    values, info = RNG.normal(size=(2, 3, 5)), mne.create_info(["M1", "M2", "M3"], 100.0, "mag", verbose="error")
    a, b = (mne.EvokedArray(v, info, comment=c, verbose="error") for v, c in zip(values, "ab", strict=True))
    b.reorder_channels(["M3", "M1", "M2"])
    a.info["bads"] = ["M2"]
    found = ns.recordings.load_epochs((a, b))
    np.testing.assert_array_equal(found.values, values.swapaxes(1, 2))
    assert found.bad.values.tolist() == [False, True, False]
    with pytest.raises(InputError, match="'b' and 'a' have other times"):
        ns.recordings.load_epochs([a, b.copy().shift_time(0.3)])
    with pytest.raises(InputError, match="'b' and 'a' have other mag sensors"):
        ns.recordings.load_epochs([a, b.copy().pick(["M1", "M2"])])
    raw = mne.io.RawArray(values[0], info, verbose="error")
    for given in (raw, [a, raw], []):
        with pytest.raises(InputError, match=r"load_epochs: mne\.Epochs, mne\.Evoked or a list"):
            ns.recordings.load_epochs(given)


def test_trials_outside_the_time_support_are_missing(tmp_path):
    path = tmp_path / "group.npz"
    options = READERS["pynapple"].example(path)
    held = storage.read_npz(path)
    np.savez(path, **held | {"start": np.array([0.0, 1.1]), "end": np.array([0.6, 5.0])})
    found = ns.load_responses(path, options=options)
    np.testing.assert_array_equal(found.squeeze(drop=True), [[1, 1], [np.nan, np.nan]])
    np.savez(path, **held | {"start": np.array([3.0]), "end": np.array([5.0])})
    with pytest.raises(InputError, match="no unit was observed in the window"):
        ns.load_responses(path, options=options)


def test_a_bare_array_takes_its_labels_from_tables(tmp_path):
    values = RNG.normal(size=(2, 3, 4))
    np.save(tmp_path / "x.npy", values)
    storage.write_text(tmp_path / "s.csv", "stimulus,orientation\nb,10\na,20\nc,100\n")
    options = {"dims": ("unit", "stimulus", "trial"), "stimuli": tmp_path / "s.csv", "quantity": "spike_count"}
    with pytest.raises(InputError, match="the options need dims"):
        ns.load_responses(tmp_path / "x.npy")
    with pytest.raises(InputError, match="dims names each dim of an array of shape"):
        ns.load_responses(tmp_path / "x.npy", options={"dims": ("unit", "stimulus")})
    found = ns.load_responses(tmp_path / "x.npy", options=options)
    np.testing.assert_array_equal(found.sel(stimulus="a").transpose("trial", "unit"), values[:, 1].T)
    assert found.orientation.values.tolist() == [10, 20, 100]
    with pytest.raises(InputError, match="one row each for 2; found 3 rows"):
        ns.load_responses(tmp_path / "x.npy", options=options | {"units": tmp_path / "s.csv"})


def matlab(file, name, kind, value):
    item = file.create_dataset(name, data=value)
    item.attrs["MATLAB_class"] = np.bytes_(kind)
    return item


def write_mat73(path, depth=1):
    """Write what MATLAB -v7.3 writes of responses (2, 3), a cell of names and a char array."""
    with h5py.File(path, "w", userblock_size=512) as file:
        matlab(file, "responses", "double", np.arange(6.0).reshape(2, 3).T)
        names = [matlab(file, f"#refs#/{c}", "char", np.array([[ord(c)]], np.uint16)).ref for c in "pq"]
        if depth > 1:
            names = [matlab(file, "#refs#/inner", "cell", np.array([names], h5py.ref_dtype)).ref]
        matlab(file, "stimulus", "cell", np.array([names], h5py.ref_dtype).T)
        matlab(file, "title", "char", np.array([[ord(c)] for c in "V4"], np.uint16))
        matlab(file, "good", "logical", np.array([[1], [0]], np.uint8))
        file.create_group("settings").attrs["MATLAB_class"] = np.bytes_("struct")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")


def test_matlab_of_version_7_3_is_read_like_older_ones(tmp_path):
    write_mat73(tmp_path / "all.mat")
    content = storage.read_mat(tmp_path / "all.mat")
    assert set(content) == {"responses", "title", "stimulus", "good"}
    assert content["title"] == "V4" and content["good"].tolist() == [True, False]
    found = ns.load_responses(tmp_path / "all.mat")
    assert found.values.tolist() == [[0, 1, 2], [3, 4, 5]] and found.stimulus.values.tolist() == ["p", "q"]
    write_mat73(tmp_path / "y.mat", depth=2)
    with pytest.raises(StorageError, match=r"hold (more than text|cells)"):
        ns.load_responses(tmp_path / "y.mat")


def write_abf(path, units, samples, command=""):
    """Write sweeps (sweep, time, channel) in version 1 of the Axon Binary Format, in 16 bits of one unit each."""
    n_sweeps, n_times, n_channels = samples.shape
    header = bytearray(6144)

    def put(kind, place, *values):
        struct.pack_into(f"<{kind}", header, place, *values)

    header[0:4] = b"ABF "
    put("f", 4, 1.83)
    put("h", 8, 5)
    put("i", 10, samples.size)
    put("i", 16, n_sweeps)
    put("2i", 92, 12, n_sweeps)
    put("i", 40, 13)
    put("h", 100, 0)
    put("h", 120, n_channels)
    put("f", 122, 1e6 / 1e4 / n_channels)
    put("i", 138, n_times * n_channels)
    put("f", 244, 1.0)
    put("i", 252, 1)
    put("16h", 410, *[-1] * 16)
    header[1346:1354] = command.ljust(8).encode()
    put("2h", 2296, 1 if command else 0, 0)
    for k, unit in enumerate(units):
        put("h", 410 + 2 * k, k)
        put("f", 922 + 4 * k, 1.0)
        put("f", 1050 + 4 * k, 1.0)
        put("f", 730 + 4 * k, 1.0)
        header[442 + 10 * k : 452 + 10 * k] = f"IN {k}".ljust(10).encode()
        header[602 + 8 * k : 610 + 8 * k] = unit.ljust(8).encode()
    starts = np.array([[k * n_times, n_times * n_channels] for k in range(n_sweeps)], "<i4").tobytes()
    path.write_bytes(bytes(header) + starts.ljust(512, b"\0") + samples.astype("<i2").tobytes())


def test_sweeps_of_abf_have_the_current_of_their_second_channel(tmp_path):
    pytest.importorskip("neo")
    samples = RNG.integers(-80, 80, (3, 100, 2))
    write_abf(tmp_path / "x.abf", ["mV", "pA"], samples)
    found = ns.recordings.load_sweeps(tmp_path / "x.abf")["sweeps"]
    np.testing.assert_allclose(found.voltage.values, samples[..., 0] * 1e-3, rtol=1e-6)
    np.testing.assert_allclose(found.current.values, samples[..., 1] * 1e-12, rtol=1e-6)
    np.testing.assert_allclose(np.diff(found.time.values), 1e-4)
    write_abf(tmp_path / "y.abf", ["mV"], samples[..., :1])
    with pytest.raises(InputError, match=r"holds no one command \(0 outputs are on\); record the command"):
        ns.recordings.load_sweeps(tmp_path / "y.abf")
    write_abf(tmp_path / "v.abf", ["mV", "pA"], samples, command="mV")
    with pytest.raises(InputError, match="its command is in mV: voltage clamp"):
        ns.recordings.load_sweeps(tmp_path / "v.abf")
    write_abf(tmp_path / "z.abf", ["pA", "pA"], samples)
    with pytest.raises(InputError, match=r"one channel of voltage .* found IN 0 \(pA\), IN 1 \(pA\)"):
        ns.recordings.load_sweeps(tmp_path / "z.abf")


def protocol(unit, kind=1, source=1, n=2):
    neo, pq = pytest.importorskip("neo"), pytest.importorskip("quantities")
    signal = neo.AnalogSignal(np.array([0.0, 50.0, 0.0]), units=unit, sampling_rate=1 * pq.kHz)
    output = {"nWaveformEnable": 1, "nWaveformSource": source, "nInterEpisodeLevel": 0, "nDACNum": 0}
    info = {
        "listDACInfo": [output | {"DACChUnits": unit.encode()}],
        "dictEpochInfoPerDAC": {0: {0: {"nEpochType": kind}}},
        "sections": {},
    }
    return SimpleNamespace(
        _axon_info=info, read_protocol=lambda: [SimpleNamespace(analogsignals=[signal]) for _ in range(n)]
    )


def test_a_command_is_taken_from_the_protocol_where_it_is_made_of_steps_of_current():
    np.testing.assert_allclose(abf._commanded(protocol("pA"), 2, "x"), [[0, 50e-12, 0]] * 2)
    for made in (protocol("pA", kind=2), protocol("pA", source=2)):
        with pytest.raises(InputError, match="its command is more than steps"):
            abf._commanded(made, 2, "x")
    with pytest.raises(InputError, match="in mV: no current clamp"):
        abf._commanded(protocol("mV"), 2, "x")
    with pytest.raises(InputError, match="3 sweeps and 2 commands"):
        abf._commanded(protocol("pA"), 3, "x")
    assert abf._units_of_outputs(protocol("mV")._axon_info | {"fFileVersionNumber": 2.6}, b"") == {"mV"}


def test_a_cluster_of_phy_that_is_there_twice_is_refused(tmp_path):
    path, options = folder_of("phy", tmp_path)
    (path / "cluster_group.tsv").write_text("cluster_id\tgroup\n4\tgood\n4\tnoise\n")
    with pytest.raises(InputError, match=r"cluster 4 is there twice in cluster_group\.tsv"):
        ns.load_responses(path, options=options)
