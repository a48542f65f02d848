"""Training spread over two processes: they train what one trains, agree on statistics, and stop together."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurosim.networks import MLPSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import train, weights_of
from neurosim.runtime import torch_seeded
from neurosim.storage import read_weights
from tests.networks.test_training import small_task

RANK = """
import shutil, sys, torch
from pathlib import Path
from neurosim.networks import training
from neurosim.storage import write_weights
from tests.networks import test_training_doors as doors
from tests.networks.test_door import Noisy, network_of
from tests.networks.test_two_processes import trained_without_noise
out, masks, plain = Path(sys.argv[1]), [], training.save_checkpoint
network, history = trained_without_noise()
rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
arrays = training.weights_of(network) | {"accuracy": history.accuracy.values}
write_weights(out / f"noiseless{rank}.safetensors", arrays)

def save(path, *rest):
    plain(path, *rest)
    at, cut = rest[1]["progress"], path.with_name(path.name.replace("run", "cut"))
    moment = (1, 1) if path.name.startswith("read_") else (2, 0)
    if not cut.exists() and (at["epoch"], at["batch"]) == moment:
        shutil.copy(path, cut)

def read(name, data, at):
    path = training.Checkpoint(out / f"read_{name}_{at}.safetensors", every=1)
    assert at == "run" or path.path.exists()
    network, options = network_of(), training.TrainingOptions(2, 4, 1e-2)
    how = training.Runtime(workers=1 if name == "dataset" else 0)
    training.train(network, data, options, runtime=how, device="cpu", checkpoint=path, progress=False)
    return {f"{name}.{k}": v for k, v in training.weights_of(network).items()}

def read_all(at):
    loader = torch.utils.data.DataLoader(Noisy(), 4, shuffle=True, num_workers=1)
    return read("dataset", Noisy(), at) | read("loader", loader, at)

def run(path):
    network = torch.nn.Sequential(torch.nn.Dropout(0.5), *doors.network_of(normalised=True))
    network[0].register_forward_hook(lambda m, i, o: masks.append((o == 0).flatten()[:16]) if m.training else None)
    options = training.TrainingOptions(6, 9, 0.05, patience=2, schedule="constant")
    found = training.train(network, doors.task_of(), options, device="cpu", checkpoint=path, progress=False)
    arrays = training.weights_of(network) | {k: v.values for k, v in found.items()}
    return arrays

training.save_checkpoint = save
torch.set_num_threads(1)
whole = run(out / "run.safetensors") | {"mask": masks[0].numpy()}
torch.distributed.barrier()
again = run(out / "cut.safetensors")
whole |= read_all("run")
torch.distributed.barrier()
again |= read_all("cut")
write_weights(out / f"rank{rank}.safetensors", whole)
write_weights(out / f"again{rank}.safetensors", again)
"""


def trained_without_noise():
    """No dropout, so that the split of a batch over processes is all that differs."""
    torch.set_num_threads(1)
    task = small_task()
    with torch_seeded(0):
        network = build_network(MLPSpecification((32,)), task.image_shape, 10).double()
    task = replace(task, augment=lambda x, rng: x)
    options = TrainingOptions(2, 50, 5e-3)
    return network, train(network.float(), task, options, device="cpu", progress=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What both processes of one launch wrote, of a training without noise, of one with it, and of one that went on."""
    folder = tmp_path_factory.mktemp("ranks")
    script = folder / "rank.py"
    script.write_text(RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [*command, str(script), str(folder)],
        capture_output=True, text=True, check=False, timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_two_processes_train_the_network_that_one_trains(folder):
    alone, history = trained_without_noise()
    first, second = (read_weights(folder / f"noiseless{k}.safetensors") for k in (0, 1))
    for name, value in weights_of(alone).items():
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], value, atol=2e-5)
    np.testing.assert_allclose(first["accuracy"], history.accuracy.values)


def test_processes_agree_on_statistics_and_stop_but_not_on_dropout(folder):
    first, second, again, also = (
        read_weights(folder / f"{k}.safetensors") for k in ("rank0", "rank1", "again0", "again1")
    )
    masks = first.pop("mask"), second.pop("mask")
    assert not np.array_equal(*masks)
    for name, value in first.items():
        for other in (second, again, also):
            np.testing.assert_array_equal(value, other[name], err_msg=name)
    assert len(first["validation_loss"]) >= 3
    assert {"dataset", "loader"} <= {name.partition(".")[0] for name in first}
