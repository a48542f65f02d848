"""Plots draw what they are given, on the axes they are given, and the same drawing gives the same bytes."""

import itertools
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from PIL import Image

from neurosim.plots.canvas import figure_bytes, house_style, new_figure
from neurosim.plots.geometry import (
    plot_layer_time,
    plot_matrix,
    plot_rdm,
    plot_rdm_movie,
)
from neurosim.plots.pictures import plot_raster, plot_stimuli
from neurosim.plots.plane import plot_arrangement, plot_stimulus_map
from neurosim.plots.recordings import plot_generalisation, plot_sweeps, plot_time_course, plot_tuning
from neurosim.plots.scores import plot_profiles, plot_scores, plot_tested_course
from neurosim.responses.tuning import fit_tuning, tuning_curve
from neurosim.schema import InputError, as_rdm, as_responses, as_stimuli, as_sweeps
from neurosim.similarity.inference import infer
from neurosim.similarity.rdms import compute_rdm
from neurosim.study.figures.subjects import caption


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    data = xr.concat([compute_rdm(rng.normal(size=(8, 12))) for _ in range(3)], "subject")
    models = xr.concat([compute_rdm(rng.normal(size=(8, 12))) for _ in range(2)], "model")
    return infer(models.assign_coords(model=["a/1", "a/2"]), data)


def drawings(result):
    rng = np.random.default_rng(0)
    square = xr.DataArray(
        np.corrcoef(rng.normal(size=(4, 9))), dims=("model", "model_other"), coords={"model": list("abcd")}
    )
    spikes = as_responses(
        (rng.random((2, 9, 5)) < 0.3) * 1.0, coords={"layer": ("unit", list("xxxyy"))}, time_step=1e-3
    )
    rdm = as_rdm(np.abs(square.values - 1), stimuli=list("abcd")).assign_coords(category=("stimulus", list("ssuu")))
    timed = xr.DataArray(
        rng.random((2, 3)), dims=("layer", "time"), coords={"layer": ["l", "m"], "time": [0, 0.1, 0.2]}
    )
    points = xr.DataArray(rng.random((4, 2)), dims=("model", "axis"))
    pictures = as_stimuli(rng.random((4, 3, 4, 4)), ids=list("abcd"))
    map_points = xr.DataArray(rng.random((4, 2)), dims=("stimulus", "axis"), coords={"category": rdm.category})
    return {
        "stimuli": lambda ax: plot_stimuli(as_stimuli(rng.random((5, 3, 4, 4))), ax),
        "raster": lambda ax: plot_raster(spikes, spikes, ax, labels=("a", "b")),
        "rdm": lambda ax: plot_rdm(rdm, ax),
        "rdm_with_images": lambda ax: plot_rdm(rdm, ax, order="category", stimuli=pictures, colorbar=True),
        "rdm_movie": lambda ax: plot_rdm_movie(
            xr.concat([rdm, rdm], xr.DataArray([0, 0.1], dims="time", name="time")), ax
        ),
        "stimulus_map": lambda ax: plot_stimulus_map(map_points, ax, stimuli=pictures),
        "pairs": lambda ax: plot_scores(result, ax, pairs=True),
        "matrix": lambda ax: plot_matrix(square, ax),
        "layer_time": lambda ax: plot_layer_time(timed, ax),
        "arrangement": lambda ax: plot_arrangement(points, ax, groups=list("aabb")),
        "scores": lambda ax: plot_scores(result, ax, groups=["a", "a"]),
        "profiles": lambda ax: plot_profiles(result, ax, groups=["a", "a"]),
    }


@pytest.mark.parametrize(
    "name",
    [
        "stimuli",
        "raster",
        "rdm",
        "rdm_with_images",
        "rdm_movie",
        "stimulus_map",
        "matrix",
        "layer_time",
        "arrangement",
        "scores",
        "pairs",
        "profiles",
    ],
)
def test_draws_on_the_axes_and_repeats_byte_for_byte(result, name):
    files = []
    for _ in range(2):
        with house_style():
            figure = new_figure()
            ax = figure.subplots()
            assert drawings(result)[name](ax) is ax
            files.append(figure_bytes(figure))
    assert files[0] == files[1]
    assert set(files[0]) == {"svg", "pdf", "png"}


def test_bars_have_the_height_of_the_scores_and_the_band_is_the_ceiling(result):
    ax = plot_scores(result, new_figure().subplots(), groups=["a", "b"])
    heights = [bar.get_height() for bar in ax.patches if bar.get_width() == 0.8]
    np.testing.assert_allclose(heights, result.score.values)
    band = next(p for p in ax.patches if p.get_label() == "noise ceiling")
    assert band.get_y() == pytest.approx(float(result.ceiling[0]))


