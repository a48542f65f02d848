"""The one labelled array: builders accept what is plain and refuse the rest in one line."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurosim.schema import SchemaError, as_rdm, as_responses, as_stimuli, same_stimuli, suggest


def test_a_bare_array_gets_labels():
    responses = as_responses(np.zeros((3, 2, 4)), time_step=1e-3)
    assert responses.dims == ("stimulus", "time", "unit")
    assert responses.stimulus.values.tolist() == ["stimulus_000", "stimulus_001", "stimulus_002"]
    assert responses.attrs["units"] == "1"


def test_labels_of_stimuli_are_carried_over():
    stimuli = as_stimuli(np.zeros((2, 3, 3)), ids=["a", "b"], coords={"category": ["x", "y"]})
    responses = as_responses(np.zeros((2, 5)), stimuli=stimuli)
    assert responses.category.values.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: as_responses(np.full((2, 2), np.nan)), "4 of 4 values are NaN"),
        (lambda: as_responses(np.zeros((2, 0))), "empty along ['unit']"),
        (lambda: as_responses(np.zeros(3)), "needs its dims named"),
        (lambda: as_responses(np.zeros((2, 2)), quantity="firing_rat"), "Did you mean 'firing_rate'"),
        (lambda: as_responses(np.zeros((2, 2)), stimuli=["a", "a"]), "repeat"),
        (lambda: as_responses(np.zeros((2, 2)), stimuli=["a"]), "1 stimulus ids for 2 stimuli"),
        (lambda: as_responses(xr.DataArray(np.zeros((2, 2)), dims=("stimulus", "neuron"))), "lack ['unit']"),
        (lambda: as_stimuli(np.zeros((2, 2)), dims=("stimulus", "units")), "Did you mean 'unit'"),
        (lambda: as_rdm(np.zeros((3, 4))), "square"),
        (lambda: as_rdm(np.zeros((2, 2))), "at least 3 stimuli"),
        (lambda: as_rdm(np.triu(np.ones((3, 3)))), "not symmetric"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(make, words):
    with pytest.raises(SchemaError) as caught:
        make()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.permutations(range(5)))
def test_reordering_is_undone_by_label(order):
    values = np.add.outer(np.arange(5.0), np.arange(5.0)) * (1 - np.eye(5))
    rdm = as_rdm(values, stimuli=list("abcde"))
    shuffled = rdm.isel(stimulus=order, stimulus_other=order)
    np.testing.assert_array_equal(same_stimuli(rdm, shuffled, "test").values, values)


def test_different_stimuli_are_named():
    a, b = (as_rdm(1 - np.eye(3), stimuli=s) for s in (["x", "y", "s3"], ["x", "y", "s9"]))
    with pytest.raises(SchemaError, match=r"only in the first: \['s3'\], only in the second: \['s9'\]"):
        same_stimuli(a, b, "here")


def test_no_suggestion_for_what_is_far():
    assert suggest("zzz", ["conv1"]) == ""
