"""Fewer stimuli are taken from all categories in turn, also where they are sorted by category."""

import numpy as np
import pytest
import xarray as xr

from neurosim.splits import spread_over


def labelled(category):
    ids = [f"s{i}" for i in range(len(category))]
    return xr.DataArray(
        np.arange(len(category)), dims="stimulus", coords={"stimulus": ids, "category": ("stimulus", category)}
    )


@pytest.mark.parametrize("n", [10, 60, 99])
def test_no_category_is_left_out_where_there_is_room_for_all(n):
    sorted_by_category = labelled(np.repeat(list("abcdefghij"), 30))
    counts = np.unique(spread_over(sorted_by_category, n)["category"].values, return_counts=True)[1]
    assert len(counts) == 10 and counts.sum() == n and np.ptp(counts) <= 1


def test_what_comes_in_turn_already_and_what_is_asked_whole_is_as_it_was():
    in_turn = labelled(list("abc") * 5)
    for n in (1, 4, 14, 15, 1000):
        xr.testing.assert_identical(spread_over(in_turn, n), in_turn.isel(stimulus=slice(n)))
    mixed = labelled(list("bbacab"))
    xr.testing.assert_identical(spread_over(mixed, 6), mixed)
    assert spread_over(mixed, 3)["stimulus"].values.tolist() == ["s0", "s2", "s3"]


def test_stimuli_without_categories_are_taken_as_they_come():
    bare = labelled(list("aab")).drop_vars("category")
    xr.testing.assert_identical(spread_over(bare, 2), bare.isel(stimulus=slice(2)))
