"""Spatial working memory, Compte et al. 2000: a bump of activity keeps where a cue was."""

import numpy as np
import xarray as xr
from classic import Claim, Classic

import neurosim as ns
from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

PAPER = {"excitatory": 2048, "inhibitory": 512}
CELLS = {
    "excitatory": bio.LIFParameters(0.5e-9, 25e-9, -70e-3, -50e-3, -60e-3, 2e-3),
    "inhibitory": bio.LIFParameters(0.2e-9, 20e-9, -70e-3, -50e-3, -60e-3, 1e-3),
}
OUTSIDE = {"excitatory": 3.1e-9, "inhibitory": 2.38e-9}  # S
WITHIN = {  # (source, target): S
    ("excitatory", "excitatory"): 0.381e-9,
    ("excitatory", "inhibitory"): 0.292e-9,
    ("inhibitory", "excitatory"): 1.336e-9,
    ("inhibitory", "inhibitory"): 1.024e-9,
}
WIDTH = 14.4  # of the weights between like cells, degrees
CUE, CUE_WIDTH, CUE_FROM, CUE_UNTIL = 6e-10, 18.0, 0.3, 0.55  # A, degrees, s
BIN = 0.05  # s


def profile(n: int, strongest: float) -> np.ndarray:
    """Return weights of mean 1 between cells of a ring (source, target), `strongest` between like ones."""
    apart = np.abs((np.subtract.outer(np.arange(n), np.arange(n)) * 360.0 / n + 180) % 360 - 180)
    bell = np.exp(-(apart**2) / (2 * WIDTH**2))
    weakest = (1 - strongest * bell.mean()) / (1 - bell.mean())
    return (weakest + (strongest - weakest) * bell) * (1 - np.eye(n))


