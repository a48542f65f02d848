"""Studies on a real SLURM of one node: run behind srun, submitted as arrays, killed in the middle; the same bytes."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from neurosim import storage
from neurosim.refusals import InputError
from neurosim.study.engine import slurm as arrays
from neurosim.study.engine.launch import HERE, Launch
from neurosim.study.engine.scheduler import run_steps, silent
from neurosim.study.engine.slurm import arrays_of, submit_steps
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Store

from .conftest import content, neurosim
from .gated import Gated, is_alive, until, values
from .slurm_daemons import Slurm, found

REQUIRED = "NEUROSIM_SLURM"


@pytest.fixture(scope="module")
def daemons(tmp_path_factory):
    if not found():
        assert REQUIRED not in os.environ, "SLURM must be here, and is not installed"
        pytest.skip("slurm is not installed: apt-get install slurm-wlm")
    running = Slurm(tmp_path_factory.mktemp("slurm"))
    yield running
    running.stop()


@pytest.fixture
def slurm(daemons, monkeypatch):
    for name, value in daemons.environment.items():
        monkeypatch.setenv(name, value)
    yield daemons
    daemons.say("scancel", "--me")
    daemons.wait_until_empty()


@pytest.fixture
def gated(tmp_path, monkeypatch):
    return Gated(tmp_path).seen(monkeypatch)


def submit(gated, store: Path):
    store.mkdir(exist_ok=True)
    last = [sys.executable, "-c", f"open({str(gated.place / 'last')!r}, 'w')"]
    return submit_steps(gated.chain(), Store(store), name="gated", device="cpu", options="--time=10", last=last)


def results(gated, store: Path):
    """Return what is in the store; every step must be."""
    made: list[str] = []
    entries = run_steps(gated.chain(), Store(store), jobs=1, report=lambda step, event, _: made.append(event))
    assert set(made) == {"hit"}
    return values(entries)


def test_a_submitted_study_is_the_same_as_one_run_here_and_is_not_submitted_twice(slurm, finished, tmp_path):
    wanted = storage.read_json(finished.folder / "provenance.json")["steps"]
    place = (finished.study, "-o", "away/small")
    said = neurosim("submit", *place, "--slurm", "--json", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    jobs = json.loads(said.stdout)
    names = [j["name"] for j in jobs]
    assert (names[0], names[-1]) == ("stimuli", "report")
    assert len(names) == len(set(names)) < len(wanted)
    assert sum(len(j["steps"]) for j in jobs) == len(wanted)
    again = neurosim("submit", *place, "--slurm", cwd=tmp_path)
    assert "in the store or in the queue" in again.stdout
    slurm.wait_until_empty()
    assert content(tmp_path / "away" / "small") == content(finished.folder)
    status = neurosim("status", *place, "--device", "cpu", "--json", cwd=tmp_path)
    assert json.loads(status.stdout)["hits"] == len(wanted)
    again = neurosim("submit", *place, "--slurm", cwd=tmp_path)
    assert "in the store or in the queue" in again.stdout


def test_workers_behind_srun_give_the_same_and_end_with_the_controller(slurm, gated, tmp_path):
    wanted = values(run_steps(gated.chain(), Store(tmp_path / "whole"), jobs=2, report=silent, launch=HERE))
    behind = run_steps(gated.chain(), Store(tmp_path / "store"), jobs=2, report=silent, launch=Launch("srun -n1 -c1"))
    assert values(behind) == wanted
    slurm.wait_until_empty()


def test_a_killed_step_stops_what_reads_it_and_is_submitted_again(slurm, gated, tmp_path):
    wanted = values(run_steps(gated.chain(), Store(tmp_path / "whole"), jobs=2, report=silent))
    gated.close("b:1")
    n = gated.n_started("b:1")
    n_first = gated.n_started("a:1")
    jobs = submit(gated, tmp_path / "store")
    assert [j.name for j in jobs] == ["a", "b", "c", "report"]
    os.kill(gated.process("b:1", n), signal.SIGKILL)
    slurm.wait_until_empty()
    assert not (gated.place / "last").exists()
    gated.open("b:1")
    assert [(j.name, j.steps) for j in submit(gated, tmp_path / "store")] == [
        ("b", ("b:1",)),
        ("c", ("c",)),
        ("report", ()),
    ]
    until((gated.place / "last").exists)
    assert results(gated, tmp_path / "store") == wanted
    assert gated.n_started("a:1") == n_first + 1


def test_the_controller_of_slurm_is_killed_in_the_middle(slurm, gated, tmp_path):
    wanted = values(run_steps(gated.chain(), Store(tmp_path / "whole"), jobs=2, report=silent))
    n = gated.n_started("b:1")
    gated.close("b:1")
    submit(gated, tmp_path / "store")
    pid = gated.process("b:1", n)
    slurm.save_state()
    slurm.controller.kill()
    slurm.controller.wait()
    slurm.start_controller()
    until(lambda: slurm.say("sinfo", "-h", "-o", "%T") != "")
    assert submit(gated, tmp_path / "store") == []
    assert is_alive(pid)
    gated.open("b:1")
    until((gated.place / "last").exists)
    assert results(gated, tmp_path / "store") == wanted


def test_options_go_to_sbatch_and_a_refusal_is_one_line(slurm, small_study, tmp_path):
    for options, words in (
        ("--partition=nowhere", "sbatch refuses: sbatch: error"),
        ("--time='", "cannot be split"),
    ):
        failed = neurosim("submit", small_study, "--slurm", "--slurm-options", options, cwd=tmp_path)
        assert (failed.returncode, len(failed.stderr.splitlines())) == (2, 1)
        assert words in failed.stderr
    assert slurm.say("squeue", "-h") == ""


def test_without_slurm_or_a_queue_it_is_one_line(small_study, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="there is no sbatch here"):
        submit_steps([], Store(tmp_path), name="x", device="cpu", options="", last=[])
    for words, said in (((), "say which queue"), (("--slurm", "--device", "auto"), "is cpu or cuda, found 'auto'")):
        failed = neurosim("submit", small_study, *words, cwd=tmp_path)
        assert (failed.returncode, len(failed.stderr.splitlines())) == (2, 1)
        assert said in failed.stderr


def steps_of(**inputs: str) -> list[Step]:
    return [Step(name.replace("_", ":"), "m:f", {}, tuple(i.split())) for name, i in inputs.items()]


def test_one_array_a_kind_and_waves_where_kinds_read_each_other():
    plain = steps_of(a_1="", b_1="a:1", a_2="", c="a:1 b:1")
    assert [(x.name, x.after) for x in arrays_of(plain, [s.name for s in plain])] == [
        ("a", ()),
        ("b", ("a",)),
        ("c", ("a", "b")),
    ]
    itself = steps_of(a_1="", a_2="a:1", b_1="a:2")
    assert [x.name for x in arrays_of(itself, [s.name for s in itself])] == ["a-0", "a-1", "b"]
    crossed = steps_of(a_1="", b_1="a:1", b_2="", a_2="b:2", c="a:2 b:1")
    made = arrays_of(crossed, [s.name for s in crossed])
    assert {s for x in made for s in x.steps} == {s.name for s in crossed}
    placed: set[str] = set()
    for x in made:
        assert set(x.after) <= placed
        placed.add(x.name)
    assert [x.name for x in arrays_of(plain, ["c"])] == ["c"]
    assert arrays_of(plain, []) == []


def test_large_kinds_are_cut_to_what_slurm_takes():
    many = [Step(f"a:{k}", "m:f", {}) for k in range(2500)]
    made = arrays_of([*many, Step("b", "m:f", {}, tuple(s.name for s in many))], [*(s.name for s in many), "b"])
    assert [(x.name, len(x.steps)) for x in made] == [("a.0", 1000), ("a.1", 1000), ("a.2", 500), ("b", 1)]
    assert made[-1].after == ("a.0", "a.1", "a.2")
