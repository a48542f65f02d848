"""Steps behind a launcher and on dask: the same bytes, whoever is killed in the middle; and on whose device."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from neurosim import runtime, storage
from neurosim.refusals import InputError
from neurosim.study.engine import cluster as on_dask_workers
from neurosim.study.engine import launch as launching
from neurosim.study.engine.launch import WORKER as WORKER_OF_USERS
from neurosim.study.engine.launch import Launch, command, gpu_there
from neurosim.study.engine.orders import Question, written
from neurosim.study.engine.scheduler import StepError, look_up, order_of, run_steps, silent, step_key
from neurosim.study.engine.step import Step
from neurosim.study.engine.store import Store
from neurosim.study.run import check_study, run_study

from .conftest import content, neurosim
from .gated import Gated, is_alive, until, values

ENV = Launch("env")


@pytest.fixture
def gated(tmp_path, monkeypatch):
    return Gated(tmp_path).seen(monkeypatch)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A dask cluster of two worker processes; its workers see the modules that tests write."""
    distributed = pytest.importorskip("distributed")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = Gated(tmp_path_factory.mktemp("seen")).path
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, local_directory=str(tmp_path_factory.mktemp("dask"))) as running:
        os.environ["PYTHONPATH"] = before
        yield running


def run(steps, store, launch, **options):
    return run_steps(steps, Store(store), jobs=2, report=options.get("report", silent), launch=launch)


def test_the_small_study_is_the_same_here_and_behind_a_launcher_and_on_dask(finished, tmp_path, cluster):
    wanted = content(finished.folder)
    n_steps = len(storage.read_json(finished.folder / "provenance.json")["steps"])
    behind = neurosim("run", finished.study, "-o", "env/small", "--launch", "env", "-j", 1, "--quiet", cwd=tmp_path)
    assert (behind.returncode, behind.stdout.split()[0]) == (0, str(n_steps))
    assert content(tmp_path / "env" / "small") == wanted
    notes: list[str] = []
    on_dask = run_study(
        finished.study,
        out=tmp_path / "dask" / "small",
        jobs=1,
        launch=Launch(dask=cluster.scheduler_address),
        report=lambda _, event, text: notes.append(text) if event == "note" else None,
    )
    assert content(on_dask.folder) == wanted
    assert f"device {'cuda' if gpu_there() else 'cpu'}" in notes[0]


TALKING = """
import os, sys, time


def run(job):
    name = job.config["name"]
    print(f"printed by {name}")
    for k in range(30):
        for part in ("line ", str(k), " of ", name, "\\n"):
            os.write(2, part.encode())
            time.sleep(0.001)
    print(f"last words of {name}", end="")
    (job.out / "value.json").write_text(name)
"""


@pytest.mark.parametrize("launch", [launching.HERE, ENV])
def test_lines_of_steps_at_once_stay_whole_and_say_which_step_wrote_them(gated, tmp_path, launch):
    """Two workers write parts of lines at a time, and one that goes on with a third step says so."""
    (Path(gated.path.split(os.pathsep)[0]) / "talking_step.py").write_text(TALKING)
    steps = [Step(n, "talking_step:run", {"name": n}, ("a", "b") if n == "c" else ()) for n in "abc"]
    run(steps, tmp_path / "store", launch)
    lines = (tmp_path / "store" / "workers.log").read_text().splitlines()
    told = ["printed by {}", *(f"line {k} of {{}}" for k in range(30)), "last words of {}"]
    assert sorted(lines) == sorted(f"{n}: {text.format(n)}" for n in "abc" for text in told)
    assert [x for x in lines if x.startswith("c: ")] == [f"c: {text.format('c')}" for text in told]


