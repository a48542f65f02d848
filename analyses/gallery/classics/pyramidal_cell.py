"""A pyramidal cell from an SWC file: a spike of the soma runs back into the dendrite, if that has channels."""

import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from classic import Claim, Classic

import neurosim as ns
from neurosim import biophysics as bio
from neurosim import storage
from neurosim.plots.canvas import PALETTE, Figure

SOMA, AXON, BASAL, APICAL = 1, 2, 3, 4  # labels of SWC
MEASURED = (3e-4, 5e-4)  # places on the trunk, m from the soma
KINDS = {"active dendrite": 1.5e-6, "passive dendrite": 0.0}  # sodium of the trunk, S where the soma has 20e-6


def swc() -> str:
    """Return a pyramidal cell as the text of an SWC file (um): soma, axon, three basal dendrites, a trunk."""
    rows = [(SOMA, 0.0, 0.0, 10.0, -1)]

    def grow(label: int, parent: int, direction: tuple[float, float], length: float, radii: tuple[float, float]) -> int:
        n = round(length / 15)
        x, y = rows[parent - 1][1:3]
        for k in range(1, n + 1):
            radius = radii[0] + (radii[1] - radii[0]) * k / n
            rows.append(
                (label, x + direction[0] * 15 * k, y + direction[1] * 15 * k, radius, parent if k == 1 else len(rows))
            )
        return len(rows)

    grow(AXON, 1, (0.0, -1.0), 150.0, (1.0, 0.6))
    for side in ((0.9, -0.4), (-0.9, -0.4), (0.5, -0.85)):
        grow(BASAL, 1, side, 150.0, (1.0, 0.5))
    top = grow(APICAL, 1, (0.0, 1.0), 600.0, (2.5, 1.2))
    for side in ((0.5, 0.87), (-0.5, 0.87)):
        grow(APICAL, top, side, 150.0, (0.8, 0.4))
    return "\n".join(f"{k + 1} {t} {x:.2f} {y:.2f} 0 {r:.3f} {p}" for k, (t, x, y, r, p) in enumerate(rows))


def compute(dt: float) -> xr.Dataset:
    """Return the membrane of soma and trunk after a pulse into the soma, with and without channels in the trunk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pyramidal.swc"
        storage.write_text(path, swc())
        cell = bio.load_swc(path)
    current = np.zeros((1, 100, 1))
    current[0, 10:30] = 2e-9
    shown = ns.as_stimuli(current, dims=("stimulus", "time", "unit"), time_step=1e-4)
    full = bio.HodgkinHuxleyParameters()
    runs = []
    for sodium in KINDS.values():
        channels = {"soma": full, "axon": full}
        if sodium:
            channels["apical"] = bio.HodgkinHuxleyParameters(g_na=sodium, g_k=full.g_k * sodium / full.g_na)
        cable = bio.CableParameters(resistivity=1.5, g_leak=0.5)
        found = bio.simulate_morphology(cell, shown, ["soma"], channels=channels, cable=cable, dt=dt, progress=False)[0]
        trunk = found.isel(compartment=np.flatnonzero(np.isin(found["label"].values, ("soma", "apical"))))
        runs.append(trunk.isel(compartment=np.argsort(trunk["distance"].values, kind="stable")[:41]))
    return xr.Dataset(
        {"membrane": (("kind", "time", "place"), np.stack([r.transpose("time", "compartment").values for r in runs]))},
        coords={"kind": list(KINDS), "time": runs[0]["time"].values, "place": runs[0]["distance"].values},
    )


def heights(found: xr.Dataset) -> xr.DataArray:
    """Return the height of the spike at every place, V."""
    return found["membrane"].max("time") - found["membrane"].isel(time=0)


def numbers(found: xr.Dataset) -> dict[str, float | str]:
    """Return the order in which soma and trunk fire, how high the spike is in the trunk, and its speed."""
    share = heights(found) / heights(found).isel(place=0)
    active = found["membrane"].sel(kind="active dendrite")
    peaks = active["time"].values[active.argmax("time").values]
    near, far = (int(np.abs(found["place"].values - x).argmin()) for x in MEASURED)
    speed = (found["place"].values[far] - found["place"].values[near]) / (peaks[far] - peaks[near])
    return {
        "order": "soma before dendrite" if peaks[0] < peaks[near] < peaks[far] else "dendrite before soma",
        "height at 0.5 mm over the soma's, active": float(share.sel(kind="active dendrite")[far]),
        "height at 0.5 mm over the soma's, passive": float(share.sel(kind="passive dendrite")[far]),
        "speed in the trunk": float(speed),
    }


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the spike at soma and trunk, and its height along the trunk."""
    left, right = figure.subplots(1, 2)
    for k, x in enumerate((0.0, *MEASURED)):
        at = found["membrane"].sel(kind="active dendrite").sel(place=x, method="nearest")
        left.plot(
            1e3 * found["time"],
            1e3 * at,
            color=PALETTE[k],
            label=f"{1e6 * x:.0f} \u00b5m from the soma" if x else "soma",
        )
    left.set(xlabel="time (ms)", ylabel="membrane (mV)", title="active dendrite")
    for k, kind in enumerate(found["kind"].values):
        right.plot(1e6 * found["place"], 1e3 * heights(found).sel(kind=kind), color=PALETTE[k], label=str(kind))
    right.set(
        xlabel="distance from the soma (\u00b5m)",
        ylabel="height of the spike (mV)",
        ylim=(0, None),
        title="height along the trunk",
    )
    for ax in (left, right):
        ax.legend(fontsize=7)


CLASSIC = Classic(
    "pyramidal_cell",
    "A pyramidal cell from SWC, back-propagating spike",
    (
        "Stuart GJ, Sakmann B (1994) Nature 367:69-72, https://doi.org/10.1038/367069a0",
        "Stuart G, Spruston N, Sakmann B, Hausser M (1997) Trends Neurosci 20:125-131, "
        "https://doi.org/10.1016/S0166-2236(96)10075-8",
    ),
    "A schematic cell, written as an SWC file: soma, axon, basal dendrites, and a trunk of 0.6 mm that branches. A "
    "pulse into the soma, which has 100 mS/cm2 of sodium; the trunk has 7.5, or no channels. What is known is of other "
    "cells with other channels, in slices, and says what is to be expected, no more.",
    compute,
    numbers,
    draw,
    {
        "order": Claim("soma before dendrite", "", "1994, figure 1"),
        "height at 0.5 mm over the soma's, active": Claim(0.55, "", "1997: about half at 0.5 mm", 0.3),
        "height at 0.5 mm over the soma's, passive": Claim(0.0, "", "1994: far less where sodium is blocked", 0.25),
        "speed in the trunk": Claim(0.5, "m/s", "1997: about 0.5", 0.35),
    },
    full={"dt": 5e-6},
    small={"dt": 2.5e-5},
)
