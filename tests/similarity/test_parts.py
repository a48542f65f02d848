"""One of many parts that has no RDM is NaN and says why; all others are as if it were not there."""

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.schema import InputError, as_rdm, check_rdm
from neurosim.similarity.parts import as_searchlights

BY = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [2, 6, 7]]


def recorded(*extra, dead=(3, 4, 5), value=0.0):
    values = np.random.default_rng(0).normal(size=(*extra, 6, 4, 9))
    values[..., list(dead)] = value
    dims = ("time",) * len(extra) + ("stimulus", "trial", "unit")
    return ns.as_responses(values, dims=dims, coords={"area": ("unit", list("aaabbbccc"))})


@pytest.mark.parametrize(
    ("metric", "options"), [("correlation", {}), ("cosine", {}), ("mahalanobis", {}), ("ldc_t", {})]
)
@pytest.mark.parametrize("by", [BY, "area"])
def test_a_dead_part_is_nan_and_the_others_are_as_without_it(metric, options, by):
    found = ns.compute_rdm(recorded(), metric, by=by, progress=False, **options)
    alive = [0, 2, 3] if by is BY else [0, 2]
    parts = as_searchlights(BY, 9).values
    for i in alive:
        alone = ns.compute_rdm(recorded().isel(unit=parts[i]), metric)
        np.testing.assert_allclose(found.values[i], alone.values, rtol=1e-12, atol=1e-15)
    apart = ~np.eye(6, dtype=bool)
    assert np.isnan(found.values[1][apart]).all() and (np.diagonal(found.values[1]) == 0).all()
    assert (found.undefined.values == "").tolist() == [i != 1 for i in range(len(found))]
    assert "no noise" in str(found.undefined[1].item()) or "not" in str(found.undefined[1].item())
    scores = ns.compare_rdms(found, found[0], "corr")
    assert np.isnan(scores.values).tolist() == [i == 1 for i in range(len(found))]


@pytest.mark.parametrize("by", [BY, "area"])
def test_a_part_that_is_dead_at_one_time_is_nan_there_alone(by):
    responses = recorded(2, dead=())
    values = responses.values.copy()
    values[:, :, 1, 3:6] = 2.0
    found = ns.compute_rdm(responses.copy(data=values), by=by, progress=False)
    assert np.argwhere(found.undefined.transpose(found.dims[0], "time").values != "").tolist() == [[1, 1]]
    np.testing.assert_allclose(found[1, 0], ns.compute_rdm(responses.isel(time=0, unit=[3, 4, 5])), rtol=1e-12)


def test_a_part_whose_units_know_no_common_pair_is_nan():
    responses = recorded(dead=())
    values = responses.values.copy()
    values[0, :, 3:6], values[1, :, 0] = np.nan, np.nan
    found = ns.compute_rdm(responses.copy(data=values), "euclidean", by="area", progress=False)
    assert [bool(w) for w in found.undefined.values] == [False, True, False]


def test_where_nothing_is_defined_all_is_refused():
    with pytest.raises(InputError, match="no RDM of 3 parts is defined"):
        ns.compute_rdm(recorded(dead=range(9)), by="area")
    with pytest.raises(InputError, match="do not vary"):
        ns.compute_rdm(recorded().isel(unit=[3, 4, 5]))
    assert "undefined" not in ns.compute_rdm(recorded(dead=()), by="area").coords


def test_there_is_one_door_for_stimuli_that_an_rdm_has_not():
    square = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    square[2] = square[:, 2] = np.nan
    found = as_rdm(square, missing=True)
    assert found.values[2, 2] == 0 and np.isnan(found.values).sum() == 8
    xr.testing.assert_identical(check_rdm(found, missing=True), found)
    for act in (as_rdm, check_rdm):
        with pytest.raises(InputError, match="1 stimuli are NaN in some RDM, such as 'stimulus_002'"):
            act(square)
    square[0, 1] = 3.0
    with pytest.raises(InputError, match="not symmetric"):
        as_rdm(square, missing=True)
    square[0, 1] = square[1, 0] = np.inf
    with pytest.raises(InputError, match="infinite"):
        as_rdm(square, missing=True)
