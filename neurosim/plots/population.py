"""What fields and populations do over time: power by frequency, and courses in few dimensions."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from neurosim.plots.canvas import axes_or_new, cells, colour_bar, colour_of, edges
from neurosim.plots.names import marker_of
from neurosim.schema import InputError, suggest

UNKNOWN = "0.7"  # of courses whose label is missing


def plot_spectrogram(
    values: xr.DataArray,
    ax: Axes | None = None,
    *,
    baseline: tuple[float, float] | None = None,
    title: str = "",
) -> Axes:
    """Draw power, in decibels, or coherence over time and frequency.

    Parameters
    ----------
    values : (frequency, time), in Hz and s, the middles of the cells; from ``neurosim.responses.spectrogram`` or
        ``coherence``, of which other dims are selected or averaged.
    ax : axes to draw on. baseline : from and to when, s, the mean of power is 0 dB. title : title of the axes.

    Raises
    ------
    InputError : other dims, fewer than 2 frequencies or times, a baseline without times or of no power.

    Examples
    --------
    >>> field = ns.as_responses(np.random.default_rng(0).normal(size=(1, 400, 1)), time_step=1e-3)
    >>> power = ns.responses.spectrogram(field, bandwidth=20.0, window=0.1)[:, 0, :, 0]
    >>> ns.plots.plot_spectrogram(power, ns.plots.new_figure().subplots()).get_ylabel()
    'frequency (Hz)'
    """
    if set(values.dims) != {"frequency", "time"} or min(values.shape) < 2:
        raise InputError(
            f"plot_spectrogram: values (frequency, time), 2 or more of each, asked, found {dict(values.sizes)}; "
            "average or select others."
        )
    ordered = values.transpose("frequency", "time")
    drawn, label = ordered.values, str(values.attrs.get("quantity", values.name or "")).replace("_", " ")
    limits = (0.0, 1.0)
    cmap = "viridis"
    if values.attrs.get("quantity") == "power":
        drawn, label = _decibels(ordered, baseline)
        limits = (float(np.nanmin(drawn)), float(np.nanmax(drawn)))
    elif baseline is not None:
        raise InputError("plot_spectrogram: a baseline is of power, whose attrs say quantity 'power'; leave it out.")
    if baseline is not None:
        reach = float(np.nanmax(np.abs(drawn)))
        limits, cmap = (-reach, reach), "RdBu_r"
    ax = axes_or_new(ax, 4.4, 3)
    across, down = (edges(c - (c[1] - c[0]) / 2) for c in (ordered["time"].values * 1e3, ordered["frequency"].values))
    image = cells(ax, drawn, across, down, cmap, limits)
    ax.set_aspect("auto")
    colour_bar(image, ax, label)
    if across[0] < 0 < across[-1]:
        ax.axvline(0, color="0.6" if baseline is not None else "white", lw=0.8)
    ax.set(xlabel="time from onset (ms)", ylabel="frequency (Hz)", title=title)
    return ax


def _decibels(power: xr.DataArray, baseline: tuple[float, float] | None) -> tuple[np.ndarray, str]:
    """Return power (frequency, time) in decibels, of its units or of what it is at the baseline, and what that is."""
    values = np.asarray(power.values, dtype=float)
    reference = np.ones((len(values), 1))
    if baseline is not None:
        given = np.asarray(baseline)
        if given.shape != (2,) or given.dtype.kind not in "iuf":
            raise InputError(f"plot_spectrogram: baseline = {baseline!r}; from when to when asked, in s.")
        low, high = given
        inside = (power["time"].values >= low) & (power["time"].values <= high)
        if not inside.any() or not (values[:, inside].mean(1) > 0).all():
            raise InputError(f"plot_spectrogram: no window of power lies from {low:g} to {high:g} s; take other times.")
        reference = values[:, inside].mean(1, keepdims=True)
    with np.errstate(divide="ignore"):
        found = 10 * np.log10(values / reference)
    lowest = found[np.isfinite(found)].min(initial=0.0)
    units = str(power.attrs.get("units", "1")).replace("^2", "²").replace("(V)", "V")
    return np.maximum(found, lowest), "power (dB)" if baseline is not None else f"power (dB of {units})"


def plot_trajectories(
    latents: xr.DataArray,
    ax: Axes | None = None,
    *,
    by: str | None = None,
    pair: tuple[int, int] = (0, 1),
    title: str = "",
) -> Axes:
    """Draw the course of every stimulus, or trial, in two latent dimensions, with a dot where it begins.

    Parameters
    ----------
    latents : (stimulus, [trial,] time, latent), the last of any name; from ``neurosim.responses.gpfa``, ``jpca``,
        ``demixed_pca`` or ``targeted_axes``. Courses that were not measured (NaN) are not drawn.
    ax : axes to draw on. by : label along ``stimulus`` that colours courses: numbers on a scale, words each their own.
    pair : which two of the latents. title : title of the axes.

    Raises
    ------
    InputError : other dims, no such label or latents.

    Examples
    --------
    >>> import xarray as xr
    >>> turn = np.stack([np.cos(np.arange(9.0)), np.sin(np.arange(9.0))], axis=-1)
    >>> latents = xr.DataArray([turn, 2 * turn, 3 * turn], dims=("stimulus", "time", "latent"))
    >>> len(ns.plots.plot_trajectories(latents, ns.plots.new_figure().subplots()).lines)
    3
    """
    if not isinstance(latents, xr.DataArray):
        raise InputError(f"plot_trajectories: a labelled array asked, found {type(latents).__name__}.")
    dims = [str(d) for d in latents.dims if d not in ("stimulus", "trial", "time")]
    if len(dims) != 1 or not {"stimulus", "time"} <= set(latents.dims):
        raise InputError(
            f"plot_trajectories: latents (stimulus, [trial,] time, latent) asked, found dims {latents.dims}; average "
            "or select others."
        )
    (dim,) = dims
    given = np.asarray(pair)
    if given.shape != (2,) or given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= latents.sizes[dim]:
        raise InputError(f"plot_trajectories: pair = {pair!r} of {latents.sizes[dim]} latents; give two from 0 on.")
    whole = latents if "trial" in latents.dims else latents.expand_dims("trial", 1)
    courses = whole.transpose("stimulus", "trial", "time", dim).values[..., list(pair)]
    colours, scale = _colours(latents, by)
    ax = axes_or_new(ax, 4, 3.6)
    named: set[str] = set()
    markers = marker_of([name for _, name in colours])
    for stimulus, (colour, name) in enumerate(colours):
        for course in courses[stimulus][np.isfinite(courses[stimulus]).all((1, 2))]:
            label = None if name in named else name
            mark = markers[name]
            ax.plot(*course.T, color=colour, lw=1.0, label=label or None, marker=mark, ms=3.5, markevery=[0])
            named.add(name)
    if scale is not None:
        colour_bar(scale, ax, str(by).replace("_", " "))
    elif by is not None:
        ax.legend(
            title=by.replace("_", " "), fontsize=6, title_fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5)
        )
    names = (
        [str(v) for v in latents[dim].values[list(pair)]] if dim in latents.coords else [f"{dim} {p + 1}" for p in pair]
    )
    ax.set(xlabel=names[0], ylabel=names[1], title=title)
    ax.set_aspect("equal", adjustable="datalim")
    return ax


def _colours(latents: xr.DataArray, by: str | None) -> tuple[list[tuple[object, str]], ScalarMappable | None]:
    """Return colour and name of every stimulus, and the scale of a label that is a number."""
    n = latents.sizes["stimulus"]
    if by is None:
        return [(colormaps["viridis"](x), "") for x in np.linspace(0.05, 0.9, n)], None
    known = [str(k) for k, c in latents.coords.items() if c.dims == ("stimulus",)]
    if not isinstance(by, str) or by not in known:
        raise InputError(
            f"plot_trajectories: no label {by!r} along stimulus. Labels: {', '.join(known)}.{suggest(by, known)}"
        )
    values = latents[by].values
    if values.dtype.kind in "iuf" and len(np.unique(values[np.isfinite(values)])) > 2:
        scale = ScalarMappable(Normalize(np.nanmin(values), np.nanmax(values)), "viridis")
        return [(scale.to_rgba(v) if np.isfinite(v) else UNKNOWN, "") for v in values], scale
    words = ["unknown" if v is None or str(v) == "nan" else str(v) for v in values]
    colour = colour_of([word for word in words if word != "unknown"]) | {"unknown": UNKNOWN}
    return [(colour[word], word) for word in words], None
