"""Table 1: learning rules beside backpropagation on the small problem of each, three instances a rule.

Run: python analyses/learning_rules/table1_rules.py [folder] [problem ...] (about ten minutes on one busy core; problems
that are done already are kept)
"""

import math
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from problems import Counts, Recalls, digits, exclusive_or, store_recall, which_group, yin_yang
from scipy import stats

from neurosim import runtime, storage
from neurosim.networks import (
    EProp,
    EquilibriumMLPSpecification,
    EquilibriumPropagation,
    EventProp,
    FeedbackAlignment,
    MLPSpecification,
    PredictiveCoding,
    RewardSTDP,
    SpikeTimeMLPSpecification,
    build_network,
    gradient_angles,
)
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import train
from neurosim.plots.canvas import PAGE, PALETTE, figure_bytes, house_style, new_figure, write_below

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SEEDS = (11, 12, 13)  # of weights and of drawn problems; rates were chosen with others, whose test sets are others
SLOWLY = partial(torch.optim.SGD, momentum=0.0)
MLP = partial(build_network, MLPSpecification((100, 60)), (8, 8), 10)
RESTING = partial(build_network, EquilibriumMLPSpecification((128, 64)), (8, 8), 10)
TIMES = partial(build_network, SpikeTimeMLPSpecification((120,)), (4,), 3)
BRIEF, LONGER = TrainingOptions(15, 64, 3e-3), TrainingOptions(25, 50, 5e-3)
EVENTS = TrainingOptions(40, 50, 5e-3, clip=1e9, schedule="cosine")
REWARDED = TrainingOptions(12, 10, 5e-3, clip=1e9, schedule="constant", optimizer=SLOWLY)
SURROGATE = TrainingOptions(10, 10, 5e-3)

CHANCE = {
    "digits": 0.1,
    "digits at rest": 0.1,
    "store and recall": 0.5,
    "the same, 120 epochs": 0.5,
    "Yin-Yang": 1 / 3,
    "which group": 0.5,
    "exclusive or": 0.5,
}

# problem -> (task of a seed, what its paper reached, row -> (network, rule, options))
Row = tuple[Callable[[], torch.nn.Module], Any, TrainingOptions]
PROBLEMS: dict[str, tuple[Callable[[int], Any], str, dict[str, Row]]] = {
    "digits": (
        digits,
        "MNIST in the papers: feedback alignment 97.9 %, direct 98.5 %, predictive coding 98.3 % (here the digits of "
        "scikit-learn)",
        {
            "backpropagation": (MLP, "backpropagation", BRIEF),
            "feedback alignment": (MLP, FeedbackAlignment(), BRIEF),
            "sign-symmetric": (MLP, FeedbackAlignment("sign"), BRIEF),
            "adaptive feedback": (MLP, FeedbackAlignment("adaptive", decay=1e-3), BRIEF),
            "direct feedback": (MLP, FeedbackAlignment(direct=True), BRIEF),
            "predictive coding": (MLP, PredictiveCoding(), BRIEF),
            "predictive coding, fixed": (MLP, PredictiveCoding("fixed", 3, 1.0), BRIEF),
        },
    ),
    "digits at rest": (
        digits,
        "MNIST in the paper: 97 to 98 % (here the digits of scikit-learn)",
        {
            "through time": (RESTING, "backpropagation", BRIEF),
            "equilibrium propagation": (RESTING, EquilibriumPropagation(), BRIEF),
        },
    ),
    "store and recall": (
        store_recall,
        "e-prop learns what backpropagation through time does",
        {
            "through time": (Recalls, "backpropagation", LONGER),
            "e-prop": (Recalls, EProp(), LONGER),
            "e-prop, random": (Recalls, EProp("random"), LONGER),
            "e-prop, adaptive": (Recalls, EProp("adaptive", decay=1e-3), LONGER),
        },
    ),
    "the same, 120 epochs": (
        store_recall,
        "backpropagation through time needs longer, and is unstable",
        {"through time": (Recalls, "backpropagation", TrainingOptions(120, 50, 2e-3))},
    ),
    "Yin-Yang": (
        yin_yang,
        "98.1 % after 300 epochs with 200 hidden neurons",
        {"EventProp": (TIMES, EventProp(0.1), EVENTS)},
    ),
    "which group": (
        which_group,
        "separable without hidden neurons; no number of a paper",
        {
            "surrogate gradient": (Counts, "backpropagation", SURROGATE),
            "reward-modulated STDP": (Counts, RewardSTDP("spikes"), REWARDED),
        },
    ),
    "exclusive or": (
        exclusive_or,
        "learned in the paper, whose weights have bounds; 75 % is three of the four patterns",
        {
            "surrogate gradient": (Counts, "backpropagation", SURROGATE),
            "reward-modulated STDP": (Counts, RewardSTDP("spikes"), REWARDED),
        },
    ),
}


