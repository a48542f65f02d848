"""Figure 1 of patch clamp: neurons fitted to current clamp, and how well they predict repeats that they never saw.

Four dorsal raphe neurons (drn_patch_clamp): electrode, capacitance and input resistance from noise below threshold
against those of the experimenter; three kinds of neurons fitted to a minute of fluctuating current; coincidence (Md*)
with ten repeats of another current. Above, step currents into a cell of the hippocampus, from an NWB file (bbp_steps).

Run: NEUROSIM_DATA=... python analyses/patch_clamp/fig1_fits.py [folder] [--redraw]
(more than three minutes on two busy cores)
"""

import json
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.biophysics.fitting.detection import detect_spikes
from neurosim.biophysics.fitting.electrode import compensate, estimate_electrode
from neurosim.biophysics.fitting.neuron import FITS, fit_neuron, predict_spikes
from neurosim.parameters import as_dict
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Axes,
    Figure,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
    write_below,
)
from neurosim.plots.recordings import plot_sweeps
from neurosim.recordings.datasets import load_dataset
from neurosim.responses.spike_matching import coincidence
from neurosim.schema import as_sweeps

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SHOWN, SPAN = "DRN164", (2.0, 3.5)
N_TRIALS = 40
TOLERANCES = (4e-3, 8e-3)
STEPS_APART = 0.12  # V
NAMES = {"gif": "GIF", "adex": "AdEx", "lif": "LIF"}
CAPTION = (
    "A: three sweeps of one neuron; the zero of the NWB file is not the neuron's, so that none is drawn. B to D: four "
    "dorsal raphe neurons, fitted to a minute of current; Md*: spikes that coincide with those of ten repeats of "
    "another current, 1 where as many as repeats do (GIF: 40 draws, ten in C). LIF is a limit of AdEx: where it "
    "predicts better, AdEx was fitted to what does not repeat."
)
STEP_COUNTS = {("B95", "107"): 9, ("B6", "184"): 82, ("B8", "148"): 75}


def compute(sweeps: dict[str, xr.Dataset], steps: dict[str, xr.Dataset]) -> xr.Dataset:
    """Fit every neuron to every cell and test it on the repeats."""
    cells = sorted({name.removesuffix("_aec") for name in sweeps if name.endswith("_aec")})
    passive, scores = np.full((len(cells), 2, 3), np.nan), np.full((len(cells), len(FITS), len(TOLERANCES), 3), np.nan)
    reliability, found = np.full((len(cells), len(TOLERANCES)), np.nan), {}
    for c, cell in enumerate(cells):
        electrode = estimate_electrode(sweeps[f"{cell}_aec"])
        for q, name in enumerate(("capacitance", "input_resistance")):
            told = sweeps[f"{cell}_aec"].attrs.get(name, np.nan)
            passive[c, q] = getattr(electrode, name), electrode.standard_error[name], told
        test = compensate(sweeps[f"{cell}_test"], electrode)
        observed = detect_spikes(test)
        for k, kind in enumerate(FITS):
            fitted = fit_neuron(sweeps[f"{cell}_training"], kind, electrode=electrode)
            predicted = predict_spikes(fitted, test, trials=N_TRIALS if kind == "gif" else 1, engine="brian2")
            for t, tolerance in enumerate(TOLERANCES):
                score = coincidence(observed, predicted, tolerance=tolerance)
                scores[c, k, t] = float(score.md_star[0]), *score.interval.values[0]
                reliability[c, t] = float(score.reliability[0])
            if kind == "gif":
                found[f"gif_{cell}"] = json.dumps(as_dict(fitted.parameters))
                if cell == SHOWN:
                    rasters = (observed.values[0, ..., 0], predicted.values[0, ..., 0])
    inside = slice(*(round(s / observed.attrs["time_step"]) for s in SPAN))
    nwb = steps["99111002"]
    counts = [
        int(detect_spikes(steps[c].sel(sweep=[s]), threshold=-20e-3, dead_time=1e-3).sum()) for c, s in STEP_COUNTS
    ]
    return xr.Dataset(
        {
            "passive": (("cell", "property", "what"), passive),
            "md_star": (("cell", "neuron", "window", "value"), scores),
            "reliability": (("cell", "window"), reliability),
            "observed": (("trial", "time"), rasters[0][:, inside].astype(np.uint8)),
            "predicted": (("draw", "time"), rasters[1][:10, inside].astype(np.uint8)),
            "current": (("sweep", "step_time"), nwb["current"].values),
            "voltage": (("sweep", "step_time"), nwb["voltage"].values),
            "counts": ("counted", counts),
        },
        coords={
            "cell": cells,
            "property": ["capacitance", "input_resistance"],
            "what": ["found", "standard_error", "experimenter"],
            "neuron": list(FITS),
            "window": list(TOLERANCES),
            "value": ["md_star", "low", "high"],
            "sweep": nwb["sweep"].values,
            "counted": [f"{c} sweep {s}" for c, s in STEP_COUNTS],
        },
        attrs=found | {"nwb_time_step": nwb.attrs["time_step"], "time_step": observed.attrs["time_step"]},
    )


