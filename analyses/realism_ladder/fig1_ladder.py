"""Figure 1 of the realism ladder: what each rung of biology does to a trained network, on digits and on MNIST.

Every rung is measured as it comes out of ``climb``, calibrated, and, from the refractory period on, retuned. Nothing is
calibrated or retuned on an image that is tested.

Run: python analyses/realism_ladder/fig1_ladder.py [--redraw] (MNIST where NEUROSIM_DATA names the data folder)
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.stats import binomtest

import neurosim as ns
from neurosim import runtime, storage
from neurosim.biophysics.ladder import RUNGS
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Axes,
    Figure,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
    write_below,
)
from neurosim.stimuli.encoders import bernoulli_spikes
from neurosim.stimuli.parts import balanced
from neurosim.tasks.classification import ClassificationTask

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

N_STEPS, SEED = 25, 1
RETUNED = {"refractory": 8, "adex": 6, "hodgkin_huxley": 5}
STATES = ("climbed", "calibrated", "retuned")
COMPARED = 100
HERE = Path(__file__).parent
LAYERS = ("hidden1", "hidden2", "output")
NAMES = {"adex": "AdEx", "hodgkin_huxley": "Hodgkin-Huxley"}
TITLES = {"digits": "digits, MLP 64-64-32-10", "mnist": "MNIST, MLP 784-128-64-10"}
CALIBRATION = "a gain and a bias of every neuron, by the correlation of counts"


def tasks() -> dict[str, ClassificationTask]:
    """Return what is learned: scikit-learn's digits and, where it is there, MNIST."""
    found = {"digits": ns.tasks.classification_task(ns.load_digits(), rng=SEED)}
    if ns.data_folder() is not None:
        found["mnist"] = ns.tasks.classification_task(
            ns.stimuli.load_mnist("train", 10000), test=ns.stimuli.load_mnist("test", 1000)
        )
    return found


def trained(name: str, task: ClassificationTask) -> torch.nn.Module:
    """Return a spiking network trained on the task."""
    hidden = (64, 32) if name == "digits" else (128, 64)
    with runtime.torch_seeded(SEED):
        network = ns.build_network(ns.networks.SpikingMLPSpecification(hidden, n_steps=N_STEPS), task.image_shape, 10)
    options = ns.networks.TrainingOptions(epochs=40 if name == "digits" else 12, learning_rate=5e-3)
    ns.train(network, task.with_encoder(partial(bernoulli_spikes, n_steps=N_STEPS)), options, rng=SEED)
    return network


def compute() -> xr.Dataset:
    """Climb, calibrate, retune and measure, for every task."""
    return xr.concat([one_task(name, task).expand_dims(task=[name]) for name, task in tasks().items()], "task")


