"""The field's formats: written by their own tools, read back as the same labelled arrays; damaged ones are refused."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim import storage
from neurosim.recordings.datasets import load_dataset
from neurosim.recordings.described import register_datasets
from neurosim.recordings.events import align_series
from neurosim.recordings.files import load_responses
from neurosim.recordings.fmri import load_betas
from neurosim.recordings.meg import load_epochs
from neurosim.recordings.neo import load_neo, neo_events, neo_series, neo_spikes
from neurosim.recordings.nwb import load_nwb_responses, load_nwb_series, load_nwb_sweeps, save_nwb
from neurosim.recordings.published import DATASETS, fetch, in_package
from neurosim.recordings.spikes import align_spikes, bin_spikes, load_spikes
from neurosim.recordings.sweeps import load_sweeps
from neurosim.schema import InputError, as_responses
from neurosim.storage import StorageError


def counts(seed=0):
    values = np.random.default_rng(seed).poisson(0.7, size=(3, 4, 5, 2)).astype(np.float32)
    return as_responses(
        values,
        stimuli=list("abc"),
        coords={
            "unit": ["u0", "u1"],
            "area": ("unit", ["V1", "V4"]),
            "subject": ("unit", ["m1", "m1"]),
            "category": ("stimulus", ["x", "y", "x"]),
        },
        quantity="spike_count",
        time_step=0.02,
    )


def test_responses_survive_nwb_and_its_inspector(tmp_path):
    pytest.importorskip("pynwb")
    inspector = pytest.importorskip("nwbinspector")
    written = counts()
    save_nwb(tmp_path / "x.nwb", written, description="three stimuli", species="Macaca mulatta", age="P5Y", sex="M")
    found = load_nwb_responses(tmp_path / "x.nwb", by="stimulus", window=(0, 0.1), time_bin=0.02)
    np.testing.assert_array_equal(found.values, written.values)
    assert found.area.values.tolist() == ["V1", "V4"]
    assert found.label.values.tolist() == ["u0", "u1"]
    assert found.category.values.tolist() == ["x", "y", "x"]
    assert set(found.subject.values) == {"m1"}
    worst = [m for m in inspector.inspect_nwbfile(nwbfile_path=str(tmp_path / "x.nwb")) if m.importance.value >= 2]
    assert not worst, worst


def test_graded_responses_become_a_series_that_is_read_lazily(tmp_path):
    pytest.importorskip("pynwb")
    written = as_responses(
        np.random.default_rng(0).normal(size=(2, 3, 10, 4)) * 1e-4, quantity="electric_potential", time_step=0.01
    )
    save_nwb(tmp_path / "x.nwb", written, description="fields")
    series = load_nwb_series(tmp_path / "x.nwb", "responses")
    assert series.attrs["quantity"] == "electric_potential"
    assert not series.variable._in_memory
    found = load_nwb_responses(tmp_path / "x.nwb", by="stimulus", window=(0, 0.1), series="responses")
    np.testing.assert_allclose(found.values, written.values, atol=1e-12)
    with pytest.raises(InputError, match=r"no series 'response'.*Did you mean 'responses'"):
        load_nwb_series(tmp_path / "x.nwb", "response")
    with pytest.raises(InputError, match="holds no current-clamp sweeps"):
        load_nwb_sweeps(tmp_path / "x.nwb")
    with pytest.raises(InputError, match="no units"):
        load_nwb_responses(tmp_path / "x.nwb", by="stimulus")


@pytest.mark.data
def test_a_real_nwb_file_is_read(data_folder):
    pytest.importorskip("pynwb")
    path = data_folder / "bbp_steps" / "99111002.nwb"
    sweeps = load_sweeps(path)["sweeps"]
    assert dict(sweeps.sizes) == {"sweep": 16, "time": 7168}
    assert sweeps.attrs["time_step"] == pytest.approx(1e-4)
    last = sweeps.sel(sweep="ic__Step__16")
    assert float(last.current.max()) == pytest.approx(1e-9, rel=1e-6)
    assert 0.08 < float(last.voltage.max()) < 0.09
    with pytest.raises(InputError, match="holds no trials"):
        load_nwb_responses(path, by="stimulus")


@pytest.mark.data
def test_the_grasshopper_is_the_same_from_the_folder_and_from_the_package(data_folder, monkeypatch, tmp_path):
    pytest.importorskip("nitime")
    ours = load_dataset("rokem2006")
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    theirs = load_dataset("rokem2006")
    np.testing.assert_array_equal(ours.stimuli.values, theirs.stimuli.values)
    np.testing.assert_array_equal(ours.responses["receptor"].values, theirs.responses["receptor"].values)
    assert ours.responses["receptor"].sum("time").values.ravel().tolist() == [929, 868]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([0.2, 0.1], "0 are NaN or infinite, 0 negative, 1 before the one in front"),
        ([-0.1, 0.2], "1 negative"),
        ([0.1, np.nan], "1 are NaN or infinite"),
        ([300.0, 600.0], r"none of 2 spikes falls into any of 1 trials; .* spikes in ms\? s asked: divide by 1000"),
    ],
)
def test_units_of_a_damaged_nwb_file_and_those_in_ms_are_refused(tmp_path, times, words):
    pynwb = pytest.importorskip("pynwb")
    from neurosim.recordings.nwb import LONG_AGO

    file = pynwb.NWBFile("x", "x", LONG_AGO)
    file.add_trial(start_time=0.0, stop_time=1.0)
    file.add_unit(spike_times=times)
    with pynwb.NWBHDF5IO(str(tmp_path / "x.nwb"), "w") as io:
        io.write(file)
    with pytest.raises(InputError, match=f"^x.nwb: .*{words}"):
        load_nwb_responses(tmp_path / "x.nwb", by="start_time")


def test_links_that_leave_an_nwb_file_are_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.nwb", "w") as file:
        file["acquisition"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(StorageError, match="links to another place"):
        load_nwb_sweeps(tmp_path / "x.nwb")
    with h5py.File(tmp_path / "y.nwb", "w") as file:
        file["x"] = [1.0]
    with pytest.raises(StorageError, match="cannot be read as NWB"):
        load_nwb_sweeps(tmp_path / "y.nwb")


def test_neo_spikes_events_and_signals():
    neo, pq = pytest.importorskip("neo"), pytest.importorskip("quantities")
    segment = neo.Segment()
    segment.spiketrains.append(neo.SpikeTrain([100, 1200, 2100] * pq.ms, t_stop=4 * pq.s, name="u"))
    segment.events.append(neo.Event([0.0, 1.0, 2.0, 3.0] * pq.s, labels=["a", "b", "a", "b"], name="shown"))
    signal = np.arange(400.0)[:, None] * [1.0, 2.0]
    segment.analogsignals.append(neo.AnalogSignal(signal * pq.uV, sampling_rate=100 * pq.Hz))
    block = neo.Block()
    block.segments.append(segment)
    responses = align_spikes(neo_spikes(block), neo_events(block, "shown"), window=(0, 0.5))
    assert responses.values[..., 0].tolist() == [[1, 1], [1, 0]]
    cut = align_series(neo_series(block), neo_events(block), window=(0, 0.02))
    assert cut.attrs["quantity"] == "electric_potential"
    np.testing.assert_allclose(cut.sel(stimulus="b").values[0], signal[100:102] * 1e-6)
    with pytest.raises(InputError, match=r"no events 'x'\. Events: shown"):
        neo_events(block, "x")
    with pytest.raises(InputError, match="is a pickle"):
        load_neo("x.pkl")


def test_files_that_neo_cannot_read_are_refused(tmp_path):
    pytest.importorskip("neo")
    (tmp_path / "x.abf").write_bytes(b"not it")
    with pytest.raises(StorageError, match="cannot be read as a format of Neo"):
        load_neo(tmp_path / "x.abf")


def test_betas_of_voxels_with_their_place_in_the_scanner(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    rng = np.random.default_rng(0)
    values, affine = rng.normal(size=(3, 4, 2, 6)), np.diag([2.0, 2.0, 3.0, 1.0])
    mask = np.zeros((3, 4, 2), dtype=np.uint8)
    mask[1, 2, 1] = mask[2, 0, 0] = 1
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "betas.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask, affine), tmp_path / "mask.nii.gz")
    events = pd.DataFrame({"trial_type": list("abcabc"), "run": [1, 1, 1, 2, 2, 2]})
    events.to_csv(tmp_path / "events.tsv", sep="\t", index=False)
    found = load_betas(
        tmp_path / "betas.nii.gz", tmp_path / "events.tsv", mask=tmp_path / "mask.nii.gz", subject="s1", area="IT"
    )
    assert found.dims == ("stimulus", "trial", "unit")
    np.testing.assert_allclose(found.sel(stimulus="b").values, values[[1, 2], [2, 0], [1, 0]][:, [1, 4]].T)
    assert found.z.values.tolist() == pytest.approx([3e-3, 0.0])
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "betas.nii.gz").read_bytes()[:200])
    with pytest.raises(StorageError, match="cannot be read as NIfTI"):
        load_betas(tmp_path / "cut.nii.gz", tmp_path / "events.tsv", mask=tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match="need as many events with a column 'shown'"):
        load_betas(tmp_path / "betas.nii.gz", tmp_path / "events.tsv", mask=tmp_path / "mask.nii.gz", by="shown")


def test_epochs_and_evoked_of_mne(tmp_path):
    mne = pytest.importorskip("mne")
    info = mne.create_info(["M1", "M2", "E1"], 100.0, ["mag", "mag", "eeg"])
    data = np.random.default_rng(0).normal(size=(5, 3, 20)) * 1e-13
    events = np.stack([np.arange(5) * 50, np.zeros(5, int), [1, 2, 1, 2, 1]], axis=1)
    epochs = mne.EpochsArray(data, info, events, tmin=-0.1, event_id={"face": 1, "house": 2}, verbose="error")
    whole = load_epochs(epochs)
    assert whole.isnull().any(("time", "unit")).values.tolist() == [[False] * 3, [False, False, True]]
    epochs.save(tmp_path / "x-epo.fif", verbose="error")
    found = load_epochs(tmp_path / "x-epo.fif", balance=True, subject="s1")
    assert (found.dims, found.attrs["units"]) == (("stimulus", "trial", "time", "unit"), "T")
    np.testing.assert_allclose(found.sel(stimulus="house", unit="M2").values, data[[1, 3], 1], rtol=1e-5)
    assert found.time.values[0] == pytest.approx(-0.1)
    evoked = [epochs[name].average() for name in ("face", "house")]
    np.testing.assert_allclose(load_epochs(evoked).values[1, :, 0], data[[1, 3], 0].mean(0), rtol=1e-6)
    with pytest.raises(InputError, match="no 'grad' sensors"):
        load_epochs(epochs, picks="grad")


def test_tables_and_lazy_arrays_give_the_same_responses(tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("zarr")
    rows = pd.DataFrame({"stimulus": list("aab"), "unit": [1, 2, 1], "time": [0.1, 0.2, 0.3], "trial": [0, 0, 0]})
    rows.to_parquet(tmp_path / "x.parquet")
    rows.to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    np.savez(tmp_path / "x.npz", unit=[1, 2, 1], time=[0.1, 0.2, 0.3])
    first = load_responses(tmp_path / "x.parquet")
    xr.testing.assert_identical(first, load_responses(tmp_path / "x.tsv"))
    assert load_spikes(tmp_path / "x.npz").time.tolist() == [0.1, 0.3, 0.2]
    whole = counts().drop_vars("time").rename("responses")
    whole.to_dataset().to_zarr(tmp_path / "x.zarr")
    storage.write_dataset(tmp_path / "x.nc", whole)
    storage.write_dataset(tmp_path / "turned.nc", whole.transpose())
    for name in ("x.zarr", "x.nc", "turned.nc"):
        lazy = load_responses(tmp_path / name, lazy=True)
        assert not lazy.variable._in_memory and lazy.dims == whole.dims
        np.testing.assert_array_equal(lazy.values, whole.values)
        np.testing.assert_array_equal(load_responses(tmp_path / name).values, whole.values)


def test_a_registry_is_extended_by_one_file(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    monkeypatch.setenv("NEUROSIM_DATASETS", "")
    (tmp_path / "mine").mkdir()
    np.savez(tmp_path / "mine" / "x.npz", rdm=np.ones((2, 4, 4)) - np.eye(4))
    pd.DataFrame({"stimulus": list("ab"), "unit": [1, 1], "time": [0.1, 0.2]}).to_csv(tmp_path / "mine" / "v4.csv")
    sums = {n: storage.sha256(tmp_path / "mine" / n) for n in ("x.npz", "v4.csv")}
    lines = [
        "[mine]",
        'folder = "mine"\nhome = "https://example.org"\ncitation = "Me (2026)"\nlicence = "CC BY 4.0"',
        'recordings.IT = { file = "x.npz", kind = "rdms", variable = "rdm", dims = ["subject"] }',
        'recordings.V4 = { file = "v4.csv", kind = "responses" }',
        f"files = [{', '.join(f'{{ name = {n!r}, sha256 = {s!r} }}' for n, s in sums.items())}]",
    ]
    (tmp_path / "sets.toml").write_text("\n".join(lines))
    assert register_datasets(tmp_path / "sets.toml") == ("mine",)
    found = load_dataset("mine")
    assert found.rdms["IT"].dims == ("subject", "stimulus", "stimulus_other")
    assert (found.responses["V4"].shape, found.citation) == ((2, 1), "Me (2026)")
    for change, words in (
        (("mine]", "rokem2006]"), "which is taken"),
        (('folder = "mine"', 'folder = "../mine"'), "leads out of its folder"),
        (("licence", "license"), "Did you mean 'licence'"),
        (('kind = "rdms"', 'kind = "rdm"'), "needs a file that is listed"),
        (("[mine]", "[mine"), "not valid TOML"),
        (('folder = "mine"', "folder = 3"), "a folder in quotes"),
        (("files = [{", 'files = ["x", {'), "is a table with a name and a sha256"),
        (('"CC BY 4.0"', '"CC BY 4.0"\nstimuli = "s.nc"'), "are not among its files"),
        (("recordings.IT = {", "recordings.IT = 3 # {"), "needs a file that is listed"),
    ):
        (tmp_path / "bad.toml").write_text("\n".join(lines).replace(*change))
        with pytest.raises(InputError, match=words):
            register_datasets(tmp_path / "bad.toml")
    (tmp_path / "sets.toml").unlink()
    with pytest.raises(InputError, match="is gone"):
        load_dataset("yours")


def test_a_registry_reaches_into_packages_but_not_out_of_them():
    assert in_package("neurosim/recordings/datasets.py").name == "datasets.py"
    assert in_package("neurosim.recordings/datasets.py") is None
    assert in_package("no_such_package_here/x") is None
    with pytest.raises(StorageError, match="leads out of its folder"):
        in_package("neurosim/../../../../etc/passwd")


def events(times, stimuli):
    return pd.DataFrame({"start_time": times, "stimulus": stimuli})


def test_events_that_cannot_be_used_are_named():
    spikes = {"u": np.array([0.5, 1.5])}
    good = events([1.0, 2.0], ["a", "b"])
    with pytest.raises(InputError, match="1 of 2 events lie outside the recording"):
        align_spikes(spikes, good, session=(0.0, 2.2))
    with pytest.raises(InputError, match="no column 'onset' of events"):
        align_spikes(spikes, good, align_to="onset")
    with pytest.raises(InputError, match="table of events is empty"):
        align_spikes(spikes, events([], []))
    with pytest.raises(InputError, match="event times are NaN"):
        align_spikes(spikes, events([1.0, np.nan], ["a", "b"]))
    unequal = align_spikes({"u": [1.0]}, events([1.0, 2.0, 3.0], list("aab")))
    assert unequal.values[..., 0].tolist()[0] == [1.0, 0.0]
    assert unequal.isnull().values[..., 0].tolist() == [[False, False], [False, True]]
    assert align_spikes({"u": [1.0]}, events([1.0, 2.0, 3.0], list("aab")), balance=True).sizes["trial"] == 1
    with pytest.raises(InputError, match="whole bins"):
        align_spikes(spikes, good, window=(0, 0.5), time_bin=0.3)
    with pytest.raises(InputError, match="NaN"):
        align_spikes({"u": np.array([np.nan])}, good)
    with pytest.raises(InputError, match="trial 1 of stimulus 'a' is there twice"):
        align_spikes(spikes, events([1.0, 2.0], ["a", "a"]).assign(trial=[1, 1]))
    with pytest.raises(InputError, match="1 spikes lie outside the recording"):
        align_spikes({"u": np.array([-0.5, 1.5])}, good, session=(0.0, 9.0))
    uneven = xr.DataArray([1.0, 2.0, 3.0], dims="time", coords={"time": [0.0, 1.0, 5.0]})
    with pytest.raises(InputError, match="not evenly spaced"):
        align_series(uneven, good)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(-50, 50, allow_nan=False)), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_aligned_counts_are_those_of_every_window_in_any_order_of_spikes(rows, random):
    """Spikes unsorted, negative, repeated: the count of a window is the number of spikes in it."""
    shuffled = rows[:]
    random.shuffle(shuffled)
    shown = events([-5.0, 0.0, 5.0, 10.0], list("abab"))
    tables = [pd.DataFrame(r, columns=["unit", "time"]) for r in (rows, shuffled)]
    found = [align_spikes(t, shown, window=(-1.0, 3.0), time_bin=0.5, session=(-50.0, 50.0)) for t in tables]
    xr.testing.assert_identical(*found)
    for u in found[0].unit.values:
        for s, onsets in (("a", (-5.0, 5.0)), ("b", (0.0, 10.0))):
            wanted = sum(o - 1 <= t < o + 3 for unit, t in rows if str(unit) == u for o in onsets)
            assert float(found[0].sel(stimulus=s, unit=u).sum()) == wanted


cells = st.one_of(st.floats(), st.integers(-(10**9), 10**9), st.text(max_size=3), st.none())


@given(st.lists(st.tuples(cells, cells, cells), max_size=8), st.sampled_from([None, 0.5, 1e-9, 0.0, -1.0]))
@settings(max_examples=150)
def test_any_table_is_binned_completely_or_refused_in_one_line(rows, time_bin):
    table = pd.DataFrame(rows, columns=["stimulus", "unit", "time"])
    try:
        found = bin_spikes(table, time_bin=time_bin)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert float(found.sum()) == len(rows)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    written = counts().rename("responses")
    storage.write_dataset(folder / "x.nc", written)
    np.savez_compressed(folder / "x.npz", responses=written.values, dims=list(written.dims), time_step=0.02)
    return folder


@given(st.sampled_from(["x.nc", "x.npz"]), st.floats(0, 1), st.integers(0, 255))
def test_a_file_cut_or_changed_anywhere_is_read_whole_or_refused(whole_files, name, place, byte):
    content = bytearray((whole_files / name).read_bytes())
    damaged = whole_files / f"damaged{name[1:]}"
    for bad in (content[: int(place * len(content))], bytes([*content[:0]]) + _changed(content, place, byte)):
        damaged.write_bytes(bytes(bad))
        try:
            found = load_responses(damaged)
        except (StorageError, InputError) as error:
            assert "\n" not in str(error)
        else:
            assert {"stimulus", "unit"} <= set(found.dims)


def _changed(content, place, byte):
    changed = bytearray(content)
    changed[min(int(place * len(content)), len(content) - 1)] = byte
    return bytes(changed)


def test_files_that_would_need_unpickling_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", responses=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StorageError, match="holds Python objects, which are never read"):
        load_responses(tmp_path / "x.npz")


@pytest.mark.data
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_nwb_file_is_refused(data_folder, tmp_path, share):
    pytest.importorskip("pynwb")
    content = (data_folder / "bbp_steps" / "99111002.nwb").read_bytes()
    (tmp_path / "cut.nwb").write_bytes(content[: int(share * len(content))])
    for read in (load_nwb_sweeps, load_nwb_series):
        with pytest.raises(StorageError, match=r"cut\.nwb"):
            read(tmp_path / "cut.nwb")


@pytest.mark.data
def test_spikes_of_the_grasshopper_lie_in_the_bins_of_whole_microseconds(data_folder):
    counts = load_dataset("rokem2006").responses["receptor"]
    for k in (0, 1):
        lines = fetch(DATASETS["rokem2006"], f"grasshopper_spike_times{k + 1}.txt").read_text().splitlines()
        times = [Fraction(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
        assert np.flatnonzero(counts.values[k, :, 0]).tolist() == sorted({int(t // 50) for t in times})
