"""Receptive fields of spike trains: the filter of a known model is recovered, and so are published averages."""

import numpy as np
import pytest

from neurosim.biophysics.fitting.driven import fit_driven
from neurosim.biophysics.fitting.receptive_field import PoissonModel, fit_poisson, spike_triggered_average
from neurosim.recordings.datasets import load_dataset
from neurosim.responses.averages import rebin
from neurosim.responses.spike_matching import coincidence_rate
from neurosim.schema import InputError, as_stimuli

DT = 1e-3
FILTER = np.exp(-np.arange(20) / 5) * np.sin(np.arange(20) / 3)


def noise(seed=0, shape=(2, 30_000)):
    return as_stimuli(np.random.default_rng(seed).normal(size=shape), dims=("stimulus", "time"), time_step=DT)


@pytest.mark.parametrize("history", [False, True])
def test_the_filters_of_a_known_model_are_recovered_and_simulate_its_rate(history):
    after = np.array([-8.0, -4, -2, -1, -0.5, 0, 0, 0, 0, 0]) if history else np.empty(0)
    truth = PoissonModel(FILTER, after, np.log(30), DT, 0.0)
    stimuli = noise()
    spikes = truth.simulate(stimuli, rng=1).isel(trial=0)
    found = fit_poisson(stimuli, spikes, reach=20e-3, history=10e-3 if history else 0.0, n_basis=8)
    assert np.corrcoef(found.stimulus_filter, FILTER)[0, 1] > 0.98
    assert found.bias == pytest.approx(truth.bias, abs=0.1)
    assert found.bits_per_spike > 0.5
    again = found.simulate(noise(5), trials=4, rng=2)
    assert float(again.mean()) == pytest.approx(float(truth.simulate(noise(5), trials=4, rng=3).mean()), rel=0.05)
    if history:
        intervals = np.concatenate([np.diff(np.flatnonzero(t)) for t in again.values[..., 0].reshape(-1, 30_000)])
        assert (intervals == 1).mean() < 0.005


def test_the_average_before_spikes_is_proportional_to_the_filter_in_gaussian_noise():
    """Bussgang: for any nonlinearity, the spike-triggered average of white Gaussian noise is the filter."""
    stimuli = noise(3)
    spikes = PoissonModel(FILTER, np.empty(0), np.log(30), DT, 0.0).simulate(stimuli, rng=4).isel(trial=0)
    found = spike_triggered_average(stimuli, spikes, window=(-19e-3, 5e-3)).isel(stimulus=0, unit=0)
    before = found.average.values[:20][::-1]
    slope = (before @ FILTER) / (FILTER @ FILTER)
    z = (found.average.values - np.append(slope * FILTER[::-1], np.zeros(5))) / found.standard_error.values
    assert np.sqrt((z**2).mean()) < 1.6
    with pytest.raises(InputError, match="bring both to one clock"):
        spike_triggered_average(stimuli.isel(time=slice(0, 100)), spikes)


@pytest.mark.data
def test_the_grasshopper_receptor_is_driven_by_the_sound_six_milliseconds_ago(data_folder):
    """6.05 and 6.95 ms: the published numbers of the data manifest."""
    recorded = load_dataset("rokem2006")
    found = spike_triggered_average(recorded.stimuli, recorded.responses["receptor"])
    np.testing.assert_allclose(found.peak_lag.values.ravel(), [-6.05e-3, -6.95e-3], atol=1e-9)


@pytest.mark.data
def test_a_spiking_neuron_predicts_the_receptor_better_than_a_rate_model(data_folder):
    """Fitted to the first half of a stimulus, tested on the second, run in Brian2."""
    recorded, step = load_dataset("rokem2006"), 2e-4
    spikes = rebin(recorded.responses["receptor"], step).isel(stimulus=[0])
    sound = recorded.stimuli.isel(stimulus=[0]).coarsen(time=4).mean().assign_attrs(time_step=step)
    first, second = {"time": slice(0, 25_000)}, {"time": slice(25_000, 50_000)}
    neuron = fit_driven(sound.isel(first), spikes.isel(first), delays=(6e-3, 6.5e-3), time_constants=(5e-4, 1e-3))
    rate = fit_poisson(sound.isel(first), spikes.isel(first), reach=20e-3)
    drawn = neuron.simulate(sound.isel(second), trials=10, engine="brian2", progress=False)
    spiking = float(coincidence_rate(spikes.isel(second), drawn))
    poisson = float(coincidence_rate(spikes.isel(second), rate.simulate(sound.isel(second), trials=10)))
    assert spiking > 0.4
    assert poisson < 0.2
    with pytest.raises(InputError, match="steps of at most"):
        fit_driven(sound, spikes, refractory=1e-4)
