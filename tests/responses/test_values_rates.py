"""The adaptive firing rate is a sum of bumps whose widths follow the rate around each spike."""

import numpy as np
import pytest

from neurosim.responses.rates import firing_rate
from neurosim.schema import as_responses


def test_lone_spikes_are_spread_wider_than_those_of_a_volley():
    """Abramson's widths, w sqrt(geometric mean of the pilot rates / pilot rate), summed by hand."""
    step, width, spikes = 1e-3, 20e-3, [300, 310, 320, 330, 340, 1000]
    counts = np.zeros((1, 1300, 1))
    counts[0, spikes, 0] = 1
    counts = as_responses(counts, quantity="spike_count", time_step=step)
    pilot = firing_rate(counts, bandwidth=width).values[0, spikes, 0]
    widths = width * np.sqrt(np.exp(np.log(pilot).mean()) / pilot)
    time = np.arange(1300) * step
    bumps = [
        np.exp(-0.5 * ((time - s * step) / w) ** 2) / (np.sqrt(2 * np.pi) * w)
        for s, w in zip(spikes, widths, strict=True)
    ]
    found = firing_rate(counts, bandwidth=width, adaptive=True).values[0, :, 0]
    np.testing.assert_allclose(found, np.sum(bumps, axis=0), rtol=1e-6, atol=1e-9)
    assert widths[-1] > width > widths[2] and found[1000] < pilot[-1]
    assert pilot[-1] == pytest.approx(1 / (np.sqrt(2 * np.pi) * width), rel=1e-3)
