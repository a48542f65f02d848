"""Stimuli that are no sample: exchanged labels, five fixed conditions; and subjects with stimuli of their own."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from neurosim.schema import InputError, as_rdm
from neurosim.similarity import combine_subjects, infer, mantel_test
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.random_effects import variance_between


def rdms(seed, n, n_stimuli):
    return euclidean(np.random.default_rng(seed).normal(size=(n, n_stimuli, 8)))


def test_mantel_counts_every_order_of_few_stimuli():
    model, data = rdms(0, 1, 5)[0], rdms(1, 3, 5)
    orders = [model[np.ix_(o, o)] for o in permutations(range(5))]
    scores = np.array([np.mean([np.corrcoef(upper(o), upper(d))[0, 1] for d in data]) for o in orders])
    found = mantel_test(model, data, method="corr")
    assert found.attrs["exact"] == 1
    assert float(found.p[0]) == pytest.approx((scores >= scores[0] - 1e-12).mean())
    np.testing.assert_allclose(
        [found.exchanged_mean[0], found.exchanged_spread[0]], [scores.mean(), scores.std()], atol=1e-12
    )


def test_mantel_of_random_orders_counts_the_one_that_was_found():
    model = rdms(2, 1, 9)[0]
    found = mantel_test({"own": model, "other": rdms(3, 1, 9)[0]}, model + 0.01 * rdms(4, 1, 9), n_permutations=99)
    assert float(found.p.sel(model="own")) == pytest.approx(1 / 100)
    assert float(found.p_corrected.sel(model="own")) == pytest.approx(2 / 100)
    assert float(found.p.sel(model="other")) > 0.01


def test_fixed_stimuli_may_be_few_where_only_subjects_are_resampled():
    model = rdms(0, 1, 5)[0]
    found = infer({"own": model}, model + 0.3 * rdms(1, 6, 5), method="corr", resample="subject")
    assert float(found.p_zero[0]) < 0.01
    with pytest.raises(InputError, match="at least 6 stimuli are needed to resample them"):
        infer({"own": model}, rdms(1, 6, 5), method="corr")


def test_equal_errors_leave_what_they_do_not_explain():
    values = np.random.default_rng(0).normal(size=9)
    assert variance_between(values, np.full(9, 0.2)) == pytest.approx(values.var(ddof=1) - 0.2, abs=1e-5)


def test_reml_is_where_its_derivative_is_zero():
    rng = np.random.default_rng(1)
    variances = rng.uniform(0.1, 0.6, 8)
    values = rng.normal(scale=np.sqrt(4 + variances))
    between = variance_between(values, variances)
    weights = 1 / (variances + between)
    mean = weights @ values / weights.sum()
    score = (weights**2 @ (values - mean) ** 2) - weights.sum() + (weights**2).sum() / weights.sum()
    assert between > 0.1
    assert abs(score) < 1e-3
    assert variance_between(np.zeros(3), variances[:3]) == 0


def own_stimuli(n=3, size=8):
    model = as_rdm(rdms(5, 1, n * size), dims=("model",))
    names = model.stimulus.values.reshape(n, size)
    noise = rdms(6, n, size)
    return model, {f"s{i}": model[0].sel(stimulus=k, stimulus_other=k) + 0.5 * noise[i] for i, k in enumerate(names)}


def test_subjects_alone_have_the_scores_of_infer():
    model, data = own_stimuli()
    found = combine_subjects(model, data, method="corr")
    names = data["s1"].stimulus.values
    alone = infer(model.sel(stimulus=names, stimulus_other=names), data["s1"], method="corr", resample="stimulus")
    assert float(found.score_of_subject[0, 1]) == float(alone.score[0])
    assert float(found.standard_error_of_subject[0, 1]) == float(alone.standard_error[0])
    each = found.score_of_subject.values[0]
    assert float(found.score[0]) == pytest.approx(each.mean())
    assert float(found.standard_error[0]) == pytest.approx(each.std(ddof=1) / np.sqrt(3))
    reach = stats.t.ppf(0.975, 2) * float(found.standard_error[0])
    np.testing.assert_allclose(found.interval.values[0], each.mean() + np.array([-reach, reach]))
    assert float(found.p_zero[0]) < 0.05
    assert np.isnan(combine_subjects(model, data, method="cosine").p_zero).all()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda m, d: combine_subjects(m, {"a": d["s0"]}), "3 or more subjects"),
        (lambda m, d: combine_subjects(m, d | {"again": d["s0"]}), "not independent"),
        (lambda m, d: combine_subjects(m[:, :9, :9], d), "models have no stimulus"),
        (lambda m, d: combine_subjects(m, d | {"two": d["s0"].expand_dims("subject")}), "has dims"),
        (lambda m, d: mantel_test(m, m, n_permutations=5), "takes 19 or more"),
        (lambda m, d: mantel_test(m, m, correction="bonferoni"), "no correction 'bonferoni'"),
        (lambda m, d: mantel_test({"a": m}, m), "every model is one RDM"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*own_stimuli())
