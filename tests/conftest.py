"""Shared by all tests: a fixed hypothesis profile, one thread, and what several rooms need."""

import logging
import os
import sys

import pytest
from hypothesis import settings

from neurosim import runtime, storage

settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("fixed")
os.environ.setdefault("OMP_NUM_THREADS", "1")
runtime.limit_threads(1)


def pytest_runtest_setup(item):
    """Keep the sources that Brian2 logs with each run, at a level below debugging, out of what pytest captures."""
    if "brian2" in sys.modules:
        logging.getLogger("brian2").setLevel(logging.INFO)


@pytest.fixture(autouse=True)
def _leaves_no_setting_behind():
    before = {k: v for k, v in os.environ.items() if k.startswith("NEUROSIM_")}
    yield
    assert {k: v for k, v in os.environ.items() if k.startswith("NEUROSIM_")} == before


@pytest.fixture
def data_folder():
    folder = storage.data_folder()
    if folder is None or not folder.is_dir():
        pytest.skip("needs the folder of real data that NEUROSIM_DATA names")
    return folder


@pytest.fixture(scope="session")
def spiking_mlp():
    """A spiking network trained for a moment on digits, its task and test spikes."""
    from functools import partial

    from neurosim.networks import SpikingMLPSpecification
    from neurosim.networks.architecture import build_network
    from neurosim.networks.optimization import TrainingOptions
    from neurosim.networks.training import train
    from neurosim.stimuli.encoders import bernoulli_spikes
    from neurosim.stimuli.images import load_digits
    from neurosim.tasks.classification import classification_task

    task = classification_task(load_digits(), rng=3).with_encoder(partial(bernoulli_spikes, n_steps=15))
    with runtime.torch_seeded(3):
        network = build_network(SpikingMLPSpecification((32, 20), n_steps=15), task.image_shape, 10)
    train(network, task, TrainingOptions(epochs=6, learning_rate=5e-3), rng=3, progress=False)
    return network, task
