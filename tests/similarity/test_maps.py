"""Maps of scores: sign flips against brute force and MNE, neighbours, missing subjects, refusals."""

from itertools import product

import numpy as np
import pytest
import xarray as xr
from scipy import sparse, stats

import neurosim as ns
from neurosim.similarity.kernels.clusters import cluster_labels, cluster_masses, enhanced
from neurosim.similarity.kernels.sign_flips import as_z, flipped_t, flips
from neurosim.similarity.neighbours import edges_of

METHODS = ("max", "cluster_mass", "tfce")


def smooth(n_subjects, n_times, seed=0, effect=0.0, where=slice(0, 0)):
    """Scores with noise that lasts, and an effect in some times."""
    noise = np.random.default_rng(seed).normal(size=(n_subjects, n_times + 4))
    values = sum(noise[:, k : n_times + k] for k in range(5)) / np.sqrt(5)
    values[:, where] += effect
    return xr.DataArray(values, dims=("subject", "time"), coords={"time": np.arange(n_times) * 0.01})


def by_hand(values, threshold):
    """Clusters of one map over time, as [(places, mass)], with loops alone."""
    found, run = [], []
    for place, height in enumerate([*values, -np.inf]):
        if height > threshold:
            run.append(place)
        elif run:
            found.append((run, sum(values[i] for i in run)))
            run = []
    return found


def tfce_by_hand(values):
    total = np.zeros(len(values))
    for k in range(1, int(np.ceil(max(values) / 0.1))):
        for run, _ in by_hand(values, k * 0.1):
            total[run] += np.sqrt(len(run)) * (k * 0.1) ** 2 * 0.1
    return total


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
@pytest.mark.parametrize("method", METHODS)
def test_every_flip_of_few_subjects_gives_the_p_of_brute_force(method, alternative):
    """All 64 flips of 6 subjects, one by one, by scipy's t test and loops over time."""
    scores = smooth(6, 25, seed=3, effect=1.5, where=slice(8, 14))
    two = alternative == "two-sided"
    forming = stats.t.isf(0.05 / (1 + two), 5)

    def weights(t):
        z = np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), 5))
        found = []
        for sign in (1, -1) if two else (1,):
            if method == "max":
                found.append(sign * t)
            elif method == "tfce":
                found.append(tfce_by_hand(sign * z))
            else:
                found.append(np.zeros(25))
                for run, mass in by_hand(sign * t, forming):
                    found[-1][run] = mass
        return np.max(found, axis=0)

    every = [
        weights(stats.ttest_1samp(np.array(s)[:, None] * scores.values, 0).statistic)
        for s in product((1, -1), repeat=6)
    ]
    null, observed = np.max(every, axis=1), every[0]
    wanted = (null[:, None] >= observed - 1e-9 * np.abs(observed)).mean(0)
    options = {"forming_p": 0.05} if method == "cluster_mass" else {}
    found = ns.similarity.sign_flip_test(scores, method=method, alternative=alternative, **options)
    assert found.attrs["exact"] == 1
    np.testing.assert_allclose(found.p_corrected, wanted)
    tested = stats.ttest_1samp(scores.values, 0)
    np.testing.assert_allclose(found.statistic, tested.statistic)
    interval = stats.t.interval(0.95, 5, scores.values.mean(0), stats.sem(scores.values))
    np.testing.assert_allclose(found.interval.T, interval)
    if method == "tfce":
        np.testing.assert_allclose(found.enhanced, observed)


@pytest.mark.parametrize("skew", ["shared", "own"])
@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_t_without_skew_has_the_p_of_brute_force(alternative, skew):
    """All 64 flips of 6 subjects, one by one, with the skewness of scipy and the cubic written as a power of three."""
    scores = np.exp(smooth(6, 15, seed=4)) - 1.2

    def heights(flipped):
        a = stats.skew(flipped, bias=False) / np.sqrt(6)
        a = a.mean() if skew == "shared" else a
        t = stats.ttest_1samp(flipped, 0).statistic
        found = ((1 + a * t / 3) ** 3 - 1) / a + a / 6
        return np.abs(found) if alternative == "two-sided" else found

    every = np.array([heights(np.array(s)[:, None] * scores.values) for s in product((1, -1), repeat=6)])
    observed = every[0] - 1e-9 * np.abs(every[0])
    found = ns.similarity.sign_flip_test(scores, alternative=alternative, skew=skew)
    np.testing.assert_allclose(found.p_corrected, (every.max(1)[:, None] >= observed).mean(0))
    np.testing.assert_allclose(found.p, (every >= observed).mean(0))
    own = stats.skew(scores.values, bias=False)
    own = np.full(15, own.mean()) if skew == "shared" else own
    np.testing.assert_allclose(found.skewness, own)
    t = (scores.mean("subject") - found.interval).T.values / stats.sem(scores.values)  # of the ends, held against 0
    a = own / np.sqrt(6)
    ends = ((1 + a * t / 3) ** 3 - 1) / a + a / 6
    np.testing.assert_allclose(ends, np.broadcast_to(stats.t.ppf([[0.975], [0.025]], 5), ends.shape))
    np.testing.assert_allclose(found.statistic, stats.ttest_1samp(scores.values, 0).statistic)


