"""Recordings of events: files as they were published, written here by hand, are read whole, or refused in one line."""

import random
import struct

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.event_arrays import EventBins, Recording, binned, joined
from neurosim.schema import InputError
from neurosim.stimuli.cifar10 import CATEGORIES
from neurosim.stimuli.event_set import EVENT_DATA, as_events, bin_events, load_events
from neurosim.stimuli.event_sets.dvs_gesture import GESTURES
from neurosim.stimuli.events import NMNIST_FILE, nmnist_file
from neurosim.storage import StorageError
from tests.campaigns.hostile_files import flipped

RNG = np.random.default_rng(3)
CAMERA = {"channel": 2, "y": 128, "x": 128}


def spikes_of(n, span=1.0, units=700):
    return np.sort(RNG.random(n)) * span, RNG.integers(0, units, n)


def pixels_of(n, side=128, most=5000):
    return np.sort(RNG.integers(0, most, n)), *(RNG.integers(0, m, n) for m in (2, side, side))


def heidelberg(path, lists, keys, half=np.float16, shuffled=False):
    """Write lists as PyTables keeps them in SHD and SSC."""
    with h5py.File(path, "w") as file:
        for name, kind, column in (("times", half, 0), ("units", np.uint16, 1)):
            rows = file.create_dataset(f"spikes/{name}", (len(lists),), dtype=h5py.vlen_dtype(kind))
            for k, row in enumerate(lists):
                rows[k] = (row[column][::-1] if shuffled else row[column]).astype(kind)
        file["labels"] = np.arange(len(lists), dtype=np.uint16) % len(keys)
        file["extra/speaker"] = np.arange(len(lists), dtype=np.uint16) % 3
        file["extra/keys"] = np.array(keys, dtype="S")


