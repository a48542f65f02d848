"""Figure 1 of macaque IT: when, how long and how invariantly a population knows which of seven objects was shown.

Zhang et al. 2011 (zhang2011_it): 132 neurons, recorded one after the other, seven objects at three positions. Decoding
of the objects over time, from one time to another and from one position to another (pseudo-population: no noise
correlations), and the cross-validated RDM of the 21 stimuli over time, whose distances are 0 on average where nothing
is known.

Run: NEUROSIM_DATA=... python analyses/macaque_it/fig1_objects.py [folder]
(half a minute)
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurosim import storage
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Axes,
    Figure,
    colour_bar,
    figure_bytes,
    house_style,
    letter_panels,
    new_figure,
    write_below,
)
from neurosim.plots.geometry import plot_rdm
from neurosim.plots.recordings import plot_generalisation, plot_time_course
from neurosim.recordings.datasets import load_dataset
from neurosim.responses.averages import rebin
from neurosim.responses.decoding import decode, generalise
from neurosim.responses.dimensionality import participation_ratio
from neurosim.responses.reliability import signal_to_noise
from neurosim.similarity.comparison import compare_rdms
from neurosim.similarity.rdms import compute_rdm

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

BIN, WINDOW = 50e-3, (0.1, 0.5)
BEFORE = (-0.5, -0.05)


def compute(responses: xr.DataArray) -> xr.Dataset:
    """Decode objects in time, across time and across positions; compute cross-validated RDMs over time."""
    coarse = rebin(responses, BIN)
    window, before = ({"time": slice(a, b - 1e-6)} for a, b in (WINDOW, BEFORE))
    middle = coarse.isel(stimulus=np.flatnonzero(coarse.position.values == "middle"))
    course = decode(middle, "object", n_orders=3)
    across = decode(middle, "object", across_time=True, folds=4, n_orders=2)
    late, early = responses.sel(window), responses.sel(before)
    whole = [decode(m.sum("time", keep_attrs=True), "object", hold_out="trial", n_orders=10) for m in (late, early)]
    moved = generalise(late, "object", "position", n_orders=3)
    rdm = compute_rdm(np.sqrt(coarse), "crossnobis")
    still = compute_rdm(np.sqrt(late.sum("time", keep_attrs=True)), "crossnobis")
    names = still.stimulus.values.astype(str)
    shape = np.array([n.rsplit("_", 1) for n in names])
    same_object, same_place = (shape[:, None, k] == shape[None, :, k] for k in (0, 1))
    models = {"object": ~same_object, "position": ~same_place}
    scores = {k: compare_rdms(still, still.copy(data=v.astype(float)), "spearman") for k, v in models.items()}
    pairs = np.triu_indices(len(names), 1)
    return xr.Dataset(
        {
            "accuracy": course.accuracy,
            "accuracy_error": course.standard_error,
            "generalisation": across.accuracy,
            "late": ("value", [float(whole[0].accuracy), float(whole[0].standard_error)]),
            "early": ("value", [float(whole[1].accuracy), float(whole[1].standard_error)]),
            "moved": moved.accuracy,
            "moved_means": (
                ("where", "value"),
                [[float(moved[k]), float(moved[f"{k}_standard_error"])] for k in ("same", "other")],
            ),
            "distance": ("time", np.array([r[pairs].mean() for r in rdm.transpose("time", ...).values])),
            "rdm": still.drop_vars([c for c in still.coords if c not in still.dims]),
            "agreement": ("model", [float(v) for v in scores.values()]),
            "signal_to_noise": ("unit", signal_to_noise(late).signal_to_noise.values),
        },
        coords={"where": ["same", "other"], "value": ["mean", "standard_error"], "model": list(models)},
        attrs={"chance": float(course.chance), "participation_ratio": participation_ratio(late)},
    )


def draw(results: xr.Dataset) -> Figure:
    """Draw time course, temporal generalisation, invariance, and the cross-validated RDM."""
    figure, chance = new_figure(PAGE, 4.4), results.attrs["chance"]
    axes = figure.subplots(2, 3)
    plot_time_course(results.accuracy, results.accuracy_error, axes[0, 0])
    axes[0, 0].axhline(chance, color="0.6", lw=0.6, ls="--")
    axes[0, 0].text(490, chance - 0.02, "chance", fontsize=6, color="0.4", va="top", ha="right")
    axes[0, 0].set(ylabel="accuracy (± s.e. over folds)", ylim=(0, 1), title="which of seven objects")
    plot_generalisation(results.generalisation, axes[0, 1], chance=chance, title="from time to time")
    _positions(results, axes[0, 2], chance)
    plot_time_course(results.distance, None, axes[1, 0], colour=1)
    axes[1, 0].axhline(0, color="0.6", lw=0.6, ls="--")
    axes[1, 0].set(ylabel="mean crossnobis distance", title="distances of 21 stimuli")
    plot_rdm(results.rdm, axes[1, 1], colorbar=True)
    names = [str(s).rsplit("_", 1)[0] for s in results.stimulus.values[1::3]]
    axes[1, 1].set_yticks(range(1, 21, 3), names, fontsize=6)
    axes[1, 1].set_title("RDM, 100 to 500 ms")
    axes[1, 2].hist(results.signal_to_noise.values, 30, color=PALETTE[2])
    axes[1, 2].axvline(0, color="0.6", lw=0.6)
    n = results.sizes[results.signal_to_noise.dims[0]]
    axes[1, 2].set(xlabel="signal power / noise power", ylabel=f"neurons (n = {n})", title="reliability")
    for ax in axes[:, 0]:
        ax.set_box_aspect(1)
    axes[1, 2].set_box_aspect(1)
    letter_panels(axes.ravel(), 7)
    write_below(
        figure,
        f"{n} neurons recorded one after the other, put together; 50 ms bins. A, B: objects at the middle "
        "position. D, E: cross-validated (crossnobis) distances, 0 on average where nothing is known; seven "
        "objects at three positions each (E: lower, middle, upper). F: signal to noise of each neuron.",
    )
    return figure


def _positions(results: xr.Dataset, ax: Axes, chance: float) -> None:
    """Draw accuracy where the decoder was trained and where it is tested, each number in a colour that can be read."""
    image = ax.imshow(results.moved.values, vmin=chance, vmax=1, cmap="viridis")
    places = results.moved["position"].values.astype(str)
    ax.set_xticks(range(3), places)
    ax.set_yticks(range(3), places)
    for (i, j), value in np.ndenumerate(results.moved.values):
        dark = (value - chance) / (1 - chance) < 0.6
        ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if dark else "black", fontsize=7)
    ax.set(xlabel="tested at", ylabel="trained at", title="from position to position")
    colour_bar(image, ax, "accuracy")


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes."""
    time = results.time.values
    return {
        "chance": round(results.attrs["chance"], 4),
        "accuracy 100 to 500 ms, all positions (mean, standard error)": [
            round(float(v), 4) for v in results.late.values
        ],
        "accuracy before onset, all positions (mean, standard error)": [
            round(float(v), 4) for v in results.early.values
        ],
        "best accuracy of 50 ms, at (ms)": [
            round(float(results.accuracy.max()), 4),
            round(1e3 * float(time[int(results.accuracy.values.argmax())])),
        ],
        "accuracy at the trained position (mean, standard error)": [
            round(float(v), 4) for v in results.moved_means[0].values
        ],
        "accuracy at other positions (mean, standard error)": [
            round(float(v), 4) for v in results.moved_means[1].values
        ],
        "mean crossnobis distance before onset, after 100 ms": [
            round(float(results.distance[time < -BIN].mean()), 5),
            round(float(results.distance[time >= WINDOW[0]].mean()), 5),
        ],
        "Spearman of the RDM with models": {
            str(m): round(float(v), 3) for m, v in zip(results.model.values, results.agreement.values, strict=True)
        },
        "participation ratio across trials": round(float(results.attrs["participation_ratio"]), 2),
    }


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    storage.write_dataset(folder / "fig1_objects.nc", compute(load_dataset("zhang2011_it").responses["IT"]))
    gathered = storage.read_dataset(folder / "fig1_objects.nc")
    storage.write_json(folder / "fig1_objects.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig1_objects.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig1_objects.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder("results/macaque_it"))
