"""Coupled models of populations: against simulations of known coupling, closed forms, and nemos."""

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.biophysics.fitting.receptive_field import raised_cosines
from neurosim.schema import InputError

N, N_BASIS, N_LAGS, STEP = 4, 3, 12, 1e-3
BASIS = raised_cosines(N_LAGS, N_BASIS, "test")
WEIGHTS = np.zeros((N, N, N_BASIS))
WEIGHTS[np.arange(N), np.arange(N)] = [-3, -1, -0.3]
WEIGHTS[1, 0], WEIGHTS[2, 1], WEIGHTS[0, 3] = [1.5, 1, 0.3], [-1, -1, -0.5], [0, 0.8, 0.8]
COUPLING = WEIGHTS @ BASIS
QUICK = {"reach": N_LAGS * STEP, "n_basis": N_BASIS, "folds": 4, "penalties": (1e-3, 1e-1), "progress": False}


def drawn(rng, coupling, drive, n_trials=20, n_time=500):
    """Spikes (trial, time, unit) of units that are driven by log rates (trial, time, 1) and each other, bin by bin."""
    n_lags = coupling.shape[2]
    counts = np.zeros((n_trials, n_time, coupling.shape[0]))
    drive = np.broadcast_to(drive, (n_trials, n_time, 1))
    for t in range(n_time):
        past = counts[:, max(0, t - n_lags) : t][:, ::-1]
        log_rate = drive[:, t] + np.einsum("clv,uvl->cu", past, coupling[:, :, : past.shape[1]])
        counts[:, t] = rng.poisson(np.exp(log_rate))
    return counts


def recorded(counts):
    return ns.as_responses(
        counts[None], dims=("stimulus", "trial", "time", "unit"), quantity="spike_count", time_step=STEP
    )


@pytest.fixture(scope="module")
def worlds():
    """The fits of ten recordings of one circuit."""
    rng = np.random.default_rng(1)
    return [
        ns.biophysics.fit_coupled(
            recorded(drawn(rng, COUPLING, np.log(0.04))), **QUICK | {"penalties": (1e-3, 1e-1, 10.0)}
        )
        for _ in range(10)
    ]


def test_intervals_cover_the_truth(worlds):
    inside = [
        (f.coupling_interval.sel(bound="low").values <= COUPLING)
        & (f.coupling_interval.sel(bound="high").values >= COUPLING)
        for f in worlds
    ]
    assert 0.93 <= np.mean(inside) <= 0.98
    bias = np.array([f.bias.values for f in worlds])
    assert np.abs(bias.mean(0) - np.log(0.04 / STEP)).max() < 0.1


def test_coupling_is_found_where_it_is_and_nowhere_else(worlds):
    p = np.array([f.p_value.values for f in worlds])
    there = np.abs(WEIGHTS).sum(-1) > 0
    assert (p[:, there] < 1e-3).all()
    assert 0.01 < (p[:, ~there] < 0.05).mean() < 0.12


def test_only_what_is_coupled_is_predicted_better(worlds):
    z = np.mean([f.coupling_gain / f.coupling_gain_error for f in worlds], axis=0)
    assert z[0] > 3 and z[1] > 3 and z[3] < 1  # nothing acts on the last unit but itself
    gain = np.mean([f.coupling_gain for f in worlds], axis=0)
    assert gain[0] > 0.02 and gain[1] > 0.1 and abs(gain[3]) < 0.01


