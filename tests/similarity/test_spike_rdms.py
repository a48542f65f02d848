"""Distances of spike trains: PySpike and Elephant agree, limits are known, cross-validation is unbiased."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neurosim.schema import InputError, as_responses
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.spike_distance import SPIKE_DISTANCES
from neurosim.similarity.spike_distances.isi import isi_distance
from neurosim.similarity.spike_distances.spike import spike_distance
from neurosim.similarity.spike_distances.van_rossum import van_rossum_gram
from neurosim.similarity.spike_distances.victor_purpura import victor_purpura
from neurosim.similarity.spike_rdms import spike_rdm


def poisson_trains(seed, n=6, rate=20.0, duration=1.0):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, duration, rng.poisson(rate * duration))) for _ in range(n)]


def nested(seed, n_stimuli=4, n_trials=3, n_units=2, **options):
    flat = iter(poisson_trains(seed, n_stimuli * n_trials * n_units, **options))
    return [[[next(flat) for _ in range(n_units)] for _ in range(n_trials)] for _ in range(n_stimuli)]


@pytest.mark.parametrize("name", ["PySpike_testdata.txt", "SPIKE_Sync_Test.txt"])
def test_isi_and_spike_distance_equal_the_pyspike_vectors(data_folder, name):
    folder = data_folder / "pyspike_vectors"
    lines = (folder / name).read_text().splitlines()
    trains = [np.array(line.split(), dtype=float) for line in lines if line.strip() and not line.startswith("#")]
    reference = json.loads((folder / "pyspike_reference.json").read_text())[name]
    start, stop = reference["edges"]
    np.testing.assert_allclose(isi_distance(trains, (start, stop)), reference["isi_matrix"], atol=1e-12)
    np.testing.assert_allclose(spike_distance(trains, (start, stop)), reference["spike_matrix"], atol=1e-12)
    if name == "PySpike_testdata.txt":
        means = [upper(k(trains, (0.0, 4000.0))).mean() for k in (isi_distance, spike_distance)]
        np.testing.assert_allclose(means, [0.17051816816999124, 0.25188056475463755], atol=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("tau", [2e-3, 20e-3, 0.5])
def test_van_rossum_and_victor_purpura_equal_elephant(tau):
    pytest.importorskip("elephant")
    import neo
    import quantities as pq
    from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance

    trains = [*poisson_trains(0), np.array([]), np.array([0.5]), poisson_trains(0)[0]]
    theirs = [neo.SpikeTrain(t * pq.s, t_stop=1 * pq.s) for t in trains]
    gram = van_rossum_gram(trains, np.array([tau]))[0]
    own = np.diagonal(gram)
    wanted = van_rossum_distance(theirs, time_constant=tau * pq.s)
    np.testing.assert_allclose(own[:, None] + own - 2 * gram, wanted**2, atol=1e-9)
    wanted = victor_purpura_distance(theirs, cost_factor=1 / tau * pq.Hz)
    np.testing.assert_allclose(victor_purpura(trains, np.array([1 / tau]))[0], wanted, atol=1e-9)


def test_van_rossum_gram_equals_the_double_sum_with_coincidences_and_long_silences():
    trains = [np.array([0.0, 1.0, 1.0, 900.0]), np.array([1.0, 2.0]), np.array([900.5])]
    for tau in (1e-3, 0.3, 50.0):
        wanted = [[np.exp(-np.abs(a[:, None] - b) / tau).sum() for b in trains] for a in trains]
        np.testing.assert_allclose(van_rossum_gram(trains, np.array([tau]))[0], wanted, rtol=1e-10)


def test_victor_purpura_counts_spikes_when_moving_is_free_and_coincidences_when_it_is_dear():
    trains = poisson_trains(1)
    n = np.array([len(t) for t in trains])
    free, dear = victor_purpura(trains, np.array([0.0, 1e9]))
    np.testing.assert_allclose(free, np.abs(n[:, None] - n), atol=1e-12)
    np.testing.assert_allclose(upper(dear), upper(n[:, None] + n), atol=1e-12)


def test_van_rossum_tends_to_counts_for_long_time_constants():
    spikes = nested(0)
    slow = spike_rdm(spikes, "van_rossum", time_constant=1e7)
    np.testing.assert_allclose(slow.values, spike_rdm(spikes, "counts").values, rtol=1e-4)


@pytest.mark.parametrize("metric", SPIKE_DISTANCES)
def test_equal_trains_are_at_distance_zero_and_the_order_of_units_is_free(metric):
    spikes = [[t] for t in [poisson_trains(0, 2)] * 2 + [poisson_trains(1, 2)]]
    rdm = spike_rdm(spikes, metric, duration=1.0)
    assert rdm.values[0, 1] == pytest.approx(0, abs=1e-10)
    assert rdm.values[0, 2] > 0.01 or metric == "counts"
    swapped = [[row[0][::-1]] for row in spikes]
    np.testing.assert_allclose(spike_rdm(swapped, metric, duration=1.0).values, rdm.values, atol=1e-12)


def test_crossvalidated_counts_equal_crossnobis_of_counts():
    spikes = nested(3)
    counts = np.array([[[len(u) for u in trial] for trial in stimulus] for stimulus in spikes])
    wanted = compute_rdm(as_responses(counts, dims=("stimulus", "trial", "unit")), "crossnobis")
    np.testing.assert_allclose(spike_rdm(spikes, "counts", crossvalidated=True).values, wanted.values, atol=1e-10)


def test_a_sweep_of_time_constants_is_a_dim_and_bins_are_spikes_in_their_middle():
    counts = np.random.default_rng(0).poisson(0.2, size=(4, 50, 3))
    binned = as_responses(
        counts, dims=("stimulus", "time", "unit"), stimuli=list("abcd"), quantity="spike_count", time_step=1e-3
    )
    taus = [1e-3, 10e-3]
    found = spike_rdm(binned, time_constant=taus)
    assert found.dims == ("time_constant", "stimulus", "stimulus_other")
    assert found.stimulus.values.tolist() == list("abcd")
    middle = (np.arange(50) + 0.5) * 1e-3
    ragged = [[np.repeat(middle, counts[s, :, u]) for u in range(3)] for s in range(4)]
    np.testing.assert_allclose(found.values, spike_rdm(ragged, time_constant=taus).values, atol=1e-12)
    np.testing.assert_allclose(found.values[1], spike_rdm(ragged, time_constant=10e-3).values, atol=1e-12)


def test_summed_population_pools_the_spikes_of_all_units():
    spikes = nested(0, n_trials=1)
    pooled = [[np.sort(np.concatenate(trial)) for trial in stimulus] for stimulus in spikes]
    found = spike_rdm(spikes, population="summed", time_constant=0.05)
    np.testing.assert_allclose(found.values, spike_rdm(pooled, time_constant=0.05).values, atol=1e-12)


class Monitor:
    """Has a length and no order, as the spike monitors of a simulator."""

    def __len__(self):
        return 3

    def __getitem__(self, name):
        raise KeyError(name)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: spike_rdm(nested(0), "van_rosum"), "Did you mean 'van_rossum'"),
        (lambda: spike_rdm(nested(0), population="sum"), "Did you mean 'summed'"),
        (lambda: spike_rdm(nested(0), "victor_purpura", crossvalidated=True), "no squared norm"),
        (lambda: spike_rdm(nested(0, n_trials=1), crossvalidated=True), "at least 2 trials"),
        (lambda: spike_rdm(nested(0), time_constant=0.0), "above 0 s"),
        (lambda: spike_rdm([[[0.1, np.nan]], [[0.2]], [[0.3]]]), "not finite"),
        (lambda: spike_rdm([[[-0.1]], [[0.2]], [[0.3]]]), "negative"),
        (lambda: spike_rdm([[[0.1], [0.2]], [[0.2]], [[0.3]]]), "as many trials"),
        (lambda: spike_rdm([0.1, 0.2]), "needs spikes"),
        (lambda: spike_rdm(Monitor()), "^spike_rdm: needs nested lists of spike times, .* found a Monitor"),
        (lambda: spike_rdm([[{0.1}, {0.2}], [{0.1}, {0.2}], [{0.1}, {0.2}]]), "each a list of times"),
        (lambda: spike_rdm({"a": [[0.1]]}), "found a dict"),
        (lambda: spike_rdm([[0.1, 0.2], [0.3]]), "each a list of times"),
        (lambda: spike_rdm([[[]], [[]], [[]]], "isi"), "no spike at all"),
        (lambda: spike_rdm([[[0.1]], [[0.2]], [[]]], "isi", duration=-1), "duration is above 0 s"),
        (lambda: spike_rdm([[[0.1]], [[0.2]], [[0.9]]], "spike", duration=0.5), "beyond the duration"),
        (lambda: spike_rdm(xr.DataArray(np.ones((3, 4)), dims=("stimulus", "unit"))), "need a 'time' dim"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises((InputError, TypeError), match=words):
        act()


def test_silence_is_at_distance_zero_from_silence():
    spikes = [[[]], [[]], [[0.2]]]
    for metric in ("van_rossum", "victor_purpura", "counts"):
        rdm = spike_rdm(spikes, metric).values
        assert rdm[0, 1] == 0
        assert rdm[0, 2] == pytest.approx(1)


TIMES = [[[0.1, 0.2]], [[0.15]], [[0.3, 0.5]]]


def test_spike_times_are_the_same_whatever_holds_them():
    wanted = spike_rdm(TIMES, time_constant=[0.01, 0.1], progress=False).values
    tensors = [[torch.tensor(unit) for unit in stimulus] for stimulus in TIMES]
    found = spike_rdm(tensors, time_constant=torch.tensor([0.01, 0.1], dtype=torch.float64), progress=False)
    np.testing.assert_allclose(found.values, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("spikes", "options", "words"),
    [
        (np.ones((3, 2, 4)), {}, "times or counts"),
        (torch.ones(3, 2, 4), {}, "times or counts"),
        (pd.DataFrame(np.ones((3, 4))), {}, "times or counts|found a DataFrame"),
        ({"a": [0.1]}, {}, "found a dict"),
        (5, {}, "found a int"),
        ([[[0.1j]], [[0.2]], [[0.3]]], {}, "complex"),
        ([[["a"]], [[0.2]], [[0.3]]], {}, "numbers asked"),
        (TIMES, {"time_constant": []}, "above 0 s"),
        (TIMES, {"time_constant": [[0.1, 0.2]]}, "above 0 s"),
        (TIMES, {"time_constant": 0.1j}, "complex"),
        (TIMES, {"time_constant": "slow"}, "numbers asked"),
        (TIMES, {"metric": "isi", "duration": "1"}, "above 0 s"),
    ],
)
def test_what_is_no_spike_time_is_refused(spikes, options, words):
    with pytest.raises(InputError, match=words) as error:
        spike_rdm(spikes, **options, progress=False)
    assert len(str(error.value).splitlines()) == 1
