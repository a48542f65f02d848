"""Sparse networks of excitatory and inhibitory cells in the four regimes of Brunel 2000."""

from typing import Any

import numpy as np
import xarray as xr
from classic import Claim, Classic
from networks import irregularity, peak_frequency, population_rate, raster, rates, spontaneous

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

CELL = bio.LIFParameters(200e-12, 10e-9, 0.0, 20e-3, 10e-3, 2e-3)  # 20 ms; threshold 20 mV above rest
JUMP, DELAY, N_FROM = 0.1e-3, 1.5e-3, 1000  # V, s, excitatory sources of each cell
TO_THRESHOLD = CELL.v_threshold / (JUMP * N_FROM * CELL.tau_mem)  # rate of each source that just reaches threshold, Hz
REGIMES = {  # inhibition over excitation g, drive over threshold, share of the time for which it is run
    "synchronous regular": (3.0, 2.0, 0.25),
    "synchronous irregular, fast": (6.0, 4.0, 1.0),
    "asynchronous irregular": (5.0, 2.0, 1.0),
    "synchronous irregular, slow": (4.5, 0.9, 2.0),
}
BANDS = {"synchronous irregular, fast": (100.0, 300.0), "synchronous irregular, slow": (10.0, 60.0)}  # Hz
IRREGULAR = 0.2  # coefficient of variation of intervals
WIDTH = 5e-4  # of the bins of the population's rate, s


