"""What is timed against what in the room of similarity; every pair checks first that both give the same."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import partial

import numpy as np
import xarray as xr
from pairs import Benchmark, Pair

from neurosim.schema import as_rdm
from neurosim.similarity.alignment import cka
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.similarity.inference_options import Resampling
from neurosim.similarity.kernels.arrays import to_square, upper
from neurosim.similarity.method import METHODS
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.rdms import compute_rdm
from neurosim.similarity.resampling import Comparison
from neurosim.similarity.shrinkage import SHRINKAGES
from neurosim.similarity.spike_distances.van_rossum import van_rossum_gram
from neurosim.similarity.spike_distances.victor_purpura import victor_purpura

N_SAMPLES = 1000


def largest_difference(ours: object, peer: object, tolerance: float) -> float:
    """Largest absolute difference, or an error if it is beyond `tolerance`."""
    difference = float(np.abs(np.asarray(ours) - np.asarray(peer)).max())
    if not difference <= tolerance:
        raise AssertionError(f"the results differ by {difference}, allowed {tolerance}")
    return difference


def quiet(function, *arguments, **options):
    """Call without warnings and without anything on stdout or stderr."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return function(*arguments, **options)


# --- inference ----------------------------------------------------------------------------------------------------


def dual_bootstrap(ours: str, theirs: str, peer_samples: int, tolerance: float) -> Pair:
    """1000 samples of subjects, of stimuli and of both; 5 models, 8 subjects, 92 stimuli."""
    import rsatoolbox
    from rsatoolbox.inference import eval_dual_bootstrap

    rng = np.random.default_rng(0)
    shared = rng.normal(size=(92, 30))
    data = np.stack([euclidean(shared + rng.normal(size=shared.shape)) for _ in range(8)])
    models = np.stack([euclidean(shared + s * rng.normal(size=shared.shape)) for s in (0.5, 1, 2, 3, 4)])
    fixed = [rsatoolbox.model.ModelFixed(str(i), upper(m)) for i, m in enumerate(models)]
    rdms = rsatoolbox.rdm.RDMs(upper(data))
    named = as_rdm(models, dims=("model",)), as_rdm(data, dims=("subject",))

    def check(_: object, __: object) -> float:
        comparison = Comparison(upper(models), np.arange(5), upper(data), METHODS[ours], 92)
        worst = 0.0
        for _ in range(3):
            stimuli, subjects = np.sort(rng.integers(0, 92, 92)), rng.integers(0, 8, 8)
            counts = np.bincount(stimuli, minlength=92)[None].astype(float)
            draws = np.bincount(subjects, minlength=8)[None, None].astype(float)
            found = comparison.fixed(counts, draws)[0, 0, :5]
            drawn = [rsatoolbox.rdm.RDMs(upper(r)).subsample_pattern("index", stimuli) for r in (models, data)]
            wanted = quiet(rsatoolbox.rdm.compare, *drawn, method=theirs)[:, subjects].mean(1)
            worst = max(worst, largest_difference(found, wanted, tolerance))
        return worst

    return Pair(
        partial(infer, *named, method=ours, resample=Resampling(estimate="bootstrap", n_samples=N_SAMPLES)),
        partial(quiet, eval_dual_bootstrap, fixed, rdms, method=theirs, N=peer_samples),
        check,
        ours_units=N_SAMPLES,
        peer_units=peer_samples,
        repeats=3,
    )


# --- RDMs ---------------------------------------------------------------------------------------------------------


