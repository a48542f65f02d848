"""Every plot can be read at the width of a column: no label on another, none cut off, none too small."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import neurosim as ns
from neurosim.plots.canvas import COLUMN, house_style, new_figure
from neurosim.schema import as_rdm, as_responses, as_stimuli

SMALLEST = 5.0  # points
SLACK = 1.0  # pixels
MODELS = [
    f"{net}/{layer}" for net in ("efficientnet", "spiking_cnn") for layer in ("conv_block_1", "conv_block_2", "out")
]
MANY = [f"efficientnet_lite0_of_imagenet_block{i:02d}_expand" for i in range(30)]
rng = np.random.default_rng(0)


def scores():
    n = len(MODELS)
    score = rng.random(n)
    data = {
        "score": ("model", score),
        "interval": (("model", "bound"), np.stack([score - 0.1, score + 0.1], 1)),
        "p_zero_corrected": ("model", np.full(n, 0.01)),
        "p_pair_corrected": (("model", "model_other"), np.full((n, n), 0.5)),
        "ceiling": ("bound", [0.8, 0.9]),
    }
    return xr.Dataset(data, {"model": MODELS}, {"method": "spearman"})


def square(names=MODELS):
    values = np.corrcoef(rng.normal(size=(len(names), 20)))
    return xr.DataArray(values, {"model": names, "model_other": names}, ("model", "model_other"))


def many_scores():
    return scores().isel(model=np.zeros(len(MANY), int), model_other=np.zeros(len(MANY), int)).assign_coords(model=MANY)


def many_rdm(n, n_categories):
    named = [f"a category of quite a long name, {i * n_categories // n}" for i in range(n)]
    made = as_rdm(np.ones((n, n)) - np.eye(n), stimuli=[f"s{i}" for i in range(n)])
    return made.assign_coords(category=("stimulus", named))


def confusion(n):
    found = xr.Dataset({"confusion": (("category", "named"), np.full((n, n), 3)), "accuracy": 0.5})
    return found.assign(interval=("bound", [0.4, 0.6])).assign_coords(category=[f"category {i}" for i in range(n)])


def rdm():
    made = as_rdm(np.abs(square().values - 1), stimuli=MODELS)
    return made.assign_coords(category=("stimulus", ["animal"] * 2 + ["vegetable"] * 2 + ["instrument"] * 2))


def layer_time():
    labels = {"layer": ["conv_block_1", "conv_block_2", "readout"], "time": np.arange(20) * 0.05}
    return xr.DataArray(rng.normal(size=(3, 20)), labels, ("layer", "time"))


def points():
    return xr.DataArray(rng.random((len(MODELS), 2)), {"model": MODELS}, ("model", "axis"))


def course():
    n = 20
    data = {
        "score": ("time", rng.random(n)),
        "interval": (("time", "bound"), np.sort(rng.random((n, 2)), 1)),
        "p_corrected": ("time", rng.random(n)),
    }
    return xr.Dataset(data, {"time": np.arange(n) * 0.05 - 0.2})


def spikes():
    drawn = (rng.random((1, 30, 40)) < 0.2) * 1.0
    return as_responses(drawn, coords={"layer": ("unit", ["hidden_1"] * 30 + ["output"] * 10)}, time_step=1e-3)


def generalisation():
    time = np.arange(8) * 0.1
    return xr.DataArray(rng.random((8, 8)), {"time": time, "time_test": time}, ("time", "time_test"))


GROUPS = [m.partition("/")[0] for m in MODELS]
PLOTS = {
    "scores": lambda ax: ns.plots.plot_scores(scores(), ax, groups=GROUPS, title="human IT"),
    "pairs": lambda ax: ns.plots.plot_scores(scores(), ax, pairs=True),
    "profiles": lambda ax: ns.plots.plot_profiles(scores(), ax, groups=GROUPS, title="human IT"),
    "profiles without depth": lambda ax: ns.plots.plot_profiles(
        scores(), ax, groups=GROUPS, unordered=["spiking_cnn"], title="human IT"
    ),
    "matrix": lambda ax: ns.plots.plot_matrix(square(), ax, label="debiased CKA"),
    "rdm": lambda ax: ns.plots.plot_rdm(rdm(), ax, order="category", title="conv_block_1", colorbar=True),
    "rdm movie": lambda ax: ns.plots.plot_rdm_movie(
        xr.concat([rdm()] * 5, xr.DataArray(np.arange(5) * 0.1, dims="time", name="time")), ax
    ),
    "layer time": lambda ax: ns.plots.plot_layer_time(layer_time(), ax, title="efficientnet"),
    "arrangement": lambda ax: ns.plots.plot_arrangement(points(), ax, groups=GROUPS, stress=0.1),
    "tested course": lambda ax: ns.plots.plot_tested_course(course(), ax=ax),
    "raster": lambda ax: ns.plots.plot_raster(spikes(), spikes(), ax, labels=("torch", "Brian2")),
    "generalisation": lambda ax: ns.plots.plot_generalisation(generalisation(), ax, chance=0.1),
    "30 long scores": lambda ax: ns.plots.plot_scores(many_scores(), ax),
    "30 long profiles": lambda ax: ns.plots.plot_profiles(many_scores(), ax, groups=[MANY[i // 10] for i in range(30)]),
    "30 long subjects": lambda ax: ns.plots.plot_matrix(square(MANY), ax, label="CKA"),
    "30 long layers over time": lambda ax: ns.plots.plot_layer_time(
        xr.DataArray(rng.normal(size=(30, 4)), {"layer": MANY, "time": np.arange(4) * 0.1}, ("layer", "time")), ax
    ),
    "30 long layers of spikes": lambda ax: ns.plots.plot_raster(
        spikes().isel(unit=np.arange(30)).assign_coords(layer=("unit", MANY)), ax=ax
    ),
    "rdm of 4": lambda ax: ns.plots.plot_rdm(many_rdm(4, 2), ax, order="category"),
    "rdm of 1,000 in 100 categories": lambda ax: ns.plots.plot_rdm(many_rdm(1000, 100), ax, order="category"),
    "rdm movie of 40": lambda ax: ns.plots.plot_rdm_movie(
        xr.concat([rdm()] * 40, xr.DataArray(np.arange(40) * 0.1, dims="time", name="time")), ax
    ),
    "map of 12 categories": lambda ax: ns.plots.plot_stimulus_map(
        xr.DataArray(rng.random((60, 2)), {"category": ("stimulus", MANY[:12] * 5)}, ("stimulus", "axis")), ax
    ),
    "map by a number": lambda ax: ns.plots.plot_stimulus_map(
        xr.DataArray(rng.random((40, 2)), {"size": ("stimulus", np.arange(40.0))}, ("stimulus", "axis")), ax, by="size"
    ),
    "map of 2": lambda ax: ns.plots.plot_stimulus_map(
        xr.DataArray([[0.0, 0.0], [1.0, 1.0]], {"stimulus": MANY[:2]}, ("stimulus", "axis")), ax
    ),
    "confusion of 3": lambda ax: ns.plots.plot_confusion(confusion(3), ax),
    "confusion of 40": lambda ax: ns.plots.plot_confusion(confusion(40), ax),
    "stimuli": lambda ax: ns.plots.plot_stimuli(as_stimuli(rng.random((6, 3, 8, 8))), ax),
}


def beyond_the_view(figure):
    """Labels of ticks that lie beyond the limits of their axis, which are not drawn."""
    found = set()
    for axis in (axis for ax in figure.findobj(Axes) for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        reach = 1e-6 * (high - low)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low - reach <= tick.get_loc() <= high + reach:
                found |= {tick.label1, tick.label2}
    return found


@pytest.mark.parametrize("name", PLOTS)
def test_labels_are_apart_whole_and_large_enough(name):
    with house_style():
        figure = new_figure(COLUMN, COLUMN * 0.85)
        canvas = FigureCanvasAgg(figure)
        PLOTS[name](figure.subplots())
        figure.draw_without_rendering()  # as figure_bytes does
        canvas.draw()
        hidden = beyond_the_view(figure)
        texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]
        boxes = {t: t.get_window_extent(canvas.get_renderer()) for t in texts}
    whole = figure.bbox
    for text, box in boxes.items():
        assert text.get_fontsize() >= SMALLEST, text
        inside = box.x0 >= whole.x0 - SLACK and box.x1 <= whole.x1 + SLACK
        assert inside and box.y0 >= whole.y0 - SLACK and box.y1 <= whole.y1 + SLACK, (text, box, whole.bounds)
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) <= SLACK, (one, other)
