"""Decoding and variability: theorems, scikit-learn, and a published recording."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from neurosim.recordings.datasets import load_dataset
from neurosim.registry import NoOptions
from neurosim.responses.averages import rebin
from neurosim.responses.cross_validation import variance_of_training
from neurosim.responses.decoders import DECODERS
from neurosim.responses.decoding import decode, generalise
from neurosim.responses.variability import fano_factor, interval_variability, noise_correlation, psth
from neurosim.schema import InputError, as_responses
from neurosim.similarity.rdms import compute_rdm


def population(seed, signal=1.0, n_stimuli=6, n_trials=8, n_times=4, n_units=15):
    """Responses that tell the stimuli apart in the second half of the time only."""
    rng = np.random.default_rng(seed)
    on = (np.arange(n_times) >= n_times // 2)[:, None]
    values = signal * rng.normal(size=(n_stimuli, 1, 1, n_units)) * on
    values = values + rng.normal(size=(n_stimuli, n_trials, n_times, n_units))
    responses = as_responses(values, time_step=0.1)
    return responses.assign_coords(kind=("stimulus", ["a", "b", "c"] * (n_stimuli // 3)))


def test_accuracy_is_at_chance_without_signal_and_high_with_it():
    found = [decode(population(s, signal=0.0).isel(time=0, drop=True), n_orders=2).accuracy for s in range(60)]
    assert abs(np.mean(found) - 1 / 6) < 4 * np.std(found) / np.sqrt(60)
    strong = decode(population(0, signal=2.0))
    assert strong.accuracy.dims == ("time",)
    assert (strong.accuracy.values[:2] < 0.5).all()
    assert (strong.accuracy.values[2:] > 0.9).all()


def test_generalisation_across_time_has_the_time_course_on_its_diagonal():
    responses = population(0, signal=1.5)
    matrix = decode(responses, "kind", hold_out="trial", across_time=True, n_orders=2).accuracy
    np.testing.assert_allclose(np.diagonal(matrix), decode(responses, "kind", hold_out="trial", n_orders=2).accuracy)
    assert float(matrix[2, 3]) > 0.6 > float(matrix[2, 0])


def test_any_classifier_of_scikit_learn_can_be_used():
    responses = population(1, signal=1.5).isel(time=3, drop=True)
    found = decode(responses, "kind", hold_out="trial", folds=4, decoder=LogisticRegression(), n_orders=1)
    assert float(found.accuracy) > 0.7
    assert float(found.chance) == pytest.approx(1 / 3)
    again = decode(responses, "kind", hold_out="trial", folds=4, decoder=LogisticRegression(), n_orders=1)
    assert float(again.accuracy) == float(found.accuracy)


def test_objects_are_decoded_from_macaque_inferior_temporal_cortex(data_folder):
    """Chance before onset, about 0.92 from 100 to 500 ms after it, as published."""
    spikes = load_dataset("zhang2011_it").responses["IT"]
    assert spikes.sizes == {"stimulus": 21, "trial": 19, "time": 1000, "unit": 132}
    late = spikes.sel(time=slice(0.1, 0.4995)).sum("time", keep_attrs=True)
    early = spikes.sel(time=slice(-0.4, -0.0005)).sum("time", keep_attrs=True)
    assert float(decode(late, "object", hold_out="trial").accuracy) == pytest.approx(0.92, abs=0.03)
    before = decode(early, "object", hold_out="trial")
    assert abs(float(before.accuracy) - 1 / 7) < 4 * float(before.standard_error)
    course = compute_rdm(rebin(spikes, 0.1), "crossnobis")
    strength = course.mean(("stimulus", "stimulus_other")).values
    assert strength[6:9].min() > 5 * np.abs(strength[:5]).max()


@pytest.mark.data
def test_macaque_neurons_know_objects_at_positions_that_were_not_trained_and_at_other_times(data_folder):
    spikes = rebin(load_dataset("zhang2011_it").responses["IT"], 0.1)
    moved = generalise(spikes.sel(time=slice(0.1, 0.45)), "object", "position", folds=4, n_orders=1, progress=False)
    assert float(moved.other) > 0.6
    assert float(moved.same) > float(moved.other) + 2 * float(moved.same_standard_error)
    middle = spikes.isel(stimulus=np.flatnonzero(spikes.position.values == "middle"))
    matrix = decode(middle, "object", across_time=True, folds=4, n_orders=1, progress=False).accuracy
    assert float(matrix.sel(time=0.2, time_test=0.3, method="nearest")) > 0.6
    assert float(matrix.sel(time=0.2, time_test=-0.3, method="nearest")) < 0.3


def counts(seed, rate=5.0, shape=(20, 30, 3)):
    values = np.random.default_rng(seed).poisson(rate, size=shape)
    return as_responses(values, dims=("stimulus", "trial", "unit"), quantity="spike_count")


def test_fano_factor_of_poisson_counts_is_one_and_of_doubled_counts_two():
    assert np.abs(fano_factor(counts(0)).values - 1).max() < 0.15
    np.testing.assert_allclose(fano_factor(counts(0) * 2).values, 2 * fano_factor(counts(0)).values)


def test_noise_correlation_ignores_the_signal_and_finds_common_noise():
    rng = np.random.default_rng(0)
    signal, common = 10 * rng.normal(size=(30, 1, 1)), rng.normal(size=(30, 50, 1))
    responses = as_responses(signal + common + rng.normal(size=(30, 50, 2)), dims=("stimulus", "trial", "unit"))
    found = noise_correlation(responses).values
    assert found[0, 1] == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(np.diagonal(found), 1)


def test_intervals_of_a_poisson_process_have_a_variability_of_one_and_of_a_clock_zero():
    rng = np.random.default_rng(0)
    spikes = (rng.random((1, 4, 20_000, 1)) < 0.01).astype(float)
    found = interval_variability(as_responses(spikes, quantity="spike_count", time_step=1e-3))
    assert float(found.cv[0]) == pytest.approx(1, abs=0.1)
    assert float(found.lv[0]) == pytest.approx(1, abs=0.1)
    slow = np.linspace(0.002, 0.02, 20_000)[None, None, :, None]
    ramp = (rng.random((1, 4, 20_000, 1)) < slow).astype(float)
    changing = interval_variability(as_responses(ramp, quantity="spike_count", time_step=1e-3))
    assert float(changing.cv[0]) > float(changing.lv[0]) + 0.05


def test_units_with_too_few_intervals_are_named_in_the_log(caplog):
    silent = as_responses(np.zeros((1, 10, 2)), quantity="spike_count", time_step=1e-3)
    assert (interval_variability(silent).n_intervals == 0).all()
    assert "2 of 2 units have too few intervals" in caplog.text


def test_psth_recovers_the_rate_and_its_interval_covers_it():
    rate = 40 + 30 * np.sin(np.linspace(0, 6, 200))
    inside = []
    for seed in range(20):
        spikes = np.random.default_rng(seed).poisson(rate * 1e-3, size=(1, 40, 200)).astype(float)[..., None]
        found = psth(as_responses(spikes, quantity="spike_count", time_step=1e-3), bandwidth=5e-3)
        low, high = found.interval.values[0, :, 0].T
        inside.append(((low <= rate) & (rate <= high))[20:180].mean())
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda r: decode(r, "kinds"), "Did you mean 'kind'"),
        (lambda r: decode(r.isel(trial=0)), "at least 2 trials"),
        (lambda r: decode(r, folds=9), "give 2 to 8"),
        (lambda r: decode(r.isel(time=0), across_time=True), "'time' dim"),
        (lambda r: decode(r.isel(stimulus=[0, 3]), "kind"), "nothing to decode"),
        (psth, "needs spike counts"),
        (lambda r: fano_factor(counts(0) * 0), "never spike"),
        (lambda r: fano_factor(counts(0).isel(trial=[0])), "at least 2 trials"),
        (noise_correlation, "sum over time first"),
        (lambda r: noise_correlation(counts(0) * 0), "do not vary over trials"),
        (lambda r: interval_variability(counts(0)), "needs dims time"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(population(0))


def test_the_default_decoder_looks_at_the_shape_of_a_pattern_and_not_at_its_level():
    classes = np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 4.5]])
    predict = DECODERS["correlation"].fit(classes, np.array([0, 1]), NoOptions())
    tested = np.array([[10.0, 10.1, 10.2], [0.2, 0.2, 0.1], [0.1, 0.2, 0.3]])
    wanted = [np.argmax([np.corrcoef(t, c)[0, 1] for c in classes]) for t in tested]
    assert predict(tested).tolist() == wanted == [0, 1, 0]


def test_training_adds_the_variance_of_its_folds_and_not_what_tests_change_by_chance():
    """Folds of training and tests that add up: the mean of the estimate is what leaving folds out says of the first."""
    rng = np.random.default_rng(0)
    folds, n, n_tests, spread, draws = 5, 2, 40, 0.4, 300
    level, labels = np.repeat([0, 1], n_tests // 2), np.tile(np.arange(4), n_tests // 4)
    found = np.empty((draws, n * n + 2))
    for k in range(draws):
        of_fold = spread * rng.normal(size=(folds, n, 1))
        right = of_fold + rng.normal(size=(folds, 1, n_tests)) + rng.normal(size=(folds, n, n_tests))
        found[k] = variance_of_training(right, labels, level)
    cell = (folds - 1) ** 2 / folds * spread**2
    wanted = np.array([0, cell, cell, 0, 0, cell / 2])
    error = found.std(0) / np.sqrt(draws)
    assert (np.abs(found.mean(0) - wanted) <= 4 * error + 0.02 * wanted).all()
