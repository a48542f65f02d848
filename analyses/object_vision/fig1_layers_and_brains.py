"""Figure 1 of the 92 objects: the score of every layer of every subject with four recordings of visual cortex.

Run: python analyses/object_vision/fig1_layers_and_brains.py results/object_vision
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import Figure, figure_bytes, house_style, new_figure
from neurosim.plots.scores import plot_profiles

BRAINS = {
    "human_IT": "human IT (4 subjects)",
    "monkey_IT": "monkey IT",
    "fmri_EVC": "early visual cortex (15 subjects)",
    "fmri_IT": "IT, fMRI (15 subjects)",
}


def compute(results: Path) -> xr.Dataset:
    """Gather scores, intervals and ceilings along ``brain`` and ``model``."""
    parts = [storage.read_dataset(results / "results" / f"rsa_{b}" / "scores.nc") for b in BRAINS]
    kept = [p[[v for v in ("score", "interval", "ceiling") if v in p]] for p in parts]
    named = [p.expand_dims(brain=[b]) for b, p in zip(BRAINS, kept, strict=True)]
    joined = xr.merge([p.drop_vars("group", errors="ignore") for p in named], join="outer", compat="no_conflicts")
    joined = joined.sel(brain=list(BRAINS), model=parts[0]["model"].values)
    joined["group"] = ("model", parts[0]["group"].values.astype(str))
    return joined.assign_attrs(method=parts[0].attrs["method"])


def draw(numbers: xr.Dataset) -> Figure:
    """Draw the figure."""
    figure = new_figure(8.5, 5.5)
    groups = [str(g) for g in numbers["group"].values]
    for ax, (brain, title) in zip(figure.subplots(2, 2).ravel(), BRAINS.items(), strict=True):
        one = numbers.sel(brain=brain)
        one = one if np.isfinite(one["ceiling"].values).all() else one.drop_vars("ceiling")
        plot_profiles(one, ax, groups=groups, title=title)
        if brain != "monkey_IT":
            ax.get_legend().remove()
    return figure


def main(results: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    folder = results.with_name(f"{results.name}_paper")
    storage.write_dataset(folder / "fig1_layers_and_brains.nc", compute(results))
    with house_style():
        figure = draw(storage.read_dataset(folder / "fig1_layers_and_brains.nc"))
        for ending, content in figure_bytes(figure).items():
            storage.write_bytes(folder / f"fig1_layers_and_brains.{ending}", content)
    print(folder / "fig1_layers_and_brains.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/object_vision"))
