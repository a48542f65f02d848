"""When scores rise and are highest: courses of known form, missing scores, differences, refusals."""

import numpy as np
import pytest
import xarray as xr

import neurosim as ns
from neurosim.schema import InputError
from neurosim.similarity.kernels.latencies import onset_of, peak_of

TIME = np.arange(50) * 0.01


def courses(shift=0.0, n=8, spread=0.01, seed=0):
    """Scores that rise and fall as a bell, at times of each subject's own."""
    late = shift + spread * np.random.default_rng(seed).normal(size=(n, 1))
    return xr.DataArray(
        np.exp(-0.5 * ((TIME - 0.2 - late) / 0.05) ** 2), dims=("subject", "time"), coords={"time": TIME}
    )


def test_a_parabola_has_its_peak_between_samples_and_a_line_its_onset():
    place = np.arange(9)
    at, height, _ = peak_of(-((place - np.array([[3.3], [4.0], [4.6]])) ** 2) + 7.0)
    np.testing.assert_allclose(at, [3.3, 4.0, 4.6])
    np.testing.assert_allclose(height, 7.0)
    ramp = np.minimum(place, 8 - place)[None] * 1.0
    np.testing.assert_allclose(onset_of(ramp, 0.3), 1.2)
    again = np.array([[0.0, 3.0, 0.5, 0.0, 4.0, 1.0]])  # rises twice: the onset is that of the peak
    assert 3 < float(onset_of(again, 0.5)[0]) < 4


def test_edges_have_peaks_of_their_own_and_what_begins_high_no_onset():
    assert [float(x[0]) for x in peak_of(np.array([[4.0, 3.0, 0.0]]))] == [0, 4, 0]
    assert [float(x[0]) for x in peak_of(np.array([[1.0, 3.0, 5.0]]))] == [2, 5, 2]
    assert np.isnan(onset_of(np.array([[4.0, 3.0, 0.0]]), 0.5)[0])


def test_latencies_are_those_of_the_mean_and_move_with_the_clock():
    scores = courses()
    found = ns.similarity.latencies(scores)
    assert {found[k].attrs["units"] for k in ("time", "standard_error", "interval")} == {"s"}
    mean = scores.mean("subject").values[None]
    np.testing.assert_allclose(found.time, [0.01 * onset_of(mean, 0.5)[0], 0.01 * peak_of(mean)[0][0]])
    later = ns.similarity.latencies(scores.assign_coords(time=TIME + 1))
    np.testing.assert_allclose(later.time, found.time + 1)
    np.testing.assert_allclose(later.interval, found.interval + 1)
    larger = ns.similarity.latencies(7 * scores)
    np.testing.assert_allclose(larger.time, found.time)
    assert (found.found == 1).all()
    assert ((found.interval[:, 0] < found.time) & (found.time < found.interval[:, 1])).all()


def test_the_error_of_a_peak_is_that_of_the_mean_of_small_shifts():
    """Where subjects differ in time alone, and little, the peak of the mean is the mean of their peaks."""
    scores = courses(n=12, spread=0.004)
    shifts = 0.004 * np.random.default_rng(0).normal(size=12)
    found = ns.similarity.latencies(scores, n_samples=2000).sel(latency="peak")
    assert float(found.time) == pytest.approx(0.2 + shifts.mean(), abs=2e-4)
    assert float(found.standard_error) == pytest.approx(shifts.std(ddof=1) / np.sqrt(12), rel=0.05)


def test_missing_scores_enter_no_mean():
    scores = courses(n=9)
    scores[:3, 30:] = np.nan
    scores[8] = np.nan
    found = ns.similarity.latencies(scores)
    mean = scores.mean("subject").values[None]
    np.testing.assert_allclose(found.time[1], 0.01 * peak_of(mean)[0][0])
    sparse = scores.where((scores.subject < 1) | (scores.time < 0.45))
    lost = ns.similarity.latencies(sparse.assign_coords(subject=range(9)))
    assert (lost.found < 0.8).all()
    assert np.isnan(lost[["time", "standard_error", "interval"]].to_array()).all()


def test_a_difference_is_of_the_same_samples_and_places_stand_alone():
    first, second = courses(), courses(shift=0.05)
    found = ns.similarity.latencies(second, first)
    np.testing.assert_allclose(found.time, 0.05, atol=1e-3)
    assert (found.standard_error < 1e-3).all()
    assert (found.p < 1e-6).all()
    same = ns.similarity.latencies(first, first)
    assert (same.p == 1).all()
    both = ns.similarity.latencies(xr.concat([first, second], xr.Variable("model", ["a", "b"])))
    xr.testing.assert_allclose(both.sel(model="b", drop=True), ns.similarity.latencies(second))


