"""Is an entry of the store used only when everything in it agrees?"""

import json
import os
import random

import pytest

from neurosim import runtime, storage
from neurosim.refusals import InputError
from neurosim.study.engine.keys import digest_of, key_of, source_of
from neurosim.study.engine.seal import sealed
from neurosim.study.engine.store import Store
from neurosim.study.run import check_study, run_study

from ..campaigns.bit_flips import flipped_files
from .conftest import content

WORK, CONFIG, INPUTS = "neurosim.study.steps.rdms:run", {"metric": "euclidean", "n": 3}, {"stimuli": "ab" * 32}


def made(store, config=CONFIG, text="whole"):
    """Make an entry and return its key."""
    key = key_of(WORK, config, INPUTS, "cpu")
    about = {"name": "rdms:x", "work": WORK, "config": config, "inputs_digests": INPUTS, "device": "cpu"}
    with store.new_entry(key, about | {"libraries": runtime.library_versions()}) as out:
        storage.write_text(out / "x", text)
        storage.write_text(out / "deeper" / "y", "y")
    return key


def test_an_entry_is_found_as_it_was_made(tmp_path):
    store = Store(tmp_path)
    entry = store.find(made(store))
    assert entry is not None and [f.relative_to(entry.folder).as_posix() for f in entry.files] == ["deeper/y", "x"]
    assert [p.name for p in store.places()] == [entry.record["key"]]


