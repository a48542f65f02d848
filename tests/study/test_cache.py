"""Is what is kept between runs listed, checked and pruned, and nothing else touched?"""

import json
import os
import time

import pytest

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.cache import kept, prune

from .conftest import everything, neurosim

MONTH = 30 * 86400.0


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Return a cache of compiled code of the test's own, with one whole library and one whole build."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library = storage.cache_folder("libraries") / "kernel-ab.so"
    library.write_bytes(b"compiled")
    storage.write_text(library.with_name(f"{library.name}.sha256"), f"{storage.sha256(library)}  {library.name}\n")
    build = storage.cache_folder("standalone") / ("ab" * 16)
    storage.write_text(build / "main", "binary")
    storage.write_manifest(build)
    return tmp_path / "cache" / "neurosim"


def of_kind(things, kind):
    return [thing for thing in things if thing.kind == kind]


def test_everything_that_is_kept_is_listed_and_whole(finished):
    things = kept(finished.store, check=True)
    assert len(of_kind(things, "step")) == len(list(finished.store.glob("*/*/entry.json"))) > 5
    assert {thing.name for thing in of_kind(things, "build")} == {"kernel-ab.so", "ab" * 16}
    assert not any(thing.damage for thing in things) and all(thing.size > 0 for thing in things)


def test_what_is_damaged_is_named_and_pruned_and_nothing_else_is_touched(finished, cache):
    victim = next(finished.store.glob("*/*/scores.nc")).parent
    (victim / "scores.nc").write_bytes(b"x")
    (cache / "standalone" / ("ab" * 16) / "main").write_text("another")
    (cache / "libraries" / "kernel-ab.so").write_bytes(b"another")
    log = finished.store / "failed" / f"{'cd' * 8}.log"
    storage.write_text(log, "why")
    mine = [finished.store / name for name in ("failed/notes.log", "damaged/mine", "ab/notes")]
    for path in [*mine, cache / "libraries" / "notes.txt"]:
        storage.write_text(path, "mine")
    damaged = [thing for thing in kept(finished.store, check=True) if thing.damage]
    assert {thing.path for thing in damaged} == {
        victim, cache / "standalone" / ("ab" * 16), cache / "libraries" / "kernel-ab.so"
    }  # fmt: skip
    before = everything(finished.store.parent) | everything(cache)
    gone = prune(finished.store)
    after = everything(finished.store.parent) | everything(cache)
    roots = {thing.path for thing in gone}
    assert roots == {thing.path for thing in damaged} | {log}
    lost = before.keys() - after.keys()
    assert lost == {p for p in before if roots & {p, *p.parents}} | {cache / "libraries" / "kernel-ab.so.sha256"}
    assert {p: before[p] for p in after} == after


def test_prune_of_unused_things_keeps_what_was_used_lately(finished):
    steps = of_kind(kept(finished.store), "step")
    for thing in steps[:3]:
        os.utime(thing.path / "entry.json", (time.time() - MONTH,) * 2)
    assert prune(finished.store) == []
    assert {t.path for t in prune(finished.store, older_than=7)} == {t.path for t in steps[:3]}
    assert {t.path for t in kept(finished.store)} >= {t.path for t in steps[3:]}
    with pytest.raises(InputError, match="0 or more"):
        prune(finished.store, older_than=-1)


def test_a_link_out_of_the_store_is_not_followed(finished, tmp_path):
    outside = tmp_path / "outside"
    storage.write_text(outside / "precious", "x")
    entry = of_kind(kept(finished.store), "step")[0].path
    link = finished.store / "ab" / ("ab" * 32)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    (finished.store / "damaged").mkdir()
    (finished.store / "damaged" / f"{entry.name}-1").symlink_to(outside)
    prune(finished.store, older_than=0)
    assert (outside / "precious").read_text() == "x" and not os.path.lexists(link)


def test_the_command_line_lists_sizes_checks_and_prunes(finished, tmp_path, cache):
    words = ("--store", finished.store)
    env = {"XDG_CACHE_HOME": str(cache.parent)}
    listed = neurosim("cache", "list", *words, "--json", cwd=tmp_path, env=env)
    assert {row["kind"] for row in json.loads(listed.stdout)} == {"step", "build"}
    next(finished.store.glob("*/*/scores.nc")).unlink()
    checked = neurosim("cache", "verify", *words, cwd=tmp_path, env=env)
    assert (checked.returncode, checked.stderr) == (3, "") and "1 of " in checked.stdout
    assert neurosim("cache", "prune", *words, cwd=tmp_path, env=env).stdout.splitlines()[-1].startswith("1 deleted")
    assert neurosim("cache", "size", *words, cwd=tmp_path, env=env).stdout.splitlines()[-1].endswith("in all")
