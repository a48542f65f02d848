"""Averages and reliability."""

import numpy as np
import pytest

from neurosim.responses.averages import average_trials, over_time, rebin
from neurosim.responses.reliability import split_half_reliability
from neurosim.schema import InputError, as_responses


def test_counts_are_summed_and_activations_averaged():
    values = np.arange(12.0).reshape(2, 6, 1)
    counts = as_responses(values, quantity="spike_count", time_step=1e-3)
    activity = as_responses(values, time_step=1e-3)
    np.testing.assert_array_equal(over_time(counts).values[:, 0], values.sum(1)[:, 0])
    np.testing.assert_array_equal(over_time(activity).values[:, 0], values.mean(1)[:, 0])
    np.testing.assert_array_equal(over_time(rebin(counts, 2e-3)), over_time(counts))
    assert rebin(counts, 4e-3).sizes["time"] == 1
    with pytest.raises(InputError, match="not a multiple"):
        rebin(counts, 1.5e-3)
    with pytest.raises(InputError, match="time_step"):
        rebin(over_time(counts), 1e-3)


def test_trials_are_averaged():
    values = np.zeros((3, 2, 2))
    values[:, :, 1] = [[1, 3], [2, 4], [5, 5]]
    responses = as_responses(values, dims=("stimulus", "trial", "unit"))
    assert average_trials(responses).values[:, 1].tolist() == [2, 3, 5]


def test_reliability_is_that_of_the_model_of_signal_and_noise():
    """With signal variance 1, noise variance 1 and 8 trials the reliability of the mean is 8 / 9."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(400, 1, 40))
    responses = as_responses(signal + rng.normal(size=(400, 8, 40)), dims=("stimulus", "trial", "unit"))
    assert float(split_half_reliability(responses).reliability.mean()) == pytest.approx(8 / 9, abs=0.01)
    noise = as_responses(rng.normal(size=(400, 8, 40)), dims=("stimulus", "trial", "unit"))
    assert abs(float(split_half_reliability(noise).reliability.mean())) < 0.03
    with pytest.raises(InputError, match="at least 2 trials"):
        split_half_reliability(responses.isel(trial=0))
