"""Figures with the house style, and their bytes: the same drawing gives the same file."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

UNEVEN = 0.01  # of a step
STYLE = Path(__file__).with_name("neurosim.mplstyle")
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
COLUMN, PAGE = 8.5 / 2.54, 17.5 / 2.54  # width of one column and of two, in inches
LETTER = 0.54  # of the size of a text, how wide a letter is on average
END_GAP = 1.25  # of the size of a text, between labels at the ends of lines
__all__ = [
    "COLUMN", "PAGE", "Axes", "Figure", "axes_or_new", "cells", "colour_bar", "colour_of", "edges", "figure_bytes",
    "house_style", "label_ends", "letter_panels", "lone", "new_figure",
    "width_of", "write_below",
]  # fmt: skip
CLEAN_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "png": {"Software": None},
}


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draw inside this block in the style of neurosim (colour-blind safe, for print).

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with ns.plots.house_style():
    ...     print(mpl.rcParams["legend.frameon"])
    False
    """
    with mpl.rc_context(), matplotlib.style.context(STYLE):
        yield


def new_figure(width: float = 6.0, height: float = 3.5) -> Figure:
    """Return an empty figure, which ``pyplot`` neither keeps nor shows.

    Parameters
    ----------
    width, height : in inches.

    Examples
    --------
    >>> ns.plots.new_figure(4, 3).get_size_inches().tolist()
    [4.0, 3.0]
    """
    return Figure(figsize=(width, height), layout="constrained")


def axes_or_new(ax: Axes | None, width: float = 4.0, height: float = 3.0) -> Axes:
    """Return `ax`, or the axes of a new pyplot figure, so that a notebook shows it."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def figure_bytes(figure: Figure) -> dict[str, bytes]:
    """Return the figure as files, free of dates and of the version that drew it.

    Parameters
    ----------
    figure : the same drawing gives the same bytes.

    Returns
    -------
    their content by ending: ``svg``, ``pdf`` and ``png``.

    Examples
    --------
    >>> ns.plots.figure_bytes(ns.plots.new_figure(1, 1))["png"][1:4]
    b'PNG'
    """
    files, layout, dpi = {}, figure.get_layout_engine(), figure.get_dpi()
    saved = mpl.rcParams["savefig.dpi"]
    figure.set_dpi(dpi if saved == "figure" else saved)  # the same letters are up to a twentieth wider at another
    for _ in range(2):  # a layout with colour bars settles at the second drawing
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # and is then that of all files
    for ending, metadata in CLEAN_METADATA.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending, metadata=metadata)
        files[ending] = buffer.getvalue()
    figure.set_dpi(dpi)
    figure.set_layout_engine(layout or "none")
    return files


def colour_of(names: list[str]) -> dict[str, str]:
    """Return one colour a name, in order of appearance."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(names))}


def colour_bar(image: ScalarMappable, ax: Axes, label: str) -> None:
    """Draw what colours mean beside the axes, as tall as they are."""
    if ax.figure is not None:
        beside = ax.inset_axes((1.03, 0.0, 0.05, 1.0))
        bar = ax.figure.colorbar(
            image, cax=beside, label=label, ticks=MaxNLocator(5, steps=[1, 2, 5, 10])
        )  # as wide however tall it ends
        bar.outline.set_linewidth(0.5)


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]], *, size: float = 6.0) -> None:
    """Write the names of lines at the right of the axes, each as near to its end as its neighbours let it.

    Parameters
    ----------
    ax : axes whose limits are set.
    ends : height in the data, text and colour of each.
    size : of the text, in points.
    """
    low, high = ax.get_ylim()
    place = np.array([(y - low) / (high - low) for y, _, _ in ends])
    gap = END_GAP * size / 72 / max(ax.get_window_extent().height / ax.get_figure(root=True).dpi, 0.1)  # type: ignore[union-attr]
    for i, at in zip(np.argsort(place), spread(np.sort(place), gap), strict=True):
        _, text, colour = ends[i]
        ax.text(1.02, at, text, color=colour, fontsize=size, va="center", transform=ax.transAxes)


def spread(places: np.ndarray, gap: float) -> np.ndarray:
    """Return sorted places moved as little as makes them at least `gap` apart.

    >>> spread(np.array([0.0, 0.0, 1.0]), 0.2).tolist()
    [-0.1, 0.1, 1.0]
    """
    steps = gap * np.arange(len(places))
    blocks: list[tuple[float, int]] = []
    for value in places - steps:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    moved: np.ndarray = np.repeat([v for v, _ in blocks], [n for _, n in blocks]) + steps
    return moved


def write_below(figure: Figure, text: str, size: float = 6.0) -> None:
    """Write below all panels what bars, bands and terms mean, in lines as wide as the figure.

    >>> figure = new_figure(3.0, 2.0)
    >>> write_below(figure, "bars: 95 % intervals for new stimuli and subjects; gray: the noise ceiling")
    >>> len(figure.get_supxlabel().splitlines())
    2
    """
    letters = int(0.96 * figure.get_figwidth() * 72 / (LETTER * size))
    figure.supxlabel(textwrap.fill(text, letters), fontsize=size)


def letter_panels(axes: Sequence[Axes], size: float = 9.0) -> None:
    """Give each panel its letter, before its title, both of this size in points."""
    for i, ax in enumerate(axes):
        ax.set_title(f"{chr(ord('A') + i)}  {ax.get_title(loc='left')}".rstrip(), loc="left", fontsize=size)


def width_of(ax: Axes) -> float:
    """Return the width of the axes in inches, before they are laid out."""
    return float(ax.get_window_extent().width / ax.get_figure(root=True).dpi)  # type: ignore[union-attr]


def lone(values: np.ndarray) -> list[int]:
    """Return which of the values have no neighbour that is known, so that a line does not show them.

    >>> lone(np.array([1.0, np.nan, 2.0, 3.0])), lone(np.array([1.0]))
    ([0], [0])
    """
    known = np.isfinite(values)
    beside = np.concatenate([[False], known[:-1]]) | np.concatenate([known[1:], [False]])
    return [int(i) for i in np.flatnonzero(known & ~beside)]


def edges(places: np.ndarray, alone: float = 1.0) -> np.ndarray:
    """Return where cells begin, each at its place, and where the last ends; one alone is as wide as `alone`.

    >>> edges(np.array([0.0, 1.0, 3.0])).tolist()
    [0.0, 1.0, 3.0, 5.0]
    """
    width = places[-1] - places[-2] if len(places) > 1 else alone
    return np.append(places, places[-1] + width)


def cells(
    ax: Axes, values: np.ndarray, across: np.ndarray, down: np.ndarray, cmap: str, limits: tuple[float, float]
) -> AxesImage | QuadMesh:
    """Draw values (row, column) as cells between edges: as an image where they are even, else each of its own size."""
    low, high = limits
    if all(np.ptp(np.diff(x)) <= UNEVEN * np.abs(np.diff(x)).min() for x in (across, down)):
        extent = (across[0], across[-1], down[0], down[-1])
        return ax.imshow(values, origin="lower", extent=extent, vmin=low, vmax=high, cmap=cmap)
    drawn = ax.pcolormesh(across, down, values, vmin=low, vmax=high, cmap=cmap)
    drawn.set_rasterized(True)
    ax.set(xlim=(across[0], across[-1]), ylim=(down[0], down[-1]))
    return drawn