def test_bits_are_those_of_the_closed_form():
    """A covariate of two values and two rates: bits per spike are the mean of the log of rate by mean rate."""
    rng = np.random.default_rng(2)
    rates = np.array([0.02, 0.10])
    fast = rng.random((1, 20, 1000)) < 0.5
    counts = rng.poisson(rates[fast.astype(int)])[..., None].astype(float)
    covariate = xr.DataArray(fast * 3.0, dims=("stimulus", "trial", "time"), coords={"stimulus": ["s0"]})
    responses = ns.as_responses(
        counts, dims=("stimulus", "trial", "time", "unit"), stimuli=["s0"], quantity="spike_count", time_step=STEP
    )
    found = ns.biophysics.fit_coupled(responses, covariates={"fast": covariate}, **QUICK)
    share = rates / rates.sum()
    np.testing.assert_allclose(found.bits_per_spike.values, share @ np.log2(rates / rates.mean()), atol=0.04)
    low, high = found.covariate_gain_interval.values[0, 0]
    assert low < np.log(5) / 3 < high and high - low < 0.15
    assert found.covariate.values.tolist() == ["fast"]


def test_a_filter_of_the_stimulus_is_found():
    rng = np.random.default_rng(3)
    true = np.array([0.0, 0.6, 0.3]) @ BASIS
    values = rng.normal(size=(20, 500))
    drive = np.log(0.05) + np.stack([np.convolve(v, true)[:500] for v in values])
    counts = drawn(rng, COUPLING[:2, :2], drive[..., None])
    stimuli = ns.as_stimuli(values, dims=("stimulus", "time"), time_step=STEP)
    responses = ns.as_responses(counts, stimuli=stimuli, quantity="spike_count", time_step=STEP)
    found = ns.biophysics.fit_coupled(responses, stimuli=stimuli, **QUICK)
    interval = found.stimulus_filter_interval.values
    assert ((interval[..., 0] <= true) & (true <= interval[..., 1])).mean() > 0.8
    assert np.corrcoef(found.stimulus_filter.values[0], true)[0, 1] > 0.97
    assert found.stimulus_lag.values[0] == 0 and found.lag.values[0] == STEP
    named = {n: v.attrs.get("units") for n, v in found.variables.items()}
    assert named["lag"] == named["stimulus_lag"] == "s" and named["bias"] == "ln(spikes/s)"
    assert named["coupling_gain"] == named["bits_per_spike"] == "bits/spike"
    no_clock = stimuli.drop_vars("time", errors="ignore").drop_attrs()
    with pytest.raises(InputError, match="fit_coupled, stimuli: what has times needs a time_step in attrs"):
        ns.biophysics.fit_coupled(responses, stimuli=no_clock, **QUICK)
    turned = stimuli.isel(stimulus=slice(None, None, -1))
    xr.testing.assert_identical(ns.biophysics.fit_coupled(responses, stimuli=turned, **QUICK), found)


@pytest.mark.oracle
def test_nemos_finds_the_same_filters():
    nemos = pytest.importorskip("nemos", reason="pip install 'neurosim[oracles]'")
    import jax

    rng = np.random.default_rng(4)
    counts = drawn(rng, COUPLING, np.log(0.04), n_trials=4)
    found = ns.biophysics.fit_coupled(recorded(counts), **QUICK | {"penalties": (1e-6,)})
    columns = [
        np.stack([np.convolve(trial[:, v], np.r_[0.0, b])[N_LAGS : counts.shape[1]] for trial in counts]).ravel()
        for v in range(N)
        for b in BASIS
    ]
    with jax.enable_x64(True):
        model = nemos.glm.GLM(solver_name="LBFGS", solver_kwargs={"tol": 1e-10, "maxiter": 2000})
        model.fit(np.stack(columns, axis=-1), counts[:, N_LAGS:, 1].ravel())
        weights, constant = np.asarray(model.coef_), float(np.asarray(model.intercept_).squeeze())
    np.testing.assert_allclose(found.coupling.values[1], weights.reshape(N, N_BASIS) @ BASIS, atol=2e-3)
    assert abs(found.bias.values[1] - (constant - np.log(STEP))) < 1e-3


