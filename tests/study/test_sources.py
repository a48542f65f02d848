"""Every source of stimuli is shown and learned in a study by its name, and what is shown was not learned."""

import json
import re
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from neurosim import storage
from neurosim.registry import called
from neurosim.schema import InputError, as_responses, as_stimuli
from neurosim.stimuli.source import SOURCES, load_source, taught_parts
from neurosim.study import Study, run_study
from neurosim.study.kinds import SHOWN
from neurosim.study.plan import plan
from neurosim.study.run import check_study, study_status
from neurosim.study.study import checked
from neurosim.study.subjects.network import fitted_stimuli, specification_of, task_of
from neurosim.study.verify import rerun_results

BRAIN = {"area": {"kind": "synthetic", "tuning": {"pixels": 1.0}, "n_subjects": 2, "n_units": 5}}


def study_of(stimuli, training=None, architecture="MLP"):
    network = {"kind": "network", "architecture": architecture, "training": training}
    return Study(
        name="s", seed=3, stimuli=stimuli, subjects={"net": network}, brains=BRAIN, analyses={"rsa": {"kind": "rsa"}}
    )


def test_every_source_is_shown_by_its_name():
    assert set(SOURCES) <= set(SHOWN)
    for name, source in SOURCES.items():
        assert issubclass(SHOWN[name].table, source.options)


def test_labels_that_only_the_file_of_the_stimuli_has_are_known(tmp_path, monkeypatch):
    """Recorded responses need not repeat them; what neither has is refused before anything runs."""
    ids, images = [f"i{i}" for i in range(20)], np.random.default_rng(0).random((20, 4, 4)).astype(np.float32)
    shown = as_stimuli(images, ids=ids, coords={"category": list("ab") * 10})
    storage.write_dataset(tmp_path / "shown.nc", shown.to_dataset(name="stimuli"))
    recorded = as_responses(np.random.default_rng(1).random((20, 5)), stimuli=ids)
    storage.write_dataset(tmp_path / "recorded.nc", recorded.to_dataset(name="responses"))
    monkeypatch.chdir(tmp_path)
    for label, words in (("category", ""), ("colour", "label = 'colour' is not known. Known: category, stimulus")):
        study = Study(
            name="s",
            stimuli={"source": "file", "path": "shown.nc"},
            subjects={"own": {"kind": "responses", "path": "recorded.nc"}},
            analyses={"decoding": {"kind": "decoding", "label": label}},
        )
        with pytest.raises(InputError, match=words) if words else nullcontext():
            check_study(study)


def test_a_study_learns_and_shows_mnist(data_folder, tmp_path):
    training = {"task": "mnist", "epochs": 1, "n_train": 100}
    outcome = run_study(study_of({"source": "mnist", "n_per_category": 2}, training), out=tmp_path / "out", jobs=1)
    shown = storage.read_array(outcome.folder / "results" / "stimuli" / "stimuli.nc")
    wanted = load_source("mnist", {"n_per_category": 2}, rng=3)
    np.testing.assert_array_equal(shown.values, wanted.values)
    train, _ = taught_parts("mnist", rng=3, n_train=100)
    assert not set(shown.stimulus.values.tolist()) & set(train.stimulus.values.tolist())
    about = storage.read_json(outcome.folder / "results" / "train_net" / "network.json")
    assert (about["image_shape"], about["n_test"], about["categories"]) == ([28, 28], 10000, list("0123456789"))
    page = outcome.report.read_text()
    assert "LeCun" in page and "no network of this study was trained on them" in page


def test_a_study_learns_and_shows_recordings_of_events(tmp_path, monkeypatch):
    named = {"path": "events.npz", "n_steps": 3, "time_step": 2e-3}
    SOURCES["events"].example(tmp_path)
    network = {"kind": "network", "architecture": "GRU", "parameters": {"is_sequence": True}}
    network["training"] = {"task": "events", "epochs": 1, "options": named}
    brain = {"area": {"kind": "synthetic", "tuning": {"category": 1.0}, "n_subjects": 2, "n_units": 5}}
    shown = {"source": "events", "n_per_category": 3}
    asked = {"rsa": {"kind": "rsa", "n_bootstrap": 50}}
    study = Study(name="s", stimuli={**shown, **named}, subjects={"net": network}, brains=brain, analyses=asked)
    monkeypatch.chdir(tmp_path)
    outcome = run_study(study, out=tmp_path / "out", jobs=1)
    found = storage.read_array(outcome.folder / "results" / "stimuli" / "stimuli.nc")
    wanted = {name: value for name, value in {**named, **shown}.items() if name != "source"}
    np.testing.assert_array_equal(found.values, load_source("events", wanted).values)
    folder = outcome.folder / "results" / "train_net"
    assert storage.read_json(folder / "network.json")["sequences"] == {"time": 3, "unit": 6}
    with pytest.raises(
        InputError, match=r"net: it learned \{'time': 3, 'unit': 6\}, a stimulus of the study has \{'y'"
    ):
        fitted_stimuli(load_source("digits"), None, folder, "net")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["net"], "held back: no network of this study was trained on them."),
        (["net", "mine"], "no network of this study that it trains was trained on them; what mine learned elsewhere"),
        (["mine", "file"], "shown are those that are held back of their source; what mine, file learned elsewhere"),
    ],
)
def test_nobody_vouches_for_what_a_function_or_a_file_learned(names, words):
    given = {
        "net": {"kind": "network", "architecture": "MLP", "training": {"task": "digits"}},
        "mine": {"kind": "function", "path": "mine.py", "function": "trained"},
        "file": {"kind": "responses", "path": "mine.nc"},
    }
    study = Study(name="s", stimuli={"source": "digits"}, subjects={name: given[name] for name in names}, brains=BRAIN)
    assert words in SHOWN["digits"].method(study.stimuli, study)


