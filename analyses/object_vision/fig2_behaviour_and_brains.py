"""Figure 2 of the 92 objects: layers of EfficientNet-Lite0 against four recordings, and recordings against judgements.

The layers of AlexNet that come with the set were averaged over places and features as a voxel averages neurons. Human
IT of 4 subjects and its group RDM, early visual cortex and IT of 15 (Kriegeskorte 2008, Cichy 2014): every layer with
its interval over subjects and stimuli and the ceiling of the subjects; the dissimilarities that 16 people judged (Mur
2013) against all of them. The published numbers are computed again from the files.

Run: NEUROSIM_DATA=... python analyses/object_vision/fig2_behaviour_and_brains.py [folder] [--redraw]
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from neurosim import storage
from neurosim.networks import EfficientNetLite0Specification
from neurosim.networks.architecture import build_network
from neurosim.networks.naming import layer_labels
from neurosim.networks.recording import iterate_layers
from neurosim.plots.canvas import PAGE, PALETTE, Axes, Figure, figure_bytes, house_style, new_figure, write_below
from neurosim.recordings.datasets import load_dataset
from neurosim.schema import as_rdm
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import resize_images

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

BRAINS = {
    "human_IT_group": "human IT, one RDM",
    "human_IT": "human IT, 4 people",
    "EVC": "EVC, 15 people",
    "IT": "fMRI IT, 15 people",
}
LAYERS, JUDGED = "layers (score, low, high, corrected p)", "judged dissimilarity (score, low, high, corrected p)"
AVERAGED, JUDGES = "AlexNet averaged as voxels do (score, low, high)", "ceiling of the judgements"
RECORDED = 4  # of the sources of judgements, the others are layers
DEFAULT = Path("results/object_vision_behaviour")
EARLY, LATE = "block02", "block14"
VOXELS, VOXELS_EARLY, VOXELS_LATE = ("smooth3rpwavgFeat", "rpwavgFeat"), "conv2", "fc6"


def compute() -> xr.Dataset:
    """Score layers against recordings and recordings against judgements."""
    kriegeskorte, cichy = load_dataset("kriegeskorte2008"), load_dataset("cichy2014_92")
    layers = layer_rdms(cichy.stimuli)
    data = {k: kriegeskorte.rdms[k] for k in ("human_IT_group", "human_IT")} | {k: cichy.rdms[k] for k in ("EVC", "IT")}
    names, parts = list(layers), []
    for rdm in data.values():
        resample = ("subject", "stimulus") if "subject" in rdm.dims else ("stimulus",)
        parts.append(infer(layers, rdm, method="spearman", resample=resample))
    shape = (len(BRAINS), len(names))
    ceiling = np.array([p.ceiling.values if "ceiling" in p else [np.nan] * 2 for p in parts])
    seen = kriegeskorte.models["alexnet"]
    seen = seen.isel(model=np.flatnonzero(np.isin(seen.measurement.values, VOXELS)))
    voxels = {str(n): seen.isel(model=k).drop_vars(["layer", "measurement"]) for k, n in enumerate(seen.layer.values)}
    areas = [infer(voxels, cichy.rdms[area], method="spearman") for area in ("EVC", "IT")]
    two = [list(voxels).index(VOXELS_EARLY), list(voxels).index(VOXELS_LATE)]
    pair = [names.index(EARLY), names.index(LATE)]
    sources = {
        "human IT": kriegeskorte.rdms["human_IT"].mean("subject"),
        "monkey IT": kriegeskorte.rdms["monkey_IT"],
        "fMRI EVC": cichy.rdms["EVC"].mean("subject"),
        "fMRI IT": cichy.rdms["IT"].mean("subject"),
    } | {name: layers[name] for name in ("stem", "block05", "block14", "readout")}
    judged = infer({k: v.drop_attrs() for k, v in sources.items()}, kriegeskorte.rdms["behaviour"], method="spearman")
    published = {
        "human IT with monkey IT, Pearson": float(
            compare_rdms(kriegeskorte.rdms["human_IT_group"], kriegeskorte.rdms["monkey_IT"], "corr")
        )
    } | {f"{area}, {name}": v for area in ("EVC", "IT") for name, v in squared_ceilings(cichy.rdms[area]).items()}
    return xr.Dataset(
        {
            "score": (("brain", "layer"), np.array([p.score.values for p in parts]).reshape(shape)),
            "interval": (("brain", "layer", "bound"), np.array([p.interval.values for p in parts])),
            "p_corrected": (("brain", "layer"), np.array([p.p_zero_corrected.values for p in parts])),
            "ceiling": (("brain", "bound"), ceiling),
            "p_early_late": ("brain", [float(p.p_pair.values[pair[0], pair[1]]) for p in parts]),
            "voxels": (("area", "voxel_layer"), np.array([a.score.values for a in areas])),
            "voxels_interval": (("area", "voxel_layer", "bound"), np.array([a.interval.values for a in areas])),
            "voxels_p": ("area", [float(a.p_pair.values[two[0], two[1]]) for a in areas]),
            "judged": ("source", judged.score.values),
            "judged_interval": (("source", "bound"), judged.interval.values),
            "judged_p_corrected": ("source", judged.p_zero_corrected.values),
            "judged_ceiling": ("bound", judged.ceiling.values),
            "published": ("number", list(published.values())),
        },
        coords={
            "brain": list(BRAINS),
            "layer": names,
            "bound": ["low", "high"],
            "area": ["EVC", "IT"],
            "voxel_layer": list(voxels),
            "source": list(sources),
            "number": list(published),
        },
    )


def layer_rdms(stimuli: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the RDM (1 - Pearson) of every layer of the pretrained network."""
    network = build_network(EfficientNetLite0Specification(), (3, 224, 224), 1000)
    shown = resize_images(stimuli, 224)
    found = {}
    for name, activity in iterate_layers(network, shown, None, progress=True):
        rdm = compute_rdm(np.asarray(activity, dtype=float).reshape(len(activity), -1)).values
        found[layer_labels(network, [name])[0]] = as_rdm(rdm, stimuli=stimuli)
    return found


