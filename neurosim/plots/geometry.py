"""Representational geometry: RDMs, matrices of scores, maps over layer and time, arrangements of subjects."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import axes_or_new, cells, colour_bar, colour_of, edges, spread
from neurosim.plots.pictures import as_pictures
from neurosim.plots.places import same_places
from neurosim.schema import InputError, suggest

FEW_POINTS, MOST_NAMES = 12, 20


def plot_rdm(
    rdm: xr.DataArray,
    ax: Axes | None = None,
    *,
    title: str = "",
    rank: bool = True,
    order: str | None = None,
    stimuli: xr.DataArray | None = None,
    colorbar: bool = True,
    named: bool | None = None,
) -> Axes:
    """Draw an RDM, with lines between categories when its stimuli are in the order of a ``category``.

    Parameters
    ----------
    rdm : (stimulus, stimulus_other); NaN, what was not measured, is left grey.
    ax : axes to draw on.
    title : title of the axes.
    rank : colour by percentile instead of by value, as is common since units of RDMs differ.
    order : a label along ``stimulus`` such as "category" to sort by; named at the side.
    stimuli : images (stimulus, [channel,] y, x) in 0..1 that are drawn small along both sides.
    colorbar : draw what colours mean beside the axes.
    named : write the names of categories at the side; by default where `order` sorts by a label.

    Raises
    ------
    InputError : more than one RDM, no such label, or stimuli that lack an image.

    Examples
    --------
    >>> rdm = ns.as_rdm([[0.0, 3, 5], [3, 0, 9], [5, 9, 0]])
    >>> ns.plots.plot_rdm(rdm, ns.plots.new_figure().subplots()).images[0].get_array().round(2).tolist()
    [[0.0, 0.33, 0.67], [0.33, 0.0, 1.0], [0.67, 1.0, 0.0]]
    """
    if set(rdm.dims) != {"stimulus", "stimulus_other"}:
        raise InputError(
            f"plot_rdm: one RDM (stimulus, stimulus_other) asked, found dims {tuple(rdm.dims)}; select one with "
            ".isel(...), or draw those over time with plot_rdm_movie."
        )
    ax = axes_or_new(ax)
    rdm = _sorted_by(rdm, order)
    n = rdm.sizes["stimulus"]
    image = ax.imshow(ranked(rdm.values) if rank else rdm.values, rasterized=True)
    if np.isnan(rdm.values).any():
        ax.set_facecolor("0.85")
    label = order or "category"
    if label in rdm.coords:
        _draw_categories(
            ax, rdm[label].values, named=stimuli is None and (order is not None if named is None else named)
        )
    if stimuli is not None:
        missing = sorted(set(rdm["stimulus"].values.tolist()) - set(stimuli["stimulus"].values.tolist()))
        if missing:
            raise InputError(f"plot_rdm: no image of {missing[:3]}; give all stimuli of the RDM.")
        pictures = as_pictures(stimuli.sel(stimulus=rdm["stimulus"].values))
        for i, picture in enumerate(pictures):
            width = max(1.0, n / 12)
            shift = width * (0.6 + i % 2)
            for extent in (
                (-shift - width, -shift, i - width / 2, i + width / 2),
                (i - width / 2, i + width / 2, -shift - width, -shift),
            ):
                left, right, top, bottom = extent
                ax.imshow(picture, extent=(left, right, bottom, top), clip_on=False, zorder=3)
        ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=7, fontweight="normal", pad=4 if stimuli is None else 30)
    if colorbar:
        colour_bar(image, ax, "percentile / 100" if rank else "dissimilarity")
    return ax


def plot_rdm_movie(rdms: xr.DataArray, ax: Axes | None = None, *, title: str = "", rank: bool = True) -> Axes:
    """Draw RDMs over time as a film strip, one frame a time, all in one colour scale.

    Parameters
    ----------
    rdms : (time, stimulus, stimulus_other), time in s.
    ax : axes to draw on.
    title : title of the axes.
    rank : colour by percentile over all frames together instead of by value.

    Examples
    --------
    >>> import xarray as xr
    >>> rdms = xr.DataArray(np.ones((2, 3, 3)) - np.eye(3), dims=("time", "stimulus", "stimulus_other"))
    >>> ax = ns.plots.plot_rdm_movie(rdms.assign_coords(time=[0.0, 0.1]), ns.plots.new_figure().subplots())
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['0', '100']
    """
    ax = axes_or_new(ax, 8, 1.4)
    values = np.array(rdms.transpose("time", "stimulus", "stimulus_other").values, dtype=float)
    values = ranked(values) if rank else values
    n_frames, n = values.shape[:2]
    gap = max(1, n // 15)
    strip = np.full((n, n_frames * (n + gap) - gap), np.nan)
    for i, frame in enumerate(values):
        strip[:, i * (n + gap) : i * (n + gap) + n] = frame
    ax.imshow(strip, rasterized=True)
    places = np.arange(n_frames) * (n + gap) + (n - 1) / 2
    ax.set_xticks(places, [f"{t * 1e3:.0f}" for t in rdms["time"].values], fontsize=6)
    ax.tick_params(length=0)
    ax.set(yticks=[], xlabel="time (ms)")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_title(title, fontsize=8, fontweight="normal")
    return ax


def plot_stimulus_map(
    points: xr.DataArray, ax: Axes | None = None, *, stimuli: xr.DataArray | None = None, by: str = "category"
) -> Axes:
    """Draw stimuli in the plane, near when a subject answers them alike, as their images or as dots.

    Parameters
    ----------
    points : (stimulus, axis) with two axes, such as ``arrange(rdm)``.
    ax : axes to draw on.
    stimuli : images (stimulus, [channel,] y, x) in 0..1.
    by : a label along ``stimulus`` that gives the colour of dots and frames, where `points` has it.

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
    xy = np.asarray(points.values, dtype=float)
    names = [str(v) for v in points[by].values] if by in points.coords else ["stimuli"] * len(xy)
    colours = colour_of(names)
    for name, colour in colours.items():
        own = np.flatnonzero(np.array(names) == name)
        ax.scatter(xy[own, 0], xy[own, 1], s=18 if stimuli is None else 1, color=colour, label=name)
    if stimuli is not None:
        width = 0.045 * (float(np.ptp(xy)) or 1.0)
        for picture, (x, y), name in zip(as_pictures(stimuli), xy, names, strict=True):
            box = (x - width, x + width, y - width, y + width)
            ax.imshow(picture, extent=box, zorder=2)
            ax.plot(*np.array(box)[[[0, 1, 1, 0, 0], [2, 2, 3, 3, 2]]], color=colours[name], linewidth=1.0, zorder=3)
        ax.set(
            xlim=(xy[:, 0].min() - 2 * width, xy[:, 0].max() + 2 * width),
            ylim=(xy[:, 1].min() - 2 * width, xy[:, 1].max() + 2 * width),
        )
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[["left", "bottom"]].set_visible(False)
    if len(colours) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=1 if stimuli is None else 4)
    return ax