def test_an_rdm_sorted_by_a_label_shows_its_categories_in_one_piece():
    values = np.array([[0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 6], [3, 5, 6, 0.0]])
    rdm = as_rdm(values, stimuli=list("abcd")).assign_coords(category=("stimulus", list("xyxy")))
    ax = plot_rdm(rdm, new_figure().subplots(), rank=False, order="category")
    index = [0, 2, 1, 3]
    np.testing.assert_array_equal(ax.images[0].get_array(), values[np.ix_(index, index)])
    assert [t.get_text() for t in ax.texts] == ["x", "y"]
    with pytest.raises(InputError, match="Did you mean 'category'"):
        plot_rdm(rdm, new_figure().subplots(), order="categry")
    with pytest.raises(InputError, match="no image of"):
        plot_rdm(rdm, new_figure().subplots(), stimuli=as_stimuli(np.zeros((2, 3, 3)), ids=["a", "b"]))


@pytest.mark.parametrize(
    ("names", "flat"), [(["pixels", "Gabor energy"], True), (["a"], True), (["a" * 40] * 9, False)]
)
def test_few_short_names_lie_at_normal_size_below_a_figure_no_wider_than_they_ask(result, names, flat):
    shown = result.isel(model=np.zeros(len(names), int), model_other=np.zeros(len(names), int))
    ax = plot_scores(shown.assign_coords(model=names, model_other=names))
    try:
        ax.figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
        labels = {
            (t.get_rotation(), t.get_fontsize() == ax.get_yticklabels()[0].get_fontsize()) for t in ax.get_xticklabels()
        }
        assert labels == ({(0.0, True)} if flat else {(90.0, False)})
        assert (ax.figure.get_figwidth() < 4) == flat
    finally:
        plt.close(ax.figure)


def test_lines_join_the_models_that_differ(result):
    different = result.copy(deep=True)
    different["p_pair_corrected"][:] = 0.001
    lines = [len(plot_scores(r, new_figure().subplots(), pairs=True).lines) for r in (result, different)]
    assert lines[1] == lines[0] + 1 - int(float(result.p_pair_corrected[0, 1]) < 0.05)


def test_recordings_are_drawn_as_they_are():
    time = np.arange(50) * 1e-3
    sweeps = as_sweeps([[0.0] * 50, [1e-10] * 50], [-0.07 + 0.01 * time, -0.06 + 0 * time], time_step=1e-3)
    axes = new_figure().subplots(1, 4)
    plot_sweeps(sweeps, axes[0], spacing=0.01)
    np.testing.assert_allclose(axes[0].lines[0].get_ydata(), 1e3 * sweeps.voltage.values[0])
    np.testing.assert_allclose(axes[0].lines[1].get_ydata(), 1e3 * (sweeps.voltage.values[1] + 0.01))
    curve = tuning_curve(as_responses(time[:, None], coords={"x": ("stimulus", time)}), "x")
    plot_tuning(curve, fit_tuning(curve, "threshold_linear"), axes[1])
    np.testing.assert_allclose(axes[1].lines[-1].get_ydata(), time, atol=1e-6)
    course = xr.DataArray(time, dims="time", coords={"time": time})
    plot_time_course(course, course, axes[2], label="a")
    assert axes[2].lines[0].get_label() == "a"
    matrix = xr.DataArray(np.outer(time, time), dims=("time", "time_test"), coords={"time": time, "time_test": time})
    plot_generalisation(matrix, axes[3])
    np.testing.assert_allclose(axes[3].images[0].get_array(), matrix.values)


@pytest.fixture(scope="module")
def one_model():
    """One subject, one model, one layer."""
    rng = np.random.default_rng(0)
    data, model = (compute_rdm(rng.normal(size=(6, 9))).expand_dims(dim) for dim in ("subject", "model"))
    return infer(model.assign_coords(model=["net/1"]), data, resample=("stimulus",))


def drawn(figure):
    """Whether the file shows more than the paper."""
    picture = Image.open(BytesIO(figure_bytes(figure)["png"])).convert("L")
    return np.ptp(np.asarray(picture)) > 0


