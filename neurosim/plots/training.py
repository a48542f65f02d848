"""Learning and what was learned: training curves, confusions, psychometric curves, what mattered in a stimulus."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import PALETTE, axes_or_new, colour_bar, width_of
from neurosim.plots.names import MOST_NAMES, lie_flat, shortened, thinned
from neurosim.plots.pictures import as_pictures
from neurosim.schema import InputError


def plot_training(history: xr.Dataset, ax: Axes | None = None, *, measure: str = "loss") -> Axes:
    """Draw a measure of training over epochs, with that of the validation set: where the two part, it overfits.

    Parameters
    ----------
    history : of ``train``. ax : axes to draw on. measure : "loss" or "accuracy".

    Examples
    --------
    >>> import xarray as xr
    >>> losses = {"loss": ("epoch", [2.3, 0.9]), "validation_loss": ("epoch", [2.3, 1.1])}
    >>> history = xr.Dataset(losses, {"epoch": [0, 1]})
    >>> [line.get_label() for line in ns.plots.plot_training(history, ns.plots.new_figure().subplots()).lines]
    ['training', 'validation']
    """
    ax = axes_or_new(ax, 4, 3)
    epoch = history["epoch"].values + 1
    mark = "o" if len(epoch) == 1 else ""
    ax.plot(epoch, history[measure], color=PALETTE[0], label="training", marker=mark, markersize=3)
    if f"validation_{measure}" in history:
        ax.plot(
            epoch, history[f"validation_{measure}"], color=PALETTE[1], label="validation", marker=mark, markersize=3
        )
    if "best_epoch" in history:
        ax.axvline(float(history["best_epoch"]) + 1, color="0.6", linestyle=":", label="best")
    if measure == "accuracy":
        ax.axhline(float(history["test_accuracy"]), color=PALETTE[2], linestyle="--", label="test, at the end")
    ax.set(xlabel="epoch", ylabel=measure)
    ax.legend()
    return ax


def plot_confusion(evaluation: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the confusion matrix of ``evaluate``: rows are right categories, in shares of a row.

    Of 20 categories or fewer the counts are written, of more every second or third name.

    Parameters
    ----------
    evaluation : of ``evaluate``. ax : axes to draw on.

    Examples
    --------
    >>> import xarray as xr
    >>> found = xr.Dataset({"confusion": (("category", "named"), [[3, 1], [0, 4]]), "accuracy": 0.875})
    >>> found = found.assign(interval=("bound", [0.5, 1.0])).assign_coords(category=["cat", "dog"])
    >>> ns.plots.plot_confusion(found, ns.plots.new_figure().subplots()).get_title()
    'accuracy 0.875 (0.500 to 1.000)'
    """
    ax = axes_or_new(ax, 4, 4)
    counts = evaluation["confusion"].values
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0) if len(counts) <= MOST_NAMES else ():
        colour = "white" if shares[row, column] > 0.5 else "black"
        ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=6, color=colour)
    places = thinned(len(counts))
    names = shortened([str(c) for c in evaluation["category"].values[places]])
    upright = not lie_flat(names, 6, 0.6 * width_of(ax))
    ax.set_xticks(places, names, rotation=90 if upright else 0, fontsize=6)
    ax.set_yticks(places, names, fontsize=6)
    colour_bar(image, ax, "share of the row")
    low, high = evaluation["interval"].values
    ax.set(xlabel="named", ylabel="shown", title=f"accuracy {float(evaluation.accuracy):.3f} ({low:.3f} to {high:.3f})")
    return ax


