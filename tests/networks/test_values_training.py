"""Training in numbers: a step, the rate of its layer, and its clip, against gradients taken by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import train
from neurosim.runtime import torch_seeded
from neurosim.schema import as_stimuli
from neurosim.tasks.classification import classification_task


def cloud_task(n=32):
    """Three clouds of points in four dimensions."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(n, 4)) + 2 * np.eye(4)[np.arange(n) % 3]
    named = {"category": list("abc" * n)[:n]}
    return classification_task(as_stimuli(values.astype(np.float32), dims=("stimulus", "unit"), coords=named))


@pytest.mark.parametrize("clip", [1e-2, 1e3])
def test_a_step_is_the_mean_gradient_of_the_batch_at_the_rate_of_its_layer_cut_to_the_clip(clip):
    task = cloud_task()
    with torch_seeded(0):
        network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    x, y = next(task.batches(0, 1000, 0))
    nn.functional.cross_entropy(network(torch.from_numpy(x)), torch.from_numpy(y)).backward()
    gradients = [p.grad.clone() for p in network.parameters()]
    norm = float(torch.sqrt(sum((g**2).sum() for g in gradients)))
    share = min(1.0, clip / norm)
    rates = (0.1, 0.05)
    expected = [p.detach() - r * share * g for p, r, g in zip(network.parameters(), rates, gradients, strict=True)]
    options = TrainingOptions(1, 1000, 0.1, clip, optimizer="sgd", schedule="constant", layer_rates=(("*.bias", 0.5),))
    history = train(network, task, options, device="cpu", progress=False)
    for found, right in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach(), right, rtol=1e-4, atol=1e-6)
    assert float(history.loss[0]) > 0 and norm > 1e-2
