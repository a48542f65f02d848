"""Fitting to recordings: known neurons are recovered, real ones keep the properties that the experimenter measured."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from scipy.signal import lfilter

from neurosim.biophysics import AdExParameters, GIFParameters, LIFParameters
from neurosim.biophysics.circuit import Circuit, single_neuron
from neurosim.biophysics.fitting.detection import detect_spikes
from neurosim.biophysics.fitting.electrode import compensate, estimate_electrode
from neurosim.biophysics.fitting.free_running import binned_spikes, likeness
from neurosim.biophysics.fitting.neuron import fit_neuron, predict_spikes
from neurosim.biophysics.fitting.trace import as_trace
from neurosim.biophysics.inputs import Input
from neurosim.biophysics.neurons.adex import MODEL
from neurosim.biophysics.populations import Population
from neurosim.biophysics.simulation import Monitors, simulate
from neurosim.recordings.datasets import load_dataset
from neurosim.responses.spike_matching import coincidence
from neurosim.responses.tuning import fit_tuning, tuning_curve
from neurosim.schema import InputError, SchemaError, as_stimuli, as_sweeps

DT = 1e-4
LIF = LIFParameters(60e-12, 3e-9, -68e-3, v_threshold=-48e-3, v_reset=-60e-3, refractory=4e-3)
ADEX = AdExParameters(60e-12, 3e-9, -68e-3, -50e-3, 2e-3, -30e-3, -60e-3, 80e-3, 1e-9, 20e-12, 4e-3)
GIF = GIFParameters(
    60e-12, 3e-9, -68e-3, g_a=20e-9, eta_2=40e-12, gamma_3=3e-3, coupling=0.5, v_t=-52e-3, v_reset=-58e-3
)


def noisy_current(shape, mean, spread, seed=0):
    left = np.exp(-DT / 3e-3)
    white = np.random.default_rng(seed).normal(size=shape)
    return mean + spread * lfilter([np.sqrt(1 - left**2)], [1, -left], white, axis=-1)


def record(parameters, mean, spread, n_sweeps=20, seconds=1.0):
    """Current clamp of a simulated neuron."""
    current = noisy_current((n_sweeps, round(seconds / DT)), mean, spread)
    shown = as_stimuli(current[..., None], dims=("stimulus", "time", "unit"), time_step=DT)
    found = simulate(
        single_neuron(parameters, DT), shown, monitors=Monitors(membrane=["neuron"]), engine="brian2", progress=False
    )
    voltage = found.membrane_potential.values[..., 0].copy()
    voltage[found.responses.values[..., 0] > 0] = 20e-3
    return as_sweeps(current, voltage, time_step=DT)


def test_electrode_and_passive_neuron_are_recovered_from_noise():
    current = noisy_current(100_000, 0.0, 20e-12)
    left = np.exp(-DT / 20e-3)
    clean = -70e-3 + 400e6 * lfilter([1 - left], [1, -left], current)
    noise = np.cumsum(np.random.default_rng(1).normal(0, 2e-5, len(current)))
    found = estimate_electrode(as_sweeps(current, clean + 30e6 * current + noise, time_step=DT))
    assert found.capacitance == pytest.approx(50e-12, rel=0.05)
    assert found.resistance == pytest.approx(30e6, rel=0.1)
    assert abs(found.input_resistance - 400e6) < max(0.05 * 400e6, 3 * found.standard_error["input_resistance"])
    left_over = compensate(as_sweeps(current, clean + 30e6 * current, time_step=DT), found).voltage.values[0] - clean
    assert left_over.std() < 0.1 * (30e6 * current).std()


@pytest.mark.parametrize("truth", [LIF, ADEX], ids=["lif", "adex"])
def test_neurons_without_noise_are_recovered(truth):
    kind = "lif" if truth is LIF else "adex"
    sweeps = record(truth, 60e-12 if kind == "lif" else 100e-12, 70e-12)
    fitted = fit_neuron(sweeps, kind, threshold=-31e-3, progress=False)
    for name in ("capacitance", "g_leak", "e_leak", "v_reset"):
        assert getattr(fitted.parameters, name) == pytest.approx(getattr(truth, name), rel=0.02)
    for name in ("v_threshold",) if kind == "lif" else ("v_t",):
        assert getattr(fitted.parameters, name) == pytest.approx(getattr(truth, name), abs=0.6e-3)
    if kind == "adex":
        assert fitted.parameters.a == pytest.approx(truth.a, rel=0.1)
        assert fitted.parameters.b == pytest.approx(truth.b, rel=0.1)
    mine, theirs = (
        predict_spikes(fitted, sweeps, engine="brian2", progress=False),
        detect_spikes(sweeps, threshold=-31e-3),
    )
    assert float(mine.sum()) == pytest.approx(float(theirs.sum()), rel=0.1)


def test_candidates_run_free_as_circuits_do():
    """The spikes of many neurons at once are those of each in Brian2, from the beginning of every sweep."""
    sweeps = record(ADEX, 100e-12, 70e-12, n_sweeps=3, seconds=0.8)
    trace = as_trace(sweeps, -31e-3, 4e-3)
    tried = [replace(ADEX, v_t=v_t, v_reset=v_reset) for v_t in (-52e-3, -48e-3) for v_reset in (-62e-3, -58e-3)]
    counts, recorded = binned_spikes(MODEL, [ADEX, *tried], trace)
    assert counts.shape == (5, 3, 800) and recorded.shape == (3, 800)
    assert counts[0].sum() == recorded.sum()
    for neuron, found in zip(tried, counts[1:], strict=True):
        shown = as_stimuli(sweeps["current"].values[..., None], dims=("stimulus", "time", "unit"), time_step=DT)
        alone = simulate(single_neuron(neuron, DT), shown, engine="brian2", progress=False).values[..., 0]
        assert likeness(found[None], alone.reshape(3, 800, 10).sum(2))[0] > 0.97
    agree = likeness(counts, recorded)
    assert agree[0] > 0.95 and agree[0] > agree[1:].max()


def test_the_gif_is_recovered_and_predicts_its_own_spikes():
    sweeps = record(GIF, 90e-12, 80e-12)
    fitted = fit_neuron(sweeps, progress=False)
    assert fitted.quality["explained_variance"] > 0.99
    for name in ("capacitance", "g_leak", "e_leak", "eta_2"):
        assert getattr(fitted.parameters, name) == pytest.approx(getattr(GIF, name), rel=0.1)
    assert fitted.parameters.delta_v == pytest.approx(GIF.delta_v, rel=0.25)
    assert abs(fitted.parameters.eta_1) < 0.1 * GIF.eta_2


def test_escape_rate_of_the_gif_is_the_exponential_of_its_distance_to_threshold():
    """Held far below any reset, the neuron is a Poisson process of rate exp((v - v_t) / delta_v)."""
    quiet = GIFParameters(refractory=0.0, gamma_2=0.0, eta_2=0.0, v_reset=-65e-3, v_t=-65e-3 - 2e-3 * np.log(50))
    population = Population("n", 1000, quiet)
    circuit = Circuit("many", Input(1), (population,), (), dt=DT, step=1e-3)
    silent = as_stimuli(np.zeros((1, 100, 1)), dims=("stimulus", "time", "unit"), time_step=1e-3)
    counts = simulate(circuit, silent, engine="torch", progress=False).values.sum(1).ravel()
    expected = 1000 * 0.1 * 50
    assert scipy.stats.poisson.sf(abs(counts.sum() - expected) + expected, expected) > 1e-3
    assert counts.var() == pytest.approx(counts.mean(), rel=0.3)
    same = simulate(circuit, silent, engine="brian2", progress=False).values.sum(1).ravel()
    np.testing.assert_array_equal(counts, same)


@pytest.mark.data
@pytest.mark.parametrize("cell", ["DRN159", "DRN160", "DRN164"])
def test_capacitance_and_input_resistance_are_those_of_the_experimenter(data_folder, cell):
    sweeps = load_dataset("drn_patch_clamp").sweeps[f"{cell}_aec"]
    found = estimate_electrode(sweeps)
    assert found.capacitance == pytest.approx(sweeps.attrs["capacitance"], rel=0.25)
    assert found.input_resistance == pytest.approx(sweeps.attrs["input_resistance"], rel=0.25)


@pytest.mark.data
@pytest.mark.parametrize("cell", ["DRN164"])
def test_the_fitted_neuron_predicts_held_back_repeats(data_folder, cell):
    """A half minute of one cell, and a quarter of each repeat; analyses/patch_clamp has all of all cells."""
    sweeps = load_dataset("drn_patch_clamp").sweeps
    electrode = estimate_electrode(sweeps[f"{cell}_aec"])
    training = sweeps[f"{cell}_training"].isel(time=slice(0, 300_000))
    fitted = fit_neuron(training, electrode=electrode, progress=False)
    test = compensate(sweeps[f"{cell}_test"], electrode).isel(time=slice(0, 25_000))
    predicted = predict_spikes(fitted, test, trials=40, engine="brian2", progress=False)
    score = coincidence(detect_spikes(test), predicted)
    assert float(score.md_star[0]) >= 0.6
    assert float(score.chance[0]) < 0.2


@pytest.mark.data
def test_spike_counts_of_published_step_currents(data_folder):
    sweeps = load_dataset("bbp_steps").sweeps
    for cell, sweep, n in (("B95", "107", 9), ("B6", "184", 82), ("B8", "148", 75)):
        spikes = detect_spikes(sweeps[cell].sel(sweep=[sweep]), threshold=-20e-3, dead_time=1e-3)
        assert int(spikes.sum()) == n


@pytest.mark.data
def test_published_cells_fire_more_the_more_current_they_get(data_folder):
    """The f-I curve of cell B6 rises from step to step, less and less."""
    sweeps = load_dataset("bbp_steps").sweeps["B6"]
    spikes = detect_spikes(sweeps, threshold=-20e-3, dead_time=1e-3)
    curve = tuning_curve(spikes, "step_current")
    order = np.argsort([float(c.max() - c[0]) for c in sweeps.current.values])
    np.testing.assert_array_equal(np.argsort(spikes.step_current.values), order)
    assert (np.diff(curve.response.values[:, 0]) > 0).all()
    assert float(fit_tuning(curve, "saturating").explained[0]) > 0.99
    line = fit_tuning(curve, "threshold_linear")
    assert 0.8 < float(line.explained[0]) < 0.99
    assert 0 < float(line.threshold[0]) < float(curve.step_current[0])


def test_bad_recordings_are_refused_in_one_line():
    good = as_sweeps(noisy_current(60_000, 0.0, 20e-12), np.full(60_000, -70e-3), time_step=DT)
    with pytest.raises(InputError, match="0 spikes found"):
        fit_neuron(good, progress=False)
    with pytest.raises(InputError, match=r"no neuron 'gifs'.*Did you mean 'gif'"):
        fit_neuron(good, "gifs")
    with pytest.raises(InputError, match="does not rise with the current"):
        estimate_electrode(good)
    with pytest.raises(InputError, match="a current that varies"):
        estimate_electrode(good.isel(time=slice(0, 1000)))
    with pytest.raises(SchemaError, match="SI units: 50 pA is 50e-12"):
        as_sweeps(np.full(10, 50.0), np.zeros(10), time_step=DT)
    with pytest.raises(SchemaError, match="NaN"):
        as_sweeps(np.zeros(10), np.full(10, np.nan), time_step=DT)
    with pytest.raises(InputError, match="random already"):
        Population("n", 1, GIF, noise=1e-3)
