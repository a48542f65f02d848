"""Figure 1: one leaky rate network learns the twenty rules of Yang et al. 2019, mixed in every batch.

Run: python analyses/cognition/fig1_rules.py [folder] (about an hour on one core; it goes on where it was stopped)
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy.stats import binomtest

from neurosim import runtime, storage
from neurosim.networks import LeakyRNNSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.recording import record_responses
from neurosim.networks.training import train, weights_of
from neurosim.plots.canvas import PALETTE, figure_bytes, house_style, new_figure
from neurosim.similarity.rdms import compute_rdm
from neurosim.tasks.yang import RULES, yang_task

SPECIFICATION = LeakyRNNSpecification(200, noise=0.05, identity=0.5)
OPTIONS = TrainingOptions(80, 64, 2e-3)
BATCHES, N_TRIALS, SEED = 200, 400, 0


def trained(checkpoint: Path) -> torch.nn.Module:
    """Return the trained network; training goes on from `checkpoint`."""
    task = replace(yang_task(), n_batches_an_epoch=BATCHES)
    with runtime.torch_seeded(SEED):
        network = build_network(SPECIFICATION, task.image_shape, len(task.outputs))
    train(network, task, OPTIONS, rng=SEED, checkpoint=checkpoint)
    return network


def answers(network: torch.nn.Module, inputs: xr.DataArray) -> np.ndarray:
    """Return outputs (stimulus, time, output)."""
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(inputs.values).transpose(0, 1)).transpose(0, 1).numpy()


def compute(network: torch.nn.Module) -> xr.Dataset:
    """Return the share of right trials by rule with its interval, and the RDM of rules by how units vary in each."""
    right, low, high, variance = [], [], [], []
    for rule in RULES:
        task = yang_task([rule])
        trials = task.trials(N_TRIALS, rng=1)
        score = task.score(answers(network, trials.inputs), trials).values
        interval = binomtest(int(score.sum()), N_TRIALS).proportion_ci(method="wilson")
        right.append(score.mean())
        low.append(interval.low)
        high.append(interval.high)
        rates = record_responses(network, trials.inputs, progress=False)
        alive = trials.weights.rename(output="unit") if "output" in trials.weights.dims else trials.weights
        variance.append(rates.where(alive > 0).var("stimulus").mean("time").values)
    shares = np.array(variance)
    normal = shares / np.maximum(shares.max(0), 1e-12)
    rdm = compute_rdm(normal[:, shares.max(0) > 1e-4], metric="euclidean")
    return xr.Dataset(
        {
            "right": ("rule", right),
            "interval": (("rule", "bound"), np.stack([low, high], axis=1)),
            "rdm": (("rule", "rule_other"), rdm.values),
        },
        coords={"rule": list(RULES), "rule_other": list(RULES), "bound": ["low", "high"]},
    )


def draw(results: xr.Dataset) -> object:
    """Draw bars of the share right, and the rules arranged by the units that they use."""
    figure = new_figure(8, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    place = np.arange(results.sizes["rule"])
    left.bar(place, results.right, color=[PALETTE[0] if r >= 0.95 else PALETTE[1] for r in results.right.values])
    left.vlines(place, results.interval[:, 0], results.interval[:, 1], color="0.25", linewidth=0.9)
    left.axhline(0.95, color="black", linewidth=0.8, linestyle=":")
    left.set_xticks(place, results.rule.values, rotation=90, fontsize=7)
    left.set(ylabel="share of trials answered rightly", ylim=(0, 1.02))
    image = right.imshow(results.rdm, cmap="viridis")
    right.set_xticks(place, results.rule.values, rotation=90, fontsize=5)
    right.set_yticks(place, results.rule.values, fontsize=5)
    right.set(title="rules by the units that vary in them")
    figure.colorbar(image, ax=right, label="euclidean distance", shrink=0.8)
    return figure


def main(folder: Path) -> None:
    """Train, keep the numbers, and draw from them."""
    network = trained(folder / "rules_checkpoint.safetensors")
    storage.write_weights(folder / "rules_weights.safetensors", weights_of(network))
    results = compute(network)
    content = {
        "right": {r: round(float(v), 4) for r, v in zip(results.rule.values, results.right.values, strict=True)},
        "interval": {
            r: [round(float(v), 4) for v in bounds]
            for r, bounds in zip(results.rule.values, results.interval.values, strict=True)
        },
        "n_rules_at_95_percent": int((results.right >= 0.95).sum()),
        "n_trials_a_rule": N_TRIALS,
        "n_batches": BATCHES * OPTIONS.epochs,
        "provenance": runtime.provenance(),
    }
    storage.write_json(folder / "fig1_rules.json", content, sort_keys=False)
    with house_style():
        storage.write_bytes(folder / "fig1_rules.png", figure_bytes(draw(results))["png"])
    print(content["n_rules_at_95_percent"], "rules of", len(RULES), "at 95 % or more")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "results/cognition")
    target.mkdir(parents=True, exist_ok=True)
    main(target)
