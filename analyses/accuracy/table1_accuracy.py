"""Table 1: what networks of every kind reach on public data, over seeds, beside classical classifiers.

Run: python analyses/accuracy/table1_accuracy.py [folder] [experiment ...] [--redraw]
(six hours on one core, all seeds added up)

Experiments are those of experiments.py; all by default. Every finished seed is kept in table1_accuracy.json with the
commit it was trained at, and is not trained again: the table grows by what is run. Needs the data folder that
NEUROSIM_DATA names, but for scikit-learn's digits.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from experiments import EXPERIMENTS
from scipy.stats import binomtest
from scipy.stats import t as student_t

from neurosim import runtime, storage
from neurosim.networks.architecture import n_parameters
from neurosim.networks.training import train
from neurosim.plots.canvas import PAGE, PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.tasks.classification import ClassificationTask
from neurosim.tasks.lazy import LazyTask

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called


def compute(name: str, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Train the seeds of one experiment that its row lacks, and yield the row after each: the test set is seen once."""
    asked, n_seeds, make = EXPERIMENTS[name]
    runs = list(row.get("runs", []))
    for seed in range(len(runs), n_seeds):
        experiment = make(seed)
        with runtime.torch_seeded(seed):
            network = experiment.make()
        start = time.perf_counter()
        history = train(network, experiment.task, experiment.options, runtime=experiment.runtime, rng=seed)
        about = runtime.provenance()
        runs.append(
            {
                "accuracy": round(float(history.test_accuracy), 4),
                "seconds": round(time.perf_counter() - start),
                "threads": torch.get_num_threads(),
                "commit": about["git"]["commit"],
                "torch": about["libraries"]["torch"],
                "neurosim": about["neurosim"],
            }
        )
        print(f"{name}, seed {seed}: {runs[-1]['accuracy']:.4f} in {runs[-1]['seconds']} s", flush=True)
        found, (n_train, n_test) = [run["accuracy"] for run in runs], sizes(experiment.task)
        yield {
            "asked": asked,
            "accuracy": round(float(np.mean(found)), 4),
            "interval": [round(v, 4) for v in interval(found, n_test)],
            "runs": list(runs),
            "n_test": n_test,
            "n_train": n_train,
            "n_parameters": n_parameters(network),
            "about": (make.__doc__ or "").strip().removeprefix("Return "),
        }


def sizes(task: ClassificationTask | LazyTask) -> tuple[int, int]:
    """Return how many stimuli are learned, and how many tested."""
    if isinstance(task, LazyTask):
        return len(task.parts["train"]), task.n_test
    return task.train.sizes["stimulus"], task.test.sizes["stimulus"]


def interval(accuracies: list[float], n_test: int) -> tuple[float, float]:
    """Return a 95 % interval: of Wilson over the stimuli of all instances, or of Student over these where wider."""
    n = len(accuracies) * n_test
    ci = binomtest(round(sum(accuracies) * n_test), n).proportion_ci(method="wilson")
    if len(accuracies) == 1:
        return float(ci.low), float(ci.high)
    mean = float(np.mean(accuracies))
    half = float(np.std(accuracies, ddof=1) / len(accuracies) ** 0.5 * student_t.ppf(0.975, len(accuracies) - 1))
    return float(max(0.0, min(ci.low, mean - half))), float(min(1.0, max(ci.high, mean + half)))


def draw(rows: dict[str, dict]) -> Figure:
    """Draw accuracies with their intervals, every instance a dot, and how many stimuli and instances there are."""
    figure = new_figure(PAGE, 0.2 * len(rows) + 0.9)
    ax = figure.subplots()
    for place, row in enumerate(rows.values()):
        ax.hlines(place, *row["interval"], color=PALETTE[5], linewidth=5, alpha=0.7)
        seeds = [run["accuracy"] for run in row["runs"]]
        ax.plot(seeds, np.full(len(seeds), place), ".", color="black", markersize=2.5, clip_on=False)
        text = f"{row['accuracy']:.3f}   {row['n_test']:,} stimuli, {len(seeds)} instances"
        ax.text(1.02, place, text, va="center", fontsize=6, transform=ax.get_yaxis_transform())
    ax.set_yticks(range(len(rows)), list(rows), fontsize=6.5)
    ax.invert_yaxis()
    ax.set(xlabel="accuracy on stimuli never seen; bars: 95 % interval of the mean, dots: instances", xlim=(0.7, 1.0))
    return figure


def main(folder: Path, names: list[str]) -> None:
    """Run the experiments named, add them to the table, and draw it."""
    path = folder / "table1_accuracy.json"
    kept = storage.read_json(path)["rows"] if path.exists() else {}
    for name in names:
        for row in compute(name, kept.get(name, {})):
            kept[name] = row
            rows = {n: kept[n] for n in EXPERIMENTS if n in kept}
            storage.write_json(path, {"rows": rows, "provenance": runtime.provenance()}, sort_keys=False)
    with house_style():
        drawn = figure_bytes(draw({n: kept[n] for n in EXPERIMENTS if n in kept}))
        storage.write_bytes(folder / "table1_accuracy.png", drawn["png"])


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent), [] if given.redraw else given.names(EXPERIMENTS, "experiment", 1))
