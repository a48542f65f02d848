"""Table 1 and figure: every architecture on the same digits; accuracy, cost, robustness, and who sees them like whom.

Run: python analyses/architectures/table1_architectures.py [folder] [--tiny] (about a quarter of an hour on two cores)
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy.stats import t as student_t
from sklearn.linear_model import LogisticRegression
from subjects import SUBJECTS, Subject, as_recorded, task_of

from neurosim import runtime, storage
from neurosim.networks.architecture import build_network, n_parameters
from neurosim.networks.naming import layer_labels
from neurosim.networks.objectives import Reconstruction
from neurosim.networks.recording import iterate_layers, predict
from neurosim.networks.training import train
from neurosim.plots.canvas import PALETTE, figure_bytes, house_style, new_figure
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import load_digits
from neurosim.stimuli.parts import balanced
from neurosim.tasks.classification import ClassificationTask, classification_task

SEEDS, NOISE, N_SHOWN = (0, 1, 2), (0.0, 0.1, 0.2, 0.3, 0.4), 12


def trained(subject: Subject, seed: int) -> tuple[torch.nn.Module, float]:
    """Return a trained network and the seconds that training took."""
    task = task_of(subject, seed)
    with runtime.torch_seeded(seed):
        network = build_network(subject.specification, task.image_shape, len(task.categories))
    start = time.perf_counter()
    if subject.group == "unsupervised":
        train(network, task.reconstruction(), subject.options, objective=Reconstruction(0.1), rng=seed, progress=False)
    else:
        train(network, task, subject.options, rng=seed, progress=False)
    return network, time.perf_counter() - start


def accuracies(network: torch.nn.Module, subject: Subject, seed: int) -> list[float]:
    """Return the accuracy on the test set under noise on its pixels; codes without labels are read out linearly."""
    task = classification_task(load_digits(), rng=seed)
    reader = None
    if subject.group == "unsupervised":
        reader = LogisticRegression(max_iter=2000).fit(code(network, task.train), _labels(task, task.train))

    def named(images: xr.DataArray) -> np.ndarray:
        return (
            predict(network, as_recorded(images, subject)) if reader is None else reader.predict(code(network, images))
        )

    found = []
    for sd in NOISE:
        rng = runtime.stream(seed, "noise", str(sd))
        noisy = task.test.copy(
            data=(task.test.values + sd * rng.standard_normal(task.test.shape)).clip(0, 1).astype(np.float32)
        )
        found.append(float((named(noisy) == _labels(task, task.test)).mean()))
    return found


def code(network: torch.nn.Module, images: xr.DataArray) -> np.ndarray:
    """Return the code of images (stimulus, unit)."""
    ((_, values),) = iterate_layers(network, images, progress=False)
    return values


def representations(network: torch.nn.Module, subject: Subject, images: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the mean over time of what every layer answers, (stimulus, unit)."""
    shown = as_recorded(images, subject)
    layers = {}
    for name, values in iterate_layers(network, shown, progress=False):
        flat = values.mean(1) if values.ndim == 3 else values
        if (flat.std(0) > 0).sum() > 1:
            layers[layer_labels(network, [name])[0]] = flat
    return layers


def compute(names: list[str], seeds: tuple[int, ...]) -> xr.Dataset:
    """Train all, and compare all layers of the first instance of each."""
    accuracy = np.zeros((len(names), len(seeds), len(NOISE)))
    seconds, parameters, labels, responses = [], [], [], []
    images = balanced(classification_task(load_digits(), rng=seeds[0]).test, N_SHOWN)
    for row, name in enumerate(names):
        subject, spent = SUBJECTS[name], []
        for column, seed in enumerate(seeds):
            network, took = trained(subject, seed)
            accuracy[row, column] = accuracies(network, subject, seed)
            spent.append(took)
            if column == 0:
                parameters.append(n_parameters(network))
                for layer, values in representations(network, subject, images).items():
                    labels.append(f"{name} | {layer}")
                    responses.append(values)
        seconds.append(np.mean(spent))
        print(f"{name}: {accuracy[row, :, 0].mean():.4f}, {parameters[-1]} parameters, {seconds[-1]:.0f} s", flush=True)
    geometry = xr.concat([compute_rdm(r, metric="euclidean") for r in responses], dim=xr.Variable("model", labels))
    return xr.Dataset(
        {
            "accuracy": (("subject", "seed", "noise"), accuracy),
            "n_parameters": ("subject", parameters),
            "seconds": ("subject", seconds),
            "rsa": (("layer", "layer_other"), compare_rdms(geometry, geometry, "spearman").values),
            "cka": (("layer", "layer_other"), compare_cka(geometry).values),
        },
        coords={"subject": names, "seed": list(seeds), "noise": list(NOISE), "layer": labels, "layer_other": labels},
    )


