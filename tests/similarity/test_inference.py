"""Inference: exact where it can be, bounded, and calibrated over simulated experiments."""

import json
import warnings
from itertools import product

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from neurosim.recordings.datasets import load_dataset
from neurosim.schema import InputError, as_rdm
from neurosim.similarity.inference import _comparison, correct_p, infer, named_models
from neurosim.similarity.inference_options import Fitting, Resampling, Significance
from neurosim.similarity.kernels import ceilings
from neurosim.similarity.kernels.arrays import to_square, upper
from neurosim.similarity.kernels.ceilings import exact_ceilings
from neurosim.similarity.kernels.comparisons import cross_scores
from neurosim.similarity.kernels.drawn_stimuli import gram_of_features
from neurosim.similarity.kernels.fitting import fit_components
from neurosim.similarity.method import METHODS
from neurosim.similarity.methods.spearman import best_weak_order
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.resampling import jackknife_variance
from neurosim.similarity.weighting import WEIGHTINGS

BOOTSTRAP = Resampling(estimate="bootstrap", n_samples=50)


def experiment(seed, n_subjects=10, n_stimuli=20, n_models=2, own=1.0, n_units=40):
    """Models and subjects that know nothing of each other, except of the geometry that all subjects share."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_stimuli, n_units))
    subjects = [euclidean(shared + own * rng.normal(size=shared.shape)) for _ in range(n_subjects)]
    models = [euclidean(rng.normal(size=(n_stimuli, n_units))) for _ in range(n_models)]
    return named(models), as_rdm(np.stack(subjects), dims=("subject",))


def named(models):
    return as_rdm(np.stack(models), dims=("model",), coords={"model": [f"m{i}" for i in range(len(models))]})


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].has_inference])
def test_no_rdm_scores_above_the_upper_ceiling(method):
    models, data = experiment(0, n_subjects=4, n_stimuli=8)
    ceiling = float(infer(models, data, method=method).ceiling.sel(side="upper"))
    rng = np.random.default_rng(0)
    pooled = upper(data.values)
    tries = [pooled.mean(0), stats.rankdata(pooled.mean(0)), np.round(pooled.mean(0), 1), *pooled]
    tries += [pooled.mean(0) + 0.3 * rng.normal(size=28) for _ in range(40 if method == "tau_a" else 200)]
    best = infer(named([to_square(t, 8) for t in tries]), data, method=method, resample=("subject",))
    assert float(best.score.max()) <= ceiling + 1e-12
    if method in ("cosine", "corr", "whitened_cosine", "whitened_corr"):
        vectors = pooled - pooled.mean(1, keepdims=True) if method == "corr" else pooled
        if method in ("corr", "cosine"):
            attained = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
            found = infer(named([to_square(attained, 8)]), data, method=method)
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
    found = infer(models, data, method=method).ceiling.sel(side="lower")
    assert float(found) == pytest.approx(wanted, abs=1e-12)


def test_subject_bootstrap_is_the_plain_one():
    """For subjects alone the bootstrap error of a mean, corrected for what drawn subjects repeat, is s / root of S."""
    models, data = experiment(2, n_subjects=12)
    result = infer(models, data, resample=Resampling("subject", "bootstrap", 20_000))
    spread = result.score_of_subject.values.std(axis=1, ddof=1) / np.sqrt(12)
    np.testing.assert_allclose(result.standard_error.values, spread, rtol=0.03)
    assert (result.df == 11).all()


def test_same_seed_same_numbers_and_the_order_of_stimuli_is_free():
    models, data = experiment(3)
    options = {"resample": Resampling(estimate="bootstrap", n_samples=100)}
    a = infer(models, data, **options, rng=5)
    xr.testing.assert_identical(a, infer(models, data, **options, rng=5))
    order = np.random.default_rng(0).permutation(20)
    shuffled = data.isel(stimulus=order, stimulus_other=order)
    xr.testing.assert_identical(a, infer(models, shuffled, **options, rng=5))
    assert not np.allclose(a.standard_error, infer(models, data, **options, rng=6).standard_error)


def test_two_equal_models_do_not_differ():
    models, data = experiment(4)
    twice = named([models.values[0], models.values[0]])
    result = infer(twice, data)
    assert float(result.p_pair[0, 1]) == 1.0


CEILINGS = {  # rsatoolbox 0.3.2 on the 92 objects, where it is right
    "corr": (0.3944, 0.6804),
    "spearman": (0.3723, 0.6657),
    "rho_a": (0.3723, 0.6657),
    "tau_a": (0.2539, None),
    "cosine": (0.9881, 0.9933),
}


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].has_inference])
def test_published_ceilings_of_the_92_objects(data_folder, method):
    """Where rsatoolbox pools with the wrong norm, its value is that of the plain norm and its upper one is exceeded."""
    vectors = upper(load_dataset("kriegeskorte2008").rdms["human_IT"].values)
    among = gram_of_features(vectors, np.ones((1, 92)), METHODS[method])[0]
    low, high = exact_ceilings(vectors, among, METHODS[method], 92)
    if method in CEILINGS:
        assert low == pytest.approx(CEILINGS[method][0], abs=5.1e-5)
        assert CEILINGS[method][1] is None or high == pytest.approx(CEILINGS[method][1], abs=5.1e-5)
    if method == "tau_a":
        assert high > 0.4767
    if method.startswith("whitened"):
        published = {"whitened_cosine": (0.6647, 0.8173), "whitened_corr": (0.4298, 0.6958)}[method]
        plain = vectors - vectors.mean(1, keepdims=True) * (method == "whitened_corr")
        plain = plain / np.linalg.norm(plain, axis=1, keepdims=True)
        subjects = to_square(vectors, 92)
        others = to_square(np.stack([np.delete(plain, s, 0).mean(0) for s in range(4)]), 92)
        theirs = [cross_scores(others[s : s + 1], subjects[s : s + 1], METHODS[method])[0, 0] for s in range(4)]
        assert np.mean(theirs) == pytest.approx(published[0], abs=5.1e-5)
        assert cross_scores(to_square(plain.mean(0)[None], 92), subjects, METHODS[method]).mean() == pytest.approx(
            published[1], abs=5.1e-5
        )
        assert high > published[1] + 1e-4


WEAK_ORDERS = np.unique(stats.rankdata([o for o in product(range(5), repeat=5) if len(set(o)) > 1], axis=1) - 3, axis=0)


@pytest.mark.parametrize("seed", range(30))
def test_best_weak_order_equals_a_search_through_all_weak_orders(seed):
    rng = np.random.default_rng(seed)
    ranks = stats.rankdata(rng.integers(0, 4 if seed % 2 else 100, size=(3, 5)), axis=1)
    centred = ranks - 3
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    best = (WEAK_ORDERS @ unit.mean(0) / np.linalg.norm(WEAK_ORDERS, axis=1)).max()
    assert best_weak_order(ranks) == pytest.approx(best, abs=1e-12)


def test_drawing_a_subject_twice_is_no_new_subject():
    """The lower ceiling of a drawn sample leaves out all copies of a subject; one subject alone has none."""
    _, data = experiment(0, n_subjects=3, n_stimuli=8)
    vectors = upper(data.values)
    among = gram_of_features(vectors, np.ones((1, 8)), METHODS["corr"])
    twice, once = (ceilings.ceilings_of_gram(among, np.array([d]))[0][0] for d in ([2.0, 1.0, 0.0], [1.0, 1.0, 0.0]))
    assert twice == pytest.approx(once)
    assert ceilings.ceilings_of_gram(among, np.array([[3.0, 0.0, 0.0]]))[0][0] == 0


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("ours", "other"),
    [("cosine", "cosine"), ("corr", "corr"), ("spearman", "spearman"), ("whitened_cosine", "cosine_cov")],
)
def test_scores_of_resampled_data_equal_rsatoolbox_on_the_same_indices(ours, other):
    rsatoolbox = pytest.importorskip("rsatoolbox")
    models, data = experiment(0, n_subjects=4, n_stimuli=9)
    comparison = _comparison(named_models(models, None), data, METHODS[ours])
    rng = np.random.default_rng(0)
    for _ in range(4):
        stimuli, subjects = np.sort(rng.integers(0, 9, 9)), rng.integers(0, 4, 4)
        counts = np.bincount(stimuli, minlength=9)[None].astype(float)
        draws = np.bincount(subjects, minlength=4)[None].astype(float)
        found = comparison.fixed(counts, draws[None])[0, 0, :2]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rdms = [rsatoolbox.rdm.RDMs(upper(r.values)) for r in (models, data)]
            drawn = [r.subsample_pattern("index", stimuli) for r in rdms]
            wanted = rsatoolbox.rdm.compare(drawn[0], drawn[1], method=other)[:, subjects].mean(1)
        np.testing.assert_allclose(found, wanted, atol=1e-5 if "whitened" in ours else 1e-10)


def test_two_factor_jackknife_of_an_additive_score_is_unbiased():
    """A U-statistic of known variance components: the mean estimate equals the variance over experiments."""
    n_stimuli, n_subjects = 12, 6
    rows, columns = np.triu_indices(n_stimuli, 1)
    scores, estimates = [], []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        single, subject = rng.normal(size=n_stimuli), 0.5 * rng.normal(size=n_subjects)
        both = 0.7 * rng.normal(size=(n_subjects, n_stimuli))
        pair = 1.5 * rng.normal(size=len(rows))
        cell = single[rows] + single[columns] + pair + subject[:, None] + both[:, rows] + both[:, columns]
        cell = cell + 2.0 * rng.normal(size=cell.shape)

        def evaluate(counts, draws, cell=cell):
            weights = counts[:, rows] * counts[:, columns]
            draws = draws[:, 0]
            table = np.einsum("np,sp,ds->nd", weights, cell, draws) / weights.sum(1)[:, None] / draws.sum(1)
            return table[..., None]

        variance = jackknife_variance(evaluate, np.arange(n_stimuli), n_subjects, ("subject", "stimulus"))
        parts = [v.var(ddof=1) / len(v) for v in (variance.subjects, variance.stimuli)]
        estimates.append(sum(parts) - variance.pairs_of_stimuli[0, 0] - variance.shared[0, 0])
        assert variance.pairs_of_subjects[0, 0] == pytest.approx(0, abs=1e-20)
        scores.append(cell.mean())
    error = np.std(estimates) / np.sqrt(1500)
    assert np.mean(estimates) == pytest.approx(np.var(scores), abs=4 * error + 4 * np.var(scores) * np.sqrt(2 / 1500))


@pytest.mark.parametrize("estimate", ["jackknife", "bootstrap"])
def test_flexible_models_are_scored_on_stimuli_and_subjects_they_did_not_see(estimate):
    """Twenty random components fit noise and predict nothing; the right two predict better than either alone."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(30, 8)) for _ in range(2)]
    truth = euclidean(parts[0]) + euclidean(parts[1])
    data = as_rdm(np.stack([truth + 0.4 * euclidean(rng.normal(size=(30, 8))) for _ in range(6)]), dims=("subject",))

    def components(arrays):
        return as_rdm(np.stack([euclidean(a) for a in arrays]), dims=("component",))

    models = {
        "right": components(parts),
        "random": components(rng.normal(size=(20, 30, 8))),
        "one": as_rdm(euclidean(parts[0])),
        "other": as_rdm(euclidean(parts[1])),
    }
    options = {"method": "corr", "resample": Resampling(estimate=estimate, n_samples=20)}
    for fit in ("nonnegative",) if estimate == "jackknife" else ("weighted", "nonnegative", "interpolated", "select"):
        found = infer(models, data, fit=Fitting(fit, {"stimulus": 3, "subject": 2}), **options)
        right, random, *single = found.score.values
        assert abs(random) < 3 * float(found.standard_error[1]) + 0.1
        if fit == "select":
            assert right == pytest.approx(max(single), abs=0.05)
        else:
            assert right > max(single) + 0.05
        assert right <= float(found.ceiling[1]) + 1e-12