def build(n: int, strongest: float, outside: float, dt: float) -> bio.Circuit:
    """Return the circuit with `n` excitatory and a quarter of inhibitory cells; weights grow as these are fewer."""
    sizes, slow = {"excitatory": n, "inhibitory": n // 4}, bio.SaturatingParameters(0.63, 100e-3)
    receptors = {
        "ampa": bio.ExponentialConductanceParameters(2e-3, 0.0),
        "nmda": bio.NMDAParameters(0.5e-3, 100e-3, 0.0, 1.0),
        "gaba": bio.ExponentialConductanceParameters(10e-3, -70e-3),
    }
    populations = tuple(
        bio.Population(
            name, size, CELLS[name], synapses=receptors, background=bio.Poisson(outside, OUTSIDE[name], "ampa")
        )
        for name, size in sizes.items()
    )
    wires = [bio.Projection("input", "excitatory", np.eye(n), receptor="ampa")]
    for (source, target), weight in WITHIN.items():
        shape = profile(n, strongest) if source == target == "excitatory" else np.ones((sizes[source], sizes[target]))
        weights = shape * weight * PAPER[source] / sizes[source]
        is_slow = source == "excitatory"
        wires.append(
            bio.Projection(
                source, target, weights, 5e-4, "nmda" if is_slow else "gaba", release=slow if is_slow else None
            )
        )
    return bio.Circuit("Compte 2000", bio.Input(n, "current"), populations, tuple(wires), dt=dt, step=1e-3)


def cue(n: int, seconds: float, degrees: float) -> xr.DataArray:
    """Return a current into the cells around a place, for a quarter of a second, and one that is not shown at all."""
    apart = np.abs((np.arange(n) * 360.0 / n - degrees + 180) % 360 - 180)
    shown = np.zeros((2, round(seconds / 1e-3), n))
    shown[1, round(CUE_FROM / 1e-3) : round(CUE_UNTIL / 1e-3)] = CUE * (apart < CUE_WIDTH)
    return ns.as_stimuli(shown, dims=("stimulus", "time", "unit"), ids=["none", "cue"], time_step=1e-3)


def compute(
    n: int, strongest: float, outside: float, dt: float, seconds: float, trials: int, seeds: tuple[int, ...]
) -> xr.Dataset:
    """Return the rate of every excitatory cell over time, without cue and with one at 180 degrees."""
    kept = bio.Monitors(time_bin=BIN)
    circuit, shown = build(n, strongest, outside, dt), cue(n, seconds, 180.0)
    found = ns.simulate(circuit, shown, trials=trials, rng=seeds[0], engine="torch", monitors=kept, progress=False)
    cells = found.isel(unit=np.flatnonzero(found["layer"].values == "excitatory"))
    values = cells.transpose("stimulus", "trial", "time", "unit").values / BIN
    return xr.Dataset(
        {"rate": (("shown", "trial", "time", "cell"), values)},
        coords={
            "shown": found["stimulus"].values.tolist(),
            "time": found["time"].values,
            "cell": np.arange(n) * 360.0 / n,
        },
    )


def numbers(found: xr.Dataset) -> dict[str, float | str]:
    """Return rates before and after the cue, and how far the bump of the end is from the cue."""
    rate, angle = found["rate"], np.deg2rad(found["cell"].values)
    late = rate.isel(time=slice(-6, None)).mean("time")
    bump = late.sel(shown="cue")
    place = np.angle((bump.values * np.exp(1j * angle)).sum(-1), deg=True) % 360
    apart = np.abs(found["cell"].values - 180)
    near = bump.isel(cell=np.flatnonzero(apart < WIDTH)).mean()
    return {
        "rate without a cue": float(rate.sel(shown="none").mean()),
        "rate of the bump at the end": float(near),
        "rate far from the bump": float(bump.isel(cell=np.flatnonzero(apart > 90)).mean()),
        "distance of the bump from the cue": float(np.abs(place - 180).mean()),
        "memory": "kept" if float(near) > 10 and float(late.sel(shown="none").mean()) < 5 else "lost",
    }


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the rate of every cell over time, and at the end."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    one = found["rate"].sel(shown="cue").isel(trial=0)
    image = left.pcolormesh(found["time"] + BIN / 2, found["cell"], one.T, cmap="viridis", shading="nearest")
    figure.colorbar(image, ax=left, label="rate (spikes/s)")
    left.axvline(CUE_FROM, color="w", lw=0.6)
    left.axvline(CUE_UNTIL, color="w", lw=0.6)
    left.text(CUE_UNTIL + 0.05, 330, "between the lines: the cue, at 180\u00b0", color="w", fontsize=6, va="center")
    left.set(xlabel="time (s)", ylabel="preferred place (degrees)", yticks=range(0, 361, 90), title="one trial")
    for k, shown in enumerate(found["shown"].values):
        late = found["rate"].sel(shown=shown).isel(time=slice(-6, None)).mean(("trial", "time"))
        right.plot(
            found["cell"], late, color=PALETTE[1 - k], label={"none": "without a cue", "cue": "with it"}[str(shown)]
        )
    right.set(xlabel="preferred place (degrees)", ylabel="rate at the end (spikes/s)", xticks=range(0, 361, 90))
    right.set_title(f"last {6 * BIN:g} s, mean of {found.sizes['trial']} trials")
    right.set_ylim(None, 1.25 * right.get_ylim()[1])
    right.legend(fontsize=7, ncols=2, loc="upper right", borderaxespad=0)


CLASSIC = Classic(
    "working_memory",
    "Compte 2000, spatial working memory",
    (
        "Compte A, Brunel N, Goldman-Rakic PS, Wang XJ (2000) Cereb Cortex 10:910-923, "
        "https://doi.org/10.1093/cercor/10.9.910",
    ),
    "The paper's cells, receptors and weights with an eighth of its 2,560 cells: a current for a quarter of a second "
    "into cells around a place, and their activity afterwards. So few cells hold the memory with 1.8 as the strongest "
    "weight, where the paper has 1.62, and 1,850 spikes/s from outside, where it has 1,800.",
    compute,
    numbers,
    draw,
    {
        "memory": Claim("kept", "", "figure 2"),
        "rate without a cue": Claim(3.0, "spikes/s", "page 914: about 3", 2.0),
        "rate of the bump at the end": Claim(20.0, "spikes/s", "figure 2: some tens", 10.0, small=20.0),
        "rate far from the bump": Claim(0.0, "spikes/s", "figure 2", 3.0),
        "distance of the bump from the cue": Claim(0.0, "degrees", "figure 2; small circuits wander more", 15.0),
    },
    full={
        "n": 256, "strongest": 1.8, "outside": 1850.0, "dt": 5e-4, "seconds": 3.0, "trials": 6, "seeds": (1,),
    },
    small={"n": 128, "strongest": 2.0, "outside": 1900.0, "dt": 5e-4, "seconds": 1.2, "trials": 2, "seeds": (1,)},
)  # fmt: skip
