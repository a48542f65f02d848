"""Steps fine enough to spread: blocks of stimuli, layers of a subject, instances of a training; the same bytes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurosim import storage
from neurosim.biophysics import Circuit, Input, LIFParameters, Population, Projection, save_circuit, simulate
from neurosim.study.engine.slurm import arrays_of
from neurosim.study.engine.store import Store
from neurosim.study.files import parse_study
from neurosim.study.plan import plan
from neurosim.study.run import run_study

from .conftest import content
from .gated import until

DIGITS = {"source": "digits", "n_per_category": 1}
CIRCUIT = {"kind": "circuit", "circuit": "gabor_adex", "n_trials": 2,
           "options": {"n_excitatory": 12, "n_inhibitory": 4, "duration": 0.02}}  # fmt: skip
NETWORK = {"kind": "network", "architecture": "SpikingMLP", "parameters": {"hidden": [10], "n_steps": 8},
           "training": {"task": "digits", "epochs": 1, "n_train": 100}}  # fmt: skip
TWIN = {"kind": "twin", "of": "net", "test_stimuli": 10}
BRAINS = {"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 2, "n_units": 5}}
RSA = {"rsa": {"kind": "rsa", "metric": "euclidean"}}


def study_of(subjects, analyses=RSA, **more):
    return parse_study(
        {"name": "fine", "seed": 3, "stimuli": DIGITS, "subjects": subjects, "brains": BRAINS, "analyses": analyses}
        | more
    )


def results_of(folder: Path) -> dict[str, str]:
    """Return checksums of all results and figures, which say nothing of the number of steps."""
    return {name: digest for name, digest in content(folder).items() if name not in ("resolved.json", "study.toml")}


def names_of(study, folder):
    return [step.name for step in plan(study, folder)]


def test_a_simulation_in_blocks_gives_the_same_bytes_also_where_blocks_are_empty(tmp_path):
    whole = run_study(study_of({"c": CIRCUIT}), out=tmp_path / "1" / "fine", jobs=1)
    for blocks in (3, 11):
        study = study_of({"c": CIRCUIT | {"blocks": blocks}})
        parts = [f"block:c:{k + 1}" for k in range(blocks)]
        assert [n for n in names_of(study, tmp_path) if "c" in n.split(":")][: blocks + 1] == [*parts, "simulate:c"]
        found = run_study(study, out=tmp_path / str(blocks) / "fine", store=tmp_path / "1" / ".steps", jobs=2)
        assert results_of(found.folder) == results_of(whole.folder)
        assert found.n_hits == whole.n_steps - 1


def test_a_twin_in_blocks_gives_the_same_bytes_and_is_translated_once(tmp_path):
    twins = {"exact": TWIN, "noisy": TWIN | {"rung": "conductance", "calibration_stimuli": 5}}
    whole = run_study(study_of({"net": NETWORK} | twins), out=tmp_path / "1" / "fine", jobs=2)
    assert storage.read_dataset(whole.folder / "results" / "simulate_noisy" / "responses.nc").responses.values.sum() > 0
    fine = study_of({"net": NETWORK} | {name: row | {"blocks": 3} for name, row in twins.items()})
    found = run_study(fine, out=tmp_path / "3" / "fine", store=tmp_path / "1" / ".steps", jobs=2)
    assert results_of(found.folder) == results_of(whole.folder)
    assert found.n_steps - found.n_hits == 2 * (3 + 1)