def squared_ceilings(rdms: xr.DataArray) -> dict[str, float]:
    """Return the mean over subjects of Spearman squared with the mean of all, and with that of the others."""
    pairs = np.triu_indices(rdms.sizes["stimulus"], 1)
    vectors = rdms.transpose("subject", ...).values[:, pairs[0], pairs[1]]
    whole = [spearmanr(v, vectors.mean(0)).statistic ** 2 for v in vectors]
    others = [spearmanr(v, np.delete(vectors, i, 0).mean(0)).statistic ** 2 for i, v in enumerate(vectors)]
    return {"Spearman squared with all": float(np.mean(whole)), "leaving one out": float(np.mean(others))}


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    brains: dict[str, object] = {}
    for brain in BRAINS:
        one = results.sel(brain=brain)
        rows = {
            str(m): [*_rounded([float(one.score.sel(layer=m)), *one.interval.sel(layer=m).values]), float(f"{p:.2g}")]
            for m, p in zip(one.layer.values, one.p_corrected.values, strict=True)
        }
        brains[brain] = {
            LAYERS: rows,
            "ceiling": _rounded(one.ceiling.values) if np.isfinite(one.ceiling.values).all() else "one RDM",
            f"p that {EARLY} and {LATE} differ": float(f"{float(one.p_early_late):.2g}"),
        }
    voxels = {
        f"{area} {layer}": _rounded(
            [
                results.voxels.sel(area=area, voxel_layer=layer),
                *results.voxels_interval.sel(area=area, voxel_layer=layer),
            ]
        )
        for area in ("EVC", "IT")
        for layer in results.voxel_layer.values
    }
    judged = {
        str(s): [*_rounded([float(v), *i]), float(f"{p:.2g}")]
        for s, v, i, p in zip(
            results.source.values,
            results.judged.values,
            results.judged_interval.values,
            results.judged_p_corrected.values,
            strict=True,
        )
    }
    return {
        "published": {
            str(k): round(float(v), 6) for k, v in zip(results.number.values, results.published.values, strict=True)
        },
        "brains": brains,
        AVERAGED: voxels,
        f"p that {VOXELS_EARLY} and {VOXELS_LATE} differ (EVC, IT)": [
            float(f"{p:.2g}") for p in results.voxels_p.values
        ],
        JUDGED: judged,
        JUDGES: _rounded(results.judged_ceiling.values),
    }


def _rounded(values: object) -> list[float]:
    return [round(float(v), 3) for v in np.ravel(values)]


