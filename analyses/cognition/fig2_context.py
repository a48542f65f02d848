"""Figure 2: context-dependent decisions; what is attended moves the choice, what is not does not (Mante et al. 2013).

Run: python analyses/cognition/fig2_context.py [folder] (two minutes on one core)
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from neurosim import runtime, storage
from neurosim.networks import LeakyRNNSpecification
from neurosim.networks.architecture import build_network
from neurosim.networks.optimization import TrainingOptions
from neurosim.networks.training import train
from neurosim.plots.canvas import PAGE, PALETTE, figure_bytes, house_style, letter_panels, new_figure, write_below
from neurosim.plots.training import plot_psychometric
from neurosim.tasks.cognition import cognitive_task, psychometric

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SEEDS, N_TRIALS = (0, 1, 2), 4000
SPECIFICATION = LeakyRNNSpecification(100, noise=0.1, identity=0.5)
OPTIONS = TrainingOptions(12, 64, 3e-3)


def compute(seed: int) -> xr.Dataset:
    """Train one network; return its choices on new trials with their table."""
    task = replace(cognitive_task("context_decision", noise=0.5), n_batches_an_epoch=150)
    with runtime.torch_seeded(seed):
        network = build_network(SPECIFICATION, task.image_shape, len(task.outputs))
    train(network, task, OPTIONS, rng=seed)
    trials = task.trials(N_TRIALS, rng=99)
    network.eval()
    with torch.no_grad():
        outputs = network(torch.from_numpy(trials.inputs.values).transpose(0, 1)).transpose(0, 1).numpy()
    chosen, right = task.chosen(outputs, trials), task.score(outputs, trials)
    return xr.Dataset({"chosen": chosen, "right": right})


def draw(results: xr.Dataset) -> object:
    """Draw the share of choice 1 by motion and by colour coherence, in each context."""
    figure = new_figure(PAGE * 0.8, 2.8)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, evidence in zip(axes, ("motion", "colour"), strict=True):
        for k, context in enumerate(("motion", "colour")):
            own = results.chosen.isel(stimulus=np.flatnonzero(results.context.values == context))
            plot_psychometric(psychometric(own, f"{evidence}_coherence"), ax, colour=PALETTE[k])
            for seed in SEEDS:
                one = own.isel(stimulus=np.flatnonzero(np.char.startswith(own.stimulus.values.astype(str), f"{seed}_")))
                alone = psychometric(one, f"{evidence}_coherence")["mean"]
                ax.plot(alone[f"{evidence}_coherence"], alone, color=PALETTE[k], linewidth=0.5, alpha=0.6, zorder=1)
            at = (0.98, 0.94 if context == evidence else 0.42)
            ax.text(
                *at, f"attend {context}", color=PALETTE[k], fontsize=7, ha="right", va="top", transform=ax.transAxes
            )
        ax.set(ylabel="share of choice 1" if evidence == "motion" else "", title=f"by {evidence}")
    letter_panels(axes, 8)
    write_below(
        figure,
        f"{len(SEEDS)} networks, {N_TRIALS:,} trials each: thin, one by one; dots, together, ± one standard "
        "error over trials. Gray: no preference.",
    )
    return figure


def slopes(results: xr.Dataset) -> dict[str, float]:
    """Return the weight of each evidence on the choice in each context, by logistic regression."""
    from sklearn.linear_model import LogisticRegression

    found = {}
    for context in ("motion", "colour"):
        own = results.isel(stimulus=np.flatnonzero(results.context.values == context))
        evidence = np.stack([own.motion_coherence.values, own.colour_coherence.values], axis=1)
        weights = LogisticRegression(C=100.0).fit(evidence, own.chosen.values).coef_[0]
        found |= {
            f"{context} attended: weight of {e}": round(float(w), 2)
            for e, w in zip(("motion", "colour"), weights, strict=True)
        }
    return found


def main(folder: Path) -> None:
    """Train, keep the numbers, and draw from them."""
    results = [compute(seed) for seed in SEEDS]
    together = xr.concat(
        [r.assign_coords(stimulus=[f"{k}_{s}" for s in r.stimulus.values]) for k, r in enumerate(results)], "stimulus"
    )
    content = {
        "share_right_by_seed": [round(float(r.right.mean()), 4) for r in results],
        "weights": slopes(together),
        "n_trials_a_seed": N_TRIALS,
        "provenance": runtime.provenance(),
    }
    storage.write_json(folder / "fig2_context.json", content, sort_keys=False)
    with house_style():
        storage.write_bytes(folder / "fig2_context.png", figure_bytes(draw(together))["png"])
    print(content["share_right_by_seed"], content["weights"])


if __name__ == "__main__":
    with called(__doc__) as given:
        target = given.folder("results/cognition")
        target.mkdir(parents=True, exist_ok=True)
        main(target)
