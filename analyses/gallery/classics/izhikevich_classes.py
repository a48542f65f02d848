"""The six classes of cortical neurons of Izhikevich 2003."""

import numpy as np
import xarray as xr
from clamp import clamped, shown_membrane, trains
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

# a, b, c, d of the paper (mV, ms), and the spikes in a second under I = 10 that an adaptive solver gives.
CLASSES = {
    "regular spiking": (0.02, 0.2, -65, 8, 23),
    "intrinsically bursting": (0.02, 0.2, -55, 4, 34),
    "chattering": (0.02, 0.2, -50, 2, 87),
    "fast spiking": (0.1, 0.2, -65, 2, 137),
    "low-threshold spiking": (0.02, 0.25, -65, 2, 78),
    "resonator": (0.1, 0.26, -65, 2, 196),
}


def compute(dt: float, seconds: float) -> xr.Dataset:
    """Return the number of spikes of each class under I = 10, from -65 mV and u = b v, and membranes."""
    a, b, c, d = np.array([row[:4] for row in CLASSES.values()]).T
    varying = {"a": a * 1e3, "b": b * 1e3, "c": c * 1e-3, "d": d}
    start = {"v": -65e-3, "u": varying["b"] * -65e-3}
    found = clamped(
        bio.IzhikevichParameters(), np.full(len(CLASSES), 1e-9), seconds, dt=dt, varying=varying, initial=start
    )
    counts = [len(t) for t in trains(found)]
    membrane = shown_membrane(found, list(range(len(CLASSES))), 0.0, 0.2, round(1e-4 / dt))
    return xr.Dataset(
        {"count": ("kind", counts), "membrane": membrane}, coords={"kind": list(CLASSES)}, attrs={"seconds": seconds}
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the spikes a second of each class."""
    return {
        str(k): float(n) / found.attrs["seconds"] for k, n in zip(found["kind"].values, found["count"], strict=True)
    }


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the membrane of each class."""
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    for k, (ax, kind) in enumerate(zip(axes, found["kind"].values, strict=True)):
        ax.plot(1e3 * found["membrane_time"], 1e3 * found["membrane"][:, k].clip(max=30e-3), color=PALETTE[0], lw=0.6)
        ax.set_title(f"{kind}: {float(found['count'][k]) / found.attrs['seconds']:.0f} spikes/s", fontsize=7)
    figure.supxlabel("time (ms)", fontsize=8)
    figure.supylabel("membrane (mV)", fontsize=8)


WHERE = "figure 2, parameters; LSODA to 1e-9, each spike where it crosses 30 mV"
CLASSIC = Classic(
    "izhikevich_classes",
    "Izhikevich 2003, six classes of neurons",
    ("Izhikevich EM (2003) IEEE Trans Neural Netw 14:1569-1572, https://doi.org/10.1109/TNN.2003.820440",),
    "The cells of figure 2 under I = 10 for a second in steps of 0.01 ms. Euler steps of 0.01 ms "
    "give 136 and 195 in fast spiking and resonator cells; the paper's half milliseconds are up to 15 % away.",
    compute,
    numbers,
    draw,
    {kind: Claim(float(row[4]), "spikes/s", WHERE, 0.0, small=0.03 * row[4]) for kind, row in CLASSES.items()},
    full={"dt": 1e-5, "seconds": 1.0},
    small={"dt": 1e-4, "seconds": 1.0},
)