def _labels(task: ClassificationTask, images: xr.DataArray) -> np.ndarray:
    return np.searchsorted(np.asarray(task.categories), images["category"].values)


def table(results: xr.Dataset) -> dict[str, dict]:
    """Return the numbers of each architecture, and the layer of another that is most like its last."""
    rows, n = {}, results.sizes["seed"]
    owner = np.array([name.split(" | ")[0] for name in results.layer.values])
    for name in results.subject.values:
        own = results.sel(subject=name)
        values = own.accuracy.isel(noise=0).values
        half = values.std(ddof=1) / n**0.5 * student_t.ppf(0.975, n - 1) if n > 1 else float("nan")
        last = np.flatnonzero(owner == name)[-1]
        others = np.where(owner == name, -np.inf, results.rsa.values[last])
        rows[str(name)] = {
            "parameters": int(own.n_parameters),
            "accuracy": round(float(values.mean()), 4),
            "interval": [round(float(np.clip(values.mean() + s * half, 0, 1)), 4) for s in (-1, 1)] if n > 1 else None,
            "training_seconds": round(float(own.seconds), 1),
            "accuracy_under_noise": {str(s): round(float(own.accuracy.sel(noise=s).mean()), 4) for s in NOISE[1:]},
            "most_alike": str(results.layer.values[others.argmax()]),
            "rsa_with_it": round(float(others.max()), 3),
            "cka_with_it": round(float(results.cka.values[last, others.argmax()]), 3),
        }
    return rows


def draw(results: xr.Dataset) -> object:
    """Draw accuracy and robustness, and the similarity of all layers by RSA and by CKA."""
    figure = new_figure(11, 8.5)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.9))
    ax, noise = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    names = [str(s) for s in results.subject.values]
    groups = [SUBJECTS[n].group for n in names]
    colours = {g: PALETTE[k] for k, g in enumerate(dict.fromkeys(groups))}
    for k, (name, group) in enumerate(zip(names, groups, strict=True)):
        values = results.accuracy.sel(subject=name).isel(noise=0).values
        ax.plot(np.full(len(values), k), values, ".", color=colours[group], markersize=4)
        ax.plot(k, values.mean(), "_", color=colours[group], markersize=11)
        noise.plot(
            results.noise, results.accuracy.sel(subject=name).mean("seed"), color=colours[group], alpha=0.8, linewidth=1
        )
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    ax.set(ylabel="accuracy (each instance)")
    for group, colour in colours.items():
        noise.plot([], [], color=colour, label=group)
    noise.set(xlabel="standard deviation of noise on pixels", ylabel="accuracy")
    noise.legend(fontsize=6)
    owner = np.array([layer.split(" | ")[0] for layer in results.layer.values])
    edges = np.flatnonzero(owner[1:] != owner[:-1]) + 0.5
    middles = [np.flatnonzero(owner == n).mean() for n in names]
    for k, (measure, title) in enumerate((("rsa", "RSA (Spearman of RDMs)"), ("cka", "CKA (debiased, linear)"))):
        place = figure.add_subplot(grid[1, k])
        image = place.imshow(results[measure], cmap="viridis", vmin=0, vmax=1)
        for edge in edges:
            place.axhline(edge, color="white", linewidth=0.5)
            place.axvline(edge, color="white", linewidth=0.5)
        place.set_xticks(middles, names, rotation=90, fontsize=6)
        place.set_yticks(middles, names, fontsize=6)
        place.set(title=title)
        figure.colorbar(image, ax=place, shrink=0.7)
    return figure


def main(folder: Path, tiny: bool) -> None:
    """Compute, keep the numbers, and draw from them."""
    names = ["MLP", "GRU", "autoencoder", "spiking CNN"] if tiny else list(SUBJECTS)
    storage.write_dataset(folder / "table1_architectures.nc", compute(names, SEEDS[:1] if tiny else SEEDS))
    results = storage.read_dataset(folder / "table1_architectures.nc")
    content = {
        "rows": table(results),
        "n_test": 360,
        "seeds": results.sizes["seed"],
        "provenance": runtime.provenance(),
    }
    storage.write_json(folder / "table1_architectures.json", content, sort_keys=False)
    with house_style():
        storage.write_bytes(folder / "table1_architectures.png", figure_bytes(draw(results))["png"])
    print(folder / "table1_architectures.json")


if __name__ == "__main__":
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    main(Path(words[0] if words else "results/architectures"), "--tiny" in sys.argv)
