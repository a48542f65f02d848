"""Figure 1 of the gallery: the LGN-V1 front end and the ring model against V1, beside the Gabor-AdEx circuit.

50 natural pictures that two regions of mouse V1 were shown (Antolik et al. 2016) and 92 objects that 15 people were
shown (Cichy et al. 2014, fMRI of early visual cortex) are shown to three circuits that nobody trained, and taken as
pixels; RDMs (correlation distance) are compared by Spearman's correlation, with intervals. Every subject is a row of a
study, as any user writes it.

Run: NEUROSIM_DATA=... python analyses/gallery/fig1_v1.py [folder] [--redraw]
(more than three minutes on two busy cores)
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Figure,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
    write_below,
)
from neurosim.runtime import provenance
from neurosim.stimuli.images import resize_images

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

HERE = Path(__file__).resolve().parent
PIXELS = "pixels"
ASKED = {"rsa": {"kind": "rsa", "metric": "correlation", "method": "spearman"}}
SIDE = 32  # pixels of the 92 objects
CIRCUITS = {"lgn_v1": "LGN-V1", "ring_v1": "ring of V1", "gabor_adex": "Gabor-AdEx", PIXELS: "pixels"}
TITLES = {"region1": "mouse V1, region 1", "region2": "mouse V1, region 2", "EVC": "early visual cortex, fMRI"}


def subjects(wavelength: float, grid: int, n_trials: int, **pictures: int) -> dict[str, dict[str, object]]:
    """Return the rows of a study for the three circuits; two of them see Gabor energies."""
    features = {"wavelength": wavelength, "grid": grid}
    rows = {"lgn_v1": {}, "ring_v1": features, "gabor_adex": features}
    return {
        name: {"kind": "circuit", "circuit": name, "n_trials": n_trials, **row, **pictures}
        for name, row in rows.items()
    }


def compute(folder: Path) -> xr.Dataset:
    """Run both studies; return score and interval of every layer with each recording, and how reliable these are."""
    mice = ns.load_dataset("antolik2016_v1")
    people = ns.load_dataset("cichy2014_92", recordings=["EVC"])
    assert mice.stimuli is not None and people.stimuli is not None
    seen = subjects(6.0, 4, 4) | {PIXELS: mice.stimuli.values.reshape(len(mice.stimuli), -1)}
    of_mice = ns.compare_subjects(
        mice.stimuli, seen, dict(mice.responses), out=folder / "mice", title="Circuits against mouse V1", jobs=1,
        analyses=ASKED,
    )  # fmt: skip
    objects = resize_images(people.stimuli, SIDE)
    seen = subjects(4.0, 6, 2) | {PIXELS: objects.values.reshape(len(objects), -1)}
    brains = {"EVC": {"kind": "dataset", "dataset": "cichy2014_92", "recording": "EVC"}}
    of_people = ns.compare_subjects(
        objects, seen, brains, out=folder / "people", title="Circuits against early visual cortex", jobs=1,
        analyses=ASKED,
    )  # fmt: skip
    scores = [of_mice.scores[f"rsa:{region}"] for region in mice.responses] + [of_people.scores["rsa:EVC"]]
    kept = [s[["score", "interval", *(["ceiling"] if "ceiling" in s else [])]].drop_attrs() for s in scores]
    kept = [s.drop_vars([c for c in s.coords if c not in s.dims]) for s in kept]
    halves = [_reliability(trials) for trials in mice.responses.values()]
    found = xr.concat(kept, xr.DataArray([*mice.responses, "EVC"], dims="recording", name="recording"))
    return found.assign(halves=("recording", [*halves, np.nan]))


def _reliability(trials: xr.DataArray) -> float:
    """Return Spearman's correlation of the RDMs of odd and even trials."""
    first, second = (
        ns.compute_rdm(trials.isel(trial=slice(k, None, 2)).mean("trial", keep_attrs=True)) for k in (0, 1)
    )
    return float(ns.compare_rdms(first, second, method="spearman"))


def draw(results: xr.Dataset) -> Figure:
    """Draw a panel a recording: the score of every layer with its interval, and how well the recording is known."""
    figure = new_figure(PAGE, 2.7)
    axes = figure.subplots(1, results.sizes["recording"], sharex=True, sharey=True)
    place = np.arange(results.sizes["model"])
    for k, (ax, recording) in enumerate(zip(axes, results["recording"].values, strict=True)):
        one = results.sel(recording=recording)
        reach = np.abs(one["interval"].transpose("bound", "model").values - one["score"].values)
        ax.errorbar(one["score"], place, xerr=reach, fmt="o", ms=3.5, lw=0.9, color=PALETTE[k])
        ax.axvline(float(one["halves"]), color="0.4", lw=0.9, ls="--")
        if np.isfinite(one["ceiling"]).all():
            ax.axvspan(*one["ceiling"].values, color="0.87", zorder=0, lw=0)
        ax.axvline(0, color="0.7", lw=0.6)
        ax.set(xlabel="Spearman's rho of RDMs", title=TITLES[str(recording)])
    axes[0].set_yticks(place, [_named(str(m)) for m in results["model"].values], fontsize=6.5)
    axes[0].invert_yaxis()
    letter_panels(axes, 7)
    write_below(
        figure,
        "Circuits that nobody trained, and pixels. 50 natural pictures (A: 103 neurons, 10 trials; B: 55 neurons, 8 "
        "trials), 92 objects (C: 15 people). Bars: 95 % intervals for new pictures, in C for new people too. Dashed: "
        "odd against even trials; gray: noise ceiling of the people.",
    )
    return figure


def _named(layer: str) -> str:
    """Return a layer as a reader writes it."""
    circuit, _, population = layer.partition("/")
    cells = {"lgn_on": "ON cells", "lgn_off": "OFF cells"}.get(population, population)
    return CIRCUITS[circuit] + ("" if circuit == PIXELS else f", {cells}")


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    rows = {
        str(model): {
            str(region): {
                "score": round(float(results["score"].sel(model=model, recording=region)), 3),
                "interval": [round(float(v), 3) for v in results["interval"].sel(model=model, recording=region)],
            }
            for region in results["recording"].values
        }
        for model in results["model"].values
    }
    known = results["halves"].dropna("recording")
    halves = {str(r): round(float(h), 3) for r, h in zip(known["recording"].values, known.values, strict=True)}
    return {"scores": rows, "halves of the trials": halves, "made": provenance()}


def main(folder: Path, *, redraw: bool) -> None:
    """Compute (or, with `--redraw`, take what is kept in the folder), keep the numbers, and draw from them."""
    if not redraw:
        storage.write_dataset(folder / "fig1_v1.nc", compute(folder))
    gathered = storage.read_dataset(folder / "fig1_v1.nc")
    if not redraw:
        storage.write_json(HERE / "fig1_v1.json", table(gathered), sort_keys=False)
    with house_style():
        storage.write_bytes(HERE / "fig1_v1.png", figure_bytes(draw(gathered))["png"])


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder("results/gallery"), redraw=given.redraw)
