"""The two-compartment pyramidal cell of Pinsky and Rinzel: bursts and spikes by the current into the soma."""

import numpy as np
import xarray as xr
from clamp import clamped, padded, shown_membrane, trains
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

DENSITY = 6e-11  # A for 1 uA/cm2 of the record's membrane
STARTS = ((0.75, 0.0), (2.5, 0.0), (2.5, 2e-3))  # uA/cm2 into the soma, and V above rest, where both begin
APART = 0.02  # spikes further apart are of two bursts, s


def compute(dt: float, seconds: float, engine: str) -> xr.Dataset:
    """Return the spikes under each current and start, and the membranes of the soma."""
    drive, above = np.array(STARTS).T
    cell = bio.PinskyRinzelParameters()
    start = dict.fromkeys(("v", "v_dendrite"), cell.e_leak + above)
    found = clamped(cell, drive * DENSITY, seconds, dt=dt, engine=engine, initial=start)
    return xr.Dataset(
        {
            "spikes": (("cell", "spike"), padded(trains(found))),
            "membrane": shown_membrane(found, [0, 1], 0.0, min(seconds, 1.5), round(1e-4 / dt)),
        },
        coords={"drive": ("cell", drive)},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the times of the fourth spikes, the bursts of the weaker current and the rate of the stronger one."""
    weak, strong, higher = (row[np.isfinite(row)] for row in found["spikes"].values)
    starts, late = weak[np.diff(weak, prepend=-1.0) > APART], higher[higher > 2.0]
    ours = {
        "fourth spike at 0.75 uA/cm2": float(1e3 * weak[3]),
        "fourth spike at 2.5 uA/cm2": float(1e3 * strong[3]),
        "fourth spike at 2.5 uA/cm2, 2 mV higher": float(1e3 * higher[3]),
    }
    if len(starts) > 3:
        ours["spikes in a burst at 0.75 uA/cm2"] = len(weak) / len(starts)
        ours["period of bursts at 0.75 uA/cm2"] = float(1e3 * np.diff(starts[2:]).mean())
        ours["rate at 2.5 uA/cm2, 2 mV higher"] = float(1 / np.diff(late).mean())
    return ours


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the soma under both currents."""
    axes = figure.subplots(2, 1, sharex=True)
    for k, (ax, drive) in enumerate(zip(axes, found["drive"].values[:2], strict=True)):
        ax.plot(found["membrane_time"], 1e3 * found["membrane"][:, k], color=PALETTE[k], lw=0.6)
        ax.set(ylabel="soma (mV)", title=f"{drive:g} \u00b5A/cm$^2$")
    axes[1].set(xlabel="time (s)")


WHERE = "equations of pages 41-42, by LSODA"
CLASSIC = Classic(
    "pinsky_rinzel",
    "Pinsky-Rinzel, bursting pyramidal cell",
    ("Pinsky PF, Rinzel J (1994) J Comput Neurosci 1:39-60, https://doi.org/10.1007/BF00962717",),
    "Soma and dendrite coupled by 2.1 mS/cm2, a constant current into the soma: bursts every half second at 0.75 "
    "uA/cm2, fast spiking at 2.5. Theirs is the equations of the paper, written down again and solved with LSODA to "
    "1e-8 (rate: 1e-10). At 2.5 two rhythms are stable, an even one (LSODA: 43.94 Hz) and one of long and short "
    "intervals in turn (27.84 and 9.44 ms, 53.66 Hz), and the start decides: LSODA reaches the first from rest and "
    "from 4.6 mV below, 2 and 4 mV above it, the second from 2 mV below. The rate is that of a start where steps of "
    "0.005 ms reach the same rhythm; steps of 0.01 ms reach the second one from eight of nine starts.",
    compute,
    numbers,
    draw,
    {
        "fourth spike at 0.75 uA/cm2": Claim(100.53, "ms", WHERE, 0.5, small=1.0),
        "fourth spike at 2.5 uA/cm2": Claim(60.15, "ms", WHERE, 0.3),
        "fourth spike at 2.5 uA/cm2, 2 mV higher": Claim(58.12, "ms", WHERE, 0.3),
        "spikes in a burst at 0.75 uA/cm2": Claim(2.0, "", WHERE, 0.0, full_only=True),
        "period of bursts at 0.75 uA/cm2": Claim(495.0, "ms", WHERE, 5.0, full_only=True),
        "rate at 2.5 uA/cm2, 2 mV higher": Claim(43.94, "Hz", WHERE, 0.3, full_only=True),
    },
    full={"dt": 5e-6, "seconds": 3.0, "engine": "cpp_standalone"},
    small={"dt": 2e-5, "seconds": 0.102, "engine": "torch"},
)
