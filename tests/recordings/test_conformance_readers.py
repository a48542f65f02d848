"""Whatever file is brought, every public reader answers with what was written, or refuses it in one line.

Each reader is given the same file by other names and paths, cut, emptied, filled with noise and with other formats. A
public reader without an entry here fails the first test: what is added tomorrow is asked too.
"""

import inspect
import os
import pickle
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.recordings.reader import READERS
from neurosim.runtime import torch_seeded
from neurosim.sonata_spikes import write_sonata_spikes
from tests.public import public

RNG = np.random.default_rng(3)
COUNTS = RNG.integers(0, 4, (3, 2, 4, 2)).astype(float)
FIELDS = RNG.normal(size=(2, 2, 5, 3)) * 1e-4
VOXELS = RNG.normal(size=(2, 3, 2, 4))
DISTANCES = np.abs(np.subtract.outer(np.arange(4.0) ** 2, np.arange(4.0) ** 2))
CURRENT, VOLTAGE = RNG.normal(size=(2, 6)) * 1e-10, -0.07 + RNG.normal(size=(2, 6)) * 1e-3
SENSORS = RNG.normal(size=(4, 2, 10)) * 1e-13
SPIKES = {"stimulus": ["a", "a", "b"], "unit": ["u", "v", "u"], "time": [0.125, 0.25, 0.375]}
PIXELS = RNG.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)


@dataclass(frozen=True)
class Case:
    """A file and its reader.

    Parameters
    ----------
    write : put it at a path. read : give numbers back from it. wanted : these numbers. exact : to the last bit.
    """

    write: Callable[[Path], Any]
    read: Callable[[Any], Any]
    wanted: np.ndarray
    exact: bool = True


def responses():
    names = {"unit": ["u0", "u1"]}
    return ns.as_responses(COUNTS, stimuli=list("abc"), coords=names, quantity="spike_count", time_step=0.02)


def fields():
    return ns.as_responses(FIELDS, stimuli=["a", "b"], quantity="electric_potential", time_step=0.1)


def write_npz_sweeps(path):
    held = {"V_mV_int16": np.int16([[-700, -701]]), "I_pA_int16": np.int16([[0, 5]])}
    steps = {"V_mV_lsb": 0.1, "I_pA_lsb": 10.0, "rate_hz": 1e4}
    np.savez(path, **{f"step_{k}": v for k, v in {**held, **steps}.items()})


def write_nwb_sweeps(path):
    import pynwb
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    file = pynwb.NWBFile("x", "x", pd.Timestamp("2020-01-01", tz="UTC").to_pydatetime())
    device = file.create_device("d")
    electrode = file.create_icephys_electrode(name="e", description="e", device=device)
    for k, (i, v) in enumerate(zip(CURRENT, VOLTAGE, strict=True)):
        about = {"electrode": electrode, "gain": 1.0, "rate": 1e4, "sweep_number": np.uint64(k)}
        file.add_acquisition(CurrentClampSeries(name=f"v{k}", data=v, **about))
        file.add_stimulus(CurrentClampStimulusSeries(name=f"i{k}", data=i, **about))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def write_events(path):
    np.savez(path, t=[1, 3, 4], unit=[0, 1, 1], n_events=[1, 2])


def event_counts(path):
    events = ns.stimuli.load_events("table", "all", path=path, sensor={"unit": 2}, time_unit=1e-3)
    return ns.stimuli.bin_events(events, ns.stimuli.EventBins(1, time_step=0.01)).values[:, 0]


def write_image(path):
    import nibabel

    nibabel.save(nibabel.Nifti1Image(VOXELS, np.diag([2.0, 2.0, 2.0, 1.0])), path)
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 2), np.uint8), np.diag([2.0, 2.0, 2.0, 1.0])), BESIDE / "mask.nii")
    pd.DataFrame({"trial_type": list("abab")}).to_csv(BESIDE / "events.tsv", sep="\t", index=False)


