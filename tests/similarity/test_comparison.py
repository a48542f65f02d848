"""Comparison of RDMs against scipy, rsatoolbox, dense algebra and published values."""

import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neurosim.recordings.datasets import load_dataset
from neurosim.schema import InputError, as_rdm
from neurosim.similarity.arrangement import arrange
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.similarity.kernels.arrays import to_square, upper
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.method import METHODS
from neurosim.similarity.metrics.euclidean import euclidean

seeds = st.integers(0, 2**32 - 1)


def rdms(seed, n=2, k=8, digits=None):
    values = np.random.default_rng(seed).random((n, k * (k - 1) // 2)) + 0.1
    return to_square(values if digits is None else np.round(values, digits), k)


def score(a, b, method):
    return float(compare_rdms(as_rdm(a), as_rdm(b), method))


@given(seed=seeds, digits=st.sampled_from([None, 1]))
def test_equals_scipy_with_and_without_ties(seed, digits):
    a, b = rdms(seed, digits=digits)
    x, y = upper(a), upper(b)
    assert score(a, b, "corr") == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-10)
    assert score(a, b, "spearman") == pytest.approx(stats.spearmanr(x, y)[0], abs=1e-10)
    assert score(a, b, "cosine") == pytest.approx(x @ y / np.sqrt(x @ x * (y @ y)), abs=1e-10)


@given(seed=seeds)
def test_tau_is_kendall(seed):
    a, b = rdms(seed)
    assert score(a, b, "tau_a") == pytest.approx(stats.kendalltau(upper(a), upper(b))[0], abs=1e-10)
    x, y = upper(rdms(seed, digits=1))
    signs = [np.sign(v[:, None] - v) for v in (x, y)]
    agree = (signs[0] * signs[1]).sum()
    a, b = rdms(seed, digits=1)
    assert score(a, b, "tau_a") == pytest.approx(agree / (28 * 27), abs=1e-10)
    assert score(a, b, "tau_b") == pytest.approx(
        agree / np.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum()), abs=1e-10
    )


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("cosine", "cosine"),
        ("corr", "corr"),
        ("spearman", "spearman"),
        ("rho_a", "rho-a"),
        ("tau_a", "tau-a"),
        ("tau_b", "tau-b"),
        ("whitened_cosine", "cosine_cov"),
        ("whitened_corr", "corr_cov"),
    ],
)
def test_equals_rsatoolbox(ours, theirs):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    for seed in range(5):
        a, b = rdms(seed, k=9, digits=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pair = [rsatoolbox.rdm.RDMs(upper(r)[None]) for r in (a, b)]
            wanted = float(rsatoolbox.rdm.compare(*pair, method=theirs)[0, 0])
        assert score(a, b, ours) == pytest.approx(wanted, abs=2e-5 if "whitened" in ours else 1e-10)


@pytest.mark.parametrize("counts", [[1] * 6, [2, 1, 1, 0, 2, 0], [3, 2, 1, 0, 0, 0]])
def test_whitened_closed_form_equals_dense_algebra_under_resampling(counts):
    x, y = np.random.default_rng(0).random((2, 15))
    drawn = np.repeat(np.arange(6), counts)
    rows, columns = np.triu_indices(len(drawn), 1)
    contrasts = np.zeros((len(rows), len(drawn)))
    contrasts[np.arange(len(rows)), rows] = 1
    contrasts[np.arange(len(rows)), columns] = -1
    keep = drawn[rows] != drawn[columns]
    inverse = np.linalg.inv(((contrasts @ contrasts.T) ** 2)[np.ix_(keep, keep)])
    a, b = (to_square(v, 6)[drawn[rows], drawn[columns]][keep] for v in (x, y))
    wanted = a @ inverse @ b / np.sqrt(a @ inverse @ a * (b @ inverse @ b))
    found = gram_of_features(np.stack([x, y]), np.array([counts], dtype=float), METHODS["whitened_cosine"])
    assert found[0, 0, 1] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("method", ["cosine", "corr", "spearman", "rho_a"])
def test_weights_equal_a_resampled_rdm(method):
    """Counting a stimulus twice is the RDM in which it stands twice, without the entry with itself."""
    features = upper(rdms(3, n=3, k=7, digits=1))
    counts = np.array([2, 1, 1, 1, 2, 0, 0])
    drawn = np.repeat(np.arange(7), counts)
    rows, columns = np.triu_indices(len(drawn), 1)
    keep = drawn[rows] != drawn[columns]
    resampled = to_square(features, 7)[:, drawn[rows], drawn[columns]][:, keep]
    found = gram_of_features(features, counts[None].astype(float), METHODS[method])[0]
    plain = {"cosine": _cosine, "corr": _corr, "spearman": _spearman, "rho_a": _rho_a}[method]
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(plain(resampled[i], resampled[j]), abs=1e-12)


def _cosine(x, y):
    return x @ y / np.sqrt(x @ x * (y @ y))


def _corr(x, y):
    return _cosine(x - x.mean(), y - y.mean())


def _spearman(x, y):
    return _corr(stats.rankdata(x), stats.rankdata(y))


def _rho_a(x, y):
    n = len(x)
    a, b = (stats.rankdata(v) - (n + 1) / 2 for v in (x, y))
    return 12 * (a @ b) / (n**3 - n)


def dense_whitened(x, y, sigma):
    """Distances whitened by the dense inverse of their covariance."""
    n = len(sigma)
    rows, columns = np.triu_indices(n, 1)
    contrasts = np.zeros((len(rows), n))
    contrasts[np.arange(len(rows)), rows] = 1
    contrasts[np.arange(len(rows)), columns] = -1
    inverse = np.linalg.inv((contrasts @ sigma @ contrasts.T) ** 2)
    return x @ inverse @ y / np.sqrt(x @ inverse @ x * (y @ inverse @ y))


@pytest.mark.parametrize("seed", range(4))
def test_whitening_by_a_full_covariance_of_stimuli_equals_dense_algebra(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(9, 9))
    sigma = root @ root.T / 9 + np.eye(9)
    a, b = rdms(seed, k=9)
    x, y = upper(a), upper(b)
    named = {"sigma_k": as_rdm_like(sigma)}
    found = compare_rdms(as_rdm(a), as_rdm(b), "whitened_cosine", **named)
    assert float(found) == pytest.approx(dense_whitened(x, y, sigma), abs=1e-10)
    found = compare_rdms(as_rdm(a), as_rdm(b), "whitened_corr", **named)
    assert float(found) == pytest.approx(dense_whitened(x - x.mean(), y - y.mean(), sigma), abs=1e-10)
    scaled = compare_rdms(as_rdm(a), as_rdm(b), "whitened_cosine", sigma_k=3.0 * np.eye(9))
    assert float(scaled) == pytest.approx(score(a, b, "whitened_cosine"), abs=1e-10)


def as_rdm_like(sigma):
    ids = [f"stimulus_{i:03d}" for i in range(len(sigma))]
    order = np.random.default_rng(0).permutation(len(sigma))
    array = xr.DataArray(sigma, dims=("stimulus", "stimulus_other"), coords={"stimulus": ids, "stimulus_other": ids})
    return array.isel(stimulus=order, stimulus_other=order)


@pytest.mark.oracle
def test_bures_equals_rsatoolbox_for_distances_of_points():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    for seed in range(4):
        rng = np.random.default_rng(seed)
        a, b = (euclidean(rng.normal(size=(8, 5))) for _ in range(2))
        pair = [rsatoolbox.rdm.RDMs(upper(r)[None]) for r in (a, b)]
        wanted = float(rsatoolbox.rdm.compare(*pair, method="bures")[0, 0])
        assert score(a, b, "bures") == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].tensors])
