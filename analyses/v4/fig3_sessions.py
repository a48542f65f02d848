"""Figure 3 of V4: the question of figure 1 in four sessions of three animals, with paired tests.

The first 200 pictures of each session (Cowley 2026; every session saw its own) are shown to EfficientNet-Lite0, a CNN
and a spiking CNN of CIFAR-10, each trained and untrained, the exact circuit of the trained spiking CNN, and a
Gabor-AdEx circuit. Ridge regression predicts every neuron (10 folds, median neuron), and RDMs are compared. A subject
answers with one layer: in every session that which is best, on average, in the sessions of the other animals. Blocks 3,
8 and 11 of EfficientNet-Lite0 are averaged to 6 x 6 places, as in figure 2; of the CNN the layers before the readout.
Differences of two subjects are tested in pairs. Sessions of one animal are averaged, and animals combined as random
effects.

Single trials are published of session 210325 alone, so that noise-corrected R2 and ceilings are of that session; the
others are published as means over 14, 6 and 16 trials.

Run: NEUROSIM_DATA=... python analyses/v4/fig3_sessions.py [folder] [--redraw]
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from fig1_biology import SEED, SUBJECTS, draw_ceiling, median_ceiling, reliability_of_rdm, subjects, told, with_interval
from fig2_depth import features
from scipy import stats

import neurosim as ns
from neurosim import storage
from neurosim.plots.canvas import PAGE, PALETTE, Axes, Figure, figure_bytes, house_style, letter_panels, new_figure
from neurosim.runtime import provenance
from neurosim.similarity import compare_predictions
from neurosim.similarity.inference import correct_p
from neurosim.similarity.random_effects import random_effects_mean
from neurosim.study import Outcome, Study, run_study

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

ANIMALS = {"210325": "PE", "190923": "WE", "210621": "RA", "210225": "PE"}
WITH_TRIALS, N_IMAGES, BLOCKS = "210325", 200, ("03", "08", "11")
EFFICIENTNET = {"efficientnet": "imagenet", "untrained": "random"}
LAYERS = {name: ["conv*", "hidden"] for name in ("cnn", "cnn_untrained")}
SHOWN = (
    "efficientnet",
    "untrained",
    "cnn",
    "cnn_untrained",
    "spiking_cnn",
    "spiking_untrained",
    "exact",
    "gabor_adex",
)
PAIRS = {
    "training: EfficientNet-Lite0": ("efficientnet", "untrained"),
    "training: CNN": ("cnn", "cnn_untrained"),
    "training: spiking CNN": ("spiking_cnn", "spiking_untrained"),
    "size: EfficientNet-Lite0 - CNN": ("efficientnet", "cnn"),
    "spikes: spiking CNN - CNN": ("spiking_cnn", "cnn"),
    "circuit: exact twin - spiking CNN": ("exact", "spiking_cnn"),
    "learned: spiking CNN - Gabor-AdEx": ("spiking_cnn", "gabor_adex"),
}
ANALYSES = {"ridge": "ridge: r, median neuron", "rsa": "RDM: Spearman correlation"}
QUESTION = "Four sessions, three animals: what brings a network nearer to single neurons of macaque V4?"
CAPTION = (
    "Coloured, sessions with 95 % intervals over pictures (the layer is chosen in the other animals); black, the mean "
    "over three animals with its 95 % interval.\n200 pictures of each session. Dashed, ceiling of session 210325, the "
    "only one that is published by trial.\nC, D: filled where p < 0.05 after Holm's correction over all sessions and "
    "pairs; the intervals are not corrected, so one that leaves 0 out may be open."
)


def compute(folder: Path) -> xr.Dataset:
    """Return scores and differences of every session, of single layers that the other animals chose."""
    outcomes = {session: run(folder, session) for session in ANIMALS}
    tables = {analysis: [scores_of(outcomes[s], analysis) for s in ANIMALS] for analysis in ANALYSES}
    parts = [of_analysis(analysis, tables[analysis], list(outcomes.values())) for analysis in ANALYSES]
    result = xr.concat(parts, "analysis").assign_coords(analysis=list(ANALYSES), session=list(ANIMALS))
    trials = ns.load_dataset("cowley2026_v4", recordings=[WITH_TRIALS]).responses[WITH_TRIALS]
    trials = trials.isel(stimulus=slice(N_IMAGES))
    ceilings = [with_interval(f, trials) for f in (median_ceiling, reliability_of_rdm)]
    result["ceiling"] = (("analysis", "estimate"), ceilings)
    of_trials = result.layer.sel(analysis="ridge", session=WITH_TRIALS)
    explained = [predictions_of(outcomes[WITH_TRIALS], str(of_trials.sel(subject=s).item())) for s in SHOWN]
    numbers = [[float(e[f"median_explained{k}"]) for k in ("", "_standard_error")] for e in explained]
    result["explained"] = (("subject", "estimate_of_explained"), numbers)
    return result


def run(folder: Path, session: str) -> Outcome:
    """Run the study of one session."""
    published = ns.load_dataset("cowley2026_v4", recordings=[session])
    assert published.stimuli is not None
    pictures = published.stimuli[:N_IMAGES].drop_vars("session")
    stimuli, brain = folder / f"stimuli_{session}.nc", folder / f"v4_{session}.nc"
    storage.write_dataset(stimuli, pictures)
    storage.write_dataset(brain, published.responses[session].isel(stimulus=slice(N_IMAGES)))
    rows = {name: row | {"layers": LAYERS.get(name)} for name, row in subjects().items() if name in SHOWN}
    for name, weights in EFFICIENTNET.items():
        path = folder / f"{name}_{session}_{N_IMAGES}.nc"
        if not path.exists():
            storage.write_dataset(path, blocks_of(pictures, weights))
        rows[name] = {"kind": "responses", "path": str(path), "title": SUBJECTS[name]}
    study = Study(
        name=f"v4_{session}",
        title=f"Session {session} of macaque V4",
        seed=SEED,
        stimuli={"source": "file", "path": str(stimuli)},
        subjects=rows,
        brains={"V4": {"kind": "responses", "path": str(brain), "title": f"macaque V4, session {session}"}},
        analyses={
            "ridge": {"kind": "predictivity", "folds": 10},
            "rsa": {"kind": "rsa", "metric": "correlation", "method": "spearman"},
        },
    )
    return run_study(study, out=folder / f"study_{session}", jobs=1, report=told)


def blocks_of(pictures: xr.DataArray, weights: str) -> xr.DataArray:
    """Return the activity (stimulus, unit) of the blocks of EfficientNet-Lite0 that are compared."""
    found = features(pictures, weights)
    found = found.isel(unit=np.isin(found["layer"].values, BLOCKS))
    return found.assign_coords(layer=("unit", [f"block{name}" for name in found["layer"].values]))


def predictions_of(outcome: Outcome, model: str) -> xr.Dataset:
    """Return what predicted every neuron from a layer (subject/layer), fold by fold."""
    return outcome.predictions[f"ridge:{model.partition('/')[0]}:V4"].sel(model=model)


def scores_of(outcome: Outcome, analysis: str) -> xr.Dataset:
    """Return score, standard error and degrees of freedom of every layer of every subject."""
    if analysis == "rsa":
        return outcome.scores["rsa:V4"]
    parts = [outcome.scores[f"ridge:{s}:V4"] for s in SHOWN]
    return xr.concat([p[["score", "standard_error", "df"]] for p in parts], "model", combine_attrs="override")


def of_analysis(analysis: str, tables: list[xr.Dataset], outcomes: list[Outcome]) -> xr.Dataset:
    """Return scores (session, subject) and differences (session, pair), with errors and degrees of freedom."""
    layers = [chosen(tables, i) for i in range(len(tables))]
    score = np.array([[found(t, layer[s]) for s in SHOWN] for t, layer in zip(tables, layers, strict=True)])
    difference = np.array(
        [
            [gap(analysis, table, outcome, layer[a], layer[b]) for a, b in PAIRS.values()]
            for table, outcome, layer in zip(tables, outcomes, layers, strict=True)
        ]
    )
    numbers = ["score", "error", "df"]
    return xr.Dataset(
        {
            "score": (("session", "subject", "number"), score),
            "difference": (("session", "pair", "number"), difference),
            "layer": (("session", "subject"), [[layer[s] for s in SHOWN] for layer in layers]),
        },
        {"subject": list(SHOWN), "pair": list(PAIRS), "number": numbers},
    )


def chosen(tables: list[xr.Dataset], held_out: int) -> dict[str, str]:
    """Return the layer of every subject with the best mean score over the sessions of other animals."""
    animals = list(ANIMALS.values())
    others = [t["score"] for t, animal in zip(tables, animals, strict=True) if animal != animals[held_out]]
    mean = sum(xr.align(*others, join="inner"), start=0.0) / len(others)  # a layer may lack an RDM in a session
    kept = [m for m in mean["model"].values.tolist() if m in tables[held_out]["model"].values]
    best = {}
    for subject in SHOWN:
        own = [m for m in kept if m.partition("/")[0] == subject]
        best[subject] = max(own, key=lambda m: float(mean.sel(model=m)))
    return best


def found(table: xr.Dataset, model: str) -> list[float]:
    """Return score, standard error and degrees of freedom of a layer."""
    one = table.sel(model=model)
    return [float(one[k]) for k in ("score", "standard_error", "df")]


def gap(analysis: str, table: xr.Dataset, outcome: Outcome, first: str, second: str) -> list[float]:
    """Return by how much one layer is nearer than another, the standard error and its degrees of freedom."""
    if analysis == "ridge":
        both = {m: predictions_of(outcome, m) for m in (first, second)}
        pair = compare_predictions(both).isel(model=0, model_other=1)
        return [float(pair.difference), float(pair.standard_error), float(pair.attrs["df"])]
    one = table.sel(model=first)
    difference = float(one.score - table.sel(model=second).score)
    df, p = float(one.df), float(one.p_pair.sel(model_other=second))
    t = float(stats.t.isf(p / 2, df))
    return [difference, abs(difference) / t if t > 0 else 0.0, df]


def over_animals(numbers: np.ndarray) -> tuple[float, float, float, float]:
    """Return mean over animals of (session, 3) scores, errors and df, its 95 % interval, and p of 0 (two-sided).

    Sessions of an animal are averaged; animals are random effects (Knapp and Hartung).
    """
    values, variances = [], []
    animals = np.array(list(ANIMALS.values()))
    for animal in dict.fromkeys(ANIMALS.values()):
        own = numbers[animals == animal]
        values.append(own[:, 0].mean())
        variances.append((own[:, 1] ** 2).sum() / len(own) ** 2)
    mean, error, _ = random_effects_mean(np.array(values), np.array(variances))
    df = len(values) - 1
    reach = float(stats.t.ppf(0.975, df)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, df)) if error > 0 else 1.0
    return mean, mean - reach, mean + reach, p


def intervals(numbers: np.ndarray) -> np.ndarray:
    """Return score, low and high (..., 3) from score, error and degrees of freedom."""
    reach = stats.t.ppf(0.975, numbers[..., 2]) * numbers[..., 1]
    return np.stack([numbers[..., 0], numbers[..., 0] - reach, numbers[..., 0] + reach], -1)


def p_of_sessions(numbers: np.ndarray) -> np.ndarray:
    """Return p (session, pair) of no difference, corrected over all of them (Holm)."""
    t = np.divide(np.abs(numbers[..., 0]), numbers[..., 1], out=np.zeros(numbers.shape[:-1]), where=numbers[..., 1] > 0)
    p = 2 * stats.t.sf(t, numbers[..., 2])
    return np.asarray(correct_p(p.ravel(), "holm").reshape(p.shape))


def draw(content: Mapping[str, Any]) -> Figure:
    """Draw scores of subjects above, differences of pairs below; one dot a session, black the mean over animals."""
    figure = new_figure(PAGE, 7.0)
    panels = figure.subplots(2, len(ANALYSES), height_ratios=[len(SHOWN), len(PAIRS)], sharey="row")
    for column, (analysis, title) in enumerate(ANALYSES.items()):
        upper, lower = panels[:, column]
        draw_ceiling(upper, content["ceilings of 210325"][analysis])
        _rows(upper, [content["scores"][analysis][name] for name in SHOWN])
        _rows(lower, [content["differences"][analysis][name] for name in PAIRS])
        lower.axvline(0, color="0.6", lw=0.6)
        upper.set(title=title, xlabel="correlation with V4")
        lower.set(title=f"{title.split(':')[0]}: differences", xlabel="difference of the two correlations")
    for ax, names in zip(panels[:, 0], ([SUBJECTS[s] for s in SHOWN], list(PAIRS)), strict=True):
        ax.set_yticks(range(len(names)), names, fontsize=6)
        ax.set_ylim(len(names) - 0.5, -0.5)
    letter_panels(panels.ravel(), 7)
    labels = [f"{session}, animal {animal}" for session, animal in ANIMALS.items()]
    handles = [panels[0, 0].plot([], [], "o", ms=4, color=PALETTE[k], label=text)[0] for k, text in enumerate(labels)]
    handles.append(panels[0, 0].plot([], [], "D", ms=4, color="black", label="mean over animals")[0])
    figure.suptitle(QUESTION, fontsize=8)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=6, title=CAPTION, title_fontsize=6
    )
    return figure


def _rows(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the interval of every session and of the mean over animals; a dot is open where p (Holm) is .05 or more."""
    for row, one in enumerate(rows):
        for k, session in enumerate(ANIMALS):
            place, colour = row - 0.3 + 0.15 * k, PALETTE[k]
            score, *interval = one["sessions"][session]
            face = colour if one.get("p", {}).get(session, 0.0) < 0.05 else "white"
            ax.plot(interval, [place, place], lw=0.9, color=colour)
            ax.plot(score, place, "o", ms=3, mew=0.8, mec=colour, mfc=face)
        mean, *interval = one["over animals"]
        ax.plot(interval, [row + 0.3] * 2, lw=1.2, color="black")
        ax.plot(mean, row + 0.3, "D", ms=3, color="black")


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    scores, differences = {}, {}
    for analysis in ANALYSES:
        one = results.sel(analysis=analysis)
        scores[analysis] = {s: _told(one.score.sel(subject=s).values) for s in SHOWN}
        p = p_of_sessions(one.difference.values)
        over = [over_animals(one.difference.sel(pair=name).values)[3] for name in PAIRS]
        over = correct_p(np.array(over), "holm")
        differences[analysis] = {
            name: _told(one.difference.sel(pair=name).values)
            | {"p": dict(zip(ANIMALS, map(_short, p[:, k]), strict=True)), "p over animals": _short(over[k])}
            for k, name in enumerate(PAIRS)
        }
    layers = {
        a: {s: [str(v) for v in results.layer.sel(analysis=a, subject=s).values] for s in SHOWN} for a in ANALYSES
    }
    return {
        "columns": ["score or difference", "low", "high"],
        "pictures a session": N_IMAGES,
        "animals": ANIMALS,
        "ceilings of 210325": {a: np.round(results.ceiling.sel(analysis=a).values, 3).tolist() for a in ANALYSES},
        "scores": scores,
        "differences": differences,
        "layers by session": layers,
        "noise-corrected R2 of 210325, standard error": {
            s: np.round(results.explained.sel(subject=s).values, 3).tolist() for s in SHOWN
        },
        "provenance": provenance(),
    }


def _told(numbers: np.ndarray) -> dict[str, object]:
    by_session = {s: np.round(v, 3).tolist() for s, v in zip(ANIMALS, intervals(numbers), strict=True)}
    return {"sessions": by_session, "over animals": [round(float(v), 3) for v in over_animals(numbers)[:3]]}


def _short(p: float) -> float:
    return float(f"{p:.2g}")


def main(folder: Path, *, redraw: bool) -> None:
    """Compute, keep the numbers, and draw from them; with `--redraw` draw the numbers that are kept here."""
    if not redraw:
        folder.mkdir(parents=True, exist_ok=True)
        storage.write_dataset(folder / "fig3_sessions.nc", compute(folder))
        storage.write_json(folder / "fig3_sessions.json", table(storage.read_dataset(folder / "fig3_sessions.nc")))
    with house_style():
        files = figure_bytes(draw(storage.read_json(folder / "fig3_sessions.json")))
    storage.write_bytes(folder / "fig3_sessions.png", files["png"])
    print(folder / "fig3_sessions.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent if given.redraw else "results/v4"), redraw=given.redraw)