def ranked(square: np.ndarray) -> np.ndarray:
    """Return the percentiles / 100 of the entries off the diagonal of (..., K, K), the diagonal at 0, NaN where NaN is.

    >>> ranked(np.array([[0.0, 3, 5], [3, 0, 9], [5, 9, 0]])).round(2).tolist()
    [[0.0, 0.33, 0.67], [0.33, 0.0, 1.0], [0.67, 1.0, 0.0]]
    """
    from scipy.stats import rankdata

    rows, columns = np.triu_indices(square.shape[-1], 1)
    upper = square[..., rows, columns]
    measured = ~np.isnan(upper)
    ranks = np.full(upper.shape, np.nan)
    ranks[measured] = rankdata(upper[measured]) / max(int(measured.sum()), 1)
    out = np.zeros(square.shape)
    out[..., rows, columns] = out[..., columns, rows] = ranks
    return out


def _sorted_by(rdm: xr.DataArray, order: str | None) -> xr.DataArray:
    if order is None:
        return rdm
    if order not in rdm.coords or rdm[order].dims != ("stimulus",):
        labels = [str(k) for k, v in rdm.coords.items() if v.dims == ("stimulus",)]
        raise InputError(
            f"plot_rdm: no label {order!r} along stimulus. Labels: {', '.join(labels)}.{suggest(order, labels)}"
        )
    index = np.argsort(rdm[order].values, kind="stable")
    return rdm.isel(stimulus=index, stimulus_other=index)


