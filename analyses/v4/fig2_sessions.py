"""Figure 2 of V4: how well layers of EfficientNet-Lite0, trained and untrained, predict single neurons, by session.

Session 210325 (animal PE), of which every repeat is published: noise-corrected R2 of ridge regression from every layer,
averaged to 6 x 6 places, 640 pictures, 10 folds, median neuron. All four sessions (animals WE, PE, PE, RA; their first 400
pictures, means over repeats): correlation of prediction and response, the layer chosen in nested folds (ridge) or on the
session before (partial least squares, 25 components). Mouse V1 beside it (50 pictures, two regions). The numbers that the
publications and the manifest of the data state are computed again.

Run: NEUROSIM_DATA=... python analyses/v4/fig2_sessions.py results/v4
"""

import sys
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy import stats
from torch.nn.functional import adaptive_avg_pool2d

import neurosim as ns
from neurosim import storage
from neurosim.networks import EfficientNetLite0Specification
from neurosim.networks.architecture import build_network
from neurosim.plots.canvas import PALETTE, Figure, figure_bytes, house_style, new_figure
from neurosim.runtime import forked_random, provenance
from neurosim.similarity.predictivity import predict_responses
from neurosim.similarity.rdms import compute_rdm
from neurosim.stimuli.images import resize_images

SESSIONS = {"190923": "WE", "210225": "PE", "210325": "PE", "210621": "RA"}
WITH_TRIALS, N_IMAGES, PLACES, SEED = "210325", 400, 6, 1
BLOCKS = ("01", "03", "05", "08", "11")
WEIGHTS = {"imagenet": "trained on ImageNet", "random": "untrained"}
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
    """Return activity (stimulus, unit) of all blocks, averaged to 6 x 6 places, with ``layer`` along ``unit``."""
    with forked_random():
        torch.manual_seed(SEED)
        network = build_network(EfficientNetLite0Specification(weights), (3, 224, 224), 1000).eval()
    kept: dict[str, list[np.ndarray]] = {name: [] for name in BLOCKS}
    for name in BLOCKS:
        network.block[name].register_forward_hook(
            lambda _module, _given, found, name=name: kept[name].append(
                adaptive_avg_pool2d(found, PLACES).flatten(1).numpy().copy()
            )
        )
    with torch.no_grad():
        for start in range(0, stimuli.sizes["stimulus"], batch):
            part = stimuli[start : start + batch]
            part = part if "channel" in part.dims else part.expand_dims(channel=3, axis=1)
            network(torch.from_numpy(np.ascontiguousarray(resize_images(part, 224).values)))
    layers = [np.concatenate(kept[name]) for name in BLOCKS]
    labels = np.repeat(BLOCKS, [layer.shape[1] for layer in layers])
    return ns.as_responses(
        np.concatenate(layers, 1), stimuli=stimuli.stimulus.values.tolist(), coords={"layer": ("unit", labels)}
    )


def halves(trials: xr.DataArray, n: int = 20) -> tuple[float, float]:
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


def predicted(source: xr.DataArray, target: xr.DataArray, what: str, folds: int, **options: object) -> list[float]:
    """Return the median over units of a score, and its standard error."""
    found = predict_responses(source, target, folds=folds, progress=False, **options)  # type: ignore[arg-type]
    error = "median_standard_error" if what == "score" else f"median_{what}_standard_error"
    return [float(found[f"median_{what}"]), float(found[error])]


def compute(folder: Path) -> xr.Dataset:
    """Return scores by layer, session and region; every finished part is kept in `folder`."""
    parts = {
        "depth": depth,
        "sessions": sessions,
        "mouse": mouse,
    }
    for name, part in parts.items():
        if not (folder / f"{name}.nc").exists():
            storage.write_dataset(folder / f"{name}.nc", part())
            print(name, flush=True)
    return xr.merge([storage.read_dataset(folder / f"{name}.nc") for name in parts])


def layer(source: xr.DataArray, block: str) -> xr.DataArray:
    """Return the units of a block."""
    return source.isel(unit=np.flatnonzero(source.layer.values == block))


def depth() -> xr.Dataset:
    """Return noise-corrected R2 and RDM correlations of every block with session 210325, and its reliability."""
    found = ns.load_dataset("cowley2026_v4", recordings=[WITH_TRIALS])
    trials = found.responses[WITH_TRIALS]
    brain = compute_rdm(trials.mean("trial", keep_attrs=True)).values
    pairs = np.triu_indices(len(brain), 1)
    r2, rho = [], []
    for weights in WEIGHTS:
        source = features(found.stimuli, weights)
        r2.append([predicted(layer(source, b), trials, "explained", 10) for b in BLOCKS])
        rho.append(
            [stats.spearmanr(compute_rdm(layer(source, b)).values[pairs], brain[pairs]).statistic for b in BLOCKS]
        )
    return xr.Dataset(
        {
            "r2": (("weights", "block", "estimate"), np.array(r2)),
            "rho": (("weights", "block"), np.array(rho)),
            "reliability": ("half", list(halves(trials, 5))),
        },
        {"weights": list(WEIGHTS), "block": list(BLOCKS), "estimate": ["median", "error"], "half": ["r", "rho"]},
    )


