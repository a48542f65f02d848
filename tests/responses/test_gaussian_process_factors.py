"""Latents that are there are found, their number too; the likelihood is that of the Gaussian that the model is."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal

import neurosim as ns
from neurosim.responses.gaussian_process_factors import gpfa
from neurosim.schema import InputError

pytest.importorskip("elephant.gpfa")
STIMULI, TRIALS, TIMES, UNITS = 3, 8, 12, 10


@pytest.fixture(scope="module")
def world():
    """Counts whose roots are an offset, two smooth courses and noise; and the courses (stimulus, trial, time, 2)."""
    rng = np.random.default_rng(0)
    at = np.arange(TIMES)
    covariance = np.exp(-0.5 * (at[:, None] - at) ** 2 / 3**2) + 1e-6 * np.eye(TIMES)
    courses = np.linalg.cholesky(covariance) @ rng.normal(size=(STIMULI, TRIALS, TIMES, 2))
    roots = 6 + courses @ rng.normal(size=(2, UNITS)) + 0.5 * rng.normal(size=(STIMULI, TRIALS, TIMES, UNITS))
    dims = ("stimulus", "trial", "time", "unit")
    return ns.as_responses(np.round(roots**2), dims=dims, quantity="spike_count", time_step=0.02), courses


@pytest.fixture(scope="module")
def chosen(world):
    return gpfa(world[0], [1, 2, 3], folds=2, max_iterations=30, progress=False)


def test_the_number_and_the_courses_are_found(world, chosen):
    assert chosen.attrs["chosen"] == 2 and chosen.sizes["latent"] == 2
    latents, courses = (np.asarray(x).reshape(-1, 2) for x in (chosen.latents.values, world[1]))
    courses = courses - courses.mean(0)
    fit = np.linalg.lstsq(np.c_[latents, np.ones(len(latents))], courses, rcond=None)[0]
    left = courses - np.c_[latents, np.ones(len(latents))] @ fit
    assert (left.var(0) / courses.var(0) < 0.05).all()
    assert chosen.timescale.attrs["units"] == "s"
    assert ((chosen.timescale > 0.04) & (chosen.timescale < 0.08)).all()  # 3 bins of 20 ms
    np.testing.assert_allclose(chosen.loadings.values.T @ chosen.loadings.values, np.eye(2), atol=1e-10)
    assert chosen.latents.var(["stimulus", "trial", "time"]).diff("latent").item() < 0


def _dense(model, roots):
    """Return the mean log likelihood of trials (trial, time x unit) under the covariance written out."""
    at = np.arange(TIMES) * 0.02
    eps = model.attrs["process_noise"]
    covariance = np.kron(np.eye(TIMES), np.diag(model.noise_variance.values))
    for process in range(model.sizes["process"]):
        w, tau = model.weights.values[:, process], float(model.timescale[process])
        smooth = (1 - eps) * np.exp(-0.5 * (at[:, None] - at) ** 2 / tau**2) + eps * np.eye(TIMES)
        covariance += np.kron(smooth, np.outer(w, w))
    return multivariate_normal(np.tile(model.offset.values, TIMES), covariance).logpdf(roots).mean()


def test_latents_make_rdms_of_what_stimuli_repeat(chosen):
    """Trials of this world share nothing: their RDM over folds is 0 on average, with latents as units."""
    signal = xr.DataArray(np.arange(STIMULI) * 10.0, dims="stimulus")
    own, told = (
        ns.compute_rdm(x.rename(latent="unit"), "crossnobis") for x in (chosen.latents, chosen.latents + signal)
    )
    assert own.dims == ("time", "stimulus", "stimulus_other")
    between = np.triu_indices(STIMULI, 1)
    assert abs(own.values[:, *between].mean()) < 0.1 * told.values[:, *between].mean()


def test_the_likelihood_is_that_of_the_gaussian_that_the_model_is(world, chosen):
    roots = np.sqrt(world[0].values.reshape(-1, TIMES * UNITS))
    np.testing.assert_allclose(chosen.log_likelihood, _dense(chosen, roots), rtol=1e-6)


def test_trials_that_were_not_measured_do_not_enter_and_units_are_told_by_name(world, chosen):
    counts = world[0]
    lost = counts.astype(float).copy()
    lost[1, 7] = np.nan
    shorter = lost.isel(stimulus=[0, 2])
    a, b = (gpfa(x, 2, max_iterations=20) for x in (lost, counts.where(lost.notnull())))
    np.testing.assert_array_equal(a.latents, b.latents)
    assert bool(a.latents[1, 7].isnull().all()) and int(a.latents.isnull().sum()) == TIMES * 2
    assert set(gpfa(shorter, 1, max_iterations=5).latents.dims) == {"stimulus", "trial", "time", "latent"}
    lost[1, 6, :, 3] = np.nan
    with pytest.raises(InputError, match="1 units lack trials"):
        gpfa(lost, 2)


def test_trials_of_a_test_neither_fit_nor_choose(world):
    """They change nothing else; their likelihood is that of a fit to the others, whatever the order of the units."""
    counts = world[0].assign_coords(unit=[f"u{i}" for i in range(UNITS)])
    fitted, test = counts.isel(trial=slice(6)), counts.isel(trial=slice(6, None))
    alone, found = (gpfa(fitted, 2, *t, max_iterations=20) for t in ((), (test.isel(unit=slice(None, None, -1)),)))
    np.testing.assert_array_equal(found.latents, alone.latents)
    roots = np.sqrt(test.values.reshape(-1, TIMES * UNITS))
    np.testing.assert_allclose(found.test_log_likelihood, _dense(found, roots), rtol=1e-6)
    for other, message in (
        (test.isel(unit=slice(4)), "4 places along unit"),
        (test.assign_coords(unit=[f"v{i}" for i in range(UNITS)]), "same, different, labels"),
        (test.isel(time=slice(5)), "5 bins of 0.02 s, those that are fitted 12 of 0.02 s"),
    ):
        with pytest.raises(InputError, match=message):
            gpfa(fitted, 2, other)


def test_the_users_random_numbers_and_screen_are_left_alone(world, capsys):
    np.random.seed(5)  # noqa: NPY002
    wanted = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    gpfa(world[0].isel(trial=slice(3)), 1, max_iterations=2)
    assert np.random.rand() == wanted  # noqa: NPY002
    assert capsys.readouterr().out == ""


def test_bad_requests_are_one_line(world):
    counts = world[0]
    dead = counts.copy()
    dead[..., 2] = 0
    twice = counts.copy()
    twice[..., 2] = twice[..., 1]
    for call, message in (
        (lambda: gpfa(counts / 2, 2), "whole numbers from 0 on"),
        (lambda: gpfa(counts.assign_attrs(quantity="firing_rate"), 2), "found 'firing_rate'"),
        (lambda: gpfa(counts, UNITS), "n_latents = 10; a whole number from 1 to 9"),
        (lambda: gpfa(counts.isel(unit=[0]), 1), "at least 2 units"),
        (lambda: gpfa(counts, []), "no number of latents"),
        (lambda: gpfa(dead, 2), "the first 2, never spike"),
        (lambda: gpfa(twice, 2), "rank deficient"),
        (lambda: gpfa(counts, [1, 2], folds=9), "8 trials for 9 folds"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
