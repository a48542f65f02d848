"""Representational geometry: RDMs, matrices of scores, maps over layer and time, arrangements of subjects."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import axes_or_new, cells, colour_bar, edges, spread
from neurosim.plots.names import MOST_NAMES, shortened, thinned
from neurosim.plots.pictures import as_pictures
from neurosim.schema import InputError, suggest

MOST_FRAMES, MOST_LINES = 12, 40  # whose times are written, and categories between which lines are drawn
PERCENTILE = "dissimilarity (percentile / 100)"


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
        colour_bar(image, ax, PERCENTILE if rank else "dissimilarity")
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
    shown = thinned(n_frames, MOST_FRAMES)
    places = shown * (n + gap) + (n - 1) / 2
    ax.set_xticks(places, [f"{t * 1e3:.0f}" for t in rdms["time"].values[shown]], fontsize=6)
    ax.tick_params(length=0)
    ax.set(yticks=[], xlabel="time (ms); dark is alike")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_title(title, fontsize=8, fontweight="normal")
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
    for edge in edges if len(first) <= MOST_LINES else ():
        ax.axhline(edge, color="white", linewidth=0.4)
        ax.axvline(edge, color="white", linewidth=0.4)
    if named:
        short = shortened([str(name) for name in first])
        for i in thinned(len(first)):
            middle = float(np.flatnonzero(category == first[i]).mean())
            place = 1 - (middle + 0.5) / len(category)
            ax.text(-0.02, place, short[i], transform=ax.transAxes, ha="right", va="center", fontsize=6)


def plot_matrix(scores: xr.DataArray, ax: Axes | None = None, *, label: str = "") -> Axes:
    """Draw scores between every two subjects (model, model_other), with a colour bar.

    Parameters
    ----------
    scores : square, symmetric, 1 on the diagonal; drawn from -1 to 1 when any is below -0.05, else from 0; NaN, what is
        not known, is left grey.
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
    names = shortened(names)
    ax.set_facecolor("0.85")
    ax.set_xticks(places, names, rotation=90, fontsize=5.5)
    ax.set_yticks(places, names, fontsize=5.5)
    if len(places) < len(scores):
        ax.tick_params(length=0)
        for edge in _edges_of_networks(scores[scores.dims[0]].values):
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


def _edges_of_networks(names: np.ndarray) -> np.ndarray:
    """Return where a network ends and the next begins; nowhere where each has one layer."""
    owners = np.array([str(name).partition("/")[0] for name in names])
    found = np.flatnonzero(owners[1:] != owners[:-1]) + 0.5
    return found if len(found) < len(names) - 1 else found[:0]


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
    shown = thinned(scores.sizes["layer"])
    size = 7 if len(scores["layer"]) <= MOST_NAMES // 2 else 5.5
    ax.set_yticks(shown, shortened([str(v) for v in scores["layer"].values[shown]]), fontsize=size)
    if len(time) == 1:
        ax.set_xticks([across.mean()], [f"{time[0]:g}"])
    ax.set_xlabel("time (ms)")
    ax.set_title(title, fontsize=8, fontweight="normal")
    colour_bar(image, ax, label)
    return ax
