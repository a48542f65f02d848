"""Figure 1: what EfficientNet-Lite0 calls the 92 objects of Kriegeskorte et al. 2008; most are no ImageNet categories.

Run: python analyses/imagenet/fig1_objects_named.py [folder] (a minute and a half on two busy cores; it needs the data
folder)
"""

import sys
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from neurosim import runtime, storage
from neurosim.networks import EfficientNetLite0Specification
from neurosim.networks.architecture import build_network
from neurosim.networks.published import torchvision
from neurosim.plots.canvas import figure_bytes, house_style, new_figure
from neurosim.plots.pictures import as_pictures
from neurosim.recordings.datasets import load_dataset
from neurosim.stimuli.images import resize_images

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

N_SHOWN = 24


def compute(images: xr.DataArray) -> xr.Dataset:
    """Return the name that each image gets, with its probability."""
    network = build_network(EfficientNetLite0Specification(), (3, 224, 224), 1000).eval()
    with torch.no_grad():
        p = torch.softmax(network(torch.from_numpy(resize_images(images, 224).values)), 1).numpy()
    names = np.array(torchvision().models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
    coords = {k: images[k] for k in ("stimulus", "category") if k in images.coords}
    return xr.Dataset({"named": ("stimulus", names[p.argmax(1)]), "probability": ("stimulus", p.max(1))}, coords=coords)


def draw(images: xr.DataArray, results: xr.Dataset) -> object:
    """Draw the images named with most confidence, with their names."""
    order = np.argsort(-results.probability.values)[:N_SHOWN]
    figure = new_figure(8, 4.4)
    for ax, k in zip(figure.subplots(3, 8).ravel(), order, strict=True):
        ax.imshow(as_pictures(images[[k]])[0])
        ax.set_title(f"{results.named.values[k][:18]}\n{float(results.probability[k]):.2f}", fontsize=6)
        ax.set_axis_off()
    return figure


def main(folder: Path) -> None:
    """Compute, keep the names, and draw."""
    images = load_dataset("kriegeskorte2008").stimuli
    results = compute(images)
    rows = [
        {"stimulus": str(s), "named": str(n), "probability": round(float(p), 3)}
        for s, n, p in zip(results.stimulus.values, results.named.values, results.probability.values, strict=True)
    ]
    storage.write_json(folder / "fig1_objects_named.json", {"objects": rows, "provenance": runtime.provenance()})
    with house_style():
        storage.write_bytes(folder / "fig1_objects_named.png", figure_bytes(draw(images, results))["png"])


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder("results/imagenet"))
