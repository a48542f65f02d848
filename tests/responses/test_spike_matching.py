"""Pairing spikes one to one is a matching problem: the greedy count equals the optimal assignment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from neurosim.responses.spike_matching import count_pairs, spike_time_f1
from neurosim.schema import InputError, as_responses

trains = st.lists(st.integers(0, 2), min_size=12, max_size=12)


@given(trains, trains, st.integers(0, 4))
def test_as_many_pairs_as_an_optimal_assignment(a, b, reach):
    first, second = np.repeat(np.arange(12), a), np.repeat(np.arange(12), b)
    allowed = np.abs(first[:, None] - second) <= reach
    rows, columns = linear_sum_assignment(-allowed.astype(float))
    wanted = int(allowed[rows, columns].sum())
    assert count_pairs(np.array(a)[None, :, None], np.array(b)[None, :, None], reach)[0, 0] == wanted


def counts(values, step=1e-3):
    return as_responses(np.asarray(values, dtype=float), quantity="spike_count", time_step=step)


def test_one_with_itself_zero_when_far_and_symmetric():
    rng = np.random.default_rng(0)
    a, b = (counts(rng.random((3, 20, 4)) < 0.3) for _ in range(2))
    assert (spike_time_f1(a, a, tolerance=0.0) == 1).all()
    np.testing.assert_array_equal(spike_time_f1(a, b), spike_time_f1(b, a))
    far = counts([[[1.0]] + [[0.0]] * 9 + [[1.0]]])
    assert spike_time_f1(far, counts([[[0.0]] * 5 + [[1.0]] + [[0.0]] * 5]), tolerance=2e-3).item() == 0
    assert spike_time_f1(counts([[[0.0]]]), counts([[[0.0]]])).item() == 1


def test_what_does_not_fit_is_refused():
    a = counts(np.zeros((2, 5, 3)))
    for other, words in ((counts(np.zeros((2, 6, 3))), "one shape"), (counts(np.zeros((2, 5, 3)), 2e-3), "time_step")):
        with pytest.raises(InputError, match=words):
            spike_time_f1(a, other)
