"""Recordings drawn: sweeps from inside neurons, tuning curves, time courses, temporal generalisation."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes

from neurosim.plots.canvas import PALETTE, axes_or_new, cells, colour_bar, edges, lone
from neurosim.plots.names import shortened
from neurosim.schema import InputError


def plot_sweeps(sweeps: xr.Dataset, ax: Axes | None = None, *, spacing: float = 0.0, title: str = "") -> Axes:
    """Draw the voltage of intracellular sweeps, coloured by the strength of their current.

    Parameters
    ----------
    sweeps : ``current`` and ``voltage`` (sweep, time); see ``as_sweeps``.
    ax : axes to draw on. spacing : shift of each sweep above the last, V. title : title of the axes.

    Examples
    --------
    >>> sweeps = ns.as_sweeps([[0.0, 1e-10], [0.0, 2e-10]], [[-0.07, -0.06], [-0.07, -0.05]], time_step=1e-3)
    >>> [line.get_label() for line in ns.plots.plot_sweeps(sweeps, ns.plots.new_figure().subplots()).lines]
    ['100 pA', '200 pA']
    """
    ax = axes_or_new(ax, 6, 3)
    current = sweeps["current"].values
    strength = current[np.arange(len(current)), np.abs(current).argmax(1)]
    order = np.argsort(strength, kind="stable")
    shade = np.linspace(0.05, 0.85, len(order))
    time = sweeps["time"].values * 1e3
    for rank, index in enumerate(order):
        voltage = (sweeps["voltage"].values[index] + rank * spacing) * 1e3
        colour = colormaps["viridis"](shade[rank])
        label = f"{strength[index] * 1e12:.0f} pA" if rank in (0, len(order) - 1) else None
        ax.plot(time, voltage, lw=0.6, color=colour, label=label, rasterized=True)
    ax.set(xlabel="time (ms)", ylabel="membrane (mV)", title=title)
    ax.legend(loc="upper right", fontsize=6)
    return ax


def plot_tuning(curve: xr.Dataset, fit: xr.Dataset | None = None, ax: Axes | None = None, *, unit: int = 0) -> Axes:
    """Draw the tuning curve of a unit with its interval, and the fitted curve over it.

    Parameters
    ----------
    curve : from ``neurosim.responses.tuning_curve``. fit : from ``neurosim.responses.fit_tuning``.
    ax : axes to draw on. unit : index of the unit.

    Examples
    --------
    >>> import xarray as xr
    >>> curve = xr.Dataset({"response": (("x", "unit"), [[1.0], [2.0]])}, {"x": [0, 1]}, {"label": "x"})
    >>> curve["interval"] = (("x", "unit", "bound"), [[[0.5, 1.5]], [[1.5, 2.5]]])
    >>> ns.plots.plot_tuning(curve, ax=ns.plots.new_figure().subplots()).get_xlabel()
    'x'
    """
    ax = axes_or_new(ax)
    by = str(curve.attrs["label"])
    one = curve.isel(unit=unit)
    reach = np.nan_to_num(np.abs(one["interval"].transpose("bound", by).values - one["response"].values))
    is_scale = one[by].dtype.kind in "iuf"
    across = one[by].values if is_scale else np.arange(one.sizes[by])
    line = 1 if fit is None and is_scale else 0  # between categories there is nothing
    ax.errorbar(across, one["response"], reach, color=PALETTE[0], marker="o", ms=4, lw=line, elinewidth=0.8)
    if not is_scale:
        ax.set_xticks(across, shortened([str(v) for v in one[by].values]), rotation=30, ha="right")
        ax.margins(x=0.15)
    if fit is not None:
        ax.plot(fit[by], fit["fitted"].isel(unit=unit), color=PALETTE[1], lw=1.2)
    units = curve.attrs.get("units", "")
    ax.set(xlabel=by.removesuffix("_deg").replace("_", " ") + " (degrees)" * by.endswith("_deg"))
    ax.set(ylabel=f"{curve.attrs.get('quantity', 'response').replace('_', ' ')} ({units})")
    return ax


def plot_time_course(
    values: xr.DataArray, error: xr.DataArray | None = None, ax: Axes | None = None, *, label: str = "", colour: int = 0
) -> Axes:
    """Draw a quantity over time with its standard error as a band, and a line at stimulus onset.

    Parameters
    ----------
    values, error : (time,), time in s. ax : axes to draw on. label : of the line. colour : index into the palette.

    Raises
    ------
    InputError : other dims than time.

    Examples
    --------
    >>> import xarray as xr
    >>> course = xr.DataArray([0.0, 1.0, 0.5], dims="time", coords={"time": [-0.1, 0.0, 0.1]})
    >>> ns.plots.plot_time_course(course, 0.1 * course, ns.plots.new_figure().subplots()).lines[0].get_xdata().tolist()
    [-100.0, 0.0, 100.0]
    """
    if values.dims != ("time",):
        raise InputError(f"plot_time_course: values (time,) asked, found dims {values.dims}; average or select others.")
    ax = axes_or_new(ax)
    time = values["time"].values * 1e3
    ax.plot(time, values.values, color=PALETTE[colour], lw=1.2, label=label or None)
    if error is not None:
        low, high = values.values - error.values, values.values + error.values
        ax.fill_between(time, low, high, color=PALETTE[colour], alpha=0.25, lw=0)
    for i in lone(values.values):
        reach = None if error is None else float(error.values[i])
        ax.errorbar(time[i], values.values[i], reach, fmt="o", ms=3, lw=0.8, color=PALETTE[colour])
    ax.axvline(0, color="0.6", lw=0.6)
    ax.set(xlabel="time from onset (ms)")
    return ax


def plot_generalisation(
    accuracy: xr.DataArray, ax: Axes | None = None, *, chance: float = 0.0, title: str = "", label: str = "accuracy"
) -> Axes:
    """Draw decoding accuracy, or another score up to 1, of every training time at every test time.

    Parameters
    ----------
    accuracy : (time, time_test), from ``neurosim.responses.decode`` with ``across_time``; or (time, time_other), from
        ``neurosim.similarity.compare_rdms`` of RDMs over time. Times in s, each that of the beginning of its cell;
        those of `time` stand for both where the other dim has none.
    ax : axes to draw on. chance : the lowest colour. title : title of the axes.
    label : what the colours are.

    Raises
    ------
    InputError : other dims, or no times.

    Examples
    --------
    >>> import xarray as xr
    >>> accuracy = xr.DataArray(np.eye(2), dims=("time", "time_test"), coords={"time": [0.0, 0.1]})
    >>> ns.plots.plot_generalisation(accuracy, ns.plots.new_figure().subplots()).get_xlabel()
    'tested at (ms)'
    """
    others = [str(d) for d in accuracy.dims if d != "time"]
    if len(others) != 1 or "time" not in accuracy.coords:
        raise InputError(f"plot_generalisation: (time, time_test) asked, with times, found dims {accuracy.dims}.")
    (tested,) = others
    if tested not in accuracy.coords and accuracy.sizes[tested] != accuracy.sizes["time"]:
        raise InputError(f"plot_generalisation: {tested} has no times; assign them, in s.")
    ax = axes_or_new(ax, 3.6, 3.2)
    down = edges(accuracy["time"].values * 1e3)
    across = edges(accuracy[tested].values * 1e3) if tested in accuracy.coords else down
    image = cells(ax, accuracy.transpose("time", tested).values, across, down, "viridis", (chance, 1))
    ax.set_aspect("equal")
    colour_bar(image, ax, label)
    for times, draw in ((across, ax.axvline), (down, ax.axhline)):
        if times[0] < 0 < times[-1]:
            draw(0, color="white", lw=0.6)
    ax.set(xlabel="tested at (ms)", ylabel="trained at (ms)", title=title)
    return ax
