"""What strangers put into paths, JSON, TOML, manifests and caches: one line of refusal, nothing touched outside."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.storage import StorageError
from neurosim.storage.builds import compiled_library

DEEP = 50_000
JSON = {
    "5,000 digits": "9" * 5000,
    "4,000 digits": '{"a": [' + "9" * 4000 + "]}",
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * 200 + "1" + "}" * 200,
    "half a character": '{"a": "\\ud800"}',
    "half a key": '{"\\udfff": 1}',
    "no JSON": "{'a': 1}",
    "nothing": "",
    "nulls": "\0\0\0",
    "a mark of order": "\ufeff{}",
}
TOML = {
    "5,000 digits": "a = " + "9" * 5000,
    "4,000 digits": "a = [" + "9" * 4000 + "]",
    "hexadecimal digits": "a = 0x" + "f" * 4000,
    "deep lists": "a = " + "[" * DEEP + "]" * DEEP,
    "deep tables": "a = " + "{a=" * DEEP + "1" + "}" * DEEP,
    "a long name": "a." * DEEP + "a = 1",
    "a long quoted name": '"a b" . ' * DEEP + "a = 1",
    "a long name of a table": "[" + "a." * DEEP + "a]",
    "tables in tables": "\n".join("[" + ".".join("a" * n) + "]" for n in range(1, 90)),
    "a null": 'a = "\0"',
    "no TOML": "a = ",
    "long": "# " + "a" * 5_000_000,
}


def refused(act):
    """What `act` is refused with: one line that a terminal shows as it is, and soon."""
    started = time.perf_counter()
    with pytest.raises(StorageError) as caught:
        act()
    assert time.perf_counter() - started < 10
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 4000
    return str(caught.value)


@pytest.mark.parametrize("content", JSON.values(), ids=JSON)
def test_hostile_json_is_one_line(tmp_path, content):
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    assert "x.json" in refused(lambda: storage.read_json(tmp_path / "x.json"))


@pytest.mark.parametrize("content", TOML.values(), ids=TOML)
def test_hostile_toml_is_one_line(tmp_path, content):
    (tmp_path / "x.toml").write_text(content, encoding="utf-8")
    assert "x.toml" in refused(lambda: storage.read_toml(tmp_path / "x.toml"))


def test_ordinary_json_and_toml_are_read(tmp_path):
    value = {"a": [1, -2.5, None, True, "18 °C"], "b": {"c.d": 2**64}}
    storage.write_json(tmp_path / "x.json", value)
    assert storage.read_json(tmp_path / "x.json") == storage.read_json_object(tmp_path / "x.json", ("a", "b")) == value
    dotted = ".".join("a" * 60)
    storage.write_text(tmp_path / "x.toml", f'{dotted} = 1\nb = "{"..." * 99}"\nc = [{"1.5, " * 99}]\nd = 1e5')
    found = storage.read_toml(tmp_path / "x.toml")
    assert found["b"] == "..." * 99
    assert found["c"] == [1.5] * 99


@pytest.mark.parametrize("content", ["[]", "null", "3", '"a"', "{}"])
def test_json_that_is_no_object_is_refused_where_one_is_asked(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    assert "x.json: " in refused(lambda: storage.read_json_object(tmp_path / "x.json", ("files",)))


@given(st.text(max_size=60))
def test_no_text_makes_json_or_toml_fail_otherwise(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("hostile") / "x"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (storage.read_json, storage.read_json_object, storage.read_toml, storage.read_text):
        try:
            read(path)
        except StorageError as error:
            assert str(error).isprintable()


NAMES = {"a null": "a\0b", "controls": "a\x1b[2J\nb", "a circle": "circle/x", "too long": "a" * 5000, "up": "../x"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_hostile_names_are_one_line_and_touch_nothing(tmp_path, name):
    home = tmp_path / "home"
    home.mkdir()
    (home / "circle").symlink_to(home / "circle")
    before = set(tmp_path.rglob("*"))
    path = home / name
    acts = [lambda read=read: read(path) for read in READERS]
    if name not in (NAMES["controls"], NAMES["up"]):
        acts += [
            lambda: storage.write_text(path, "text"),
            lambda: storage.write_dataset(path, xr.DataArray([1.0], dims="x")),
            lambda: storage.check_writable(path),
            lambda: storage.atomic_folder(path).__enter__(),
        ]
    for act in acts:
        refused(act)
    if name == NAMES["up"]:
        refused(lambda: storage.inside(home, name))
    assert set(tmp_path.rglob("*")) == before


READERS = (
    storage.read_text, storage.read_json, storage.read_toml, storage.read_dataset, storage.read_array,
    storage.open_dataset, storage.read_npz, storage.read_npy, storage.read_mat, storage.read_weights,
    storage.read_table, storage.read_image, storage.read_picture_archive, storage.check_hdf5, storage.existing,
    storage.damaged_files,
    lambda path: storage.read_tar_member(path, "a"), lambda path: storage.check_sha256(path, "0" * 64),
)  # fmt: skip


@pytest.mark.parametrize("name", ["a\0b", "../x", "/etc/passwd", "circle", "circle/x", 5, None])
def test_names_in_files_stay_inside(tmp_path, name):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    if sys.version_info >= (3, 13) and str(name).startswith("circle"):
        assert not storage.inside(tmp_path, name).exists()
    else:
        refused(lambda: storage.inside(tmp_path, name))


def test_folders_that_hold_circles_or_links_away_are_not_opened(tmp_path):
    for name, target in (("x\x1b[2J", "/etc/passwd"), ("up", "..")):
        folder = tmp_path / target.strip("/.").replace("/", "") / "f"
        folder.mkdir(parents=True)
        (folder / name).symlink_to(target)
        assert "links to another place" in refused(lambda folder=folder: storage.check_links(folder))


def test_a_disk_that_fails_while_it_is_read_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("text")

    def fails(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_text", fails)
    monkeypatch.setattr(Path, "open", fails)
    refused(lambda: storage.read_text(tmp_path / "x"))
    refused(lambda: storage.sha256(tmp_path / "x"))


def test_manifests_list_names_of_every_kind_as_sha256sum_does(tmp_path):
    names = ["a b", "new\nline", "back\\slash", "feed\x0c", "re\rturn", "both\\n", "next\x85", " first"]
    for name in names:
        (tmp_path / name).write_text(name)
    storage.write_manifest(tmp_path)
    subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=tmp_path, check=True, capture_output=True)
    assert set(storage.read_manifest(tmp_path)) == set(names)
    assert storage.damaged_files(tmp_path) == []
    (tmp_path / "new\nline").write_text("")
    assert storage.damaged_files(tmp_path) == ["new\nline"]


@pytest.mark.parametrize(
    "text", ["x", "0" * 64, "0" * 64 + "  ../x", "0" * 64 + "  /etc/passwd", "0" * 64 + "  a\0", "\\" + "0" * 64 + "  "]
)
def test_manifests_that_are_none_or_lead_out_are_refused(tmp_path, text):
    (tmp_path / "MANIFEST.sha256").write_text(text)
    refused(lambda: storage.damaged_files(tmp_path))


def test_text_is_no_formula_in_a_table(tmp_path):
    cells = ["=1+1", "+1", "-1", "@a", "\ta", "plain", "1-2"]
    coords = {"stimulus": cells}
    values = xr.DataArray(np.arange(-3.0, 4), dims="stimulus", coords=coords, name="=name")
    storage.write_table(tmp_path / "t.csv", values)
    found = storage.read_table(tmp_path / "t.csv")
    assert found.stimulus.tolist() == [f"'{c}" for c in cells[:5]] + cells[5:]
    assert found["'=name"].tolist() == values.values.tolist()


def test_text_with_half_a_character_is_not_written(tmp_path):
    refused(lambda: storage.write_text(tmp_path / "x.txt", "a\ud800"))
    assert not list(tmp_path.iterdir())


def written(folder):
    """One whole file of every format, with what reads it."""
    values = np.random.default_rng(0).normal(size=(20, 6))
    labelled = xr.DataArray(values, dims=("stimulus", "unit"), coords={"unit": list("abcdef")}, name="v")
    storage.write_dataset(folder / "a.nc", labelled)
    storage.write_table(folder / "a.csv", labelled)
    storage.write_weights(folder / "a.safetensors", {"w": values})
    storage.write_json(folder / "a.json", {"a": [1, 2.5, {"b": None}], "c": "18 °C"})
    storage.write_text(
        folder / "a.toml", 'a = 3\n[b.c]\nd = [1, 2.5, "e"]\n[[t]]\nx = {y = 1}\nz = 1979-05-27T07:32:00Z\n'
    )
    np.savez_compressed(folder / "a.npz", a=values)
    np.save(folder / "a.npy", values)
    scipy.io.savemat(folder / "a.mat", {"a": values, "s": {"t": [1, 2]}}, do_compression=True)
    Image.fromarray(np.uint8(99 * abs(values))).save(folder / "a.png")
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(folder / "a.npy", "a.npy")
    return {
        "a.nc": storage.read_dataset, "a.csv": storage.read_table, "a.safetensors": storage.read_weights,
        "a.json": storage.read_json, "a.toml": storage.read_toml, "a.npz": storage.read_npz, "a.npy": storage.read_npy,
        "a.mat": storage.read_mat, "a.png": storage.read_image,
        "a.tar.gz": lambda p: (list(storage.pieces(p)), storage.read_tar_member(p, "a.npy")),
    }  # fmt: skip


def damaged(content, rng):
    """The same bytes cut, flipped, overwritten, lengthened or with a part left out."""
    content, place = bytearray(content), int(rng.integers(len(content)))
    kind = rng.integers(5)
    if kind == 0:
        return bytes(content[:place])
    if kind == 1:
        content[place] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        content[place : place + 4] = rng.choice([b"\xff", b"\x00", b"\x7f"]) * 4
    elif kind == 3:
        content[place:place] = rng.bytes(9)
    else:
        del content[place : place + int(rng.integers(1, 99))]
    return bytes(content)


def test_damaged_files_of_every_format_are_read_or_refused_in_one_line(tmp_path):
    rng, readers = np.random.default_rng(0), written(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    refusals = 0
    for name, read in readers.items():
        whole = (tmp_path / name).read_bytes()
        for _ in range(40):
            (tmp_path / name).write_bytes(damaged(whole, rng))
            try:
                read(tmp_path / name)
            except InputError as error:
                refusals += 1
                assert str(error).isprintable() and len(str(error)) < 4000
    assert refusals > 200
    assert sorted(p.name for p in tmp_path.iterdir()) == before


SOURCE = 'extern "C" int seven() { return 7; }\n'
CALL = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).seven())"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    if shutil.which("g++") is None:
        pytest.skip("needs a C++ compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "seven.cpp").write_text(SOURCE)
    return tmp_path


def test_compiled_code_is_private_checked_and_built_once_more_when_damaged(cache):
    library = compiled_library(cache / "seven.cpp", "g++", ("-O1",))
    assert {p.stat().st_mode & 0o777 for p in (library.parent, library.parent.parent)} == {0o700}
    built = library.stat().st_mtime_ns
    assert compiled_library(cache / "seven.cpp", "g++", ("-O1",)).stat().st_mtime_ns == built
    for damage in (b"", library.read_bytes()[:-200] + b"\1" * 200):
        library.write_bytes(damage)
        assert compiled_library(cache / "seven.cpp", "g++", ("-O1",)) == library
        assert subprocess.run([sys.executable, "-c", CALL, library], capture_output=True, check=True).stdout == b"7\n"
    library.with_name(f"{library.name}.sha256").unlink()
    compiled_library(cache / "seven.cpp", "g++", ("-O1",))
    assert len(list(library.parent.iterdir())) == 2


def test_compiled_code_of_another_user_is_not_run(cache, monkeypatch):
    compiled_library(cache / "seven.cpp", "g++", ("-O1",))
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    assert "belongs to another user" in refused(lambda: compiled_library(cache / "seven.cpp", "g++", ("-O1",)))


@pytest.mark.parametrize(("place", "mode", "cure"), [(".", 0o777, "chmod go-w"), ("libraries", 0o755, "chmod 700")])
def test_a_folder_that_was_there_is_no_cache_for_code_and_is_left_as_it_is(cache, place, mode, cure):
    mine = cache / "cache" / "neurosim" / place
    mine.mkdir(parents=True)
    (mine / "thesis.tex").write_text("x")
    mine.chmod(mode)
    message = refused(lambda: compiled_library(cache / "seven.cpp", "g++", ("-O1",)))
    assert "is there already" in message and f"{cure} {mine}" in message
    assert mine.stat().st_mode & 0o777 == mode
    mine.chmod(0o700)
    assert compiled_library(cache / "seven.cpp", "g++", ("-O1",)).is_file()
    assert (mine / "thesis.tex").read_text() == "x"


def test_what_others_may_read_around_compiled_code_keeps_its_mode(cache):
    around = cache / "cache" / "neurosim"
    (around / "libraries").mkdir(parents=True)
    for folder in (around, around / "libraries"):
        folder.chmod(0o755)
    compiled_library(cache / "seven.cpp", "g++", ("-O1",))
    assert [p.stat().st_mode & 0o777 for p in (around, around / "libraries")] == [0o755, 0o700]


def test_messages_are_one_line_that_moves_no_cursor():
    error = StorageError("a\nb\x1b[2J\u202e\0" + "9" * 50_000 + " Did you mean 'x'?")
    assert str(error).isprintable()
    assert str(error).endswith(" Did you mean 'x'?")
    assert len(str(error)) < 4000
    assert json.dumps(str(error))
