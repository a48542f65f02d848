"""Table 1: what networks of rectified and of spiking units reach on pictures, and what they compute for it.

Run: python analyses/spiking_zoo/table1_zoo.py [folder] [digits] [cifar10] [--redraw]
(nine minutes for the digits)

Digits by default; of CIFAR-10 the first 4000 training and 1000 test pictures, which needs the data folder that
NEUROSIM_DATA names. Three instances each. Thresholds of converted networks and penalties of readouts come from training
data alone; operations are those of the first 64 test pictures.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import neurosim as ns
from neurosim import runtime, storage
from neurosim.networks import (
    ConvNetSpecification,
    EnergyCosts,
    LiquidStateMachineSpecification,
    SEWResNetSpecification,
    SpikformerSpecification,
    TrainingOptions,
    build_network,
    conversion_loss,
    evaluate,
    fit_readout,
    n_parameters,
    synaptic_operations,
    to_spiking,
)
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Axes,
    Figure,
    figure_bytes,
    house_style,
    new_figure,
    spread,
    write_below,
)
from neurosim.tasks.classification import classification_task

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SEEDS, N_STEPS = 3, (4, 8, 16, 32, 64)
LINE = 0.012  # of accuracy, between names
EPOCHS = {"digits": 20, "cifar10": 8}
TRAINED = {
    "SEW ResNet": SEWResNetSpecification((16, 32)),
    "Spikformer": SpikformerSpecification(32, 2, 1, 64),
}


def task_of(name: str) -> Any:
    """Return the pictures of a data set as a task, the same for all networks."""
    if name == "digits":
        return classification_task(ns.load_digits(), rng=0)
    train, test = (ns.stimuli.load_cifar10(part=part, n_images=n) for part, n in (("train", 4000), ("test", 1000)))
    return classification_task(train, test=test, rng=0)


def rows_as_steps(stimuli: Any) -> Any:
    """Return pictures as sequences of their rows, as currents of a liquid."""
    values = stimuli.transpose("stimulus", "y", ..., "x").values.reshape(len(stimuli), stimuli.sizes["y"], -1)
    return ns.as_stimuli(
        np.repeat(values, 4, axis=1) * 2,
        dims=("stimulus", "time", "unit"),
        ids=stimuli.stimulus.values.tolist(),
        coords={"category": stimuli.category.values},
        time_step=1e-3,
        scale=1,
    )


def measured(network: Any, task: Any, started: float) -> dict[str, Any]:
    """Return the accuracy of a network, and what it computes."""
    found = synaptic_operations(network, task.test[:64], costs=EnergyCosts())
    total = {name: round(float(found[name].sum())) for name in ("dense", "effective_macs", "effective_acs")}
    return total | {
        "accuracy": float(evaluate(network, task).accuracy),
        "energy_nJ": round(float(found.energy.sum()) * 1e9, 3),
        "activation_sparsity": round(float(found.activation_sparsity), 4),
        "connection_sparsity": round(float(found.connection_sparsity), 4),
        "footprint_bytes": int(found.footprint),
        "n_parameters": n_parameters(network),
        "seconds": round(time.perf_counter() - started, 1),
    }


def compute(name: str, seed: int) -> dict[str, dict[str, Any]]:
    """Return the row of every network for one instance."""
    task, options, rows = task_of(name), TrainingOptions(epochs=EPOCHS[name]), {}
    start = time.perf_counter()
    with runtime.torch_seeded(seed):
        rectified = build_network(ConvNetSpecification((8, 16), 32), task.image_shape, len(task.categories))
    ns.train(rectified, task, options, rng=seed, progress=False)
    rows["ConvNet, rectified"] = measured(rectified, task, start)
    start = time.perf_counter()
    spiking = to_spiking(rectified, task)
    rows["ConvNet, converted, 16 steps"] = measured(spiking.with_steps(16), task, start)
    by_steps = conversion_loss(rectified, spiking, task, n_steps=N_STEPS)
    accuracy = {str(n): round(float(by_steps.accuracy.sel(n_steps=n)), 4) for n in N_STEPS}
    rows["ConvNet, converted, 16 steps"]["accuracy_by_steps"] = accuracy
    for label, specification in TRAINED.items():
        start = time.perf_counter()
        with runtime.torch_seeded(seed):
            network = build_network(specification, task.image_shape, len(task.categories))
        ns.train(network, task, options, rng=seed, progress=False)
        rows[label] = measured(network, task, start)
    start = time.perf_counter()
    moving = classification_task(rows_as_steps(task.train), test=rows_as_steps(task.test), rng=0)
    with runtime.torch_seeded(seed):
        liquid = build_network(LiquidStateMachineSpecification((5, 5, 12)), moving.image_shape, len(task.categories))
    fit_readout(liquid, moving, rng=seed)
    rows["Liquid state machine"] = measured(liquid, moving, start)
    return rows


def draw(results: dict[str, Any]) -> Figure:
    """Draw accuracy against assumed energy, a colour a network, an instance a dot, a panel a data set."""
    figure = new_figure(PAGE * 0.75 * len(results), 3.0)
    for ax, (name, rows) in zip(figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True):
        named = []
        for colour, (label, runs) in zip(PALETTE, rows.items(), strict=False):
            energy, accuracy = ([run[key] for run in runs] for key in ("energy_nJ", "accuracy"))
            ax.plot(energy, accuracy, "o", color=colour, markersize=4, alpha=0.8)
            named.append((max(energy), float(np.mean(accuracy)), label, colour))
        ax.set(xscale="log", xlabel="energy of operations, assumed (nJ a picture)", ylabel=f"test accuracy, {name}")
        ax.set_xticks([50, 100, 200, 500, 1000], ["50", "100", "200", "500", "1000"])
        ax.minorticks_off()
        ax.set(xlim=(45, 2500), ylim=(min(ax.get_ylim()[0], 0.8), 1.0))
        _name(ax, named)
    write_below(
        figure,
        f"Each dot one of {SEEDS} instances. Energy of operations, not measured: 4.6 pJ a multiply-accumulate "
        "and 0.9 pJ an accumulate (45 nm).",
    )
    return figure


def _name(ax: Axes, named: list[tuple[float, float, str, str]]) -> None:
    """Write the name of every network at the right of its dots, those of about one energy below each other."""
    decades = np.round(np.log10([energy for energy, *_ in named])).astype(int)
    for decade in np.unique(decades):
        own = sorted((one for one, at in zip(named, decades, strict=True) if at == decade), key=lambda one: one[1])
        places = spread(np.array([accuracy for _, accuracy, *_ in own]), LINE)
        for (_, _, label, colour), y in zip(own, places, strict=True):
            ax.text(1.12 * max(energy for energy, *_ in own), y, label, color=colour, fontsize=6, va="center")


def measure(folder: Path, names: list[str]) -> dict[str, Any]:
    """Train and measure every network, and keep the numbers as they come."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in names:
        for seed in range(SEEDS):
            for label, row in compute(name, seed).items():
                found.setdefault(name, {}).setdefault(label, []).append(row)
                print(name, seed, label, row, flush=True)
            about = {"rows": found, "costs": "4.6 pJ a MAC, 0.9 pJ an AC (45 nm)", "provenance": runtime.provenance()}
            storage.write_json(folder / "table1_zoo.json", about)
    return found


if __name__ == "__main__":
    with called(__doc__) as given:
        place = given.folder(Path(__file__).parent)
        kept = storage.read_json(place / "table1_zoo.json")["rows"] if given.redraw else None
        with house_style():
            drawn = figure_bytes(draw(kept or measure(place, given.words[1:] or ["digits"])))
            storage.write_bytes(place / "table1_zoo.png", drawn["png"])
