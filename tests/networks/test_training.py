"""Training that is killed and resumed ends with the same bits; checkpoints of other trainings are refused."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from neurosim.networks.architectures import build_network
from neurosim.networks.specifications import ConvNetSpecification
from neurosim.networks.training import TrainingOptions, train, weights_of
from neurosim.runtime import torch_seeded
from neurosim.schema import InputError
from neurosim.stimuli.images import load_digits
from neurosim.storage import StorageError
from neurosim.tasks.classification import classification_task

CHILD = """
import sys
from tests.networks.test_training import trained
trained(sys.argv[1])
"""


def trained(checkpoint, epochs=10, seed=2):
    """A small CNN with dropout, so that the random state counts."""
    task = classification_task(load_digits(), seed=1)
    with torch_seeded(seed):
        network = build_network(ConvNetSpecification((4, 8)), task.image_shape, 10)
        network = torch.nn.Sequential(torch.nn.Dropout(0.1), network)
    options = TrainingOptions(epochs=epochs, batch_size=128)
    return network, train(network, task, options, seed=seed, device="cpu", checkpoint=checkpoint, progress=False)


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    torch.set_num_threads(1)
    whole, history = trained(None)
    path = tmp_path / "run.safetensors"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], env={"OMP_NUM_THREADS": "1", "PATH": ""})
    while child.poll() is None and not path.exists():
        time.sleep(0.01)
    child.kill()
    child.wait()
    resumed, again = trained(path)
    for name, value in weights_of(whole).items():
        np.testing.assert_array_equal(value, weights_of(resumed)[name])
    np.testing.assert_array_equal(history.loss.values, again.loss.values)
    assert float(history.test_accuracy) == float(again.test_accuracy)


def test_other_or_damaged_checkpoints_are_refused_before_training(tmp_path):
    path = tmp_path / "run.safetensors"
    trained(path, epochs=1)
    with pytest.raises(InputError, match=r"another training \(it differs in options\)"):
        trained(path, epochs=2)
    with pytest.raises(InputError, match="it differs in seed"):
        trained(path, epochs=1, seed=5)
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(StorageError, match="safetensors"):
        trained(path, epochs=1)
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(StorageError, match="changed after it was written"):
        trained(path, epochs=1)
