"""What a network learns, by name: labelled stimuli of a source, or trials; what is shown was never learned."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from torch import nn

import neurosim as ns
from neurosim import lessons
from neurosim.lessons import build_task, find_lesson, lesson_names
from neurosim.schema import InputError
from neurosim.stimuli.source import SOURCES, load_source
from neurosim.tasks.lazy import LazyTask
from neurosim.tasks.task import TASKS
from tests.stimuli.test_conformance_sources import DOTS
from tests.tasks.test_conformance_tasks import LightsOptions, build


def test_the_digits_that_are_learned_are_those_of_the_split_by_seed():
    task, own = build_task("digits", rng=4), ns.tasks.classification_task(ns.load_digits(), rng=4)
    xr.testing.assert_identical(task.train, own.train)
    xr.testing.assert_identical(task.test, own.test)
    shown = load_source("digits", {"n_per_category": 3}, rng=4)
    xr.testing.assert_identical(shown, ns.stimuli.balanced(own.test, 3))


def test_photographs_are_learned_by_the_official_split(data_folder):
    task = build_task("cifar10", n_train=300)
    assert (len(task.train), len(task.test)) == (300, 2000)
    xr.testing.assert_identical(task.train, ns.stimuli.load_cifar10("train", 300, in_turn=True))
    assert np.unique(task.test.category, return_counts=True)[1].tolist() == [200] * 10


def test_sources_and_tasks_are_found_by_name():
    assert {"digits", "mnist", "spoken_digits", "go_nogo", "yang"} <= set(lesson_names())
    assert len(lesson_names()) == len(set(lesson_names()))
    assert find_lesson("mnist", "here").citation.startswith("LeCun")
    with pytest.raises(InputError, match=r"here: no task 'minst'; known: .*Did you mean 'mnist'"):
        find_lesson("minst", "here")
    with pytest.raises(InputError, match="n_train is for stimuli that are given"):
        build_task("go_nogo", n_train=4)
    with pytest.raises(InputError, match=r"build_task: go_nogo: no option 'delai'.*Did you mean 'delay'"):
        build_task("go_nogo", {"delai": 3})
    with pytest.raises(InputError, match=r"needs? path|the options need path"):
        build_task("folder")


def test_a_folder_of_pictures_is_learned_and_its_held_back_part_shown(tmp_path):
    options = SOURCES["folder"].example(tmp_path)
    task = build_task("folder", options, rng=1)
    shown = load_source("folder", dataclasses.replace(options, part="test"), rng=1)
    xr.testing.assert_identical(task.test, shown)
    assert task.categories == ("a", "b")


def test_what_one_adds_is_learned_too():
    with SOURCES.added(DOTS):
        assert build_task("dots", {"side": 4}).image_shape == (4, 4)
    kind = dataclasses.replace(TASKS["go_nogo"], name="lights", build=build, options=LightsOptions)
    with TASKS.added(kind):
        assert build_task("lights").outputs == ("fixation", "choice 0", "choice 1")


@pytest.mark.parametrize("rng", ["a", None, 1.5, True, [1]])
def test_what_is_no_seed_is_refused(rng):
    for ask in (
        lambda: ns.tasks.classification_task(ns.load_digits()[:100], rng=rng),
        lambda: ns.stimuli.encode_rate(ns.load_digits()[:2], n_steps=2, rng=rng),
        lambda: ns.tasks.cognitive_task("go_nogo").trials(2, rng=rng),
        lambda: load_source("digits", rng=rng),
    ):
        with pytest.raises(InputError, match="rng is a seed"):
            ask()


def test_a_generator_gives_a_seed_and_moves_on():
    rng = np.random.default_rng(0)
    first, second = (ns.stimuli.encode_rate(ns.load_digits()[:2], n_steps=5, rng=rng) for _ in range(2))
    assert not first.equals(second)
    again = ns.stimuli.encode_rate(ns.load_digits()[:2], n_steps=5, rng=np.random.default_rng(0))
    assert first.equals(again)


@pytest.mark.parametrize("n_train", [None, 20])
def test_a_folder_too_large_to_be_held_is_read_while_it_is_learned_to_the_same_bits(tmp_path, monkeypatch, n_train):
    draw = np.random.default_rng(0)
    for k in range(36):
        place = tmp_path / "abc"[k % 3]
        place.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (9 + k % 2, 8, 3), dtype=np.uint8)).save(place / f"{k}.png")
    options = {"path": tmp_path, "size": 6}
    held = build_task("folder", options, rng=3, n_train=n_train)
    monkeypatch.setattr(lessons, "HELD", 36 * 3 * 6 * 6 * 4 - 1)
    staying = build_task("folder", options, rng=3, n_train=n_train)
    assert isinstance(staying, LazyTask) and not isinstance(held, LazyTask)
    assert (staying.categories, staying.sizes, staying.n_test) == (held.categories, held.sizes, held.n_test)
    xr.testing.assert_identical(staying.some("train", 5), held.some("train", 5))
    xr.testing.assert_identical(staying.some("test", 100), held.some("test", 100))
    weights = []
    for task in (held, staying):
        with ns.runtime.torch_seeded(0):
            network = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))
        found = ns.train(network, task, ns.networks.TrainingOptions(2, 8), rng=1, progress=False)
        weights.append((network[1].weight, found.test_accuracy.item()))
    assert torch.equal(weights[0][0], weights[1][0]) and weights[0][1] == weights[1][1]
