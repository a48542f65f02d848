"""A circuit as a graph of its populations, and where its neurons are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from scipy.sparse.csgraph import connected_components

from neurosim.plots.canvas import PALETTE, axes_or_new, colour_of
from neurosim.schema import InputError

EXCITES, INHIBITS = PALETTE[0], PALETTE[1]
WIDE, HIGH, COLUMN, ROW = 1.1, 0.5, 2.4, 1.5  # of a box, and between the middles of boxes
LONG = 12  # letters of a name of full size
MANY = 3000  # dots of full size


def plot_circuit(counts: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw populations as boxes and projections as arrows with their numbers of synapses, from left to right.

    An arrow ends in a point where the mean weight is above 0, in a bar where it is below. Populations that reach each
    other stand above each other.

    Parameters
    ----------
    counts : of ``biophysics.count_synapses``: ``n_synapses`` and ``mean_weight`` (source, target), ``size`` (source).
    ax : axes to draw on.

    Raises
    ------
    InputError : anything else.

    Examples
    --------
    >>> counts = ns.biophysics.count_synapses(ns.biophysics.build_circuit("gabor_adex", 8))
    >>> ax = ns.plots.plot_circuit(counts, ns.plots.new_figure().subplots())
    >>> [text.get_text() for text in ax.texts][:6]
    ['input', '8', 'excitatory', '128', 'inhibitory', '32']
    """
    if not isinstance(counts, xr.Dataset) or not {"n_synapses", "mean_weight", "size"} <= set(counts.variables):
        raise InputError("plot_circuit: what biophysics.count_synapses returns asked, found something else.")
    names = [str(n) for n in counts["source"].values]
    n, weight = counts["n_synapses"].values, counts["mean_weight"].values
    places = _places(n)
    across, up = np.ptp(places, axis=0)
    ax = axes_or_new(ax, 1.0 + across + WIDE, 1.2 + 0.8 * up)
    boxes = [_box(ax, name, int(size), place) for name, size, place in zip(names, counts["size"], places, strict=True)]
    for i, j in np.argwhere(n > 0):
        _arrow(ax, (boxes[i], boxes[j]), places[[i, j]], int(n[i, j]), weight[i, j] >= 0, strength=n[i, j] / n.max())
    ax.set(aspect="equal", xlim=(-WIDE, across + WIDE))
    ax.set_ylim(places[:, 1].min() - 1.0, places[:, 1].max() + 1.0)
    ax.axis("off")
    return ax


def plot_positions(positions: Mapping[str, Any], ax: Axes | None = None, *, plane: str = "xy") -> Axes:
    """Draw where the neurons of populations are, seen along one axis.

    Parameters
    ----------
    positions : (neuron, 2 or 3), m, by population. ax : axes to draw on.
    plane : the two axes that are drawn: "xy", "xz" or "yz".

    Raises
    ------
    InputError : no positions, or none along an axis of the plane.

    Examples
    --------
    >>> places = {"cells": ns.biophysics.grid_positions((4, 3), 50e-6)}
    >>> ns.plots.plot_positions(places, ns.plots.new_figure().subplots()).get_xlabel()
    'x (um)'
    """
    if plane not in ("xy", "xz", "yz"):
        raise InputError(f"plot_positions: plane = {plane!r}; known: xy, xz, yz.")
    axes = ["xyz".index(axis) for axis in plane]
    ax = axes_or_new(ax, 4, 4)
    colours = colour_of(list(positions))
    for name, given in positions.items():
        places = np.asarray(given, dtype=float) if given is not None else np.zeros(0)
        if places.ndim != 2 or places.shape[1] not in (2, 3) or places.shape[1] <= max(axes):
            raise InputError(
                f"plot_positions: {name!r} asks for positions (neuron, 2 or 3) with the axes {plane}, found "
                f"{'none' if given is None else places.shape}."
            )
        size = 12 * min(1.0, MANY / max(len(places), 1)) + 1
        across, up = places[:, axes].T * 1e6
        ax.scatter(across, up, s=size, color=colours[name], linewidths=0, alpha=0.8, label=name)
    ax.set(xlabel=f"{plane[0]} (um)", ylabel=f"{plane[1]} (um)", aspect="equal")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _places(n: np.ndarray) -> np.ndarray:
    """Return where each population stands: one column further than all that reach it and that it does not reach."""
    group = connected_components(n > 0, connection="strong")[1]
    columns = np.zeros(len(n), int)
    for _ in range(len(n)):
        for i, j in np.argwhere(n > 0):
            if group[i] != group[j]:
                columns[group == group[j]] = max(columns[j], columns[i] + 1)
    places = np.zeros((len(n), 2))
    for column in np.unique(columns):
        members = np.flatnonzero(columns == column)
        rows = (len(members) - 1) / 2 - np.arange(len(members))
        places[members] = np.stack([np.full(len(members), column * COLUMN), rows * ROW], axis=1)
    return places


def _box(ax: Axes, name: str, size: int, place: np.ndarray) -> FancyBboxPatch:
    """Draw a population, and return its box."""
    corner = (float(place[0]) - WIDE / 2, float(place[1]) - HIGH / 2)
    style = "round,pad=0,rounding_size=0.12"
    box = FancyBboxPatch(corner, WIDE, HIGH, boxstyle=style, facecolor="0.95", edgecolor="0.3", linewidth=0.8, zorder=3)
    ax.add_patch(box)
    fits = min(7.0, 7.0 * LONG / max(len(name), 1))
    ax.text(place[0], place[1] + 0.09, name, ha="center", va="center", fontsize=fits, zorder=4)
    ax.text(place[0], place[1] - 0.11, f"{size:,}", ha="center", va="center", fontsize=6, color="0.3", zorder=4)
    return box


def _arrow(
    ax: Axes,
    boxes: tuple[FancyBboxPatch | None, FancyBboxPatch | None],
    ends: np.ndarray,
    count: int,
    excites: bool,
    strength: float,
) -> None:
    """Draw an arrow, bent to its right so that there and back are two, and its number on its middle."""
    colour, clipped = EXCITES if excites else INHIBITS, boxes
    along = ends[1] - ends[0]
    bend = 0.5 if not along[0] else 0.2 if np.abs(along[0]) < 1.5 * COLUMN else 0.4
    x, y = ends.mean(0) + 0.5 * bend * np.array([along[1], -along[0]])
    if boxes[0] is boxes[1]:
        side = 1 if y >= 0 else -1
        ends, bend, clipped = ends + np.array([[-0.2, HIGH / 2], [0.2, HIGH / 2]]) * side, -1.7, (None, None)
        y += side * (HIGH / 2 + 0.42)
    style = "-|>,head_length=0.35,head_width=0.18" if excites else "|-|,widthA=0,widthB=0.25"
    ax.add_patch(
        FancyArrowPatch(
            tuple(ends[0]), tuple(ends[1]), arrowstyle=style, connectionstyle=f"arc3,rad={bend}", mutation_scale=14,
            color=colour, linewidth=0.7 + 1.3 * strength, shrinkA=0, shrinkB=2, zorder=2, clip_on=False,
            patchA=clipped[0], patchB=clipped[1],
        )
    )  # fmt: skip
    ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    ax.text(x, y, f"{count:,}", ha="center", va="center", fontsize=6, color=colour, bbox=ground, zorder=5)
