"""Figure 1: one leaky rate network learns the twenty rules of Yang et al. 2019, mixed in every batch.

Run: python analyses/cognition/fig1_rules.py [folder] [--redraw] (an hour on one core; it goes on where it stopped)
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Figure,
    colour_bar,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
    write_below,
)
from neurosim.similarity.rdms import compute_rdm
from neurosim.tasks.yang import RULES, yang_task

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SPECIFICATION = LeakyRNNSpecification(200, noise=0.05, identity=0.5)
OPTIONS = TrainingOptions(80, 64, 2e-3)
BATCHES, N_TRIALS, SEED = 200, 400, 0
PAPER = {
    "fdgo": "Go",
    "reactgo": "RT Go",
    "delaygo": "Dly Go",
    "fdanti": "Anti",
    "reactanti": "RT Anti",
    "delayanti": "Dly Anti",
    "dm1": "DM 1",
    "dm2": "DM 2",
    "contextdm1": "Ctx DM 1",
    "contextdm2": "Ctx DM 2",
    "multidm": "MultSen DM",
    "delaydm1": "Dly DM 1",
    "delaydm2": "Dly DM 2",
    "contextdelaydm1": "Ctx Dly DM 1",
    "contextdelaydm2": "Ctx Dly DM 2",
    "multidelaydm": "MultSen Dly DM",
    "dmsgo": "DMS",
    "dmsnogo": "DNMS",
    "dmcgo": "DMC",
    "dmcnogo": "DNMC",
}  # as the paper calls them (https://doi.org/10.1038/s41593-018-0310-2)


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


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers of the figure."""
    names = [str(rule) for rule in results.rule.values]
    return {
        "right": dict(zip(names, results.right.values.round(4).tolist(), strict=True)),
        "interval": dict(zip(names, results.interval.values.round(4).tolist(), strict=True)),
        "n_rules_at_95_percent": int((results.right >= 0.95).sum()),
        "n_trials_a_rule": N_TRIALS,
        "n_batches": BATCHES * OPTIONS.epochs,
        "rdm": results.rdm.values.round(5).tolist(),
    }


def draw(content: dict[str, Any]) -> Figure:
    """Draw the share right of every rule, and the rules arranged by the units that they use."""
    figure = new_figure(PAGE, 4.1)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    share, interval = np.array(list(content["right"].values())), np.array(list(content["interval"].values()))
    place, names = np.arange(len(share))[::-1], [PAPER[rule] for rule in content["right"]]
    colours = [PALETTE[0] if s >= 0.95 else PALETTE[1] for s in share]
    left.hlines(place, *interval.T, color=colours, linewidth=1)
    left.scatter(share, place, 12, colours)
    left.axvline(0.95, color="black", linewidth=0.8, linestyle=":")
    left.set_yticks(place, names, fontsize=6)
    left.set_xlabel("share of new trials that are right", fontsize=7)
    left.set_title(f"{content['n_rules_at_95_percent']} of {len(share)} rules learned")
    image = right.imshow(content["rdm"], cmap="viridis", vmin=0)
    right.set_xticks(place[::-1], names, rotation=90, fontsize=5.5)
    right.set_yticks(place[::-1], names, fontsize=5.5)
    colour_bar(image, right, "euclidean distance")
    right.set_anchor("N")
    right.set_title("rules that use the same units are near")
    letter_panels([left, right], 7)
    write_below(
        figure,
        f"One network; {content['n_trials_a_rule']} trials a rule, 95 % intervals (Wilson); orange: below the "
        "dotted 0.95. B: distance of the variances of all units over trials. Go: respond towards the stimulus; "
        "Anti: away from it; RT: at once; Dly: after a delay; DM: decide for the stronger of two, in modality "
        "1 or 2; Ctx: in the one that the rule names; MultSen: in both; DMS, DNMS: respond if two stimuli "
        "match, or do not; DMC, DNMC: if their categories do.",
    )
    return figure


def main(folder: Path, *, redraw: bool) -> None:
    """Train (or, with `--redraw`, take the numbers that are kept), keep the numbers, and draw from them."""
    if redraw:
        content = storage.read_json(folder / "fig1_rules.json")
    else:
        network = trained(folder / "rules_checkpoint.safetensors")
        storage.write_weights(folder / "rules_weights.safetensors", weights_of(network))
        content = table(compute(network)) | {"provenance": runtime.provenance()}
        storage.write_json(folder / "fig1_rules.json", content, sort_keys=False)
    with house_style():
        storage.write_bytes(folder / "fig1_rules.png", figure_bytes(draw(content))["png"])
    print(content["n_rules_at_95_percent"], "rules of", len(RULES), "at 95 % or more")


if __name__ == "__main__":
    with called(__doc__) as given:
        target = given.folder(Path(__file__).parent if given.redraw else "results/cognition")
        target.mkdir(parents=True, exist_ok=True)
        main(target, redraw=given.redraw)
