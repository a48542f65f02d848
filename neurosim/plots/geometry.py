"""Representational geometry: RDMs, matrices of scores, maps over layer and time, arrangements of subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import axes_or_new, colour_of


def plot_rdm(rdm: xr.DataArray, ax: Axes | None = None, *, title: str = "", rank: bool = True) -> Axes:
    """Draw an RDM, with lines between categories when its stimuli have a ``category``.

    Parameters
    ----------
    rdm : (stimulus, stimulus_other).
    ax : axes to draw on.
    title : title of the axes.
    rank : colour by percentile instead of by value, as is common since units of RDMs differ.
    """
    ax = axes_or_new(ax)
    values = np.array(rdm.values, dtype=float)
    rows, columns = np.triu_indices(len(values), 1)
    if rank:
        from scipy.stats import rankdata

        ranks = rankdata(values[rows, columns]) / len(rows)
        values[rows, columns] = values[columns, rows] = ranks
        np.fill_diagonal(values, 0)
    ax.imshow(values, rasterized=True)
    if "category" in rdm.coords:
        category = rdm["category"].values
        if list(category) == sorted(category, key=list(dict.fromkeys(category)).index):
            edges = np.flatnonzero(category[1:] != category[:-1]) + 0.5
            for edge in edges:
                ax.axhline(edge, color="white", linewidth=0.4)
                ax.axvline(edge, color="white", linewidth=0.4)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=7, fontweight="normal")
    return ax


def plot_matrix(scores: xr.DataArray, ax: Axes | None = None, *, label: str = "") -> Axes:
    """Draw scores between every two subjects (model, model_other), with a colour bar.

    Parameters
    ----------
    scores : square, symmetric, 1 on the diagonal; drawn from -1 to 1 when any is below -0.05, else from 0.
    ax : axes to draw on.
    label : what the colour means.
    """
    ax = axes_or_new(ax)
    signed = float(scores.min()) < -0.05
    image = ax.imshow(
        scores.values, vmin=-1 if signed else 0, vmax=1, cmap="RdBu_r" if signed else "viridis", rasterized=True
    )
    names = [str(m) for m in scores[scores.dims[0]].values]
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=5.5)
    ax.set_yticks(range(len(names)), names, fontsize=5.5)
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, shrink=0.7, label=label)
    return ax


def plot_layer_time(scores: xr.DataArray, ax: Axes | None = None, *, title: str = "", limit: float = 1.0) -> Axes:
    """Draw a map of scores over layer and time.

    Parameters
    ----------
    scores : (layer, time), time in s; NaN, where a layer is silent, is left blank.
    ax : axes to draw on.
    title : title of the axes.
    limit : score at the ends of the (diverging) colour scale.
    """
    ax = axes_or_new(ax)
    time = scores["time"].values * 1e3
    width = float(np.diff(time[:2])[0]) if len(time) > 1 else 1.0
    image = ax.imshow(
        scores.values,
        aspect="auto",
        vmin=-limit,
        vmax=limit,
        cmap="RdBu_r",
        extent=(time[0], time[-1] + width, len(scores["layer"]) - 0.5, -0.5),
        rasterized=True,
    )
    ax.set_facecolor("0.85")
    ax.set_yticks(range(scores.sizes["layer"]), [str(v) for v in scores["layer"].values])
    ax.set_xlabel("time (ms)")
    ax.set_title(title, fontsize=8, fontweight="normal")
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, shrink=0.9)
    return ax


def plot_arrangement(
    points: xr.DataArray, ax: Axes | None = None, *, groups: Sequence[str], connect: bool = True
) -> Axes:
    """Draw subjects as points in the plane; near means alike. Layers of one network are joined by a line.

    Parameters
    ----------
    points : (model, axis) with two axes.
    ax : axes to draw on.
    groups : group of each model, which gives its colour.
    connect : join the models of a group in their order.
    """
    ax = axes_or_new(ax)
    colours = colour_of(list(groups))
    for group, colour in colours.items():
        members = np.flatnonzero(np.asarray(groups) == group)
        xy = points.values[members]
        ax.plot(
            *xy.T, marker="o", color=colour, markersize=4, linestyle="-" if connect else "", linewidth=0.7, label=group
        )
        ax.annotate("", xy[-1], xy[-2], arrowprops={"arrowstyle": "->", "color": colour, "lw": 0.7}) if len(
            xy
        ) > 1 else None
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax
