"""Rates, tuning, reliability, dimensionality, bursts and synchrony: closed forms, other tools, unbiasedness."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurosim.responses.bursts import burst_statistics, first_spike_latency
from neurosim.responses.correlograms import cross_correlogram, synchrony
from neurosim.responses.decoding import generalise
from neurosim.responses.dimensionality import cross_validated_pca, participation_ratio
from neurosim.responses.places import spatial_map
from neurosim.responses.rates import firing_rate
from neurosim.responses.reliability import select_reliable, signal_to_noise
from neurosim.responses.selectivity import orientation_selectivity, sparseness
from neurosim.responses.spike_matching import coincidence
from neurosim.responses.synchrony_measures.spike_synchronization import synchronization_counts
from neurosim.responses.tuning import fit_tuning, tuning_curve
from neurosim.responses.variability import signal_correlation
from neurosim.schema import InputError, as_responses

DT = 1e-3


def binned(values):
    return as_responses(np.asarray(values, dtype=float), quantity="spike_count", time_step=DT)


def poisson(shape, rate, seed=0):
    return np.random.default_rng(seed).random(shape) < np.asarray(rate) * DT


@pytest.mark.parametrize("kernel", ["gaussian", "boxcar", "exponential", "alpha"])
def test_a_constant_rate_stays_constant_and_backward_kernels_see_no_future(kernel):
    flat = firing_rate(binned(np.ones((1, 400, 1))), kernel=kernel, bandwidth=15e-3)
    np.testing.assert_allclose(flat.values, 1000, rtol=1e-9)
    pulse = np.zeros((1, 400, 1))
    pulse[0, 200] = 1
    rate = firing_rate(binned(pulse), kernel=kernel, bandwidth=15e-3).values[0, :, 0]
    lags = (np.arange(400) - 200) * DT
    assert np.sum(rate) * DT == pytest.approx(1, rel=2e-3)
    spread = np.sqrt(np.average(lags**2, weights=rate) - np.average(lags, weights=rate) ** 2)
    assert spread == pytest.approx(15e-3, rel=0.05)
    if kernel in ("exponential", "alpha"):
        np.testing.assert_allclose(rate[:200], 0, atol=1e-9)


def test_the_best_bandwidth_is_near_that_of_the_smallest_true_error_and_adapting_keeps_spikes():
    time = np.arange(4000) * DT
    truth = 40 + 35 * np.sin(2 * np.pi * 2 * time)
    counts = binned(poisson((1, 20, 4000, 1), truth[:, None], 3))
    best = firing_rate(counts, bandwidth="best")
    chosen = float(best.bandwidth[0])
    errors = {
        w: float(((firing_rate(counts, bandwidth=w).mean("trial").values[0, :, 0] - truth) ** 2).mean())
        for w in (0.25 * chosen, chosen, 4 * chosen)
    }
    assert min(errors, key=errors.get) == chosen
    adapted = firing_rate(counts, bandwidth=20e-3, adaptive=True)
    np.testing.assert_allclose(adapted.sum("time") * DT, counts.sum("time"), rtol=1e-9)
    with pytest.raises(InputError, match="those of a Gaussian"):
        firing_rate(counts, kernel="alpha", adaptive=True)


def test_curves_are_recovered_with_their_errors():
    rng = np.random.default_rng(0)
    x = np.tile(np.arange(0, 180, 15.0), 20)
    truth = 3 + 10 * np.exp(2.0 * (np.cos(2 * np.pi * (x - 70) / 180) - 1))
    noisy = as_responses(truth[:, None] + rng.normal(size=(len(x), 8)), coords={"angle": ("stimulus", x)})
    fit = fit_tuning(tuning_curve(noisy, "angle"), "von_mises")
    assert (np.abs(fit.preferred - 70) < 4 * fit.preferred_error).all()
    assert (fit.explained > 0.98).all()
    current = np.linspace(-50e-12, 300e-12, 15)
    line = as_responses(200e9 * np.maximum(current - 80e-12, 0)[:, None], coords={"current": ("stimulus", current)})
    fi = fit_tuning(tuning_curve(line, "current"), "threshold_linear")
    assert float(fi.gain[0]) == pytest.approx(200e9, rel=1e-3)
    assert float(fi.threshold[0]) == pytest.approx(80e-12, rel=1e-2)
    contrast = np.geomspace(0.01, 1, 12)
    response = 2 + 30 * contrast**2.5 / (contrast**2.5 + 0.2**2.5)
    saturated = fit_tuning(
        tuning_curve(as_responses(response[:, None], coords={"contrast": ("stimulus", contrast)}), "contrast"),
        "saturating",
    )
    assert float(saturated.half[0]) == pytest.approx(0.2, rel=1e-3)
    with pytest.raises(InputError, match=r"unknown shape 'von_mise'.*Did you mean 'von_mises'"):
        fit_tuning(tuning_curve(noisy, "angle"), "von_mise")


def test_intervals_of_tuning_curves_cover_the_truth():
    rng = np.random.default_rng(1)
    r = as_responses(rng.normal(size=(8, 5, 500)), dims=("stimulus", "trial", "unit"))
    curve = tuning_curve(r.assign_coords(x=("stimulus", np.arange(8.0))), "x")
    inside = (curve.interval.sel(bound="low") < 0) & (curve.interval.sel(bound="high") > 0)
    assert abs(float(inside.mean()) - 0.95) < 0.015


@given(st.integers(2, 30), st.floats(0.1, 100))
def test_sparseness_and_selectivity_at_their_limits(n, size):
    one = np.zeros((n, 1))
    one[0] = size
    assert float(sparseness(as_responses(one))[0]) == pytest.approx(1)
    assert float(sparseness(as_responses(np.full((n, 1), size)))[0]) == pytest.approx(0, abs=1e-9)
    degrees = np.arange(n) * 360 / n
    if n > 2:
        flat = tuning_curve(as_responses(np.full((n, 1), size), coords={"d": ("stimulus", degrees)}), "d")
        assert float(orientation_selectivity(flat).direction_selectivity[0]) == pytest.approx(0, abs=1e-9)


def test_place_is_found_and_silence_has_no_information():
    rng = np.random.default_rng(0)
    clock = np.arange(0, 600, 0.02)
    steps = np.cumsum(rng.normal(0, 0.02, size=(len(clock), 2)), axis=0)
    track = np.abs((steps + 0.5) % 2 - 1)
    rate = 20 * np.exp(-((track - [0.3, 0.7]) ** 2).sum(1) / (2 * 0.1**2))
    spikes = {"place": clock[rng.random(len(clock)) < rate * 0.02], "flat": clock[rng.random(len(clock)) < 5 * 0.02]}
    position = xr.DataArray(track, dims=("time", "axis"), coords={"time": clock})
    found = spatial_map(spikes, position, bin_width=0.1)
    peak = found.rate.sel(unit="place").fillna(0)
    where = np.unravel_index(int(peak.argmax()), peak.shape)
    assert (abs(float(peak.x[where[0]]) - 0.3), abs(float(peak.y[where[1]]) - 0.7)) < (0.11, 0.11)
    assert float(found.information.sel(unit="place")) > 1
    assert float(found.information.sel(unit="flat")) < 0.1
    assert float(found.occupancy.sum()) == pytest.approx(600, rel=1e-3)


def test_signal_power_and_noise_power_are_unbiased_and_selection_controls_false_discoveries():
    rng = np.random.default_rng(0)
    tuned = rng.normal(size=(40, 1, 300)) * np.sqrt(0.5) * (np.arange(300) < 150)
    x = as_responses(tuned + rng.normal(size=(40, 5, 300)), dims=("stimulus", "trial", "unit"))
    found = signal_to_noise(x)
    first, second = found.isel(unit=slice(150)), found.isel(unit=slice(150, None))
    assert float(first.signal_power.mean()) == pytest.approx(0.5, abs=0.04)
    assert float(second.signal_power.mean()) == pytest.approx(0.0, abs=0.015)
    assert float(found.noise_power.mean()) == pytest.approx(1.0, abs=0.02)
    means = x.mean("trial").values[..., :150]
    reached = [np.corrcoef(means[:, u], tuned[:, 0, u])[0, 1] for u in range(150)]
    assert float(first.ceiling.mean()) == pytest.approx(np.mean(reached), abs=0.02)
    assert abs(float((second.p < 0.05).mean()) - 0.05) < 0.05
    z = (first.signal_to_noise - 0.5) / first.standard_error
    assert float((np.abs(z) < 2).mean()) > 0.85
    kept = select_reliable(x)
    wrong = (kept.unit.values >= 150).mean() if "unit" in kept.coords else 0.0
    assert wrong < 0.1
    with pytest.raises(InputError, match="none of 150 units is left"):
        select_reliable(x.isel(unit=slice(150, None)), ceiling=0.95)


def test_signal_correlations_ignore_shared_noise():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(60, 20, 1))
    independent = as_responses(rng.normal(size=(60, 1, 2)) + shared, dims=("stimulus", "trial", "unit"))
    found = [
        signal_correlation(
            as_responses(rng.normal(size=(60, 1, 2)) + rng.normal(size=(60, 4, 1)), dims=independent.dims)
        )
        for _ in range(60)
    ]
    assert abs(np.mean([f.values[0, 1] for f in found])) < 0.05


@pytest.mark.parametrize("dims", [3, 8])
def test_dimensions_of_the_signal_are_counted_without_those_of_the_noise(dims):
    rng = np.random.default_rng(dims)
    axes = np.linalg.qr(rng.normal(size=(60, dims)))[0].T
    signal = rng.normal(size=(800, 1, dims)) @ axes * 2
    noisy = as_responses(signal + 0.5 * rng.normal(size=(800, 10, 60)), dims=("stimulus", "trial", "unit"))
    assert participation_ratio(noisy) == pytest.approx(dims, rel=0.1)
    spectrum = cross_validated_pca(noisy).signal_variance.values
    np.testing.assert_allclose(spectrum[:dims].mean(), 4, rtol=0.1)
    assert np.abs(spectrum[dims:].mean()) < 0.02


def test_bursts_and_first_spikes_of_a_poisson_process():
    """A spike starts no burst and belongs to none with probability exp(-2 rate x interval)."""
    trains = binned(poisson((1, 20, 20_000, 2), 20, 5))
    found = burst_statistics(trains, longest_interval=6e-3)
    alone = (1 - 20 * DT) ** (2 * 6)
    np.testing.assert_allclose(1 - found.burst_fraction, alone, atol=0.02)
    latency = first_spike_latency(binned(poisson((1, 4000, 500, 1), 30, 1)))
    assert float(latency.mean()) == pytest.approx(1 / 30, rel=0.06)
    assert latency.attrs["silent"] < 0.001


@pytest.mark.data
@pytest.mark.parametrize("name", ["PySpike_testdata.txt", "SPIKE_Sync_Test.txt"])
def test_spike_synchronization_equals_the_pyspike_vectors(data_folder, name):
    folder = data_folder / "pyspike_vectors"
    lines = (folder / name).read_text().splitlines()
    trains = [np.array(line.split(), dtype=float) for line in lines if line.strip() and not line.startswith("#")]
    reference = json.loads((folder / "pyspike_reference.json").read_text())[name]
    pairs, total = synchronization_counts(trains, tuple(reference["edges"]))
    upper = np.triu_indices(len(trains), 1)
    wanted = np.array(reference["sync_matrix"])
    np.testing.assert_allclose((pairs / total)[upper], wanted[upper], atol=1e-9)
    assert pairs[upper].sum() / total[upper].sum() == pytest.approx(reference["spike_sync"], abs=1e-9)


@pytest.mark.oracle
def test_spike_time_tiling_equals_elephant():
    pytest.importorskip("elephant")
    import neo
    import quantities as pq
    from elephant.spike_train_correlation import spike_time_tiling_coefficient

    values = poisson((1, 2000, 3), [20, 40, 5], 2)
    values[0, :, 1] |= np.roll(values[0, :, 0], 2)
    trains = [neo.SpikeTrain(np.flatnonzero(t) * DT * pq.s, t_stop=2 * pq.s) for t in values[0].T]
    found = synchrony(binned(values), "spike_time_tiling", options={"window": 5e-3})
    for i in range(3):
        for j in range(3):
            wanted = spike_time_tiling_coefficient(trains[i], trains[j], dt=5.5 * pq.ms)
            assert float(found[i, j]) == pytest.approx(wanted, abs=2e-3)


def test_tiling_and_corrected_correlograms_of_independent_units_are_zero_and_delays_are_found():
    rate = 30 * (1 + np.sin(np.arange(1000) * DT * 2 * np.pi * 3))
    values = poisson((4, 30, 1000, 3), rate[:, None], 4)
    values[:, :, :, 2] = np.roll(values[:, :, :, 0], 7, axis=2)
    trains = binned(values)
    found = cross_correlogram(trains, reach=20e-3)
    assert abs(float(found[0, 1].mean())) < 1.0
    assert float(cross_correlogram(trains, reach=20e-3, correct=False)[0, 1].mean()) > 30
    assert float(found.lag[int(found[0, 2].argmax())]) == pytest.approx(7e-3)
    steady = binned(poisson((1, 50, 1000, 2), 30, 8))
    assert abs(float(synchrony(steady, "spike_time_tiling")[0, 1])) < 0.02


def test_invariance_is_told_from_its_absence():
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(4, 1, 1, 30))
    own = rng.normal(size=(4, 3, 1, 30))
    labels = {"object": ("stimulus", np.repeat(np.arange(4), 3)), "place": ("stimulus", np.tile(np.arange(3), 4))}

    def trials(patterns):
        noisy = patterns + 0.5 * rng.normal(size=(4, 3, 6, 30))
        return as_responses(noisy.reshape(12, 6, 30), dims=("stimulus", "trial", "unit"), coords=labels)

    same = generalise(trials(shape), "object", "place", n_orders=2, progress=False)
    other = generalise(trials(own), "object", "place", n_orders=2, progress=False)
    assert float(same.other) > 0.95
    assert float(other.same) > 0.95
    assert abs(float(other.other) - 0.25) < 0.2
    with pytest.raises(InputError, match="combinations were not shown"):
        generalise(trials(shape).isel(stimulus=slice(0, 11)), "object", "place", progress=False)


def test_md_star_is_one_for_the_neuron_itself_and_chance_for_poisson():
    rng = np.random.default_rng(0)
    times = np.flatnonzero(rng.random(20_000) < 0.01)
    jittered = np.zeros((1, 40, 20_000, 1))
    for trial in range(40):
        at = np.clip(times + np.rint(rng.normal(0, 2, len(times))).astype(int), 0, 19_999)
        jittered[0, trial, at[rng.random(len(at)) < 0.9], 0] = 1
    whole = binned(jittered)
    one, other = whole.isel(trial=slice(0, 20)), whole.isel(trial=slice(20, 40))
    twin = coincidence(one, other, tolerance=4e-3)
    assert float(twin.md_star[0]) == pytest.approx(1, abs=0.02)
    assert float(twin.interval[0, 0]) - 0.02 < 1.0 < float(twin.interval[0, 1]) + 0.02
    unrelated = coincidence(one, binned(poisson((1, 40, 20_000, 1), 9.0, 9)), tolerance=4e-3)
    assert float(unrelated.md_star[0]) == pytest.approx(float(unrelated.chance[0]), rel=0.15)
    with pytest.raises(InputError, match="reliability cannot be known from one"):
        coincidence(one.isel(trial=[0]), other)
