"""Table 1: what networks of every kind reach on public data, over seeds, beside classical classifiers.

Run: python analyses/accuracy/table1_accuracy.py [folder] [experiment ...]

Experiments are those of experiments.py; all by default. Finished ones are kept in table1_accuracy.json, so that the
table grows by what is run. Needs the data folder that NEUROSIM_DATA names, but for scikit-learn's digits.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from experiments import EXPERIMENTS
from scipy.stats import binomtest
from scipy.stats import t as student_t

from neurosim import runtime, storage
from neurosim.networks.architecture import n_parameters
from neurosim.networks.training import train
from neurosim.plots.canvas import PALETTE, figure_bytes, house_style, new_figure


def compute(name: str) -> dict[str, object]:
    """Train the networks of one experiment, one a seed, and return what they reach on the test set."""
    asked, n_seeds, make = EXPERIMENTS[name]
    found, seconds = [], []
    for seed in range(n_seeds):
        experiment = make(seed)
        with runtime.torch_seeded(seed):
            network = experiment.make()
        start = time.perf_counter()
        history = train(network, experiment.task, experiment.options, rng=seed)
        seconds.append(time.perf_counter() - start)
        found.append(float(history.test_accuracy))
        print(f"{name}, seed {seed}: {found[-1]:.4f} in {seconds[-1]:.0f} s", flush=True)
    n_test = experiment.task.test.sizes["stimulus"]
    return {
        "asked": asked,
        "accuracy": round(float(np.mean(found)), 4),
        "interval": [round(v, 4) for v in interval(found, n_test)],
        "accuracy_by_seed": [round(v, 4) for v in found],
        "n_test": n_test,
        "n_train": experiment.task.train.sizes["stimulus"],
        "n_parameters": n_parameters(network),
        "seconds_a_seed": round(float(np.mean(seconds))),
        "about": (make.__doc__ or "").strip().removeprefix("Return "),
        "threads": torch.get_num_threads(),
    }


def interval(accuracies: list[float], n_test: int) -> tuple[float, float]:
    """Return a 95 % interval: of Wilson over the stimuli of all instances, or of Student over these where wider."""
    n = len(accuracies) * n_test
    ci = binomtest(round(sum(accuracies) * n_test), n).proportion_ci(method="wilson")
    if len(accuracies) == 1:
        return float(ci.low), float(ci.high)
    mean = float(np.mean(accuracies))
    half = float(np.std(accuracies, ddof=1) / len(accuracies) ** 0.5 * student_t.ppf(0.975, len(accuracies) - 1))
    return float(max(0.0, min(ci.low, mean - half))), float(min(1.0, max(ci.high, mean + half)))


def draw(rows: dict[str, dict]) -> object:
    """Draw accuracies with their intervals, every seed a dot, and what was asked for."""
    figure = new_figure(6.5, 0.35 * len(rows) + 0.9)
    ax = figure.subplots()
    for place, row in enumerate(rows.values()):
        ax.plot(row["interval"], [place, place], color=PALETTE[0], linewidth=3, alpha=0.5, solid_capstyle="butt")
        ax.plot(
            row["accuracy_by_seed"], np.full(len(row["accuracy_by_seed"]), place), ".", color=PALETTE[0], markersize=4
        )
        ax.plot(row["asked"], place, "|", color=PALETTE[1], markersize=12, markeredgewidth=1.5)
        ax.text(1.005, place, f"{row['accuracy']:.3f}", va="center", fontsize=7)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set(xlabel="accuracy on stimuli never seen (orange: asked for)", xlim=(0.7, 1.0))
    return figure


def main(folder: Path, names: list[str]) -> None:
    """Run the experiments named, add them to the table, and draw it."""
    path = folder / "table1_accuracy.json"
    kept = storage.read_json(path)["rows"] if path.exists() else {}
    for name in names or list(EXPERIMENTS):
        if name not in EXPERIMENTS:
            sys.exit(f"no experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
        kept[name] = compute(name)
        rows = {n: kept[n] for n in EXPERIMENTS if n in kept}
        storage.write_json(path, {"rows": rows, "provenance": runtime.provenance()}, sort_keys=False)
        with house_style():
            storage.write_bytes(folder / "table1_accuracy.png", figure_bytes(draw(rows))["png"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent, sys.argv[2:])
