"""Step: draw one figure and keep the numbers it shows. Each figure is a function from data to a figure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import Figure, figure_bytes, house_style, new_figure
from neurosim.plots.geometry import plot_arrangement, plot_layer_time, plot_matrix, plot_rdm
from neurosim.plots.pictures import plot_raster, plot_stimuli
from neurosim.plots.scores import plot_profiles, plot_scores
from neurosim.study.engine.step import Job

Drawn = tuple[Figure, xr.Dataset | xr.DataArray]
MANY_LAYERS = 12


def run(job: Job) -> None:
    """Write ``figure.svg``, ``.pdf``, ``.png`` and the numbers drawn as ``figure.nc`` and ``figure.csv``."""
    drawings: dict[str, Callable[[Job], Drawn]] = {
        "stimuli": _stimuli,
        "raster": _raster,
        "rdms": _rdms,
        "scores": _scores,
        "time": _time,
        "subjects": _subjects,
    }
    with house_style():
        figure, numbers = drawings[job.config["figure"]](job)
        for ending, content in figure_bytes(figure).items():
            storage.write_bytes(job.out / f"figure.{ending}", content)
    storage.write_dataset(job.out / "figure.nc", numbers)
    storage.write_table(job.out / "figure.csv", numbers)


def _stimuli(job: Job) -> Drawn:
    stimuli = storage.read_array(job.input("stimuli") / "stimuli.nc")
    n_columns = 20 if stimuli.sizes["stimulus"] > 20 else 10
    figure = new_figure(6.5, 0.35 * -(-stimuli.sizes["stimulus"] // n_columns) + 0.3)
    if "y" in stimuli.dims:
        plot_stimuli(stimuli, figure.subplots(), n_columns=n_columns)
    numbers = stimuli.mean([d for d in stimuli.dims if d != "stimulus"]).rename("mean_intensity")
    return figure, numbers


def _raster(job: Job) -> Drawn:
    folder = job.input("simulate:")
    trained, twin = (storage.read_array(folder / name) for name in ("expected.nc", "responses.nc"))
    figure = new_figure(6.5, 6.0)
    axes = figure.subplots(1, 2, sharey=True)
    picks = (0, trained.sizes["stimulus"] // 2)
    for ax, stimulus in zip(axes, picks, strict=True):
        plot_raster(trained, twin, ax, stimulus=stimulus, labels=("network", "circuit"))
        ax.set_title(f"\n{trained['stimulus'].values[stimulus]}", loc="right", fontsize=7, fontweight="normal")
    axes[1].get_legend().remove()
    axes[1].set_ylabel("")
    chosen = [
        xr.DataArray(r.isel(stimulus=list(picks)).values, dims=("stimulus", "time", "unit"), name=n)
        for r, n in ((trained, "torch"), (twin, "brian2"))
    ]
    return figure, xr.merge(chosen).assign_coords(stimulus=trained["stimulus"].values[list(picks)])


def _rdms(job: Job) -> Drawn:
    panels = []
    for subject, folder in job.all_inputs("rdms:").items():
        rdms = storage.read_dataset(folder / "rdms.nc")["rdm"]
        layers = rdms["layer"].values
        keep = range(len(layers)) if len(layers) <= MANY_LAYERS else np.linspace(0, len(layers) - 1, 6).astype(int)
        panels += [(f"{subject}/{layers[i]}", rdms.isel(layer=int(i), drop=True)) for i in keep]
    for brain, folder in job.all_inputs("brain:").items():
        panels.append((f"{brain} (mean)", storage.read_dataset(folder / "rdms.nc")["rdm"].mean("subject")))
    n_columns = min(6, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = new_figure(1.25 * n_columns, 1.42 * n_rows)
    axes = np.atleast_1d(figure.subplots(n_rows, n_columns)).ravel()
    for ax, (name, rdm) in zip(axes, panels, strict=False):
        plot_rdm(rdm, ax, title=name)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    bare = [r.drop_vars([c for c in r.coords if c not in ("stimulus", "stimulus_other")]) for _, r in panels]
    return figure, xr.concat(bare, xr.DataArray([n for n, _ in panels], dims="panel", name="panel")).rename("rdm")


def _scores(job: Job) -> Drawn:
    result = storage.read_dataset(job.input("compare:") / "scores.nc")
    groups = [str(g) for g in result["group"].values]
    many = max(groups.count(g) for g in set(groups)) > MANY_LAYERS
    figure = new_figure(6.5, 3.4)
    title = job.config["title"]
    if many:
        plot_profiles(result, figure.subplots(), groups=groups, title=title)
    else:
        plot_scores(result, figure.subplots(), groups=groups, title=title, alpha=job.config["alpha"])
    names = [n for n in ("score", "standard_error", "interval", "p_zero_corrected", "ceiling") if n in result]
    return figure, result[names]


def _time(job: Job) -> Drawn:
    path = job.input("compare:") / "time.nc"
    maps = storage.read_dataset(path) if path.is_file() else xr.Dataset()
    names = [str(n) for n in maps.data_vars if not str(n).endswith("_standard_error")]
    figure = new_figure(6.5, 0.4 + 0.9 * max(1, len(names)))
    if not names:
        figure.text(0.5, 0.5, "no subject of this study answers over time", ha="center", va="center")
        return figure, xr.Dataset({"n_subjects_in_time": 0})
    limit = max(0.1, float(np.nanmax(np.abs(np.concatenate([maps[n].values.ravel() for n in names])))))
    axes = np.atleast_1d(figure.subplots(len(names), 1))
    for ax, name in zip(axes, names, strict=True):
        scores = maps[name].rename({f"layer_{name}": "layer", f"time_{name}": "time"})
        plot_layer_time(scores, ax, title=f"{name} with {job.config['title']}", limit=limit)
        if ax is not axes[-1]:
            ax.set_xlabel("")
    return figure, maps


def _subjects(job: Job) -> Drawn:
    relations = storage.read_dataset(job.input("relate") / "relations.nc")
    figure = new_figure(7.0, 7.6)
    top, bottom = np.ravel(figure.subfigures(2, 1, height_ratios=(1.15, 1.0), squeeze=False))
    left, right = top.subplots(1, 2)
    plot_matrix(relations["score"], left, label=f"{relations.attrs['method']} between RDMs")
    plot_matrix(relations["cka"].rename(network="model", network_other="model_other"), right, label="CKA (debiased)")
    ax = bottom.subplots()
    plot_arrangement(relations["points"], ax, groups=[str(g) for g in relations["group"].values])
    ax.set_title("all subjects, near when their RDMs agree")
    return figure, relations
