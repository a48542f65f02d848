"""A decay that looks back only, as a synapse does."""

from __future__ import annotations

import numpy as np

from neurosim.responses.rate_kernels import RateKernel


def exponential(width: float, step: float) -> tuple[np.ndarray, int]:
    """Return a decay over fifteen time constants."""
    lags = np.arange(round(15 * width / step) + 1) * step
    return np.exp(-lags / width), 0


EXPONENTIAL = RateKernel("exponential", exponential, "exponential decay, which looks back only")