def build(g: float, drive: float, n_excitatory: int, seed: int, dt: float) -> bio.Circuit:
    """Return the network: each cell has 1,000 excitatory and 250 inhibitory sources, and as many from outside."""
    outside = bio.Poisson(drive * TO_THRESHOLD, JUMP, n=N_FROM)
    sizes = {"excitatory": n_excitatory, "inhibitory": n_excitatory // 4}
    cells = {name: bio.Population(name, size, CELL, background=outside) for name, size in sizes.items()}
    weights = {"excitatory": JUMP, "inhibitory": -g * JUMP}
    indegrees = {"excitatory": N_FROM, "inhibitory": N_FROM // 4}
    wires = tuple(
        bio.connect(
            bio.FixedIndegree(indegrees[source], multapses=True), cells[source], cells[target], weight=weights[source],
            delay=DELAY, rng=seed, progress=False,
        )
        for source in cells
        for target in cells
    )  # fmt: skip
    return bio.Circuit("Brunel 2000", bio.Input(1), tuple(cells.values()), wires, dt=dt, step=1e-3)


def compute(
    dt: float, seconds: float, after: float, n_excitatory: int, regimes: tuple[str, ...], seeds: tuple[int, ...]
) -> xr.Dataset:
    """Return rate, irregularity and oscillation of each regime and seed, and a raster of each regime."""
    found = {name: np.full((len(regimes), len(seeds)), np.nan) for name in ("rate", "cv")}
    dots: dict[str, Any] = {}
    for k, name in enumerate(regimes):
        g, drive, share = REGIMES[name]
        lasting = after + round(share * (seconds - after), 3)
        courses = []
        for j, seed in enumerate(seeds):
            one = spontaneous(build(g, drive, n_excitatory, seed, dt), lasting, seed=seed)
            each = rates(one, ("excitatory", "inhibitory"), after)
            found["rate"][k, j] = 0.8 * each[0] + 0.2 * each[1]
            found["cv"][k, j] = irregularity(one, "inhibitory", after)
            courses.append(population_rate(one, after, WIDTH, lasting))
        dots[f"rate_{k}"] = (("seed", f"step_{k}"), np.array(courses))
        times, neurons = raster(one, range(60), after, after + 0.1)
        whole = population_rate(one, after, 1e-3, after + 0.1)
        dots |= {f"time_{k}": (f"dot_{k}", times), f"neuron_{k}": (f"dot_{k}", neurons), f"course_{k}": ("bin", whole)}
    coords = {"regime": list(regimes), "seed": list(seeds), "bin": after + np.arange(100) * 1e-3}
    data = {k: (("regime", "seed"), v) for k, v in found.items()}
    return xr.Dataset(data | dots, coords=coords)


def numbers(found: xr.Dataset) -> dict[str, Any]:
    """Return rates and oscillations, averaged over seeds."""
    mean = found[["rate", "cv"]].mean("seed")
    ours: dict[str, Any] = {f"rate, {name}": float(mean["rate"].sel(regime=name)) for name in found["regime"].values}
    for k, name in enumerate(found["regime"].values):
        if name in BANDS:
            ours[f"oscillation, {name}"] = peak_frequency(list(found[f"rate_{k}"].values), WIDTH, BANDS[name])
        is_irregular = float(mean["cv"].sel(regime=name)) > IRREGULAR
        ours[f"spikes, {name}"] = "irregular" if is_irregular else "regular"
    return ours


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw spikes of some cells, and the rate of all, in each regime."""
    axes = figure.subplots(2, len(found["regime"]), sharex="col", height_ratios=(2, 1), squeeze=False)
    for k, name in enumerate(found["regime"].values):
        axes[0, k].plot(found[f"time_{k}"], found[f"neuron_{k}"], ".", ms=1, color=PALETTE[0])
        axes[0, k].set_title(str(name).replace(", ", ",\n"), fontsize=7)
        axes[1, k].plot(found["bin"], found[f"course_{k}"], color=PALETTE[1], lw=0.7)
        axes[1, k].set(xlabel="time (s)", ylim=(0, None))
    axes[0, 0].set_ylabel("neuron (60 of all)")
    axes[1, 0].set_ylabel("rate of all (Hz)")


NEST = "NEST 3.10, the same network"
CLASSIC = Classic(
    "brunel",
    "Brunel 2000, four regimes",
    ("Brunel N (2000) J Comput Neurosci 8:183-208, https://doi.org/10.1023/A:1008925309027",),
    "10,000 excitatory and 2,500 inhibitory leaky cells with delta synapses of 0.1 mV and delays of 1.5 ms, driven by "
    "Poisson spikes, at the four points of figure 8. The first regime is run for a quarter of the time, the last, "
    "slow one for twice as long. Spikes are regular where the coefficient of variation of intervals is below 0.2.",
    compute,
    numbers,
    draw,
    {
        "rate, synchronous regular": Claim(333.0, "Hz", NEST, 0.05 * 333, full_only=True),
        "rate, synchronous irregular, fast": Claim(60.7, "Hz", "table 1, simulation", 0.05 * 60.7, full_only=True),
        "rate, asynchronous irregular": Claim(37.7, "Hz", "table 1, simulation", 0.05 * 37.7, small=3.77),
        "rate, synchronous irregular, slow": Claim(5.5, "Hz", "table 1, simulation", 0.05 * 5.5, full_only=True),
        "oscillation, synchronous irregular, fast": Claim(180.0, "Hz", "table 1, simulation", 9.0, full_only=True),
        "oscillation, synchronous irregular, slow": Claim(22.0, "Hz", "table 1, simulation", 2.2, full_only=True),
        "spikes, synchronous regular": Claim("regular", "", "figure 8A", full_only=True),
        "spikes, synchronous irregular, fast": Claim("irregular", "", "figure 8B", full_only=True),
        "spikes, asynchronous irregular": Claim("irregular", "", "figure 8C", full_only=True),
        "spikes, synchronous irregular, slow": Claim("irregular", "", "figure 8D", full_only=True),
    },
    full={
        "dt": 1e-4, "seconds": 0.6, "after": 0.1, "n_excitatory": 10000, "regimes": tuple(REGIMES),
        "seeds": (1, 2, 3),
    },
    small={
        "dt": 1e-4, "seconds": 0.2, "after": 0.05, "n_excitatory": 2000, "regimes": ("asynchronous irregular",),
        "seeds": (1,),
    },
)  # fmt: skip