def test_files_that_a_source_reads_are_in_the_key(data_folder, tmp_path):
    steps = {step.name: step for step in plan(study_of({"source": "mnist"}, {"task": "mnist"}), tmp_path)}
    text = json.dumps([steps["stimuli"].config, steps["train:net"].config])
    for part in ("train", "test"):
        assert SOURCES["mnist"].files(SOURCES["mnist"].options(part))[f"mnist_{part}.npz"] in text


@pytest.mark.parametrize("name", ["folder", "file", "time_series"])
def test_files_of_ones_own_are_in_the_key_and_shown(name, tmp_path):
    options = SOURCES[name].example(tmp_path)
    row = {"source": name, "path": str(options.path.relative_to(tmp_path)), "n_per_category": 1}
    step = plan(study_of(row), tmp_path)[0]
    shown = called(step.config["load"])(SimpleNamespace(config=step.config, files=step.files))
    wanted = load_source(name, {"path": options.path, "n_per_category": 1}, rng=3)
    np.testing.assert_array_equal(shown.values, wanted.values)
    file = next(p for p in [options.path, *sorted(options.path.rglob("*.png"))] if p.is_file())
    file.write_bytes(file.read_bytes() + b"\n")
    assert plan(study_of(row), tmp_path)[0].config != step.config


@pytest.mark.parametrize(
    ("stimuli", "training", "words"),
    [
        (
            {"source": "digits", "part": "all"},
            {"task": "digits"},
            "a network of this study learns them; show part = 'test'",
        ),
        ({"source": "digits", "part": "tset"}, {"task": "digits"}, "part: 'test', 'train' or 'all' asked"),
        ({"source": "digits"}, {"task": "digts"}, "training.task = 'digts' is not known.*Did you mean 'digits'"),
        ({"source": "digits"}, {"task": "folder"}, "subjects.net.training.options: the key 'path' is missing"),
        ({"source": "digits"}, {"task": "nmnist", "options": {"n_stps": 3}}, "Did you mean 'n_steps'"),
        (
            {"source": "digits"},
            {"task": "nmnist", "options": {"n_steps": "a"}},
            "n_steps: a whole number asked",
        ),
        ({"source": "digits"}, {"task": "go_nogo"}, "MLP takes .*, not sequences"),
        ({"source": "digits", "n_per_category": 0}, None, "n_per_category = 0; a whole number"),
    ],
)
def test_what_a_study_cannot_show_or_learn_is_refused_in_one_line(stimuli, training, words, data_folder):
    with pytest.raises(InputError, match=words) as caught:
        checked(study_of(stimuli, training, "MLP"))
    assert "\n" not in str(caught.value)


def test_a_study_in_python_is_checked_as_one_in_a_file_is(tmp_path):
    study = study_of({"source": "digits", "part": "all"}, {"task": "digits"})
    for act in (check_study, run_study, study_status):
        with pytest.raises(InputError, match="a network of this study learns them; show part = 'test'"):
            act(study, out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_all_digits_are_shown_where_no_network_learns_them():
    checked(study_of({"source": "digits", "part": "all"}, {"task": "mnist"}, "ConvNet"))


@pytest.fixture
def pictures(tmp_path):
    """Return a folder of a study beside which two categories of pictures lie."""
    rng = np.random.default_rng(0)
    for k in range(30):
        place = tmp_path / "study" / "pictures" / "ab"[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 128, (4, 4, 3), dtype=np.uint8) + 120 * (k % 2)).save(place / f"{k}.png")
    return tmp_path / "study"


LEARNING = """
name = "own"

[stimuli]
source = "folder"
path = "pictures"
part = "test"
n_per_category = 3

[subjects.net]
kind = "network"
architecture = "MLP"
parameters = { hidden = [4] }
training = { task = "folder", options = { path = "pictures" }, epochs = 2 }

[brains.area]
kind = "synthetic"
tuning = { pixels = 1.0 }
n_subjects = 2
n_units = 5

[analyses.rsa]
kind = "rsa"
metric = "euclidean"
"""