def one_task(name: str, task: ClassificationTask) -> xr.Dataset:
    """Measure all rungs of one task, along ``rung`` and ``state``."""
    network = trained(name, task)
    circuit = ns.to_circuit(network, name=name)
    encode = partial(ns.stimuli.encode_rate, n_steps=N_STEPS)
    tested = encode(task.test, rng=SEED)
    compared = encode(balanced(task.test, COMPARED // 10), rng=SEED)
    calibration = encode(task.train[:300], rng=SEED)
    wanted = ns.record_responses(network, calibration, double=True)
    images = task.train[:1500]
    truth = {
        key: ns.record_responses(network, shown, double=True) for key, shown in (("all", tested), ("few", compared))
    }
    rows = []
    for rung in runtime.track(RUNGS, f"ladder of {name}"):
        climbed = ns.climb(circuit, rung)
        states = {"climbed": climbed}
        if rung != "exact":
            states["calibrated"], _ = ns.biophysics.calibrate(climbed, calibration, wanted)
        if rung in RETUNED:
            states["retuned"], history = ns.biophysics.retune(
                states["calibrated"],
                lambda epoch: encode(images, rng=1000 + epoch),
                task.categories,
                ns.biophysics.RetuningOptions(
                    ("gain", "bias", "threshold", "weights"), RETUNED[rung], learning_rate=0.03
                ),
                teacher=partial(ns.record_responses, network, double=True, progress=False),
                rng=SEED,
            )
            print(name, rung, "accuracy while retuning", np.round(history.accuracy.values, 3), flush=True)
        measured = {s: measure(c, tested, compared, truth, task.categories) for s, c in states.items()}
        print(name, rung, {s: round(float(m.accuracy), 4) for s, m in measured.items()}, flush=True)
        rows.append(xr.concat([m.expand_dims(state=[s]) for s, m in measured.items()], "state"))
    found = xr.concat(rows, "rung", join="outer").assign_coords(rung=list(RUNGS)).reindex(state=list(STATES))
    right = (
        np.asarray(task.categories)[ns.biophysics.choose_category(circuit, truth["all"])] == task.test.category.values
    ).mean()
    return found.assign(accuracy_trained=float(right), n_tested=task.test.sizes["stimulus"])


def measure(circuit, tested, compared, truth, categories) -> xr.Dataset:
    """Return accuracy on all test images; rates, spike times and geometry of every layer; seconds a stimulus."""
    start = time.process_time()
    answers = ns.simulate(circuit, tested, engine="torch")
    seconds = (time.process_time() - start) / tested.sizes["stimulus"]
    right = np.asarray(categories)[ns.biophysics.choose_category(circuit, answers)] == tested.category.values
    few = ns.simulate(circuit, compared, engine="torch")
    layers = [p.name for p in circuit.populations]
    rows = {k: [] for k in ("rate_ratio", "f1", "rsa", "rsa_interval", "cka", "cka_interval")}
    for layer in layers:
        own = np.flatnonzero(answers.layer.values == layer)
        rows["rate_ratio"].append(float(answers[..., own].sum() / truth["all"][..., own].sum()))
        one, other = truth["few"][..., own], few[..., own]
        rows["f1"].append(float(ns.responses.spike_time_f1(one, other, tolerance=2e-3).mean()))
        counts = [r.sum("time") for r in (one, other)]
        for key, score in (("rsa", rdm_correlation), ("cka", ns.similarity.cka)):
            found = jackknifed(score, *counts)
            rows[key].append(found[0])
            rows[f"{key}_interval"].append(found[1:])
    data = {k: ("layer", v) if np.ndim(v) == 1 else (("layer", "bound"), v) for k, v in rows.items()}
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    data |= {"accuracy": float(right.mean()), "accuracy_interval": ("bound", list(interval)), "seconds": seconds}
    return xr.Dataset(data, coords={"layer": layers, "bound": ["low", "high"]})


def rdm_correlation(a: xr.DataArray, b: xr.DataArray) -> float:
    """Return the Pearson correlation of two squared euclidean RDMs."""
    return float(ns.compare_rdms(ns.compute_rdm(a, "euclidean"), ns.compute_rdm(b, "euclidean"), "corr"))


def jackknifed(score, a: xr.DataArray, b: xr.DataArray) -> tuple[float, float, float]:
    """Return a score and its 95 % interval over stimuli; NaN where a layer is silent."""
    if len(np.unique(b.values, axis=0)) < 3:
        return np.nan, np.nan, np.nan
    found = ns.similarity.jackknife(score, a, b, progress=False)
    return float(found.score), float(found.interval[0]), float(found.interval[1])


def draw(content: dict[str, Any]) -> Figure:
    """Draw a column a task: accuracy on top; rates, spike times and geometry of every layer, calibrated, below."""
    names = [name for name in ("digits", "mnist") if name in content]
    figure = new_figure(PAGE, 6.6)
    axes = figure.subplots(3, len(names), squeeze=False, sharex=True, sharey="row")
    for column, name in zip(axes.T, names, strict=True):
        draw_accuracy(column[0], content[name], TITLES[name])
        draw_rates(column[1], content[name]["rungs"])
        draw_likeness(column[2], content[name]["rungs"])
    for ax, label in zip(
        axes[:, 0],
        ("test accuracy", "rate / that of the\ntrained network", "likeness to the\ntrained network"),
        strict=True,
    ):
        ax.set_ylabel(label, fontsize=7)
    letter_panels(list(axes.flat))
    titles = (None, "calibrated; dotted: as climbed", "calibrated: RDMs; dashed: spike times")
    for ax, text in zip(axes[:, 0], titles, strict=True):
        ax.legend(fontsize=6, loc="lower left", title=text, title_fontsize=6, alignment="left")
    write_below(
        figure,
        "Each rung adds one step of biology to those at its left. Climbed: with the weights of the trained "
        f"network. Calibrated: {content['calibration']}. Retuned: trained a little more on the rung. Gray in C, "
        "D: 0.5 to 2 times the rate. E, F: correlation of the RDMs of 100 images; F1 of spikes within 2 ms. "
        "Bars: 95 % intervals over images.",
    )
    return figure


def draw_accuracy(ax: Axes, task: dict[str, Any], title: str) -> None:
    """Draw the accuracy of the three states with intervals, and the trained network as a line."""
    ax.axhline(task["accuracy_trained"], color="0.6", lw=0.8, label="trained network")
    for k, (state, style) in enumerate(zip(STATES, (":", "-", "none"), strict=True)):
        place, value = row_of(task["rungs"], state, "accuracy")
        _, interval = row_of(task["rungs"], state, "accuracy_interval")
        reach = np.abs(interval.T - value)
        ax.errorbar(place, value, reach, ls=style, marker="os^"[k], ms=3, capsize=1.5, color=PALETTE[k], label=state)
    ax.set(ylim=(0, 1.03))
    ax.set_title(f"{title}; {task['n_tested']} tested", fontsize=7, loc="center", fontweight="normal")


def draw_rates(ax: Axes, rungs: dict[str, Any]) -> None:
    """Draw the rate of every layer relative to the trained network, calibrated and as climbed."""
    ax.axhspan(0.5, 2, color="0.93", zorder=0, linewidth=0)
    for state, style in (("climbed", ":"), ("calibrated", "o-")):
        place, ratios = row_of(rungs, state, "rate_ratio")
        for k, (layer, values) in enumerate(zip(LAYERS, ratios.T, strict=True)):
            label = layer if state == "calibrated" else None
            ax.plot(place, values, style, color=PALETTE[k], ms=2.5, lw=0.9, label=label)
    ax.set(yscale="log")


def draw_likeness(ax: Axes, rungs: dict[str, Any]) -> None:
    """Draw correlations of RDMs, with intervals, and F1 of spike times of every layer of the calibrated circuits."""
    place, geometry = row_of(rungs, "calibrated", "rdm_correlation")
    _, intervals = row_of(rungs, "calibrated", "rdm_correlation_interval")
    _, times = row_of(rungs, "calibrated", "spike_time_f1")
    for k, layer in enumerate(LAYERS):
        reach = np.abs(intervals[:, k].T - geometry[:, k])
        ax.errorbar(
            place, geometry[:, k], reach, color=PALETTE[k], marker="o", ms=2.5, lw=0.9, capsize=1.5, label=layer
        )
        ax.plot(place, times[:, k], "--", color=PALETTE[k], lw=0.9)
    ax.set(ylim=(0, 1.05))
    ax.set_xticks(range(len(rungs)), [NAMES.get(r, r) for r in RUNGS], rotation=40, ha="right", fontsize=6.5)


def row_of(rungs: dict[str, Any], state: str, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the rungs that were measured in a state, and what was."""
    place = [k for k, rung in enumerate(RUNGS) if state in rungs[rung]]
    return np.array(place), np.array([rungs[list(RUNGS)[k]][state][what] for k in place], dtype=float)


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    numbers: dict[str, object] = {}
    for task in results.task.values:
        one = results.sel(task=task)
        trained_accuracy = float(one.accuracy_trained)
        rungs = {
            str(rung): {
                str(state): {
                    "accuracy": round(float(cell.accuracy), 4),
                    "accuracy_interval": np.round(cell.accuracy_interval.values, 4).tolist(),
                    "share_of_trained": round(float(cell.accuracy) / trained_accuracy, 4),
                    "rate_ratio": np.round(cell.rate_ratio.values, 3).tolist(),
                    "spike_time_f1": np.round(cell.f1.values, 3).tolist(),
                    "rdm_correlation": np.round(cell.rsa.values, 3).tolist(),
                    "rdm_correlation_interval": np.round(cell.rsa_interval.values, 3).tolist(),
                    "cka": np.round(cell.cka.values, 3).tolist(),
                    "cka_interval": np.round(cell.cka_interval.values, 3).tolist(),
                    "cpu_seconds_a_stimulus": float(f"{float(cell.seconds):.2g}"),
                }
                for state in STATES
                if np.isfinite((cell := one.sel(rung=rung, state=state)).accuracy)
            }
            for rung in one.rung.values
        }
        about = {"accuracy_trained": round(trained_accuracy, 4), "n_tested": int(one.n_tested)}
        numbers[str(task)] = about | {"rungs": rungs}
    return numbers | {"calibration": CALIBRATION}


def main(*, redraw: bool) -> None:
    """Compute (or, with `--redraw`, take the numbers that are kept here), keep the numbers, and draw from them."""
    if not redraw:
        storage.write_json(HERE / "fig1_ladder.json", table(compute()) | {"provenance": runtime.provenance()})
    with house_style():
        figure = draw(storage.read_json(HERE / "fig1_ladder.json"))
        storage.write_bytes(HERE / "fig1_ladder.png", figure_bytes(figure)["png"])


if __name__ == "__main__":
    with called(__doc__) as given:
        main(redraw=given.redraw)
