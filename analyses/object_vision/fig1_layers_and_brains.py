"""Figure 1 of the 92 objects: the score of every layer of every subject with four recordings of visual cortex.

Run: python analyses/object_vision/fig1_layers_and_brains.py [folder] [--redraw]
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import PAGE, PALETTE, Axes, Figure, figure_bytes, house_style, new_figure, write_below

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

BRAINS = {
    "human_IT": "human IT\n4 people",
    "monkey_IT": "monkey IT\n2 animals, one RDM",
    "fmri_EVC": "early visual cortex\n15 people",
    "fmri_IT": "IT, fMRI\n15 people",
}
SUBJECTS = {
    "efficientnet": "EfficientNet-Lite0",
    "untrained": "the same, untrained",
    "cnn": "CNN, CIFAR-10",
    "spiking_cnn": "spiking CNN, CIFAR-10",
    "gabor_adex": "Gabor-AdEx circuit",
}
POPULATIONS = {"excitatory": "exc.", "inhibitory": "inh."}
FILE = "fig1_layers_and_brains"
NUMBERS = "layers (score, low, high)"
DEPTH = ("stem", "block", "conv", "hidden", "pool", "readout", *POPULATIONS)  # how layers are ordered, by their names


def compute(results: Path) -> xr.Dataset:
    """Gather scores, intervals and ceilings along ``brain`` and ``model``."""
    parts = [storage.read_dataset(results / "results" / f"rsa_{b}" / "scores.nc") for b in BRAINS]
    kept = [p[[v for v in ("score", "interval", "ceiling") if v in p]] for p in parts]
    named = [p.expand_dims(brain=[b]) for b, p in zip(BRAINS, kept, strict=True)]
    joined = xr.merge([p.drop_vars("group", errors="ignore") for p in named], join="outer", compat="no_conflicts")
    joined = joined.sel(brain=list(BRAINS), model=parts[0]["model"].values)
    joined["group"] = ("model", parts[0]["group"].values.astype(str))
    return joined.assign_attrs(method=parts[0].attrs["method"])


def table(numbers: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes: a score a layer and recording, its interval, and the ceilings."""
    rounded = numbers[["score", "interval", "ceiling", "group"]]
    rounded = rounded.assign({k: rounded[k].round(3) for k in ("score", "interval", "ceiling")})
    return {
        brain: {
            "ceiling": one["ceiling"].values.tolist() if np.isfinite(one["ceiling"]).all() else "one RDM",
            NUMBERS: {
                str(m): [float(one["score"].sel(model=m)), *one["interval"].sel(model=m).values.tolist()]
                for m in one["model"].values
            },
            "best": {
                subject: str(own["model"].values[int(np.argmax(own["score"].values))])
                for subject in SUBJECTS
                for own in [one.isel(model=np.flatnonzero(one["group"].values.astype(str) == subject))]
            },
        }
        for brain in BRAINS
        for one in [rounded.sel(brain=brain)]
    }


def restored(content: dict[str, Any]) -> xr.Dataset:
    """Return what is drawn from the numbers that a text quotes, whose layers are in the order of their names."""

    def deep(model: str) -> tuple[int, int, str]:
        subject, _, layer = model.partition("/")
        return list(SUBJECTS).index(subject), next(i for i, kind in enumerate(DEPTH) if layer.startswith(kind)), layer

    models = sorted(content["human_IT"][NUMBERS], key=deep)
    rows = np.array([[content[brain][NUMBERS][model] for model in models] for brain in BRAINS])
    ceilings = [own if isinstance(own := content[brain]["ceiling"], list) else [np.nan] * 2 for brain in BRAINS]
    return xr.Dataset(
        {
            "score": (("brain", "model"), rows[..., 0]),
            "interval": (("brain", "model", "bound"), rows[..., 1:]),
            "ceiling": (("brain", "side"), ceilings),
            "group": ("model", [model.partition("/")[0] for model in models]),
        },
        {"brain": list(BRAINS), "model": models},
    )


def draw(numbers: xr.Dataset) -> Figure:
    """Draw a row a recording and a column a subject: scores with intervals, and the noise ceiling where it is known."""
    figure = new_figure(PAGE, 5.6)
    axes = figure.subplots(len(BRAINS), len(SUBJECTS), sharey="row", sharex="col")
    groups = numbers["group"].values.astype(str)
    for row, (brain, title) in zip(axes, BRAINS.items(), strict=True):
        for ax, subject, colour in zip(row, SUBJECTS, PALETTE, strict=False):
            _panel(ax, numbers.sel(brain=brain).isel(model=np.flatnonzero(groups == subject)), colour)
        row[0].set_ylabel(f"{title}\nSpearman's rho", fontsize=6.5)
    for letter, row in zip("ABCD", axes, strict=True):
        row[0].set_title(letter, fontsize=8)
    for ax, title in zip(axes[0], SUBJECTS.values(), strict=True):
        ax.set_title(title, loc="center", fontsize=7, fontweight="normal")
    for ax in axes[-1, :-1]:
        ax.set_xlabel("depth", fontsize=6.5)
    write_below(
        figure,
        "92 objects. Bands and bars: 95 % intervals for new people and objects, in B for new objects. Gray: "
        "noise ceiling, which one RDM does not have. Networks of CIFAR-10 see 32 x 32 pixels. The circuit, of "
        "Gabor filters and adaptive exponential neurons, was not trained; its populations have no depth.",
    )
    return figure


def _panel(ax: Axes, one: xr.Dataset, colour: str) -> None:
    """Draw the layers of one subject over their depth, or the populations of a circuit beside each other."""
    score, interval = one["score"].values, one["interval"].values
    layers = [str(m).partition("/")[2] for m in one["model"].values]
    if set(layers) <= set(POPULATIONS):
        places = np.arange(len(layers))
        ax.errorbar(places, score, np.abs(interval.T - score), fmt="o", color=colour, markersize=3, linewidth=0.9)
        ax.set(xticks=places, xticklabels=[POPULATIONS[name] for name in layers], xlim=(-0.7, len(layers) - 0.3))
    else:
        depth = np.linspace(0, 1, len(layers))
        ax.fill_between(depth, *interval.T, color=colour, alpha=0.2, linewidth=0)
        ax.plot(depth, score, "o-", color=colour, markersize=2, linewidth=1)
        ax.set(xticks=[0, 0.5, 1], xticklabels=["first", "", "last"])
    if np.isfinite(one["ceiling"].values).all():
        ax.axhspan(*one["ceiling"].values, color="0.87", zorder=0, linewidth=0)
    ax.axhline(0, color="black", linewidth=0.5)
    ax.tick_params(labelsize=6)


def redraw(folder: Path) -> None:
    """Draw the numbers that are kept."""
    with house_style():
        figure = draw(restored(storage.read_json(folder / f"{FILE}.json")))
        storage.write_bytes(folder / f"{FILE}.png", figure_bytes(figure)["png"])


def main(results: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    folder = results.with_name(f"{results.name}_paper")
    numbers = compute(results)
    storage.write_dataset(folder / f"{FILE}.nc", numbers)
    with house_style():
        figure = draw(storage.read_dataset(folder / f"{FILE}.nc"))
        for ending, content in figure_bytes(figure).items():
            storage.write_bytes(folder / f"{FILE}.{ending}", content)
    storage.write_json(folder / f"{FILE}.json", table(numbers))
    print(folder / f"{FILE}.svg")


if __name__ == "__main__":
    with called(__doc__) as given:
        if given.redraw:
            redraw(given.folder(Path(__file__).parent))
        else:
            main(given.folder("results/object_vision"))
