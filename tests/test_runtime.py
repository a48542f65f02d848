"""Streams belong to their key; progress and threads leave nothing behind."""

import os
from pathlib import Path

import numpy as np
import torch

from neurosim import runtime


def test_streams_do_not_depend_on_the_order_of_asking():
    first = [runtime.stream(1, "a", i).random(3) for i in range(4)]
    second = [runtime.stream(1, "a", i).random(3) for i in reversed(range(4))]
    np.testing.assert_array_equal(first, second[::-1])


def test_streams_of_different_keys_are_uncorrelated():
    draws = np.array([runtime.stream(0, "key", i).normal(size=2000) for i in range(20)])
    off = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert np.abs(off).max() < 5 / np.sqrt(2000)


def test_seeding_torch_leaves_its_state():
    before = torch.random.get_rng_state()
    with runtime.torch_seeded(5):
        a = torch.rand(3)
    with runtime.torch_seeded(5):
        b = torch.rand(3)
    assert torch.equal(a, b)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not torch.are_deterministic_algorithms_enabled()


def test_private_folder_returns_and_vanishes():
    before = str(Path.cwd())
    with runtime.private_folder() as folder:
        assert not list(folder.iterdir())
    assert str(Path.cwd()) == before
    assert not folder.exists()


def test_progress_goes_to_the_sink():
    seen = []
    runtime.send_progress_to(lambda *report: seen.append(report))
    try:
        list(runtime.track([7, 8], "work"))
        list(runtime.track([7, 8], "silent", progress=False))
    finally:
        runtime.send_progress_to(None)
    assert seen == [("work", 0, 2), ("work", 1, 2)]


def test_provenance_names_versions_and_machine():
    known = runtime.provenance()
    assert known["libraries"]["numpy"] == np.__version__
    assert known["machine"]["cpu_count"] == os.cpu_count()