def test_a_worker_killed_behind_a_launcher_is_one_line_and_the_next_run_goes_on(gated, tmp_path):
    wanted = values(run(gated.chain(), tmp_path / "whole", launching.HERE))
    gated.close("b:1")
    n_before = gated.n_started("b:1")
    killed: list[int] = []

    def kill_every_attempt() -> None:
        while (gated.place / "b_1.gate").exists():
            n = gated.n_started("b:1")
            if n > n_before + len(killed):
                killed.append(gated.process("b:1", n - 1))
                os.kill(killed[-1], signal.SIGKILL)
            time.sleep(0.01)

    killing = threading.Thread(target=kill_every_attempt)
    killing.start()
    with pytest.raises(StepError, match="b:1: its process ended unexpectedly") as caught:
        run(gated.chain(), tmp_path / "store", ENV)
    gated.open("b:1")
    killing.join()
    assert killed
    assert "\n" not in str(caught.value)
    n_done = gated.n_started("a:1")
    assert values(run(gated.chain(), tmp_path / "store", ENV)) == wanted
    assert gated.n_started("a:1") == n_done


CONTROLLER = """
import sys
from pathlib import Path
from neurosim.study.engine.launch import Launch
from neurosim.study.engine.scheduler import run_steps, silent
from neurosim.study.engine.store import Store
from tests.study.gated import Gated
gated = Gated.__new__(Gated)
gated.place = Path(sys.argv[1])
run_steps(gated.chain(), Store(Path(sys.argv[2])), jobs=2, report=silent, launch=Launch(sys.argv[3], sys.argv[4]))
"""


@pytest.mark.parametrize("way", ["env", "dask"])
def test_the_controller_is_killed_in_the_middle_and_its_workers_end_or_finish(gated, tmp_path, way, request):
    address = request.getfixturevalue("cluster").scheduler_address if way == "dask" else ""
    wanted = values(run(gated.chain(), tmp_path / "whole", launching.HERE))
    n = gated.n_started("b:1")
    gated.close("b:1")
    words = [str(gated.place), str(tmp_path / "store"), "" if address else "env", address]
    controller = subprocess.Popen([sys.executable, "-c", CONTROLLER, *words])
    pid = gated.process("b:1", n)
    controller.kill()
    controller.wait()
    if way == "env":
        until(lambda: not is_alive(pid))
    gated.open("b:1")
    assert values(run(gated.chain(), tmp_path / "store", Launch(words[2], words[3]))) == wanted


