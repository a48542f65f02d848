"""The generalised integrate-and-fire neuron: escape of spikes, refractoriness and adaptation in closed form."""

import numpy as np
import xarray as xr
from clamp import clamped, padded, trains
from classic import Claim, Classic
from scipy.optimize import brentq

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

REST, ABOVE, SPREAD, REFRACTORY = -55e-3, 8e-3, 2e-3, 4e-3
HAZARD = float(np.exp(ABOVE / SPREAD))  # spikes/s
GAMMA, TAU = 0.2e-3, 0.5  # of the moving threshold, V and s
CELL = {"v_t": REST - ABOVE, "e_leak": REST, "v_reset": REST, "delta_v": SPREAD, "refractory": REFRACTORY}
STILL = {f"{kind}_{k}": 0.0 for kind in ("eta", "gamma") for k in (1, 2, 3, 4)}


def interval(hazard: float, dt: float) -> float:
    """Return the mean interval of a renewal process whose chance of a spike in a step is 1 - exp(-hazard dt), s.

    The step in which the refractory period ends may spike already.
    """
    return REFRACTORY - dt + dt / -np.expm1(-hazard * dt)


def adapted_rate(dt: float) -> float:
    """Return the rate that its own threshold, raised by ``GAMMA TAU rate``, lets it have, spikes/s."""
    return float(brentq(lambda r: r - 1 / interval(HAZARD * np.exp(-GAMMA * TAU * r / SPREAD), dt), 1e-3, 200))


def compute(dt: float, seconds: float, n_cells: int, seeds: tuple[int, ...]) -> xr.Dataset:
    """Return intervals and number of spikes of cells without memory, and rates of those whose threshold moves."""
    gaps, counts, rates = [], [], []
    for seed in seeds:
        memoryless = clamped(bio.GIFParameters(**CELL, **STILL), np.zeros(n_cells), seconds, dt=dt, seed=seed)
        gaps.append(np.concatenate([np.diff(t) for t in trains(memoryless)]))
        counts.append([len(t) for t in trains(memoryless)])
        moving = bio.GIFParameters(**CELL, **(STILL | {"gamma_4": GAMMA}), tau_4=TAU)
        times = np.concatenate(trains(clamped(moving, np.zeros(n_cells), seconds, dt=dt, seed=seed)))
        rates.append(np.histogram(times, np.linspace(0, seconds, 41))[0] / n_cells / (seconds / 40))
    return xr.Dataset(
        {
            "gap": (("seed", "interval"), padded(gaps)),
            "count": (("seed", "cell"), counts),
            "rate": (("seed", "time"), np.array(rates)),
        },
        coords={"time": (np.arange(40) + 0.5) * seconds / 40},
        attrs={"dt": dt, "seconds": seconds},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the hazard, the variation of the intervals, and the rate after adaptation, over the closed form."""
    gaps, dt = found["gap"].values[np.isfinite(found["gap"].values)], found.attrs["dt"]
    at_risk = found.attrs["seconds"] - found["count"].values * (REFRACTORY - dt)
    late = found["rate"].where(found["time"] > 0.6 * float(found["time"][-1]), drop=True)
    return {
        "spikes a second at risk over the hazard": float(
            found["count"].sum() / at_risk.sum() / -np.expm1(-HAZARD * dt) * dt
        ),
        "coefficient of variation over the closed form": float(gaps.std() / gaps.mean() / _variation(dt)),
        "shortest interval": float(1e3 * gaps.min()),
        "adapted rate over the closed form": float(late.mean()) / adapted_rate(dt),
    }


def _variation(dt: float) -> float:
    """Return the coefficient of variation of intervals that are geometric after the refractory period."""
    return float(np.exp(-HAZARD * dt / 2) * dt / -np.expm1(-HAZARD * dt) / interval(HAZARD, dt))


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the intervals and the adapting rate over their closed forms."""
    left, right = figure.subplots(1, 2)
    gaps = 1e3 * found["gap"].values[np.isfinite(found["gap"].values)]
    left.hist(gaps, 80, density=True, color=PALETTE[5], label="neurosim")
    t = np.linspace(1e3 * REFRACTORY, gaps.max(), 300)
    left.plot(t, HAZARD / 1e3 * np.exp(-HAZARD * (t / 1e3 - REFRACTORY)), color="0.3", lw=0.9, label="closed form")
    left.set(xlabel="interval (ms)", ylabel="density (1/ms)", title=f"fixed threshold, {len(gaps):,} intervals")
    right.plot(found["time"], found["rate"].mean("seed"), color=PALETTE[0], label="neurosim")
    right.axhline(adapted_rate(found.attrs["dt"]), color="0.3", lw=0.9, label="closed form")
    right.set(xlabel="time (s)", ylabel="rate (spikes/s)", ylim=(0, None))
    right.set_title(f"moving threshold, {found.sizes['seed']} x {found.sizes['cell']} neurons")
    for ax in (left, right):
        ax.legend(fontsize=7)


CLASSIC = Classic(
    "gif",
    "Generalised integrate-and-fire neuron, escape noise and adaptation",
    (
        "Pozzorini C, Mensi S, Hagens O, et al. (2015) PLoS Comput Biol 11:e1004275, "
        "https://doi.org/10.1371/journal.pcbi.1004275",
        "Naud R, Gerstner W (2012) PLoS Comput Biol 8:e1002711, https://doi.org/10.1371/journal.pcbi.1002711",
    ),
    "Cells at a constant membrane 8 mV above the soft threshold, whose escape has a spread of 2 mV: without memory "
    "they are a renewal process, whose intervals are known; a threshold that rises by 0.2 mV at each spike and decays "
    "with 0.5 s holds them at the rate that solves one equation. Fits to patch clamp are in analyses/patch_clamp.",
    compute,
    numbers,
    draw,
    {
        "spikes a second at risk over the hazard": Claim(
            1.0, "", "exp((v - v_t) / delta_v), in steps", 0.01, small=0.04
        ),
        "coefficient of variation over the closed form": Claim(1.0, "", "renewal theory", 0.02, small=0.08),
        "shortest interval": Claim(4.0, "ms", "the refractory period", 0.01),
        "adapted rate over the closed form": Claim(1.0, "", "mean field of the moving threshold", 0.03, full_only=True),
    },
    full={"dt": 2e-4, "seconds": 4.0, "n_cells": 200, "seeds": (0, 1, 2, 3, 4)},
    small={"dt": 2e-4, "seconds": 0.4, "n_cells": 150, "seeds": (0,)},
)
