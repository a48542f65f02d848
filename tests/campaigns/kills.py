"""Kill a run of a study, with all its processes, at random moments, resume it, and compare every byte.

``python -m tests.campaigns.kills [60]`` kills a study that trains networks and writes ``kills.json``.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

STUDY = """
name = "trained"
seed = 1

[stimuli]
source = "digits"
n_per_category = 2

[subjects.spiking_mlp]
kind = "network"
architecture = "SpikingMLP"
parameters = { hidden = [16], n_steps = 10 }
training = { task = "digits", epochs = 3 }

[subjects.twin]
kind = "twin"
of = "spiking_mlp"
test_stimuli = 40

[brains.early]
kind = "synthetic"
tuning = { pixels = 1.0 }

[analyses.rsa]
kind = "rsa"
estimate = "bootstrap"
n_bootstrap = 50
"""


def killed_runs(study: Path, out: Path, *, seed: int, n: int, longest: float) -> Iterator[bool]:
    """Start a run `n` times, kill its process group within `longest` seconds; whether it was still at work."""
    command = [sys.executable, "-m", "neurosim.cli", "run", str(study), "-o", str(out)]
    moments = random.Random(seed)
    for _ in range(n):
        process = subprocess.Popen(command, cwd=study.parent, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, longest))
        at_work = process.poll() is None
        if at_work:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        yield at_work


def main(n: int) -> None:
    """Run the campaign and write what it found."""
    from neurosim.study.run import run_study
    from tests.study.conftest import content

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        study = root / "study.toml"
        study.write_text(STUDY)
        start = time.monotonic()
        wanted = content(run_study(study, out=root / "whole" / "trained").folder)
        whole = time.monotonic() - start
        out, n_killed, n_finished, differing = root / "out" / "trained", 0, 0, 0
        for seed in range(n):
            n_killed += sum(killed_runs(study, out, seed=seed, n=1, longest=whole))
            if (out / "report.html").is_file():
                differing += sum(content(out).get(name) != digest for name, digest in wanted.items())
                n_finished += 1
                shutil.rmtree(root / "out")
        differing += sum(
            content(run_study(study, out=out).folder).get(name) != digest for name, digest in wanted.items()
        )
        left = [p.name for p in (root / "out").rglob(".*.*") if p.is_dir()]
    result = {
        "moments": n,
        "killed_at_work": n_killed,
        "finished_in_between": n_finished,
        "files_compared": len(wanted),
        "files_that_differ": differing,
        "half_written_folders_left": len(left),
        "seconds_of_a_whole_run": round(whole, 1),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
