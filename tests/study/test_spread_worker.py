"""A worker: one job description in, its step in the store, the step's code out; whatever comes in, one line at most."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from neurosim import runtime, storage
from neurosim.refusals import InputError
from neurosim.study.engine import keys
from neurosim.study.engine import worker as engine_worker
from neurosim.study.engine.orders import Order, Queued, parse, read_plan, write_plan, written
from neurosim.study.engine.scheduler import order_of
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Store

from .gated import Gated, is_alive, until

MODULE = """
import logging, os, tempfile
from neurosim.refusals import InputError
def done(job):
    print("this is not a report")
    logging.getLogger("neurosim.x").warning("look here")
    (job.out / "threads").write_text(os.environ["OMP_NUM_THREADS"])
    tempfile.mkdtemp()
def refused(job):
    raise InputError("no such layer.")
def wrong(job):
    raise ZeroDivisionError("no\\nmore")
"""


@pytest.fixture
def order(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "three_steps.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'modules'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    monkeypatch.syspath_prepend(tmp_path / "modules")
    keys.forget()

    def make(work: str) -> Order:
        return order_of(Step(work, f"three_steps:{work}", {}), {}, Store(tmp_path / "store"), "cpu")

    return make


def worker(*words: object, text: str | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neurosim", "worker", *map(str, words)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, **options)


def test_one_job_from_standard_input_or_a_file_ends_with_the_code_of_its_step(order, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    done = worker(text=json.dumps(json.loads(written(order("done"))), indent=2))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"done": True, "notes": ["look here"]})
    assert done.stderr == "this is not a report\n"
    entry = Store(tmp_path / "store").find(order("done").key)
    assert entry is not None
    assert (entry.folder / "threads").read_text() == "1"
    for work, code, words in (("refused", 2, "no such layer."), ("wrong", 3, "ZeroDivisionError: no")):
        (tmp_path / "job.json").write_text(written(order(work)))
        failed = worker(tmp_path / "job.json", cwd=tmp_path)
        assert failed.returncode == code
        assert failed.stderr.splitlines()[-1] == f"neurosim: {words}"
        assert not json.loads(failed.stdout)["done"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_module_is_the_same_worker(order):
    command = [sys.executable, "-m", "neurosim.study.engine.worker"]
    done = subprocess.run(command, input=written(order("refused")), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "neurosim: no such layer.\n")


def test_a_malformed_job_is_one_line_and_code_2(tmp_path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for words, text in (
        ((), ""),
        ((), "{"),
        (("nowhere.json",), ""),
        ((tmp_path / "bytes.json",), ""),
        ((tmp_path,), ""),
    ):
        failed = worker(*words, text=text, cwd=tmp_path)
        assert failed.returncode == 2
        assert failed.stderr.startswith("neurosim: ")
        assert failed.stderr.count("\n") == 1


GOOD = Order("/store", "ab" * 32, "a:1", "module:run", {}, "cpu", {}, {}, {}).__dict__
BAD = {
    "a list": "[]",
    "a number": "7",
    "nothing": "{}",
    "deep": "[" * 200_000,
    "a long number": '{"store": ' + "9" * 5000 + "}",
    "unknown key": json.dumps(GOOD | {"shell": "rm -r"}),
    "missing key": json.dumps({k: v for k, v in GOOD.items() if k != "files"}),
    "key that leads out": json.dumps(GOOD | {"key": "../../../etc"}),
    "key in capitals": json.dumps(GOOD | {"key": "AB" * 32}),
    "work that is code": json.dumps(GOOD | {"work": "os:system('x')"}),
    "work that is a path": json.dumps(GOOD | {"work": "../x:run"}),
    "relative store": json.dumps(GOOD | {"store": "store"}),
    "NUL in the store": json.dumps(GOOD | {"store": "/a\0b"}),
    "unknown device": json.dumps(GOOD | {"device": "tpu"}),
    "config that is a list": json.dumps(GOOD | {"config": []}),
    "inputs that are numbers": json.dumps(GOOD | {"inputs": {"a": 3}}),
    "name that is a number": json.dumps(GOOD | {"name": 3}),
    "plan that is a list": json.dumps({"store": "/s", "device": "cpu", "plan": [], "step": "a"}),
    "works that are numbers": json.dumps({"store": "/s", "works": [1]}),
    "works that are code": json.dumps({"store": "/s", "works": ["os.system('x')"]}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_job_description_is_refused(name):
    with pytest.raises(InputError) as caught:
        parse(BAD[name], "job.json")
    assert str(caught.value).startswith("job.json: ")
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)
    assert parse(json.dumps(GOOD), "job.json") == Order(**GOOD)


def test_a_queued_job_finds_its_key_when_it_runs(tmp_path, monkeypatch):
    gated = Gated(tmp_path).seen(monkeypatch)
    steps, store = gated.chain(), tmp_path / "store"
    store.mkdir()
    write_plan(tmp_path / "plan.json", steps)
    assert list(read_plan(tmp_path / "plan.json").steps.values()) == steps

    def run(step: str) -> subprocess.CompletedProcess[str]:
        return worker(text=written(Queued(str(store), "cpu", str(tmp_path / "plan.json"), step)))

    early = run("b:1")
    assert early.returncode == 2
    assert "the results of a:1, a:2 are not in the store" in early.stderr
    assert [run(s).returncode for s in ("a:1", "a:2", "b:1", "b:1")] == [0, 0, 0, 0]
    assert gated.n_started("b:1") == 1
    assert "no step 'd'" in run("d").stderr
    (tmp_path / "plan.json").write_text('{"steps": [{"x": 1}]}')
    assert "not a plan" in run("c").stderr


def test_a_file_that_changed_while_the_job_waited_is_said(tmp_path):
    (tmp_path / "brain.nc").write_text("first")
    step = Step("brain:a", "module:run", {"sha256": "x"}, files={"responses": str(tmp_path / "brain.nc")})
    write_plan(tmp_path / "plan.json", [step])
    read_plan(tmp_path / "plan.json").check_files("brain:a")
    (tmp_path / "brain.nc").write_text("second")
    with pytest.raises(InputError, match="changed since the study was submitted"):
        read_plan(tmp_path / "plan.json").check_files("brain:a")


def test_a_worker_that_serves_ends_with_its_caller_in_the_middle_and_leaves_nothing(tmp_path, monkeypatch):
    gated = Gated(tmp_path).seen(monkeypatch)
    (tmp_path / "tmp").mkdir()
    gated.close("a:1")
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    command = [sys.executable, "-m", "neurosim", "worker", "--serve"]
    serving = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    order = order_of(gated.step("a:1"), {}, Store(tmp_path / "store"), "cpu")
    assert serving.stdin is not None
    serving.stdin.write(written(order) + "\n")
    serving.stdin.flush()
    pid = gated.process("a:1")
    serving.stdin.close()
    until(lambda: not is_alive(pid))
    serving.wait()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_worker_left_is_removed_by_the_next(order, tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    left = Path(tempfile.mkdtemp(prefix="neurosim-worker-1-", dir=tmp_path / "tmp"))
    young = Path(tempfile.mkdtemp(prefix="neurosim-worker-2-", dir=tmp_path / "tmp"))
    storage.write_text(left / "work" / "scratch", "x")
    os.utime(left, (0, 0))
    assert worker(text=written(order("done"))).returncode == 0
    assert list((tmp_path / "tmp").iterdir()) == [young]


def test_a_worker_is_killed_like_any_process(tmp_path, monkeypatch):
    gated = Gated(tmp_path).seen(monkeypatch)
    gated.close("a:1")
    order = order_of(gated.step("a:1"), {}, Store(tmp_path / "store"), "cpu")
    (tmp_path / "job.json").write_text(written(order))
    command = [sys.executable, "-m", "neurosim", "worker", str(tmp_path / "job.json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as one:
        os.kill(gated.process("a:1"), signal.SIGKILL)
        assert one.wait() == -signal.SIGKILL
    assert Store(tmp_path / "store").find(order.key) is None
    gated.open("a:1")
    assert worker(tmp_path / "job.json").returncode == 0
    assert Store(tmp_path / "store").find(order.key) is not None


def test_a_worker_reports_progress_at_most_as_often_as_is_asked(monkeypatch):
    """A thousand batches in ten seconds; what is reported is how far it is by then."""
    clock, reports = [0.0], io.StringIO()
    monkeypatch.setattr(engine_worker.time, "monotonic", lambda: clock[0])
    engine_worker._send_progress(reports, engine_worker.OFTEN)
    try:
        for batch in runtime.track(range(1000), "epoch"):
            clock[0] = batch / 100
    finally:
        runtime.send_progress_to(None)
    told = [json.loads(line)["progress"] for line in reports.getvalue().splitlines()]
    assert 80 <= len(told) <= 100
    assert told[-1][0] == "epoch" and told[-1][2] == 1000 and told[-1][1] > 980
