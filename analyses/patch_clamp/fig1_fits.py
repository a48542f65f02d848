"""Figure 1 of patch clamp: neurons fitted to current clamp, and how well they predict repeats that they never saw.

Four dorsal raphe neurons (drn_patch_clamp): electrode, capacitance and input resistance from noise below threshold
against those of the experimenter; three kinds of neurons fitted to a minute of fluctuating current; coincidence (Md*)
with ten repeats of another current. Above, step currents into a cell of the hippocampus, from an NWB file (bbp_steps).

Run: NEUROSIM_DATA=... python analyses/patch_clamp/fig1_fits.py results/patch_clamp
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
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.plots.recordings import plot_sweeps
from neurosim.recordings.datasets import load_dataset
from neurosim.responses.spike_matching import coincidence
from neurosim.schema import as_sweeps

SHOWN, SPAN = "DRN164", (2.0, 3.5)
N_TRIALS = 40
TOLERANCES = (4e-3, 8e-3)
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
    figure = new_figure(8.5, 6.0)
    axes = figure.subplots(2, 2)
    steps = as_sweeps(
        results.current.values,
        results.voltage.values,
        time_step=results.attrs["nwb_time_step"],
        sweeps=results.sweep.values,
    )
    kept = np.flatnonzero(results.current.values.max(1) > 1e-10)[::2]
    plot_sweeps(steps.isel(sweep=kept), axes[0, 0], title="steps into a hippocampal neuron (NWB)")
    for q, (scale, unit, marker) in enumerate(((1e12, "pF", "o"), (1e-6, "MOhm", "s"))):
        row = results.passive.isel(property=q).values * scale
        axes[0, 1].errorbar(row[:, 2], row[:, 0], 1.96 * row[:, 1], ls="", marker=marker, color=PALETTE[q], label=unit)
    span = np.array([20, 1200])
    axes[0, 1].fill_between(span, 0.75 * span, 1.25 * span, color="0.92", label="25 %")
    axes[0, 1].plot(span, span, color="0.6", lw=0.6)
    axes[0, 1].set(xscale="log", yscale="log", xlabel="experimenter", ylabel="from noise below threshold")
    axes[0, 1].set_title("capacitance and input resistance")
    axes[0, 1].legend(fontsize=6)
    time = SPAN[0] + np.arange(results.sizes["time"]) * results.attrs["time_step"]
    for rows, start, colour, label in (
        (results.observed, 0, "black", "recorded"),
        (results.predicted, 11, PALETTE[1], "GIF"),
    ):
        trial, at = np.nonzero(rows.values)
        axes[1, 0].scatter(time[at], trial + start, marker="|", s=14, lw=0.8, color=colour, label=label)
    axes[1, 0].set(xlabel="time (s)", ylabel="repeat", title=f"{SHOWN}, a current it was not fitted to")
    axes[1, 0].legend(loc="upper right", fontsize=6)
    place = np.arange(results.sizes["cell"])
    for k, kind in enumerate(results.neuron.values):
        value = results.md_star.sel(neuron=kind, window=TOLERANCES[1]).values
        reach = np.abs(value[:, 1:] - value[:, :1]).T
        axes[1, 1].bar(place + 0.26 * (k - 1), value[:, 0], 0.24, color=PALETTE[k], label=str(kind).upper())
        axes[1, 1].errorbar(place + 0.26 * (k - 1), value[:, 0], reach, ls="", color="0.25", lw=0.8)
    axes[1, 1].axhline(0.6, color="0.6", lw=0.6, ls="--")
    axes[1, 1].set_xticks(place, results.cell.values)
    axes[1, 1].set(ylabel="Md* (8 ms)", ylim=(0, 1), title="held-back repeats")
    axes[1, 1].legend(fontsize=6, ncols=3)
    return figure


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


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    found = compute(load_dataset("drn_patch_clamp").sweeps, load_dataset("bbp_steps").sweeps)
    storage.write_dataset(folder / "fig1_fits.nc", found)
    gathered = storage.read_dataset(folder / "fig1_fits.nc")
    storage.write_json(folder / "fig1_fits.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig1_fits.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig1_fits.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/patch_clamp"))