def aedat3(path, events, per_packet=7, start=0):
    """Write polarity events packet by packet, with an invalid event and a packet of another kind among them."""
    content = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"
    rows = [(t + start, p, y, x, 1) for t, p, y, x in zip(*(v.tolist() for v in events), strict=True)]
    rows.insert(len(rows) // 2, (*rows[len(rows) // 2][:4], 0))
    content += struct.pack("<hhiiiiii", 3, 0, 36, 4, 0, 2, 2, 2) + bytes(72)
    later = [row for row in rows if row[0] >= 2**31]
    earlier = rows[: len(rows) - len(later)]
    for some in [p[k : k + per_packet] for p in (earlier, later) for k in range(0, len(p), per_packet)]:
        n = len(some)
        content += struct.pack("<hhiiiiii", 1, 0, 8, 4, some[0][0] >> 31, n, n, n)
        content += b"".join(struct.pack("<II", x << 17 | y << 2 | p << 1 | v, t & 0x7FFFFFFF) for t, p, y, x, v in some)
    path.write_bytes(content)


def aedat2(path, events):
    """Write events of a DVS128 as jAER does: off is 1, x from the right."""
    words = b"".join(
        struct.pack(">II", y << 8 | (127 - x) << 1 | (1 - p), t)
        for t, p, y, x in zip(*(v.tolist() for v in events), strict=True)
    )
    path.write_bytes(b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n" + words)


def five_bytes(path, events):
    """Write events of N-MNIST; times beyond 2^13 us are told by rows of 240."""
    rows, before = [], 0
    for t, p, y, x in zip(*(v.tolist() for v in events), strict=True):
        while t - before >= 2**13:
            rows.append(bytes([0, 240, 0, 0, 0]))
            before += 2**13
        rest = t - before
        rows.append(bytes([x, y, p << 7 | rest >> 16, rest >> 8 & 255, rest & 255]))
    path.write_bytes(b"".join(rows))


def write_shd(folder):
    truth = {}
    for split in ("train", "test"):
        lists = [spikes_of(n) for n in (30, 0, 12)]
        heidelberg(folder / f"shd_{split}.h5", lists, [b"zero", b"null"])
        truth[split] = [(np.round(t.astype(np.float16).astype(float) * 1e6), u) for t, u in lists]
    return truth, [["zero", "null", "zero"]] * 2


def write_ssc(folder):
    truth = {}
    for split, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        lists = [spikes_of(n) for n in (9, 7)]
        heidelberg(folder / f"ssc_{name}.h5", lists, [b"yes", b"no"], half=np.float32, shuffled=True)
        truth[split] = [(np.round(t.astype(np.float32).astype(float) * 1e6), u) for t, u in lists]
    return truth, [["yes", "no"]] * 3


def write_gestures(folder):
    truth, start = {}, 2**31 - 1500  # the clock of the camera overflows inside
    for user, split in ((1, "train"), (2, "test")):
        times, *places = pixels_of(60)
        aedat3(folder / f"user{user:02d}_led.aedat", (times, *places), start=start)
        rows = [(2, start + 100, start + 900), (11, start + 1000, start + 4000)]
        lines = "".join(f"{g},{a},{b}\n" for g, a, b in rows)
        (folder / f"user{user:02d}_led_labels.csv").write_text("class,startTime_usec,endTime_usec\n" + lines)
        (folder / f"trials_to_{split}.txt").write_text(f"user{user:02d}_led.aedat\n")
        own = [(times + start >= a) & (times + start < b) for _, a, b in rows]
        truth[split] = [(times[k] + start - a, *(p[k] for p in places)) for k, (_, a, _) in zip(own, rows, strict=True)]
    return truth, [[GESTURES[1], GESTURES[10]]] * 2


def write_cifar(folder):
    truth = []
    for name in CATEGORIES:
        (folder / name).mkdir()
        times, *places = pixels_of(11)
        aedat2(folder / name / f"cifar10_{name}_0.aedat", (times + 77, *places))
        truth.append((times - times[0], *places))
    return {"all": truth}, [list(CATEGORIES)]


def write_nmnist(folder):
    truth = {}
    for split, name in (("train", "Train"), ("test", "Test")):
        truth[split] = []
        for digit in range(10):
            place = folder / name / str(digit)
            place.mkdir(parents=True)
            events = pixels_of(13, side=34, most=40000)
            five_bytes(place / f"{digit:05d}.bin", events)
            truth[split].append(events)
    return truth, [[str(d) for d in range(10)]] * 2


def write_sounds(folder):
    lengths, index = np.array([400, 300, 500, 350] * 10), np.tile([0, 7], 20)
    label, samples = np.repeat(np.arange(10), 4), RNG.integers(-9000, 9000, lengths.sum()).astype(np.int16)
    speaker = np.array(["anna", "anna", "bert", "bert"] * 10)
    np.savez(folder / "fsdd_v1.npz", samples=samples, lengths=lengths, label=label, speaker=speaker, index=index)
    return {"train": None, "test": None}, [np.repeat(np.arange(10), 2).astype(str).tolist()] * 2


WRITERS = {
    "shd": write_shd, "ssc": write_ssc, "dvs_gesture": write_gestures, "cifar10_dvs": write_cifar,
    "nmnist": write_nmnist, "spoken_digits": write_sounds,
}  # fmt: skip


def test_every_set_has_a_file_written_here():
    assert set(WRITERS) == set(EVENT_DATA)
    assert all(kind.citation and "https://" in kind.citation and kind.licence for kind in EVENT_DATA.values())


@pytest.mark.parametrize("name", list(WRITERS))
def test_sets_are_read_as_they_were_written(tmp_path, name):
    truth, categories = WRITERS[name](tmp_path)
    kind, shown = EVENT_DATA[name], []
    assert set(kind.splits) == set(truth)
    for split, asked in zip(truth, categories, strict=True):
        found = load_events(name, split, path=tmp_path)
        shown += found.ids.tolist()
        assert found.sensor == kind.sensor and found.labels["category"].tolist() == asked
        assert all(path.is_file() for path in kind.files(tmp_path, split))
        assert found.times.dtype == np.int32 and found.addresses.dtype == np.uint16
        for k, wanted in enumerate(truth[split] or ()):
            own = found.recording(k)
            columns = [own.times, *own.places.values()]
            assert all(np.array_equal(c, w) for c, w in zip(columns, wanted, strict=True))
    whole = load_events(name, "all", path=tmp_path)
    assert whole.ids.tolist() == shown and len(set(shown)) == len(shown)


def test_the_recordings_of_a_speaker_are_found_by_name(tmp_path):
    write_shd(tmp_path)
    events = load_events("shd", path=tmp_path)
    assert events.where("speaker", ["0", "2"]).tolist() == [0, 2]
    assert events.chosen([2, 0]).recording(0).times.tolist() == events.recording(2).times.tolist()
    with pytest.raises(InputError, match="no recording has the speaker '7'"):
        events.where("speaker", [7])
    with pytest.raises(InputError, match=r"no label 'speakr'.*Did you mean 'speaker'"):
        events.where("speakr", ["0"])


def cut(path, n):
    path.write_bytes(path.read_bytes()[:-n])


def longer_lists(path):
    with h5py.File(path, "a") as file:
        file["spikes/units"][0] = np.arange(3, dtype=np.uint16)


def other(path, dataset, value):
    with h5py.File(path, "a") as file:
        del file[dataset]
        file[dataset] = value


def write_trial(path, begin, end):
    path.write_text(f"class,startTime_usec,endTime_usec\n2,{begin},{end}\n")


def rewritten(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new, 1))


SHD, GESTURE, LABELS = "shd_train.h5", "user01_led.aedat", "user01_led_labels.csv"
CAT, THREE = "cat/cifar10_cat_0.aedat", "Train/3/00003.bin"
CLAIM = struct.pack("<iii", 7, 7, 7), struct.pack("<iii", 2**30, 7, 7)
HOSTILE = {
    "shd cut": (SHD, lambda p: cut(p, 400), "cannot be read as HDF5|truncated"),
    "shd lists": (SHD, longer_lists, "differ in length"),
    "shd labels": (SHD, lambda p: other(p, "labels", np.full(3, 9)), "outside its 2 keys"),
    "shd few": (SHD, lambda p: other(p, "labels", np.zeros(2, int)), r"has the shape \(3,\), 2 labels"),
    "shd units": (SHD, lambda p: heidelberg(p, [spikes_of(9, units=999)], [b"a"]), "outside a sensor of 700"),
    "shd nan": (SHD, lambda p: heidelberg(p, [(np.full(2, np.nan), np.zeros(2))], [b"a"]), "or NaN"),
    "shd link": (SHD, lambda p: other(p, "labels", h5py.ExternalLink("/etc/passwd", "/")), "links to"),
    "shd gone": (SHD, lambda p: p.unlink(), "lacks shd_train.h5, which comes from https"),
    "gesture cut": (GESTURE, lambda p: cut(p, 3), "truncated or damaged"),
    "gesture header": (GESTURE, lambda p: rewritten(p, b"3.1", b"4.0"), "an AEDAT 3.1 file is asked"),
    "gesture pixels": (GESTURE, lambda p: aedat3(p, pixels_of(40, 300), start=2**31 - 1500), "sensor of 128"),
    "gesture jumbled": (GESTURE, lambda p: aedat3(p, [v[::-1] for v in pixels_of(40)]), "times go back at event"),
    "gesture claims": (GESTURE, lambda p: rewritten(p, *CLAIM), "claims 7 of 1073741824"),
    "gesture away": ("trials_to_train.txt", lambda p: p.write_text("../a.aedat"), "leads out of its folder"),
    "shd halves": (SHD, lambda p: other(p, "labels", np.array([0.0, 0.5, 1.0])), "labels that are no whole numbers"),
    "gesture after": (
        LABELS,
        lambda p: write_trial(p, 2**31 + 9000, 2**31 + 9900),
        "no event in a trial of 2147492648 to",
    ),
    "gesture before": (LABELS, lambda p: write_trial(p, 10, 900), "user01_led.aedat goes from 2147"),
    "cifar empty": (CAT, lambda p: p.write_bytes(b"#!AER-DAT2.0\r\n"), "holds no events; it is empty or truncated"),
    "nmnist empty": (THREE, lambda p: p.write_bytes(b""), "holds no events; it is empty or truncated"),
    "gesture label": (LABELS, lambda p: rewritten(p, b"\n2,", b"\n12,"), "outside 1..11"),
    "cifar cut": (CAT, lambda p: cut(p, 3), "ends inside an event"),
    "cifar jumbled": (CAT, lambda p: aedat2(p, [v[::-1] for v in pixels_of(9)]), "times go back"),
    "nmnist cut": (THREE, lambda p: cut(p, 2), "no events of five bytes"),
    "nmnist pixels": (THREE, lambda p: p.write_bytes(bytes([34, 0, 0, 0, 9])), "x 34 of an event is outside"),
}
OF = {"shd": "shd", "gesture": "dvs_gesture", "cifar": "cifar10_dvs", "nmnist": "nmnist"}


@pytest.mark.parametrize("case", list(HOSTILE))
def test_hostile_files_are_refused_in_one_line(tmp_path, case):
    file, harm, words = HOSTILE[case]
    name = OF[case.split()[0]]
    WRITERS[name](tmp_path)
    harm(tmp_path / file)
    with pytest.raises(InputError, match=words) as found:
        load_events(name, EVENT_DATA[name].splits[0], path=tmp_path)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("name", "file"), [("shd", SHD), ("dvs_gesture", GESTURE), ("nmnist", THREE)])
