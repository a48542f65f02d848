"""Figure 2 of the 92 objects: layers of EfficientNet-Lite0 against four recordings, and recordings against judgements.

The layers of AlexNet that come with the set were averaged over places and features as a voxel averages neurons. Human
IT of 4 subjects and its group RDM, early visual cortex and IT of 15 (Kriegeskorte 2008, Cichy 2014): every layer with
its interval over subjects and stimuli and the ceiling of the subjects; the dissimilarities that 16 people judged (Mur
2013) against all of them. The published numbers are computed again from the files.

Run: NEUROSIM_DATA=... python analyses/object_vision/fig2_behaviour_and_brains.py results/object_vision_behaviour
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from neurosim import storage
from neurosim.networks import EfficientNetLite0Specification
from neurosim.networks.architecture import build_network
from neurosim.networks.naming import layer_labels
from neurosim.networks.recording import iterate_layers
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.recordings.datasets import load_dataset
from neurosim.schema import as_rdm
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.inference import infer
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import resize_images

BRAINS = {
    "human_IT_group": "human IT, group RDM",
    "human_IT": "human IT, 4 subjects",
    "EVC": "early visual cortex, 15 subjects",
    "IT": "IT (fMRI), 15 subjects",
}
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


def draw(results: xr.Dataset) -> Figure:
    """Draw one line a recording over the layers, and one bar a source for the judgements."""
    figure = new_figure(11.0, 3.6)
    left, middle, right = figure.subplots(1, 3, width_ratios=[3, 2, 2])
    steps = np.arange(results.sizes["voxel_layer"])
    for k, (area, title) in enumerate({"EVC": "early visual cortex", "IT": "IT (fMRI)"}.items()):
        one = results.sel(area=area)
        middle.plot(steps, one.voxels, marker="o", ms=3, color=PALETTE[2 + k], label=title)
        middle.fill_between(steps, *one.voxels_interval.values.T, color=PALETTE[2 + k], alpha=0.15, lw=0)
    middle.axhline(0, color="0.6", lw=0.6)
    middle.set_xticks(steps, results.voxel_layer.values, rotation=90, fontsize=6)
    middle.set(title="AlexNet, averaged as voxels do", ylabel="Spearman correlation")
    middle.legend(fontsize=6)
    place = np.arange(results.sizes["layer"])
    for k, (brain, title) in enumerate(BRAINS.items()):
        one = results.sel(brain=brain)
        left.plot(place, one.score, marker="o", ms=3, color=PALETTE[k], label=title)
        left.fill_between(place, *one.interval.values.T, color=PALETTE[k], alpha=0.15, lw=0)
    left.axhline(0, color="0.6", lw=0.6)
    left.set_xticks(place, results.layer.values, rotation=90, fontsize=6)
    left.set(ylabel="Spearman correlation", title="layers of EfficientNet-Lite0")
    left.legend(fontsize=6)
    bars = np.arange(results.sizes["source"])
    right.bar(bars, results.judged, color=[PALETTE[2]] * 4 + [PALETTE[0]] * (len(bars) - 4))
    right.vlines(bars, *results.judged_interval.values.T, color="0.25", lw=0.9)
    right.axhspan(*results.judged_ceiling.values, color="0.88", zorder=0, label="ceiling of 16 subjects")
    right.set_xticks(bars, results.source.values, rotation=90, fontsize=7)
    right.set(title="judged dissimilarity", ylabel="Spearman correlation")
    right.legend(fontsize=6)
    return figure


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
            "layers (score, low, high, corrected p)": rows,
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
        "AlexNet averaged as voxels do (score, low, high)": voxels,
        f"p that {VOXELS_EARLY} and {VOXELS_LATE} differ (EVC, IT)": [
            float(f"{p:.2g}") for p in results.voxels_p.values
        ],
        "judged dissimilarity (score, low, high, corrected p)": judged,
        "ceiling of the judgements": _rounded(results.judged_ceiling.values),
    }


def _rounded(values: object) -> list[float]:
    return [round(float(v), 3) for v in np.ravel(values)]


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    storage.write_dataset(folder / "fig2_behaviour_and_brains.nc", compute())
    gathered = storage.read_dataset(folder / "fig2_behaviour_and_brains.nc")
    storage.write_json(folder / "fig2_behaviour_and_brains.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig2_behaviour_and_brains.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig2_behaviour_and_brains.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/object_vision_behaviour"))
