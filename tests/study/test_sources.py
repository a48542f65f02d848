"""Every source of stimuli is shown and learned in a study by its name, and what is shown was not learned."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from neurosim import storage
from neurosim.registry import called
from neurosim.schema import InputError
from neurosim.stimuli.source import SOURCES, load_source, taught_parts
from neurosim.study import Study, run_study
from neurosim.study.kinds import SHOWN
from neurosim.study.plan import plan
from neurosim.study.study import checked

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
        ({"source": "digits", "part": "tset"}, {"task": "digits"}, "part: input should be 'test'"),
        ({"source": "digits"}, {"task": "digts"}, "training.task = 'digts' is not known.*Did you mean 'digits'"),
        ({"source": "digits"}, {"task": "folder"}, "training.task = 'folder' is not known"),
        ({"source": "digits"}, {"task": "nmnist", "options": {"n_stps": 3}}, "Did you mean 'n_steps'"),
        (
            {"source": "digits"},
            {"task": "nmnist", "options": {"n_steps": "a"}},
            "n_steps: input should be a valid integer",
        ),
        ({"source": "digits"}, {"task": "go_nogo"}, "MLP takes .*, not sequences"),
        ({"source": "digits", "n_per_category": 0}, None, "n_per_category = 0; a whole number"),
    ],
)
def test_what_a_study_cannot_show_or_learn_is_refused_in_one_line(stimuli, training, words, data_folder):
    with pytest.raises(InputError, match=words) as caught:
        checked(study_of(stimuli, training, "MLP"))
    assert "\n" not in str(caught.value)


def test_all_digits_are_shown_where_no_network_learns_them():
    checked(study_of({"source": "digits", "part": "all"}, {"task": "cifar10"}, "ConvNet"))
