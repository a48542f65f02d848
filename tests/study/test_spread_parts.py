"""Steps fine enough to spread: blocks of stimuli, layers of a subject, instances of a training; the same bytes."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurosim import storage
from neurosim.biophysics import Circuit, Input, LIFParameters, Monitors, Population, Projection, save_circuit, simulate
from neurosim.registry import called
from neurosim.schema import InputError, as_responses, as_stimuli
from neurosim.stimuli.source import load_source
from neurosim.study.engine.scheduler import run_steps
from neurosim.study.engine.slurm import arrays_of
from neurosim.study.engine.step import Job
from neurosim.study.engine.store import Store
from neurosim.study.files import parse_study, to_toml
from neurosim.study.plan import Plan, plan
from neurosim.study.run import check_study, run_study
from neurosim.study.steps.responses import interleaved
from neurosim.study.subjects import twin as twins
from neurosim.study.tables import StudyError, as_values

from .conftest import content, everything
from .gated import until

CIRCUIT = {"kind": "circuit", "circuit": "gabor_adex", "n_trials": 2,
           "options": {"n_excitatory": 12, "n_inhibitory": 4, "duration": 0.02}}  # fmt: skip
TRAINING = {"task": "digits", "epochs": 1, "n_train": 100}
NETWORK = {"kind": "network", "architecture": "SpikingMLP", "parameters": {"hidden": [10], "n_steps": 8},
           "training": TRAINING}  # fmt: skip
MLP = {"kind": "network", "architecture": "MLP", "training": TRAINING}
TWIN = {"kind": "twin", "of": "net", "test_stimuli": 10}


def study_of(subjects, *, n=1, **more):
    content = {"name": "fine", "seed": 3, "stimuli": {"source": "digits", "n_per_category": n}, "subjects": subjects}
    content |= {"brains": {"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 2, "n_units": 5}}}
    return parse_study(content | {"analyses": {"rsa": {"kind": "rsa", "metric": "euclidean"}}} | more)


class Here:
    """Does steps in this process, each once, and tells the checksums of what those left that are no parts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.done = folder, {}

    def results(self, steps) -> dict[str, dict[str, str]]:
        places, found = {}, {}
        for step in steps:
            about = json.dumps([step.work, step.config, [str(places[name]) for name in step.inputs]])
            if about not in self.done:
                out = self.folder / str(len(list(self.folder.iterdir())))
                out.mkdir()
                files = {role: Path(file) for role, file in step.files.items()}
                inputs = {name: places[name] for name in step.inputs}
                called(step.work)(Job(json.loads(json.dumps(step.config)), inputs, files, out))
                self.done[about] = out
            places[step.name] = self.done[about]
            if not step.is_part:
                found[step.name] = {p.name: digest for p, digest in everything(places[step.name]).items()}
                found[step.name] = {p: d for p, d in found[step.name].items() if isinstance(d, str)}
        return found


@pytest.fixture
def here(tmp_path):
    (tmp_path / "done").mkdir()
    return Here(tmp_path / "done")


def answered(study, folder, name, **rows):
    """Return the steps of the answers of one subject, with other values in its row."""
    row = study.subjects[name].model_copy(update=rows)
    made = Plan(study.model_copy(update={"subjects": study.subjects | {name: row}}), folder)
    made.stimuli()
    made.subject(name)
    return list(made.steps.values())


def measured(study, folder, name, layer_steps):
    """Return the steps of all that is measured of the layers of one subject."""
    row = study.subjects[name].model_copy(update={"layer_steps": layer_steps})
    made = Plan(study.model_copy(update={"subjects": study.subjects | {name: row}}), folder)
    made.stimuli()
    made.rdms(name, "euclidean")
    made.responses(name)
    made.responses(name, {"time": "mean", "units": "rotated"})
    made.spike_rdms(
        name, {"metric": "van_rossum", "time_constant": 0.02, "population": "summed", "crossvalidated": False}
    )
    return list(made.steps.values())


def graded(folder: Path) -> dict:
    """Return the row of a circuit that takes currents through dense weights, whose sums round as they are added."""
    weights = np.random.default_rng(0).normal(0.5e-9, 1e-9, size=(64, 6))
    cells = Population("cells", 6, LIFParameters(), noise=1e-3)
    circuit = Circuit("graded", Input(64, "current", 0.02), (cells,), (Projection("input", "cells", weights),),
                      dt=5e-4, step=1e-3)  # fmt: skip
    save_circuit(folder / "graded.nc", circuit)
    return {"kind": "circuit", "path": "graded.nc", "n_trials": 1}