def draw(results: xr.Dataset) -> Figure:
    """Draw sweeps, passive properties, rasters of one cell, and Md* of all."""
    figure = new_figure(PAGE, 5.6)
    axes = figure.subplots(2, 2)
    _steps(axes[0, 0], results)
    _passive(axes[0, 1], results)
    _rasters(axes[1, 0], results)
    _scores(axes[1, 1], results)
    letter_panels(axes.ravel(), 7)
    write_below(figure, CAPTION)
    return figure


def _steps(ax: Axes, results: xr.Dataset) -> None:
    """Draw the membrane under steps of current as it is written in the file, one sweep above the other."""
    steps = as_sweeps(
        results.current.values,
        results.voltage.values,
        time_step=results.attrs["nwb_time_step"],
        sweeps=results.sweep.values,
    )
    kept = np.flatnonzero(results.current.values.max(1) > 1e-10)[::2]
    plot_sweeps(steps.isel(sweep=kept), ax, spacing=STEPS_APART, title="steps into a hippocampal neuron")
    ax.get_legend().remove()
    for line, strength in zip(ax.lines, np.sort(results.current.values[kept].max(1)), strict=True):
        ax.text(1.02, line.get_ydata()[-1], f"{strength * 1e12:.0f} pA", color=line.get_color(), fontsize=6,
                va="center", transform=ax.get_yaxis_transform())  # fmt: skip
    low = ax.get_ylim()[0]
    ax.plot([-25, -25], [low + 20, low + 70], color="black", lw=1.5, solid_capstyle="butt")
    ax.text(-35, low + 45, "50 mV", fontsize=6, rotation=90, ha="right", va="center")
    ax.set(ylabel="membrane", yticks=[], ylim=(low, None))
    ax.spines["left"].set_visible(False)


def _passive(ax: Axes, results: xr.Dataset) -> None:
    """Draw capacitance and resistance found against those of the experimenter."""
    names = (("capacitance (pF)", 1e12, "o", (90, 35)), ("resistance (M\u03a9)", 1e-6, "s", (480, 1100)))
    for q, (name, scale, marker, place) in enumerate(names):
        row = results.passive.isel(property=q).values * scale
        ax.errorbar(row[:, 2], row[:, 0], 1.96 * row[:, 1], ls="", marker=marker, ms=4, color=PALETTE[q])
        ax.text(*place, name, color=PALETTE[q], fontsize=6, ha="left" if q == 0 else "right")
    span = np.array([20, 1200])
    ax.fill_between(span, 0.75 * span, 1.25 * span, color="0.92", lw=0, zorder=0)
    ax.text(24, 19, "\u00b1 25 %", fontsize=6, color="0.4")
    ax.plot(span, span, color="0.6", lw=0.6)
    ax.set(xscale="log", yscale="log", xlabel="experimenter", ylabel="from noise below threshold (95 %)")
    ax.set_title(f"passive properties ({results.sizes['cell']} cells)")