def test_weighted_fit_is_the_best_of_all_weights():
    rng = np.random.default_rng(0)
    components, subjects = rng.normal(size=(3, 40)), rng.normal(size=(2, 40)) + 0.5
    norms = np.linalg.norm(subjects, axis=1)
    options = (components @ components.T, components @ subjects.T, norms, np.ones(2))

    def score(weights):
        made = weights @ components
        return np.mean(subjects @ made / norms) / np.linalg.norm(made)

    tries = rng.normal(size=(3000, 3))
    assert score(fit_components(*options, WEIGHTINGS["weighted"])) >= max(score(w) for w in tries) - 1e-12
    assert score(fit_components(*options, WEIGHTINGS["nonnegative"])) >= max(score(abs(w)) for w in tries) - 1e-12
    segments = [np.eye(3)[c] * (1 - t) + np.eye(3)[c + 1] * t for c in range(2) for t in np.linspace(0, 1, 200)]
    assert score(fit_components(*options, WEIGHTINGS["interpolated"])) >= max(score(w) for w in segments) - 1e-12
    assert score(fit_components(*options, WEIGHTINGS["select"])) == pytest.approx(max(score(w) for w in np.eye(3)))


def test_groups_of_stimuli_are_resampled_as_one():
    """Copies of a stimulus are no new evidence: resampled as groups, the error is that of the originals."""
    models, data = experiment(5, n_stimuli=12, own=0.3)
    related = named([data.values.mean(0) + models.values[0]])
    index = np.repeat(np.arange(12), 3)

    def copied(rdm):
        labelled = as_rdm(
            rdm.values[:, index][:, :, index],
            dims=rdm.dims[:1],
            coords={rdm.dims[0]: rdm[rdm.dims[0]].values} if rdm.dims[0] in rdm.coords else None,
        )
        return labelled.assign_coords(object=("stimulus", [f"o{i}" for i in index]))

    options = {"method": "cosine"}
    plain = infer(related, data, resample="stimulus", **options)
    grouped = infer(copied(related), copied(data), resample=Resampling("stimulus", groups="object"), **options)
    naive = infer(copied(related), copied(data), resample="stimulus", **options)
    assert float(grouped.standard_error[0]) > 1.3 * float(naive.standard_error[0])
    assert float(grouped.df[0]) <= 11
    assert float(plain.standard_error[0]) == pytest.approx(float(grouped.standard_error[0]), rel=0.35)


