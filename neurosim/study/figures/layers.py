"""Figure: one score a layer, of whatever analysis gives one: alignment, predictivity, decoding, weighted features."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas, scores
from neurosim.study.analyses.asked import counted
from neurosim.study.analyses.layer_scores import FILE, OfLayers, tested, together
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import MANY_LAYERS, Drawn, figure_step, roomy, unordered


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every analysis of layers and every brain that it is about."""
    figures = []
    for name, row in made.study.analyses.items():
        if not isinstance(row, OfLayers):
            continue
        by_target: dict[str, list[str]] = {}
        for step in made.steps.values():
            if step.name.startswith(f"{name}:") and "target" in step.config:
                by_target.setdefault(step.config["target"], []).append(step.name)
        for target, steps in by_target.items():
            brain = made.study.brains.get(target)
            title = f"{name}, {brain.title or target}" if brain is not None else name
            config = {
                "title": title,
                "alpha": row.alpha,
                "correction": row.correction,
                "unordered": unordered(made.study),
            }
            work = "neurosim.study.figures.layers:draw"
            figures.append(figure_step("layers", f"{name}_{target}", work, config, tuple(steps)))
    return figures


def draw(job: Job) -> Drawn:
    """Draw bars, or profiles over layers where a subject has many, with chance and ceiling where they are known."""
    parts = [storage.read_dataset(folder / FILE) for folder in job.inputs.values()]
    result = together(parts, job.config["alpha"], job.config["correction"])
    shown = result.assign(interval=result["interval"].fillna(result["score"]))
    shown["p_zero_corrected"] = (
        result["p_corrected"] if "p_corrected" in result else xr.full_like(result["score"], np.nan)
    )
    if "ceiling" in result:
        half = float(np.nan_to_num(result["ceiling_standard_error"]))
        shown["ceiling"] = ("bound", [float(result["ceiling"]) - half, float(result["ceiling"]) + half])
    groups = [str(g) for g in result["group"].values]
    figure = canvas.new_figure(6.5, 3.4)
    ax = figure.subplots()
    if max(groups.count(g) for g in set(groups)) > MANY_LAYERS:
        scores.plot_profiles(shown, ax, groups=groups, unordered=job.config["unordered"], title=job.config["title"])
    else:
        scores.plot_scores(shown, ax, groups=groups, title=job.config["title"], alpha=job.config["alpha"])
        roomy(ax, len(groups))
        if "plain_score" in result:
            plain = result["plain_score"].values
            ax.scatter(np.arange(len(plain)), plain, s=14, facecolor="white", edgecolor="black", lw=0.7, zorder=3)
            low, high = ax.get_ylim()
            ax.set_ylim(min(low, 1.05 * float(plain.min())), max(high, 1.05 * float(plain.max())))
    ax.set_ylabel(str(result.attrs["label"]))
    if result.attrs.get("null"):
        ax.axhline(result.attrs["null"], color="black", linewidth=0.8, linestyle=":")
    return figure, result


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    about = numbers.attrs
    said = [f"{about['what'].removesuffix(' with').removesuffix(' of')}, every layer."]
    known = np.isfinite(numbers["interval"].values).all(-1)
    if known.any():
        said.append(f"Lines are intervals for {about['over']}{'' if known.all() else ', where they are known'}.")
    if tested(numbers):
        null = about["null"]
        where = "0" if null == 0 else f"chance, {null:.3g} (dotted)"
        said.append(f"Dots mark scores above {where}, after correction.")
    if about.get("lower_is_nearer"):
        said.append("Small is alike.")
    if "ceiling" in numbers:
        said.append(f"Band: {about['ceiling_is']} (± s.e.).")
    if "plain_score" in numbers:
        said.append("Open circles: with equal weights.")
    n, stimuli = int(about.get("n_subjects", 0)), int(about["n_stimuli"])
    people = f"{counted(n, 'individual')}, " if n else ""
    return " ".join([*said, f"n = {people}{counted(stimuli, 'stimulus', 'stimuli')}."])


LAYERS = FigureKind(name="layers", plan=plan, title="Layers", caption=caption)
