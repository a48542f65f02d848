"""Axes of labels and planes of rotation that are there are found, exactly where theory says so; chance is told."""

import numpy as np
import pytest
from scipy.stats import ortho_group

import neurosim as ns
from neurosim.responses.rotations import jpca
from neurosim.responses.targeted import targeted_axes
from neurosim.schema import InputError

STIMULI, TRIALS, TIMES, UNITS = 12, 6, 15, 20
X = np.tile([-1.0, -0.5, 0.5, 1.0], 3)
Y = np.repeat([-1.0, 0.0, 1.0], 4)


def labelled(values):
    dims = ("stimulus", "trial", "time", "unit") if np.ndim(values) == 4 else ("stimulus", "time", "unit")
    return ns.as_responses(values, dims=dims, time_step=0.02, coords={"x": ("stimulus", X), "y": ("stimulus", Y)})


@pytest.fixture(scope="module")
def trials():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, TIMES)[:, None]
    of_x, of_y = rng.normal(size=(2, UNITS))
    means = X[:, None, None] * np.sin(3 * t) * of_x + Y[:, None, None] * t * of_y
    return labelled(means[:, None] + 0.5 * rng.normal(size=(STIMULI, TRIALS, TIMES, UNITS)))


def test_slopes_are_those_of_least_squares_over_single_trials(trials):
    """Of every unit at every time, where trials are missing too."""
    lost = trials.copy(deep=True)
    lost[0, 1:3, :, 4] = np.nan
    found = targeted_axes(lost, ["x", "y"])
    z = lost.values[..., 4]
    z = (z - np.nanmean(z)) / np.nanstd(z)
    there = np.isfinite(z[:, :, 0])
    stimulus = np.nonzero(there)[0]
    wanted = np.linalg.lstsq(np.c_[np.ones(len(stimulus)), X[stimulus], Y[stimulus]], z[there], rcond=None)[0]
    np.testing.assert_allclose(found.slopes.isel(unit=4), wanted[1:], atol=1e-10)


