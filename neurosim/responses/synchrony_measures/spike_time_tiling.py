"""The share of spikes near those of the other unit, against the time that windows around those cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.refusals import check_number
from neurosim.responses.synchrony_measures import SynchronyMeasure, Trains


@dataclass(frozen=True)
class TilingOptions:
    """Options of the tiling coefficient. window : s, taken as whole bins on either side of that of the spike."""

    window: float = 5e-3


def spike_time_tiling(trials: Sequence[Trains], duration: float, step: float, options: TilingOptions) -> np.ndarray:
    """Return the coefficient, averaged over the trials in which both fire; NaN where there are none."""
    check_number(options.window, "synchrony", "window", 0)
    whole = (round(options.window / step) + 0.5) * step
    tiled = np.stack([_tiling([train + step / 2 for train in trains], whole, duration) for trains in trials])
    there = ~np.isnan(tiled)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, tiled, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan))


def _tiling(trains: Trains, window: float, duration: float) -> np.ndarray:
    """Spike time tiling coefficient of every pair, of spikes in the middle of their bins; NaN where one is silent."""
    covered = [_covered(t, window, duration) for t in trains]
    found = np.full((len(trains), len(trains)), np.nan)
    for i, a in enumerate(trains):
        for j, b in enumerate(trains):
            if len(a) and len(b):
                pa, pb = _share_near(a, b, window), _share_near(b, a, window)
                terms = [(p - t) / (1 - p * t) if p * t != 1 else 1.0 for p, t in ((pa, covered[j]), (pb, covered[i]))]
                found[i, j] = np.mean(terms)
    return found


def _covered(train: np.ndarray, window: float, duration: float) -> float:
    if not len(train):
        return 0.0
    inside = 2 * window * len(train) - np.maximum(2 * window - np.diff(train), 0).sum()
    return float(inside - max(window - train[0], 0) - max(train[-1] + window - duration, 0)) / duration


def _share_near(a: np.ndarray, b: np.ndarray, window: float) -> float:
    right = np.minimum(np.searchsorted(b, a), len(b) - 1)
    left = np.maximum(right - 1, 0)
    return float((np.minimum(np.abs(b[right] - a), np.abs(b[left] - a)) <= window * (1 + 1e-9)).mean())


SPIKE_TIME_TILING = SynchronyMeasure(
    name="spike_time_tiling",
    kernel=spike_time_tiling,
    caption="share of spikes near those of the other unit, 0 for independent units of any rates",
    reference="https://doi.org/10.1523/JNEUROSCI.2767-14.2014",
    options=TilingOptions,
)
