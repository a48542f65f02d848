"""Every public function that takes trials, where trials are missing: what is measured enters, and nothing else does."""

import inspect
import re
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.schema import InputError

N, TRIALS, TIMES, UNITS = 12, 6, 30, 4
CATEGORY = {"category": ("stimulus", list("ab") * (N // 2)), "angle": ("stimulus", np.repeat([0.0, 45, 90, 135], 3))}

RUNNING = xr.DataArray(np.random.default_rng(8).normal(size=(TRIALS, N)), dims=("trial", "stimulus"))


@dataclass(frozen=True)
class Case:
    """How a function is called on trials, and what of its answer can be compared."""

    call: object  # from responses to a Dataset, DataArray or number
    counts: bool = False  # spike counts over time, else values of still trials
    unitwise: bool = True  # units may lack other trials than other units
    leaves_out: bool = False  # trials that any unit lacks, of all units
    unbiased: object = None  # from the answer to numbers whose mean does not depend on how many trials there are


def encoded(x):
    source = ns.as_responses(np.random.default_rng(9).normal(size=(x.sizes["stimulus"], 3)), stimuli=x)
    return ns.similarity.predict_responses(source, x, folds=3, progress=False)


def searched(x):
    angles = ns.similarity.model_rdm(x.assign_coords(CATEGORY), "angle", "orientation")
    near = [[0, 1, -1], [1, 2, 3]]
    return ns.similarity.searchlight_scores(x, near, {"angle": angles}, metric="crossnobis", block=1, progress=False)


def hit(x):
    """A model that fires as one neuron does, in one trial; the interval is of drawn trials."""
    model = x.isel(trial=0, drop=True).copy(data=(np.random.default_rng(9).random((N, TIMES, UNITS)) < 0.15) * 1.0)
    return ns.responses.coincidence(x, model, tolerance=2e-3, n_bootstrap=2).drop_vars("interval")


def coupled(x):
    """Without what is dealt out in folds."""
    found = ns.biophysics.fit_coupled(x, reach=4e-3, n_basis=2, folds=3, penalties=(1e-3,), progress=False)
    return found[["bias", "coupling", "coupling_interval"]]


R, S = ns.responses, ns.similarity
CASES = {
    "average_trials": Case(R.average_trials, unbiased=lambda f: f),
    "over_time": Case(R.over_time, counts=True),
    "rebin": Case(lambda x: R.rebin(x, 5e-3), counts=True),
    "firing_rate": Case(lambda x: R.firing_rate(x, bandwidth=3e-3), counts=True),
    "psth": Case(R.psth, counts=True, unbiased=lambda f: f.rate),
    "regress_out": Case(lambda x: R.regress_out(x.assign_coords(running=RUNNING[: x.sizes["trial"]]), "running")),
    "fano_factor": Case(lambda x: R.fano_factor(R.over_time(x)), counts=True, unbiased=lambda f: f),
    "interval_variability": Case(R.interval_variability, counts=True, unbiased=lambda f: f.lv),
    "burst_statistics": Case(R.burst_statistics, counts=True, unbiased=lambda f: f.burst_rate),
    "first_spike_latency": Case(R.first_spike_latency, counts=True),
    "coincidence": Case(hit, counts=True),
    "spectrogram": Case(lambda x: R.spectrogram(x, bandwidth=100.0), counts=True, unbiased=lambda f: f.mean("trial")),
    "coherence": Case(lambda x: R.coherence(x, bandwidth=100.0), counts=True),
    "synchrony": Case(R.synchrony, counts=True, unbiased=lambda f: f),
    "cross_correlogram": Case(lambda x: R.cross_correlogram(x, reach=3e-3), counts=True, unbiased=lambda f: f),
    "noise_correlation": Case(R.noise_correlation, unbiased=lambda f: f),
    "signal_correlation": Case(R.signal_correlation),
    "split_half_reliability": Case(R.split_half_reliability),
    "signal_to_noise": Case(R.signal_to_noise, unbiased=lambda f: f[["signal_power", "noise_power"]].to_array()),
    "select_reliable": Case(lambda x: R.select_reliable(x, alpha=1.0)),
    "tuning_curve": Case(lambda x: R.tuning_curve(x, "angle"), unbiased=lambda f: f.response),
    "sparseness": Case(lambda x: R.sparseness(np.abs(x))),
    "participation_ratio": Case(R.participation_ratio),
    "cross_validated_pca": Case(R.cross_validated_pca, unbiased=lambda f: f.signal_variance.sum()),
    "demixed_pca": Case(
        lambda x: R.demixed_pca(x, "category", regularization=0.1), unitwise=False, unbiased=lambda f: f.signal_variance
    ),
    "targeted_axes": Case(
        lambda x: R.targeted_axes(x, "angle", n_splits=1).drop_vars("held_out_slopes"),
        unitwise=False,
    ),
    "jpca": Case(lambda x: R.jpca(x, n_components=2, n_shuffles=3), counts=True, unitwise=False),
    "gpfa": Case(lambda x: R.gpfa(x, 1, max_iterations=5).drop_vars("latents"), counts=True, unitwise=False),
    "cluster_stimuli": Case(lambda x: R.cluster_stimuli(x, 2)),
    "embed_stimuli": Case(R.embed_stimuli),
    "decode": Case(lambda x: R.decode(x, "category", folds=3)),
    "generalise": Case(lambda x: R.generalise(x, "category", across="angle")),
    "compute_rdm": Case(lambda x: ns.compute_rdm(x, "crossnobis"), unbiased=lambda f: f),
    "searchlight_scores": Case(searched),
    "representational_connectivity": Case(
        lambda x: S.representational_connectivity(x.assign_coords(area=("unit", list("aabb"))), n_splits=4)
    ),
    "noise_precision": Case(lambda x: S.noise_precision(x, shrinkage="diagonal"), unbiased=lambda f: 1 / f),
    "predict_responses": Case(encoded),
    "fit_coupled": Case(coupled, counts=True, unitwise=False, leaves_out=True),
    "stochastic_shape": Case(lambda x: S.stochastic_shape(x, x.isel(unit=[1, 0, 2, 3]) * 2), unitwise=False),
}
TRIALS_STAY = {
    "over_time", "rebin", "firing_rate", "first_spike_latency", "select_reliable", "spectrogram", "regress_out",
}  # fmt: skip
REFUSE = {  # where a missing trial is refused by name: function -> why it is not counted out
    "spike_rdm": "pairs of trials, stimulus by stimulus",
    "save_nwb": "the file has no place for it",
    "choose_category": "a simulation runs all trials",
    "fit_driven": "one pass over the session",
    "fit_poisson": "one pass over the session",
    "spike_triggered_average": "one pass over the session",
}
NOT_TRIALS = {
    "infer",
    "bin_spikes",
    "load_spikes",
    "save_assembly",
    "label_trials",
    "save_sonata_spikes",
}  # take tables of spikes or RDMs; write; label


def responses(rng, case, trials=TRIALS):
    """Trials of a tuned population, or its spikes."""
    signal = rng.normal(size=(N, 1, UNITS))
    if case.counts:
        rates = 0.15 * np.exp(0.5 * signal)[:, :, None]
        x = (rng.random((N, trials, TIMES, UNITS)) < rates).astype(float)
        return ns.as_responses(x, dims=("stimulus", "trial", "time", "unit"), quantity="spike_count", time_step=1e-3)
    x = 4 + signal + rng.normal(size=(N, trials, UNITS))
    return ns.as_responses(x, dims=("stimulus", "trial", "unit"), coords=CATEGORY)


def numbers(found):
    """All numbers of an answer as one flat array."""
    if isinstance(found, xr.Dataset):
        parts = [numbers(v) for v in found.data_vars.values()]
        return np.concatenate([p for p in parts if p.size] or [np.empty(0)])
    values = np.asarray(getattr(found, "values", found))
    return values.astype(float).ravel() if values.dtype.kind in "biuf" else np.empty(0)


def without(x, stimulus, trials, units=slice(None)):
    """Responses in which some trials of a stimulus were not measured."""
    lost = x.copy(deep=True)
    lost[{"stimulus": stimulus, "trial": trials, "unit": units}] = np.nan
    return lost


CASE = pytest.mark.parametrize("name", CASES)


def test_every_function_that_takes_trials_is_here():
    """As its docstring says in the section of its parameters."""
    found = set()
    for room in (ns.responses, ns.similarity, ns.recordings, ns.biophysics):
        for name in dir(room):
            function = getattr(room, name)
            if inspect.isfunction(function):
                said = re.search(r"Parameters\n-+\n(.*?)(\n\n|$)", inspect.getdoc(function) or "", re.S)
                if said and re.search(r"\btrial\b", said[1]):
                    found.add(name)
    assert found <= set(CASES) | set(REFUSE) | NOT_TRIALS, found - set(CASES) - set(REFUSE) - NOT_TRIALS


@CASE
def test_where_nothing_is_missing_nothing_changes(name):
    """A label that says that all was measured leaves every bit."""
    case = CASES[name]
    x = responses(np.random.default_rng(0), case)
    labelled = x.assign_coords(measured=(("stimulus", "trial"), np.ones((N, TRIALS), dtype=bool)))
    np.testing.assert_array_equal(numbers(case.call(labelled)), numbers(case.call(x)))


@CASE
def test_a_trial_that_nobody_measured_is_no_trial(name):
    """An empty trial of all stimuli, at the end, is as if it were not there; as zeros it would count."""
    case = CASES[name]
    x = responses(np.random.default_rng(1), case)
    lost, shorter = without(x, slice(None), TRIALS - 1), x.isel(trial=slice(TRIALS - 1))
    if name in TRIALS_STAY:
        found = case.call(lost)
        assert bool(found.isel(trial=TRIALS - 1).isnull().all())
        np.testing.assert_allclose(numbers(found.isel(trial=slice(TRIALS - 1))), numbers(case.call(shorter)))
    elif name in ("signal_correlation", "split_half_reliability", "cross_validated_pca", "decode", "generalise"):
        a, b = (numbers(case.call(y)) for y in (lost, shorter))  # trials are dealt otherwise
        assert np.isfinite(a).all() and np.corrcoef(a, b)[0, 1] > 0.8
    else:
        np.testing.assert_allclose(numbers(case.call(lost)), numbers(case.call(shorter)), atol=1e-8)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.unitwise])
def test_a_unit_that_is_lost_changes_no_other(name):
    """What is said of the other units alone has the same bits."""
    case = CASES[name]
    x = responses(np.random.default_rng(2), case)
    kept, lost = case.call(x), case.call(without(x, slice(None), slice(3, None), 1))
    rest = [0, 2, 3]
    for part, other in zip(_by_unit(kept), _by_unit(lost), strict=True):
        cut = {d: rest for d in ("unit", "unit_other") if d in part.dims}
        np.testing.assert_allclose(numbers(other.isel(cut)), numbers(part.isel(cut)), atol=1e-12)


def _by_unit(found):
    parts = found.data_vars.values() if isinstance(found, xr.Dataset) else [found]
    return [p for p in parts if "unit" in getattr(p, "dims", ())]


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.unbiased is not None])
def test_random_missingness_is_unbiased(name):
    """Over experiments, the mean with a third of the trials missing at random is that with all trials."""
    case, gaps = CASES[name], []
    for seed in range(24):
        rng = np.random.default_rng([3, seed])
        x = responses(rng, case)
        missing = rng.random((N, TRIALS, UNITS if case.unitwise else 1)) < 0.35
        missing[:, :3] = False
        there = xr.DataArray(~missing, dims=("stimulus", "trial", "unit"))
        lost = x.where(there if case.unitwise else there.isel(unit=0, drop=True)).transpose(*x.dims)
        gaps.append(numbers(case.unbiased(case.call(lost))) - numbers(case.unbiased(case.call(x))))
    gaps = np.array(gaps)
    error = gaps.std(0, ddof=1) / np.sqrt(len(gaps))
    assert np.isfinite(gaps).all()
    assert (np.abs(gaps.mean(0)) <= 5 * error + 1e-12).all()
    assert abs(gaps.mean()) <= 4 * gaps.mean(1).std(ddof=1) / np.sqrt(len(gaps)) + 1e-12


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if not c.unitwise and not c.leaves_out])
def test_what_needs_all_units_at_once_says_so(name):
    case = CASES[name]
    x = responses(np.random.default_rng(4), case)
    with pytest.raises(InputError, match=r"all units|in common|leave out those units"):
        case.call(without(x, 0, slice(None), 1))


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.leaves_out])
def test_a_trial_that_a_unit_lacks_is_left_out(name):
    """What one unit lacks is as if no unit had it."""
    case = CASES[name]
    x = responses(np.random.default_rng(5), case)
    found, other = (case.call(without(x, 0, [0, 2], units)) for units in (1, slice(None)))
    np.testing.assert_array_equal(numbers(found), numbers(other))
