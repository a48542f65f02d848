"""Statistical conformance: in hundreds of simulated experiments tests and intervals err as often as they say.

In every experiment subjects differ in their geometry (a random linear map each), stimuli are a sample, and every
measurement is noisy, so subjects, stimuli, pairs of stimuli and their interactions all have variance.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from neurosim.schema import as_rdm
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.similarity.inference_options import Resampling
from neurosim.similarity.kernels import alignment
from neurosim.similarity.kernels.arrays import to_square, upper
from neurosim.similarity.kernels.comparisons import whiten_rdm
from neurosim.similarity.metrics.crossnobis import crossnobis
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.spike_rdms import spike_rdm

N_UNITS = 20
N_SETS = 4


def named(models):
    return as_rdm(np.stack(models), dims=("model",), coords={"model": [f"m{i}" for i in range(len(models))]})


def answers(rng, stimuli, n, own, noise):
    """RDMs of `n` subjects, each of which sees the stimuli through a linear map of its own, and noise."""
    maps = np.eye(N_UNITS) + own * rng.normal(size=(n, N_UNITS, N_UNITS)) / np.sqrt(N_UNITS)
    return euclidean(stimuli @ maps + noise * rng.normal(size=(n, *stimuli.shape)))


def subjects(*world):
    return as_rdm(answers(*world), dims=("subject",))


def pooled(rdms, method):
    """What the lower ceiling takes for a model: the mean of subjects after the normalisation of `method`."""
    if method == "spearman":
        return to_square(stats.rankdata(upper(rdms), axis=1).mean(0)[None], rdms.shape[1])[0]
    if method == "corr":
        return (rdms / upper(rdms).std(1)[:, None, None]).mean(0)
    return (rdms / np.sqrt((whiten_rdm(rdms) ** 2).sum((1, 2)))[:, None, None]).mean(0)


@pytest.mark.parametrize(
    ("method", "world", "n"),
    [
        ("corr", (12, 30, 0.6, 1.0), 400),
        ("corr", (16, 24, 0.8, 1.5), 400),
        ("corr", (8, 40, 0.8, 1.0), 400),
        ("whitened_cosine", (8, 40, 0.8, 1.0), 400),
        ("spearman", (10, 24, 0.5, 0.7), 200),
    ],
)
def test_false_positives_are_as_many_as_alpha(method, world, n):
    """Of unrelated models against 0, of two equally good models, and of models as good as the lower ceiling.

    Each of `n` / 4 experiments asks that of four sets of models, drawn apart. The data that they share hardly make
    their errors alike: rates over experiments vary as those of `n` apart do (0.9 to 1.2 times the binomial variance),
    those against the ceiling, which are conservative, as the docstring says, up to 1.8 times.
    """
    n_subjects, n_stimuli, own, noise = world
    wrong = {"zero": 0, "pair": 0, "ceiling": 0}
    first, second, unrelated, as_good = np.arange(4 * N_SETS).reshape(4, N_SETS)
    for seed in range(n // N_SETS):
        rng = np.random.default_rng(seed)
        base = rng.normal(size=(n_stimuli, N_UNITS))
        data = subjects(rng, base, n_subjects, own, noise)
        equal = euclidean(base + 0.8 * rng.normal(size=(2 * N_SETS, *base.shape)))
        others = [pooled(answers(rng, base, n_subjects - 1, own, noise), method) for _ in range(N_SETS)]
        models = [*equal, *euclidean(rng.normal(size=(N_SETS, *base.shape))), *others]
        result = infer(named(models), data, method=method)
        wrong["pair"] += int((result.p_pair.values[first, second] < 0.05).sum())
        wrong["zero"] += int((result.p_zero.values[unrelated] < 0.05).sum())
        wrong["ceiling"] += int((result.p_ceiling.values[as_good] < 0.05).sum())
    rates = {name: count / n for name, count in wrong.items()}
    print(method, world, rates)  # noqa: T201
    assert 0.03 <= rates["pair"] <= 0.07
    assert rates["ceiling"] <= 0.05
    if method != "whitened_cosine":  # biased distances share their noise floor, so no model is unrelated to them
        assert 0.03 <= rates["zero"] <= 0.07


@cache  # 50 MB: intervals of every method and estimate are asked of the same experiments
def experiment(seed, n_subjects, n_stimuli):
    """A model, and subjects whose geometry is that of the model through one linear map and noise."""
    mix = np.eye(N_UNITS) + 0.5 * np.random.default_rng(0).normal(size=(N_UNITS, N_UNITS)) / np.sqrt(N_UNITS)
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n_stimuli, N_UNITS))
    return named([euclidean(base)]), subjects(rng, base @ mix, n_subjects, 0.4, 0.5)


@pytest.fixture(scope="module")
def truths():
    """The score of very many subjects and stimuli, by method."""
    many = [experiment.__wrapped__(seed, 40, 500) for seed in (10**6, 10**6 + 1)]  # 160 MB, asked for once
    return {m: np.mean([float(compare_rdms(*rdms, method=m).mean()) for rdms in many]) for m in ("corr", "cosine")}


@pytest.mark.parametrize(
    ("method", "estimate"), [("corr", "jackknife"), ("cosine", "jackknife"), ("corr", "bootstrap")]
)
def test_intervals_cover_the_score_with_very_many_subjects_and_stimuli(method, estimate, truths):
    inside = 0
    for seed in range(300):
        result = infer(
            *experiment(seed, 12, 40), method=method, resample=Resampling(estimate=estimate, n_samples=100), rng=seed
        )
        low, high = result.interval.values[0]
        inside += low <= truths[method] <= high
    print(method, estimate, inside / 300)  # noqa: T201
    assert inside / 300 >= 0.93


def trains_of_equal_rate(seed):
    rng = np.random.default_rng(seed)
    return [[[rng.uniform(0, 1, rng.poisson(20))] for _ in range(4)] for _ in range(3)]


def test_crossnobis_is_unbiased_where_the_plain_distance_is_not():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 4, 5, 20))
    crossed = upper(crossnobis(noise)).mean(1)
    plain = upper(euclidean(noise.mean(1))).mean(1)
    assert abs(crossed.mean()) < 4 * crossed.std() / np.sqrt(300)
    assert plain.mean() == pytest.approx(2 / 4, rel=0.05)


def test_debiased_cka_of_independent_responses_is_zero_on_average():
    rng = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(200):
        grams = [alignment.centred_gram(euclidean(rng.normal(size=(12, 50)))) for _ in range(2)]
        plain.append(alignment.cka_of_grams(*grams))
        debiased.append(alignment.debiased_cka_of_grams(*grams))
    assert np.mean(plain) > 0.5
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / np.sqrt(200)


def test_crossvalidated_van_rossum_is_unbiased_where_the_plain_distance_is_not():
    plain, crossed = [], []
    for seed in range(150):
        spikes = trains_of_equal_rate(seed)
        plain.append(upper(spike_rdm(spikes, time_constant=0.05).values).mean())
        crossed.append(upper(spike_rdm(spikes, time_constant=0.05, crossvalidated=True).values).mean())
    assert abs(np.mean(crossed)) < 4 * np.std(crossed) / np.sqrt(150)
    assert np.mean(plain) > 5