def test_a_simulation_in_blocks_gives_the_same_bytes_also_where_blocks_are_empty(here, tmp_path):
    study = study_of({"c": CIRCUIT, "graded": graded(tmp_path)})
    for name, blocks in (("c", 3), ("graded", 11)):
        whole = here.results(answered(study, tmp_path, name))
        spikes = storage.read_array(here.folder / str(len(here.done) - 1) / "responses.nc")
        assert spikes.sizes["stimulus"] == 10 and spikes.values.sum() > 0
        steps = answered(study, tmp_path, name, blocks=blocks)
        assert [s.name for s in steps if s.is_part] == [f"block:{name}:{k + 1}" for k in range(blocks)]
        assert here.results(steps) == whole


def test_what_a_current_brings_to_a_stimulus_does_not_depend_on_the_others():
    """Products of many rows are rounded otherwise than those of one; spikes that follow would be others."""
    rng = np.random.default_rng(1)
    shown = as_stimuli(rng.random((9, 200)), dims=("stimulus", "unit"))
    cells, wires = Population("cells", 30, LIFParameters()), rng.normal(0, 1e-10, size=(200, 30))
    inputs = Input(200, "current", 0.01)
    circuit = Circuit("graded", inputs, (cells,), (Projection("input", "cells", wires),), dt=1e-3, step=1e-3)
    kept = {"engine": "torch", "monitors": Monitors(membrane=["cells"]), "progress": False}
    whole = simulate(circuit, shown, **kept).membrane_potential
    for part in (slice(0, 1), slice(2, 5)):
        np.testing.assert_array_equal(
            simulate(circuit, shown[part], **kept).membrane_potential.values, whole[part].values
        )


def test_a_twin_in_blocks_gives_the_same_bytes_and_is_translated_once(here, tmp_path, monkeypatch):
    study = study_of({"net": NETWORK, "exact": TWIN, "noisy": TWIN | {"rung": "conductance", "calibration_stimuli": 5}})
    for name in ("exact", "noisy"):
        whole = here.results(answered(study, tmp_path, name))
        n_done = len(here.done)
        assert here.results(answered(study, tmp_path, name, blocks=3)) == whole
        assert len(here.done) == n_done + 3 + 1
    monkeypatch.setattr(twins, "MANY_SYNAPSES", 0)
    large = Here(tmp_path / "large")
    large.folder.mkdir()
    assert large.results(answered(study, tmp_path, "exact"))["simulate:exact"]
    with pytest.raises(InputError, match=r"exact: blocks are of simulations by Brian2.*leave out blocks"):
        large.results(answered(study, tmp_path, "exact", blocks=2))


@pytest.mark.parametrize("name", ["net", "c", "given"])
def test_layers_in_parts_give_the_same_bytes_also_what_is_left_out(name, here, tmp_path):
    """Networks, circuits and files alike; "still" never varies, so it is left out; more parts than layers are empty."""
    rng = np.random.default_rng(0)
    shown = load_source("digits", {"n_per_category": 1}, rng=3)
    layers = ["a"] * 4 + ["still"] * 2 + ["b"] * 3 + ["c"] * 90
    values = rng.poisson(1.0, size=(10, 6, 99)).astype(float)
    values[..., 4:6] = 1.0
    given = as_responses(values, dims=("stimulus", "time", "unit"), stimuli=shown, quantity="spike_count",
                         time_step=0.01, coords={"layer": ("unit", layers)})  # fmt: skip
    storage.write_dataset(tmp_path / "given.nc", given.rename("responses"))
    study = study_of({"net": NETWORK, "c": CIRCUIT, "given": {"kind": "responses", "path": "given.nc"}})
    whole = here.results(measured(study, tmp_path, name, 1))
    for n_parts in (3, 7):
        assert here.results(measured(study, tmp_path, name, n_parts)) == whole


def test_that_no_layer_has_rdms_is_said_in_the_same_words(here, tmp_path):
    values = as_responses(
        np.ones((10, 4)),
        stimuli=load_source("digits", {"n_per_category": 1}, rng=3),
        coords={"layer": ("unit", list("abcd"))},
    )
    storage.write_dataset(tmp_path / "given.nc", values.rename("responses"))
    study = study_of({"given": {"kind": "responses", "path": "given.nc"}})
    said = []
    for n_parts in (1, 3):
        with pytest.raises(InputError, match="given: no layer has RDMs: ") as refused:
            here.results(measured(study, tmp_path, "given", n_parts))
        said.append(str(refused.value))
    assert said[0] == said[1] and "'a'" in said[0]


