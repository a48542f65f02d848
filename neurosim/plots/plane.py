"""Points in the plane, near where alike: stimuli as a subject answers them, and subjects as they agree."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from neurosim.plots.canvas import axes_or_new, colour_bar, colour_of
from neurosim.plots.names import MOST_NAMES, marker_of, shortened
from neurosim.plots.pictures import as_pictures
from neurosim.plots.places import same_places

FEW_POINTS = 12
DOT, MANY = 18.0, 100  # area of a dot in square points, and from how many dots on they are smaller


def plot_stimulus_map(
    points: xr.DataArray, ax: Axes | None = None, *, stimuli: xr.DataArray | None = None, by: str = "category"
) -> Axes:
    """Draw stimuli in the plane, near when a subject answers them alike, as their images or as dots.

    Parameters
    ----------
    points : (stimulus, axis) with two axes, such as ``arrange(rdm)``.
    ax : axes to draw on.
    stimuli : images (stimulus, [channel,] y, x) in 0..1.
    by : a label along ``stimulus`` that gives the colour of dots and frames, where `points` has it: numbers on a
        scale, words each their own. Without it a dozen dots or fewer are named.

    Examples
    --------
    >>> import xarray as xr
    >>> points = xr.DataArray([[0.0, 1.0], [1.0, 0.0]], dims=("stimulus", "axis"))
    >>> points = points.assign_coords(category=("stimulus", ["face", "hand"]))
    >>> ax = ns.plots.plot_stimulus_map(points, ns.plots.new_figure().subplots())
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['face', 'hand']
    """
    ax = axes_or_new(ax, 4, 4)
    xy, shades = np.asarray(points.values, dtype=float), list[object]()
    size = 1.0 if stimuli is not None else DOT * min(1.0, MANY / max(len(xy), 1)) + 2
    is_scale = by in points.coords and points[by].dtype.kind in "iuf" and len(np.unique(points[by])) > MOST_NAMES // 2
    if is_scale:
        scale = ScalarMappable(Normalize(float(points[by].min()), float(points[by].max())), "viridis")
        shades = list(scale.to_rgba(points[by].values))
        ax.scatter(xy[:, 0], xy[:, 1], s=size, color=shades)
        colour_bar(scale, ax, by.replace("_", " "))
    else:
        shades = _draw_words(ax, xy, [str(v) for v in points[by].values] if by in points.coords else [], size)
    if stimuli is not None:
        width = 0.045 * (float(np.ptp(xy)) or 1.0)
        for picture, (x, y), shade in zip(as_pictures(stimuli), xy, shades, strict=True):
            box = (x - width, x + width, y - width, y + width)
            ax.imshow(picture, extent=box, zorder=2)
            ax.plot(*np.array(box)[[[0, 1, 1, 0, 0], [2, 2, 3, 3, 2]]], color=shade, linewidth=1.0, zorder=3)
        ax.set(
            xlim=(xy[:, 0].min() - 2 * width, xy[:, 0].max() + 2 * width),
            ylim=(xy[:, 1].min() - 2 * width, xy[:, 1].max() + 2 * width),
        )
    elif by not in points.coords and "stimulus" in points.coords and len(xy) <= FEW_POINTS:
        _name_points(ax, xy, [str(v) for v in points["stimulus"].values], ["black"] * len(xy))
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def _draw_words(ax: Axes, xy: np.ndarray, words: list[str], size: float) -> list[object]:
    """Draw points in the colours and markers of their words, with a legend where it is short; return the colours."""
    names = words or [""] * len(xy)
    colours, markers = colour_of(names), marker_of(names)
    for (name, colour), short in zip(colours.items(), shortened(list(colours)), strict=True):
        own = np.flatnonzero(np.array(names) == name)
        ax.scatter(xy[own, 0], xy[own, 1], s=size, color=colour, marker=markers[name], linewidth=0, label=short)
    if 1 < len(colours) <= MOST_NAMES:
        legend = ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=6)
        for handle in legend.legend_handles:
            handle.set_sizes([DOT])  # type: ignore[union-attr]
    elif words and len(colours) > MOST_NAMES:
        ax.text(1, 0, f"{len(colours)} labels", transform=ax.transAxes, fontsize=6, color="0.4", ha="right", va="top")
    return [colours[name] for name in names]


def plot_arrangement(
    points: xr.DataArray,
    ax: Axes | None = None,
    *,
    groups: Sequence[str],
    connect: bool | Collection[str] = True,
    stress: float | None = None,
) -> Axes:
    """Draw subjects as points in the plane, near when alike, with lines that join the layers of one network.

    Where points of several groups lie on each other, those below are larger, so that all are seen. A dozen points or
    fewer are named one by one where they have names, more where each is a group of its own; of others those that no
    line joins are named within their group, as areas and populations are.

    Parameters
    ----------
    points : (model, axis) with two axes.
    ax : axes to draw on.
    groups : group of each model, which gives its colour.
    connect : join the models of every group, of the groups named here, or of none, in their order.
    stress : of the arrangement, from ``neurosim.similarity.stress``; written in a corner.

    Examples
    --------
    >>> import xarray as xr
    >>> points = xr.DataArray([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], dims=("model", "axis"))
    >>> ax = ns.plots.plot_arrangement(points, ns.plots.new_figure().subplots(), groups=["net", "net", "brain"])
    >>> [line.get_label() for line in ax.lines]
    ['net', 'brain']
    """
    ax = axes_or_new(ax)
    colours, markers = colour_of(list(groups)), marker_of(list(groups))
    for group, colour in colours.items():
        members = np.flatnonzero(np.asarray(groups) == group)
        joined = connect if isinstance(connect, bool) else group in connect
        xy = points.values[members]
        style = "-" if joined else "none"
        ax.plot(*xy.T, linestyle=style, marker=markers[group], color=colour, markersize=4, linewidth=0.7, label=group)
        if joined and len(xy) > 1:
            ax.annotate("", xy[-1], xy[-2], arrowprops={"arrowstyle": "->", "color": colour, "lw": 0.7})
    _show_hidden(ax, points.values, groups, colours)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.margins(0.12)
    ax.spines[["left", "bottom"]].set_visible(False)
    if "model" in points.coords and (len(points) <= FEW_POINTS or len(colours) > MOST_NAMES):
        _name_points(ax, points.values, [str(m) for m in points["model"].values], [colours[g] for g in groups])
    else:
        if "model" in points.coords and not isinstance(connect, bool):
            _name_members(ax, points, groups, [g for g in colours if g not in connect])
        handles, names = ax.get_legend_handles_labels()
        ax.legend(handles, shortened(names), loc="center left", bbox_to_anchor=(1.0, 0.5))
    if stress is not None:
        ax.text(0, 0, f"stress {stress:.2f}", transform=ax.transAxes, fontsize=6, color="0.4", va="top")
    return ax


def _show_hidden(ax: Axes, points: np.ndarray, groups: Sequence[str], colours: dict[str, str]) -> None:
    """Draw points that lie below those of another group larger than these."""
    order = list(colours)
    for place in same_places(points):
        here = sorted({groups[i] for i in place}, key=order.index)
        for above, group in zip(range(len(here) - 1, 0, -1), here, strict=False):
            x, y = points[[i for i in place if groups[i] == group]].T
            ax.scatter(x, y, s=(4 + 3 * above) ** 2, color=colours[group], linewidth=0, zorder=1.9)


def _name_members(ax: Axes, points: xr.DataArray, groups: Sequence[str], unjoined: Sequence[str]) -> None:
    """Write at each point of the groups that no line joins which of its group it is."""
    for name, group, place in zip(points["model"].values, groups, points.values, strict=True):
        if group in unjoined and list(groups).count(group) > 1:
            short = str(name).partition("/")[2] or str(name)
            side = 1 if place[0] < np.median(points.values[:, 0]) else -1  # towards the middle, away from the legend
            ax.annotate(
                short, place, (5 * side, 0), textcoords="offset points", fontsize=6, va="center",
                ha="left" if side > 0 else "right",
            )  # fmt: skip


def _name_points(ax: Axes, xy: np.ndarray, names: list[str], colours: Sequence[str]) -> None:
    """Write the name of every point outwards of it, in a margin that has room; those of one place in a column."""
    together = {i: rank for place in same_places(xy) for rank, i in enumerate(place)}
    middle, short = xy.mean(axis=0), shortened(names)
    few = len(xy) <= FEW_POINTS
    for i, (name, (x, y), colour) in enumerate(zip(short, xy, colours, strict=True)):
        right = bool(x >= middle[0])
        shift = (5 if right else -5, (2 if y >= middle[1] else -2) - 7 * together.get(i, 0))
        ax.annotate(
            name, (x, y), shift, textcoords="offset points", fontsize=6 if few else 5, color=colour,
            ha="left" if right else "right", va="center",
        )  # fmt: skip
    ax.margins(x=0.12 + 0.02 * max(map(len, short)), y=0.12)
