"""A package that strangers install adds one of every kind, each in one record, and a study uses them all."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from neurosim import storage

from .conftest import forked

STRANGERS = '''
"""Kinds of a package of its own: nothing in neurosim knows it."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neurosim.biophysics import Circuit, Input, Population, Projection
from neurosim.biophysics.named_circuits import NamedCircuit
from neurosim.biophysics.neurons.lif import LIFParameters
from neurosim.biophysics.synapses.conductance import ConductanceParameters
from neurosim.networks.architecture import Architecture
from neurosim.recordings.reader import Reader
from neurosim.registry import NoOptions
from neurosim.schema import as_responses, as_stimuli
from neurosim.similarity.method import Method
from neurosim.similarity.metric import Metric
from neurosim.stimuli.source import Source
from neurosim.study.engine.step import Step
from neurosim.study.kinds import AnalysisKind, BrainKind, FigureKind, SubjectKind, Told
from neurosim.study.given import Source as Answers
from neurosim.study.steps.figure import figure_step
from neurosim.study.tables import Table
from neurosim import storage


def largest(patterns):
    return abs(patterns[..., :, None, :] - patterns[..., None, :, :]).max(-1)


METRIC = Metric("largest", largest, "largest difference of any unit", reference="https://doi.org/10.1000/largest")
METHOD = Method("agreement", "share on one side", score=lambda a, b: float(np.mean((a > a.mean()) == (b > b.mean()))))


@dataclass(frozen=True)
class BarsOptions:
    n: int = 9


def bars(options, rng):
    seed = rng if isinstance(rng, int) else 0
    values = np.random.default_rng(seed).random((options.n, 6, 6))
    return as_stimuli(values, dims=("stimulus", "y", "x"))


BARS = Source("bars", "random bars", bars, dims=("stimulus", "y", "x"), options=BarsOptions)


@dataclass(frozen=True)
class TinySpecification:
    width: int = 5


def tiny(specification, shape, n_outputs):
    import torch

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(int(np.prod(shape)), specification.width))
    network.recorded = ("1",)
    return network


TINY = Architecture(
    "Tiny", TinySpecification, tiny, takes=("gray",), learns=("categories",), caption="one layer",
    citation="Nobody (2026), https://doi.org/10.1000/tiny", shape=(6, 6), n_outputs=3, examples=(TinySpecification(),),
)


@dataclass(frozen=True)
class RowOptions:
    n: int = 7


def row(options, n_inputs, rng):
    population = Population("cells", options.n, LIFParameters(), synapses=ConductanceParameters())
    wires = Projection("input", "cells", rng.random((n_inputs, options.n)) * 3e-8)
    return Circuit("row", Input(n_inputs, "poisson", 0.02, 200.0), (population,), (wires,), dt=1e-4, step=1e-3)


ROW = NamedCircuit("row", RowOptions, row, caption="a row of cells")


class Sines(Table):
    kind: str = "sines"
    title: str = ""
    n_units: int = 4


def sines(job, stimuli):
    phase = stimuli.values.reshape(len(stimuli), -1).sum(1)
    values = np.sin(phase[:, None] * np.arange(1, job.config["row"]["n_units"] + 1))
    yield "waves", as_responses(values, stimuli=stimuli)


def plain(row, name, made):
    return Answers(made.seeded(row, name))


SINES = SubjectKind("sines", Sines, plain, f"{__name__}:sines", lambda r: "sines")


class Echo(Table):
    kind: str = "echo"
    title: str = ""
    metric: str = "euclidean"


def echo(job, stimuli):
    values = stimuli.values.reshape(len(stimuli), -1)
    units = {"subject": ("unit", [f"s{i % 3}" for i in range(values.shape[1])])}
    return as_responses(values, dims=("stimulus", "unit"), stimuli=stimuli, coords=units)


ECHO = BrainKind("echo", Echo, plain, f"{__name__}:echo", lambda r: "an echo", lambda r: r.metric)


class Gap(Table):
    kind: str = "gap"
    title: str = ""
    metric: str = "largest"


