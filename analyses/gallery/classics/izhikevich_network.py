"""The thousand neurons of Izhikevich 2003, with random weights and thalamic noise."""

import numpy as np
import xarray as xr
from classic import Claim, Classic
from networks import peak_frequency, raster

import neurosim as ns
from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure, label_ends

LAYERS, STEP = ("excitatory", "inhibitory"), 1e-3  # s


def compute(seconds: float, seeds: tuple[int, ...]) -> xr.Dataset:
    """Return rates of both kinds and the course of all for each seed, and a raster of the first."""
    rate, courses, dots = np.zeros((len(seeds), 2)), [], {}
    options = bio.IzhikevichOptions(duration=seconds)
    for k, seed in enumerate(seeds):
        circuit = bio.build_circuit("izhikevich", 1, options, rng=seed)
        found = ns.simulate(
            circuit, ns.as_stimuli(np.zeros((1, 1))), rng=seed, engine="torch",
            monitors=bio.Monitors(spike_times=True), progress=False,
        )  # fmt: skip
        counts = found["responses"].isel(stimulus=0)
        for j, name in enumerate(LAYERS):
            rate[k, j] = float(counts.isel(unit=np.flatnonzero(counts["layer"].values == name)).mean()) / STEP
        courses.append(counts.sum("unit").values)
        if not k:
            times, neurons = raster(found, range(1000), 0.0, seconds)
            dots = {"time": ("dot", times), "neuron": ("dot", neurons)}
    return xr.Dataset(
        {"rate": (("seed", "kind"), rate), "course": (("seed", "step"), np.array(courses))} | dots,
        coords={"seed": list(seeds), "kind": list(LAYERS)},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return rates, averaged over seeds, and the frequency of the slow rhythm."""
    mean = found["rate"].mean("seed")
    ours = {f"rate, {name}": float(mean.sel(kind=name)) for name in LAYERS}
    return ours | {"slow rhythm": peak_frequency(list(found["course"].values), STEP, (4.0, 20.0))}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the raster of the paper's figure 3."""
    ax = figure.subplots()
    ax.plot(1e3 * found["time"], found["neuron"], ".", ms=1.2, mew=0, color=PALETTE[0])
    ax.axhline(800, color="0.6", lw=0.6)
    ax.set(xlabel="time (ms)", ylabel="neuron", xlim=(0, 1000), ylim=(0, 1000))
    label_ends(ax, [(400, "800 excitatory", "0.3"), (900, "200 inhibitory", "0.3")], size=7)


WHERE = "the paper's script, 20 runs of a second in numpy: spread {}"
CLASSIC = Classic(
    "izhikevich_network",
    "Izhikevich 2003, network of a thousand neurons",
    ("Izhikevich EM (2003) IEEE Trans Neural Netw 14:1569-1572, https://doi.org/10.1109/TNN.2003.820440",),
    'The named circuit "izhikevich", 800 excitatory and 200 inhibitory cells that all differ, for a second. Theirs is '
    "the script of the paper's appendix, written down again; the tolerance is three times the spread of its runs.",
    compute,
    numbers,
    draw,
    {
        "rate, excitatory": Claim(7.58, "Hz", WHERE.format("0.18"), 0.55, small=0.8),
        "rate, inhibitory": Claim(7.33, "Hz", WHERE.format("0.23"), 0.7, small=1.0),
        "slow rhythm": Claim(9.0, "Hz", "figure 3: alpha rhythm; the 20 runs", 2.0, full_only=True),
    },
    full={"seconds": 1.0, "seeds": (1, 2, 3, 4, 5)},
    small={"seconds": 1.0, "seeds": (1,)},
)
