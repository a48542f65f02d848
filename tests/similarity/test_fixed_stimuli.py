"""Stimuli that are no sample: exchanged labels, five fixed conditions; and subjects with stimuli of their own."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from neurosim.schema import InputError, as_rdm
from neurosim.similarity import combine_subjects, infer, mantel_test
from neurosim.similarity.kernels.arrays import upper
from neurosim.similarity.metrics.euclidean import euclidean
from neurosim.similarity.random_effects import random_effects_mean


def rdms(seed, n, n_stimuli):
    return euclidean(np.random.default_rng(seed).normal(size=(n, n_stimuli, 8)))


@pytest.mark.parametrize("lost", [{}, {1: 3}, {0: 0, 2: 4}])
def test_mantel_counts_every_order_of_few_stimuli(lost):
    """Of all stimuli; a subject that did not see one has the scores of what is left."""
    model, data = rdms(0, 1, 5)[0], rdms(1, 3, 5)
    for subject, k in lost.items():
        data[subject, k] = data[subject, :, k] = np.nan
    orders = [upper(model[np.ix_(o, o)]) for o in permutations(range(5))]
    known = [(upper(d), np.isfinite(upper(d))) for d in data]
    scores = np.array([np.mean([np.corrcoef(o[k], d[k])[0, 1] for d, k in known]) for o in orders])
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


def test_equal_errors_give_the_plain_mean_and_its_error():
    """Knapp and Hartung: with equal variances within, the error is that of the mean of values that vary."""
    values = np.random.default_rng(0).normal(size=9)
    mean, error, between = random_effects_mean(values, np.full(9, 0.2))
    assert mean == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / 3)
    assert between == pytest.approx(values.var(ddof=1) - 0.2, abs=1e-5)


def test_reml_is_where_its_derivative_is_zero():
    rng = np.random.default_rng(1)
    variances = rng.uniform(0.1, 0.6, 8)
    values = rng.normal(scale=np.sqrt(4 + variances))
    mean, _, between = random_effects_mean(values, variances)
    weights = 1 / (variances + between)
    assert mean == pytest.approx(weights @ values / weights.sum())
    score = (weights**2 @ (values - mean) ** 2) - weights.sum() + (weights**2).sum() / weights.sum()
    assert between > 0.1
    assert abs(score) < 1e-3
    assert random_effects_mean(np.zeros(3), variances[:3])[2] == 0


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


def test_a_subject_combines_by_the_stimuli_that_it_saw(caplog):
    """A stimulus that one did not see is nobody's, or another's; nothing is warned of what is not given."""
    model, data = own_stimuli()
    names, more = data["s1"].stimulus.values, data["s0"].stimulus.values[:2]
    both = np.concatenate([more, names])
    wide = model[0].sel(stimulus=both, stimulus_other=both).copy()
    wide.values[2:, 2:] = data["s1"].values
    wide.values[:2] = wide.values[:, :2] = np.nan
    wanted, found = (combine_subjects(model, data | {"s1": rdm}, method="cosine") for rdm in (data["s1"], wide))
    np.testing.assert_array_equal(found.score_of_subject, wanted.score_of_subject)
    np.testing.assert_array_equal(found.standard_error_of_subject, wanted.standard_error_of_subject)
    assert np.isnan(found.p_zero).all()
    assert "mantel_test" in found.attrs["no_p_zero"]
    assert not caplog.text


def torn(data, n):
    """RDMs of which the first lacks the first `n` stimuli."""
    data[0, :n] = data[0, :, :n] = np.nan
    return data


def one_apart(n):
    apart = np.zeros((n, n))
    apart[0, 1:] = apart[1:, 0] = 1
    return apart


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda m, d: combine_subjects(m, {"a": d["s0"]}), "3 or more subjects"),
        (lambda m, d: combine_subjects(m, d | {"again": d["s0"]}), "not independent"),
        (lambda m, d: combine_subjects(m[:, :9, :9], d), "models have no stimulus"),
        (lambda m, d: combine_subjects(m, d | {"s0": d["s0"][:5, :5]}), "combine_subjects: subject 's0' saw 5 stimuli"),
        (lambda m, d: combine_subjects(m, d | {"s0": np.sign(d["s0"])}), "combine_subjects, subject 's0': the RDM"),
        (lambda m, d: combine_subjects(m, d | {"two": d["s0"].expand_dims("subject")}), "has dims"),
        (lambda m, d: mantel_test(m, m, n_permutations=5), "takes 19 or more"),
        (lambda m, d: mantel_test(m, m, correction="bonferoni"), "no correction 'bonferoni'"),
        (lambda m, d: mantel_test({"a": m}, m), "every model is one RDM"),
        (lambda m, d: mantel_test(rdms(0, 1, 5), torn(rdms(0, 2, 5), 2)), "subject 0 saw 3 stimuli, at least 4"),
        (lambda m, d: mantel_test(one_apart(6), torn(rdms(0, 2, 6), 1)), "does not vary over the 5 that a subject saw"),
        (lambda m, d: mantel_test(torn(rdms(0, 1, 9), 1), rdms(0, 1, 9)), "1 stimuli are NaN in some RDM, such as"),
    ],
)
def test_bad_input_is_named(act, words):
    with pytest.raises(InputError, match=words):
        act(*own_stimuli())
