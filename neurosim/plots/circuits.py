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
from neurosim.plots.names import shortened
from neurosim.schema import InputError

EXCITES, INHIBITS = PALETTE[0], PALETTE[1]
WIDE, HIGH, COLUMN, ROW = 1.1, 0.5, 2.4, 1.5  # of a box, and between the middles of boxes
LONG, LONGEST = 12, 16  # letters of a name of full size, and of any
MANY = 3000  # dots of full size
MARGIN = 0.35
FEWEST_IN_RING, APART = 4, 2.3  # populations, and between the middles of two
CLEAR = 1e-6  # of a mean direction, where there is one
NUMBER, FULL = 6, 10**6  # size of a number, and from where on it is shortened
STOPS = 0.5 + np.linspace(0, 0.36, 19).repeat(2)[1:] * np.tile([1, -1], 19)[1:]  # along an arrow, from its middle on


def plot_circuit(counts: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw populations as boxes and projections as arrows with their numbers of synapses, from left to right.

    An arrow ends in a point where the mean weight is above 0, in a bar where it is below. Populations that reach each
    other stand above each other, or on a ring where they are many; numbers stand where nothing else does.

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
    names = shortened([str(n) for n in counts["source"].values], LONGEST)
    n, weight = counts["n_synapses"].values, counts["mean_weight"].values
    places, ring = _places(n)
    curves = {(i, j): _curve(places[i], places[j], is_loop=i == j, in_ring=ring[i] == ring[j] >= 0)
              for i, j in np.argwhere(n > 0).tolist()}  # fmt: skip
    half = np.array([WIDE, HIGH]) / 2
    drawn = np.concatenate([places - half, places + half, *map(_along, curves.values())])
    low, high = drawn.min(0) - MARGIN, drawn.max(0) + MARGIN
    ax = axes_or_new(ax, *(0.9 * (high - low) + 0.3))
    ax.set(aspect="equal", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.axis("off")
    boxes = [_box(ax, name, int(size), place) for name, size, place in zip(names, counts["size"], places, strict=True)]
    letter = _letter(ax)
    taken = [_around(place, WIDE, HIGH) for place in places]
    for (i, j), curve in curves.items():
        ends = (None, None) if i == j else (boxes[i], boxes[j])
        colour = EXCITES if weight[i, j] >= 0 else INHIBITS
        _arrow(ax, curve, ends, colour, strength=n[i, j] / n.max())
        _number(ax, curve, int(n[i, j]), colour, letter, taken)
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
    'x (µm)'
    """
    if plane not in ("xy", "xz", "yz"):
        raise InputError(f"plot_positions: plane = {plane!r}; known: xy, xz, yz.")
    axes = ["xyz".index(axis) for axis in plane]
    ax = axes_or_new(ax, 4, 4)
    colours, short = colour_of(list(positions)), dict(zip(positions, shortened(list(positions)), strict=True))
    for name, given in positions.items():
        places = np.asarray(given, dtype=float) if given is not None else np.zeros(0)
        if places.ndim != 2 or places.shape[1] not in (2, 3) or places.shape[1] <= max(axes):
            raise InputError(
                f"plot_positions: {name!r} asks for positions (neuron, 2 or 3) with the axes {plane}, found "
                f"{'none' if given is None else places.shape}."
            )
        size = 12 * min(1.0, MANY / max(len(places), 1)) + 1
        across, up = places[:, axes].T * 1e6
        ax.scatter(across, up, s=size, color=colours[name], linewidths=0, alpha=0.8, label=short[name])
    ax.set(xlabel=f"{plane[0]} (µm)", ylabel=f"{plane[1]} (µm)", aspect="equal")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _places(n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each population stands, and its ring, -1 where it stands in a column.

    It is one column further than all that reach it and that it does not reach. Many of a column that reach each other
    stand on a ring, from the top on, so that no arrow passes behind another population.
    """
    group = connected_components(n > 0, connection="strong")[1]
    columns = np.zeros(len(n), int)
    for _ in range(len(n)):
        for i, j in np.argwhere(n > 0):
            if group[i] != group[j]:
                columns[group == group[j]] = max(columns[j], columns[i] + 1)
    places, ring, left = np.zeros((len(n), 2)), np.full(len(n), -1), 0.0
    for column in np.unique(columns):
        members = np.flatnonzero(columns == column)
        if len(members) >= FEWEST_IN_RING and len(np.unique(group[members])) < len(members):
            radius, angles = len(members) * APART / (2 * np.pi), 2 * np.pi * np.arange(len(members)) / len(members)
            entered = n[np.flatnonzero(columns < column)][:, members].any(0)
            middle = np.exp(1j * angles[entered]).sum()
            if abs(middle) > CLEAR:  # those that are reached from elsewhere stand to the left
                angles = angles - np.angle(middle) - np.pi / 2
            places[members] = radius * np.stack([1 + np.sin(angles), np.cos(angles)], axis=1) + (left, 0)
            ring[members], left = column, left + 2 * radius
        else:
            rows = (len(members) - 1) / 2 - np.arange(len(members))
            places[members] = np.stack([np.full(len(members), left), rows * ROW], axis=1)
        left += COLUMN
    return places, ring


def _curve(source: np.ndarray, target: np.ndarray, *, is_loop: bool, in_ring: bool) -> tuple[np.ndarray, float]:
    """Return the ends of an arrow (2, 2) and its bend, to its right, so that there and back are two."""
    ends, along = np.stack([source, target]), target - source
    if is_loop:
        side = 1 if source[1] >= 0 else -1
        return ends + np.array([[-0.2, HIGH / 2], [0.2, HIGH / 2]]) * side, -1.7
    if in_ring:
        return ends, 0.12
    return ends, 0.5 if not along[0] else 0.2 if np.abs(along[0]) < 1.5 * COLUMN else 0.4


def _along(curve: tuple[np.ndarray, float]) -> np.ndarray:
    """Return points (point, 2) of an arrow, the middle first and then to both ends in turn."""
    (a, b), bend = curve
    steered = (a + b) / 2 + bend * np.array([b[1] - a[1], a[0] - b[0]])
    t = STOPS[:, None]
    return np.asarray((1 - t) ** 2 * a + 2 * t * (1 - t) * steered + t**2 * b)


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
    curve: tuple[np.ndarray, float],
    boxes: tuple[FancyBboxPatch | None, FancyBboxPatch | None],
    colour: str,
    strength: float,
) -> None:
    """Draw an arrow between two boxes."""
    (start, stop), bend = curve
    style = "-|>,head_length=0.35,head_width=0.18" if colour == EXCITES else "|-|,widthA=0,widthB=0.25"
    ax.add_patch(
        FancyArrowPatch(
            tuple(start), tuple(stop), arrowstyle=style, connectionstyle=f"arc3,rad={bend}", mutation_scale=14,
            color=colour, linewidth=0.7 + 1.3 * strength, shrinkA=0, shrinkB=2, zorder=2, clip_on=False,
            patchA=boxes[0], patchB=boxes[1],
        )
    )  # fmt: skip


def _number(
    ax: Axes,
    curve: tuple[np.ndarray, float],
    count: int,
    colour: str,
    letter: tuple[float, float],
    taken: list[np.ndarray],
) -> None:
    """Write a number on its arrow, as near to the middle as nothing else stands, and add its place to those taken."""
    text = f"{count:,}" if count < FULL else f"{count / 1e6:.3g} M"
    size = (len(text) + 1) * letter[0], letter[1]
    tried = [_around(point, *size) for point in _along(curve)]
    overlaps = [sum(_shared(one, other) for other in taken) for one in tried]
    best = tried[int(np.argmin(np.round(overlaps, 6)))]
    taken.append(best)
    ground = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    x, y = best.mean(0)
    ax.text(x, y, text, ha="center", va="center", fontsize=NUMBER, color=colour, bbox=ground, zorder=5)


def _letter(ax: Axes) -> tuple[float, float]:
    """Return width and height of a letter of a number, in units of the axes as they will about be drawn."""
    width, height = ax.get_figure(root=True).get_size_inches() * ax.get_position().size  # type: ignore[union-attr]
    inch = max(np.ptp(ax.get_xlim()) / width, np.ptp(ax.get_ylim()) / height)
    return 0.6 * NUMBER / 72 * inch, 1.5 * NUMBER / 72 * inch


def _around(middle: np.ndarray, width: float, height: float) -> np.ndarray:
    """Return the corners (2, 2), low and high, of a rectangle."""
    half = np.array([width, height]) / 2
    return np.stack([middle - half, middle + half])


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    """Return the area that two rectangles share."""
    return float(np.prod(np.maximum(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0.0)))
