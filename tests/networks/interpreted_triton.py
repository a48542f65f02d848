"""The Triton kernels, run without a GPU: ``TRITON_INTERPRET=1 python -m tests.networks.interpreted_triton``."""

import itertools
import sys

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.networks.spiking import triton_engine
from neurosim.networks.spiking.layers import engine_of
from neurosim.networks.spiking.running import Way, run_sequence
from neurosim.networks.spiking.sequence import NUMBERS, RESETS, Coefficients, State
from neurosim.networks.spiking.surrogates import DEFAULT_SLOPES, Surrogate
from tests.networks.test_sequence_gradients import MEMORIES, test_all_gradients_are_those_of_autograd

PAIR = ("triton", "torch")
OUTPUTS = ("spikes", "membrane", "last membrane", "last current", "last adaptation", "last spikes")


def random(*shape, seed, dtype):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def answer(engine, seed, shape, c, surrogate, recurrent, half, chunks):
    """Spikes, membranes, last states and all gradients, of a sequence run in one or in two chunks of time."""
    n_time, n_batch, n_units = shape
    x = (1.5 * random(*shape, seed=seed, dtype=c.dtype)).requires_grad_()
    weight = random(n_units, n_units, seed=seed + 1, dtype=c.dtype).sub(0.5).div(n_units**0.5) if recurrent else None
    weight = None if weight is None else weight.requires_grad_()
    parts = [random(n_batch, n_units, seed=seed + 2 + k, dtype=c.dtype) for k in range(4)]
    state = State(*parts[:3], (parts[3] > 0.5).to(c.dtype))
    start = State(*(p.requires_grad_() for p in state))
    learned = {n: v.clone().requires_grad_() if isinstance(v, torch.Tensor) else v for n, v in c.numbers.items()}
    coefficients = Coefficients(reset=c.reset, **learned)
    way = Way(surrogate, engine_of(engine, "cpu"), membrane=True, half=half, carried=True)
    spikes, membranes, now = [], [], start
    for chunk in x.split(-(-n_time // chunks)):
        found = run_sequence(chunk, coefficients, way, weight=weight, state=now)
        now = found.state
        spikes.append(found.spikes)
        membranes.append(found.membrane)
    outputs = [torch.cat(spikes), torch.cat(membranes), *now]
    inputs = [
        x,
        *start,
        *([] if weight is None else [weight]),
        *(v for v in learned.values() if not isinstance(v, float)),
    ]
    price = sum((o * random(*o.shape, seed=seed + 9 + k, dtype=o.dtype)).sum() for k, o in enumerate(outputs))
    return [o.detach() for o in outputs], torch.autograd.grad(price, inputs, allow_unused=True)


class Case:
    """Coefficients of which some are one a unit."""

    def __init__(self, reset, current, adapts, each, n_units, seed, dtype):
        self.reset, self.dtype = reset, dtype
        whole = {"beta": 0.83, "threshold": 0.9, "alpha": 0.7 * current, "rho": 0.9 * adapts, "rise": 0.2 * adapts}
        drawn = {n: v + 0.1 * random(n_units, seed=seed + k, dtype=dtype) for k, (n, v) in enumerate(whole.items())}
        self.numbers = {n: drawn[n] if n in each and v else float(v) for n, v in whole.items()}


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**20),
    shape=st.tuples(st.integers(1, 5), st.sampled_from([1, 2, 17]), st.sampled_from([1, 3, 16, 37])),
    memory=st.sampled_from(MEMORIES),
    reset=st.sampled_from(RESETS),
    each=st.sets(st.sampled_from(NUMBERS)),
    kind=st.sampled_from(list(DEFAULT_SLOPES)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    recurrent=st.booleans(),
    half=st.booleans(),
)
def every_answer_is_that_of_plain_torch(seed, shape, memory, reset, each, kind, dtype, recurrent, half):
    c = Case(reset, *memory, each, shape[2], seed, dtype)
    how = (seed, shape, c, Surrogate(kind, 1.7), recurrent, half)
    (outputs, gradients), (expected, wanted) = (answer(engine, *how, 1) for engine in PAIR)
    assert torch.equal(outputs[0], expected[0])
    for name, mine, other in zip(OUTPUTS, outputs, expected, strict=True):
        assert recurrent or torch.equal(mine, other), name
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)
    for mine, other in zip(gradients, wanted, strict=True):
        if other is not None:
            torch.testing.assert_close(mine, other, atol=2e-5, rtol=2e-5)


