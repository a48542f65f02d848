"""Short-term depression and facilitation: amplitudes of trains against the map of the paper."""

import numpy as np
import xarray as xr
from classic import Claim, Classic

import neurosim as ns
from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure, label_ends

N_SPIKES, TAU = 20, 1e-3  # of each train; of the current, s
FREQUENCIES = (5, 10, 20, 40, 100)  # Hz
SYNAPSES = {  # U, recovery and facilitation in s
    "depressing": bio.TsodyksMarkramParameters(0.5, 0.8, 0.0),
    "facilitating": bio.TsodyksMarkramParameters(0.05, 0.1, 1.0),
}


def of_the_map(synapse: bio.TsodyksMarkramParameters, gap: float) -> np.ndarray:
    """Return what each spike of a regular train brings, as a share of the weight, by the map from spike to spike."""
    x, u, brought = 1.0, 0.0, []
    for _ in range(N_SPIKES):
        u = u + synapse.u_rest * (1 - u)
        brought.append(u * x)
        x = 1 - (1 - x + u * x) * np.exp(-gap / synapse.tau_rec)
        u = u * np.exp(-gap / synapse.tau_facil) if synapse.tau_facil else 0.0
    return np.array(brought)


def compute() -> xr.Dataset:
    """Return the current that each spike of each train adds, over that of a weight of 1."""
    n, step = len(FREQUENCIES), 1e-3
    gaps = np.array([round(1 / f / step) for f in FREQUENCIES])
    shown = np.zeros((1, N_SPIKES * gaps.max() + 1, n))
    for k, gap in enumerate(gaps):
        shown[0, gap * np.arange(N_SPIKES), k] = 1
    spikes = ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), time_step=step)
    cells = bio.Population("cells", n, bio.LIFParameters(), synapses=bio.ExponentialParameters(TAU))
    level = []
    for synapse in (None, *SYNAPSES.values()):
        wire = bio.Projection("input", "cells", np.eye(n) * 1e-12, release=synapse)
        circuit = bio.Circuit("trains", bio.Input(n), (cells,), (wire,), step, step)
        found = ns.simulate(
            circuit, spikes, engine="torch", monitors=bio.Monitors(record=["cells.level"]), progress=False
        )
        current = np.vstack([np.zeros(n), found["cells.level"].values[0]])
        added = current[1:] - np.exp(-step / TAU) * current[:-1]
        level.append([added[gap * np.arange(N_SPIKES), k] for k, gap in enumerate(gaps)])
    plain, *released = np.array(level)
    return xr.Dataset(
        {"brought": (("synapse", "frequency", "spike"), np.array(released) / plain)},
        coords={"synapse": [*SYNAPSES], "frequency": [*FREQUENCIES], "spike": np.arange(N_SPIKES)},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the largest difference from the map, and the amplitudes that the paper speaks of."""
    ours = {}
    for name, synapse in SYNAPSES.items():
        exact = np.array([of_the_map(synapse, 1 / f) for f in FREQUENCIES])
        ours[f"largest difference, {name}"] = float(np.abs(found["brought"].sel(synapse=name).values - exact).max())
    last = found["brought"].isel(spike=-1)
    depressed, risen = last.sel(synapse="depressing", frequency=20), found["brought"].sel(synapse="facilitating")
    ours["last amplitude over first, depressing, 20 Hz"] = float(depressed / found["brought"][0, 0, 0])
    ours["charge a second at 100 Hz over that at 40 Hz"] = float(
        last.sel(synapse="depressing", frequency=100) * 100 / (last.sel(synapse="depressing", frequency=40) * 40)
    )
    return ours | {"last amplitude over first, facilitating, 10 Hz": float(risen.sel(frequency=10)[-1] / risen[0, 0])}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw amplitudes of both synapses over the map."""
    axes = figure.subplots(1, 2)
    for ax, (name, synapse) in zip(axes, SYNAPSES.items(), strict=True):
        for k, f in enumerate(FREQUENCIES):
            ax.plot(found["spike"] + 1, found["brought"].sel(synapse=name, frequency=f), "o", ms=2.5, color=PALETTE[k])
            ax.plot(found["spike"] + 1, of_the_map(synapse, 1 / f), color=PALETTE[k], lw=0.8)
        ax.set(xlabel="spike", ylabel="share of the weight", xticks=(1, 5, 10, 15, 20), ylim=(0, None))
        ax.set_title(f"{name}; lines: the map of the paper")
        last = found["brought"].sel(synapse=name).isel(spike=-1)
        label_ends(ax, [(float(last[k]), f"{f} Hz", PALETTE[k]) for k, f in enumerate(FREQUENCIES)])


STILL = SYNAPSES["depressing"]


def _steady(gap: float) -> float:
    """Return what a spike of an endless train brings through the depressing synapse."""
    left = np.exp(-gap / STILL.tau_rec)
    return float(STILL.u_rest * (1 - left) / (1 - (1 - STILL.u_rest) * left))


CLASSIC = Classic(
    "tsodyks_markram",
    "Tsodyks-Markram, depression and facilitation",
    (
        "Tsodyks M, Pawelzik K, Markram H (1998) Neural Comput 10:821-835, https://doi.org/10.1162/089976698300017502",
        "Tsodyks MV, Markram H (1997) PNAS 94:719-723, https://doi.org/10.1073/pnas.94.2.719",
    ),
    "Trains of 20 spikes at 5 to 100 Hz through a depressing synapse (U .5, recovery .8 s) and a facilitating one "
    "(U .05, recovery .1 s, facilitation 1 s): the current that each spike adds.",
    compute,
    numbers,
    draw,
    {
        "largest difference, depressing": Claim(0.0, "", "map from spike to spike, 1998, section 2", 1e-9),
        "largest difference, facilitating": Claim(0.0, "", "map from spike to spike, 1998, section 2", 1e-9),
        "last amplitude over first, depressing, 20 Hz": Claim(
            _steady(0.05) / STILL.u_rest, "", "closed form of endless trains, 1998, section 2", 1e-4
        ),
        "charge a second at 100 Hz over that at 40 Hz": Claim(
            1.0, "", "1997, page 721: amplitudes fall as 1/f above the limiting frequency", 0.05
        ),
        "last amplitude over first, facilitating, 10 Hz": Claim(
            float(of_the_map(SYNAPSES["facilitating"], 0.1)[-1] / 0.05), "", "map from spike to spike", 1e-6
        ),
    },
)
