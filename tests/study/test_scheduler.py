"""Are steps run once, in order, in time that grows with their number, and what is said of one that fails?"""

import time

import pytest

from neurosim.study.engine.scheduler import StepError, run_steps
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Entry, Store


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


def test_a_step_whose_process_was_killed_is_tried_once_more(tmp_path, monkeypatch):
    (tmp_path / "killed_once.py").write_text(
        "import os, pathlib, signal\n"
        "def run(job):\n"
        "    mark = pathlib.Path(job.config['mark'])\n"
        "    if not mark.exists():\n"
        "        mark.write_text('')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    (job.out / 'x').write_text('made')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = []
    step = Step("once", "killed_once:run", {"mark": str(tmp_path / "mark")})
    entries = run_steps([step], Store(tmp_path / "store"), jobs=1, report=lambda *told_: told.append(told_))
    assert (entries["once"].folder / "x").read_text() == "made"
    assert ("once", "note", "its process ended unexpectedly; it is tried once more.") in told


class Full(Store):
    """A store that has everything, so that only the scheduler takes time."""

    def find(self, key):
        return Entry(self.root, {"digest": key, "key": key, "seconds": 0.0})


def seconds_of_hits(n, root):
    """Return the time that a chain of `n` steps takes of which all are in the store."""
    steps = [Step(f"s:{i}", "neurosim.study.steps.rdms:run", {"i": i}, (f"s:{i - 1}",) if i else ()) for i in range(n)]
    start = time.perf_counter()
    entries = run_steps(steps, Full(root), jobs=2, report=lambda *_: None)
    assert list(entries) == [s.name for s in steps]
    return time.perf_counter() - start


def test_a_chain_of_ten_thousand_hits_takes_time_in_proportion(tmp_path):
    seconds_of_hits(10, tmp_path)
    few, many = min(seconds_of_hits(1_000, tmp_path) for _ in range(3)), seconds_of_hits(10_000, tmp_path)
    assert many < 40 * few + 1


def test_steps_run_after_those_that_they_read_in_whatever_order_they_come(tmp_path):
    done = []
    steps = [Step("c", "w:r", {}, ("a", "b", "a")), Step("b", "w:r", {}, ("a",)), Step("a", "w:r", {})]
    run_steps(steps, Full(tmp_path), jobs=1, report=lambda step, event, _: done.append((step, event)))
    assert done == [("a", "hit"), ("b", "hit"), ("c", "hit")]
