"""Tuning to orientation: gratings, mean curves around the preferred orientation, and their widths."""

from __future__ import annotations

import numpy as np
import xarray as xr

import neurosim as ns
from neurosim.plots.canvas import PALETTE, Figure


def gratings(orientations: np.ndarray, contrasts: tuple[float, ...], side: int, wavelength: float) -> xr.DataArray:
    """Return pictures (stimulus, y, x) of bars across `orientations` (degrees), contrast after contrast.

    `wavelength` is in sides of the picture; intensities lie around one half.
    """
    place = (np.arange(side) + 0.5) / side - 0.5
    y, x = np.meshgrid(place, place, indexing="ij")
    pictures = [
        0.5 + 0.5 * c * np.cos(2 * np.pi * (x * np.cos(a) + y * np.sin(a)) / wavelength)
        for c in contrasts
        for a in np.deg2rad(orientations)
    ]
    return ns.as_stimuli(np.array(pictures), dims=("stimulus", "y", "x"))


def aligned(rate: np.ndarray) -> np.ndarray:
    """Return mean curves (contrast, difference) of rates (contrast, orientation, preferred): 0 is in the middle.

    Cells enter whose preferred orientation was shown.
    """
    n, size = rate.shape[1:]
    each = [np.roll(rate[:, :, k], n // 2 - k * n // size, axis=1) for k in range(size) if k * n % size == 0]
    return np.asarray(np.mean(each, axis=0))


def half_width(curve: np.ndarray) -> float:
    """Return half the width (degrees) of a curve over 180 degrees at half its height above its lowest point."""
    n, middle = len(curve), len(curve) // 2
    half = (curve[middle] + curve.min()) / 2
    widths = []
    for side in (curve[middle:], np.append(curve[middle::-1], curve[-1])):
        k = int(np.argmax(side < half))
        widths.append(k - 1 + (side[k - 1] - half) / (side[k - 1] - side[k]))
    return float(np.mean(widths) * 180 / n)


def draw_curves(found: xr.Dataset, figure: Figure) -> None:
    """Draw curves (seed, contrast, difference), averaged over seeds, as rates and as shares of their height."""
    left, right = figure.subplots(1, 2)
    mean = found["curve"].mean("seed")
    for k, contrast in enumerate(found["contrast"].values):
        curve = mean.sel(contrast=contrast).values
        label = f"contrast {contrast:g}"
        left.plot(found["difference"], curve, "o-", ms=3, color=PALETTE[k], label=label)
        share = (curve - curve.min()) / np.ptp(curve)
        width = f"{label}: {half_width(curve):.0f}\u00b0"
        right.plot(found["difference"], share, "o-", ms=3, color=PALETTE[k], label=width)
    for ax in (left, right):
        ax.set(xlabel="from the preferred orientation (degrees)", xticks=range(-90, 91, 45))
    left.set(ylabel="rate (spikes/s)", title=f"mean of {found.sizes['seed']} seeds")
    right.set(ylabel="share of the height", title="the same, as shares")
    left.legend(fontsize=6, loc="upper left", borderaxespad=0)
    right.legend(title="half width", title_fontsize=6, fontsize=6, loc="upper left", borderaxespad=0)


def judged_curves(found: xr.Dataset) -> dict[str, float | str]:
    """Return the half width at the highest contrast, that of the lowest over it, and whether rates grow."""
    curves = found["curve"].mean("seed").values
    widths, heights = [half_width(curve) for curve in curves], [float(curve.max()) for curve in curves]
    return {
        "half width at the highest contrast": widths[-1],
        "half width at the lowest contrast over it": widths[0] / widths[-1],
        "rate at the preferred orientation": "grows with contrast" if heights == sorted(heights) else "does not grow",
    }