def test_one_model_is_a_narrow_bar_and_a_point_with_its_interval(one_model):
    ax = plot_scores(one_model, new_figure().subplots())
    assert ax.patches[0].get_width() < 0.4 * np.ptp(ax.get_xlim())
    ax = plot_profiles(one_model, new_figure().subplots(), groups=["net"])
    low, high = one_model.interval.values[0]
    np.testing.assert_allclose(ax.collections[0].get_segments()[0][:, 1], [low, high])
    assert ax.get_xlabel() == "one layer each" and [t.get_text() for t in ax.texts] == one_model.model.values.tolist()
    unknown = one_model.assign(interval=one_model.interval * np.nan)
    for figure in (new_figure(), new_figure()):
        ax = plot_scores(unknown, figure.subplots())
        assert np.isfinite(ax.get_ylim()).all() and drawn(figure)


def test_weak_scores_have_colours_and_one_time_has_a_tick():
    scores = xr.DataArray([[0.01], [-0.04]], dims=("layer", "time"), coords={"layer": ["a", "b"], "time": [0.05]})
    ax = plot_layer_time(scores, new_figure().subplots())
    assert ax.images[0].get_clim() == (-0.04, 0.04)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["50"]
    swapped = plot_layer_time(scores.T, new_figure().subplots())
    np.testing.assert_array_equal(swapped.images[0].get_array(), ax.images[0].get_array())
    assert plot_layer_time(scores * np.nan, new_figure().subplots()).images[0].get_clim() == (-1, 1)
    with pytest.raises(InputError, match="without time plot_profiles"):
        plot_layer_time(scores[:, 0], new_figure().subplots())


def test_points_that_lie_on_each_other_are_all_seen_and_the_caption_names_them():
    """A network that lies exactly under its twin shows as a ring of its own colour around it."""
    models = ["net/a", "net/b", "twin/a", "twin/b"]
    places = [[0, 0], [1, 0.5], [0, 0], [1, 0.9]]
    points = xr.DataArray(np.array(places, dtype=float), dims=("model", "axis"), coords={"model": models})
    ax = plot_arrangement(points, new_figure().subplots(), groups=["net", "net", "twin", "twin"])
    (ring,) = ax.collections
    np.testing.assert_array_equal(ring.get_offsets(), [[0, 0]])
    assert ring.get_sizes()[0] > ax.lines[1].get_markersize() ** 2 and ring.get_zorder() < ax.lines[1].get_zorder()
    np.testing.assert_allclose(ring.get_facecolor()[0], to_rgba(ax.lines[0].get_color()))
    assert caption(points.to_dataset(name="points").assign_attrs(stress=0.1)).endswith(
        "those below drawn larger: net/a, twin/a."
    )
    apart = points + np.arange(4)[:, None]
    assert not plot_arrangement(apart, new_figure().subplots(), groups=["net", "net", "twin", "twin"]).collections
    said = caption(apart.to_dataset(name="points").assign_attrs(stress=0.123))
    assert said.endswith("(stress 0.12, 0 where the plane tells all).")


def test_what_was_not_measured_is_grey_and_the_rest_keeps_its_colours():
    rdm = as_rdm(np.array([[0, 1, 2], [1, 0, 9], [2, 9, 0.0]]))
    holes = rdm.where(rdm != 2)
    image = plot_rdm(holes, new_figure().subplots()).images[0].get_array()
    np.testing.assert_allclose(image.filled(np.nan), [[0, 0.5, np.nan], [0.5, 0, 1], [np.nan, 1, 0]])
    with pytest.raises(InputError, match=r"one RDM .* asked, found dims"):
        plot_rdm(rdm.expand_dims(layer=["a"]), new_figure().subplots())


def test_few_and_strange_pictures():
    figure = new_figure()
    sheet = plot_stimuli(as_stimuli(np.ones((2, 6, 6))), figure.subplots()).images[0].get_array()
    assert sheet.shape == (7, 14, 3) and drawn(figure)
    grey = as_stimuli(np.random.default_rng(0).random((3, 1, 5, 4)), layout="NCHW")
    images = [plot_stimuli(s, new_figure().subplots()).images[0].get_array() for s in (grey, grey.T)]
    np.testing.assert_array_equal(*images)
    for wrong in (
        grey.isel(channel=0, y=0),
        as_stimuli(np.zeros((3, 2, 5, 4)), dims=("stimulus", "channel", "y", "x")),
    ):
        with pytest.raises(InputError, match=r"images \(stimulus, \[channel,\] y, x\)"):
            plot_stimuli(wrong, new_figure().subplots())
    points = xr.DataArray([[0.5, 0.5]], dims=("stimulus", "axis"))
    assert np.ptp(plot_stimulus_map(points, new_figure().subplots(), stimuli=grey[:1]).get_xlim()) > 0


