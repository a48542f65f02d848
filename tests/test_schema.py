"""The one labelled array: builders accept what is plain and refuse the rest in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import neurosim
from neurosim.schema import (
    SchemaError,
    as_rdm,
    as_responses,
    as_stimuli,
    as_trials,
    check_rdm,
    check_responses,
    same_stimuli,
    suggest,
)


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


IDS = list("abcd")
VALUES = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("order", [[2, 0, 3, 1], [3, 2, 1, 0]])
def test_a_table_and_a_labelled_array_are_put_in_order_by_name(order):
    table = pd.DataFrame(VALUES, index=IDS, columns=["u", "v", "w"]).iloc[order]
    labelled = xr.DataArray(VALUES, dims=("stimulus", "unit"), coords={"stimulus": IDS})[order]
    shown = as_stimuli(np.zeros((4, 2, 2)), ids=IDS, coords={"category": list("xyxy")})
    for brought in (table, labelled):
        for stimuli in (IDS, shown, pd.Index(IDS)):
            found = as_responses(brought, stimuli=stimuli)
            np.testing.assert_array_equal(found.values, VALUES)
            assert found.stimulus.values.tolist() == IDS
    assert as_responses(table, stimuli=shown).category.values.tolist() == list("xyxy")
    assert as_responses(table).stimulus.values.tolist() == [IDS[i] for i in order]
    assert as_responses(table).unit.values.tolist() == ["u", "v", "w"]


def test_a_column_of_stimuli_names_the_rows_of_a_table():
    table = pd.DataFrame(VALUES, index=pd.Index(IDS, name="stimulus"), columns=["u", "v", "w"]).iloc[::-1]
    for door in (as_responses, as_stimuli):
        xr.testing.assert_identical(door(table.reset_index()), door(table))
    np.testing.assert_array_equal(as_responses(table.reset_index(), stimuli=IDS).values, VALUES)
    assert list(table.reset_index().columns) == ["stimulus", "u", "v", "w"]
    broken = {
        "2 rows of the table name no stimulus": table.reset_index().replace({"stimulus": {"a": None, "b": None}}),
        "'stimulus' is there twice": pd.concat([table.reset_index()] * 2, axis=1),
        r"one row a spike .*bin_spikes": pd.DataFrame({"stimulus": ["a"], "unit": ["u"], "time": [0.1]}),
    }
    for message, brought in broken.items():
        with pytest.raises(SchemaError, match=f"^as_responses: .*{message}"):
            as_responses(brought)


def test_a_table_of_counted_rows_goes_by_place_and_a_shuffled_one_is_refused():
    table = pd.DataFrame(VALUES)
    np.testing.assert_array_equal(as_responses(table, stimuli=IDS).values, VALUES)
    for broken in (table.sample(frac=1, random_state=1), table[1:]):
        with pytest.raises(SchemaError, match="describe different stimuli"):
            as_responses(broken, stimuli=IDS[: len(broken)])
    with pytest.raises(SchemaError, match="another order"):
        as_trials(table.sample(frac=1, random_state=1), IDS)
    series = pd.Series(IDS, index=["p", "q", "r", "s"])
    trials = as_trials(pd.DataFrame(VALUES, index=["s", "r", "q", "p"]), series)
    np.testing.assert_array_equal(trials.sel(stimulus="a", trial=0), VALUES[3])


def test_a_square_table_is_labelled_on_both_sides():
    square = np.abs(np.subtract.outer(np.array([0, 1, 4, 9.0]), np.array([0, 1, 4, 9.0])))
    table = pd.DataFrame(square, index=IDS, columns=IDS)
    found = as_rdm(table[["d", "b", "a", "c"]].iloc[[1, 3, 2, 0]], stimuli=IDS)
    np.testing.assert_array_equal(found.values, square)
    with pytest.raises(SchemaError, match="rows or its columns only"):
        as_rdm(pd.DataFrame(square, index=IDS))
    crooked = as_rdm(square, stimuli=IDS).isel(stimulus_other=[1, 0, 3, 2])
    np.testing.assert_array_equal(check_rdm(crooked).values, square)


def test_labels_come_as_xarray_writes_them_and_series_by_name():
    pictures = np.zeros((4, 5, 5))
    for category in (list("xyxz"), ("stimulus", list("xyxz")), pd.Series(list("zxyx"), index=list("dabc"))):
        found = as_stimuli(pictures, ids=IDS, coords={"category": category})
        assert found.category.values.tolist() == list("xyxz")
    with pytest.raises(SchemaError, match="one value a place"):
        as_stimuli(pictures, coords={"category": ["x"]})


def test_tensors_of_any_kind_are_read():
    tensor = torch.tensor(VALUES, requires_grad=True)
    for brought in (tensor, tensor.detach().bfloat16(), tensor.detach().to_sparse(), tensor.detach().half()):
        np.testing.assert_array_equal(as_responses(brought).values, VALUES)


def test_rdms_with_a_diagonal_are_refused_and_rounding_on_it_is_not_used():
    square = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
    with pytest.raises(SchemaError, match="diagonal"):
        as_rdm(square + np.eye(4))
    assert (np.diagonal(as_rdm(square + 1e-9 * np.eye(4)).values) == 0).all()
    with pytest.raises(SchemaError, match="second moments"):
        check_rdm(as_rdm(square).assign_attrs(quantity="second_moment"))


@pytest.mark.parametrize("bad", [VALUES + 1j, VALUES[:0], VALUES.astype(object), [[1], [1, 2]], {"a": 1}, None, "ab"])
def test_what_is_no_array_of_numbers_is_refused_by_every_builder(bad):
    for build in (as_responses, as_stimuli, as_rdm, lambda x: as_trials(x, IDS)):
        with pytest.raises(SchemaError) as caught:
            build(bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("build", [as_responses, as_rdm, neurosim.compute_rdm, as_stimuli])
@pytest.mark.parametrize("picture", ["faces/one.png", Path("one.JPG"), ["one.png", "two.png"], [Path("one.tif")]])
def test_a_picture_where_an_array_goes_is_told_who_reads_it_and_how_it_is_answered(build, picture):
    """No reader of responses or RDMs reads a picture."""
    with pytest.raises(SchemaError, match=r"a picture; ns.load_stimuli\(folder\) reads the pictures") as caught:
        build(picture)
    assert ("record_responses" in str(caught.value)) == (build is not as_stimuli)
    assert "\n" not in str(caught.value) and "load_responses" not in str(caught.value)


@pytest.mark.parametrize("numbers", [["1.5", "2.5", "1e-3"], "2.5"])
def test_numbers_written_as_text_are_no_path(numbers):
    with pytest.raises(SchemaError, match="convert it to floats first"):
        as_responses(numbers)


@pytest.mark.parametrize(
    ("parts", "shapes"),
    [
        ([np.zeros((3, 5)), np.zeros((2, 5))], r"\(3, 5\) and \(2, 5\)"),
        ([[np.zeros(4), np.zeros(4)], [np.zeros(4), np.zeros(6)]], r"\(4,\) and \(6,\)"),
        ([[1, 2], 3], r"\(2,\) and \(\)"),
    ],
)
def test_trials_in_unequal_numbers_or_lengths_are_told_where_they_go(parts, shapes):
    with pytest.raises(
        SchemaError, match=f"^compute_rdm: an array asked, found a list of parts .* {shapes}; .*as_trials"
    ):
        neurosim.compute_rdm(parts)
    with pytest.raises(SchemaError, match=f"unequal shapes, {shapes}; cut them to one.$"):
        as_stimuli(parts)


def test_masked_values_are_refused():
    with pytest.raises(SchemaError, match="1 of 12 values are masked"):
        as_responses(np.ma.masked_equal(VALUES, 5))


def test_pictures_match_without_their_ending_where_that_is_unambiguous():
    shown = as_stimuli(np.zeros((3, 2, 2)), ids=["cat.png", "dog.JPG", "owl.png"])
    brain = as_responses(VALUES[:3], stimuli=["owl", "cat", "dog"])
    found = same_stimuli(shown, brain, "here")
    np.testing.assert_array_equal(found.values, VALUES[[1, 2, 0]])
    assert found.stimulus.values.tolist() == ["cat.png", "dog.JPG", "owl.png"]
    np.testing.assert_array_equal(as_responses(brain, stimuli=shown).values, VALUES[[1, 2, 0]])
    both = as_stimuli(np.zeros((3, 2, 2)), ids=["cat.png", "cat.jpg", "owl.png"])
    with pytest.raises(SchemaError, match=r"\['cat.png', 'cat.jpg'\] are then the same"):
        same_stimuli(both, as_responses(VALUES[:2], stimuli=["cat", "owl"]), "here")


def test_what_is_shared_is_counted():
    first = as_responses(VALUES, stimuli=IDS)
    with pytest.raises(SchemaError, match="Select the 3 common ones"):
        same_stimuli(first, as_responses(VALUES, stimuli=list("abcz")), "here")
    with pytest.raises(SchemaError, match="No name is shared"):
        same_stimuli(first, as_responses(VALUES, stimuli=list("wxyz")), "here")


def test_names_that_people_type_lead_to_ours():
    assert suggest("pearson", ["cosine", "corr"]) == " Did you mean 'corr'?"
    assert suggest("Pearson", ["cosine", "correlation"]) == " Did you mean 'correlation'?"
    with pytest.raises(AttributeError, match=r"Did you mean 'compute_rdm'\?") as caught:
        neurosim.compute_rsm  # noqa: B018
    assert len(str(caught.value)) < 150


def test_missing_trials_enter_whole_and_nothing_else_does():
    """NaN is a whole trial of a unit; at some times only, without trials or everywhere it is refused."""
    values = np.arange(48.0).reshape(2, 3, 2, 4)
    dims = ("stimulus", "trial", "time", "unit")
    values[1, 2], values[0, 1, :, 3] = np.nan, np.nan
    found = as_responses(values, dims=dims, time_step=1e-3)
    assert int(found.isnull().sum()) == 8 + 2
    values[0, 0, 0, 0] = np.nan
    with pytest.raises(SchemaError, match="1 trials of a unit are NaN at some times only"):
        as_responses(values, dims=dims, time_step=1e-3)
    with pytest.raises(SchemaError, match="all values are NaN"):
        as_responses(np.full((2, 2, 2), np.nan), dims=("stimulus", "trial", "unit"))
    values[0, 0, 0, 0] = np.inf
    with pytest.raises(SchemaError, match="NaN or infinite"):
        as_responses(values, dims=dims, time_step=1e-3)


def test_what_was_measured_has_one_truth():
    """A label ``measured`` becomes NaN, in whole numbers too, and is gone."""
    counts = xr.DataArray(np.ones((2, 2, 1), dtype=int), dims=("stimulus", "trial", "unit"))
    counts = counts.assign_coords(measured=(("stimulus", "trial"), [[True, True], [True, False]]))
    found = check_responses(counts, missing=True)
    assert "measured" not in found.coords and found.isnull().values.ravel().tolist() == [False, False, False, True]
    assert check_responses(counts.isel(trial=[0]), missing=True).dtype == int
    with pytest.raises(SchemaError, match="'measured' is true or false, found <U5"):
        check_responses(counts.assign_coords(measured=counts.measured.astype(str)), missing=True)