def plot_psychometric(curve: xr.Dataset, ax: Axes | None = None, *, label: str = "", colour: str = PALETTE[0]) -> Axes:
    """Draw the share of a choice by condition, with standard errors, as ``psychometric`` returns it.

    Parameters
    ----------
    curve : of ``psychometric``. ax : axes to draw on. label, colour : of the line.

    Examples
    --------
    >>> import xarray as xr
    >>> data = {"mean": ("coherence", [0.1, 0.9]), "standard_error": ("coherence", [0.05, 0.05])}
    >>> curve = xr.Dataset(data, {"coherence": [-0.5, 0.5]})
    >>> ns.plots.plot_psychometric(curve, ns.plots.new_figure().subplots()).get_xlabel()
    'coherence'
    """
    ax = axes_or_new(ax, 3.5, 3)
    condition = str(next(iter(curve["mean"].dims)))
    ax.errorbar(
        curve[condition].values.astype(float), curve["mean"], curve["standard_error"], color=colour, marker="o",
        markersize=4, capsize=0, label=label,
    )  # fmt: skip
    ax.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
    ax.set(xlabel=condition.replace("_", " "), ylabel="share of the choice", ylim=(-0.03, 1.03))
    if label:
        ax.legend()
    return ax


def plot_attribution(stimuli: xr.DataArray, attribution: xr.DataArray, ax: Axes | None = None) -> Axes:
    """Draw images in a row, and under each what mattered in it: red spoke for the output, blue against it.

    Parameters
    ----------
    stimuli : (stimulus, [channel,] y, x) in 0..1. attribution : of ``explain``, the same dims. ax : axes to draw on.

    Raises
    ------
    InputError : the two do not have the same shape.

    Examples
    --------
    >>> import xarray as xr
    >>> stimuli = xr.DataArray(np.ones((2, 4, 4)), dims=("stimulus", "y", "x"))
    >>> len(ns.plots.plot_attribution(stimuli, stimuli - 0.5, ns.plots.new_figure().subplots()).images)
    4
    """
    if stimuli.shape != attribution.shape:
        raise InputError(
            f"plot_attribution: stimuli {stimuli.shape} and attribution {attribution.shape} do not have one shape."
        )
    ax = axes_or_new(ax, 1.2 * len(stimuli), 2.5)
    pictures = as_pictures(stimuli)
    values = attribution.sum("channel").values if "channel" in attribution.dims else attribution.values
    height, width = values.shape[1:]
    for k, (picture, value) in enumerate(zip(pictures, values, strict=True)):
        left, limit = k * 1.1 * width, np.abs(value).max() or 1.0
        ax.imshow(picture, extent=(left, left + width, 0, height))
        ax.imshow(
            value, extent=(left, left + width, -1.1 * height, -0.1 * height), cmap="RdBu_r", vmin=-limit, vmax=limit
        )
    ax.set(xlim=(-0.1 * width, len(values) * 1.1 * width), ylim=(-1.15 * height, 1.05 * height))
    ax.set_axis_off()
    return ax


def plot_words(text: list[str], shares: np.ndarray, ax: Axes | None = None) -> Axes:
    """Draw words in a line, each on a ground as dark as its share.

    Parameters
    ----------
    text : words. shares : one a word, 0 or more. ax : axes to draw on.

    Raises
    ------
    InputError : not as many shares as words.

    Examples
    --------
    >>> ax = ns.plots.plot_words(["a", "fine", "film"], np.array([0.0, 0.9, 0.1]), ns.plots.new_figure().subplots())
    >>> [text.get_text() for text in ax.texts]
    ['a', 'fine', 'film']
    """
    if len(text) != len(shares):
        raise InputError(f"plot_words: {len(text)} words and {len(shares)} shares do not fit each other.")
    ax = axes_or_new(ax, 8, 0.6)
    place, top = 0.0, max(float(np.max(shares)), 1e-12)
    for word, share in zip(text, shares, strict=True):
        width = len(word) + 1.0
        ax.axvspan(place, place + width, color=PALETTE[1], alpha=0.8 * float(share) / top, linewidth=0)
        ax.text(place + width / 2, 0.5, word, ha="center", va="center", fontsize=8)
        place += width
    ax.set(xlim=(0, place), ylim=(0, 1))
    ax.set_axis_off()
    return ax
