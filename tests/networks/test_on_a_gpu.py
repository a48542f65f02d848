"""What a training would make a GPU wait for, counted on the CPU; and settings of torch that are put back."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from neurosim.networks.computing import Runtime
from neurosim.networks.feeding import _sendable
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.spiking.running import Way, run_sequence
from neurosim.networks.spiking.sequence import Coefficients, State
from neurosim.networks.spiking.surrogates import Surrogate
from neurosim.networks.spiking.torch_engine import TorchEngine
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
    matmul, before, old = torch.backends.cuda.matmul, settings(), torch.backends.cuda.matmul.allow_tf32
    try:
        matmul.fp32_precision = was
        with fast_kernels(tf32=True, autotune=False):
            assert settings() == ("tf32", "tf32")
        assert settings() == (was, before[1])
        with fast_kernels(tf32=False, autotune=False):
            assert settings() == (was, before[1])
    finally:
        matmul.fp32_precision = before[0]
    assert matmul.allow_tf32 == old  # which torch refuses to say where both ways were used


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


@pytest.mark.parametrize("each", [False, True])
def test_spikes_of_pictures_with_the_channel_last_stay_there_and_are_the_same(each):
    x, found = torch.rand(6, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), []
    first = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    for last in (False, True):
        given = x.flatten(0, 1).contiguous(memory_format=torch.channels_last) if last else x.flatten(0, 1)
        currents = given.unflatten(0, (6, 2)).detach().requires_grad_()
        beta = torch.linspace(0.3, 0.9, 60 if each else 1).requires_grad_()
        way = Way(Surrogate(), TorchEngine(), membrane=True)
        state = State(first, 0 * first, 0 * first, (first > 0.5).float())
        answer = run_sequence(currents, Coefficients(beta, 0.6, "zero"), way, state=state)
        (answer.spikes * x.flip(0)).sum().add(answer.membrane.square().sum()).backward()
        assert answer.spikes[0].is_contiguous(memory_format=torch.channels_last) == last
        found.append((answer.spikes, answer.membrane, *answer.state, currents.grad, beta.grad))
    assert found[0][0].sum() > 100
    for plain, other in zip(*found, strict=True):
        assert torch.allclose(plain, other, rtol=1e-5)
    assert all(map(torch.equal, *(f[:6] for f in found)))


def test_what_stays_on_the_processor_is_sent_as_it_is():
    x = torch.zeros(2)
    assert _sendable(x, "cpu") is x