def test_tampered_files_are_read_or_refused_in_one_line(tmp_path, name, file):
    WRITERS[name](tmp_path)
    whole, rng = (tmp_path / file).read_bytes(), random.Random(2)
    for _ in range(25):
        (tmp_path / file).write_bytes(flipped(whole, rng))
        try:
            load_events(name, path=tmp_path)
        except InputError as error:
            assert "\n" not in str(error)


def test_the_events_of_the_data_folder_are_those_that_load_nmnist_bins(data_folder):
    packed = ns.storage.read_npz(nmnist_file())
    assert nmnist_file().name == NMNIST_FILE
    n = packed["n_events"][:20]
    some = slice(int(n.sum()))
    places = {"channel": packed["p"][some], "y": packed["y"][some], "x": packed["x"][some]}
    events = as_events(packed["t_us"][some], places, n, sensor={"channel": 2, "y": 34, "x": 34})
    dense = ns.stimuli.load_nmnist(n_steps=10, binary=False)[:20]
    found = bin_events(events, EventBins(10, time_step=30e-3))
    assert np.array_equal(found.values[:, :9], dense.values[:, :9]) and found.sizes == dense.sizes


TABLE = {"t": [3, 5, 1], "x": [0, 2, 1], "y": [1, 0, 1], "p": [0, 1, 1], "n_events": [2, 1], "category": ["a", "b"]}


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_tables_of_ones_own_are_read(tmp_path, ending):
    path = tmp_path / f"own{ending}"
    if ending == ".npz":
        np.savez(path, **TABLE)
    else:
        with h5py.File(path, "w") as file:
            for name, values in TABLE.items():
                file[name] = np.array(values, dtype="S" if name == "category" else None)
    found = load_events("table", path=path, sensor={"channel": 2, "y": 2, "x": 3}, time_unit=1e-3)
    assert found.times.tolist() == [3000, 5000, 1000] and found.labels["category"].tolist() == ["a", "b"]
    assert found.recording(0).places["x"].tolist() == [0, 2]
    with pytest.raises(InputError, match="does not say how large its sensor is"):
        load_events("table", path=path)
    np.savez(tmp_path / "said.npz", **TABLE, sensor=[2, 2, 3], time_unit=1e-3)
    assert load_events("table", path=tmp_path / "said.npz").digest == found.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"t": [5, 3, 1]}, "times of 'recording_00000' go back"),
        ({"t": [0.5, 0.7, 0.1]}, "times are whole us, found float64; pass time_unit=1.0"),
        ({"t": [-1, 5, 1]}, "times from 0"),
        ({"x": [0, 3, 1]}, "x 3 of an event is outside a sensor of 3"),
        ({"x": [0, 1]}, "2 values of x and 3 times"),
        ({"n_events": [2, 2]}, "n_events say 4 events, there are 3"),
        ({"n_events": [4, -1]}, "recording 1 has n_events = -1; 0 or more"),
        ({"category": ["a"]}, "label 'category' of shape"),
        ({"category": [1.0, np.nan]}, "a recording of own.npz has no category"),
        ({"speaker": [np.nan, 2.0]}, "a recording of own.npz has no speaker"),
        ({"sensor": [2, 2]}, "the sizes of channel, y, x asked"),
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path, change, words):
    np.savez(tmp_path / "own.npz", **{**TABLE, "sensor": [2, 2, 3], **change})
    with pytest.raises(InputError, match=words):
        load_events("table", path=tmp_path / "own.npz")


