"""Kill runs of a study that trains, here and on SLURM, at moments spread over the run, resume, and compare every byte.

``python -m tests.campaigns.kills here [15]`` kills 4 times in each of 15 studies: the whole process group at moments
spread evenly over an undisturbed run, again while that is resumed, and twice one worker of the run that ends it.
``python -m tests.campaigns.kills slurm [4]`` kills the daemon of the node, the controller and the process of a job,
twice in each of 4 studies. Both write ``kills.json``. Here moments are in processor time, so that a busy machine does
not move them.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neurosim import runtime
from neurosim.version import __version__

from ..study.conftest import content

STUDY = """
name = "killed"
seed = 1

[stimuli]
source = "digits"
n_per_category = 1

[subjects.mlp]
kind = "network"
architecture = "MLP"
parameters = { hidden = [24] }
training = { task = "digits", epochs = 10, n_train = 600 }

[brains.early]
kind = "synthetic"
tuning = { pixels = 1.0 }

[analyses.rsa]
kind = "rsa"
estimate = "bootstrap"
n_bootstrap = 50
"""
OFTEN = 0.02
TICK = os.sysconf("SC_CLK_TCK")


def killed_runs(study: Path, out: Path, moments: Sequence[int]) -> Iterator[bool]:
    """Start a run for each of `moments`, kill its process group when so many steps are done; whether it was at work."""
    for n_steps in moments:
        process = started(study, out)
        while process.poll() is None and n_done(out) < n_steps:
            time.sleep(OFTEN)
        at_work = process.poll() is None
        if at_work:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        yield at_work


def started(study: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own."""
    command = [sys.executable, "-m", "neurosim.cli", "run", str(study), "-o", str(out), "--quiet"]
    return subprocess.Popen(command, cwd=study.parent, start_new_session=True, stderr=subprocess.DEVNULL)


def group_of(leader: int) -> dict[int, list[str]]:
    """Return what the system says of the processes of a group, by process, see proc(5)."""
    found: dict[int, list[str]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[2] == str(leader) and fields[0] not in "ZX":
            found[int(place.name)] = fields
    return found


def seconds_of(leader: int) -> float:
    """Return the processor time that a group has taken, with that of its processes that have ended."""
    return sum(int(f) for fields in group_of(leader).values() for f in fields[11:15]) / TICK


def work_until(process: subprocess.Popen[bytes], moment: float) -> bool:
    """Let a run work until it has taken so much processor time; whether it is still at work then."""
    while process.poll() is None and seconds_of(process.pid) < moment:
        time.sleep(OFTEN)
    return process.poll() is None


def whole_run(study: Path, out: Path) -> tuple[float, float, int]:
    """Run undisturbed; return its processor time, that before the first step was done, and the number of steps."""
    process, taken, first = started(study, out), 0.0, 0.0
    while process.poll() is None:
        taken = max(taken, seconds_of(process.pid))
        first = first or (taken if n_done(out) else 0.0)
        time.sleep(OFTEN)
    assert process.returncode == 0, "the undisturbed run failed"
    return taken, first, n_done(out)


def n_done(out: Path) -> int:
    """Return how many steps are in the store beside a results folder."""
    return len(list((out.parent / ".steps").glob("[0-9a-f][0-9a-f]/*/entry.json")))


def strides(n: int) -> list[int]:
    """Return the four strides through `n` moments nearest to the golden section, which visit each and spread early."""
    return sorted((s for s in range(1, n) if math.gcd(s, n) == 1), key=lambda s: abs(s / n - 0.382))[:4]


def spread(n: int, stride: int) -> list[float]:
    """Return `n` fractions spread evenly over 0..1, in the order of a stride."""
    return [((k * stride) % n + 0.5) / n for k in range(n)]


def killed_here(root: Path, n_studies: int) -> Iterator[dict[str, Any]]:
    """Kill runs on this machine; give the counts after each study."""
    study = root / "study.toml"
    study.write_text(STUDY)
    taken, first, n_steps = whole_run(study, root / "whole" / "killed")
    wanted = content(root / "whole" / "killed")
    found = dict.fromkeys(("kills_of_the_group", "ended_before", "kills_of_a_worker", "no_worker_left"), 0)
    found |= {"studies_compared": 0, "files_compared_in_each": len(wanted), "bytes_compared": 0, "files_that_differ": 0}
    done_when_killed: list[int] = []
    moments = [spread(n_studies, s) for s in strides(n_studies)]
    for begun, resumed, third, fourth in zip(*moments, strict=True):
        out = root / "out" / "killed"
        for share in (begun, resumed):
            left = first + (taken - first) * (1 - n_done(out) / n_steps)
            process = started(study, out)
            at_work = work_until(process, share * left)
            if at_work:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done_when_killed.append(n_done(out))
            found["kills_of_the_group" if at_work else "ended_before"] += 1
        left = first + (taken - first) * (1 - n_done(out) / n_steps)
        process = started(study, out)
        for share in sorted((third, fourth)):
            work_until(process, share * left)
            while not (killed := a_worker_killed(process.pid)) and process.poll() is None:
                time.sleep(OFTEN)
            found["kills_of_a_worker" if killed else "no_worker_left"] += 1
        found["run_again"] = found.get("run_again", 0) + int(process.wait() != 0)
        if process.returncode:  # a second run, as the user is told
            assert started(study, out).wait() == 0, "the resumed run failed"
        compare(found, wanted, root / "whole" / "killed", out)
        n_left = sum(p.is_dir() for p in (root / "out").rglob(".*.*"))
        yield found | {
            "steps_done_at_kills": sorted(done_when_killed),
            "half_written_folders_left_by_killed_workers_until_the_next_run": n_left,
            "processor_seconds_of_a_whole_run": round(taken, 1),
            "steps": n_steps,
        }
        shutil.rmtree(root / "out")


def a_worker_killed(leader: int) -> bool:
    """Kill one worker of a run; whether there was one."""
    workers = sorted(pid for pid in group_of(leader) if pid != leader)
    for worker in workers[-1:]:
        os.kill(worker, signal.SIGKILL)
    return bool(workers)


def compare(found: dict[str, Any], wanted: dict[str, str], whole: Path, out: Path) -> None:
    """Count the files that are not the same bytes as those of the undisturbed run, and those that are too many."""
    there = content(out)
    differing = [name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name)]
    found["studies_compared"] += 1
    found["bytes_compared"] += sum((whole / name).stat().st_size for name in wanted)
    found["files_that_differ"] += len(differing)
    found.setdefault("differing", []).extend(sorted(differing))


def write(where: str, result: dict[str, Any]) -> None:
    """Put the results beside those of the other place."""
    path = Path(__file__).with_suffix(".json")
    results = json.loads(path.read_text()) if path.is_file() else {}
    versions = {"neurosim": __version__, "python": sys.version.split()[0], **runtime.library_versions()}
    path.write_text(json.dumps(results | {where: result | {"versions": versions}}, indent=2) + "\n")


def main(where: str, n: int) -> None:
    """Run the campaign in one place and write what it has found after each study."""
    from .kills_on_slurm import killed_on_slurm

    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        for result in (killed_here if where == "here" else killed_on_slurm)(Path(folder), n):
            write(where, result)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "here", int(sys.argv[2]) if len(sys.argv) > 2 else 15)