def test_a_noisy_model_has_a_ceiling_of_its_own():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(15, 20))
    folds = as_rdm(np.stack([euclidean(truth + 0.8 * rng.normal(size=truth.shape)) for _ in range(6)]), dims=("fold",))
    _, data = experiment(1, n_stimuli=15)
    found = infer({"noisy": folds, "clean": as_rdm(euclidean(truth))}, data, method="corr")
    assert found.noisy_model.values.tolist() == ["noisy"]
    low, high = found.model_ceiling.values[0]
    assert 0 < low < high < 1
    wanted = infer(named([folds.values[0]]), folds.rename(fold="subject"), method="corr").ceiling.values
    np.testing.assert_allclose([low, high], wanted)
    assert (found.model_ceiling_standard_error > 0).all()


def test_the_result_says_how_to_repeat_it():
    models, data = experiment(6)
    found = infer(models, data, resample=BOOTSTRAP, rng=7)
    assert found.attrs["seed"] == "7"
    assert json.loads(found.attrs["versions"])["numpy"] == np.__version__
    assert found.attrs["inputs_sha256"] != infer(models, data * 1.0001, resample=BOOTSTRAP).attrs["inputs_sha256"]
    generator = np.random.default_rng(3)
    state = infer(models, data, resample=BOOTSTRAP, rng=generator).attrs["seed"]
    repeated = np.random.default_rng()
    repeated.bit_generator.state = json.loads(state)
    again = infer(models, data, resample=BOOTSTRAP, rng=repeated)
    np.testing.assert_array_equal(
        again.standard_error,
        infer(models, data, resample=BOOTSTRAP, rng=np.random.default_rng(3)).standard_error,
    )


