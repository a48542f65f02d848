"""Neo reads by the classes that were found safe: nothing in a file runs, however its ending is spelt."""

import pickle
from pathlib import Path

import pytest

from neurosim import storage
from neurosim.recordings.neo import load_neo, neo_series
from neurosim.recordings.neo_readers import ALLOWED, REFUSED, fitting_readers
from neurosim.schema import InputError
from tests.campaigns.hostile_recordings import write_brainvision
from tests.recordings.test_hostile_files import Trap

neo_io = pytest.importorskip("neo.io")
SUFFIXES = sorted(s for s in neo_io.io_by_extension if s)


def test_every_class_of_neo_is_allowed_or_not():
    """A class that Neo adds is refused until somebody has read its source."""
    known = {r.__name__ for r in neo_io.iolist}
    assert known >= ALLOWED
    assert not set(REFUSED) & ALLOWED
    assert "MaxwellIO" in known - ALLOWED
    for name in sorted(known - ALLOWED):
        with pytest.raises(InputError, match=f"what {name} reads is"):
            load_neo(__file__, reader=name)
    assert {r.__name__ for r in fitting_readers(Path("x.H5"))} <= ALLOWED


def test_a_pickle_runs_under_no_ending_that_neo_knows(tmp_path):
    """Nor under one of them in capitals or in mixed spelling."""
    assert {"pkl", "pickle", "nwb", "mat", "abf", "pl2"} <= set(SUFFIXES)
    for k, suffix in enumerate(SUFFIXES):
        for spelling in {suffix.upper(), *({suffix, suffix.title()} & {"pkl", "Pkl", "pickle", "Pickle"})}:
            path = tmp_path / str(k) / f"x.{spelling}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
            with pytest.raises(InputError) as caught:
                load_neo(path)
            assert "\n" not in str(caught.value)
            path.unlink()
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["x.PL2", "x.Fake", "x.RAW.BIN", "x.CSV"])
def test_what_is_fetched_or_made_up_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / name).write_bytes(bytes(range(64)))
    with pytest.raises(InputError, match=r"network|made up|cannot be read"):
        load_neo(tmp_path / name)
    assert not (tmp_path / "home").exists()


def test_xml_that_unpacks_without_end_is_refused(tmp_path):
    layers = "".join(f'<!ENTITY l{k + 1} "{f"&l{k};" * 10}">' for k in range(9))
    (tmp_path / "x.xml").write_text(f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{layers}]><a>&l9;</a>')
    (tmp_path / "x.dat").write_bytes(bytes(64))
    for given in (tmp_path / "x.xml", tmp_path):
        with pytest.raises(storage.StorageError, match="declares entities"):
            load_neo(given, reader="NeuroScopeIO")


def test_samples_that_lie_elsewhere_are_not_read(tmp_path):
    """A recording of several files whose samples are a link out of its folder."""
    folder = tmp_path / "given"
    folder.mkdir()
    write_brainvision(folder / "x.vhdr")
    assert neo_series(load_neo(folder / "x.vhdr")).shape == (20, 2)
    (folder / "x.eeg").rename(tmp_path / "secret.eeg")
    (folder / "x.eeg").symlink_to(tmp_path / "secret.eeg")
    with pytest.raises(storage.StorageError, match=r"'x\.eeg' leads out of its folder"):
        load_neo(folder / "x.vhdr")
    (folder / "x.eeg").unlink()
    (folder / "x.eeg").write_bytes(bytes(7))
    with pytest.raises(storage.StorageError, match="cannot be read as a format of Neo"):
        neo_series(load_neo(folder / "x.vhdr"))
