"""Kill what runs a submitted study: the process of a job, the daemon of the node, the controller; submit it again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..study.conftest import content, neurosim
from ..study.gated import until
from ..study.slurm_daemons import Slurm

PATIENCE = 900.0


def killed_on_slurm(root: Path, n_studies: int) -> Iterator[dict[str, Any]]:
    """Kill the two daemons and then a job, twice in each study; give the counts after each."""
    from .kills import STUDY, compare, n_done, spread, strides

    study = root / "study.toml"
    study.write_text(STUDY)
    (root / "daemons").mkdir()
    slurm = Slurm(root / "daemons")
    os.environ |= slurm.environment
    try:
        begun = time.monotonic()
        submit(study, root / "whole" / "killed")
        wait(slurm)
        whole, wanted = time.monotonic() - begun, content(root / "whole" / "killed")
        n_steps = n_done(root / "whole" / "killed")
        found: dict[str, Any] = {name: 0 for name, _ in KILLS} | {"nothing_left_to_kill": 0, "submitted_again": 0}
        found |= {"studies_compared": 0, "files_compared_in_each": len(wanted), "bytes_compared": 0}
        found |= {"files_that_differ": 0}
        done_when_killed: list[int] = []
        moments = [spread(2 * n_studies, s) for s in strides(2 * n_studies)[: len(KILLS)]]
        shares = [sorted(s) for s in zip(*moments, strict=True)]
        for k in range(n_studies):
            out = root / "out" / "killed"
            for turn in shares[2 * k : 2 * k + 2]:
                left = whole * (1 - n_done(out) / (n_steps + 1))
                submit(study, out)
                begun = time.monotonic()
                for share, (name, kill) in zip(turn, KILLS, strict=True):
                    at = begun + share * left
                    until(lambda at=at: time.monotonic() > at or not slurm.say("squeue", "-h"), PATIENCE)
                    hit = bool(slurm.say("squeue", "-h")) and kill(slurm, root)
                    found[name if hit else "nothing_left_to_kill"] += 1
                    if hit:
                        done_when_killed.append(n_done(out))
                wait(slurm)
            while not (out / "report.html").is_file():
                found["submitted_again"] += 1
                submit(study, out)
                wait(slurm)
            compare(found, wanted, root / "whole" / "killed", out)
            yield found | {
                "steps_done_at_kills": sorted(done_when_killed),
                "seconds_of_a_whole_run": round(whole, 1),
                "steps": n_steps,
                "slurm": slurm.say("sinfo", "--version").strip(),
            }
            shutil.rmtree(root / "out")
    finally:
        slurm.stop()


def submit(study: Path, out: Path) -> None:
    """Submit what is missing; where nothing is, write the results folder from the store."""
    said = neurosim("submit", study, "--slurm", "--slurm-options", "--time=30", "-o", out, "--json", cwd=study.parent)
    assert said.returncode == 0, said.stderr
    if json.loads(said.stdout) == [] and not (out / "report.html").is_file():
        assert neurosim("report", study, "-o", out, "--device", "cpu", cwd=study.parent).returncode == 0


def wait(slurm: Slurm) -> None:
    """Wait until no job waits or runs and the node is there again.

    A controller that lost its state drains a node that still has its jobs, and holds these; whoever runs the cluster
    brings them back.
    """

    def is_over() -> bool:
        state = slurm.say("sinfo", "-h", "-o", "%N %T").split()
        if state[1:] and "drain" in state[1]:
            slurm.say("scontrol", "update", f"nodename={state[0]}", "state=resume")
        for line in slurm.say("squeue", "-rh", "-o", "%i|%r").splitlines():
            job, _, reason = line.partition("|")
            if "held" in reason:
                slurm.say("scontrol", "release", job)
        return slurm.say("squeue", "-h", "-o", "x%A") == "" and "idle" in " ".join(state)

    until(is_over, PATIENCE)


def kill_the_process_of_a_job(slurm: Slurm, root: Path) -> bool:
    """Kill the worker of a job that runs, or what writes the report; wait for one while jobs wait."""
    while slurm.say("squeue", "-h"):
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            ours = any(w.startswith(bytes(root)) for w in words) and b"-m" in words and b"submit" not in words
            if ours and words[0].endswith((b"python", b"python3")):
                os.kill(int(place.name), signal.SIGKILL)
                return True
        time.sleep(0.05)
    return False


def kill_the_node(slurm: Slurm, _root: Path) -> bool:
    """Kill the daemon of the node, and start it again after a second."""
    return _killed(slurm.node, slurm.start_node)


def kill_the_controller(slurm: Slurm, _root: Path) -> bool:
    """Kill the controller at whatever it is, not waiting until it has saved its state, and start it again."""
    _killed(slurm.controller, slurm.start_controller)
    until(lambda: slurm.say("sinfo", "-h", "-o", "%T") != "")
    return True


def _killed(daemon: subprocess.Popen[bytes], start: Callable[[], None]) -> bool:
    daemon.kill()
    daemon.wait()
    time.sleep(1)
    start()
    return True


KILLS = (  # in this order: those that read a step whose job was killed are not run
    ("kills_of_the_node_daemon", kill_the_node),
    ("kills_of_the_controller", kill_the_controller),
    ("kills_of_the_process_of_a_job", kill_the_process_of_a_job),
)
