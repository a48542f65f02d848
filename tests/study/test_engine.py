"""The study engine: run once, resumable, repaired, safe with two runs at once, and verifiable."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurosim import storage
from neurosim.study.engine.keys import ROOT, _sources, source_digest
from neurosim.study.engine.scheduler import StepError, run_steps
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Store
from neurosim.study.run import check_study, run_study
from neurosim.study.verify import rerun_results

from .conftest import content, neurosim


def test_a_second_run_takes_everything_from_the_store(small_study, tmp_path):
    first = run_study(small_study, out=tmp_path / "out" / "small")
    assert (first.n_steps, first.n_hits) == (10, 0)
    before = content(first.folder)
    second = run_study(small_study, out=tmp_path / "out" / "small")
    assert second.n_hits == second.n_steps
    assert content(second.folder) == before


def test_two_runs_from_nothing_give_the_same_bytes_whatever_the_number_of_jobs(small_study, tmp_path):
    folders = [run_study(small_study, out=tmp_path / f"out{j}" / "small", jobs=j).folder for j in (1, 3)]
    assert content(folders[0]) == content(folders[1])


def test_the_results_folder_is_complete_and_checks_itself(small_study, tmp_path):
    folder = run_study(small_study, out=tmp_path / "out" / "small").folder
    wanted = ("study.toml", "resolved.json", "provenance.json", "numbers.json", "report.html", "MANIFEST.sha256")
    assert all((folder / name).is_file() for name in wanted)
    assert (folder / "study.toml").read_text() == small_study.read_text()
    assert {p.suffix for p in (folder / "figures").iterdir()} == {".svg", ".pdf", ".png", ".csv", ".nc"}
    subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.sha256"], cwd=folder, check=True)
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["seed"] == 3
    assert {"numpy", "torch", "brian2"} <= set(provenance["libraries"])
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "http-equiv" not in page
    assert "<script" not in page
    assert "What would make it differ" in page
    assert "10.7554/eLife.82566" in page


def everything(folder):
    """Return all files of a folder with their checksums, and its folders and links."""
    return {p: storage.sha256(p) if p.is_file() else p.is_symlink() for p in folder.rglob("*")}


def test_a_folder_that_is_not_ours_is_left_as_it_is(small_study, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "ch1.tex").write_text("x")
    forged = tmp_path / "forged"
    forged.mkdir()
    (forged / "mine.txt").write_text("x")
    storage.write_manifest(forged, "MANIFEST.sha256")
    link = tmp_path / "link"
    link.symlink_to(thesis)
    for out in (thesis, forged, link, small_study.parent, small_study):
        before = everything(tmp_path)
        run = neurosim("run", small_study, "-o", out, cwd=tmp_path)
        assert run.returncode == 2
        assert "choose another" in run.stderr
        assert len(run.stderr.strip().splitlines()) == 1
        assert everything(tmp_path) == before


def test_notes_placed_in_results_stay(small_study, tmp_path):
    folder = run_study(small_study, out=tmp_path / "out" / "small").folder
    before = content(folder)
    (folder / "results" / "notes.md").write_text("look at pair 3")
    (folder / "numbers.json").write_text("{}")
    run_study(small_study, out=folder)
    assert (folder / "results" / "notes.md").read_text() == "look at pair 3"
    (folder / "results" / "notes.md").unlink()
    assert content(folder) == before


def test_every_source_that_a_step_can_run_is_in_its_key():
    sources = {p.relative_to(ROOT).as_posix() for p in _sources("neurosim.study.steps.rdms")}
    assert {"neurosim/similarity/rdms.py", "neurosim/study/steps/rdms.py", "neurosim/schema.py"} <= sources
    assert "neurosim/biophysics/torch_engine.py" in {
        p.relative_to(ROOT).as_posix() for p in _sources("neurosim.study.steps.simulate")
    }


def test_the_results_folder_alone_repeats_the_study(small_study, tmp_path):
    folder = run_study(small_study, out=tmp_path / "out" / "small").folder
    for file in small_study.parent.iterdir():
        file.unlink()
    verdicts = rerun_results(folder, jobs=2)
    assert {v.verdict for v in verdicts} == {"bitwise"}


def test_verify_finds_what_changed(small_study, tmp_path):
    folder = run_study(small_study, out=tmp_path / "out" / "small").folder
    assert neurosim("verify", folder, cwd=tmp_path).returncode == 0
    resolved = json.loads((folder / "resolved.json").read_text())
    (folder / "resolved.json").write_text(json.dumps(resolved | {"seed": 4}))
    damaged = neurosim("verify", folder, cwd=tmp_path)
    assert damaged.returncode == 2
    assert "resolved.json" in damaged.stderr
    differing = [v for v in rerun_results(folder, jobs=2) if v.verdict == "differs"]
    assert differing[0].step == "compare:area"
    assert "scores.nc" in differing[0].detail


def test_check_runs_nothing_and_status_tells_how_far(small_study, tmp_path):
    looks = check_study(small_study, out=tmp_path / "out" / "small")
    assert [look.state for look in looks][:2] == ["miss", "waits"]
    assert not (tmp_path / "out").exists()
    run_study(small_study, out=tmp_path / "out" / "small")
    assert {x.state for x in check_study(small_study, out=tmp_path / "out" / "small")} == {"hit"}
    state = json.loads(neurosim("status", small_study, "--out", "out/small", "--json", cwd=tmp_path).stdout)
    assert (state["hits"], state["steps"], state["whole"]) == (10, 10, True)


def test_a_change_reruns_only_what_depends_on_it(small_study, tmp_path):
    run_study(small_study, out=tmp_path / "out" / "small")
    small_study.write_text(small_study.read_text().replace("n_bootstrap = 100", "n_bootstrap = 120"))
    missing = [x.step.name for x in check_study(small_study, out=tmp_path / "out" / "small") if x.state != "hit"]
    assert missing == ["compare:area", "figure:scores_area", "figure:time_area"]


def test_a_damaged_entry_is_set_aside_and_made_again(small_study, tmp_path):
    first = run_study(small_study, out=tmp_path / "out" / "small")
    before = content(first.folder)
    store = tmp_path / "out" / ".steps"
    victim = next(store.glob("*/*/scores.nc"))
    changed = bytearray(victim.read_bytes())
    changed[len(changed) // 2] ^= 1
    victim.write_bytes(changed)
    next(store.glob("*/*/relations.nc")).unlink()
    again = run_study(small_study, out=tmp_path / "out" / "small")
    assert again.n_hits == again.n_steps - 2
    assert content(again.folder) == before
    assert len(list((store / "damaged").iterdir())) == 2


def test_two_runs_at_once_agree(small_study, tmp_path):
    command = [sys.executable, "-m", "neurosim.cli", "run", str(small_study), "--quiet"]
    command += ["-o", str(tmp_path / "out" / "small")]
    runs = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [r.communicate()[1] for r in runs] == ["", ""]
    assert [r.returncode for r in runs] == [0, 0]
    alone = run_study(small_study, out=tmp_path / "alone" / "small")
    assert content(tmp_path / "out" / "small") == content(alone.folder)


def test_killed_at_ten_moments_and_resumed_the_results_are_identical(small_study, tmp_path):
    wanted = content(run_study(small_study, out=tmp_path / "whole" / "small").folder)
    command = [sys.executable, "-m", "neurosim.cli", "run", str(small_study), "-o", str(tmp_path / "out" / "small")]
    moments = random.Random(0)
    n_killed = 0
    for _ in range(10):
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 4.0))
        n_killed += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    assert n_killed > 0
    done = neurosim("run", small_study, "-o", tmp_path / "out" / "small", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "out" / "small") == wanted


def test_workers_end_when_the_run_is_killed(small_study, tmp_path):
    command = [sys.executable, "-m", "neurosim.cli", "run", str(small_study), "-o", str(tmp_path / "out" / "small")]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    workers: list[int] = []
    while not workers and process.poll() is None:
        time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children") if children.exists() else []
        workers = [int(w) for t in tasks for w in t.read_text().split()]
    process.kill()
    process.wait()
    assert workers
    deadline = time.monotonic() + 20
    while any(_alive(w) for w in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(w) for w in workers)


def test_an_interrupted_run_stops_at_once_and_says_so(small_study, tmp_path):
    command = [sys.executable, "-m", "neurosim.cli", "run", str(small_study), "-o", str(tmp_path / "out" / "small")]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / ".steps" / "workers.log").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=20)[1]
    assert process.returncode in (0, 130)
    if process.returncode:
        assert stderr.splitlines()[-1] == "neurosim: stopped; what was finished is kept, run again to go on."


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_full_disk_loses_nothing(small_study, tmp_path):
    """A limit on the size of any file stands for the full disk: the same failing write, at a place of our choice."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))

    failed = neurosim("run", small_study, "-o", "out/small", "--quiet", cwd=tmp_path, preexec_fn=limit)
    assert failed.returncode == 2
    assert "disk is full" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    resumed = json.loads(neurosim("run", small_study, "-o", "out/small", "--json", cwd=tmp_path).stdout)
    assert 0 < resumed["n_hits"] < resumed["n_steps"]


