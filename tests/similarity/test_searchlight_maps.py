"""Maps of scores are those of all RDMs at once, whatever the block; neighbours go by place, not by row."""

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import cdist

import neurosim as ns

K, UNITS = 7, 24


def recorded(seed=0, trials=3, lost=False):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(K, trials, UNITS)) + rng.normal(size=(K, 1, UNITS))
    if lost:
        values[2, 1, :12], values[3, 0, 15:] = np.nan, np.nan
    places = {axis: ("unit", rng.uniform(size=UNITS) * 0.02) for axis in "xyz"}
    return ns.as_responses(values, dims=("stimulus", "trial", "unit"), coords=places)


def models(seed=1, names=("a", "b")):
    rng = np.random.default_rng(seed)
    return {name: ns.compute_rdm(rng.normal(size=(K, 6)), "euclidean") for name in names}


def whole(responses, by, method, **options):
    rdms = ns.compute_rdm(responses, by=by, progress=False, **options)
    return ns.compare_rdms(rdms, xr.concat(models().values(), "model"), method)


@pytest.mark.parametrize(
    ("method", "options", "lost"),
    [
        ("spearman", {"metric": "correlation"}, False),
        ("tau_a", {"metric": "euclidean"}, True),
        ("bures", {"metric": "euclidean"}, False),
        ("corr", {"metric": "mahalanobis", "precision": "diagonal"}, False),
        ("whitened_cosine", {"metric": "crossnobis", "precision": np.linspace(1, 2, UNITS)}, False),
        ("whitened_cosine", {"metric": "crossnobis", "precision": np.linspace(1, 2, UNITS)}, True),
    ],
)
def test_a_map_is_what_all_rdms_at_once_give(method, options, lost):
    responses = recorded(lost=lost)
    near = ns.similarity.searchlights(responses, 8e-3)
    found = ns.similarity.searchlight_scores(
        responses, near, models(), method=method, block=9, progress=False, **options
    )
    np.testing.assert_allclose(found.values, whole(responses, near, method, **options).values, rtol=1e-9, atol=1e-12)
    assert found.dims == ("searchlight", "model") and found.model.values.tolist() == ["a", "b"]
    assert np.array_equal(found.x.values, responses.x.values)


def test_stimuli_of_models_are_matched_by_name_and_dims_ride_along():
    responses = recorded()
    in_time = xr.concat([responses, 2 * responses[::-1].assign_coords(stimulus=responses.stimulus)], "time")
    near = ns.similarity.searchlights(responses, 8e-3)
    turned = {name: rdm[::-1, ::-1] for name, rdm in models().items()}
    found = ns.similarity.searchlight_scores(in_time, near, turned, block=9, progress=False)
    assert found.dims == ("searchlight", "time", "model")
    alone = ns.similarity.searchlight_scores(responses, near, models(), progress=False)
    np.testing.assert_allclose(found.isel(time=0).values, alone.values, rtol=1e-12)


def test_a_dead_searchlight_is_nan_and_says_why():
    responses = recorded()
    near = ns.similarity.searchlights(responses, 8e-3)
    members = near.values[5][near.values[5] >= 0]
    values = responses.values.copy()
    values[..., members] = 1 / 3
    dead = responses.copy(data=values)
    for metric in ("correlation", "euclidean", "crossnobis"):
        found = ns.similarity.searchlight_scores(dead, near, models(), metric=metric, block=4, progress=False)
        assert np.isnan(found[5]).all() and bool(found.undefined[5] != "")
        lost = np.isnan(found.values).all(1)
        inside = [set(row[row >= 0]) <= set(members) for row in near.values]
        assert np.array_equal(lost, found.undefined.values != "") and (lost >= np.array(inside)).all()


def test_lazy_responses_are_read_block_by_block():
    responses = recorded()
    near = ns.similarity.searchlights(responses, 8e-3)
    wanted = ns.similarity.searchlight_scores(responses, near, models(), progress=False)
    found = ns.similarity.searchlight_scores(responses.chunk(unit=8), near, models(), block=5, progress=False)
    np.testing.assert_array_equal(found.values, wanted.values)