def test_bare_arrays_are_accepted():
    models, data = experiment(8)
    found = infer(models.values, data.values, method="cosine")
    np.testing.assert_array_equal(found.score, infer(models, data, method="cosine").score)
    named_arrays = {"a": models.values[0], "b": models.values[1]}
    np.testing.assert_array_equal(infer(named_arrays, data.values, method="cosine").score, found.score)


def test_tau_a_is_inferred_as_every_other_method():
    models, data = experiment(7, n_stimuli=9, n_subjects=4)
    found = infer(models, data, method="tau_a")
    for m in range(2):
        wanted = np.mean([stats.kendalltau(upper(models.values[m]), upper(d))[0] for d in data.values])
        assert float(found.score[m]) == pytest.approx(wanted)


def test_corrections_equal_their_definitions():
    p = np.array([0.01, 0.04, 0.03, 0.2])
    np.testing.assert_allclose(correct_p(p, "holm"), [0.04, 0.09, 0.09, 0.2])
    np.testing.assert_allclose(correct_p(p, "fdr"), stats.false_discovery_control(p))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda m, d: infer(m, d, method="tau_b"), "no inference for method 'tau_b'; methods that have one: corr, "),
        (lambda m, d: infer(m, d, resample=("subjects",)), "'subject', 'stimulus' or both"),
        (lambda m, d: infer(m, d[0]), "one subject cannot be resampled"),
        (lambda m, d: infer(m.rename(model="layer"), d), "models have dims"),
        (lambda m, d: infer(m, d.assign_coords(stimulus=[f"x{i}" for i in range(20)])), "different stimuli"),
        (lambda m, d: infer(m[:, :5, :5], d[:, :5, :5]), "at least 6 stimuli"),
        (lambda m, d: infer(m, d, significance=Significance(correction="bonferoni")), "no correction 'bonferoni'"),
        (lambda m, d: infer(m, d, resample=Resampling(estimate="jacknife")), "Did you mean 'jackknife'"),
        (lambda m, d: infer(m, d, fit="weigthed"), "Did you mean 'weighted'"),
        (lambda m, d: infer(m, d, rng="x"), "infer: rng is a whole-number seed of 0 or more .* found 'x'"),
        (lambda m, d: infer(m, d, rng=-1), "found -1"),
        (lambda m, d: infer({}, d), "there is no model"),
        (
            lambda m, d: infer(m, d, resample=Resampling(estimate="bootstrap", n_samples=1)),
            "too few for a standard error",
        ),
        (lambda m, d: infer(m, d, significance=Significance(alpha=2)), "alpha is between 0 and 1"),
        (lambda m, d: infer({"a": m.rename(model="component")}, d), "has components to be fitted"),
        (lambda m, d: infer({"a": m.rename(model="layer")}, d), "one of 'component' or 'fold'"),
        (lambda m, d: infer(m, d, resample=Resampling(groups="category")), "no label 'category'"),
        (
            lambda m, d: infer(
                m, d.assign_coords(category=("stimulus", ["a", "b"] * 10)), resample=Resampling(groups="category")
            ),
            "too few to resample",
        ),
        (lambda m, d: infer(m, d, fit=Fitting("select", folds=9)), "cannot be made"),
        (lambda m, d: infer(m, d, fit=Fitting("select", folds={"unit": 3})), "folds are of"),
        (lambda m, d: infer(m.assign_coords(model=["a", "a"]), d), "names of models repeat"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*experiment(0))