def crossnobis(with_precision: bool) -> Pair:
    """500 stimuli, 2000 units, 4 trials."""
    import rsatoolbox

    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 4, 2000))
    responses = xr.DataArray(values, dims=("stimulus", "trial", "unit"))
    precision = None
    if with_precision:
        root = np.eye(2000) + 0.1 * rng.normal(size=(2000, 2000)) / np.sqrt(2000)
        precision = root @ root.T
    labelled = None if precision is None else xr.DataArray(precision, dims=("unit", "unit_other"))
    dataset = rsatoolbox.data.Dataset(
        values.reshape(2000, 2000),
        obs_descriptors={"stimulus": np.repeat(np.arange(500), 4), "trial": np.tile(np.arange(4), 500)},
    )
    peer = partial(
        quiet,
        rsatoolbox.rdm.calc_rdm,
        dataset,
        method="crossnobis",
        descriptor="stimulus",
        cv_descriptor="trial",
        noise=precision,
    )
    return Pair(
        partial(compute_rdm, responses, "crossnobis", precision=labelled),
        peer,
        lambda ours, other: largest_difference(upper(ours.values), other.dissimilarities[0], 1e-9),
        repeats=5,
    )


def time_resolved() -> Pair:
    """40 stimuli, 4 trials, 64 channels, 200 time points."""
    import rsatoolbox

    values = np.random.default_rng(0).normal(size=(40, 4, 200, 64))
    responses = xr.DataArray(values, dims=("stimulus", "trial", "time", "unit"))
    dataset = rsatoolbox.data.TemporalDataset(
        values.reshape(160, 200, 64).transpose(0, 2, 1),
        obs_descriptors={"stimulus": np.repeat(np.arange(40), 4), "trial": np.tile(np.arange(4), 40)},
        time_descriptors={"time": np.arange(200)},
    )
    peer = partial(
        quiet, rsatoolbox.rdm.calc_rdm_movie, dataset, method="crossnobis", descriptor="stimulus", cv_descriptor="trial"
    )
    return Pair(
        partial(compute_rdm, responses, "crossnobis"),
        peer,
        lambda ours, other: largest_difference(upper(ours.values), other.dissimilarities, 1e-9),
        repeats=5,
    )


def searchlight() -> Pair:
    """20 stimuli, 4 trials, 4000 units, 1000 searchlights of 100 units."""
    import rsatoolbox

    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 4, 4000))
    members = np.stack([np.sort(rng.choice(4000, 100, replace=False)) for _ in range(1000)])
    responses = xr.DataArray(values, dims=("stimulus", "trial", "unit"))
    by = xr.DataArray(members, dims=("searchlight", "member"))
    labels = {"stimulus": np.repeat(np.arange(20), 4), "trial": np.tile(np.arange(4), 20)}

    def peer() -> np.ndarray:
        flat = values.reshape(80, 4000)
        datasets = [rsatoolbox.data.Dataset(flat[:, m], obs_descriptors=dict(labels)) for m in members]
        rdms = rsatoolbox.rdm.calc_rdm(datasets, method="crossnobis", descriptor="stimulus", cv_descriptor="trial")
        return rdms.dissimilarities

    return Pair(
        partial(compute_rdm, responses, "crossnobis", by=by),
        partial(quiet, peer),
        lambda ours, other: largest_difference(upper(ours.values), other, 1e-9),
        repeats=3,
    )


def shrinkage() -> Pair:
    """Schaefer-Strimmer covariance of 1000 units from 400 residuals."""
    from rsatoolbox.data.noise import cov_from_residuals

    residuals = np.random.default_rng(0).normal(size=(400, 1000))
    residuals -= residuals.mean(0)
    return Pair(
        partial(SHRINKAGES["schaefer_strimmer"].covariance, residuals, 399),
        partial(cov_from_residuals, residuals, dof=399, method="shrinkage_diag"),
        partial(largest_difference, tolerance=1e-10),
    )


# --- spikes, comparison, alignment --------------------------------------------------------------------------------