def test_a_dask_worker_killed_in_the_middle_is_replaced(gated, tmp_path, cluster):
    wanted = values(run(gated.chain(), tmp_path / "whole", launching.HERE))
    n = gated.n_started("b:1")
    gated.close("b:1")
    found: list[dict] = []
    where = Launch(dask=cluster.scheduler_address)
    working = threading.Thread(target=lambda: found.append(values(run(gated.chain(), tmp_path / "store", where))))
    working.start()
    first = gated.process("b:1", n)
    dask_worker = int(Path(f"/proc/{first}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(dask_worker, signal.SIGKILL)
    until(lambda: not is_alive(first))
    gated.open("b:1")
    working.join(120)
    assert found == [wanted]


def test_a_dask_worker_keeps_the_process_of_a_run_until_it_is_over(gated, tmp_path, cluster):
    run(gated.chain(), tmp_path / "store", Launch(dask=cluster.scheduler_address))
    started = {gated.process(name) for name in ("a:1", "a:2", "b:1", "c")}
    assert len(started) <= 2  # as there are two dask workers of one thread
    until(lambda: not any(map(is_alive, started)))


def test_processes_of_a_run_are_its_own_and_end_when_nobody_asks_them(tmp_path, monkeypatch):
    asked = written(Question(str(tmp_path), [])), str(tmp_path / "log")
    for run_of in ("one", "one", "other"):
        assert on_dask_workers.answer_of_worker(*asked, run_of)["done"]
    mine, other = (on_dask_workers.kept[name] for name in ("one", "other"))
    assert len(mine.processes.started) == len(other.processes.started) == 1
    monkeypatch.setattr(on_dask_workers, "FORGOTTEN", 0.5)
    for run_of in ("one", "other"):
        assert on_dask_workers.answer_of_worker(*asked, run_of)["done"]
    until(lambda: all(kept.processes.started[0].poll() == 0 for kept in (mine, other)))
    assert not on_dask_workers.kept.keys() & {"one", "other"}
    assert on_dask_workers.answer_of_worker(*asked, "one")["done"]
    assert on_dask_workers.kept["one"] is not mine
    on_dask_workers.let_go("one")


def test_a_process_that_works_when_its_run_is_over_answers_and_ends(gated, tmp_path):
    gated.close("a:1")
    order = written(order_of(gated.step("a:1"), {}, Store(tmp_path / "store"), "cpu"))
    found: list[dict] = []
    asking = threading.Thread(
        target=lambda: found.append(on_dask_workers.answer_of_worker(order, str(tmp_path / "log"), "over"))
    )
    asking.start()
    pid = gated.process("a:1")
    on_dask_workers.let_go("over")
    until(lambda: "over" not in on_dask_workers.kept)
    gated.open("a:1")
    asking.join(60)
    assert found[0]["done"]
    until(lambda: not is_alive(pid))


def test_a_launcher_that_cannot_be_used_is_one_line(small_study, tmp_path):
    silent_shell = "sh -c 'echo no such host >&2; exit 7'"
    failed = neurosim("run", small_study, "-o", "out/small", "--launch", silent_shell, cwd=tmp_path)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (2, 1)
    assert "ended before its worker answered (no such host)" in failed.stderr
    with pytest.raises(InputError, match="'nosuchcommand' cannot be started"):
        run([Step("a", "m:f", {})], tmp_path / "store", Launch("nosuchcommand -x"))


def test_where_steps_run_is_checked_when_it_is_said():
    for words, said in (
        ({"prefix": "env '"}, "cannot be split"),
        ({"prefix": "env", "dask": "tcp://a:1"}, "both given"),
        ({"device": "cud"}, "Did you mean 'cuda'"),
        ({"dask": "nowhere"}, "is no address of a scheduler"),
    ):
        with pytest.raises(InputError, match=said):
            Launch(**words)


def test_an_address_where_no_scheduler_listens_is_one_line_after_seconds(gated, tmp_path):
    pytest.importorskip("distributed")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{one.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(InputError, match=rf"--dask {address}: no dask scheduler answers there") as caught:
        run(gated.chain(), tmp_path / "store", Launch(dask=address))
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 20  # of which it waits five; loading dask on a busy machine takes the rest


def test_dask_that_is_not_installed_is_one_line(gated, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'neurosim\[cluster\]'"):
        run(gated.chain(), tmp_path / "store", Launch(dask="tcp://127.0.0.1:1"))


def test_an_other_side_with_other_versions_or_another_store_is_refused(gated, tmp_path, monkeypatch):
    versions = runtime.library_versions()
    monkeypatch.setattr(runtime, "library_versions", lambda: versions | {"numpy": "0.1"})
    with pytest.raises(InputError, match=f"has numpy {versions['numpy']}, here it is 0.1"):
        run(gated.chain(), tmp_path / "store", ENV)
    monkeypatch.undo()
    monkeypatch.setattr("neurosim.study.engine.start.source_digest", lambda _: "0" * 64)
    with pytest.raises(InputError, match="another source of gated_step:run"):
        run(gated.chain(), tmp_path / "store", ENV)
    with pytest.raises(InputError, match="does not see"):
        run(gated.chain(), tmp_path / "store", Launch(f"sh -c 'rm -r {tmp_path / 'store'}; exec \"$@\"' sh"))


def test_the_device_belongs_to_steps_that_can_use_it_and_to_the_side_that_works(gated, tmp_path, monkeypatch):
    plain, on_gpu = gated.step("a:1"), Step("g:1", "gated_step:run", {}, on_gpu=True)
    assert step_key(plain, {}, "cpu") == step_key(plain, {}, "cuda")
    assert step_key(on_gpu, {}, "cpu") != step_key(on_gpu, {}, "cuda")
    monkeypatch.setattr(launching, "gpu_there", lambda: True)
    notes: list[str] = []
    entries = run_steps(
        [Step("g:1", "gated_step:run", gated.step("g:1").config, on_gpu=True)],
        Store(tmp_path / "store"),
        jobs=1,
        report=lambda _, event, text: notes.append(text) if event == "note" else None,
        launch=ENV,
    )
    there = "cuda" if gpu_there() else "cpu"
    assert notes[0].endswith(f"device {there}.")
    assert entries["g:1"].record["device"] == there
    looks = {
        d: look_up([Step("g:1", "gated_step:run", gated.step("g:1").config, on_gpu=True)], Store(tmp_path / "store"), d)
        for d in ("cpu", "cuda")
    }
    assert {d: look[0].state for d, look in looks.items()} == {d: "hit" if d == there else "miss" for d in looks}


@pytest.mark.skipif(gpu_there(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_said_by_the_step(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    code = (
        "from neurosim.runtime import pick_device\ndef run(job):\n    (job.out / 'device').write_text(pick_device())\n"
    )
    (tmp_path / "modules" / "asking_step.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'modules'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    step = Step("g:1", "asking_step:run", {}, on_gpu=True)
    with pytest.raises(InputError, match="torch sees no GPU here"):
        run([step], tmp_path / "store", Launch(device="cuda"))
    assert (run([step], tmp_path / "store", Launch(device="cpu"))["g:1"].folder / "device").read_text() == "cpu"


def test_check_and_status_look_for_results_of_a_device(finished, tmp_path):
    run_study(finished.study, out=finished.folder, jobs=1, launch=Launch(device="cpu"))
    cpu = check_study(finished.study, out=finished.folder, device="cpu")
    assert {look.state for look in cpu} == {"hit"}
    with pytest.raises(InputError, match="'tpu' is not known"):
        check_study(finished.study, out=finished.folder, device="tpu")
    status = neurosim("status", finished.study, "-o", "out/small", "--device", "cpu", "--json", cwd=tmp_path)
    assert json.loads(status.stdout)["hits"] == len(cpu)


def test_threads_are_limited_before_a_launched_worker_loads_anything():
    words = command("srun -n1 -c2")
    assert words[:4] == ["srun", "-n1", "-c2", "env"]
    assert words.index("OMP_NUM_THREADS=1") < words.index(sys.executable)
    assert command("docker run -i image neurosim worker")[-3:] == ["neurosim", "worker", "--serve"]


BROKEN_FLOCK = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.{error}, "no locks")
fcntl.flock = flock
"""


@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS"])
def test_without_locks_two_runs_at_once_are_right_all_the_same(gated, tmp_path, monkeypatch, error):
    monkeypatch.setattr(launching, "WORKER", WORKER_OF_USERS)  # a fork would not read sitecustomize
    wanted = values(run(gated.chain(), tmp_path / "whole", launching.HERE))
    (tmp_path / "modules" / "sitecustomize.py").write_text(BROKEN_FLOCK.format(error=error))
    gated.close("b:1")
    n = gated.n_started("b:1")
    notes: list[str] = []
    found: list[dict] = []

    def report(_step: str, event: str, text: str) -> None:
        notes.append(text) if event == "note" else None

    both = [
        threading.Thread(
            target=lambda: found.append(values(run(gated.chain(), tmp_path / "store", launching.HERE, report=report)))
        )
        for _ in range(2)
    ]
    for one in both:
        one.start()
    gated.process("b:1", n + 1)
    gated.open("b:1")
    for one in both:
        one.join(120)
    assert found == [wanted, wanted]
    assert any("no locks on this file system" in note for note in notes)
    assert not (tmp_path / "store" / "damaged").exists()
