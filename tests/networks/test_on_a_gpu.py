"""What a training would make a GPU wait for, counted on the CPU; and settings of torch that are put back."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from neurosim.networks.computing import Runtime
from neurosim.networks.feeding import _sendable
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import train
from neurosim.networks.watching import Watch
from neurosim.runtime import fast_kernels, forked_random, torch_seeded
from tests.networks.test_training_options import task_of

BATCH = 9
WAITS = {torch.ops.aten._local_scalar_dense.default: "a number leaves", torch.ops.aten.lift_fresh.default: "one comes"}


class Looks(TorchDispatchMode):
    """Notes what is asked of the processor and the GPU at once: numbers that leave tensors, tensors made of numbers."""

    def __init__(self):
        super().__init__()
        self.seen, self.after = [], []

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        if function in WAITS and arguments[0].shape[:1] != (BATCH,):  # the batch itself comes as an array
            self.seen.append(WAITS[function])
        return function(*arguments, **(named or {}))

    def __call__(self, moment):
        self.after.append((moment.epoch, None))

    def after_batch(self, moment):
        self.after.append((moment.epoch, len(self.seen)))


OPTIONS = {
    "plain": {},
    "balanced": {"class_weights": "balanced", "label_smoothing": 0.1},
    "averaged": {"ema": 0.9, "schedule": "cosine", "accumulate": 2},
    "bfloat16": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("name", [*OPTIONS, "loss", "loss of numbers"])
def test_no_batch_makes_the_processor_and_the_gpu_wait_for_each_other(name):
    looks, objective = Looks(), None
    if name.startswith("loss"):  # the second has no count of right answers: NaN
        objective = nn.CrossEntropyLoss() if name == "loss" else lambda x, y: (x[:, 0] - y).square().mean()
    options = TrainingOptions(2, BATCH, 0.1, optimizer="sgd", **OPTIONS.get(name, {}))
    with torch_seeded(0):
        network = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1 if "numbers" in name else 3)
        )
    watch = Watch(callbacks=[looks])
    with looks:
        train(
            network, task_of(), options, objective=objective, runtime=Runtime(check_every=100), watch=watch,
            device="cpu", progress=False,
        )  # fmt: skip
    within = [n for epoch, n in looks.after if epoch == 1 and n is not None]
    assert len(within) == 3 and set(within) == {within[0]}, looks.seen[within[0] : within[-1]]


def settings():
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


@pytest.mark.parametrize("was", ["ieee", "tf32", "none"])
def test_tensor_float_32_is_put_back_however_it_was_set(was):
    matmul, before = torch.backends.cuda.matmul, settings()
    try:
        matmul.fp32_precision = was
        with fast_kernels(tf32=True, autotune=False):
            assert settings() == ("tf32", "tf32")
        assert settings() == (was, before[1])
        with fast_kernels(tf32=False, autotune=False):
            assert settings() == (was, before[1])
    finally:
        matmul.fp32_precision = before[0]


@pytest.mark.parametrize("only_warns", [False, True])
def test_forbidden_kernels_only_warn_afterwards_where_they_only_warned(only_warns):
    torch.use_deterministic_algorithms(True, warn_only=only_warns)
    try:
        with torch_seeded(0):
            pass
        assert torch.is_deterministic_algorithms_warn_only_enabled() == only_warns
    finally:
        torch.use_deterministic_algorithms(False)


def test_random_numbers_go_on_as_before():
    with forked_random():
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3))


def test_what_stays_on_the_processor_is_sent_as_it_is():
    x = torch.zeros(2)
    assert _sendable(x, "cpu") is x