def test_parts_that_are_not_of_one_list_are_refused():
    assert interleaved([["a", "d"], ["b"], ["c"]], "s") == list("abcd")
    assert interleaved([[], []], "s") == []
    for parts in ([["a", "b"], ["a", "b"]], [["a"], ["b", "c"]], [[], ["a"]]):
        with pytest.raises(InputError, match=r"s: its 2 parts hold .* places_of"):
            interleaved(parts, "s")


def test_instances_are_subjects_that_differ_in_their_first_weights_alone(here, tmp_path):
    one = study_of({"net": MLP})
    analyses = {"rsa": {"kind": "rsa", "subjects": ["net"]}, "two": {"kind": "rsa", "subjects": ["net_2", "other"]}}
    several = study_of({"net": MLP | {"instances": 3}, "other": MLP}, analyses=analyses)
    assert list(several.subjects) == ["net_1", "net_2", "net_3", "other"]
    for again in (as_values(several), storage.read_toml(written(tmp_path, to_toml(several)))):
        assert parse_study(again) == several
    steps = {step.name: step for step in plan(several, tmp_path)}
    assert [n for n in steps["rsa:area"].inputs if "rdms" in n] == ["rdms:net_1", "rdms:net_2", "rdms:net_3"]
    assert [n for n in steps["two:area"].inputs if "rdms" in n] == ["rdms:net_2", "rdms:other"]
    trained = here.results([replace(steps[f"train:net_{k}"], inputs=()) for k in (1, 2)])
    n_done = len(here.done)
    [alone] = here.results([s for s in plan(one, tmp_path) if s.name == "train:net"]).values()
    assert alone == trained["train:net_1"]
    assert len(here.done) == n_done
    assert trained["train:net_2"]["weights.safetensors"] != trained["train:net_1"]["weights.safetensors"]
    told = [storage.read_json(here.folder / str(k) / "network.json") for k in range(2)]
    assert told[0]["n_test"] == told[1]["n_test"]


def written(folder: Path, text: str) -> Path:
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        ({"net": MLP | {"instances": 3}, "net_2": MLP}, "net has 3 instances, and 'net_2' is another subject"),
        ({"net": MLP | {"instances": 2, "training": None, "architecture": "EfficientNetLite0"}}, "are of a training"),
        ({"net": MLP | {"instances": 2, "instance": 1}}, "is filled in when the study is read"),
        ({"net_3": MLP | {"instances": 2, "instance": 3}}, "is filled in when the study is read"),
        ({"net": MLP | {"instances": 0}}, "instances: a number of at least 1 asked, found 0"),
        ({"n" * 63: MLP | {"instances": 2}}, "its name is too long"),
        ({"net": NETWORK | {"instances": 2}, "t": TWIN}, "of = 'net' has 2 instances; name one of net_1, net_2"),
        ({"area": MLP | {"instances": 2}}, "'area' is also what the subjects area_1, area_2 are called together"),
        ({"net": MLP | {"layer_steps": 0}}, "layer_steps: a number of at least 1 asked, found 0"),
        ({"net": MLP | {"blocks": 2}}, "unknown key 'blocks'"),
        ({"c": CIRCUIT | {"blocks": 1001}}, "blocks: a number of at most 1000 asked, found 1001"),
        ({"c": CIRCUIT | {"instances": 2}}, "unknown key 'instances'"),
    ],
)
def test_what_means_nothing_is_refused(subjects, words):
    with pytest.raises(StudyError, match=words):
        study_of(subjects)


def test_the_layer_of_a_network_with_instances_is_that_of_each_where_layers_are_mixed(tmp_path):
    mixed = {"kind": "regression", "metric": "euclidean", "models": ["net/hidden1", "other/hidden1", "net_2/hidden1"]}
    subjects = {"net": MLP | {"instances": 2}, "other": MLP, "left": MLP}
    study = study_of(subjects, analyses={"mixed": mixed})
    [step] = [step for step in plan(study, tmp_path) if step.name == "mixed:area"]
    assert step.config["models"] == ["net_1/hidden1", "net_2/hidden1", "other/hidden1"]
    assert [name for name in step.inputs if name.startswith("rdms:")] == ["rdms:net_1", "rdms:net_2", "rdms:other"]
    with pytest.raises(StudyError, match=r"analyses.mixed.models, subject = 'nett' is not known.*Did you mean 'net'"):
        study_of(subjects, analyses={"mixed": mixed | {"models": ["nett/hidden1"]}})