def learned(
    task: Any, make: Callable[[], torch.nn.Module], rule: Any, options: TrainingOptions, seed: int
) -> list[float]:
    """Return the test accuracy of one instance, and the angle of its rule to the gradient after training."""
    with runtime.torch_seeded(seed):
        network = make()
    history = train(network, task, options, rule=rule, rng=seed, progress=False)
    return [float(history.test_accuracy), gradient_angles(network, task, rule, rng=seed).attrs["all"]]


def compute(problem: str) -> dict[str, Any]:
    """Return what every rule reaches on one problem, over instances."""
    make_task, paper, rows = PROBLEMS[problem]
    found: dict[str, Any] = {"paper": paper, "rules": {}}
    for row, (make, rule, options) in rows.items():
        started = time.process_time()
        accuracies, angles = zip(*(learned(make_task(s), make, rule, options, s) for s in SEEDS), strict=True)
        half = stats.t.ppf(0.975, len(SEEDS) - 1) * np.std(accuracies, ddof=1) / np.sqrt(len(SEEDS))
        found["rules"][row] = {
            "accuracy": [round(a, 4) for a in accuracies],
            "mean": round(float(np.mean(accuracies)), 4),
            "interval": [
                round(float(max(0, np.mean(accuracies) - half)), 4),
                round(float(min(1, np.mean(accuracies) + half)), 4),
            ],
            "angle_degrees": [None if math.isnan(a) else round(a, 1) for a in angles],
            "rule": repr(rule),
            "epochs": options.epochs,
            "cpu_seconds": round(time.process_time() - started, 1),
        }
        print(problem, row, found["rules"][row]["accuracy"], found["rules"][row]["cpu_seconds"], flush=True)
    return found


def draw(results: dict[str, Any]) -> object:
    """Draw the accuracy of every rule, a panel a problem, with each instance, the interval of the mean, and chance."""
    sizes = [len(results[p]["rules"]) for p in results]
    figure = new_figure(PAGE, 3.4)
    axes = figure.subplots(1, len(sizes), width_ratios=[n + 1.6 for n in sizes], squeeze=False)[0]
    for letter, ax, (problem, content) in zip("ABCDEFG", axes, results.items(), strict=True):
        ax.axhline(CHANCE[problem], color="0.5", linewidth=0.7, linestyle="--", zorder=0)
        for k, row in enumerate(content["rules"].values()):
            colour = PALETTE[0] if row["rule"] == "'backpropagation'" else PALETTE[1]
            ax.vlines(k, *row["interval"], color=colour, linewidth=4, alpha=0.35)
            ax.plot([k] * len(row["accuracy"]), row["accuracy"], ".", color=colour, markersize=3, clip_on=False)
        ax.set_xticks(range(len(content["rules"])), content["rules"], rotation=90, fontsize=5.5)
        ax.set_title("\n".join([letter, *textwrap.wrap(problem, 11)]), fontsize=6)
        ax.set(ylim=(0, 1), xlim=(-0.7, len(content["rules"]) - 0.3))
        ax.tick_params(labelleft=ax is axes[0])
    axes[0].set_ylabel("test accuracy", fontsize=7)
    write_below(
        figure,
        f"Dots: {len(SEEDS)} instances, bars: 95 % interval of their mean (blue: backpropagation or its "
        "surrogate), dashed: chance. C, D: which of two cues was shown 60 steps ago; F: which of two groups of "
        "neurons fires; G: whether exactly one of them does.",
    )
    return figure


def main(folder: Path, problems: list[str]) -> None:
    """Train what is not done yet, keep the numbers, and draw from them."""
    path = folder / "table1_rules.json"
    kept = storage.read_json(path)["problems"] if path.exists() else {}
    for problem in PROBLEMS:
        if problem in problems or problem not in kept:
            kept[problem] = compute(problem)
            ordered = {p: kept[p] for p in PROBLEMS if p in kept}
            content = {"problems": ordered, "seeds": list(SEEDS), "provenance": runtime.provenance()}
            storage.write_json(path, content, sort_keys=False)
    with house_style():
        pictures = figure_bytes(draw({p: kept[p] for p in PROBLEMS}))
    storage.write_bytes(folder / "table1_rules.png", pictures["png"])


if __name__ == "__main__":
    with called(__doc__) as given:
        target = given.folder("results/learning_rules")
        target.mkdir(parents=True, exist_ok=True)
        main(target, given.names(PROBLEMS, "problem", 1) if given.words[1:] else [])
