"""Every further way to make an RDM: against rsatoolbox, scikit-learn, definitions and what must not change it."""

import tracemalloc
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from neurosim.schema import InputError, as_responses, as_trials
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.metric import METRICS
from neurosim.similarity.neighbourhoods import searchlights
from neurosim.similarity.noise import noise_precision
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.shrinkage import SHRINKAGES

seeds = st.integers(0, 2**32 - 1)


def trials(seed, n_stimuli=6, n_trials=4, n_units=9, signal=1.0):
    rng = np.random.default_rng(seed)
    truth = signal * rng.normal(size=(n_stimuli, 1, n_units))
    values = truth + rng.normal(size=(n_stimuli, n_trials, n_units)) @ rng.normal(size=(n_units, n_units)) / 3
    return as_responses(values, dims=("stimulus", "trial", "unit"))


def rsa_dataset(responses, measured=None):
    data = pytest.importorskip("rsatoolbox").data
    n_stimuli, n_trials, _ = responses.shape
    stimulus, trial = np.divmod(np.arange(n_stimuli * n_trials), n_trials)
    keep = np.ones(n_stimuli * n_trials, bool) if measured is None else measured.ravel()
    flat = np.asarray(responses.values).reshape(n_stimuli * n_trials, -1)[keep]
    descriptors = {"stimulus": stimulus[keep], "trial": trial[keep]}
    return data.Dataset(flat, obs_descriptors=descriptors)


def theirs(responses, method, **options):
    calc = pytest.importorskip("rsatoolbox").rdm.calc_rdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return calc(rsa_dataset(responses), method=method, descriptor="stimulus", **options).get_matrices()[0]


# --- the same as others where they are right ----------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(4))
def test_equals_rsatoolbox(seed):
    r = trials(seed)
    precision = noise_precision(r)
    for ours, other, options in (
        ("euclidean", "euclidean", {}),
        ("correlation", "correlation", {}),
        ("mahalanobis", "mahalanobis", {"noise": precision.values}),
        ("crossnobis", "crossnobis", {"cv_descriptor": "trial"}),
        ("crossnobis", "crossnobis", {"cv_descriptor": "trial", "noise": precision.values}),
    ):
        found = compute_rdm(r, ours, precision=precision if "noise" in options else None)
        np.testing.assert_allclose(found.values, theirs(r, other, **options), atol=1e-10)
    rates = abs(r)
    np.testing.assert_allclose(compute_rdm(rates, "poisson").values, theirs(rates, "poisson"), atol=1e-10)


@pytest.mark.oracle
def test_cross_validated_poisson_is_the_mean_over_folds_where_rsatoolbox_keeps_the_last():
    rates = abs(trials(0))
    last = theirs(rates, "poisson_cv", cv_descriptor="trial")
    each = []
    for fold in range(4):
        train, test = (
            (v + 0.1) / 1.1
            for v in (rates.isel(trial=np.delete(range(4), fold)).mean("trial").values, rates.values[:, fold])
        )
        gram = train @ np.log(test).T
        each.append((np.diag(gram)[:, None] + np.diag(gram) - gram - gram.T) / 9)
    np.testing.assert_allclose(last, each[-1], atol=1e-10)
    np.testing.assert_allclose(compute_rdm(rates, "poisson_crossvalidated").values, np.mean(each, 0), atol=1e-10)


@pytest.mark.oracle
def test_unbalanced_crossnobis_equals_rsatoolbox_on_the_measured_trials():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    full, rng = trials(1, n_trials=5), np.random.default_rng(0)
    measured = rng.random((6, 5)) > 0.3
    measured[:, :2] = True
    stimulus, trial = np.nonzero(measured)
    ours = as_trials(full.values[measured], [f"s{i}" for i in stimulus], trials=trial)
    shared = np.stack([row[there].mean(0) for row, there in zip(full.values, measured, strict=True)]).mean(0)
    data = rsa_dataset(full - shared, measured)
    wanted = rsatoolbox.rdm.calc_rdm_unbalanced(data, method="crossnobis", descriptor="stimulus", cv_descriptor="trial")
    np.testing.assert_allclose(compute_rdm(ours, "crossnobis").values, wanted.get_matrices()[0], atol=1e-10)


