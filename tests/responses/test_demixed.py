"""Parts of mean responses are orthogonal and sum to them; their components are the regression that is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.responses.demixed import PENALTIES, demixed_pca
from neurosim.responses.marginals import part, parts_of
from neurosim.schema import InputError

A, B, TIMES, UNITS = 4, 2, 12, 15
CELLS = A * B


def labelled(values, **more):
    coords = {"a": ("stimulus", np.repeat(np.arange(A), B)), "b": ("stimulus", np.tile(["x", "y"], A)), **more}
    dims = ("stimulus", "trial", "time", "unit") if np.ndim(values) == 4 else ("stimulus", "time", "unit")
    return ns.as_responses(values, dims=dims, coords=coords, time_step=0.01)


def signal(rng):
    """Means (cell, time, unit) of time, `a`, and `b`, whose axes are not orthogonal, and nothing of both together."""
    t = np.linspace(0, 1, TIMES)
    time, a, b = rng.normal(size=(3, UNITS))
    b = b + 0.7 * a
    of_a, of_b = np.repeat(np.arange(A), B)[:, None] - 1.5, np.tile([-1.0, 1.0], A)[:, None]
    courses = (np.ones((CELLS, 1)) * np.sin(6 * t), of_a * np.cos(3 * t), of_b * t)
    return sum(course[..., None] * axis for course, axis in zip(courses, (time, a, b), strict=True))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(2, 4), min_size=1, max_size=3), st.integers(0, 99))
def test_parts_are_orthogonal_and_sum_to_the_means(shape, seed):
    means = np.random.default_rng(seed).normal(size=(np.prod(shape), 3, 2))
    means -= means.mean((0, 1))
    parts = [part(means, p, tuple(shape)) for p in parts_of(tuple("abc"[: len(shape)]), True)]
    np.testing.assert_allclose(sum(parts), means, atol=1e-12)
    flat = np.stack([p.ravel() for p in parts])
    gram = flat @ flat.T
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-10)


def test_without_noise_components_are_the_regression_of_reduced_rank():
    """The encoder has the leading directions of the least-squares fit of a part, by another way of computing it."""
    means = np.random.default_rng(0).normal(size=(CELLS, TIMES, UNITS)).cumsum(1)
    found = demixed_pca(labelled(means), ["a", "b"], regularization=0, n_components=2)
    x = (means - means.mean((0, 1))).reshape(-1, UNITS)
    for name, which in (("time", ()), ("a", (0,)), ("b", (1,)), ("a x b", (0, 1))):
        target = part(means - means.mean((0, 1)), which, (A, B)).reshape(-1, UNITS)
        fitted = x @ np.linalg.pinv(x) @ target
        encoder = np.linalg.svd(fitted, full_matrices=False)[2][:2].T
        own = found.isel(component=found.part.values == name)
        np.testing.assert_allclose(np.abs(np.sum(encoder * own.encoder.values, 0)), 1, atol=1e-8)
        np.testing.assert_allclose(
            x @ own.decoder.values @ own.encoder.values.T, fitted @ encoder @ encoder.T, atol=1e-8
        )
        residual = 1 - np.sum((x - x @ own.decoder.values[:, :1] @ own.encoder.values[:, :1].T) ** 2) / np.sum(x**2)
        np.testing.assert_allclose(own.explained_variance[0], residual, atol=1e-10)


def test_labels_whose_axes_are_not_orthogonal_are_told_apart():
    rng = np.random.default_rng(1)
    trials = signal(rng)[:, None] + rng.normal(size=(CELLS, 8, TIMES, UNITS))
    found = demixed_pca(labelled(trials), ["a", "b"], n_components=1, n_splits=4)
    for name in ("time", "a", "b"):
        assert float(found.share[found.part.values == name].sel(marginal=name)) > 0.9
    latents = found.latents.isel(component=found.part.values == "a", time=0).mean("component")
    assert abs(np.corrcoef(latents, found.a)[0, 1]) > 0.9
    assert found.attrs["regularization"] < PENALTIES[-1] and found.error.min() < 0.5


def test_of_noise_alone_nothing_is_told():
    """The strongest penalty is the best, or as good; and there is no variance of signals."""
    trials = np.random.default_rng(2).normal(size=(CELLS, 6, TIMES, UNITS))
    found = demixed_pca(labelled(trials), ["a", "b"], n_splits=4)
    assert found.error[-1] == found.error.min() and float(found.error[-1]) < 1.01
    assert abs(float(found.signal_variance.sum())) < 0.1 * float(found.variance.sum())


@pytest.mark.parametrize("lost", [False, True])
def test_variance_of_signals_is_free_of_noise(lost):
    """Over experiments; noise is correlated over time, and units may lack other trials."""
    rng = np.random.default_rng(3)
    means = signal(rng)
    centred = means - means.mean((0, 1))
    wanted = [np.sum(part(centred, p, (A, B)) ** 2) / (CELLS * TIMES) for p in parts_of(("a", "b"), True)]
    gaps, raw = [], []
    for _ in range(40):
        slow = 2 * rng.normal(size=(CELLS, 4, 1, UNITS)) + rng.normal(size=(CELLS, 4, TIMES, UNITS))
        trials = means[:, None] + slow
        if lost:
            trials[:, 2:][np.broadcast_to(rng.random((CELLS, 2, 1, UNITS)) < 0.5, (CELLS, 2, TIMES, UNITS))] = np.nan
        found = demixed_pca(labelled(trials), ["a", "b"], regularization=0.1)
        gaps.append(found.signal_variance.values - wanted)
        raw.append(found.variance.values - wanted)
    error = np.std(gaps, axis=0, ddof=1) / np.sqrt(len(gaps))
    assert (np.abs(np.mean(gaps, axis=0)) < 4 * error).all()
    assert np.mean(raw, axis=0)[1] > 10 * error[1]  # noise is in the means themselves


def test_stimuli_of_one_combination_are_averaged_and_order_does_not_matter():
    rng = np.random.default_rng(4)
    trials = signal(rng)[:, None] + rng.normal(size=(CELLS, 4, TIMES, UNITS))
    x = labelled(trials)
    order = rng.permutation(CELLS)
    one, other = (demixed_pca(y, ["a", "b"], regularization=0.1) for y in (x, x[order]))
    np.testing.assert_allclose(other.latents, one.latents[order], atol=1e-10)
    chosen = [demixed_pca(y, ["a", "b"], n_splits=3, progress=False).error for y in (x, x[order])]
    np.testing.assert_allclose(chosen[1], chosen[0], rtol=1e-9)
    merged = demixed_pca(x, "a", regularization=0.1)
    mean = x.values.reshape(A, B, 4, TIMES, UNITS).mean((1, 2))
    np.testing.assert_allclose(merged.variance.sum(), ((mean - mean.mean((0, 1))) ** 2).sum() / (A * TIMES))


@pytest.mark.data
def test_macaque_neurons_tell_objects_after_onset_and_nothing_before(data_folder):
    """Of neurons that were recorded one by one; of what objects and positions do together, most is noise."""
    spikes = ns.responses.rebin(ns.load_dataset("zhang2011_it").responses["IT"], 0.1)
    found = demixed_pca(spikes.sel(time=slice(0.05, 0.5)), ["object", "position"], regularization=0.1)
    of_labels = ["object", "position", "object x position"]
    assert found.signal_variance.sel(marginal=of_labels).idxmax() == "object"
    together = {"marginal": "object x position"}
    assert float(found.signal_variance.sel(together)) < 0.5 * float(found.variance.sel(together))
    before = demixed_pca(spikes.sel(time=slice(-0.5, -0.05)), ["object", "position"], regularization=0.1)
    for name in of_labels:  # some 300 degrees of freedom, of units unlike in rate: a spread of a tenth
        own = before.sel(marginal=name)
        assert abs(float(own.signal_variance)) < 0.25 * float(own.variance)


def test_bad_requests_are_one_line():
    trials = np.random.default_rng(5).normal(size=(CELLS, 3, TIMES, UNITS))
    x = labelled(trials)
    few = x.copy(deep=True)
    few[0, 1:, :, 2] = np.nan
    for call, message in (
        (lambda: demixed_pca(x, "c"), "no label 'c'"),
        (lambda: demixed_pca(x, []), r"different labels along stimulus asked, found \[\]"),
        (lambda: demixed_pca(x.assign_coords(b=("stimulus", ["x"] * CELLS)), ["a", "b"]), "'b' has one value"),
        (lambda: demixed_pca(x[1:], ["a", "b"]), "1 of 8 combinations of labels have no stimulus: a=0, b=x"),
        (lambda: demixed_pca(few, ["a", "b"]), "1 units have fewer than 2 trials"),
        (lambda: demixed_pca(x.isel(trial=0, drop=True), "a"), "give regularization"),
        (lambda: demixed_pca(x * 0 + 1, "a"), "do not vary"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