def write_bids(path):
    import nibabel

    (path / "sub-01" / "func").mkdir(parents=True)
    run = path / "sub-01" / "func" / "sub-01_task-see_run-1"
    image = nibabel.Nifti1Image(VOXELS, np.diag([2.0, 2.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((2.0, 2.0, 2.0, 1.5))
    nibabel.save(image, f"{run}_desc-preproc_bold.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 3, 2), np.uint8), image.affine), f"{run}_desc-brain_mask.nii.gz")
    table = pd.DataFrame({"onset": [0.0, 3.0], "duration": [1.0, 1.0], "trial_type": ["a", "b"]})
    table.to_csv(f"{run}_events.tsv", sep="\t", index=False)


def bids(path):
    asked = {"suffix": "bold", "entities": {"sub": "01", "run": "1"}}
    return ns.recordings.load_bids(path, **asked, window=(0, 3)).values[:, 0]


def epochs():
    import mne

    events = np.stack([np.arange(4) * 50, np.zeros(4, int), [1, 2, 1, 2]], axis=1)
    info = mne.create_info(["M1", "M2"], 100.0, "mag")
    return mne.EpochsArray(SENSORS, info, events, event_id={"a": 1, "b": 2}, verbose="error")


def write_evoked(path):
    import mne

    mne.write_evokeds(path, [epochs()[k].average() for k in "ab"], verbose="error")


def write_neo(path):
    import neo
    import quantities as pq

    segment = neo.Segment()
    segment.analogsignals.append(neo.AnalogSignal(FIELDS[0, 0] * pq.mV, sampling_rate=100 * pq.Hz))
    block = neo.Block()
    block.segments.append(segment)
    neo.io.NeoMatlabIO(str(path)).write(block)


def leaky():
    cells = ns.biophysics.Population("cells", 2, ns.biophysics.LIFParameters())
    wire = ns.biophysics.Projection("input", "cells", [[4e-3, 2e-3]], delay=1e-3)
    return ns.biophysics.Circuit("small", ns.biophysics.Input(1), (cells,), (wire,), 1e-4, 1e-3)


def write_circuit(path):
    ns.biophysics.save_circuit(path, ns.biophysics.single_neuron(ns.biophysics.LIFParameters(), 1e-4))


def write_nir(path):
    import nir

    nodes = {"input": nir.Input(np.array([2])), "w": nir.Affine(FIELDS[0, 0, :2, :2], np.zeros(2)), "output": None}
    nodes["output"] = nir.Output(np.array([2]))
    nir.write(path, nir.NIRGraph(nodes, [("input", "w"), ("w", "output")]))


SPARSE = (FIELDS[0, 0, :3, :2] > 0)[None].astype(float)


def write_nir_data(path):
    import nir

    shown = nir.TimeGriddedData(SPARSE.astype(bool), dt=1e-3)
    nir.write_data(path, nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": shown})}))


def write_swc(path):
    path.write_text("1 1 0 0 0 5 -1\n2 3 0 20 0 1 1\n3 3 0 60 0 0.5 2\n")


def write_streamed(path):
    plain = xr.Dataset({"responses": (("stimulus", "unit"), COUNTS[:, 0, 0])})
    storage.write_dataset(path, plain)


def write_series(path):
    lines = [",".join(map(repr, row.tolist())) + f":{k}" for k, row in enumerate(PIXELS[..., 0, 0].astype(float))]
    path.write_text("@problemName x\n@classLabel true 0 1\n@data\n" + "\n".join(lines))


def write_toml(path):
    path.write_text(
        '[conformance]\nfolder = "c"\nhome = "h"\ncitation = "c"\nlicence = "l"\n'
        'recordings.V4 = { file = "v4.nc", kind = "responses" }\nfiles = [{ name = "v4.nc", sha256 = "0" }]\n'
    )


def write_pictures(path):
    from PIL import Image

    path.mkdir()
    for k, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(path / f"{k}.png")


def table(path):
    frame = pd.DataFrame(SPIKES)
    ending = path.suffix.lower()
    if ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")


def betas(path):
    return ns.recordings.load_betas(path, BESIDE / "events.tsv", mask=BESIDE / "mask.nii").values


def counted(path):
    return ns.load_responses(path).values


def sweeps(path):
    found = next(iter(ns.recordings.load_sweeps(path).values()))
    return np.stack([found.current.values, found.voltage.values])


def nwb_counts(path):
    return ns.recordings.load_nwb_responses(path, by="stimulus", window=(0, 0.08), time_bin=0.02).values


def example_of(kind):
    def write(path):
        """Write the example of a format, its events beside all files."""
        READERS[kind].example(path)
        for table in [*path.parent.glob("*_events.csv"), *path.glob("events.csv")]:
            table.rename(BESIDE / "events.csv")

    return write


def in_session(path):
    options = {"events": BESIDE / "events.csv"}
    options |= {"frame_rate": 10.0} if "suite2p" in Path(path).name else {}
    return ns.load_responses(path, options=options).values[:, 0]


def of_voxels(values):
    return np.stack([values[..., k::2].reshape(12, 2).T for k in (0, 1)])


BESIDE = Path()
PAIR = np.array([[[1.0, 0.0]], [[1.0, 1.0]]])
TIMES = np.array([0.125, 0.375, 0.25])
SWEEPS = np.stack([CURRENT, VOLTAGE])
BINNED = np.array([[1.0, 1.0], [1.0, 0.0]])
TEN = np.array([[[0.0, 50e-12]], [[-0.07, -0.0701]]])
CHANNELS = np.moveaxis(PIXELS, -1, 1).astype(np.float32) / 255
BUILT_FROM = {"specification": ns.networks.MLPSpecification((2,)), "image_shape": (2, 2), "n_categories": 2}


def small_network():
    with torch_seeded(0):
        return ns.build_network(*BUILT_FROM.values())


def weights(network):
    return np.concatenate([w.detach().numpy().ravel() for w in network.parameters()])


def write_network(path):
    ns.networks.save_hugging_face(path, small_network(), **BUILT_FROM)


CASES = {
    ("load_responses", "x.nc"): Case(
        lambda p: storage.write_dataset(p, responses().rename("responses")), counted, COUNTS
    ),
    ("load_responses", "x.npz"): Case(
        lambda p: np.savez(p, responses=COUNTS, dims=["stimulus", "trial", "time", "unit"], time_step=0.02),
        counted,
        COUNTS,
    ),
    ("load_responses", "x.zarr"): Case(
        lambda p: xr.Dataset({"r": (("stimulus", "unit"), COUNTS[:, 0, 0])}).to_zarr(p), counted, COUNTS[:, 0, 0]
    ),
    ("load_responses", "x.csv"): Case(table, counted, BINNED),
    ("load_responses", "phy"): Case(example_of("phy"), in_session, np.array([[1.0, 1.0], [1.0, 0.0]])),
    ("load_responses", "alf"): Case(
        example_of("alf"),
        lambda p: ns.load_responses(p, options={"by": "contrastLeft"}).values[:, 0],
        np.array([[1.0, 1.0], [1.0, 0.0]]),
    ),
    ("load_responses", "suite2p"): Case(
        example_of("suite2p"),
        lambda p: in_session(p)[0, 0],
        np.array([0.0, 100.0]) - 0.7,
    ),
    ("load_responses", "pynapple.npz"): Case(example_of("pynapple"), in_session, np.array([[1.0, 1.0], [1.0, 0.0]])),
    ("load_responses", "sorting.npz"): Case(
        example_of("spikeinterface"), in_session, np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    ),
    ("load_responses", "x.npy"): Case(
        lambda p: np.save(p, COUNTS),
        lambda p: (
            ns.load_responses(p, options={"dims": ("stimulus", "trial", "time", "unit"), "time_step": 0.02}).values
        ),
        COUNTS,
    ),
    ("load_responses", "x.mat"): Case(example_of("mat"), counted, np.arange(6.0).reshape(3, 2)),
    ("load_responses", "x.tsv"): Case(table, counted, BINNED),
    ("load_responses", "x.parquet"): Case(table, counted, BINNED),
    ("load_spikes", "x.csv"): Case(table, lambda p: ns.recordings.load_spikes(p).time.to_numpy(), TIMES),
    ("load_spikes", "x.parquet"): Case(table, lambda p: ns.recordings.load_spikes(p).time.to_numpy(), TIMES),
    ("load_spikes", "x.h5"): Case(
        lambda p: write_sonata_spikes(p, {"v1": (np.array([0, 1, 0]), np.array([0.125, 0.25, 0.375]))}),
        lambda p: ns.recordings.load_spikes(p).time.to_numpy(),
        TIMES,
        exact=False,
    ),
    ("load_spikes", "x.npz"): Case(
        lambda p: np.savez(p, unit=SPIKES["unit"], time=SPIKES["time"]),
        lambda p: ns.recordings.load_spikes(p).time.to_numpy(),
        TIMES,
    ),
    ("load_sweeps", "x.nc"): Case(
        lambda p: storage.write_dataset(p, ns.as_sweeps(CURRENT, VOLTAGE, time_step=1e-4)), sweeps, SWEEPS
    ),
    ("load_sweeps", "x.npz"): Case(write_npz_sweeps, sweeps, TEN, exact=False),
    ("load_sweeps", "x.nwb"): Case(write_nwb_sweeps, sweeps, SWEEPS),
    ("load_nwb_responses", "x.nwb"): Case(
        lambda p: ns.recordings.save_nwb(p, responses(), description="x"), nwb_counts, COUNTS
    ),
    ("load_nwb_series", "y.nwb"): Case(
        lambda p: ns.recordings.save_nwb(p, fields(), description="x"),
        lambda p: ns.recordings.load_nwb_series(p).values[5:10],
        FIELDS[0, 0],
    ),
    ("load_betas", "x.nii"): Case(write_image, betas, of_voxels(VOXELS)),
    ("load_betas", "x.nii.gz"): Case(write_image, betas, of_voxels(VOXELS)),
    ("load_bids", "bids"): Case(write_bids, bids, VOXELS.reshape(12, 2, 2).transpose(1, 2, 0)),
    ("load_rdms", "x.nc"): Case(
        lambda p: ns.recordings.save_rdms(ns.as_rdm(DISTANCES), p),
        lambda p: ns.recordings.load_rdms(p).values,
        DISTANCES,
    ),
    ("load_epochs", "x-epo.fif"): Case(
        lambda p: epochs().save(p, fmt="double", verbose="error"),
        lambda p: ns.recordings.load_epochs(p).values,
        np.stack([SENSORS[k::2] for k in (0, 1)]).swapaxes(-1, -2),
    ),
    ("load_epochs", "x-ave.fif.gz"): Case(
        write_evoked,
        lambda p: ns.recordings.load_epochs(p).values,
        np.stack([SENSORS[k::2].mean(0).T for k in (0, 1)]),
        exact=False,
    ),
    ("load_neo", "x.mat"): Case(
        write_neo,
        lambda p: ns.recordings.neo_series(ns.recordings.load_neo(p)).values,
        FIELDS[0, 0] * 1e-3,
        exact=False,
    ),
    ("load_circuit", "x.nc"): Case(write_circuit, lambda p: np.array(ns.biophysics.load_circuit(p).dt), np.array(1e-4)),
    ("load_sonata", "circuit_config.json"): Case(
        lambda p: ns.biophysics.save_sonata(p.parent, leaky()),
        lambda p: np.array(ns.biophysics.load_sonata(p).dt),
        np.array(1e-4),
    ),
    ("load_nir", "x.nir"): Case(
        write_nir, lambda p: np.asarray(ns.biophysics.load_nir(p).nodes["w"].weight), FIELDS[0, 0, :2, :2]
    ),
    ("load_nir_data", "x.nir"): Case(
        write_nir_data, lambda p: ns.biophysics.stimuli_from_nir(ns.biophysics.load_nir_data(p)).values, SPARSE
    ),
    ("load_swc", "x.swc"): Case(
        write_swc, lambda p: ns.biophysics.load_swc(p).diameter, np.array([10e-6, 2e-6, 1e-6]), exact=False
    ),
    ("open_streamed", "x.nc"): Case(write_streamed, lambda p: ns.networks.open_streamed(p).values, COUNTS[:, 0, 0]),
    ("load_time_series", "x.ts"): Case(
        write_series, lambda p: ns.stimuli.load_time_series(p).values[..., 0], PIXELS[..., 0, 0].astype(np.float32)
    ),
    ("load_stimuli", "x.npy"): Case(
        lambda p: np.save(p, CHANNELS), lambda p: ns.load_stimuli(p, layout="NCHW").values, CHANNELS
    ),
    ("load_stimuli", "x.npz"): Case(
        lambda p: np.savez(p, stimuli=CHANNELS), lambda p: ns.load_stimuli(p, layout="NCHW").values, CHANNELS
    ),
    ("load_image_folder", "pictures"): Case(write_pictures, lambda p: ns.stimuli.load_image_folder(p).values, CHANNELS),
    ("load_events", "x.npz"): Case(write_events, event_counts, np.array([[1, 0], [0, 2]])),
    ("load_hugging_face", "network"): Case(
        write_network, lambda p: weights(ns.networks.load_hugging_face(p)), weights(small_network())
    ),
    ("register_datasets", "x.toml"): Case(
        write_toml, lambda p: np.array(len(ns.recordings.register_datasets(p))), np.array(1)
    ),
}
FOLDERS = {"x.zarr", "pictures", "bids", "phy", "alf", "suite2p", "network"}
# sets by name, which find their own files
BY_NAME = {
    "load_cifar10": ns.stimuli.load_cifar10,
    "load_dataset": ns.load_dataset,
    "load_digits": None,
    "load_mnist": ns.stimuli.load_mnist,
    "load_nmnist": None,
    "load_sentences": ns.stimuli.load_sentences,
    "load_source": ns.stimuli.load_source,
    "load_spoken_digits": ns.stimuli.load_spoken_digits,
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Every file once."""
    global BESIDE
    folder = tmp_path_factory.mktemp("originals")
    BESIDE = tmp_path_factory.mktemp("beside")
    for (reader, name), case in CASES.items():
        (folder / reader).mkdir(exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case.write(folder / reader / name)
    return folder


@pytest.fixture(autouse=True)
def no_sets_of_others(monkeypatch):
    monkeypatch.setenv("NEUROSIM_DATASETS", "")


def every(kinds):
    return [pytest.param(*key, kind, id=f"{key[0]}-{key[1]}-{kind}") for key in CASES for kind in kinds]


def same(found, case):
    if case.exact:
        np.testing.assert_array_equal(found, case.wanted)
    else:
        np.testing.assert_allclose(found, case.wanted, rtol=1e-6)


def answered_or_refused(case, path):
    """Give the numbers of a file, or None where it was refused in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return case.read(path)
    except ns.InputError as error:
        assert "\n" not in str(error)
        assert 10 < len(str(error)) < 600
        return None


def held(folder):
    """Return the content of every file below a folder."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _of_data(reader):
    return reader.__module__.split(".")[1] in ("stimuli", "recordings", "biophysics", "networks")


def test_every_public_reader_is_asked():
    readers = {
        name
        for name, thing in public().items()
        if re.match(r"(load|read|open|register)_", name) and inspect.isroutine(thing) and _of_data(thing)
    }
    assert readers == {reader for reader, _ in CASES} | set(BY_NAME)


@pytest.mark.parametrize(("reader", "name", "kind"), every(["Path", "str", "from its folder"]))
def test_what_was_written_comes_back(originals, monkeypatch, reader, name, kind):
    path, case = originals / reader / name, CASES[reader, name]
    before = held(originals)
    if kind == "from its folder":
        monkeypatch.chdir(path.parent)
        path = name
    same(case.read(str(path) if kind == "str" else path), case)
    assert held(originals) == before


@pytest.mark.parametrize(("reader", "name", "kind"), every(["capitals", "a link"]))
def test_the_same_file_by_another_name_gives_the_same_or_is_refused(originals, tmp_path, reader, name, kind):
    stem, _, ending = name.partition(".")
    path = tmp_path / (f"{stem}.{ending.upper()}" if kind == "capitals" else f"other-{name}")
    path.symlink_to(originals / reader / name)
    found = answered_or_refused(CASES[reader, name], path)
    if found is not None:
        same(found, CASES[reader, name])
    assert found is not None or (kind, name) == ("capitals", "x-ave.fif.gz")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def hostile(kind, path, original):
    """Put something at `path` that no reader can take, and give the path to ask for."""
    match kind:
        case "missing":
            return path.with_name(f"other{path.name}")
        case "a folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "noise":
            path.write_bytes(np.random.default_rng(0).bytes(3000))
        case "text":
            path.write_text("what is this\n1,2\n")
        case "a pickle":
            path.write_bytes(pickle.dumps(Trap(str(path.parent / "sprung"))))
        case "a circle":
            path.symlink_to(path)
        case "a null":
            return str(path.parent / "a\0b") + path.suffix
        case "a long name":
            return path.parent / ("a" * 300 + path.suffix)
        case "beneath a file":
            path.parent.joinpath("file").touch()
            return path.parent / "file" / path.name
        case "nothing":
            return ""
    return path


NEVER = ["missing", "a folder", "empty", "noise", "text", "a pickle", "a circle", "a null", "a long name"]


@pytest.mark.parametrize(("reader", "name", "kind"), every([*NEVER, "beneath a file", "nothing"]))
def test_what_is_no_such_file_is_refused_in_one_line(originals, tmp_path, reader, name, kind):
    path = hostile(kind, tmp_path / name, originals / reader / name)
    before = held(tmp_path)
    assert answered_or_refused(CASES[reader, name], path) is None
    assert held(tmp_path) == before
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(("reader", "name"), [k for k in CASES if k[1] not in FOLDERS])
def test_a_file_that_is_cut_or_of_another_format_is_refused_or_read_in_part(originals, tmp_path, reader, name):
    path, case = tmp_path / name, CASES[reader, name]
    content = (originals / reader / name).read_bytes()
    places = np.random.default_rng(len(content)).integers(1, len(content), 6)
    for cut in sorted({1, *map(int, places), len(content) - 1}):
        path.write_bytes(content[:cut])
        answered_or_refused(case, path)
    for other in ("load_responses/x.nc", "load_responses/x.npz", "load_betas/x.nii.gz", "load_spikes/x.parquet"):
        path.write_bytes((originals / other).read_bytes())
        found = answered_or_refused(case, path)
        assert found is None or Path(other).suffix == path.suffix


@pytest.mark.parametrize("reader", sorted({reader for reader, _ in CASES} - {"load_stimuli"}))
def test_what_is_no_path_is_refused_in_one_line(reader):
    read = next(case.read for (r, _), case in CASES.items() if r == reader)
    for given in (None, 3, b"x.nc", ["x.nc"], np.zeros((2, 2)), pd.DataFrame(SPIKES), {}):
        with pytest.raises(ns.InputError) as caught:
            read(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [f for f in BY_NAME.values() if f], ids=lambda f: f.__name__)
def test_sets_that_are_not_known_are_refused_in_one_line(load):
    for given in ("no such set", "../../etc/passwd", "a\0b", ""):
        with pytest.raises(ns.InputError) as caught:
            load(given)
        assert "\n" not in str(caught.value)
