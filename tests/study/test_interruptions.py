"""What is left of a run that was killed, interrupted, doubled, or met a full disk?"""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from neurosim.study.engine.launch import Processes
from neurosim.study.engine.orders import Question

from .. import forks
from ..campaigns.kills import killed_runs
from .conftest import COMMAND_LINE, content, fresh, neurosim


def test_two_runs_at_once_agree(finished, tmp_path):
    command = [*forks.command(COMMAND_LINE), "run", str(finished.study), "--quiet", "-j", "1"]
    command += ["-o", str(tmp_path / "again" / "small")]
    runs = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [r.communicate()[1] for r in runs] == ["", ""]
    assert [r.returncode for r in runs] == [0, 0]
    assert content(tmp_path / "again" / "small") == content(finished.folder)


def test_killed_at_some_moments_and_resumed_the_results_are_identical(finished, tmp_path):
    """A few kills of the campaign in tests/campaigns/kills.py, on a study without training."""
    out = tmp_path / "again" / "small"
    assert any(killed_runs(finished.study, out, (1, 4, 7)))
    done = neurosim("run", finished.study, "-o", out, "-j", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert content(out) == content(finished.folder)


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


def test_workers_that_were_ended_are_not_started_anew(tmp_path):
    """A thread that asks for a worker while the run is interrupted gets none, whose step would be waited for."""
    workers = Processes("", tmp_path / "workers.log")
    workers.kill()
    assert workers.do(Question(str(tmp_path), []), lambda _: None) is None
    assert not workers.started and not (tmp_path / "workers.log").exists()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_full_disk_loses_nothing(small_study, tmp_path):
    """A limit on the size of any file stands for the full disk: the same failing write, at a place of our choice."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))

    failed = fresh("run", small_study, "-o", "out/small", "-j", 1, "--quiet", cwd=tmp_path, preexec_fn=limit)
    assert failed.returncode == 2
    assert "disk is full" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    resumed = json.loads(neurosim("run", small_study, "-o", "out/small", "-j", 1, "--json", cwd=tmp_path).stdout)
    assert 0 < resumed["n_hits"] < resumed["n_steps"]
