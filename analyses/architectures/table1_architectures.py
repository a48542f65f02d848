"""Table 1 and figure: every architecture on the same digits; accuracy, cost, robustness, and who sees them like whom.

Run: python analyses/architectures/table1_architectures.py [folder] [--tiny] [--redraw] (a quarter of an hour)
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
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Axes,
    Figure,
    colour_bar,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
)
from neurosim.similarity.comparison import compare_cka, compare_rdms
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import load_digits
from neurosim.stimuli.parts import balanced
from neurosim.tasks.classification import ClassificationTask, classification_task

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SEEDS, NOISE, N_SHOWN = (0, 1, 2), (0.0, 0.1, 0.2, 0.3, 0.4), 12
COLUMNS = (1.14, 1.25, 1.28)  # of the width of the axes, where the columns of text stand


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


def draw(rows: dict[str, dict]) -> Figure:
    """Draw accuracy, parameters, cost and what is most alike of every architecture, and accuracy under noise."""
    groups = {name: SUBJECTS[name].group for name in rows}
    colours = {g: PALETTE[k] for k, g in enumerate(dict.fromkeys(groups.values()))}
    figure = new_figure(PAGE, 5.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.9, 1))
    _accuracies(top.subplots(), rows, [colours[g] for g in groups.values()])
    panels = bottom.subplots(1, len(colours), sharey=True)
    for k, (ax, (group, colour)) in enumerate(zip(panels, colours.items(), strict=True)):
        for marker, (name, own) in zip("osD^vP", ((n, r) for n, r in rows.items() if groups[n] == group), strict=False):
            line = [own["accuracy"], *own["accuracy_under_noise"].values()]
            ax.plot(NOISE, line, color=colour, linewidth=0.9, marker=marker, ms=2.5, label=name)
        ax.legend(fontsize=5, loc="lower left", borderaxespad=0, handlelength=1, labelspacing=0.3)
        ax.set_title(f"{'BCDEF'[k]}  {group}", fontsize=7)
        ax.set(xlabel="s.d. of noise on pixels" if k == len(colours) // 2 else "", ylabel="" if k else "accuracy")
        ax.tick_params(labelsize=6, labelleft=k == 0)
    panels[0].set_ylim(0.2, 1.02)
    return figure


def _accuracies(ax: Axes, rows: dict[str, dict], colours: list[str]) -> None:
    place = np.arange(len(rows))[::-1]
    for y, row, colour in zip(place, rows.values(), colours, strict=True):
        ax.hlines(y, *(row["interval"] or [row["accuracy"]] * 2), color=colour, linewidth=1)
        ax.plot(row["accuracy"], y, "o", color=colour, markersize=3)
        like = f"{row['most_alike'].replace(' | ', ', ')} ({row['rsa_with_it']:.2f})"
        texts = (f"{row['parameters']:,}", f"{row['training_seconds']:.0f}", like)
        for x, text, side in zip(COLUMNS, texts, ("right", "right", "left"), strict=True):
            ax.text(x, y, text, transform=ax.get_yaxis_transform(), fontsize=6, va="center", ha=side)
    for x, text, side in zip(
        COLUMNS, ("parameters", "train, s", "most like its last layer (Spearman of RDMs)"), "rrl", strict=True
    ):
        at = {"r": "right", "l": "left"}[side]
        ax.text(x, len(rows) - 0.2, text, transform=ax.get_yaxis_transform(), fontsize=6, ha=at, style="italic")
    ax.set_yticks(place, list(rows), fontsize=6)
    ax.set_xlabel("accuracy on 360 held-back digits, mean of three instances with 95 % interval", fontsize=7)
    ax.set_title("A", fontsize=8)


def draw_alike(results: xr.Dataset) -> Figure:
    """Draw the similarity of all layers by RSA and by CKA."""
    figure, names = new_figure(PAGE, 4.0), [str(s) for s in results.subject.values]
    owner = np.array([layer.split(" | ")[0] for layer in results.layer.values])
    edges = np.flatnonzero(owner[1:] != owner[:-1]) + 0.5
    middles = [np.flatnonzero(owner == n).mean() for n in names]
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (measure, title) in zip(axes, {"rsa": "Spearman of RDMs", "cka": "debiased CKA"}.items(), strict=True):
        image = ax.imshow(results[measure], cmap="viridis", vmin=0, vmax=1)
        ax.set_title(title, fontsize=7)
        for edge in edges:
            ax.axhline(edge, color="white", linewidth=0.5)
            ax.axvline(edge, color="white", linewidth=0.5)
        ax.set_xticks(middles, names, rotation=90, fontsize=5)
        ax.set_yticks(middles, names, fontsize=5)
    colour_bar(image, axes[1], "similarity")
    letter_panels(axes)
    return figure


def main(folder: Path, *, tiny: bool, redraw: bool) -> None:
    """Compute (or, with `--redraw`, take the numbers that are kept), keep the numbers, and draw from them."""
    name = "table1_architectures"
    if not redraw:
        names = ["MLP", "GRU", "autoencoder", "spiking CNN"] if tiny else list(SUBJECTS)
        storage.write_dataset(folder / f"{name}.nc", compute(names, SEEDS[:1] if tiny else SEEDS))
        results = storage.read_dataset(folder / f"{name}.nc")
        rows, n = table(results), results.sizes["seed"]
        made = {"rows": rows, "n_test": 360, "seeds": n, "provenance": runtime.provenance()}
        storage.write_json(folder / f"{name}.json", made, sort_keys=False)
        with house_style():
            storage.write_bytes(folder / "fig1_alike.png", figure_bytes(draw_alike(results))["png"])
    with house_style():
        drawn = draw(storage.read_json(folder / f"{name}.json")["rows"])
        storage.write_bytes(folder / f"{name}.png", figure_bytes(drawn)["png"])
    print(folder / f"{name}.json")


if __name__ == "__main__":
    with called(__doc__) as given:
        default = Path(__file__).parent if given.redraw else "results/architectures"
        main(given.folder(default), tiny="--tiny" in given.options, redraw=given.redraw)
