"""The networks of Vogels and Abbott, with currents (CUBA) and conductances (COBA), as Brette et al. 2007 run them."""

from dataclasses import replace

import numpy as np
import xarray as xr
from classic import Claim, Classic
from networks import irregularity, raster, rates, spontaneous

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure, label_ends
from neurosim.runtime import stream

SIZES = {"excitatory": 3200, "inhibitory": 800}
KINDS = ("CUBA", "COBA")
CELL = bio.LIFParameters(200e-12, 10e-9, -60e-3, -50e-3, -60e-3, 5e-3)  # 20 ms, 5 ms refractory
JUMPS = {"excitatory": 1.62e-3, "inhibitory": -9e-3}  # V, of the current of CUBA over the leak
SIEMENS = {"excitatory": 6e-9, "inhibitory": 67e-9}
DECAY = {"excitatory": 5e-3, "inhibitory": 10e-3}  # s
KICK = 250e-12  # A, into every fifth cell of COBA for 50 ms
REVERSAL = {"excitatory": 0.0, "inhibitory": -80e-3}


def build(kind: str, seed: int, dt: float) -> bio.Circuit:
    """Return 4,000 cells, every pair joined with a chance of 2 %, that start anywhere between reset and threshold."""
    is_cuba = kind == "CUBA"
    cell = replace(CELL, e_leak=-49e-3) if is_cuba else CELL
    receptors = {
        name: bio.ExponentialParameters(tau) if is_cuba else bio.ExponentialConductanceParameters(tau, REVERSAL[name])
        for name, tau in DECAY.items()
    }
    draw = stream(seed, "vogels_abbott", kind)
    populations = tuple(
        bio.Population(
            name, size, cell, synapses=receptors, initial={"v": draw.uniform(-60e-3, -50e-3, size)},
            currents=() if is_cuba else bio.StepCurrent((0.0, 50e-3), (KICK, 0.0), range(0, size, 5)),
        )
        for name, size in SIZES.items()
    )  # fmt: skip
    rule = bio.FixedProbability(0.02)
    wires = tuple(
        bio.connect(
            rule, source, target, receptor=source.name, rng=seed, progress=False,
            weight=JUMPS[source.name] * CELL.g_leak if is_cuba else SIEMENS[source.name],
        )
        for source in populations
        for target in populations
    )  # fmt: skip
    return bio.Circuit(kind, bio.Input(1), populations, wires, dt=dt, step=1e-3)


def compute(dt: float, seconds: float, after: float, seeds: tuple[int, ...]) -> xr.Dataset:
    """Return the rate and irregularity of each network and seed, and a raster of each."""
    rate, cv, dots = np.zeros((2, len(seeds))), np.zeros((2, len(seeds))), {}
    for k, kind in enumerate(KINDS):
        for j, seed in enumerate(seeds):
            found = spontaneous(build(kind, seed, dt), seconds, seed=seed)
            rate[k, j] = rates(found, [*SIZES], after) @ np.array([*SIZES.values()]) / sum(SIZES.values())
            cv[k, j] = irregularity(found, "excitatory", after)
        times, neurons = raster(found, range(0, 4000, 20), after, after + 0.3)
        dots |= {f"time_{kind}": (f"dot_{kind}", times), f"neuron_{kind}": (f"dot_{kind}", neurons)}
    return xr.Dataset(
        {"rate": (("kind", "seed"), rate), "cv": (("kind", "seed"), cv)} | dots,
        coords={"kind": list(KINDS), "seed": list(seeds)},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return rate and irregularity, averaged over seeds."""
    mean = found[["rate", "cv"]].mean("seed")
    rate = {f"rate, {kind}": float(mean["rate"].sel(kind=kind)) for kind in KINDS}
    return rate | {f"CV of intervals, {kind}": float(mean["cv"].sel(kind=kind)) for kind in KINDS}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw a raster of every twentieth cell of both."""
    axes = figure.subplots(1, 2)
    for ax, kind, synapses in zip(axes, KINDS, ("currents", "conductances"), strict=True):
        ax.plot(found[f"time_{kind}"], found[f"neuron_{kind}"], ".", ms=2, mew=0, color=PALETTE[0])
        ax.axhline(SIZES["excitatory"], color="0.6", lw=0.6)
        mean = float(found["rate"].sel(kind=kind).mean())
        ax.set(
            xlabel="time (s)",
            ylabel="neuron, one in 20 drawn",
            ylim=(0, 4000),
            title=f"{kind} ({synapses}): {mean:.1f} Hz",
        )
    middles = (SIZES["excitatory"] / 2, SIZES["excitatory"] + SIZES["inhibitory"] / 2)
    label_ends(axes[1], [(y, name, "0.3") for name, y in zip(SIZES, middles, strict=True)])


WHERE = "appendix B, benchmarks 1 and 2, by NEST 3.10: standard error"
CLASSIC = Classic(
    "vogels_abbott",
    "Vogels-Abbott networks, CUBA and COBA",
    (
        "Vogels TP, Abbott LF (2005) J Neurosci 25:10786-10795, https://doi.org/10.1523/JNEUROSCI.3508-05.2005",
        "Brette R, Rudolph M, Carnevale T, et al. (2007) J Comput Neurosci 23:349-398, "
        "https://doi.org/10.1007/s10827-007-0038-6",
    ),
    "4,000 leaky cells, a fifth of them inhibitory, joined with a chance of 2 %, without input: a leak that reverses "
    "above threshold keeps CUBA active, COBA keeps itself active after a current of 50 ms into every fifth cell. "
    "Variation of the intervals of excitatory cells with three or more. Theirs is NEST 3.10 with the same equations, "
    "start, kick and length, 5 seeds of other networks; its spikes arrive a step of 0.1 ms later, its variation is of "
    "all cells.",
    compute,
    numbers,
    draw,
    {
        "rate, CUBA": Claim(5.52, "Hz", f"{WHERE} 0.1", 0.55),
        "rate, COBA": Claim(18.54, "Hz", f"{WHERE} 0.4", 1.85, small=5.0),
        "CV of intervals, CUBA": Claim(0.601, "", f"{WHERE} 0.008", 0.06, full_only=True),
        "CV of intervals, COBA": Claim(1.681, "", f"{WHERE} 0.017", 0.168, full_only=True),
    },
    full={"dt": 1e-4, "seconds": 2.2, "after": 0.2, "seeds": (1, 2, 3, 4, 5)},
    small={"dt": 2.5e-4, "seconds": 0.4, "after": 0.2, "seeds": (1,)},
)
