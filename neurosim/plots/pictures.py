"""What was shown and how neurons answered: stimuli and rasters."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import PALETTE, axes_or_new


def plot_stimuli(stimuli: xr.DataArray, ax: Axes | None = None, *, n_columns: int = 20) -> Axes:
    """Draw images as one contact sheet.

    Parameters
    ----------
    stimuli : (stimulus, [channel,] y, x) in 0..1.
    ax : axes to draw on.
    n_columns : images in a row.
    """
    ax = axes_or_new(ax)
    images = as_pictures(stimuli)
    n, height, width = images.shape[:3]
    n_columns = min(n_columns, n)
    n_rows = -(-n // n_columns)
    pad = max(1, height // 12)
    sheet = np.ones((n_rows * (height + pad), n_columns * (width + pad), 3))
    for i, image in enumerate(images):
        y, x = (i // n_columns) * (height + pad), (i % n_columns) * (width + pad)
        sheet[y : y + height, x : x + width] = image
    ax.imshow(sheet.clip(0, 1))
    ax.set_axis_off()
    return ax


def as_pictures(stimuli: xr.DataArray) -> np.ndarray:
    """Return images (stimulus, [channel,] y, x) in 0..1 as (stimulus, y, x, 3); grey ones are ink on white."""
    images = np.asarray(stimuli.values, dtype=float)
    if images.ndim == 4:
        return np.moveaxis(images, 1, -1).repeat(3 // images.shape[1], -1).clip(0, 1)
    return (1 - images[..., None].repeat(3, -1)).clip(0, 1)


def plot_raster(
    trained: xr.DataArray, twin: xr.DataArray, ax: Axes | None = None, *, stimulus: int = 0, labels: tuple[str, str]
) -> Axes:
    """Draw the spikes of a trained network and of its Brian2 twin over each other, layer by layer.

    Parameters
    ----------
    trained, twin : spike counts (stimulus, time, unit) with ``layer`` along ``unit``; the same units.
    ax : axes to draw on.
    stimulus : index of the stimulus.
    labels : names of the two.
    """
    ax = axes_or_new(ax)
    for responses, marker, size, colour, label in (
        (trained, "o", 16, PALETTE[5], labels[0]),
        (twin, "|", 14, "#000000", labels[1]),
    ):
        step, unit = np.nonzero(responses.isel(stimulus=stimulus).values)
        face: dict[str, Any] = {"facecolors": "none", "edgecolors": colour} if marker == "o" else {"color": colour}
        time = responses["time"].values[step] * 1e3
        ax.scatter(time, unit, s=size, marker=marker, linewidths=0.8, label=label, rasterized=True, **face)
    layers = trained["layer"].values
    for name in dict.fromkeys(layers.tolist()):
        members = np.flatnonzero(layers == name)
        ax.axhline(members[-1] + 0.5, color="0.8", linewidth=0.6, zorder=0)
        ax.text(1.01, members.mean() / len(layers), name, transform=ax.transAxes, va="center", fontsize=7)
    ax.set(xlabel="time (ms)", ylabel="neuron", ylim=(-1, len(layers)))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return ax
