"""The hippocampal neuron of Traub and Miles as the benchmark of Brette et al. 2007 has it."""

import numpy as np
import xarray as xr
from clamp import clamped, shown_membrane, steady_rates
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

RATES = {0.1: 23.52, 0.2: 38.98, 0.3: 52.62, 0.5: 77.09, 1.0: 128.31, 2.0: 205.03}  # nA: Hz


def compute(dt: float, seconds: float) -> xr.Dataset:
    """Return the steady rate under each current, and membranes."""
    found = clamped(bio.HodgkinHuxleyParameters(), np.array([*RATES]) * 1e-9, seconds, dt=dt)
    return xr.Dataset(
        {"rate": ("drive", steady_rates(found, seconds / 3)), "membrane": shown_membrane(found, [0, 3], 0.0, 0.1, 2)},
        coords={"drive": [*RATES]},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the steady rates."""
    return {f"rate at {i:g} nA": float(rate) for i, rate in zip(RATES, found["rate"].values, strict=True)}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw membranes, and rates over those of the adaptive solver."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for k, drive in enumerate((0.1, 0.5)):
        left.plot(
            1e3 * found["membrane_time"], 1e3 * found["membrane"][:, k], color=PALETTE[k], lw=0.8, label=f"{drive:g} nA"
        )
    left.set(xlabel="time (ms)", ylabel="membrane (mV)", ylim=(None, 68), title="under two currents")
    left.legend(fontsize=7, loc="upper right", ncols=2, borderaxespad=0)
    right.plot(found["drive"], found["rate"], "o", ms=4, color=PALETTE[0], label="neurosim")
    right.plot([*RATES], [*RATES.values()], "-", color="0.6", lw=0.8, label="LSODA (scipy)")
    right.set(xlabel="current (nA)", ylabel="steady rate (Hz)", title="steady firing")
    right.legend(fontsize=7)


CLASSIC = Classic(
    "traub_miles",
    "Traub-Miles, hippocampal neuron",
    (
        "Traub RD, Miles R (1991) Neuronal Networks of the Hippocampus, https://doi.org/10.1017/CBO9780511895401",
        "Brette R, Rudolph M, Carnevale T, et al. (2007) J Comput Neurosci 23:349-398, "
        "https://doi.org/10.1007/s10827-007-0038-6",
    ),
    "Sodium, potassium and leak of benchmark 3 of Brette et al. (appendix B), 20,000 um2 of membrane, under constant "
    "currents; rates after the first third of the run. Theirs is its equations, written down again and solved with "
    "LSODA to 1e-8.",
    compute,
    numbers,
    draw,
    {
        f"rate at {i:g} nA": Claim(rate, "Hz", "Brette 2007, appendix B, by LSODA", 0.5, small=1.5)
        for i, rate in RATES.items()
    },
    full={"dt": 1e-5, "seconds": 0.6},
    small={"dt": 5e-5, "seconds": 0.2},
)
