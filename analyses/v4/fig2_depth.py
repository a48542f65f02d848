"""Figure 2 of V4: how well layers of EfficientNet-Lite, trained and untrained, predict single neurons, and mouse V1.

Session 210325 (animal PE, 640 pictures), of which every repeat is published: noise-corrected R2 of ridge regression
from every layer, averaged to 6 x 6 places, 5 folds, median neuron, and the correlation of the RDMs, of Lite0, trained
and untrained, and of the larger Lite1 and Lite2; the layers are the first blocks of five stages. Mouse V1 beside it
(50 pictures, two regions). Numbers that are stated for these data elsewhere, R2 with 10 folds, are computed again.

Run: NEUROSIM_DATA=... python analyses/v4/fig2_depth.py [folder] [--redraw]
(more than four minutes on two busy cores)
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy import stats
from torch.nn.functional import adaptive_avg_pool2d

import neurosim as ns
from neurosim import storage
from neurosim.networks import (
    EfficientNetLite0Specification,
    EfficientNetLite1Specification,
    EfficientNetLite2Specification,
)
from neurosim.networks.architecture import build_network
from neurosim.plots.canvas import (
    PAGE,
    PALETTE,
    Axes,
    Figure,
    figure_bytes,
    house_style,
    label_ends,
    letter_panels,
    new_figure,
    write_below,
)
from neurosim.runtime import forked_random, provenance
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import resize_images

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import called

SESSION, FOLDS, PLACES, SEED = "210325", 5, 6, 1
BLOCKS = ("01", "03", "05", "08", "11")
WEIGHTS = {"imagenet": "trained on ImageNet", "random": "untrained"}
LARGER = {"Lite1": EfficientNetLite1Specification, "Lite2": EfficientNetLite2Specification}
OF_LARGER = ("01", "04", "07", "11", "15")  # their first blocks of the same stages
STATED = {
    "R2, block 01": 0.30,
    "R2, block 03": 0.37,
    "R2, block 05": 0.42,
    "R2, block 08": 0.46,
    "R2, block 11": 0.48,
    "split-half r, V4 210325": 0.588,
    "RDM rho of halves, V4 210325": 0.64,
    "split-half r, V1 region1": 0.57,
    "split-half r, V1 region2": 0.44,
    "RDM rho of halves, V1 region1": 0.53,
    "RDM rho of halves, V1 region2": 0.33,
}


def features(stimuli: xr.DataArray, weights: str, batch: int = 32) -> xr.DataArray:
    """Return activity (stimulus, unit) of all blocks of Lite0, averaged, with ``layer`` along ``unit``."""
    return answers(stimuli, EfficientNetLite0Specification(weights), BLOCKS, batch)


def answers(
    stimuli: xr.DataArray,
    specification: EfficientNetLite0Specification | EfficientNetLite1Specification | EfficientNetLite2Specification,
    blocks: tuple[str, ...],
    batch: int = 32,
) -> xr.DataArray:
    """Return activity (stimulus, unit) of blocks, averaged to 6 x 6 places, with ``layer`` along ``unit``."""
    side = specification.image_size
    with forked_random():
        torch.manual_seed(SEED)
        network = build_network(specification, (3, side, side), 1000).eval()
    kept: dict[str, list[np.ndarray]] = {name: [] for name in blocks}
    for name in blocks:
        network.block[name].register_forward_hook(
            lambda _module, _given, found, name=name: kept[name].append(
                adaptive_avg_pool2d(found, PLACES).flatten(1).numpy().copy()
            )
        )
    with torch.no_grad():
        for start in range(0, stimuli.sizes["stimulus"], batch):
            part = stimuli[start : start + batch]
            part = part if "channel" in part.dims else part.expand_dims(channel=3, axis=1)
            network(torch.from_numpy(np.ascontiguousarray(resize_images(part, side).values)))
    layers = [np.concatenate(kept[name]) for name in blocks]
    labels = np.repeat(blocks, [layer.shape[1] for layer in layers])
    return ns.as_responses(
        np.concatenate(layers, 1), stimuli=stimuli.stimulus.values.tolist(), coords={"layer": ("unit", labels)}
    )


def halves(trials: xr.DataArray, n: int = 8) -> tuple[float, float]:
    """Return the mean over neurons of the correlation of halves, and the Spearman correlation of the halves' RDMs.

    Each stimulus gives two halves of equal size of its own trials; the mean over `n` draws.
    """
    values, rng, found = trials.transpose("stimulus", "trial", "unit").values, np.random.default_rng(SEED), []
    measured = np.isfinite(values[..., 0])
    half = measured.sum(1)[:, None] // 2
    pairs = np.triu_indices(len(values), 1)
    for _ in range(n):
        rank = np.where(measured, rng.random(measured.shape), 2.0).argsort(1).argsort(1)
        kept = (rank < half, (rank >= half) & (rank < 2 * half))
        a, b = (np.where(k[..., None], values, 0.0).sum(1) / half for k in kept)
        r = np.nanmean([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)])
        found.append((r, stats.spearmanr(np.corrcoef(a)[pairs], np.corrcoef(b)[pairs]).statistic))
    return tuple(float(v) for v in np.mean(found, 0))  # type: ignore[return-value]


def predicted(source: xr.DataArray, target: xr.DataArray, what: str) -> list[float]:
    """Return the median over units of a score, and its standard error."""
    found = predict_responses(source, target, folds=FOLDS, progress=False)
    error = "median_standard_error" if what == "score" else f"median_{what}_standard_error"
    return [float(found[f"median_{what}"]), float(found[error])]


def compute(folder: Path) -> xr.Dataset:
    """Return scores by layer and region; every finished part is kept in `folder`."""
    parts = {"mouse": mouse, "trained": lambda: depth("imagenet"), "untrained": lambda: depth("random")}
    parts |= {size.lower(): partial(larger, size) for size in LARGER}
    for name, part in parts.items():
        if not (folder / f"{name}.nc").exists():
            storage.write_dataset(folder / f"{name}.nc", part())
    mice, *depths, lite1, lite2 = (storage.read_dataset(folder / f"{name}.nc") for name in parts)
    depths = xr.concat(depths, "weights", data_vars="minimal", coords="minimal", compat="equals")
    return xr.merge([mice, depths, xr.concat([lite1, lite2], "size")])


def layer(source: xr.DataArray, block: str) -> xr.DataArray:
    """Return the units of a block."""
    return source.isel(unit=np.flatnonzero(source.layer.values == block))


def depth(weights: str) -> xr.Dataset:
    """Return noise-corrected R2 and RDM correlations of every block with session 210325, and its reliability."""
    stimuli, trials = shown()
    r2, rho = against(features(stimuli, weights), BLOCKS, trials)
    return xr.Dataset(
        {
            "r2": (("weights", "block", "estimate"), [r2]),
            "rho": (("weights", "block"), [rho]),
            "reliability": ("half", list(halves(trials))),
        },
        {"weights": [weights], "block": list(BLOCKS), "estimate": ["median", "error"], "half": ["r", "rho"]},
    )


def larger(size: str) -> xr.Dataset:
    """Return the same of a larger network, trained."""
    stimuli, trials = shown()
    r2, rho = against(answers(stimuli, LARGER[size](), OF_LARGER), OF_LARGER, trials)
    return xr.Dataset(
        {"r2_larger": (("size", "block", "estimate"), [r2]), "rho_larger": (("size", "block"), [rho])},
        {"size": [size], "block": list(BLOCKS), "estimate": ["median", "error"]},
    )


def shown() -> tuple[xr.DataArray, xr.DataArray]:
    """Return the pictures of session 210325 and its trials."""
    found = ns.load_dataset("cowley2026_v4", recordings=[SESSION])
    assert found.stimuli is not None
    return found.stimuli, found.responses[SESSION]


def against(
    source: xr.DataArray, blocks: tuple[str, ...], trials: xr.DataArray
) -> tuple[list[list[float]], list[float]]:
    """Return R2 with its error, and the correlation of RDMs, of every block."""
    brain = compute_rdm(trials.mean("trial", keep_attrs=True)).values
    pairs = np.triu_indices(len(brain), 1)
    each = [layer(source, block) for block in blocks]
    rho = [float(stats.spearmanr(compute_rdm(one).values[pairs], brain[pairs]).statistic) for one in each]
    return [predicted(one, trials, "explained") for one in each], rho


def mouse() -> xr.Dataset:
    """Return the prediction of both regions of mouse V1 by every block, RDM correlations and reliability."""
    found = ns.load_dataset("antolik2016_v1")
    regions = list(found.responses)
    pairs = np.triu_indices(found.stimuli.sizes["stimulus"], 1)
    score = np.full((len(WEIGHTS), len(regions), len(BLOCKS), 2), np.nan)
    rho = np.full(score.shape[:3], np.nan)
    for w, weights in enumerate(WEIGHTS):
        source = features(found.stimuli, weights)
        for k, region in enumerate(regions):
            trials = found.responses[region]
            brain = compute_rdm(trials.mean("trial", keep_attrs=True)).values[pairs]
            for b, block in enumerate(BLOCKS):
                score[w, k, b] = predicted(layer(source, block), trials, "score")
                rho[w, k, b] = stats.spearmanr(compute_rdm(layer(source, block)).values[pairs], brain).statistic
    return xr.Dataset(
        {
            "v1_score": (("weights", "region", "block", "estimate"), score),
            "v1_rho": (("weights", "region", "block"), rho),
            "v1_reliability": (("region", "half"), [halves(found.responses[r]) for r in regions]),
        },
        {"weights": list(WEIGHTS), "region": regions, "block": list(BLOCKS), "half": ["r", "rho"]},
    )


def draw(content: Mapping[str, Any]) -> Figure:
    """Draw noise-corrected R2 and RDM correlations over depth in V4, and RDM correlations in both regions of V1."""
    figure = new_figure(PAGE, 4.8)
    axes = figure.subplots(2, 2)
    neurons = {f"Lite0, {title}": content["r2"][weights] for weights, title in WEIGHTS.items()}
    neurons |= {f"{size}, trained": content["r2 of Lite1 and Lite2"][size] for size in LARGER}
    geometry = {f"Lite0, {title}": content["rho"][weights] for weights, title in WEIGHTS.items()}
    geometry |= {f"{size}, trained": content["rho of Lite1 and Lite2"][size] for size in LARGER}
    reach = float(stats.t.ppf(0.975, (FOLDS - 1) / 2))
    bars = {name: np.array(one)[:, 1] * reach for name, one in neurons.items()}
    axes[0, 0].set(
        title="V4, single neurons (640 pictures)",
        ylabel="noise-corrected R\u00b2,\nmedian of 50 neurons",
        ylim=(-0.03, 0.62),
    )
    _lines(axes[0, 0], {name: np.array(one)[:, 0] for name, one in neurons.items()}, bars)
    axes[0, 1].set(title="V4, RDM (640 pictures)", ylabel="Spearman correlation", ylim=(-0.02, 0.32))
    _lines(axes[0, 1], geometry)
    for k, ax in enumerate(axes[1]):
        ax.set(title=f"mouse V1, region {k + 1}, RDM (50 pictures)", ylabel="Spearman correlation", ylim=(-0.03, 0.22))
        _lines(ax, {f"Lite0, {title}": content["v1_rho"][weights][k] for weights, title in WEIGHTS.items()})
    for ax, ceiling in zip(axes.ravel(), (1.0, *_ceilings(content)), strict=True):
        at = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": 6, "color": "0.4"}
        ax.text(0.99, 0.98, f"ceiling {ceiling:.2f} \u2191", **at)
    letter_panels(axes.ravel(), 7)
    write_below(figure, _caption(content))
    return figure


def _lines(ax: Axes, values: Mapping[str, Sequence[float]], reach: Mapping[str, np.ndarray] | None = None) -> None:
    """Draw one line a network over depth, named where it ends, with its interval where there is one."""
    ax.axhline(0, color="0.6", lw=0.6)
    for k, (name, one) in enumerate(values.items()):
        place = np.arange(len(one)) + 0.07 * k * (reach is not None)
        ax.errorbar(place, one, None if reach is None else reach[name], color=PALETTE[k], marker="osD^"[k], ms=3, lw=1)
    ax.set_xticks(range(len(BLOCKS)), [f"stage {k}\n({b})" for k, b in enumerate(BLOCKS, 2)], fontsize=6)
    label_ends(ax, [(one[-1], name, PALETTE[k]) for k, (name, one) in enumerate(values.items())])


def _ceilings(content: Mapping[str, Any]) -> np.ndarray:
    """Return how well the RDMs of V4 and of both regions of V1 are known, of split halves (Spearman-Brown)."""
    of = ("V4 210325", "V1 region1", "V1 region2")
    halves = np.array([content["stated_and_ours"][f"RDM rho of halves, {name}"][1] for name in of])
    return np.sqrt(2 * halves / (1 + halves))


def _caption(content: Mapping[str, Any]) -> str:
    """Say what bars and ceilings are, and which blocks stand at a stage."""
    return (
        f"EfficientNet-Lite0 to Lite2; in brackets the block of Lite0. Bars: 95 % over {content['folds']} folds. "
        "Ceilings, above the axes: of R\u00b2 1 by its correction, of RDMs by their split halves (Spearman-Brown). "
        "Correlations of RDMs are of one set of pictures each, without an interval."
    )


def table(results: xr.Dataset) -> dict[str, object]:
    """Return the numbers that a text quotes, and those that are stated elsewhere beside ours."""
    trained = results.sel(weights="imagenet")
    ours = {f"R2, block {b}": float(trained.r2.sel(block=b, estimate="median")) for b in BLOCKS}
    for name, half in (("split-half r", "r"), ("RDM rho of halves", "rho")):
        ours[f"{name}, V4 210325"] = float(results.reliability.sel(half=half))
        for region in results.region.values:
            ours[f"{name}, V1 {region}"] = float(results.v1_reliability.sel(region=region, half=half))

    def rows(values: xr.DataArray) -> dict[str, list[float]]:
        return {str(w): np.round(values.sel(weights=w).values, 3).tolist() for w in WEIGHTS}

    return {
        "stated_and_ours": {k: [v, round(ours[k], 3)] for k, v in STATED.items()},
        "blocks": list(BLOCKS),
        "folds": FOLDS,
        "estimates": ["median over neurons", "standard error"],
        "r2": rows(results.r2),
        "rho": rows(results.rho),
        "blocks of Lite1 and Lite2": list(OF_LARGER),
        "r2 of Lite1 and Lite2": {s: np.round(results.r2_larger.sel(size=s).values, 3).tolist() for s in LARGER},
        "rho of Lite1 and Lite2": {s: np.round(results.rho_larger.sel(size=s).values, 3).tolist() for s in LARGER},
        "v1_score": rows(results.v1_score),
        "v1_rho": rows(results.v1_rho),
        "provenance": provenance(),
    }


def main(folder: Path, *, redraw: bool) -> None:
    """Compute, keep the numbers, and draw from them; with `--redraw` draw the numbers that are kept here."""
    if not redraw:
        folder.mkdir(parents=True, exist_ok=True)
        storage.write_json(folder / "fig2_depth.json", table(compute(folder)))
    with house_style():
        files = figure_bytes(draw(storage.read_json(folder / "fig2_depth.json")))
    storage.write_bytes(folder / "fig2_depth.png", files["png"])
    print(folder / "fig2_depth.png")


if __name__ == "__main__":
    with called(__doc__) as given:
        main(given.folder(Path(__file__).parent if given.redraw else "results/v4"), redraw=given.redraw)