def test_skew_is_that_of_the_subjects_who_have_scores():
    scores = np.exp(smooth(9, 6))
    scores.values[:3, 2:] = np.nan
    found = ns.similarity.sign_flip_test(scores, skew="own")
    np.testing.assert_allclose(found.skewness, stats.skew(scores.values, bias=False, nan_policy="omit"))


@pytest.mark.parametrize("tail", [0, 1])
def test_clusters_and_enhancement_are_those_of_mne(tail):
    """All flips of 6 subjects, over time and frequency.

    MNE 1.13 asked for "all" flips takes one less than there are (127 of 128) and draws which one it leaves out, so that
    their number is asked. One-sided, its exact test then counts the scores themselves twice and never all turned round.
    """
    mne_stats = pytest.importorskip("mne.stats")
    values = np.random.default_rng(5).normal(size=(6, 5, 6)) + 0.6
    scores = xr.DataArray(values, dims=("subject", "time", "frequency"))
    alternative = "greater" if tail else "two-sided"
    adjacency = mne_stats.combine_adjacency(5, 6)
    edges = sparse.triu(adjacency, 1).tocoo()
    assert {tuple(e) for e in edges_of(scores[0], None, "here").T} == set(zip(edges.row, edges.col, strict=True))

    n = 2 ** (5 + tail)

    def same(ours, of_mne):
        more = np.rint(n * of_mne) - np.rint(n * ours)
        return (more == 0) | (more == 1) if tail else more == 0

    def z(flipped):
        return as_z(stats.ttest_1samp(flipped, 0).statistic, np.full(30, 5))

    forming = stats.t.isf(0.1 / (2 - tail), 5)
    for method, options in (
        ("cluster_mass", {"threshold": forming}),
        ("tfce", {"threshold": {"start": 0, "step": 0.1}, "stat_fun": z}),
    ):
        _, clusters, p, _ = mne_stats.permutation_cluster_1samp_test(
            values.reshape(6, 30), tail=tail, n_permutations=n, adjacency=adjacency, out_type="mask",
            verbose="error", **options,
        )  # fmt: skip
        forming_p = {"forming_p": 0.1} if method == "cluster_mass" else {}
        found = ns.similarity.sign_flip_test(scores, method=method, alternative=alternative, **forming_p)
        if method == "tfce":
            assert same(found.p_corrected.values.ravel(), p).all()
            continue
        assert len(p) == found.sizes["cluster"] > 1
        for mask, of_mne in zip(clusters, p, strict=True):
            labels = np.unique(found.cluster_label.values.ravel()[mask])
            assert len(labels) == 1
            assert same(found.cluster_p.values[labels[0] - 1], of_mne)
            assert found.cluster_size.values[labels[0] - 1] == mask.sum()


def test_missing_scores_enter_as_other_numbers_of_subjects():
    """A place has the t of the subjects that it has; with two it is not tested; a subject without any score goes."""
    scores = smooth(9, 12, seed=1, effect=1.0, where=slice(4, 8))
    whole = ns.similarity.sign_flip_test(scores)
    scores[:3, :6], scores[2:, 11] = np.nan, np.nan
    found = ns.similarity.sign_flip_test(scores, method="cluster_mass", alternative="greater", forming_p=0.05)
    np.testing.assert_allclose(found.statistic[:6], stats.ttest_1samp(scores.values[3:, :6], 0).statistic)
    np.testing.assert_allclose(found.statistic[6:11], whole.statistic[6:11])
    assert found.n_subjects.values.tolist() == [6] * 6 + [9] * 5 + [2]
    assert np.isnan(found[["statistic", "p", "p_corrected", "score", "interval"]].isel(time=11).to_array()).all()
    assert found.attrs["heights"] == "z"
    assert whole.attrs["heights"] == "t"
    mass = stats.norm.isf(stats.t.sf(found.statistic.values, found.n_subjects.values - 1))
    inside = found.cluster_label.values == 1
    assert float(found.cluster_mass[0]) == pytest.approx(mass[inside].sum())
    with_nobody = xr.concat([scores, xr.full_like(scores[:1], np.nan)], "subject")
    again = ns.similarity.sign_flip_test(with_nobody, method="cluster_mass", alternative="greater", forming_p=0.05)
    xr.testing.assert_identical(again, found)