def test_sets_and_splits_that_are_not_there_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="'shd' has no split 'validation'; it has train, test and all"):
        load_events("shd", "validation", path=tmp_path)
    with pytest.raises(InputError, match="are of tables; those of 'shd' are known"):
        load_events("shd", path=tmp_path, time_unit=1.0)
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    with pytest.raises(StorageError, match="unpack shd into the folder shd of the data folder"):
        load_events("shd")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([7e-6, 1e-5, 1 / 30000]),
    st.booleans(),
    st.integers(0, 99),
)
def test_bins_of_a_duration_are_those_of_histogramdd(n, downsample, time_step, merged, seed):
    rng = np.random.default_rng(seed)
    sensor = {"channel": 2, "y": 5, "x": 4}
    times = np.sort(rng.integers(0, 120, n))
    places = {d: rng.integers(0, m, n) for d, m in sensor.items()}
    bins = EventBins(3, time_step=time_step, downsample=downsample, merged=merged)
    edges = [np.append(bins.edges, 10**6), *(np.arange(-(-sensor[d] // downsample) + 1) * downsample for d in "yx")]
    columns = [times, places["y"], places["x"]]
    if not merged:
        edges.insert(1, np.arange(3))
        columns.insert(1, places["channel"])
    wanted = np.histogramdd(np.stack(columns, axis=1), bins=[e - 0.5 for e in edges])[0][:-1]
    found = binned(Recording(times, places, sensor), bins)
    assert np.array_equal(found, wanted) and list(found.shape) == list(bins.sizes(sensor).values())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 6), st.integers(1, 5))
def test_bins_of_a_number_of_events_hold_that_number(n, n_events, n_steps):
    times, units = np.arange(n), np.arange(n) % 4
    found = binned(Recording(times, {"unit": units}, {"unit": 4}), EventBins(n_steps, n_events=n_events))
    assert found.sum(1).tolist() == [min(n_events, max(0, n - k * n_events)) for k in range(n_steps)]
    kept = min(n, n_events * n_steps)
    assert found.sum(0).tolist() == np.bincount(units[:kept], minlength=4).tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_steps": 3}, "one of time_step .* and n_events"),
        ({"n_steps": 3, "time_step": 0.1, "n_events": 2}, "one of time_step"),
        ({"n_steps": 0, "n_events": 2}, "n_steps = 0"),
        ({"n_steps": 3, "time_step": 1e-9}, "time_step = 1e-09 s is outside"),
        ({"n_steps": 3, "n_events": 2, "downsample": 0.5}, "downsample = 0.5"),
        ({"n_steps": 3, "n_events": 2, "binary": "no"}, "binary = 'no'; True or False is asked"),
    ],
)
def test_steps_that_cannot_be_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        EventBins(**options)
    with pytest.raises(InputError, match="merged is for sensors with on and off events"):
        EventBins(3, n_events=2, merged=True).sizes({"unit": 700})


def test_recordings_of_one_name_are_refused_and_digits_count_for_themselves(tmp_path):
    one = as_events([1], {"unit": [0]}, [1], sensor={"unit": 2}, ids=["a"])
    with pytest.raises(InputError, match="recording 'a' is there 2 times"):
        joined([one, one])
    for digit in range(10):
        (tmp_path / "Train" / str(digit)).mkdir(parents=True)
        five_bytes(tmp_path / "Train" / str(digit) / "00001.bin", pixels_of(4, side=34))
    found = load_events("nmnist", "train", path=tmp_path)
    assert found.ids.tolist() == [f"train_{digit}_00001" for digit in range(10)]
