"""Figure: alignment of the layers of every two subjects."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots import canvas
from neurosim.study.analyses.alignment import BETWEEN, Alignment
from neurosim.study.engine.step import Job, Step
from neurosim.study.given import PlanLike
from neurosim.study.kinds import FigureKind
from neurosim.study.steps.figure import MANY_LAYERS, Drawn, figure_step


def plan(made: PlanLike) -> list[Step]:
    """Return one figure for every alignment between subjects."""
    found = []
    for name, row in made.study.analyses.items():
        if isinstance(row, Alignment) and "subjects" in row.between:
            steps = tuple(s.name for s in made.steps.values() if s.name.startswith(f"{name}:") and "pair" in s.config)
            work = "neurosim.study.figures.between:draw"
            found.append(figure_step("between", f"{name}_between_subjects", work, {"title": name}, steps))
    return found


def draw(job: Job) -> Drawn:
    """Draw a map of layer by layer for every pair, all in one colour scale, with the scores written in small maps."""
    found = [storage.read_dataset(folder / BETWEEN) for folder in job.inputs.values()]
    n_columns = min(3, len(found))
    n_rows = -(-len(found) // n_columns)
    tallest = max(f.sizes["layer"] for f in found)
    figure = canvas.new_figure(6.5, n_rows * max(1.4, min(2.4, 0.9 + 0.25 * tallest)))
    axes = np.ravel(figure.subplots(n_rows, n_columns, squeeze=False))
    values = np.concatenate([f["score"].values.ravel() for f in found])
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    for ax, one in zip(axes, found, strict=False):
        image = ax.imshow(one["score"].values, vmin=low, vmax=high, cmap="viridis", aspect="auto", rasterized=True)
        ax.set_xticks(range(one.sizes["layer_other"]), [str(v) for v in one["layer_other"].values], rotation=90)
        ax.set_yticks(range(one.sizes["layer"]), [str(v) for v in one["layer"].values])
        ax.tick_params(labelsize=6)
        ax.set(ylabel=one.attrs["first"], xlabel=one.attrs["second"])
        if max(one["score"].shape) <= MANY_LAYERS // 2:
            for (i, j), value in np.ndenumerate(one["score"].values):
                dark = (value - low) / (high - low) < 0.6
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6, color="white" if dark else "black")
    for ax in axes[len(found) :]:
        ax.set_axis_off()
    figure.colorbar(image, ax=axes.tolist(), shrink=0.8, label=found[0].attrs["method"])
    return figure, xr.concat([_in_rows(f) for f in found], "pair").assign_attrs(found[0].attrs, n_pairs=len(found))


def _in_rows(found: xr.Dataset) -> xr.Dataset:
    """Return the scores of a pair of subjects as one row a pair of layers."""
    first, second = found.attrs["first"], found.attrs["second"]
    names = [f"{first}/{a} | {second}/{b}" for a in found["layer"].values for b in found["layer_other"].values]
    return xr.Dataset(
        {k: ("pair", found[k].values.ravel()) for k in ("score", "standard_error")}, coords={"pair": names}
    )


def caption(numbers: xr.Dataset) -> str:
    """Return what is seen, as the results say."""
    about = numbers.attrs
    return (
        f"{about['what']} of every layer of one subject with every layer of another. Standard errors over "
        f"{about['n_stimuli']} stimuli, up to {float(numbers['standard_error'].max()):.3f}, are in the numbers."
    )


BETWEEN_SUBJECTS = FigureKind(name="between", plan=plan, title="Subjects with each other", caption=caption)