def _draw_categories(ax: Axes, category: np.ndarray, *, named: bool) -> None:
    """Draw lines between categories if each is in one piece, and their names at the left."""
    first = list(dict.fromkeys(category.tolist()))
    if list(category) != sorted(category, key=first.index):
        return
    edges = np.flatnonzero(category[1:] != category[:-1]) + 0.5
    for edge in edges:
        ax.axhline(edge, color="white", linewidth=0.4)
        ax.axvline(edge, color="white", linewidth=0.4)
    if named:
        for name in first:
            middle = float(np.flatnonzero(category == name).mean())
            ax.text(
                -0.02,
                1 - (middle + 0.5) / len(category),
                str(name),
                transform=ax.transAxes,
                ha="right",
                va="center",
                fontsize=6,
            )


def plot_matrix(scores: xr.DataArray, ax: Axes | None = None, *, label: str = "") -> Axes:
    """Draw scores between every two subjects (model, model_other), with a colour bar.

    Parameters
    ----------
    scores : square, symmetric, 1 on the diagonal; drawn from -1 to 1 when any is below -0.05, else from 0.
    ax : axes to draw on.
    label : what the colour means.

    Examples
    --------
    >>> import xarray as xr
    >>> scores = xr.DataArray([[1.0, 0.4], [0.4, 1.0]], dims=("model", "model_other"), coords={"model": ["a", "b"]})
    >>> ax = ns.plots.plot_matrix(scores, ns.plots.new_figure().subplots(), label="CKA")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['a', 'b']
    """
    ax = axes_or_new(ax)
    signed = float(scores.min()) < -0.05
    image = ax.imshow(
        scores.values, vmin=-1 if signed else 0, vmax=1, cmap="RdBu_r" if signed else "viridis", rasterized=True
    )
    places, names = _named_places([str(m) for m in scores[scores.dims[0]].values])
    ax.set_xticks(places, names, rotation=90, fontsize=5.5)
    ax.set_yticks(places, names, fontsize=5.5)
    if len(places) < len(scores):
        ax.tick_params(length=0)
        for edge in _edges_of_groups(scores[scores.dims[0]].values):
            ax.axhline(edge, color="white", linewidth=0.4)
            ax.axvline(edge, color="white", linewidth=0.4)
    colour_bar(image, ax, label)
    return ax


