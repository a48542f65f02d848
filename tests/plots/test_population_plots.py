"""Spectrograms and trajectories draw the numbers that they are given, and refuse what has other dims."""

import numpy as np
import pytest
import xarray as xr

from neurosim.plots.canvas import figure_bytes, house_style, new_figure
from neurosim.plots.population import plot_spectrogram, plot_trajectories
from neurosim.schema import InputError


@pytest.fixture
def ax():
    return new_figure(4, 3).subplots()


@pytest.fixture
def power():
    values = np.array([[1.0, 10.0, 100.0], [2.0, 2.0, 0.2]])
    coords = {"frequency": [10.0, 20.0], "time": [-0.1, 0.1, 0.3]}
    return xr.DataArray(values, coords, ("frequency", "time"), attrs={"quantity": "power", "units": "(V)^2/Hz"})


@pytest.fixture
def latents():
    values = np.random.default_rng(0).normal(size=(3, 2, 5, 4))
    coords = {"kind": ("stimulus", ["a", "b", "a"]), "angle": ("stimulus", [0.0, 45.0, 90.0])}
    return xr.DataArray(values, coords, ("stimulus", "trial", "time", "latent"))


def test_power_is_drawn_in_decibels_at_the_middles_of_cells(ax, power):
    plot_spectrogram(power.transpose("time", "frequency"), ax)
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), 10 * np.log10(power.values))
    np.testing.assert_allclose(image.get_extent(), (-200, 400, 5, 25))
    assert image.colorbar.ax.get_ylabel() == "power (dB of V²/Hz)"


def test_at_the_baseline_power_is_zero_decibels_on_a_scale_that_is_even(ax, power):
    plot_spectrogram(power, ax, baseline=(-0.2, 0.0))
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), [[0, 10, 20], [0, 0, -10]], atol=1e-12)
    assert image.get_clim() == (-20, 20)


def test_coherence_is_drawn_as_it_is(ax, power):
    plot_spectrogram((power / 200).assign_attrs(quantity="coherence"), ax)
    np.testing.assert_allclose(ax.images[0].get_array(), power / 200)
    assert ax.images[0].get_clim() == (0, 1) and ax.images[0].colorbar.ax.get_ylabel() == "coherence"


def test_every_course_that_was_measured_is_a_line(ax, latents):
    latents[1, 0] = np.nan
    plot_trajectories(latents, ax, by="kind", pair=(2, 0))
    assert len(ax.lines) == 5
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), latents.values[0, 0][:, [2, 0]])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.lines[0].get_color() == ax.lines[-1].get_color() != ax.lines[2].get_color()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("latent 3", "latent 1")


def test_numbers_are_coloured_by_a_scale_and_axes_have_their_names(ax, latents):
    named = latents.rename(latent="axis").assign_coords(axis=list("wxyz"))
    plot_trajectories(named.mean("trial"), ax, by="angle")
    assert len(ax.child_axes) == 1 and ax.child_axes[0].get_ylabel() == "angle"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "x")


def test_the_same_drawing_is_the_same_bytes(power, latents):
    for draw in (lambda ax: plot_spectrogram(power, ax), lambda ax: plot_trajectories(latents, ax, by="angle")):
        files = []
        for _ in range(2):
            with house_style():
                figure = new_figure(3, 2)
                draw(figure.subplots())
                files.append(figure_bytes(figure)["svg"])
        assert files[0] == files[1]


def test_bad_requests_are_one_line(ax, power, latents):
    for call, message in (
        (lambda: plot_spectrogram(power[0], ax), "average or select others"),
        (lambda: plot_spectrogram(power, ax, baseline=(1.0, 2.0)), "no window of power lies from 1 to 2 s"),
        (lambda: plot_spectrogram(power, ax, baseline=0.1), "from when to when asked"),
        (lambda: plot_trajectories(latents, ax, pair=1), "pair = 1 of 4 latents"),
        (lambda: plot_spectrogram(power.assign_attrs(quantity="coherence"), ax, baseline=(-1, 0)), "is of power"),
        (lambda: plot_trajectories(latents.isel(latent=0), ax), "average or select others"),
        (lambda: plot_trajectories(latents, ax, by="kinds"), "Did you mean 'kind'"),
        (lambda: plot_trajectories(latents, ax, pair=(0, 4)), "of 4 latents"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [[1.0, np.nan, 3.0, 5.0], ["a", None, "b", "a"]])
def test_a_course_without_a_label_is_gray_and_the_others_are_seen(labels):
    latents = xr.DataArray(
        np.random.default_rng(0).normal(size=(4, 6, 2)),
        dims=("stimulus", "time", "latent"),
        coords={"w": ("stimulus", np.array(labels, dtype=object if None in labels else float))},
    )
    ax = new_figure().subplots()
    plot_trajectories(latents, ax, by="w")
    colours = [line.get_color() for line in ax.lines[:4]]
    assert colours[1] == "0.7" and "0.7" not in [c for c in (colours[0], colours[2], colours[3]) if isinstance(c, str)]
    assert all(not isinstance(c, tuple) or c[3] == 1.0 for c in colours)