def draw(content: dict[str, Any]) -> Figure:
    """Draw a panel a recording over the layers of each network, and a bar a source for the judgements."""
    figure = new_figure(PAGE, 4.3)
    grid = figure.add_gridspec(2, 4, height_ratios=(1.1, 1))
    first = None
    for column, (brain, title) in enumerate(BRAINS.items()):
        one = content["brains"][brain]
        ax = first = figure.add_subplot(grid[0, column], sharey=first)
        _profile(ax, list(one[LAYERS]), list(one[LAYERS].values()), PALETTE[0], one["ceiling"])
        ax.set_title(f"{'ABCD'[column]}  {title}", fontsize=6.5)
        ax.tick_params(labelleft=column == 0)
    figure.axes[0].set_ylabel("EfficientNet-Lite0\nSpearman's rho", fontsize=7)
    for column, area in enumerate(("EVC", "IT")):
        own = {k.partition(" ")[2]: v for k, v in content[AVERAGED].items() if k.startswith(f"{area} ")}
        ax = figure.add_subplot(grid[1, column], sharey=first)
        _profile(ax, list(own), list(own.values()), PALETTE[2], content["brains"][area]["ceiling"])
        ax.set_title(f"{'EF'[column]}  {BRAINS[area]}", fontsize=6.5)
        ax.tick_params(labelleft=column == 0)
    figure.axes[4].set_ylabel("AlexNet, averaged as\nvoxels do\nSpearman's rho", fontsize=7)
    _judgements(figure.add_subplot(grid[1, 2:]), content)
    write_below(
        figure,
        "92 objects; bands and bars: 95 % intervals for new people and objects, in A (the mean of four people, "
        "without a ceiling) for new objects. Gray: noise ceiling. EVC: early visual cortex. A to D: stem, "
        "blocks 0 to 15, pool and readout. E, F: layers whose units were averaged over places and features.",
    )
    return figure


def _profile(ax: Axes, names: list[str], rows: list[list[float]], colour: str, ceiling: object) -> None:
    """Draw scores over layers with a band of intervals, and the ceiling where there is one."""
    place, (score, low, high) = np.arange(len(names)), np.array([row[:3] for row in rows]).T
    if isinstance(ceiling, list):
        ax.axhspan(*ceiling, color="0.87", zorder=0, linewidth=0)
    ax.fill_between(place, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(place, score, "o-", color=colour, markersize=2, linewidth=1)
    ax.axhline(0, color="black", linewidth=0.5)
    every = max(1, len(names) // 9)
    ax.set_xticks(place[::every], [name.replace("block", "") for name in names[::every]], rotation=90, fontsize=5.5)
    ax.tick_params(axis="y", labelsize=6)


def _judgements(ax: Axes, content: dict[str, Any]) -> None:
    """Draw how well recordings and layers tell what people judged."""
    rows = content[JUDGED]
    place = np.arange(len(rows))[::-1]
    score, low, high = np.array([row[:3] for row in rows.values()]).T
    colours = [PALETTE[2] if i < RECORDED else PALETTE[0] for i in range(len(rows))]
    ax.axvspan(*content[JUDGES], color="0.87", zorder=0, linewidth=0)
    ax.barh(place, score, color=colours, height=0.65)
    ax.hlines(place, low, high, color="0.2", linewidth=0.9)
    ax.set_yticks(place, list(rows), fontsize=6)
    ax.set_title("G  dissimilarity judged by 16 people", fontsize=6.5)
    ax.set_xlabel("Spearman's rho; green: recordings, blue: EfficientNet-Lite0", fontsize=6)
    ax.tick_params(axis="x", labelsize=6)


def main(folder: Path, *, redraw: bool) -> None:
    """Compute (or, with `--redraw`, take the numbers that are kept here), keep the numbers, and draw from them."""
    name = "fig2_behaviour_and_brains"
    if redraw:
        content = storage.read_json(folder / f"{name}.json")
    else:
        content = table(compute())
        storage.write_json(folder / f"{name}.json", content, sort_keys=False)
    with house_style():
        storage.write_bytes(folder / f"{name}.png", figure_bytes(draw(content))["png"])
    print(folder / f"{name}.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent if given.redraw else DEFAULT), redraw=given.redraw)
