"""Runs as folds, each with the noise of its own trials."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.schema import InputError
from neurosim.similarity.metrics.crossnobis import crossnobis

RUNS = np.repeat(["one", "two", "three"], 3)


def recorded(seed=0, n_units=6, runs=RUNS, scale=(1.0, 1.0, 3.0)):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(5, 1, n_units)) + rng.normal(size=(5, 9, n_units)) * np.repeat(scale, 3)[:, None]
    return ns.as_responses(
        values,
        dims=("stimulus", "trial", "unit"),
        coords={"run": ("trial", runs), "area": ("unit", np.arange(n_units) // 3)},
    )


def precisions(responses, shrinkage="schaefer_strimmer"):
    return {
        run: ns.similarity.noise_precision(responses.isel(trial=np.flatnonzero(run == RUNS)), shrinkage=shrinkage)
        for run in dict.fromkeys(RUNS)
    }


@pytest.mark.oracle
def test_runs_and_their_precisions_equal_rsatoolbox():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    responses = recorded()
    stimulus, trial = (a.ravel() for a in np.mgrid[:5, :9])
    data = rsatoolbox.data.Dataset(
        responses.values.reshape(45, -1), obs_descriptors={"stimulus": stimulus, "run": RUNS[trial]}
    )
    each = precisions(responses)
    for noise, options in (
        (None, {}),
        ([each[run].values for run in np.unique(RUNS)], {"precision": each}),
        ([each[run].values for run in np.unique(RUNS)], {"precision": "schaefer_strimmer"}),
    ):
        theirs = rsatoolbox.rdm.calc_rdm(data, "crossnobis", "stimulus", noise=noise, cv_descriptor="run")
        found = ns.compute_rdm(responses, "crossnobis", folds="run", **options)
        np.testing.assert_allclose(found.values, theirs.get_matrices()[0], atol=1e-10)


@pytest.mark.parametrize("precision", [None, "diagonal", "schaefer_strimmer"])
def test_a_label_of_every_trial_of_a_stimulus_is_read_by_stimulus(precision):
    responses = recorded()
    order = np.stack([np.random.default_rng(k).permutation(9) for k in range(5)])
    mixed = responses.copy(data=np.take_along_axis(responses.values, order[..., None], 1))
    mixed = mixed.assign_coords(run=(("stimulus", "trial"), RUNS[order]))
    asked = {"folds": "run", "precision": precision}
    np.testing.assert_allclose(
        ns.compute_rdm(mixed, "crossnobis", **asked), ns.compute_rdm(responses, "crossnobis", **asked), atol=1e-12
    )


def test_precisions_of_one_noise_are_that_one_precision():
    responses = recorded()
    one = ns.similarity.noise_precision(responses)
    wanted = ns.compute_rdm(responses, "crossnobis", folds="run", precision=one)
    found = ns.compute_rdm(responses, "crossnobis", folds="run", precision=dict.fromkeys(dict.fromkeys(RUNS), one))
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    gram = ns.compute_rdm(responses, "crossnobis", folds="run", precision="diagonal", keep="gram").values
    own = np.diagonal(gram)
    away = own[:, None] + own - gram - gram.T
    np.testing.assert_allclose(
        away, ns.compute_rdm(responses, "crossnobis", folds="run", precision="diagonal"), atol=1e-12
    )


def test_parts_take_their_own_precisions_and_a_dead_one_is_nan():
    responses = recorded()
    for precision in ("schaefer_strimmer", precisions(responses, "diagonal")):
        own = {k: v[3:] for k, v in precision.items()} if isinstance(precision, dict) else precision
        found = ns.compute_rdm(responses, "crossnobis", folds="run", precision=precision, by="area")
        alone = ns.compute_rdm(responses.isel(unit=slice(3, 6)), "crossnobis", folds="run", precision=own)
        np.testing.assert_allclose(found[1], alone, atol=1e-12)
    dead = responses.where(responses.area == 1, 0.0)
    found = ns.compute_rdm(dead, "crossnobis", folds="run", precision="diagonal", by="area")
    assert [bool(w) for w in found.undefined.values] == [True, False]


@pytest.mark.parametrize("precision", [None, "diagonal"])
def test_lost_trials_of_runs_leave_distances_unbiased(precision):
    """Stimuli that are answered alike are 0 apart on average, whatever was lost and whichever run is noisy."""
    rng, found, like = np.random.default_rng(3), [], recorded(n_units=24)
    for _ in range(60):
        values = rng.normal(size=(5, 9, 24)) * np.repeat([1.0, 1.0, 3.0], 3)[:, None]
        values[0, 3:6] = values[1, :1] = values[2, 7] = np.nan
        found.append(ns.compute_rdm(like.copy(data=values), "crossnobis", folds="run", precision=precision).values)
    mean, error = np.mean(found, 0), np.std(found, 0) / np.sqrt(len(found))
    apart = np.triu_indices(5, 1)
    assert (abs(mean[apart]) < 4 * error[apart]).all() and (error[apart] > 0).all()


def test_a_noisier_fold_brings_the_bias_that_is_stated_and_none_where_folds_are_equal():
    """A distance is a quadratic form, so its mean under noise is a sum of variances times what each entry gives."""
    n_folds, n = 4, 5
    variance = np.array([1.0, 1.0, 1.0, 9.0])
    measured = np.ones((n_folds, n), dtype=bool)
    measured[:2, 1] = measured[3, 2] = False
    alone = np.eye(n_folds * n).reshape(-1, n_folds, n, 1)
    weight = np.repeat(variance, n)[:, None, None]

    def stated(k, other):
        own, theirs = measured[:, k], measured[:, other]
        share = own * (theirs.sum() - theirs)
        return 2 / (n * own.sum()) * ((share / share.sum() - own / own.sum()) * variance).sum()

    wanted = np.array([[stated(k, m) + stated(m, k) if k != m else 0.0 for m in range(n)] for k in range(n)])
    seen = alone * measured[..., None]
    np.testing.assert_allclose((crossnobis(seen, measured) * weight).sum(0), wanted, atol=1e-12)
    np.testing.assert_allclose((crossnobis(alone) * weight).sum(0), 0, atol=1e-12)
    assert abs(wanted).max() > 0.05


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "euclidean", "folds": "run"}, "has no folds"),
        ({"folds": "rum"}, "Did you mean 'run'"),
        ({"folds": "area"}, "no label 'area' along trial"),
        ({"precision": {"one": np.ones(6)}}, "folds='run'"),
        ({"folds": "run", "precision": {"one": np.ones(6)}}, "the runs are"),
        ({"folds": "run", "precision": {"one": np.ones(6), "two": np.eye(6), "three": np.ones(6)}}, "in one form"),
        ({"metric": "ldc_t", "folds": "run", "precision": dict.fromkeys(RUNS, np.ones(6))}, "crossnobis does"),
        ({"folds": "run", "by": "area", "precision": dict.fromkeys(RUNS, np.eye(6))}, "not that of a part"),
    ],
)
def test_what_is_no_run_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        ns.compute_rdm(recorded(), **{"metric": "crossnobis"} | options)
    with pytest.raises(InputError, match="names 1 run"):
        ns.compute_rdm(recorded(runs=np.repeat("one", 9)), "crossnobis", folds="run")