def test_an_unfinished_entry_is_no_entry(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.new_entry("ab" * 32, {}) as out:
        (out / "x").write_text("half")
        raise RuntimeError
    assert store.find("ab" * 32) is None and not list(store.places())


def test_an_entry_whose_source_changed_while_it_was_made_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("neurosim.study.engine.keys.source_of", lambda *_: "edited")
    with pytest.raises(InputError, match="changed while the study ran"):
        store = Store(tmp_path)
        key = "ab" * 32
        about = {"name": "x", "work": WORK, "config": {}, "inputs_digests": {}, "device": "cpu", "libraries": {}}
        with store.new_entry(key, about):
            pass
    assert not list(store.places())


def test_a_damaged_entry_is_set_aside_and_made_again(finished):
    before = content(finished.folder)
    victim = next(finished.store.glob("*/*/scores.nc"))
    changed = bytearray(victim.read_bytes())
    changed[len(changed) // 2] ^= 1
    victim.write_bytes(changed)
    next(finished.store.glob("*/*/relations.nc")).unlink()
    again = run_study(finished.study, out=finished.folder)
    assert again.n_steps - again.n_hits == 2
    assert content(again.folder) == before
    assert len(list((finished.store / "damaged").iterdir())) == 2


def rewritten(change):
    """Return a forgery that rewrites the record, with its seal where it still is a table."""

    def forge(folder):
        record = json.loads((folder / "entry.json").read_text())
        record = change(record) or record
        if isinstance(record, dict):
            record["seal"] = digest_of({k: v for k, v in record.items() if k != "seal"})
        (folder / "entry.json").write_text(json.dumps(record))

    return forge


def text_of_record(change):
    return lambda folder: (folder / "entry.json").write_text(change((folder / "entry.json").read_text()))


def resealed(folder):
    """Change a file and seal the entry again, as if it had been made from something else."""
    record = json.loads((folder / "entry.json").read_text())
    (folder / "x").write_text("forged")
    record["config"] = {"metric": "cosine"}
    (folder / "entry.json").write_text(json.dumps(sealed({k: v for k, v in record.items() if k != "seal"}, folder)))


def linked(folder):
    (folder / "x").rename(folder.parent / "elsewhere")
    (folder / "x").symlink_to(folder.parent / "elsewhere")


def folder_linked(folder):
    target = folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(target)


def replaced_by_a_file(folder):
    folder.rename(folder.parent / "elsewhere")
    folder.write_text("no folder")


def listed(name):
    return rewritten(lambda r: r["files"].__setitem__(name, r["files"]["x"]))


FORGERIES = {
    "emptied": lambda f: [p.unlink() for p in f.rglob("*") if p.is_file()],
    "no record": lambda f: (f / "entry.json").unlink(),
    "an empty record": lambda f: (f / "entry.json").write_text(""),
    "a list": rewritten(lambda _: [1]),
    "a number": rewritten(lambda _: 3),
    "no seal": text_of_record(lambda t: t.replace('"seal"', '"sealed"')),
    "another seal": text_of_record(lambda t: t.replace('"n": 3', '"n": 4')),
    "resealed with another configuration": rewritten(lambda r: r.update(config={"metric": "cosine"})),
    "resealed with other files": resealed,
    "another key": rewritten(lambda r: r.update(key="cd" * 32)),
    "another digest": rewritten(lambda r: r.update(digest="cd" * 32)),
    "no files": rewritten(lambda r: r.update(files={})),
    "files as a list": rewritten(lambda r: r.update(files=["x"])),
    "a size as text": rewritten(lambda r: r["files"]["x"].update(size="5")),
    "a size as truth": rewritten(lambda r: r["files"]["x"].update(size=True)),
    "a file without checksum": rewritten(lambda r: r["files"]["x"].pop("sha256")),
    "a checksum that is a table": rewritten(lambda r: r["files"]["x"].update(sha256={})),
    "seconds as text": rewritten(lambda r: r.update(seconds="1")),
    "a name that leads out": listed("../x"),
    "an absolute name": listed("/etc/passwd"),
    "a name with NUL": listed("x\0y"),
    "an endless name": listed("x" * 5000),
    "the record itself": listed("entry.json"),
    "a file that is not there": listed("z"),
    "5,000 digits": text_of_record(lambda t: t.replace('"n": 3', '"n": ' + "7" * 5000)),
    "nested 100,000 times": text_of_record(lambda t: t.replace('"n": 3', '"n": ' + "[" * 100_000 + "]" * 100_000)),
    "a name twice": text_of_record(lambda t: t.replace('"n": 3', '"n": 3, "n": 3')),
    "NaN": text_of_record(lambda t: t.replace('"n": 3', '"n": NaN')),
    "not UTF-8": lambda f: (f / "entry.json").write_bytes(b"\xff\xfe{"),
    "half a record": text_of_record(lambda t: t[: len(t) // 2]),
    "an unlisted file": lambda f: (f / "z").write_text("z"),
    "an unlisted file below": lambda f: (f / "deeper" / "z").write_text("z"),
    "a shorter file": lambda f: (f / "x").write_text("who"),
    "a changed file": lambda f: (f / "x").write_text("whose"),
    "a link": linked,
    "a loop of links": lambda f: (f / "loop").symlink_to(f),
    "a hard link": lambda f: os.link(f / "x", f.parent / "elsewhere"),
    "a pipe": lambda f: os.mkfifo(f / "pipe"),
    "a pipe as record": lambda f: [(f / "entry.json").unlink(), os.mkfifo(f / "entry.json")],
    "a folder as record": lambda f: [(f / "entry.json").unlink(), (f / "entry.json").mkdir()],
    "a link in its place": folder_linked,
    "a file in its place": replaced_by_a_file,
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_does_not_agree_is_set_aside_and_made_again(forgery, tmp_path):
    store = Store(tmp_path / "store")
    key = made(store)
    FORGERIES[forgery](store.folder(key))
    assert store.find(key) is None
    assert not os.path.lexists(store.folder(key)) and len(list((tmp_path / "store" / "damaged").iterdir())) == 1
    assert made(store) == key and store.find(key) is not None


def test_entries_that_changed_places_are_not_taken_for_each_other(tmp_path):
    store = Store(tmp_path)
    first, second = made(store), made(store, CONFIG | {"n": 4}, "other")
    a, b, c = store.folder(first), store.folder(second), tmp_path / "c"
    a.rename(c)
    b.rename(a)
    c.rename(b)
    assert store.find(first) is None and store.find(second) is None


def test_a_store_that_cannot_set_aside_still_does_not_use_what_is_damaged(tmp_path):
    store = Store(tmp_path)
    key = made(store)
    (store.folder(key) / "x").write_text("whose")
    (tmp_path / "damaged").write_text("a file where the folder should be")
    assert store.find(key) is None and made(store) == key and store.find(key) is not None


def test_every_flipped_bit_in_a_finished_store_is_found(finished):
    """A few flips of the campaign in tests/campaigns/bit_flips.py, over files and records."""
    for file in flipped_files(finished.store, random.Random(0), 25):
        store = Store(finished.store)
        key = next(p for p in file.parents if len(p.name) == 64).name
        assert store.find(key) is None, file
    assert {look.state for look in check_study(finished.study, out=finished.folder)} == {"hit"}


def test_the_source_that_a_record_names_is_that_of_its_step():
    assert source_of(WORK, {}) != source_of(WORK, {"load": "neurosim.study.shown.digits:load"})
