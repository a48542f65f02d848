"""The fast-spiking interneuron of Wang and Buzsaki."""

import numpy as np
import xarray as xr
from clamp import clamped, shown_membrane, steady_rates
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

DENSITY = 1e-10  # A for 1 uA/cm2 of the record's membrane
RATES = {0.5: 32.22, 1.0: 59.70, 2.0: 101.79, 5.0: 189.63, 10.0: 284.94, 20.0: 407.07}  # uA/cm2: Hz
ONSET = np.arange(0.12, 0.221, 0.01)


def compute(dt: float, seconds: float) -> xr.Dataset:
    """Return the steady rate under each current, those around the onset last, and membranes."""
    drive = np.concatenate([[*RATES], ONSET])
    found = clamped(bio.WangBuzsakiParameters(), drive * DENSITY, seconds, dt=dt)
    return xr.Dataset(
        {"rate": ("drive", steady_rates(found, seconds / 6)), "membrane": shown_membrane(found, [1, 3], 0.0, 0.1, 2)},
        coords={"drive": drive},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the steady rates, and the lowest current that makes spikes."""
    rates = found["rate"].values
    fires = rates[len(RATES) :] > 0
    ours = {f"rate at {i:g} uA/cm2": float(rate) for i, rate in zip(RATES, rates[: len(RATES)], strict=True)}
    ours["highest rate, at 20 uA/cm2"] = float(rates[len(RATES) - 1])
    return ours | {"current of the first spikes": float(ONSET[np.argmax(fires)]) if fires.any() else np.nan}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw membranes, and rates over those of the adaptive solver."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for k, drive in enumerate((1, 5)):
        left.plot(
            1e3 * found["membrane_time"],
            1e3 * found["membrane"][:, k],
            color=PALETTE[k],
            lw=0.8,
            label=f"{drive} \u00b5A/cm$^2$",
        )
    left.set(xlabel="time (ms)", ylabel="membrane (mV)", ylim=(None, 68), title="under two currents")
    left.legend(fontsize=7, loc="upper right", ncols=2, borderaxespad=0)
    order = np.argsort(found["drive"].values)
    right.plot(found["drive"][order], found["rate"][order], "o", ms=3, color=PALETTE[0], label="neurosim")
    right.plot([*RATES], [*RATES.values()], "-", color="0.6", lw=0.8, label="LSODA (scipy)")
    right.set(xlabel="current (\u00b5A/cm$^2$)", ylabel="steady rate (Hz)", title="steady firing")
    right.legend(fontsize=7)


CLASSIC = Classic(
    "wang_buzsaki",
    "Wang-Buzsaki, fast-spiking interneuron",
    ("Wang XJ, Buzsaki G (1996) J Neurosci 16:6402-6413, https://doi.org/10.1523/JNEUROSCI.16-20-06402.1996",),
    "The cell of page 6403 under constant currents; rates after the first sixth of the run. Theirs is the text of the "
    "paper, and its equations written down again and solved with LSODA to 1e-8.",
    compute,
    numbers,
    draw,
    {
        f"rate at {i:g} uA/cm2": Claim(r, "Hz", "equations of page 6403, by LSODA", 1.0, small=0.01 * r + 0.3)
        for i, r in RATES.items()
    }
    | {
        "highest rate, at 20 uA/cm2": Claim(400.0, "Hz", "page 6403: as high as 400 Hz", 20.0),
        "current of the first spikes": Claim(0.2, "uA/cm2", "page 6403: about 0.2", 0.05, full_only=True),
    },
    full={"dt": 5e-6, "seconds": 0.4},
    small={"dt": 1e-5, "seconds": 0.075},
)