def chunks_of_time_are_the_whole_to_the_bit():
    for reset, recurrent in itertools.product(RESETS, (False, True)):
        c = Case(reset, True, True, {"beta"}, 5, 3, torch.float32)
        one, two = (answer("triton", 3, (6, 2, 5), c, Surrogate(), recurrent, False, chunks) for chunks in (1, 2))
        assert all(torch.equal(a, b) for a, b in zip(one[0], two[0], strict=True))
        for mine, other in zip(one[1][:5], two[1][:5], strict=True):  # of currents and of the first state
            torch.testing.assert_close(mine, other, atol=1e-5 * recurrent, rtol=1e-5 * recurrent)


def what_is_the_same_in_all_steps_is_read_in_place():
    c = Coefficients(0.83, 0.9, "subtract")
    weight = random(5, 5, seed=2, dtype=torch.float32) - 0.5
    for sent in (None, weight):
        found = []
        for engine in PAIR:
            x = random(1, 2, 5, seed=1, dtype=torch.float32).requires_grad_()
            seen = run_sequence(x.expand(7, -1, -1), c, Way(Surrogate(), engine_of(engine, "cpu")), weight=sent)
            (seen.spikes.mean(0) * weight[:2]).sum().backward()
            found.append((seen.spikes, x.grad))
        assert torch.equal(found[0][0], found[1][0]) and found[0][0].sum() > 0
        torch.testing.assert_close(found[0][1], found[1][1], atol=1e-5, rtol=1e-5)


def currents_of_16_bits_are_read_as_they_are():
    c = Coefficients(0.83, 0.9, "zero", alpha=0.6)
    for dtype in (torch.float16, torch.bfloat16):
        found = []
        for engine in PAIR:
            x = (2 * random(7, 2, 70, seed=1, dtype=dtype)).requires_grad_()
            seen = run_sequence(x, c, Way(Surrogate(), engine_of(engine, "cpu"), membrane=True))
            (seen.spikes * random(7, 2, 70, seed=2, dtype=dtype)).sum().add(seen.membrane.mean()).backward()
            found.append((seen.spikes, seen.membrane, x.grad))
        assert found[0][0].dtype == dtype and found[0][1].dtype == torch.float32 and found[0][0].sum() > 100
        assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
        torch.testing.assert_close(found[0][2], found[1][2], atol=1e-6, rtol=torch.finfo(dtype).eps)


def layers_too_large_for_one_program_run_step_by_step():
    triton_engine.LARGEST, before = 4, triton_engine.LARGEST
    c = Case("zero", True, True, set(NUMBERS), 5, 3, torch.float32)
    one = answer("triton", 3, (6, 2, 5), c, Surrogate(), True, False, 1)
    triton_engine.LARGEST = before
    two = answer("triton", 3, (6, 2, 5), c, Surrogate(), True, False, 1)
    for mine, other in zip([*one[0], *one[1]], [*two[0], *two[1]], strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


if __name__ == "__main__":
    for (memory, reset), recurrent in itertools.product(itertools.product(MEMORIES, RESETS), (False, True)):
        test_all_gradients_are_those_of_autograd(reset, *memory, recurrent, "triton")
    every_answer_is_that_of_plain_torch()
    chunks_of_time_are_the_whole_to_the_bit()
    what_is_the_same_in_all_steps_is_read_in_place()
    currents_of_16_bits_are_read_as_they_are()
    layers_too_large_for_one_program_run_step_by_step()
    sys.stdout.write("equal")