def test_a_searchlight_map_of_subjects_has_its_cluster_where_the_signal_is():
    """From responses of voxels with places to a cluster with its extent in m; a model beside it has none."""
    rng = np.random.default_rng(3)
    cube = 2e-3 * np.argwhere(np.ones((5, 3, 3)))
    truth, other = rng.normal(size=(2, 10, 45)) * (cube[:, 0] < 3e-3)
    near = ns.similarity.searchlights(cube, 2.1e-3)
    near = near.assign_coords({k: ("searchlight", cube[:, i]) for i, k in enumerate("xyz")})
    models = {name: ns.compute_rdm(x[:, :18]) for name, x in (("truth", truth), ("other", other))}
    each = [
        ns.similarity.searchlight_scores(truth + rng.normal(size=(10, 45)), near, models, progress=False)
        for _ in range(7)
    ]
    scores = xr.concat(each, "subject")
    beside = {"searchlight": ns.similarity.neighbours(scores, 2e-3)}
    found = ns.similarity.sign_flip_test(scores, method="cluster_mass", alternative="greater", adjacency=beside)
    label = found.cluster_label.sel(model="truth")
    assert set(label.x.values[label.values == 1].round(4)) >= {0.0, 0.002}
    assert float(found.cluster_p[0]) == 1 / 128
    assert not (found.p_corrected.sel(model="other") < 0.05).any()


def test_an_untested_place_parts_its_neighbours():
    """What was not measured joins no clusters."""
    values = np.random.default_rng(0).normal(size=(10, 5)) * 0.1 + 1
    values[:, 2] = np.nan
    found = ns.similarity.sign_flip_test(xr.DataArray(values, dims=("subject", "time")), method="cluster_mass")
    label = found.cluster_label.values
    assert label[0] == label[1] > 0 == label[2]
    assert label[3] == label[4] != label[0]


@pytest.mark.parametrize("skew", [None, "shared", "own"])
@pytest.mark.parametrize("method", METHODS)
def test_a_map_turned_round_has_the_same_p_two_sided_and_another_scale_too(method, skew):
    scores = smooth(8, 15, seed=7, effect=2.0, where=slice(5, 9))
    first, turned, larger = (
        ns.similarity.sign_flip_test(x, method=method, skew=skew) for x in (scores, -scores, 1e4 * scores)
    )
    np.testing.assert_array_equal(first.p_corrected, turned.p_corrected)
    np.testing.assert_array_equal(first.p_corrected, larger.p_corrected)
    np.testing.assert_allclose(first.score, -turned.score)
    if method == "cluster_mass":
        np.testing.assert_allclose(first.cluster_mass, -turned.cluster_mass)
        assert (first.cluster_label == turned.cluster_label).all()
        assert first.sizes["cluster"]


def test_a_difference_is_matched_by_label():
    rng = np.random.default_rng(2)
    a, b = (
        xr.DataArray(
            rng.normal(size=(7, 5)), dims=("subject", "time"), coords={"subject": list("abcdefg"), "time": range(5)}
        )
        for _ in range(2)
    )
    wanted = ns.similarity.sign_flip_test(a - b)
    found = ns.similarity.sign_flip_test(a, b[::-1, [3, 1, 0, 2, 4]].T)
    xr.testing.assert_identical(found, wanted)


def test_flips_are_all_or_as_many_as_asked():
    signs, exact = flips(5, 31, False, np.random.default_rng(0))
    assert exact
    assert len(np.unique(signs, axis=0)) == 32
    assert (signs[0] == 1).all()
    two_sided, exact = flips(6, 31, True, np.random.default_rng(0))
    assert exact
    assert len({tuple(s) for s in two_sided} | {tuple(-s) for s in two_sided}) == 64
    drawn, exact = flips(6, 30, False, np.random.default_rng(0))
    assert not exact
    assert drawn.shape == (30, 6)


