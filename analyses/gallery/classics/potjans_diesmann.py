"""The cortical microcircuit of Potjans and Diesmann at a tenth of its neurons and synapses."""

import numpy as np
import xarray as xr
from classic import Claim, Classic
from networks import irregularity, raster, rates, spontaneous

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure, label_ends
from neurosim.runtime import stream

SIZES = {
    "L23E": 20683, "L23I": 5834, "L4E": 21915, "L4I": 5479, "L5E": 4850, "L5I": 1065, "L6E": 14395, "L6I": 2948,
}  # fmt: skip
CHANCE = np.array([  # table 5: of a synapse, (target, source)
    [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
    [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
    [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
    [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
    [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
    [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
    [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
    [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
])  # fmt: skip
OUTSIDE, OUTSIDE_RATE = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100), 8.0  # sources of a cell, Hz of each
FULL = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])  # rates of the full circuit, Hz
CELL = bio.LIFParameters(250e-12, 25e-9, -65e-3, -50e-3, -65e-3, 2e-3)
WEIGHT, RATIO, DECAY = 87.81e-12, -4.0, 0.5e-3  # A, inhibition over excitation, s


def n_synapses() -> np.ndarray:
    """Return the number of synapses of the full circuit, (target, source), from the chance of at least one a pair."""
    n = np.array([*SIZES.values()], dtype=float)
    return np.log1p(-CHANCE) / np.log1p(-1 / np.outer(n, n))


def strength() -> np.ndarray:
    """Return the mean weight (target, source), A; that from L4E to L23E is doubled."""
    weights = WEIGHT * np.where(np.arange(8) % 2, RATIO, 1.0) * np.ones((8, 1))
    weights[0, 2] *= 2
    return weights


def build(scale: float, seed: int, dt: float) -> bio.Circuit:
    """Return the circuit with `scale` of its neurons and indegrees; weights grow, and a current holds the mean."""
    n, weights, synapses = np.array([*SIZES.values()]), strength(), n_synapses()
    indegree, less = synapses / n[:, None], 1 - np.sqrt(scale)
    brought = (weights * indegree) @ FULL + WEIGHT * np.array(OUTSIDE) * OUTSIDE_RATE
    start = stream(seed, "potjans_diesmann")
    populations = [
        bio.Population(
            name, round(scale * size), CELL, less * DECAY * brought[k], bio.ExponentialParameters(DECAY),
            initial={"v": start.normal(-58e-3, 5e-3, round(scale * size))},
            background=bio.Poisson(OUTSIDE_RATE, WEIGHT / np.sqrt(scale), n=round(scale * OUTSIDE[k])),
        )
        for k, (name, size) in enumerate(SIZES.items())
    ]  # fmt: skip
    wires = []
    for j, source in enumerate(populations):
        for i, target in enumerate(populations):
            total = round(scale**2 * synapses[i, j])
            if total:
                draw = stream(seed, "potjans_diesmann", source.name, target.name)
                wires.append(joined(source, target, total, weights[i, j] / np.sqrt(scale), dt, draw))
    return bio.Circuit("Potjans-Diesmann", bio.Input(1), tuple(populations), tuple(wires), dt=dt, step=1e-3)


def joined(
    source: bio.Population, target: bio.Population, total: int, weight: float, dt: float, draw: np.random.Generator
) -> bio.Projection:
    """Return `total` synapses between any cells, several of a pair too, which then have one delay."""
    pairs, n = np.unique(draw.integers(source.size * target.size, size=total), return_counts=True)
    weights = np.sign(weight) * np.maximum(abs(weight) * (n + 0.1 * np.sqrt(n) * draw.standard_normal(len(n))), 1e-15)
    mean = 1.5e-3 if weight > 0 else 0.75e-3
    delays = np.maximum(np.rint(draw.normal(mean, mean / 2, len(n)) / dt), 1) * dt
    table = bio.FromTable(pairs // target.size, pairs % target.size)
    return bio.connect(table, source, target, weight=weights, delay=delays, progress=False)


def compute(scale: float, dt: float, seconds: float, after: float, seeds: tuple[int, ...]) -> xr.Dataset:
    """Return the rate of each population and seed, the irregularity of excitatory cells, and a raster."""
    found = [spontaneous(build(scale, seed, dt), seconds, seed=seed) for seed in seeds]
    rate = np.array([rates(one, [*SIZES], after) for one in found])
    cv = [[irregularity(one, name, after) for name in SIZES] for one in found[:1]]
    times, neurons = raster(found[0], range(0, found[0].sizes["unit"], 4), after, after + 0.2)
    return xr.Dataset(
        {"rate": (("seed", "population"), rate), "cv": ("population", cv[0])}
        | {"time": ("dot", times), "neuron": ("dot", neurons)},
        coords={"population": [*SIZES], "seed": list(seeds)},
        attrs={"scale": scale},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the rate of each population, averaged over seeds."""
    return {f"rate, {name}": float(found["rate"].sel(population=name).mean()) for name in SIZES}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw a raster, from L2/3 down, and the rates over those of NEST."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    edges = np.cumsum([0, *(round(found.attrs["scale"] * n) for n in SIZES.values())])
    place = np.searchsorted(edges, found["neuron"].values, side="right") - 1
    for k in range(len(SIZES)):
        kept = place == k
        left.plot(found["time"][kept], found["neuron"][kept], ".", ms=2, mew=0, color=PALETTE[k % 2])
    left.set(xlabel="time (s)", ylabel="neuron", ylim=(edges[-1], 0))
    left.set_yticks(edges, [""] * len(edges))
    middle = (edges[:-1] + edges[1:]) / 2
    label_ends(left, [(y, name, PALETTE[k % 2]) for k, (y, name) in enumerate(zip(middle, SIZES, strict=True))])
    left.set_title("one neuron in four, seed 1")
    at = np.arange(len(SIZES))
    right.bar(at, found["rate"].mean("seed"), color=[PALETTE[k % 2] for k in at])
    seeds, *_ = right.plot(np.tile(at, (found.sizes["seed"], 1)).T, found["rate"].T, ".", color="0.3", ms=3)
    (nest,) = right.plot(at, [*NEST.values()], "kx")
    right.legend([seeds, nest], [f"each of {found.sizes['seed']} seeds", "NEST"], fontsize=6, loc="upper left")
    right.set_xticks(at, [*SIZES], rotation=60, fontsize=7)
    right.set(ylabel="rate (Hz)", title="bars: mean of the seeds")


NEST = dict(zip(SIZES, (0.517, 2.120, 3.959, 5.011, 6.478, 7.821, 0.838, 7.007), strict=True))
SPREAD = dict(zip(SIZES, (0.1, 0.2, 0.3, 0.3, 0.6, 0.6, 0.15, 0.4), strict=True))
CLASSIC = Classic(
    "potjans_diesmann",
    "Potjans-Diesmann 2014, cortical microcircuit at scale 0.1",
    ("Potjans TC, Diesmann M (2014) Cereb Cortex 24:785-806, https://doi.org/10.1093/cercor/bhs358",),
    "7,717 cells in four layers with a tenth of the indegrees; weights are larger by the root of ten and a constant "
    "current holds the mean input, as the authors scale it; Poisson input from outside. The tolerance is about twice "
    "the spread of seeds.",
    compute,
    numbers,
    draw,
    {
        f"rate, {name}": Claim(
            rate, "Hz", "NEST 3.10, the authors' script at scale 0.1", SPREAD[name], small=0.3 + 0.3 * rate
        )
        for name, rate in NEST.items()
    },
    full={"scale": 0.1, "dt": 1e-4, "seconds": 1.0, "after": 0.2, "seeds": (1, 2, 3, 4, 5)},
    small={"scale": 0.1, "dt": 2e-4, "seconds": 0.25, "after": 0.1, "seeds": (1,)},
)
