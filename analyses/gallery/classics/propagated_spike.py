"""The propagated spike of Hodgkin and Huxley 1952, in an axon from an SWC file."""

import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from classic import Claim, Classic

import neurosim as ns
from neurosim import biophysics as bio
from neurosim import storage
from neurosim.plots.canvas import PALETTE, Figure

RADIUS, RESISTIVITY, DENSITY = 238e-6, 0.354, 0.01  # m, ohm m, F/m2: page 528
WARMER = 3 ** ((18.5 - 6.3) / 10)  # by which gates are faster at 18.5 degrees
AXON, NEAR, FAR = 2, 0.02, 0.04  # label of an axon in SWC; places between which the speed is measured, m


def axon(length: float, n: int, radius: float) -> bio.Morphology:
    """Return a straight axon of `n` compartments, read from an SWC file, whose unit is the micrometre."""
    rows = [f"{k + 1} {AXON} {1e6 * k * length / n:.3f} 0 0 {1e6 * radius:.3f} {k or -1}" for k in range(n + 1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "axon.swc"
        storage.write_text(path, "\n".join(rows))
        return bio.load_swc(path)


def spike(n: int, radius: float, dt: float, capacitance: float) -> xr.DataArray:
    """Return the membrane of an axon of 6 cm after a pulse at its end; gates are those of 6.3 degrees.

    In the time in which gates of any temperature move as those of 6.3 degrees, the capacitance is that much larger.
    """
    shape = axon(0.06, n, radius)
    seconds = 0.016
    current = np.zeros((1, round(seconds / 2e-4), 1))
    current[0, :2] = 2e-4 * (radius / RADIUS) ** 1.5  # A, for 0.4 ms
    shown = ns.as_stimuli(current, dims=("stimulus", "time", "unit"), time_step=2e-4)
    channels = {"axon": bio.SquidAxonParameters(capacitance=100e-12 * capacitance)}
    cable = bio.CableParameters(capacitance=DENSITY * capacitance, resistivity=RESISTIVITY)
    return bio.simulate_morphology(shape, shown, ["axon"], channels=channels, cable=cable, dt=dt, progress=False)[0]


def compute(n: int, dt: float) -> xr.Dataset:
    """Return when the spike passes each place, at 18.5 and 6.3 degrees and in an axon of twice the diameter."""
    runs = {
        "18.5 degrees": (spike(n, RADIUS, dt, WARMER), WARMER),
        "6.3 degrees": (spike(n, RADIUS, dt, 1.0), 1.0),
        "6.3 degrees, twice as wide": (spike(n, 2 * RADIUS, dt, 1.0), 1.0),
    }
    passed = [_crossings(v) / faster for v, faster in runs.values()]
    first, faster = runs["18.5 degrees"]
    chosen = first.isel(compartment=[round(n * x / 0.06) for x in (0.01, NEAR, FAR)]).reset_coords(drop=True)
    chosen = chosen.drop_vars("stimulus", errors="ignore").assign_coords(time=first["time"].values / faster)
    return xr.Dataset(
        {"passed": (("run", "place"), np.array(passed)), "membrane": chosen.drop_vars("compartment")},
        coords={"run": list(runs), "place": first["distance"].values},
    )


def _crossings(membrane: xr.DataArray) -> np.ndarray:
    """Return when the membrane of each place first rises through -20 mV, between steps, s."""
    v, t = membrane.transpose("time", "compartment").values, membrane["time"].values
    k = (v > -20e-3).argmax(axis=0).clip(1)
    places = np.arange(v.shape[1])
    low, high = v[k - 1, places], v[k, places]
    return t[k - 1] + (t[k] - t[k - 1]) * (-20e-3 - low) / (high - low)


def numbers(found: xr.Dataset) -> dict[str, float]:
    """Return the speeds between the two places, and the height of the spike."""
    near, far = (found["passed"].sel(place=x, method="nearest") for x in (NEAR, FAR))
    speed = (float(far["place"]) - float(near["place"])) / (far - near).values
    peak = found["membrane"].isel(compartment=1)
    return {
        "speed at 18.5 degrees": float(speed[0]),
        "height of the spike at 18.5 degrees": float(1e3 * (peak.max() + 65e-3)),
        "speed in twice the diameter over the root of 2": float(speed[2] / speed[1] / np.sqrt(2)),
    }


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the spike at three places, and when it passes each place."""
    left, right = figure.subplots(1, 2)
    for k, x in enumerate((10, 1e3 * NEAR, 1e3 * FAR)):
        left.plot(
            1e3 * found["time"],
            1e3 * found["membrane"].isel(compartment=k),
            color=PALETTE[k],
            lw=0.9,
            label=f"{x:g} mm",
        )
    left.set(xlabel="time (ms)", ylabel="membrane (mV)", title="18.5 \u00b0C, at three places")
    left.legend(fontsize=7)
    for k, run in enumerate(found["run"].values):
        label = str(run).replace("degrees", "\u00b0C")
        right.plot(1e3 * found["passed"].sel(run=run), 1e3 * found["place"], color=PALETTE[k], label=label)
    right.set(xlabel="time (ms)", ylabel="place (mm)", title="when the spike passes")
    right.legend(fontsize=7)


CLASSIC = Classic(
    "propagated_spike",
    "Hodgkin-Huxley 1952, propagated spike in an SWC axon",
    (
        "Hodgkin AL, Huxley AF (1952) J Physiol 117:500-544, https://doi.org/10.1113/jphysiol.1952.sp004764",
        "Rall W (1962) Ann NY Acad Sci 96:1071-1092, https://doi.org/10.1111/j.1749-6632.1962.tb54120.x",
    ),
    "An axon of 238 um radius and 35.4 ohm cm from an SWC file, excited at one end: the speed between 2 and 4 cm, for "
    "which the paper solved the equation of the travelling spike at 18.5 degrees.",
    compute,
    numbers,
    draw,
    {
        "speed at 18.5 degrees": Claim(18.8, "m/s", "page 528", 0.38, small=0.9),
        "height of the spike at 18.5 degrees": Claim(90.5, "mV", "page 528, figure 15", 2.0, small=3.0),
        "speed in twice the diameter over the root of 2": Claim(
            1.0, "", "scaling of the cable equation", 0.005, small=0.02
        ),
    },
    full={"n": 480, "dt": 5e-6},
    small={"n": 90, "dt": 2.5e-5},
)
