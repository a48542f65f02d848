"""A study that takes seconds: two sets of given responses, no network, no simulation."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurosim import storage
from neurosim.recordings.synthetic import BrainOptions, synthetic_brain
from neurosim.schema import as_stimuli

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


@pytest.fixture
def small_study(tmp_path):
    """Write the study and its files; return the path of the study file."""
    rng = np.random.default_rng(0)
    truth = as_stimuli(rng.normal(size=(12, 9)), dims=("stimulus", "unit"))
    brain = synthetic_brain(truth, BrainOptions(n_subjects=5, n_units=20))
    folder = tmp_path / "study"
    storage.write_dataset(folder / "near.nc", truth.rename("responses"))
    np.savez(folder / "far.npz", responses=rng.normal(size=(12, 7)), stimulus=truth.stimulus.values)
    storage.write_dataset(folder / "brain.nc", brain.rename("responses"))
    (folder / "study.toml").write_text(TEXT)
    return folder / "study.toml"


def neurosim(*words: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would."""
    environment = {k: v for k, v in os.environ.items() if k != storage.DATA_FOLDER_VARIABLE}
    return subprocess.run(
        [sys.executable, "-m", "neurosim.cli", *map(str, words)],
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