def test_scores_that_do_not_rise_have_no_latency():
    found = ns.similarity.latencies(-1 - courses())
    assert np.isnan(found.time).all()
    assert (found.found == 0).all()
    assert (found.undefined == "the mean course has none").all()


def test_noise_has_a_highest_point_and_what_is_tested_first_no_latency():
    noise = xr.DataArray(np.random.default_rng(2).normal(size=(8, 50, 12)), dims=("subject", "time", "model"))
    noise = noise.assign_coords(time=TIME)
    noise[..., 0] += 2 * courses(n=8, spread=0.0)
    p = ns.similarity.sign_flip_test(noise, alternative="greater", progress=False).p_corrected
    assert float(ns.similarity.latencies(noise, n_samples=100).found.mean()) > 0.9
    found = ns.similarity.latencies(noise, p=p.transpose("model", "time")[:, ::-1], n_samples=100)
    significant = (p < 0.05).any("time").values
    assert significant[0] and significant.sum() < 4
    np.testing.assert_array_equal(np.isfinite(found.time.sel(latency="peak")), significant)
    assert (found.undefined.values[:, ~significant] == "not significant at any time above 0").all()
    assert (found.undefined.sel(model=0) == "").all()
    stricter = ns.similarity.latencies(noise, p=p.where(p > 1, 0.02), alpha=0.01, n_samples=100)
    assert np.isnan(stricter.time).all() and np.isnan(stricter.interval).all()


def test_what_is_significant_below_zero_alone_has_no_latency():
    scores = courses() - 2.0
    scores[:, 40] = 0.1
    p = xr.DataArray(np.full(50, 0.01), dims="time", coords={"time": TIME})
    assert "undefined" not in ns.similarity.latencies(scores, p=p, n_samples=100)
    p[40] = 0.5
    assert (ns.similarity.latencies(scores, p=p).undefined == "not significant at any time above 0").all()
    difference = ns.similarity.latencies(courses(0.05), courses(), p=p * 0, p_other=p * 0 + 0.9)
    assert np.isnan(difference.p).all() and np.isnan(difference.time).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f(courses().rename(time="lag")), r"scores \(subject, time, ...\)"),
        (lambda f: f(courses().drop_vars("time")), "in s asked"),
        (lambda f: f(courses()[:, :2]), "of 3 times or more"),
        (lambda f: f(courses()[:, [0, 1, 3, 9]]), "s apart"),
        (lambda f: f(courses()[:, ::-1]), "time does not rise"),
        (lambda f: f(courses()[:, [0, 2, 1, 3]]), "time does not rise"),
        (lambda f: f(courses(n=4)), "5 subjects or more asked, found 4"),
        (lambda f: f(courses(), fraction=1.0), "between 0 and 1, found 1.0"),
        (lambda f: f(courses(), n_samples=10), "100 or more, found 10"),
        (lambda f: f(courses(), courses()[:, :9]), "50 and 9 places along time"),
        (lambda f: f(courses(), p=0.01), r"p \('time',\) as of sign_flip_test asked, found a float"),
        (lambda f: f(courses(), p=courses()), r"found \('subject', 'time'\)"),
        (lambda f: f(courses(), p=courses()[0, :9]), "50 and 9 places along time"),
        (lambda f: f(courses(), p=courses()[0] + 1), "p is between 0 and 1, found 1"),
        (lambda f: f(courses(), courses(), p=courses()[0]), "p of one of the two courses"),
        (lambda f: f(courses(), p_other=courses()[0]), "p_other is of other scores"),
    ],
)
def test_what_has_no_latency_is_refused(call, words):
    with pytest.raises(ns.InputError, match=words):
        call(ns.similarity.latencies)


def test_a_mask_is_no_p():
    time = np.arange(20) * 0.01
    scores = xr.DataArray(np.random.default_rng(0).random((8, 20)), dims=("subject", "time"), coords={"time": time})
    with pytest.raises(InputError, match="found True and False; give p_corrected itself"):
        ns.similarity.latencies(scores, p=xr.DataArray(np.ones(20, bool), dims="time", coords={"time": time}))


def test_the_order_of_subjects_changes_nothing():
    rng, time = np.random.default_rng(0), np.arange(20) * 0.02
    course = np.exp(-0.5 * ((time - 0.2) / 0.03) ** 2) + 0.3 * rng.normal(size=(6, 20))
    scores = xr.DataArray(course, {"subject": list("abcdef"), "time": time}, ("subject", "time"))
    xr.testing.assert_identical(ns.similarity.latencies(scores[::-1]), ns.similarity.latencies(scores))
