"""Figure 1 of V4: whether making a network biological moves it nearer to single neurons of macaque V4.

The first 200 pictures of session 210325 (50 neurons of animal PE, Cowley 2026) are shown to every subject:
EfficientNet-Lite0, a CNN and a spiking CNN of CIFAR-10, each trained and untrained, the circuit of the trained spiking
CNN on five rungs of the ladder of realism, and a Gabor-AdEx circuit. Every layer predicts the mean response of every
neuron (ridge, 10 folds, and partial least squares of 25 components, 5 folds; median neuron), and its RDM is compared
with that of the neurons; a network and its untrained copy, a rung and its network are compared layer by layer. What
differs by more than its architecture is said in the caption: the networks of CIFAR-10 see 32 x 32 pixels, EfficientNet
224 x 224. The accuracy of a rung is that of 100 test pictures (standard error 0.05), of a network that of all, so that
an exact rung, whose spikes are the network's, need not have its number.

Run: NEUROSIM_DATA=... python analyses/v4/fig1_biology.py [folder] [--redraw] (more than
a quarter of an hour on two cores; run again, it goes on where it was)
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

import neurosim as ns
from neurosim import storage
from neurosim.plots.canvas import PAGE, PALETTE, Axes, Figure, figure_bytes, house_style, letter_panels, new_figure
from neurosim.responses.reliability import signal_to_noise
from neurosim.runtime import provenance
from neurosim.similarity.inference_options import correct_p
from neurosim.similarity.prediction_pairs import compare_predictions
from neurosim.study import Study, run_study
from neurosim.study.analyses.layer_scores import together

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SESSION, N_IMAGES, SEED = "210325", 200, 1
BLOCKS = ["block.01", "block.03", "block.05", "block.08", "block.11", "block.14"]
RUNGS = {
    "exact": "exact twin",
    "conductance": "conductance",
    "refractory": "refractory, delays",
    "adex": "AdEx, noise",
    "hodgkin_huxley": "Hodgkin-Huxley",
}
SUBJECTS = {
    "efficientnet": "EfficientNet-Lite0",
    "untrained": "EfficientNet-Lite0, untrained",
    "cnn": "CNN",
    "cnn_untrained": "CNN, untrained",
    "spiking_cnn": "spiking CNN",
    "spiking_untrained": "spiking CNN, untrained",
    **RUNGS,
    "gabor_adex": "Gabor-AdEx circuit",
}
GROUPS = {  # what a colour means, and whose it is
    "trained": ("efficientnet", "cnn", "spiking_cnn"),
    "circuit of the trained spiking CNN": tuple(RUNGS),
    "untrained": ("untrained", "cnn_untrained", "spiking_untrained", "gabor_adex"),
}
QUESTION = "Does making a network biological move it nearer to single neurons of macaque V4, or does training?"
CAPTION = (
    "One dot a layer, the deeper the darker, with its 95 % interval over pictures. Dashed, what a perfect model would "
    "reach, shaded its 95 % interval.\n200 of the 640 pictures of session 210325, 50 neurons of one animal. PLS: 25 "
    "components. A layer that is silent at some pictures has no RDM.\n"
    "EfficientNet-Lite0 of ImageNet sees 224 x 224 pixels, the CNNs of CIFAR-10 (10,000 pictures) 32 x 32. "
    "Five rungs of the ladder, up to Hodgkin-Huxley."
)
BLOCKS_LEFT_OUT = 20
PAIRS = dict.fromkeys(RUNGS, "spiking_cnn") | {
    "efficientnet": "untrained",
    "cnn": "cnn_untrained",
    "spiking_cnn": "spiking_untrained",
}
ANALYSES = {
    "ridge": "ridge: r, median neuron",
    "pls": "PLS (25): r, median neuron",
    "rsa": "RDM: Spearman correlation",
}


def subjects() -> dict[str, dict[str, object]]:
    """Return the rows of the study for every subject."""
    learned = {"task": "cifar10", "n_train": 10_000, "batch_size": 128, "learning_rate": 5e-3}
    spiking = {"channels": [8, 16], "n_steps": 6, "neuron": {"tau_mem": 25e-3, "dt": 5e-3}}
    rows: dict[str, dict[str, object]] = {
        name: {
            "kind": "network",
            "architecture": "EfficientNetLite0",
            "parameters": {"weights": weights},
            "layers": BLOCKS,
        }
        for name, weights in (("efficientnet", "imagenet"), ("untrained", "random"))
    }
    rows["cnn"] = {
        "kind": "network",
        "architecture": "ConvNet",
        "parameters": {"channels": [16, 32, 64]},
        "training": learned | {"epochs": 2},
    }
    rows["spiking_cnn"] = {
        "kind": "network",
        "architecture": "SpikingConvNet",
        "parameters": spiking,
        "training": learned | {"epochs": 3},
    }
    # A network without weights of its own takes them from a training: this one ends where it began.
    still = {"task": "cifar10", "n_train": 128, "batch_size": 128, "learning_rate": 1e-12, "epochs": 1}
    rows["cnn_untrained"] = rows["cnn"] | {"training": still}
    rows["spiking_untrained"] = rows["spiking_cnn"] | {"training": still}
    rows |= {r: {"kind": "twin", "of": "spiking_cnn", "rung": r, "test_stimuli": 100} for r in RUNGS}
    rows["gabor_adex"] = {
        "kind": "circuit",
        "circuit": "gabor_adex",
        "wavelength": 8.0,
        "grid": 6,
        "image_size": 64,
        "options": {"n_excitatory": 128, "n_inhibitory": 32, "duration": 0.15},
    }
    return rows


def compute(folder: Path) -> xr.Dataset:
    """Run the study and gather scores, errors and intervals along ``analysis`` and ``model`` (subject/layer)."""
    published = ns.load_dataset("cowley2026_v4", recordings=[SESSION])
    assert published.stimuli is not None
    trials = published.responses[SESSION].isel(stimulus=slice(N_IMAGES))
    storage.write_dataset(folder / "stimuli.nc", published.stimuli[:N_IMAGES].drop_vars("session"))
    storage.write_dataset(folder / "v4.nc", trials)
    study = Study(
        name="v4",
        title="Session 210325 of macaque V4: networks and circuits against single neurons",
        seed=SEED,
        stimuli={"source": "file", "path": str(folder / "stimuli.nc")},
        subjects=subjects(),
        brains={"V4": {"kind": "responses", "path": str(folder / "v4.nc"), "title": "macaque V4, session 210325"}},
        analyses={
            "ridge": {"kind": "predictivity", "folds": 10},
            "pls": {"kind": "predictivity", "method": "pls", "options": {"n_components": 25}},
            "rsa": {"kind": "rsa", "metric": "correlation", "method": "spearman"},
        },
    )
    outcome = run_study(study, out=folder / "study", jobs=2, report=told)
    found = outcome.scores
    parts = [together((found[f"{name}:{s}:V4"] for s in SUBJECTS), 0.05, "holm") for name in ("ridge", "pls")]
    parts.append(found["rsa:V4"])
    names = list(dict.fromkeys(name for p in parts for name in p["model"].values.tolist()))  # a layer may lack an RDM
    kept = [p[["score", "interval"]].drop_attrs().drop_vars("group", errors="ignore") for p in parts]
    gathered = xr.concat([p.reindex(model=names) for p in kept], "analysis", coords="minimal", compat="override")
    gathered = gathered.assign_coords(analysis=list(ANALYSES))
    gathered = gathered.merge(of_neurons(outcome.predictions, names))
    p_pair = parts[-1]["p_pair"].drop_attrs().reset_coords(drop=True)
    gathered["p_pair"] = p_pair.reindex(model=names, model_other=names)
    neurons, geometry = with_interval(median_ceiling, trials), with_interval(reliability_of_rdm, trials)
    gathered["ceiling"] = (("analysis", "estimate"), [neurons, neurons, geometry])
    accuracy = storage.read_json(outcome.folder / "numbers.json").get("accuracy", {})
    return gathered.assign_attrs({f"accuracy_{k}": float(v) for k, v in accuracy.items()})


def told(step: str, event: str, text: str) -> None:
    """Say when steps begin and end."""
    if event != "progress":
        print(f"{step} {event} {text}".rstrip() + "\n", end="", flush=True)  # one write: steps run side by side


def with_interval(estimate: Callable[[xr.DataArray], float], trials: xr.DataArray) -> list[float]:
    """Return an estimate and its 95 % interval, by leaving out blocks of pictures (jackknife)."""
    n = trials.sizes["stimulus"]
    block = np.random.default_rng(SEED).permutation(n) % BLOCKS_LEFT_OUT
    left = [estimate(trials.isel(stimulus=np.flatnonzero(block != b))) for b in range(BLOCKS_LEFT_OUT)]
    whole, error = estimate(trials), float(np.std(left)) * np.sqrt(BLOCKS_LEFT_OUT - 1)
    reach = float(stats.t.ppf(0.975, BLOCKS_LEFT_OUT - 1)) * error
    return [whole, whole - reach, min(whole + reach, 1.0)]


def median_ceiling(trials: xr.DataArray) -> float:
    """Return how well a perfect model would predict the median neuron."""
    return float(signal_to_noise(trials)["ceiling"].median())


def reliability_of_rdm(trials: xr.DataArray, n: int = 20) -> float:
    """Return the best Spearman correlation with the RDM of the mean: root of that of halves, after Spearman and Brown.

    A little low, since the noise of distances falls faster with trials than they suppose.

    Each stimulus gives two halves of equal size of its own trials; the mean over `n` draws.
    """
    values, rng, found = trials.transpose("stimulus", "trial", "unit").values, np.random.default_rng(SEED), []
    measured = np.isfinite(values[..., 0])
    half = measured.sum(1)[:, None] // 2
    pairs = np.triu_indices(len(values), 1)
    for _ in range(n):
        rank = np.where(measured, rng.random(measured.shape), 2.0).argsort(1).argsort(1)
        kept = (rank < half, (rank >= half) & (rank < 2 * half))
        a, b = (np.corrcoef(np.where(k[..., None], values, 0.0).sum(1) / half)[pairs] for k in kept)
        found.append(stats.spearmanr(a, b).statistic)
    r = float(np.mean(found))
    return float(np.sqrt(2 * r / (1 + r)))


def draw(content: Mapping[str, Any]) -> Figure:
    """Draw one panel an analysis: one row a subject, one dot a layer, darker the deeper, nothing chosen."""
    figure = new_figure(PAGE, 5.6)
    panels = figure.subplots(1, len(ANALYSES), sharey=True)
    colours = {name: PALETTE[k] for k, group in enumerate(GROUPS.values()) for name in group}
    for ax, (analysis, title) in zip(panels, ANALYSES.items(), strict=True):
        draw_ceiling(ax, content["ceilings"][analysis])
        scores = content["scores"][analysis]
        for row, subject in enumerate(SUBJECTS):
            own = [values for name, values in scores.items() if name.split("/")[0] == subject]
            for depth, (score, *interval) in enumerate(own):
                look = {"color": colours[subject], "alpha": 0.3 + 0.7 * (depth + 1) / len(own)}
                place = row + 0.7 * ((depth + 0.5) / len(own) - 0.5)
                ax.plot(interval, [place, place], lw=0.9, **look)
                ax.plot(score, place, "o", ms=2.8, mew=0, **look)
        ax.set(title=title, xlabel="correlation with V4", xticks=(0, 0.2, 0.4, 0.6, 0.8))
    panels[0].set_yticks(range(len(SUBJECTS)), list(SUBJECTS.values()))
    panels[0].set_ylim(len(SUBJECTS) - 0.5, -0.5)
    letter_panels(panels, 7)
    handles = [panels[0].plot([], [], "o", ms=4, color=PALETTE[k], label=g)[0] for k, g in enumerate(GROUPS)]
    figure.suptitle(QUESTION, fontsize=8)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(GROUPS), fontsize=7, title=CAPTION, title_fontsize=6
    )
    return figure


def draw_ceiling(ax: Axes, ceiling: Sequence[float]) -> None:
    """Draw what a perfect model would reach, its 95 % interval in gray, and no correlation at all."""
    limit, low, high = ceiling
    ax.axvspan(low, high, color="0.9", lw=0, zorder=0)
    ax.axvline(limit, color="0.35", lw=0.9, ls="--", zorder=1)
    ax.annotate(
        "ceiling",
        (low, 0.98),
        xycoords=("data", "axes fraction"),
        fontsize=6,
        color="0.35",
        ha="right",
        va="top",
        rotation=90,
    )
    ax.axvline(0, color="0.6", lw=0.6)


def paired(names: list[str]) -> list[tuple[str, str]]:
    """Return every layer and the same layer of the subject that it is compared with."""
    both = [(name, f"{PAIRS.get(name.partition('/')[0])}/{name.partition('/')[2]}") for name in names]
    return [(name, other) for name, other in both if other in names]


def of_neurons(predictions: Mapping[str, xr.Dataset], names: list[str]) -> xr.Dataset:
    """Return noise-corrected R2 of ridge (``explained``), and how much better the median neuron is predicted, and p.

    Along ``model``, and along ``pair`` ("layer - other").
    """
    ridge = [predictions[f"ridge:{subject}:V4"] for subject in dict.fromkeys(n.partition("/")[0] for n in names)]
    explained = xr.concat([one["median_explained"] for one in ridge], "model").drop_attrs().reindex(model=names)

    def of_layer(name: str) -> xr.Dataset:
        return predictions[f"ridge:{name.partition('/')[0]}:V4"].sel(model=name)

    found = {
        f"{a} - {b}": compare_predictions({a: of_layer(a), b: of_layer(b)}).isel(model=0, model_other=1)
        for a, b in paired(names)
    }
    numbers = {f"ridge_{k}": ("pair", [float(f[k]) for f in found.values()]) for k in ("difference", "p_pair")}
    return xr.Dataset(numbers | {"explained": explained}, {"pair": list(found)})


def pairs(results: xr.Dataset) -> dict[str, dict[str, object]]:
    """Return how much nearer a layer is than the same layer of another, and p (Holm), by ridge and by RDMs."""
    names = [str(name) for name in results["model"].values]
    score, p_pair = results.score.sel(analysis="rsa").values, results.p_pair.values
    places = [(names.index(a), names.index(b)) for a, b in paired(names)]
    gaps = {
        "pairs_ridge": (results.ridge_difference.values, results.ridge_p_pair.values),
        "pairs_rsa": (
            np.array([score[i] - score[j] for i, j in places]),
            np.array([p_pair[i, j] for i, j in places]),
        ),
    }
    told: dict[str, dict[str, object]] = {}
    for kind, (difference, p) in gaps.items():
        known = np.flatnonzero(np.isfinite(p))
        corrected = correct_p(p[known], "holm")
        labels = results["pair"].values[known].tolist()
        told[kind] = {"columns": ["difference", "p"]} | {
            label: [round(float(d), 3), float(f"{c:.2g}")]
            for label, d, c in zip(labels, difference[known], corrected, strict=True)
        }
    return told


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes: score and 95 % interval of every layer."""
    scores: dict[str, dict[str, list[float]]] = {}
    for analysis in ANALYSES:
        one = results.sel(analysis=analysis)
        scores[analysis] = {
            str(name): [round(float(v), 3) for v in (one.score[i], *one.interval.values[i])]
            for i, name in enumerate(one["model"].values)
            if np.isfinite(one.score[i])
        }
    ceilings = {a: np.round(results.ceiling.sel(analysis=a).values, 3).tolist() for a in ANALYSES}
    return {
        "columns": ["score", "low", "high"],
        "pictures": N_IMAGES,
        "session": SESSION,
        "ceilings": ceilings,
        "scores": scores,
        "noise-corrected R2 by ridge": {str(m): round(float(v), 3) for m, v in results.explained.to_series().items()},
        **pairs(results),
        "accuracy": {k.removeprefix("accuracy_"): v for k, v in results.attrs.items() if k.startswith("accuracy_")},
        "provenance": provenance(),
    }


def main(folder: Path, *, redraw: bool) -> None:
    """Compute, keep the numbers, and draw from them; with `--redraw` draw the numbers that are kept here."""
    if not redraw:
        folder.mkdir(parents=True, exist_ok=True)
        storage.write_dataset(folder / "fig1_biology.nc", compute(folder))
        storage.write_json(folder / "fig1_biology.json", table(storage.read_dataset(folder / "fig1_biology.nc")))
    with house_style():
        files = figure_bytes(draw(storage.read_json(folder / "fig1_biology.json")))
    storage.write_bytes(folder / "fig1_biology.png", files["png"])
    print(folder / "fig1_biology.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent if given.redraw else "results/v4"), redraw=given.redraw)
