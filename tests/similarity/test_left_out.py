"""Leaving out and drawing stimuli, against RDMs that are cut or repeated and compared from scratch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurosim.similarity.kernels import concordance, left_out_stimuli
from neurosim.similarity.kernels.arrays import to_square
from neurosim.similarity.kernels.drawn_stimuli import drawn_rank_products, gram_of_features, pair_weights
from neurosim.similarity.kernels.left_out_stimuli import leaves_out_at_most_two, left_out, left_out_rank_products
from neurosim.similarity.method import METHODS
from neurosim.similarity.methods.spearman import _nearest_weak_order, best_weak_order, steepest
from neurosim.similarity.methods.tau_a import majority_bound

seeds = st.integers(0, 2**32 - 1)


def tied_features(seed, n_features=4, n_stimuli=8):
    """RDMs (F, P), the first without ties, the others with more and more."""
    rng = np.random.default_rng(seed)
    entries = rng.random((n_features, n_stimuli * (n_stimuli - 1) // 2)) + 0.1
    return np.stack([e if i == 0 else np.ceil(e * 12 / i) for i, e in enumerate(entries)])


def repeated(features, counts):
    """RDMs (F, entries) in which every stimulus stands as often as it was drawn, without entries with itself."""
    n = len(counts)
    drawn = np.repeat(np.arange(n), counts)
    rows, columns = np.triu_indices(len(drawn), 1)
    apart = drawn[rows] != drawn[columns]
    return to_square(features, n)[:, drawn[rows], drawn[columns]][:, apart]


def tau_a(x, y):
    order = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    return order.sum() / (len(x) * (len(x) - 1))


def rho_a(x, y):
    n = len(x)
    return 12 * np.cov(stats.rankdata(x), stats.rankdata(y), ddof=0)[0, 1] * n / (n**3 - n)


SCORES = {
    "cosine": lambda x, y: x @ y / np.sqrt(x @ x * (y @ y)),
    "corr": lambda x, y: np.corrcoef(x, y)[0, 1],
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "rho_a": rho_a,
    "tau_a": tau_a,
}


@pytest.mark.parametrize("method", SCORES)
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_leaving_out_stimuli_is_comparing_what_is_left(method, seed):
    """No stimulus, one and two left out, with and without ties."""
    features, rng = tied_features(seed), np.random.default_rng(seed)
    counts = np.ones((4, 8))
    for row, n_left_out in zip(counts, (0, 1, 2, 2), strict=True):
        row[rng.choice(8, n_left_out, replace=False)] = 0
    found = gram_of_features(features, counts, METHODS[method])
    for gram, count in zip(found, counts, strict=True):
        kept = repeated(features, count.astype(int))
        wanted = [[SCORES[method](x, y) for y in kept] for x in kept]
        np.testing.assert_allclose(gram, wanted, atol=1e-12)


@pytest.mark.parametrize("method", SCORES)
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_drawing_stimuli_is_comparing_rdms_in_which_they_repeat(method, seed):
    features, rng = tied_features(seed), np.random.default_rng(seed)
    counts = rng.multinomial(8, np.full(8, 1 / 8), size=3)
    counts[:, :3] += 1
    found = gram_of_features(features, counts.astype(float), METHODS[method])
    for gram, count in zip(found, counts, strict=True):
        drawn = repeated(features, count)
        wanted = [[SCORES[method](x, y) for y in drawn] for x in drawn]
        np.testing.assert_allclose(gram, wanted, atol=1e-12)


@given(seed=seeds, least=st.integers(1, 12), n_bytes=st.sampled_from([1, 2**9]))
@settings(max_examples=20, deadline=None)
def test_concordance_in_chunks_of_any_size_is_that_of_all_pairs_of_entries(seed, least, n_bytes):
    features, rng = tied_features(seed), np.random.default_rng(seed)
    out, drawn = np.ones((2, 8)), rng.multinomial(8, np.full(8, 1 / 8), size=3).astype(float)
    out[1, rng.choice(8, 2, replace=False)] = 0
    signs, pairs = np.sign(features[:, :, None] - features[:, None]), np.triu_indices(4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concordance, "LEAST_CHUNK", least)
        patch.setattr(concordance, "BYTES_AT_ONCE", n_bytes)
        patch.setattr(concordance, "WEIGHT_BYTES", 2 * n_bytes)
        patch.setattr(concordance, "isqrt", lambda n: 1)
        for counts, found in ((out, concordance.left_out_concordance), (drawn, concordance.drawn_concordance)):
            weights = pair_weights(counts)
            wanted = np.einsum("ne,nf,pef,pef->np", weights, weights, *(signs[side] for side in pairs))
            np.testing.assert_array_equal(found(features, counts, pairs), wanted)


@given(seed=seeds, held=st.sampled_from([1, 2**10, 2**28]), at_once=st.sampled_from([1, 200, 2**19]))
@settings(max_examples=8, deadline=None)
def test_ranks_without_some_stimuli_are_those_that_are_counted(seed, held, at_once):
    """In blocks of entries too, and where few stimuli are held at once."""
    features, pairs = tied_features(seed), np.triu_indices(4)
    first, second = np.triu_indices(8, 1)
    single = 1 - np.eye(8)
    counts = np.concatenate([np.ones((1, 8)), single, single[first] * single[second]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(left_out_stimuli, "HELD_BYTES", held)
        patch.setattr(left_out_stimuli, "RANK_BYTES", at_once)
        found = left_out_rank_products(features, counts, pairs)
    np.testing.assert_array_equal(found, drawn_rank_products(features, counts, pairs))


def test_the_common_entry_of_two_stimuli_is_where_the_upper_entries_have_it():
    rows, columns = np.triu_indices(7, 1)
    counts = np.ones((len(rows) + 2, 7))
    counts[np.arange(len(rows)), rows] = counts[np.arange(len(rows)), columns] = counts[-1, 4] = 0
    first, second, common = left_out(counts)
    np.testing.assert_array_equal(common, [*range(21), 21, 21])
    np.testing.assert_array_equal(first, [*rows, 7, 4])
    np.testing.assert_array_equal(second, [*columns, 7, 7])


@pytest.mark.parametrize(
    ("row", "wanted"), [([1, 1, 1], True), ([0, 1, 0], True), ([0, 0, 0], False), ([2, 1, 0], False)]
)
def test_drawn_twice_is_not_left_out(row, wanted):
    assert leaves_out_at_most_two(np.array([[1, 1, 1], row], dtype=float)) is wanted


# --- the best ranking ---------------------------------------------------------------------------------------------


def all_weak_orders(n):
    """Centred mid-ranks (2^(n-1), n) of every sorted ranking of n entries, with and without ties."""
    cuts = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1)) & 1
    groups = np.concatenate([np.zeros((len(cuts), 1), dtype=int), np.cumsum(cuts, axis=1)], axis=1)
    return stats.rankdata(groups, axis=1) - (n + 1) / 2


ORDERS = all_weak_orders(9)


@given(seed=seeds, slope=st.floats(0, 2), tied=st.booleans())
@settings(max_examples=20, deadline=None)
def test_nearest_and_steepest_weak_orders_are_those_of_a_search(seed, slope, tied):
    target = np.random.default_rng(seed).normal(size=9)
    target = np.sort(np.round(target) if tied else target)
    target = target - target.mean()
    x, y = (ORDERS**2).sum(1), ORDERS @ target
    found = _nearest_weak_order(target, slope)
    assert found @ target - slope * found @ found / 2 == pytest.approx((y - slope * x / 2).max(), abs=1e-10)
    assert steepest(target) == pytest.approx((y[x > 0] / x[x > 0]).max(), abs=1e-12)


@given(seed=seeds, levels=st.sampled_from([2, 4, 100]))
@settings(max_examples=20, deadline=None)
def test_no_ranking_is_better_than_the_best_one(seed, levels):
    ranks = stats.rankdata(np.random.default_rng(seed).integers(0, levels, size=(3, 9)), axis=1) - 5
    norms = np.linalg.norm(ranks, axis=1, keepdims=True)
    if not norms.all():
        return
    target = np.sort((ranks / norms).mean(0))
    x, y = (ORDERS**2).sum(1), ORDERS @ target
    assert best_weak_order(ranks) == pytest.approx((y[x > 0] / np.sqrt(x[x > 0])).max(), rel=1.01e-7, abs=1e-12)


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_the_majority_bound_is_the_mean_of_absolute_majorities(seed):
    ranks = stats.rankdata(tied_features(seed), axis=1)
    majority = np.abs(np.sign(ranks[:, :, None] - ranks[:, None]).mean(0)).sum()
    assert majority_bound(ranks) == pytest.approx(majority / (28 * 27), abs=1e-14)