def test_axes_are_orthonormal_and_each_is_of_its_label(trials):
    found = targeted_axes(trials, ["x", "y"])
    np.testing.assert_allclose(found.axes.values.T @ found.axes.values, np.eye(2), atol=1e-12)
    latents = found.latents.isel(time=TIMES // 2)
    assert np.corrcoef(latents.sel(axis="x"), X)[0, 1] > 0.95
    assert abs(found.time_of_axis.sel(axis="x") - np.pi / 6 * 0.02 * (TIMES - 1)) < 0.08
    along = found.held_out_slopes.isel(time=TIMES - 4)
    assert float(along.sel(label="y", axis="y")) > 1 and abs(float(along.sel(label="x", axis="y"))) < 0.3
    other = targeted_axes(trials, ["y", "x"], n_splits=1)
    cosine = float((other.axes.sel(axis="y") * found.slopes.sel(label="y").isel(time=-1)).sum())
    assert cosine > 0  # an axis points where its label grows


def test_held_out_slopes_of_noise_are_zero_on_average_and_others_are_not():
    held_out, own = [], []
    for seed in range(40):
        noise = labelled(np.random.default_rng([1, seed]).normal(size=(STIMULI, 4, 5, UNITS)))
        found = targeted_axes(noise, "x", n_splits=2)
        held_out.append(float(found.held_out_slopes.mean()))
        own.append(float((found.slopes.max("time").sel(label="x") * found.axes.sel(axis="x")).sum()))
    assert abs(np.mean(held_out)) < 4 * np.std(held_out, ddof=1) / np.sqrt(len(held_out))
    assert np.mean(own) > 10 * abs(np.mean(held_out))


def turning(rng, speeds, n_units=UNITS):
    """Courses (stimulus, time, unit) that turn in planes, at so many turns a second, from states at random."""
    t = np.arange(TIMES) * 0.02
    start = rng.normal(size=(2, STIMULI, 1, len(speeds)))
    start -= start.mean(1, keepdims=True)
    c, s = (f(2 * np.pi * t[:, None] * np.asarray(speeds)) for f in (np.cos, np.sin))
    planes = np.stack([c * start[0] - s * start[1], s * start[0] + c * start[1]], -1)
    axes = ortho_group.rvs(n_units, random_state=rng)[: 2 * len(speeds)]
    return planes.reshape(STIMULI, TIMES, -1) @ axes, axes


def test_pure_rotations_are_found_exactly():
    courses, axes = turning(np.random.default_rng(2), (3.0, 1.0))
    found = jpca(labelled(courses + np.sin(np.arange(TIMES))[:, None]), n_components=4, n_shuffles=19)
    np.testing.assert_allclose(found.frequency, (3.0, 1.0), rtol=1e-6)
    assert found.frequency.attrs["units"] == "Hz"
    np.testing.assert_allclose([found.rotating, found.linear, found.explained_variance.sum()], 1, atol=1e-9)
    np.testing.assert_allclose(found.axes.values.T @ found.axes.values, np.eye(4), atol=1e-8)
    fast = found.axes.values[:, :2]
    np.testing.assert_allclose(np.linalg.svd(axes[:2] @ fast)[1], 1, atol=1e-6)
    angle = np.unwrap(np.arctan2(found.latents[0, :, 1], found.latents[0, :, 0]))
    np.testing.assert_allclose(np.diff(angle), 2 * np.pi * 3 * 0.02, rtol=1e-6)
    assert found.p_value == 0.05 and (found.rotating_shuffled < 0.9).all()


def test_the_flow_is_the_best_of_all_skew_flows():
    """Against a least squares over the free entries of a skew matrix, of courses that do not rotate."""
    x = np.random.default_rng(3).normal(size=(STIMULI, TIMES, 4)).cumsum(1)
    found = jpca(labelled(x), n_components=4, n_shuffles=1)
    states = found.latents.values
    change = (np.diff(states, axis=1) / 0.02).reshape(-1, 4)
    state = ((states[:, 1:] + states[:, :-1]) / 2).reshape(-1, 4)
    columns = []
    for i, j in zip(*np.triu_indices(4, 1), strict=True):
        m = np.zeros((4, 4))
        m[i, j], m[j, i] = 1, -1
        columns.append((state @ m).ravel())
    left = np.linalg.lstsq(np.stack(columns, 1), change.ravel(), rcond=None)[1][0]
    np.testing.assert_allclose(found.rotating, 1 - left / (change**2).sum(), atol=1e-10)
    assert found.rotating <= found.linear


def test_p_values_of_units_that_go_their_own_ways_are_even():
    p = []
    for seed in range(60):
        x = np.random.default_rng([4, seed]).normal(size=(STIMULI, TIMES, 6)).cumsum(1)
        p.append(float(jpca(labelled(x), n_components=4, n_shuffles=19).p_value))
    for alpha in (0.1, 0.5):
        assert abs(np.mean(np.array(p) <= alpha) - alpha) < 3.5 * np.sqrt(alpha * (1 - alpha) / len(p))


def test_bad_requests_are_one_line(trials):
    lost = trials.copy(deep=True)
    lost[2, :, :, 3] = np.nan
    words = trials.assign_coords(x=("stimulus", list("abcdefghijkl")))
    for call, message in (
        (lambda: targeted_axes(words, "x"), "'x' is no number"),
        (lambda: targeted_axes(trials.assign_coords(z=2 * trials.x + trials.y), ["x", "y", "z"]), "follows from"),
        (lambda: targeted_axes(trials, ["x", "x"]), "different labels"),
        (lambda: targeted_axes(trials, ["x", "y"], n_components=1), "1 components for 2 labels"),
        (lambda: targeted_axes(lost, "x"), "1 units have no trial of some stimulus"),
        (lambda: jpca(trials.assign_coords(frequency=trials.x), n_shuffles=1), "rename.frequency='frequency_shown'"),
        (lambda: jpca(lost), "1 units have no trial of some stimulus"),
        (lambda: jpca(trials, n_components=3), "even number of components"),
        (lambda: jpca(trials, n_components=40), "of the 20 that"),
        (lambda: jpca(trials.isel(time=[0, 1])), "3 times and 2 stimuli"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_two_stimuli_have_rotations_and_no_p():
    time = np.arange(30)[:, None] * 0.01
    turn = np.concatenate([np.cos(18 * time), np.sin(18 * time)], -1)
    found = ns.responses.jpca(ns.as_responses(np.stack([turn, -turn]), time_step=0.01), n_components=2, n_shuffles=5)
    assert float(found.rotating) > 0.99 and np.isnan(float(found.p_value))
