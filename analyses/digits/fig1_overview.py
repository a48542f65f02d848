"""Figure 1 of the digits study: the exact twin, all subjects against the early and the late area, and their geometry.

Run: python analyses/digits/fig1_overview.py [folder]
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import PAGE, Axes, Figure, figure_bytes, house_style, letter_panels, new_figure, write_below
from neurosim.plots.pictures import plot_raster
from neurosim.plots.plane import plot_arrangement
from neurosim.plots.scores import plot_scores

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

BRAINS = {"early": "early area (synthetic)", "late": "late area (synthetic)"}
UNORDERED = ("brain", "gabor_adex")  # areas, and populations of a circuit
SUBJECTS = {
    "cnn": "CNN",
    "rnn": "rate RNN",
    "spiking_cnn": "spiking CNN",
    "spiking_mlp": "spiking MLP",
    "gabor_adex": "Gabor-AdEx",
    "twin": "exact twin",
    "conductance": "with biology",
}


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
    about = {name: int(scores.attrs[name]) for name in ("n_subjects", "n_stimuli")}
    return xr.Dataset(
        parts, attrs={"method": scores.attrs["method"], "stress": float(relations.attrs["stress"])} | about
    )


def draw(numbers: xr.Dataset) -> Figure:
    """Draw the figure."""
    figure = new_figure(PAGE, 5.2)
    grid = figure.add_gridspec(2, 3, width_ratios=(0.85, 1.0, 1.0))
    raster = figure.add_subplot(grid[:, 0])
    _draw_spikes(numbers, raster)
    for column, (brain, title) in enumerate(BRAINS.items()):
        ax = figure.add_subplot(grid[0, column + 1])
        _draw_scores(numbers, ax, brain)
        ax.set_title(title)
    below = figure.add_subplot(grid[1, 1:])
    _draw_agreement(numbers, below)
    letter_panels(figure.axes, 8)
    about = numbers.attrs
    write_below(
        figure,
        f"A: a spiking MLP in torch and its exact twin in Brian2, one digit. B, C: {about['n_subjects']} "
        f"simulated subjects, {about['n_stimuli']} digits; bars: 95 % intervals for new subjects and digits, "
        "dots: above 0 after Holm's correction. With biology: the twin with conductances, refractory period "
        f"and delays. D: multidimensional scaling (stress {about['stress']:.2f}); lines join layers in order.",
    )
    return figure


def _draw_spikes(numbers: xr.Dataset, ax: Axes) -> None:
    """Draw the spikes of the network and of its circuit, and say how many differ."""
    plot_raster(
        *(numbers[n].rename(shown="stimulus") for n in ("expected", "responses")), ax, labels=("torch", "Brian2")
    )
    n, differing = (int(v.sum()) for v in (numbers["expected"], numbers["expected"] != numbers["responses"]))
    ax.set_title(f"{differing} of {n} spikes differ")
    ax.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.07), ncols=2, columnspacing=1, handletextpad=0.2)


def _draw_scores(numbers: xr.Dataset, ax: Axes, brain: str) -> None:
    """Draw the score of every layer with an area."""
    names = {f"{brain}_{v}": v for v in ("score", "interval", "p_zero_corrected", "ceiling")}
    groups = [str(g) for g in numbers["group"].values]
    layers = [str(m).partition("/")[2] for m in numbers["model"].values]
    titles = [f"{SUBJECTS[g]}, {layer}" for g, layer in zip(groups, layers, strict=True)]
    result = numbers[list(names)].rename(names).assign_coords(model=titles).assign_attrs(method=numbers.attrs["method"])
    plot_scores(result, ax, groups=groups)
    ax.set_ylabel("Spearman's rho of RDMs")


def _draw_agreement(numbers: xr.Dataset, ax: Axes) -> None:
    """Draw all subjects and areas in the plane."""
    groups = [str(g) for g in numbers["points_group"].values]
    points, titles = numbers["points"].rename(everyone="model"), SUBJECTS | {"brain": "brain areas"}
    joined = {titles[g] for g in groups if g not in UNORDERED}
    plot_arrangement(points, ax, groups=[titles[g] for g in groups], connect=joined)
    ax.set_title("near when their RDMs agree")


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
    with called(__doc__) as given:
        main(given.folder("results/digits"))