def test_twelve_folds_are_twelve_whatever_their_names():
    """Fold labels are compared whole: '1', '10' and '11' are three folds."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 12, 7))
    order = rng.permutation(60)
    labels = [(f"s{i}", str(m)) for i in range(5) for m in range(12)]
    flat = as_trials(values.reshape(60, 7)[order], [labels[i][0] for i in order], trials=[labels[i][1] for i in order])
    assert flat.sizes["trial"] == 12
    direct = as_responses(values, dims=("stimulus", "trial", "unit"), stimuli=[f"s{i}" for i in range(5)])
    found = compute_rdm(flat, "crossnobis").sel(stimulus=direct.stimulus, stimulus_other=direct.stimulus.values)
    np.testing.assert_allclose(found.values, compute_rdm(direct, "crossnobis").values, atol=1e-12)


@given(seed=seeds)
def test_manhattan_equals_scipy(seed):
    x = np.random.default_rng(seed).normal(size=(5, 11))
    np.testing.assert_allclose(compute_rdm(x, "manhattan").values, squareform(pdist(x, "cityblock")) / 11, atol=1e-12)


def test_decoding_equals_a_linear_discriminant_of_scikit_learn():
    r = trials(3, n_stimuli=4, n_trials=6, n_units=3, signal=0.8)
    found = compute_rdm(r, "decoding", precision="none").values
    correct = np.zeros((4, 4))
    for fold in range(6):
        training = np.delete(r.values, fold, axis=1)
        lda = LinearDiscriminantAnalysis(solver="lsqr", priors=np.full(4, 0.25))
        lda.fit(training.reshape(-1, 3), np.repeat(np.arange(4), 5))
        evidence = lda.decision_function(r.values[:, fold])
        for i in range(4):
            for j in range(4):
                correct[i, j] += (evidence[i, i] > evidence[i, j]) / 6
    np.testing.assert_allclose(found, (correct + correct.T) / 2 * (1 - np.eye(4)), atol=1e-12)


def test_ldc_t_is_a_t_value_on_noise():
    """Without signal its mean is 0 and its variance that of one over folds of dependent t values, at most 1."""
    values = np.concatenate([upper(compute_rdm(trials(s, signal=0.0, n_trials=5), "ldc_t").values) for s in range(200)])
    by_experiment = values.reshape(200, -1).mean(1)
    assert abs(by_experiment.mean()) < 4 * by_experiment.std() / np.sqrt(200)
    assert 0.05 < values.var() < 1.0
    strong = upper(compute_rdm(trials(0, signal=5.0, n_trials=5), "ldc_t").values)
    assert strong.min() > 3


# --- noise --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_stimuli", "n_trials"), [(92, 3), (20, 2), (5, 10)])
def test_variance_of_noise_has_the_right_degrees_of_freedom(n_stimuli, n_trials):
    """A true variance of 1 comes out as 1; dividing by (n_stimuli - 1) n_trials gives 0.68, 0.53, 1.13 here."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        r = as_responses(rng.normal(size=(n_stimuli, n_trials, 4)) + 7, dims=("stimulus", "trial", "unit"))
        found.append((1 / noise_precision(r, shrinkage="diagonal").values).mean())
    assert abs(np.mean(found) - 1) < 4 * np.std(found) / np.sqrt(200)


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "other"), [("ledoit_wolf", "shrinkage_eye"), ("schaefer_strimmer", "shrinkage_diag")])
def test_shrinkage_equals_rsatoolbox_and_scikit_learn(ours, other):
    noise = pytest.importorskip("rsatoolbox").data.noise
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(40, 12)) @ rng.normal(size=(12, 12))
    residuals -= residuals.mean(0)
    for df in (39, 25):
        found = SHRINKAGES[ours].covariance(residuals, df)
        np.testing.assert_allclose(found, noise.cov_from_residuals(residuals, dof=df, method=other), rtol=1e-10)
    if ours == "ledoit_wolf":
        wanted = LedoitWolf(assume_centered=True).fit(residuals).covariance_
        np.testing.assert_allclose(SHRINKAGES[ours].covariance(residuals, 40), wanted, rtol=1e-10)


def test_precision_of_residuals_and_of_few_trials():
    r = trials(0, n_stimuli=10)
    residuals = (r - r.mean("trial")).stack(sample=("stimulus", "trial")).drop_vars(("sample", "stimulus", "trial"))
    direct = noise_precision(r, shrinkage="ledoit_wolf")
    np.testing.assert_allclose(
        noise_precision(residuals, shrinkage="ledoit_wolf", df=30).values, direct.values, rtol=1e-9
    )
    assert direct.attrs["df"] == 30
    with pytest.raises(InputError, match=r"has no inverse, .*; use shrinkage"):
        noise_precision(trials(0, n_stimuli=3, n_trials=2), shrinkage="none")


# --- what must and must not change --------------------------------------------------------------------------------


