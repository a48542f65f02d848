"""What is asked for is right or refused in one line: options that are numbers, labels of which some are missing."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurosim as ns
from neurosim.refusals import check_number
from neurosim.schema import InputError, SchemaError, as_responses, as_stimuli

R = ns.responses
X = as_responses(np.random.default_rng(0).poisson(2, (6, 4, 12, 3)), quantity="spike_count", time_step=1e-2)
STILL = R.over_time(X)
LABELLED = STILL.assign_coords(o=("stimulus", np.arange(6.0)), category=("stimulus", list("ababab")))
ONE = X.isel(trial=0)

ASKED = {
    "n_clusters = 2.5": lambda: R.cluster_stimuli(STILL, 2.5),
    "n_components = 0": lambda: R.embed_stimuli(STILL, n_components=0),
    "cross_validated_pca: n = 0": lambda: R.cross_validated_pca(STILL, n=0),
    "cross_validated_pca: n = 2.5": lambda: R.cross_validated_pca(STILL, n=2.5),
    "decode: n_orders = 0": lambda: R.decode(STILL, n_orders=0),
    "decode: n_permutations = -1": lambda: R.decode(STILL, n_permutations=-1),
    "decode: folds = 2.5": lambda: R.decode(STILL, folds=2.5),
    "generalise: n_orders = 0": lambda: R.generalise(LABELLED, "category", "o", n_orders=0),
    "sparseness: no dim 'trial'": lambda: R.sparseness(STILL, along="trial"),
    "signal_to_noise: alpha": lambda: R.signal_to_noise(STILL[:2], alpha=0),
    "split_half_reliability: alpha": lambda: R.split_half_reliability(STILL, alpha=1),
    "split_half_reliability: n = True": lambda: R.split_half_reliability(STILL, n=True),
    "select_reliable: ceiling = 2": lambda: R.select_reliable(STILL, ceiling=2),
    "psth: alpha": lambda: R.psth(X, alpha=2),
    "psth: bandwidth = nan": lambda: R.psth(X, bandwidth=np.nan),
    "tuning_curve: alpha": lambda: R.tuning_curve(LABELLED, "o", alpha=-1),
    "fit_tuning: alpha = 2": lambda: R.fit_tuning(R.tuning_curve(LABELLED, "o"), "gaussian", alpha=2),
    "signal_correlation: n = 0": lambda: R.signal_correlation(STILL, n=0),
    "burst_statistics: n_spikes = 2.5": lambda: R.burst_statistics(X, n_spikes=2.5),
    "first_spike_latency: after = nan": lambda: R.first_spike_latency(X, after=np.nan),
    "cross_correlogram: reach = None": lambda: R.cross_correlogram(X, reach=None),
    "firing_rate: bandwidth = 'wide'": lambda: R.firing_rate(X, bandwidth="wide"),
    "spike_time_f1: tolerance = -1": lambda: R.spike_time_f1(ONE, ONE, tolerance=-1),
    "coincidence: n_bootstrap = 0": lambda: R.coincidence(X, X, n_bootstrap=0),
    "coincidence_rate: tolerance = inf": lambda: R.coincidence_rate(ONE, X, tolerance=np.inf),
    "synchrony: window = -1": lambda: R.synchrony(X, "spike_time_tiling", options={"window": -1}),
    "fano_factor: spike counts are not negative": lambda: R.fano_factor(-X),
    "patterns of one unit have no correlation": lambda: R.decode(STILL.isel(unit=[0]), progress=False),
}


@pytest.mark.parametrize("said", ASKED)
def test_numbers_that_say_nothing_are_refused_by_name(said):
    with pytest.raises(InputError, match=said):
        ASKED[said]()


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none(), st.booleans()))
def test_a_number_is_finite_within_its_ends_and_whole_where_asked(value):
    number = isinstance(value, int | float) and not isinstance(value, bool)
    right = number and 0 <= value <= 5 and float(value).is_integer()
    try:
        check_number(value, "here", "n", 0, 5, whole=True)
    except InputError as error:
        assert not right and str(error).startswith("here: n = ")
    else:
        assert right


@pytest.mark.parametrize("missing", [None, np.nan, np.datetime64("NaT")])
def test_a_label_without_a_value_for_some_stimuli_is_refused_by_every_door(missing):
    values = np.array([0, 1, 0, 1, 0, missing], dtype=object)
    x = STILL.assign_coords(category=("stimulus", values), place=("stimulus", [0, 0, 0, 1, 1, 1]))
    for of in (
        lambda: R.decode(x, "category"),
        lambda: R.generalise(x, "place", "category"),
        lambda: R.cluster_stimuli(x, 2),
        lambda: R.separation(R.average_trials(x)),
        lambda: R.tuning_curve(x, "category"),
    ):
        with pytest.raises(SchemaError, match="1 of 6 values of the label 'category' are missing"):
            of()
    mixed = STILL.assign_coords(category=("stimulus", np.array(["a", 1, "a", 1, "a", 1], dtype=object)))
    with pytest.raises(SchemaError, match="holds words and numbers"):
        R.decode(mixed, "category")


def test_numbers_of_16_bits_are_summed_in_32():
    """20000 is a number of 16 bits, twice that is infinite there; small sums are exact."""
    half = X.astype(np.float16) * np.float16(0) + np.float16(20000)
    assert float(R.over_time(half).max()) == 240000 and float(R.rebin(half, 2e-2).max()) == 40000
    assert float(R.average_trials(half).max()) == 20000
    np.testing.assert_array_equal(R.over_time(X.astype(np.float16)), STILL)
    assert {as_responses(half).dtype, as_stimuli(np.ones((2, 3), np.float16)).dtype} == {np.dtype(np.float32)}
    far = np.random.default_rng(1).normal(size=(9, 50, 4)) + np.arange(9)[:, None, None]
    near, moved = (as_responses((far + b).astype(np.float32), dims=STILL.dims) for b in (0, 1e4))
    shares = [R.embed_stimuli(x).explained_variance.values for x in (near, moved)]
    np.testing.assert_allclose(*shares, rtol=1e-5)


def test_tiling_is_the_same_backwards_in_time():
    """A window at the first or last bin ends with the recording, half a bin after the middle of that bin."""
    trains = np.zeros((1, 60, 2))
    trains[0, [0, 13, 27, 33, 36, 38], 0] = trains[0, [19, 32, 33, 42, 44, 52, 57], 1] = 1
    for values in (trains, trains[:, ::-1]):
        x = as_responses(values, quantity="spike_count", time_step=1e-3)
        found = R.synchrony(x, "spike_time_tiling", options={"window": 2e-3}).values[0, 1]
        near = [np.convolve(t, np.ones(5), "same") > 0 for t in values[0].T]
        shares = [near[1 - i][values[0, :, i] > 0].mean() for i in (0, 1)]
        cover = [n.mean() for n in near]
        terms = [(p - c) / (1 - p * c) for p, c in zip(shares, cover[::-1], strict=True)]
        assert found == pytest.approx(np.mean(terms), rel=1e-9)


def test_coincidence_counts_the_pairs_of_trials_that_are_there():
    """A missing trial gives what leaving it out gives; a silent unit is NaN and leaves the other alone."""
    trains = (np.random.default_rng(2).random((2, 5, 80, 2)) < 0.1).astype(float)
    model = (np.random.default_rng(3).random((2, 3, 80, 2)) < 0.1).astype(float)
    data, predicted = (as_responses(x, quantity="spike_count", time_step=1e-3) for x in (trains, model))
    shorter, fewer = R.coincidence(data[:, :4], predicted[:, :2], n_bootstrap=2), (trains.copy(), model.copy())
    fewer[0][:, 4], fewer[1][:, 2] = np.nan, np.nan
    lacking = [as_responses(x, quantity="spike_count", time_step=1e-3) for x in fewer]
    found = R.coincidence(*lacking, n_bootstrap=2)
    for name in ("md_star", "reliability", "chance"):
        np.testing.assert_allclose(found[name], shorter[name], rtol=1e-12)
    np.testing.assert_allclose(
        R.coincidence_rate(data[:, 0], lacking[1]), R.coincidence_rate(data[:, 0], predicted[:, :2]), rtol=1e-12
    )
    one = R.coincidence(data[1:], predicted[1:], n_bootstrap=2).md_star
    fewer[0][0, 1:], fewer[0][1], fewer[1][1] = np.nan, trains[1], model[1]
    lacking = [as_responses(x, quantity="spike_count", time_step=1e-3) for x in fewer]
    np.testing.assert_allclose(R.coincidence(*lacking, n_bootstrap=2).md_star, one, rtol=1e-12)
    fewer[0][:], fewer[1][0, 1:] = trains, np.nan
    lacking = [as_responses(x, quantity="spike_count", time_step=1e-3) for x in fewer]
    np.testing.assert_allclose(R.coincidence(*lacking, n_bootstrap=2).md_star, one, rtol=1e-12)
    silent = data * np.array([1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = R.coincidence(silent, predicted * np.array([1, 0]), n_bootstrap=50)
    assert np.isnan(found.md_star).values.tolist() == [False, True] and np.isnan(found.interval.values[1]).all()
    np.testing.assert_array_equal(found.interval.values[0], R.coincidence(data, predicted, n_bootstrap=50).interval[0])


def test_noise_correlations_are_nan_for_a_unit_without_two_trials_of_a_stimulus():
    values = np.random.default_rng(4).normal(size=(20, 4, 3))
    kept = R.noise_correlation(as_responses(values[..., [0, 2]], dims=STILL.dims)).values
    for lost in (slice(1, None), slice(None)):
        values[:, lost, 1] = np.nan
        found = R.noise_correlation(as_responses(values, dims=STILL.dims)).values
        assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
        np.testing.assert_allclose(found[np.ix_([0, 2], [0, 2])], kept, rtol=1e-12)
    values[..., 1] = 0.0
    with pytest.raises(InputError, match="1 units do not vary"):
        R.noise_correlation(as_responses(values, dims=STILL.dims))
