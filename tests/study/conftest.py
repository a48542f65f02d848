"""A study that takes seconds: two sets of given responses, no network, no simulation."""

import io
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from neurosim import cli, storage
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.schema import as_stimuli
from neurosim.study.engine import launch
from neurosim.study.run import run_study

from .. import forks

TEXT = """
name = "small"
title = "A small study"
seed = 3

[stimuli]
source = "labels"

[subjects.near]
kind = "responses"
path = "near.nc"

[subjects.far]
kind = "responses"
path = "far.npz"

[brains.area]
kind = "responses"
path = "brain.nc"
metric = "crossnobis"

[analyses.rsa]
kind = "rsa"
estimate = "bootstrap"
n_bootstrap = 100

[analyses.in_time]
kind = "rsa_in_time"

[analyses.relations]
kind = "relations"
"""


COMMAND_LINE = str(Path(__file__).with_name("command_line_of_forks.py"))
SCRIPT = str(Path(__file__).with_name("script_of_forks.py"))


@pytest.fixture(scope="session", autouse=True)
def _workers_are_forks():
    """Start the workers of this process as forks of one that has imported the large libraries.

    What starts as a user's does, a command line or a worker of its own, is started by the tests of that.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "WORKER", forks.command(*launch.WORKER[1:]))
        yield


def write_study(folder: Path) -> Path:
    """Write the study and its files; return the path of the study file."""
    rng = np.random.default_rng(0)
    truth = as_stimuli(rng.normal(size=(12, 9)), dims=("stimulus", "unit"))
    brain = synthetic_brain(truth, BrainOptions(n_subjects=5, n_units=20))
    brain = brain.assign_coords(run=("trial", np.arange(brain.sizes["trial"]) // 2))
    storage.write_dataset(folder / "near.nc", truth.rename("responses"))
    np.savez(folder / "far.npz", responses=rng.normal(size=(12, 7)), stimulus=truth.stimulus.values)
    storage.write_dataset(folder / "brain.nc", brain.rename("responses"))
    (folder / "study.toml").write_text(TEXT)
    return folder / "study.toml"


@pytest.fixture
def small_study(tmp_path):
    """Return the path of the file of a study that was not run yet."""
    return write_study(tmp_path / "study")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first of all test processes that asks for it makes, and the others read."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def run_once(tmp_path_factory):
    """Return a folder with the study and its finished run, to be copied: the one run that all tests share."""

    def make(root: Path) -> None:
        outcome = run_study(write_study(root / "study"), out=root / "out" / "small", jobs=1)
        assert outcome.n_steps > 0 and outcome.n_hits == 0

    return made_once(tmp_path_factory, "finished", make)


@dataclass(frozen=True)
class Finished:
    """A study that was run: its file, its results folder and its store."""

    study: Path
    folder: Path
    store: Path


@pytest.fixture
def finished(run_once, tmp_path):
    """Return a copy of the finished study, which a test may damage."""
    for name in ("study", "out"):
        shutil.copytree(run_once / name, tmp_path / name)
    return Finished(tmp_path / "study" / "study.toml", tmp_path / "out" / "small", tmp_path / "out" / ".steps")


@dataclass(frozen=True)
class Said:
    """What a command of the command line wrote, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def neurosim(*words: object, cwd: Path, env: dict[str, str] | None = None) -> Said:
    """Run the command line in this process; warnings go to stderr, as they would of a process of its own.

    What a cluster says that other tests keep in this process is not of the command.
    """
    out, err = io.StringIO(), io.StringIO()
    log = logging.StreamHandler(err)
    log.setLevel(logging.WARNING)
    log.addFilter(lambda record: not record.name.startswith("distributed."))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(cwd)
        patch.delenv(storage.DATA_FOLDER_VARIABLE, raising=False)
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["neurosim", *map(str, words)])
        patch.setattr(warnings, "showwarning", lambda message, *_: err.write(f"{message}\n"))
        logging.getLogger().addHandler(log)
        try:
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                cli.main()
        finally:
            logging.getLogger().removeHandler(log)
    return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def fresh(*words: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user would."""
    return _run([sys.executable, "-m", "neurosim.cli", *map(str, words)], cwd, **options)


def forked(*words: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own which is a fork, as are its workers."""
    return _run([*forks.command(COMMAND_LINE), *map(str, words)], cwd, **options)


def script(*words: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a Python script in a process of its own which is a fork, as are its workers."""
    return _run([*forks.command(SCRIPT), *map(str, words)], cwd, **options)


def _run(command: list[str], cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != storage.DATA_FOLDER_VARIABLE}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment | options.pop("env", {}),
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def content(folder: Path) -> dict[str, str]:
    """Return the checksums of everything that must repeat: numbers and figures."""
    return {
        p.relative_to(folder).as_posix(): storage.sha256(p)
        for sub in ("results", "figures")
        for p in sorted((folder / sub).rglob("*"))
        if p.is_file()
    } | {name: storage.sha256(folder / name) for name in ("numbers.json", "resolved.json", "study.toml")}


def everything(folder):
    """Return all files of a folder with their checksums, and its folders and links."""
    return {p: storage.sha256(p) if p.is_file() else p.is_symlink() for p in folder.rglob("*")}
