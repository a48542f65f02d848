"""Figure 2 of the realism ladder: how near every rung of a trained spiking network is to the brain.

The scores of every layer on every rung with four recordings of the 92 objects, and the accuracy on CIFAR-10.

Run: python analyses/realism_ladder/fig2_brains.py results/realism_ladder
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure

BRAINS = {
    "human_IT_group": "human IT, group RDM",
    "monkey_IT": "monkey IT",
    "fmri_EVC": "early visual cortex, 15 subjects",
    "fmri_IT": "IT, 15 subjects",
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


def draw(results: xr.Dataset) -> Figure:
    """Draw one panel a brain: score against rung, one line a layer."""
    figure = new_figure(8.5, 5.0)
    place = np.arange(len(RUNGS))
    axes = figure.subplots(2, 2, sharex=True)
    for ax, (brain, title) in zip(axes.ravel(), BRAINS.items(), strict=True):
        one = results.sel(brain=brain)
        if np.isfinite(one.ceiling.values).all():
            ax.axhspan(*one.ceiling.values, color="0.92", zorder=0, label="noise ceiling")
        for k, layer in enumerate(LAYERS):
            row = one.sel(layer=layer)
            reach = np.nan_to_num(np.abs(row.interval.values.T - row.score.values))
            ax.errorbar(
                place + 0.08 * k, row.score, reach, color=PALETTE[k], marker="o", ms=4, capsize=1.5, label=layer
            )
        ax.set(title=title, ylabel="Spearman correlation")
        ax.axhline(0, color="0.6", lw=0.6)
    labels = [f"{r.replace('_', '-')}\n{a:.0%}" for r, a in zip(RUNGS, results.accuracy.values, strict=True)]
    for ax in axes[1]:
        ax.set_xticks(place, labels, fontsize=6)
        ax.set_xlabel("rung, and accuracy on CIFAR-10")
    axes[0, 0].legend(fontsize=6)
    return figure


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
    return {"columns": ["score", "low", "high"], "scores": scores, "accuracy": accuracy}


def main(results: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    folder = results.with_name(f"{results.name}_paper")
    storage.write_dataset(folder / "fig2_brains.nc", compute(results))
    gathered = storage.read_dataset(folder / "fig2_brains.nc")
    storage.write_json(folder / "fig2_brains.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig2_brains.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig2_brains.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/realism_ladder"))