def gap_steps(r, name, made):
    return [Step(f"{name}:{s}", f"{__name__}:gap", {}, (made.rdms(s, r.metric),)) for s in made.study.subjects]


def gap(job):
    rdms = storage.read_dataset(next(iter(job.inputs.values())) / "rdms.nc")["rdm"]
    storage.write_dataset(job.out / "gap.nc", xr.Dataset({"gap": rdms.max() - rdms.mean()}))


def told(r, name, results):
    gaps = {s: float(results.dataset(step, "gap.nc")["gap"]) for s, step in results.named(f"{name}:").items()}
    return Told({"gap": gaps}, sentences=[f"Gaps: {len(gaps)}."])


GAP = AnalysisKind("gap", Gap, gap_steps, tell=told)


def dots(made):
    steps = tuple(s for s in made.steps if s.startswith("gaps:"))
    return [figure_step("dots", "dots", f"{__name__}:draw", {}, steps)] if steps else []


def draw(job):
    gaps = [float(storage.read_dataset(p / "gap.nc")["gap"]) for p in job.inputs.values()]
    figure = Figure()
    figure.subplots().plot(gaps, "o")
    return figure, xr.Dataset({"gap": ("subject", gaps)})


DOTS = FigureKind("dots", dots, "Gaps", "A dot a subject.")


def read_dat(path, options):
    return as_responses(np.loadtxt(path))


DAT = Reader("dat", caption="numbers in rows", endings=(".dat",), responses=read_dat)
'''
STUDY = """
name = "strange"
seed = 2
[stimuli]
source = "bars"
n = 10
[subjects.waves]
kind = "sines"
n_units = 6
[subjects.tiny]
kind = "network"
architecture = "Tiny"
parameters = { width = 4 }
[subjects.row]
kind = "circuit"
circuit = "row"
options = { n = 5 }
[subjects.table]
kind = "responses"
path = "table.dat"
[brains.echo]
kind = "echo"
metric = "largest"
[analyses.rsa]
kind = "rsa"
metric = "largest"
[analyses.gaps]
kind = "gap"
"""


@pytest.fixture
def strangers(tmp_path):
    """Lay the package as pip would, and a study that uses it; return what the environment needs."""
    place = tmp_path / "site"
    about = place / "strangers-1.0.dist-info"
    about.mkdir(parents=True)
    (place / "strangers.py").write_text(STRANGERS)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[neurosim]\nall = strangers\n")
    np.savetxt(tmp_path / "table.dat", np.random.default_rng(0).random((10, 3)))
    (tmp_path / "strange.toml").write_text(STUDY)
    return {"PYTHONPATH": f"{place}:{storage.__path__[0]}/../.."}


def test_one_file_adds_one_of_every_kind(strangers, tmp_path):
    done = forked("run", "strange.toml", "-o", "out/strange", "-j", 1, "--json", cwd=tmp_path, env=strangers)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "out" / "strange"
    stimuli = storage.read_array(results / "results" / "stimuli" / "stimuli.nc")
    brain = storage.read_dataset(results / "results" / "brain_echo" / "rdms.nc")["rdm"]
    first = stimuli.values.reshape(10, -1)[:, ::3]
    np.testing.assert_allclose(brain[0].values, squareform(pdist(first, "chebyshev")))
    scores = storage.read_dataset(results / "results" / "rsa_echo" / "scores.nc")
    assert set(scores["group"].values.tolist()) == {"waves", "tiny", "row", "table"}
    numbers = json.loads((results / "numbers.json").read_text())
    assert set(numbers["gap"]) == {"waves", "tiny", "row", "table"}
    page = (results / "report.html").read_text()
    assert "Gaps: 4." in page and 'id="figure-dots"' in page and "10.1000/tiny" in page
    code = (
        "import numpy as np, neurosim as ns; x = np.random.default_rng(0).random((5, 6));"
        "r = ns.compute_rdm(x, 'largest', by=np.array([[0, 1], [2, 3]]), progress=False);"
        "print(r.shape, float(ns.compare_rdms(r[0], r[0], 'agreement')))"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code], env=strangers | {"PATH": "/usr/bin"}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["(2,", "5,", "5)", "1.0"], done.stderr