def test_parts_are_arrays_of_their_own_in_the_queue_of_a_cluster(tmp_path):
    several = {"net": NETWORK | {"layer_steps": 2, "instances": 2}, "c": CIRCUIT | {"blocks": 3, "layer_steps": 2}}
    study = study_of(several | {"t": TWIN | {"of": "net_1", "blocks": 2}})
    steps = plan(study, tmp_path)
    arrays = {a.name: a for a in arrays_of(steps, [s.name for s in steps])}
    assert len(arrays["train"].steps) == 2
    assert arrays["block"].steps == ("block:c:1", "block:c:2", "block:c:3", "block:t:1", "block:t:2")
    assert arrays["simulate"].after == ("block",)
    assert set(arrays["part"].after) == {"simulate", "stimuli", "train"}
    assert set(arrays["rdms"].after) == {"part", "simulate", "stimuli"}
    assert len(check_study(study, out=tmp_path / "fine")) == len(steps)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a study in single steps, run once, and its folder."""
    root = tmp_path_factory.mktemp("whole")
    study = study_of({"net": MLP | {"instances": 2}, "c": CIRCUIT}, n=2)
    return study, run_study(study, out=root / "out" / "fine", jobs=1).folder


def test_a_study_in_parts_has_the_same_results_and_tells_of_instances(whole, tmp_path):
    study, folder = whole
    rows = {n: r.model_copy(update={"layer_steps": 2}) for n, r in study.subjects.items()}
    fine = study.model_copy(update={"subjects": rows | {"c": rows["c"].model_copy(update={"blocks": 3})}})
    found = run_study(fine, out=tmp_path / "fine", store=folder.parent / ".steps", jobs=2)
    wanted, got = content(folder), content(found.folder)
    differ = {name for name in wanted if got.get(name) != wanted[name]}
    assert differ <= {"resolved.json", "study.toml"} and got.keys() == wanted.keys()
    assert found.n_steps - found.n_hits == 3 + 1 + 3 * (2 + 1)
    numbers = storage.read_json(found.folder / "numbers.json")
    each = [numbers["accuracy"][f"net_{k}"] for k in (1, 2)]
    told = numbers["accuracy_over_instances"]["net"]
    assert (told["n"], told["mean"]) == (2, pytest.approx(np.mean(each)))
    assert told["standard_deviation"] == pytest.approx(abs(each[0] - each[1]) / np.sqrt(2))
    scores = storage.read_dataset(found.folder / "results" / "rsa_area" / "scores.nc")["score"]
    over = numbers["scores_over_instances"]["rsa:area"]
    layer = next(iter(over)).removeprefix("net/")
    pair = [float(scores.sel(model=f"net_{k}/{layer}")) for k in (1, 2)]
    assert (over[f"net/{layer}"]["least"], over[f"net/{layer}"]["most"]) == (min(pair), max(pair))
    page = found.report.read_text()
    for words in ("net: 2 instances, net_1, net_2, have a test accuracy of", "over instances", "Mehrer J",
                  "MLP, instance 2 of 2"):  # fmt: skip
        assert words in page


RUN = """
import sys
from pathlib import Path
from neurosim.study.engine.scheduler import run_steps, silent
from neurosim.study.engine.store import Store
from tests.study.test_spread_parts import simulation

run_steps(simulation(Path(sys.argv[1])), Store(Path(sys.argv[1]) / "store"), jobs=1, report=silent)
"""


def simulation(folder: Path):
    """Return the steps of a simulation in four blocks."""
    return answered(study_of({"c": CIRCUIT | {"blocks": 4}}), folder, "c")


def test_a_run_killed_between_blocks_goes_on_with_those_that_are_done(here, tmp_path):
    home = {"cwd": Path(__file__).parents[2], "start_new_session": True}
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], **home)
    until(lambda: "block:c:1" in done_in(tmp_path / "store"))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = done_in(tmp_path / "store")
    assert "simulate:c" not in before
    events = set()
    entries = run_steps(simulation(tmp_path), Store(tmp_path / "store"), jobs=1,
                        report=lambda step, event, _: events.add((step, event)))  # fmt: skip
    assert {name for name, event in events if event == "hit"} == before
    whole = here.results(answered(study_of({"c": CIRCUIT}), tmp_path, "c"))["simulate:c"]
    assert storage.sha256(entries["simulate:c"].folder / "responses.nc") == whole["responses.nc"]


def done_in(store: Path) -> set[str]:
    return {json.loads(p.read_text())["name"] for p in store.glob("[0-9a-f][0-9a-f]/[0-9a-f]*/entry.json")}