def test_mahalanobis_ignores_linear_maps_of_the_units():
    r = trials(0, n_stimuli=12)
    mixed = r.copy(data=r.values @ np.random.default_rng(1).normal(size=(9, 9)))
    found = [compute_rdm(x, m, precision="none").values for x in (r, mixed) for m in ("mahalanobis", "crossnobis")]
    np.testing.assert_allclose(found[0], found[2], atol=1e-9)
    np.testing.assert_allclose(found[1], found[3], atol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis", "crossnobis"])
def test_distances_follow_from_the_gram_matrix_that_is_kept(metric):
    r = trials(0)
    gram = compute_rdm(r, metric, keep="gram").values
    own = np.diagonal(gram)
    np.testing.assert_allclose(own[:, None] + own - 2 * gram, compute_rdm(r, metric).values, atol=1e-10)


def test_diagonal_of_the_crossvalidated_gram_is_the_unbiased_strength_of_a_pattern():
    rng = np.random.default_rng(0)
    noise = as_responses(rng.normal(size=(400, 4, 20)), dims=("stimulus", "trial", "unit"))
    strength = np.diagonal(compute_rdm(noise, "crossnobis", keep="gram"))
    assert abs(strength.mean()) < 4 * strength.std() / np.sqrt(400)


@pytest.mark.parametrize("metric", [m for m in METRICS if m not in ("poisson", "poisson_crossvalidated")])
def test_leading_dims_are_one_batched_operation(metric):
    parts = [trials(s) for s in range(3)]
    stacked = xr.concat(parts, xr.DataArray(["a", "b", "c"], dims="subject", name="subject"))
    found = compute_rdm(stacked, metric)
    assert found.dims == ("subject", "stimulus", "stimulus_other")
    assert found.subject.values.tolist() == ["a", "b", "c"]
    for part, rdm in zip(parts, found, strict=True):
        np.testing.assert_allclose(rdm.values, compute_rdm(part, metric).values, atol=1e-10)


@pytest.mark.parametrize("metric", ["correlation", "crossnobis", "mahalanobis", "ldc_t"])
def test_a_searchlight_is_the_rdm_of_its_units(metric):
    r = trials(0, n_trials=5)
    by = searchlights(np.arange(9.0)[:, None], 2)
    assert len(set((by.values >= 0).sum(1))) > 1
    found = compute_rdm(r, metric, by=by)
    assert found.dims == ("searchlight", "stimulus", "stimulus_other")
    for members, rdm in zip(by.values, found.values, strict=True):
        alone = compute_rdm(r.isel(unit=members[members >= 0]), metric)
        np.testing.assert_allclose(rdm, alone.values, atol=1e-10)


def test_responses_larger_than_memory_are_read_in_blocks(tmp_path):
    """A memory-mapped and a dask array of 320 MB need the room of one block."""
    array = np.lib.format.open_memmap(tmp_path / "r.npy", mode="w+", dtype="float32", shape=(20, 4_000_000))
    rng = np.random.default_rng(0)
    for start in range(0, 4_000_000, 10**6):
        array[:, start : start + 10**6] = rng.normal(size=(20, 10**6))
    array.flush()
    mapped = np.load(tmp_path / "r.npy", mmap_mode="r")
    chunked = xr.DataArray(
        pytest.importorskip("dask.array").from_array(mapped, chunks=(20, 250_000)), dims=("stimulus", "unit")
    )
    found = []
    for source in (xr.DataArray(mapped, dims=("stimulus", "unit")), chunked):
        tracemalloc.start()
        found.append(compute_rdm(source, "euclidean").values)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 250 * 2**20, f"{peak / 2**20:.0f} MB"
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    np.testing.assert_allclose(upper(found[0]), 2, rtol=0.01)


@pytest.mark.parametrize(
    "metric", ["euclidean", "correlation", "cosine", "manhattan", "crossnobis", "poisson_crossvalidated"]
)
def test_a_tensor_stays_a_tensor_and_can_be_differentiated(metric):
    folds = abs(trials(0).values.transpose(1, 0, 2)) + 0.1
    values = folds if metric in ("crossnobis", "poisson_crossvalidated") else folds[0]
    tensor = torch.tensor(values, requires_grad=True)
    found = compute_rdm(tensor, metric)
    assert isinstance(found, torch.Tensor)
    dims = ("trial", "stimulus", "unit")[-values.ndim :]
    np.testing.assert_allclose(
        found.detach().numpy(), compute_rdm(xr.DataArray(values, dims=dims), metric).values, atol=1e-10
    )
    weights = torch.arange(36.0, dtype=torch.float64).reshape(6, 6)
    assert torch.autograd.gradcheck(lambda t: (compute_rdm(t, metric) * weights).sum(), tensor)


@pytest.mark.parametrize("metric", ["mahalanobis", "crossnobis", "decoding", "ldc_t"])
def test_a_precision_is_matched_to_the_units_by_label(metric):
    r = trials(0, n_trials=5).assign_coords(unit=[f"u{i}" for i in range(9)])
    order = np.random.default_rng(0).permutation(9)
    for shrinkage in ("schaefer_strimmer", "diagonal"):
        precision = noise_precision(r, shrinkage=shrinkage)
        shuffled = precision.isel(dict.fromkeys(precision.dims, order))
        found = [compute_rdm(r, metric, precision=p).values for p in (precision, shuffled, precision.values)]
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])
    by = searchlights(np.arange(9.0)[:, None], 2)
    if metric in ("mahalanobis", "crossnobis"):
        both = [compute_rdm(r, metric, by=by, precision=p).values for p in (precision, shuffled)]
        np.testing.assert_array_equal(both[0], both[1])