def spike_distance(name: str) -> Pair:
    """100 trains of 60 spikes in 2 s, time constant 20 ms."""
    import neo
    import quantities as pq
    from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance

    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 2, 60)) for _ in range(100)]
    theirs = [neo.SpikeTrain(t * pq.s, t_stop=2 * pq.s) for t in trains]
    if name == "victor_purpura":
        ours = partial(victor_purpura, trains, np.array([50.0]))
        peer = partial(quiet, victor_purpura_distance, theirs, cost_factor=50 * pq.Hz)
        return Pair(ours, peer, lambda a, b: largest_difference(a[0], b, 1e-9), repeats=3)

    def distances() -> np.ndarray:
        gram = van_rossum_gram(trains, np.array([0.02]))[0]
        own = np.diagonal(gram)
        return own[:, None] + own - 2 * gram

    peer = partial(quiet, van_rossum_distance, theirs, time_constant=20 * pq.ms)
    return Pair(distances, peer, lambda a, b: largest_difference(a, np.asarray(b) ** 2, 1e-8), repeats=5)


def full_sigma() -> Pair:
    """Whitened cosine of two RDMs of 92 stimuli with a full covariance between stimuli."""
    import rsatoolbox

    rng = np.random.default_rng(0)
    root = rng.normal(size=(92, 92)) / 10
    sigma = root @ root.T + np.eye(92)
    vectors = rng.random((2, 92 * 91 // 2)) + 0.1
    a, b = (as_rdm(to_square(v[None], 92)[0]) for v in vectors)
    pair = [rsatoolbox.rdm.RDMs(v[None]) for v in vectors]
    return Pair(
        partial(compare_rdms, a, b, "whitened_cosine", sigma_k=sigma),
        partial(quiet, rsatoolbox.rdm.compare, *pair, method="cosine_cov", sigma_k=sigma),
        lambda ours, other: largest_difference(float(ours), float(other[0, 0]), 1e-4),
        repeats=5,
    )


def linear_cka() -> Pair:
    """Biased linear CKA of 2000 stimuli and 300 units, against the textbook form with Gram matrices."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 300))
    y = x @ rng.normal(size=(300, 300)) / 17 + rng.normal(size=(2000, 300))

    def by_gram_matrices() -> float:
        centring = np.eye(2000) - 1 / 2000
        k, m = (centring @ (z @ z.T) @ centring for z in (x, y))
        return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))

    return Pair(
        partial(cka, x, y, estimator="biased"),
        by_gram_matrices,
        partial(largest_difference, tolerance=1e-10),
        repeats=3,
    )


BENCHMARKS = [
    Benchmark(
        "dual bootstrap, cosine", "rsatoolbox 0.3.2", 1000, partial(dual_bootstrap, "cosine", "cosine", 10, 1e-10)
    ),
    Benchmark("dual bootstrap, corr", "rsatoolbox 0.3.2", 1000, partial(dual_bootstrap, "corr", "corr", 10, 1e-10)),
    Benchmark(
        "dual bootstrap, whitened cosine",
        "rsatoolbox 0.3.2",
        2000,
        partial(dual_bootstrap, "whitened_cosine", "cosine_cov", 2, 1e-4),
    ),
    Benchmark(
        "dual bootstrap, spearman", "rsatoolbox 0.3.2", 200, partial(dual_bootstrap, "spearman", "spearman", 5, 1e-10)
    ),
    Benchmark("crossnobis", "rsatoolbox 0.3.2", 5, partial(crossnobis, False)),
    Benchmark("crossnobis with precision", "rsatoolbox 0.3.2", 2, partial(crossnobis, True)),
    Benchmark("crossnobis, time-resolved", "rsatoolbox 0.3.2", 15, time_resolved),
    Benchmark("crossnobis, searchlights", "rsatoolbox 0.3.2", 40, searchlight),
    Benchmark("shrinkage covariance", "rsatoolbox 0.3.2", 40, shrinkage),
    Benchmark("van Rossum distance", "Elephant 1.2", 15, partial(spike_distance, "van_rossum")),
    Benchmark("Victor-Purpura distance", "Elephant 1.2", 20, partial(spike_distance, "victor_purpura")),
    Benchmark("whitened cosine, full sigma_k", "rsatoolbox 0.3.2", 1000, full_sigma),
    Benchmark("linear CKA, n = 2000, p = 300", "Gram matrices", 20, linear_cka),
]
