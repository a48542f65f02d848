"""Memory of spiking layers: lent to one tensor at a time, used again, given back; and what is kept for the gradient."""

import copy
import gc
import pickle
import resource
import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurosim.networks.spiking.layers import SpikingLayer
from neurosim.networks.spiking.memory import HUGE, IDLE, LEAST, POOL, Pool, rounded
from neurosim.parameters import DiscreteLIFParameters

SHAPE = (40, 4, 600)  # 384 kB


def currents(seed=0, shape=SHAPE):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).mul(0.6).requires_grad_()


def used(pool):
    """A pool that keeps what comes back, and who it keeps it for."""
    user = SpikingLayer(DiscreteLIFParameters())
    pool.keep_for(user)
    return user


@given(n=st.integers(LEAST, 2**34))
def test_blocks_are_a_little_larger_than_what_they_are_for(n):
    size = rounded(n)
    assert n <= size <= n + max(n // 8, 4096, HUGE * (n > HUGE // 2)) and rounded(size) == size
    assert size % (HUGE if size >= HUGE else 4096) == 0


def test_memory_is_used_again_once_nobody_sees_it():
    pool = Pool()
    user = used(pool)
    first = pool.empty((3, 1000, 1000), torch.float32)
    part, where = first[1:], first.data_ptr()
    assert where % HUGE == 0 and first.shape == (3, 1000, 1000)
    del first
    other = pool.empty((3, 1000, 1000), torch.float32)
    assert other.data_ptr() != where and pool.n_bytes == 0
    del part
    assert pool.n_bytes == rounded(12_000_000)
    again = pool.empty((1500, 1000), torch.float64)
    assert again.data_ptr() == where and again.dtype == torch.float64
    del user, again
    assert pool.n_bytes == 0


def test_what_nobody_asks_for_is_given_back_after_a_while():
    pool = Pool()
    user = used(pool)
    pool.empty((HUGE,), torch.float64)
    assert pool.n_bytes == 8 * HUGE
    for _ in range(IDLE + 2):
        pool.empty((LEAST,), torch.float32)
    assert 0 < pool.n_bytes < HUGE and user


def test_small_arrays_are_left_to_malloc():
    pool = Pool()
    user = used(pool)
    pool.empty((LEAST // 4 - 1,), torch.float32)
    assert pool.n_bytes == 0 and user


def test_memory_goes_with_the_last_layer():
    gc.collect()
    before = set(POOL._users)
    layer = SpikingLayer(DiscreteLIFParameters())
    layer(currents()).sum().backward()
    assert set(POOL._users) - before == {id(layer)} and POOL.n_bytes > 0
    del layer
    assert set(POOL._users) == before


def test_two_passes_before_a_backward_and_the_same_graph_twice():
    layer = SpikingLayer(DiscreteLIFParameters())
    inputs = [currents(seed) for seed in (0, 1, 0)]
    first, second = (layer(x) for x in inputs[:2])
    for spikes in (second, first):
        spikes.square().sum().backward(retain_graph=True)
        spikes.square().sum().backward()
    layer(inputs[2]).square().sum().backward()
    assert not torch.equal(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(inputs[0].grad, 2 * inputs[2].grad, rtol=0, atol=0)


def test_threads_do_not_share_memory():
    layer, found = SpikingLayer(DiscreteLIFParameters()), {}

    def work(seed):
        for _ in range(5):
            x = currents(seed)
            spikes = layer(x)
            spikes.sum().backward()
            found.setdefault(seed, []).append((spikes.detach(), x.grad))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        x = currents(seed)
        spikes = layer(x)
        spikes.sum().backward()
        assert len(found[seed]) == 5 and all(torch.equal(s, spikes) and torch.equal(g, x.grad) for s, g in found[seed])


@pytest.mark.parametrize("make", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_of_a_layer_after_use(make):
    layer = SpikingLayer(DiscreteLIFParameters())
    spikes = layer(currents())
    assert torch.equal(make(layer)(currents()), spikes) and torch.equal(copy.deepcopy(spikes.detach()), spikes)


def test_no_memory_is_fresh_in_the_second_pass():
    layer, x = SpikingLayer(DiscreteLIFParameters()), currents(shape=(64, 16, 1024))

    def run():
        x.grad = None
        layer(x).sum(0).square().sum().backward()

    for _ in range(3):
        run()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    run()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 200  # 3 x 1024 pages were they fresh
