"""The leaky integrate-and-fire neuron under constant current."""

import numpy as np
import xarray as xr
from clamp import clamped, steady_rates
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

CELL = bio.LIFParameters()  # 10 ms, 2 ms refractory, 20 mV to threshold: 200 pA
RHEOBASE = CELL.g_leak * (CELL.v_threshold - CELL.e_leak)
ASKED = (1.1, 1.5, 2.0, 5.0)  # rheobases


def closed_form(strength: np.ndarray) -> np.ndarray:
    """Return the rate under a current of so many rheobases, Hz."""
    return 1 / (CELL.refractory + CELL.tau_mem * np.log(strength / (strength - 1)))


def compute(dt: float, seconds: float, n_currents: int) -> xr.Dataset:
    """Return the rate under each current, in rheobases, those of the claims first."""
    strength = np.concatenate([ASKED, np.linspace(0.5, 5.0, n_currents)])
    found = clamped(CELL, strength * RHEOBASE, seconds, dt=dt)
    return xr.Dataset({"rate": ("strength", steady_rates(found, 0.0))}, coords={"strength": strength})


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the rates at the currents of the claims, and how many neurons fire below the rheobase."""
    rates = {f"rate at {s:g} rheobases": float(found["rate"][k]) for k, s in enumerate(ASKED)}
    return rates | {"rate below the rheobase": float(found["rate"].where(found["strength"] <= 1, drop=True).sum())}


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the rates over the closed form."""
    ax = figure.subplots()
    fine = 1 + np.geomspace(1e-12, 4.0, 800)
    ax.plot(fine, closed_form(fine), color="0.6", label="closed form")
    ax.plot(found["strength"], found["rate"], "o", ms=3, color=PALETTE[0], label="neurosim, 50 currents")
    ax.set(xlabel="current (of the smallest that ever makes it spike)", ylabel="rate (Hz)")
    ax.legend()


WHERE = "closed form, 1 / (2 ms + 10 ms ln(I / (I - 1)))"
CLASSIC = Classic(
    "lif",
    "Leaky integrate-and-fire neuron, f-I curve",
    ("Burkitt AN (2006) Biol Cybern 95:1-19, https://doi.org/10.1007/s00422-006-0068-6",),
    "A membrane of 10 ms with a refractory period of 2 ms under constant currents, from one half to five rheobases. "
    "Intervals are whole steps, so that rates are a little low.",
    compute,
    numbers,
    draw,
    {
        f"rate at {s:g} rheobases": Claim(
            float(closed_form(np.array(s))), "Hz", WHERE, 0.003 * float(closed_form(np.array(s))), small=0.015 * 240
        )
        for s in ASKED
    }
    | {"rate below the rheobase": Claim(0.0, "Hz", WHERE)},
    full={"dt": 1e-5, "seconds": 0.5, "n_currents": 46},
    small={"dt": 5e-5, "seconds": 0.15, "n_currents": 5},
)
