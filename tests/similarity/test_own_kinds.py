"""A metric, a method, a spike distance and a measure of somebody else's: one file, and all of the room takes it."""

import json
import subprocess
import sys
from dataclasses import asdict, fields

import numpy as np
import pytest
import torch
import xarray as xr

from neurosim.power import ExperimentDesign, power_analysis
from neurosim.schema import InputError, as_responses, as_stimuli
from neurosim.similarity.alignment import compare_by, jackknife
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.similarity.inference_options import Fitting, Resampling
from neurosim.similarity.kernels import drawn_stimuli
from neurosim.similarity.map_statistic import MAP_STATISTICS
from neurosim.similarity.measure import MEASURES, Measure
from neurosim.similarity.method import METHODS, Method
from neurosim.similarity.metric import METRICS, Metric
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.predictor import PREDICTORS
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.shrinkage import SHRINKAGES, Shrinkage
from neurosim.similarity.spike_distance import SPIKE_DISTANCES, SpikeDistance
from neurosim.similarity.spike_rdms import spike_rdm
from neurosim.similarity.weighting import WEIGHTINGS, Weighting
from tests import forks

RECORDS = [
    *METRICS.values(),
    *METHODS.values(),
    *SPIKE_DISTANCES.values(),
    *MEASURES.values(),
    *PREDICTORS.values(),
    *SHRINKAGES.values(),
    *WEIGHTINGS.values(),
    *MAP_STATISTICS.values(),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{type(r).__name__} {r.name}")
def test_every_record_says_what_it_is_and_where_it_is_from(record):
    assert record.caption
    assert record.caption[-1] != "."
    assert record.reference.startswith("https://")
    assert len({f.name for f in fields(record)}) == len(fields(record))


def test_a_metric_names_the_one_for_subjects_that_answer_once():
    for metric in METRICS.values():
        assert (metric.without_trials is not None) == (metric.fewest_trials > 0 or metric.folds)
        assert metric.without_trials is None or METRICS[metric.without_trials].fewest_trials == 0


# --- a metric -----------------------------------------------------------------------------------------------------


def largest(patterns):
    return np.abs(patterns[:, None] - patterns[None]).max(-1)


def agreement(folds):
    """Cross-validated: the product of the differences of the first fold and the mean of the others, over units."""
    one, rest = folds[0], folds[1:].mean(0)
    return ((one[:, None] - one[None]) * (rest[:, None] - rest[None])).mean(-1)


@pytest.fixture
def own_metric():
    with METRICS.added(Metric("largest", largest, "largest difference of any unit", defined_for="varying")):
        yield "largest"


def trials(n_units=8):
    values = np.random.default_rng(0).normal(size=(6, 4, n_units))
    return as_responses(values, dims=("stimulus", "trial", "unit"), coords={"layer": ("unit", list("ab" * 4))})


def test_an_own_metric_makes_rdms_of_layers_of_searchlights_and_of_times(own_metric):
    responses = trials()
    mean = responses.mean("trial")
    np.testing.assert_array_equal(compute_rdm(responses, own_metric), largest(mean.values))
    by_layer = compute_rdm(responses, own_metric, by="layer")
    np.testing.assert_array_equal(by_layer.sel(layer="b"), largest(mean.values[:, 1::2]))
    found = compute_rdm(responses, own_metric, by=[[0, 5, -1], [1, 2, 3]], progress=False)
    np.testing.assert_array_equal(found[0], largest(mean.values[:, [0, 5]]))
    timed = xr.concat([mean, 2 * mean], xr.DataArray([0.0, 0.1], dims="time", name="time"))
    np.testing.assert_array_equal(compute_rdm(timed, own_metric)[1], 2 * largest(mean.values))
    assert found.attrs["metric"] == own_metric


def test_an_own_metric_is_asked_only_what_it_can(own_metric):
    for act, words in (
        (lambda: compute_rdm(torch.randn(5, 4), own_metric), "largest of a tensor is not available"),
        (lambda: compute_rdm(trials(), own_metric, precision="diagonal"), "largest takes no precision"),
        (lambda: compute_rdm(trials(), own_metric, keep="gram"), "largest does not"),
        (lambda: compute_rdm(np.ones((5, 4)), own_metric), "largest is not defined"),
        (lambda: compute_rdm(trials(), "larges"), "unknown metric 'larges'; .* Did you mean 'largest'"),
    ):
        with pytest.raises(InputError, match=words):
            act()


def test_a_kernel_that_gives_no_distances_is_named():
    for kernel, words in (
        (lambda x: x.mean(-1), r"the kernel of wrong gives \(6,\) for 6 stimuli"),
        (lambda x: np.full((6, 6), np.nan), "wrong is not defined where patterns do not vary"),
    ):
        with METRICS.added(Metric("wrong", kernel)), pytest.raises(InputError, match=words):
            compute_rdm(trials(), "wrong")


def test_an_own_metric_of_folds_has_trials_and_unmeasured_ones_if_it_says_so():
    responses = trials()
    measured = xr.DataArray(np.arange(24).reshape(6, 4) != 5, dims=("stimulus", "trial"))
    folds = responses.transpose("trial", "stimulus", "unit").values
    with METRICS.added(Metric("agreement", agreement, folds=True)):
        np.testing.assert_allclose(compute_rdm(responses, "agreement"), agreement(folds))
        with pytest.raises(InputError, match="needs a 'trial' dim with at least 2"):
            compute_rdm(responses.mean("trial"), "agreement")
        with pytest.raises(InputError, match="agreement needs every stimulus in every trial"):
            compute_rdm(responses.where(measured).assign_coords(measured=measured), "agreement")
    seen = []
    aware = Metric("aware", lambda x, m: seen.append(m) or agreement(x), folds=True, unequal_folds=True)
    with METRICS.added(aware):
        compute_rdm(responses.where(measured).assign_coords(measured=measured), "aware")
    np.testing.assert_array_equal(seen[0], measured.values.T)


def test_an_own_metric_that_whitens_is_given_whitened_patterns():
    precision = np.linspace(0.5, 2, 8)
    with METRICS.added(Metric("own", euclidean, whitening="always", blocks=True, tensors=True)):
        for given in (precision, None, "diagonal"):
            found = compute_rdm(trials(), "own", precision=given)
            wanted = compute_rdm(trials(), "mahalanobis", precision=given)
            np.testing.assert_array_equal(found.values, wanted.values)
        values = trials().mean("trial").values
        found = compute_rdm(torch.tensor(values), "own", precision=precision)
        np.testing.assert_allclose(found.numpy(), compute_rdm(values, "mahalanobis", precision=precision), atol=1e-12)


def test_power_and_inference_take_an_own_metric(own_metric):
    features = [as_stimuli(np.random.default_rng(s).normal(size=(12, 6)), dims=("stimulus", "unit")) for s in (0, 1)]
    design = ExperimentDesign((3,), n_units=(10,))
    found = power_analysis(*features, design=design, metric=own_metric, n_simulations=2, progress=False)
    assert found.attrs["metric"] == own_metric


# --- a method -----------------------------------------------------------------------------------------------------


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def rdms(n, seed=0, n_stimuli=10):
    values = np.random.default_rng(seed).normal(size=(n, n_stimuli, 5))
    return xr.concat([compute_rdm(v, "euclidean") for v in values], "subject")


def test_an_own_method_of_two_vectors_compares_and_has_inference_where_it_is_an_inner_product():
    products = drawn_stimuli.repeated_entries
    own = Method("own", "cosine", score=cosine, drawn=lambda f, c, p: products(f, c, p, score=cosine), ceiling="bound")
    data, models = rdms(4), rdms(2, 1).rename(subject="model")
    with METHODS.added(own):
        np.testing.assert_allclose(compare_rdms(models, data, "own"), compare_rdms(models, data, "cosine"))
        for resample in (Resampling(), Resampling(estimate="bootstrap", n_samples=30)):
            found, wanted = (infer(models, data, method=m, resample=resample) for m in ("own", "cosine"))
            for name in ("score", "standard_error", "ceiling"):
                np.testing.assert_allclose(found[name], wanted[name], atol=1e-10)
        with pytest.raises(InputError, match="own takes no sigma_k"):
            compare_rdms(models, data, "own", sigma_k=np.eye(10))
        with pytest.raises(InputError, match="own of tensors is not available"):
            compare_rdms(torch.tensor(data.values), torch.tensor(data.values), "own")


def test_an_own_method_without_inference_is_refused_there():
    with METHODS.added(Method("own", score=cosine)):
        assert float(compare_rdms(rdms(1)[0], rdms(1)[0], "own")) == pytest.approx(1)
        with pytest.raises(InputError, match="infer: no inference for method 'own'"):
            infer(rdms(1).rename(subject="model"), rdms(3), method="own")


def test_a_method_has_one_kernel():
    for kernel in ({}, {"score": cosine, "embed": cosine}):
        with pytest.raises(InputError, match="one of score, embed and kernel asked"):
            Method("none", **kernel)


# --- spikes and measures ------------------------------------------------------------------------------------------


def test_an_own_spike_distance_makes_rdms():
    def latency(trains):
        first = np.array([t[0] for t in trains])
        return np.abs(first[:, None] - first)

    spikes = [[[[0.1]], [[0.2]]], [[[0.3]], [[0.4]]], [[[0.9]], [[0.9]]]]
    with SPIKE_DISTANCES.added(SpikeDistance("latency", latency)):
        found = spike_rdm(spikes, "latency", progress=False)
        assert found.attrs["metric"] == "latency_spikes"
        assert float(found[0, 1]) == pytest.approx(0.2)
        with pytest.raises(InputError, match="latency is no squared norm"):
            spike_rdm(spikes, "latency", crossvalidated=True)
    with SPIKE_DISTANCES.added(SpikeDistance("edges", lambda t, w: np.full((len(t),) * 2, w[1]), window=True)):
        assert float(spike_rdm(spikes, "edges", duration=2.0, progress=False)[0, 1]) == 2.0


def test_an_own_measure_is_known_by_name():
    def overlap(a, b, *, power: float = 1.0):
        return float(np.corrcoef(np.asarray(a).mean(1), np.asarray(b).mean(1))[0, 1] ** power)

    x = as_responses(np.random.default_rng(0).normal(size=(12, 6)), coords={"layer": ("unit", list("aaabbb"))})
    with MEASURES.added(Measure("overlap", overlap)):
        assert float(compare_by(x, x, "overlap", progress=False)[0, 0]) == pytest.approx(1)
        assert float(jackknife("overlap", x, x, progress=False).score) == pytest.approx(1)
        assert asdict(MEASURES["overlap"].options()) == {"power": 1.0}
    with pytest.raises(InputError, match="compare_by: unknown measure 'overlap'"):
        compare_by(x, x, "overlap")


def test_an_own_shrinkage_and_an_own_weighting_are_known_by_name():
    half = Shrinkage("half", lambda residuals, df: np.eye(residuals.shape[1]) * 2.0, "twice the identity")
    with SHRINKAGES.added(half):
        found = compute_rdm(trials(), "mahalanobis", precision="half")
        np.testing.assert_allclose(found, compute_rdm(trials(), "euclidean") / 2, atol=1e-12)
    with pytest.raises(InputError, match="compute_rdm: unknown shrinkage 'half'"):
        compute_rdm(trials(), "mahalanobis", precision="half")
    parts = {"flexible": rdms(2, 3, 12).rename(subject="component")}
    with WEIGHTINGS.added(Weighting("first", lambda among, towards: np.eye(len(towards))[0], "the first")):
        found = infer(parts, rdms(3, 4, 12), method="corr", fit=Fitting("first", folds=2), progress=False)
    assert np.isfinite(found.score).all()
    assert found.attrs["fit"] == "first"


# --- in an installed package --------------------------------------------------------------------------------------

THEIRS = """
import numpy as np
from neurosim.similarity import Measure, Method, Metric, SpikeDistance
from tests import forks
LARGEST = Metric("largest", lambda x: np.abs(x[:, None] - x[None]).max(-1), "largest difference")
SIGNS = Method("signs", "share of equal signs", score=lambda a, b: float(np.mean((a > a.mean()) == (b > b.mean()))))
LAST = SpikeDistance("last", lambda ts: abs(np.subtract.outer(*2 * ([t[-1] for t in ts],))))
SAME = Measure("same", lambda a, b: 1.0)
"""
USE = """
import sys
sys.path.insert(0, sys.argv[1])
import json, numpy as np, neurosim as ns
rdm = ns.compute_rdm(np.eye(4)[:, :3] * [1, 2, 3], "largest")
print(json.dumps([
    rdm.values[0].tolist(), float(ns.compare_rdms(rdm, rdm, "signs")), float(ns.similarity.jackknife("same", np.eye(6),
    np.eye(6), progress=False).score), ns.similarity.spike_rdm([[[1, 2]], [[3, 4]], [[9]]], "last", progress=False)
    .values[0].tolist()
]))
"""


def test_an_installed_package_adds_all_of_them(tmp_path):
    (tmp_path / "their_kinds.py").write_text(THEIRS)
    about = tmp_path / "their_kinds-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their_kinds\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[neurosim]\nmine = their_kinds\n")
    done = subprocess.run(forks.command("-c", USE, str(tmp_path)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[0, 2, 3, 1], 1, 1, [0, 2, 7]]


def test_reading_the_names_loads_nothing_heavy():
    code = (
        "import sys, neurosim.similarity as s; "
        "print(*s.METRICS, *s.METHODS, *s.MEASURES, *s.SPIKE_DISTANCES, file=sys.stderr); "
        "print(*s.PREDICTORS, *s.SHRINKAGES, *s.WEIGHTINGS, file=sys.stderr); "
        "print([m for m in ('torch', 'brian2', 'matplotlib', 'xarray', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"crossnobis", "spearman", "cka", "van_rossum", "ridge"} <= set(done.stderr.split())
