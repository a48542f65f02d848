"""Rows that a table names are matched by their names, also where these are numbers; what only counts is no name."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurosim import as_rdm, as_responses, as_stimuli, as_trials, compute_rdm
from neurosim.schema import SchemaError, responses_to

FILES = sorted(f"{k}.png" for k in range(12))  # 0, 1, 10, 11, 2, ...
SHOWN = as_stimuli(np.zeros((12, 2, 2)), ids=FILES)
ANSWERS = np.arange(12.0)[:, None] * np.ones((1, 3))  # row k answers picture k
RIGHT = np.array([float(name.removesuffix(".png")) for name in FILES])
TABLE = pd.DataFrame(ANSWERS)
DISTANCES = np.abs(np.subtract.outer(np.arange(12.0) ** 2, np.arange(12.0) ** 2))


@given(st.permutations(range(12)))
def test_numbers_that_name_rows_are_names_in_any_order_of_the_table(order):
    named = {
        "column": TABLE.assign(stimulus=range(12)),
        "index": TABLE.assign(image=range(12)).set_index("image"),
        "list": pd.DataFrame(ANSWERS, index=list(range(12))),
        "labels": xr.DataArray(ANSWERS, dims=("stimulus", "unit"), coords={"stimulus": range(12)}),
    }
    for name, brought in named.items():
        moved = brought[order] if name == "labels" else brought.iloc[order]
        np.testing.assert_array_equal(as_responses(moved, stimuli=SHOWN).values[:, 0], RIGHT, err_msg=name)


def test_a_named_index_that_only_looks_counted_is_a_name():
    table = TABLE.set_axis(pd.RangeIndex(12, name="picture"))
    np.testing.assert_array_equal(as_responses(table, stimuli=SHOWN).values[:, 0], RIGHT)
    assert as_responses(TABLE.assign(stimulus=range(12))).stimulus.values.tolist() == [str(k) for k in range(12)]


def test_a_square_table_of_numbered_stimuli_is_matched_by_name():
    names = pd.Index(range(12), name="picture")
    wanted = np.abs(np.subtract.outer(RIGHT**2, RIGHT**2))
    for table in (pd.DataFrame(DISTANCES, names, names), pd.DataFrame(DISTANCES, list(range(12)), list(range(12)))):
        np.testing.assert_array_equal(as_rdm(table, stimuli=SHOWN).values, wanted)
    with pytest.raises(SchemaError, match="rows or its columns only"):
        as_rdm(pd.DataFrame(DISTANCES, names))


@pytest.mark.parametrize("bare", [ANSWERS, TABLE, ANSWERS.tolist(), as_responses(ANSWERS)])
def test_rows_without_names_are_refused_where_the_stimuli_may_be_in_two_orders(bare):
    with pytest.raises(SchemaError, match=r"^as_responses: values without names, .* \(0.png, 1.png, 10.png, \.\.\.\)"):
        as_responses(bare, stimuli=SHOWN)
    said = as_responses(bare, stimuli=list(SHOWN.stimulus.values))
    np.testing.assert_array_equal(said.values, ANSWERS)
    assert said.stimulus.values.tolist() == FILES
    padded = as_stimuli(np.zeros((12, 2, 2)), ids=[f"{k:02d}.png" for k in range(12)])
    np.testing.assert_array_equal(as_responses(bare, stimuli=padded).values, ANSWERS)


def test_rdms_without_names_are_refused_there_too_and_what_is_computed_is_not():
    with pytest.raises(SchemaError, match=r"^as_rdm: values without names, .*as_rdm\(values, stimuli=\[...\]\)"):
        as_rdm(DISTANCES, stimuli=SHOWN)
    coloured = SHOWN.assign_coords(category=("stimulus", list("xy" * 6)))
    found = compute_rdm(responses_to(coloured, RIGHT[:, None]), "euclidean")
    np.testing.assert_allclose(found.values, np.subtract.outer(RIGHT, RIGHT) ** 2)
    assert found.category.values.tolist() == list("xy" * 6)


def test_observations_counted_by_two_kinds_of_index_are_in_one_order():
    listed = pd.DataFrame(ANSWERS, index=list(range(12)))
    names = pd.Series(FILES)
    for observations in (TABLE, listed):
        for stimuli in (names, names.set_axis(list(range(12))), FILES):
            np.testing.assert_array_equal(as_trials(observations, stimuli).values[:, 0], ANSWERS)