def test_of_flips_drawn_at_random_the_scores_themselves_are_one():
    scores = smooth(14, 4, effect=9.0, where=slice(0, 2))
    found = ns.similarity.sign_flip_test(scores, n_permutations=19, alternative="greater")
    assert found.attrs["exact"] == 0
    assert found.p_corrected.values[:2].tolist() == found.p.values[:2].tolist() == [0.05, 0.05]


def test_t_of_flips_is_finite_where_subjects_agree_to_the_last_bit():
    t = flipped_t(np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), np.array([3, 3]), np.array([[1.0, 1, 1], [1, 1, -1]]))
    assert np.isfinite(t).all()
    assert t[0, 0] > 1e5
    assert t[1, 0] == pytest.approx(0.5)
    assert (t[:, 1] == 0).all()


def test_many_maps_at_once_are_one_map_at_a_time():
    rng = np.random.default_rng(4)
    heights = rng.normal(size=(7, 12)) * 2
    edges = edges_of(xr.DataArray(np.zeros((3, 4)), dims=("x", "y")), None, "here")
    threshold = np.full(12, 0.4)
    for kernel in (lambda h: cluster_masses(h, edges, threshold), lambda h: enhanced(h, edges, 0.1)):
        np.testing.assert_allclose(kernel(heights), np.concatenate([kernel(h[None]) for h in heights]))
    labels = cluster_labels(heights > 0, edges)
    assert all(not set(labels[i][labels[i] > 0]) & set(labels[j][labels[j] > 0]) for i in range(7) for j in range(i))


def test_neighbours_of_grids_surfaces_and_sensors():
    cube = np.argwhere(np.ones((3, 3, 3)))
    assert ns.similarity.neighbours(cube, 1.0).sum(1).max() == 6
    assert ns.similarity.neighbours(cube, 1.8).sum(1).max() == 26
    labels = {k: ("searchlight", cube[:, i]) for i, k in enumerate("xyz")}
    scores = xr.DataArray(np.zeros((4, 27, 2)), dims=("subject", "searchlight", "model"), coords=labels)
    assert (ns.similarity.neighbours(scores, 1.8) != ns.similarity.neighbours(cube, 1.8)).nnz == 0
    assert edges_of(scores[0], {"searchlight": ns.similarity.neighbours(scores, 1)}, "here").shape == (2, 2 * 54)
    grid = xr.DataArray(np.zeros((3, 3, 3)), dims=("x", "y", "z"))
    own = sparse.triu(ns.similarity.neighbours(cube, 1.0), 1).tocoo()
    assert {tuple(e) for e in edges_of(grid, None, "here").T} == set(zip(own.row, own.col, strict=True))
    names = ["c", "a", "b"]
    matrix = xr.DataArray(
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
        dims=("unit", "unit_other"),
        coords={"unit": list("abc"), "unit_other": list("abc")},
    )
    sensors = xr.DataArray(np.zeros(3), dims="unit", coords={"unit": names})
    assert edges_of(sensors, {"unit": matrix}, "here").T.tolist() == [[1, 2]]
    assert edges_of(sensors, {"unit": None}, "here").shape == (2, 0)
    over = xr.DataArray(np.zeros((3, 2)), dims=("unit", "time"), coords={"unit": names})
    assert edges_of(over, {"unit": matrix}, "here").T.tolist() == [[0, 1], [2, 3], [2, 4], [3, 5], [4, 5]]


@pytest.mark.parametrize(
    ("dim", "places", "pairs"),
    [
        ("time", [0, 0.1, 0.2, 0.8, 0.9, 1.0], [[0, 1], [1, 2], [3, 4], [4, 5]]),
        ("time_other", [0, 1, 3], [[0, 1]]),
        ("frequency", [2, 4, 8, 16], [[0, 1], [1, 2], [2, 3]]),
        ("x", [0.0, 0.5], [[0, 1]]),
    ],
)
def test_places_are_no_neighbours_across_a_gap(dim, places, pairs):
    scores = xr.DataArray(np.zeros(len(places)), dims=dim, coords={dim: places})
    assert edges_of(scores, None, "here").T.tolist() == pairs


SCORES = smooth(8, 6)


