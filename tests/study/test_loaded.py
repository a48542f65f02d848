"""What a process of a study loads: what its own work takes, and nothing else."""

import json
import os
import subprocess
import sys

from neurosim import storage
from neurosim.study.engine.orders import Question, written
from neurosim.study.engine.scheduler import look_up, order_of
from neurosim.study.engine.store import Store
from neurosim.study.plan import plan
from neurosim.study.run import read_study

HEAVY = ("torch", "snntorch", "brian2", "nir", "matplotlib", "scipy.stats", "sklearn", "xarray")


def loaded(code, *words, cwd, env=None):
    """Return which heavy packages a process of its own has loaded after it ran `code`."""
    script = f"import sys\n{code}\nsys.stderr.write('|' + ' '.join(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=cwd,
        env=(env or os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("|")[2].split())


WORKER = "from pathlib import Path; from neurosim.study import do_job; assert do_job(Path(sys.argv[1])) == 0"
WORKERS = f"""
import os
import xarray
from pathlib import Path
from neurosim.study import do_job
for job in map(Path, sys.argv[1:]):
    if os.fork() == 0:
        code = do_job(job)
        job.with_suffix(".loaded").write_text(" ".join(m for m in {HEAVY} if m in sys.modules))
        os._exit(code)
    assert os.wait()[1] == 0
"""
TAKES = {
    "stimuli": set(),
    "rdms:near": set(),
    "brain:area": {"scipy.stats"},
    "rsa:area": {"scipy.stats"},
    "figure:scores_area": {"matplotlib"},
}
CONTROLLER = """
from pathlib import Path
from neurosim.cli import app
study, folder = sys.argv[1:]
for words in (
    ["check", study, "-o", folder],
    ["status", study, "-o", folder],
    ["run", study, "-o", folder, "-j", "1"],
    ["verify", folder],
    ["cache", "list", "--store", str(Path(folder).parent / ".steps")],
):
    app(words, standalone_mode=False)
"""


def test_whoever_starts_a_study_of_given_responses_loads_no_simulator_and_draws_nothing(finished, tmp_path):
    assert loaded(CONTROLLER, finished.study, finished.folder, cwd=tmp_path) == {"xarray"}


def test_a_study_of_networks_and_circuits_is_checked_without_torch(tmp_path):
    checked = loaded("from neurosim.cli import app; app(['check', 'digits'], standalone_mode=False)", cwd=tmp_path)
    assert checked <= {"xarray", "nir"}


def test_a_worker_loads_what_its_step_takes(finished, tmp_path):
    """Each step runs in a fork of a process that has loaded nothing but what all of them take."""
    study, _, base = read_study(finished.study)
    looks = {look.step.name: look for look in look_up(plan(study, base), Store(finished.store), "cpu")}
    jobs = [tmp_path / f"{i}.json" for i in range(len(TAKES))]
    for step, job in zip(TAKES, jobs, strict=True):
        entries = {name: looks[name].entry for name in looks[step].step.inputs}
        storage.write_text(job, written(order_of(looks[step].step, entries, Store(tmp_path / "store"), "cpu")))
    assert loaded(WORKERS, *jobs, cwd=tmp_path) == {"xarray"}
    found = {step: set(job.with_suffix(".loaded").read_text().split()) for step, job in zip(TAKES, jobs, strict=True)}
    assert found == {step: {"xarray"} | takes for step, takes in TAKES.items()}


def test_a_worker_that_is_asked_what_it_has_loads_nothing(tmp_path):
    question = Question(str(tmp_path), ["neurosim.study.steps.rdms:run"])
    storage.write_text(tmp_path / "job.json", written(question))
    assert loaded(WORKER, tmp_path / "job.json", cwd=tmp_path) == set()


def test_libraries_that_a_step_loads_after_the_threads_were_limited_run_on_one(tmp_path):
    code = (
        "import json; from neurosim import runtime; runtime.limit_threads(1);"
        "import numpy, scipy.linalg, torch, sklearn.cluster, threadpoolctl;"
        "print(json.dumps([torch.get_num_threads(), *(p['num_threads'] for p in threadpoolctl.threadpool_info())]))"
    )
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=free, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {1}
