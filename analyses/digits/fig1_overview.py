"""Figure 1 of the digits study: the exact twin, all subjects against the early and the late area, and their geometry.

Run: python analyses/digits/fig1_overview.py results/digits
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import PAGE, Figure, figure_bytes, house_style, letter_panels, new_figure
from neurosim.plots.pictures import plot_raster
from neurosim.plots.plane import plot_arrangement
from neurosim.plots.scores import plot_scores

BRAINS = {"early": "early area (synthetic)", "late": "late area (synthetic)"}
UNORDERED = ("brain", "gabor_adex")  # areas, and populations of a circuit


def compute(results: Path) -> xr.Dataset:
    """Gather what the figure shows from a results folder into one Dataset."""
    parts = {}
    for name, step in (("expected", "translate_twin"), ("responses", "simulate_twin")):
        spikes = storage.read_array(results / "results" / step / f"{name}.nc").isel(stimulus=[0])
        parts[name] = spikes.rename(stimulus="shown").drop_vars("category", errors="ignore")
    for brain in BRAINS:
        scores = storage.read_dataset(results / "results" / f"rsa_{brain}" / "scores.nc")
        for variable in ("score", "interval", "p_zero_corrected", "ceiling"):
            parts[f"{brain}_{variable}"] = scores[variable].drop_vars("group", errors="ignore")
        parts["group"] = xr.DataArray(scores["group"].values.astype(str), dims="model")
    relations = storage.read_dataset(results / "results" / "relations" / "relations.nc")
    parts["points"] = xr.DataArray(relations["points"].values, dims=("everyone", "axis"))
    parts["points"] = parts["points"].assign_coords(everyone=relations["model"].values.astype(str))
    parts["points_group"] = xr.DataArray(relations["group"].values.astype(str), dims="everyone")
    return xr.Dataset(parts, attrs={"method": scores.attrs["method"], "stress": float(relations.attrs["stress"])})


def draw(numbers: xr.Dataset) -> Figure:
    """Draw the figure."""
    figure = new_figure(PAGE, 5.0)
    grid = figure.add_gridspec(2, 3, width_ratios=(0.85, 1.0, 1.0))
    spikes = [numbers[n].rename(shown="stimulus") for n in ("expected", "responses")]
    raster = figure.add_subplot(grid[:, 0])
    plot_raster(*spikes, raster, labels=("torch", "Brian2"))
    for column, (brain, title) in enumerate(BRAINS.items()):
        names = {f"{brain}_{v}": v for v in ("score", "interval", "p_zero_corrected", "ceiling")}
        result = numbers[list(names)].rename(names).assign_attrs(method=numbers.attrs["method"])
        groups = [str(g) for g in numbers["group"].values]
        plot_scores(result, figure.add_subplot(grid[0, column + 1]), groups=groups, title=title)
    points = numbers["points"].rename(everyone="model")
    below = figure.add_subplot(grid[1, 1:])
    groups = [str(g) for g in numbers["points_group"].values]
    layered = {g for g in groups if g not in UNORDERED}
    plot_arrangement(points, below, groups=groups, connect=layered, stress=numbers.attrs["stress"])
    for place, group, xy in zip(numbers["everyone"].values, groups, points.values, strict=True):
        if group == "brain":
            below.annotate(str(place), xy, (5, 0), textcoords="offset points", fontsize=6, va="center")
    below.set_title("near when their RDMs agree")
    letter_panels(figure.axes)
    return figure


def main(results: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    folder = results.with_name(f"{results.name}_paper")
    storage.write_dataset(folder / "fig1_overview.nc", compute(results))
    with house_style():
        figure = draw(storage.read_dataset(folder / "fig1_overview.nc"))
        for ending, content in figure_bytes(figure).items():
            storage.write_bytes(folder / f"fig1_overview.{ending}", content)
    different = int(np.abs(storage.read_dataset(folder / "fig1_overview.nc")["expected"].values).sum())
    print(f"{folder / 'fig1_overview.svg'}: {different} spikes drawn")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/digits"))
