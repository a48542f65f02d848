"""Figure 2 of V4: how well layers of EfficientNet-Lite, trained and untrained, predict single neurons, and mouse V1.

Session 210325 (animal PE, 640 pictures), of which every repeat is published: noise-corrected R2 of ridge regression
from every layer, averaged to 6 x 6 places, 5 folds, median neuron, and the correlation of the RDMs, of -Lite0, trained
and untrained, and of the larger -Lite1 and -Lite2; the layers are the first blocks of five stages. Mouse V1 beside it
(50 pictures, two regions). Numbers that are stated for these data elsewhere, R2 with 10 folds, are computed again.

Run: NEUROSIM_DATA=... python analyses/v4/fig2_depth.py results/v4
"""

import sys
from functools import partial
from pathlib import Path

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
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.runtime import forked_random, provenance
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import resize_images

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
    """Return activity (stimulus, unit) of all blocks of -Lite0, averaged, with ``layer`` along ``unit``."""
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


def draw(results: xr.Dataset) -> Figure:
    """Draw noise-corrected R2 and RDM correlations over depth, and mouse V1."""
    figure = new_figure(11.0, 3.4)
    left, middle, right = figure.subplots(1, 3)
    place = np.arange(len(BLOCKS))
    reach = float(stats.t.ppf(0.975, (FOLDS - 1) / 2))
    for w, (weights, title) in enumerate(WEIGHTS.items()):
        one = results.sel(weights=weights)
        score, error = one.r2.values.T
        left.errorbar(
            place, score, error * reach, color=PALETTE[w], marker="o", ms=4, capsize=1.5, label=f"-Lite0, {title}"
        )
        middle.plot(place, one.rho, color=PALETTE[w], marker="o", ms=4, label=f"-Lite0, {title}")
        for k, region in enumerate(one.region.values):
            style = {"color": PALETTE[w], "marker": "o^"[k], "ms": 4, "ls": ("-", "--")[k]}
            right.plot(place, one.v1_rho.sel(region=region), label=f"{title}, {region}", **style)
    for k, size in enumerate(LARGER):
        one, style = results.sel(size=size), {"color": PALETTE[2 + k], "marker": "sD"[k], "ms": 3.5, "ls": "--"}
        left.plot(place + 0.08 * (k + 1), one.r2_larger.sel(estimate="median"), label=f"-{size}, trained", **style)
        middle.plot(place, one.rho_larger, label=f"-{size}, trained", **style)
    left.set(title="V4, single neurons, 640 pictures", ylabel="noise-corrected R\u00b2, median neuron")
    middle.set(title="V4, geometry, 640 pictures", ylabel="RDM: Spearman correlation")
    right.set(title="mouse V1, geometry, 50 pictures", ylabel="RDM: Spearman correlation")
    for ax in (left, middle, right):
        ax.axhline(0, color="0.6", lw=0.6)
        ax.set_xticks(place, [f"stage {k}\n({b})" for k, b in enumerate(BLOCKS, 2)])
    middle.legend(fontsize=6)
    right.legend(fontsize=6)
    return figure


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
        "blocks of -Lite1 and -Lite2": list(OF_LARGER),
        "r2 of -Lite1 and -Lite2": {s: np.round(results.r2_larger.sel(size=s).values, 3).tolist() for s in LARGER},
        "rho of -Lite1 and -Lite2": {s: np.round(results.rho_larger.sel(size=s).values, 3).tolist() for s in LARGER},
        "v1_score": rows(results.v1_score),
        "v1_rho": rows(results.v1_rho),
        "provenance": provenance(),
    }


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    folder.mkdir(parents=True, exist_ok=True)
    gathered = compute(folder)
    storage.write_json(folder / "fig2_depth.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig2_depth.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig2_depth.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/v4"))
