"""What was shown and how neurons answered: stimuli and rasters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import PALETTE, axes_or_new, label_ends
from neurosim.plots.names import MOST_NAMES, shortened, thinned
from neurosim.schema import InputError, check_responses


def plot_stimuli(stimuli: xr.DataArray, ax: Axes | None = None, *, n_columns: int | None = None) -> Axes:
    """Draw images as one contact sheet.

    Parameters
    ----------
    stimuli : (stimulus, [channel,] y, x) in 0..1.
    ax : axes to draw on.
    n_columns : images in a row; by default a sheet twice as wide as high of up to 20 columns, and of more where it
        would be higher than wide.

    Raises
    ------
    InputError : no images, or other than 1 or 3 channels.

    Examples
    --------
    >>> ax = ns.plots.plot_stimuli(ns.as_stimuli(np.zeros((8, 10, 10))), ns.plots.new_figure().subplots())
    >>> ax.images[0].get_array().shape
    (22, 44, 3)
    """
    ax = axes_or_new(ax)
    images = as_pictures(stimuli)
    n, height, width = images.shape[:3]
    wide = max(min(20, math.ceil(math.sqrt(2 * n))), math.ceil(math.sqrt(n)))
    n_columns = min(n_columns or wide, n)
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
    dims = ("stimulus", "channel", "y", "x") if "channel" in stimuli.dims else ("stimulus", "y", "x")
    if set(stimuli.dims) != set(dims) or stimuli.sizes.get("channel", 1) not in (1, 3):
        raise InputError(
            f"plot_stimuli: images (stimulus, [channel,] y, x) of 1 or 3 channels asked, found {dict(stimuli.sizes)}; "
            "select a time with .isel(time=...)."
        )
    images = np.asarray(stimuli.transpose(*dims).values, dtype=float)
    if images.ndim == 4:
        return np.moveaxis(images, 1, -1).repeat(3 // images.shape[1], -1).clip(0, 1)
    return (1 - images[..., None].repeat(3, -1)).clip(0, 1)


def plot_raster(
    trained: xr.DataArray,
    twin: xr.DataArray | None = None,
    ax: Axes | None = None,
    *,
    stimulus: int = 0,
    labels: tuple[str, str] = ("trained", "twin"),
) -> Axes:
    """Draw spikes over time, layer by layer; those of a circuit over those of the trained network that it came from.

    Parameters
    ----------
    trained, twin : spike counts (stimulus, time, unit), with ``layer`` along ``unit`` where there are any; the same
        units.
    ax : axes to draw on.
    stimulus : index of the stimulus.
    labels : names of the two.

    Raises
    ------
    InputError : no time, or trials.

    Examples
    --------
    >>> spikes = ns.as_responses(np.eye(5)[None], quantity="spike_count", time_step=1e-3)
    >>> len(ns.plots.plot_raster(spikes, ax=ns.plots.new_figure().subplots()).collections[0].get_offsets())
    5
    """
    ax = axes_or_new(ax)
    for responses, marker, size, colour, label in (
        (trained, "o", 16, PALETTE[5], labels[0]),
        (twin, "|", 14, "#000000", labels[1]),
    ):
        if responses is None:
            continue
        time, unit = _spikes(responses, stimulus)
        face: dict[str, Any] = {"facecolors": "none", "edgecolors": colour} if marker == "o" else {"color": colour}
        ax.scatter(time, unit, s=size, marker=marker, linewidths=0.8, label=label, rasterized=True, **face)
    n_units, clock = trained.sizes["unit"], trained["time"].values * 1e3
    if not any(np.size(drawn.get_offsets()) for drawn in ax.collections):
        ax.set_xlim(clock[0], max(clock[-1], clock[0] + 1.0))
        ax.text(0.5, 0.5, "no spikes", transform=ax.transAxes, ha="center", va="center", color="0.5")
    layers = trained["layer"].values if "layer" in trained.coords else np.array([""] * n_units)
    layers = layers.astype(str)
    names = list(dict.fromkeys(layers.tolist()))
    middles = [float(np.flatnonzero(layers == name).mean()) for name in names]
    for name in names:
        ax.axhline(np.flatnonzero(layers == name)[-1] + 0.5, color="0.8", linewidth=0.6, zorder=0)
    ax.set(xlabel="time (ms)", ylabel="neuron", ylim=(-1, n_units))
    named = [(middles[i], short, "black") for i, short in enumerate(shortened(names)) if i in thinned(len(names))]
    label_ends(ax, named, size=7 if len(names) <= MOST_NAMES // 2 else 5.5)
    if n_units < 6:
        ax.set_yticks(range(n_units))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return ax


def _spikes(responses: xr.DataArray, stimulus: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times in ms and units of the spikes of a stimulus."""
    responses = check_responses(responses, "plot_raster")
    if "time" not in responses.dims or "trial" in responses.dims:
        raise InputError(
            f"plot_raster: spikes (stimulus, time, unit) asked, found {dict(responses.sizes)}; record them over time "
            "and select a trial with .isel(trial=...)."
        )
    step, unit = np.nonzero(responses.isel(stimulus=stimulus).transpose("time", "unit").values)
    return responses["time"].values[step] * 1e3, unit
