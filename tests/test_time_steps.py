"""A time step that the times themselves contradict is refused by every function that counts in seconds."""

import numpy as np
import pytest
import snntorch as snn
from torch import nn

import neurosim as ns

COUNTS = ns.as_responses(
    np.random.default_rng(0).poisson(0.5, (3, 4, 40, 2)).astype(float),
    dims=("stimulus", "trial", "time", "unit"), quantity="spike_count", time_step=0.01,
)  # fmt: skip
STALE = {"coarsened": COUNTS.coarsen(time=2).sum(), "every other": COUNTS.isel(time=slice(None, None, 2))}
FUNCTIONS = {
    "psth": ns.responses.psth,
    "firing_rate": ns.responses.firing_rate,
    "rebin": lambda r: ns.responses.rebin(r, 0.04),
    "cross_correlogram": ns.responses.cross_correlogram,
    "burst_statistics": ns.responses.burst_statistics,
    "interval_variability": ns.responses.interval_variability,
    "spike_rdm": lambda r: ns.similarity.spike_rdm(r, "van_rossum"),
}


@pytest.mark.parametrize("stale", STALE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_that_is_no_longer_that_of_the_times_is_refused(name, stale):
    with pytest.raises(ns.InputError, match=rf"^{name}: the times are 0\.02 .* and time_step is 0\.01"):
        FUNCTIONS[name](STALE[stale])


@pytest.mark.parametrize("step", [-1.0, "10 ms", np.nan, [0.01], True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_that_is_no_duration_is_refused_in_one_line(name, step):
    with pytest.raises(ns.InputError, match=f"^{name}: ") as caught:
        FUNCTIONS[name](COUNTS.assign_attrs(time_step=step))
    assert "\n" not in str(caught.value)


def test_rates_of_counts_that_were_put_together_rightly_are_the_same():
    right = STALE["coarsened"].assign_attrs(time_step=0.02)
    wanted = float(COUNTS.mean() / 0.01)
    for found in (COUNTS, right, ns.responses.rebin(COUNTS, 0.02)):
        assert float(ns.responses.psth(found, bandwidth=0.0).rate.mean()) == pytest.approx(wanted)


def circuit():
    return ns.to_circuit(nn.Sequential(nn.Linear(6, 12), snn.Leaky(beta=0.9, threshold=0.3)))


SPIKES = ns.as_stimuli(np.ones((3, 20, 6)), dims=("stimulus", "time", "unit"), time_step=1e-3)


def test_bins_of_a_simulation_are_all_as_long_as_they_say():
    one = circuit()
    whole = ns.simulate(one, SPIKES, progress=False)
    for width in (4e-3, 5e-3, 20e-3):
        found = ns.simulate(one, SPIKES, monitors=ns.biophysics.Monitors(time_bin=width), progress=False)
        assert float(found.sum()) == float(whole.sum())
        assert found.sizes["time"] * width == pytest.approx(20e-3)
    for width in (8e-3, 50e-3):
        with pytest.raises(ns.InputError, match=r"0\.02 s of stimuli and tail are no whole number of bins"):
            ns.simulate(one, SPIKES, monitors=ns.biophysics.Monitors(time_bin=width), progress=False)
    assert (
        ns.simulate(one, SPIKES, monitors=ns.biophysics.Monitors(time_bin=8e-3, tail=4e-3), progress=False).sizes[
            "time"
        ]
        == 3
    )


def test_spikes_in_another_order_of_dims_or_at_another_step():
    one = circuit()
    wanted = ns.simulate(one, SPIKES, progress=False)
    turned = ns.simulate(one, SPIKES.transpose("unit", "stimulus", "time"), progress=False)
    np.testing.assert_array_equal(turned, wanted)
    with pytest.raises(ns.InputError, match="simulate: the times are"):
        ns.simulate(one, SPIKES.isel(time=slice(None, None, 2)), progress=False)