def test_neighbours_are_those_within_the_radius_and_those_on_its_edge():
    affine = np.diag([2.0, 3.0, 4.0]).astype(np.float32).astype(float)
    places = np.argwhere(np.ones((5, 4, 3))) @ affine * 1e-3
    near = ns.similarity.searchlights(places, 6e-3)
    wanted = cdist(places * 1e3, places * 1e3) <= 6.0 + 1e-9
    assert [row[row >= 0].tolist() for row in near.values] == [np.flatnonzero(w).tolist() for w in wanted]


def test_a_surface_is_walked_along_its_edges():
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    vertices = np.concatenate([ring, ring + np.array([0, 0, 5.0])])
    i, j = np.arange(24), (np.arange(24) + 1) % 24
    faces = np.concatenate([np.stack([i, j, i + 24], 1), np.stack([j, j + 24, i + 24], 1)])
    edge = 2 * np.sin(np.pi / 24)
    near = ns.similarity.surface_searchlights(vertices, faces, 2 * edge)
    assert sorted(near.values[0].tolist()) == [0, 1, 2, 22, 23]
    assert np.array_equal(near.z.values, vertices[:, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: ns.similarity.searchlights(r.drop_vars("y"), 1.0), "searchlights: the units of these .* have no y"),
        (lambda r: ns.similarity.surface_searchlights(np.zeros((3, 3)), [[0, 1, 3]], 1.0), "vertices 0..2 asked"),
        (lambda r: ns.similarity.surface_searchlights(np.zeros((3, 2)), [[0, 1, 2]], 1.0), r"\(unit, 3\) asked"),
        (lambda r: ns.similarity.surface_searchlights(np.zeros((3, 3)), [[0, 1, 2]], -1), "radius of 0 or more"),
        (lambda r: maps(r, models=models(2, ())), "searchlight_scores: there is no model"),
        (lambda r: maps(r, models={"flat": 1 - np.eye(K)}), "model 'flat' does not vary"),
        (lambda r: maps(r, models={"few": 1 - np.eye(5)}), "searchlight_scores: "),
        (lambda r: maps(r, block=0), "block is a number of searchlights"),
        (lambda r: maps(r, metric="crossnobis", precision=np.eye(UNITS)), "a precision of all units"),
        (lambda r: maps(r[..., ::-1], near=r), "24 of 24 searchlights have other places"),
        (lambda r: maps(r.assign_coords(z=r.z.roll(unit=1)), near=r), "other places x, y, z"),
        (lambda r: maps(r[..., 1:], near=r[..., :-1]), "23 of 23 searchlights have other places"),
        (lambda r: maps(named(r)[..., ::-1], near=named(r)), "22 of 24 searchlights have other places"),
        (lambda r: maps(0 * r), "searchlight_scores: no score of 24 searchlights is defined"),
    ],
)
def test_what_makes_no_map_is_refused_in_one_line(call, message):
    with pytest.raises(ns.InputError, match=message) as caught:
        call(recorded())
    assert "\n" not in str(caught.value)


def named(responses):
    return responses.assign_coords(unit=[f"v{k}" for k in range(UNITS)])


@pytest.mark.parametrize("responses", [recorded(), named(recorded())])
def test_some_searchlights_in_another_order_are_of_the_same_units(responses):
    near = ns.similarity.searchlights(responses, 8e-3)
    found, some = (
        ns.similarity.searchlight_scores(responses, b, models(), progress=False) for b in (near, near[7:2:-1])
    )
    xr.testing.assert_allclose(some, found[7:2:-1])


def maps(responses, near=None, **options):
    near = ns.similarity.searchlights(responses if near is None else near, 8e-3)
    return ns.similarity.searchlight_scores(responses, near, options.pop("models", models()), progress=False, **options)
