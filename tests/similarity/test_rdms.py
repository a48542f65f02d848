"""RDMs against independent implementations and their invariances."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from neurosim.schema import InputError, as_responses
from neurosim.similarity.kernels import arrays, inner_products
from neurosim.similarity.kernels.arrays import unit_blocks
from neurosim.similarity.metric import METRICS
from neurosim.similarity.metrics.correlation import correlation
from neurosim.similarity.metrics.crossnobis import crossnobis
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.rdms import compute_rdm

seeds = st.integers(0, 2**32 - 1)


def patterns(seed, n=7, p=23, offset=0.0):
    return np.random.default_rng(seed).normal(size=(n, p)) + offset


@pytest.mark.parametrize(
    ("metric", "scipy_name", "scale"),
    [("euclidean", "sqeuclidean", 1 / 23), ("correlation",) * 2 + (1,), ("cosine",) * 2 + (1,)],
)
@given(seed=seeds, offset=st.floats(-100, 100))
def test_equals_scipy(metric, scipy_name, scale, seed, offset):
    x = patterns(seed, offset=offset)
    wanted = squareform(pdist(x, scipy_name)) * scale
    np.testing.assert_allclose(compute_rdm(x, metric).values, wanted, atol=1e-9 * max(1, abs(offset)))


@pytest.mark.parametrize("metric", ["euclidean", "correlation", "cosine"])
@given(seed=seeds)
def test_symmetric_zero_diagonal_and_blind_to_the_order_of_units(metric, seed):
    x = patterns(seed)
    rdm = compute_rdm(x, metric).values
    np.testing.assert_array_equal(rdm, rdm.T)
    np.testing.assert_array_equal(np.diagonal(rdm), 0)
    shuffled = x[:, np.random.default_rng(seed).permutation(x.shape[1])]
    np.testing.assert_allclose(compute_rdm(shuffled, metric).values, rdm, atol=1e-12)


@given(seed=seeds)
def test_correlation_ignores_scale_and_offset_of_a_pattern(seed):
    x = patterns(seed)
    rng = np.random.default_rng(seed)
    moved = x * rng.uniform(0.1, 9, size=(7, 1)) + rng.normal(size=(7, 1))
    np.testing.assert_allclose(compute_rdm(moved).values, compute_rdm(x).values, atol=1e-10)


@given(seed=seeds)
def test_euclidean_ignores_rotation(seed):
    x = patterns(seed)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(23, 23)))[0]
    np.testing.assert_allclose(euclidean(x @ q), euclidean(x), atol=1e-10)


@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].blocks])
def test_blocks_of_units_change_nothing(metric, monkeypatch):
    kernel = METRICS[metric].kernel
    x = np.stack([patterns(seed, p=1000, offset=50) for seed in range(3)])
    whole, read = kernel(x), []

    def blocks(array):
        for block in unit_blocks(array):
            read.append(block.shape[-1])
            yield block

    monkeypatch.setattr(arrays, "BLOCK_BYTES", 7 * 7 * 8)
    for module in (inner_products, sys.modules[kernel.__module__]):
        monkeypatch.setattr(module, "unit_blocks", blocks, raising=False)
    np.testing.assert_allclose(kernel(x), whole, atol=1e-9)
    assert sum(read) == 1000
    assert max(read) <= 7


def test_crossnobis_is_the_mean_over_pairs_of_folds():
    folds = np.random.default_rng(0).normal(size=(4, 6, 9))
    pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
    wanted = np.mean(
        [np.einsum("ijp,ijp->ij", *(f[:, None] - f for f in (folds[a], folds[b]))) for a, b in pairs], axis=0
    )
    np.testing.assert_allclose(crossnobis(folds), wanted / 9, atol=1e-12)


def test_labels_and_leading_dims_ride_along():
    values = np.random.default_rng(0).normal(size=(5, 3, 8))
    responses = as_responses(values, coords={"layer": ("unit", list("aaaabbbb"))}, time_step=0.1)
    rdm = compute_rdm(responses, by="layer")
    assert rdm.dims == ("layer", "time", "stimulus", "stimulus_other")
    assert rdm.layer.values.tolist() == ["a", "b"]
    np.testing.assert_allclose(rdm.sel(layer="b").isel(time=2), correlation(values[:, 2, 4:]), atol=1e-12)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: compute_rdm(patterns(0), "correlate"), "Did you mean 'correlation'"),
        (lambda: compute_rdm(np.ones((4, 3))), "4 patterns .* do not vary"),
        (lambda: compute_rdm(np.zeros((4, 3)), "cosine"), "cosine is not defined"),
        (lambda: compute_rdm(patterns(0), "crossnobis"), "at least 2 trials"),
        (lambda: compute_rdm(patterns(0, n=2)), "at least 3 stimuli"),
        (lambda: compute_rdm(np.zeros((0, 5))), "^compute_rdm: "),
        (lambda: compute_rdm(patterns(0), by="layer"), "no label 'layer'"),
        (lambda: compute_rdm(patterns(0) * np.nan), "NaN"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act()
