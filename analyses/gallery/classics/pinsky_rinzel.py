"""The two-compartment pyramidal cell of Pinsky and Rinzel: bursts and spikes by the current into the soma."""

import numpy as np
import xarray as xr
from clamp import clamped, shown_membrane, trains
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

DENSITY = 6e-11  # A for 1 uA/cm2 of the record's membrane
DRIVES = (0.75, 2.5)  # uA/cm2 into the soma
APART = 0.02  # spikes further apart are of two bursts, s


def compute(dt: float, seconds: float) -> xr.Dataset:
    """Return the spikes under each current, and the membranes of the soma."""
    found = clamped(bio.PinskyRinzelParameters(), np.array(DRIVES) * DENSITY, seconds, dt=dt)
    spikes = trains(found)
    padded = np.full((len(spikes), max(map(len, spikes))), np.nan)
    for k, times in enumerate(spikes):
        padded[k, : len(times)] = times
    return xr.Dataset(
        {
            "spikes": (("drive", "spike"), padded),
            "membrane": shown_membrane(found, [0, 1], 0.0, seconds, round(1e-4 / dt)),
        },
        coords={"drive": [*DRIVES]},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the times of the fourth spikes, the bursts of the weaker current and the rate of the stronger one."""
    weak, strong = (row[np.isfinite(row)] for row in found["spikes"].values)
    starts, late = weak[np.diff(weak, prepend=-1.0) > APART], strong[strong > 1.0]
    ours = {
        f"fourth spike at {i:g} uA/cm2": float(1e3 * times[3]) for i, times in zip(DRIVES, (weak, strong), strict=True)
    }
    if len(starts) > 3:
        ours["spikes in a burst at 0.75 uA/cm2"] = len(weak) / len(starts)
        ours["period of bursts at 0.75 uA/cm2"] = float(1e3 * np.diff(starts[2:]).mean())
        ours["rate at 2.5 uA/cm2"] = float(1 / np.diff(late).mean())
    return ours


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the soma under both currents."""
    axes = figure.subplots(2, 1, sharex=True)
    for k, (ax, drive) in enumerate(zip(axes, DRIVES, strict=True)):
        ax.plot(found["membrane_time"], 1e3 * found["membrane"][:, k], color=PALETTE[k], lw=0.6)
        ax.set(ylabel="soma (mV)", title=f"{drive:g} uA/cm$^2$")
    axes[1].set(xlabel="time (s)")


RHYTHMS = (
    "an even and an uneven rhythm exist at this current. LSODA, too, is in the uneven one, at 52.2 Hz over 1.5 s, "
    "where it starts 4.6 mV lower; which one is reached after the first spikes depends on the last digits."
)
WHERE = "equations of pages 41-42, by LSODA"
CLASSIC = Classic(
    "pinsky_rinzel",
    "Pinsky-Rinzel, bursting pyramidal cell",
    ("Pinsky PF, Rinzel J (1994) J Comput Neurosci 1:39-60, https://doi.org/10.1007/BF00962717",),
    "Soma and dendrite coupled by 2.1 mS/cm2, a constant current into the soma: bursts every half second at 0.75 "
    "uA/cm2, fast spiking at 2.5. Theirs is the equations of the paper, written down again and solved with LSODA to "
    "1e-8.",
    compute,
    numbers,
    draw,
    {
        "fourth spike at 0.75 uA/cm2": Claim(100.53, "ms", WHERE, 0.5, small=1.0),
        "fourth spike at 2.5 uA/cm2": Claim(60.15, "ms", WHERE, 0.3),
        "spikes in a burst at 0.75 uA/cm2": Claim(2.0, "", WHERE, 0.0, full_only=True),
        "period of bursts at 0.75 uA/cm2": Claim(495.0, "ms", WHERE, 5.0, full_only=True),
        "rate at 2.5 uA/cm2": Claim(44.42, "Hz", WHERE, 0.5, full_only=True, outside=RHYTHMS),
    },
    full={"dt": 1e-5, "seconds": 1.5},
    small={"dt": 2e-5, "seconds": 0.102},
)
