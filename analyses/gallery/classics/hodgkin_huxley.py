"""The squid giant axon of Hodgkin and Huxley under constant current."""

import numpy as np
import xarray as xr
from clamp import clamped, shown_membrane, steady_rates, trains
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

DENSITY = 1e-10  # A for 1 uA/cm2 of the record's membrane
RATES = {7.0: (58.3, 58.7), 10.0: (68.32, 68.47), 20.0: (86.47, 86.56), 50.0: (117.04, 117.11)}  # rk4, NEURON
ONE_SPIKE, MANY_SPIKES = np.arange(2.20, 2.345, 0.02), np.arange(6.15, 6.40, 0.05)


def compute(dt: float, seconds: float) -> xr.Dataset:
    """Return rates, numbers of spikes around both thresholds, and some membranes."""
    drive = np.concatenate([[*RATES], ONE_SPIKE, MANY_SPIKES, [30.0]])
    found = clamped(bio.SquidAxonParameters(), drive * DENSITY, seconds, dt=dt)
    counts = [len(t) for t in trains(found)]
    return xr.Dataset(
        {
            "rate": ("drive", steady_rates(found, seconds / 2)),
            "count": ("drive", counts),
            "membrane": shown_membrane(found, [4, 8, 1], 0.0, 0.06, 4),
        },
        coords={"drive": drive},
    )


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the rates, and the currents at which one spike and repetitive spikes begin."""
    counts, n_one = found["count"].values[len(RATES) :], len(ONE_SPIKE)
    first, last = counts[:n_one], found["rate"].values[len(RATES) :][n_one : n_one + len(MANY_SPIKES)]
    rates = {name: float(found["rate"][k]) for k, pair in enumerate(NAMES) for name in pair}
    return rates | {
        "current of one spike": _onset(ONE_SPIKE, first > 0),
        "current of repetitive spikes": _onset(MANY_SPIKES, last > 0),
    }


def _onset(currents: np.ndarray, fires: np.ndarray) -> float:
    """Return the middle between the last current that does not fire and the first that does."""
    k = int(np.argmax(fires))
    return float(currents[max(k - 1, 0) : k + 1].mean()) if fires.any() else np.nan


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw membranes below and above threshold, and the rates over those of NEURON."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    time = 1e3 * found["membrane_time"]
    for k, label in enumerate((2.2, 2.28, 10)):
        left.plot(time, 1e3 * found["membrane"][:, k], color=PALETTE[k], lw=0.9, label=f"{label:g} \u00b5A/cm$^2$")
    left.set(xlabel="time (ms)", ylabel="membrane (mV)", ylim=(None, 62), title="under three currents")
    left.legend(fontsize=7, loc="upper right", ncols=3, borderaxespad=0)
    order = np.argsort(found["drive"].values)
    right.plot(found["drive"][order], found["rate"][order], "o-", ms=3, color=PALETTE[0], label="neurosim")
    right.plot([*RATES], [pair[1] for pair in RATES.values()], "x", color=PALETTE[1], label="NEURON 9")
    right.set(xlabel="current (\u00b5A/cm$^2$)", ylabel="steady rate (Hz)", xscale="log", title="repetitive firing")
    right.set_xticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    right.minorticks_off()
    right.legend(fontsize=7)


NAMES = [(f"rate at {i:g} uA/cm2", f"rate at {i:g} uA/cm2 in NEURON") for i in RATES]
CLASSIC = Classic(
    "hodgkin_huxley",
    "Hodgkin-Huxley 1952",
    ("Hodgkin AL, Huxley AF (1952) J Physiol 117:500-544, https://doi.org/10.1113/jphysiol.1952.sp004764",),
    "The membrane equations of pages 518 and 519 at 6.3 degrees, with rest at -65 mV, under steps of current: rates "
    "over the second half of the run, and the currents at which one spike, and spikes without end, begin.",
    compute,
    numbers,
    draw,
    {
        name: Claim(theirs, "Hz", where, 0.5)
        for pair, both in zip(NAMES, RATES.values(), strict=True)
        for name, theirs, where in zip(
            pair, both, ("equations of pages 518-519, rk4 at 0.01 ms", "NEURON 9, hh.mod"), strict=True
        )
    }
    | {
        "current of one spike": Claim(2.27, "uA/cm2", "rk4 at 0.01 ms: 2.24 to 2.3", 0.03),
        "current of repetitive spikes": Claim(6.275, "uA/cm2", "rk4 at 0.01 ms: 6.25 to 6.3", 0.03, full_only=True),
    },
    full={"dt": 1e-5, "seconds": 0.5},
    small={"dt": 4e-5, "seconds": 0.16},
)
