"""Figure 1 of the gallery: the LGN-V1 front end and the ring model against mouse V1, beside the Gabor-AdEx circuit.

50 natural pictures of Antolik et al. 2016, which two regions of mouse V1 saw, are shown to three circuits that nobody
trained and to their pixels; RDMs (correlation distance) are compared by Spearman's correlation, with intervals over
pictures. Every subject is a row of a study, as any user writes it.

Run: NEUROSIM_DATA=... python analyses/gallery/fig1_v1.py results/gallery
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim import storage
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.runtime import provenance

HERE = Path(__file__).resolve().parent
FEATURES = {"wavelength": 6.0, "grid": 4}
SUBJECTS = {
    "lgn_v1": {"kind": "circuit", "circuit": "lgn_v1", "n_trials": 4},
    "ring_v1": {"kind": "circuit", "circuit": "ring_v1", "n_trials": 4, **FEATURES},
    "gabor_adex": {"kind": "circuit", "circuit": "gabor_adex", "n_trials": 4, **FEATURES},
}
PIXELS = "pixels"


def compute(folder: Path) -> xr.Dataset:
    """Run the study; return score and interval of every layer with each region, and the ceiling of each region."""
    published = ns.load_dataset("antolik2016_v1")
    pictures = published.stimuli
    assert pictures is not None
    subjects = SUBJECTS | {PIXELS: pictures.values.reshape(len(pictures), -1)}
    outcome = ns.compare_subjects(
        pictures, subjects, dict(published.responses), out=folder / "study", title="Circuits against mouse V1", jobs=1,
        analyses={"rsa": {"kind": "rsa", "metric": "correlation", "method": "spearman"}},
    )  # fmt: skip
    regions = list(published.responses)
    scores = [outcome.scores[f"rsa:{region}"][["score", "interval"]].drop_attrs() for region in regions]
    scores = [s.drop_vars([c for c in s.coords if c not in s.dims]) for s in scores]
    halves = [_reliability(published.responses[region]) for region in regions]
    found = xr.concat(scores, xr.DataArray(regions, dims="region", name="region"))
    return found.assign(halves=("region", halves))


def _reliability(trials: xr.DataArray) -> float:
    """Return Spearman's correlation of the RDMs of odd and even trials."""
    first, second = (
        ns.compute_rdm(trials.isel(trial=slice(k, None, 2)).mean("trial", keep_attrs=True)) for k in (0, 1)
    )
    return float(ns.compare_rdms(first, second, method="spearman"))


def draw(results: xr.Dataset) -> Figure:
    """Draw the score of every layer with its interval, for both regions."""
    figure = new_figure(7.5, 3.2)
    ax = figure.subplots()
    place = np.arange(results.sizes["model"])
    for k, region in enumerate(results["region"].values):
        one = results.sel(region=region)
        reach = np.abs(one["interval"].transpose("bound", "model").values - one["score"].values)
        at = place + 0.16 * (2 * k - 1)
        ax.errorbar(at, one["score"], reach, fmt="o", color=PALETTE[k], capsize=2, label=str(region))
        ax.axhline(float(one["halves"]), color=PALETTE[k], lw=0.8, ls="--")
    ax.axhline(0, color="0.7", lw=0.6)
    ax.set_xticks(place, [str(m).replace("/", "\n") for m in results["model"].values], fontsize=7)
    ax.set(
        ylabel="RDM correlation (Spearman)", title="50 pictures, mouse V1; dashed: one half of the trials and the other"
    )
    ax.legend(fontsize=7)
    return figure


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    rows = {
        str(model): {
            str(region): {
                "score": round(float(results["score"].sel(model=model, region=region)), 3),
                "interval": [round(float(v), 3) for v in results["interval"].sel(model=model, region=region)],
            }
            for region in results["region"].values
        }
        for model in results["model"].values
    }
    halves = {str(r): round(float(h), 3) for r, h in zip(results["region"].values, results["halves"], strict=True)}
    return {"scores": rows, "halves of the trials": halves, "made": provenance()}


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    storage.write_dataset(folder / "fig1_v1.nc", compute(folder))
    gathered = storage.read_dataset(folder / "fig1_v1.nc")
    storage.write_json(HERE / "fig1_v1.json", table(gathered), sort_keys=False)
    with house_style():
        storage.write_bytes(HERE / "fig1_v1.png", figure_bytes(draw(gathered))["png"])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/gallery"))
