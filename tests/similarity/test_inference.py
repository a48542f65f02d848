"""Inference: exact where it can be, bounded, and calibrated over simulated experiments."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from neurosim.recordings.datasets import load_dataset
from neurosim.schema import InputError, as_rdm
from neurosim.similarity.inference import INFERENCE_METHODS, correct_p, infer
from neurosim.similarity.kernels import patterns as kernels
from neurosim.similarity.kernels.arrays import to_square, upper


def experiment(seed, n_subjects=10, n_stimuli=20, n_models=2, own=1.0, n_units=40):
    """Models and subjects that know nothing of each other, except of the geometry that all subjects share."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_stimuli, n_units))
    subjects = [kernels.euclidean(shared + own * rng.normal(size=shared.shape)) for _ in range(n_subjects)]
    models = [kernels.euclidean(rng.normal(size=(n_stimuli, n_units))) for _ in range(n_models)]
    return named(models), as_rdm(np.stack(subjects), dims=("subject",))


def named(models):
    return as_rdm(np.stack(models), dims=("model",), coords={"model": [f"m{i}" for i in range(len(models))]})


@pytest.mark.parametrize("method", INFERENCE_METHODS)
def test_no_rdm_scores_above_the_upper_ceiling(method):
    models, data = experiment(0, n_subjects=4, n_stimuli=8)
    ceiling = float(infer(models, data, method=method, n=50).ceiling.sel(side="upper"))
    rng = np.random.default_rng(0)
    pooled = upper(data.values)
    tries = [pooled.mean(0), stats.rankdata(pooled.mean(0)), np.round(pooled.mean(0), 1), *pooled]
    tries += [pooled.mean(0) + 0.3 * rng.normal(size=28) for _ in range(200)]
    best = infer(named([to_square(t, 8) for t in tries]), data, method=method, n=50)
    assert float(best.score.max()) <= ceiling + 1e-12
    if method in ("cosine", "corr", "whitened_cosine", "whitened_corr"):
        vectors = pooled - pooled.mean(1, keepdims=True) if method == "corr" else pooled
        if method in ("corr", "cosine"):
            attained = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
            found = infer(named([to_square(attained, 8)]), data, method=method, n=50)
            assert float(found.score[0]) == pytest.approx(ceiling, abs=1e-12)


@pytest.mark.parametrize("method", ["corr", "cosine", "spearman"])
def test_lower_ceiling_is_each_subject_against_the_mean_of_the_others(method):
    models, data = experiment(1, n_subjects=5, n_stimuli=9)
    vectors = upper(data.values)
    if method == "spearman":
        vectors = stats.rankdata(vectors, axis=1) - 18.5
    if method == "corr":
        vectors = vectors - vectors.mean(1, keepdims=True)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    others = [np.delete(unit, s, 0).mean(0) for s in range(5)]
    if method == "spearman":
        others = [stats.rankdata(np.delete(vectors, s, 0).mean(0)) - 18.5 for s in range(5)]
    wanted = np.mean([unit[s] @ o / np.linalg.norm(o) for s, o in enumerate(others)])
    found = infer(models, data, method=method, n=50).ceiling.sel(side="lower")
    assert float(found) == pytest.approx(wanted, abs=1e-12)


def test_subject_bootstrap_is_the_plain_one():
    """For subjects alone the bootstrap variance of a mean has the closed form s^2 (S - 1) / S^2 in the limit."""
    models, data = experiment(2, n_subjects=12)
    result = infer(models, data, resample=("subject",), estimate="bootstrap", n=20_000)
    spread = result.score_of_subject.values.std(axis=1, ddof=0) / np.sqrt(12)
    np.testing.assert_allclose(result.standard_error.values, spread, rtol=0.03)
    assert (result.df == 11).all()


def test_same_seed_same_numbers_and_the_order_of_stimuli_is_free():
    models, data = experiment(3)
    options = {"estimate": "bootstrap", "n": 100}
    a = infer(models, data, **options, rng=5)
    xr.testing.assert_identical(a, infer(models, data, **options, rng=5))
    order = np.random.default_rng(0).permutation(20)
    shuffled = data.isel(stimulus=order, stimulus_other=order)
    xr.testing.assert_identical(a, infer(models, shuffled, **options, rng=5))
    assert not np.allclose(a.standard_error, infer(models, data, **options, rng=6).standard_error)


def test_two_equal_models_do_not_differ():
    models, data = experiment(4)
    twice = named([models.values[0], models.values[0]])
    result = infer(twice, data, n=100)
    assert float(result.p_pair[0, 1]) == 1.0


def test_published_ceilings_of_the_92_objects(data_folder):
    """Noise ceilings of rsatoolbox 0.3.2 where they are right: corr and cosine."""
    data = load_dataset("kriegeskorte2008").rdms
    models = data["monkey_IT"].expand_dims(model=["monkey"])
    for method, low, high in (("corr", 0.3944, 0.6804), ("cosine", 0.9881, 0.9933)):
        found = infer(models, data["human_IT"], method=method, n=50).ceiling.values
        np.testing.assert_allclose(found, [low, high], atol=5.1e-5)


def test_corrections_equal_their_definitions():
    p = np.array([0.01, 0.04, 0.03, 0.2])
    np.testing.assert_allclose(correct_p(p, "holm"), [0.04, 0.09, 0.09, 0.2])
    np.testing.assert_allclose(correct_p(p, "fdr"), stats.false_discovery_control(p))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda m, d: infer(m, d, method="tau_b"), "no method 'tau_b'"),
        (lambda m, d: infer(m, d, resample=("subjects",)), "'subject', 'stimulus' or both"),
        (lambda m, d: infer(m, d[0]), "one subject cannot be resampled"),
        (lambda m, d: infer(m.rename(model="layer"), d), "models have dims"),
        (lambda m, d: infer(m, d.assign_coords(stimulus=[f"x{i}" for i in range(20)])), "different stimuli"),
        (lambda m, d: infer(m[:, :5, :5], d[:, :5, :5]), "at least 6 stimuli"),
        (lambda m, d: infer(m, d, correction="bonferoni"), "no method 'bonferoni'"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*experiment(0))


def test_one_subject_has_no_ceiling():
    models, data = experiment(0)
    result = infer(models, data[0], resample=("stimulus",), n=100)
    assert "ceiling" not in result
    assert np.isfinite(result.interval.values).all()