def test_rasters_of_one_network_of_silence_and_of_few_neurons():
    spikes = as_responses(np.eye(3)[None], quantity="spike_count", time_step=1e-3)
    ax = plot_raster(spikes, ax=new_figure().subplots())
    assert len(ax.collections) == 1 and ax.get_yticks().tolist() == [0, 1, 2]
    silent = plot_raster(0 * spikes, 0 * spikes, new_figure().subplots())
    assert "no spikes" in [t.get_text() for t in silent.texts] and silent.get_xlim() == (0, 2)
    for wrong in (spikes.isel(time=0, drop=True), spikes.expand_dims(trial=2)):
        with pytest.raises(InputError, match=r"plot_raster: spikes \(stimulus, time, unit\) asked"):
            plot_raster(wrong, ax=new_figure().subplots())


def test_every_plot_has_its_axes_when_there_are_two_of_everything():
    points = xr.DataArray([[0.0, 0.0], [1.0, 1.0]], dims=("model", "axis"))
    for groups in (["a", "b"], ["a", "a"]):
        figure = new_figure()
        plot_arrangement(points, figure.subplots(), groups=groups)
        assert drawn(figure)
    one = xr.DataArray([[1.0]], dims=("model", "model_other"), coords={"model": ["a"]})
    assert plot_matrix(one, new_figure().subplots()).images[0].get_clim() == (0, 1)
    accuracy = xr.DataArray([[0.7]], dims=("time", "time_test"), coords={"time": [0.1], "time_test": [0.1]})
    assert np.ptp(plot_generalisation(accuracy, new_figure().subplots()).get_xlim()) > 0
    with pytest.raises(InputError, match=r"values \(time,\) asked"):
        plot_time_course(accuracy, ax=new_figure().subplots())


def test_cells_begin_at_their_own_times():
    """Each axis has its own times, and uneven ones have cells of their own width."""
    values = np.arange(6.0).reshape(3, 2) / 6
    even = xr.DataArray(values, dims=("time", "time_test"), coords={"time": [0.1, 0.2, 0.3], "time_test": [1.0, 1.5]})
    ax = plot_generalisation(even.T, new_figure().subplots())
    assert ax.images[0].get_extent() == pytest.approx([1000, 2000, 100, 400])
    np.testing.assert_array_equal(ax.images[0].get_array(), values)
    uneven = even.assign_coords(time=[0.1, 0.2, 0.6])
    mesh = plot_generalisation(uneven, new_figure().subplots()).collections[0]
    np.testing.assert_allclose(mesh.get_coordinates()[:, 0, 1], [100, 200, 600, 1000])
    np.testing.assert_array_equal(mesh.get_array(), values)
    scores = uneven.rename(time_test="layer").assign_coords(layer=["a", "b"])
    ax = plot_layer_time(scores, new_figure().subplots())
    np.testing.assert_allclose(ax.collections[0].get_coordinates()[0, :, 0], [100, 200, 600, 1000])
    assert ax.get_ylim() == (1.5, -0.5)
    with pytest.raises(InputError, match="time_test has no times"):
        plot_generalisation(even.drop_vars("time_test"), new_figure().subplots())


def test_a_matrix_of_many_layers_names_their_networks_apart_and_within_it():
    names = [f"{net}/{i}" for net in ("deep", "wide") for i in range(15)] + ["V1", "V4", "IT"]
    square = xr.DataArray(np.eye(len(names)), {"model": names, "model_other": names}, ("model", "model_other"))
    ax = plot_matrix(square, new_figure().subplots())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["deep", "wide", "V1", "V4", "IT"]
    places = ax.get_yticks()
    assert (np.diff(places) > 1.5).all() and places[-1] <= len(names) - 1 and ax.get_ylim() == (32.5, -0.5)


def test_populations_are_points_that_no_line_joins(result):
    both = result[["score", "interval"]].isel(model=[0, 1, 0, 1]).assign_coords(model=["net/1", "net/2", "c/e", "c/i"])
    both = both.assign_attrs(result.attrs)
    ax = plot_profiles(both, new_figure().subplots(), groups=["net", "net", "c", "c"], unordered=["c"])
    assert [line.get_linestyle() for line in ax.lines[:2]] == ["-", "None"]
    assert min(ax.lines[1].get_xdata()) > max(ax.lines[0].get_xdata())
    assert sorted(t.get_text() for t in ax.texts) == ["c/e", "c/i", "net"]
    points = xr.DataArray(np.random.default_rng(0).random((4, 2)), dims=("model", "axis"))
    ax = plot_arrangement(
        points, new_figure().subplots(), groups=["net", "net", "c", "c"], connect=["net"], stress=0.125
    )
    assert [line.get_linestyle() for line in ax.lines] == ["-", "None"] and "stress 0.12" in [
        t.get_text() for t in ax.texts
    ]