# --- bad input ----------------------------------------------------------------------------------------------------


def unbalanced(n_first):
    labels = ["a"] * n_first + ["b"] * 3 + ["c"] * 3
    return as_trials(np.random.default_rng(0).normal(size=(len(labels), 4)), labels)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: compute_rdm(trials(0), "crossnobs"), "Did you mean 'crossnobis'"),
        (lambda: compute_rdm(trials(0), "euclidean", precision="none"), "takes no precision"),
        (lambda: compute_rdm(trials(0), "crossnobis", precision="ledoit"), "Did you mean 'ledoit_wolf'"),
        (lambda: compute_rdm(trials(0), "correlation", keep="gram"), "come from a gram matrix"),
        (lambda: compute_rdm(trials(0), keep="everything"), "keep is 'distances' or 'gram'"),
        (lambda: compute_rdm(trials(0).mean("trial"), "mahalanobis"), "pass precision=noise_precision"),
        (lambda: compute_rdm(trials(0, n_trials=2), "ldc_t"), "needs 3 trials"),
        (lambda: compute_rdm(trials(0), "poisson"), "rates of 0 or more"),
        (lambda: compute_rdm(unbalanced(1), "crossnobis"), "needs 2 trials of every stimulus"),
        (lambda: compute_rdm(unbalanced(1), "decoding"), "needs 2 trials of every stimulus"),
        (lambda: as_responses([[1.0, np.nan]]), "NaN"),
        (
            lambda: compute_rdm(
                trials(0), "mahalanobis", precision=xr.DataArray(np.eye(3), dims=("unit", "unit_other"))
            ),
            "for 9 units",
        ),
        (lambda: compute_rdm(trials(0), by=xr.DataArray([[0, 9]], dims=("searchlight", "member"))), "units 0..8"),
        (lambda: searchlights(np.zeros(3), 1.0), r"positions \(unit, axis\)"),
        (lambda: compute_rdm(torch.full((4, 3), float("nan"))), "NaN or infinite"),
        (lambda: compute_rdm(torch.ones(2, 3)), "at least 3 stimuli"),
        (lambda: compute_rdm(torch.ones(4, 3)), "correlation is not defined for this tensor"),
        (lambda: compute_rdm(torch.zeros(4, 3), "cosine"), "cosine is not defined for this tensor"),
        (lambda: compute_rdm(-torch.ones(4, 3), "poisson"), "a rate is below 0"),
        (lambda: compute_rdm(torch.ones(4, 3).long()), "floating point"),
        (lambda: compute_rdm(torch.ones(4, 3), "poisson_crossvalidated"), "2 trials or more"),
        (lambda: compute_rdm(trials(0), "crossnobis", precision=-np.ones(9)), "finite and positive"),
        (lambda: compute_rdm(trials(0), "crossnobis", precision=np.full((9, 9), np.nan)), "finite and positive"),
        (lambda: compute_rdm(trials(0) * 0 + 1, "ldc_t", precision=np.ones(9)), "trials do not vary"),
        (lambda: searchlights(np.zeros((0, 3)), 1.0), r"positions \(unit, axis\)"),
        (lambda: compute_rdm(torch.ones(4, 3), "mahalanobis"), "precision as a tensor"),
        (lambda: noise_precision(trials(0), shrinkage="lw"), "unknown shrinkage"),
        (lambda: noise_precision(trials(0, n_trials=1)), "degrees of freedom"),
        (lambda: noise_precision(trials(0) * 0), "have no noise"),
        (lambda: as_trials(np.ones((2, 3)), ["a"]), "need one stimulus"),
        (lambda: as_trials(np.ones((2, 3)), ["a", "a"], trials=[1, 1]), "twice; average"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act()
