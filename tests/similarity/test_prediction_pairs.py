"""Paired differences of predictions: theorems, and what cannot be compared."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurosim.schema import InputError, as_responses
from neurosim.similarity.inference_options import Significance
from neurosim.similarity.kernels.folds import fold_variance
from neurosim.similarity.prediction_pairs import compare_predictions
from neurosim.similarity.predictivity import predict_responses

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 8))
Y = as_responses(X @ RNG.normal(size=(8, 5)) + RNG.normal(size=(48, 5)))
HOW = {"folds": 4, "progress": False}
FOUND = {k: predict_responses(as_responses(X[:, :n]), Y, **HOW) for k, n in (("whole", 8), ("half", 4), ("one", 1))}


def test_a_difference_is_that_of_the_units_in_the_same_folds_with_the_error_of_a_score():
    found = compare_predictions(FOUND)
    of_units = FOUND["whole"].score - FOUND["one"].score
    assert float(found.difference[0, 2]) == pytest.approx(float(of_units.median()))
    two = {k: FOUND[k].isel(unit=[3]) for k in ("whole", "one")}
    each, without = ((two["whole"][k] - two["one"][k]).values for k in ("score_of_fold", "score_without"))
    error = float(np.sqrt(fold_variance(each, without).variance[0]))
    pair = compare_predictions(two).isel(model=0, model_other=1)
    assert float(pair.standard_error) == pytest.approx(error)
    t = float(each.mean()) / error
    assert float(pair.p_pair) == pytest.approx(2 * stats.t.sf(abs(t), 1.5))
    reach = stats.t.ppf(0.95, 1.5) * error
    narrow = compare_predictions(two, significance=Significance(alpha=0.1)).isel(model=0, model_other=1)
    np.testing.assert_allclose(narrow.interval, float(pair.difference) + np.array([-reach, reach]))


def test_pairs_are_signed_and_corrected_over_all_and_a_model_equals_itself():
    found = compare_predictions(FOUND | {"again": FOUND["half"]})
    np.testing.assert_array_equal(found.difference, -found.difference.T)
    np.testing.assert_array_equal(found.p_pair, found.p_pair.T)
    same = found.sel(model="half", model_other="again")
    assert (float(same.difference), float(same.standard_error), float(same.p_pair)) == (0.0, 0.0, 1.0)
    assert (np.diag(found.p_pair) == 1).all() and (found.p_pair_corrected >= found.p_pair).all()
    upper = np.triu_indices(4, 1)
    assert found.p_pair_corrected.values[upper].min() == pytest.approx(6 * found.p_pair.values[upper].min())


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_all_models_share_cancels(seed):
    """A number added to the scores of a unit in a fold, whatever was trained on, changes no difference."""
    shift = np.random.default_rng(seed).normal(size=(4, 5))

    def shifted(one):
        each, without = one["score_of_fold"] + shift, one["score_without"] + shift[:, None]
        return one.assign(score_of_fold=each, score_without=without)

    plain, moved = compare_predictions(FOUND), compare_predictions({k: shifted(v) for k, v in FOUND.items()})
    xr.testing.assert_allclose(plain, moved)


def test_units_without_a_score_are_left_out():
    lost = Y.copy()
    lost[5:, 1] = np.nan
    models = {k: as_responses(X[:, :n]) for k, n in (("whole", 8), ("one", 1))}
    some = compare_predictions({k: predict_responses(x, lost, **HOW) for k, x in models.items()})
    rest = compare_predictions(
        {k: predict_responses(x, lost.isel(unit=[0, 2, 3, 4]), **HOW) for k, x in models.items()}
    )
    xr.testing.assert_allclose(some, rest)
    nothing = {k: predict_responses(x, lost.isel(unit=[1]), **HOW) for k, x in models.items()}
    with pytest.raises(InputError, match="no unit has a score"):
        compare_predictions(nothing)


BOTH = predict_responses(as_responses(X), Y, direction="both", **HOW)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"whole": FOUND["whole"]}, "two or more names"),
        (list(FOUND.values()), "two or more names"),
        (FOUND | {"both": BOTH}, "'both' is not what predict_responses returns in one direction"),
        (FOUND | {"again": predict_responses(as_responses(X), Y, rng=1, **HOW)}, "dealt into other folds"),
        (FOUND | {"other": predict_responses(as_responses(X), Y + Y[::-1].values, **HOW)}, "predict other responses"),
        ({k: predict_responses(as_responses(X), Y, folds=3, progress=False) for k in "ab"}, "3 folds tell no error"),
    ],
)
def test_what_cannot_be_compared_is_refused(found, words):
    with pytest.raises(InputError, match=f"compare_predictions: .*{words}"):
        compare_predictions(found)