def test_a_study_learns_pictures_of_ones_own_which_its_results_hold(pictures, tmp_path):
    (pictures / "study.toml").write_text(LEARNING)
    outcome = run_study(pictures / "study.toml", out=tmp_path / "out" / "own", jobs=1)
    about = storage.read_json(outcome.folder / "results" / "train_net" / "network.json")
    assert (about["categories"], about["image_shape"]) == (["a", "b"], [3, 4, 4])
    shown = storage.read_array(outcome.folder / "results" / "stimuli" / "stimuli.nc")
    train, _ = taught_parts("folder", {"path": pictures / "pictures"}, rng=0)
    assert not set(shown.stimulus.values.tolist()) & set(train.stimulus.values.tolist())
    assert "that learns from the same files was trained on them" in outcome.report.read_text()
    keys = {look.step.name: look.state for look in check_study(pictures / "study.toml", out=outcome.folder)}
    assert set(keys.values()) == {"hit"}
    shutil.copytree(pictures, tmp_path / "other")
    Image.new("RGB", (4, 4)).save(tmp_path / "other" / "pictures" / "a" / "0.png")
    keys = {look.step.name: look.state for look in check_study(tmp_path / "other" / "study.toml", out=outcome.folder)}
    assert (keys["stimuli"], keys["train:net"]) == ("miss", "miss")
    shutil.rmtree(pictures)
    assert len(list((outcome.folder / "inputs" / "pictures").rglob("*.png"))) == 30
    assert {v.verdict for v in rerun_results(outcome.folder, jobs=1)} == {"bitwise"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../pictures", "subjects.net.training.options.path: '../pictures' leads out of its folder"),
        ("nothing", "subjects.net.training.options.path: nothing: no such file or folder"),
    ],
)
def test_what_is_learned_lies_below_the_study(pictures, path, words):
    (pictures / "study.toml").write_text(
        LEARNING.replace('options = { path = "pictures" }', f"options = {{ path = {path!r} }}")
    )
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        check_study(pictures / "study.toml", out=pictures / "out")
    assert "\n" not in str(caught.value)


def test_what_is_learned_fits_the_network(pictures):
    text = LEARNING.replace('architecture = "MLP"', 'architecture = "SpikingRNN"').replace("hidden = [4]", "")
    (pictures / "study.toml").write_text(text)
    with pytest.raises(InputError, match=r"subjects\.net: SpikingRNN takes .*, not colour pictures"):
        check_study(pictures / "study.toml", out=pictures / "out")


def test_pictures_that_are_learned_are_not_all_shown(pictures):
    (pictures / "study.toml").write_text(LEARNING.replace('part = "test"', 'part = "all"'))
    with pytest.raises(InputError, match="a network of this study learns them; show part = 'test'"):
        check_study(pictures / "study.toml", out=pictures / "out")
    shutil.copytree(pictures / "pictures", pictures / "others")
    text = LEARNING.replace('part = "test"', 'part = "all"').replace('path = "pictures"\n', 'path = "others"\n')
    (pictures / "study.toml").write_text(text)
    assert check_study(pictures / "study.toml", out=pictures / "out")


def test_a_folder_is_no_file_of_stimuli(pictures):
    (pictures / "study.toml").write_text(LEARNING.replace('source = "folder"', 'source = "file"'))
    with pytest.raises(InputError, match=r"^stimuli\.path: 'pictures' is a folder, and source = 'file' reads a file"):
        check_study(pictures / "study.toml", out=pictures / "out")


def test_a_twin_is_tested_on_ones_own_pictures_too(pictures, tmp_path):
    twin = {"kind": "twin", "of": "net"}
    training = {"task": "folder", "options": {"path": "pictures"}}
    network = {"kind": "network", "architecture": "SpikingMLP", "training": training}
    study = Study(
        name="s",
        stimuli={"source": "folder", "path": "pictures", "part": "test", "n_per_category": 1},
        subjects={"net": network, "twin": twin},
        brains=BRAIN,
        analyses={"rsa": {"kind": "rsa"}},
    )
    steps = [step for step in plan(checked(study), pictures) if step.name in ("train:net", "translate:twin")]
    for step in steps:
        assert step.files == {"training.options.path": str((pictures / "pictures").resolve())}
        assert "pictures" not in json.dumps(step.config.get("network", step.config)["training"])
        assert "a/0.png" in json.dumps(step.config)
    training = {"task": "folder", "options": {}, "n_train": None}
    files = {role: Path(path) for role, path in steps[0].files.items()}
    task = task_of(training, specification_of("MLP", {}), 0, files)
    assert task.categories == ("a", "b")