def test_a_step_whose_process_dies_is_one_line_and_exit_code_3(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "dying_step.py").write_text(
        "import os, signal\ndef run(job):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (modules / "wrong_step.py").write_text("def run(job):\n    raise ZeroDivisionError('no\\nmore')\n")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    for name, words in (("dying_step", "ended unexpectedly"), ("wrong_step", "ZeroDivisionError: no .details in")):
        with pytest.raises(StepError, match=words) as caught:
            run_steps([Step(name, f"{name}:run", {})], Store(tmp_path / "store"), jobs=1, report=lambda *_: None)
        assert caught.value.exit_code == 3
        assert "\n" not in str(caught.value)


def test_the_source_of_a_step_is_part_of_its_key():
    compare = source_digest("neurosim.study.steps.compare")
    assert compare != source_digest("neurosim.study.steps.train")
    assert len(compare) == 64


def test_an_unfinished_entry_is_no_entry(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.new_entry("ab" * 32, {}) as out:
        (out / "x").write_text("half")
        raise RuntimeError
    assert store.find("ab" * 32) is None
    with store.new_entry("ab" * 32, {"about": 1}) as out:
        storage.write_text(out / "x", "whole")
    entry = store.find("ab" * 32)
    assert entry is not None and [f.name for f in entry.files] == ["x"]
