"""A bell that looks both ways."""

from __future__ import annotations

import numpy as np

from neurosim.responses.rate_kernels import RateKernel


def gaussian(width: float, step: float) -> tuple[np.ndarray, int]:
    """Return a Gaussian out to five standard deviations."""
    reach = max(1, round(5 * width / step))
    lags = np.arange(-reach, reach + 1) * step
    return np.exp(-0.5 * (lags / width) ** 2), reach


GAUSSIAN = RateKernel("gaussian", gaussian, "Gaussian, which looks both ways", gaussian=True)