def sessions() -> xr.Dataset:
    """Return the prediction of every session by ridge and partial least squares, trained and untrained."""
    found = np.full((len(WEIGHTS), len(SESSIONS), 2, 2), np.nan)
    chosen: dict[tuple[str, str], str] = {}
    shown = {s: ns.load_dataset("cowley2026_v4", recordings=[s]) for s in SESSIONS}
    for w, weights in enumerate(WEIGHTS):
        sources, targets = {}, {}
        for k, s in enumerate(SESSIONS):
            sources[s] = features(shown[s].stimuli[:N_IMAGES], weights)
            responses = shown[s].responses[s].isel(stimulus=slice(N_IMAGES))
            targets[s] = responses.mean("trial", keep_attrs=True) if "trial" in responses.dims else responses
            result = predict_responses(sources[s], targets[s], folds=5, choose="layer", progress=False)
            found[w, k, 0] = float(result.median_score), float(result.median_standard_error)
            names, counts = np.unique(result.chosen.values.astype(str), return_counts=True)
            chosen[weights, s] = str(names[counts.argmax()])
        for k, s in enumerate(SESSIONS):
            block = chosen[weights, list(SESSIONS)[k - 1]]
            found[w, k, 1] = predicted(layer(sources[s], block), targets[s], "score", 5, method="pls")
    return xr.Dataset(
        {
            "session_score": (("weights", "session", "method", "estimate"), found),
            "session_layer": (("weights", "session"), [[chosen[w, s] for s in SESSIONS] for w in WEIGHTS]),
        },
        {
            "weights": list(WEIGHTS),
            "session": list(SESSIONS),
            "method": ["ridge", "pls"],
            "estimate": ["median", "error"],
        },
    )


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
                score[w, k, b] = predicted(layer(source, block), trials, "score", 5)
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
    """Draw R2 over depth, the sessions by both methods, and mouse V1 over depth."""
    figure = new_figure(11.0, 3.6)
    left, middle, right = figure.subplots(1, 3, width_ratios=[3, 4, 3])
    place = np.arange(len(BLOCKS))
    for w, (weights, title) in enumerate(WEIGHTS.items()):
        one = results.sel(weights=weights)
        left.errorbar(
            place, one.r2.values[:, 0], one.r2.values[:, 1] * wide(10), color=PALETTE[w], marker="o", ms=4, label=title
        )
        for m, method in enumerate(one.method.values):
            score = one.session_score.sel(method=method).values
            middle.errorbar(
                np.arange(len(SESSIONS)) + 0.12 * (2 * w + m - 1.5), score[:, 0], score[:, 1] * wide(5), ls="",
                color=PALETTE[w], marker="os"[m], ms=4, mfc=PALETTE[w] if m == 0 else "white",
                label=f"{title}, {'ridge' if method == 'ridge' else 'PLS'}",
            )  # fmt: skip
        for k, region in enumerate(one.region.values):
            rho = one.v1_rho.sel(region=region).values
            right.plot(
                place, rho, color=PALETTE[w], marker="o^"[k], ms=4, ls=("-", "--")[k], label=f"{title}, {region}"
            )
    left.set_xticks(place, [f"block {b}" for b in BLOCKS], rotation=45)
    left.set(title="V4, session 210325, 640 pictures", ylabel="noise-corrected R\u00b2, median neuron", ylim=(0, None))
    middle.set_xticks(range(len(SESSIONS)), [f"{s}\nanimal {a}" for s, a in SESSIONS.items()])
    middle.set(title="V4 by session, 400 pictures", ylabel="r of held-out responses, median neuron", ylim=(0, None))
    right.set_xticks(place, [f"block {b}" for b in BLOCKS], rotation=45)
    right.axhline(0, color="0.6", lw=0.6)
    right.set(title="mouse V1, 50 pictures", ylabel="RDM: Spearman correlation")
    for ax in (left, middle, right):
        ax.legend(fontsize=6)
    return figure


def wide(folds: int) -> float:
    """Return how many standard errors a 95 % interval reaches where so many folds tell the error."""
    return float(stats.t.ppf(0.975, (folds - 1) / 2))


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
        "sessions": SESSIONS,
        "methods": results.method.values.tolist(),
        "estimates": ["median over neurons", "standard error"],
        "r2": rows(results.r2),
        "rho": rows(results.rho),
        "session_score": rows(results.session_score),
        "session_layer": {str(w): results.session_layer.sel(weights=w).values.tolist() for w in WEIGHTS},
        "v1_score": rows(results.v1_score),
        "v1_rho": rows(results.v1_rho),
        "provenance": provenance(),
    }


def main(folder: Path) -> None:
    """Compute, keep the numbers, and draw from them."""
    folder.mkdir(parents=True, exist_ok=True)
    gathered = compute(folder)
    storage.write_json(folder / "fig2_sessions.json", table(gathered))
    with house_style():
        storage.write_bytes(folder / "fig2_sessions.png", figure_bytes(draw(gathered))["png"])
    print(folder / "fig2_sessions.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/v4"))