def _rasters(ax: Axes, results: xr.Dataset) -> None:
    """Draw the repeats of one cell below, draws of its GIF neuron above."""
    time = SPAN[0] + np.arange(results.sizes["time"]) * results.attrs["time_step"]
    n = results.sizes["trial"]
    for rows, start, colour in ((results.observed, 0, "black"), (results.predicted, n + 1, PALETTE[0])):
        trial, at = np.nonzero(rows.values)
        ax.scatter(time[at], trial + start, marker="|", s=10, lw=0.7, color=colour)
    ax.set_yticks([(n - 1) / 2, n + 1 + (results.sizes["draw"] - 1) / 2], ["recorded", "GIF"])
    ax.set(xlabel="time (s)", title=f"{SHOWN}: a current not fitted to")


def _scores(ax: Axes, results: xr.Dataset) -> None:
    """Draw Md* of every neuron in every cell, with its interval."""
    place = np.arange(results.sizes["cell"])
    for k, kind in enumerate(results.neuron.values):
        value = results.md_star.sel(neuron=kind, window=TOLERANCES[1]).values
        reach = np.abs(value[:, 1:] - value[:, :1]).T
        ax.bar(place + 0.26 * (k - 1), value[:, 0], 0.24, color=PALETTE[k])
        ax.errorbar(place + 0.26 * (k - 1), value[:, 0], reach, ls="", color="0.25", lw=0.8)
        ax.text(
            0.02 + 0.12 * k, 1.0, NAMES[str(kind)], color=PALETTE[k], fontsize=6.5, va="top", transform=ax.transAxes
        )
    ax.axhline(1, color="0.35", lw=0.9, ls="--")
    ax.text(0.98, 0.985, "as alike as the repeats", fontsize=6, color="0.35", ha="right", va="top",
            transform=ax.get_yaxis_transform())  # fmt: skip
    ax.set_xticks(place, results.cell.values)
    window = 1e3 * TOLERANCES[1]
    ax.set(ylabel=f"coincidence Md* within {window:g} ms (95 %)", ylim=(0, 1.1), title="repeats held back")


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    cells: dict[str, dict[str, object]] = {}
    for cell in results.cell.values:
        one = results.sel(cell=cell)
        units = {"capacitance": ("pF", 1e12), "input_resistance": ("MOhm", 1e-6)}
        row: dict[str, object] = {
            f"{p} ({unit}: found, standard error, experimenter)": [
                round(float(v) * s, 1) for v in one.passive.sel(property=p)
            ]
            for p, (unit, s) in units.items()
        }
        row["reliability"] = {f"{1e3 * t:g} ms": round(float(one.reliability.sel(window=t)), 3) for t in TOLERANCES}
        row["md_star (low, high)"] = {
            f"{kind} {1e3 * t:g} ms": [round(float(v), 3) for v in one.md_star.sel(neuron=kind, window=t)]
            for kind in results.neuron.values
            for t in TOLERANCES
        }
        cells[str(cell)] = row
    counts = dict(zip(results.counted.values.tolist(), results.counts.values.tolist(), strict=True))
    return {"cells": cells, "spikes of step currents": counts}


def main(folder: Path, *, redraw: bool) -> None:
    """Compute (or, with `--redraw`, take what is kept in the folder), keep the numbers, and draw from them."""
    if not redraw:
        found = compute(load_dataset("drn_patch_clamp").sweeps, load_dataset("bbp_steps").sweeps)
        storage.write_dataset(folder / "fig1_fits.nc", found)
    gathered = storage.read_dataset(folder / "fig1_fits.nc")
    storage.write_json(folder / "fig1_fits.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig1_fits.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig1_fits.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder("results/patch_clamp"), redraw=given.redraw)
