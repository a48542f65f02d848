"""An architecture that an installed package brings is trained, recorded and compared in a study, as any other."""

import json
import os
from pathlib import Path

import pytest

from tests.study.conftest import forked
from tests.test_registry import installed

ROOT = Path(__file__).resolve().parents[2]
BROUGHT = """
from dataclasses import dataclass

import torch
from torch import nn

from neurosim.networks import Architecture


@dataclass(frozen=True)
class SoftmaxSpecification:
    bias: bool = True


class Softmax(nn.Module):
    def __init__(self, specification, image_shape, n_categories):
        super().__init__()
        self.readout = nn.Linear(image_shape[-2] * image_shape[-1], n_categories, bias=specification.bias)
        self.recorded = ("readout",)

    def forward(self, images):
        return self.readout(images.flatten(1))


SOFTMAX = Architecture(
    name="Softmax",
    specification=SoftmaxSpecification,
    build=Softmax,
    takes=("gray",),
    learns=("categories",),
    caption="One layer of weights.",
    citation="Cox DR (1958) J R Stat Soc B 20:215-232, https://doi.org/10.1111/j.2517-6161.1958.tb00292.x",
    examples=(SoftmaxSpecification(),),
)
"""
STUDY = """
name = "brought"

[stimuli]
source = "digits"
n_per_category = 2

[subjects.softmax]
kind = "network"
architecture = "Softmax"
parameters = { bias = false }
training = { task = "TASK", epochs = 8 }

[brains.area]
kind = "synthetic"
tuning = { pixels = 1.0 }
n_subjects = 4
n_trials = 2
n_units = 20

[analyses.rsa]
kind = "rsa"
estimate = "bootstrap"
n_bootstrap = 50
"""


@pytest.fixture
def brought(tmp_path):
    installed(tmp_path, "brought_networks", BROUGHT)
    return {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}


def test_an_architecture_of_an_installed_package_runs_in_a_study(tmp_path, brought):
    (tmp_path / "study.toml").write_text(STUDY.replace("TASK", "digits"))
    done = forked("run", "study.toml", "-o", "out", "-j", "1", cwd=tmp_path, env=brought)
    assert done.returncode == 0, done.stderr
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text())
    assert numbers["accuracy"]["softmax"] > 0.7
    assert "10.1111/j.2517-6161.1958.tb00292.x" in (tmp_path / "out" / "report.html").read_text()


def test_what_it_cannot_do_is_refused_by_check(tmp_path, brought):
    (tmp_path / "study.toml").write_text(STUDY.replace("TASK", "cifar10"))
    done = forked("check", "study.toml", cwd=tmp_path, env=brought)
    assert done.returncode == 2
    assert "Softmax takes gray pictures (y, x), not colour pictures (channel, y, x)." in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