def test_one_subject_has_no_ceiling():
    models, data = experiment(0)
    result = infer(models, data[0], resample="stimulus")
    assert "ceiling" not in result
    assert np.isfinite(result.interval.values).all()


@pytest.mark.data
def test_judged_dissimilarities_follow_it_rather_than_early_visual_cortex(data_folder):
    people, fmri = load_dataset("kriegeskorte2008").rdms, load_dataset("cichy2014_92").rdms
    sources = {"IT": people["human_IT"].mean("subject"), "EVC": fmri["EVC"].mean("subject")}
    found = infer(sources, people["behaviour"], method="spearman")
    assert found.sizes["subject"] == 16
    assert float(found.p_zero_corrected[0]) < 1e-3
    assert float(found.p_pair[0, 1]) < 0.01
    assert float(found.score.max()) < float(found.ceiling[0]) < float(found.ceiling[1]) < 1


@pytest.mark.parametrize(
    ("n_stimuli", "asked"),
    [(52, {}), (12, {"resample": BOOTSTRAP}), (18, {"fit": "weighted"})],
    ids=["jackknife", "bootstrap", "weighted"],
)
def test_the_order_of_rows_changes_nothing(n_stimuli, asked):
    """More stimuli than those of which all pairs are left out, in two orders: the same pairs, draws and folds."""
    models, data = experiment(3, n_subjects=4, n_stimuli=n_stimuli)
    if "fit" in asked:
        models = {"mixed": models.rename(model="component").drop_vars("component")}
    else:
        models = {str(name): models.sel(model=name, drop=True) for name in models.model.values}
    expected = infer(models, data, method="corr", progress=False, rng=1, **asked)
    other = np.random.default_rng(0).permutation(n_stimuli)
    again = {name: rdm.isel(stimulus=other, stimulus_other=other) for name, rdm in models.items()}
    found = infer(again, data.isel(stimulus=other, stimulus_other=other), method="corr", progress=False, rng=1, **asked)
    xr.testing.assert_identical(found, expected)


def test_a_subject_counts_once():
    models, data = experiment(0, n_subjects=3, n_stimuli=8)
    twice = xr.concat([data.assign_coords(subject=["a", "b", "c"])] * 2, "subject")
    with pytest.raises(InputError, match="infer: the subject 'a' is there 2 times"):
        infer(models, twice)
    apart = twice.assign_coords(subject=list("abcdef"))
    assert infer(models, apart).sizes["subject"] == 6
