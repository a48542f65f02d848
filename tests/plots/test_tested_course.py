"""A tested course: its line, its interval, where it is significant, when it rises."""

import numpy as np
import pytest
import xarray as xr

from neurosim.plots.canvas import new_figure
from neurosim.plots.scores import plot_tested_course
from neurosim.schema import InputError

TIME = np.array([-0.01, 0.0, 0.01, 0.02, 0.03])


def made(score, p):
    values = np.array(score)
    interval = np.stack([values - 0.1, values + 0.2], axis=1)
    data = {"score": ("time", values), "interval": (("time", "bound"), interval), "p_corrected": ("time", p)}
    return xr.Dataset(data, coords={"time": TIME})


def bars(ax, label):
    return [line.get_xdata().round(6).tolist() for line in ax.lines if line.get_label() == label]


def test_bars_span_the_significant_times_and_dots_are_latencies():
    result = made([0, 0.5, 1, 1, 0.4], [0.5, 0.04, 0.01, 0.05, 0.001])
    when = xr.Dataset(
        {"time": ("latency", [0.012, np.nan]), "interval": (("latency", "bound"), [[0.01, 0.014], [np.nan, np.nan]])},
        coords={"latency": ["onset", "peak"]},
    )
    ax = plot_tested_course(result, when, new_figure().subplots(), label="a")
    assert bars(ax, "_significant") == [[-5, 15], [25, 35]]
    assert bars(ax, "_onset") == [[10, 14], [12]]
    assert bars(ax, "_peak") == []
    assert bars(ax, "a") == [[-10, 0, 10, 20, 30]]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((-0.1, 1.2))
    plot_tested_course(result, ax=ax, label="b", colour=1, alpha=0.001)
    assert [t.get_color() for t in ax.lines if t.get_label() == "b"] != [ax.lines[0].get_color()]
    assert len(bars(ax, "_significant")) == 2


def test_a_course_of_nothing_tested_and_a_map_of_more_dims():
    lost = plot_tested_course(made([np.nan] * 5, [np.nan] * 5), ax=new_figure().subplots())
    assert bars(lost, "_significant") == []
    with pytest.raises(InputError, match=r"\(time,\) asked, found dims \('model', 'time'\)"):
        plot_tested_course(made([0.0] * 5, [1.0] * 5).expand_dims("model"))


def test_a_bar_ends_where_times_are_left_out():
    result = made([1.0] * 5, [0.001] * 5).assign_coords(time=[0, 0.1, 0.2, 0.8, 0.9])
    assert bars(plot_tested_course(result, ax=new_figure().subplots()), "_significant") == [[-50, 250], [750, 950]]


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda r: r.drop_vars("interval"), {}, "has no interval; sign_flip_test"),
        (lambda r: r, {"colour": "red"}, "a number into the palette, from 0, found 'red'"),
        (lambda r: r, {"alpha": 2}, "alpha"),
        (
            lambda r: r,
            {"latencies": xr.Dataset({"time": (("latency", "model"), [[0.1]])})},
            "latencies .latency,. asked",
        ),
    ],
)
def test_what_is_no_tested_course_is_refused(change, options, words):
    with pytest.raises(InputError, match=words):
        plot_tested_course(change(made([0.0] * 5, [1.0] * 5)), ax=new_figure().subplots(), **options)
