"""The eight firing patterns of the AdEx neuron, told apart by their spikes alone."""

import numpy as np
import xarray as xr
from clamp import clamped, padded, shown_membrane, trains
from classic import Claim, Classic

from neurosim import biophysics as bio
from neurosim.plots.canvas import PALETTE, Figure

SECONDS = 0.6
# C (pF), g_leak (nS), e_leak (mV), a (nS), tau_w (ms), b (pA), v_reset (mV), current (pA); spikes in 600 ms.
PATTERNS = {
    "tonic": (200, 10, -70, 2, 30, 0, -58, 500, 61),
    "adapting": (200, 12, -70, 2, 300, 60, -58, 500, 12),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400, 12),
    "regular bursting": (200, 10, -58, 2, 120, 100, -46, 210, 11),
    "delayed accelerating": (200, 12, -70, -10, 300, 0, -58, 300, 45.5),
    "delayed regular bursting": (100, 10, -65, -10, 90, 30, -47, 110, 32),
    "transient": (100, 10, -65, 10, 90, 100, -47, 180, 1),
    "irregular": (100, 12, -60, -11, 130, 30, -48, 160, 32.5),
}


def label(times: np.ndarray, seconds: float) -> str:
    """Return the pattern of the spikes (s) under a step of current.

    Spikes that end before the middle of the step are transient. What remains is judged by the intervals of the second
    half. Where these are alike, the cell spikes: after an initial burst where an interval is once more than 2.5 times
    the one before; adapting or accelerating where the last is a quarter longer or shorter than the first; else tonic.
    Where they are not, it bursts: regularly where the pauses (intervals above half of the longest) are alike, delayed
    where the first spike is later than half a pause; else it is irregular.
    """
    if len(times) < 3 or times[-1] < seconds / 2:
        return "transient"
    gaps = np.diff(times)
    late = gaps[len(gaps) // 2 :]
    if late.max() < 1.5 * late.min():
        if (gaps[1:] > 2.5 * gaps[:-1]).any():
            return "initial burst"
        change = gaps[-1] / gaps[0]
        return "adapting" if change > 1.25 else "delayed accelerating" if change < 0.75 else "tonic"
    pauses = gaps[gaps > 0.5 * gaps.max()]
    if pauses.std() > 0.1 * pauses.mean():
        return "irregular"
    return "delayed regular bursting" if times[0] > 0.5 * pauses.mean() else "regular bursting"


def compute(dt: float) -> xr.Dataset:
    """Return the spikes of each pattern and the membranes."""
    rows = np.array([row[:8] for row in PATTERNS.values()], dtype=float).T
    names = ("capacitance", "g_leak", "e_leak", "a", "tau_w", "b", "v_reset")
    scales = (1e-12, 1e-9, 1e-3, 1e-9, 1e-3, 1e-12, 1e-3)
    varying = {name: row * scale for name, row, scale in zip(names, rows, scales, strict=False)}
    cell = bio.AdExParameters(v_t=-50e-3, delta_t=2e-3, v_cut=0.0, refractory=0.0)
    found = clamped(cell, rows[7] * 1e-12, SECONDS, dt=dt, varying=varying)
    spikes = padded(trains(found))
    membrane = shown_membrane(found, list(range(len(PATTERNS))), 0.0, SECONDS, max(1, round(2e-4 / dt)))
    return xr.Dataset(
        {"spikes": (("pattern", "spike"), spikes), "membrane": membrane}, coords={"pattern": list(PATTERNS)}
    )


def numbers(found: xr.Dataset) -> dict[str, float | str]:
    """Return the number of spikes of each pattern, and what its spikes are called."""
    ours: dict[str, float | str] = {}
    for pattern, row in zip(found["pattern"].values, found["spikes"].values, strict=True):
        times = row[np.isfinite(row)]
        ours |= {f"spikes, {pattern}": float(len(times)), f"label, {pattern}": label(times, SECONDS)}
    return ours


CUT = -35e-3  # V, of what is drawn: the height of a spike depends on the step alone


def draw(found: xr.Dataset, figure: Figure) -> None:
    """Draw the membrane of each pattern."""
    axes = figure.subplots(2, 4, sharex=True, sharey=True).ravel()
    for k, (ax, pattern) in enumerate(zip(axes, found["pattern"].values, strict=True)):
        ax.plot(1e3 * found["membrane_time"], 1e3 * found["membrane"][:, k].clip(max=CUT), color=PALETTE[0], lw=0.5)
        ax.set_title(str(pattern), fontsize=7)
    figure.supxlabel("time (ms)", fontsize=8)
    figure.supylabel(f"membrane (mV, spikes cut at {1e3 * CUT:g})", fontsize=8)


WHERE = "table 1, parameters; counted by an independent integration"
CLASSIC = Classic(
    "adex_patterns",
    "AdEx, eight firing patterns",
    (
        "Naud R, Marcille N, Clopath C, Gerstner W (2008) Biol Cybern 99:335-347, "
        "https://doi.org/10.1007/s00422-008-0264-7",
        "Brette R, Gerstner W (2005) J Neurophysiol 94:3637-3642, https://doi.org/10.1152/jn.00686.2005",
    ),
    "The parameter sets of table 1 under their steps of current for 600 ms. A rule that sees only the times of the "
    "spikes names the pattern.",
    compute,
    numbers,
    draw,
    {
        name: claim
        for pattern, row in PATTERNS.items()
        for name, claim in (
            (f"label, {pattern}", Claim(pattern, "", "figure 4 and table 1")),
            (f"spikes, {pattern}", Claim(float(row[8]), "", WHERE, 2.0)),
        )
    },
    full={"dt": 1e-5},
    small={"dt": 1e-4},
)
