"""Alignment: theorems, limits, and independent formulas."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import special_ortho_group
from sklearn.cross_decomposition import CCA

from neurosim.schema import InputError, as_rdm, as_responses
from neurosim.similarity.alignment import cca, cka, compare_by, jackknife
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.dynamics import dsa
from neurosim.similarity.kernels import alignment as kernels
from neurosim.similarity.kernels import dynamics as dynamics_kernels
from neurosim.similarity.methods.bures import bures
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.shapes import ShapeMetric, soft_matching, stochastic_shape

seeds = st.integers(0, 2**32 - 1)


def responses(seed, n=25, p=6):
    return np.random.default_rng(seed).normal(size=(n, p))


def rotation(seed, p=6):
    return special_ortho_group.rvs(p, random_state=seed % 2**32)


# --- CKA ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("estimator", ["debiased", "biased"])
@given(seed=seeds)
def test_cka_ignores_rotation_shift_and_scale(kernel, estimator, seed):
    x, y = responses(seed), responses(seed + 1, p=9) + responses(seed)[:, :1]
    options = {"kernel": kernel, "estimator": estimator}
    moved = 3 * x @ rotation(seed) + 7
    assert cka(moved, y, **options) == pytest.approx(cka(x, y, **options), abs=1e-8)
    assert cka(x, moved, **options) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("p", [4, 200])
def test_three_formulas_of_debiased_cka_agree(p):
    """The U-statistic, U-centred Gram matrices, and products in unit space or stimulus space."""
    x, y = responses(0, n=12, p=p), responses(1, n=12, p=p) + responses(0, n=12, p=p)

    def u_centred(gram):
        n = len(gram)
        k = gram - np.diag(np.diagonal(gram))
        rows, total = k.sum(0), k.sum()
        out = k - rows / (n - 2) - rows[:, None] / (n - 2) + total / ((n - 1) * (n - 2))
        return out - np.diag(np.diagonal(out))

    u, v = (u_centred(r @ r.T) for r in (x, y))
    wanted = (u * v).sum() / np.sqrt((u * u).sum() * (v * v).sum())
    grams = [r @ r.T for r in (x, y)]
    assert kernels.debiased_cka_of_grams(*grams) == pytest.approx(wanted, abs=1e-10)
    assert cka(x, y) == pytest.approx(wanted, abs=1e-10)


def test_biased_cka_is_whitened_cosine_of_squared_distances():
    x, y = responses(0), responses(1)
    rdms = [as_rdm(euclidean(r)) for r in (x, y)]
    assert cka(x, y, estimator="biased") == pytest.approx(float(compare_rdms(*rdms, "whitened_cosine")), abs=1e-12)


def test_minibatch_cka_of_one_batch_is_debiased_cka_and_of_many_is_near():
    x = responses(0, n=600, p=8)
    y = x @ np.random.default_rng(1).normal(size=(8, 5)) + responses(2, n=600, p=5)
    assert cka(x, y, estimator="minibatch", batch=600) == pytest.approx(cka(x, y), abs=1e-12)
    assert cka(x, y, estimator="minibatch", batch=50) == pytest.approx(cka(x, y), abs=0.03)


def test_unit_corrected_cka_does_not_depend_on_how_many_units_were_recorded():
    """Two samples of units of one population: across and within samples, the corrected estimates have one mean."""
    rng = np.random.default_rng(0)
    gaps = {"debiased": [], "unit_corrected": []}
    for _ in range(400):
        latent = rng.normal(size=(30, 3))
        few = [latent @ rng.normal(size=(3, 6)) for _ in range(2)]
        across = kernels.linear_hsic(*few, unbiased=True) / 36
        plain = np.mean([kernels.linear_hsic(a, a, unbiased=True) / 36 for a in few])
        own = np.mean([(kernels.linear_hsic(a, a, unbiased=True) - kernels.same_unit_hsic(a)) / 30 for a in few])
        gaps["debiased"].append(across - plain)
        gaps["unit_corrected"].append(across - own)
    t = {name: np.mean(g) / (np.std(g) / 20) for name, g in gaps.items()}
    assert t["debiased"] < -10
    assert abs(t["unit_corrected"]) < 4
    x = responses(0, n=30)
    own = (kernels.linear_hsic(x, x, unbiased=True) - kernels.same_unit_hsic(x)) / 30
    assert cka(x, x, estimator="unit_corrected") == pytest.approx(kernels.linear_hsic(x, x, unbiased=True) / 36 / own)


def test_same_unit_hsic_is_the_sum_over_units_one_by_one():
    x = responses(3, n=10, p=4)
    wanted = sum(float(kernels.unbiased_hsic(g, g)) for g in (np.outer(c, c) for c in (x - x.mean(0)).T))
    assert kernels.same_unit_hsic(x) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    "score", [cka, lambda a, b: cka(a, b, kernel="rbf", estimator="biased"), cca, ShapeMetric().distance]
)
def test_tensors_stay_tensors_and_can_be_a_loss(score):
    x, y = (torch.tensor(responses(s, p=3), requires_grad=True) for s in (0, 1))
    value = score(x, y)
    assert isinstance(value, torch.Tensor)
    value.backward()
    assert torch.isfinite(x.grad).all()
    assert float(x.grad.abs().sum()) > 0
    assert float(value.detach()) == pytest.approx(score(x.detach().numpy(), y.detach().numpy()), abs=1e-10)


# --- canonical correlations ---------------------------------------------------------------------------------------


def test_cca_equals_scikit_learn_and_ignores_linear_maps():
    x, y = responses(0, n=60, p=3), responses(1, n=60, p=3) + responses(0, n=60, p=3)
    model = CCA(n_components=3, max_iter=5000, tol=1e-12).fit(x, y)
    a, b = model.transform(x, y)
    wanted = [abs(np.corrcoef(a[:, i], b[:, i])[0, 1]) for i in range(3)]
    found = kernels.canonical_correlations(x, y)[0]
    np.testing.assert_allclose(np.sort(found), np.sort(wanted), atol=1e-5)
    mixed = x @ np.random.default_rng(2).normal(size=(3, 3))
    assert cca(mixed, y, method="cca") == pytest.approx(cca(x, y, method="cca"), abs=1e-10)
    assert cca(mixed, x, method="pwcca") == pytest.approx(1, abs=1e-10)


def test_svcca_leaves_out_axes_of_little_variance():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(80, 2))
    x, y = (np.hstack([shared, 1e-4 * rng.normal(size=(80, 5))]) for _ in range(2))
    assert cca(x, y, method="svcca") == pytest.approx(1, abs=1e-4)
    assert cca(x, y, method="cca") < 0.8


# --- shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scaled", [True, False])
@given(seed=seeds)
def test_shape_distance_is_a_metric(alpha, scaled, seed):
    metric = ShapeMetric(alpha, scaled)
    x, y, z = (responses(seed + s) for s in range(3))
    assert metric.distance(x, x @ rotation(seed) + 1) == pytest.approx(0, abs=1e-5)
    assert metric.distance(x, y) == pytest.approx(metric.distance(y, x), abs=1e-9)
    assert metric.distance(x, z) <= metric.distance(x, y) + metric.distance(y, z) + 1e-9


def test_without_rotation_penalty_any_linear_map_is_free():
    x = responses(0)
    mixed = x @ np.random.default_rng(1).normal(size=(6, 6))
    assert ShapeMetric(alpha=0).distance(x, mixed) == pytest.approx(0, abs=1e-6)
    assert ShapeMetric(alpha=1).distance(x, mixed) > 0.1
    squared = np.cos(ShapeMetric(alpha=0).distance(x, responses(1)))
    assert squared == pytest.approx(cca(x, responses(1), method="cca"), abs=1e-10)


def test_procrustes_distance_is_the_bures_distance_of_the_second_moments():
    x, y = (r - r.mean(0) for r in (responses(0), responses(1, p=9)))
    wide = np.pad(x, ((0, 0), (0, 3)))
    similarity = bures(*(euclidean(r)[None] for r in (x, y)))[0, 0]
    assert np.cos(ShapeMetric().distance(wide, y)) == pytest.approx(similarity, abs=1e-10)
    squared = (x**2).sum() + (y**2).sum() - 2 * similarity * np.sqrt((x**2).sum() * (y**2).sum())
    assert ShapeMetric(scaled=False).distance(x, y) == pytest.approx(np.sqrt(squared / 25), abs=1e-10)


def test_fit_and_score_apart_do_not_overfit():
    """With as many units as stimuli noise aligns with noise, unless it is scored on other stimuli."""
    x, y = responses(0, n=40, p=20), responses(1, n=40, p=20)
    metric = ShapeMetric()
    within = metric.distance(x[:20], y[:20])
    across = metric.fit(x[:20], y[:20]).score(x[20:], y[20:])
    assert within < 0.9
    assert across == pytest.approx(np.pi / 2, abs=0.25)


def test_soft_matching_is_one_for_permuted_units_and_below_for_rotated_ones():
    x = responses(0)
    order = np.random.default_rng(0).permutation(6)
    assert soft_matching(x, x[:, order]) == pytest.approx(1)
    assert soft_matching(x, x @ rotation(0)) < 0.95
    assert soft_matching(x, np.hstack([x, x])) == pytest.approx(1)
    best = max(
        np.mean([np.corrcoef(x[:, i], x @ rotation(1)[:, j])[0, 1] for i, j in enumerate(p)]) for p in _permutations()
    )
    assert soft_matching(x, x @ rotation(1)) == pytest.approx(best, abs=1e-12)


def _permutations():
    from itertools import permutations

    return permutations(range(6))


def noisy(seed, scale=1.0, n_trials=400):
    rng = np.random.default_rng(seed)
    spread = np.diag([2.0, 1.0, 0.5]) * scale
    return rng.normal(size=(8, 1, 3)) + rng.normal(size=(8, n_trials, 3)) @ spread


def test_stochastic_shape_ignores_rotation_and_sees_noise_that_means_do_not_show():
    x = noisy(0)
    assert stochastic_shape(x, x @ rotation(0, 3)) == pytest.approx(0, abs=1e-5)
    means = x.mean(1, keepdims=True)
    louder = means + 2 * (x - means)
    assert stochastic_shape(x, louder, alpha=0) == pytest.approx(0, abs=1e-5)
    covariance = np.einsum("kmi,kmj->kij", x - means, x - means) / 399
    wanted = np.sqrt(np.trace(covariance, axis1=1, axis2=2).mean())
    assert stochastic_shape(x, louder) == pytest.approx(wanted, rel=1e-6)


def test_stochastic_shape_keeps_the_best_of_its_starts():
    x, y = noisy(0), noisy(1)
    found = [stochastic_shape(x, y, alpha=2, n_restarts=n) for n in (0, 3, 10)]
    assert found[0] >= found[1] - 1e-9 >= found[2] - 2e-9


# --- dynamics -----------------------------------------------------------------------------------------------------


def system(seed, angles, radius=0.97, n_units=8, n_trials=6):
    rng = np.random.default_rng(seed)
    blocks = [radius * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]
    operator = np.zeros((2 * len(angles),) * 2)
    for i, block in enumerate(blocks):
        operator[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    state = rng.normal(size=(n_trials, len(operator)))
    seen = []
    for _ in range(80):
        seen.append(state)
        state = state @ operator.T
    return np.stack(seen, axis=1) @ np.linalg.qr(rng.normal(size=(n_units, n_units)))[0][: len(operator)]


@pytest.mark.parametrize("method", ["eigenvalues", "angle"])
def test_dynamics_are_told_by_eigenvalues_not_by_singular_values(method):
    """Rotations at other speeds have the same singular values; the same rotation seen by other units is the same."""
    options = {"n_delays": 1, "rank": 4, "method": method}
    one, same, other = system(0, (0.2, 0.5)), system(1, (0.2, 0.5)), system(2, (0.9, 1.4))
    operators = [dynamics_kernels.dynamics_matrix(x - x.mean((0, 1)), 1, 4) for x in (one, other)]
    singular = [np.linalg.svd(o, compute_uv=False) for o in operators]
    near, far = dsa(one, same, **options), dsa(one, other, **options)
    assert far > 0.3
    assert near < 0.1 * far
    assert np.abs(singular[0] - singular[1]).max() < 0.5 * far


@pytest.mark.parametrize("method", ["eigenvalues", "angle"])
def test_dynamics_do_not_depend_on_the_units_of_the_state(method):
    """One unit in other units of measurement, or any linear mixture of all, shows the same dynamics."""
    one, other = (system(seed, angles, n_units=4) for seed, angles in ((0, (0.2, 0.5)), (2, (0.9, 1.4))))
    scaled = other @ np.diag([1e3, 1.0, 1e-2, 1.0]) @ np.random.default_rng(1).normal(size=(4, 4))
    options = {"n_delays": 1, "rank": 4, "method": method}
    assert dsa(one, scaled, **options) == pytest.approx(dsa(one, other, **options), rel=5e-3)
    with pytest.raises(InputError, match="move in 4 dimensions, rank 6 asked"):
        dsa(system(0, (0.2, 0.5)), system(1, (0.2, 0.5)), n_delays=1, rank=6)


def test_eigenvalues_of_a_known_system_are_found():
    found = np.linalg.eigvals(dynamics_kernels.dynamics_matrix(system(0, (0.2, 0.5)), 1, 4))
    wanted = 0.97 * np.exp(1j * np.array([0.2, -0.2, 0.5, -0.5]))
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(wanted), atol=1e-8)


# --- labels and uncertainty ---------------------------------------------------------------------------------------


def labelled(seed, p=6):
    layers = ["a"] * (p // 2) + ["b"] * (p - p // 2)
    return as_responses(responses(seed, p=p), stimuli=[f"s{i}" for i in range(25)], coords={"layer": ("unit", layers)})


def test_stimuli_are_matched_by_label_and_parts_compared():
    x, y = labelled(0), labelled(1)
    order = np.random.default_rng(0).permutation(25)
    assert cka(x, y.isel(stimulus=order)) == pytest.approx(cka(x, y), abs=1e-12)
    table = compare_by(x, x)
    assert table.dims == ("layer", "layer_other")
    np.testing.assert_allclose(np.diagonal(table), 1)
    assert float(table[0, 1]) == pytest.approx(cka(x[:, :3], x[:, 3:]))


def test_jackknife_error_of_a_score_is_near_its_spread_over_samples_of_stimuli():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    values, errors = [], []
    for _ in range(150):
        x = rng.normal(size=(40, 4))
        y = x @ mix + 2 * rng.normal(size=(40, 4))
        found = jackknife(cka, x, y)
        values.append(float(found.score))
        errors.append(float(found.standard_error) ** 2)
    assert np.mean(errors) / np.var(values) == pytest.approx(1.1, abs=0.35)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: cka(responses(0), responses(1, n=9)), "25 and 9 stimuli"),
        (lambda: cka(responses(0, n=3), responses(1, n=3)), "at least 4 stimuli"),
        (lambda: dsa(np.full((4, 30, 2), 0.1), system(1, (0.1,)), n_delays=2, rank=2), "do not vary over stimuli and"),
        (lambda: dsa(system(0, (0.1,)), system(1, (0.1,)), rank=0), "rank = 0; a whole number of at least 1"),
        (lambda: dsa(system(0, (0.1,)), system(1, (0.1,)), n_restarts=-1), "n_restarts = -1; a whole number"),
        (lambda: dsa(system(0, (0.1,)), system(1, (0.1,)), n_delays=2.5), "n_delays = 2.5; a whole number"),
        (lambda: stochastic_shape(np.ones((4, 3, 2)), np.ones((4, 3, 2)), n_restarts=-1), "n_restarts = -1; a whole"),
        (lambda: cka(responses(0), responses(1), kernel="gauss"), "no kernel 'gauss'"),
        (lambda: cka(responses(0), responses(1), estimator="debias"), "Did you mean 'debiased'"),
        (lambda: cka(np.ones((6, 3)), responses(1, n=6)), "cannot be told from noise"),
        (lambda: cka(responses(0) * np.nan, responses(1)), "NaN"),
        (lambda: cka(responses(0)[None], responses(1)), r"\(stimulus, unit\)"),
        (
            lambda: cka(labelled(0), labelled(1).assign_coords(stimulus=[f"x{i}" for i in range(25)])),
            "different stimuli",
        ),
        (lambda: cka(responses(0), responses(1), estimator="minibatch", batch=2), "at least 4 stimuli"),
        (lambda: cca(responses(0, p=30), responses(1, p=30), method="cca"), "correlate perfectly whatever"),
        (lambda: cca(responses(0), responses(1), method="ccaa"), "no method"),
        (lambda: ShapeMetric(alpha=2), "alpha is 0"),
        (lambda: cca(np.ones((25, 3)), responses(1)), "do not vary over stimuli"),
        (lambda: ShapeMetric().distance(np.ones((25, 3)), responses(1)), "they have no shape"),
        (
            lambda: ShapeMetric().fit(responses(0), responses(1)).score(responses(0, p=3), responses(1)),
            "other numbers of units",
        ),
        (lambda: stochastic_shape(responses(0), responses(1)), "with 2 trials"),
        (lambda: stochastic_shape(noisy(0), noisy(1), alpha=3), "alpha is 0"),
        (lambda: dsa(responses(0), responses(1)), r"\(stimulus, time, unit\)"),
        (lambda: dsa(system(0, (0.1,)), system(1, (0.1,)), n_delays=90), "too few for 90 delays"),
        (
            lambda: dsa(*(as_responses(system(0, (0.1,)), time_step=t) for t in (1e-3, 2e-3))),
            "time steps of 0.001 s and 0.002 s differ",
        ),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act()


def test_stochastic_shape_takes_labelled_trials_in_any_order():
    x = as_responses(noisy(0, n_trials=20), dims=("stimulus", "trial", "unit"), stimuli=list("abcdefgh"))
    y = as_responses(noisy(1, n_trials=30), dims=("stimulus", "trial", "unit"), stimuli=list("abcdefgh"))
    assert stochastic_shape(x, y.isel(stimulus=slice(None, None, -1))) == pytest.approx(
        stochastic_shape(x, y), abs=1e-8
    )
    assert isinstance(x, xr.DataArray)