def test_long_names_are_whole_in_the_file():
    """The layout is that of the picture that is saved, whose letters are wider than those on a screen."""
    with house_style():
        figure = new_figure(6.9, 2.4)
        ax = figure.subplots()
        ax.set_yticks(range(9), ["fully connected network, hidden 128 (snnTorch)"] * 9, fontsize=6)
        figure.supxlabel("one thread", fontsize=5.5)
        picture = np.asarray(Image.open(BytesIO(figure_bytes(figure)["png"])).convert("L"))
    assert (picture[:, :3] == 255).all() and (picture < 128).any() and figure.get_dpi() != 200


def test_one_point_alone_and_what_lies_between_gaps_are_drawn():
    """A line through a single time has no length; a marker with its error stands in its place."""
    time = np.arange(4) * 0.1
    values = xr.DataArray([1.0, np.nan, 2.0, 3.0], dims="time", coords={"time": time})
    for shown, alone in ((values, [0.0]), (values[:1], [0.0]), (values[2:], [])):
        ax = plot_time_course(shown, 0 * shown + 0.5, new_figure().subplots())
        assert [float(bar.lines[0].get_xdata()[0]) for bar in ax.containers] == alone
    tested = xr.Dataset(
        {"score": values, "p_corrected": values, "interval": xr.concat([values - 1, values + 1], "bound")}
    )
    ax = plot_tested_course(tested.isel(time=[0]), ax=new_figure().subplots())
    (bar,) = ax.containers
    np.testing.assert_allclose(bar.lines[2][0].get_segments()[0][:, 1], [0, 2])


def test_a_model_without_a_score_is_marked_and_the_others_have_one_colour(result):
    lost = result.assign(score=result["score"].where(result["model"] != "a/1"))
    ax = plot_scores(lost, new_figure().subplots())
    crosses = next(c for c in ax.collections if isinstance(c, PathCollection))
    np.testing.assert_array_equal(crosses.get_offsets(), [[0, 0]])
    assert len({bar.get_facecolor() for bar in ax.patches[:2]}) == 1
    assert "noise ceiling" in [t.get_text() for t in ax.texts]


def test_groups_of_one_colour_have_other_markers():
    groups = [f"net{i}" for i in range(10)]
    points = xr.DataArray(np.random.default_rng(0).random((20, 2)), dims=("model", "axis"))
    lines = plot_arrangement(points, new_figure().subplots(), groups=groups * 2).lines[:10]
    assert lines[0].get_color() == lines[8].get_color() and len({(x.get_color(), x.get_marker()) for x in lines}) == 10


def test_points_that_no_line_joins_are_named_within_their_group():
    models = [f"net/{i}" for i in range(11)] + ["circuit/e", "circuit/i", "V1", "V4"]
    points = xr.DataArray(np.random.default_rng(0).random((15, 2)), {"model": models}, ("model", "axis"))
    groups = ["net"] * 11 + ["circuit"] * 2 + ["brain"] * 2
    ax = plot_arrangement(points, new_figure().subplots(), groups=groups, connect=["net"])
    assert [t.get_text() for t in ax.texts if t.get_text()] == ["e", "i", "V1", "V4"]


def test_tuning_to_words_has_no_line_between_them():
    curve = xr.Dataset({"response": (("object", "unit"), [[1.0], [2.0]])}, {"object": ["face", "house"]})
    curve["interval"] = (("object", "unit", "bound"), [[[0.5, 1.5]], [[1.5, 2.5]]])
    ax = plot_tuning(curve.assign_attrs(label="object"), ax=new_figure().subplots())
    assert [t.get_text() for t in ax.get_xticklabels()] == ["face", "house"] and ax.lines[0].get_linewidth() == 0
    turned = curve.rename(object="orientation_deg").assign_coords(orientation_deg=[0.0, 90.0])
    ax = plot_tuning(turned.assign_attrs(label="orientation_deg"), ax=new_figure().subplots())
    assert ax.get_xlabel() == "orientation (degrees)" and ax.lines[0].get_linewidth() > 0
