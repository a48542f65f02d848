"""Scores of models against a brain: bars with ceiling, intervals and significance; profiles over layers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurosim.plots.canvas import PALETTE, axes_or_new, colour_of, label_ends, lone, width_of
from neurosim.plots.names import lie_flat, marker_of, shortened, size_of_ticks, width_beside
from neurosim.refusals import check_alpha
from neurosim.schema import InputError

DODGE, BESIDE = 0.004, 0.05  # of the depth, between intervals of two models and to what has no depth
MARGIN, SMALL = 0.7, 6.0  # bars, at both sides; points, of names of which there are many
BESIDE_AXES, WIDTHS = 1.0, (2.8, 6.0)  # inches, of what stands beside the axes of a new figure, and of the figure
GAP = 1.5  # steps, beyond which times between two were left out


def plot_scores(
    result: xr.Dataset,
    ax: Axes | None = None,
    *,
    groups: Sequence[str] | None = None,
    title: str = "",
    alpha: float = 0.05,
    pairs: bool = False,
) -> Axes:
    """Draw one bar a model, with its interval, a dot below it where it is above 0, and the noise ceiling as a band.

    A model without a score (NaN) has a cross in place of its bar.

    Parameters
    ----------
    result : from ``neurosim.similarity.inference.infer``.
    ax : axes to draw on.
    groups : group of each model, which gives its colour; all have one when absent.
    title : title of the axes.
    alpha : level of the corrected tests.
    pairs : draw a line above every two models that differ.

    Examples
    --------
    >>> import xarray as xr
    >>> result = xr.Dataset(
    ...     {"score": ("model", [0.2, 0.5]), "interval": (("model", "bound"), [[0.1, 0.3], [0.4, 0.6]]),
    ...      "p_zero_corrected": ("model", [0.2, 0.01])}, {"model": ["a", "b"]}, {"method": "spearman"})
    >>> ax = ns.plots.plot_scores(result, ns.plots.new_figure().subplots())
    >>> [float(bar.get_height()) for bar in ax.patches]
    [0.2, 0.5]
    """
    names = [str(m) for m in result["model"].values]
    margin = MARGIN if ax is None else MARGIN + 0.5 * max(0, 3 - len(names))
    ax = axes_or_new(ax, _width_for(names), 3)
    score, interval = result["score"].values, result["interval"].values
    groups = list(groups) if groups is not None else [""] * len(names)
    colours = colour_of(groups)
    place = np.arange(len(score))
    ax.bar(place, score, color=[colours[g] for g in groups], width=0.8)
    ax.vlines(place, interval[:, 0], interval[:, 1], color="0.25", linewidth=0.9)
    reached = interval if np.isfinite(interval).any() else np.stack([score, score], axis=1)
    top = float(np.nanmax(reached[:, 1], initial=-np.inf))
    if "ceiling" in result:
        _draw_ceiling(ax, result["ceiling"].values)
        top = max(top, float(result["ceiling"].max()))
    ax.axhline(0, color="black", linewidth=0.6)
    lost = np.isnan(score)
    ax.scatter(place[lost], np.zeros(lost.sum()), s=9, marker="x", color="0.4", linewidth=0.8)
    floor = min(0.0, float(np.nanmin(reached[:, 0], initial=np.inf)))
    mark = floor - 0.04 * (top - floor)
    above = result["p_zero_corrected"].values < alpha
    ax.scatter(place[above], np.full(above.sum(), mark), s=5, color="black", clip_on=False)
    if pairs:
        top = _draw_pairs(ax, result["p_pair_corrected"].values < alpha, top, 0.03 * (top - floor))
    share = width_of(ax) * len(names) / (len(names) - 1 + 2 * margin)
    size = next((size for size in (size_of_ticks(), SMALL) if lie_flat(names, size, share)), None)
    ax.set_xticks(place, names if size else shortened(names), rotation=0 if size else 90, fontsize=size or SMALL)
    ax.set(ylabel=_measured(result), xlim=(-margin, len(score) - 1 + margin))
    ax.set_ylim(mark - 0.02, top * 1.02 if pairs else None)
    ax.set_title(title)
    return ax


def _width_for(names: Sequence[str]) -> float:
    """Return how wide a new figure is (inches), so that names lie beside each other where they are few and short."""
    flat = BESIDE_AXES + (len(names) - 1 + 2 * MARGIN) * width_beside(names, size_of_ticks())
    return float(np.clip(flat, *WIDTHS))


def _measured(result: xr.Dataset) -> str:
    """Return what the heights are."""
    return f"{str(result.attrs['method']).replace('_', ' ')} with the brain"


def _draw_ceiling(ax: Axes, ceiling: np.ndarray) -> None:
    """Draw the noise ceiling as a band, and write what it is at its lower edge."""
    ax.axhspan(*ceiling, color="0.85", zorder=0, label="noise ceiling")
    ax.text(
        0.01, ceiling[0], "noise ceiling", transform=ax.get_yaxis_transform(), fontsize=5.5, color="0.4", va="bottom"
    )


def _draw_pairs(ax: Axes, differ: np.ndarray, top: float, step: float) -> float:
    """Draw a line over every two models that differ, short ones first, and return the height reached."""
    rows, columns = np.nonzero(np.triu(differ, 1))
    for i, j in sorted(zip(rows.tolist(), columns.tolist(), strict=True), key=lambda pair: (pair[1] - pair[0], pair)):
        top += step
        ax.plot([i, j], [top, top], color="black", linewidth=0.7, marker="|", markersize=3)
    return top + step


def plot_profiles(
    result: xr.Dataset,
    ax: Axes | None = None,
    *,
    groups: Sequence[str],
    unordered: Collection[str] = (),
    title: str = "",
) -> Axes:
    """Draw the score over the layers of every model as lines with intervals; depth runs from first (0) to last (1).

    Intervals are thin bars, a little beside each other, and names stand at the ends of the lines.

    Parameters
    ----------
    result : from ``neurosim.similarity.inference.infer``; the models of a group are its layers in order.
    ax : axes to draw on.
    groups : group of each model.
    unordered : groups whose layers have no depth, as populations of a circuit; they stand beside the others, alone.
    title : title of the axes.

    Examples
    --------
    >>> import xarray as xr
    >>> result = xr.Dataset(
    ...     {"score": ("model", [0.2, 0.5]), "interval": (("model", "bound"), [[0.1, 0.3], [0.4, 0.6]])},
    ...     {"model": ["net/1", "net/2"]}, {"method": "spearman"})
    >>> ax = ns.plots.plot_profiles(result, ns.plots.new_figure().subplots(), groups=["net", "net"])
    >>> ax.lines[0].get_xdata().tolist(), ax.lines[0].get_ydata().tolist()
    ([0.0, 1.0], [0.2, 0.5])
    """
    ax = axes_or_new(ax, 4.5, 3)
    colours, names = colour_of(list(groups)), shortened([str(m) for m in result["model"].values])
    markers, titles = marker_of(list(groups)), dict(zip(colours, shortened(list(colours)), strict=True))
    alone = [g for g in colours if g in unordered or list(groups).count(g) == 1]
    ends: list[tuple[float, str, str]] = []
    beside = 0.0 if len(alone) == len(colours) else 1.0
    for place, (group, colour) in enumerate(colours.items()):
        members = np.flatnonzero(np.asarray(groups) == group)
        score, interval = result["score"].values[members], result["interval"].values[members]
        if group in alone:
            depth = beside + BESIDE * np.arange(1, len(members) + 1)
            beside = float(depth[-1])
            ends += [(float(y), names[i], colour) for i, y in zip(members, score, strict=True)]
        else:
            depth = np.linspace(0, 1, len(members))
            ends.append((float(score[np.isfinite(score)][-1:].sum()), titles[group], colour))
        shift = DODGE * (place - (len(colours) - 1) / 2) if len(colours) > 1 else 0.0
        style = "none" if group in alone else "-"
        ax.plot(depth, score, linestyle=style, marker=markers[group], markersize=2.5, color=colour, label=group)
        ax.vlines(depth + shift, interval[:, 0], interval[:, 1], color=colour, linewidth=0.6)
    if "ceiling" in result:
        _draw_ceiling(ax, result["ceiling"].values)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set(xlabel="depth in the network", ylabel=_measured(result), xlim=(-0.04, beside + 0.04))
    ax.set_xticks([0, 0.5, 1], ["first", "", "last"])
    if len(alone) == len(colours):
        ax.set(xlabel="one layer each", xlim=(0, beside + BESIDE), xticks=[])
    ax.set_title(title)
    ax.set_ylim(ax.get_ylim())
    label_ends(ax, ends)
    return ax


def plot_tested_course(
    result: xr.Dataset,
    latencies: xr.Dataset | None = None,
    ax: Axes | None = None,
    *,
    label: str = "",
    alpha: float = 0.05,
    colour: int = 0,
) -> Axes:
    """Draw a course of scores with its interval, a bar below where it is significant, and its latencies above.

    Parameters
    ----------
    result : (time,) from ``neurosim.similarity.sign_flip_test``, time in s; the bar spans the times whose corrected p
        is below `alpha`, and ends where times are left out.
    latencies : from ``neurosim.similarity.latencies``; a dot with its interval for each that was found.
    ax : axes to draw on; a second course on them, of another colour, has its bar above the first.
    label : of the line. alpha : level of the corrected test. colour : index into the palette.

    Raises
    ------
    InputError : other dims than time, a result without what is drawn, an alpha or a colour that is none.

    Examples
    --------
    >>> import xarray as xr
    >>> course = {"score": [0.0, 0.3], "interval": [[-0.1, 0.1], [0.2, 0.4]], "p_corrected": [0.5, 0.01]}
    >>> dims = {"score": "time", "interval": ("time", "bound"), "p_corrected": "time"}
    >>> result = xr.Dataset({k: (dims[k], v) for k, v in course.items()}, {"time": [0.0, 0.1]})
    >>> ax = ns.plots.plot_tested_course(result, ax=ns.plots.new_figure().subplots())
    >>> [bar.get_xdata().round(6).tolist() for bar in ax.lines if bar.get_label() == "_significant"]
    [[50.0, 150.0]]
    """
    lost = [k for k in ("score", "interval", "p_corrected") if k not in result]
    if lost:
        raise InputError(f"plot_tested_course: the result has no {', '.join(lost)}; sign_flip_test gives them.")
    if isinstance(colour, bool) or not isinstance(colour, int | np.integer) or colour < 0:
        raise InputError(f"plot_tested_course: colour is a number into the palette, from 0, found {colour!r}.")
    check_alpha(alpha, "plot_tested_course")
    if latencies is not None and latencies["time"].dims != ("latency",):
        raise InputError(
            f"plot_tested_course: latencies (latency,) asked, found dims {latencies['time'].dims}; select the others."
        )
    if result["score"].dims != ("time",):
        raise InputError(
            f"plot_tested_course: scores (time,) asked, found dims {result['score'].dims}; select the others."
        )
    ax = axes_or_new(ax, 5, 3)
    time, score, paint = result["time"].values * 1e3, result["score"].values, PALETTE[colour % len(PALETTE)]
    low, high = result["interval"].transpose("bound", "time").values
    ax.plot(time, score, color=paint, lw=1.2, label=label or None)
    ax.fill_between(time, low, high, color=paint, alpha=0.2, lw=0)
    for i in lone(score):
        ax.errorbar(time[i], score[i], [[score[i] - low[i]], [high[i] - score[i]]], fmt="o", ms=3, lw=0.8, color=paint)
    half = 0.5 * float(np.diff(time).min()) if len(time) > 1 else 0.5
    floor = ax.get_xaxis_transform()
    for first, last in _runs(result["p_corrected"].values < alpha, np.diff(time) > GAP * 2 * half):
        ends = [time[first] - half, time[last] + half]
        ax.plot(ends, [0.02 + 0.03 * colour] * 2, color=paint, lw=2.5, solid_capstyle="butt", transform=floor,
                label="_significant")  # fmt: skip
    if latencies is not None:
        _draw_latencies(ax, latencies, paint, 0.95 - 0.04 * colour)
    ax.axhline(0, color="black", lw=0.6)
    ax.axvline(0, color="0.6", lw=0.6)
    ax.set(xlabel="time from onset (ms)", ylabel="score")
    return ax


def _draw_latencies(ax: Axes, latencies: xr.Dataset, paint: str, level: float) -> None:
    """Draw a dot with its interval for every latency that was found, at one height of the axes."""
    for kind in latencies["latency"].values:
        found = latencies.sel(latency=kind)
        at, ends = float(found["time"]) * 1e3, found["interval"].values * 1e3
        if np.isfinite(at):
            floor, label = ax.get_xaxis_transform(), f"_{kind}"
            ax.plot(ends, [level] * 2, color=paint, lw=0.9, transform=floor, label=label)
            ax.plot([at], [level], "o", color=paint, markersize=3, transform=floor, label=label)


def _runs(inside: np.ndarray, parted: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of every run of True, which ends where a place and the next are `parted`.

    >>> _runs(np.array([True, False, True, True, True]), np.array([False, False, True, False]))
    [(0, 0), (2, 2), (3, 4)]
    """
    joined = inside[:-1] & inside[1:] & ~parted
    first = np.flatnonzero(inside & ~np.concatenate([[False], joined]))
    last = np.flatnonzero(inside & ~np.concatenate([joined, [False]]))
    return list(zip(first.tolist(), last.tolist(), strict=True))