def placed_map(step):
    """Scores of 8 subjects with places; `step` voxels further on."""
    x = ("time", (np.arange(6.0) + step) * 2e-3)
    return SCORES.drop_vars("time").assign_coords(x=x, y=x, z=x).rename(time="searchlight")


def placed(step):
    return placed_map(step)[step]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f(SCORES.values), "as a labelled array asked"),
        (lambda f: f(SCORES[:, 0]), "labelled array asked"),
        (lambda f: f(SCORES[:4], alternative="greater"), "4 subjects have 16 sign flips and"),
        (lambda f: f(SCORES[:5]), "two-sided and p of 0.05 takes 20; more subjects, or alternative='greater'"),
        (lambda f: f(SCORES.where(SCORES.time < 0)[:, :3]), "no place has the scores|sign flips"),
        (lambda f: f(SCORES.assign_attrs(zero="unrelated RDMs score above 0: cosine")), "unrelated RDMs score above 0"),
        (lambda f: f(SCORES, SCORES[:7]), "8 and 7 places along subject"),
        (lambda f: f(SCORES, SCORES.assign_coords(time=SCORES.time + 1)), "do not have the same, different, labels"),
        (lambda f: f(SCORES, SCORES[:, 0].expand_dims("layer")), "asked alike"),
        (lambda f: f(SCORES, SCORES.drop_vars("time")), "only one of the two"),
        (lambda f: f(SCORES / 0), "NaN or infinite|infinite"),
        (lambda f: f(SCORES, method="maxx"), "Did you mean 'max'"),
        (lambda f: f(SCORES, alternative="less"), "no alternative 'less'"),
        (lambda f: f(SCORES, skew="shard"), "no skew 'shard'. .*Did you mean 'shared'"),
        (lambda f: f(SCORES, adjacency={"time": None}), "none with method='max'"),
        (lambda f: f(SCORES, forming_p=0.01), "forms none"),
        (lambda f: f(SCORES, method="cluster_mass", forming_p=2), "between 0 and 0.5"),
        (lambda f: f(SCORES, n_permutations=5), "5 permutations"),
        (lambda f: f(SCORES.rename(time="unit"), method="tfce"), "along 'unit' is not known"),
        (lambda f: f(SCORES[:, ::-1], method="tfce"), "time does not rise"),
        (lambda f: f(SCORES, method="tfce", adjacency={"place": None}), "found 'place'"),
        (lambda f: f(SCORES, method="tfce", adjacency={"time": np.eye(5)}), r"\(6, 6\), found \(5, 5\)"),
        (lambda f: f(SCORES, method="tfce", adjacency={"time": np.triu(np.ones((6, 6)))}), "not symmetric"),
        (
            lambda f: f(SCORES.isel(time=[0, 1, 2, 4]).assign_coords(time=[0, 0.1, 0.25, 0.35]), method="tfce"),
            "is uneven",
        ),
        (lambda f: f(SCORES.assign_coords(time=SCORES.time.astype("timedelta64[s]"))), "time is of timedelta64"),
        (lambda f: f(SCORES, method="tfce", adjacency={"time": np.full((6, 6), np.nan)}), "true and false, or 1 and 0"),
        (lambda f: f(SCORES, method="tfce", adjacency={"time": 0.5 * np.ones((6, 6))}), "such as distances"),
        (lambda f: ns.similarity.surface_neighbours(np.array([[0, 1, 2]]), 3.0), "n_vertices is a whole number"),
        (lambda f: ns.similarity.surface_neighbours(np.array([[0, 1, 2]]), None), "n_vertices is a whole number"),
        (lambda f: f(xr.concat([placed(0), placed(0), placed(1)], "subject")), "'x' differ between subjects"),
        (lambda f: f(placed_map(0), placed_map(1)), "the labels 'x' of the two differ"),
        (lambda f: ns.similarity.latencies(placed_map(0), placed_map(1)), "latencies: the labels 'x'"),
        (lambda f: ns.similarity.neighbours(np.ones((3, 2)), -1.0), "a radius above 0"),
        (lambda f: ns.similarity.surface_neighbours(np.array([[0, 1, 5]]), 4), r"vertices 0\.\.3"),
    ],
)
def test_what_cannot_be_tested_is_refused_in_one_line(call, words):
    with pytest.raises(ns.InputError, match=words) as caught:
        call(ns.similarity.sign_flip_test)
    assert "\n" not in str(caught.value)