def test_trials_that_a_unit_lacks_do_not_enter():
    counts = drawn(np.random.default_rng(5), COUPLING[:2, :2], np.log(0.05), n_trials=10, n_time=200)
    lost = counts.copy()
    lost[3, :, 1] = np.nan
    found, other = (ns.biophysics.fit_coupled(recorded(c), **QUICK) for c in (lost, np.delete(counts, 3, axis=0)))
    xr.testing.assert_identical(found, other)
    speed = xr.DataArray(np.random.default_rng(6).normal(size=(1, 10)), dims=("stimulus", "trial"))
    speed = speed.assign_coords(stimulus=recorded(counts).stimulus.values)
    unknown = speed.copy()
    unknown[0, 3] = np.nan
    kept = ns.biophysics.fit_coupled(
        recorded(np.delete(counts, 3, axis=0)),
        covariates={"speed": speed.isel(trial=[t for t in range(10) if t != 3])},
        **QUICK,
    )
    xr.testing.assert_identical(
        ns.biophysics.fit_coupled(recorded(counts), covariates={"speed": unknown}, **QUICK), kept
    )


def test_one_long_trial_is_cut_in_time():
    counts = drawn(np.random.default_rng(7), COUPLING, np.log(0.04), n_trials=1, n_time=6000)
    found = ns.biophysics.fit_coupled(recorded(counts), **QUICK)
    assert found.p_value.values[1, 0] < 1e-6 and found.coupling_gain.values[1] > 0.05


COUNTS = drawn(np.random.default_rng(8), COUPLING[:2, :2], np.log(0.05), n_trials=6, n_time=200)
TWICE, FEW, BUNCHED = COUNTS[..., [0, 0]], COUNTS * [1, 0], COUNTS.copy()
BUNCHED[2:, :, 1], BUNCHED[:2, ::5, 1] = 0, 1
SPEED = xr.DataArray(np.ones((1, 6)), dims=("stimulus", "trial"), coords={"stimulus": ["s0"]})


@pytest.mark.parametrize(
    ("counts", "options", "words"),
    [
        (TWICE, {}, "say the same"),
        (FEW, {}, "1 units have under 20 spikes, the first is 1"),
        (BUNCHED, {}, "all spikes of unit 1 lie in two of 4 folds"),
        (COUNTS + 0.5, {}, "whole numbers"),
        (COUNTS, {"reach": 0.15}, "too short for filters of 0.15 s"),
        (COUNTS, {"reach": 2e-3}, "shorter than its 3 basis functions"),
        (COUNTS, {"penalties": (0.0, 1.0)}, "positive numbers"),
        (COUNTS, {"covariates": {"speed": 3.0}}, "covariate 'speed' is a DataArray"),
        (COUNTS, {"covariates": {"speed": SPEED}}, "the same at all times"),
        (COUNTS, {"covariates": {"speed": SPEED[:, :4]}}, "4 along trial, the responses 6"),
        (COUNTS, {"folds": 2}, "folds = 2; a whole number of at least 3"),
    ],
)
def test_what_cannot_be_fitted_is_refused(counts, options, words):
    with pytest.raises(InputError, match=words) as refused:
        ns.biophysics.fit_coupled(recorded(counts).assign_coords(stimulus=["s0"]), **QUICK | options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shift", [0.1, -0.5])
def test_stimuli_on_another_clock_are_refused(shift):
    rng = np.random.default_rng(0)
    spikes = (rng.random((1, 6, 400, 2)) < 0.1).astype(float)
    dims = ("stimulus", "trial", "time", "unit")
    responses = ns.as_responses(spikes, dims=dims, quantity="spike_count", time_step=1e-3)
    clock = responses["time"].values + shift if "time" in responses.coords else np.arange(400) * 1e-3 + shift
    shown = xr.DataArray(
        rng.normal(size=(1, 400)), dims=("stimulus", "time"), coords={"time": clock}, attrs={"time_step": 1e-3}
    )
    with pytest.raises(InputError, match=f"begin .{abs(shift):g} s from the responses"):
        ns.biophysics.fit_coupled(responses, stimuli=shown, reach=0.01, n_basis=3, folds=3)
