"""Areas against areas: noise that is shared is no geometry, and what comes later is found later."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.schema import InputError
from neurosim.similarity import lagged_scores, representational_connectivity


def recorded(seed=0, stimuli=10, trials=6, noise=0.5, same=False):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, stimuli, 1, 8))
    shared = noise * rng.normal(size=(stimuli, trials, 8))
    values = np.concatenate([x + shared, (x if same else y) + shared], -1)
    return ns.as_responses(
        values, dims=("stimulus", "trial", "unit"), coords={"area": ("unit", list("a" * 8 + "b" * 8))}
    )


def test_is_the_ratio_of_covariances_over_splits_by_other_means():
    """The same from public RDMs of every half, correlated by numpy, and the error by leaving stimuli out of them."""
    responses, upper = recorded(), np.triu_indices(10, 1)
    found = representational_connectivity(responses, n_splits=10)
    halves = [c for c in ns_halves(6) if 0 in c]
    rdms = {
        (name, half): ns.compute_rdm(
            responses.isel(trial=list(half), unit=np.flatnonzero(responses.area == name)), "crossnobis"
        ).values
        for name in "ab"
        for half in ns_halves(6)
    }
    rest = {half: tuple(t for t in range(6) if t not in half) for half in halves}

    def score(kept):
        def cov(p, q):
            pairs = [(h, rest[h]) for h in halves] + [(rest[h], h) for h in halves]
            own = np.triu_indices(len(kept), 1)
            parts = [[rdms[name, h][np.ix_(kept, kept)][own] for name, h in ((p, h), (q, g))] for h, g in pairs]
            return np.mean([np.cov(*part, ddof=0)[0, 1] for part in parts])

        return cov("a", "b") / np.sqrt(cov("a", "a") * cov("b", "b"))

    assert len(upper[0]) == 45 and found.attrs["n_splits"] == 10
    left = np.array([score(np.delete(np.arange(10), k)) for k in range(10)])
    np.testing.assert_allclose(found.score[0, 1], score(np.arange(10)), rtol=1e-9)
    np.testing.assert_allclose(found.standard_error[0, 1], np.sqrt(0.9 * ((left - left.mean()) ** 2).sum()), rtol=1e-9)
    assert (found.score.values == found.score.values.T).all()


def ns_halves(n):
    from itertools import combinations

    return list(combinations(range(n), n // 2))


def test_one_geometry_is_one_and_scale_and_order_of_trials_do_not_matter():
    exact = recorded(noise=0.0, same=True)
    found = representational_connectivity(exact.where(exact.area == "a", 3 * exact))
    np.testing.assert_allclose(found.score, 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.reliability, 1.0, rtol=1e-9)


def test_missing_trials_do_not_enter_and_values_in_their_place_do_not_either():
    responses = recorded(trials=8)
    values = responses.values.copy()
    values[2, 5] = values[7, 1] = values[:, 6, :3] = np.nan
    found = representational_connectivity(responses.copy(data=values), n_splits=8)
    assert np.isfinite(found.score.values).all() and found.attrs["n_splits"] == 8
    values[0, 3:] = np.nan
    with pytest.raises(InputError, match="no split of the trials"):
        representational_connectivity(responses.copy(data=values))


def test_an_area_of_noise_has_no_geometry_to_be_compared():
    responses = recorded(3)
    values = responses.values.copy()
    values[..., 8:] = np.random.default_rng(2).normal(size=(10, 6, 8))
    found = representational_connectivity(responses.copy(data=values))
    assert np.isnan(found.score[0, 1]) == (found.reliability[1] <= 0)
    flat = representational_connectivity(responses.where(responses.area == "a", 1.0))
    assert np.isnan(flat.score.values[:, 1]).all() and np.isfinite(flat.score.values[0, 0])


@pytest.mark.parametrize("method", ["corr", "spearman"])
def test_a_later_copy_is_found_at_its_lag(method):
    x = ns.as_responses(np.random.default_rng(0).normal(size=(8, 12, 6)), time_step=0.01)
    rdm = ns.compute_rdm(x, "euclidean")
    moved = rdm.isel(time=slice(0, 9)).assign_coords(time=rdm.time.values[:9] + 0.02)
    found = lagged_scores(rdm, moved, method, max_lag=0.03)
    assert "zero" not in found.attrs
    assert "above 0" in lagged_scores(rdm, moved, "cosine", max_lag=0).attrs["zero"]
    assert found.lag.values.round(3).tolist() == [-0.03, -0.02, -0.01, 0, 0.01, 0.02, 0.03]
    np.testing.assert_allclose(found.score.sel(lag=0.02, method="nearest"), 1.0)
    every = ns.compare_rdms(rdm, moved, method)
    later = found.isel(lag=4)
    pairs = [(i, i - 1) for i in range(12) if 0 <= i - 1 < 9]
    np.testing.assert_allclose(later.score, np.mean([every.values[p] for p in pairs]), rtol=1e-12)
    assert int(later.n_times) == len(pairs)
    left = [
        np.mean(
            [
                ns.compare_rdms(
                    rdm,
                    moved,
                    method,
                ).values[p]
                for p in pairs
            ]
        )
        for rdm, moved in (
            tuple(r.isel(stimulus=np.delete(range(8), k), stimulus_other=np.delete(range(8), k)) for r in (rdm, moved))
            for k in range(8)
        )
    ]
    np.testing.assert_allclose(later.standard_error, np.sqrt(7 / 8 * np.var(left) * 8), rtol=1e-9)


RDM = ns.compute_rdm(ns.as_responses(np.random.default_rng(0).normal(size=(6, 5, 4)), time_step=0.01), "euclidean")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: representational_connectivity(recorded(trials=3)), "found 3 trials"),
        (lambda: representational_connectivity(recorded(stimuli=4)), "4 stimuli"),
        (lambda: representational_connectivity(recorded(), n_splits=0), "n_splits=0"),
        (lambda: representational_connectivity(recorded(), by="layer"), "no label 'layer'"),
        (lambda: representational_connectivity(recorded().isel(unit=slice(8))), "names one area"),
        (lambda: representational_connectivity(recorded().mean("trial")), "select one"),
        (lambda: lagged_scores(RDM[0], RDM, max_lag=0.1), "time, stimulus"),
        (lambda: lagged_scores(RDM, RDM, max_lag=-1), "max_lag = -1"),
        (lambda: lagged_scores(RDM, RDM.assign_coords(time=RDM.time + 0.004), max_lag=0.1), "lie between"),
        (lambda: lagged_scores(RDM, RDM.assign_coords(time=RDM.time * 2), max_lag=0.1), "apart"),
        (lambda: lagged_scores(RDM, RDM.assign_coords(time=RDM.time + 9), max_lag=0.1), "no two times"),
    ],
)
def test_what_cannot_be_compared_is_refused(act, words):
    with pytest.raises(InputError, match=words):
        act()
