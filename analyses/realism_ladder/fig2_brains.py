"""Figure 2 of the realism ladder: how near every rung of a trained spiking network is to the brain.

The scores of every layer on every rung with four recordings of the 92 objects, and the accuracy on CIFAR-10.

Run: python analyses/realism_ladder/fig2_brains.py [folder] [--redraw]
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Figure,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
    write_below,
)

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

BRAINS = {
    "human_IT_group": "human IT\n4 people, one RDM",
    "monkey_IT": "monkey IT\n2 animals, one RDM",
    "fmri_EVC": "early visual cortex\n15 people",
    "fmri_IT": "IT, fMRI\n15 people",
}
RUNGS = ("network", "exact", "conductance", "refractory", "adex", "hodgkin_huxley")
LAYERS = ("conv1", "conv2")


def compute(results: Path) -> xr.Dataset:
    """Gather scores and intervals along ``brain``, ``rung`` and ``layer``, and the accuracy of every rung."""
    names = [f"{rung}/{layer}" for rung in RUNGS for layer in LAYERS]
    shape = (len(BRAINS), len(RUNGS), len(LAYERS))
    score, interval = np.full(shape, np.nan), np.full((*shape, 2), np.nan)
    ceiling = np.full((len(BRAINS), 2), np.nan)
    for i, brain in enumerate(BRAINS):
        table = storage.read_dataset(results / "results" / f"rsa_{brain}" / "scores.nc")
        place = [names.index(m) for m in table["model"].values.astype(str) if m in names]
        own = np.isin(table["model"].values.astype(str), names)
        score[i].reshape(-1)[place] = table["score"].values[own]
        if "interval" in table:
            interval[i].reshape(-1, 2)[place] = table["interval"].transpose("model", ...).values[own]
        if "ceiling" in table:
            ceiling[i] = table["ceiling"].values
    numbers = storage.read_json(results / "numbers.json")
    same = numbers["accuracy_of_network_on_the_same_spikes"]["exact"]
    accuracy = numbers["accuracy"] | {"network": same}
    dims = ("brain", "rung", "layer")
    return xr.Dataset(
        {
            "score": (dims, score),
            "interval": ((*dims, "bound"), interval),
            "ceiling": (("brain", "bound"), ceiling),
            "accuracy": ("rung", [float(accuracy[r]) for r in RUNGS]),
        },
        coords={"brain": list(BRAINS), "rung": list(RUNGS), "layer": list(LAYERS)},
    )


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    scores: dict[str, dict[str, dict[str, list[float]]]] = {}
    for brain in BRAINS:
        for layer in LAYERS:
            for rung in RUNGS:
                cell = results.sel(brain=brain, layer=layer, rung=rung)
                numbers = [float(cell.score), *cell.interval.values.tolist()]
                row = scores.setdefault(brain, {}).setdefault(layer, {})
                row[rung] = [round(v, 3) for v in numbers if np.isfinite(v)]
    accuracy = {str(r): round(float(a), 3) for r, a in zip(RUNGS, results.accuracy.values, strict=True)}
    known = results.ceiling.dropna("brain")
    ceilings = {str(b): known.sel(brain=b).round(3).values.tolist() for b in known["brain"].values}
    return {"columns": ["score", "low", "high"], "scores": scores, "accuracy": accuracy, "ceilings": ceilings}


def draw(content: dict[str, Any]) -> Figure:
    """Draw a row a recording and a column a layer: the score on every rung, its interval, and the ceiling if known."""
    figure = new_figure(PAGE, 5.4)
    axes = figure.subplots(len(BRAINS), len(LAYERS), sharex=True, sharey="row")
    place = np.arange(len(RUNGS))
    for row, (brain, title) in zip(axes, BRAINS.items(), strict=True):
        for ax, layer, colour in zip(row, LAYERS, PALETTE, strict=False):
            score, low, high = np.array([content["scores"][brain][layer][rung] for rung in RUNGS]).T
            if brain in content["ceilings"]:
                ax.axhspan(*content["ceilings"][brain], color="0.87", zorder=0, linewidth=0)
            ax.axhline(score[0], color=colour, linewidth=0.6, linestyle=":")
            ax.errorbar(place, score, (score - low, high - score), fmt="o", color=colour, markersize=3, linewidth=0.9)
            ax.axhline(0, color="black", linewidth=0.5)
            ax.tick_params(labelsize=6)
        row[0].set_ylabel(f"{title}\nSpearman's rho", fontsize=6.5)
    letter_panels([row[0] for row in axes])
    for ax, layer in zip(axes[0], LAYERS, strict=True):
        ax.set_title(f"{layer} of a spiking CNN of 12 and 24 maps", loc="center", fontsize=7, fontweight="normal")
    short = {"adex": "AdEx", "hodgkin_huxley": "HH"}
    names = [f"{short.get(r, r)}\n{content['accuracy'][r]:.0%}" for r in RUNGS]
    for ax in axes[-1]:
        ax.set_xticks(place, names, fontsize=5.5)
    write_below(
        figure,
        "Rung, and accuracy on CIFAR-10 of its circuit (HH: Hodgkin-Huxley). Bars: 95 % intervals for new "
        "people and new ones of the 92 objects, in A and B for new objects; dotted: the network itself; gray: "
        "noise ceiling, which one RDM does not have.",
    )
    return figure


def main(results: Path, *, redraw: bool) -> None:
    """Compute (or, with `--redraw`, take those of the folder), keep the numbers, and draw from them."""
    if redraw:
        folder = results
        content = storage.read_json(folder / "fig2_brains.json")
    else:
        folder = results.with_name(f"{results.name}_paper")
        content = table(compute(results))
        storage.write_json(folder / "fig2_brains.json", content)
    with house_style():
        storage.write_bytes(folder / "fig2_brains.png", figure_bytes(draw(content))["png"])
    print(folder / "fig2_brains.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent if given.redraw else "results/realism_ladder"), redraw=given.redraw)