def test_a_score_of_tensors_can_be_a_loss(method):
    x = np.stack([euclidean(np.random.default_rng(s).normal(size=(7, 9))) for s in range(3)])
    tensors = torch.tensor(x[:1], requires_grad=True), torch.tensor(x[1:])
    found = compare_rdms(*tensors, method)
    assert found.shape == (1, 2)
    wanted = compare_rdms(as_rdm(x[:1], dims=("a",)), as_rdm(x[1:], dims=("b",)), method)
    np.testing.assert_allclose(found.detach().numpy(), wanted.values, atol=1e-10)
    found.sum().backward()
    assert torch.isfinite(tensors[0].grad).all()


@pytest.mark.parametrize("method", METHODS)
def test_an_rdm_agrees_with_itself_in_any_order(method):
    a = as_rdm(rdms(0, n=1)[0], stimuli=list("abcdefgh"))
    order = np.random.default_rng(1).permutation(8)
    assert float(compare_rdms(a, a.isel(stimulus=order, stimulus_other=order), method)) == pytest.approx(1)


def test_leading_dims_are_crossed():
    a = as_rdm(rdms(0, n=3), dims=("subject",))
    found = compare_rdms(a, a[:2], "corr")
    assert found.dims == ("subject", "subject_other")
    assert found.shape == (3, 2)


