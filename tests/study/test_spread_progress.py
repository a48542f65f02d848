"""What a log of a batch job shows, and what a shell asks of the command line."""

import re
import time

import neurosim as ns
from neurosim import cli

from .conftest import fresh, neurosim


def test_a_log_has_a_line_for_each_long_step_and_the_end_and_quiet_has_none(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for quiet in (False, True):
        with cli._Progress(quiet) as progress:
            progress("study", "steps", "4")
            progress("a", "hit", "")
            progress("b", "start", "")
            progress("b", "done", "1.9 s")
            progress("c", "start", "")
            for _ in range(30):
                clock[0] += 1
                progress("c", "progress", f"epoch {clock[0] % 1000:.0f}/40")
            progress("c", "done", "30.0 s")
        written = capsys.readouterr().err
        if not quiet:
            assert written.splitlines() == [
                "2 of 4 steps; c (epoch 10/40)",
                "2 of 4 steps; c (epoch 20/40)",
                "2 of 4 steps; c (epoch 30/40)",
                "3 of 4 steps; c took 30.0 s",
                "3 of 4 steps; done in 30 s, 1 from the store",
            ]
    assert written == ""


def test_a_run_in_a_log_says_how_far_it_is(finished, tmp_path):
    finished.study.write_text(finished.study.read_text().replace("n_bootstrap = 100", "n_bootstrap = 120"))
    first = neurosim("run", finished.study, "-o", "out/small", "-j", 1, cwd=tmp_path)
    said = re.match(r"2 steps run, (\d+) from the store", first.stdout)
    assert said is not None
    n = int(said[1]) + 2
    last = first.stderr.splitlines()[-1]
    assert re.fullmatch(rf"{n} of {n} steps; done in \d+ s, {n - 2} from the store", last)
    again = neurosim("run", finished.study, "-o", "out/small", "--quiet", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")


def test_the_version_and_the_completion_of_shells(tmp_path):
    version = fresh("--version", cwd=tmp_path)
    assert (version.stdout, version.returncode) == (f"neurosim {ns.__version__}\n", 0)
    asked = {"_NEUROSIM_COMPLETE": "complete_bash", "COMP_WORDS": "neurosim su", "COMP_CWORD": "1"}
    assert fresh(cwd=tmp_path, env=asked).stdout.split() == ["submit"]
    assert "complete_bash" in fresh(cwd=tmp_path, env={"_NEUROSIM_COMPLETE": "source_bash"}).stdout
    nothing = fresh(cwd=tmp_path)
    assert "Usage" in nothing.stdout