def _named_places(names: list[str]) -> tuple[list[float], list[str]]:
    """Return where names stand: each at its place, or, of many, that of each network (before the "/") amid its layers.

    >>> _named_places(["a/1", "a/2", "b"])
    ([0.0, 1.0, 2.0], ['a/1', 'a/2', 'b'])
    """
    if len(names) <= MOST_NAMES:
        return [float(i) for i in range(len(names))], names
    owners = np.array([name.partition("/")[0] for name in names])
    found = {owner: float(np.flatnonzero(owners == owner).mean()) for owner in dict.fromkeys(owners.tolist())}
    every = -(-len(found) // MOST_NAMES)
    gap, kept = len(names) / MOST_NAMES, list(found)[::every]
    apart = spread(np.array([found[owner] for owner in kept]), gap)
    last = len(names) - 1 - gap * np.arange(len(kept))[::-1]
    return np.minimum(apart, last).tolist(), kept


def _edges_of_groups(names: np.ndarray) -> np.ndarray:
    owners = np.array([str(name).partition("/")[0] for name in names])
    return np.flatnonzero(owners[1:] != owners[:-1]) + 0.5


def plot_layer_time(
    scores: xr.DataArray,
    ax: Axes | None = None,
    *,
    title: str = "",
    limit: float | None = None,
    label: str = "score",
) -> Axes:
    """Draw a map of scores over layer and time.

    Parameters
    ----------
    scores : (layer, time), time in s, when a cell begins; NaN, where a layer is silent, is left blank.
    ax : axes to draw on.
    title : title of the axes.
    limit : score at the ends of the (diverging) colour scale; by default the one that is farthest from 0.
    label : what the colour means.

    Raises
    ------
    InputError : no layers or no time.

    Examples
    --------
    >>> import xarray as xr
    >>> scores = xr.DataArray([[0.1, 0.3], [0.0, -0.2]], dims=("layer", "time"))
    >>> scores = scores.assign_coords(layer=["conv1", "conv2"], time=[0.0, 0.05])
    >>> ns.plots.plot_layer_time(scores, ns.plots.new_figure().subplots()).images[0].get_clim()
    (-0.3, 0.3)
    """
    if set(scores.dims) != {"layer", "time"}:
        raise InputError(
            f"plot_layer_time: scores (layer, time) asked, found dims {tuple(scores.dims)}; without time plot_profiles "
            "and plot_scores draw them."
        )
    ax = axes_or_new(ax)
    scores = scores.transpose("layer", "time")
    if limit is None:
        limit = float(np.nanmax(np.abs(scores.values), initial=0.0)) or 1.0
    time = scores["time"].values * 1e3
    across, down = edges(time), np.arange(len(scores["layer"]) + 1) - 0.5
    image = cells(ax, scores.values, across, down, "RdBu_r", (-limit, limit))
    image.set_rasterized(True)
    ax.set_aspect("auto")
    ax.invert_yaxis()
    ax.set_facecolor("0.85")
    ax.set_yticks(range(scores.sizes["layer"]), [str(v) for v in scores["layer"].values])
    if len(time) == 1:
        ax.set_xticks([across.mean()], [f"{time[0]:g}"])
    ax.set_xlabel("time (ms)")
    ax.set_title(title, fontsize=8, fontweight="normal")
    colour_bar(image, ax, label)
    return ax


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
    fewer are named one by one where they have names.

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
    colours = colour_of(list(groups))
    for group, colour in colours.items():
        members = np.flatnonzero(np.asarray(groups) == group)
        joined = connect if isinstance(connect, bool) else group in connect
        xy = points.values[members]
        style = "-" if joined else "none"
        ax.plot(*xy.T, linestyle=style, marker="o", color=colour, markersize=4, linewidth=0.7, label=group)
        if joined and len(xy) > 1:
            ax.annotate("", xy[-1], xy[-2], arrowprops={"arrowstyle": "->", "color": colour, "lw": 0.7})
    _show_hidden(ax, points.values, groups, colours)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.margins(0.12)
    ax.spines[["left", "bottom"]].set_visible(False)
    if "model" in points.coords and len(points) <= FEW_POINTS:
        _name_points(ax, points, [colours[g] for g in groups])
    else:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
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


def _name_points(ax: Axes, points: xr.DataArray, colours: Sequence[str]) -> None:
    """Write the name of every point outwards of it; those of one place below each other."""
    together = {i: rank for place in same_places(points.values) for rank, i in enumerate(place)}
    middle = points.values.mean(axis=0)
    for i, (name, xy, colour) in enumerate(zip(points["model"].values, points.values, colours, strict=True)):
        right = bool(xy[0] >= middle[0])
        shift = (5 if right else -5, (2 if xy[1] >= middle[1] else -2) - 7 * together.get(i, 0))
        ax.annotate(
            str(name), xy, shift, textcoords="offset points", fontsize=6, color=colour,
            ha="left" if right else "right", va="center",
        )  # fmt: skip