REFERENCE = {  # rsatoolbox 0.3.2, mean over the 4 subjects, models in the order of 92_modelRDMs.mat
    "corr": [0.3871, 0.2816, 0.3335, 0.2591, 0.1521, 0.0250, 0.1159, 0.0365],
    "spearman": [0.3862, 0.2766, 0.2963, 0.2454, 0.1599, 0.0265, 0.0966, 0.0381],
    "rho_a": [0.3345, 0.2053, 0.2963, 0.2454, 0.1599, 0.0265, 0.0966, 0.0381],
    "tau_a": [0.2230, 0.1369, 0.2009, 0.1661, 0.1073, 0.0179, 0.0647, 0.0259],
    "cosine": [0.7447, 0.8814, 0.9884, 0.9878, 0.9559, 0.9542, 0.9497, 0.7976],
    "whitened_cosine": [0.4051, 0.3548, 0.6501, 0.6346, 0.3718, 0.4937, 0.3552, 0.2129],
    "whitened_corr": [0.4282, 0.3121, 0.3656, 0.2799, 0.1559, 0.1105, 0.1510, 0.0403],
}


@pytest.mark.parametrize("method", REFERENCE)
def test_models_of_the_92_objects_score_as_in_rsatoolbox(data_folder, method):
    from neurosim.storage import read_mat

    models = np.stack([m["RDM"] for m in read_mat(data_folder / "kriegeskorte2008" / "92_modelRDMs.mat")["Models"]])
    data = load_dataset("kriegeskorte2008").rdms["human_IT"]
    named = as_rdm(models, dims=("model",), stimuli=data.stimulus.values.tolist())
    found = compare_rdms(named, data, method).mean("subject").values
    np.testing.assert_allclose(found, REFERENCE[method], atol=5.1e-5)


def test_cka_from_distances_equals_cka_of_features():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 30)), rng.normal(size=(12, 5))
    x, y = x - x.mean(0), y - y.mean(0)
    norms = [np.linalg.norm(x.T @ y), np.linalg.norm(x.T @ x), np.linalg.norm(y.T @ y)]
    pair = as_rdm(np.stack([euclidean(v) for v in (x, y)]), dims=("model",), metric="euclidean")
    pair = pair.assign_coords(model=["x", "y"])
    found = compare_cka(pair, debiased=False)
    assert float(found[0, 1]) == pytest.approx(norms[0] ** 2 / (norms[1] * norms[2]), abs=1e-12)


def test_arrangement_keeps_distances_that_fit_the_plane():
    points = np.random.default_rng(0).normal(size=(8, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    found = arrange(distances, rng=1)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found, axis=-1), distances, atol=0.02)
    np.testing.assert_array_equal(found, arrange(distances, rng=1))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: score(*rdms(0), "spearmn"), "Did you mean 'spearman'"),
        (lambda: score(rdms(0)[0], 1 - np.eye(8), "corr"), "does not vary"),
        (lambda: score(rdms(0)[0], np.zeros((8, 8)), "cosine"), "does not vary"),
        (lambda: compare_cka(as_rdm(rdms(0), dims=("model",))), "euclidean RDMs"),
        (lambda: compare_rdms(*rdms(0), "corr", sigma_k=np.eye(8)), "takes no sigma_k"),
        (lambda: compare_rdms(*rdms(0), "whitened_corr", sigma_k=np.eye(3)), "covariance of 8 x 8 stimuli"),
        (lambda: compare_rdms(*rdms(0), "whitened_corr", sigma_k=np.ones((8, 8))), "positive definite"),
        (lambda: compare_rdms(torch.ones(1, 4, 4), torch.ones(1, 4, 4), "spearman"), "of tensors is not available"),
        (lambda: compare_rdms(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), "corr"), "an RDM that does not vary"),
        (lambda: score(np.eye(5) - 1, 1 - np.eye(5), "bures"), "no positive part"),
        (lambda: compare_rdms(torch.ones(4, 4), torch.ones(1, 4, 4), "corr"), "tensors have shape"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act()


@pytest.mark.parametrize("method", METHODS)
def test_no_method_uses_a_diagonal(method):
    a, b = rdms(0)[0], rdms(1)[0]
    wanted = float(compare_rdms(a, b, method))
    assert float(compare_rdms(a + 1e-8 * np.eye(len(a)), b, method)) == wanted
    with pytest.raises(InputError, match="diagonal"):
        compare_rdms(a + np.eye(len(a)), b, method)
    if METHODS[method].tensors:
        tensors = [torch.as_tensor(x)[None] for x in (a, b)]
        np.testing.assert_allclose(compare_rdms(*tensors, method).item(), wanted, rtol=1e-9)
        with pytest.raises(InputError, match="diagonal"):
            compare_rdms(tensors[0] + torch.eye(len(a)), tensors[1], method)


def test_pearson_is_called_corr():
    with pytest.raises(InputError, match="Did you mean 'corr'"):
        score(*rdms(0), "pearson")
