"""Model RDMs against definitions of their own: sets of prefixes, counts of choices, places that are known."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform

import neurosim as ns

N = 9
RNG = np.random.default_rng(5)


def stimuli():
    labels = {
        "domain": list("aaaaabbbb"),
        "category": ["man", "man", "dog", "dog", "cat", "car", "bus", "bus", "cat"],
        "size": np.arange(N) ** 2 / 3,
        "weight": RNG.normal(size=N),
        "orientation": np.linspace(0, 350, N),
        "path": ["a/b/c", "a/b/c", "a/b", "a", "b/b/c", "b", "b/a", "b/a/x/y", "a / b / d"],
        "lost": [*"abcdefgh", ""],
        "same": ["x"] * N,
    }
    return ns.as_stimuli(np.zeros((N, 3)), coords=labels)


def prefixes(path):
    parts = [p.strip() for p in path.split("/")]
    return {tuple(parts[: k + 1]) for k in range(len(parts))}


def test_labels_make_the_distances_that_they_define():
    shown = stimuli()
    category = ns.similarity.model_rdm(shown, "category")
    assert np.array_equal(category.values, (shown.category.values[:, None] != shown.category.values).astype(float))
    assert category.domain.dims == ("stimulus",) and category.attrs["metric"] == "categorical"
    size = ns.similarity.model_rdm(shown, "size", "numeric").values
    np.testing.assert_allclose(size, np.abs(np.subtract.outer(shown["size"].values, shown["size"].values)))
    both = np.stack([shown["size"].values, shown.weight.values], 1)
    found = ns.similarity.model_rdm(shown, ["size", "weight"], "numeric").values
    np.testing.assert_allclose(found, squareform(pdist(both)))
    angle = np.deg2rad(shown.orientation.values)
    for kind, fold in (("orientation", 2), ("direction", 1)):
        turned = np.abs(np.angle(np.exp(1j * fold * np.subtract.outer(angle, angle)))) / fold
        np.testing.assert_allclose(
            ns.similarity.model_rdm(shown, "orientation", kind).values, np.rad2deg(turned), atol=1e-5
        )


@pytest.mark.parametrize("label", ["path", ["domain", "category"]])
def test_a_tree_counts_the_levels_that_two_stimuli_do_not_share(label):
    shown = stimuli()
    paths = shown.path.values if label == "path" else [f"{a}/{b}" for a, b in np.stack([shown[k] for k in label], 1)]
    sets = [prefixes(p) for p in paths]
    wanted = [[len(a ^ b) / 2 for b in sets] for a in sets]
    assert ns.similarity.model_rdm(shown, label, "hierarchical").values.tolist() == wanted


def chosen(similarity, rows, rng):
    """Triplets with the odd one last, the pair drawn with the odds of its similarity."""
    pairs = np.stack([similarity[rows[:, i], rows[:, j]] for i, j in ((0, 1), (0, 2), (1, 2))], 1)
    pick = (rng.random(len(rows))[:, None] > np.cumsum(pairs / pairs.sum(1, keepdims=True), 1)).sum(1)
    order = np.array([[0, 1, 2], [0, 2, 1], [1, 2, 0]])[pick]
    return np.take_along_axis(rows, order, 1)


def test_triplets_are_shares_of_those_that_hold_the_pair():
    rows = np.array([t for t in combinations(range(6), 3) if t[:2] != (0, 1)])
    judged = chosen(RNG.random((6, 6)) + 0.1, np.repeat(rows, 3, 0), RNG)
    names = np.array(list("uvwxyz"))[judged]
    found = ns.similarity.triplet_rdm(pd.DataFrame(names))
    for i, j in combinations(range(6), 2):
        hold = [set(r[:2]) == {i, j} for r in judged.tolist() if {i, j} <= set(r)]
        value = found.sel(stimulus="uvwxyz"[i], stimulus_other="uvwxyz"[j])
        assert int(value.n_judgements) == len(hold)
        assert np.isnan(value) if not hold else float(value) == pytest.approx(1 - np.mean(hold))
    assert np.isnan(found.values).sum() == 2 and np.array_equal(np.diagonal(found), np.zeros(6))
    numbers = ns.similarity.triplet_rdm(judged + 8)
    assert numbers.stimulus.values.tolist() == ["8", "9", "10", "11", "12", "13"]
    np.testing.assert_array_equal(numbers.values, found.values)
    turned = ns.similarity.triplet_rdm(names, stimuli=list("zyxwvu"))
    np.testing.assert_array_equal(turned.values, found.values[::-1, ::-1])


def placed(config, members, scale=1.0):
    turn = np.linalg.qr(RNG.normal(size=(2, 2)))[0]
    names = [f"s{m}" for m in members]
    return xr.DataArray(scale * config[members] @ turn, dims=("stimulus", "axis"), coords={"stimulus": names})


def test_arrangements_without_errors_give_back_the_places():
    config = RNG.normal(size=(7, 2))
    parts = [[0, 1, 2, 3, 4], [3, 2, 5], [5, 3, 6, 1]]
    given = [placed(config, m, s) for m, s in zip(parts, (1.0, 3.0, 0.2), strict=True)]
    found = ns.similarity.arrangement_rdm(given, stimuli=[f"s{i}" for i in range(7)])
    known = np.zeros((7, 7), dtype=bool)
    for m in parts:
        known[np.ix_(m, m)] = True
    assert np.array_equal(np.isnan(found.values), ~known)
    wanted = squareform(pdist(config))
    upper = known & np.triu(np.ones((7, 7), dtype=bool), 1)
    np.testing.assert_allclose(found.values[known], (wanted / np.sqrt((wanted[upper] ** 2).mean()))[known], rtol=1e-6)
    turned = ns.similarity.arrangement_rdm({k: a[::-1] for k, a in enumerate(given)}, stimuli=found.stimulus.values)
    np.testing.assert_allclose(turned.values, found.values, rtol=1e-9)


def test_large_distances_weigh_more():
    near = xr.DataArray([[0.0, 0], [1, 0], [0, 9]], dims=("stimulus", "axis"), coords={"stimulus": list("abc")})
    far = near.copy(data=[[0.0, 0], [3, 0], [0, 9]])
    ratio = [float(r[0, 1] / r[0, 2]) for r in map(ns.similarity.arrangement_rdm, ([near], [far], [near, far]))]
    assert ratio[0] < (ratio[0] + ratio[1]) / 2 < ratio[2] < ratio[1]


PLACES = placed(np.arange(6.0).reshape(3, 2) ** 2, [0, 1, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: ns.similarity.model_rdm(s, "categry"), "no label 'categry' .* Did you mean 'category'"),
        (lambda s: ns.similarity.model_rdm(s, "category", "numeric"), "numeric takes finite numbers, found 'category'"),
        (lambda s: ns.similarity.model_rdm(s, "lost"), "1 stimuli have no 'lost', the first is stimulus_008"),
        (lambda s: ns.similarity.model_rdm(s, "same"), "categorical of same is 0 between all stimuli"),
        (lambda s: ns.similarity.model_rdm(s, []), "no label 'none'"),
        (lambda s: ns.similarity.model_rdm(s, "size", "nummeric"), "unknown kind of model RDM 'nummeric'.*numeric"),
        (lambda s: ns.similarity.triplet_rdm([["a", "b", "a"]]), "triplet 0 holds a stimulus twice"),
        (lambda s: ns.similarity.triplet_rdm([["a", "b"]]), r"triplets \(judgement, 3\) asked"),
        (lambda s: ns.similarity.triplet_rdm([[0.5, 1, 2]]), "names or whole numbers"),
        (lambda s: ns.similarity.triplet_rdm([("a", float("nan"), "b")]), "or missing ones"),
        (lambda s: ns.similarity.triplet_rdm(np.array([["a", "", "b"]])), "or missing ones"),
        (lambda s: ns.similarity.triplet_rdm([["a", "b", None]]), "names or whole numbers"),
        (lambda s: ns.similarity.triplet_rdm([["a", "b", "c"]], stimuli=["a", "b", "d"]), r"judged \['c'\] are none"),
        (
            lambda s: ns.similarity.arrangement_rdm([PLACES, placed(np.eye(6)[:, :2], [4, 0, 5])]),
            "arrangement 1 shares",
        ),
        (lambda s: ns.similarity.arrangement_rdm([PLACES.drop_vars("stimulus")]), "has no names of its stimuli"),
        (lambda s: ns.similarity.arrangement_rdm([0 * PLACES]), "all stimuli of arrangement 0 are in one place"),
        (lambda s: ns.similarity.arrangement_rdm([PLACES.T / 0]), "not finite"),
        (lambda s: ns.similarity.arrangement_rdm([PLACES[:2]]), "3 stimuli or more asked, found 2"),
        (lambda s: ns.similarity.arrangement_rdm([]), r"a list of places \(stimulus, axis\) asked"),
    ],
)
def test_labels_and_judgements_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ns.InputError, match=message) as caught:
        call(stimuli())
    assert "\n" not in str(caught.value)
