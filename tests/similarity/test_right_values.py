"""Values that follow from a definition alone, where a wrong factor, count or tie would otherwise go unseen."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from neurosim.schema import as_responses
from neurosim.similarity.kernels import patterns
from neurosim.similarity.rdms import compute_rdm


def test_a_tie_of_the_decoder_counts_half():
    """Small whole numbers tie often; nearness to the training means in exact fractions says who wins."""
    folds = np.random.default_rng(0).integers(0, 3, size=(4, 5, 1))
    wins, ties = np.zeros((5, 5)), 0
    for m, (i, j) in ((m, pair) for m in range(4) for pair in permutations(range(5), 2)):
        means = [[Fraction(int(v), 3) for v in np.delete(folds, m, axis=0)[:, k].sum(0)] for k in (i, j)]
        far = [sum((int(x) - y) ** 2 for x, y in zip(folds[m, i], mean, strict=True)) for mean in means]
        ties += far[0] == far[1]
        wins[i, j] += 1 if far[0] < far[1] else Fraction(1, 2) if far[0] == far[1] else 0
    assert ties > 10
    exact = np.array((wins + wins.T) / 8, dtype=float)
    responses = as_responses(3 * folds.transpose(1, 0, 2).astype(float), dims=("stimulus", "trial", "unit"))
    found = compute_rdm(responses, "decoding", precision=np.ones(1))
    np.testing.assert_allclose(found.values, exact, atol=1e-12)


@pytest.mark.parametrize(("prior_mean", "prior_weight"), [(1.0, 0.1), (3.0, 0.5), (0.2, 2.0)])
def test_the_prior_of_rates_is_so_many_measurements_of_its_mean(prior_mean, prior_weight):
    counts = np.random.default_rng(0).poisson(2.0, size=(3, 4, 6)).astype(float)

    def drawn(x):
        return np.average(np.stack([x, np.full_like(x, prior_mean)]), axis=0, weights=[1.0, prior_weight])

    def divergence(rates, logs):
        return np.array(
            [
                [((a - b) * (np.log(c) - np.log(d))).mean() for b, d in zip(rates, logs, strict=True)]
                for a, c in zip(rates, logs, strict=True)
            ]
        )

    prior = {"prior_mean": prior_mean, "prior_weight": prior_weight}
    means = drawn(counts.mean(0))
    np.testing.assert_allclose(patterns.poisson(counts.mean(0), **prior), divergence(means, means), atol=1e-12)
    folds = [divergence(drawn(np.delete(counts, m, 0).mean(0)), drawn(counts[m])) for m in range(3)]
    np.testing.assert_allclose(patterns.poisson_crossvalidated(counts, **prior), np.mean(folds, 0), atol=1e-12)
